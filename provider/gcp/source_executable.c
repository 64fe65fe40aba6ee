/* Subject tokens from programs (AIP-4117, "Determining the subject token in executable-sourced
 * credentials"). */
#include <ctype.h>
#include <string.h>
#include <unistd.h>

#include "base/process.h"
#include "gcp/source.h"
#include "gcp/text_file.h"
#include "value/codec.h"

enum { OUTPUT_MOST = 256 * 1024, WORDS_MOST = 64, OWN_VARIABLES = 5, VARIABLES_MOST = 65536 };

static const char id_token_type[] = "urn:ietf:params:oauth:token-type:id_token";
static const char jwt_type[] = "urn:ietf:params:oauth:token-type:jwt";
static const char saml_type[] = "urn:ietf:params:oauth:token-type:saml2";

/* ---- the response ---- */

struct response {
    const char *token;
    bool expired;
};

static int take_token(struct gcp_source *s, const struct value *v, const char *what,
                      struct response *ret)
{
    const char *type = value_cstr(value_get(v, "token_type"), "");
    bool jwt = strcmp(type, jwt_type) == 0 || strcmp(type, id_token_type) == 0;
    if (!jwt && strcmp(type, saml_type) != 0)
        return gcp_source_fail(s, "%s of %s has no token_type that is known (jwt, id_token, saml2)",
                               what, s->where);
    const char *member = jwt ? "id_token" : "saml_response";
    ret->token = value_cstr(value_get(v, member), "");
    return *ret->token ? 0 : gcp_source_fail(s, "%s of %s has no %s", what, s->where, member);
}

/* 0 with *ret; what the program itself reports as its failure is an error too. */
static int read_response(struct gcp_source *s, struct slice text, const char *what,
                         bool needs_expiry, struct response *ret)
{
    const struct value *v = NULL;
    struct diags d;
    int64_t expires = 0;
    diags_init(&d, s->a);
    if (value_json_parse(s->a, text, &v, &d) < 0 || v->type->kind != TYPE_OBJECT)
        return gcp_source_fail(s, "%s of %s is no JSON object", what, s->where);
    if (value_int_or(value_get(v, "version"), 0) != 1)
        return gcp_source_fail(s, "%s of %s is not of version 1", what, s->where);
    const struct value *success = value_get(v, "success");
    if (!value_is_known(success) || success->type->kind != TYPE_BOOL)
        return gcp_source_fail(s, "%s of %s does not say whether it is a success", what, s->where);
    if (!value_true(success))
        return gcp_source_fail(
            s, "%s of %s is a failure: %s: %s", what, s->where,
            gcp_shown(s->a, value_cstr(value_get(v, "code"), "it has no code"), 60),
            gcp_shown(s->a, value_cstr(value_get(v, "message"), "it has no message"), 500));
    const struct value *expiry = value_get(v, "expiration_time");
    bool known = value_is_known(expiry) && expiry->type->kind == TYPE_NUMBER &&
                 value_to_int(expiry, &expires);
    if (!known && (needs_expiry || !value_is_null(expiry)))
        return gcp_source_fail(s,
                               "%s of %s has no expiration_time in seconds since 1970, which an "
                               "output_file needs",
                               what, s->where);
    ret->expired = known && expires <= gcp_source_now(s);
    return take_token(s, v, what, ret);
}

/* ---- the program ---- */

/* Words between white space; what stands in double quotes is one. The text is cut up in place. */
static int split(char *text, char *words[WORDS_MOST + 1])
{
    size_t count = 0;
    char *p = text;
    for (;;) {
        while (isspace((unsigned char)*p))
            p++;
        if (!*p)
            break;
        if (count == WORDS_MOST)
            return -1;
        char *out = p;
        bool quoted = false;
        words[count++] = out;
        for (; *p && (quoted || !isspace((unsigned char)*p)); p++) {
            if (*p == '"')
                quoted = !quoted;
            else
                *out++ = *p;
        }
        bool more = *p != '\0';
        *out = '\0';
        if (quoted)
            return -1;
        p += more;
    }
    words[count] = NULL;
    return count ? 0 : -1;
}

/* Our environment and what the specification adds to it. */
static char **environment(struct gcp_source *s, const struct gcp_credential_file *f)
{
    static const char prefix[] = "GOOGLE_EXTERNAL_ACCOUNT_";
    static const char allow[] = "GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES=";
    const char *email =
        f->impersonation_url ? gcp_impersonated_email(s->a, f->impersonation_url) : NULL;
    size_t count = 0, used = 0;
    while (environ[count] && count < VARIABLES_MOST)
        count++;
    char **all = arena_new_array(s->a, count + OWN_VARIABLES + 1, char *);
    for (size_t i = 0; all && i < count; i++)
        if (strncmp(environ[i], prefix, strlen(prefix)) != 0 ||
            strncmp(environ[i], allow, strlen(allow)) == 0)
            all[used++] = environ[i];
    if (!all)
        return NULL;
    all[used++] = arena_printf(s->a, "%sAUDIENCE=%s", prefix, f->audience);
    all[used++] = arena_printf(s->a, "%sTOKEN_TYPE=%s", prefix, f->subject_token_type);
    all[used++] = arena_printf(s->a, "%sINTERACTIVE=0", prefix);
    if (email)
        all[used++] = arena_printf(s->a, "%sIMPERSONATED_EMAIL=%s", prefix, email);
    if (f->subject.output_file)
        all[used++] = arena_printf(s->a, "%sOUTPUT_FILE=%s", prefix, f->subject.output_file);
    return arena_failed(s->a) ? NULL : all;
}

/* A response that an earlier run has left and that is still good: 0; 1 when there is none. */
static int cached(struct gcp_source *s, const struct gcp_subject *from, const char **ret)
{
    struct slice text;
    const char *why = NULL;
    struct response r = {NULL, false};
    const char *what = arena_printf(s->a, "the output_file %s", from->output_file);
    int rc = what ? gcp_read_text_file(s->a, from->output_file, &text, &why) : -1;
    if (rc < 0)
        return gcp_source_fail(s, "the output_file %s of %s cannot be read: %s", from->output_file,
                               s->where, why ? why : "memory ran out");
    if (rc == 1 || !text.len)
        return 1;
    /* A failure that was kept, or a file that makes no sense, is no reason not to try again. */
    if (read_response(s, text, what, true, &r) < 0 || r.expired)
        return 1;
    *ret = r.token;
    return 0;
}

int gcp_subject_executable(struct gcp_source *s, const struct gcp_credential_file *f,
                           const char **ret)
{
    _cleanup_buf_ struct buf out = BUF_INIT(OUTPUT_MOST);
    char *words[WORDS_MOST + 1];
    struct response r = {NULL, false};
    const char *allowed = gcp_env("GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES");
    if (!allowed || strcmp(allowed, "1") != 0)
        return gcp_source_fail(s,
                               "%s names an executable, which is not run unless "
                               "GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES is 1: set it if you "
                               "trust the file",
                               s->where);
    int rc = f->subject.output_file ? cached(s, &f->subject, ret) : 1;
    if (rc <= 0)
        return rc;
    char *command = arena_strdup(s->a, f->subject.command);
    char **envp = environment(s, f);
    if (!command || !envp)
        return gcp_source_fail(s, "memory ran out");
    if (split(command, words) < 0)
        return gcp_source_fail(s,
                               "the executable's command of %s is no program and at most 63 "
                               "arguments, or has an open quote",
                               s->where);
    const char *why = process_output(s->a, s->work, words, envp, f->subject.timeout_ms, &out);
    if (why)
        return gcp_source_fail(s, "the executable %s of %s failed: %s", words[0], s->where, why);
    if (read_response(s, buf_slice(&out), "the executable's output", f->subject.output_file != NULL,
                      &r) < 0)
        return -1;
    if (r.expired)
        return gcp_source_fail(s, "the executable %s of %s gave a token that has expired", words[0],
                               s->where);
    *ret = r.token;
    return 0;
}

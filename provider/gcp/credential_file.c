/* Reading credential files. */
#include "gcp/credential_file.h"

#include <ctype.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

#include "gcp/jwt.h"
#include "value/codec.h"

enum {
    TEXT_MOST = 1 << 20,
    LIFETIME_DEFAULT_S = 3600,
    LIFETIME_LEAST_S = 600,
    LIFETIME_MOST_S = 43200,
    TIMEOUT_DEFAULT_MS = 30000,
    TIMEOUT_LEAST_MS = 5000,
    TIMEOUT_MOST_MS = 120000,
    HEADERS_MOST = 32,
    DELEGATES_MOST = 32,
    SHOWN_MOST = 60,
};

static const char google_token_uri[] = "https://oauth2.googleapis.com/token";
static const char google_sts_token_url[] = "https://sts.googleapis.com/v1/token";

/* ---- reading members ---- */

enum rule {
    PLAIN,
    NEEDED = 1,   /* missing is an error */
    SAFE_URL = 2, /* secrets are sent there: HTTPS, or this machine */
    ANY_URL = 4,  /* http or https: metadata servers have no certificates */
    WORD = 8,     /* goes into headers, URLs and messages */
};

struct field {
    const char *name;
    size_t offset; /* of the const char * in the struct */
    int rule;
};

struct reader {
    struct arena *a;
    const struct value *object;
    const char *prefix; /* of names in messages: "credential_source." */
    const char *type;   /* of the credentials, for messages */
    const char **why;
};

static int wrong(const struct reader *r, const char *text)
{
    *r->why = text ? text : "memory ran out";
    return -1;
}

static bool is_printable(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if ((unsigned char)s.ptr[i] <= ' ' || (unsigned char)s.ptr[i] >= 0x7f)
            return false;
    return true;
}

static bool has_nul(struct slice s)
{
    return s.len && memchr(s.ptr, '\0', s.len);
}

static bool is_this_machine(const char *host)
{
    static const char *const names[] = {"localhost", "127.0.0.1", "[::1]"};
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        size_t n = strlen(names[i]);
        if (strncasecmp(host, names[i], n) == 0 && strchr(":/?", host[n]))
            return true; /* strchr() also finds the end of the string */
    }
    return false;
}

static int check_url(const struct reader *r, const struct field *f, struct slice url)
{
    bool https = slice_has_prefix(url, "https://") && url.len > 8;
    bool http = slice_has_prefix(url, "http://") && url.len > 7;
    size_t scheme = https ? 8 : 7;
    size_t host = https || http ? strcspn(url.ptr + scheme, "/?#") : 0;
    if ((!https && !http) || !is_printable(url) || memchr(url.ptr, '#', url.len) || !host ||
        memchr(url.ptr + scheme, '@', host))
        return wrong(r, arena_printf(r->a, "the member %s%s is no URL", r->prefix, f->name));
    if ((f->rule & SAFE_URL) && !https && !is_this_machine(url.ptr + scheme))
        return wrong(r, arena_printf(r->a,
                                     "the member %s%s is a URL without TLS: secrets are sent only "
                                     "with https:// (or to this machine)",
                                     r->prefix, f->name));
    return 0;
}

static int read_field(const struct reader *r, const struct field *f, void *ret)
{
    const struct value *v = value_get(r->object, f->name);
    const char **place = (const char **)(void *)((char *)ret + f->offset);
    if (!value_is_null(v) && v->type->kind != TYPE_STRING)
        return wrong(r, arena_printf(r->a, "the member %s%s is not a string", r->prefix, f->name));
    struct slice s = value_slice(v);
    if (!s.len)
        return f->rule & NEEDED
                   ? wrong(r,
                           arena_printf(r->a, "it has no %s%s, which credentials of type %s need",
                                        r->prefix, f->name, r->type))
                   : 0;
    if (has_nul(s))
        return wrong(
            r, arena_printf(r->a, "the member %s%s holds a NUL character", r->prefix, f->name));
    *place = value_cstr(v, NULL);
    if ((f->rule & WORD) && !is_printable(s))
        return wrong(r,
                     arena_printf(r->a, "the member %s%s holds white space or control characters",
                                  r->prefix, f->name));
    return f->rule & (SAFE_URL | ANY_URL) ? check_url(r, f, s) : 0;
}

static int read_fields(const struct reader *r, const struct field *fields, size_t count, void *ret)
{
    for (size_t i = 0; i < count; i++)
        if (read_field(r, &fields[i], ret) < 0)
            return -1;
    return 0;
}

#define COUNT(array) (sizeof(array) / sizeof(*(array)))
#define FILE_FIELD(name, rule)                                                                     \
    {                                                                                              \
#name, offsetof(struct gcp_credential_file, name), (rule)                                  \
    }

/* A whole number within the limits; `otherwise` when it is absent. */
static int read_number(const struct reader *r, const struct value *object, const char *name,
                       int64_t least, int64_t most, int64_t otherwise, int64_t *ret)
{
    const struct value *v = value_get(object, name);
    *ret = otherwise;
    if (value_is_null(v))
        return 0;
    if (v->type->kind == TYPE_NUMBER && value_to_int(v, ret) && *ret >= least && *ret <= most)
        return 0;
    return wrong(r, arena_printf(r->a, "the member %s%s is no whole number from %lld to %lld",
                                 r->prefix, name, (long long)least, (long long)most));
}

/* ---- external accounts ---- */

static int read_format(const struct reader *r, struct gcp_subject *ret)
{
    const struct value *format = value_get(r->object, "format");
    if (value_is_null(format))
        return 0;
    if (format->type->kind != TYPE_OBJECT)
        return wrong(r, "the member credential_source.format is not an object");
    const char *type = value_cstr(value_get(format, "type"), NULL);
    if (!type || strcmp(type, "text") == 0)
        return 0;
    if (strcmp(type, "json") != 0)
        return wrong(r,
                     "the member credential_source.format.type is neither \"text\" nor \"json\"");
    struct slice name = value_slice(value_get(format, "subject_token_field_name"));
    if (!name.len || has_nul(name))
        return wrong(r, "it has no credential_source.format.subject_token_field_name, which the "
                        "format \"json\" needs");
    ret->json_field = name.ptr;
    return 0;
}

static bool is_header_name(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!isalnum((unsigned char)s.ptr[i]) && !strchr("-_.!#$%&'*+^`|~", s.ptr[i]))
            return false;
    return s.len > 0;
}

static int read_headers(const struct reader *r, struct gcp_subject *ret)
{
    const struct value *headers = value_get(r->object, "headers");
    if (value_is_null(headers))
        return 0;
    if (headers->type->kind != TYPE_OBJECT || value_count(headers) > HEADERS_MOST)
        return wrong(r, "the member credential_source.headers is no object of at most 32 headers");
    for (size_t i = 0; i < value_count(headers); i++) {
        struct slice v = value_slice(value_at(headers, i));
        if (value_is_null(value_at(headers, i)) ||
            value_at(headers, i)->type->kind != TYPE_STRING ||
            !is_header_name(headers->members[i].key))
            return wrong(r, "a member of credential_source.headers is no header and string");
        for (size_t k = 0; k < v.len; k++)
            if ((unsigned char)v.ptr[k] < ' ' || v.ptr[k] == 0x7f)
                return wrong(r, "a member of credential_source.headers holds a line break or "
                                "another control character");
    }
    ret->headers = headers;
    return 0;
}

static int read_aws(const struct reader *r, const char *environment, struct gcp_subject *ret)
{
    static const struct field fields[] = {
        {"region_url", offsetof(struct gcp_subject, region_url), ANY_URL},
        {"url", offsetof(struct gcp_subject, url), ANY_URL},
        {"regional_cred_verification_url", offsetof(struct gcp_subject, verification_url), NEEDED},
        {"imdsv2_session_token_url", offsetof(struct gcp_subject, imds_token_url), ANY_URL},
    };
    ret->kind = GCP_SUBJECT_AWS;
    if (strcmp(environment, "aws1") != 0)
        return wrong(r,
                     "its credential_source.environment_id is not \"aws1\", the only one that is "
                     "defined");
    if (read_fields(r, fields, COUNT(fields), ret) < 0)
        return -1;
    if (!slice_has_prefix(slice_str(ret->verification_url), "https://"))
        return wrong(r, "the member credential_source.regional_cred_verification_url is no URL "
                        "that starts with https://");
    return 0;
}

static int read_executable(struct reader *r, const struct value *executable,
                           struct gcp_subject *ret)
{
    static const struct field fields[] = {
        {"command", offsetof(struct gcp_subject, command), NEEDED},
        {"output_file", offsetof(struct gcp_subject, output_file), PLAIN},
    };
    ret->kind = GCP_SUBJECT_EXECUTABLE;
    if (executable->type->kind != TYPE_OBJECT)
        return wrong(r, "the member credential_source.executable is not an object");
    r->object = executable;
    r->prefix = "credential_source.executable.";
    if (read_fields(r, fields, COUNT(fields), ret) < 0)
        return -1;
    return read_number(r, executable, "timeout_millis", TIMEOUT_LEAST_MS, TIMEOUT_MOST_MS,
                       TIMEOUT_DEFAULT_MS, &ret->timeout_ms);
}

static int read_subject(const struct reader *from, struct gcp_subject *ret)
{
    static const struct field file[] = {{"file", offsetof(struct gcp_subject, file), PLAIN},
                                        {"url", offsetof(struct gcp_subject, url), ANY_URL}};
    struct reader r = *from;
    const struct value *source = value_get(from->object, "credential_source");
    if (value_is_null(source))
        return wrong(&r, "it has no credential_source, which credentials of type external_account "
                         "need");
    if (source->type->kind != TYPE_OBJECT)
        return wrong(&r, "the member credential_source is not an object");
    r.object = source;
    r.prefix = "credential_source.";
    const char *environment = value_cstr(value_get(source, "environment_id"), NULL);
    const struct value *executable = value_get(source, "executable");
    if (environment)
        return read_aws(&r, environment, ret);
    if (!value_is_null(executable))
        return read_executable(&r, executable, ret);
    if (!value_is_null(value_get(source, "certificate")))
        return wrong(&r, "its credential_source is a certificate (X.509 federation), which is not "
                         "supported: use file, url, executable or AWS");
    if (read_fields(&r, file, COUNT(file), ret) < 0)
        return -1;
    if (!ret->file == !ret->url)
        return wrong(&r, ret->file ? "its credential_source has a file and a url; it may have one"
                                   : "its credential_source has neither file, url, executable nor "
                                     "environment_id: nothing says where the token comes from");
    ret->kind = ret->file ? GCP_SUBJECT_FILE : GCP_SUBJECT_URL;
    return read_format(&r, ret) < 0 || read_headers(&r, ret) < 0 ? -1 : 0;
}

static int read_external_account(const struct reader *r, struct gcp_credential_file *ret)
{
    static const struct field fields[] = {
        FILE_FIELD(audience, NEEDED),
        FILE_FIELD(subject_token_type, NEEDED),
        FILE_FIELD(token_url, SAFE_URL),
        FILE_FIELD(client_id, PLAIN),
        FILE_FIELD(client_secret, PLAIN),
        FILE_FIELD(workforce_pool_user_project, PLAIN),
        {"service_account_impersonation_url",
         offsetof(struct gcp_credential_file, impersonation_url), SAFE_URL},
    };
    if (read_fields(r, fields, COUNT(fields), ret) < 0)
        return -1;
    if (!ret->token_url)
        ret->token_url = google_sts_token_url;
    const struct value *impersonation = value_get(r->object, "service_account_impersonation");
    struct reader inner = *r;
    inner.prefix = "service_account_impersonation.";
    if (read_number(&inner, impersonation, "token_lifetime_seconds", LIFETIME_LEAST_S,
                    LIFETIME_MOST_S, LIFETIME_DEFAULT_S, &ret->lifetime_s) < 0)
        return -1;
    if (ret->workforce_pool_user_project && !strstr(ret->audience, "/workforcePools/"))
        return wrong(r, "it has a workforce_pool_user_project, but its audience is no workforce "
                        "pool");
    return read_subject(r, &ret->subject);
}

/* ---- the other types ---- */

static int read_service_account(const struct reader *r, struct gcp_credential_file *ret)
{
    static const struct field fields[] = {
        FILE_FIELD(client_email, NEEDED | WORD),
        FILE_FIELD(private_key, NEEDED),
        FILE_FIELD(private_key_id, PLAIN),
        FILE_FIELD(token_uri, SAFE_URL),
    };
    if (read_fields(r, fields, COUNT(fields), ret) < 0)
        return -1;
    if (!ret->token_uri)
        ret->token_uri = google_token_uri;
    const char *problem = gcp_jwt_key_problem(ret->private_key);
    return problem ? wrong(r, arena_printf(r->a, "its private_key %s", problem)) : 0;
}

static int read_authorized_user(const struct reader *r, struct gcp_credential_file *ret)
{
    static const struct field fields[] = {
        FILE_FIELD(client_id, NEEDED),
        FILE_FIELD(client_secret, NEEDED),
        FILE_FIELD(refresh_token, NEEDED),
        FILE_FIELD(token_uri, SAFE_URL),
    };
    if (read_fields(r, fields, COUNT(fields), ret) < 0)
        return -1;
    if (!ret->token_uri)
        ret->token_uri = google_token_uri;
    return 0;
}

static int read_external_user(const struct reader *r, struct gcp_credential_file *ret)
{
    static const struct field fields[] = {
        FILE_FIELD(audience, PLAIN),
        FILE_FIELD(client_id, NEEDED),
        FILE_FIELD(client_secret, NEEDED),
        FILE_FIELD(refresh_token, NEEDED),
        FILE_FIELD(token_url, NEEDED | SAFE_URL),
    };
    return read_fields(r, fields, COUNT(fields), ret);
}

static int read_object(struct arena *a, const struct value *object, bool nested,
                       struct gcp_credential_file *ret, const char **why);

static int read_impersonated(const struct reader *r, struct gcp_credential_file *ret)
{
    static const struct field url = {"service_account_impersonation_url",
                                     offsetof(struct gcp_credential_file, impersonation_url),
                                     NEEDED | SAFE_URL};
    const struct value *delegates = value_get(r->object, "delegates");
    const struct value *source = value_get(r->object, "source_credentials");
    const char *inner = NULL;
    if (read_field(r, &url, ret) < 0)
        return -1;
    if (!value_is_null(delegates) &&
        (delegates->type->kind != TYPE_TUPLE || value_count(delegates) > DELEGATES_MOST))
        return wrong(r, "the member delegates is no list of at most 32 service accounts");
    for (size_t i = 0; i < value_count(delegates); i++)
        if (!value_slice(value_at(delegates, i)).len)
            return wrong(r, "a member of delegates is no name of a service account");
    ret->delegates = delegates;
    if (value_is_null(source) || source->type->kind != TYPE_OBJECT)
        return wrong(r, "it has no source_credentials, which credentials of type "
                        "impersonated_service_account need");
    struct gcp_credential_file *from = arena_new_object(r->a, struct gcp_credential_file);
    if (!from)
        return wrong(r, NULL);
    ret->source = from;
    return read_object(r->a, source, true, from, &inner) == 0
               ? 0
               : wrong(r, arena_printf(r->a, "in its source_credentials: %s", inner));
}

/* ---- types ---- */

static const struct {
    const char *name;
    enum gcp_credential_type type;
    int (*read)(const struct reader *r, struct gcp_credential_file *ret);
} types[] = {
    {"service_account", GCP_SERVICE_ACCOUNT, read_service_account},
    {"authorized_user", GCP_AUTHORIZED_USER, read_authorized_user},
    {"external_account", GCP_EXTERNAL_ACCOUNT, read_external_account},
    {"external_account_authorized_user", GCP_EXTERNAL_ACCOUNT_AUTHORIZED_USER, read_external_user},
    {"impersonated_service_account", GCP_IMPERSONATED_SERVICE_ACCOUNT, read_impersonated},
};

const char *gcp_credential_type_name(enum gcp_credential_type t)
{
    for (size_t i = 0; i < COUNT(types); i++)
        if (types[i].type == t)
            return types[i].name;
    return "";
}

/* A word that may be shown: no key looks like this. */
static bool is_plain_word(const char *s)
{
    size_t len = strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789_");
    return len && len <= SHOWN_MOST && !s[len];
}

/* What a file without a known type most likely is. */
static const char *explain_type(struct arena *a, const struct value *object, const char *type)
{
    if (type)
        return arena_printf(a,
                            "its type is %s%s%s; known are service_account, authorized_user, "
                            "external_account, external_account_authorized_user and "
                            "impersonated_service_account",
                            is_plain_word(type) ? "\"" : "",
                            is_plain_word(type) ? type : "no name of a type",
                            is_plain_word(type) ? "\"" : "");
    if (!value_is_null(value_get(object, "installed")) || !value_is_null(value_get(object, "web")))
        return "it holds an OAuth client's secret, not credentials: run gcloud auth "
               "application-default login, or make a key of a service account";
    return "it has no type, so that it is no credential file of Google Cloud";
}

static int read_object(struct arena *a, const struct value *object, bool nested,
                       struct gcp_credential_file *ret, const char **why)
{
    static const struct field common[] = {
        FILE_FIELD(universe_domain, WORD),
        FILE_FIELD(project_id, WORD),
        FILE_FIELD(quota_project_id, WORD),
    };
    const char *type = value_cstr(value_get(object, "type"), NULL);
    struct reader r = {a, object, "", type, why};
    memset(ret, 0, sizeof(*ret));
    ret->lifetime_s = LIFETIME_DEFAULT_S;
    if (value_is_null(object) || object->type->kind != TYPE_OBJECT)
        return wrong(&r, "it is JSON, but not an object");
    for (size_t i = 0; i < COUNT(types); i++) {
        if (!type || strcmp(types[i].name, type) != 0)
            continue;
        if (nested && types[i].type == GCP_IMPERSONATED_SERVICE_ACCOUNT)
            return wrong(&r, "its type is impersonated_service_account again");
        ret->type = types[i].type;
        if (read_fields(&r, common, COUNT(common), ret) < 0 || types[i].read(&r, ret) < 0)
            return -1;
        if (!ret->universe_domain)
            ret->universe_domain = "googleapis.com";
        return 0;
    }
    return wrong(&r, explain_type(a, object, type));
}

int gcp_credential_file_read(struct arena *a, struct slice text, struct gcp_credential_file *ret,
                             const char **why)
{
    const struct value *v = NULL;
    struct diags d;
    diags_init(&d, a);
    *why = NULL;
    if (text.len > TEXT_MOST) {
        *why = "it is over 1 MiB";
        return -1;
    }
    if (slice_has_prefix(text, "\xEF\xBB\xBF")) /* a byte order mark, as editors leave it */
        text = slice_from(text.ptr + 3, text.len - 3);
    if (value_json_parse(a, text, &v, &d) < 0) {
        *why = text.len ? "it is not JSON" : "it is empty";
        return -1;
    }
    return read_object(a, v, false, ret, why);
}

bool gcp_credentials_are_content(struct slice setting)
{
    size_t i = slice_has_prefix(setting, "\xEF\xBB\xBF") ? 3 : 0;
    while (i < setting.len && isspace((unsigned char)setting.ptr[i]))
        i++;
    return i < setting.len && setting.ptr[i] == '{';
}

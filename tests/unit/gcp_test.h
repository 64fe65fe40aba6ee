/* What the tests of the GCP room share: an environment without settings, a client, and a transport
 * that answers from a script. */
#ifndef LLM_TESTS_GCP_TEST_H
#define LLM_TESTS_GCP_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "fake_clock.h"
#include "gcp/client.h"
#include "gcp/source.h"
#include "value/codec.h"

/* Scripts leave out what is zero. */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

enum { ANSWERS_MOST = 16 };

/* What is to be asked, and what is answered. */
struct exchange {
    const char *method, *url;
    int status; /* 0: `failure` */
    const char *body;
    enum http_failure failure;
    bool not_google; /* without "Metadata-Flavor: Google" */
};

struct recorded {
    const char *url, *body;
    const struct http_header *headers;
    size_t header_count;
    const char *proxy;
    bool secret_bodies;
};

static struct arena *arena;
static struct fake_clock fake_clock_;
static struct cloud_client client;
static struct http_transport transport;
static struct work work_;
static struct cloud_error error_;
static const struct exchange *script;
static size_t script_count, sent;
static struct recorded requests[ANSWERS_MOST];
static char home[64];

static const int64_t NOW = 1795255200; /* 2026-11-21T10:00:00Z */

static const char *const variables[] = {"GOOGLE_CREDENTIALS",
                                        "GOOGLE_CLOUD_KEYFILE_JSON",
                                        "GCLOUD_KEYFILE_JSON",
                                        "GOOGLE_OAUTH_ACCESS_TOKEN",
                                        "GOOGLE_APPLICATION_CREDENTIALS",
                                        "GOOGLE_IMPERSONATE_SERVICE_ACCOUNT",
                                        "CLOUDSDK_CONFIG",
                                        "CLOUDSDK_ACTIVE_CONFIG_NAME",
                                        "GOOGLE_PROJECT",
                                        "GOOGLE_CLOUD_PROJECT",
                                        "GCLOUD_PROJECT",
                                        "CLOUDSDK_CORE_PROJECT",
                                        "GOOGLE_REGION",
                                        "GCLOUD_REGION",
                                        "CLOUDSDK_COMPUTE_REGION",
                                        "GOOGLE_ZONE",
                                        "GCLOUD_ZONE",
                                        "CLOUDSDK_COMPUTE_ZONE",
                                        "GOOGLE_BILLING_PROJECT",
                                        "USER_PROJECT_OVERRIDE",
                                        "GOOGLE_CLOUD_QUOTA_PROJECT",
                                        "CLOUDSDK_CORE_REQUEST_REASON",
                                        "GOOGLE_CLOUD_UNIVERSE_DOMAIN",
                                        "GCE_METADATA_HOST",
                                        "GCE_METADATA_ROOT",
                                        "NO_GCE_CHECK",
                                        "AWS_REGION",
                                        "AWS_DEFAULT_REGION",
                                        "AWS_ACCESS_KEY_ID",
                                        "AWS_SECRET_ACCESS_KEY",
                                        "AWS_SESSION_TOKEN",
                                        "GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES",
                                        "GOOGLE_COMPUTE_CUSTOM_ENDPOINT",
                                        "GOOGLE_IAM_CUSTOM_ENDPOINT",
                                        "GOOGLE_STS_CUSTOM_ENDPOINT",
                                        "GOOGLE_STORAGE_CUSTOM_ENDPOINT",
                                        "GOOGLE_IAM_CREDENTIALS_CUSTOM_ENDPOINT",
                                        "GOOGLE_OAUTH2_CUSTOM_ENDPOINT"};

/* ---- values ---- */

/* Single quotes stand for double ones. */
static inline const char *quoted(const char *text)
{
    char *p = arena_strdup(arena, text);
    for (char *c = p; *c; c++)
        if (*c == '\'')
            *c = '"';
    return p;
}

static inline const struct value *json(const char *text)
{
    const struct value *v = NULL;
    struct diags d;
    diags_init(&d, arena);
    if (value_json_parse(arena, slice_str(quoted(text)), &v, &d) < 0)
        fail_msg("not JSON: %s", text);
    return v;
}

/* ---- files ---- */

static inline const char *path_of(const char *name)
{
    return arena_printf(arena, "%s/%s", home, name);
}

static inline const char *write_file(const char *name, const char *text)
{
    const char *path = path_of(name);
    FILE *f = fopen(path, "we");
    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, strlen(text), f), strlen(text));
    assert_int_equal(fclose(f), 0);
    return path;
}

/* ---- the transport ---- */

static const struct http_header google[] = {{SLICE_LIT("metadata-flavor"), SLICE_LIT("Google")}};

static inline const char *text_of_slice(struct slice s)
{
    return arena_strndup(arena, s.ptr ? s.ptr : "", s.len);
}

/* Memory that runs out is the room's to bear, not the record's. */
static void record(struct recorded *r, const struct http_request *rq)
{
    struct alloc_table failing = alloc_table;
    alloc_table.malloc = malloc;
    struct http_header *copy = arena_new_array(arena, rq->header_count, struct http_header);
    for (size_t i = 0; i < rq->header_count; i++) {
        copy[i].name = slice_str(text_of_slice(rq->headers[i].name));
        copy[i].value = slice_str(text_of_slice(rq->headers[i].value));
    }
    *r = (struct recorded){
        arena_strdup(arena, rq->url), text_of_slice(rq->body),    copy, rq->header_count,
        rq->settings->proxy,          rq->settings->secret_bodies};
    alloc_table = failing;
}

static int fake_send(void *self, const struct work *w, struct arena *a,
                     const struct http_request *rq, struct http_response *ret)
{
    (void)self;
    (void)w;
    if (sent >= script_count)
        fail_msg("request %zu is one too many: %s %s", sent, rq->method, rq->url);
    const struct exchange *x = &script[sent];
    struct recorded *r = &requests[sent++];
    memset(ret, 0, sizeof(*ret));
    assert_string_equal(rq->method, x->method);
    assert_string_equal(rq->url, x->url);
    record(r, rq);
    if (!x->status) {
        ret->failure = x->failure;
        ret->failure_text = "the fake broke";
        return -1;
    }
    char *body = arena_strdup(a, x->body ? x->body : "");
    if (!body) {
        ret->failure = HTTP_NO_MEMORY;
        ret->failure_text = "memory ran out";
        return -1;
    }
    for (char *c = body; *c; c++)
        if (*c == '\'')
            *c = '"';
    ret->status = x->status;
    ret->body = slice_str(body);
    ret->headers = google;
    ret->header_count = x->not_google ? 0 : 1;
    return 0;
}

static inline void set_script(const struct exchange *exchanges, size_t count)
{
    assert_true(count <= ANSWERS_MOST);
    script = exchanges;
    script_count = count;
    sent = 0;
}

#define SCRIPT(...)                                                                                \
    set_script((const struct exchange[]){__VA_ARGS__},                                             \
               sizeof((const struct exchange[]){__VA_ARGS__}) / sizeof(struct exchange))
#define NO_REQUEST() set_script(NULL, 0)

/* The header of the request, or "". */
static inline const char *header(size_t request, const char *name)
{
    for (size_t i = 0; i < requests[request].header_count; i++)
        if (slice_eq_str(requests[request].headers[i].name, name))
            return requests[request].headers[i].value.ptr;
    return "";
}

static inline int hex_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c - 'A' + 10;
}

static inline const char *decoded(const char *text, size_t len)
{
    char *out = arena_alloc(arena, len + 1);
    size_t n = 0;
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '%' && i + 2 < len + 0) {
            out[n++] = (char)(hex_digit(text[i + 1]) * 16 + hex_digit(text[i + 2]));
            i += 2;
        } else {
            out[n++] = text[i];
        }
    }
    return out;
}

/* A member of the request's form, decoded; NULL: it has none. */
static inline const char *form(size_t request, const char *name)
{
    const char *p = requests[request].body;
    size_t n = strlen(name);
    while (*p) {
        size_t len = strcspn(p, "&");
        if (len > n && memcmp(p, name, n) == 0 && p[n] == '=')
            return decoded(p + n + 1, len - n - 1);
        p += len + (p[len] == '&');
    }
    return NULL;
}

/* ---- the client ---- */

static inline int try_client(const char *block)
{
    struct diags d;
    diags_init(&d, arena);
    memset(&client, 0, sizeof(client));
    transport = (struct http_transport){fake_send, NULL, NULL};
    client.arena = arena;
    client.transport = &transport;
    client.clock = &fake_clock_.clock;
    client.user_agent = "test/1";
    int rc = gcp_config_resolve(arena, json(block ? block : "{}"), &client.config, &d);
    retry_init(&client.retry, &client.config.retry);
    gcp_token_cache_init(&client.tokens);
    return rc;
}

static inline void make_client(const char *block)
{
    assert_int_equal(try_client(block), 0);
}

static inline void drop_client(void)
{
    retry_clean_up(&client.retry);
    gcp_token_cache_clean_up(&client.tokens);
}

/* The token, or NULL with error_. */
static inline const char *token(void)
{
    struct gcp_token t = GCP_TOKEN_EMPTY;
    const char *text = NULL;
    memset(&error_, 0, sizeof(error_));
    if (gcp_token_get(&client, &work_, arena, &t, &error_) == 0)
        text = arena_strdup(arena, t.bearer.ptr);
    else
        assert_non_null(error_.message);
    gcp_token_clean_up(&t);
    return text;
}

static inline void assert_token(const char *expected)
{
    const char *t = token();
    if (!t)
        fail_msg("no token: %s", error_.message);
    assert_string_equal(t, expected);
}

/* The message has all of the parts. */
static inline void assert_says(const char *message, const char *part)
{
    if (!strstr(message, part))
        fail_msg("\"%s\" does not say \"%s\"", message, part);
}

static inline void assert_no_token(const char *part)
{
    const char *t = token();
    if (t)
        fail_msg("a token: %s", t);
    assert_says(error_.message, part);
}

static int set_up(void **state)
{
    (void)state;
    arena = arena_new();
    for (size_t i = 0; i < sizeof(variables) / sizeof(*variables); i++)
        unsetenv(variables[i]);
    snprintf(home, sizeof(home), "/tmp/gcp_test.XXXXXX");
    if (!arena || !mkdtemp(home))
        return -1;
    setenv("HOME", home, 1);
    fake_clock_init(&fake_clock_, NOW);
    work_ = (struct work){&fake_clock_.clock, NULL, INT64_MAX};
    NO_REQUEST();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    char command[128];
    snprintf(command, sizeof(command), "rm -rf '%s'", home);
    if (system(command) != 0)
        return -1;
    arena_free(arena);
    return 0;
}

#define TEST(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)

#endif

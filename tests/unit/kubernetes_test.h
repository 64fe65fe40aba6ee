/* What the tests of the Kubernetes room share: a client, a source of tokens, and a transport that
 * answers from a script. */
#ifndef LLM_TESTS_KUBERNETES_TEST_H
#define LLM_TESTS_KUBERNETES_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "fake_clock.h"
#include "kubernetes/driver.h"
#include "value/codec.h"

/* Scripts leave out what is zero. */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

enum { ANSWERS_MOST = 16 };

#define CA "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n"

/* What is to be asked, and what is answered; single quotes of the body stand for double ones. */
struct exchange {
    const char *method, *path; /* behind https://cluster.example:6443 */
    int status;                /* 0: the connection breaks */
    const char *body;
    const char *header, *header_value; /* NULL: none */
};

struct recorded {
    const char *authorization, *content_type, *body;
    bool pinned, insecure;
};

static struct arena *arena;
static struct fake_clock fake_clock_;
static struct work work_;
static struct cloud_error error_;
static struct http_transport transport;
static struct cloud_client *client;
static const struct exchange *script;
static size_t script_count, sent;
static struct recorded requests[ANSWERS_MOST];
static int asked, asked_fresh;
static const char *token_now;

static inline const char *quoted(const char *text)
{
    char *p = arena_strdup(arena, text);
    for (char *c = p; c && *c; c++)
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

static inline const char *text_of(const struct value *v)
{
    struct buf b = BUF_INIT(1 << 20);
    if (value_json_write(&b, v, false) < 0)
        fail_msg("not a value that is wholly known");
    const char *text = arena_buf(arena, &b);
    buf_clean_up(&b);
    return text;
}

static inline void assert_json(const struct value *v, const char *expected)
{
    assert_string_equal(text_of(v), text_of(json(expected)));
}

static inline void assert_says(const char *message, const char *part)
{
    if (!message || !strstr(message, part))
        fail_msg("\"%s\" does not say \"%s\"", message ? message : "(none)", part);
}

/* ---- the transport and the tokens ---- */

static inline const char *header_of(const struct http_request *rq, const char *name)
{
    for (size_t i = 0; i < rq->header_count; i++)
        if (slice_eq_str(rq->headers[i].name, name))
            return arena_strndup(arena, rq->headers[i].value.ptr, rq->headers[i].value.len);
    return "";
}

static int fake_send(void *self, const struct work *w, struct arena *a,
                     const struct http_request *rq, struct http_response *ret)
{
    (void)self;
    (void)w;
    if (sent >= script_count)
        fail_msg("request %zu is one too many: %s %s", sent, rq->method, rq->url);
    const struct exchange *x = &script[sent];
    struct alloc_table failing = alloc_table;
    alloc_table.malloc = malloc; /* memory that runs out is the room's to bear, not the record's */
    requests[sent++] = (struct recorded){
        header_of(rq, "authorization"), header_of(rq, "content-type"),
        arena_strndup(arena, rq->body.ptr ? rq->body.ptr : "", rq->body.len),
        rq->settings->ca_pem && strcmp(rq->settings->ca_pem, CA) == 0, rq->settings->insecure};
    assert_string_equal(rq->method, x->method);
    assert_string_equal(rq->url, arena_printf(arena, "https://cluster.example:6443%s", x->path));
    const char *body = quoted(x->body ? x->body : "");
    alloc_table = failing;
    memset(ret, 0, sizeof(*ret));
    struct http_header *h = arena_new_array(a, 1, struct http_header);
    char *copy = arena_strdup(a, body);
    if (!x->status || !h || !copy) {
        ret->failure = x->status ? HTTP_NO_MEMORY : HTTP_RESET;
        ret->failure_text = "the fake broke";
        return -1;
    }
    if (x->header)
        h[0] = (struct http_header){slice_str(x->header), slice_str(x->header_value)};
    ret->status = x->status;
    ret->body = slice_str(copy);
    ret->headers = h;
    ret->header_count = x->header ? 1 : 0;
    return 0;
}

/* "token-1" until a fresh one is asked for, then "token-2" … */
static int fake_token(void *self, const struct work *w, struct arena *a, bool fresh,
                      const char **ret, struct cloud_error *err)
{
    static const char *const tokens[] = {"token-1", "token-2", "token-3"};
    (void)self;
    (void)w;
    asked++;
    if (fresh)
        token_now = tokens[++asked_fresh % 3];
    *ret = token_now ? arena_strdup(a, token_now) : NULL;
    if (*ret)
        return 0;
    err->class_ = token_now ? CLOUD_ERROR_NO_MEMORY : CLOUD_ERROR_PERMISSION;
    err->code = token_now ? NULL : arena_strdup(a, "AccessDenied");
    err->message = token_now ? "memory ran out" : arena_strdup(a, "no token for you");
    return -1;
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

static inline struct cloud_cluster a_cluster(void)
{
    return (struct cloud_cluster){.endpoint = "https://cluster.example:6443/",
                                  .ca_pem = CA,
                                  .field_manager = "terraform-provider-llm",
                                  .token = fake_token,
                                  .retry = {.max_attempts = 3}};
}

/* ---- calls ---- */

static inline const struct value *call_op(const struct cloud_operation *op, const char *request)
{
    const struct value *answer = NULL;
    int rc =
        kubernetes_driver.call(client, &work_, arena, NULL, op, json(request), &answer, &error_);
    assert_int_equal(rc == 0, answer != NULL);
    if (rc < 0) {
        assert_non_null(error_.message);
        assert_int_not_equal(error_.class_, CLOUD_ERROR_NONE);
    }
    return rc == 0 ? answer : NULL;
}

static inline const struct value *call(const char *method, const char *uri, const char *request)
{
    const struct cloud_operation op = {"kubernetes", "Test", method, uri, NULL, false};
    return call_op(&op, request);
}

static int set_up(void **state)
{
    struct diags d;
    const struct cloud_cluster cluster = a_cluster();
    (void)state;
    arena = arena_new();
    diags_init(&d, arena);
    fake_clock_init(&fake_clock_, 1795255200);
    work_ = (struct work){&fake_clock_.clock, NULL, INT64_MAX};
    transport = (struct http_transport){fake_send, NULL, NULL};
    asked = asked_fresh = 0;
    token_now = "token-1";
    NO_REQUEST();
    client = kubernetes_client_new(&cluster, &transport, &fake_clock_.clock, "test/1", &d);
    return client ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    kubernetes_driver.free(client);
    arena_free(arena);
    return 0;
}

#endif

/* One call: encoded, authorised, sent, repeated as its errors allow, decoded. */
#include "kubernetes/call.h"

#include <string.h>

#include "base/log.h"
#include "kubernetes/applied.h"
#include "kubernetes/errors.h"
#include "kubernetes/token.h"
#include "value/codec.h"

enum { HEADERS_MOST = 4 };

struct sending {
    struct cloud_client *client;
    const struct work *w;
    struct arena *a;
    const struct cloud_operation *op;
    const struct kubernetes_request *request;
    struct cloud_error *err;
};

static int fail(struct sending *s, enum cloud_error_class class_, const char *message)
{
    s->err->class_ = message ? class_ : CLOUD_ERROR_NO_MEMORY;
    s->err->message = message ? message : "memory ran out";
    return -1;
}

static void reset_error(struct sending *s)
{
    int attempts = s->err->attempts;
    memset(s->err, 0, sizeof(*s->err));
    s->err->service = s->op->service;
    s->err->operation = s->op->name;
    s->err->retry_after_ms = -1;
    s->err->attempts = attempts;
}

/* ---- one try ---- */

/* What the server says of a request that it took: deprecated versions above all (RFC 7234, 5.5). */
static void log_warnings(const struct sending *s, const struct http_response *r)
{
    for (size_t i = 0; i < r->header_count; i++)
        if (slice_eq_str(r->headers[i].name, "warning"))
            log_at(LOG_WARN, "The cluster warns", LOG_STR("operation", s->op->name),
                   LOG_SLICE("warning", r->headers[i].value));
}

static int decode(struct sending *s, const struct http_response *r, const struct value **ret)
{
    const struct value *v = NULL;
    struct diags d;
    diags_init(&d, s->a);
    log_warnings(s, r);
    bool empty = !r->body.len && r->status == 204;
    if (empty)
        v = value_object(s->a, NULL, 0);
    else if (value_json_parse(s->a, r->body, &v, &d) < 0 || v->type->kind != TYPE_OBJECT)
        v = NULL;
    if (v && (v = kubernetes_mark_applied(s->a, v, s->client->field_manager))) {
        *ret = v;
        return 0;
    }
    s->err->http_status = r->status;
    s->err->maybe_processed = true;
    return fail(s, CLOUD_ERROR_PROTOCOL,
                arena_failed(s->a) ? NULL
                                   : "the answer says success, but is not JSON as Kubernetes' are: "
                                     "something between here and the cluster may have given it");
}

static int try_once(struct sending *s, const struct secret *token, const struct value **ret)
{
    struct http_response r;
    struct buf bearer _cleanup_buf_ = BUF_INIT(token->len + sizeof("Bearer "));
    const char *name = arena_printf(s->a, "%s.%s", s->op->service, s->op->name);
    buf_append_str(&bearer, "Bearer ");
    buf_append_slice(&bearer, secret_slice(token));
    if (!name || bearer.failed)
        return fail(s, CLOUD_ERROR_NO_MEMORY, NULL);
    const struct http_header headers[HEADERS_MOST] = {
        {SLICE_LIT("authorization"), buf_slice(&bearer)},
        {SLICE_LIT("accept"), SLICE_LIT("application/json")},
        {SLICE_LIT("user-agent"), slice_str(s->client->user_agent)},
        {SLICE_LIT("content-type"), slice_str(s->request->content_type)}};
    size_t header_count = s->request->content_type ? HEADERS_MOST : HEADERS_MOST - 1;
    const struct http_request rq = {s->request->method, s->request->url,  headers, header_count,
                                    s->request->body,   &s->client->http, name};
    memset(&r, 0, sizeof(r));
    if (s->client->transport->send(s->client->transport->self, s->w, s->a, &rq, &r) < 0) {
        cloud_error_of_transport(s->a, s->request->url, &r, s->err);
        return -1;
    }
    if (r.status >= 200 && r.status < 300)
        return decode(s, &r, ret);
    kubernetes_error_decode(s->a, &r, s->request->object, s->request->conditional, s->err);
    return -1;
}

/* ---- the loop ---- */

static bool repeat(struct sending *s, struct retry_call *rc)
{
    bool again = retry_again(&s->client->retry, rc, s->w, s->err, s->request->safe);
    log_at(again ? LOG_INFO : LOG_DEBUG, again ? "Call is made again" : "Call failed",
           LOG_STR("operation", s->op->name), LOG_STR("code", s->err->code),
           LOG_STR("class", cloud_error_class_name(s->err->class_)),
           LOG_INT("attempts", s->err->attempts));
    return again;
}

static int send_repeatedly(struct sending *s, const struct value **ret)
{
    struct cloud_client *c = s->client;
    struct retry_call rc = {0, 0};
    struct secret refused _cleanup_secret_ = SECRET_EMPTY;
    for (;;) {
        struct secret token _cleanup_secret_ = SECRET_EMPTY;
        reset_error(s);
        if (retry_before(&c->retry, s->w) < 0)
            return fail(s, work_left_ms(s->w) ? CLOUD_ERROR_CANCELLED : CLOUD_ERROR_DEADLINE,
                        "it was cancelled, or its time was up, while it waited for its turn");
        if (kubernetes_token_get(c, s->w, s->a, &refused, &token, s->err) < 0)
            return -1;
        if (try_once(s, &token, ret) == 0) {
            retry_succeeded(&c->retry, &rc, s->w);
            return 0;
        }
        s->err->attempts = rc.attempts + 1;
        if (s->err->http_status == 401 && !refused.len) {
            if (secret_set(&refused, secret_slice(&token)) < 0)
                return fail(s, CLOUD_ERROR_NO_MEMORY, NULL);
            continue;
        }
        if (!repeat(s, &rc))
            return -1;
    }
}

int kubernetes_call(struct cloud_client *c, const struct work *w, struct arena *a,
                    const struct cloud_operation *op, const struct value *request,
                    const struct value **ret, struct cloud_error *err)
{
    const char *why = NULL;
    struct kubernetes_request encoded;
    struct sending s = {c, w, a, op, &encoded, err};
    memset(err, 0, sizeof(*err));
    reset_error(&s);
    if (kubernetes_request_encode(c, a, op, request, &encoded, &why) < 0)
        return fail(&s, arena_failed(a) ? CLOUD_ERROR_NO_MEMORY : CLOUD_ERROR_INVALID,
                    arena_printf(a, "the request cannot be encoded: %s", why ? why : "no reason"));
    return send_repeatedly(&s, ret);
}

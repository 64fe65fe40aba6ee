/* One call: encoded, authorised, sent, repeated as its errors allow, decoded. */
#include "gcp/call.h"

#include <string.h>

#include "base/log.h"
#include "cloud/rest.h"
#include "gcp/errors.h"
#include "value/codec.h"

enum { HEADERS_MOST = 8, PATIENT_MS = 150000 };

struct sending {
    struct cloud_client *client;
    const struct work *w;
    struct arena *a;
    const struct gcp_exchange *x;
    struct cloud_error *err;
    const char *quota_project;
};

static int fail(struct sending *s, enum cloud_error_class class_, const char *message)
{
    s->err->class_ = class_;
    s->err->message = message ? message : "memory ran out";
    if (!message)
        s->err->class_ = CLOUD_ERROR_NO_MEMORY;
    return -1;
}

static void reset_error(struct sending *s)
{
    int attempts = s->err->attempts;
    memset(s->err, 0, sizeof(*s->err));
    s->err->service = s->x->op->service;
    s->err->operation = s->x->op->name;
    s->err->retry_after_ms = -1;
    s->err->attempts = attempts;
}

/* ---- one try ---- */

struct outgoing {
    struct http_header headers[HEADERS_MOST];
    size_t count;
};

static void add(struct outgoing *o, const char *name, const char *value)
{
    if (value && o->count < HEADERS_MOST)
        o->headers[o->count++] = (struct http_header){slice_str(name), slice_str(value)};
}

static int decode(struct sending *s, const struct http_response *r, const struct value **ret)
{
    struct diags d;
    diags_init(&d, s->a);
    if (!r->body.len && r->status == 204) {
        *ret = value_object(s->a, NULL, 0);
        return *ret ? 0 : fail(s, CLOUD_ERROR_NO_MEMORY, NULL);
    }
    if (value_json_parse(s->a, r->body, ret, &d) == 0 && (*ret)->type->kind == TYPE_OBJECT)
        return 0;
    s->err->http_status = r->status;
    s->err->maybe_processed = true;
    return fail(s, CLOUD_ERROR_PROTOCOL,
                "the answer says success, but is not JSON as Google's are: something between here "
                "and there may have given it");
}

static int try_once(struct sending *s, const struct gcp_token *token, const struct value **ret)
{
    const struct gcp_config *config = &s->client->config;
    struct http_settings settings = config->http;
    struct http_response r;
    struct outgoing o = {.count = 0};
    const char *name = arena_printf(s->a, "%s.%s", s->x->op->service, s->x->op->name);
    _cleanup_secret_ struct secret bearer = SECRET_EMPTY;
    const char *header = arena_printf(s->a, "Bearer %s", token->bearer.ptr);
    reset_error(s);
    if (!name || !header || secret_set(&bearer, slice_str(header)) < 0)
        return fail(s, CLOUD_ERROR_NO_MEMORY, NULL);
    if (s->x->patient && (!settings.request_timeout_ms || settings.request_timeout_ms < PATIENT_MS))
        settings.request_timeout_ms = PATIENT_MS;
    add(&o, "authorization", bearer.ptr);
    add(&o, "content-type", s->x->body.len ? "application/json" : NULL);
    add(&o, "user-agent", s->client->user_agent);
    add(&o, "x-goog-user-project", s->quota_project);
    add(&o, "x-goog-request-reason", config->request_reason);
    const struct http_request rq = {s->x->method, s->x->url, o.headers, o.count,
                                    s->x->body,   &settings, name};
    memset(&r, 0, sizeof(r));
    if (s->client->transport->send(s->client->transport->self, s->w, s->a, &rq, &r) < 0) {
        cloud_error_of_transport(s->a, s->x->url, &r, s->err);
        return -1;
    }
    if (r.status >= 200 && r.status < 300)
        return decode(s, &r, ret);
    gcp_error_decode(s->a, &r, s->err);
    return -1;
}

/* ---- the loop ---- */

int gcp_send(struct cloud_client *client, const struct work *w, struct arena *a,
             const struct gcp_exchange *x, const struct value **ret, struct cloud_error *err)
{
    struct sending s = {client, w, a, x, err, NULL};
    struct retry_call rc = {0, 0};
    bool refreshed = false;
    s.quota_project = gcp_quota_project(client, a);
    for (;;) {
        struct gcp_token token = GCP_TOKEN_EMPTY;
        reset_error(&s);
        if (retry_before(&client->retry, w) < 0)
            return fail(&s, work_left_ms(w) ? CLOUD_ERROR_CANCELLED : CLOUD_ERROR_DEADLINE,
                        "it was cancelled, or its time was up, while it waited for its turn");
        if (gcp_token_get(client, w, a, &token, err) < 0)
            return -1;
        int done = try_once(&s, &token, ret);
        bool refused = done < 0 && err->http_status == 401 && !refreshed;
        if (refused)
            gcp_token_forget(&client->tokens, &token);
        gcp_token_clean_up(&token);
        if (done == 0) {
            retry_succeeded(&client->retry, &rc, w);
            return 0;
        }
        err->attempts = rc.attempts + 1;
        if (refused) {
            refreshed = true;
            continue;
        }
        bool again = retry_again(&client->retry, &rc, w, err, x->safe);
        log_at(again ? LOG_INFO : LOG_DEBUG, again ? "Call is made again" : "Call failed",
               LOG_STR("operation", x->op->name), LOG_STR("code", err->code),
               LOG_STR("class", cloud_error_class_name(err->class_)),
               LOG_INT("attempts", err->attempts));
        if (!again)
            return -1;
    }
}

int gcp_call(struct cloud_client *client, const struct work *w, struct arena *a,
             const struct cloud_operation *op, const struct value *request,
             const struct value **ret, struct cloud_error *err)
{
    const struct gcp_service *service = gcp_service_find(op->service);
    const char *why = "the operation has no method", *base = NULL;
    struct rest_request wire;
    const struct gcp_exchange probe = {.op = op};
    struct sending s = {client, w, a, &probe, err, NULL};
    memset(err, 0, sizeof(*err));
    reset_error(&s);
    if (!service)
        return fail(&s, CLOUD_ERROR_INVALID,
                    arena_printf(a, "there is no GCP service \"%s\"", op->service));
    if (!op->method || !op->uri || rest_encode(a, op, request, &wire, &why) < 0)
        return fail(&s, CLOUD_ERROR_INVALID,
                    arena_printf(a, "the request cannot be encoded: %s", why));
    base = gcp_endpoint(&client->config, a, service->id, wire.path);
    bool token = op->token_param && value_is_known(value_get(request, op->token_param));
    const struct gcp_exchange x = {
        .op = op,
        .method = op->method,
        .url = base ? arena_printf(a, "%s%s", base, wire.path) : NULL,
        .body = wire.body,
        .safe = op->idempotent || token || strcmp(op->method, "GET") == 0,
    };
    if (!x.url)
        return fail(&s, CLOUD_ERROR_NO_MEMORY, NULL);
    if (gcp_send(client, w, a, &x, ret, err) < 0)
        return -1;
    return gcp_is_operation(service, *ret)
               ? gcp_operation_wait(client, w, a, service, op, *ret, ret, err)
               : 0;
}

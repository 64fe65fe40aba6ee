/* One AWS call: encode, sign, send, decode; again as the retry policy allows; clock skew corrected.
 */
#include "aws/client.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "aws/endpoint.h"
#include "aws/errors.h"
#include "cloud/sigv4.h"
#include "base/buf.h"
#include "base/log.h"

enum { HEADERS_MOST = 16, SKEW_LEAST_S = 60 };

struct call {
    struct cloud_client *client;
    const struct work *work;
    struct arena *a;
    const struct aws_service *service;
    const struct cloud_operation *op;
    const struct aws_call_options *options;
    struct aws_endpoint endpoint;
    struct aws_wire_request wire;
    const char *base_path; /* path prefix of the endpoint; "" mostly */
    const char *host;
    bool safe;      /* may be made twice */
    int64_t skew_s; /* that the last try was signed with */
    struct cloud_error *err;
};

static int fail(struct call *c, enum cloud_error_class class_, const char *message)
{
    c->err->class_ = class_;
    c->err->message = message ? message : "memory ran out";
    return -1;
}

/* Splits the endpoint's URL into host and path prefix. */
static int split_url(struct call *c)
{
    if (aws_endpoint_split(c->a, c->endpoint.url, &c->host, &c->base_path) < 0)
        return fail(c, CLOUD_ERROR_INVALID,
                    arena_printf(c->a, "the endpoint %.*s is not of the form %s",
                                 (int)http_redact_url(c->a, c->endpoint.url).len,
                                 http_redact_url(c->a, c->endpoint.url).ptr,
                                 "https://host[:port][/path]"));
    return c->host ? 0 : fail(c, CLOUD_ERROR_NO_MEMORY, NULL);
}

static int prepare(struct call *c, const char *region, const struct value *request)
{
    const char *why = NULL;
    c->err->service = c->op->service;
    c->err->operation = c->op->name;
    c->err->retry_after_ms = -1;
    c->service = aws_service_find(c->op->service);
    if (!c->service)
        return fail(c, CLOUD_ERROR_INVALID,
                    arena_printf(c->a, "there is no AWS service \"%s\"", c->op->service));
    if (!region)
        return fail(c, CLOUD_ERROR_INVALID, "no region is configured: set `region`, or AWS_REGION");
    if (aws_endpoint_resolve(c->a, &c->client->config, c->service, region, &c->endpoint) < 0)
        return fail(c, CLOUD_ERROR_NO_MEMORY, NULL);
    if (aws_protocol_encode(c->a, c->service, c->op, request, &c->wire, &why) < 0)
        return fail(c, CLOUD_ERROR_INVALID,
                    arena_printf(c->a, "the request cannot be encoded: %s", why));
    c->safe = c->op->idempotent ||
              (c->op->token_param && value_is_known(value_get(request, c->op->token_param)));
    return split_url(c);
}

/* ---- one try ---- */

struct outgoing {
    struct http_header headers[HEADERS_MOST];
    size_t count;
};

static void add(struct outgoing *o, const char *name, struct slice value)
{
    if (o->count < HEADERS_MOST) {
        o->headers[o->count].name = slice_str(name);
        o->headers[o->count++].value = value;
    }
}

static int sign(struct call *c, struct arena *a, const struct aws_credentials *k, const char *path,
                struct outgoing *o)
{
    struct sigv4 s;
    c->skew_s = atomic_load(&c->client->skew_s);
    const struct sigv4_input in = {
        .method = c->wire.method,
        .path = slice_str(path),
        .query = slice_str(c->wire.query),
        .headers = o->headers,
        .header_count = o->count,
        .body = c->wire.body,
        .single_encoding = c->service->protocol == AWS_PROTOCOL_REST_XML,
        .region = c->endpoint.signing_region,
        .service = c->endpoint.signing_name,
        .access_key = secret_slice(&k->access_key),
        .secret_key = secret_slice(&k->secret_key),
        .session_token = secret_slice(&k->session_token),
        .unix_s = c->client->clock->unix_s(c->client->clock->self) + c->skew_s,
    };
    if (sigv4_sign(a, &in, &s) < 0)
        return fail(c, CLOUD_ERROR_NO_MEMORY, "the request could not be signed: memory ran out");
    for (size_t i = 0; i < s.added_count; i++)
        add(o, arena_strndup(a, s.added[i].name.ptr, s.added[i].name.len),
            slice_str(arena_strndup(a, s.added[i].value.ptr, s.added[i].value.len)));
    return 0;
}

static void reset_error(struct call *c)
{
    struct cloud_error *e = c->err;
    int attempts = e->attempts;
    memset(e, 0, sizeof(*e));
    e->service = c->op->service;
    e->operation = c->op->name;
    e->retry_after_ms = -1;
    e->attempts = attempts;
}

static int try_once(struct call *c, const struct aws_credentials *k, const struct value **ret,
                    struct http_response *response)
{
    struct outgoing o = {.count = 0};
    const char *path = arena_printf(c->a, "%s%s", c->base_path, c->wire.path);
    const char *url =
        arena_printf(c->a, "%.*s%s%s%s", (int)(strlen(c->endpoint.url) - strlen(c->base_path)),
                     c->endpoint.url, path, *c->wire.query ? "?" : "", c->wire.query);
    const char *name = arena_printf(c->a, "%s.%s", c->op->service, c->op->name);
    reset_error(c);
    if (!path || !url || !name)
        return fail(c, CLOUD_ERROR_NO_MEMORY, NULL);
    add(&o, "host", slice_str(c->host));
    for (size_t i = 0; i < c->wire.header_count; i++)
        add(&o, c->wire.headers[i].name.ptr, c->wire.headers[i].value);
    if (k && sign(c, c->a, k, path, &o) < 0)
        return -1;
    add(&o, "user-agent", slice_str(c->client->user_agent));
    for (size_t i = 0; c->options && i < c->options->header_count; i++)
        add(&o, c->options->headers[i].name.ptr, c->options->headers[i].value);
    const struct http_request rq = {c->wire.method,          url, o.headers, o.count, c->wire.body,
                                    &c->client->config.http, name};
    if (c->client->transport->send(c->client->transport->self, c->work, c->a, &rq, response) < 0) {
        cloud_error_of_transport(c->a, c->endpoint.url, response, c->err);
        return -1;
    }
    if (response->status >= 200 && response->status < 300)
        return aws_protocol_decode(c->a, c->service, c->op, response, ret, c->err);
    aws_protocol_error(c->a, c->service, response, c->err);
    return -1;
}

/* ---- clock skew ---- */

/* Seconds since 1970 of the answer's Date header; 0: it has none. */
static int64_t answer_date(const struct http_response *r)
{
    struct slice date = http_header_get(r, "date");
    struct tm tm = {0};
    char text[64];
    if (!date.len || date.len >= sizeof(text))
        return 0;
    memcpy(text, date.ptr, date.len);
    text[date.len] = '\0';
    return strptime(text, "%a, %d %b %Y %H:%M:%S", &tm) ? (int64_t)timegm(&tm) : 0;
}

/* Learns the cloud's time from the answer's Date header. True when the try was signed with another,
 * so that the same request signed again may pass: also when another thread has learned it since. */
static bool correct_skew(struct call *c, const struct http_response *r)
{
    int64_t theirs = aws_is_clock_skew(c->err->code) ? answer_date(r) : 0;
    if (theirs <= 0)
        return false;
    int64_t skew = theirs - c->client->clock->unix_s(c->client->clock->self);
    if (llabs(skew - c->skew_s) < SKEW_LEAST_S)
        return false;
    int64_t before = atomic_exchange(&c->client->skew_s, skew);
    if (llabs(skew - before) >= SKEW_LEAST_S)
        log_at(LOG_WARN,
               "The clock of this machine is off; requests are signed with the cloud's time",
               LOG_INT("offset_s", skew));
    return true;
}

/* ---- the loop ---- */

static int take_credentials(struct call *c, const char *region, struct aws_credentials *own,
                            const struct aws_credentials **ret)
{
    enum aws_signer signer = c->options ? c->options->signer : AWS_SIGN_CLIENT;
    *ret = NULL;
    if (signer == AWS_SIGN_NOTHING)
        return 0;
    if (signer == AWS_SIGN_GIVEN) {
        *ret = c->options->given;
        return 0;
    }
    if (aws_credentials_get(c->client, c->work, c->a, region, own, c->err) < 0)
        return -1;
    *ret = own;
    return 0;
}

static bool credentials_expired(const struct cloud_error *e)
{
    /* EC2 says RequestExpired also of session credentials. */
    return e->code &&
           (strcmp(e->code, "ExpiredToken") == 0 || strcmp(e->code, "ExpiredTokenException") == 0 ||
            strcmp(e->code, "RequestExpired") == 0);
}

static int call_run(struct call *c, const char *region, const struct value **ret)
{
    struct retry_call rc = {0, 0};
    bool skew_tried = false, refreshed = false;
    for (;;) {
        struct http_response response;
        struct aws_credentials own = AWS_CREDENTIALS_EMPTY;
        const struct aws_credentials *k = NULL;
        memset(&response, 0, sizeof(response));
        if (retry_before(&c->client->retry, c->work) < 0)
            return fail(c, work_left_ms(c->work) ? CLOUD_ERROR_CANCELLED : CLOUD_ERROR_DEADLINE,
                        "it was cancelled, or its time was up, while it waited for its turn");
        if (take_credentials(c, region, &own, &k) < 0)
            return -1;
        int done = try_once(c, k, ret, &response);
        aws_credentials_clean_up(&own);
        if (done == 0) {
            retry_succeeded(&c->client->retry, &rc, c->work);
            return 0;
        }
        c->err->attempts = rc.attempts + 1;
        if (!skew_tried && correct_skew(c, &response)) {
            skew_tried = true;
            continue;
        }
        if (!refreshed && !c->options && credentials_expired(c->err)) {
            refreshed = true;
            aws_credentials_forget(&c->client->credentials);
            continue;
        }
        bool again = retry_again(&c->client->retry, &rc, c->work, c->err, c->safe);
        log_at(again ? LOG_INFO : LOG_DEBUG, again ? "Call is made again" : "Call failed",
               LOG_STR("operation", c->op->name), LOG_STR("code", c->err->code),
               LOG_STR("class", cloud_error_class_name(c->err->class_)),
               LOG_INT("attempts", c->err->attempts));
        if (!again)
            return -1;
    }
}

int aws_call(struct cloud_client *client, const struct work *w, struct arena *a, const char *region,
             const struct cloud_operation *op, const struct value *request,
             const struct aws_call_options *options, const struct value **ret,
             struct cloud_error *err)
{
    struct call c = {.client = client, .work = w, .a = a, .op = op, .options = options, .err = err};
    memset(err, 0, sizeof(*err));
    if (prepare(&c, region, request) < 0)
        return -1;
    return call_run(&c, region, ret);
}

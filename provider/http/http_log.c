/* What an exchange says in the log: a line at DEBUG, its headers at TRACE; nothing secret. */
#include "http/http_exchange.h"

#include <string.h>
#include <strings.h>

#include "base/log.h"

static struct slice request_header(const struct http_request *r, const char *name)
{
    for (size_t i = 0; i < r->header_count; i++)
        if (r->headers[i].name.len == strlen(name) &&
            strncasecmp(r->headers[i].name.ptr, name, r->headers[i].name.len) == 0)
            return r->headers[i].value;
    return SLICE_EMPTY;
}

/* The id under which the service's support finds the request. */
static struct slice request_id(const struct http_response *p)
{
    static const char *const names[] = {"x-amzn-requestid", "x-amz-request-id", "x-request-id",
                                        "audit-id"};
    struct slice id = SLICE_EMPTY;
    for (size_t i = 0; i < sizeof(names) / sizeof(*names) && !id.len; i++)
        id = http_header_get(p, names[i]);
    return id.len ? id : SLICE_EMPTY;
}

/* "name: value" lines; values that authenticate are replaced. Left out (NULL) when there are none.
 */
static struct slice header_lines(struct arena *a, const struct http_header *h, size_t count)
{
    _cleanup_buf_ struct buf b = BUF_INIT(65536);
    for (size_t i = 0; i < count; i++) {
        buf_append_slice(&b, h[i].name);
        buf_append_str(&b, ": ");
        if (http_header_is_secret(h[i].name))
            buf_append_str(&b, "(redacted)");
        else
            buf_append_slice(&b, h[i].value);
        buf_append_char(&b, '\n');
    }
    char *text = count ? arena_buf(a, &b) : NULL;
    return slice_str(text);
}

static struct slice present(struct slice s)
{
    return s.len ? s : SLICE_EMPTY;
}

void exchange_log(const struct exchange *x, int64_t duration_ms)
{
    const struct http_request *r = x->request;
    const struct http_response *p = x->response;
    if (!log_enabled(LOG_DEBUG))
        return;
    long connections = 0;
    x->curl->easy_getinfo(x->easy, CURLINFO_NUM_CONNECTS, &connections);
    bool hidden = r->settings && r->settings->secret_bodies;
    struct slice asked = SLICE_EMPTY, answered = SLICE_EMPTY;
    if (!hidden) {
        asked = http_redact_body(x->arena, request_header(r, "content-type"), r->body);
        answered = http_redact_body(x->arena, http_header_get(p, "content-type"), p->body);
    }
    log_at(LOG_DEBUG, "HTTP exchange", LOG_STR("operation", r->log_operation),
           LOG_STR("method", r->method), LOG_SLICE("url", http_redact_url(x->arena, r->url)),
           LOG_INT("status", p->status), LOG_STR("failure", p->failure_text),
           LOG_INT("duration_ms", duration_ms), LOG_INT("request_bytes", r->body.len),
           LOG_INT("response_bytes", p->body.len), LOG_INT("new_connections", connections),
           LOG_SLICE("request_id", request_id(p)), LOG_SLICE("request_body", present(asked)),
           LOG_SLICE("response_body", present(answered)));
    log_at(LOG_TRACE, "HTTP headers", LOG_STR("operation", r->log_operation),
           LOG_SLICE("request_headers",
                     hidden ? SLICE_EMPTY : header_lines(x->arena, r->headers, r->header_count)),
           LOG_SLICE("response_headers",
                     hidden ? SLICE_EMPTY : header_lines(x->arena, p->headers, p->header_count)));
}

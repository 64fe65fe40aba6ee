/* Asking token servers, and reading what they answer. */
#include "gcp/source.h"

#include <stdarg.h>
#include <string.h>
#include <time.h>

#include "base/base64.h"
#include "base/log.h"
#include "gcp/jwt.h"
#include "gcp/text_file.h"
#include "value/codec.h"

enum {
    NEAR_CONNECT_MS = 1000,
    NEAR_REQUEST_MS = 5000, /* the first token of a new machine takes its time */
    NEAR_TRIES = 3,
    NEAR_PAUSE_MS = 50, /* doubled before the second try already */
    HEADERS_MOST = 40,
    WORDS_MOST = 500,
    EXPIRES_MOST_S = 10 * 366 * 86400,
    TOKEN_MOST = 64 * 1024,
};

static const char *const iam_only[] = {"https://www.googleapis.com/auth/iam"};
const struct gcp_scopes gcp_scope_iam = {iam_only, 1};

int gcp_source_fail(struct gcp_source *s, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    const char *text = arena_vprintf(s->a, fmt, ap);
    va_end(ap);
    memset(s->err, 0, sizeof(*s->err));
    s->err->class_ = text ? CLOUD_ERROR_CREDENTIALS : CLOUD_ERROR_NO_MEMORY;
    s->err->retry_after_ms = -1;
    s->err->message = text ? text : "memory ran out";
    return -1;
}

int64_t gcp_source_now(const struct gcp_source *s)
{
    return s->client->clock->unix_s(s->client->clock->self);
}

int64_t gcp_parse_time(const char *text)
{
    struct tm tm = {0};
    const char *end = text ? strptime(text, "%Y-%m-%dT%H:%M:%S", &tm) : NULL;
    if (end && *end == '.')
        end += 1 + strspn(end + 1, "0123456789");
    return end && strcmp(end, "Z") == 0 ? (int64_t)timegm(&tm) : -1;
}

const char *gcp_join_scopes(struct arena *a, const char *const *scopes, size_t count,
                            char separator)
{
    _cleanup_buf_ struct buf b = BUF_INIT(TOKEN_MOST);
    for (size_t i = 0; i < count; i++) {
        if (i)
            buf_append_char(&b, separator);
        buf_append_str(&b, scopes[i]);
    }
    return arena_buf(a, &b);
}

/* ---- sending ---- */

static void transport_error(struct gcp_source *s, const struct gcp_ask *ask,
                            const struct http_response *r)
{
    enum cloud_error_class class_ = CLOUD_ERROR_TRANSIENT;
    switch (r->failure) {
    case HTTP_CANCELLED:
        class_ = CLOUD_ERROR_CANCELLED;
        break;
    case HTTP_DEADLINE:
        class_ = CLOUD_ERROR_DEADLINE;
        break;
    case HTTP_NO_MEMORY:
        class_ = CLOUD_ERROR_NO_MEMORY;
        break;
    case HTTP_BAD_REQUEST:
        class_ = CLOUD_ERROR_INVALID;
        break;
    case HTTP_TOO_LARGE:
        class_ = CLOUD_ERROR_PROTOCOL;
        break;
    case HTTP_TLS:
        class_ = CLOUD_ERROR_OTHER;
        break;
    default:
        break;
    }
    struct slice url = http_redact_url(s->a, ask->url);
    gcp_source_fail(s, "%s at %.*s gave no answer for %s: %s", ask->purpose, (int)url.len, url.ptr,
                    s->where, r->failure_text ? r->failure_text : "the connection failed");
    s->err->class_ = class_;
    s->err->operation = ask->name;
}

/* True when the answer is one that passes with time; the error says so. */
static bool is_passing(struct gcp_source *s, const struct gcp_ask *ask,
                       const struct http_response *r)
{
    if (r->status < 500 && r->status != 429 && r->status != 408)
        return false;
    gcp_source_fail(s, "%s answered for %s with HTTP status %d", ask->purpose, s->where, r->status);
    s->err->class_ = r->status == 429 ? CLOUD_ERROR_THROTTLED : CLOUD_ERROR_TRANSIENT;
    s->err->operation = ask->name;
    s->err->http_status = r->status;
    return true;
}

static int send_once(struct gcp_source *s, const struct gcp_ask *ask, struct http_response *ret)
{
    struct http_header headers[HEADERS_MOST];
    struct http_settings settings = s->client->config.http;
    size_t count = 0;
    if (ask->near) {
        settings.proxy = "";
        settings.connect_timeout_ms = NEAR_CONNECT_MS;
        settings.request_timeout_ms = NEAR_REQUEST_MS;
    }
    settings.max_response_bytes = GCP_ANSWER_MOST;
    settings.secret_bodies = ask->secret_bodies;
    for (size_t i = 0; i < ask->header_count && count + 1 < HEADERS_MOST; i++)
        headers[count++] = ask->headers[i];
    headers[count].name = SLICE_LIT("user-agent");
    headers[count++].value = slice_str(s->client->user_agent);
    const struct http_request rq = {ask->method, ask->url,  headers,  count,
                                    ask->body,   &settings, ask->name};
    memset(ret, 0, sizeof(*ret));
    return s->client->transport->send(s->client->transport->self, s->work, s->a, &rq, ret);
}

/* One exchange: 0 with an answer that will not change; -1 with the error. */
static int try_once(struct gcp_source *s, const struct gcp_ask *ask, struct http_response *ret)
{
    if (send_once(s, ask, ret) < 0) {
        transport_error(s, ask, ret);
        return -1;
    }
    return is_passing(s, ask, ret) ? -1 : 0;
}

/* What is near answers soon or not at all: a few tries in a row. */
static int send_near(struct gcp_source *s, const struct gcp_ask *ask, struct http_response *ret)
{
    const struct clock *c = s->client->clock;
    for (int tries = 1;; tries++) {
        if (try_once(s, ask, ret) == 0)
            return 0;
        bool passing =
            s->err->class_ == CLOUD_ERROR_TRANSIENT || s->err->class_ == CLOUD_ERROR_THROTTLED;
        s->err->attempts = tries;
        if (!passing || tries >= NEAR_TRIES ||
            c->sleep_ms(c->self, NEAR_PAUSE_MS << tries, s->work->cancel) < 0)
            return -1;
    }
}

int gcp_source_send(struct gcp_source *s, const struct gcp_ask *ask, struct http_response *ret)
{
    struct retry_state *retry = &s->client->retry;
    struct retry_call rc = {0, 0};
    if (ask->near)
        return send_near(s, ask, ret);
    for (int tries = 1;; tries++) {
        if (retry_before(retry, s->work) < 0) {
            gcp_source_fail(s, "it was cancelled, or its time was up, before %s was asked",
                            ask->purpose);
            s->err->class_ = work_left_ms(s->work) ? CLOUD_ERROR_CANCELLED : CLOUD_ERROR_DEADLINE;
            return -1;
        }
        if (try_once(s, ask, ret) == 0) {
            retry_succeeded(retry, &rc, s->work);
            return 0;
        }
        s->err->attempts = tries;
        if (!retry_again(retry, &rc, s->work, s->err, true))
            return -1;
    }
}

void gcp_form_add(struct buf *form, const char *name, struct slice value)
{
    if (!value.len)
        return;
    buf_printf(form, "%s%s=", form->len ? "&" : "", name);
    http_encode_uri(form, value, false);
}

int gcp_source_post_form(struct gcp_source *s, const char *url, const char *name,
                         const struct buf *form, const char *authorization,
                         struct http_response *ret)
{
    struct http_header headers[2] = {
        {SLICE_LIT("content-type"), SLICE_LIT("application/x-www-form-urlencoded")},
        {SLICE_LIT("authorization"), slice_str(authorization)}};
    const struct gcp_ask ask = {.method = "POST",
                                .url = url,
                                .headers = headers,
                                .header_count = authorization ? 2 : 1,
                                .body = buf_slice(form),
                                .name = name,
                                .purpose = "the token server"};
    if (!url || form->failed)
        return gcp_source_fail(s, "the request for a token could not be made: memory ran out");
    return gcp_source_send(s, &ask, ret);
}

const char *gcp_source_url(struct gcp_source *s, const char *service, const char *url)
{
    const char *custom = gcp_custom_endpoint(&s->client->config, s->a, service);
    const char *host = strstr(url, "://");
    if (!custom || !host)
        return url;
    return arena_printf(s->a, "%s%s", custom, host + 3 + strcspn(host + 3, "/"));
}

const char *gcp_source_basic(struct gcp_source *s, const struct gcp_credential_file *f)
{
    _cleanup_buf_ struct buf plain = BUF_INIT(TOKEN_MOST), b = BUF_INIT(2 * TOKEN_MOST);
    if (!f->client_id)
        return NULL;
    buf_printf(&plain, "%s:%s", f->client_id, f->client_secret ? f->client_secret : "");
    buf_append_str(&b, "Basic ");
    base64_append(&b, buf_cstr(&plain), plain.len);
    return plain.failed ? NULL : arena_buf(s->a, &b);
}

/* ---- answers ---- */

/* The server's own words, cut and without control characters; NULL when it has none. Both forms are
 * in use: {"error": "code", "error_description": "…"} and {"error": {"status": …, "message": …}}.
 */
static const char *server_words(struct gcp_source *s, const struct value *v, const char **ret_code)
{
    const struct value *error = value_get(v, "error");
    const char *code = value_cstr(error, NULL), *text = NULL;
    if (value_is_known(error) && error->type->kind == TYPE_OBJECT) {
        code = value_cstr(value_get(error, "status"), NULL);
        text = value_cstr(value_get(error, "message"), NULL);
    } else {
        text = value_cstr(value_get(v, "error_description"), NULL);
    }
    *ret_code = code;
    const char *both = code && text ? arena_printf(s->a, "%s: %s", code, text) : code ? code : text;
    return both ? gcp_shown(s->a, both, WORDS_MOST) : NULL;
}

int gcp_source_object(struct gcp_source *s, const struct http_response *r, const char *who,
                      const char *advice, const struct value **ret)
{
    const struct value *v = NULL;
    struct diags d;
    diags_init(&d, s->a);
    bool json = value_json_parse(s->a, r->body, &v, &d) == 0 && v && v->type->kind == TYPE_OBJECT;
    if (r->status == 200 && json) {
        *ret = v;
        return 0;
    }
    if (r->status == 200) {
        gcp_source_fail(s, "%s answered for %s with something other than a JSON object", who,
                        s->where);
        s->err->class_ = CLOUD_ERROR_PROTOCOL;
        return -1;
    }
    const char *code = NULL, *words = json ? server_words(s, v, &code) : NULL;
    gcp_source_fail(s, "%s refused %s: %s (HTTP status %d)%s%s", who, s->where,
                    words ? words : "it gave no reason", r->status, advice ? ". " : "",
                    advice ? advice : "");
    s->err->http_status = r->status;
    s->err->code = code;
    return -1;
}

int gcp_source_set(struct gcp_source *s, const char *who, struct slice bearer,
                   int64_t expires_unix_s, const char *source, struct gcp_token *ret)
{
    for (size_t i = 0; i < bearer.len; i++)
        if ((unsigned char)bearer.ptr[i] <= ' ' || (unsigned char)bearer.ptr[i] >= 0x7f)
            return gcp_source_fail(s, "%s gave a token that no header can carry, for %s", who,
                                   s->where);
    if (!bearer.len)
        return gcp_source_fail(s, "%s gave no access token for %s", who, s->where);
    if (bearer.len > TOKEN_MOST)
        return gcp_source_fail(s, "%s gave a token of over 64 KiB for %s", who, s->where);
    struct gcp_token t = GCP_TOKEN_EMPTY;
    t.expires_unix_s = expires_unix_s;
    t.source = source;
    if (secret_set(&t.bearer, bearer) < 0)
        return gcp_source_fail(s, "memory ran out");
    *ret = t;
    return 0;
}

/* expires_in is a number; some servers send it as a string. -1: it is neither. */
static int64_t expires_in(const struct value *v)
{
    int64_t n = -1;
    struct slice text = value_slice(v);
    if (value_is_null(v))
        return 0;
    if (v->type->kind == TYPE_NUMBER)
        return value_to_int(v, &n) && n > 0 && n <= EXPIRES_MOST_S ? n : -1;
    for (size_t i = 0; i < text.len && text.len < 10; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            return -1;
        n = (i ? n * 10 : 0) + (text.ptr[i] - '0');
    }
    return n > 0 && n <= EXPIRES_MOST_S ? n : -1;
}

int gcp_source_token(struct gcp_source *s, const struct http_response *r, const char *who,
                     const char *advice, const char *source, struct gcp_token *ret)
{
    const struct value *v = NULL;
    if (gcp_source_object(s, r, who, advice, &v) < 0)
        return -1;
    int64_t seconds = expires_in(value_get(v, "expires_in"));
    if (seconds < 0)
        return gcp_source_fail(s, "%s gave a token for %s whose expires_in is no number of seconds",
                               who, s->where);
    int64_t expires = seconds ? gcp_source_now(s) + seconds : INT64_MAX;
    return gcp_source_set(s, who, value_slice(value_get(v, "access_token")), expires, source, ret);
}

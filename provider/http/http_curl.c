/* The libcurl transport: one thread runs a multi handle; callers hand it exchanges and wait.
 *
 * Who owns what: an exchange lives on its caller's stack. The caller gives it to the thread through
 * the queue, and takes it back when `done` is set, under the lock. A caller that gives up
 * (deadline, hard cancel) marks the exchange and still waits until the thread has let go of it. */
#include "http/http.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/log.h"
#include "http/http_curl_load.h"

enum {
    CONNECTIONS_PER_HOST = 16,
    CONNECTIONS_IN_ALL = 64,
    CONNECT_TIMEOUT_MS = 10000,
    REQUEST_TIMEOUT_MS = 60000,
    HEADERS_MOST = 256,
    HEADER_BYTES_MOST = 256 * 1024,
    IDLE_HANDLES_MOST = 32,
    CANCEL_CHECK_MS = 100,
};
static const uint64_t RESPONSE_MOST = (uint64_t)64 << 20;

struct exchange {
    struct exchange *next; /* in the queue */
    const struct http_request *request;
    struct arena *arena;
    struct http_response *response;
    CURL *easy;
    struct curl_slist *headers;
    struct buf body, header_text;
    uint64_t most;
    int64_t timeout_ms;
    bool too_large;
    bool give_up; /* set by the caller, under the lock */
    bool added, done;
    CURLcode code;
    char error[CURL_ERROR_SIZE];
};

struct transport {
    struct http_transport table; /* what callers hold */
    const struct curl_functions *curl;
    pthread_mutex_t lock;
    pthread_cond_t changed; /* an exchange is done */
    struct exchange *queue; /* waiting for the thread */
    bool started, stopping;
    pthread_t thread;
    CURLM *multi;
    CURL *idle[IDLE_HANDLES_MOST];
    size_t idle_count;
    struct exchange *running[1024]; /* seen by the thread alone */
    size_t running_count;
};

/* ---- callbacks, in the thread ---- */

static size_t on_body(char *data, size_t size, size_t count, void *arg)
{
    struct exchange *x = arg;
    size_t len = size * count;
    if (x->body.len + len > x->most) {
        x->too_large = true;
        return 0;
    }
    return buf_append(&x->body, data, len) < 0 ? 0 : len;
}

static size_t on_header(char *data, size_t size, size_t count, void *arg)
{
    struct exchange *x = arg;
    size_t len = size * count;
    /* A status line starts a new answer (after "100 Continue", or a proxy's). */
    if (len > 5 && strncmp(data, "HTTP/", 5) == 0)
        buf_reset(&x->header_text);
    if (buf_append(&x->header_text, data, len) < 0) {
        x->too_large = true;
        return 0;
    }
    return len;
}

/* ---- setting a handle up, in the caller ---- */

static bool set_headers(struct transport *t, struct exchange *x)
{
    const struct http_request *r = x->request;
    for (size_t i = 0; i < r->header_count; i++) {
        const struct http_header *h = &r->headers[i];
        /* "Name;" is libcurl's way to send a header without a value. */
        const char *line = h->value.len
                               ? arena_printf(x->arena, "%.*s: %.*s", (int)h->name.len, h->name.ptr,
                                              (int)h->value.len, h->value.ptr)
                               : arena_printf(x->arena, "%.*s;", (int)h->name.len, h->name.ptr);
        if (!line || strpbrk(line, "\r\n"))
            return false;
        struct curl_slist *list = t->curl->slist_append(x->headers, line);
        if (!list)
            return false;
        x->headers = list;
    }
    struct curl_slist *list = t->curl->slist_append(x->headers, "Expect:");
    if (!list)
        return false;
    x->headers = list;
    return t->curl->easy_setopt(x->easy, CURLOPT_HTTPHEADER, x->headers) == CURLE_OK;
}

static void set_connection(struct transport *t, struct exchange *x, const struct http_settings *s)
{
    const struct curl_functions *c = t->curl;
    CURL *e = x->easy;
    int64_t connect_ms = s->connect_timeout_ms > 0 ? s->connect_timeout_ms : CONNECT_TIMEOUT_MS;
    if (connect_ms > x->timeout_ms)
        connect_ms = x->timeout_ms;
    c->easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, (long)connect_ms);
    c->easy_setopt(e, CURLOPT_TIMEOUT_MS, (long)x->timeout_ms);
    c->easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
    c->easy_setopt(e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
    c->easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L);
    c->easy_setopt(e, CURLOPT_PATH_AS_IS, 1L);
    c->easy_setopt(e, CURLOPT_TCP_KEEPALIVE, 1L);
    c->easy_setopt(e, CURLOPT_TCP_NODELAY, 1L);
    c->easy_setopt(e, CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
    c->easy_setopt(e, CURLOPT_SSL_VERIFYPEER, s->insecure ? 0L : 1L);
    c->easy_setopt(e, CURLOPT_SSL_VERIFYHOST, s->insecure ? 0L : 2L);
    if (s->ca_bundle)
        c->easy_setopt(e, CURLOPT_CAINFO, s->ca_bundle);
    if (s->client_cert_pem)
        c->easy_setopt(e, CURLOPT_SSLCERT, s->client_cert_pem);
    if (s->client_key_pem)
        c->easy_setopt(e, CURLOPT_SSLKEY, s->client_key_pem);
    if (s->proxy)
        c->easy_setopt(e, CURLOPT_PROXY, s->proxy);
    if (s->no_proxy)
        c->easy_setopt(e, CURLOPT_NOPROXY, s->no_proxy);
}

static bool set_up(struct transport *t, struct exchange *x, const struct http_settings *s)
{
    const struct curl_functions *c = t->curl;
    const struct http_request *r = x->request;
    CURL *e = x->easy;
    set_connection(t, x, s);
    if (c->easy_setopt(e, CURLOPT_URL, r->url) != CURLE_OK || !set_headers(t, x))
        return false;
    if (r->body.len || strcmp(r->method, "POST") == 0 || strcmp(r->method, "PUT") == 0) {
        c->easy_setopt(e, CURLOPT_POSTFIELDS, r->body.ptr ? r->body.ptr : "");
        c->easy_setopt(e, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->body.len);
    } else if (strcmp(r->method, "HEAD") == 0) {
        c->easy_setopt(e, CURLOPT_NOBODY, 1L);
    }
    c->easy_setopt(e, CURLOPT_CUSTOMREQUEST, r->method);
    c->easy_setopt(e, CURLOPT_WRITEFUNCTION, on_body);
    c->easy_setopt(e, CURLOPT_WRITEDATA, x);
    c->easy_setopt(e, CURLOPT_HEADERFUNCTION, on_header);
    c->easy_setopt(e, CURLOPT_HEADERDATA, x);
    c->easy_setopt(e, CURLOPT_PRIVATE, x);
    c->easy_setopt(e, CURLOPT_ERRORBUFFER, x->error);
    return true;
}

/* ---- the thread ---- */

static void finish(struct transport *t, struct exchange *x, CURLcode code)
{
    for (size_t i = 0; i < t->running_count; i++)
        if (t->running[i] == x)
            t->running[i--] = t->running[--t->running_count];
    if (x->added)
        t->curl->multi_remove_handle(t->multi, x->easy);
    pthread_mutex_lock(&t->lock);
    x->code = code;
    x->done = true;
    pthread_cond_broadcast(&t->changed);
    pthread_mutex_unlock(&t->lock);
}

static void start_queued(struct transport *t)
{
    for (;;) {
        pthread_mutex_lock(&t->lock);
        struct exchange *x = t->queue;
        bool room = t->running_count < sizeof(t->running) / sizeof(*t->running);
        if (x && room)
            t->queue = x->next;
        pthread_mutex_unlock(&t->lock);
        if (!x || !room)
            return;
        t->running[t->running_count++] = x;
        x->added = t->curl->multi_add_handle(t->multi, x->easy) == CURLM_OK;
        if (!x->added)
            finish(t, x, CURLE_FAILED_INIT);
    }
}

static void drop_given_up(struct transport *t)
{
    for (size_t i = t->running_count; i-- > 0;) {
        struct exchange *x = t->running[i];
        pthread_mutex_lock(&t->lock);
        bool give_up = x->give_up;
        pthread_mutex_unlock(&t->lock);
        if (give_up)
            finish(t, x, CURLE_ABORTED_BY_CALLBACK);
    }
}

static void collect_done(struct transport *t)
{
    CURLMsg *m = NULL;
    int left = 0;
    while ((m = t->curl->multi_info_read(t->multi, &left))) {
        struct exchange *x = NULL;
        CURLcode code = m->data.result;
        if (m->msg == CURLMSG_DONE &&
            t->curl->easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &x) == CURLE_OK && x)
            finish(t, x, code);
    }
}

static void *run(void *arg)
{
    struct transport *t = arg;
    for (;;) {
        pthread_mutex_lock(&t->lock);
        bool stop = t->stopping && !t->queue;
        pthread_mutex_unlock(&t->lock);
        if (stop && t->running_count == 0)
            return NULL;
        start_queued(t);
        drop_given_up(t);
        int running = 0, ready = 0;
        t->curl->multi_perform(t->multi, &running);
        collect_done(t);
        t->curl->multi_poll(t->multi, NULL, 0, 1000, &ready);
    }
}

/* Loads libcurl and starts the thread; called with the lock held. NULL, or why it failed. */
static const char *start(struct transport *t)
{
    if (t->started)
        return NULL;
    const char *why = NULL;
    t->curl = curl_functions_load(&why);
    if (!t->curl)
        return why;
    t->multi = t->curl->multi_init();
    if (!t->multi)
        return "memory ran out";
    t->curl->multi_setopt(t->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_MULTIPLEX);
    t->curl->multi_setopt(t->multi, CURLMOPT_MAX_HOST_CONNECTIONS, (long)CONNECTIONS_PER_HOST);
    t->curl->multi_setopt(t->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, (long)CONNECTIONS_IN_ALL);
    t->curl->multi_setopt(t->multi, CURLMOPT_MAXCONNECTS, (long)CONNECTIONS_IN_ALL);
    if (pthread_create(&t->thread, NULL, run, t) != 0) {
        t->curl->multi_cleanup(t->multi);
        t->multi = NULL;
        return "no thread could be started";
    }
    t->started = true;
    return NULL;
}

/* ---- results, in the caller ---- */

static enum http_failure failure_of(const struct exchange *x, bool sent)
{
    switch (x->code) {
    case CURLE_OK:
        return HTTP_OK;
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
        return HTTP_RESOLVE;
    case CURLE_COULDNT_CONNECT:
        return HTTP_CONNECT;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
        return HTTP_TLS;
    case CURLE_OPERATION_TIMEDOUT:
        return sent ? HTTP_TIMEOUT : HTTP_CONNECT;
    case CURLE_OUT_OF_MEMORY:
        return HTTP_NO_MEMORY;
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_FAILED_INIT:
        return HTTP_BAD_REQUEST;
    case CURLE_WRITE_ERROR:
        return x->too_large ? HTTP_TOO_LARGE : HTTP_NO_MEMORY;
    case CURLE_FILESIZE_EXCEEDED:
        return HTTP_TOO_LARGE;
    default:
        return sent ? HTTP_RESET : HTTP_CONNECT;
    }
}

static struct slice trimmed(struct slice s)
{
    while (s.len && strchr(" \t\r\n", s.ptr[0])) {
        s.ptr++;
        s.len--;
    }
    while (s.len && strchr(" \t\r\n", s.ptr[s.len - 1]))
        s.len--;
    return s;
}

static int take_headers(struct exchange *x)
{
    struct http_header *h = arena_new_array(x->arena, HEADERS_MOST, struct http_header);
    char *text = arena_strndup(x->arena, buf_cstr(&x->header_text), x->header_text.len);
    if (!h || !text)
        return -1;
    size_t count = 0;
    for (char *line = text; *line && count < HEADERS_MOST;) {
        size_t len = strcspn(line, "\n");
        char *colon = memchr(line, ':', len);
        if (colon && strncmp(line, "HTTP/", 5) != 0) {
            for (char *p = line; p < colon; p++)
                if (*p >= 'A' && *p <= 'Z')
                    *p = (char)(*p - 'A' + 'a');
            h[count].name = trimmed(slice_from(line, (size_t)(colon - line)));
            h[count++].value = trimmed(slice_from(colon + 1, len - (size_t)(colon - line) - 1));
        }
        line += len + (line[len] == '\n');
    }
    x->response->headers = h;
    x->response->header_count = count;
    return 0;
}

static int take_response(struct transport *t, struct exchange *x)
{
    long status = 0;
    t->curl->easy_getinfo(x->easy, CURLINFO_RESPONSE_CODE, &status);
    x->response->status = (int)status;
    char *body = arena_strndup(x->arena, buf_cstr(&x->body), x->body.len);
    if (!body || take_headers(x) < 0) {
        x->response->failure = HTTP_NO_MEMORY;
        x->response->failure_text = "memory ran out";
        return -1;
    }
    x->response->body = slice_from(body, x->body.len);
    return 0;
}

static int fail(struct http_response *r, enum http_failure failure, const char *text)
{
    r->failure = failure;
    r->failure_text = text ? text : "memory ran out";
    return -1;
}

static int take_result(struct transport *t, struct exchange *x, const struct work *w)
{
    curl_off_t sent = 0;
    long request_size = 0;
    t->curl->easy_getinfo(x->easy, CURLINFO_SIZE_UPLOAD_T, &sent);
    t->curl->easy_getinfo(x->easy, CURLINFO_REQUEST_SIZE, &request_size);
    enum http_failure failure = failure_of(x, request_size > 0 || sent > 0);
    if (failure == HTTP_OK)
        return take_response(t, x);
    if (x->give_up || failure == HTTP_TIMEOUT || failure == HTTP_CONNECT) {
        if (cancel_is_hard(w->cancel))
            return fail(x->response, HTTP_CANCELLED, "the operation was cancelled");
        if (work_left_ms(w) == 0)
            return fail(x->response, HTTP_DEADLINE, "the operation's time was up");
    }
    if (failure == HTTP_TOO_LARGE)
        return fail(x->response, failure,
                    arena_printf(x->arena, "the answer is larger than %llu bytes",
                                 (unsigned long long)x->most));
    const char *text = x->error[0] ? x->error : t->curl->easy_strerror(x->code);
    return fail(x->response, failure, arena_strdup(x->arena, text));
}

/* ---- sending ---- */

static void wait_done(struct transport *t, struct exchange *x, const struct work *w)
{
    pthread_mutex_lock(&t->lock);
    while (!x->done) {
        struct timespec until;
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_nsec += CANCEL_CHECK_MS * 1000000L;
        if (until.tv_nsec >= 1000000000L) {
            until.tv_sec++;
            until.tv_nsec -= 1000000000L;
        }
        pthread_cond_timedwait(&t->changed, &t->lock, &until);
        if (!x->done && !x->give_up && (cancel_is_hard(w->cancel) || work_left_ms(w) == 0)) {
            x->give_up = true;
            t->curl->multi_wakeup(t->multi);
        }
    }
    pthread_mutex_unlock(&t->lock);
}

static void append_to_queue(struct transport *t, struct exchange *x)
{
    struct exchange **at = &t->queue;
    while (*at)
        at = &(*at)->next;
    *at = x;
}

/* Takes a handle that is free, or makes one; starts the thread. NULL with *ret_why. */
static CURL *take_handle(struct transport *t, const char **ret_why)
{
    pthread_mutex_lock(&t->lock);
    *ret_why = start(t);
    CURL *e = NULL;
    if (!*ret_why && t->idle_count)
        e = t->idle[--t->idle_count];
    pthread_mutex_unlock(&t->lock);
    if (!*ret_why && !e && !(e = t->curl->easy_init()))
        *ret_why = "memory ran out";
    return e;
}

static void give_handle_back(struct transport *t, CURL *e)
{
    t->curl->easy_reset(e); /* keeps the DNS and TLS session caches */
    pthread_mutex_lock(&t->lock);
    bool keep = t->idle_count < IDLE_HANDLES_MOST;
    if (keep)
        t->idle[t->idle_count++] = e;
    pthread_mutex_unlock(&t->lock);
    if (!keep)
        t->curl->easy_cleanup(e);
}

static int exchange_run(struct transport *t, struct exchange *x, const struct work *w)
{
    static const struct http_settings none;
    const struct http_settings *s = x->request->settings ? x->request->settings : &none;
    int64_t left = work_left_ms(w);
    x->most = s->max_response_bytes ? s->max_response_bytes : RESPONSE_MOST;
    x->timeout_ms = s->request_timeout_ms > 0 ? s->request_timeout_ms : REQUEST_TIMEOUT_MS;
    if (x->timeout_ms > left)
        x->timeout_ms = left;
    if (cancel_is_hard(w->cancel))
        return fail(x->response, HTTP_CANCELLED, "the operation was cancelled");
    if (left == 0)
        return fail(x->response, HTTP_DEADLINE, "the operation's time was up");
    buf_init(&x->body, (size_t)x->most);
    buf_init(&x->header_text, HEADER_BYTES_MOST);
    if (!set_up(t, x, s))
        return fail(x->response, HTTP_BAD_REQUEST, "the URL or a header cannot be used");
    pthread_mutex_lock(&t->lock);
    append_to_queue(t, x);
    pthread_mutex_unlock(&t->lock);
    t->curl->multi_wakeup(t->multi);
    wait_done(t, x, w);
    return take_result(t, x, w);
}

/* The URL up to its query, which may carry a signature. */
static struct slice loggable_url(const char *url)
{
    return slice_from(url, strcspn(url, "?"));
}

static void log_exchange(struct exchange *x, const struct http_request *r, int64_t ms)
{
    if (!log_enabled(LOG_DEBUG))
        return;
    const struct http_response *p = x->response;
    struct slice type = SLICE_EMPTY;
    for (size_t i = 0; i < r->header_count; i++)
        if (r->headers[i].name.len == 12 &&
            strncasecmp(r->headers[i].name.ptr, "content-type", 12) == 0)
            type = r->headers[i].value;
    log_at(LOG_DEBUG, "HTTP exchange", LOG_STR("operation", r->log_operation),
           LOG_STR("method", r->method), LOG_SLICE("url", loggable_url(r->url)),
           LOG_INT("status", p->status), LOG_INT("duration_ms", ms),
           LOG_STR("failure", p->failure_text),
           LOG_SLICE("request_id", http_header_get(p, "x-amzn-requestid")),
           LOG_SLICE("request_body", http_redact_body(x->arena, type, r->body)),
           LOG_SLICE("response_body",
                     http_redact_body(x->arena, http_header_get(p, "content-type"), p->body)));
}

static int transport_send(void *self, const struct work *w, struct arena *a,
                          const struct http_request *req, struct http_response *ret)
{
    struct transport *t = self;
    struct exchange x = {.request = req, .arena = a, .response = ret};
    const char *why = NULL;
    memset(ret, 0, sizeof(*ret));
    x.easy = take_handle(t, &why);
    if (!x.easy)
        return fail(ret, HTTP_BAD_REQUEST, why);
    const struct clock *clock = clock_system();
    int64_t before = clock->monotonic_ms(clock->self);
    int rc = exchange_run(t, &x, w);
    log_exchange(&x, req, clock->monotonic_ms(clock->self) - before);
    give_handle_back(t, x.easy);
    if (x.headers)
        t->curl->slist_free_all(x.headers);
    buf_clean_up(&x.body);
    buf_clean_up(&x.header_text);
    return rc;
}

static void transport_free(void *self)
{
    struct transport *t = self;
    pthread_mutex_lock(&t->lock);
    bool started = t->started;
    t->stopping = true;
    pthread_mutex_unlock(&t->lock);
    if (started) {
        t->curl->multi_wakeup(t->multi);
        pthread_join(t->thread, NULL);
        while (t->idle_count)
            t->curl->easy_cleanup(t->idle[--t->idle_count]);
        t->curl->multi_cleanup(t->multi);
    }
    pthread_cond_destroy(&t->changed);
    pthread_mutex_destroy(&t->lock);
    alloc_table.free(t);
}

struct http_transport *http_transport_new(void)
{
    struct transport *t = alloc_table.malloc(sizeof(*t));
    if (!t)
        return NULL;
    memset(t, 0, sizeof(*t));
    pthread_mutex_init(&t->lock, NULL);
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&t->changed, &attr);
    pthread_condattr_destroy(&attr);
    t->table = (struct http_transport){transport_send, transport_free, t};
    return &t->table;
}

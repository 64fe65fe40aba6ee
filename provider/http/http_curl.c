/* The libcurl transport: one thread runs a multi handle; callers hand it exchanges and wait.
 *
 * The thread admits as many exchanges to a host as it may have connections to it, and keeps the
 * others in its queue: libcurl's own queue counts the waiting as time spent connecting. Deadlines
 * and cancellation are the thread's as well, since libcurl forgets about time in its queue. */
#include "http/http.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>

#include "base/alloc.h"
#include "http/http_exchange.h"

enum {
    CONNECTIONS_PER_HOST = 32,
    STREAMS_PER_HOST = 96, /* once it has spoken HTTP/2; servers allow 100 and more */
    CONNECTIONS_IN_ALL = 256,
    CONNECTIONS_KEPT = 64,
    REQUEST_TIMEOUT_MS = 60000,
    IDLE_HANDLES_MOST = 32,
    HOSTS_MOST = 64,
    HOST_NAME_MOST = 256,
    IDLE_POLL_MS = 60000,
};

/* A host, as scheme, name and port, to which exchanges run or ran. */
struct host {
    char name[HOST_NAME_MOST]; /* "" when free */
    unsigned running, limit;
    uint64_t last_use;
};

struct transport {
    struct http_transport table; /* what callers hold */
    const struct curl_functions *curl;

    pthread_mutex_t lock;                /* guards what follows, to the empty line */
    struct exchange *queue, **queue_end; /* given by callers, not yet started */
    CURL *idle[IDLE_HANDLES_MOST];
    size_t idle_count;
    bool started, stopping;

    pthread_t thread;
    CURLM *multi;
    CURLSH *share; /* TLS sessions */
    pthread_mutex_t share_locks[CURL_LOCK_DATA_LAST];

    struct exchange *running; /* from here on the thread's alone */
    struct host hosts[HOSTS_MOST];
    uint64_t uses;
};

static int64_t now_ms(void)
{
    const struct clock *clock = clock_system();
    return clock->monotonic_ms(clock->self);
}

/* ---- hosts, in the thread ---- */

/* The record of the URL's host: the one that it has, a free one, or the one unused for longest.
 * NULL when all are in use or the name is too long: such an exchange is not held back. */
static struct host *host_of(struct transport *t, const char *url)
{
    const char *authority = strstr(url, "://");
    size_t scheme_len = authority ? (size_t)(authority - url) + 3 : 0;
    size_t len = scheme_len + strcspn(url + scheme_len, "/?#");
    struct host *best = NULL;
    if (len >= HOST_NAME_MOST)
        return NULL;
    for (size_t i = 0; i < HOSTS_MOST; i++) {
        struct host *h = &t->hosts[i];
        if (strlen(h->name) == len && memcmp(h->name, url, len) == 0)
            return h;
        if (h->running == 0 && (!best || h->last_use < best->last_use))
            best = h;
    }
    if (best) {
        memset(best, 0, sizeof(*best));
        memcpy(best->name, url, len);
        best->limit = CONNECTIONS_PER_HOST;
    }
    return best;
}

static void host_release(struct exchange *x)
{
    long version = 0;
    if (!x->host)
        return;
    if (x->curl->easy_getinfo(x->easy, CURLINFO_HTTP_VERSION, &version) == CURLE_OK && version)
        x->host->limit = version >= CURL_HTTP_VERSION_2_0 ? STREAMS_PER_HOST : CONNECTIONS_PER_HOST;
    x->host->running--;
}

/* ---- the life of an exchange, in the thread ---- */

static void append(struct transport *t, struct exchange *x)
{
    x->next = NULL;
    *t->queue_end = x;
    t->queue_end = &x->next;
}

/* Lets the caller have its exchange back: it may be gone as soon as the lock is free. */
static void finish(struct transport *t, struct exchange *x, CURLcode code, enum ended_by by)
{
    if (x->started) {
        t->curl->multi_remove_handle(t->multi, x->easy);
        host_release(x);
        if (x->prev)
            x->prev->next = x->next;
        else
            t->running = x->next;
        if (x->next)
            x->next->prev = x->prev;
    }
    pthread_mutex_lock(&t->lock);
    x->code = code;
    x->ended_by = by;
    x->done = true;
    pthread_cond_signal(&x->finished);
    pthread_mutex_unlock(&t->lock);
}

/* Starts the exchange unless its host has all that it may have. False when it has to wait. */
static bool start(struct transport *t, struct exchange *x, int64_t now)
{
    struct host *h = host_of(t, x->request->url);
    if (h && h->running >= h->limit)
        return false;
    if (t->curl->multi_add_handle(t->multi, x->easy) != CURLM_OK) {
        finish(t, x, CURLE_OUT_OF_MEMORY, ENDED_BY_CURL);
        return true;
    }
    if (h) {
        h->running++;
        h->last_use = ++t->uses;
    }
    x->host = h;
    x->end_ms = x->timeout_ms < INT64_MAX - now ? now + x->timeout_ms : INT64_MAX;
    x->started = true;
    x->prev = NULL;
    x->next = t->running;
    if (x->next)
        x->next->prev = x;
    t->running = x;
    return true;
}

/* Why the exchange must not go on, or ENDED_BY_CURL when it may. */
static enum ended_by must_end(const struct exchange *x, int64_t now)
{
    if (atomic_load(&x->cancelled))
        return ENDED_BY_CANCEL;
    if (now >= x->due_ms)
        return ENDED_BY_DEADLINE;
    return x->started && now >= x->end_ms ? ENDED_BY_TIMEOUT : ENDED_BY_CURL;
}

static void sooner(int64_t *wake_ms, int64_t when_ms)
{
    if (when_ms < *wake_ms)
        *wake_ms = when_ms;
}

/* Starts what may start, in the order in which it came; lowers *wake_ms to the next deadline. */
static void serve_queue(struct transport *t, int64_t now, int64_t *wake_ms)
{
    pthread_mutex_lock(&t->lock);
    struct exchange *x = t->queue;
    t->queue = NULL;
    t->queue_end = &t->queue;
    pthread_mutex_unlock(&t->lock);

    struct exchange *waiting = NULL, **end = &waiting;
    while (x) {
        struct exchange *next = x->next;
        enum ended_by by = must_end(x, now);
        if (by != ENDED_BY_CURL) {
            finish(t, x, CURLE_ABORTED_BY_CALLBACK, by);
        } else if (!start(t, x, now)) {
            sooner(wake_ms, x->due_ms);
            *end = x;
            end = &x->next;
        }
        x = next;
    }
    *end = NULL;
    if (!waiting)
        return;
    pthread_mutex_lock(&t->lock); /* back to the front: others may have come in the meantime */
    *end = t->queue;
    if (!t->queue)
        t->queue_end = end;
    t->queue = waiting;
    pthread_mutex_unlock(&t->lock);
}

static void end_overdue(struct transport *t, int64_t now, int64_t *wake_ms)
{
    struct exchange *next = NULL;
    for (struct exchange *x = t->running; x; x = next) {
        enum ended_by by = must_end(x, now);
        next = x->next;
        if (by != ENDED_BY_CURL) {
            finish(t, x, CURLE_ABORTED_BY_CALLBACK, by);
        } else {
            sooner(wake_ms, x->due_ms);
            sooner(wake_ms, x->end_ms);
        }
    }
}

/* True when something ended, so that others may start. */
static bool collect_done(struct transport *t)
{
    CURLMsg *m = NULL;
    int left = 0;
    bool any = false;
    while ((m = t->curl->multi_info_read(t->multi, &left))) {
        struct exchange *x = NULL;
        CURLcode code = m->data.result;
        if (m->msg != CURLMSG_DONE ||
            t->curl->easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &x) != CURLE_OK || !x)
            continue;
        finish(t, x, code, ENDED_BY_CURL);
        any = true;
    }
    return any;
}

static void *run(void *arg)
{
    struct transport *t = arg;
    for (;;) {
        pthread_mutex_lock(&t->lock);
        bool stop = t->stopping && !t->queue;
        pthread_mutex_unlock(&t->lock);
        if (stop && !t->running)
            break;
        int64_t now = now_ms(), wake_ms = now + IDLE_POLL_MS;
        end_overdue(t, now, &wake_ms);
        serve_queue(t, now, &wake_ms);
        int running = 0, ready = 0;
        t->curl->multi_perform(t->multi, &running);
        if (collect_done(t))
            continue;
        /* What was just started ends at the soonest when the next round looks at it. */
        for (const struct exchange *x = t->running; x; x = x->next)
            sooner(&wake_ms, x->end_ms < x->due_ms ? x->end_ms : x->due_ms);
        int64_t wait = wake_ms - now_ms();
        t->curl->multi_poll(t->multi, NULL, 0, wait > 0 ? (int)wait : 0, &ready);
    }
    t->curl->multi_cleanup(t->multi); /* says goodbye on kept connections, with SIGPIPE blocked */
    return NULL;
}

/* ---- starting and stopping ---- */

static void lock_share(CURL *easy, curl_lock_data data, curl_lock_access access, void *arg)
{
    struct transport *t = arg;
    (void)easy;
    (void)access;
    pthread_mutex_lock(&t->share_locks[data]);
}

static void unlock_share(CURL *easy, curl_lock_data data, void *arg)
{
    struct transport *t = arg;
    (void)easy;
    pthread_mutex_unlock(&t->share_locks[data]);
}

static bool make_handles(struct transport *t)
{
    t->multi = t->curl->multi_init();
    t->share = t->curl->share_init();
    if (!t->multi || !t->share)
        return false;
    t->curl->multi_setopt(t->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_MULTIPLEX);
    t->curl->multi_setopt(t->multi, CURLMOPT_MAX_HOST_CONNECTIONS, (long)CONNECTIONS_PER_HOST);
    t->curl->multi_setopt(t->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, (long)CONNECTIONS_IN_ALL);
    t->curl->multi_setopt(t->multi, CURLMOPT_MAXCONNECTS, (long)CONNECTIONS_KEPT);
    t->curl->share_setopt(t->share, CURLSHOPT_LOCKFUNC, lock_share);
    t->curl->share_setopt(t->share, CURLSHOPT_UNLOCKFUNC, unlock_share);
    t->curl->share_setopt(t->share, CURLSHOPT_USERDATA, t);
    t->curl->share_setopt(t->share, CURLSHOPT_SHARE, (int)CURL_LOCK_DATA_SSL_SESSION);
    return true;
}

/* Signals are for the process's other threads: above all SIGPIPE, which TLS libraries of some
 * versions raise when a server is gone. */
static bool start_thread(struct transport *t)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(&t->thread, NULL, run, t);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return !failed;
}

/* Loads libcurl and starts the thread; called with the lock held. NULL, or why it failed. */
static const char *start_transport(struct transport *t)
{
    const char *why = NULL;
    if (t->started)
        return NULL;
    t->curl = curl_functions_load(&why);
    if (!t->curl)
        return why;
    if (!make_handles(t))
        why = "memory ran out";
    else if (!start_thread(t))
        why = "no thread could be started";
    else
        t->started = true;
    if (why) {
        if (t->multi)
            t->curl->multi_cleanup(t->multi);
        if (t->share)
            t->curl->share_cleanup(t->share);
        t->multi = NULL;
        t->share = NULL;
    }
    return why;
}

static void transport_free(void *self)
{
    struct transport *t = self;
    pthread_mutex_lock(&t->lock);
    bool started = t->started;
    t->stopping = true;
    if (started)
        t->curl->multi_wakeup(t->multi); /* under the lock: the thread frees it once it has seen */
    pthread_mutex_unlock(&t->lock);
    if (started) {
        pthread_join(t->thread, NULL);
        while (t->idle_count)
            t->curl->easy_cleanup(t->idle[--t->idle_count]);
        t->curl->share_cleanup(t->share);
    }
    for (size_t i = 0; i < CURL_LOCK_DATA_LAST; i++)
        pthread_mutex_destroy(&t->share_locks[i]);
    pthread_mutex_destroy(&t->lock);
    alloc_table.free(t);
}

/* ---- sending, in the caller ---- */

/* Takes a handle that is free, or makes one; starts the thread. NULL with *ret_why. */
static CURL *take_handle(struct transport *t, const char **ret_why)
{
    pthread_mutex_lock(&t->lock);
    *ret_why = start_transport(t);
    CURL *e = NULL;
    if (!*ret_why && t->idle_count)
        e = t->idle[--t->idle_count];
    pthread_mutex_unlock(&t->lock);
    if (!*ret_why && !e && !(e = t->curl->easy_init()))
        *ret_why = "memory ran out";
    if (e)
        t->curl->easy_setopt(e, CURLOPT_SHARE, t->share);
    return e;
}

static void give_handle_back(struct transport *t, CURL *e)
{
    t->curl->easy_reset(e); /* forgets the request: pointers, headers, texts */
    pthread_mutex_lock(&t->lock);
    bool keep = t->idle_count < IDLE_HANDLES_MOST;
    if (keep)
        t->idle[t->idle_count++] = e;
    pthread_mutex_unlock(&t->lock);
    if (!keep)
        t->curl->easy_cleanup(e);
}

struct cancellation {
    struct transport *transport;
    struct exchange *exchange;
};

static void on_cancel(void *arg)
{
    struct cancellation *c = arg;
    atomic_store(&c->exchange->cancelled, true);
    c->transport->curl->multi_wakeup(c->transport->multi);
}

static void hand_over_and_wait(struct transport *t, struct exchange *x, const struct work *w)
{
    struct cancellation cancellation = {t, x};
    struct cancel_hook hook = {.fn = on_cancel, .arg = &cancellation};
    pthread_cond_init(&x->finished, NULL);
    cancel_hook_add(w->cancel, &hook);
    pthread_mutex_lock(&t->lock);
    append(t, x);
    t->curl->multi_wakeup(t->multi);
    while (!x->done)
        pthread_cond_wait(&x->finished, &t->lock);
    pthread_mutex_unlock(&t->lock);
    cancel_hook_remove(w->cancel, &hook);
    pthread_cond_destroy(&x->finished);
}

static int exchange_run(struct transport *t, struct exchange *x, const struct work *w)
{
    int64_t left = work_left_ms(w);
    if (cancel_is_hard(w->cancel))
        return exchange_fail(x, HTTP_CANCELLED, "the operation was cancelled");
    if (left == 0)
        return exchange_fail(x, HTTP_DEADLINE, "the operation's time was up");
    x->due_ms = left == INT64_MAX ? INT64_MAX : now_ms() + left;
    x->timeout_ms =
        x->settings->request_timeout_ms > 0 ? x->settings->request_timeout_ms : REQUEST_TIMEOUT_MS;
    if (exchange_set_up(x) < 0)
        return -1;
    hand_over_and_wait(t, x, w);
    return exchange_take_result(x);
}

static int transport_exchange(struct transport *t, const struct work *w, struct arena *a,
                              const struct http_request *req, bool certificates_only,
                              struct http_response *ret)
{
    static const struct http_settings defaults;
    struct exchange x = {
        .request = req, .arena = a, .response = ret, .certificates_only = certificates_only};
    const char *why = NULL;
    memset(ret, 0, sizeof(*ret));
    x.settings = req->settings ? req->settings : &defaults;
    x.easy = take_handle(t, &why);
    if (!x.easy)
        return exchange_fail(&x, HTTP_BAD_REQUEST, why);
    x.curl = t->curl;
    int64_t before = now_ms();
    int rc = exchange_run(t, &x, w);
    exchange_log(&x, now_ms() - before);
    give_handle_back(t, x.easy);
    exchange_clean_up(&x);
    return rc;
}

static int transport_send(void *self, const struct work *w, struct arena *a,
                          const struct http_request *req, struct http_response *ret)
{
    return transport_exchange(self, w, a, req, false, ret);
}

static int transport_certificates(void *self, const struct work *w, struct arena *a,
                                  const char *url, const struct http_settings *settings,
                                  struct http_response *ret)
{
    const struct http_request rq = {
        .method = "HEAD", .url = url, .settings = settings, .log_operation = "tls.certificates"};
    return transport_exchange(self, w, a, &rq, true, ret);
}

struct http_transport *http_transport_new(void)
{
    struct transport *t = alloc_table.malloc(sizeof(*t));
    if (!t)
        return NULL;
    memset(t, 0, sizeof(*t));
    t->queue_end = &t->queue;
    pthread_mutex_init(&t->lock, NULL);
    for (size_t i = 0; i < CURL_LOCK_DATA_LAST; i++)
        pthread_mutex_init(&t->share_locks[i], NULL);
    t->table = (struct http_transport){transport_send, transport_certificates, transport_free, t};
    return &t->table;
}

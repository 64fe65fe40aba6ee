/* The libcurl transport against a server in this process: what is sent, how each failure is told
 * apart, deadlines and cancellation, connections and their reuse, proxies, the log. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/log.h"
#include "http/http.h"
#include "http_test_server.h"

/* ---- each test has a server, a transport and an arena of its own ---- */

static struct http_test_server *server;
static struct http_transport *transport;
static struct arena *arena;
static struct work forever;

static int set_up(void **state)
{
    (void)state;
    static const char *const proxies[] = {"http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy",
                                          "ALL_PROXY",  "no_proxy",    "NO_PROXY"};
    for (size_t i = 0; i < sizeof(proxies) / sizeof(*proxies); i++)
        unsetenv(proxies[i]);
    server = http_test_server_start(false, false);
    transport = http_transport_new();
    arena = arena_new();
    forever = (struct work){clock_system(), NULL, INT64_MAX};
    return server && transport && arena ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    http_transport_free(transport);
    http_test_server_stop(server);
    arena_free(arena);
    return 0;
}

static int64_t now_ms(void)
{
    return clock_system()->monotonic_ms(NULL);
}

static struct work within(int64_t ms)
{
    return (struct work){clock_system(), NULL, now_ms() + ms};
}

static const char *at(const char *path)
{
    return arena_printf(arena, "http://127.0.0.1:%d%s", http_test_server_port(server), path);
}

static struct http_response send_with(const struct work *w, const char *method, const char *url,
                                      const char *body, const struct http_settings *settings)
{
    struct http_request request = {
        .method = method, .url = url, .body = slice_str(body), .settings = settings};
    struct http_response response;
    int rc = transport->send(transport->self, w, arena, &request, &response);
    assert_int_equal(rc, response.failure == HTTP_OK ? 0 : -1);
    if (response.failure == HTTP_OK) {
        assert_null(response.failure_text);
        assert_true(response.status >= 100);
    } else {
        assert_non_null(response.failure_text);
        assert_null(strpbrk(response.failure_text, "\r\n"));
        assert_int_equal(response.status, 0);
        assert_int_equal(response.body.len, 0);
        assert_int_equal(response.header_count, 0);
    }
    return response;
}

static struct http_response get(const char *path)
{
    return send_with(&forever, "GET", at(path), NULL, NULL);
}

/* ---- what is sent and received ---- */

static void test_get(void **state)
{
    (void)state;
    struct http_response r = get("/hello");
    assert_int_equal(r.failure, HTTP_OK);
    assert_int_equal(r.status, 200);
    assert_true(slice_eq_str(r.body, "hello"));
    assert_int_equal(r.body.ptr[r.body.len], '\0');
    assert_true(slice_eq_str(http_header_get(&r, "x-server"), "Test"));
    assert_true(slice_eq_str(http_header_get(&r, "content-length"), "5"));
    for (size_t i = 0; i < r.header_count; i++)
        for (size_t k = 0; k < r.headers[i].name.len; k++)
            assert_false(r.headers[i].name.ptr[k] >= 'A' && r.headers[i].name.ptr[k] <= 'Z');
}

static const char *echo(const char *method, const char *path, const struct http_header *headers,
                        size_t count, const char *body)
{
    struct http_request request = {.method = method,
                                   .url = at(path),
                                   .headers = headers,
                                   .header_count = count,
                                   .body = slice_str(body)};
    struct http_response response;
    assert_int_equal(transport->send(transport->self, &forever, arena, &request, &response), 0);
    return response.body.ptr;
}

/* The request is signed by the caller: nothing is added that a signature would have to know. */
static void test_request_as_it_is(void **state)
{
    (void)state;
    const struct http_header headers[] = {{SLICE_LIT("X-Amz-Target"), SLICE_LIT("A.B")},
                                          {SLICE_LIT("X-Empty"), SLICE_EMPTY},
                                          {SLICE_LIT("Host"), SLICE_LIT("example.test")}};
    const char *seen = echo("POST", "/echo/a/../b//c?x=%2F&y", headers, 3, "{\"a\":1}");
    assert_non_null(strstr(seen, "POST /echo/a/../b//c?x=%2F&y HTTP/1.1\r\n"));
    assert_non_null(strstr(seen, "\r\nHost: example.test\r\n"));
    assert_non_null(strstr(seen, "\r\nX-Amz-Target: A.B\r\n"));
    assert_non_null(strstr(seen, "\r\nX-Empty:\r\n"));
    assert_non_null(strstr(seen, "\r\nContent-Length: 7\r\n"));
    assert_non_null(strstr(seen, "\r\n\r\n{\"a\":1}"));
    assert_null(strcasestr(seen, "content-type"));
    assert_null(strcasestr(seen, "expect"));
    assert_null(strcasestr(seen, "transfer-encoding"));
    assert_null(strcasestr(seen, "accept-encoding"));
    assert_null(strcasestr(seen, "user-agent"));
}

static void test_methods(void **state)
{
    (void)state;
    static const char *const methods[] = {"GET", "PUT", "POST", "PATCH", "DELETE", "OPTIONS"};
    for (size_t i = 0; i < sizeof(methods) / sizeof(*methods); i++) {
        const char *seen = echo(methods[i], "/echo", NULL, 0, NULL);
        bool sends = methods[i][0] == 'P';
        assert_true(strncmp(seen, methods[i], strlen(methods[i])) == 0);
        assert_int_equal(strstr(seen, "\r\nContent-Length: 0\r\n") != NULL, sends);
        seen = echo(methods[i], "/echo", NULL, 0, "body");
        assert_true(strncmp(seen, methods[i], strlen(methods[i])) == 0);
        assert_non_null(strstr(seen, "\r\nContent-Length: 4\r\n"));
        assert_non_null(strstr(seen, "\r\n\r\nbody"));
    }
}

/* The length that HEAD tells is no answer that is too large. */
static void test_head(void **state)
{
    (void)state;
    struct http_response r = send_with(&forever, "HEAD", at("/huge-head"), NULL, NULL);
    assert_int_equal(r.failure, HTTP_OK);
    assert_int_equal(r.body.len, 0);
    assert_true(slice_eq_str(http_header_get(&r, "content-length"), "10000000000"));
    r = send_with(&forever, "HEAD", at("/hello"), NULL, NULL);
    assert_int_equal(r.status, 200);
}

static void test_large_bodies(void **state)
{
    (void)state;
    size_t size = 900000;
    char *body = malloc(size + 1);
    for (size_t i = 0; i < size; i++)
        body[i] = (char)('a' + i % 23);
    body[size] = '\0';
    const char *seen = echo("POST", "/echo", NULL, 0, body);
    const char *end = strstr(seen, "\r\n\r\n");
    assert_non_null(end);
    assert_string_equal(end + 4, body);
    free(body);
}

static void test_statuses_are_answers(void **state)
{
    (void)state;
    assert_int_equal(get("/status/404").status, 404);
    assert_int_equal(get("/status/503").status, 503);
    struct http_response r = get("/redirect");
    assert_int_equal(r.status, 302);
    assert_true(slice_eq_str(http_header_get(&r, "location"), "/hello"));
    assert_int_equal(http_test_server_counts(server).requests, 3); /* not followed */
    r = get("/continue");
    assert_int_equal(r.status, 200);
    assert_true(slice_eq_str(http_header_get(&r, "x-late"), "1"));
    assert_int_equal(http_header_get(&r, "x-early").len, 0);
}

/* ---- failures ---- */

static enum http_failure failure_of(const char *url, const struct http_settings *settings)
{
    return send_with(&forever, "GET", url, NULL, settings).failure;
}

static void test_unusable_requests(void **state)
{
    (void)state;
    static const char *const urls[] = {"",
                                       "hello",
                                       "file:///etc/passwd",
                                       "ftp://127.0.0.1/",
                                       "http://",
                                       "http://127.0.0.1:99999/",
                                       "http://a b/",
                                       "http://127.0.0.1/\r\nX: y"};
    for (size_t i = 0; i < sizeof(urls) / sizeof(*urls); i++)
        if (failure_of(urls[i], NULL) != HTTP_BAD_REQUEST)
            fail_msg("URL \"%s\"", urls[i]);
    assert_int_equal(send_with(&forever, "GET /x", at("/hello"), NULL, NULL).failure,
                     HTTP_BAD_REQUEST);
    assert_int_equal(send_with(&forever, "", at("/hello"), NULL, NULL).failure, HTTP_BAD_REQUEST);
    const struct http_header bad[] = {{SLICE_LIT("X-A"), SLICE_LIT("1\r\nX-B: 2")},
                                      {SLICE_LIT("X A"), SLICE_LIT("1")},
                                      {SLICE_LIT("X:A"), SLICE_LIT("1")},
                                      {SLICE_LIT(""), SLICE_LIT("1")},
                                      {SLICE_LIT("X-A"), SLICE_LIT("a\0b")}};
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        struct http_request request = {
            .method = "GET", .url = at("/hello"), .headers = &bad[i], .header_count = 1};
        struct http_response response;
        assert_int_equal(transport->send(transport->self, &forever, arena, &request, &response),
                         -1);
        assert_int_equal(response.failure, HTTP_BAD_REQUEST);
    }
    assert_int_equal(http_test_server_counts(server).connections, 0);
}

static void test_unreachable(void **state)
{
    (void)state;
    assert_int_equal(failure_of("http://no-such-host.invalid/", NULL), HTTP_RESOLVE);
    struct http_test_server *gone = http_test_server_start(false, false);
    int port = http_test_server_port(gone);
    http_test_server_stop(gone);
    struct http_response r =
        send_with(&forever, "POST", arena_printf(arena, "http://127.0.0.1:%d/", port), "x", NULL);
    assert_int_equal(r.failure, HTTP_CONNECT);
    assert_non_null(strstr(r.failure_text, "onnect"));
}

/* A listener that accepts nothing and whose queue is full does not answer a new connection. */
static void test_connect_timeout(void **state)
{
    (void)state;
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t len = sizeof(address);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int listener = socket(AF_INET, SOCK_STREAM, 0), fill[4];
    assert_int_equal(bind(listener, (struct sockaddr *)&address, len), 0);
    assert_int_equal(listen(listener, 0), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &len), 0);
    for (size_t i = 0; i < 4; i++) {
        fill[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        (void)!connect(fill[i], (struct sockaddr *)&address, len);
    }
    const struct http_settings settings = {.connect_timeout_ms = 200};
    int64_t before = now_ms();
    const char *url = arena_printf(arena, "http://127.0.0.1:%d/", ntohs(address.sin_port));
    assert_int_equal(failure_of(url, &settings), HTTP_CONNECT);
    assert_true(now_ms() - before >= 190);
    /* the exchange's own time is up before a connection is there */
    const struct http_settings whole = {.request_timeout_ms = 150};
    struct http_response r = send_with(&forever, "POST", url, "x", &whole);
    assert_int_equal(r.failure, HTTP_CONNECT);
    assert_string_equal(r.failure_text, "no connection within 150 ms");
    assert_true(now_ms() - before < 5000);
    for (size_t i = 0; i < 4; i++)
        close(fill[i]);
    close(listener);
}

static void test_broken_answers(void **state)
{
    (void)state;
    assert_int_equal(failure_of(at("/reset"), NULL), HTTP_RESET);
    assert_int_equal(failure_of(at("/nothing"), NULL), HTTP_RESET);
    assert_int_equal(failure_of(at("/half"), NULL), HTTP_RESET);
    struct http_response r = get("/garbage");
    assert_int_equal(r.failure, HTTP_RESET);
    assert_string_equal(r.failure_text, "the answer is not HTTP");
    assert_int_equal(get("/hello").failure, HTTP_OK); /* and goes on */
}

static void test_too_large(void **state)
{
    (void)state;
    const struct http_settings small = {.max_response_bytes = 100000};
    struct http_response r = send_with(&forever, "GET", at("/endless"), NULL, &small);
    assert_int_equal(r.failure, HTTP_TOO_LARGE);
    assert_string_equal(r.failure_text, "the answer is larger than 100000 bytes");
    assert_int_equal(failure_of(at("/declared-huge"), NULL), HTTP_TOO_LARGE);
    r = get("/endless-headers");
    assert_true(r.failure == HTTP_TOO_LARGE || r.failure == HTTP_RESET);
    const struct http_settings exact = {.max_response_bytes = 5}, less = {.max_response_bytes = 4};
    assert_int_equal(failure_of(at("/hello"), &exact), HTTP_OK);
    assert_int_equal(failure_of(at("/hello"), &less), HTTP_TOO_LARGE);
}

static void test_timeout(void **state)
{
    (void)state;
    const struct http_settings settings = {.request_timeout_ms = 100};
    int64_t before = now_ms();
    struct http_response r = send_with(&forever, "GET", at("/never"), NULL, &settings);
    assert_int_equal(r.failure, HTTP_TIMEOUT);
    assert_string_equal(r.failure_text, "no whole answer within 100 ms");
    assert_int_equal(failure_of(at("/endless"), &settings), HTTP_TIMEOUT);
    assert_true(now_ms() - before >= 200 && now_ms() - before < 5000);
}

static void test_deadline(void **state)
{
    (void)state;
    int64_t before = now_ms();
    struct work w = within(100);
    assert_int_equal(send_with(&w, "GET", at("/never"), NULL, NULL).failure, HTTP_DEADLINE);
    assert_true(now_ms() - before >= 100 && now_ms() - before < 5000);
    int requests = http_test_server_counts(server).requests;
    assert_int_equal(send_with(&w, "GET", at("/hello"), NULL, NULL).failure, HTTP_DEADLINE);
    assert_int_equal(http_test_server_counts(server).requests, requests); /* not even sent */
    /* the shorter of the two wins */
    w = within(60000);
    const struct http_settings settings = {.request_timeout_ms = 50};
    assert_int_equal(send_with(&w, "GET", at("/never"), NULL, &settings).failure, HTTP_TIMEOUT);
}

/* ---- cancellation ---- */

struct cancel_later {
    struct cancel *cancel;
    int64_t after_ms;
    bool hard;
};

static void *run_cancel(void *arg)
{
    struct cancel_later *c = arg;
    clock_system()->sleep_ms(NULL, c->after_ms, NULL);
    cancel_set(c->cancel, c->hard);
    return NULL;
}

static void test_hard_cancel(void **state)
{
    (void)state;
    struct cancel_later later = {cancel_new(), 50, true};
    struct work w = {clock_system(), later.cancel, INT64_MAX};
    pthread_t thread;
    int64_t before = now_ms();
    assert_int_equal(pthread_create(&thread, NULL, run_cancel, &later), 0);
    assert_int_equal(send_with(&w, "GET", at("/never"), NULL, NULL).failure, HTTP_CANCELLED);
    assert_true(now_ms() - before >= 50 && now_ms() - before < 5000);
    pthread_join(thread, NULL);
    int requests = http_test_server_counts(server).requests;
    assert_int_equal(send_with(&w, "GET", at("/hello"), NULL, NULL).failure, HTTP_CANCELLED);
    assert_int_equal(http_test_server_counts(server).requests, requests);
    cancel_free(later.cancel);
    assert_int_equal(get("/hello").failure, HTTP_OK);
}

/* A soft cancel lets running calls end. */
static void test_soft_cancel(void **state)
{
    (void)state;
    struct cancel_later later = {cancel_new(), 20, false};
    struct work w = {clock_system(), later.cancel, INT64_MAX};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, run_cancel, &later), 0);
    assert_int_equal(send_with(&w, "GET", at("/slow/100"), NULL, NULL).failure, HTTP_OK);
    pthread_join(thread, NULL);
    cancel_free(later.cancel);
}

/* ---- connections ---- */

static void test_connection_is_kept(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++)
        assert_int_equal(i % 2 ? get("/hello").status
                               : send_with(&forever, "POST", at("/echo"), "x", NULL).status,
                         200);
    assert_int_equal(http_test_server_counts(server).connections, 1);
    get("/close");
    get("/hello");
    assert_int_equal(http_test_server_counts(server).connections, 2);
}

/* The server closes a kept connection instead of answering. What it may not get twice is not sent
 * twice; what it may is. */
static void test_closed_kept_connection(void **state)
{
    (void)state;
    static const char *const methods[] = {"POST", "PUT", "PATCH", "DELETE"};
    int seen = 0;
    for (size_t i = 0; i < sizeof(methods) / sizeof(*methods); i++) {
        assert_int_equal(get("/hello").failure, HTTP_OK);
        struct http_response r = send_with(&forever, methods[i], at("/drop-reused"), "x", NULL);
        assert_int_equal(r.failure, HTTP_RESET);
        assert_int_equal(http_test_server_counts(server).drop_reused, ++seen);
    }
    assert_int_equal(get("/hello").failure, HTTP_OK);
    struct http_response r = send_with(&forever, "POST", at("/drop-reused"), NULL, NULL);
    assert_int_equal(r.failure, HTTP_OK); /* a connection of its own */
    assert_int_equal(http_test_server_counts(server).drop_reused, ++seen);
    assert_int_equal(get("/hello").failure, HTTP_OK);
    assert_int_equal(get("/drop-reused").failure, HTTP_OK);
    /* once on each kept connection, then on a new one */
    assert_true(http_test_server_counts(server).drop_reused >= seen + 2);
}

struct many {
    const char *url;
    struct work work;
    struct http_settings settings;
    int count;
    enum http_failure want;
    atomic_int wrong;
};

static void *send_many(void *arg)
{
    struct many *m = arg;
    for (int i = 0; i < m->count; i++) {
        _cleanup_arena_ struct arena *a = arena_new();
        struct http_request request = {.method = i % 2 ? "GET" : "POST",
                                       .url = m->url,
                                       .body = i % 2 ? SLICE_EMPTY : SLICE_LIT("body"),
                                       .settings = &m->settings};
        struct http_response response;
        transport->send(transport->self, &m->work, a, &request, &response);
        if (response.failure != m->want)
            atomic_fetch_add(&m->wrong, 1);
    }
    return NULL;
}

enum { CONNECTIONS_MOST = 32, THREADS_MOST = 3 * CONNECTIONS_MOST };

static void run_threads(size_t threads, struct many *m)
{
    pthread_t thread[THREADS_MOST];
    for (size_t i = 0; i < threads; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, send_many, m), 0);
    for (size_t i = 0; i < threads; i++)
        pthread_join(thread[i], NULL);
    assert_int_equal(m->wrong, 0);
}

static void test_many_threads(void **state)
{
    (void)state;
    struct many m = {.url = at("/slow/5"), .work = forever, .count = 20, .want = HTTP_OK};
    run_threads(40, &m);
    struct http_test_counts counts = http_test_server_counts(server);
    assert_int_equal(counts.requests, 800);
    assert_true(counts.connections <= CONNECTIONS_MOST);
    assert_true(counts.most_at_once <= CONNECTIONS_MOST && counts.most_at_once > 4);
}

/* Waiting for a connection to be free is no time spent connecting, and none of the exchange's. */
static void test_waiting_is_not_counted(void **state)
{
    (void)state;
    struct many m = {.url = at("/slow/1500"),
                     .work = forever,
                     .settings = {.connect_timeout_ms = 1400, .request_timeout_ms = 4000},
                     .count = 1,
                     .want = HTTP_OK};
    run_threads(THREADS_MOST, &m); /* three times as many as there are connections */
    assert_int_equal(http_test_server_counts(server).requests, THREADS_MOST);
}

/* But the operation's deadline counts always, as does a cancel. */
static void test_ends_while_waiting(void **state)
{
    (void)state;
    struct many m = {.url = at("/never"), .work = within(200), .count = 1, .want = HTTP_DEADLINE};
    int64_t before = now_ms();
    run_threads(CONNECTIONS_MOST + 8, &m);
    assert_true(now_ms() - before < 5000);
    struct cancel_later later = {cancel_new(), 100, true};
    struct many c = {.url = at("/never"),
                     .work = {clock_system(), later.cancel, INT64_MAX},
                     .count = 1,
                     .want = HTTP_CANCELLED};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, run_cancel, &later), 0);
    run_threads(CONNECTIONS_MOST + 8, &c);
    pthread_join(thread, NULL);
    cancel_free(later.cancel);
    assert_true(now_ms() - before < 5000);
}

/* A host that does not answer does not hold up another; who waits for it has a deadline still. */
static void test_hosts_are_apart(void **state)
{
    (void)state;
    struct http_test_server *other = http_test_server_start(false, false);
    struct cancel *cancel = cancel_new();
    struct many m = {.url = at("/never"),
                     .work = {clock_system(), cancel, INT64_MAX},
                     .count = 1,
                     .want = HTTP_CANCELLED};
    pthread_t thread[CONNECTIONS_MOST + 4];
    for (size_t i = 0; i < CONNECTIONS_MOST + 4; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, send_many, &m), 0);
    for (int i = 0; i < 2000 && http_test_server_counts(server).connections < CONNECTIONS_MOST; i++)
        usleep(10000);
    int64_t before = now_ms();
    for (int i = 0; i < 5; i++)
        assert_int_equal(failure_of(arena_printf(arena, "http://127.0.0.1:%d/hello",
                                                 http_test_server_port(other)),
                                    NULL),
                         HTTP_OK);
    assert_true(now_ms() - before < 5000);
    struct work w = within(150);
    assert_int_equal(send_with(&w, "GET", at("/hello"), NULL, NULL).failure, HTTP_DEADLINE);
    assert_int_equal(http_test_server_counts(server).connections, CONNECTIONS_MOST);
    cancel_set(cancel, true);
    for (size_t i = 0; i < CONNECTIONS_MOST + 4; i++)
        pthread_join(thread[i], NULL);
    assert_int_equal(m.wrong, 0);
    cancel_free(cancel);
    http_test_server_stop(other);
}

/* More hosts than the transport has records for. */
static void test_many_hosts(void **state)
{
    (void)state;
    for (int i = 1; i <= 150; i++) {
        const char *url = arena_printf(arena, "http://127.0.1.%d:1/", i);
        const struct http_settings quick = {.connect_timeout_ms = 1000};
        assert_int_equal(failure_of(url, &quick), HTTP_CONNECT);
    }
    assert_int_equal(get("/hello").failure, HTTP_OK);
}

static void test_free_unused(void **state)
{
    (void)state;
    http_transport_free(http_transport_new());
    http_transport_free(NULL);
}

/* ---- proxies ---- */

static void test_proxy(void **state)
{
    (void)state;
    const char *proxy = at("");
    const struct http_settings through = {.proxy = proxy},
                               beside = {.proxy = proxy, .no_proxy = "x.test,127.0.0.1"},
                               none = {.proxy = ""};
    struct http_response r = send_with(&forever, "GET", "http://service.invalid/x", NULL, &through);
    assert_int_equal(r.failure, HTTP_OK);
    assert_true(slice_eq_str(r.body, "proxied"));
    r = send_with(&forever, "GET", at("/hello"), NULL, &beside);
    assert_true(slice_eq_str(r.body, "hello"));
    /* a proxy that refuses: the service was not reached */
    r = send_with(&forever, "POST", "https://service.invalid/x", "x", &through);
    assert_int_equal(r.failure, HTTP_CONNECT);
    assert_string_equal(r.failure_text, "the proxy refused the connection with status 403");
    setenv("http_proxy", proxy, 1);
    r = send_with(&forever, "GET", "http://service.invalid/x", NULL, NULL);
    assert_true(slice_eq_str(r.body, "proxied"));
    assert_int_equal(failure_of("http://service.invalid/x", &none), HTTP_RESOLVE);
    unsetenv("http_proxy");
    const struct http_settings unknown = {.proxy = "http://no-such-proxy.invalid:1"};
    assert_int_equal(failure_of(at("/hello"), &unknown), HTTP_RESOLVE);
}

/* ---- the log ---- */

static char *logged(const char *level, struct http_request *request)
{
    static char text[1 << 17];
    struct http_response response;
    FILE *file = tmpfile();
    assert_non_null(file);
    int keep = dup(STDERR_FILENO);
    setenv("TF_LOG", level, 1);
    log_init();
    dup2(fileno(file), STDERR_FILENO);
    transport->send(transport->self, &forever, arena, request, &response);
    dup2(keep, STDERR_FILENO);
    close(keep);
    unsetenv("TF_LOG");
    setenv("TF_LOG", "off", 1);
    log_init();
    ssize_t len = pread(fileno(file), text, sizeof(text) - 1, 0);
    text[len > 0 ? len : 0] = '\0';
    fclose(file);
    return text;
}

static void test_log(void **state)
{
    (void)state;
    const struct http_header headers[] = {
        {SLICE_LIT("Content-Type"), SLICE_LIT("application/x-www-form-urlencoded")},
        {SLICE_LIT("Authorization"), SLICE_LIT("AWS4 hunter2-authorization")},
        {SLICE_LIT("X-Amz-Security-Token"), SLICE_LIT("hunter2-session")}};
    struct http_request request = {.method = "POST",
                                   .url = at("/status/418?X-Amz-Signature=hunter2-signature&a=b"),
                                   .headers = headers,
                                   .header_count = 3,
                                   .body =
                                       SLICE_LIT("Action=RunInstances&UserData=hunter2-userdata"),
                                   .log_operation = "ec2.RunInstances"};
    char *text = logged("TRACE", &request);
    assert_null(strstr(text, "hunter2"));
    static const char *const expected[] = {"\"@message\":\"HTTP exchange\"",
                                           "\"operation\":\"ec2.RunInstances\"",
                                           "\"method\":\"POST\"",
                                           "X-Amz-Signature=(redacted)&a=b\"",
                                           "\"status\":418",
                                           "\"duration_ms\":",
                                           "\"request_bytes\":45",
                                           "\"response_bytes\":46",
                                           "\"new_connections\":1",
                                           "\"request_id\":\"id-1\"",
                                           "Action=RunInstances&UserData=(redacted)",
                                           "\\\"SecretString\\\":\\\"(redacted)\\\"",
                                           "Authorization: (redacted)\\n",
                                           "x-server: Test\\n"};
    for (size_t i = 0; i < sizeof(expected) / sizeof(*expected); i++)
        if (!strstr(text, expected[i]))
            fail_msg("%s is not in %s", expected[i], text);
    text = logged("DEBUG", &request);
    assert_non_null(strstr(text, "HTTP exchange"));
    assert_null(strstr(text, "HTTP headers"));
    assert_null(strstr(text, "\"failure\""));
    assert_string_equal(logged("INFO", &request), "");
    const struct http_settings hiding = {.secret_bodies = true};
    request.settings = &hiding;
    text = logged("TRACE", &request);
    assert_non_null(strstr(text, "\"response_bytes\":46"));
    assert_null(strstr(text, "Action="));
    assert_null(strstr(text, "SecretString"));
    request.settings = NULL;
    request.url = "http://user:hunter2@no-such-host.invalid/";
    text = logged("DEBUG", &request);
    assert_null(strstr(text, "hunter2"));
    assert_non_null(strstr(text, "\"failure\":\"Could not resolve"));
}

/* ---- memory ---- */

static atomic_long allocations, fail_from;

static void *failing_malloc(size_t size)
{
    return atomic_fetch_add(&allocations, 1) >= atomic_load(&fail_from) ? NULL : malloc(size);
}

/* Wherever memory runs out, the call ends, and says so. */
static void test_out_of_memory(void **state)
{
    (void)state;
    const char *url = at("/echo");
    const struct http_header headers[] = {{SLICE_LIT("X-A"), SLICE_LIT("1")}};
    bool worked = false;
    get("/hello"); /* the thread runs */
    for (long n = 0; n < 100 && !worked; n++) {
        struct arena *a = arena_new();
        struct http_request request = {.method = "POST",
                                       .url = url,
                                       .headers = headers,
                                       .header_count = 1,
                                       .body = SLICE_LIT("body")};
        struct http_response response;
        atomic_store(&allocations, 0);
        atomic_store(&fail_from, n);
        alloc_table.malloc = failing_malloc;
        int rc = transport->send(transport->self, &forever, a, &request, &response);
        alloc_table.malloc = malloc;
        worked = rc == 0;
        if (!worked) {
            assert_int_equal(response.failure, HTTP_NO_MEMORY);
            assert_string_equal(response.failure_text, "memory ran out");
        }
        arena_free(a);
    }
    assert_true(worked);
}

int main(void)
{
#define SERVED(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        SERVED(test_get),
        SERVED(test_request_as_it_is),
        SERVED(test_methods),
        SERVED(test_head),
        SERVED(test_large_bodies),
        SERVED(test_statuses_are_answers),
        SERVED(test_unusable_requests),
        SERVED(test_unreachable),
        SERVED(test_connect_timeout),
        SERVED(test_broken_answers),
        SERVED(test_too_large),
        SERVED(test_timeout),
        SERVED(test_deadline),
        SERVED(test_hard_cancel),
        SERVED(test_soft_cancel),
        SERVED(test_connection_is_kept),
        SERVED(test_closed_kept_connection),
        SERVED(test_many_threads),
        SERVED(test_waiting_is_not_counted),
        SERVED(test_ends_while_waiting),
        SERVED(test_hosts_are_apart),
        SERVED(test_many_hosts),
        SERVED(test_free_unused),
        SERVED(test_proxy),
        SERVED(test_log),
        SERVED(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

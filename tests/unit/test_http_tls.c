/* TLS: whom the transport trusts, how failures of the handshake are told apart, resumption, and
 * certificates of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "http/http.h"
#include "http_test_server.h"

static struct http_test_server *server;
static struct http_transport *transport;
static struct arena *arena;
static struct work forever;

static int set_up_server(bool client_certificate)
{
    static const char *const names[] = {"https_proxy", "HTTPS_PROXY",   "all_proxy",
                                        "ALL_PROXY",   "SSL_CERT_FILE", "SSL_CERT_DIR"};
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        unsetenv(names[i]);
    server = http_test_server_start(true, client_certificate);
    transport = http_transport_new();
    arena = arena_new();
    forever = (struct work){clock_system(), NULL, INT64_MAX};
    return server && transport && arena ? 0 : -1;
}

static int set_up(void **state)
{
    (void)state;
    return set_up_server(false);
}

static int set_up_mutual(void **state)
{
    (void)state;
    return set_up_server(true);
}

static int tear_down(void **state)
{
    (void)state;
    http_transport_free(transport);
    http_test_server_stop(server);
    arena_free(arena);
    return 0;
}

static struct http_response get(const char *host, int port, const char *path,
                                const struct http_settings *settings)
{
    struct http_request request = {.method = "GET",
                                   .url = arena_printf(arena, "https://%s:%d%s", host, port, path),
                                   .settings = settings};
    struct http_response response;
    transport->send(transport->self, &forever, arena, &request, &response);
    return response;
}

static struct http_response get_here(const char *path, const struct http_settings *settings)
{
    return get("127.0.0.1", http_test_server_port(server), path, settings);
}

static void test_trust(void **state)
{
    (void)state;
    struct http_response r = get_here("/hello", NULL);
    assert_int_equal(r.failure, HTTP_TLS);
    assert_non_null(strstr(r.failure_text, "certificate"));
    const struct http_settings ca = {.ca_bundle = http_test_server_ca(server)};
    assert_int_equal(get_here("/hello", &ca).failure, HTTP_OK);
    /* the same authority, but not this name */
    assert_int_equal(get("localhost", http_test_server_port(server), "/hello", &ca).failure,
                     HTTP_TLS);
    const struct http_settings insecure = {.insecure = true};
    assert_int_equal(get_here("/hello", &insecure).failure, HTTP_OK);
    /* a connection that was made without looking does not serve who wants to look */
    assert_int_equal(get_here("/hello", NULL).failure, HTTP_TLS);
    const struct http_settings missing = {.ca_bundle = "/no/such/bundle.pem"};
    r = get_here("/hello", &missing);
    assert_int_equal(r.failure, HTTP_TLS);
    assert_non_null(strstr(r.failure_text, "/no/such/bundle.pem"));
}

static void test_trust_from_environment(void **state)
{
    (void)state;
    setenv("SSL_CERT_FILE", http_test_server_ca(server), 1);
    assert_int_equal(get_here("/hello", NULL).failure, HTTP_OK);
    const struct http_settings other = {.ca_bundle = "/etc/ssl/certs/ca-certificates.crt"};
    assert_int_equal(get_here("/hello", &other).failure, HTTP_TLS);
    unsetenv("SSL_CERT_FILE");
}

/* The file's text; a static buffer. */
static const char *text_of_file(const char *path)
{
    static char text[64 * 1024];
    FILE *f = fopen(path, "re");
    assert_non_null(f);
    size_t len = fread(text, 1, sizeof(text) - 1, f);
    fclose(f);
    text[len] = '\0';
    return text;
}

/* Certificates as text are trusted, and nothing else is. */
static void test_trust_of_text(void **state)
{
    (void)state;
    struct http_test_server *other = http_test_server_start(true, false);
    const char *pem = arena_strdup(arena, text_of_file(http_test_server_ca(server)));
    const struct http_settings ca = {.ca_pem = pem};
    assert_int_equal(get_here("/hello", &ca).failure, HTTP_OK);
    assert_int_equal(get("localhost", http_test_server_port(server), "/hello", &ca).failure,
                     HTTP_TLS);
    assert_int_equal(get("127.0.0.1", http_test_server_port(other), "/hello", &ca).failure,
                     HTTP_TLS);
    /* neither the environment's nor a bundle's certificates count beside them */
    setenv("SSL_CERT_FILE", http_test_server_ca(other), 1);
    const struct http_settings both = {.ca_pem = pem, .ca_bundle = http_test_server_ca(other)};
    assert_int_equal(get("127.0.0.1", http_test_server_port(other), "/hello", &both).failure,
                     HTTP_TLS);
    unsetenv("SSL_CERT_FILE");
    /* a connection that was made with one trust does not serve another */
    assert_int_equal(get_here("/hello", NULL).failure, HTTP_TLS);
    const struct http_settings garbage = {.ca_pem = "no certificate"};
    assert_int_equal(get_here("/hello", &garbage).failure, HTTP_TLS);
    const struct http_settings empty = {.ca_pem = ""};
    assert_int_not_equal(get_here("/hello", &empty).failure, HTTP_OK);
    http_test_server_stop(other);
}

/* Of two settings that share nothing but the host, each has its own handles' options. */
static void test_trust_is_not_left_behind(void **state)
{
    (void)state;
    const char *pem = arena_strdup(arena, text_of_file(http_test_server_ca(server)));
    const struct http_settings text = {.ca_pem = pem};
    const struct http_settings file = {.ca_bundle = http_test_server_ca(server)};
    for (int i = 0; i < 3; i++) {
        assert_int_equal(get_here("/hello", &text).failure, HTTP_OK);
        assert_int_equal(get_here("/hello", NULL).failure, HTTP_TLS);
        assert_int_equal(get_here("/hello", &file).failure, HTTP_OK);
    }
}

static void test_server_without_tls(void **state)
{
    (void)state;
    struct http_test_server *plain = http_test_server_start(false, false);
    struct http_response r = get("127.0.0.1", http_test_server_port(plain), "/hello", NULL);
    assert_int_equal(r.failure, HTTP_TLS);
    http_test_server_stop(plain);
}

/* Accepts one connection, and resets it or keeps silent. */
struct mute {
    int listener, port;
    bool reset;
    pthread_t thread;
};

static void *run_mute(void *arg)
{
    struct mute *m = arg;
    char byte;
    int fd = accept(m->listener, NULL, NULL);
    struct linger now = {1, 0};
    (void)!recv(fd, &byte, 1, 0);
    if (m->reset)
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    else
        while (recv(fd, &byte, 1, 0) > 0)
            ;
    close(fd);
    return NULL;
}

static void start_mute(struct mute *m, bool reset)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t len = sizeof(address);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    m->reset = reset;
    m->listener = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(m->listener, (struct sockaddr *)&address, len), 0);
    assert_int_equal(listen(m->listener, 5), 0);
    assert_int_equal(getsockname(m->listener, (struct sockaddr *)&address, &len), 0);
    m->port = ntohs(address.sin_port);
    assert_int_equal(pthread_create(&m->thread, NULL, run_mute, m), 0);
}

static void stop_mute(struct mute *m)
{
    pthread_join(m->thread, NULL);
    close(m->listener);
}

/* Nothing of the request is sent before the handshake has ended: safe to try again. */
static void test_handshake_breaks(void **state)
{
    (void)state;
    struct mute m;
    start_mute(&m, true);
    assert_int_equal(get("127.0.0.1", m.port, "/", NULL).failure, HTTP_CONNECT);
    stop_mute(&m);
    start_mute(&m, false);
    const struct http_settings quick = {.connect_timeout_ms = 150};
    assert_int_equal(get("127.0.0.1", m.port, "/", &quick).failure, HTTP_CONNECT);
    stop_mute(&m);
    start_mute(&m, false);
    const struct http_settings whole = {.request_timeout_ms = 150};
    assert_int_equal(get("127.0.0.1", m.port, "/", &whole).failure, HTTP_CONNECT);
    stop_mute(&m);
}

static void test_sessions_are_resumed(void **state)
{
    (void)state;
    const struct http_settings ca = {.ca_bundle = http_test_server_ca(server)};
    for (int i = 0; i < 4; i++)
        assert_int_equal(get_here("/close", &ca).failure, HTTP_OK);
    struct http_test_counts counts = http_test_server_counts(server);
    assert_int_equal(counts.connections, 4);
    assert_int_equal(counts.resumed, 3);
}

static void *get_slowly(void *arg)
{
    struct arena *a = arena_new();
    struct http_request request = {
        .method = "GET",
        .url = arena_printf(a, "https://127.0.0.1:%d/slow/300", http_test_server_port(server)),
        .settings = arg};
    struct http_response response;
    transport->send(transport->self, &forever, a, &request, &response);
    arena_free(a);
    return NULL;
}

/* Sessions belong to the process, not to the handle that made them. */
static void test_sessions_are_shared(void **state)
{
    (void)state;
    struct http_settings ca = {.ca_bundle = http_test_server_ca(server)};
    assert_int_equal(get_here("/close", &ca).failure, HTTP_OK);
    /* the one handle that there is by now is in use, so that the next request makes another */
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, get_slowly, &ca), 0);
    while (http_test_server_counts(server).requests < 2)
        forever.clock->sleep_ms(forever.clock->self, 2, NULL);
    assert_int_equal(get_here("/close", &ca).failure, HTTP_OK);
    assert_int_equal(http_test_server_counts(server).most_at_once, 2);
    pthread_join(thread, NULL);
    struct http_test_counts counts = http_test_server_counts(server);
    assert_int_equal(counts.connections, 3);
    assert_int_equal(counts.resumed, 2);
}

static void test_broken_answers(void **state)
{
    (void)state;
    const struct http_settings ca = {.ca_bundle = http_test_server_ca(server)};
    assert_int_equal(get_here("/reset", &ca).failure, HTTP_RESET);
    assert_int_equal(get_here("/half", &ca).failure, HTTP_RESET);
    assert_int_equal(get_here("/nothing", &ca).failure, HTTP_RESET);
    assert_int_equal(get_here("/garbage", &ca).failure, HTTP_RESET);
}

static struct http_response certificates(int port, const char *ca, bool insecure)
{
    const struct http_settings settings = {.ca_bundle = ca, .insecure = insecure};
    struct http_response r;
    int rc = transport->certificates(transport->self, &forever, arena,
                                     arena_printf(arena, "https://127.0.0.1:%d/id/1", port),
                                     &settings, &r);
    assert_int_equal(rc, r.failure == HTTP_OK ? 0 : -1);
    return r;
}

/* A PEM text without empty lines. */
static const char *dense(struct slice pem)
{
    char *text = arena_alloc(arena, pem.len + 1), *end = text;
    for (size_t i = 0; i < pem.len; i++)
        if (pem.ptr[i] != '\n' || (end > text && end[-1] != '\n'))
            *end++ = pem.ptr[i];
    *end = '\0';
    return text;
}

/* All that the server shows, in its order, and nothing that it does not. */
static void test_certificates_of_a_chain(void **state)
{
    (void)state;
    struct http_test_server *chained = http_test_server_start_with_chain();
    int port = http_test_server_port(chained);
    const char *ca = http_test_server_ca(chained);
    const struct http_settings trusted = {.ca_bundle = ca};
    const char *shown = arena_strdup(arena, text_of_file(http_test_server_chain(chained)));
    struct http_response r = certificates(port, ca, false);
    assert_int_equal(r.failure, HTTP_OK);
    assert_string_equal(dense(r.body), shown);
    assert_int_equal(http_test_server_counts(chained).requests, 0);
    /* neither a connection that is kept nor a session to resume keeps them from being shown */
    assert_int_equal(get("127.0.0.1", port, "/hello", &trusted).failure, HTTP_OK);
    assert_string_equal(dense(certificates(port, ca, false).body), shown);
    assert_int_equal(get("127.0.0.1", port, "/hello", &trusted).failure, HTTP_OK);
    assert_int_equal(http_test_server_counts(chained).requests, 2);
    http_test_server_stop(chained);
}

static void test_certificates_that_are_not_trusted(void **state)
{
    (void)state;
    int port = http_test_server_port(server);
    struct http_response r = certificates(port, NULL, false);
    assert_int_equal(r.failure, HTTP_TLS);
    assert_int_equal(r.body.len, 0);
    r = certificates(port, NULL, true);
    assert_int_equal(r.failure, HTTP_OK);
    assert_string_equal(dense(r.body), text_of_file(http_test_server_chain(server)));
}

static void test_certificates_of_nobody(void **state)
{
    (void)state;
    struct mute m;
    struct http_response r;
    struct http_test_server *plain = http_test_server_start(false, false);
    assert_int_equal(certificates(http_test_server_port(plain), NULL, false).failure, HTTP_TLS);
    const char *url = arena_printf(arena, "http://127.0.0.1:%d/", http_test_server_port(plain));
    assert_int_equal(transport->certificates(transport->self, &forever, arena, url, NULL, &r), -1);
    assert_int_equal(r.failure, HTTP_TLS);
    http_test_server_stop(plain);
    start_mute(&m, false);
    const struct http_settings quick = {.request_timeout_ms = 150};
    url = arena_printf(arena, "https://127.0.0.1:%d/", m.port);
    assert_int_equal(transport->certificates(transport->self, &forever, arena, url, &quick, &r),
                     -1);
    assert_int_equal(r.failure, HTTP_CONNECT);
    stop_mute(&m);
}

static void test_client_certificate(void **state)
{
    (void)state;
    const char *ca = http_test_server_ca(server);
    const struct http_settings mutual = {
        .ca_bundle = ca, .client_cert_pem = ca, .client_key_pem = http_test_server_key(server)};
    assert_int_equal(get_here("/hello", &mutual).failure, HTTP_OK);
    assert_int_equal(http_test_server_counts(server).client_certificates, 1);
    const struct http_settings without = {.ca_bundle = ca};
    enum http_failure failure = get_here("/hello", &without).failure;
    /* TLS 1.3 tells the client only when it may be sending already */
    assert_true(failure == HTTP_TLS || failure == HTTP_RESET || failure == HTTP_CONNECT);
    const struct http_settings missing = {
        .ca_bundle = ca, .client_cert_pem = "/no/such/cert.pem", .client_key_pem = "/no/such/key"};
    assert_int_equal(get_here("/hello", &missing).failure, HTTP_TLS);
}

int main(void)
{
#define SERVED(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        SERVED(test_trust),
        SERVED(test_trust_from_environment),
        SERVED(test_trust_of_text),
        SERVED(test_trust_is_not_left_behind),
        SERVED(test_server_without_tls),
        SERVED(test_handshake_breaks),
        SERVED(test_sessions_are_resumed),
        SERVED(test_sessions_are_shared),
        SERVED(test_broken_answers),
        SERVED(test_certificates_of_a_chain),
        SERVED(test_certificates_that_are_not_trusted),
        SERVED(test_certificates_of_nobody),
        cmocka_unit_test_setup_teardown(test_client_certificate, set_up_mutual, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

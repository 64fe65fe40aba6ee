/* The test server: see its header. */
#include "http_test_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

enum { CONNECTIONS_MOST = 512, REQUEST_MOST = 1 << 20 };

struct connection {
    struct http_test_server *server;
    int fd;
    SSL *ssl;
    int served;
    char *request; /* head and body */
    size_t head_len, len;
};

struct http_test_server {
    int listener, port;
    SSL_CTX *tls;
    char ca[64], key[64], chain[64];
    pthread_t thread;
    atomic_bool stopping;
    pthread_mutex_t lock;
    struct http_test_counts counts;
    int at_once;
    struct {
        pthread_t thread;
        int fd;
    } connections[CONNECTIONS_MOST];
    int count;
};

/* ---- bytes ---- */

static long take(struct connection *c, char *p, size_t room)
{
    return c->ssl ? SSL_read(c->ssl, p, (int)room) : recv(c->fd, p, room, 0);
}

static bool give(struct connection *c, const char *p, size_t len)
{
    while (len) {
        long n = c->ssl ? SSL_write(c->ssl, p, (int)len) : send(c->fd, p, len, MSG_NOSIGNAL);
        if (n <= 0)
            return false;
        p += n;
        len -= (size_t)n;
    }
    return true;
}

static bool give_text(struct connection *c, const char *text)
{
    return give(c, text, strlen(text));
}

static bool answer(struct connection *c, int status, const char *headers, const char *body,
                   size_t len)
{
    char head[512];
    snprintf(head, sizeof(head),
             "HTTP/1.1 %d Status\r\nX-Server: Test \r\n%sContent-Length: %zu\r\n\r\n", status,
             headers, len);
    return give_text(c, head) && give(c, body, len);
}

static size_t content_length(const char *head)
{
    const char *at = strcasestr(head, "\r\ncontent-length:");
    return at ? strtoul(at + 17, NULL, 10) : 0;
}

/* Reads one request whole. */
static bool read_request(struct connection *c)
{
    c->len = c->head_len = 0;
    while (c->len + 1 < REQUEST_MOST) {
        long n = take(c, c->request + c->len, REQUEST_MOST - 1 - c->len);
        if (n <= 0)
            return false;
        c->len += (size_t)n;
        c->request[c->len] = '\0';
        if (c->request[0] == 0x16) { /* TLS where none is spoken */
            give_text(c, "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
            return false;
        }
        const char *end = strstr(c->request, "\r\n\r\n");
        if (!end)
            continue;
        c->head_len = (size_t)(end - c->request) + 4;
        if (c->len >= c->head_len + content_length(c->request))
            return true;
    }
    return false;
}

/* ---- behaviour ---- */

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* By the clock: on a busy machine a sleep of 20 ms takes what it takes. */
static void wait_ms(struct http_test_server *s, long ms)
{
    int64_t end = now_ms() + ms;
    for (int64_t left = ms; left > 0 && !atomic_load(&s->stopping); left = end - now_ms()) {
        struct timespec t = {0, (left < 20 ? left : 20) * 1000000};
        nanosleep(&t, NULL);
    }
}

static void endless(struct connection *c, const char *head, const char *piece)
{
    bool going = give_text(c, head);
    while (going && !atomic_load(&c->server->stopping))
        going = give_text(c, piece);
}

static bool is(const char *path, const char *want)
{
    return strcmp(path, want) == 0;
}

static bool misbehave(struct connection *c, const char *path)
{
    if (is(path, "/reset")) {
        struct linger now = {1, 0};
        setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    } else if (is(path, "/never")) {
        wait_ms(c->server, 600000);
    } else if (is(path, "/half")) {
        give_text(c, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n0123456789");
    } else if (is(path, "/garbage")) {
        give_text(c, "<html>this is not the service that you look for</html>\r\n\r\n");
    } else if (is(path, "/endless")) {
        endless(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
                "20\r\n0123456789abcdef0123456789abcdef\r\n");
    } else if (is(path, "/declared-huge")) {
        endless(c, "HTTP/1.1 200 OK\r\nContent-Length: 10000000000\r\n\r\n", "0123456789abcdef");
    } else if (is(path, "/endless-headers")) {
        endless(c, "HTTP/1.1 200 OK\r\n", "X-Padding: 0123456789abcdef0123456789abcdef\r\n");
    } else if (!is(path, "/nothing")) {
        return false;
    }
    return true;
}

/* True when the connection goes on. */
static bool behave(struct connection *c, const char *method, const char *path)
{
    size_t hello = is(method, "HEAD") ? 0 : 5;
    if (is(method, "CONNECT"))
        return answer(c, 403, "", "no", 2);
    if (strncmp(path, "http://", 7) == 0)
        return answer(c, 200, "", "proxied", 7);
    if (misbehave(c, path))
        return false;
    if (is(path, "/drop-reused") && c->served > 0)
        return false;
    if (is(path, "/huge-head"))
        return give_text(c, "HTTP/1.1 200 OK\r\nContent-Length: 10000000000\r\n\r\n");
    if (strncmp(path, "/status/", 8) == 0)
        return answer(c, (int)strtol(path + 8, NULL, 10),
                      "Content-Type: application/json\r\nx-amzn-RequestId: id-1\r\n",
                      "{\"message\":\"m\",\"SecretString\":\"hunter2-answer\"}", 46);
    if (is(path, "/redirect"))
        return answer(c, 302, "Location: /hello\r\n", "", 0);
    if (is(path, "/continue"))
        return give_text(c, "HTTP/1.1 100 Continue\r\nX-Early: 1\r\n\r\n") &&
               answer(c, 200, "X-Late: 1\r\n", "hello", hello);
    if (strncmp(path, "/slow/", 6) == 0)
        wait_ms(c->server, strtol(path + 6, NULL, 10));
    if (is(path, "/close")) {
        answer(c, 200, "Connection: close\r\n", "hello", hello);
        return false;
    }
    if (strncmp(path, "/echo", 5) == 0)
        return answer(c, 200, "", c->request, c->len);
    return answer(c, 200, "", "hello", hello);
}

static void count_request(struct http_test_server *s, const char *path, int change)
{
    pthread_mutex_lock(&s->lock);
    s->at_once += change;
    if (change > 0) {
        s->counts.requests++;
        s->counts.drop_reused += is(path, "/drop-reused");
        if (s->at_once > s->counts.most_at_once)
            s->counts.most_at_once = s->at_once;
    }
    pthread_mutex_unlock(&s->lock);
}

static void serve(struct connection *c)
{
    char method[16], path[512];
    bool going = true;
    while (going && read_request(c)) {
        if (sscanf(c->request, "%15s %511s", method, path) != 2)
            return;
        count_request(c->server, path, 1);
        going = behave(c, method, path);
        count_request(c->server, path, -1);
        c->served++;
    }
}

static bool accept_tls(struct connection *c)
{
    if (!c->server->tls)
        return true;
    c->ssl = SSL_new(c->server->tls);
    SSL_set_fd(c->ssl, c->fd);
    if (SSL_accept(c->ssl) != 1)
        return false;
    pthread_mutex_lock(&c->server->lock);
    c->server->counts.resumed += SSL_session_reused(c->ssl);
    X509 *peer = SSL_get1_peer_certificate(c->ssl);
    c->server->counts.client_certificates += peer != NULL;
    X509_free(peer);
    pthread_mutex_unlock(&c->server->lock);
    return true;
}

struct start {
    struct http_test_server *server;
    int slot;
};

static void *run_connection(void *arg)
{
    struct start *start = arg;
    struct http_test_server *s = start->server;
    int slot = start->slot;
    struct connection c = {.server = s, .fd = s->connections[slot].fd};
    free(start);
    c.request = malloc(REQUEST_MOST);
    if (accept_tls(&c))
        serve(&c);
    if (c.ssl) {
        SSL_shutdown(c.ssl);
        SSL_free(c.ssl);
    }
    free(c.request);
    pthread_mutex_lock(&s->lock);
    close(c.fd);
    s->connections[slot].fd = -1;
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

static void *run_listener(void *arg)
{
    struct http_test_server *s = arg;
    while (!atomic_load(&s->stopping)) {
        struct pollfd ready = {s->listener, POLLIN, 0};
        if (poll(&ready, 1, 20) <= 0)
            continue;
        int fd = accept(s->listener, NULL, NULL), on = 1;
        if (fd < 0)
            continue;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        struct start *start = malloc(sizeof(*start));
        pthread_mutex_lock(&s->lock);
        s->counts.connections++;
        *start = (struct start){s, s->count};
        s->connections[s->count].fd = fd;
        if (s->count + 1 < CONNECTIONS_MOST &&
            pthread_create(&s->connections[s->count].thread, NULL, run_connection, start) == 0) {
            s->count++;
        } else {
            close(fd);
            free(start);
        }
        pthread_mutex_unlock(&s->lock);
    }
    return NULL;
}

/* ---- certificates ---- */

static void add_extension(X509 *cert, int nid, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, cert, cert, NULL, NULL, 0);
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    X509_add_ext(cert, e, -1);
    X509_EXTENSION_free(e);
}

/* For 127.0.0.1, and an authority itself; signed by another one, or by itself (`by` NULL). */
static X509 *make_certificate(const char *common_name, EVP_PKEY *key, X509 *by, EVP_PKEY *by_key)
{
    static long serial;
    X509 *cert = X509_new();
    X509_set_version(cert, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(cert), ++serial);
    X509_gmtime_adj(X509_getm_notBefore(cert), -3600);
    X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
    X509_set_pubkey(cert, key);
    X509_NAME *name = X509_get_subject_name(cert);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)common_name, -1, -1,
                               0);
    X509_set_issuer_name(cert, by ? X509_get_subject_name(by) : name);
    add_extension(cert, NID_basic_constraints, "critical,CA:TRUE");
    add_extension(cert, NID_subject_alt_name, "IP:127.0.0.1");
    X509_sign(cert, by ? by_key : key, EVP_sha256());
    return cert;
}

static FILE *temporary(char path[64])
{
    const char *directory = getenv("TMPDIR");
    int len = snprintf(path, 64, "%s/llm-http-XXXXXX", directory ? directory : "/tmp");
    int fd = len < 64 ? mkstemp(path) : -1;
    return fd < 0 ? NULL : fdopen(fd, "w");
}

/* Certificates one after the other, the last of which is NULL. */
static bool write_certificates(char path[64], X509 *const *certs)
{
    FILE *f = temporary(path);
    for (; f && *certs; certs++)
        PEM_write_X509(f, *certs);
    return f && fclose(f) == 0;
}

static bool write_key(char path[64], EVP_PKEY *key)
{
    FILE *f = temporary(path);
    return f && PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL) && fclose(f) == 0;
}

/* Takes what it is given over. `between` NULL: the certificate is its own authority. */
static bool use(struct http_test_server *s, EVP_PKEY *key, X509 *cert, X509 *between, X509 *root)
{
    X509 *const trusted[] = {root, NULL}, *const shown[] = {cert, between, NULL};
    s->tls = SSL_CTX_new(TLS_server_method());
    SSL_CTX_use_certificate(s->tls, cert);
    SSL_CTX_use_PrivateKey(s->tls, key);
    if (between)
        SSL_CTX_add1_chain_cert(s->tls, between);
    SSL_CTX_set_mode(s->tls, SSL_MODE_NO_AUTO_CHAIN);
    bool ok = write_certificates(s->ca, trusted) && write_certificates(s->chain, shown) &&
              write_key(s->key, key);
    EVP_PKEY_free(key);
    X509_free(cert);
    X509_free(between);
    return ok;
}

static bool make_chain(struct http_test_server *s)
{
    EVP_PKEY *root_key = EVP_EC_gen("P-256"), *between_key = EVP_EC_gen("P-256"),
             *key = EVP_EC_gen("P-256");
    X509 *root = make_certificate("root", root_key, NULL, NULL);
    X509 *between = make_certificate("between", between_key, root, root_key);
    X509 *cert = make_certificate("test", key, between, between_key);
    bool ok = use(s, key, cert, between, root);
    X509_free(root);
    EVP_PKEY_free(root_key);
    EVP_PKEY_free(between_key);
    return ok;
}

static bool set_up_tls(struct http_test_server *s, bool client_certificate, bool chain)
{
    EVP_PKEY *key = chain ? NULL : EVP_EC_gen("P-256");
    X509 *cert = chain ? NULL : make_certificate("test", key, NULL, NULL);
    if (!(chain ? make_chain(s) : use(s, key, cert, NULL, cert)))
        return false;
    SSL_CTX_set_session_id_context(s->tls, (const unsigned char *)"test", 4);
    if (client_certificate) {
        SSL_CTX_load_verify_locations(s->tls, s->ca, NULL);
        SSL_CTX_set_verify(s->tls, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    }
    return true;
}

/* ---- start and stop ---- */

static struct http_test_server *start_server(bool tls, bool client_certificate, bool chain)
{
    struct http_test_server *s = calloc(1, sizeof(*s));
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t len = sizeof(address);
    signal(SIGPIPE, SIG_IGN); /* OpenSSL's writes */
    pthread_mutex_init(&s->lock, NULL);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    s->listener = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(s->listener, (struct sockaddr *)&address, len) < 0 || listen(s->listener, 128) < 0 ||
        getsockname(s->listener, (struct sockaddr *)&address, &len) < 0 ||
        (tls && !set_up_tls(s, client_certificate, chain)) ||
        pthread_create(&s->thread, NULL, run_listener, s) != 0) {
        perror("test server");
        exit(1);
    }
    s->port = ntohs(address.sin_port);
    return s;
}

struct http_test_server *http_test_server_start(bool tls, bool client_certificate)
{
    return start_server(tls, client_certificate, false);
}

struct http_test_server *http_test_server_start_with_chain(void)
{
    return start_server(true, false, true);
}

void http_test_server_stop(struct http_test_server *s)
{
    atomic_store(&s->stopping, true);
    pthread_join(s->thread, NULL);
    pthread_mutex_lock(&s->lock);
    for (int i = 0; i < s->count; i++)
        if (s->connections[i].fd >= 0)
            shutdown(s->connections[i].fd, SHUT_RDWR);
    pthread_mutex_unlock(&s->lock);
    for (int i = 0; i < s->count; i++)
        pthread_join(s->connections[i].thread, NULL);
    close(s->listener);
    if (s->tls) {
        unlink(s->ca);
        unlink(s->key);
        unlink(s->chain);
        SSL_CTX_free(s->tls);
    }
    pthread_mutex_destroy(&s->lock);
    free(s);
}

int http_test_server_port(const struct http_test_server *s)
{
    return s->port;
}

const char *http_test_server_ca(const struct http_test_server *s)
{
    return s->ca;
}

const char *http_test_server_chain(const struct http_test_server *s)
{
    return s->chain;
}

const char *http_test_server_key(const struct http_test_server *s)
{
    return s->key;
}

struct http_test_counts http_test_server_counts(struct http_test_server *s)
{
    pthread_mutex_lock(&s->lock);
    struct http_test_counts counts = s->counts;
    pthread_mutex_unlock(&s->lock);
    return counts;
}

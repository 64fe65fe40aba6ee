/* A small HTTP/1.1 server inside the test program, on 127.0.0.1: one thread for each connection,
 * well- and ill-behaved by path, and counting what it sees.
 *
 *   /hello              200 "hello"
 *   /echo               200 and the request as it came, head and body
 *   /status/N           N with a short JSON body
 *   /redirect           302 to /hello
 *   /continue           100, then 200 with a header of its own
 *   /close              200 "hello", then the connection is closed
 *   /slow/MS            200 after MS milliseconds
 *   /never              no answer while the server runs
 *   /reset              the connection is reset once the request is read
 *   /nothing            the connection is closed once the request is read
 *   /drop-reused        the same when the connection has served a request before; else 200
 *   /half               200 with 10 bytes of 100, then closed
 *   /garbage            something that is not HTTP
 *   /endless            200, chunked, for ever
 *   /declared-huge      200 with a Content-Length of 10 GB, of which it sends what is taken
 *   /endless-headers    200 and headers for ever
 * A request in absolute form or CONNECT (to a proxy) is answered 200 "proxied" and 403. */
#ifndef LLM_TESTS_HTTP_TEST_SERVER_H
#define LLM_TESTS_HTTP_TEST_SERVER_H

#include <stdbool.h>

struct http_test_server;

struct http_test_counts {
    int connections;  /* accepted so far */
    int requests;     /* read so far */
    int drop_reused;  /* of them, those of /drop-reused */
    int most_at_once; /* requests in work at the same time */
    int resumed;      /* TLS handshakes that resumed a session */
    int client_certificates;
};

/* Starts; `tls` makes it speak TLS with a certificate for 127.0.0.1 that it writes, as PEM, to
 * http_test_server_ca(). With `client_certificate` it demands that same certificate. */
struct http_test_server *http_test_server_start(bool tls, bool client_certificate);
/* The same with TLS and a chain: its certificate is signed by an intermediate authority, which it
 * shows too, and that one by the authority in http_test_server_ca(), which it does not show. */
struct http_test_server *http_test_server_start_with_chain(void);
void http_test_server_stop(struct http_test_server *s);

int http_test_server_port(const struct http_test_server *s);
const char *http_test_server_ca(const struct http_test_server *s);
/* What it shows, as a file of PEM. */
const char *http_test_server_chain(const struct http_test_server *s);
const char *http_test_server_key(const struct http_test_server *s);
struct http_test_counts http_test_server_counts(struct http_test_server *s);

#endif

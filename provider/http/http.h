/* HTTP behind a table of functions: what a cloud room needs to send one request and get one answer.
 *
 * The transport retries nothing and knows no cloud. It keeps one connection pool for the process
 * (keep-alive, HTTP/2 where the server offers it, TLS sessions reused) and bounds connections per
 * host and answers in size. Redirects are not followed.
 *
 * One exception to "retries nothing" comes with kept connections (RFC 9110, 9.2.2 and 9.3.1): when
 * the server has closed the connection on which a request went out, and not one byte came back,
 * the request goes out again on a new connection if it has no body and its method is idempotent.
 * Any other is HTTP_RESET. */
#ifndef LLM_HTTP_HTTP_H
#define LLM_HTTP_HTTP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/slice.h"

struct http_header {
    struct slice name;
    struct slice value;
};

/* How a connection is made; requests with equal settings share connections. All may be NULL. */
struct http_settings {
    const char *proxy;     /* URL; NULL: http_proxy/https_proxy of the environment; "": none */
    const char *no_proxy;  /* comma-separated hosts; NULL: no_proxy of the environment */
    const char *ca_bundle; /* path of a PEM file used instead of the system's; NULL: SSL_CERT_FILE
                              and SSL_CERT_DIR of the environment, where set */
    const char *ca_pem; /* certificates as PEM text that alone are trusted for the server, in place
                           of ca_bundle, environment and system; needs libcurl 7.77 */
    const char *client_cert_pem, *client_key_pem; /* paths, for mutual TLS */
    bool http1; /* no HTTP/2: libcurl 7.88 at least loses answers that a server gives over it, and
                   closes the connection, before it has read the request's body */
    bool insecure;               /* do not verify certificates: test endpoints only */
    int64_t connect_timeout_ms;  /* 0: 10 s */
    int64_t request_timeout_ms;  /* one exchange, from when a connection is free for it; 0: 60 s;
                                    the work's deadline bounds it as well */
    uint64_t max_response_bytes; /* 0: 64 MiB */
    bool secret_bodies; /* bodies and headers are secrets under names that nobody knows: the log has
                           none */
};

struct http_request {
    const char *method;
    const char *url; /* absolute, already encoded */
    const struct http_header *headers;
    size_t header_count;
    struct slice body;
    const struct http_settings *settings; /* NULL: defaults */
    const char *log_operation;            /* "ec2.CreateVpc": for the log lines; may be NULL */
};

/* What happened below HTTP. */
enum http_failure {
    HTTP_OK = 0,    /* an answer with a status arrived whole */
    HTTP_RESOLVE,   /* no such host, or nobody who could say: the request was never sent */
    HTTP_CONNECT,   /* refused, unreachable: the request was never sent */
    HTTP_TLS,       /* certificate or handshake */
    HTTP_TIMEOUT,   /* it may have been processed */
    HTTP_RESET,     /* broke after it was sent, or what came back is not HTTP or not whole: it may
                       have been processed */
    HTTP_TOO_LARGE, /* the answer is over max_response_bytes */
    HTTP_CANCELLED, /* hard cancel while it ran: it may have been processed */
    HTTP_DEADLINE,  /* the work's deadline passed while it ran, or before */
    HTTP_NO_MEMORY,
    HTTP_BAD_REQUEST, /* URL, header or settings that cannot be used, or no usable libcurl */
};

struct http_response {
    enum http_failure failure;
    const char *failure_text; /* one line, for messages; NULL when HTTP_OK */
    int status;
    const struct http_header *headers; /* names in lower case */
    size_t header_count;
    struct slice body; /* NUL-terminated behind len */
};

struct http_transport {
    /* Sends and waits. Fills *ret, whose parts are owned by `a`. Returns 0 when HTTP_OK, else -1.
     * May be called from any number of threads. A hard cancel of w->cancel ends it. */
    int (*send)(void *self, const struct work *w, struct arena *a, const struct http_request *req,
                struct http_response *ret);
    /* Connects to the host of an https:// URL as send() would, sends no request, and fills *ret as
     * send() does: its body is the certificates that the host has shown, as PEM, one after the
     * other in the order in which they came, the host's own first. There is no status and no
     * header. They were verified, unless the settings (NULL: defaults) are `insecure`. */
    int (*certificates)(void *self, const struct work *w, struct arena *a, const char *url,
                        const struct http_settings *settings, struct http_response *ret);
    void (*free)(void *self);
    void *self;
};

/* The libcurl transport; libcurl is loaded and its thread started at the first request. NULL when
 * memory is out. Freed with http_transport_free(), after the last send() has returned. */
struct http_transport *http_transport_new(void);
void http_transport_free(struct http_transport *t);

/* A header's value by lower-case name; empty when absent. */
struct slice http_header_get(const struct http_response *r, const char *name);

/* Appends `s` percent-encoded as RFC 3986 unreserved characters; '/' is kept when `keep_slash`. */
int http_encode_uri(struct buf *out, struct slice s, bool keep_slash);

/* Bodies as the log may show them: values of JSON, form and XML members whose names say password,
 * secret, token, key material or user data are replaced; of a body that is none of the three only
 * the size is told. Owned by `a`, cut at 4 KiB; empty when memory is out. */
struct slice http_redact_body(struct arena *a, struct slice content_type, struct slice body);

/* A URL as the log may show it: without user information, and without the values of query
 * parameters that authenticate (X-Amz-Signature, X-Amz-Credential, X-Amz-Security-Token, …). */
struct slice http_redact_url(struct arena *a, const char *url);

/* Replaces in the text of an answer what stands there of the request's secrets: values of headers
 * that authenticate and of members whose names http_redact_body() knows, of 8 bytes or more, as
 * they were sent and as they were before they were encoded for a form. The transport does so with
 * every answer that is no success. 0, or -1 when memory is out: `text` must not be used then. */
int http_hide_echo(const struct http_request *r, struct buf *text);

/* Headers whose values must not be logged: those that authenticate or carry keys or cookies. */
bool http_header_is_secret(struct slice name);

#endif

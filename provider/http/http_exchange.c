/* Preparing a libcurl handle for a request, and reading the result from it. */
#include "http/http_exchange.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/secret.h"

enum {
    CONNECT_TIMEOUT_MS = 10000,
    KEPT_CONNECTION_AGE_S = 45, /* idle longer than that, a server is likely to be closing it */
    HEADERS_MOST = 256,
    HEADER_BYTES_MOST = 256 * 1024,
};
static const uint64_t RESPONSE_MOST = (uint64_t)64 << 20;

/* ---- libcurl's callbacks, in the transport's thread ---- */

static size_t on_read(char *data, size_t size, size_t count, void *arg)
{
    struct exchange *x = arg;
    size_t room = size * count, left = x->request->body.len - x->body_sent;
    size_t len = left < room ? left : room;
    if (len)
        memcpy(data, x->request->body.ptr + x->body_sent, len);
    x->body_sent += len;
    return len;
}

/* libcurl seeks in order to send a body again by itself: it may not (see http.h). */
static int on_seek(void *arg, curl_off_t offset, int origin)
{
    struct exchange *x = arg;
    if (origin != SEEK_SET || offset != 0 || x->body_sent != 0)
        return CURL_SEEKFUNC_FAIL;
    return CURL_SEEKFUNC_OK;
}

static size_t on_body(char *data, size_t size, size_t count, void *arg)
{
    struct exchange *x = arg;
    size_t len = size * count;
    if (len > x->most || x->body.len > x->most - len) {
        x->body_too_large = true;
        return 0;
    }
    return buf_append(&x->body, data, len) < 0 ? 0 : len;
}

static size_t on_header(char *data, size_t size, size_t count, void *arg)
{
    struct exchange *x = arg;
    size_t len = size * count;
    /* A status line starts a new answer, after "100 Continue". */
    if (len > 5 && strncmp(data, "HTTP/", 5) == 0)
        buf_reset(&x->header_text);
    if (x->header_text.len + len > HEADER_BYTES_MOST) {
        x->headers_too_large = true;
        return 0;
    }
    return buf_append(&x->header_text, data, len) < 0 ? 0 : len;
}

/* ---- setting up ---- */

/* RFC 9110, 5.6.2: what methods and header names are made of. */
static bool is_token(struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        bool alphanumeric =
            (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
        if (!alphanumeric && !(c && strchr("!#$%&'*+-.^_`|~", c)))
            return false;
    }
    return s.len > 0;
}

static bool is_field_value(struct slice s)
{
    return !s.len || (!memchr(s.ptr, '\0', s.len) && !memchr(s.ptr, '\r', s.len) &&
                      !memchr(s.ptr, '\n', s.len));
}

static bool is_http_url(const char *url)
{
    for (const char *p = url; *p; p++)
        if ((unsigned char)*p <= ' ' || *p == 0x7f)
            return false;
    return strncasecmp(url, "http://", 7) == 0 || strncasecmp(url, "https://", 8) == 0;
}

static int append_header(struct exchange *x, const char *line)
{
    struct curl_slist *list = line ? x->curl->slist_append(x->headers, line) : NULL;
    if (!list)
        return exchange_fail(x, HTTP_NO_MEMORY, "memory ran out");
    x->headers = list;
    return 0;
}

static int set_headers(struct exchange *x)
{
    const struct http_request *r = x->request;
    for (size_t i = 0; i < r->header_count; i++) {
        const struct http_header *h = &r->headers[i];
        if (!is_token(h->name) || !is_field_value(h->value))
            return exchange_fail(
                x, HTTP_BAD_REQUEST,
                arena_printf(x->arena, "header \"%.*s\" has bytes that no header may have",
                             (int)h->name.len, is_token(h->name) ? h->name.ptr : ""));
        /* "Name;" is libcurl's way to send a header without a value. */
        const char *line = h->value.len
                               ? arena_printf(x->arena, "%.*s: %.*s", (int)h->name.len, h->name.ptr,
                                              (int)h->value.len, h->value.ptr)
                               : arena_printf(x->arena, "%.*s;", (int)h->name.len, h->name.ptr);
        if (append_header(x, line) < 0)
            return -1;
    }
    if (append_header(x, "Expect:") < 0) /* no waiting for "100 Continue" */
        return -1;
    return x->curl->easy_setopt(x->easy, CURLOPT_HTTPHEADER, x->headers) == CURLE_OK
               ? 0
               : exchange_fail(x, HTTP_NO_MEMORY, "memory ran out");
}

static const char *environment(const char *name)
{
    const char *value = getenv(name);
    return value && *value ? value : NULL;
}

/* Texts are copied by libcurl: all fail for want of memory alone. */
static bool set_text(struct exchange *x, CURLoption option, const char *text)
{
    return !text || x->curl->easy_setopt(x->easy, option, text) == CURLE_OK;
}

/* Trusts the certificates in the text and no others: the directory that libcurl was built with is
 * taken away too. False when this libcurl cannot do that; it must not be used then. */
static bool set_pinned_trust(struct exchange *x)
{
#if LIBCURL_VERSION_NUM >= 0x074d00
    struct slice pem = slice_str(x->settings->ca_pem);
    struct curl_blob blob = {(void *)(uintptr_t)pem.ptr, pem.len, CURL_BLOB_COPY};
    return x->curl->easy_setopt(x->easy, CURLOPT_CAINFO_BLOB, &blob) == CURLE_OK &&
           x->curl->easy_setopt(x->easy, CURLOPT_CAPATH, NULL) == CURLE_OK;
#else
    (void)x;
    return false;
#endif
}

static bool set_trust(struct exchange *x)
{
    const struct http_settings *s = x->settings;
    const struct curl_functions *c = x->curl;
    const char *file = s->ca_bundle, *directory = NULL;
    if (!file) {
        file = environment("SSL_CERT_FILE");
        directory = environment("SSL_CERT_DIR");
    }
    c->easy_setopt(x->easy, CURLOPT_SSL_VERIFYPEER, s->insecure ? 0L : 1L);
    c->easy_setopt(x->easy, CURLOPT_SSL_VERIFYHOST, s->insecure ? 0L : 2L);
    c->easy_setopt(x->easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    if (!s->ca_pem &&
        (!set_text(x, CURLOPT_CAINFO, file) || !set_text(x, CURLOPT_CAPATH, directory)))
        return false;
    return set_text(x, CURLOPT_PROXY_CAINFO, file) &&
           set_text(x, CURLOPT_SSLCERT, s->client_cert_pem) &&
           set_text(x, CURLOPT_SSLKEY, s->client_key_pem);
}

static bool set_connection(struct exchange *x)
{
    const struct http_settings *s = x->settings;
    const struct curl_functions *c = x->curl;
    CURL *e = x->easy;
    long connect_ms = s->connect_timeout_ms > 0 ? (long)s->connect_timeout_ms : CONNECT_TIMEOUT_MS;
    c->easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, connect_ms);
    c->easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
    c->easy_setopt(e, CURLOPT_HTTP_VERSION,
                   (long)(s->http1 ? CURL_HTTP_VERSION_1_1 : CURL_HTTP_VERSION_2TLS));
    c->easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L);
    c->easy_setopt(e, CURLOPT_PATH_AS_IS, 1L);
    c->easy_setopt(e, CURLOPT_TCP_KEEPALIVE, 1L);
    c->easy_setopt(e, CURLOPT_TCP_NODELAY, 1L);
    c->easy_setopt(e, CURLOPT_MAXAGE_CONN, (long)KEPT_CONNECTION_AGE_S);
    c->easy_setopt(e, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    c->easy_setopt(e, CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#if LIBCURL_VERSION_NUM >= 0x075700
    /* Without it, an exchange that is given up while its host's name is resolved holds up all the
     * others until the resolver answers. Older libraries do not know it, and say so. */
    c->easy_setopt(e, CURLOPT_QUICK_EXIT, 1L);
#endif
    return set_text(x, CURLOPT_PROXY, s->proxy) && set_text(x, CURLOPT_NOPROXY, s->no_proxy) &&
           set_trust(x);
}

/* RFC 9110, 9.2.2. */
static bool is_idempotent(const char *method)
{
    static const char *const methods[] = {"GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE"};
    for (size_t i = 0; i < sizeof(methods) / sizeof(*methods); i++)
        if (strcmp(method, methods[i]) == 0)
            return true;
    return false;
}

static void set_method(struct exchange *x)
{
    const struct http_request *r = x->request;
    const struct curl_functions *c = x->curl;
    bool sends = strcmp(r->method, "POST") == 0 || strcmp(r->method, "PUT") == 0 ||
                 strcmp(r->method, "PATCH") == 0;
    if (strcmp(r->method, "HEAD") == 0) {
        c->easy_setopt(x->easy, CURLOPT_NOBODY, 1L);
    } else {
        c->easy_setopt(x->easy, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)x->most);
    }
    if (r->body.len || sends) {
        c->easy_setopt(x->easy, CURLOPT_UPLOAD, 1L);
        c->easy_setopt(x->easy, CURLOPT_INFILESIZE_LARGE, (curl_off_t)r->body.len);
        c->easy_setopt(x->easy, CURLOPT_READFUNCTION, on_read);
        c->easy_setopt(x->easy, CURLOPT_READDATA, x);
        c->easy_setopt(x->easy, CURLOPT_SEEKFUNCTION, on_seek);
        c->easy_setopt(x->easy, CURLOPT_SEEKDATA, x);
    }
    /* on_seek() keeps libcurl from sending a body twice; without one, only a connection that was
     * not used before does. */
    if (!r->body.len && !is_idempotent(r->method))
        c->easy_setopt(x->easy, CURLOPT_FRESH_CONNECT, 1L);
}

/* A connection of its own, which libcurl does not keep, by a whole handshake: in one that resumes a
 * session the server shows nothing. */
static void set_certificates_only(struct exchange *x)
{
    const struct curl_functions *c = x->curl;
    c->easy_setopt(x->easy, CURLOPT_CONNECT_ONLY, 1L);
    c->easy_setopt(x->easy, CURLOPT_CERTINFO, 1L);
    c->easy_setopt(x->easy, CURLOPT_SSL_SESSIONID_CACHE, 0L);
}

int exchange_set_up(struct exchange *x)
{
    const struct http_request *r = x->request;
    const struct curl_functions *c = x->curl;
    x->most = x->settings->max_response_bytes ? x->settings->max_response_bytes : RESPONSE_MOST;
    if (x->most > SIZE_MAX / 4)
        x->most = SIZE_MAX / 4;
    buf_init(&x->body, (size_t)x->most);
    buf_init(&x->header_text, HEADER_BYTES_MOST);
    if (!is_http_url(r->url))
        return exchange_fail(x, HTTP_BAD_REQUEST,
                             "the URL is not one of http:// or https://, or has bytes that no URL "
                             "may have");
    if (!is_token(slice_str(r->method)))
        return exchange_fail(x, HTTP_BAD_REQUEST, "the method is not a word");
    if (!set_connection(x) || !set_text(x, CURLOPT_URL, r->url) ||
        !set_text(x, CURLOPT_CUSTOMREQUEST, r->method))
        return exchange_fail(x, HTTP_NO_MEMORY, "memory ran out");
    if (x->settings->ca_pem && !set_pinned_trust(x))
        return exchange_fail(x, HTTP_BAD_REQUEST,
                             "certificates of an authority that are given as text need libcurl "
                             "7.77 or later with OpenSSL, GnuTLS or the like");
    set_method(x);
    if (x->certificates_only)
        set_certificates_only(x);
    c->easy_setopt(x->easy, CURLOPT_WRITEFUNCTION, on_body);
    c->easy_setopt(x->easy, CURLOPT_WRITEDATA, x);
    c->easy_setopt(x->easy, CURLOPT_HEADERFUNCTION, on_header);
    c->easy_setopt(x->easy, CURLOPT_HEADERDATA, x);
    c->easy_setopt(x->easy, CURLOPT_PRIVATE, x);
    c->easy_setopt(x->easy, CURLOPT_ERRORBUFFER, x->error);
    return set_headers(x);
}

/* ---- results ---- */

static long info_long(const struct exchange *x, CURLINFO info)
{
    long value = 0;
    return x->curl->easy_getinfo(x->easy, info, &value) == CURLE_OK ? value : 0;
}

/* True unless it is certain that no byte of the request left this machine. */
static bool was_sent(const struct exchange *x)
{
    return x->started && (info_long(x, CURLINFO_REQUEST_SIZE) > 0 || x->body_sent > 0);
}

/* What kept an exchange from being sent for so long: the name, or the connection. */
static enum http_failure unsent_failure(const struct exchange *x)
{
    curl_off_t resolved_us = 0;
    x->curl->easy_getinfo(x->easy, CURLINFO_NAMELOOKUP_TIME_T, &resolved_us);
    return resolved_us > 0 ? HTTP_CONNECT : HTTP_RESOLVE;
}

/* A handshake that ends in a broken connection is no fault of certificates or versions. */
static enum http_failure tls_failure(const struct exchange *x)
{
    long number = info_long(x, CURLINFO_OS_ERRNO);
    return number == ECONNRESET || number == EPIPE ? HTTP_CONNECT : HTTP_TLS;
}

static enum http_failure failure_of(const struct exchange *x)
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
        return tls_failure(x);
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_INVALIDCERTSTATUS:
    case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
        return HTTP_TLS;
    case CURLE_OPERATION_TIMEDOUT:
        return was_sent(x) ? HTTP_TIMEOUT : unsent_failure(x);
    case CURLE_OUT_OF_MEMORY:
        return HTTP_NO_MEMORY;
    case CURLE_WRITE_ERROR:
        return x->body_too_large || x->headers_too_large ? HTTP_TOO_LARGE : HTTP_NO_MEMORY;
    case CURLE_FILESIZE_EXCEEDED:
        return HTTP_TOO_LARGE;
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL: /* also of an answer that is not HTTP */
    case CURLE_FAILED_INIT:
        return was_sent(x) ? HTTP_RESET : HTTP_BAD_REQUEST;
    default:
        return was_sent(x) ? HTTP_RESET : HTTP_CONNECT;
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

/* libcurl's own words without line ends; they name hosts, ports and files. What quotes a URL that
 * may have a password in it, as is done with a proxy's that makes no sense, gives way to the words
 * for the error's kind. */
static const char *curl_text(const struct exchange *x)
{
    bool quotes = strchr(x->error, '@') || strstr(x->error, "nsupported proxy");
    const char *text = x->error[0] && !quotes ? x->error : x->curl->easy_strerror(x->code);
    struct slice line = trimmed(slice_from(text, strcspn(text, "\r\n")));
    return arena_strndup(x->arena, line.ptr, line.len);
}

static const char *failure_text(const struct exchange *x, enum http_failure failure)
{
    if (failure == HTTP_NO_MEMORY)
        return "memory ran out";
    if (x->headers_too_large)
        return arena_printf(x->arena, "the answer's headers are larger than %d bytes",
                            HEADER_BYTES_MOST);
    if (failure == HTTP_TOO_LARGE)
        return arena_printf(x->arena, "the answer is larger than %llu bytes",
                            (unsigned long long)x->most);
    bool not_http = x->code == CURLE_UNSUPPORTED_PROTOCOL || x->code == CURLE_WEIRD_SERVER_REPLY;
    if (failure == HTTP_RESET && not_http)
        return "the answer is not HTTP";
    if (failure == HTTP_RESET && x->code == CURLE_SEND_FAIL_REWIND)
        return "the connection was closed before an answer came";
    return curl_text(x);
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

/* libcurl lists what it knows of each certificate as "Name:value"; "Cert" is the whole as PEM. */
static int append_certificates(struct buf *out, const struct curl_certinfo *chain)
{
    for (int i = 0; i < chain->num_of_certs; i++)
        for (const struct curl_slist *l = chain->certinfo[i]; l; l = l->next)
            if (strncmp(l->data, "Cert:", 5) == 0) {
                buf_append_str(out, l->data + 5);
                buf_append_char(out, '\n');
            }
    return out->failed ? -1 : 0;
}

static int take_certificates(struct exchange *x)
{
    struct curl_certinfo *chain = NULL;
    if (x->curl->easy_getinfo(x->easy, CURLINFO_CERTINFO, &chain) != CURLE_OK || !chain)
        return exchange_fail(x, HTTP_TLS, "this libcurl does not tell the server's certificates");
    if (append_certificates(&x->body, chain) < 0)
        return exchange_fail(x, HTTP_NO_MEMORY, "memory ran out");
    if (!x->body.len)
        return exchange_fail(x, HTTP_TLS, "the server has shown no certificates");
    char *pem = arena_strndup(x->arena, buf_cstr(&x->body), x->body.len);
    if (!pem)
        return exchange_fail(x, HTTP_NO_MEMORY, "memory ran out");
    x->response->body = slice_from(pem, x->body.len);
    return 0;
}

static int take_response(struct exchange *x)
{
    if (x->certificates_only)
        return take_certificates(x);
    x->response->status = (int)info_long(x, CURLINFO_RESPONSE_CODE);
    bool refused = x->response->status >= 300;
    if (refused && (http_hide_echo(x->request, &x->body) < 0 ||
                    http_hide_echo(x->request, &x->header_text) < 0))
        return exchange_fail(x, HTTP_NO_MEMORY, "memory ran out");
    char *body = arena_strndup(x->arena, buf_cstr(&x->body), x->body.len);
    if (!body || take_headers(x) < 0)
        return exchange_fail(x, HTTP_NO_MEMORY, "memory ran out");
    x->response->body = slice_from(body, x->body.len);
    return 0;
}

int exchange_fail(struct exchange *x, enum http_failure failure, const char *text)
{
    memset(x->response, 0, sizeof(*x->response));
    x->response->failure = failure;
    x->response->failure_text = text ? text : "memory ran out";
    return -1;
}

static int take_timeout(struct exchange *x)
{
    if (was_sent(x))
        return exchange_fail(
            x, HTTP_TIMEOUT,
            arena_printf(x->arena, "no whole answer within %lld ms", (long long)x->timeout_ms));
    return exchange_fail(
        x, unsent_failure(x),
        arena_printf(x->arena, "no connection within %lld ms", (long long)x->timeout_ms));
}

int exchange_take_result(struct exchange *x)
{
    switch (x->ended_by) {
    case ENDED_BY_CANCEL:
        return exchange_fail(x, HTTP_CANCELLED, "the operation was cancelled");
    case ENDED_BY_DEADLINE:
        return exchange_fail(x, HTTP_DEADLINE, "the operation's time was up");
    case ENDED_BY_TIMEOUT:
        return take_timeout(x);
    case ENDED_BY_CURL:
        break;
    }
    /* A proxy that refuses to tunnel got a request of its own: ours was not sent. */
    long tunnel = info_long(x, CURLINFO_HTTP_CONNECTCODE);
    if (x->code != CURLE_OK && tunnel >= 300)
        return exchange_fail(
            x, HTTP_CONNECT,
            arena_printf(x->arena, "the proxy refused the connection with status %ld", tunnel));
    enum http_failure failure = failure_of(x);
    return failure == HTTP_OK ? take_response(x)
                              : exchange_fail(x, failure, failure_text(x, failure));
}

void exchange_clean_up(struct exchange *x)
{
    for (struct curl_slist *h = x->headers; h; h = h->next)
        secret_zero(h->data, strlen(h->data));
    if (x->headers)
        x->curl->slist_free_all(x->headers);
    x->headers = NULL;
    buf_clean_up(&x->body);
    buf_clean_up(&x->header_text);
}

/* AWS Signature Version 4. */
#include "cloud/sigv4.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>

#include "base/buf.h"
#include "base/secret.h"

enum { HEADERS_MOST = 64, PARAMS_MOST = 4096, TEXT_MOST = 16 << 20, EXPIRES_MOST_S = 604800 };

const char *sigv4_sha256_hex(struct arena *a, struct slice data)
{
    unsigned char digest[SHA256_DIGEST_LENGTH];
    SHA256((const unsigned char *)(data.ptr ? data.ptr : ""), data.len, digest);
    return arena_hex(a, digest, sizeof(digest));
}

/* ---- canonical path ---- */

/* Removes "." and ".." segments and doubled slashes (RFC 3986, 5.2.4), keeping a final slash. */
static void normalise(struct buf *out, struct slice path)
{
    size_t i = 0;
    while (i < path.len) {
        while (i < path.len && path.ptr[i] == '/')
            i++;
        size_t start = i;
        while (i < path.len && path.ptr[i] != '/')
            i++;
        struct slice segment = slice_from(path.ptr + start, i - start);
        if (slice_eq_str(segment, "..")) {
            while (out->len && out->ptr[out->len - 1] != '/')
                out->len--;
            if (out->len)
                out->ptr[--out->len] = '\0';
        } else if (segment.len && !slice_eq_str(segment, ".")) {
            buf_append_char(out, '/');
            buf_append_slice(out, segment);
        }
    }
    bool slash = path.len && path.ptr[path.len - 1] == '/';
    if (!out->len || (slash && out->ptr[out->len - 1] != '/'))
        buf_append_char(out, '/');
}

static void canonical_path(struct buf *out, const struct sigv4_input *in)
{
    struct slice path = in->path.len ? in->path : SLICE_LIT("/");
    if (in->single_encoding) {
        buf_append_slice(out, path);
        return;
    }
    _cleanup_buf_ struct buf plain = BUF_INIT(TEXT_MOST);
    normalise(&plain, path);
    http_encode_uri(out, buf_slice(&plain), true);
    out->failed |= plain.failed;
}

/* ---- canonical query ---- */

struct param {
    struct slice name, value;
};

static int compare_params(const void *a, const void *b)
{
    const struct param *x = a, *y = b;
    int c = slice_cmp(x->name, y->name);
    return c ? c : slice_cmp(x->value, y->value);
}

/* One pair of the query, whose rest *query becomes. */
static struct param next_param(struct slice *query)
{
    const char *end = memchr(query->ptr, '&', query->len);
    size_t len = end ? (size_t)(end - query->ptr) : query->len;
    const char *equals = len ? memchr(query->ptr, '=', len) : NULL;
    size_t name = equals ? (size_t)(equals - query->ptr) : len;
    struct param p = {slice_from(query->ptr, name), SLICE_EMPTY};
    if (equals)
        p.value = slice_from(equals + 1, len - name - 1);
    size_t used = len + (end ? 1 : 0);
    *query = slice_from(query->ptr + used, query->len - used);
    return p;
}

static int canonical_query(struct arena *a, struct buf *out, struct slice query)
{
    size_t count = 1;
    if (!query.len)
        return 0;
    for (size_t i = 0; i < query.len; i++)
        count += query.ptr[i] == '&';
    struct param *params = count > PARAMS_MOST ? NULL : arena_new_array(a, count, struct param);
    if (!params)
        return -1;
    for (size_t i = 0; i < count; i++)
        params[i] = next_param(&query);
    qsort(params, count, sizeof(*params), compare_params);
    for (size_t i = 0; i < count; i++) {
        buf_append_str(out, i ? "&" : "");
        buf_append_slice(out, params[i].name);
        buf_append_char(out, '=');
        buf_append_slice(out, params[i].value);
    }
    return 0;
}

/* ---- canonical headers ---- */

struct named {
    const char *name; /* lower case */
    struct slice value;
    size_t order;
};

static int compare_named(const void *a, const void *b)
{
    const struct named *x = a, *y = b;
    int c = strcmp(x->name, y->name);
    return c ? c : (x->order > y->order) - (x->order < y->order);
}

static const char *lower(struct arena *a, struct slice s)
{
    char *p = arena_strndup(a, s.ptr, s.len);
    for (char *c = p; c && *c; c++)
        *c = (char)tolower((unsigned char)*c);
    return p;
}

/* The value without outer white space, inner runs folded to one space. */
static void append_folded(struct buf *out, struct slice s)
{
    bool gap = false, any = false;
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] == ' ' || s.ptr[i] == '\t') {
            gap = any;
            continue;
        }
        if (gap)
            buf_append_char(out, ' ');
        gap = false;
        any = true;
        buf_append_char(out, s.ptr[i]);
    }
}

static int canonical_headers(struct sigv4 *s, struct buf *out)
{
    struct named all[HEADERS_MOST];
    size_t count = 0;
    if (s->in->header_count + s->added_count > HEADERS_MOST)
        return -1;
    for (size_t i = 0; i < s->in->header_count + s->added_count; i++) {
        const struct http_header *h =
            i < s->in->header_count ? &s->in->headers[i] : &s->added[i - s->in->header_count];
        all[count] = (struct named){lower(s->arena, h->name), h->value, i};
        if (!all[count++].name)
            return -1;
    }
    qsort(all, count, sizeof(*all), compare_named);
    _cleanup_buf_ struct buf names = BUF_INIT(64 * 1024);
    for (size_t i = 0; i < count; i++) {
        bool again = i && strcmp(all[i].name, all[i - 1].name) == 0;
        if (again) {
            buf_append_char(out, ',');
        } else {
            buf_printf(out, "%s%s:", i ? "\n" : "", all[i].name);
            buf_printf(&names, "%s%s", i ? ";" : "", all[i].name);
        }
        append_folded(out, all[i].value);
    }
    buf_append_char(out, '\n');
    s->signed_headers = arena_buf(s->arena, &names);
    return s->signed_headers && !names.failed ? 0 : -1;
}

/* ---- the stages ---- */

static void add_header(struct sigv4 *s, const char *name, struct slice value)
{
    s->added[s->added_count].name = slice_str(name);
    s->added[s->added_count++].value = value;
}

/* The time, the payload's hash and the scope. */
static int prepare(struct sigv4 *s)
{
    struct tm tm;
    time_t t = (time_t)s->in->unix_s;
    if (!gmtime_r(&t, &tm) || strftime(s->date, sizeof(s->date), "%Y%m%dT%H%M%SZ", &tm) == 0)
        return -1;
    s->payload_hash =
        s->in->payload_hash ? s->in->payload_hash : sigv4_sha256_hex(s->arena, s->in->body);
    s->scope =
        arena_printf(s->arena, "%.8s/%s/%s/aws4_request", s->date, s->in->region, s->in->service);
    return s->payload_hash && s->scope ? 0 : -1;
}

static void add_headers(struct sigv4 *s)
{
    add_header(s, "x-amz-date", slice_str(s->date));
    if (s->in->session_token.len)
        add_header(s, "x-amz-security-token", s->in->session_token);
    if (s->in->single_encoding)
        add_header(s, "x-amz-content-sha256", slice_str(s->payload_hash));
}

static int make_canonical_request(struct sigv4 *s)
{
    _cleanup_buf_ struct buf b = BUF_INIT(TEXT_MOST);
    buf_printf(&b, "%s\n", s->in->method);
    canonical_path(&b, s->in);
    buf_append_char(&b, '\n');
    if (canonical_query(s->arena, &b, s->in->query) < 0)
        return -1;
    buf_append_char(&b, '\n');
    if (canonical_headers(s, &b) < 0)
        return -1;
    buf_printf(&b, "\n%s\n%s", s->signed_headers, s->payload_hash);
    s->canonical_request = arena_buf(s->arena, &b);
    return s->canonical_request ? 0 : -1;
}

static int make_string_to_sign(struct sigv4 *s)
{
    const char *digest = sigv4_sha256_hex(s->arena, slice_str(s->canonical_request));
    s->string_to_sign =
        digest ? arena_printf(s->arena, "AWS4-HMAC-SHA256\n%s\n%s\n%s", s->date, s->scope, digest)
               : NULL;
    return s->string_to_sign ? 0 : -1;
}

static int hmac(unsigned char key[static SHA256_DIGEST_LENGTH], size_t key_len, struct slice text)
{
    unsigned char out[SHA256_DIGEST_LENGTH];
    unsigned len = 0;
    if (!HMAC(EVP_sha256(), key, (int)key_len, (const unsigned char *)text.ptr, text.len, out,
              &len))
        return -1;
    memcpy(key, out, sizeof(out));
    secret_zero(out, sizeof(out));
    return 0;
}

static int make_signature(struct sigv4 *s)
{
    unsigned char key[SHA256_DIGEST_LENGTH];
    _cleanup_buf_ struct buf first = BUF_INIT(64 * 1024);
    buf_append_str(&first, "AWS4");
    buf_append_slice(&first, s->in->secret_key);
    unsigned len = 0;
    if (first.failed || !HMAC(EVP_sha256(), first.ptr, (int)first.len,
                              (const unsigned char *)s->date, 8, key, &len))
        return -1;
    int rc = hmac(key, sizeof(key), slice_str(s->in->region));
    if (rc == 0)
        rc = hmac(key, sizeof(key), slice_str(s->in->service));
    if (rc == 0)
        rc = hmac(key, sizeof(key), SLICE_LIT("aws4_request"));
    if (rc == 0)
        rc = hmac(key, sizeof(key), slice_str(s->string_to_sign));
    s->signature = rc == 0 ? arena_hex(s->arena, key, sizeof(key)) : NULL;
    secret_zero(key, sizeof(key));
    return s->signature ? 0 : -1;
}

static int run_stages(struct sigv4 *s)
{
    return make_canonical_request(s) < 0 || make_string_to_sign(s) < 0 || make_signature(s) < 0 ? -1
                                                                                                : 0;
}

int sigv4_sign(struct arena *a, const struct sigv4_input *in, struct sigv4 *ret)
{
    memset(ret, 0, sizeof(*ret));
    ret->arena = a;
    ret->in = in;
    if (prepare(ret) < 0)
        return -1;
    add_headers(ret);
    if (run_stages(ret) < 0)
        return -1;
    ret->authorization =
        arena_printf(a, "AWS4-HMAC-SHA256 Credential=%.*s/%s, SignedHeaders=%s, Signature=%s",
                     (int)in->access_key.len, in->access_key.ptr, ret->scope, ret->signed_headers,
                     ret->signature);
    if (!ret->authorization)
        return -1;
    add_header(ret, "authorization", slice_str(ret->authorization));
    return 0;
}

/* ---- in the query ---- */

static void query_param(struct buf *b, const char *name, struct slice value)
{
    buf_printf(b, "%s%s=", b->len ? "&" : "", name);
    http_encode_uri(b, value, false);
}

int sigv4_presign(struct arena *a, const struct sigv4_input *in, int64_t expires_s,
                  struct sigv4 *ret, const char **ret_query)
{
    _cleanup_buf_ struct buf query = BUF_INIT(TEXT_MOST), names = BUF_INIT(TEXT_MOST);
    struct sigv4_input with = *in;
    memset(ret, 0, sizeof(*ret));
    ret->arena = a;
    ret->in = &with;
    if (expires_s < 1 || expires_s > EXPIRES_MOST_S || prepare(ret) < 0)
        return -1;
    /* The names of the signed headers are a parameter that is signed itself. */
    if (canonical_headers(ret, &names) < 0)
        return -1;
    const char *credential =
        arena_printf(a, "%.*s/%s", (int)in->access_key.len, in->access_key.ptr, ret->scope);
    const char *expires = arena_printf(a, "%lld", (long long)expires_s);
    buf_append_slice(&query, in->query);
    query_param(&query, "X-Amz-Algorithm", SLICE_LIT("AWS4-HMAC-SHA256"));
    query_param(&query, "X-Amz-Credential", slice_str(credential));
    query_param(&query, "X-Amz-Date", slice_str(ret->date));
    query_param(&query, "X-Amz-Expires", slice_str(expires));
    query_param(&query, "X-Amz-SignedHeaders", slice_str(ret->signed_headers));
    if (in->session_token.len)
        query_param(&query, "X-Amz-Security-Token", in->session_token);
    with.query = buf_slice(&query);
    int rc = !credential || !expires || query.failed ? -1 : run_stages(ret);
    ret->in = in;
    if (rc < 0)
        return -1;
    query_param(&query, "X-Amz-Signature", slice_str(ret->signature));
    *ret_query = query.failed ? NULL : arena_strndup(a, query.ptr, query.len);
    return *ret_query ? 0 : -1;
}

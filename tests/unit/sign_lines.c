/* Signs the requests on standard input, one JSON object a line, and writes the stages of each
 * signature as one JSON object a line: the counterpart of sign_compare.py. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cloud/sigv4.h"
#include "value/codec.h"

enum { HEADERS_MOST = 32, LINE_MOST = 1 << 20 };

static struct slice text(const struct value *request, const char *name)
{
    return value_slice(value_get(request, name));
}

static size_t headers_of(const struct value *list, struct http_header *out)
{
    size_t count = value_count(list) < HEADERS_MOST ? value_count(list) : HEADERS_MOST;
    for (size_t i = 0; i < count; i++) {
        out[i].name = value_slice(value_at(value_at(list, i), 0));
        out[i].value = value_slice(value_at(value_at(list, i), 1));
    }
    return count;
}

static const struct value *sign_line(struct arena *a, const struct value *request)
{
    struct http_header headers[HEADERS_MOST];
    struct sigv4 s;
    const char *query = NULL;
    const struct sigv4_input in = {
        .method = value_cstr(value_get(request, "method"), ""),
        .path = text(request, "path"),
        .query = text(request, "query"),
        .headers = headers,
        .header_count = headers_of(value_get(request, "headers"), headers),
        .body = text(request, "body"),
        .payload_hash = value_cstr(value_get(request, "payload_hash"), NULL),
        .single_encoding = value_true(value_get(request, "s3")),
        .region = value_cstr(value_get(request, "region"), ""),
        .service = value_cstr(value_get(request, "service"), ""),
        .access_key = text(request, "access_key"),
        .secret_key = text(request, "secret_key"),
        .session_token = text(request, "token"),
        .unix_s = value_int_or(value_get(request, "time"), 0),
    };
    int64_t expires = value_int_or(value_get(request, "expires"), 0);
    int rc = expires ? sigv4_presign(a, &in, expires, &s, &query) : sigv4_sign(a, &in, &s);
    if (rc < 0)
        return NULL;
    const struct value_member m[] = {
        {SLICE_LIT("canonical_request"), value_str(a, s.canonical_request)},
        {SLICE_LIT("string_to_sign"), value_str(a, s.string_to_sign)},
        {SLICE_LIT("signature"), value_str(a, s.signature)},
        {SLICE_LIT("authorization"), value_str(a, expires ? "" : s.authorization)},
        {SLICE_LIT("query"), value_str(a, query ? query : "")}};
    return value_object(a, m, sizeof(m) / sizeof(*m));
}

int main(void)
{
    static char line[LINE_MOST];
    while (fgets(line, sizeof(line), stdin)) {
        _cleanup_arena_ struct arena *a = arena_new();
        _cleanup_buf_ struct buf out = BUF_INIT(LINE_MOST);
        struct diags diags;
        const struct value *request = NULL;
        diags_init(&diags, a);
        if (value_json_parse(a, slice_str(line), &request, &diags) < 0) {
            fprintf(stderr, "not JSON: %s", line);
            return EXIT_FAILURE;
        }
        const struct value *signed_line = sign_line(a, request);
        if (!signed_line || value_json_write(&out, signed_line, false) < 0) {
            fprintf(stderr, "not signed: %s", line);
            return EXIT_FAILURE;
        }
        puts(buf_cstr(&out));
    }
    return EXIT_SUCCESS;
}

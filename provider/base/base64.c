/* Base64. */
#include "base/base64.h"

static int append(struct buf *out, const void *data, size_t len, const char alphabet[65], bool pad)
{
    const unsigned char *p = data;
    for (size_t i = 0; i < len; i += 3) {
        size_t n = len - i < 3 ? len - i : 3;
        unsigned v = (unsigned)p[i] << 16 | (n > 1 ? (unsigned)p[i + 1] << 8 : 0) |
                     (n > 2 ? (unsigned)p[i + 2] : 0);
        for (size_t k = 0; k < 4; k++) {
            if (k <= n)
                buf_append_char(out, alphabet[v >> (18 - 6 * k) & 63]);
            else if (pad)
                buf_append_char(out, '=');
        }
    }
    return out->failed ? -1 : 0;
}

int base64url_append(struct buf *out, const void *data, size_t len)
{
    return append(out, data, len,
                  "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", false);
}

int base64_append(struct buf *out, const void *data, size_t len)
{
    return append(out, data, len,
                  "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", true);
}

static int digit(char c)
{
    return c >= 'A' && c <= 'Z'   ? c - 'A'
           : c >= 'a' && c <= 'z' ? c - 'a' + 26
           : c >= '0' && c <= '9' ? c - '0' + 52
           : c == '+'             ? 62
           : c == '/'             ? 63
                                  : -1;
}

int base64_decode(struct buf *out, struct slice text)
{
    unsigned v = 0;
    size_t have = 0, pad = 0;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c == '\n' || c == '\r' || c == ' ' || c == '\t')
            continue;
        if (c == '=' ? ++pad > 2 : pad || digit(c) < 0)
            return -1;
        v = v << 6 | (unsigned)(c == '=' ? 0 : digit(c));
        if (++have % 4)
            continue;
        for (size_t k = 0; k < 3 - pad; k++)
            buf_append_char(out, (char)(v >> (16 - 8 * k) & 255));
        v = 0;
    }
    return have % 4 || out->failed ? -1 : 0;
}

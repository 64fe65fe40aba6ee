/* Growable byte buffers with a declared maximum. */
#include "base/buf.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/secret.h"

void buf_init(struct buf *b, size_t max_bytes)
{
    *b = BUF_INIT(max_bytes);
}

void buf_clean_up(struct buf *b)
{
    if (!b)
        return;
    if (b->ptr) {
        secret_zero(b->ptr, b->cap);
        alloc_table.free(b->ptr);
    }
    *b = BUF_INIT(b->max);
}

void buf_reset(struct buf *b)
{
    b->len = 0;
    b->failed = false;
    if (b->ptr)
        b->ptr[0] = '\0';
}

/* Moves by hand instead of realloc(), so that the old bytes can be zeroed. */
static int reserve(struct buf *b, size_t more)
{
    size_t most = b->max < SIZE_MAX ? b->max : SIZE_MAX - 1;
    if (b->failed || more > most || b->len > most - more) {
        b->failed = true;
        return -1;
    }
    size_t need = b->len + more + 1;
    if (need <= b->cap)
        return 0;
    size_t cap = b->cap > 128 ? b->cap : 128;
    cap = cap > SIZE_MAX / 2 ? need : cap * 2;
    if (cap > most + 1)
        cap = most + 1;
    if (cap < need)
        cap = need;
    char *p = alloc_table.malloc(cap);
    if (!p) {
        b->failed = true;
        return -1;
    }
    if (b->ptr) {
        memcpy(p, b->ptr, b->len);
        secret_zero(b->ptr, b->cap);
        alloc_table.free(b->ptr);
    }
    b->ptr = p;
    b->cap = cap;
    b->ptr[b->len] = '\0';
    return 0;
}

int buf_append(struct buf *b, const void *data, size_t len)
{
    if (reserve(b, len) < 0)
        return -1;
    if (len)
        memcpy(b->ptr + b->len, data, len);
    b->len += len;
    b->ptr[b->len] = '\0';
    return 0;
}

int buf_append_slice(struct buf *b, struct slice s)
{
    return buf_append(b, s.ptr, s.len);
}

int buf_append_str(struct buf *b, const char *s)
{
    return buf_append_slice(b, slice_str(s));
}

int buf_append_char(struct buf *b, char c)
{
    return buf_append(b, &c, 1);
}

int buf_vprintf(struct buf *b, const char *fmt, va_list ap)
{
    va_list again;
    va_copy(again, ap);
    /* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): clang 14 does not see va_copy() */
    int len = vsnprintf(NULL, 0, fmt, again);
    va_end(again);
    if (len < 0 || reserve(b, (size_t)len) < 0)
        return -1;
    vsnprintf(b->ptr + b->len, (size_t)len + 1, fmt, ap);
    b->len += (size_t)len;
    return 0;
}

int buf_printf(struct buf *b, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int rc = buf_vprintf(b, fmt, ap);
    va_end(ap);
    return rc;
}

/* The length of the valid UTF-8 sequence at `p`, or 0 (RFC 3629: no surrogates, no overlong forms).
 */
static size_t utf8_sequence(const unsigned char *p, size_t left)
{
    if (p[0] < 0x80)
        return 1;
    size_t len = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
    if (p[0] < 0xc2 || p[0] > 0xf4 || len > left)
        return 0;
    for (size_t i = 1; i < len; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ||
        (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
        return 0;
    return len;
}

bool utf8_is_valid(struct slice s)
{
    const unsigned char *p = (const unsigned char *)s.ptr;
    for (size_t i = 0; i < s.len;) {
        size_t len = utf8_sequence(p + i, s.len - i);
        if (len == 0)
            return false;
        i += len;
    }
    return true;
}

/* How many of the first bytes of `s` need no escape. */
static size_t plain_run(struct slice s)
{
    const unsigned char *p = (const unsigned char *)s.ptr;
    size_t i = 0;
    while (i < s.len && p[i] >= 0x20 && p[i] < 0x7f && p[i] != '"' && p[i] != '\\')
        i++;
    return i;
}

/* Writes the character at `p` into `ret` (8 bytes) as JSON has it, and its length in `p` into
 * *ret_taken. Returns what was written. */
static size_t escape_character(const unsigned char *p, size_t left, char *ret, size_t *ret_taken)
{
    static const char controls[] = "btnvfr"; /* from 8 on; JSON has no \v */
    size_t len = utf8_sequence(p, left);
    *ret_taken = len ? len : 1;
    if (len == 0)
        return (size_t)snprintf(ret, 8, "\\ufffd");
    if (len > 1) {
        memcpy(ret, p, len);
        return len;
    }
    if (*p == '"' || *p == '\\')
        return (size_t)snprintf(ret, 8, "\\%c", *p);
    if (*p >= 8 && *p <= 13 && *p != 11)
        return (size_t)snprintf(ret, 8, "\\%c", controls[*p - 8]);
    return (size_t)snprintf(ret, 8, *p < 0x20 || *p == 0x7f ? "\\u%04x" : "%c", *p);
}

size_t buf_append_json_cut(struct buf *b, struct slice s, size_t room)
{
    const unsigned char *p = (const unsigned char *)s.ptr;
    size_t i = 0;
    while (i < s.len) {
        size_t run = plain_run(slice_from(p + i, s.len - i)), taken = 0;
        char one[8];
        if (run == 0) {
            run = escape_character(p + i, s.len - i, one, &taken);
            if (run > room || buf_append(b, one, run) < 0)
                break;
        } else {
            taken = run = run < room ? run : room;
            if (run == 0 || buf_append(b, p + i, run) < 0)
                break;
        }
        room -= run;
        i += taken;
    }
    return i;
}

int buf_append_json_escaped(struct buf *b, struct slice s)
{
    size_t before = b->len;
    if (buf_append_json_cut(b, s, SIZE_MAX) == s.len && !b->failed)
        return 0;
    if (b->ptr) {
        b->len = before;
        b->ptr[before] = '\0';
    }
    return -1;
}

struct slice buf_slice(const struct buf *b)
{
    return slice_from(b->ptr ? b->ptr : "", b->len);
}

const char *buf_cstr(const struct buf *b)
{
    return b->ptr ? b->ptr : "";
}

size_t utf8_length(struct slice s)
{
    size_t count = 0;
    for (size_t i = 0; i < s.len; i++)
        count += ((unsigned char)s.ptr[i] & 0xC0) != 0x80;
    return count;
}

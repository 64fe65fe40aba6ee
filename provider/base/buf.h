/* A growable byte buffer that declares its maximum when it is made.
 *
 * A write that fails (memory out, or over the maximum) leaves the buffer as it was and sets
 * `failed`; later writes do nothing. Callers may therefore write many pieces and check once. */
#ifndef LLM_BASE_BUF_H
#define LLM_BASE_BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/slice.h"

struct buf {
    char *ptr;   /* NUL-terminated once anything was written; NULL before */
    size_t len;  /* bytes, without the NUL */
    size_t cap;  /* bytes allocated */
    size_t max;  /* most bytes it may ever hold */
    bool failed; /* a write did not fit or memory ran out */
};

#define BUF_INIT(max_bytes) ((struct buf){NULL, 0, 0, (max_bytes), false})

void buf_init(struct buf *b, size_t max_bytes);

/* Zeroes and frees the content; the buffer may be used again. NULL is allowed. */
void buf_clean_up(struct buf *b);

/* Empties without giving the memory back. */
void buf_reset(struct buf *b);

/* All return 0, or -1 when the write did not happen. */
int buf_append(struct buf *b, const void *data, size_t len);
int buf_append_slice(struct buf *b, struct slice s);
int buf_append_str(struct buf *b, const char *s);
int buf_append_char(struct buf *b, char c);
int buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int buf_vprintf(struct buf *b, const char *fmt, va_list ap) __attribute__((format(printf, 2, 0)));

/* Appends `s` as the inside of a JSON string: quotes, controls and invalid UTF-8 escaped. */
int buf_append_json_escaped(struct buf *b, struct slice s);

/* The same, of as many whole characters of `s` as take `room` bytes when escaped. Returns how many
 * bytes of `s` that were; fewer also when the buffer failed. */
size_t buf_append_json_cut(struct buf *b, struct slice s, size_t room);

/* Whether `s` is UTF-8 (RFC 3629: no surrogates, no overlong forms). */
bool utf8_is_valid(struct slice s);
/* Characters (code points) of valid UTF-8. */
size_t utf8_length(struct slice s);

/* The content, valid until the next write; the empty string when nothing was written. */
struct slice buf_slice(const struct buf *b);
const char *buf_cstr(const struct buf *b);

#define _cleanup_buf_ __attribute__((cleanup(buf_clean_up)))

#endif

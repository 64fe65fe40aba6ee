/* A view of bytes that somebody else owns; not NUL-terminated. */
#ifndef LLM_BASE_SLICE_H
#define LLM_BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct slice {
    const char *ptr; /* may be NULL when len is 0 */
    size_t len;      /* bytes */
};

#define SLICE_LIT(s) ((struct slice){(s), sizeof(s) - 1})
#define SLICE_EMPTY ((struct slice){NULL, 0})

static inline struct slice slice_from(const void *ptr, size_t len)
{
    return (struct slice){ptr, len};
}

/* `s` may be NULL: the empty slice. */
static inline struct slice slice_str(const char *s)
{
    return s ? (struct slice){s, strlen(s)} : SLICE_EMPTY;
}

static inline bool slice_eq(struct slice a, struct slice b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static inline bool slice_eq_str(struct slice a, const char *s)
{
    return slice_eq(a, slice_str(s));
}

/* Byte order, then length: <0, 0, >0. */
static inline int slice_cmp(struct slice a, struct slice b)
{
    size_t n = a.len < b.len ? a.len : b.len;
    int c = n ? memcmp(a.ptr, b.ptr, n) : 0;
    return c ? c : (a.len > b.len) - (a.len < b.len);
}

static inline bool slice_has_prefix(struct slice a, const char *prefix)
{
    size_t n = strlen(prefix);
    return a.len >= n && (n == 0 || memcmp(a.ptr, prefix, n) == 0);
}

#endif

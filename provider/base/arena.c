/* Arenas: chunks of memory handed out from front to back, zeroed when they go. */
#include "base/arena.h"

#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/secret.h"

enum { CHUNK_FIRST = 4096, CHUNK_MOST = 1 << 20 };

struct chunk {
    struct chunk *next;
    size_t size; /* bytes behind the header */
    size_t used;
    _Alignas(max_align_t) unsigned char data[];
};

struct arena {
    struct chunk *chunks; /* the newest first */
    size_t next_size;
    size_t used;
    bool failed;
    pthread_mutex_t lock; /* guards the list of children */
    struct arena *parent;
    struct arena *children;
    struct arena *prev, *next; /* among the parent's children */
};

struct arena *arena_new(void)
{
    struct arena *a = alloc_table.malloc(sizeof(*a));
    if (!a)
        return NULL;
    memset(a, 0, sizeof(*a));
    a->next_size = CHUNK_FIRST;
    pthread_mutex_init(&a->lock, NULL);
    return a;
}

struct arena *arena_new_child(struct arena *parent)
{
    struct arena *a = arena_new();
    if (!a)
        return NULL;
    a->parent = parent;
    pthread_mutex_lock(&parent->lock);
    a->next = parent->children;
    if (a->next)
        a->next->prev = a;
    parent->children = a;
    pthread_mutex_unlock(&parent->lock);
    return a;
}

static void unlink_from_parent(struct arena *a)
{
    struct arena *p = a->parent;
    if (!p)
        return;
    pthread_mutex_lock(&p->lock);
    if (a->prev)
        a->prev->next = a->next;
    else
        p->children = a->next;
    if (a->next)
        a->next->prev = a->prev;
    pthread_mutex_unlock(&p->lock);
    a->parent = NULL;
}

void arena_free(struct arena *a)
{
    if (!a)
        return;
    unlink_from_parent(a);
    while (a->children)
        arena_free(a->children);
    while (a->chunks) {
        struct chunk *c = a->chunks;
        a->chunks = c->next;
        secret_zero(c->data, c->used);
        alloc_table.free(c);
    }
    pthread_mutex_destroy(&a->lock);
    alloc_table.free(a);
}

void arena_free_p(struct arena **a)
{
    arena_free(*a);
}

static struct chunk *chunk_new(struct arena *a, size_t least)
{
    size_t size = a->next_size;
#ifdef LLM_ARENA_MALLOC
    size = least; /* one chunk per object, so that the sanitizer sees where it ends */
#else
    if (a->next_size < CHUNK_MOST)
        a->next_size *= 2;
#endif
    if (size < least)
        size = least;
    if (size > SIZE_MAX - sizeof(struct chunk))
        return NULL;
    struct chunk *c = alloc_table.malloc(sizeof(*c) + size);
    if (!c)
        return NULL;
    c->next = a->chunks;
    c->size = size;
    c->used = 0;
    a->chunks = c;
    return c;
}

void *arena_alloc(struct arena *a, size_t size)
{
    const size_t align = _Alignof(max_align_t);
    if (size > SIZE_MAX / 2) {
        a->failed = true;
        return NULL;
    }
    size_t need = size ? size : 1;
    struct chunk *c = a->chunks;
    size_t start = c ? (c->used + align - 1) / align * align : 0;
    if (!c || start > c->size || need > c->size - start) {
        c = chunk_new(a, need);
        start = 0;
    }
    if (!c) {
        a->failed = true;
        return NULL;
    }
    c->used = start + need;
    a->used += need;
    return memset(c->data + start, 0, need);
}

void *arena_calloc(struct arena *a, size_t count, size_t size)
{
    size_t total = 0;
    if (__builtin_mul_overflow(count, size, &total)) {
        a->failed = true;
        return NULL;
    }
    return arena_alloc(a, total);
}

void *arena_grow(struct arena *a, const void *old, size_t old_count, size_t new_count, size_t size)
{
    void *p = arena_calloc(a, new_count, size);
    if (p && old && old_count)
        memcpy(p, old, (old_count < new_count ? old_count : new_count) * size);
    return p;
}

char *arena_strndup(struct arena *a, const char *s, size_t len)
{
    if (!s || len == SIZE_MAX)
        return NULL;
    char *p = arena_alloc(a, len + 1);
    if (p && len)
        memcpy(p, s, len);
    return p;
}

char *arena_strdup(struct arena *a, const char *s)
{
    return s ? arena_strndup(a, s, strlen(s)) : NULL;
}

char *arena_vprintf(struct arena *a, const char *fmt, va_list ap)
{
    va_list again;
    va_copy(again, ap);
    int len = vsnprintf(NULL, 0, fmt, again);
    va_end(again);
    if (len < 0)
        return NULL;
    char *p = arena_alloc(a, (size_t)len + 1);
    if (p)
        vsnprintf(p, (size_t)len + 1, fmt, ap);
    return p;
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    char *p = arena_vprintf(a, fmt, ap);
    va_end(ap);
    return p;
}

char *arena_hex(struct arena *a, const unsigned char *bytes, size_t len)
{
    static const char digits[] = "0123456789abcdef";
    char *out = len < SIZE_MAX / 2 ? arena_alloc(a, 2 * len + 1) : NULL;
    if (!out)
        return NULL;
    for (size_t i = 0; i < len; i++) {
        out[2 * i] = digits[bytes[i] >> 4];
        out[2 * i + 1] = digits[bytes[i] & 15];
    }
    out[2 * len] = '\0';
    return out;
}

char *arena_buf(struct arena *a, const struct buf *b)
{
    return b->failed ? NULL : arena_strndup(a, buf_cstr(b), b->len);
}

bool arena_failed(const struct arena *a)
{
    return a->failed;
}

size_t arena_used(const struct arena *a)
{
    return a->used;
}

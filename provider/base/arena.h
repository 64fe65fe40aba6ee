/* A region allocator: many small objects with one lifetime, freed together.
 *
 * Every RPC has one arena; so does every component that the engine works on in a thread of its
 * own. An arena is used by one thread at a time. Memory is returned zeroed on allocation and is
 * overwritten with zeros before it goes back to the system, because values may be secrets.
 *
 * Running out of memory: arena_alloc() and everything built on it returns NULL, and the arena
 * remembers that it failed (arena_failed()). Constructors in other rooms accept a NULL child and
 * return NULL, so that a chain of calls needs one check at its end. Whoever dereferences what an
 * arena function returned checks it first.
 */
#ifndef LLM_BASE_ARENA_H
#define LLM_BASE_ARENA_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

struct arena;

/* A new, empty arena; NULL when memory is out. The caller owns it and frees it. */
struct arena *arena_new(void);

/* A new arena whose life ends with `parent`'s (or earlier, by its own arena_free()). May be called
 * from any thread: the link to the parent is locked. NULL when memory is out. */
struct arena *arena_new_child(struct arena *parent);

/* Frees the arena, its children, and everything allocated from them. NULL is allowed. */
void arena_free(struct arena *a);

/* `size` zeroed bytes aligned for any type, owned by the arena; NULL when memory is out.
 * A size of 0 returns a valid pointer. */
void *arena_alloc(struct arena *a, size_t size);

/* `count` elements of `size` bytes; NULL also when the product overflows. */
void *arena_calloc(struct arena *a, size_t count, size_t size);

/* Grows an array from `old_count` to `new_count` elements by copying; the old one stays allocated
 * until the arena is freed. `old` may be NULL when `old_count` is 0. */
void *arena_grow(struct arena *a, const void *old, size_t old_count, size_t new_count, size_t size);

/* Copies of strings and bytes, always with a terminating NUL. `s` may be NULL: returns NULL. */
char *arena_strdup(struct arena *a, const char *s);
char *arena_strndup(struct arena *a, const char *s, size_t len);
char *arena_printf(struct arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
char *arena_vprintf(struct arena *a, const char *fmt, va_list ap)
    __attribute__((format(printf, 2, 0)));
/* Bytes as lower-case hexadecimal digits. */
char *arena_hex(struct arena *a, const unsigned char *bytes, size_t len);

/* A copy of what a buffer holds; NULL also when a write to it has failed. */
char *arena_buf(struct arena *a, const struct buf *b);

/* True once any allocation from this arena (not its children) has failed. */
bool arena_failed(const struct arena *a);

/* Bytes handed out so far, for limits and the load figures. */
size_t arena_used(const struct arena *a);

/* `_cleanup_arena_ struct arena *a = arena_new();` frees at the end of the scope. */
void arena_free_p(struct arena **a);
#define _cleanup_arena_ __attribute__((cleanup(arena_free_p)))

/* Typed helpers. */
#define arena_new_object(a, type) ((type *)arena_alloc((a), sizeof(type)))
#define arena_new_array(a, n, type) ((type *)arena_calloc((a), (n), sizeof(type)))

#endif

/* A string that must not be printed, logged or left in memory.
 *
 * Secrets that outlive one RPC (credentials, tokens) are held in this type; secrets inside values
 * live in arenas, which zero their memory, and carry VALUE_SENSITIVE. */
#ifndef LLM_BASE_SECRET_H
#define LLM_BASE_SECRET_H

#include <stddef.h>

#include "base/slice.h"

struct secret {
    char *ptr; /* NUL-terminated; NULL when empty */
    size_t len;
};

#define SECRET_EMPTY ((struct secret){NULL, 0})

/* Replaces the content (the old one is zeroed). 0, or -1 when memory is out. */
int secret_set(struct secret *s, struct slice content);

/* Zeroes and frees. NULL is allowed. */
void secret_clean_up(struct secret *s);

static inline struct slice secret_slice(const struct secret *s)
{
    return (struct slice){s->ptr, s->len};
}

/* Overwrites memory in a way that the compiler may not remove. */
void secret_zero(void *ptr, size_t len);

#define _cleanup_secret_ __attribute__((cleanup(secret_clean_up)))

#endif

/* The allocator below arenas and buffers, as a table that tests replace to make allocations fail.
 */
#ifndef LLM_BASE_ALLOC_H
#define LLM_BASE_ALLOC_H

#include <stddef.h>

struct alloc_table {
    void *(*malloc)(size_t size);
    void *(*realloc)(void *ptr, size_t size);
    void (*free)(void *ptr);
};

/* The C library's functions at start. Changed only while no other thread runs. */
extern struct alloc_table alloc_table;

#endif

/* Memory of a compilation: a list of blocks that are freed together at its end. */
#include "schemac.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

struct block {
    struct block *next;
    max_align_t data[];
};

static _Noreturn void out_of_memory(void)
{
    fputs("llm-schemac: out of memory\n", stderr);
    exit(1);
}

void *take(struct compilation *c, size_t count, size_t size)
{
    if (size && count > (SIZE_MAX - sizeof(struct block)) / size)
        out_of_memory();
    struct block *b = calloc(1, sizeof(struct block) + count * size);
    if (!b)
        out_of_memory();
    b->next = c->blocks;
    c->blocks = b;
    return b->data;
}

char *text(struct compilation *c, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    va_list again;
    va_copy(again, ap);
    /* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): clang 14 does not see va_copy() */
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (n < 0)
        out_of_memory();
    char *s = take(c, (size_t)n + 1, 1);
    vsnprintf(s, (size_t)n + 1, fmt, again);
    va_end(again);
    return s;
}

void *with_item(struct compilation *c, void *array, size_t *count, void *item)
{
    size_t n = *count;
    /* Lengths of powers of two are full. */
    if ((n & (n - 1)) == 0) {
        void **longer = take(c, n ? 2 * n : 1, sizeof(void *));
        if (n)
            memcpy(longer, array, n * sizeof(void *));
        array = longer;
    }
    ((void **)array)[n] = item;
    *count = n + 1;
    return array;
}

void strings_add(struct compilation *c, struct strings *s, const char *item)
{
    char *copy = text(c, "%s", item);
    s->items = with_item(c, s->items, &s->count, copy);
}

bool strings_have(const struct strings *s, const char *item)
{
    for (size_t i = 0; i < s->count; i++) {
        if (strcmp(s->items[i], item) == 0)
            return true;
    }
    return false;
}

static int compare(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

void strings_sort(struct strings *s)
{
    if (s->count)
        qsort(s->items, s->count, sizeof(*s->items), compare);
}

void compilation_end(struct compilation *c)
{
    for (size_t i = 0; i < c->document_count; i++)
        json_decref(c->documents[i]);
    for (struct block *b = c->blocks; b;) {
        struct block *next = b->next;
        free(b);
        b = next;
    }
    *c = (struct compilation){0};
}

/* Places in the schema files, and the errors that name them. */
#include "schemac.h"

#include <stdarg.h>

const struct place *place_file(struct compilation *c, const char *file)
{
    struct place *p = take(c, 1, sizeof(*p));
    p->file = text(c, "%s", file);
    return p;
}

const struct place *place_key(struct compilation *c, const struct place *up, const char *key)
{
    struct place *p = take(c, 1, sizeof(*p));
    *p = (struct place){.file = up->file, .up = up, .key = text(c, "%s", key)};
    return p;
}

const struct place *place_index(struct compilation *c, const struct place *up, size_t index)
{
    struct place *p = take(c, 1, sizeof(*p));
    *p = (struct place){.file = up->file, .up = up, .index = index};
    return p;
}

const char *place_text(struct compilation *c, const struct place *at)
{
    const char *tail = "";
    bool tail_is_index = true;
    for (; at->up; at = at->up) {
        const char *dot = tail_is_index ? "" : ".";
        if (at->key)
            tail = text(c, "%s%s%s", at->key, dot, tail);
        else
            tail = text(c, "[%zu]%s%s", at->index, dot, tail);
        tail_is_index = at->key == NULL;
    }
    return *tail ? tail : "top level";
}

void refuse(struct compilation *c, const struct place *at, const char *fmt, ...)
{
    c->errors++;
    fprintf(stderr, "%s: %s: ", at->file, place_text(c, at));
    va_list ap;
    va_start(ap, fmt);
    /* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): clang 14 takes it for text()'s */
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputc('\n', stderr);
}

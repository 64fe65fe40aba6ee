/* Strings that are zeroed when they go. */
#include "base/secret.h"

#include <stdint.h>
#include <string.h>

#include "base/alloc.h"

void secret_zero(void *ptr, size_t len)
{
    if (ptr && len)
        explicit_bzero(ptr, len);
}

int secret_set(struct secret *s, struct slice content)
{
    char *p = content.len < SIZE_MAX ? alloc_table.malloc(content.len + 1) : NULL;
    if (!p)
        return -1;
    if (content.len)
        memcpy(p, content.ptr, content.len);
    p[content.len] = '\0';
    secret_clean_up(s);
    s->ptr = p;
    s->len = content.len;
    return 0;
}

void secret_clean_up(struct secret *s)
{
    if (!s || !s->ptr)
        return;
    secret_zero(s->ptr, s->len);
    alloc_table.free(s->ptr);
    *s = SECRET_EMPTY;
}

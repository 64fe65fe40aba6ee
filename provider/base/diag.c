/* Lists of diagnostics. */
#include "base/diag.h"

#include <string.h>

void diags_init(struct diags *d, struct arena *arena)
{
    memset(d, 0, sizeof(*d));
    d->arena = arena;
    d->tail = &d->first;
}

static void append(struct diags *d, enum diag_severity severity, const struct path *path,
                   const char *summary, const char *detail)
{
    if (severity == DIAG_ERROR)
        d->errors++;
    else
        d->warnings++;
    struct diag *n = arena_new_object(d->arena, struct diag);
    if (!n)
        return;
    n->severity = severity;
    n->summary = arena_strdup(d->arena, summary);
    n->detail = detail;
    n->path = path_copy(d->arena, path);
    if (!n->summary)
        n->summary = "Out of memory";
    if (!n->detail)
        n->detail = "";
    *d->tail = n;
    d->tail = &n->next;
}

int diags_error(struct diags *d, const struct path *path, const char *summary, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    append(d, DIAG_ERROR, path, summary, arena_vprintf(d->arena, fmt, ap));
    va_end(ap);
    return -1;
}

int diags_warning(struct diags *d, const struct path *path, const char *summary, const char *fmt,
                  ...)
{
    va_list ap;
    va_start(ap, fmt);
    append(d, DIAG_WARNING, path, summary, arena_vprintf(d->arena, fmt, ap));
    va_end(ap);
    return -1;
}

void diags_add_context(struct diags *d, size_t from, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    const char *context = arena_vprintf(d->arena, fmt, ap);
    va_end(ap);
    size_t at = 0;
    for (struct diag *n = d->first; n; n = n->next, at++) {
        if (at < from || n->severity != DIAG_ERROR || !context)
            continue;
        const char *joined = arena_printf(d->arena, "%s%s", context, n->detail);
        if (joined)
            n->detail = joined;
    }
}

void diags_set_path(struct diags *d, const struct path *path)
{
    for (struct diag *at = d->first; at; at = at->next)
        if (!at->path)
            at->path = path;
}

void diags_merge(struct diags *dst, const struct diags *src)
{
    size_t errors = dst->errors + src->errors, warnings = dst->warnings + src->warnings;
    for (const struct diag *n = src->first; n; n = n->next)
        append(dst, n->severity, n->path, n->summary, arena_strdup(dst->arena, n->detail));
    dst->errors = errors;
    dst->warnings = warnings;
}

bool diags_has_error(const struct diags *d)
{
    return d->errors > 0;
}

size_t diags_count(const struct diags *d)
{
    return d->errors + d->warnings;
}

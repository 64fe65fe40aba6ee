/* Paths into values. */
#include "base/path.h"

#include <inttypes.h>

#include "base/buf.h"

static struct path *step(struct arena *a, const struct path *parent, enum path_step kind)
{
    struct path *p = arena_new_object(a, struct path);
    if (p) {
        p->parent = parent;
        p->step = kind;
    }
    return p;
}

static const struct path *named(struct arena *a, const struct path *parent, enum path_step kind,
                                struct slice name)
{
    struct path *p = step(a, parent, kind);
    char *copy = arena_strndup(a, name.ptr ? name.ptr : "", name.len);
    if (!p || !copy)
        return NULL;
    p->name = slice_from(copy, name.len);
    return p;
}

const struct path *path_attribute(struct arena *a, const struct path *parent, const char *name)
{
    return named(a, parent, PATH_ATTRIBUTE, slice_str(name));
}

const struct path *path_key(struct arena *a, const struct path *parent, struct slice key)
{
    return named(a, parent, PATH_KEY, key);
}

const struct path *path_index(struct arena *a, const struct path *parent, int64_t index)
{
    struct path *p = step(a, parent, PATH_INDEX);
    if (p)
        p->index = index;
    return p;
}

const struct path *path_parse(struct arena *a, const char *dotted)
{
    const struct path *p = NULL;
    while (*dotted) {
        size_t len = strcspn(dotted, ".");
        p = named(a, p, PATH_ATTRIBUTE, slice_from(dotted, len));
        if (!p)
            return NULL;
        dotted += len;
        dotted += *dotted == '.';
    }
    return p;
}

size_t path_length(const struct path *p)
{
    size_t n = 0;
    for (; p; p = p->parent)
        n++;
    return n;
}

static void append(struct buf *b, const struct path *p)
{
    if (p->parent)
        append(b, p->parent);
    if (p->step == PATH_INDEX) {
        buf_printf(b, "[%" PRId64 "]", p->index);
    } else if (p->step == PATH_KEY) {
        buf_append_str(b, "[\"");
        buf_append_json_escaped(b, p->name);
        buf_append_str(b, "\"]");
    } else {
        if (p->parent)
            buf_append_char(b, '.');
        buf_append_slice(b, p->name);
    }
}

const char *path_string(struct arena *a, const struct path *p)
{
    _cleanup_buf_ struct buf b = BUF_INIT(65536);
    if (p)
        append(&b, p);
    return arena_buf(a, &b);
}

const struct path *path_copy(struct arena *a, const struct path *p)
{
    if (!p)
        return NULL;
    const struct path *parent = path_copy(a, p->parent);
    if (p->parent && !parent)
        return NULL;
    return p->step == PATH_INDEX ? path_index(a, parent, p->index)
                                 : named(a, parent, p->step, p->name);
}

/* The `$derived` object, and texts in it. */
#include "resources/derived.h"

#include <string.h>

#include "value/codec.h"

enum { DOCUMENT_MOST = 1 << 20 };

void derived_put(struct derived *d, const char *name, const struct value *v)
{
    d->failed |= !v || d->count == DERIVED_MOST;
    if (!d->failed)
        d->members[d->count++] = (struct value_member){slice_str(name), v};
}

const struct value *derived_get(const struct derived *d, const char *name)
{
    for (size_t i = 0; i < d->count; i++)
        if (slice_eq_str(d->members[i].key, name))
            return d->members[i].value;
    return NULL;
}

const struct value *derived_unknown(struct derived *d)
{
    return value_unknown(d->arena, &type_dynamic);
}

const struct value *derived_object(struct derived *d)
{
    return d->failed ? NULL : value_object(d->arena, d->members, d->count);
}

void derived_map_put(struct derived_map *m, const char *key, const struct value *v)
{
    if (m->count == m->room) {
        size_t room = m->room ? 2 * m->room : 16;
        struct value_member *more = arena_new_array(m->a, room, struct value_member);
        if (more && m->count)
            memcpy(more, m->items, m->count * sizeof(*more));
        m->items = more;
        m->room = more ? room : 0;
    }
    m->failed |= !m->items || !key || !v;
    if (!m->failed)
        m->items[m->count++] = (struct value_member){slice_str(key), v};
}

const struct value *derived_map_object(const struct derived_map *m)
{
    if (m->failed)
        return NULL;
    return m->unsure ? value_unknown(m->a, &type_dynamic) : value_object(m->a, m->items, m->count);
}

const struct value *derived_json(struct arena *a, const struct buf *text)
{
    struct diags ignored;
    const struct value *v = NULL;
    _cleanup_buf_ struct buf b = BUF_INIT(DOCUMENT_MOST);
    diags_init(&ignored, a);
    if (text->failed || value_json_parse(a, buf_slice(text), &v, &ignored) < 0 ||
        value_json_write(&b, v, false) < 0)
        return NULL;
    return value_buf(a, &b);
}

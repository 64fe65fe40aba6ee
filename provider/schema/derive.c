/* Values with write-only attributes removed, or sensitive ones marked. */
#include "schema/schema.h"

/* What to do with an attribute; NULL: look inside. */
typedef const struct value *(*visit_fn)(struct arena *arena, const struct schema_attr *a,
                                        const struct value *v);

static const struct value *map_object(struct arena *arena, visit_fn visit,
                                      const struct schema_attr *attrs, size_t count,
                                      const struct value *v);

static const struct value *map_elements(struct arena *arena, visit_fn visit,
                                        const struct schema_attr *a, const struct value *v)
{
    size_t count = value_count(v);
    struct value_member *members = arena_new_array(arena, count, struct value_member);
    const struct value **elems = arena_new_array(arena, count, const struct value *);
    if (!members || !elems)
        return NULL;
    for (size_t i = 0; i < count; i++) {
        elems[i] = map_object(arena, visit, a->attrs, a->attr_count, value_at(v, i));
        members[i] = (struct value_member){v->members[i].key, elems[i]};
        if (!elems[i])
            return NULL;
    }
    if (a->nesting == SCHEMA_NESTING_MAP)
        return value_map(arena, a->type->elem, members, count);
    if (a->nesting == SCHEMA_NESTING_SET)
        return value_set(arena, a->type->elem, elems, count);
    return value_list(arena, a->type->elem, elems, count);
}

static const struct value *map_attr(struct arena *arena, visit_fn visit,
                                    const struct schema_attr *a, const struct value *v)
{
    const struct value *ret = visit(arena, a, v);
    if (ret != v || a->nesting == SCHEMA_NESTING_NONE || !value_is_known(v))
        return ret;
    if (a->nesting == SCHEMA_NESTING_SINGLE)
        return map_object(arena, visit, a->attrs, a->attr_count, v);
    return map_elements(arena, visit, a, v);
}

static const struct value *map_object(struct arena *arena, visit_fn visit,
                                      const struct schema_attr *attrs, size_t count,
                                      const struct value *v)
{
    for (size_t i = 0; i < count && value_is_known(v); i++) {
        const struct value *old = value_get(v, attrs[i].name);
        const struct value *now = old ? map_attr(arena, visit, &attrs[i], old) : NULL;
        if (now != old)
            v = now ? value_with(arena, v, attrs[i].name, now) : NULL;
    }
    return v;
}

static const struct value *strip(struct arena *arena, const struct schema_attr *a,
                                 const struct value *v)
{
    if (!(a->flags & SCHEMA_WRITE_ONLY) || value_is_null(v))
        return v;
    return value_null(arena, a->type);
}

static const struct value *mark(struct arena *arena, const struct schema_attr *a,
                                const struct value *v)
{
    return a->flags & SCHEMA_SENSITIVE ? value_with_sensitive(arena, v) : v;
}

const struct value *schema_strip_write_only(struct arena *a, const struct schema *s,
                                            const struct value *v)
{
    return map_object(a, strip, s->attrs, s->attr_count, v);
}

const struct value *schema_mark_sensitive(struct arena *a, const struct schema *s,
                                          const struct value *v)
{
    return map_object(a, mark, s->attrs, s->attr_count, v);
}

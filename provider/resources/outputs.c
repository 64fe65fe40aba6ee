/* Reading outputs off records and planned changes. */
#include "resources/outputs.h"

#include <string.h>

void outputs_set(struct outputs *o, const char *name, const struct value *v)
{
    o->v = o->v && v ? value_with(o->a, o->v, name, v) : NULL;
}

bool outputs_made_new(const struct outputs *o, const char *component)
{
    for (size_t i = 0; o->changes && i < o->changes->count; i++) {
        const struct engine_change *ch = &o->changes->items[i];
        if (strcmp(ch->name, component) == 0)
            return ch->action == ENGINE_CREATE || ch->action == ENGINE_REPLACE;
    }
    return false;
}

const struct value *outputs_attr(const struct outputs *o, const char *component, const char *attr)
{
    return o->changes ? changes_attr(o->changes, component, attr)
                      : records_attr(o->records, component, attr);
}

const struct value *outputs_text(struct outputs *o, const char *component, const char *attr)
{
    const struct value *v = outputs_attr(o, component, attr);
    if (value_is_known(v) && v->type->kind == TYPE_STRING)
        return v;
    return o->changes ? value_unknown(o->a, &type_string) : value_null(o->a, &type_string);
}

const struct value *outputs_like(struct outputs *o, const struct value *v, const struct type *t)
{
    return value_is_unknown(v) ? value_unknown(o->a, t) : value_null(o->a, t);
}

/* ---- components with keys ---- */

static size_t component_count(const struct outputs *o)
{
    return o->changes ? o->changes->count : o->records->count;
}

/* The component's name; NULL when it will not be there. */
static const char *component_at(const struct outputs *o, size_t i)
{
    if (o->changes)
        return o->changes->items[i].action == ENGINE_DESTROY ? NULL : o->changes->items[i].name;
    return o->records->items[i].missing ? NULL : o->records->items[i].name;
}

static size_t collect(struct outputs *o, const char *prefix, const char *attr,
                      struct value_member *ret)
{
    size_t n = 0, len = strlen(prefix);
    for (size_t i = 0; i < component_count(o); i++) {
        const char *name = component_at(o, i);
        if (name && strncmp(name, prefix, len) == 0)
            ret[n++] = (struct value_member){slice_str(name + len), outputs_text(o, name, attr)};
    }
    return n;
}

const struct value *outputs_map(struct outputs *o, const char *prefix, const char *attr)
{
    struct value_member *m = arena_new_array(o->a, component_count(o) + 1, struct value_member);
    return m ? value_map(o->a, &type_string, m, collect(o, prefix, attr, m)) : NULL;
}

const struct value *outputs_list(struct outputs *o, const char *prefix, const char *attr)
{
    struct value_member *m = arena_new_array(o->a, component_count(o) + 1, struct value_member);
    const struct value **items =
        arena_new_array(o->a, component_count(o) + 1, const struct value *);
    size_t n = m && items ? collect(o, prefix, attr, m) : 0;
    for (size_t i = 0; i < n; i++)
        items[i] = m[i].value;
    return items ? value_list(o->a, &type_string, items, n) : NULL;
}

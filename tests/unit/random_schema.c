/* See random_schema.h. Names and values come from small alphabets, so that they often meet again.
 */
#include "random_schema.h"

enum { DEPTH_MAX = 3 };

size_t random_below(struct generator *g, size_t n)
{
    g->state ^= g->state << 13;
    g->state ^= g->state >> 7;
    g->state ^= g->state << 17;
    return (size_t)((g->state >> 11) % n);
}

static bool one_in(struct generator *g, size_t n)
{
    return random_below(g, n) == 0;
}

/* ---- schemas ---- */

struct around {
    unsigned depth;
    bool in_set, in_collection, computed_only;
};

static const struct type *plain_type(struct generator *g, bool dynamic)
{
    static const struct type *const types[] = {
        &type_string,        &type_number,        &type_bool,   &type_list_of_string,
        &type_set_of_string, &type_map_of_string, &type_string, &type_dynamic};
    return types[random_below(g, dynamic ? 8 : 7)];
}

static const struct value *random_known(struct generator *g, const struct type *t);

static unsigned random_flags(struct generator *g, const struct around *x)
{
    static const unsigned choices[] = {SCHEMA_REQUIRED, SCHEMA_OPTIONAL,
                                       SCHEMA_COMPUTED, SCHEMA_OPTIONAL | SCHEMA_COMPUTED,
                                       SCHEMA_OPTIONAL, SCHEMA_OPTIONAL | SCHEMA_WRITE_ONLY};
    if (x->computed_only)
        return SCHEMA_COMPUTED;
    return choices[random_below(g, x->in_set ? 5 : 6)];
}

static struct schema_attr *random_attrs(struct generator *g, const struct around *x, size_t *count);

static const struct type *object_type(struct generator *g, const struct schema_attr *attrs,
                                      size_t count)
{
    struct type_attr *types = arena_new_array(g->arena, count + 1, struct type_attr);
    for (size_t i = 0; i < count && types; i++)
        types[i] = (struct type_attr){attrs[i].name, attrs[i].type, false};
    return types ? type_object(g->arena, types, count) : NULL;
}

static void random_nested(struct generator *g, struct schema_attr *a, const struct around *x)
{
    struct around inner = *x;
    a->nesting = (enum schema_nesting)(1 + random_below(g, 4));
    inner.depth++;
    inner.in_set = x->in_set || a->nesting == SCHEMA_NESTING_SET;
    inner.in_collection = x->in_collection || a->nesting != SCHEMA_NESTING_SINGLE;
    inner.computed_only = a->flags == SCHEMA_COMPUTED;
    a->flags &= ~(unsigned)SCHEMA_WRITE_ONLY;
    a->attrs = random_attrs(g, &inner, &a->attr_count);
    const struct type *object = object_type(g, a->attrs, a->attr_count);
    a->type = a->nesting == SCHEMA_NESTING_LIST  ? type_list(g->arena, object)
              : a->nesting == SCHEMA_NESTING_SET ? type_set(g->arena, object)
              : a->nesting == SCHEMA_NESTING_MAP ? type_map(g->arena, object)
                                                 : object;
}

static struct schema_attr *random_attrs(struct generator *g, const struct around *x, size_t *count)
{
    static const char *const names[] = {"a", "b", "c", "d", "e", "f"};
    *count = 1 + random_below(g, x->depth ? 4 : 6);
    struct schema_attr *attrs = arena_new_array(g->arena, *count, struct schema_attr);
    for (size_t i = 0; i < *count && attrs; i++) {
        struct schema_attr *a = &attrs[i];
        a->name = names[i];
        a->flags = random_flags(g, x);
        if (x->depth < DEPTH_MAX && one_in(g, 3))
            random_nested(g, a, x);
        else
            a->type = plain_type(g, !x->in_collection);
        bool fixed = a->flags == SCHEMA_COMPUTED || (a->flags & SCHEMA_WRITE_ONLY);
        if (!fixed)
            a->replace = (enum schema_replace)random_below(g, 3);
        if (a->nesting == SCHEMA_NESTING_NONE && a->type->kind != TYPE_DYNAMIC && !fixed &&
            !(a->flags & SCHEMA_REQUIRED) && one_in(g, 4)) {
            a->flags |= SCHEMA_COMPUTED;
            a->default_value = random_known(g, a->type);
        }
    }
    return attrs;
}

const struct schema *random_schema(struct generator *g)
{
    struct schema *s = arena_new_object(g->arena, struct schema);
    struct around x = {0};
    if (!s)
        return NULL;
    s->name = "llm_random";
    s->attrs = random_attrs(g, &x, &s->attr_count);
    s->has_timeouts = one_in(g, 2);
    const struct type_attr create = {"create", &type_string, false};
    struct type_attr *types = arena_new_array(g->arena, s->attr_count + 1, struct type_attr);
    if (!types || !s->attrs)
        return NULL;
    for (size_t i = 0; i < s->attr_count; i++)
        types[i] = (struct type_attr){s->attrs[i].name, s->attrs[i].type, false};
    types[s->attr_count] = (struct type_attr){"timeouts", type_object(g->arena, &create, 1), false};
    s->type = type_object(g->arena, types, s->attr_count + s->has_timeouts);
    return s;
}

/* ---- values ---- */

static const struct value *random_collection(struct generator *g, const struct type *t)
{
    static const char *const keys[] = {"x", "y", "z"};
    size_t count = random_below(g, 4);
    const struct value *elems[3] = {0};
    struct value_member members[3] = {0};
    for (size_t i = 0; i < count; i++) {
        elems[i] = random_known(g, t->elem);
        members[i] = (struct value_member){slice_str(keys[i]), elems[i]};
    }
    if (t->kind == TYPE_MAP)
        return value_map(g->arena, t->elem, members, count);
    return t->kind == TYPE_SET ? value_set(g->arena, t->elem, elems, count)
                               : value_list(g->arena, t->elem, elems, count);
}

/* A wholly known value that is not null at its top. */
static const struct value *random_known(struct generator *g, const struct type *t)
{
    static const char *const words[] = {"", "p", "q", "r"};
    struct value_member members[8] = {0};
    switch (t->kind) {
    case TYPE_STRING:
        return value_str(g->arena, words[random_below(g, 4)]);
    case TYPE_NUMBER:
        return value_int(g->arena, (int64_t)random_below(g, 3));
    case TYPE_BOOL:
        return value_bool(g->arena, one_in(g, 2));
    case TYPE_LIST:
    case TYPE_SET:
    case TYPE_MAP:
        return random_collection(g, t);
    case TYPE_OBJECT:
        for (size_t i = 0; i < t->attr_count; i++)
            members[i] = (struct value_member){slice_str(t->attrs[i].name),
                                               one_in(g, 3) ? value_null(g->arena, t->attrs[i].type)
                                                            : random_known(g, t->attrs[i].type)};
        return value_object_of(g->arena, t, members, t->attr_count);
    default:
        return random_known(g, plain_type(g, false));
    }
}

static const struct value *config_attrs(struct generator *g, const struct type *t,
                                        const struct schema_attr *attrs, size_t count,
                                        bool timeouts);

static const struct value *config_nested(struct generator *g, const struct schema_attr *a)
{
    static const char *const keys[] = {"x", "y", "z"};
    size_t count = random_below(g, 4);
    const struct value *elems[3] = {0};
    struct value_member members[3] = {0};
    if (a->nesting == SCHEMA_NESTING_SINGLE)
        return config_attrs(g, a->type, a->attrs, a->attr_count, false);
    for (size_t i = 0; i < count; i++) {
        elems[i] = config_attrs(g, a->type->elem, a->attrs, a->attr_count, false);
        members[i] = (struct value_member){slice_str(keys[i]), elems[i]};
    }
    if (a->nesting == SCHEMA_NESTING_MAP)
        return value_map(g->arena, a->type->elem, members, count);
    return a->nesting == SCHEMA_NESTING_SET ? value_set(g->arena, a->type->elem, elems, count)
                                            : value_list(g->arena, a->type->elem, elems, count);
}

static const struct value *config_attr(struct generator *g, const struct schema_attr *a)
{
    if (a->flags == SCHEMA_COMPUTED)
        return value_null(g->arena, a->type);
    if (g->unknowns && one_in(g, 6))
        return value_unknown(g->arena, a->type);
    if (!(a->flags & SCHEMA_REQUIRED) && one_in(g, 3))
        return value_null(g->arena, a->type);
    return a->nesting == SCHEMA_NESTING_NONE ? random_known(g, a->type) : config_nested(g, a);
}

static const struct value *config_attrs(struct generator *g, const struct type *t,
                                        const struct schema_attr *attrs, size_t count,
                                        bool timeouts)
{
    struct value_member members[8] = {0};
    for (size_t i = 0; i < count; i++)
        members[i] = (struct value_member){slice_str(attrs[i].name), config_attr(g, &attrs[i])};
    if (timeouts && one_in(g, 2)) {
        const struct type *block = type_attr(t, SLICE_LIT("timeouts"))->type;
        const struct value_member create = {SLICE_LIT("create"), value_str(g->arena, "1m")};
        members[count++] = (struct value_member){SLICE_LIT("timeouts"),
                                                 value_object_of(g->arena, block, &create, 1)};
    }
    return value_object_of(g->arena, t, members, count);
}

const struct value *random_config(struct generator *g, const struct schema *s)
{
    return config_attrs(g, s->type, s->attrs, s->attr_count, s->has_timeouts);
}

const struct value *random_state(struct generator *g, const struct schema *s)
{
    return schema_strip_write_only(g->arena, s, random_known(g, s->type));
}

const struct value *random_completion(struct generator *g, const struct value *v)
{
    if (value_is_unknown(v))
        return one_in(g, 5) ? value_null(g->arena, v->type) : random_known(g, v->type);
    size_t count = value_count(v);
    struct value_member *members = arena_new_array(g->arena, count, struct value_member);
    const struct value **elems = arena_new_array(g->arena, count, const struct value *);
    if (!members || !elems)
        return NULL;
    for (size_t i = 0; i < count; i++) {
        elems[i] = random_completion(g, value_at(v, i));
        members[i] = (struct value_member){v->members[i].key, elems[i]};
    }
    if (value_is_null(v) || v->type->kind < TYPE_LIST)
        return v;
    if (v->type->kind == TYPE_OBJECT)
        return value_object_of(g->arena, v->type, members, count);
    if (v->type->kind == TYPE_MAP)
        return value_map(g->arena, v->type->elem, members, count);
    if (v->type->kind == TYPE_LIST)
        return value_list(g->arena, v->type->elem, elems, count);
    const struct value *set = value_set(g->arena, v->type->elem, elems, count);
    g->merged = g->merged || value_count(set) < count;
    return set;
}

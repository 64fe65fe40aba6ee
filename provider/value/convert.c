/* Conversion between types, by Terraform's rules. */
#include "value/value.h"

#include <string.h>

struct conversion {
    struct arena *a;
    struct diags *diags;
};

static const struct value *convert(struct conversion *c, const struct value *v,
                                   const struct type *t, const struct path *path);

static const struct value *mismatch(struct conversion *c, const struct value *v,
                                    const struct type *t, const struct path *path)
{
    diags_error(c->diags, path, "Invalid value", "A value of type %s is needed here, not %s.",
                type_string_of(c->a, t), type_string_of(c->a, v->type));
    return NULL;
}

static const struct value *to_primitive(struct conversion *c, const struct value *v,
                                        const struct type *t, const struct path *path)
{
    enum type_kind from = v->type->kind;
    if (t->kind == TYPE_STRING && from == TYPE_NUMBER) {
        _cleanup_buf_ struct buf b = BUF_INIT(64 * 1024);
        return number_format(&b, v->number) < 0 ? NULL : value_buf(c->a, &b);
    }
    if (t->kind == TYPE_STRING && from == TYPE_BOOL)
        return value_str(c->a, v->boolean ? "true" : "false");
    if (t->kind == TYPE_NUMBER && from == TYPE_STRING) {
        const struct number *n = number_parse(c->a, v->string);
        return n ? value_number(c->a, n) : mismatch(c, v, t, path);
    }
    if (t->kind == TYPE_BOOL && from == TYPE_STRING) {
        if (slice_eq_str(v->string, "true") || slice_eq_str(v->string, "1"))
            return value_bool(c->a, true);
        if (slice_eq_str(v->string, "false") || slice_eq_str(v->string, "0"))
            return value_bool(c->a, false);
    }
    return mismatch(c, v, t, path);
}

static const struct value *to_sequence(struct conversion *c, const struct value *v,
                                       const struct type *t, const struct path *path)
{
    enum type_kind from = v->type->kind;
    if (from != TYPE_LIST && from != TYPE_SET && from != TYPE_TUPLE)
        return mismatch(c, v, t, path);
    if (t->kind == TYPE_TUPLE && t->attr_count != v->count)
        return mismatch(c, v, t, path);
    const struct value **elems = arena_calloc(c->a, v->count, sizeof(struct value *));
    for (size_t i = 0; elems && i < v->count; i++) {
        const struct type *elem = t->kind == TYPE_TUPLE ? t->attrs[i].type : t->elem;
        elems[i] = convert(c, v->members[i].value, elem, path_index(c->a, path, (int64_t)i));
        if (!elems[i])
            return NULL;
    }
    if (!elems)
        return NULL;
    if (t->kind == TYPE_TUPLE)
        return value_tuple(c->a, elems, v->count);
    return t->kind == TYPE_LIST ? value_list(c->a, t->elem, elems, v->count)
                                : value_set(c->a, t->elem, elems, v->count);
}

static const struct value *to_map(struct conversion *c, const struct value *v, const struct type *t,
                                  const struct path *path)
{
    if (v->type->kind != TYPE_MAP && v->type->kind != TYPE_OBJECT)
        return mismatch(c, v, t, path);
    struct value_member *m = arena_new_array(c->a, v->count, struct value_member);
    for (size_t i = 0; m && i < v->count; i++) {
        m[i].key = v->members[i].key;
        m[i].value = convert(c, v->members[i].value, t->elem, path_key(c->a, path, m[i].key));
        if (!m[i].value)
            return NULL;
    }
    return m ? value_map(c->a, t->elem, m, v->count) : NULL;
}

static const struct value *to_object(struct conversion *c, const struct value *v,
                                     const struct type *t, const struct path *path)
{
    if (v->type->kind != TYPE_MAP && v->type->kind != TYPE_OBJECT)
        return mismatch(c, v, t, path);
    struct value_member *m = arena_new_array(c->a, t->attr_count, struct value_member);
    for (size_t i = 0; m && i < t->attr_count; i++) {
        const struct type_attr *attr = &t->attrs[i];
        const struct value *have = value_get(v, attr->name);
        m[i].key = slice_str(attr->name);
        m[i].value = have ? convert(c, have, attr->type, path_attribute(c->a, path, attr->name))
                          : value_null(c->a, attr->type);
        if (!m[i].value)
            return NULL;
    }
    return m ? value_object_of(c->a, t, m, t->attr_count) : NULL;
}

static const struct value *convert(struct conversion *c, const struct value *v,
                                   const struct type *t, const struct path *path)
{
    if (!v)
        return NULL;
    if (t->kind == TYPE_DYNAMIC || type_equal(v->type, t))
        return v;
    if (v->state == VALUE_NULL)
        return value_null(c->a, t);
    if (v->state == VALUE_UNKNOWN)
        /* Prefixes and bounds are about the old type; only this promise holds for any. */
        return v->refinement && v->refinement->not_null ? value_unknown_not_null(c->a, t)
                                                        : value_unknown(c->a, t);
    switch (t->kind) {
    case TYPE_LIST:
    case TYPE_SET:
    case TYPE_TUPLE:
        return to_sequence(c, v, t, path);
    case TYPE_MAP:
        return to_map(c, v, t, path);
    case TYPE_OBJECT:
        return to_object(c, v, t, path);
    default:
        return to_primitive(c, v, t, path);
    }
}

const struct value *value_convert(struct arena *a, const struct value *v, const struct type *t,
                                  const struct path *path, struct diags *diags)
{
    struct conversion c = {a, diags};
    return convert(&c, v, t, path);
}

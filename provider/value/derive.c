/* New values from old ones: members replaced, marks, copies, walking. */
#include "value/value.h"

#include <string.h>

/* A shallow copy of `v` with its own member array of `count` entries. */
static struct value *with_members(struct arena *a, const struct value *v, size_t count,
                                  struct value_member **ret)
{
    struct value *copy = arena_new_object(a, struct value);
    struct value_member *m = arena_new_array(a, count, struct value_member);
    if (!copy || !m)
        return NULL;
    *copy = *v;
    memcpy(m, v->members, (v->count < count ? v->count : count) * sizeof(*m));
    copy->members = m;
    copy->count = count;
    *ret = m;
    return copy;
}

static const struct value *with_index(struct arena *a, const struct value *v, size_t index,
                                      const struct value *member)
{
    struct value_member *m = NULL;
    struct value *copy = with_members(a, v, v->count, &m);
    if (copy)
        m[index].value = member;
    return copy;
}

/* An object built anew, because the type of a member changes or an attribute is added. */
static const struct value *with_new_attr(struct arena *a, const struct value *v, struct slice name,
                                         const struct value *member)
{
    struct value_member *m = arena_new_array(a, v->count + 1, struct value_member);
    if (!m)
        return NULL;
    memcpy(m, v->members, v->count * sizeof(*m));
    m[v->count].key = name;
    m[v->count].value = member;
    return v->type->kind == TYPE_MAP ? value_map(a, v->type->elem, m, v->count + 1)
                                     : value_object(a, m, v->count + 1);
}

static const struct value *with_slice(struct arena *a, const struct value *v, struct slice name,
                                      const struct value *member)
{
    if (!value_is_known(v) || !member ||
        (v->type->kind != TYPE_MAP && v->type->kind != TYPE_OBJECT))
        return NULL;
    for (size_t i = 0; i < v->count; i++) {
        if (!slice_eq(v->members[i].key, name))
            continue;
        bool fits = v->type->kind == TYPE_MAP || v->type->attrs[i].type->kind == TYPE_DYNAMIC ||
                    type_equal(v->type->attrs[i].type, member->type);
        return fits ? with_index(a, v, i, member) : with_new_attr(a, v, name, member);
    }
    return with_new_attr(a, v, name, member);
}

const struct value *value_with(struct arena *a, const struct value *v, const char *name,
                               const struct value *member)
{
    return with_slice(a, v, slice_str(name), member);
}

const struct value *value_with_path(struct arena *a, const struct value *v, const char *dotted,
                                    const struct value *member)
{
    const char *dot = strchr(dotted, '.');
    if (!dot)
        return value_with(a, v, dotted, member);
    struct slice first = slice_from(dotted, (size_t)(dot - dotted));
    const struct value *child = value_get_slice(v, first);
    return child ? with_slice(a, v, first, value_with_path(a, child, dot + 1, member)) : NULL;
}

const struct value *value_with_sensitive(struct arena *a, const struct value *v)
{
    struct value *copy = v ? arena_new_object(a, struct value) : NULL;
    if (!copy)
        return NULL;
    *copy = *v;
    copy->sensitive = true;
    return copy;
}

/* A value's type and its copy, so that the members of a collection share one. */
struct type_pair {
    const struct type *old, *copy;
};

static const struct type *copy_type(struct arena *a, const struct type *t)
{
    static const struct type *const shared[] = {
        &type_dynamic,        &type_bool,          &type_number,       &type_string,
        &type_list_of_string, &type_set_of_string, &type_map_of_string};
    for (size_t i = 0; i < sizeof(shared) / sizeof(*shared); i++)
        if (t == shared[i] || (i < 4 && t->kind == shared[i]->kind))
            return shared[i];
    struct type *copy = arena_new_object(a, struct type);
    struct type_attr *attrs = arena_new_array(a, t->attr_count, struct type_attr);
    if (!copy || !attrs)
        return NULL;
    copy->kind = t->kind;
    copy->attr_count = t->attr_count;
    copy->attrs = attrs;
    if (t->elem && !(copy->elem = copy_type(a, t->elem)))
        return NULL;
    for (size_t i = 0; i < t->attr_count; i++) {
        attrs[i].optional = t->attrs[i].optional;
        attrs[i].name = arena_strdup(a, t->attrs[i].name);
        attrs[i].type = copy_type(a, t->attrs[i].type);
        if (!attrs[i].type || (t->attrs[i].name && !attrs[i].name))
            return NULL;
    }
    return copy;
}

static const struct number *copy_number(struct arena *a, const struct number *n)
{
    struct number *copy = n ? arena_new_object(a, struct number) : NULL;
    char *digits = copy ? arena_strndup(a, n->digits.ptr, n->digits.len) : NULL;
    if (!digits)
        return NULL;
    *copy = *n;
    copy->digits.ptr = digits;
    return copy;
}

static const struct refinement *copy_refinement(struct arena *a, const struct refinement *r)
{
    struct refinement *copy = arena_new_object(a, struct refinement);
    char *prefix = arena_strndup(a, r->prefix.ptr ? r->prefix.ptr : "", r->prefix.len);
    if (!copy || !prefix)
        return NULL;
    *copy = *r;
    copy->prefix.ptr = prefix;
    copy->min = copy_number(a, r->min);
    copy->max = copy_number(a, r->max);
    return (r->min && !copy->min) || (r->max && !copy->max) ? NULL : copy;
}

static const struct value *copy_value(struct arena *a, const struct value *v,
                                      struct type_pair known);

static bool copy_members(struct arena *a, struct value *copy, const struct value *v)
{
    struct value_member *m = arena_new_array(a, v->count, struct value_member);
    if (!m)
        return false;
    for (size_t i = 0; i < v->count; i++) {
        const char *key = arena_strndup(a, v->members[i].key.ptr ? v->members[i].key.ptr : "",
                                        v->members[i].key.len);
        struct type_pair known = {v->type->elem, copy->type->elem};
        if (!known.old)
            known = (struct type_pair){v->type->attrs[i].type, copy->type->attrs[i].type};
        m[i].value = copy_value(a, v->members[i].value, known);
        if (!key || !m[i].value)
            return false;
        m[i].key = slice_from(key, v->members[i].key.len);
    }
    copy->members = m;
    return true;
}

static const struct value *copy_value(struct arena *a, const struct value *v,
                                      struct type_pair known)
{
    struct value *copy = v ? arena_new_object(a, struct value) : NULL;
    if (!copy)
        return NULL;
    *copy = *v;
    copy->type = v->type == known.old ? known.copy : copy_type(a, v->type);
    if (!copy->type)
        return NULL;
    if (v->refinement && !(copy->refinement = copy_refinement(a, v->refinement)))
        return NULL;
    if (v->state != VALUE_KNOWN || v->type->kind == TYPE_BOOL)
        return copy;
    if (v->type->kind == TYPE_NUMBER)
        return (copy->number = copy_number(a, v->number)) ? copy : NULL;
    if (v->type->kind == TYPE_STRING) {
        const char *text = arena_strndup(a, v->string.ptr, v->string.len);
        copy->string.ptr = text;
        return text ? copy : NULL;
    }
    return copy_members(a, copy, v) ? copy : NULL;
}

const struct value *value_copy(struct arena *a, const struct value *v)
{
    return copy_value(a, v, (struct type_pair){NULL, NULL});
}

static const struct path *member_path(struct arena *a, const struct value *v,
                                      const struct path *parent, size_t i)
{
    switch (v->type->kind) {
    case TYPE_OBJECT:
        return path_attribute(a, parent, v->type->attrs[i].name);
    case TYPE_MAP:
        return path_key(a, parent, v->members[i].key);
    case TYPE_SET:
        return parent;
    default:
        return path_index(a, parent, (int64_t)i);
    }
}

int value_walk(struct arena *a, const struct value *v, const struct path *path,
               int (*fn)(void *arg, const struct value *v, const struct path *path), void *arg)
{
    if (!v)
        return 0;
    int rc = fn(arg, v, path);
    for (size_t i = 0; rc == 0 && i < value_count(v); i++)
        rc = value_walk(a, v->members[i].value, member_path(a, v, path, i), fn, arg);
    return rc;
}

/* Fields by their owners, from metadata.managedFields. The form of fieldsV1 is that of the API
 * reference (FieldsV1 of meta/v1): "f:NAME" is a field, "k:KEYS" the item of a list that has these
 * values of its keys, "v:VALUE" an item of a set, "i:N" one by its place, "." the thing itself, and
 * {} all that is below. */
#include "kubernetes/applied.h"

#include <stdlib.h>
#include <string.h>

#include "kubernetes/rollout.h"
#include "value/codec.h"

/* The JSON after the prefix; NULL when it is none. */
static const struct value *json_of(struct arena *a, struct slice key)
{
    const struct value *v = NULL;
    struct diags ignored;
    diags_init(&ignored, a);
    return value_json_parse(a, slice_from(key.ptr + 2, key.len - 2), &v, &ignored) == 0 ? v : NULL;
}

static bool has_keys(const struct value *item, const struct value *keys)
{
    for (size_t i = 0; i < value_count(keys); i++) {
        const struct value *of = value_get_slice(item, keys->members[i].key);
        if (!of || !value_equal(of, keys->members[i].value))
            return false;
    }
    return value_count(keys) > 0;
}

/* 1, 0, or -1 when the key makes no sense or memory is out. */
static int is_item(struct arena *a, struct slice key, const struct value *item, size_t place)
{
    bool keys = slice_has_prefix(key, "k:"), value = slice_has_prefix(key, "v:");
    if (!keys && !value && !slice_has_prefix(key, "i:"))
        return 0;
    const struct value *v = json_of(a, key);
    if (!v)
        return -1;
    return keys    ? has_keys(item, v)
           : value ? value_equal(v, item)
                   : value_int_or(v, -1) == (int64_t)place;
}

static const struct value *owned(struct arena *a, const struct value *v,
                                 const struct value *fields);

/* The fields that are owned of a list's item: NULL in *ret when it is not owned. 0 or -1. */
static int fields_of_item(struct arena *a, const struct value *fields, const struct value *item,
                          size_t place, const struct value **ret)
{
    *ret = NULL;
    for (size_t i = 0; i < value_count(fields) && !*ret; i++) {
        int found = is_item(a, fields->members[i].key, item, place);
        if (found < 0)
            return -1;
        if (found)
            *ret = fields->members[i].value;
    }
    return 0;
}

/* A list is short, and so are its owners' entries: each item is looked for among them all. */
static const struct value *owned_items(struct arena *a, const struct value *list,
                                       const struct value *fields)
{
    size_t kept = 0;
    const struct value **items = arena_new_array(a, value_count(list), const struct value *);
    for (size_t i = 0; items && i < value_count(list); i++) {
        const struct value *below = NULL;
        if (fields_of_item(a, fields, value_at(list, i), i, &below) < 0)
            return NULL;
        if (below)
            items[kept++] = owned(a, value_at(list, i), below);
    }
    return items ? value_tuple(a, items, kept) : NULL;
}

static const struct value *owned_members(struct arena *a, const struct value *object,
                                         const struct value *fields)
{
    size_t kept = 0;
    struct value_member *m = arena_new_array(a, value_count(object), struct value_member);
    for (size_t i = 0; m && i < value_count(object); i++) {
        const struct value_member *of = &object->members[i];
        const char *name = arena_printf(a, "f:%.*s", (int)of->key.len, of->key.ptr);
        const struct value *below = name ? value_get(fields, name) : NULL;
        if (!name)
            return NULL;
        if (below)
            m[kept++] = (struct value_member){of->key, owned(a, of->value, below)};
    }
    return m ? value_object(a, m, kept) : NULL;
}

static const struct value *owned(struct arena *a, const struct value *v, const struct value *fields)
{
    if (!value_count(fields) || !value_is_known(v))
        return v;
    if (v->type->kind == TYPE_TUPLE)
        return owned_items(a, v, fields);
    return v->type->kind == TYPE_OBJECT ? owned_members(a, v, fields) : v;
}

/* What the manager applied to the object itself, not to one of its subresources; NULL: nothing. */
static const struct value *fields_of(const struct value *managed, const char *manager)
{
    for (size_t i = 0; i < value_count(managed); i++) {
        const struct value *e = value_at(managed, i);
        if (strcmp(value_cstr(value_get(e, "manager"), ""), manager) == 0 &&
            strcmp(value_cstr(value_get(e, "operation"), ""), "Apply") == 0 &&
            !*value_cstr(value_get(e, "subresource"), ""))
            return value_get(e, "fieldsV1");
    }
    return NULL;
}

/* The names of those that have written fields, each once. */
static const struct value *managers_of(struct arena *a, const struct value *managed)
{
    const struct value *names = value_tuple(a, NULL, 0);
    for (size_t i = 0; names && i < value_count(managed); i++) {
        const struct value *name = value_get(value_at(managed, i), "manager");
        if (value_slice(name).len && !value_has_text(names, value_cstr(name, "")))
            names = value_tuple_join(a, names, value_tuple(a, &name, 1));
    }
    return names;
}

static const struct value *id_of(struct arena *a, const struct value *metadata)
{
    const char *namespace = value_cstr(value_get(metadata, "namespace"), "");
    return value_printf(a, "%s%s%s", namespace, *namespace ? "/" : "",
                        value_cstr(value_get(metadata, "name"), ""));
}

enum { ADDED_MOST = 3 };

/* The object without the member, and with room for those that are added behind. */
static struct value_member *without(struct arena *a, const struct value *object, const char *name,
                                    size_t *ret_count)
{
    struct value_member *m =
        arena_new_array(a, value_count(object) + ADDED_MOST, struct value_member);
    *ret_count = 0;
    for (size_t i = 0; m && i < value_count(object); i++)
        if (!slice_eq_str(object->members[i].key, name))
            m[(*ret_count)++] = object->members[i];
    return m;
}

static bool is_object(const struct value *v)
{
    return value_is_known(v) && v->type->kind == TYPE_OBJECT;
}

static const struct value *mark(struct arena *a, const struct value *object, const char *manager)
{
    size_t count = 0;
    const struct value *metadata = value_get(object, "metadata");
    const struct value *managed = value_get(metadata, "managedFields");
    if (!is_object(metadata) || !managed)
        return object;
    const struct value *fields = fields_of(managed, manager);
    struct value_member *m = without(a, metadata, "managedFields", &count);
    const struct value *bare = m ? value_object(a, m, count) : NULL;
    m = bare ? without(a, object, "applied", &count) : NULL;
    for (size_t i = 0; m && i < count; i++)
        if (slice_eq_str(m[i].key, "metadata"))
            m[i].value = bare;
    if (m && fields && (m = without(a, value_object(a, m, count), "id", &count))) {
        m[count++] = (struct value_member){SLICE_LIT("applied"), owned(a, object, fields)};
        m[count++] = (struct value_member){SLICE_LIT("id"), id_of(a, metadata)};
    }
    if (m && !fields && (m = without(a, value_object(a, m, count), "managers", &count)))
        m[count++] = (struct value_member){SLICE_LIT("managers"), managers_of(a, managed)};
    const struct value *rollout = m ? kubernetes_rollout(a, object) : NULL;
    if (rollout && (m = without(a, value_object(a, m, count), "rollout", &count)))
        m[count++] = (struct value_member){SLICE_LIT("rollout"), rollout};
    return m ? value_object(a, m, count) : NULL;
}

static const struct value *mark_all(struct arena *a, const struct value *answer,
                                    const struct value *items, const char *manager)
{
    size_t count = 0;
    const struct value **marked = arena_new_array(a, value_count(items), const struct value *);
    for (size_t i = 0; marked && i < value_count(items); i++) {
        const struct value *item = value_at(items, i);
        marked[i] = is_object(item) ? mark(a, item, manager) : item;
    }
    struct value_member *m = marked ? without(a, answer, "items", &count) : NULL;
    if (!m)
        return NULL;
    m[count++] =
        (struct value_member){SLICE_LIT("items"), value_tuple(a, marked, value_count(items))};
    return value_object(a, m, count);
}

const struct value *kubernetes_mark_applied(struct arena *a, const struct value *answer,
                                            const char *manager)
{
    const struct value *items = value_get(answer, "items"), *ret = NULL;
    if (!is_object(answer))
        return answer;
    ret = value_is_known(items) && items->type->kind == TYPE_TUPLE
              ? mark_all(a, answer, items, manager)
              : mark(a, answer, manager);
    /* A key that could not be read for want of memory must not look like a field that is gone. */
    return arena_failed(a) ? NULL : ret;
}

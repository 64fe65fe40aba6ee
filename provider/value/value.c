/* Making values and looking at them. */
#include "value/value.h"

#include <stdlib.h>
#include <string.h>

static struct value *fresh(struct arena *a, const struct type *t, enum value_state state)
{
    struct value *v = t ? arena_new_object(a, struct value) : NULL;
    if (v) {
        v->type = t;
        v->state = state;
    }
    return v;
}

const struct value *value_null(struct arena *a, const struct type *t)
{
    return fresh(a, t, VALUE_NULL);
}

const struct value *value_unknown(struct arena *a, const struct type *t)
{
    return fresh(a, t, VALUE_UNKNOWN);
}

const struct value *value_unknown_refined(struct arena *a, const struct type *t,
                                          const struct refinement *r)
{
    /* A dynamic unknown has no type yet that a promise could be about. */
    if (t && t->kind == TYPE_DYNAMIC)
        return value_unknown(a, t);
    struct value *v = fresh(a, t, VALUE_UNKNOWN);
    struct refinement *copy = arena_new_object(a, struct refinement);
    if (!v || !copy)
        return NULL;
    *copy = *r;
    if (r->prefix.len) {
        char *prefix = arena_strndup(a, r->prefix.ptr, r->prefix.len);
        if (!prefix)
            return NULL;
        copy->prefix = slice_from(prefix, r->prefix.len);
    }
    v->refinement = copy;
    return v;
}

const struct value *value_unknown_not_null(struct arena *a, const struct type *t)
{
    const struct refinement r = {.not_null = true, .length_min = -1, .length_max = -1};
    return value_unknown_refined(a, t, &r);
}

const struct value *value_bool(struct arena *a, bool b)
{
    struct value *v = fresh(a, &type_bool, VALUE_KNOWN);
    if (v)
        v->boolean = b;
    return v;
}

const struct value *value_number(struct arena *a, const struct number *n)
{
    struct value *v = n ? fresh(a, &type_number, VALUE_KNOWN) : NULL;
    if (v)
        v->number = n;
    return v;
}

const struct value *value_int(struct arena *a, int64_t n)
{
    return value_number(a, number_from_int(a, n));
}

const struct value *value_buf(struct arena *a, const struct buf *b)
{
    return b->failed ? NULL : value_string(a, buf_slice(b));
}

const struct value *value_string(struct arena *a, struct slice s)
{
    struct value *v = fresh(a, &type_string, VALUE_KNOWN);
    char *copy = arena_strndup(a, s.ptr ? s.ptr : "", s.len);
    if (!v || !copy)
        return NULL;
    v->string = slice_from(copy, s.len);
    return v;
}

const struct value *value_str(struct arena *a, const char *s)
{
    return s ? value_string(a, slice_str(s)) : value_null(a, &type_string);
}

const struct value *value_printf(struct arena *a, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    const char *text = arena_vprintf(a, fmt, ap);
    va_end(ap);
    return text ? value_string(a, slice_str(text)) : NULL;
}

/* A collection or tuple of type `t` with the given elements. */
static struct value *sequence(struct arena *a, const struct type *t,
                              const struct value *const *elems, size_t count)
{
    struct value *v = fresh(a, t, VALUE_KNOWN);
    struct value_member *members = arena_new_array(a, count, struct value_member);
    if (!v || !members)
        return NULL;
    for (size_t i = 0; i < count; i++) {
        if (!elems[i])
            return NULL;
        members[i].value = elems[i];
    }
    v->members = members;
    v->count = count;
    return v;
}

const struct value *value_list(struct arena *a, const struct type *elem,
                               const struct value *const *elems, size_t count)
{
    return sequence(a, type_list(a, elem), elems, count);
}

struct keyed {
    struct value_member member;
    size_t order;
};

static int by_value(const void *a, const void *b)
{
    const struct keyed *x = a, *y = b;
    int c = value_compare(x->member.value, y->member.value);
    return c ? c : (x->order > y->order) - (x->order < y->order);
}

/* The members in canonical order (equal ones as they came), each once. */
static bool make_set(struct arena *a, struct value *v)
{
    struct keyed *all = arena_new_array(a, v->count, struct keyed);
    struct value_member *out = arena_new_array(a, v->count, struct value_member);
    if (!all || !out)
        return false;
    for (size_t i = 0; i < v->count; i++)
        all[i] = (struct keyed){v->members[i], i};
    qsort(all, v->count, sizeof(*all), by_value);
    size_t kept = 0;
    for (size_t i = 0; i < v->count; i++) {
        const struct value *one = all[i].member.value;
        /* Unknown elements may turn out different: all of them stay. */
        if (kept == 0 || value_compare(out[kept - 1].value, one) != 0 ||
            !value_is_wholly_known(one))
            out[kept++].value = one;
    }
    v->members = out;
    v->count = kept;
    return true;
}

const struct value *value_set(struct arena *a, const struct type *elem,
                              const struct value *const *elems, size_t count)
{
    struct value *v = sequence(a, type_set(a, elem), elems, count);
    if (!v || count < 2)
        return v;
    return make_set(a, v) ? v : NULL;
}

const struct value *value_tuple(struct arena *a, const struct value *const *elems, size_t count)
{
    const struct type **types = arena_calloc(a, count, sizeof(struct type *));
    for (size_t i = 0; types && i < count; i++) {
        if (!elems[i])
            return NULL;
        types[i] = elems[i]->type;
    }
    return types ? sequence(a, type_tuple(a, types, count), elems, count) : NULL;
}

const struct value *value_tuple_join(struct arena *a, const struct value *x, const struct value *y)
{
    size_t before = value_count(x), count = before + value_count(y);
    const struct value **elems = arena_calloc(a, count + 1, sizeof(struct value *));
    for (size_t i = 0; elems && i < count; i++)
        elems[i] = i < before ? value_at(x, i) : value_at(y, i - before);
    return elems ? value_tuple(a, elems, count) : NULL;
}

static int by_key(const void *a, const void *b)
{
    const struct keyed *x = a, *y = b;
    int c = slice_cmp(x->member.key, y->member.key);
    return c ? c : (x->order > y->order) - (x->order < y->order);
}

/* Copies of the members sorted by key, the last of equal keys kept. NULL when a value is NULL. */
static struct value_member *sorted_members(struct arena *a, const struct value_member *members,
                                           size_t *count)
{
    struct keyed *all = arena_new_array(a, *count, struct keyed);
    struct value_member *out = arena_new_array(a, *count, struct value_member);
    if (!all || !out)
        return NULL;
    for (size_t i = 0; i < *count; i++) {
        if (!members[i].value)
            return NULL;
        all[i].member = members[i];
        all[i].order = i;
    }
    if (*count > 1)
        qsort(all, *count, sizeof(*all), by_key);
    size_t kept = 0;
    for (size_t i = 0; i < *count; i++) {
        if (i + 1 < *count && slice_eq(all[i].member.key, all[i + 1].member.key))
            continue;
        struct slice key = all[i].member.key;
        char *copy = arena_strndup(a, key.ptr ? key.ptr : "", key.len);
        if (!copy)
            return NULL;
        out[kept].key = slice_from(copy, key.len);
        out[kept++].value = all[i].member.value;
    }
    *count = kept;
    return out;
}

const struct value *value_map(struct arena *a, const struct type *elem,
                              const struct value_member *members, size_t count)
{
    struct value *v = fresh(a, type_map(a, elem), VALUE_KNOWN);
    struct value_member *sorted = sorted_members(a, members, &count);
    if (!v || !sorted)
        return NULL;
    v->members = sorted;
    v->count = count;
    return v;
}

const struct value *value_object(struct arena *a, const struct value_member *members, size_t count)
{
    struct value_member *sorted = sorted_members(a, members, &count);
    struct type_attr *attrs = arena_new_array(a, count, struct type_attr);
    if (!sorted || !attrs)
        return NULL;
    for (size_t i = 0; i < count; i++) {
        attrs[i].name = sorted[i].key.ptr;
        attrs[i].type = sorted[i].value->type;
    }
    struct value *v = fresh(a, type_object(a, attrs, count), VALUE_KNOWN);
    if (!v)
        return NULL;
    v->members = sorted;
    v->count = count;
    return v;
}

const struct value *value_object_of(struct arena *a, const struct type *t,
                                    const struct value_member *members, size_t count)
{
    struct value *v = fresh(a, t, VALUE_KNOWN);
    struct value_member *out = arena_new_array(a, t->attr_count, struct value_member);
    if (!v || !out)
        return NULL;
    for (size_t i = 0; i < count; i++) {
        const struct type_attr *attr = type_attr(t, members[i].key);
        if (!attr || !members[i].value)
            return NULL;
        out[attr - t->attrs].value = members[i].value;
    }
    for (size_t i = 0; i < t->attr_count; i++) {
        out[i].key = slice_str(t->attrs[i].name);
        if (!out[i].value)
            out[i].value = value_null(a, t->attrs[i].type);
        if (!out[i].value)
            return NULL;
    }
    v->members = out;
    v->count = t->attr_count;
    return v;
}

bool value_is_null(const struct value *v)
{
    return !v || v->state == VALUE_NULL;
}

bool value_is_unknown(const struct value *v)
{
    return v && v->state == VALUE_UNKNOWN;
}

bool value_is_known(const struct value *v)
{
    return v && v->state == VALUE_KNOWN;
}

bool value_is_wholly_known(const struct value *v)
{
    if (value_is_unknown(v))
        return false;
    for (size_t i = 0; i < value_count(v); i++)
        if (!value_is_wholly_known(v->members[i].value))
            return false;
    return true;
}

size_t value_count(const struct value *v)
{
    return value_is_known(v) && v->type->kind >= TYPE_LIST ? v->count : 0;
}

const struct value *value_at(const struct value *v, size_t index)
{
    return index < value_count(v) ? v->members[index].value : NULL;
}

const struct value *value_get_slice(const struct value *v, struct slice name)
{
    if (!value_is_known(v) || (v->type->kind != TYPE_MAP && v->type->kind != TYPE_OBJECT))
        return NULL;
    size_t low = 0, high = v->count;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        int c = slice_cmp(name, v->members[mid].key);
        if (c == 0)
            return v->members[mid].value;
        if (c < 0)
            high = mid;
        else
            low = mid + 1;
    }
    return NULL;
}

const struct value *value_get(const struct value *v, const char *name)
{
    return value_get_slice(v, slice_str(name));
}

const struct value *value_path(const struct value *v, const char *dotted)
{
    while (*dotted && v) {
        if (!value_is_known(v))
            return v;
        size_t len = strcspn(dotted, ".");
        v = value_get_slice(v, slice_from(dotted, len));
        dotted += len;
        dotted += *dotted == '.';
    }
    return v;
}

const struct value *value_at_path(const struct value *v, const struct path *p)
{
    if (!p)
        return v;
    const struct value *parent = value_at_path(v, p->parent);
    if (!parent || !value_is_known(parent))
        return parent;
    if (p->step == PATH_INDEX)
        return p->index < 0 ? NULL : value_at(parent, (size_t)p->index);
    return value_get_slice(parent, p->name);
}

struct slice value_slice(const struct value *v)
{
    return value_is_known(v) && v->type->kind == TYPE_STRING ? v->string : SLICE_EMPTY;
}

const char *value_cstr(const struct value *v, const char *otherwise)
{
    return value_is_known(v) && v->type->kind == TYPE_STRING ? v->string.ptr : otherwise;
}

bool value_true(const struct value *v)
{
    return value_is_known(v) && v->type->kind == TYPE_BOOL && v->boolean;
}

bool value_to_int(const struct value *v, int64_t *ret)
{
    return value_is_known(v) && v->type->kind == TYPE_NUMBER && number_to_int(v->number, ret);
}

int64_t value_int_or(const struct value *v, int64_t otherwise)
{
    int64_t n = otherwise;
    return value_to_int(v, &n) ? n : otherwise;
}

bool value_has_text(const struct value *v, const char *text)
{
    for (size_t i = 0; i < value_count(v); i++)
        if (slice_eq_str(value_slice(value_at(v, i)), text))
            return true;
    return false;
}

/* Types of values: making, comparing, and their JSON form. */
#include "value/type.h"

#include <stdlib.h>
#include <string.h>

#include "value/codec.h"

enum { TYPE_DEPTH_MOST = 32, TYPE_ATTRS_MOST = 4096, TYPE_BYTES_MOST = 1 << 20 };

const struct type type_dynamic = {TYPE_DYNAMIC, NULL, NULL, 0};
const struct type type_bool = {TYPE_BOOL, NULL, NULL, 0};
const struct type type_number = {TYPE_NUMBER, NULL, NULL, 0};
const struct type type_string = {TYPE_STRING, NULL, NULL, 0};
const struct type type_list_of_string = {TYPE_LIST, &type_string, NULL, 0};
const struct type type_set_of_string = {TYPE_SET, &type_string, NULL, 0};
const struct type type_map_of_string = {TYPE_MAP, &type_string, NULL, 0};

static const struct type *collection(struct arena *a, enum type_kind kind, const struct type *elem)
{
    struct type *t = elem ? arena_new_object(a, struct type) : NULL;
    if (!t)
        return NULL;
    t->kind = kind;
    t->elem = elem;
    return t;
}

const struct type *type_list(struct arena *a, const struct type *elem)
{
    return collection(a, TYPE_LIST, elem);
}

const struct type *type_set(struct arena *a, const struct type *elem)
{
    return collection(a, TYPE_SET, elem);
}

const struct type *type_map(struct arena *a, const struct type *elem)
{
    return collection(a, TYPE_MAP, elem);
}

const struct type *type_tuple(struct arena *a, const struct type *const *elems, size_t count)
{
    struct type *t = arena_new_object(a, struct type);
    struct type_attr *attrs = arena_new_array(a, count, struct type_attr);
    if (!t || !attrs)
        return NULL;
    for (size_t i = 0; i < count; i++) {
        if (!elems[i])
            return NULL;
        attrs[i].type = elems[i];
    }
    *t = (struct type){TYPE_TUPLE, NULL, attrs, count};
    return t;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct type_attr *)a)->name, ((const struct type_attr *)b)->name);
}

const struct type *type_object(struct arena *a, const struct type_attr *attrs, size_t count)
{
    struct type *t = arena_new_object(a, struct type);
    struct type_attr *copy = arena_new_array(a, count, struct type_attr);
    if (!t || !copy)
        return NULL;
    for (size_t i = 0; i < count; i++) {
        copy[i] = attrs[i];
        copy[i].name = arena_strdup(a, attrs[i].name);
        if (!copy[i].name || !copy[i].type)
            return NULL;
    }
    if (count > 1)
        qsort(copy, count, sizeof(*copy), by_name);
    for (size_t i = 1; i < count; i++)
        if (strcmp(copy[i - 1].name, copy[i].name) == 0)
            return NULL;
    *t = (struct type){TYPE_OBJECT, NULL, copy, count};
    return t;
}

bool type_equal(const struct type *a, const struct type *b)
{
    if (a == b)
        return true;
    if (!a || !b || a->kind != b->kind || a->attr_count != b->attr_count)
        return false;
    if (a->elem && !type_equal(a->elem, b->elem))
        return false;
    for (size_t i = 0; i < a->attr_count; i++) {
        if (a->kind == TYPE_OBJECT && strcmp(a->attrs[i].name, b->attrs[i].name) != 0)
            return false;
        if (!type_equal(a->attrs[i].type, b->attrs[i].type))
            return false;
    }
    return true;
}

const struct type_attr *type_attr(const struct type *t, struct slice name)
{
    if (t->kind != TYPE_OBJECT)
        return NULL;
    size_t low = 0, high = t->attr_count;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        int c = slice_cmp(name, slice_str(t->attrs[mid].name));
        if (c == 0)
            return &t->attrs[mid];
        if (c < 0)
            high = mid;
        else
            low = mid + 1;
    }
    return NULL;
}

static const char *const kind_names[] = {"dynamic", "bool", "number", "string", "list",
                                         "set",     "map",  "tuple",  "object"};

static int encode(struct buf *out, const struct type *t, int depth);

static void encode_members(struct buf *out, const struct type *t, int depth)
{
    bool object = t->kind == TYPE_OBJECT;
    buf_append_char(out, object ? '{' : '[');
    for (size_t i = 0; i < t->attr_count; i++) {
        if (i)
            buf_append_char(out, ',');
        if (object) {
            buf_append_char(out, '"');
            buf_append_json_escaped(out, slice_str(t->attrs[i].name));
            buf_append_str(out, "\":");
        }
        encode(out, t->attrs[i].type, depth + 1);
    }
    buf_append_char(out, object ? '}' : ']');
}

static void encode_optional_names(struct buf *out, const struct type *t)
{
    bool any = false;
    for (size_t i = 0; i < t->attr_count; i++) {
        if (!t->attrs[i].optional)
            continue;
        buf_append_str(out, any ? "," : ",[");
        buf_append_char(out, '"');
        buf_append_json_escaped(out, slice_str(t->attrs[i].name));
        buf_append_char(out, '"');
        any = true;
    }
    if (any)
        buf_append_char(out, ']');
}

static int encode(struct buf *out, const struct type *t, int depth)
{
    if (depth > TYPE_DEPTH_MOST)
        out->failed = true;
    if (out->failed)
        return -1;
    if (t->kind <= TYPE_STRING) {
        buf_printf(out, "\"%s\"", kind_names[t->kind]);
    } else {
        buf_printf(out, "[\"%s\",", kind_names[t->kind]);
        if (t->elem)
            encode(out, t->elem, depth + 1);
        else
            encode_members(out, t, depth);
        if (t->kind == TYPE_OBJECT)
            encode_optional_names(out, t);
        buf_append_char(out, ']');
    }
    return out->failed ? -1 : 0;
}

int type_json_encode(struct buf *out, const struct type *t)
{
    return encode(out, t, 0);
}

static const struct type *primitive(struct slice name)
{
    static const struct type *const all[] = {&type_dynamic, &type_bool, &type_number, &type_string};
    for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
        if (slice_eq_str(name, kind_names[all[i]->kind]))
            return all[i];
    return NULL;
}

static const struct type *from_json(struct arena *a, const struct value *v, int depth);

/* Go writes an empty list or map that was never made as null: ["tuple",null]. */
static bool is_members(const struct value *v, enum type_kind kind)
{
    return value_is_known(v) ? v->type->kind == kind : v && v->type->kind == TYPE_DYNAMIC;
}

static const struct type *object_from_json(struct arena *a, const struct value *attrs,
                                           const struct value *optional, int depth)
{
    size_t count = value_count(attrs);
    if (!is_members(attrs, TYPE_OBJECT) || count > TYPE_ATTRS_MOST || value_count(optional) > count)
        return NULL;
    struct type_attr *list = arena_new_array(a, count, struct type_attr);
    if (!list)
        return NULL;
    for (size_t i = 0; i < count; i++) {
        list[i].name = attrs->type->attrs[i].name;
        list[i].type = from_json(a, value_at(attrs, i), depth + 1);
        for (size_t k = 0; k < value_count(optional); k++)
            if (slice_eq_str(value_slice(value_at(optional, k)), list[i].name))
                list[i].optional = true;
    }
    return type_object(a, list, count);
}

static const struct type *tuple_from_json(struct arena *a, const struct value *elems, int depth)
{
    size_t count = value_count(elems);
    if (!is_members(elems, TYPE_TUPLE) || count > TYPE_ATTRS_MOST)
        return NULL;
    const struct type **list = arena_calloc(a, count, sizeof(struct type *));
    for (size_t i = 0; list && i < count; i++)
        list[i] = from_json(a, value_at(elems, i), depth + 1);
    return list ? type_tuple(a, list, count) : NULL;
}

static const struct type *from_json(struct arena *a, const struct value *v, int depth)
{
    if (depth > TYPE_DEPTH_MOST || !v || !value_is_known(v))
        return NULL;
    if (v->type->kind == TYPE_STRING)
        return primitive(v->string);
    size_t count = value_count(v);
    if (v->type->kind != TYPE_TUPLE || count < 2 || count > 3)
        return NULL;
    struct slice kind = value_slice(value_at(v, 0));
    const struct value *what = value_at(v, 1);
    if (slice_eq_str(kind, "object"))
        return object_from_json(a, what, value_at(v, 2), depth);
    if (count != 2)
        return NULL;
    if (slice_eq_str(kind, "tuple"))
        return tuple_from_json(a, what, depth);
    for (enum type_kind k = TYPE_LIST; k <= TYPE_MAP; k++)
        if (slice_eq_str(kind, kind_names[k]))
            return collection(a, k, from_json(a, what, depth + 1));
    return NULL;
}

const struct type *type_json_decode(struct arena *a, struct slice json, struct diags *diags)
{
    const struct value *v = NULL;
    if (json.len <= TYPE_BYTES_MOST && value_json_parse(a, json, &v, diags) < 0)
        return NULL;
    const struct type *t = from_json(a, v, 0);
    if (!t)
        diags_error(diags, NULL, "Invalid type description",
                    "A value carries a type that is not one of the protocol's.");
    return t;
}

static void append_type(struct buf *out, const struct type *t)
{
    if (t->kind == TYPE_DYNAMIC) {
        buf_append_str(out, "any");
        return;
    }
    buf_append_str(out, kind_names[t->kind]);
    if (t->elem) {
        buf_append_char(out, '(');
        append_type(out, t->elem);
        buf_append_char(out, ')');
    } else if (t->kind >= TYPE_TUPLE) {
        buf_append_str(out, t->kind == TYPE_OBJECT ? "({" : "([");
        for (size_t i = 0; i < t->attr_count; i++) {
            buf_append_str(out, i ? ", " : "");
            if (t->attrs[i].name)
                buf_printf(out, "%s = ", t->attrs[i].name);
            append_type(out, t->attrs[i].type);
        }
        buf_append_str(out, t->kind == TYPE_OBJECT ? "})" : "])");
    }
}

const char *type_string_of(struct arena *a, const struct type *t)
{
    _cleanup_buf_ struct buf b = BUF_INIT(64 * 1024);
    append_type(&b, t);
    return arena_buf(a, &b);
}

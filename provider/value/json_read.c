/* Reading JSON: plain, and as cty's json package defines it for a type.
 *
 * jansson parses. It rounds numbers, so they are marked on the way in: outside strings, every run
 * of characters that can be part of a number becomes a string with a prefix that no other string
 * has, because all others get a prefix of their own. */
#include "value/codec.h"

#include <string.h>

#include <jansson.h>

enum { BYTES_MOST = 64 << 20, MEMBERS_MOST = 4 << 20, DEPTH_MOST = 64 };

static const char MARK_NUMBER = 'n', MARK_STRING = 's';

static bool in_number(char c)
{
    return (c >= '0' && c <= '9') || c == '-' || c == '+' || c == '.' || c == 'e' || c == 'E';
}

/* Copies a string literal with the mark behind its opening quote; returns where it ends. */
static size_t mark_string(struct buf *out, struct slice in, size_t i)
{
    size_t start = ++i;
    while (i < in.len && in.ptr[i] != '"')
        i += in.ptr[i] == '\\' ? 2 : 1;
    if (i > in.len)
        i = in.len;
    buf_append_char(out, '"');
    buf_append_char(out, MARK_STRING);
    buf_append(out, in.ptr + start, i - start);
    if (i < in.len) {
        buf_append_char(out, '"');
        i++;
    }
    return i;
}

static size_t mark_number(struct buf *out, struct slice in, size_t i)
{
    size_t start = i;
    while (i < in.len && in_number(in.ptr[i]))
        i++;
    buf_append_char(out, '"');
    buf_append_char(out, MARK_NUMBER);
    buf_append(out, in.ptr + start, i - start);
    buf_append_char(out, '"');
    return i;
}

static void mark(struct buf *out, struct slice in)
{
    size_t i = 0;
    while (i < in.len && !out->failed) {
        char c = in.ptr[i];
        if (c == '"') {
            i = mark_string(out, in, i);
        } else if (c == '-' || (c >= '0' && c <= '9')) {
            i = mark_number(out, in, i);
        } else {
            buf_append_char(out, c);
            i++;
        }
    }
}

struct reader {
    struct arena *a;
    struct diags *diags;
    size_t members;
    bool lenient;
};

static const struct value *refuse(struct reader *r, const struct path *path, const char *why)
{
    diags_error(r->diags, path, "Invalid JSON", "%s.", why);
    return NULL;
}

static bool enter(struct reader *r, const json_t *j, int depth, const struct path *path)
{
    r->members += json_is_array(j) ? json_array_size(j) : json_object_size(j);
    if (depth < DEPTH_MOST && r->members <= MEMBERS_MOST)
        return true;
    refuse(r, path,
           "The document is nested more than 64 levels deep, or has over 4 million members");
    return false;
}

/* A key without its mark. */
static struct slice plain_key(const char *key)
{
    return slice_str(key + (*key ? 1 : 0));
}

static const struct value *marked(struct reader *r, const json_t *j, const struct path *path)
{
    const char *text = json_string_value(j);
    size_t len = json_string_length(j);
    if (len && text[0] == MARK_STRING)
        return value_string(r->a, slice_from(text + 1, len - 1));
    struct slice digits = slice_from(text + 1, len ? len - 1 : 0);
    bool json_grammar =
        digits.len && digits.ptr[0] != '+' &&
        !(digits.len > 1 && digits.ptr[0] == '0' && digits.ptr[1] >= '0' && digits.ptr[1] <= '9') &&
        !(digits.len > 2 && digits.ptr[0] == '-' && digits.ptr[1] == '0' && digits.ptr[2] >= '0' &&
          digits.ptr[2] <= '9');
    const struct number *n = json_grammar ? number_parse(r->a, digits) : NULL;
    return n ? value_number(r->a, n) : refuse(r, path, "A number is malformed or too long");
}

/* ---- without a schema ---- */

static const struct value *plain(struct reader *r, const json_t *j, int depth,
                                 const struct path *path);

static const struct value *plain_object(struct reader *r, const json_t *j, int depth,
                                        const struct path *path)
{
    struct value_member *m = arena_new_array(r->a, json_object_size(j), struct value_member);
    size_t count = 0;
    for (void *it = json_object_iter((json_t *)(uintptr_t)j); m && it;
         it = json_object_iter_next((json_t *)(uintptr_t)j, it), count++) {
        m[count].key = plain_key(json_object_iter_key(it));
        m[count].value =
            plain(r, json_object_iter_value(it), depth + 1, path_key(r->a, path, m[count].key));
        if (!m[count].value)
            return NULL;
    }
    return m ? value_object(r->a, m, count) : NULL;
}

static const struct value *plain_array(struct reader *r, const json_t *j, int depth,
                                       const struct path *path)
{
    size_t count = json_array_size(j);
    const struct value **elems = arena_calloc(r->a, count, sizeof(struct value *));
    for (size_t i = 0; elems && i < count; i++) {
        elems[i] = plain(r, json_array_get(j, i), depth + 1, path_index(r->a, path, (int64_t)i));
        if (!elems[i])
            return NULL;
    }
    return elems ? value_tuple(r->a, elems, count) : NULL;
}

static const struct value *plain(struct reader *r, const json_t *j, int depth,
                                 const struct path *path)
{
    if (!enter(r, j, depth, path))
        return NULL;
    switch (json_typeof(j)) {
    case JSON_OBJECT:
        return plain_object(r, j, depth, path);
    case JSON_ARRAY:
        return plain_array(r, j, depth, path);
    case JSON_STRING:
        return marked(r, j, path);
    case JSON_TRUE:
    case JSON_FALSE:
        return value_bool(r->a, json_is_true(j));
    case JSON_NULL:
        return value_null(r->a, &type_dynamic);
    default:
        return refuse(r, path, "Unexpected token");
    }
}

/* ---- with a type ---- */

static const struct value *typed(struct reader *r, const json_t *j, const struct type *t, int depth,
                                 const struct path *path);

static const struct value *typed_sequence(struct reader *r, const json_t *j, const struct type *t,
                                          int depth, const struct path *path)
{
    size_t count = json_array_size(j);
    if (!json_is_array(j) || (t->kind == TYPE_TUPLE && count != t->attr_count))
        return refuse(r, path, "An array of another length, or none, stands where a list belongs");
    const struct value **elems = arena_calloc(r->a, count, sizeof(struct value *));
    for (size_t i = 0; elems && i < count; i++) {
        const struct type *elem = t->kind == TYPE_TUPLE ? t->attrs[i].type : t->elem;
        elems[i] =
            typed(r, json_array_get(j, i), elem, depth + 1, path_index(r->a, path, (int64_t)i));
        if (!elems[i])
            return NULL;
    }
    if (!elems)
        return NULL;
    if (t->kind == TYPE_TUPLE)
        return value_tuple(r->a, elems, count);
    return t->kind == TYPE_LIST ? value_list(r->a, t->elem, elems, count)
                                : value_set(r->a, t->elem, elems, count);
}

static const struct value *typed_members(struct reader *r, const json_t *j, const struct type *t,
                                         int depth, const struct path *path)
{
    if (!json_is_object(j))
        return refuse(r, path, "No object stands where one belongs");
    struct value_member *m = arena_new_array(r->a, json_object_size(j), struct value_member);
    size_t count = 0;
    for (void *it = json_object_iter((json_t *)(uintptr_t)j); m && it;
         it = json_object_iter_next((json_t *)(uintptr_t)j, it)) {
        struct slice key = plain_key(json_object_iter_key(it));
        const struct type_attr *attr = t->kind == TYPE_OBJECT ? type_attr(t, key) : NULL;
        if (t->kind == TYPE_OBJECT && !attr) {
            if (r->lenient)
                continue;
            return refuse(r, path_key(r->a, path, key), "The schema has no such attribute");
        }
        m[count].key = key;
        m[count].value =
            typed(r, json_object_iter_value(it), attr ? attr->type : t->elem, depth + 1,
                  attr ? path_attribute(r->a, path, attr->name) : path_key(r->a, path, key));
        if (!m[count++].value)
            return NULL;
    }
    if (!m)
        return NULL;
    return t->kind == TYPE_OBJECT ? value_object_of(r->a, t, m, count)
                                  : value_map(r->a, t->elem, m, count);
}

static const struct value *typed_dynamic(struct reader *r, const json_t *j, int depth,
                                         const struct path *path)
{
    const json_t *type = json_object_get(j, "stype"), *value = json_object_get(j, "svalue");
    if (!type || !value)
        return refuse(r, path, "A value of any type needs the members \"type\" and \"value\"");
    /* Types hold no numbers: without its marks the text is what it was. */
    struct reader inner = *r;
    const struct value *described = plain(&inner, type, depth + 1, path);
    _cleanup_buf_ struct buf text = BUF_INIT(1 << 20);
    if (!described || value_json_write(&text, described, false) < 0)
        return refuse(r, path, "The type of a value cannot be read");
    const struct type *t = type_json_decode(r->a, buf_slice(&text), r->diags);
    return t ? typed(r, value, t, depth + 1, path) : NULL;
}

static const struct value *typed_primitive(struct reader *r, const json_t *j, const struct type *t,
                                           const struct path *path)
{
    if (t->kind == TYPE_BOOL && json_is_boolean(j))
        return value_bool(r->a, json_is_true(j));
    const struct value *v = json_is_string(j) ? marked(r, j, path) : NULL;
    if (json_is_string(j) && !v)
        return NULL;
    if (v && v->type->kind == t->kind)
        return v;
    /* cty's json package converts between primitive types; so may a state from an older version. */
    if (v)
        return value_convert(r->a, v, t, path, r->diags);
    if (t->kind == TYPE_STRING && json_is_boolean(j))
        return value_str(r->a, json_is_true(j) ? "true" : "false");
    return refuse(r, path, "A value of another type stands here");
}

static const struct value *typed(struct reader *r, const json_t *j, const struct type *t, int depth,
                                 const struct path *path)
{
    if (!enter(r, j, depth, path))
        return NULL;
    if (json_is_null(j))
        return value_null(r->a, t);
    switch (t->kind) {
    case TYPE_DYNAMIC:
        return typed_dynamic(r, j, depth, path);
    case TYPE_LIST:
    case TYPE_SET:
    case TYPE_TUPLE:
        return typed_sequence(r, j, t, depth, path);
    case TYPE_MAP:
    case TYPE_OBJECT:
        return typed_members(r, j, t, depth, path);
    default:
        return typed_primitive(r, j, t, path);
    }
}

/* ---- entry ---- */

static json_t *load(struct slice json, struct diags *diags)
{
    _cleanup_buf_ struct buf text = BUF_INIT((size_t)2 * BYTES_MOST);
    if (json.len <= BYTES_MOST)
        mark(&text, json);
    if (json.len > BYTES_MOST || text.failed) {
        diags_error(diags, NULL, "Invalid JSON", "The document is over 64 MiB.");
        return NULL;
    }
    json_error_t error;
    json_t *j = json_loadb(buf_cstr(&text), text.len,
                           JSON_DECODE_ANY | JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, &error);
    if (!j)
        diags_error(diags, NULL, "Invalid JSON", "Line %d: %s.", error.line, error.text);
    return j;
}

int value_json_parse(struct arena *a, struct slice json, const struct value **ret,
                     struct diags *diags)
{
    json_t *j = load(json, diags);
    if (!j)
        return -1;
    struct reader r = {a, diags, 0, false};
    const struct value *v = plain(&r, j, 0, NULL);
    json_decref(j);
    if (v)
        *ret = v;
    return v ? 0 : -1;
}

int value_json_decode(struct arena *a, struct slice json, const struct type *t, bool lenient,
                      const struct value **ret, struct diags *diags)
{
    json_t *j = load(json, diags);
    if (!j)
        return -1;
    struct reader r = {a, diags, 0, lenient};
    const struct value *v = typed(&r, j, t, 0, NULL);
    json_decref(j);
    if (v)
        *ret = v;
    return v ? 0 : -1;
}

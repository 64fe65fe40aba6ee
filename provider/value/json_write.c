/* Writing JSON: plain, and as cty's json package defines it for a type. */
#include "value/codec.h"

/* As deep as the reader goes. */
enum { DEPTH_MOST = 128 };

static void write_string(struct buf *out, struct slice s)
{
    buf_append_char(out, '"');
    buf_append_json_escaped(out, s);
    buf_append_char(out, '"');
}

static int write_value(struct buf *out, const struct value *v, const struct type *t, bool skip_null,
                       int depth);

static int write_members(struct buf *out, const struct value *v, const struct type *t,
                         bool skip_null, int depth)
{
    if (depth >= DEPTH_MOST)
        return -1;
    bool named = v->type->kind == TYPE_MAP || v->type->kind == TYPE_OBJECT;
    bool first = true;
    buf_append_char(out, named ? '{' : '[');
    for (size_t i = 0; i < v->count; i++) {
        const struct value *member = v->members[i].value;
        if (named && skip_null && value_is_null(member))
            continue;
        if (t && t->kind == TYPE_OBJECT && !slice_eq_str(v->members[i].key, t->attrs[i].name))
            return -1;
        if (!first)
            buf_append_char(out, ',');
        first = false;
        if (named) {
            write_string(out, v->members[i].key);
            buf_append_char(out, ':');
        }
        const struct type *mt = !t ? NULL : t->elem ? t->elem : t->attrs[i].type;
        if (write_value(out, member, mt, skip_null, depth + 1) < 0)
            return -1;
    }
    return buf_append_char(out, named ? '}' : ']');
}

/* How many brackets deep the JSON form of a type is. */
static int type_levels(const struct type *t)
{
    if (t->elem)
        return 1 + type_levels(t->elem);
    int most = 0;
    for (size_t i = 0; i < t->attr_count; i++) {
        int levels = type_levels(t->attrs[i].type);
        most = levels > most ? levels : most;
    }
    return t->kind >= TYPE_TUPLE ? 2 + most : 0;
}

static int write_dynamic(struct buf *out, const struct value *v, int depth)
{
    if (depth + 1 + type_levels(v->type) > DEPTH_MOST)
        return -1;
    buf_append_str(out, "{\"value\":");
    if (write_value(out, v, v->type, false, depth + 1) < 0)
        return -1;
    buf_append_str(out, ",\"type\":");
    return type_json_encode(out, v->type) < 0 ? -1 : buf_append_char(out, '}');
}

/* `t` NULL: plain JSON, without types for dynamic places. */
static int write_value(struct buf *out, const struct value *v, const struct type *t, bool skip_null,
                       int depth)
{
    if (value_is_unknown(v))
        return -1;
    if (t && t->kind == TYPE_DYNAMIC && v && v->type->kind != TYPE_DYNAMIC)
        return write_dynamic(out, v, depth);
    if (value_is_null(v))
        return buf_append_str(out, "null");
    if (t && (t->kind != v->type->kind || (t->kind >= TYPE_TUPLE && t->attr_count != v->count)))
        return -1;
    switch (v->type->kind) {
    case TYPE_BOOL:
        return buf_append_str(out, v->boolean ? "true" : "false");
    case TYPE_NUMBER:
        return number_format(out, v->number);
    case TYPE_STRING:
        write_string(out, v->string);
        return out->failed ? -1 : 0;
    default:
        return write_members(out, v, t, skip_null, depth);
    }
}

int value_json_encode(struct buf *out, const struct value *v, const struct type *t)
{
    return write_value(out, v, t, false, 0) < 0 || out->failed ? -1 : 0;
}

int value_json_write(struct buf *out, const struct value *v, bool skip_null)
{
    return write_value(out, v, NULL, skip_null, 0) < 0 || out->failed ? -1 : 0;
}

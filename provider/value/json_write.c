/* Writing JSON: plain, and as cty's json package defines it for a type. */
#include "value/codec.h"

enum { DEPTH_MOST = 64 };

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
    bool named = v->type->kind == TYPE_MAP || v->type->kind == TYPE_OBJECT;
    bool first = true;
    buf_append_char(out, named ? '{' : '[');
    for (size_t i = 0; i < v->count; i++) {
        const struct value *member = v->members[i].value;
        if (named && skip_null && value_is_null(member))
            continue;
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

static int write_dynamic(struct buf *out, const struct value *v, int depth)
{
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
    if (depth > DEPTH_MOST || value_is_unknown(v))
        return -1;
    if (value_is_null(v))
        return buf_append_str(out, "null");
    if (t && t->kind == TYPE_DYNAMIC)
        return write_dynamic(out, v, depth);
    if (t && (t->kind != v->type->kind || (t->attr_count && t->attr_count != v->count)))
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

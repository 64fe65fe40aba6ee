/* Equality and order of values, and their form in messages. */
#include "value/value.h"

#include <string.h>

static bool same_members(const struct value *a, const struct value *b)
{
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++)
        if (!slice_eq(a->members[i].key, b->members[i].key) ||
            !value_equal(a->members[i].value, b->members[i].value))
            return false;
    return true;
}

bool value_equal(const struct value *a, const struct value *b)
{
    if (a == b)
        return true;
    if (!a || !b)
        return value_is_null(a) && value_is_null(b);
    if (a->state != b->state || !type_equal(a->type, b->type))
        return false;
    if (a->state != VALUE_KNOWN)
        return true;
    switch (a->type->kind) {
    case TYPE_BOOL:
        return a->boolean == b->boolean;
    case TYPE_NUMBER:
        return number_compare(a->number, b->number) == 0;
    case TYPE_STRING:
        return slice_eq(a->string, b->string);
    default:
        return same_members(a, b);
    }
}

static int compare_members(const struct value *a, const struct value *b)
{
    for (size_t i = 0; i < a->count && i < b->count; i++) {
        int c = slice_cmp(a->members[i].key, b->members[i].key);
        if (c == 0)
            c = value_compare(a->members[i].value, b->members[i].value);
        if (c != 0)
            return c;
    }
    return (a->count > b->count) - (a->count < b->count);
}

int value_compare(const struct value *a, const struct value *b)
{
    if (a == b)
        return 0;
    if (!a || !b)
        return (int)!value_is_null(a) - (int)!value_is_null(b);
    if (a->state != b->state)
        return a->state < b->state ? -1 : 1;
    if (a->type->kind != b->type->kind)
        return a->type->kind < b->type->kind ? -1 : 1;
    if (a->state != VALUE_KNOWN)
        return 0;
    switch (a->type->kind) {
    case TYPE_BOOL:
        return (int)a->boolean - (int)b->boolean;
    case TYPE_NUMBER:
        return number_compare(a->number, b->number);
    case TYPE_STRING:
        return slice_cmp(a->string, b->string);
    default:
        return compare_members(a, b);
    }
}

static void format_members(struct buf *out, const struct value *v)
{
    bool named = v->type->kind == TYPE_MAP || v->type->kind == TYPE_OBJECT;
    buf_append_char(out, named ? '{' : '[');
    for (size_t i = 0; i < v->count; i++) {
        if (i)
            buf_append_str(out, ", ");
        if (named) {
            buf_append_slice(out, v->members[i].key);
            buf_append_str(out, " = ");
        }
        value_format(out, v->members[i].value);
    }
    buf_append_char(out, named ? '}' : ']');
}

int value_format(struct buf *out, const struct value *v)
{
    if (v && v->sensitive) {
        buf_append_str(out, "(sensitive value)");
    } else if (!v || value_is_null(v)) {
        buf_append_str(out, "null");
    } else if (v->state == VALUE_UNKNOWN) {
        buf_append_str(out, "(known after apply)");
    } else if (v->type->kind == TYPE_BOOL) {
        buf_append_str(out, v->boolean ? "true" : "false");
    } else if (v->type->kind == TYPE_NUMBER) {
        number_format(out, v->number);
    } else if (v->type->kind == TYPE_STRING) {
        buf_append_char(out, '"');
        buf_append_json_escaped(out, v->string);
        buf_append_char(out, '"');
    } else {
        format_members(out, v);
    }
    return out->failed ? -1 : 0;
}

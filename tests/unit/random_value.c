/* See random_value.h. */
#include "random_value.h"

size_t value_random_below(struct value_generator *g, size_t n)
{
    g->state ^= g->state << 13;
    g->state ^= g->state >> 7;
    g->state ^= g->state << 17;
    return (size_t)((g->state >> 11) % n);
}

static bool one_in(struct value_generator *g, size_t n)
{
    return value_random_below(g, n) == 0;
}

static struct slice random_text(struct value_generator *g, size_t most)
{
    static const char *const letters[] = {
        "a", "b", "z", "A",  "_",  "-", ".", "0",    "9",    " ",      "\"",
        "<", "&", "/", "\\", "\n", "$", "{", "\x01", "\x7f", "\u00fc", "\u6f22",
    };
    size_t count = value_random_below(g, one_in(g, 500) ? 70000 : most + 1);
    struct buf b _cleanup_buf_ = BUF_INIT(1 << 20);
    for (size_t i = 0; i < count; i++)
        buf_append_str(&b, letters[value_random_below(g, sizeof(letters) / sizeof(*letters))]);
    return slice_from(arena_strndup(g->arena, buf_cstr(&b), b.len), b.len);
}

/* ---- types ---- */

static const struct type *any_type(struct value_generator *g, unsigned depth, bool dynamic);

static const struct type *structure(struct value_generator *g, unsigned depth, bool dynamic,
                                    bool object)
{
    size_t count = value_random_below(g, object ? 6 : 4);
    struct type_attr attrs[6] = {{0}};
    const struct type *types[6];
    for (size_t i = 0; i < count; i++) {
        types[i] = any_type(g, depth - 1, dynamic);
        attrs[i].name = arena_printf(g->arena, "%c%s", 'a' + (int)i, random_text(g, 4).ptr);
        attrs[i].type = types[i];
    }
    return object ? type_object(g->arena, attrs, count) : type_tuple(g->arena, types, count);
}

static const struct type *any_type(struct value_generator *g, unsigned depth, bool dynamic)
{
    size_t kind = value_random_below(g, depth ? 9 : 4);
    switch (kind) {
    case 0:
        return &type_bool;
    case 1:
        return &type_number;
    case 2:
        return dynamic ? &type_dynamic : &type_string;
    case 4:
        return type_list(g->arena, any_type(g, depth - 1, false));
    case 5:
        return type_set(g->arena, any_type(g, depth - 1, false));
    case 6:
        return type_map(g->arena, any_type(g, depth - 1, false));
    case 7:
    case 8:
        return structure(g, depth, dynamic, kind == 8);
    default:
        return &type_string;
    }
}

const struct type *random_type(struct value_generator *g, unsigned depth)
{
    return any_type(g, depth, true);
}

/* ---- values ---- */

const struct number *random_number(struct value_generator *g)
{
    if (one_in(g, 3))
        return number_from_int(g->arena, (int64_t)value_random_below(g, 2000) - 1000);
    if (one_in(g, 3))
        return number_from_int(g->arena, (int64_t)(value_random_below(g, SIZE_MAX) * 2654435761u));
    if (one_in(g, 3))
        return number_from_double(g->arena, ((double)value_random_below(g, 1 << 20) - 5e5) / 4096);
    /* As many digits as cty's 512 bits can tell apart. */
    char text[200];
    size_t len = 0, digits = 1 + value_random_below(g, 140);
    if (one_in(g, 2))
        text[len++] = '-';
    for (size_t i = 0; i < digits; i++)
        text[len++] = (char)('0' + value_random_below(g, 10));
    if (one_in(g, 2)) {
        text[len++] = '.';
        text[len++] = (char)('0' + value_random_below(g, 10));
    }
    text[len++] = 'e';
    text[len++] = "+-"[value_random_below(g, 2)];
    text[len++] = (char)('0' + value_random_below(g, 10));
    text[len++] = (char)('0' + value_random_below(g, 10));
    return number_parse(g->arena, slice_from(text, len));
}

static void refine_number(struct value_generator *g, struct refinement *r)
{
    const struct number *a = random_number(g), *b = random_number(g);
    int c = a && b ? number_compare(a, b) : 0;
    if (c == 0 || one_in(g, 3))
        return;
    r->min = c < 0 ? a : b;
    r->max = one_in(g, 2) ? c < 0 ? b : a : NULL;
    r->min_inclusive = one_in(g, 2);
    r->max_inclusive = r->max && one_in(g, 2);
}

static const struct value *random_unknown(struct value_generator *g, const struct type *t)
{
    struct refinement r = {.not_null = one_in(g, 2), .length_min = -1, .length_max = -1};
    if (t->kind == TYPE_STRING && one_in(g, 2))
        r.prefix = random_text(g, 20);
    if (t->kind == TYPE_NUMBER)
        refine_number(g, &r);
    if (t->elem && one_in(g, 2))
        r.length_min = (int64_t)value_random_below(g, 100) + 1;
    if (t->elem && one_in(g, 2))
        r.length_max = (int64_t)value_random_below(g, 100000) + 200;
    return one_in(g, 3) ? value_unknown(g->arena, t) : value_unknown_refined(g->arena, t, &r);
}

static const struct value *elements(struct value_generator *g, const struct type *t)
{
    enum { MOST = 40 };
    const struct value *elems[MOST];
    struct value_member members[MOST];
    size_t count =
        t->kind == TYPE_TUPLE ? t->attr_count : value_random_below(g, one_in(g, 8) ? MOST : 4);
    for (size_t i = 0; i < count; i++) {
        elems[i] = random_value(g, t->elem ? t->elem : t->attrs[i].type);
        if (t->kind == TYPE_MAP)
            members[i] = (struct value_member){random_text(g, 8), elems[i]};
    }
    switch (t->kind) {
    case TYPE_LIST:
        return value_list(g->arena, t->elem, elems, count);
    case TYPE_SET:
        return value_set(g->arena, t->elem, elems, count);
    case TYPE_MAP:
        return value_map(g->arena, t->elem, members, count);
    default:
        return value_tuple(g->arena, elems, count);
    }
}

static const struct value *object(struct value_generator *g, const struct type *t)
{
    struct value_member members[6] = {{{0}, 0}};
    for (size_t i = 0; i < t->attr_count; i++) {
        members[i].key = slice_str(t->attrs[i].name);
        members[i].value = random_value(g, t->attrs[i].type);
    }
    return value_object_of(g->arena, t, members, t->attr_count);
}

/* The real type first, then a value of it, which may be null or unknown with that type. */
static const struct value *random_dynamic(struct value_generator *g)
{
    if (one_in(g, 10))
        return value_null(g->arena, &type_dynamic);
    if (g->unknowns && one_in(g, 10))
        return value_unknown(g->arena, &type_dynamic);
    const struct type *t = any_type(g, 2, false);
    return t ? random_value(g, t) : NULL;
}

const struct value *random_value(struct value_generator *g, const struct type *t)
{
    if (t->kind == TYPE_DYNAMIC)
        return random_dynamic(g);
    if (one_in(g, 15))
        return value_null(g->arena, t);
    if (g->unknowns && one_in(g, 10))
        return random_unknown(g, t);
    switch (t->kind) {
    case TYPE_BOOL:
        return value_bool(g->arena, one_in(g, 2));
    case TYPE_NUMBER:
        return value_number(g->arena, random_number(g));
    case TYPE_STRING:
        return value_string(g->arena, random_text(g, 12));
    case TYPE_OBJECT:
        return object(g, t);
    default:
        return elements(g, t);
    }
}

/* Templates become values; paths select from answers. */
#include "cloud/template.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

enum { SELECT_MOST = 1 << 20, JOINED_MOST = 64 * 1024 };

struct evaluation {
    struct arena *a;
    template_lookup lookup;
    void *self;
};

static int eval(struct evaluation *e, const struct template *t, const struct value **ret);

static bool is_set(const struct value *v)
{
    return v && v->state != VALUE_NULL;
}

static int eval_object(struct evaluation *e, const struct template *t, const struct value **ret)
{
    struct value_member *m = arena_new_array(e->a, t->member_count, struct value_member);
    size_t count = 0;
    for (size_t i = 0; m && i < t->member_count; i++) {
        const struct value *v = NULL;
        if (eval(e, t->members[i].value, &v) < 0)
            return -1;
        if (!is_set(v))
            continue;
        m[count].key = slice_str(t->members[i].name);
        m[count++].value = v;
    }
    *ret = m && (count || !t->member_count) ? value_object(e->a, m, count) : NULL;
    return m && (*ret || !count) ? 0 : -1;
}

static int eval_tuple(struct evaluation *e, const struct template *t, const struct value **ret)
{
    const struct value **elems = arena_calloc(e->a, t->member_count, sizeof(struct value *));
    size_t count = 0;
    for (size_t i = 0; elems && i < t->member_count; i++) {
        const struct value *v = NULL;
        if (eval(e, t->members[i].value, &v) < 0)
            return -1;
        if (is_set(v))
            elems[count++] = v;
    }
    *ret = elems && (count || !t->member_count) ? value_tuple(e->a, elems, count) : NULL;
    return elems && (*ret || !count) ? 0 : -1;
}

static int eval_first(struct evaluation *e, const struct template *t, const struct value **ret)
{
    *ret = NULL;
    for (size_t i = 0; i < t->member_count && !is_set(*ret); i++)
        if (eval(e, t->members[i].value, ret) < 0)
            return -1;
    return 0;
}

static int eval_join(struct evaluation *e, const struct template *t, const struct value **ret)
{
    _cleanup_buf_ struct buf b = BUF_INIT(JOINED_MOST);
    bool unknown = false;
    *ret = NULL;
    for (size_t i = 0; i < t->member_count; i++) {
        const struct value *v = NULL;
        if (eval(e, t->members[i].value, &v) < 0)
            return -1;
        if (!is_set(v))
            return 0;
        unknown |= value_is_unknown(v);
        if (!value_is_unknown(v) && v->type->kind != TYPE_STRING)
            return -1;
        buf_append_slice(&b, value_slice(v));
    }
    *ret = unknown ? value_unknown(e->a, &type_string) : value_buf(e->a, &b);
    return *ret && !b.failed ? 0 : -1;
}

static int eval(struct evaluation *e, const struct template *t, const struct value **ret)
{
    const struct value *v = NULL;
    int rc = 0;
    switch (t->kind) {
    case TEMPLATE_LITERAL:
        v = t->literal;
        break;
    case TEMPLATE_REF:
        rc = e->lookup(e->self, e->a, t->root, t->path, &v);
        break;
    case TEMPLATE_OBJECT:
        rc = eval_object(e, t, &v);
        break;
    case TEMPLATE_TUPLE:
        rc = eval_tuple(e, t, &v);
        break;
    case TEMPLATE_FIRST:
        rc = eval_first(e, t, &v);
        break;
    case TEMPLATE_JOIN:
        rc = eval_join(e, t, &v);
        break;
    }
    if (rc == 0 && v && t->transform != TRANSFORM_NONE) {
        v = template_transform(e->a, t->transform, v);
        if (!v)
            return -1;
    }
    *ret = v;
    return rc;
}

int template_eval(struct arena *a, const struct template *t, template_lookup lookup, void *self,
                  const struct value **ret)
{
    struct evaluation e = {a, lookup, self};
    const struct value *v = NULL;
    if (eval(&e, t, &v) < 0)
        return -1;
    *ret = v;
    return 0;
}

/* Members selected so far. */
struct selection {
    const struct value **items;
    size_t count, cap;
};

static int selection_add(struct arena *a, struct selection *s, const struct value *v)
{
    if (s->count == s->cap) {
        size_t cap = s->cap ? 2 * s->cap : 8;
        const struct value **grown =
            cap > SELECT_MOST ? NULL
                              : arena_grow(a, s->items, s->count, cap, sizeof(struct value *));
        if (!grown)
            return -1;
        s->items = grown;
        s->cap = cap;
    }
    s->items[s->count++] = v;
    return 0;
}

static bool is_list(const struct value *v)
{
    return value_is_known(v) &&
           (v->type->kind == TYPE_TUPLE || v->type->kind == TYPE_LIST || v->type->kind == TYPE_SET);
}

static int select_into(struct arena *a, const struct value *v, const char *path,
                       struct selection *out)
{
    while (*path && v) {
        size_t len = strcspn(path, ".");
        const char *rest = path + len + (path[len] == '.');
        if (len == 1 && *path == '*') {
            for (size_t i = 0; value_is_known(v) && v->type->kind >= TYPE_LIST && i < v->count; i++)
                if (select_into(a, v->members[i].value, rest, out) < 0)
                    return -1;
            return 0;
        }
        if (is_list(v))
            v = *path >= '0' && *path <= '9' ? value_at(v, strtoul(path, NULL, 10)) : NULL;
        else
            v = value_get_slice(v, slice_from(path, len));
        path = rest;
    }
    return v ? selection_add(a, out, v) : 0;
}

const struct value *template_select(struct arena *a, const struct value *v, const char *path)
{
    struct selection s = {NULL, 0, 0};
    if (select_into(a, v, path, &s) < 0)
        return NULL;
    if (strchr(path, '*'))
        return value_tuple(a, s.items, s.count);
    return s.count ? s.items[0] : NULL;
}

/* Records of cloud objects, and their form in private state. */
#include <stdlib.h>
#include <string.h>

#include "engine/internal.h"
#include "value/codec.h"

struct record *records_find(const struct records *r, const char *name)
{
    for (size_t i = 0; i < r->count; i++)
        if (strcmp(r->items[i].name, name) == 0)
            return &r->items[i];
    return NULL;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct record *)a)->name, ((const struct record *)b)->name);
}

static int record_copy(struct arena *a, struct record *to, const struct record *from)
{
    const char **needs = arena_calloc(a, from->need_count, sizeof(*needs));
    *to = *from;
    to->name = arena_strdup(a, from->name);
    to->region = arena_strdup(a, from->region);
    to->attrs = value_copy(a, from->attrs);
    to->drifted = from->drifted ? value_copy(a, from->drifted) : NULL;
    to->needs = needs;
    for (size_t i = 0; needs && i < from->need_count; i++)
        if (!(needs[i] = arena_strdup(a, from->needs[i])))
            return -1;
    return needs && to->name && to->attrs && (!from->drifted || to->drifted) ? 0 : -1;
}

int records_put(struct arena *a, struct records *r, const struct record *item)
{
    struct record copy;
    if (record_copy(a, &copy, item) < 0)
        return -1;
    struct record *old = records_find(r, item->name);
    if (old) {
        *old = copy;
        return 0;
    }
    struct record *grown = arena_grow(a, r->items, r->count, r->count + 1, sizeof(*grown));
    if (!grown)
        return -1;
    grown[r->count] = copy;
    r->items = grown;
    r->count++;
    qsort(r->items, r->count, sizeof(*r->items), by_name);
    return 0;
}

void records_remove(struct records *r, const char *name)
{
    struct record *at = records_find(r, name);
    if (!at)
        return;
    size_t i = (size_t)(at - r->items);
    memmove(at, at + 1, (r->count - i - 1) * sizeof(*at));
    r->count--;
}

int records_copy(struct arena *a, struct records *to, const struct records *from)
{
    *to = (struct records){NULL, 0};
    to->items = arena_new_array(a, from->count, struct record);
    for (size_t i = 0; to->items && i < from->count; i++) {
        if (record_copy(a, &to->items[i], &from->items[i]) < 0)
            return -1;
        to->count++;
    }
    return to->items ? 0 : -1;
}

int records_merge(struct arena *a, struct records *r, const struct records *more)
{
    for (size_t i = 0; i < more->count; i++)
        if (records_put(a, r, &more->items[i]) < 0)
            return -1;
    return 0;
}

const struct value *records_attr(const struct records *r, const char *name, const char *attr)
{
    const struct record *record = records_find(r, name);
    return record && !record->missing ? value_get(record->attrs, attr) : NULL;
}

const char *record_state(struct arena *a, const struct record *r)
{
    if (r->missing)
        return "missing";
    if (r->incomplete)
        return "incomplete";
    if (!value_count(r->drifted))
        return "ready";
    _cleanup_buf_ struct buf b = BUF_INIT(64 * 1024);
    buf_append_str(&b, "changed (");
    for (size_t i = 0; i < r->drifted->count; i++)
        buf_printf(&b, "%s%s", i ? ", " : "", r->drifted->members[i].key.ptr);
    buf_append_char(&b, ')');
    return arena_buf(a, &b);
}

/* ---- JSON ---- */

static const struct value *without_secrets(struct arena *a, const struct record *r)
{
    struct value_member *m = arena_new_array(a, value_count(r->attrs), struct value_member);
    size_t count = 0;
    for (size_t i = 0; m && i < value_count(r->attrs); i++) {
        const struct component_attr *attr =
            component_attr_find(r->component, r->attrs->members[i].key.ptr);
        const struct value *v = r->attrs->members[i].value;
        if (attr && !attr->sensitive && !value_is_null(v) && value_is_wholly_known(v))
            m[count++] = r->attrs->members[i];
    }
    return m ? value_object(a, m, count) : NULL;
}

static const struct value *record_value(struct arena *a, const struct record *r)
{
    const struct value **needs = arena_calloc(a, r->need_count, sizeof(struct value *));
    for (size_t i = 0; needs && i < r->need_count; i++)
        needs[i] = value_str(a, r->needs[i]);
    struct value_member m[8] = {
        {SLICE_LIT("name"), value_str(a, r->name)},
        {SLICE_LIT("kind"), value_str(a, r->component->kind)},
        {SLICE_LIT("region"), value_str(a, r->region)},
        {SLICE_LIT("attrs"), without_secrets(a, r)},
        {SLICE_LIT("needs"), needs ? value_tuple(a, needs, r->need_count) : NULL}};
    size_t count = 5;
    if (r->drifted)
        m[count++] = (struct value_member){SLICE_LIT("drifted"), r->drifted};
    if (r->incomplete)
        m[count++] = (struct value_member){SLICE_LIT("incomplete"), value_bool(a, true)};
    if (r->missing)
        m[count++] = (struct value_member){SLICE_LIT("missing"), value_bool(a, true)};
    return value_object(a, m, count);
}

int records_encode(struct buf *out, const struct records *r)
{
    _cleanup_arena_ struct arena *a = arena_new();
    const struct value **list = a ? arena_calloc(a, r->count, sizeof(struct value *)) : NULL;
    for (size_t i = 0; list && i < r->count; i++)
        list[i] = record_value(a, &r->items[i]);
    const struct value *v = list ? value_tuple(a, list, r->count) : NULL;
    /* What drifted to nothing is a null that must not get lost. */
    return v ? value_json_write(out, v, false) : -1;
}

/* Attributes get back the types of their component; what it no longer has is dropped. */
static const struct value *typed_attrs(struct arena *a, const struct component *c,
                                       const struct value *v)
{
    struct diags ignored;
    diags_init(&ignored, a);
    struct value_member *m = arena_new_array(a, value_count(v), struct value_member);
    size_t count = 0;
    for (size_t i = 0; m && i < value_count(v); i++) {
        const struct component_attr *attr = component_attr_find(c, v->members[i].key.ptr);
        if (!attr)
            continue;
        m[count].key = v->members[i].key;
        m[count].value = value_convert(a, v->members[i].value, attr->type, NULL, &ignored);
        count += m[count].value != NULL;
    }
    return m ? value_object(a, m, count) : NULL;
}

static int decode_record(struct arena *a, const struct value *v,
                         const struct component *const *kinds, struct record *ret,
                         struct diags *diags)
{
    const char *kind = value_cstr(value_get(v, "kind"), "");
    const struct value *needs = value_get(v, "needs"), *drifted = value_get(v, "drifted");
    memset(ret, 0, sizeof(*ret));
    for (; *kinds && !ret->component; kinds++)
        if (strcmp((*kinds)->kind, kind) == 0)
            ret->component = *kinds;
    ret->name = value_cstr(value_get(v, "name"), NULL);
    if (!ret->component || !ret->name)
        return diags_error(
            diags, NULL, "The state holds an object of an unknown kind",
            "Component \"%s\" is of kind \"%s\", which this version of the provider does "
            "not know. The state was written by a later version: use that one.",
            ret->name ? ret->name : "", kind);
    ret->region = value_cstr(value_get(v, "region"), NULL);
    ret->attrs = typed_attrs(a, ret->component, value_get(v, "attrs"));
    ret->drifted = value_is_known(drifted) ? typed_attrs(a, ret->component, drifted) : NULL;
    ret->incomplete = value_true(value_get(v, "incomplete"));
    ret->missing = value_true(value_get(v, "missing"));
    ret->need_count = value_count(needs);
    const char **names = arena_calloc(a, ret->need_count, sizeof(*names));
    for (size_t i = 0; names && i < ret->need_count; i++)
        names[i] = value_cstr(value_at(needs, i), "");
    ret->needs = names;
    return names && ret->attrs ? 0 : diags_error(diags, NULL, "Out of memory", "%s", ret->name);
}

int records_decode(struct arena *a, const struct value *json, const struct component *const *kinds,
                   struct records *ret, struct diags *diags)
{
    size_t count = value_count(json);
    *ret = (struct records){arena_new_array(a, count, struct record), 0};
    if (!ret->items)
        return diags_error(diags, NULL, "Out of memory", "The state could not be read.");
    for (size_t i = 0; i < count; i++) {
        if (decode_record(a, value_at(json, i), kinds, &ret->items[i], diags) < 0)
            return -1;
        ret->count++;
    }
    if (count > 1)
        qsort(ret->items, count, sizeof(*ret->items), by_name);
    return 0;
}

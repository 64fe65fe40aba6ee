/* How a composite shows its components in plan and state, and what it keeps in private state. */
#include <string.h>

#include "resources/composite_internal.h"
#include "resources/tables.h"

enum { PRIVATE_VERSION = 1, PRIVATE_MOST = 16 << 20 };

/* ---- private state ---- */

int composite_private_decode(struct composite_run *r, struct slice bytes)
{
    const struct value *v = NULL;
    struct composite_context *c = &r->context;
    if (!bytes.len)
        return 0;
    if (value_json_parse(c->arena, bytes, &v, c->diags) < 0)
        return -1;
    if (value_int_or(value_get(v, "v"), 0) != PRIVATE_VERSION)
        return diags_error(
            c->diags, NULL, "The state was written by a later version",
            "Its private part has a version that this provider does not know. Use the later "
            "version of the provider.");
    r->nonce = value_cstr(value_get(v, "nonce"), NULL);
    c->decided = value_get(v, "decided");
    return records_decode(c->arena, value_get(v, "records"), all_components, &r->records, c->diags);
}

/* What a plan keeps for its apply: the decisions that are known. */
static void encode_decisions(struct composite_run *r, struct buf *b)
{
    const char *const *names = composite_of(r->type)->decisions;
    const struct value *kept = value_object(r->context.arena, NULL, 0);
    for (size_t i = 0; names && names[i] && kept; i++) {
        const struct value *v = value_get(r->derived, names[i]);
        if (v && value_is_wholly_known(v))
            kept = value_with(r->context.arena, kept, names[i], v);
    }
    buf_append_str(b, ",\"decided\":");
    if (!kept || value_json_write(b, kept, true) < 0)
        b->failed = true;
}

int composite_private_encode(struct composite_run *r, struct slice *ret)
{
    _cleanup_buf_ struct buf b = BUF_INIT(PRIVATE_MOST);
    struct composite_context *c = &r->context;
    buf_printf(&b, "{\"v\":%d,\"nonce\":\"%s\",\"records\":", PRIVATE_VERSION,
               r->nonce ? r->nonce : "");
    if (records_encode(&b, &r->records) < 0)
        b.failed = true;
    if (c->planning && r->derived)
        encode_decisions(r, &b);
    buf_append_char(&b, '}');
    char *copy = arena_buf(c->arena, &b);
    if (!copy)
        return diags_error(c->diags, NULL, "The private state could not be written",
                           "Memory ran out, or it is over 16 MiB.");
    *ret = slice_from(copy, b.len);
    return 0;
}

/* ---- components ---- */

static const struct type *entry_type(const struct composite_run *r)
{
    return schema_find(r->type->schema, "components")->type->elem;
}

static const struct value *entry(struct composite_run *r, const char *kind, const struct value *id,
                                 const struct value *state)
{
    const struct value_member m[] = {{SLICE_LIT("kind"), value_str(r->context.arena, kind)},
                                     {SLICE_LIT("id"), id},
                                     {SLICE_LIT("state"), state}};
    return value_object_of(r->context.arena, entry_type(r), m, 3);
}

static const struct value *with_components(struct composite_run *r, const struct value *v,
                                           const struct value_member *m, size_t count)
{
    const struct value *map = m ? value_map(r->context.arena, entry_type(r), m, count) : NULL;
    return map ? value_with(r->context.arena, v, "components", map) : NULL;
}

/* The core applies nothing when a plan equals the state. What is changed without any attribute of
 * the node (the provider's default tags, what a newer provider asks for) has to be seen in it. A
 * plan with unknown values says replace where the final one may say update, and that one may leave
 * nothing unknown that was known before: both are alike here. */
static const struct value *planned_state(struct composite_run *r, const struct engine_change *ch)
{
    struct arena *a = r->context.arena;
    const struct record *rec = records_find(&r->records, ch->name);
    if (ch->action != ENGINE_NONE && rec && strcmp(record_state(a, rec), "ready") == 0)
        return value_unknown_not_null(a, &type_string);
    return value_str(a, "ready");
}

const struct value *composite_plan_components(struct composite_run *r, const struct value *planned)
{
    struct arena *a = r->context.arena;
    const struct type *t = schema_find(r->type->schema, "components")->type;
    if (r->partial)
        return value_with(a, planned, "components", value_unknown_not_null(a, t));
    struct value_member *m = arena_new_array(a, r->changes.count, struct value_member);
    size_t count = 0;
    for (size_t i = 0; m && i < r->changes.count; i++) {
        const struct engine_change *ch = &r->changes.items[i];
        if (ch->component->hidden || ch->action == ENGINE_DESTROY)
            continue;
        const struct value *id = value_get(ch->attrs_after, ch->component->display);
        const struct record *rec = records_find(&r->records, ch->name);
        bool made =
            ch->action == ENGINE_CREATE || ch->action == ENGINE_REPLACE || (rec && rec->incomplete);
        /* The id of what is made may be known (a name); what AWS answers is what will be shown.
         * What was not made to its end may have to be made anew. */
        if (made || !id)
            id = value_unknown_not_null(a, &type_string);
        m[count].key = slice_str(ch->name);
        m[count++].value = entry(r, ch->component->kind, id, planned_state(r, ch));
    }
    return with_components(r, planned, m, count);
}

const struct value *composite_state_components(struct composite_run *r, const struct value *state)
{
    struct arena *a = r->context.arena;
    struct value_member *m = arena_new_array(a, r->records.count, struct value_member);
    size_t count = 0;
    for (size_t i = 0; m && i < r->records.count; i++) {
        const struct record *rec = &r->records.items[i];
        if (rec->component->hidden)
            continue;
        const struct value *id = value_get(rec->attrs, rec->component->display);
        m[count].key = slice_str(rec->name);
        m[count++].value = entry(r, rec->component->kind, id ? id : value_null(a, &type_string),
                                 value_str(a, record_state(a, rec)));
    }
    return with_components(r, state, m, count);
}

/* ---- unknown values ---- */

const struct value *composite_without_unknown(struct arena *a, const struct value *v)
{
    if (!v || value_is_wholly_known(v))
        return v;
    if (value_is_unknown(v))
        return value_null(a, v->type);
    if (v->type->kind == TYPE_OBJECT || v->type->kind == TYPE_MAP) {
        struct value_member *m = arena_new_array(a, v->count, struct value_member);
        for (size_t i = 0; m && i < v->count; i++) {
            m[i].key = v->members[i].key;
            m[i].value = composite_without_unknown(a, v->members[i].value);
        }
        if (!m)
            return NULL;
        return v->type->kind == TYPE_MAP ? value_map(a, v->type->elem, m, v->count)
                                         : value_object_of(a, v->type, m, v->count);
    }
    /* A list with an unknown element has no meaning without it. */
    return value_null(a, v->type);
}

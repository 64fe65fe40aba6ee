/* What is in the cloud: found by its tags, read, and imported. */
#include "resources/composite_internal.h"

#include <string.h>

#include "base/log.h"

/* Works the components out again with what was found. */
static int take_found(struct composite_run *r, const struct value *config)
{
    struct composite_context *c = &r->context;
    if (!r->records.count)
        return 0;
    if (composite_of(r->type)->derive(c, &r->derived) < 0 ||
        graph_expand(c->arena, r->cloud, config, r->derived, c->secrets, &r->graph, &r->partial,
                     c->diags) < 0)
        return -1;
    return engine_take_unread(c->arena, &r->engine, r->graph, NULL, &r->records, c->diags);
}

int composite_discover(struct composite_run *r, const struct value *config)
{
    struct composite_context *c = &r->context;
    c->config = config;
    c->prior = c->secrets = c->decided = NULL;
    if (composite_engine(r, config) < 0 || composite_of(r->type)->derive(c, &r->derived) < 0 ||
        graph_expand(c->arena, r->cloud, config, r->derived, c->secrets, &r->graph, &r->partial,
                     c->diags) < 0)
        return -1;
    if (engine_find(c->arena, &r->engine, &r->work, r->graph, &r->records, c->diags) < 0)
        return -1;
    return take_found(r, config);
}

/* ---- read ---- */

static bool nothing_left(const struct records *r)
{
    for (size_t i = 0; i < r->count; i++)
        if (!r->items[i].missing && !r->items[i].component->hidden)
            return false;
    return true;
}

int composite_read(const struct resource_type *t, struct request *rq,
                   const struct resource_read_args *args, struct resource_apply_result *ret)
{
    struct composite_run r;
    struct records seen = {NULL, 0};
    if (composite_begin(&r, t, rq, "create", args->state) < 0 ||
        composite_private_decode(&r, args->private) < 0)
        return -1;
    struct composite_context *c = &r.context;
    if (composite_online(&r, "reading") < 0 || composite_engine(&r, args->state) < 0)
        return -1;
    /* When the provider dies in an update, the core keeps the state that was, and no private state:
     * the objects are found by their tags. */
    bool lost = !r.records.count && value_count(value_get(args->state, "components"));
    if (lost && composite_discover(&r, args->state) < 0)
        return -1;
    if (engine_refresh(c->arena, &r.engine, &r.work, &r.records, &seen, c->diags) < 0)
        return -1;
    r.records = seen;
    if (nothing_left(&seen)) {
        log_at(LOG_WARN, "Nothing of the resource is left", LOG_STR("type", t->schema->name));
        ret->state = value_null(rq->arena, t->schema->type);
        return 0;
    }
    c->prior = args->state;
    const struct value *state = args->state;
    if (composite_of(t)->derive(c, &r.derived) < 0 ||
        composite_of(t)->outputs(c, r.derived, state, &r.records, NULL, &state) < 0)
        return -1;
    state = composite_without_unknown(rq->arena, composite_state_components(&r, state));
    ret->state = schema_strip_write_only(rq->arena, t->schema, state);
    ret->identity = args->identity ? args->identity : composite_identity(&r, ret->state);
    return ret->state ? composite_private_encode(&r, &ret->private) : -1;
}

/* ---- import ---- */

/* "cloud/region/name" or an identity: the three in order. */
static int import_parts(struct request *rq, const struct composite *comp,
                        const struct resource_import_args *args, const struct value *parts[3])
{
    static const char *const names[] = {"cloud", "region", "name"};
    struct slice rest = args->id;
    for (size_t i = 0; i < 3; i++) {
        if (args->identity) {
            parts[i] = value_get(args->identity, names[i]);
            continue;
        }
        const char *slash = i < 2 && rest.len ? memchr(rest.ptr, '/', rest.len) : NULL;
        size_t len = slash ? (size_t)(slash - rest.ptr) : rest.len;
        parts[i] =
            len && (slash || i == 2) ? value_string(rq->arena, slice_from(rest.ptr, len)) : NULL;
        size_t used = len + (slash ? 1 : 0);
        rest = slice_from(rest.ptr + used, rest.len - used);
    }
    for (size_t i = 0; i < 3; i++)
        if (!value_is_known(parts[i]))
            return diags_error(rq->diags, NULL, "Invalid import id",
                               "An import needs \"cloud/region/name\", for example "
                               "\"aws/eu-west-1/%s\".",
                               comp->example);
    return 0;
}

int composite_import(const struct resource_type *t, struct request *rq,
                     const struct resource_import_args *args, struct resource_apply_result *ret)
{
    struct composite_run r;
    const struct value *parts[3] = {NULL, NULL, NULL};
    const struct composite *comp = composite_of(t);
    if (import_parts(rq, comp, args, parts) < 0)
        return -1;
    const struct value_member m[] = {{SLICE_LIT("cloud"), parts[0]},
                                     {SLICE_LIT("region"), parts[1]},
                                     {SLICE_LIT("name"), parts[2]}};
    const struct value *config =
        value_object_of(rq->arena, t->schema->type, m, comp->import_name ? 2 : 3);
    if (config && comp->import_name)
        config = comp->import_name(rq->arena, config, value_slice(parts[2]), rq->diags);
    if (!config || composite_begin(&r, t, rq, "create", config) < 0 ||
        composite_online(&r, "importing") < 0)
        return -1;
    struct composite_context *c = &r.context;
    if (composite_engine(&r, config) < 0)
        return -1;
    if (!comp->describe)
        return diags_error(rq->diags, NULL, "Import is not possible", "%s cannot be imported.",
                           t->schema->name);
    if (comp->describe(c, &r.records, &config) < 0)
        return -1;
    if (composite_discover(&r, config) < 0)
        return -1;
    if (!r.records.count)
        return diags_error(rq->diags, NULL, "There is nothing to import",
                           "No object in %s carries the tags of %s \"%s\".", c->region,
                           t->schema->name, value_cstr(parts[2], ""));
    const struct value *state = config;
    if (comp->outputs(c, r.derived, config, &r.records, NULL, &state) < 0)
        return -1;
    state = composite_without_unknown(rq->arena, composite_state_components(&r, state));
    ret->state = schema_strip_write_only(rq->arena, t->schema, state);
    ret->identity = composite_identity(&r, ret->state);
    r.nonce = composite_new_nonce(rq->arena);
    return ret->state ? composite_private_encode(&r, &ret->private) : -1;
}

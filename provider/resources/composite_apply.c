/* The apply of a composite: what an interrupted one has left is found, changes are made, and the
 * state names what exists. */
#include "resources/composite_internal.h"

#include "base/log.h"

/* What another apply is making is not ours to go on with. */
static int refuse_claimed(struct composite_run *r, const struct records *found)
{
    struct composite_context *c = &r->context;
    const struct clock *clock = r->work.clock;
    int64_t until = 0;
    const struct value *claim = record_claim(&r->engine, found);
    if (!claim || engine_claim_of(value_slice(claim), clock->unix_s(clock->self), &until) !=
                      ENGINE_CLAIM_HELD)
        return 0;
    return diags_error(c->diags, path_attribute(c->arena, NULL, "name"),
                       "Another apply is at work on it",
                       "Another apply is making %s \"%s\" in %s. Nothing was changed.",
                       r->type->schema->name, value_cstr(r->engine.name, ""), c->region);
}

/* `$derived` and the graph, wholly known. */
static int expand(struct composite_run *r)
{
    struct composite_context *c = &r->context;
    if (composite_of(r->type)->derive(c, &r->derived) < 0 ||
        graph_expand(c->arena, r->cloud, c->config, r->derived, c->secrets, &r->graph, &r->partial,
                     c->diags) < 0)
        return -1;
    if (r->partial)
        return diags_error(
            c->diags, NULL, "The components are not known",
            "What this resource consists of still depends on unknown values. Nothing was "
            "changed.");
    return 0;
}

/* A create whose settings are not those of the apply that was interrupted may want another ground
 * below what that one has made (a network of another range below a cluster). Nothing can stay then:
 * all that was found goes, and the create begins with nothing. */
static int start_over_if_undermined(struct composite_run *r)
{
    struct composite_context *c = &r->context;
    struct records left = {NULL, 0};
    if (engine_plan(c->arena, &r->engine, r->graph, &r->records, &r->changes, c->diags) < 0)
        return -1;
    if (!engine_undermines(r->graph, &r->records, &r->changes))
        return 0;
    log_at(LOG_WARN, "What an interrupted apply has made does not fit what is wanted now; it is "
                     "destroyed first");
    int rc = engine_destroy(c->arena, &r->engine, &r->work, &r->records, &left, c->diags);
    r->records = left;
    if (rc < 0)
        return -1;
    /* The way into the cluster that is gone is not the way into the next one. */
    c->inner = NULL;
    return composite_engine(r, c->config) < 0 ? -1 : expand(r);
}

/* Adds what an earlier apply has made that the records do not have: one that was killed, and wrote
 * no state. It counts in what is derived, as records do. */
static int adopt(struct composite_run *r)
{
    struct composite_context *c = &r->context;
    struct records known = r->records, found = {NULL, 0}, all = {NULL, 0};
    if (engine_adopt(c->arena, &r->engine, &r->work, r->graph, &known, &found) < 0)
        return diags_error(c->diags, NULL, "Out of memory", "Nothing was made.");
    if (!found.count)
        return 0;
    if (!c->prior && refuse_claimed(r, &found) < 0)
        return -1;
    if (records_merge(c->arena, &all, &known) < 0 || records_merge(c->arena, &all, &found) < 0)
        return diags_error(c->diags, NULL, "Out of memory", "Nothing was made.");
    r->records = all;
    if (composite_of(r->type)->derive(c, &r->derived) < 0 ||
        graph_expand(c->arena, r->cloud, c->config, r->derived, c->secrets, &r->graph, &r->partial,
                     c->diags) < 0 ||
        engine_take_unread(c->arena, &r->engine, r->graph, &known, &found, c->diags) < 0)
        return -1;
    if (engine_distrust_secrets(c->arena, &found) < 0 ||
        records_merge(c->arena, &r->records, &found) < 0)
        return diags_error(c->diags, NULL, "Out of memory", "Nothing was made.");
    return c->prior ? 0 : start_over_if_undermined(r);
}

/* The core hands over no private state when it replaces a tainted resource: its objects are found
 * by their tags. Of one that a failed create has left, so that not all of it is there, nothing is
 * destroyed: the create that follows goes on from it. */
static int find_tainted(struct composite_run *r, const struct value *state)
{
    struct composite_context *c = &r->context;
    const struct value *components = value_get(state, "components");
    bool whole = value_count(components) > 0;
    for (size_t i = 0; i < value_count(components); i++)
        whole &=
            !slice_eq_str(value_slice(value_get(value_at(components, i), "state")), "incomplete");
    if (!whole)
        return 0;
    if (composite_discover(r, state) < 0 ||
        engine_plan(c->arena, &r->engine, r->graph, &r->records, &r->changes, c->diags) < 0)
        return -1;
    for (size_t i = 0; i < r->changes.count; i++)
        whole &=
            r->changes.items[i].action != ENGINE_CREATE || r->changes.items[i].component->hidden;
    if (!whole)
        r->records = (struct records){NULL, 0};
    return 0;
}

/* Adds what the records do not have because an apply that was killed has made it for settings that
 * the state never saw. It would keep what it stands on. */
static int with_others(struct composite_run *r)
{
    struct composite_context *c = &r->context;
    struct records others = {NULL, 0};
    if (engine_find_others(c->arena, &r->engine, &r->work, r->cloud, c->config, &r->records,
                           &others) < 0 ||
        records_merge(c->arena, &r->records, &others) < 0)
        return diags_error(c->diags, NULL, "Out of memory", "Nothing was destroyed.");
    return 0;
}

static int apply_destroy(struct composite_run *r, const struct resource_apply_args *args,
                         struct resource_apply_result *ret)
{
    struct composite_context *c = &r->context;
    const struct composite *comp = composite_of(r->type);
    struct records left = {NULL, 0};
    composite_work(r, "delete", args->prior);
    c->config = args->prior;
    if (composite_online(r, "destroying") < 0 || composite_engine(r, args->prior) < 0)
        return -1;
    if (!r->records.count && find_tainted(r, args->prior) < 0)
        return -1;
    /* No plan asks about one that is replaced because it is tainted, or because its user says so.
     */
    if (r->records.count && comp->may_destroy && comp->may_destroy(r->request, args->prior) < 0)
        return -1;
    if (with_others(r) < 0)
        return -1;
    int rc = engine_destroy(c->arena, &r->engine, &r->work, &r->records, &left, c->diags);
    r->records = left;
    if (rc == 0) {
        ret->state = value_null(c->arena, r->type->schema->type);
        return 0;
    }
    ret->state = composite_state_components(r, args->prior);
    composite_private_encode(r, &ret->private);
    return -1;
}

/* The state after an apply: what was planned, with outputs and components as they came out. After a
 * failure what is still unknown becomes null. */
static int take_state(struct composite_run *r, const struct value *planned, bool failed,
                      struct resource_apply_result *ret)
{
    struct composite_context *c = &r->context;
    const struct composite *comp = composite_of(r->type);
    const struct value *state = planned;
    if (r->derived && comp->outputs(c, r->derived, planned, &r->records, NULL, &state) < 0)
        state = planned;
    state = composite_state_components(r, state);
    if (failed || !value_is_wholly_known(state))
        state = composite_without_unknown(c->arena, state);
    ret->state = schema_strip_write_only(c->arena, r->type->schema, state);
    ret->identity = composite_identity(r, ret->state);
    if (!ret->state)
        return diags_error(c->diags, NULL, "Out of memory", "The state could not be made.");
    return composite_private_encode(r, &ret->private);
}

static int apply_changes(struct composite_run *r, const struct resource_apply_args *args)
{
    struct composite_context *c = &r->context;
    const struct composite *comp = composite_of(r->type);
    struct engine_hooks hooks = {.self = NULL};
    struct records after = {NULL, 0};
    if (composite_online(r, "applying") < 0)
        return -1;
    if (value_is_unknown(value_get(args->planned, "region")))
        c->config = value_with(c->arena, args->planned, "region", value_str(c->arena, c->region));
    if (composite_engine(r, c->config) < 0 || expand(r) < 0)
        return -1;
    if (adopt(r) < 0)
        return -1;
    if (!c->prior && !(r->engine.claim = engine_claim_new(c->arena, &r->work)))
        return diags_error(c->diags, NULL, "Out of memory", "Nothing was made.");
    if (comp->hooks_new && comp->hooks_new(c, r->derived, &hooks) < 0)
        return -1;
    r->engine.hooks = &hooks;
    int rc = engine_apply(c->arena, &r->engine, &r->work, r->graph, &r->records, &after, c->diags);
    r->records = after;
    r->engine.hooks = NULL;
    return rc;
}

int composite_apply(const struct resource_type *t, struct request *rq,
                    const struct resource_apply_args *args, struct resource_apply_result *ret)
{
    struct composite_run r;
    bool destroys = value_is_null(args->planned), creates = value_is_null(args->prior);
    const struct value *subject = destroys ? args->prior : args->planned;
    /* Until more is known, what was there is what is there. */
    ret->state = args->prior;
    ret->private = args->planned_private;
    if (composite_begin(&r, t, rq, creates ? "create" : "update", subject) < 0 ||
        composite_private_decode(&r, args->planned_private) < 0)
        return -1;
    r.context.prior = creates ? NULL : args->prior;
    r.context.secrets = args->config;
    if (destroys)
        return apply_destroy(&r, args, ret);
    /* Records in a create are those of the resource that it replaces. */
    if (creates)
        composite_forget_records(&r);
    int rc = apply_changes(&r, args);
    /* A create that made nothing leaves nothing. */
    if (rc < 0 && creates && !r.records.count)
        return -1;
    if (rc < 0 && !creates && !r.derived)
        return -1;
    const struct value *planned = r.context.config ? r.context.config : args->planned;
    return take_state(&r, planned, rc < 0, ret) < 0 || rc < 0 ? -1 : 0;
}

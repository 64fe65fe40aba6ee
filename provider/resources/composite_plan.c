/* The plan of a composite: what is derived, what changes, and what the user is warned of. */
#include "resources/composite_internal.h"

#include "base/log.h"

/* Credentials, account, derived values, graph and changes. */
static int work_out(struct composite_run *r, const struct value *planned, bool is_new)
{
    struct composite_context *c = &r->context;
    const struct composite *comp = composite_of(r->type);
    bool changed = is_new || !value_equal(c->prior, planned);
    if (composite_plan_online(r, is_new, changed) < 0)
        return -1;
    c->config = planned;
    if (composite_engine(r, planned) < 0 || comp->derive(c, &r->derived) < 0 ||
        graph_expand(c->arena, r->cloud, planned, r->derived, c->secrets, &r->graph, &r->partial,
                     c->diags) < 0)
        return -1;
    return engine_plan(c->arena, &r->engine, r->graph, &r->records, &r->changes, c->diags);
}

static bool changes_anything(const struct engine_changes *c)
{
    for (size_t i = 0; i < c->count; i++)
        if (c->items[i].action != ENGINE_NONE)
            return true;
    return false;
}

/* Why a component is changed, for those who read the log. */
static void log_changes(const struct engine_changes *c)
{
    static const char *const names[] = {"none", "create", "update", "replace", "destroy"};
    for (size_t i = 0; i < c->count; i++) {
        const struct engine_change *ch = &c->items[i];
        _cleanup_buf_ struct buf why = BUF_INIT(4096);
        for (size_t k = 0; k < ch->attr_count; k++)
            buf_printf(&why, "%s%s", k ? ", " : "", ch->attrs[k]);
        if (ch->action != ENGINE_NONE)
            log_at(LOG_DEBUG, "Planned change of a component", LOG_STR("component", ch->name),
                   LOG_STR("action", names[ch->action]), LOG_STR("attributes", buf_cstr(&why)));
    }
}

static void warn_of_changes(struct composite_run *r)
{
    struct diags *d = r->context.diags;
    for (size_t i = 0; i < r->changes.count; i++) {
        const struct engine_change *ch = &r->changes.items[i];
        for (size_t k = 0; k < ch->warning_count; k++)
            diags_warning(d, ch->path, "An update has side effects", "Component \"%s\": %s.",
                          ch->name, ch->warnings[k]);
        if (ch->action != ENGINE_REPLACE || ch->component->hidden)
            continue;
        _cleanup_buf_ struct buf why = BUF_INIT(4096);
        for (size_t k = 0; k < ch->attr_count; k++)
            buf_printf(&why, "%s%s", k ? ", " : "", ch->attrs[k]);
        diags_warning(
            d, ch->path, "A component is replaced",
            "The %s \"%s\" is destroyed and made anew, because of its %s, which cannot be "
            "changed in place.",
            ch->component->title, ch->name, buf_cstr(&why));
    }
}

static int plan_new_or_changed(struct composite_run *r, const struct resource_plan_args *args,
                               const struct value *planned, struct resource_plan_result *ret)
{
    struct composite_context *c = &r->context;
    const struct composite *comp = composite_of(r->type);
    bool is_new = value_is_null(args->prior);
    if (!r->cloud || !c->driver) {
        /* The cloud itself is unknown: nothing can be said of the rest. */
        ret->planned = schema_unknown_computed(c->arena, r->type->schema, planned, args->config);
        return ret->planned ? 0 : -1;
    }
    if (c->client && !c->region && value_is_null(value_get(args->config, "region")))
        return composite_no_region(r);
    if (c->region && value_is_unknown(value_get(planned, "region")) &&
        value_is_null(value_get(args->config, "region")))
        planned = value_with(c->arena, planned, "region", value_str(c->arena, c->region));
    if (work_out(r, planned, is_new) < 0)
        return -1;
    bool any = changes_anything(&r->changes) || r->partial;
    log_changes(&r->changes);
    if (any && c->online && comp->check && comp->check(c, &r->changes, r->derived) < 0)
        return -1;
    if (any && c->online && c->prior &&
        engine_check_taken(c->arena, &r->engine, &r->work, &r->changes, c->diags) < 0)
        return -1;
    if (!is_new)
        warn_of_changes(r);
    if (comp->outputs(c, r->derived, planned, &r->records, &r->changes, &planned) < 0)
        return -1;
    ret->planned = composite_plan_components(r, planned);
    return ret->planned ? 0 : -1;
}

/* Takes those differences away that mean none. 0, or -1: memory is out. */
static int leave_differences(const struct resource_type *t, struct request *rq,
                             const struct resource_plan_args *args, const struct value *planned,
                             struct resource_plan_result *ret)
{
    const struct composite *comp = composite_of(t);
    size_t count = 0;
    if (!ret->replace_count || !comp->means_the_same)
        return 0;
    const struct path **left = arena_new_array(rq->arena, ret->replace_count, const struct path *);
    for (size_t i = 0; left && i < ret->replace_count; i++) {
        const char *name = path_string(rq->arena, ret->replace[i]);
        if (!name)
            left = NULL;
        else if (!comp->means_the_same(args->prior, planned, name))
            left[count++] = ret->replace[i];
    }
    if (!left)
        return diags_error(rq->diags, NULL, "Out of memory", "The change was not planned.");
    ret->replace = left;
    ret->replace_count = count;
    return 0;
}

/* What the resource itself says of a change that the schema allows. 0, or -1: memory is out. */
static int replaced_by(const struct resource_type *t, struct request *rq,
                       const struct resource_plan_args *args, const struct value *planned,
                       struct resource_plan_result *ret)
{
    const struct composite *comp = composite_of(t);
    if (ret->replace_count || value_is_null(args->prior) || !comp->replaced_by)
        return 0;
    const struct path *at = comp->replaced_by(rq->arena, args->prior, planned);
    const struct path **list = at ? arena_new_array(rq->arena, 1, const struct path *) : NULL;
    if (!at)
        return 0;
    if (!list)
        return diags_error(rq->diags, at, "Out of memory", "The change was not planned.");
    list[0] = at;
    ret->replace = list;
    ret->replace_count = 1;
    return 0;
}

int composite_plan(const struct resource_type *t, struct request *rq,
                   const struct resource_plan_args *args, struct resource_plan_result *ret)
{
    struct composite_run r;
    if (value_is_null(args->proposed)) {
        const struct composite *comp = composite_of(t);
        if (comp->may_destroy && comp->may_destroy(rq, args->prior) < 0)
            return -1;
        ret->planned = value_null(rq->arena, t->schema->type);
        ret->planned_private = args->prior_private;
        return ret->planned ? 0 : -1;
    }
    const struct value *planned = NULL;
    if (schema_plan(rq->arena, t->schema, args->config, args->prior, args->proposed, &planned,
                    &ret->replace, &ret->replace_count, rq->diags) < 0 ||
        leave_differences(t, rq, args, planned, ret) < 0 ||
        replaced_by(t, rq, args, planned, ret) < 0 ||
        composite_begin(&r, t, rq, "create", planned) < 0)
        return -1;
    r.context.planning = true;
    /* A region that is not known yet is not the provider's. */
    if (value_is_unknown(value_get(args->config, "region")))
        r.context.region = NULL;
    r.context.secrets = args->config;
    r.context.prior = value_is_null(args->prior) ? NULL : args->prior;
    if (composite_private_decode(&r, args->prior_private) < 0)
        return -1;
    r.context.decided = NULL; /* an earlier plan's */
    struct records old = r.records;
    bool anew = ret->replace_count || !r.context.prior;
    r.context.replaced = ret->replace_count ? r.context.prior : NULL;
    if (anew)
        composite_forget_records(&r);
    if (ret->replace_count && composite_of(t)->may_destroy) {
        if (composite_of(t)->may_destroy(rq, args->prior) < 0 ||
            composite_of(t)->may_destroy(rq, planned) < 0)
            return -1;
        diags_warning(rq->diags, ret->replace[0], "All of it is destroyed, and made anew",
                      "%s \"%s\" cannot be changed in this way in place: it goes with all that "
                      "runs in it, and an empty one takes its place.",
                      t->schema->name, value_cstr(value_get(args->prior, "name"), ""));
    }
    if (ret->replace_count)
        planned = schema_unknown_computed(rq->arena, t->schema, planned, args->config);
    /* Each plan has its own: what it makes is not what an earlier one has made. */
    if (!(r.nonce = composite_new_nonce(rq->arena)))
        return diags_error(rq->diags, NULL, "No random numbers", "The kernel gave none.");
    if (plan_new_or_changed(&r, args, planned, ret) < 0)
        return -1;
    /* A replacement destroys first, and the core hands that step what this plan keeps. */
    if (anew)
        r.records = old;
    ret->planned_identity = args->prior_identity && !ret->replace_count
                                ? args->prior_identity
                                : composite_identity(&r, ret->planned);
    return composite_private_encode(&r, &ret->planned_private);
}

/* The operations of a composite resource over the engine: what each RPC asks, for every composite.
 */
#include "resources/composite_internal.h"

#include <string.h>
#include <sys/random.h>

#include "base/log.h"

/* ---- setting up ---- */

const struct composite *composite_of(const struct resource_type *t)
{
    return t->table;
}

const struct resource_cloud *composite_cloud(const struct composite *c, const char *cloud)
{
    for (size_t i = 0; cloud && i < c->table->cloud_count; i++)
        if (strcmp(c->table->clouds[i].cloud, cloud) == 0)
            return &c->table->clouds[i];
    return NULL;
}

static const struct path *attr_path(struct request *rq, const char *name)
{
    return path_attribute(rq->arena, NULL, name);
}

void composite_work(struct composite_run *r, const char *operation, const struct value *config)
{
    struct request *rq = r->request;
    int64_t seconds = schema_timeout_s(r->type->schema, config, operation);
    r->work =
        (struct work){.clock = rq->provider->clock,
                      .cancel = rq->cancel,
                      .deadline_ms = rq->provider->clock->monotonic_ms(rq->provider->clock->self) +
                                     seconds * 1000};
}

/* The driver and client for the resource's cloud; r->context.cloud stays NULL while it is unknown.
 */
static int find_client(struct composite_run *r, const struct value *config)
{
    struct request *rq = r->request;
    const char *cloud = value_cstr(value_get(config, "cloud"), NULL);
    if (!cloud)
        return 0;
    r->cloud = composite_cloud(composite_of(r->type), cloud);
    if (!r->cloud)
        return diags_error(rq->diags, attr_path(rq, "cloud"), "Unknown cloud",
                           "%s cannot be made on \"%s\".", r->type->schema->name, cloud);
    r->context.cloud = cloud;
    return provider_client(rq->provider, cloud, attr_path(rq, "cloud"), &r->context.driver,
                           &r->context.client, rq->diags);
}

static void find_region(struct composite_run *r, const struct value *config)
{
    const struct value *region = value_get(config, "region");
    if (value_is_known(region))
        r->context.region = value_cstr(region, NULL);
    else if (r->context.client)
        r->context.region = r->context.driver->default_region(r->context.client);
}

static int no_region(struct composite_run *r)
{
    return diags_error(
        r->request->diags, attr_path(r->request, "region"), "No region",
        "Neither this resource nor the provider's settings for \"%s\" name a region. Set "
        "`region` here, in the provider block, or in the environment.",
        r->context.cloud);
}

int composite_begin(struct composite_run *r, const struct resource_type *t, struct request *rq,
                    const char *operation, const struct value *config)
{
    memset(r, 0, sizeof(*r));
    r->type = t;
    r->request = rq;
    composite_work(r, operation, config);
    r->context.request = rq;
    r->context.arena = rq->arena;
    r->context.work = &r->work;
    r->context.account = "";
    r->context.diags = rq->diags;
    r->context.records = &r->records;
    r->context.looked_up = &r->looked_up;
    r->context.config = config;
    if (find_client(r, config) < 0)
        return -1;
    find_region(r, config);
    return 0;
}

/* Resolves credentials and account. 1: there are none, with *err. */
static int go_online(struct composite_run *r, struct cloud_error *err)
{
    struct composite_context *c = &r->context;
    memset(err, 0, sizeof(*err));
    if (!c->client || !c->region)
        return 1;
    if (c->driver->check_credentials(c->client, &r->work, c->arena, c->region, err) < 0)
        return 1;
    const char *account = NULL;
    if (c->driver->account(c->client, &r->work, c->arena, c->region, &account, err) < 0)
        return -1;
    c->account = account;
    c->online = true;
    return 0;
}

int composite_online(struct composite_run *r, const char *doing)
{
    struct cloud_error err;
    struct composite_context *c = &r->context;
    if (!c->cloud || (!c->client && !c->region))
        return diags_error(
            c->diags, NULL, "The provider's settings are not known yet",
            "They depend on something that is not made yet, so that the cloud cannot be "
            "reached now.");
    if (!c->region)
        return no_region(r);
    if (!c->client)
        return diags_error(c->diags, NULL, "The provider is not configured",
                           "The cloud cannot be reached.");
    return go_online(r, &err) == 0 ? 0 : cloud_error_report(c->diags, NULL, doing, &err);
}

/* In a plan of a new resource: without credentials the checks are skipped, and the plan says so. */
static int plan_online(struct composite_run *r, bool is_new, bool changes)
{
    struct cloud_error err;
    struct composite_context *c = &r->context;
    int rc = go_online(r, &err);
    if (rc < 0 ||
        (rc > 0 && err.message && !is_new && changes && err.class_ != CLOUD_ERROR_CREDENTIALS))
        return cloud_error_report(c->diags, NULL, "checking the account", &err);
    if (rc > 0 && changes)
        diags_warning(c->diags, NULL, "Checks against the cloud were skipped",
                      "%s, so that the plan could not check quota, machine offers, images and "
                      "names, nor look up zones. %s",
                      c->client && c->region ? "There are no usable credentials"
                                             : "The region or the provider's settings are not "
                                               "known yet",
                      err.message ? err.message : "");
    return 0;
}

static int destroy_by_code(void *self, struct arena *a, const struct component *kind,
                           const struct value *attrs, struct diags *diags)
{
    struct composite_run *r = self;
    struct composite_context mine = r->context;
    mine.arena = a;
    mine.diags = diags;
    return composite_of(r->type)->destroy(&mine, kind->destroyed_by, attrs);
}

int composite_engine(struct composite_run *r, const struct value *config)
{
    struct composite_context *c = &r->context;
    const struct composite *comp = composite_of(r->type);
    if (comp->inner_cloud && !c->inner) {
        if (comp->inner_cloud(c, &r->inner) < 0)
            return -1;
        c->inner = &r->inner;
    }
    r->engine = (struct engine){
        .driver = c->driver,
        .client = c->client,
        .more = c->inner,
        .more_count = c->inner && c->inner->driver ? 1 : 0,
        .region = c->region,
        .account = c->account,
        .partition = c->driver && c->region ? c->driver->partition(c->region) : "",
        .resource_type = r->type->schema->name,
        .name = value_get(config, "name"),
        .tags = value_get(config, "tags"),
        .nonce = r->nonce,
        .claimed = comp->claimed_of ? comp->claimed_of(config) : comp->claimed,
    };
    r->destroyer = (struct engine_destroyer){r, destroy_by_code};
    r->engine.destroyer = comp->destroy ? &r->destroyer : NULL;
    return 0;
}

const char *composite_new_nonce(struct arena *a)
{
    unsigned char bytes[16];
    if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
        return NULL;
    uint64_t high = 0, low = 0;
    memcpy(&high, bytes, 8);
    memcpy(&low, bytes + 8, 8);
    return arena_printf(a, "%016llx%016llx", (unsigned long long)high, (unsigned long long)low);
}

/* ---- identity ---- */

const struct value *composite_identity(struct composite_run *r, const struct value *state)
{
    const struct schema_identity *id = r->type->identity;
    if (!id || value_is_null(state))
        return NULL;
    const struct composite *comp = composite_of(r->type);
    const struct value *region = value_get(state, "region"),
                       *name = comp->identity_name ? comp->identity_name(r->context.arena, state)
                                                   : value_get(state, "name");
    /* An identity has no unknown parts: one that is not known yet comes with the apply. */
    if (!*r->context.account || !value_is_known(region) || !value_is_known(name))
        return NULL;
    const struct value *account = value_str(r->context.arena, r->context.account);
    const struct value_member m[] = {{SLICE_LIT("cloud"), value_get(state, "cloud")},
                                     {SLICE_LIT("account_or_project"), account},
                                     {SLICE_LIT("region"), region},
                                     {SLICE_LIT("name"), name}};
    return value_object_of(r->context.arena, id->type, m, 4);
}

/* ---- validate, upgrade ---- */

int composite_validate(const struct resource_type *t, struct request *rq,
                       const struct value *config)
{
    const struct composite *c = composite_of(t);
    int rc = schema_validate(t->schema, config, rq->diags);
    if (rc == 0 && c->validate)
        rc = c->validate(rq->arena, config, rq->diags);
    return rc;
}

/* Every state comes through here before anything else is asked about it. */
static void remember_objects(struct request *rq, const struct value *state)
{
    const struct value *components = value_get(state, "components");
    for (size_t i = 0; i < value_count(components); i++)
        provider_saw(rq->provider, value_slice(value_get(value_at(components, i), "id")));
}

int composite_upgrade(const struct resource_type *t, struct request *rq, int64_t version,
                      struct slice json, const struct value **ret)
{
    if (version > t->schema->version)
        return diags_error(
            rq->diags, NULL, "The state was written by a later version",
            "It has schema version %lld, and this provider knows up to %lld. Use the later "
            "version of the provider.",
            (long long)version, (long long)t->schema->version);
    if (value_json_decode(rq->arena, json, t->schema->type, true, ret, rq->diags) < 0)
        return -1;
    remember_objects(rq, *ret);
    return 0;
}

/* ---- plan ---- */

/* Credentials, account, derived values, graph and changes. */
static int work_out(struct composite_run *r, const struct value *planned, bool is_new)
{
    struct composite_context *c = &r->context;
    const struct composite *comp = composite_of(r->type);
    bool changed = is_new || !value_equal(c->prior, planned);
    if (plan_online(r, is_new, changed) < 0)
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
        return no_region(r);
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

/* A replaced resource is planned like a new one: nothing of the old one is its own. */
static void forget_records(struct composite_run *r)
{
    r->records = (struct records){NULL, 0};
    r->context.prior = NULL;
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
        forget_records(&r);
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

/* ---- apply ---- */

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
    return diags_error(c->diags, attr_path(r->request, "name"), "Another apply is at work on it",
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

/* Finds the objects of `config` by their owner tags, as an import does. */
static int discover(struct composite_run *r, const struct value *config)
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
    if (discover(r, state) < 0 ||
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
        forget_records(&r);
    int rc = apply_changes(&r, args);
    /* A create that made nothing leaves nothing. */
    if (rc < 0 && creates && !r.records.count)
        return -1;
    if (rc < 0 && !creates && !r.derived)
        return -1;
    const struct value *planned = r.context.config ? r.context.config : args->planned;
    return take_state(&r, planned, rc < 0, ret) < 0 || rc < 0 ? -1 : 0;
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
    if (lost && discover(&r, args->state) < 0)
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
    if (discover(&r, config) < 0)
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

/* What the operations of every composite begin with: its cloud, client, credentials and engine. Its
 * operations are in composite_plan.c, composite_apply.c and composite_read.c. */
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

int composite_no_region(struct composite_run *r)
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
        return composite_no_region(r);
    if (!c->client)
        return diags_error(c->diags, NULL, "The provider is not configured",
                           "The cloud cannot be reached.");
    return go_online(r, &err) == 0 ? 0 : cloud_error_report(c->diags, NULL, doing, &err);
}

int composite_plan_online(struct composite_run *r, bool is_new, bool changes)
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

void composite_forget_records(struct composite_run *r)
{
    r->records = (struct records){NULL, 0};
    r->context.prior = NULL;
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

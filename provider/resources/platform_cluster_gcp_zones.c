/* Where the nodes of a cluster on Google Cloud are. */
#include "resources/platform_cluster_gcp.h"

#include <string.h>

#include "cloud/template.h"

enum { ZONES_MOST = 8, FILTER_MOST = 8192 };

#define PROJECT "/compute/v1/projects/{project}"

const struct cloud_operation platform_gcp_get_region = {.service = "compute",
                                                        .name = "regions.get",
                                                        .method = "GET",
                                                        .uri = PROJECT "/regions/{region}",
                                                        .idempotent = true};
static const struct cloud_operation list_machine_types = {
    .service = "compute",
    .name = "machineTypes.list",
    .method = "GET",
    .uri = PROJECT "/zones/{zone}/machineTypes{?filter,maxResults}",
    .idempotent = true};
static const struct cloud_operation list_accelerator_types = {
    .service = "compute",
    .name = "acceleratorTypes.list",
    .method = "GET",
    .uri = PROJECT "/zones/{zone}/acceleratorTypes{?filter,maxResults}",
    .idempotent = true};

const struct value *platform_gcp_region_request(const struct composite_context *c)
{
    const struct value_member m[] = {{SLICE_LIT("project"), value_str(c->arena, c->account)},
                                     {SLICE_LIT("region"), value_str(c->arena, c->region)}};
    return value_object(c->arena, m, 2);
}

static const struct value *first_of(struct arena *a, const struct value *list, size_t count)
{
    const struct value **items = arena_new_array(a, count + 1, const struct value *);
    for (size_t i = 0; items && i < count; i++)
        items[i] = value_at(list, i);
    return items ? value_tuple(a, items, count) : NULL;
}

/* ---- the cluster's ---- */

/* The names of the region's zones, in order. */
static const struct value *zones_of_region(struct arena *a, const struct value *region)
{
    const struct value *links = value_get(region, "zones");
    const struct value *items[ZONES_MOST];
    size_t count = 0;
    for (size_t i = 0; i < value_count(links) && count < ZONES_MOST; i++)
        items[count++] = template_transform(a, TRANSFORM_BASENAME, value_at(links, i));
    for (size_t i = 0; i < count; i++)
        if (!value_is_known(items[i]))
            return NULL;
    return value_set(a, &type_string, items, count); /* sorted */
}

static const struct value *ask_zones(struct platform_derivation *d, size_t wanted)
{
    const struct composite_context *c = d->c;
    const struct gpu_node_lookup *found = NULL;
    if (!platform_gcp_may_ask(c))
        return platform_unknown(d);
    if (gpu_node_answer_call(c, &platform_gcp_get_region, platform_gcp_region_request(c), &found) <
        0) {
        /* The checks of a plan say what is wrong: an API that is disabled, an unknown region. */
        if (c->planning)
            return platform_unknown(d);
        cloud_error_report(c->diags, NULL, "looking up the zones of the region", &found->error);
        return NULL;
    }
    const struct value *all = zones_of_region(d->a, found->answer);
    if (!all || value_count(all) >= wanted)
        return all ? first_of(d->a, all, wanted) : NULL;
    diags_error(c->diags, path_parse(d->a, "network.zones"), "The region has fewer zones",
                "%s has %zu zones, and %zu are asked for.", c->region, value_count(all), wanted);
    return NULL;
}

const struct value *platform_gcp_zones(struct platform_derivation *d)
{
    const struct record *r = records_find(d->c->records, "cluster");
    const struct value *names = platform_of(d, "network.zone_names"),
                       *number = platform_of(d, "network.zones"),
                       *decided = value_get(d->c->decided, "zones"),
                       *now = r ? value_get(r->attrs, "node_locations") : NULL;
    if (names)
        return value_is_wholly_known(names) ? first_of(d->a, names, value_count(names))
                                            : platform_unknown(d);
    if (value_is_known(now))
        return first_of(d->a, now, value_count(now));
    if (value_is_known(decided))
        return decided;
    if (value_is_unknown(number))
        return platform_unknown(d);
    return ask_zones(d, (size_t)value_int_or(number, PLATFORM_CLUSTER_ZONES));
}

/* ---- a pool's ---- */

size_t platform_gcp_even_zones(int64_t nodes, size_t zones)
{
    while (zones > 1 && nodes % (int64_t)zones != 0)
        zones--;
    return zones;
}

static const struct value *list_request(const struct composite_context *c, const struct value *zone,
                                        const struct value *filter)
{
    const struct value_member m[] = {{SLICE_LIT("project"), value_str(c->arena, c->account)},
                                     {SLICE_LIT("zone"), zone},
                                     {SLICE_LIT("filter"), filter},
                                     {SLICE_LIT("maxResults"), value_int(c->arena, 500)}};
    return filter ? value_object(c->arena, m, 4) : NULL;
}

/* What of the pools that are to be placed has to be asked for: their machines, or their
 * accelerators. NULL: nothing, or memory is out. */
static const struct value *filter_of(struct platform_derivation *d,
                                     const struct platform_gcp_machine *machines, size_t count,
                                     bool accelerators)
{
    _cleanup_buf_ struct buf b = BUF_INIT(FILTER_MOST);
    for (size_t i = 0; i < count; i++) {
        const struct platform_gcp_machine *m = &machines[i];
        const char *name = accelerators ? (m->attached ? m->accelerator : NULL) : m->type;
        bool again = false;
        for (size_t k = 0; name && k < i; k++) {
            const struct platform_gcp_machine *o = &machines[k];
            const char *other = accelerators ? (o->attached ? o->accelerator : NULL) : o->type;
            again |= other && strcmp(name, other) == 0;
        }
        if (name && !again)
            buf_printf(&b, "%s(name = %s)", b.len ? " OR " : "", name);
    }
    return b.len ? value_buf(d->a, &b) : NULL;
}

/* The machines of pools whose zones have to be asked for. */
struct placing {
    struct platform_gcp_machine machines[PLATFORM_POOLS_MOST];
    size_t count;
    const struct value *types, *accelerators; /* filters */
};

static bool is_listed(const struct composite_context *c, const struct cloud_operation *op,
                      const struct value *zone, const struct value *filter, const char *name,
                      bool *failed)
{
    const struct gpu_node_lookup *found = NULL;
    if (gpu_node_answer_call(c, op, list_request(c, zone, filter), &found) < 0) {
        *failed = true;
        return false;
    }
    const struct value *items = value_get(found->answer, "items");
    for (size_t i = 0; i < value_count(items); i++)
        if (slice_eq_str(value_slice(value_get(value_at(items, i), "name")), name))
            return true;
    return false;
}

/* Custom machine types are in no list. */
static bool is_offered(const struct composite_context *c, const struct placing *p,
                       const struct platform_gcp_machine *m, const struct value *zone, bool *failed)
{
    return (strstr(m->type, "custom-") ||
            is_listed(c, &list_machine_types, zone, p->types, m->type, failed)) &&
           (!m->attached ||
            is_listed(c, &list_accelerator_types, zone, p->accelerators, m->accelerator, failed));
}

static int not_offered(struct platform_derivation *d, const struct platform_pool *pool,
                       const struct value *zones)
{
    _cleanup_buf_ struct buf names = BUF_INIT(1024);
    const struct path *at = path_key(d->a, path_attribute(d->a, NULL, "node_pools"), pool->name);
    for (size_t i = 0; i < value_count(zones); i++)
        buf_printf(&names, "%s%s", i ? ", " : "", value_cstr(value_at(zones, i), ""));
    return diags_error(d->c->diags, path_attribute(d->a, at, "machine_types"),
                       "The machine is not offered there",
                       "%s is in none of the cluster's zones (%s). Choose another machine or "
                       "region, or name the zones that have it in `network.zone_names`.",
                       value_cstr(value_at(pool->machine_types, 0), ""), buf_cstr(&names));
}

/* The zones that offer the pool's machine, of the cluster's. */
static const struct value *offered_zones(struct platform_derivation *d, const struct placing *p,
                                         const struct platform_pool *pool,
                                         const struct value *zones)
{
    const struct value *items[ZONES_MOST];
    struct platform_gcp_machine m;
    size_t count = 0;
    bool failed = false;
    if (!platform_gcp_machine(d->a, value_slice(value_at(pool->machine_types, 0)), &m))
        return NULL;
    for (size_t i = 0; i < value_count(zones) && count < ZONES_MOST; i++)
        if (is_offered(d->c, p, &m, value_at(zones, i), &failed))
            items[count++] = value_at(zones, i);
    if (failed && d->c->planning)
        return platform_unknown(d);
    /* Who cannot ask tries all of them: GKE says what is wrong. */
    if (failed)
        return zones;
    if (!count) {
        not_offered(d, pool, zones);
        return NULL;
    }
    if (!pool->autoscaling)
        count = platform_gcp_even_zones(pool->desired, count);
    return value_tuple(d->a, items, count);
}

/* The zones that stay as they are: of a pool that is there, or that a plan has decided. NULL: they
 * have to be asked for. */
static const struct value *kept_zones(struct platform_derivation *d,
                                      const struct platform_pool *pool, const char *key)
{
    const char *name = arena_printf(d->a, "node_pool.%s", key);
    const struct record *r = name ? records_find(d->c->records, name) : NULL;
    const struct value *decided = value_get(value_get(d->c->decided, "pool_zones"), key);
    const struct value *now = r ? value_get(r->attrs, "node_locations") : NULL;
    size_t count = value_count(now);
    if (value_is_known(decided) && value_is_wholly_known(decided))
        return decided;
    if (!value_is_known(now) || !count)
        return NULL;
    bool was_fixed = value_is_known(value_get(r->attrs, "nodes")) &&
                     !value_true(value_get(r->attrs, "autoscaling"));
    bool fits = pool->autoscaling ? !was_fixed : pool->desired % (int64_t)count == 0;
    return fits ? first_of(d->a, now, count) : NULL;
}

/* Asks all zones at once. */
static void want_offers(struct platform_derivation *d, struct placing *p, const struct value *zones)
{
    p->types = filter_of(d, p->machines, p->count, false);
    p->accelerators = filter_of(d, p->machines, p->count, true);
    for (size_t i = 0; i < value_count(zones); i++) {
        gpu_node_want_call(d->c, &list_machine_types,
                           list_request(d->c, value_at(zones, i), p->types));
        if (p->accelerators)
            gpu_node_want_call(d->c, &list_accelerator_types,
                               list_request(d->c, value_at(zones, i), p->accelerators));
    }
}

static bool size_is_known(const struct platform_pool *p)
{
    return !value_is_unknown(value_get(p->config, "desired")) &&
           !value_is_unknown(value_get(p->config, "min")) &&
           !value_is_unknown(value_get(p->config, "autoscaling"));
}

const struct value *platform_gcp_pool_zones(struct platform_derivation *d,
                                            const struct platform_pools *pools,
                                            const struct value *zones)
{
    struct value_member m[PLATFORM_POOLS_MOST];
    struct placing p = {.count = 0};
    bool can_ask = value_is_known(zones) && platform_gcp_may_ask(d->c);
    for (size_t i = 0; i < pools->count; i++) {
        const struct platform_pool *pool = &pools->items[i];
        const char *key = platform_pool_key(d->a, pool);
        if (!key)
            return NULL;
        m[i] = (struct value_member){slice_str(key), size_is_known(pool) ? kept_zones(d, pool, key)
                                                                         : platform_unknown(d)};
        if (!m[i].value && platform_gcp_machine(d->a, value_slice(value_at(pool->machine_types, 0)),
                                                &p.machines[p.count]))
            p.count++;
    }
    if (p.count && can_ask)
        want_offers(d, &p, zones);
    for (size_t i = 0; i < pools->count; i++) {
        if (!m[i].value)
            m[i].value =
                can_ask ? offered_zones(d, &p, &pools->items[i], zones) : platform_unknown(d);
        if (!m[i].value)
            return NULL;
    }
    return value_object(d->a, m, pools->count);
}

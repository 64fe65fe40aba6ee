/* Node pools of GKE, from the pools of the configuration. */
#include "resources/platform_cluster_gcp.h"

#include <ctype.h>
#include <string.h>

/* An object's members, put together one by one. */
struct entry {
    struct value_member items[32];
    size_t count;
    bool failed;
};

static void put(struct entry *e, const char *name, const struct value *v)
{
    e->failed |= !v || e->count == sizeof(e->items) / sizeof(*e->items);
    if (!e->failed)
        e->items[e->count++] = (struct value_member){slice_str(name), v};
}

static bool is_unknown(const struct platform_pool *p, const char *name)
{
    return value_is_unknown(value_get(p->config, name));
}

/* ---- size ---- */

/* `desired` nodes in zones that each get the same number, at the creation of a pool that grows and
 * shrinks by itself. Rounded up, so that there are nodes at all; GPUs are too dear for that. */
static int64_t nodes_of_zone(const struct platform_pool *p, int64_t zones)
{
    int64_t low = p->desired / zones, high = (p->desired + zones - 1) / zones;
    return p->gpu || high * zones > p->max ? low : high;
}

static void put_size(struct platform_derivation *d, struct entry *e, const struct platform_pool *p,
                     const struct value *zones)
{
    static const char *const names[] = {"min", "max"};
    const struct value *null = value_null(d->a, &type_number);
    const int64_t limits[] = {p->min, p->max};
    bool scaled = p->autoscaling, unsure = is_unknown(p, "autoscaling");
    bool spread = value_is_known(zones) && value_count(zones) && !is_unknown(p, "desired") &&
                  !is_unknown(p, "min") && !is_unknown(p, "max");
    int64_t count = spread ? (int64_t)value_count(zones) : 1;
    const struct value *none = unsure ? platform_unknown(d) : null;
    put(e, "autoscaling", unsure ? platform_unknown(d) : value_bool(d->a, scaled));
    put(e, "nodes",
        scaled || unsure ? none
        : spread         ? value_int(d->a, p->desired / count)
                         : platform_unknown(d));
    put(e, "initial_nodes",
        !scaled || unsure ? none
        : spread          ? value_int(d->a, nodes_of_zone(p, count))
                          : platform_unknown(d));
    for (size_t i = 0; i < 2; i++)
        put(e, names[i],
            !scaled || unsure         ? none
            : is_unknown(p, names[i]) ? platform_unknown(d)
                                      : value_int(d->a, limits[i]));
    put(e, "location_policy",
        !scaled || unsure ? none : value_str(d->a, p->spot || p->gpu ? "ANY" : "BALANCED"));
}

/* ---- machine ---- */

static const struct value *accelerators(struct arena *a, const struct platform_gcp_machine *m)
{
    const struct value_member driver = {SLICE_LIT("gpuDriverVersion"), value_str(a, "DEFAULT")};
    const struct value_member members[] = {
        {SLICE_LIT("acceleratorCount"), value_printf(a, "%lld", (long long)m->count)},
        {SLICE_LIT("acceleratorType"), value_str(a, m->accelerator)},
        {SLICE_LIT("gpuDriverInstallationConfig"), value_object(a, &driver, 1)}};
    const struct value *one = value_object(a, members, 3);
    return value_tuple(a, &one, 1);
}

/* GKE has image types in capitals. */
static const struct value *image_type(struct arena *a, const struct value *given)
{
    char *text = arena_strdup(a, value_cstr(given, "COS_CONTAINERD"));
    for (char *p = text; p && *p; p++)
        *p = (char)toupper((unsigned char)*p);
    return text ? value_str(a, text) : NULL;
}

static int put_machine(struct platform_derivation *d, struct entry *e,
                       const struct platform_pool *p)
{
    struct platform_gcp_machine m;
    if (!platform_gcp_machine(d->a, value_slice(value_at(p->machine_types, 0)), &m))
        return -1;
    put(e, "machine_type", value_str(d->a, m.type));
    put(e, "accelerators",
        m.accelerator ? accelerators(d->a, &m) : value_null(d->a, &type_dynamic));
    put(e, "disk_gib", value_int(d->a, p->disk_gib));
    put(e, "image_type", image_type(d->a, p->image_type));
    put(e, "spot", value_bool(d->a, p->spot));
    /* Drivers that are not part of the image are not signed for it. */
    put(e, "secure_boot", value_bool(d->a, !p->gpu));
    return 0;
}

/* ---- labels and taints ---- */

/* Maps of texts in one; what comes later counts. NULL ones are passed over. */
static const struct value *merged(struct platform_derivation *d, const struct value *const *maps,
                                  size_t count)
{
    size_t most = 0, n = 0;
    for (size_t i = 0; i < count; i++) {
        if (maps[i] && !value_is_wholly_known(maps[i]))
            return platform_unknown(d);
        most += value_count(maps[i]);
    }
    struct value_member *m = arena_new_array(d->a, most + 1, struct value_member);
    for (size_t i = 0; m && i < count; i++)
        for (size_t k = 0; k < value_count(maps[i]); k++)
            if (!value_is_null(value_at(maps[i], k)))
                m[n++] = maps[i]->members[k];
    return m ? value_map(d->a, &type_string, m, n) : NULL;
}

static const struct value *labels_of(struct platform_derivation *d, const struct platform_pool *p)
{
    const struct value_member gpu = {SLICE_LIT("nvidia.com/gpu.present"), value_str(d->a, "true")};
    const struct value *const maps[] = {value_map(d->a, &type_string, &gpu, p->gpu ? 1 : 0),
                                        value_get(p->config, "labels")};
    return maps[0] ? merged(d, maps, 2) : NULL;
}

/* A value that is empty is left out of GKE's answers. */
static const struct value *taint(struct arena *a, const struct value *key,
                                 const struct value *value, const struct value *effect)
{
    bool empty = !value_is_unknown(value) && !value_slice(value).len;
    const struct value_member m[] = {
        {SLICE_LIT("key"), key}, {SLICE_LIT("effect"), effect}, {SLICE_LIT("value"), value}};
    return value_object(a, m, empty ? 2 : 3);
}

/* GKE itself adds the taint of GPUs, unless there is one with its key. */
static const struct value *taints_of(struct platform_derivation *d, const struct platform_pool *p)
{
    const struct value *own = value_get(p->config, "taints");
    size_t count = value_count(own), n = 0;
    bool gpu = p->gpu;
    if (own && !value_is_wholly_known(own))
        return platform_unknown(d);
    const struct value **items = arena_new_array(d->a, count + 1, const struct value *);
    for (size_t i = 0; items && i < count; i++) {
        const struct value *t = value_at(own, i);
        gpu &= !slice_eq_str(value_slice(value_get(t, "key")), "nvidia.com/gpu");
        items[n++] =
            taint(d->a, value_get(t, "key"), value_get(t, "value"), value_get(t, "effect"));
    }
    if (items && gpu)
        items[n++] = taint(d->a, value_str(d->a, "nvidia.com/gpu"), value_str(d->a, "present"),
                           value_str(d->a, "NO_SCHEDULE"));
    return items ? value_tuple(d->a, items, n) : NULL;
}

/* ---- upgrades ---- */

/* A GPU more than the pool has may be hard to get: its nodes go first. */
static void put_upgrade(struct platform_derivation *d, struct entry *e,
                        const struct platform_pool *p)
{
    put(e, "max_surge", value_int(d->a, p->gpu ? 0 : 1));
    put(e, "max_unavailable",
        is_unknown(p, "max_unavailable") ? platform_unknown(d)
                                         : value_int(d->a, p->max_unavailable));
}

static const struct value *pool_object(struct platform_derivation *d, const struct platform_pool *p,
                                       const char *key, const struct value *zones)
{
    struct entry e = {.count = 0};
    const char *component = arena_printf(d->a, "node_pool.%s", key);
    if (!component || put_machine(d, &e, p) < 0)
        return NULL;
    put(&e, "name", value_str(d->a, key));
    put(&e, "pool", value_string(d->a, p->name));
    put(&e, "zones", zones);
    put(&e, "version",
        platform_gcp_version(d, platform_recorded(d->c, component, "current_version")));
    put_size(d, &e, p, zones);
    put(&e, "labels", labels_of(d, p));
    put(&e, "taints", taints_of(d, p));
    put_upgrade(d, &e, p);
    return e.failed ? NULL : value_object(d->a, e.items, e.count);
}

/* ---- the cluster's first pool ---- */

/* The labels that the engine gives to the component of this pool. */
static const struct value *owner_labels(struct platform_derivation *d, const char *key)
{
    const struct composite_context *c = d->c;
    const struct value *const maps[] = {
        c->client ? c->driver->default_tags(c->client, d->a) : NULL, platform_of(d, "tags"),
        c->driver->owner_tags(d->a, PLATFORM_CLUSTER_TYPE, value_get(d->config, "name"),
                              arena_printf(d->a, "node_pool.%s", key))};
    return maps[2] ? merged(d, maps, 3) : NULL;
}

/* A cluster is made with one of its pools, instead of one that would have to go again. Which one
 * stays what it was; else it is the first that needs no GPUs, which may be hard to get. */
static const char *first_pool(const struct platform_derivation *d,
                              const struct platform_pools *pools, const struct value *objects)
{
    const struct record *r = records_find(d->c->records, "cluster");
    const char *was = r ? value_cstr(value_path(r->attrs, "initial_pool.name"), NULL) : NULL;
    size_t index = 0;
    while (index < pools->count && pools->items[index].gpu)
        index++;
    if (was && value_get(objects, was))
        return was;
    return platform_pool_key(d->a, &pools->items[index < pools->count ? index : 0]);
}

static void put_initial(struct platform_derivation *d, const struct platform_pools *pools,
                        const struct value *objects)
{
    const char *key = first_pool(d, pools, objects);
    const struct value *owner = key ? owner_labels(d, key) : NULL;
    platform_put(d, "initial_pool",
                 owner ? value_with(d->a, value_get(objects, key), "owner", owner) : NULL);
}

static int put_unknown(struct platform_derivation *d)
{
    static const char *const names[] = {"node_pools", "initial_pool", "pool_zones"};
    for (size_t i = 0; i < 3; i++)
        platform_put(d, names[i], platform_unknown(d));
    return 0;
}

int platform_gcp_derive_pools(struct platform_derivation *d, const struct value *zones)
{
    struct platform_pools pools;
    struct value_member m[PLATFORM_POOLS_MOST];
    platform_pools(d->a, d->cloud, d->config, &pools);
    bool known = pools.known;
    for (size_t i = 0; i < pools.count; i++)
        known &= pools.items[i].known;
    if (!known || !pools.count)
        return put_unknown(d);
    const struct value *placed = platform_gcp_pool_zones(d, &pools, zones);
    if (!placed)
        return -1;
    for (size_t i = 0; i < pools.count; i++) {
        const char *key = platform_pool_key(d->a, &pools.items[i]);
        const struct value *pool =
            key ? pool_object(d, &pools.items[i], key, value_get(placed, key)) : NULL;
        if (!pool)
            return -1;
        m[i] = (struct value_member){slice_str(key), pool};
    }
    const struct value *all = value_object(d->a, m, pools.count);
    platform_put(d, "pool_zones", placed);
    platform_put(d, "node_pools", all);
    if (all)
        put_initial(d, &pools, all);
    return all ? 0 : -1;
}

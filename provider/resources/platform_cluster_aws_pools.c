/* Node pools as managed node groups, each with a launch template of its own. */
#include "resources/platform_cluster_aws.h"

#include <ctype.h>
#include <string.h>

#define GPU_LABEL "nvidia.com/gpu.present"
#define GPU_TAINT "nvidia.com/gpu"

/* ---- machine types ---- */

/* The letters of a type's family before its generation: "m" of "m6gd.large". */
static size_t family_length(struct slice type)
{
    size_t n = 0;
    while (n < type.len && islower((unsigned char)type.ptr[n]))
        n++;
    return n < type.len && isdigit((unsigned char)type.ptr[n]) ? n : 0;
}

/* What follows the generation: "gd" of "m6gd.large". */
static struct slice attributes_of(struct slice type)
{
    size_t from = family_length(type);
    while (from < type.len && isdigit((unsigned char)type.ptr[from]))
        from++;
    size_t end = from;
    while (end < type.len && type.ptr[end] != '.')
        end++;
    return slice_from(type.ptr + from, end - from);
}

/* Amazon EC2 Instance Types Guide, "Accelerated computing": G, Gr and P have NVIDIA's GPUs, but for
 * G4ad. */
bool platform_aws_has_gpu(struct slice type)
{
    struct slice family = slice_from(type.ptr, family_length(type));
    return (slice_eq_str(family, "g") || slice_eq_str(family, "gr") || slice_eq_str(family, "p")) &&
           !slice_has_prefix(type, "g4ad.");
}

/* "Instance type naming conventions": g for Graviton, gb for Grace; A1 is older than they. */
bool platform_aws_is_arm(struct slice type)
{
    struct slice attributes = attributes_of(type);
    return (attributes.len && memchr(attributes.ptr, 'g', attributes.len)) ||
           slice_has_prefix(type, "a1.");
}

/* EKS API Reference, Nodegroup, amiType. */
static const struct value *ami_type(struct arena *a, const struct platform_pool *p)
{
    bool arm = platform_aws_is_arm(value_slice(value_at(p->machine_types, 0)));
    if (p->image_type)
        return p->image_type;
    if (p->gpu)
        return value_str(a, arm ? "AL2023_ARM_64_NVIDIA" : "AL2023_x86_64_NVIDIA");
    return value_str(a, arm ? "AL2023_ARM_64_STANDARD" : "AL2023_x86_64_STANDARD");
}

/* The disk for images and pods. Bottlerocket's system is on another one. */
static const char *device_of(const struct platform_pool *p)
{
    const char *image = value_cstr(p->image_type, "");
    if (strncmp(image, "BOTTLEROCKET", 12) == 0)
        return "/dev/xvdb";
    return strncmp(image, "WINDOWS", 7) == 0 ? "/dev/sda1" : "/dev/xvda";
}

/* ---- labels, taints, tags ---- */

static const struct value *labels_of(struct platform_aws *p, const struct platform_pool *pool)
{
    struct arena *a = p->d->a;
    const struct value *own = value_get(pool->config, "labels");
    const struct value_member gpu[] = {{SLICE_LIT(GPU_LABEL), value_str(a, "true")}};
    if (own && value_is_unknown(own))
        return platform_unknown(p->d);
    const struct value *all = value_map(a, &type_string, gpu, pool->gpu ? 1 : 0);
    for (size_t i = 0; all && i < value_count(own); i++)
        all = value_with(a, all, own->members[i].key.ptr, value_at(own, i));
    return all;
}

static const struct value *taint(struct arena *a, const struct value *key,
                                 const struct value *value, const struct value *effect)
{
    const struct value_member m[] = {
        {SLICE_LIT("key"), key}, {SLICE_LIT("value"), value}, {SLICE_LIT("effect"), effect}};
    return value_object(a, m, 3);
}

static bool keeps_others_off(const struct value *t)
{
    return slice_eq_str(value_slice(value_get(t, "key")), GPU_TAINT);
}

/* What runs on a GPU asks for it: the taint keeps all else off, unless the user has one like it. */
static const struct value *taints_of(struct platform_aws *p, const struct platform_pool *pool)
{
    struct arena *a = p->d->a;
    const struct value *own = value_get(pool->config, "taints");
    size_t n = 0;
    bool gpu = pool->gpu;
    if (own && value_is_unknown(own))
        return platform_unknown(p->d);
    const struct value **items = arena_new_array(a, value_count(own) + 1, const struct value *);
    for (size_t i = 0; items && i < value_count(own); i++) {
        const struct value *t = value_at(own, i);
        gpu &= !keeps_others_off(t);
        items[n++] = value_is_unknown(t) ? t
                                         : taint(a, value_get(t, "key"), value_get(t, "value"),
                                                 value_get(t, "effect"));
    }
    if (items && gpu)
        items[n++] =
            taint(a, value_str(a, GPU_TAINT), value_str(a, "present"), value_str(a, "NO_SCHEDULE"));
    return items ? value_tuple(a, items, n) : NULL;
}

static const struct value *with_all(struct arena *a, const struct value *map,
                                    const struct value *more)
{
    for (size_t i = 0; map && i < value_count(more); i++)
        map = value_with(a, map, more->members[i].key.ptr, value_at(more, i));
    return map;
}

/* Of machines and their disks: the user's, and whose they are. */
static const struct value *node_tags(struct platform_aws *p, const char *component)
{
    const struct composite_context *c = p->d->c;
    struct arena *a = p->d->a;
    const struct value *defaults = c->client ? c->driver->default_tags(c->client, a) : NULL,
                       *own = platform_of(p->d, "tags"),
                       *owner = c->driver->owner_tags(a, PLATFORM_CLUSTER_TYPE,
                                                      value_get(p->d->config, "name"), component);
    if (value_is_unknown(defaults) || value_is_unknown(own) || !p->d->name)
        return platform_unknown(p->d);
    const struct value *all = value_map(a, &type_string, NULL, 0);
    return with_all(a, with_all(a, with_all(a, all, defaults), own), owner);
}

/* ---- sizes ---- */

struct sizes {
    const struct value *min, *max, *desired, *initial;
    bool resize; /* the pool's own size is outside of what is allowed now */
};

static bool any_unknown(const struct platform_pool *pool)
{
    static const char *const names[] = {"min", "max", "desired", "autoscaling"};
    for (size_t i = 0; i < 4; i++)
        if (value_is_unknown(value_get(pool->config, names[i])))
            return true;
    return false;
}

/* An autoscaler decides about the size: it is only set where the limits leave it no choice. */
static struct sizes sizes_of(struct platform_aws *p, const struct platform_pool *pool,
                             const char *component)
{
    struct arena *a = p->d->a;
    const struct value *unknown = platform_unknown(p->d);
    const struct value *size = records_attr(p->d->c->records, component, "size");
    int64_t now = value_int_or(size, pool->desired);
    if (any_unknown(pool))
        return (struct sizes){unknown, unknown, unknown, unknown, false};
    struct sizes s = {.min = value_int(a, pool->min), .max = value_int(a, pool->max)};
    if (!pool->autoscaling) {
        s.desired = s.initial = value_int(a, pool->desired);
        return s;
    }
    s.resize = now < pool->min || now > pool->max;
    int64_t inside = now < pool->min ? pool->min : now > pool->max ? pool->max : pool->desired;
    s.desired = value_null(a, &type_number);
    s.initial = value_int(a, inside);
    return s;
}

/* ---- all of it ---- */

static const struct value *config_or(struct platform_aws *p, const struct platform_pool *pool,
                                     const char *name, int64_t otherwise)
{
    const struct value *v = value_get(pool->config, name);
    return v && value_is_unknown(v) ? v : value_int(p->d->a, otherwise);
}

static const struct value *named(struct platform_aws *p, const char *key)
{
    return p->d->name ? value_printf(p->d->a, "llm-platform-%s-%s", p->d->name, key)
                      : platform_unknown(p->d);
}

static const struct value *pool_object(struct platform_aws *p, const struct platform_pool *pool,
                                       const char *key)
{
    struct arena *a = p->d->a;
    const char *component = arena_printf(a, "node_pool.%s", key);
    if (!component)
        return NULL;
    const struct sizes s = sizes_of(p, pool, component);
    const struct value_member m[] = {
        {SLICE_LIT("pool"), value_string(a, pool->name)},
        {SLICE_LIT("template"), named(p, key)},
        {SLICE_LIT("device"), value_str(a, device_of(pool))},
        {SLICE_LIT("disk_gib"), value_int(a, pool->disk_gib)},
        {SLICE_LIT("node_tags"), node_tags(p, component)},
        {SLICE_LIT("instance_types"), pool->machine_types},
        {SLICE_LIT("ami_type"), ami_type(a, pool)},
        {SLICE_LIT("capacity_type"), value_str(a, pool->spot ? "SPOT" : "ON_DEMAND")},
        {SLICE_LIT("min"), s.min},
        {SLICE_LIT("max"), s.max},
        {SLICE_LIT("desired"), s.desired},
        {SLICE_LIT("initial"), s.initial},
        {SLICE_LIT("resize"), value_bool(a, s.resize)},
        {SLICE_LIT("max_unavailable"),
         config_or(p, pool, "max_unavailable", pool->max_unavailable)},
        {SLICE_LIT("labels"), labels_of(p, pool)},
        {SLICE_LIT("taints"), taints_of(p, pool)}};
    return value_object(a, m, sizeof(m) / sizeof(*m));
}

int platform_aws_pools(struct platform_aws *p)
{
    struct platform_derivation *d = p->d;
    struct platform_pools pools;
    struct value_member m[PLATFORM_POOLS_MOST];
    platform_pools(d->a, d->cloud, d->config, &pools);
    bool known = pools.known;
    for (size_t i = 0; i < pools.count; i++)
        known &= pools.items[i].known;
    for (size_t i = 0; known && i < pools.count; i++) {
        const char *key = platform_pool_key(d->a, &pools.items[i]);
        m[i].key = slice_str(key);
        m[i].value = key ? pool_object(p, &pools.items[i], key) : NULL;
    }
    platform_put(d, "node_pools", known ? value_object(d->a, m, pools.count) : platform_unknown(d));
    return 0;
}

/* The node pools of a configuration, with their defaults. */
#include "resources/platform_cluster.h"

#include <string.h>

#include "cloud/sigv4.h"

enum { DISK_GIB = 50, GPU_DISK_GIB = 200 };

static const struct value *default_types(struct arena *a, const struct platform_cloud *cloud,
                                         bool gpu)
{
    const struct value *type = value_str(a, gpu ? cloud->gpu_machine_type : cloud->machine_type);
    return value_tuple(a, &type, 1);
}

static bool is_known(const struct value *pool)
{
    static const char *const decisive[] = {"machine_types", "gpu", "provisioning", "disk_gib",
                                           "image_type"};
    return config_wholly_known(pool, decisive, sizeof(decisive) / sizeof(*decisive));
}

static int64_t number_of(const struct value *pool, const char *name, int64_t otherwise)
{
    return value_int_or(value_get(pool, name), otherwise);
}

static struct platform_pool read_pool(struct arena *a, const struct platform_cloud *cloud,
                                      struct slice name, const struct value *v)
{
    const struct value *autoscaling = value_get(v, "autoscaling"),
                       *types = value_get(v, "machine_types"), *image = value_get(v, "image_type");
    struct platform_pool p = {.name = name, .config = v, .known = is_known(v)};
    p.gpu = value_true(value_get(v, "gpu"));
    p.spot = strcmp(value_cstr(value_get(v, "provisioning"), ""), "spot") == 0;
    p.autoscaling = !value_is_known(autoscaling) || value_true(autoscaling);
    p.machine_types = config_is_set(types) ? types : default_types(a, cloud, p.gpu);
    p.min = number_of(v, "min", 1);
    p.max = number_of(v, "max", 3);
    p.desired = number_of(v, "desired", p.min);
    /* Without an autoscaler nothing else decides: the bounds let it be. */
    if (!p.autoscaling && p.desired < p.min)
        p.min = p.desired;
    if (!p.autoscaling && p.desired > p.max)
        p.max = p.desired;
    p.disk_gib = number_of(v, "disk_gib", p.gpu ? GPU_DISK_GIB : DISK_GIB);
    p.max_unavailable = number_of(v, "max_unavailable", 1);
    p.image_type = config_is_set(image) ? image : NULL;
    return p;
}

void platform_pools(struct arena *a, const struct platform_cloud *cloud, const struct value *config,
                    struct platform_pools *ret)
{
    const struct value *pools = value_get(config, "node_pools");
    memset(ret, 0, sizeof(*ret));
    ret->known = !value_is_unknown(pools);
    if (!config_is_set(pools)) {
        if (ret->known)
            ret->items[ret->count++] = read_pool(a, cloud, SLICE_LIT("general"), NULL);
        return;
    }
    for (size_t i = 0; i < value_count(pools) && i < PLATFORM_POOLS_MOST; i++) {
        const struct value *v = value_at(pools, i);
        if (value_is_unknown(v))
            ret->known = false;
        else
            ret->items[ret->count++] = read_pool(a, cloud, pools->members[i].key, v);
    }
}

const char *platform_pool_key(struct arena *a, const struct platform_pool *p)
{
    _cleanup_buf_ struct buf b = BUF_INIT(4096);
    buf_printf(&b, "%d %d %lld %s", p->gpu, p->spot, (long long)p->disk_gib,
               value_cstr(p->image_type, ""));
    for (size_t i = 0; i < value_count(p->machine_types); i++)
        buf_printf(&b, " %s", value_cstr(value_at(p->machine_types, i), ""));
    const char *digest = b.failed ? NULL : sigv4_sha256_hex(a, buf_slice(&b));
    return digest ? arena_printf(a, "%.*s-%.8s", (int)p->name.len, p->name.ptr, digest) : NULL;
}

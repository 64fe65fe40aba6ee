/* The table of llm_endpoint in a Kubernetes cluster, and what its files share. */
#include "resources/endpoint_cluster.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "cloud/plain.h"
#include "resources/cluster_link.h"

enum { MEMBERS_MOST = 24, VLLM_PORT = 8000, OTHER_PORT = 8080, CPU_MOST = 10000000 };

/* ---- the configuration ---- */

const char *endpoint_cluster_namespace(const struct value *config)
{
    return value_cstr(config_get(config, "cluster.namespace"), "default");
}

const char *endpoint_cluster_name(struct arena *a, const char *name, struct slice variant)
{
    return name ? arena_printf(a, "%s-%.*s", name, (int)variant.len, variant.ptr) : NULL;
}

bool endpoint_cluster_is_bucket(const char *uri)
{
    return strncmp(uri, "s3://", 5) == 0 || strncmp(uri, "gs://", 5) == 0;
}

int64_t endpoint_cluster_port(const struct value *config, enum endpoint_stack stack)
{
    return value_int_or(config_get(config, "container.port"),
                        stack == ENDPOINT_VLLM ? VLLM_PORT : OTHER_PORT);
}

int64_t endpoint_cluster_cpu_milli(const struct value *config)
{
    const char *text = value_cstr(config_get(config, "machine.cpu"), NULL);
    if (!text)
        return ENDPOINT_CLUSTER_CPU_MILLI;
    char *end = NULL;
    int64_t n = strtoll(text, &end, 10), scale = 1000;
    if (n > CPU_MOST)
        return -1;
    if (*end == 'm')
        return n;
    n *= 1000;
    for (const char *p = end + (*end == '.'); *p; p++) {
        scale /= 10;
        if (*p == 'm' || (scale == 0 && *p != '0'))
            return -1;
        n += (*p - '0') * scale;
    }
    return n;
}

static const struct catalog_machine *machine(const char *cloud, struct slice type)
{
    return catalog_machine(cloud, type);
}

/* As many as the user says; else as the model needs on this machine; else one. */
static void need_gpus(const struct value *config, const struct catalog_machine *on,
                      const struct endpoint_model *m, struct endpoint_cluster_needs *ret)
{
    const struct value *wanted = config_get(config, "machine.gpus");
    struct fit_result r;
    ret->gpus = ret->tensor_parallel = value_int_or(wanted, 1);
    if (wanted || !on || !endpoint_fits(m, on, 0, &r))
        return;
    ret->gpus = r.gpus_used;
    ret->tensor_parallel = r.tensor_parallel;
}

/* So much for each GPU; a quarter of a node is left to what else runs there. */
static int64_t default_memory_mib(const struct catalog_machine *on, int64_t gpus)
{
    int64_t parts = gpus ? gpus : 1, mib = 1024 * ENDPOINT_CLUSTER_MEMORY_GIB * parts;
    int64_t most =
        on && on->gpu_count ? 1024LL * on->memory_gib * 3 / 4 * parts / on->gpu_count : mib;
    return most < mib ? most : mib;
}

void endpoint_cluster_needs(const struct value *config, const struct endpoint_variant *v,
                            const struct endpoint_model *m, struct endpoint_cluster_needs *ret)
{
    const char *cloud = value_cstr(value_get(config, "cloud"), "");
    const struct catalog_machine *on =
        v->machine_type ? machine(cloud, slice_str(v->machine_type)) : NULL;
    int64_t memory_gib = value_int_or(config_get(config, "machine.memory_gib"), 0);
    *ret = (struct endpoint_cluster_needs){
        .cpu_milli = endpoint_cluster_cpu_milli(config),
        .disk_gib = value_int_or(config_get(config, "machine.disk_gib"),
                                 m->sized ? fit_disk_gib(&m->fit, 1) : ENDPOINT_CLUSTER_DISK_GIB)};
    need_gpus(config, on, m, ret);
    ret->memory_mib = memory_gib ? 1024 * memory_gib : default_memory_mib(on, ret->gpus);
}

/* ---- values ---- */

double endpoint_cluster_amount(struct arena *a, const struct value *v)
{
    const struct value *plain = config_is_set(v) ? plain_value(a, v, true) : NULL;
    const char *text = value_cstr(plain, NULL);
    return text ? strtod(text, NULL) / 1e9 : -1;
}

const struct value *endpoint_object(struct arena *a, ...)
{
    struct value_member m[MEMBERS_MOST];
    size_t count = 0;
    va_list ap;
    va_start(ap, a);
    for (const char *key; count < MEMBERS_MOST && (key = va_arg(ap, const char *));) {
        const struct value *v = va_arg(ap, const struct value *);
        if (v)
            m[count++] = (struct value_member){slice_str(key), v};
    }
    va_end(ap);
    return value_object(a, m, count);
}

const struct value *endpoint_tuple(struct arena *a, ...)
{
    const struct value *items[MEMBERS_MOST];
    size_t count = 0;
    va_list ap;
    va_start(ap, a);
    for (const struct value *v; count < MEMBERS_MOST && (v = va_arg(ap, const struct value *));)
        items[count++] = v;
    va_end(ap);
    return value_tuple(a, items, count);
}

const struct value *endpoint_mib(struct arena *a, int64_t mib)
{
    static const char *const units[] = {"Mi", "Gi", "Ti", "Pi"};
    size_t unit = 0;
    while (mib && mib % 1024 == 0 && unit < 3) {
        mib /= 1024;
        unit++;
    }
    return value_printf(a, "%lld%s", (long long)mib, units[unit]);
}

/* ---- the way into the cluster ---- */

static int inner_cloud(const struct composite_context *c, struct engine_cloud *ret)
{
    static const char other_way[] = ", or give it an endpoint that is reached from here";
    static const struct cluster_advice advice = {other_way, other_way};
    const struct value *other = config_get(c->config, "cluster.kubernetes"),
                       *written = config_get(c->secrets, "cluster.kubernetes");
    const struct cluster_link to = {.name = value_cstr(config_get(c->config, "cluster.name"), NULL),
                                    .advice = &advice,
                                    .fixed = other != NULL,
                                    .endpoint = value_cstr(value_get(other, "endpoint"), NULL),
                                    .ca = value_cstr(value_get(other, "ca_certificate"), NULL),
                                    .token = value_cstr(value_get(written, "token_wo"), NULL),
                                    .token_file = value_cstr(value_get(other, "token_file"), NULL)};
    return cluster_link_new(c, &to, ret);
}

const struct endpoint_target endpoint_cluster = {
    .target = "cluster",
    .title = "a cluster",
    .image_target = "cluster",
    .claimed = ENDPOINT_CLUSTER_SERVICE,
    .machine = machine,
    .validate = endpoint_cluster_validate,
    .derive = endpoint_cluster_derive,
    .check = endpoint_cluster_check,
    .inner_cloud = inner_cloud,
    .describe = endpoint_cluster_describe,
    .outputs = endpoint_cluster_outputs,
};

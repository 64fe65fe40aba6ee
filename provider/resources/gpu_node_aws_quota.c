/* Quotas of machines with GPUs, in vCPUs: how many there may be, and how many run. */
#include "resources/gpu_node_aws.h"

#include <stdlib.h>
#include <string.h>

#include "cloud/template.h"

static int vcpus_of(struct arena *a, const struct value *instance)
{
    long cores =
        strtol(value_cstr(template_select(a, instance, "cpuOptions.coreCount"), "0"), NULL, 10);
    long threads = strtol(
        value_cstr(template_select(a, instance, "cpuOptions.threadsPerCore"), "0"), NULL, 10);
    const struct catalog_machine *m =
        catalog_machine("aws", value_slice(value_get(instance, "instanceType")));
    if (m)
        return m->vcpus;
    return cores > 0 && threads > 0 && cores < 10000 && threads < 10 ? (int)(cores * threads) : 0;
}

/* Whether an instance counts against a quota: by family and market. EC2 User Guide, "On-Demand
 * Instance quotas" and "Spot Instance quotas". */
static bool counts_against(const struct catalog_quota *q, bool spot, const char *type)
{
    if (q->family[0] == 'g')
        return type[0] == 'g' || strncmp(type, "vt", 2) == 0;
    if (!spot || type[0] != 'p')
        return type[0] == 'p';
    bool new = type[1] >= '5';
    return new == (strcmp(q->family, "p5") == 0);
}

/* Adds the vCPUs of instances that count against the quota; those that will be gone do not. */
static void add_usage(struct arena *a, const struct value *instances, const struct catalog_quota *q,
                      bool spot, gpu_node_aws_is_own is_own, void *self, int *used)
{
    for (size_t i = 0; i < value_count(instances); i++) {
        const struct value *item = value_at(instances, i);
        bool is_spot = strcmp(value_cstr(value_get(item, "instanceLifecycle"), ""), "spot") == 0;
        if (is_spot == spot && !is_own(self, item) &&
            counts_against(q, spot, value_cstr(value_get(item, "instanceType"), "-")))
            *used += vcpus_of(a, item);
    }
}

double gpu_node_aws_quota_value(struct arena *a, const struct value *answer)
{
    const struct value *v = template_select(a, answer, "Quota.Value");
    return value_is_known(v) && v->type->kind == TYPE_NUMBER ? number_to_double(v->number, NULL)
                                                             : -1;
}

int gpu_node_aws_read_quota(const struct composite_context *c, const struct catalog_quota *q,
                            bool spot, gpu_node_aws_is_own is_own, void *self, double *limit,
                            int *used, const char **why)
{
    const struct gpu_node_lookup *quota = NULL, *usage = NULL;
    const struct value *code = value_str(c->arena, spot ? q->spot : q->on_demand);
    gpu_node_want(c, GPU_NODE_LOOKUP_USAGE, NULL);
    if (gpu_node_answer(c, GPU_NODE_LOOKUP_QUOTA, code, &quota) < 0) {
        *why = quota->error.message;
        return -1;
    }
    if (gpu_node_answer(c, GPU_NODE_LOOKUP_USAGE, NULL, &usage) < 0) {
        *why = usage->error.message;
        return -1;
    }
    *limit = gpu_node_aws_quota_value(c->arena, quota->answer);
    add_usage(c->arena, usage->answer, q, spot, is_own, self, used);
    return 0;
}

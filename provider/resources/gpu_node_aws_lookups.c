/* What a plan asks of AWS about a node. */
#include "resources/gpu_node_aws.h"

#include <string.h>

#include "cloud/template.h"

enum { PAGES_MOST = 64 };

static const struct cloud_operation get_quota = {
    .service = "servicequotas", .name = "GetServiceQuota", .idempotent = true};
static const struct cloud_operation get_role = {
    .service = "iam", .name = "GetRole", .idempotent = true};

static void want_quota(const struct composite_context *c, const char *code)
{
    gpu_node_want(c, GPU_NODE_LOOKUP_QUOTA, value_str(c->arena, code));
}

void gpu_node_aws_want_checks(const struct composite_context *c,
                              const struct gpu_node_machines *machines)
{
    const struct gpu_node_markets may = gpu_node_markets(c->config);
    bool runs = config_is(c->config, "power", "running");
    if (value_is_known(value_get(c->config, "name")))
        gpu_node_want(c, GPU_NODE_LOOKUP_NODE, NULL);
    if (!runs || !machines->known || !machines->count)
        return;
    gpu_node_want_offers(c, machines);
    gpu_node_want(c, GPU_NODE_LOOKUP_USAGE, NULL);
    /* Of machines that the catalogue chose the first is nearly always the one. */
    for (size_t i = 0; i < (machines->chosen ? machines->count : 1); i++) {
        if (may.spot)
            want_quota(c, machines->items[i]->quota->spot);
        if (may.on_demand)
            want_quota(c, machines->items[i]->quota->on_demand);
    }
}

/* ---- asking ---- */

/* Running instances of all kinds: they count against the quotas. */
static int ask_usage(const struct composite_context *c, struct gpu_node_lookup *k)
{
    struct arena *a = c->arena;
    const struct value *states[] = {value_str(a, "pending"), value_str(a, "running")};
    const struct value *token = NULL, *answer = NULL, *all = value_tuple(a, NULL, 0);
    for (int page = 0; page < PAGES_MOST; page++) {
        const struct value_member m[] = {
            {SLICE_LIT("Filter"), aws_filter(a, "instance-state-name", states, 2)},
            {SLICE_LIT("NextToken"), token}};
        const struct value *request = value_object(a, m, token ? 2 : 1);
        if (composite_call(c, a, &gpu_node_aws_describe_instances, request, &answer, &k->error) < 0)
            return -1;
        const struct value *more = template_select(a, answer, "reservationSet.*.instancesSet.*");
        all = value_tuple_join(a, all, more);
        token = value_get(answer, "nextToken");
        if (!all || !value_slice(token).len)
            break;
    }
    k->answer = all;
    return all ? 0 : -1;
}

int gpu_node_aws_ask(const struct composite_context *c, struct gpu_node_lookup *k)
{
    struct arena *a = c->arena;
    const struct value_member image[] = {{SLICE_LIT("ImageId"), value_tuple(a, &k->subject, 1)}};
    const struct value_member subnets[] = {{SLICE_LIT("SubnetId"), k->subject}};
    const struct value_member role[] = {{SLICE_LIT("RoleName"), k->subject}};
    const struct value_member quota[] = {{SLICE_LIT("ServiceCode"), value_str(a, "ec2")},
                                         {SLICE_LIT("QuotaCode"), k->subject}};
    switch (k->kind) {
    case GPU_NODE_LOOKUP_IMAGE:
        return composite_call(c, a, &gpu_node_aws_describe_images, value_object(a, image, 1),
                              &k->answer, &k->error);
    case GPU_NODE_LOOKUP_NODE:
        return gpu_node_aws_find_instances(c, &k->answer, &k->error);
    case GPU_NODE_LOOKUP_IDENTITY:
        return composite_call(c, a, &get_role, value_object(a, role, 1), &k->answer, &k->error);
    case GPU_NODE_LOOKUP_SUBNETS:
        return composite_call(c, a, &aws_describe_subnets, value_object(a, subnets, 1), &k->answer,
                              &k->error);
    case GPU_NODE_LOOKUP_USAGE:
        return ask_usage(c, k);
    case GPU_NODE_LOOKUP_QUOTA:
        return composite_call(c, a, &get_quota, value_object(a, quota, 2), &k->answer, &k->error);
    default:
        return -1;
    }
}

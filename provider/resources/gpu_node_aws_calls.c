/* Questions that a node asks of EC2, besides the calls of its components. */
#include "resources/gpu_node_aws.h"

#include <string.h>

#include "cloud/template.h"

enum { PAGES_MOST = 64 };

const struct cloud_operation gpu_node_aws_describe_instances = {
    .service = "ec2", .name = "DescribeInstances", .idempotent = true};
const struct cloud_operation gpu_node_aws_describe_images = {
    .service = "ec2", .name = "DescribeImages", .idempotent = true};
static const struct cloud_operation describe_offerings = {
    .service = "ec2", .name = "DescribeInstanceTypeOfferings", .idempotent = true};

/* ---- offers ---- */

struct offers {
    struct gpu_node_offer *items;
    size_t count;
};

static int take_offers(struct arena *a, const struct value *answer, struct offers *out)
{
    const struct value *list = template_select(a, answer, "instanceTypeOfferingSet.*");
    size_t most = out->count + value_count(list) + 1;
    out->items = arena_grow(a, out->items, out->count, most, sizeof(*out->items));
    for (size_t i = 0; out->items && i < value_count(list); i++) {
        const char *type = value_cstr(value_get(value_at(list, i), "instanceType"), NULL);
        const char *zone = value_cstr(value_get(value_at(list, i), "location"), NULL);
        if (type && zone)
            out->items[out->count++] = (struct gpu_node_offer){type, zone};
    }
    return out->items ? 0 : -1;
}

static const struct value *offers_request(struct arena *a, const struct gpu_node_machines *machines,
                                          const struct value *token)
{
    const struct value **types = arena_calloc(a, machines->count, sizeof(struct value *));
    for (size_t i = 0; types && i < machines->count; i++)
        types[i] = value_str(a, machines->items[i]->type);
    if (!types)
        return NULL;
    const struct value_member m[] = {
        {SLICE_LIT("LocationType"), value_str(a, "availability-zone")},
        {SLICE_LIT("Filter"), aws_filter(a, "instance-type", types, machines->count)},
        {SLICE_LIT("NextToken"), token}};
    return value_object(a, m, token ? 3 : 2);
}

int gpu_node_aws_offers(const struct composite_context *c, const struct gpu_node_machines *machines,
                        struct gpu_node_offer **ret, size_t *ret_count, struct cloud_error *err)
{
    struct offers out = {NULL, 0};
    const struct value *token = NULL, *answer = NULL;
    for (int page = 0; page < PAGES_MOST; page++) {
        if (composite_call(c, c->arena, &describe_offerings,
                           offers_request(c->arena, machines, token), &answer, err) < 0 ||
            take_offers(c->arena, answer, &out) < 0)
            return -1;
        token = value_get(answer, "nextToken");
        if (!value_slice(token).len)
            break;
    }
    *ret = out.items;
    *ret_count = out.count;
    return 0;
}

/* ---- instances ---- */

int gpu_node_aws_find_instances(const struct composite_context *c, const struct value **ret,
                                struct cloud_error *err)
{
    static const char *const states[] = {"pending", "running", "stopping", "stopped"};
    struct arena *a = c->arena;
    const struct value *answer = NULL, *live[4];
    const struct value *owner =
        c->driver->owner_tags(a, GPU_NODE_TYPE, value_get(c->config, "name"), "instance");
    const struct value *resource = value_get(owner, "llm:resource"),
                       *component = value_get(owner, "llm:component");
    for (size_t i = 0; i < 4; i++)
        live[i] = value_str(a, states[i]);
    const struct value *filters[] = {value_at(aws_filter(a, "tag:llm:resource", &resource, 1), 0),
                                     value_at(aws_filter(a, "tag:llm:component", &component, 1), 0),
                                     value_at(aws_filter(a, "instance-state-name", live, 4), 0)};
    const struct value_member m[] = {{SLICE_LIT("Filter"), value_tuple(a, filters, 3)}};
    if (composite_call(c, a, &gpu_node_aws_describe_instances, value_object(a, m, 1), &answer,
                       err) < 0)
        return -1;
    *ret = template_select(a, answer, "reservationSet.*.instancesSet.*");
    return *ret ? 0 : -1;
}

/* Placement on AWS: the subnets of the zones, what EC2's errors say, the inputs of a place. */
#include "resources/gpu_node_aws.h"

#include <string.h>

#include "cloud/template.h"

/* ---- the zones, with a subnet in each ---- */

static const char *copy(struct arena *a, const struct value *v)
{
    return arena_strndup(a, value_slice(v).ptr, value_slice(v).len);
}

/* Subnets that were made: {a: id}, with the zones that `$derived.zones` has for them. */
static void made_zones(struct arena *a, const struct value *config,
                       const struct value *derived_zones, const struct value *subnets,
                       struct gpu_node_zones *ret)
{
    const struct value *order = value_get(config, "zones");
    for (size_t pass = 0; pass < value_count(order) + 1; pass++)
        for (size_t i = 0; i < value_count(subnets); i++) {
            const struct value *zone =
                value_get(value_get_slice(derived_zones, subnets->members[i].key), "zone");
            bool now = pass == value_count(order) || value_equal(zone, value_at(order, pass));
            if (now && value_is_known(zone))
                gpu_node_zones_add(ret, copy(a, zone), copy(a, subnets->members[i].value));
        }
}

/* Existing subnets: EC2 knows their zones. */
static int used_zones(const struct composite_context *c, struct arena *a, const struct value *ids,
                      struct gpu_node_zones *ret, struct diags *diags)
{
    struct cloud_error err;
    const struct value *answer = NULL;
    const struct value_member m[] = {{SLICE_LIT("SubnetId"), value_copy(a, ids)}};
    if (composite_call(c, a, &aws_describe_subnets, value_object(a, m, 1), &answer, &err) < 0)
        return cloud_error_report(diags, path_parse(diags->arena, "network.subnet_ids"),
                                  "looking up the subnets", &err);
    const struct value *list = template_select(a, answer, "subnetSet.*");
    const char *vpc = value_cstr(value_path(c->config, "network.vpc_id"), "");
    for (size_t i = 0; i < value_count(ids); i++)
        for (size_t k = 0; k < value_count(list); k++) {
            const struct value *item = value_at(list, k), *id = value_get(item, "subnetId");
            if (!slice_eq(value_slice(id), value_slice(value_at(ids, i))))
                continue;
            if (!slice_eq_str(value_slice(value_get(item, "vpcId")), vpc))
                return diags_error(diags, path_parse(diags->arena, "network.subnet_ids"),
                                   "A subnet of another network", "%s is not in %s but in %s.",
                                   value_cstr(id, ""), vpc,
                                   value_cstr(value_get(item, "vpcId"), "another VPC"));
            gpu_node_zones_add(ret, copy(a, value_get(item, "availabilityZone")), copy(a, id));
        }
    return 0;
}

int gpu_node_aws_zones(const struct composite_context *c, struct arena *a,
                       const struct value *derived, const struct value *inputs,
                       struct gpu_node_zones *ret, struct diags *diags)
{
    const struct value *ids = value_path(c->config, "network.subnet_ids");
    if (value_count(ids))
        return used_zones(c, a, ids, ret, diags);
    made_zones(a, c->config, value_get(derived, "zones"), value_get(inputs, "subnet_ids"), ret);
    return 0;
}

/* ---- what an error says ---- */

size_t gpu_node_aws_named_zones(const struct cloud_error *err, struct slice *ret, size_t most)
{
    struct slice message = slice_str(err->message);
    static const char key[] = "choosing ";
    size_t count = 0;
    const char *at = message.len ? memmem(message.ptr, message.len, key, sizeof(key) - 1) : NULL;
    const char *end = message.ptr + message.len;
    for (at = at ? at + sizeof(key) - 1 : end; at < end && count < most;) {
        const char *start = at;
        while (at < end && ((*at >= 'a' && *at <= 'z') || (*at >= '0' && *at <= '9') || *at == '-'))
            at++;
        /* A zone's name has a digit and a hyphen: another word ends the list. */
        if (!memchr(start, '-', (size_t)(at - start)))
            break;
        ret[count++] = slice_from(start, (size_t)(at - start));
        while (at < end && (*at == ',' || *at == ' '))
            at++;
        if ((size_t)(end - at) > 4 && memcmp(at, "and ", 4) == 0)
            at += 4;
    }
    return count;
}

bool gpu_node_aws_same_quota(const struct gpu_node_place *failed,
                             const struct gpu_node_place *other, const char *code)
{
    const struct catalog_quota *q = other->machine->quota, *own = failed->machine->quota;
    bool same =
        failed->spot ? strcmp(q->spot, own->spot) == 0 : strcmp(q->on_demand, own->on_demand) == 0;
    if (other->spot != failed->spot || !same)
        return false;
    if (strcmp(code, "InstanceLimitExceeded") == 0)
        return other->machine == failed->machine;
    /* A smaller machine may still fit into what is left. */
    return other->machine->vcpus >= failed->machine->vcpus;
}

const char *gpu_node_aws_quota_name(struct arena *a, const struct gpu_node_place *place)
{
    const struct catalog_quota *q = place->machine->quota;
    return arena_printf(a, "quota \"%s\", %s", place->spot ? q->spot_name : q->on_demand_name,
                        place->spot ? q->spot : q->on_demand);
}

/* ---- the inputs ---- */

const struct value *gpu_node_aws_inputs_for(struct arena *a, const struct value *inputs,
                                            const struct gpu_node_place *place)
{
    const struct value *v =
        value_with(a, inputs, "instance_type", value_str(a, place->machine->type));
    v = v ? value_with(a, v, "availability_zone", value_str(a, place->zone.name)) : NULL;
    v = v ? value_with(a, v, "subnet_id", value_str(a, place->zone.subnet)) : NULL;
    return v && place->spot ? value_with(a, v, "market_type", value_str(a, "spot")) : v;
}

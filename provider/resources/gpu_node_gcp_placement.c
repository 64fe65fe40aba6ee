/* Placement on Google Cloud: the zones, what Compute Engine's errors say, the inputs of a place. */
#include "resources/gpu_node_gcp.h"

#include <string.h>

int gpu_node_gcp_zones(const struct composite_context *c, struct arena *a,
                       const struct value *derived, const struct value *inputs,
                       struct gpu_node_zones *ret, struct diags *diags)
{
    const struct value *own = value_get(c->config, "zones");
    const struct value *zones = value_count(own) ? own : value_get(derived, "zones");
    /* A subnetwork is of the whole region. */
    const char *subnetwork = arena_strdup(a, value_cstr(value_get(inputs, "subnetwork"), ""));
    for (size_t i = 0; i < value_count(zones); i++) {
        struct slice zone = value_slice(value_at(zones, i));
        gpu_node_zones_add(ret, arena_strndup(a, zone.ptr, zone.len), subnetwork);
    }
    return ret->count ? 0
                      : diags_error(diags, path_attribute(diags->arena, NULL, "zones"),
                                    "There is no zone for the instance",
                                    "No zone of %s is known to offer the machine. Name the zones.",
                                    c->region);
}

static bool is_zone_letter(char ch)
{
    return (ch >= 'a' && ch <= 'z') || (ch >= '0' && ch <= '9') || ch == '-';
}

size_t gpu_node_gcp_named_zones(const struct cloud_error *err, struct slice *ret, size_t most)
{
    static const char key[] = "zonesAvailable:";
    const char *at = err->message ? strstr(err->message, key) : NULL;
    size_t count = 0;
    for (at = at ? at + sizeof(key) - 1 : ""; *at && count < most;) {
        size_t len = 0;
        while (is_zone_letter(at[len]))
            len++;
        if (len)
            ret[count++] = slice_from(at, len);
        at += len ? len : 1;
    }
    return count;
}

/* GPU quotas are counted in GPUs of one kind, for a region and a market. */
bool gpu_node_gcp_same_quota(const struct gpu_node_place *failed,
                             const struct gpu_node_place *other, const char *code)
{
    (void)code;
    return failed->spot == other->spot &&
           strcmp(failed->machine->quota->family, other->machine->quota->family) == 0 &&
           other->machine->gpu_count >= failed->machine->gpu_count;
}

const char *gpu_node_gcp_quota_name(struct arena *a, const struct gpu_node_place *place)
{
    const struct catalog_quota *q = place->machine->quota;
    const char *metric = place->spot ? q->spot : q->on_demand;
    return arena_printf(a, "quota \"%s\"%s%s", place->spot ? q->spot_name : q->on_demand_name,
                        metric ? ", " : "", metric ? metric : "");
}

/* ---- the inputs ---- */

const struct value *gpu_node_gcp_inputs_for(struct arena *a, const struct value *inputs,
                                            const struct gpu_node_place *place)
{
    const struct catalog_machine *m = place->machine;
    const struct {
        const char *name;
        const struct value *v;
    } set[] = {
        {"zone", value_str(a, place->zone.name)},
        {"machine", value_str(a, m->type)},
        {"machine_type", value_str(a, m->machine_type)},
        /* Of a machine that has none built in. */
        {"accelerator", m->attached ? value_str(a, m->accelerator) : value_null(a, &type_string)},
        {"accelerators", m->attached ? value_int(a, m->gpu_count) : value_null(a, &type_number)},
        {"boot_disk_type", value_str(a, m->disk_type)},
        /* Compute Engine stops a spot instance that it takes back; it is started by an apply. */
        {"provisioning_model", value_str(a, place->spot ? "SPOT" : "STANDARD")},
        {"termination_action", place->spot ? value_str(a, "STOP") : value_null(a, &type_string)},
        {"automatic_restart", value_bool(a, !place->spot)},
    };
    for (size_t i = 0; inputs && i < sizeof(set) / sizeof(*set); i++)
        inputs = set[i].v ? value_with(a, inputs, set[i].name, set[i].v) : NULL;
    return inputs;
}

/* The computed attributes of a node. */
#include "resources/gpu_node.h"
#include "resources/outputs.h"

#include <string.h>

/* The machine: decided by placement, or known before when there is no choice. */
static void set_machine(struct outputs *o, const struct gpu_node_cloud *cloud)
{
    const struct value *type = outputs_text(o, "instance", cloud->instance_machine);
    const struct catalog_machine *m =
        value_is_known(type) ? catalog_machine(cloud->cloud, value_slice(type)) : NULL;
    outputs_set(o, "machine_type", type);
    outputs_set(o, "gpu", m ? value_str(o->a, m->gpu->name) : outputs_like(o, type, &type_string));
    outputs_set(o, "gpu_count",
                m ? value_int(o->a, m->gpu_count) : outputs_like(o, type, &type_number));
    outputs_set(o, "gpu_memory_gib",
                m ? value_int(o->a, (int64_t)m->gpu_count * m->gpu->memory_gib)
                  : outputs_like(o, type, &type_number));
}

static const struct value *url(struct outputs *o, const struct value *address)
{
    const struct value *tailscale = value_get(o->v, "tailscale"),
                       *hostname = value_get(tailscale, "hostname"),
                       *runtime = value_get(o->v, "runtime");
    const struct value *host = address;
    if (value_is_known(tailscale))
        host = value_is_null(hostname) ? value_get(o->v, "name") : hostname;
    else if (value_is_unknown(tailscale))
        host = tailscale;
    if (!value_is_known(host) || !value_is_known(runtime))
        return value_is_null(host) ? value_null(o->a, &type_string)
                                   : value_unknown(o->a, &type_string);
    bool vllm = strcmp(value_cstr(runtime, ""), "vllm") == 0;
    return value_printf(o->a, "http://%s:%d", value_cstr(host, ""),
                        vllm ? GPU_NODE_VLLM_PORT : GPU_NODE_OLLAMA_PORT);
}

static const struct value *disk(struct outputs *o, const struct gpu_node_cloud *cloud,
                                const struct value *derived)
{
    const struct value *size = o->changes ? changes_attr(o->changes, "volume", cloud->volume_size)
                                          : records_attr(o->records, "volume", cloud->volume_size);
    if (!value_is_known(size))
        size = value_get(derived, "disk_gib");
    int64_t gib = 0;
    return value_to_int(size, &gib) ? value_int(o->a, gib) : outputs_like(o, size, &type_number);
}

int gpu_node_outputs(const struct composite_context *c, const struct value *derived,
                     const struct value *planned, const struct records *records,
                     const struct engine_changes *changes, const struct value **ret)
{
    const struct gpu_node_cloud *cloud = gpu_node_cloud(c->cloud);
    struct outputs o = {c->arena, records, changes, planned};
    if (!cloud)
        return diags_error(c->diags, NULL, "Unknown cloud", "The outputs could not be set.");
    const struct value *address = outputs_text(&o, "instance", cloud->instance_address);
    outputs_set(&o, "instance_id", outputs_text(&o, "instance", cloud->instance_id));
    outputs_set(&o, "private_ip", address);
    outputs_set(&o, "image_id", outputs_text(&o, "instance", cloud->instance_image));
    /* Wherever a new instance is placed, it may be elsewhere than asked first. */
    outputs_set(&o, "zone",
                outputs_made_new(&o, "instance")
                    ? value_unknown(c->arena, &type_string)
                    : outputs_text(&o, "instance", cloud->instance_zone));
    set_machine(&o, cloud);
    outputs_set(&o, "disk_gib", disk(&o, cloud, derived));
    outputs_set(&o, "ollama_url", url(&o, address));
    if (!o.v)
        return diags_error(c->diags, NULL, "Out of memory", "The outputs could not be set.");
    *ret = o.v;
    return 0;
}

/* The computed attributes of a node. */
#include "resources/gpu_node.h"

#include <string.h>

struct outputs {
    struct arena *a;
    const struct gpu_node_cloud *cloud;
    const struct records *records;
    const struct engine_changes *changes; /* NULL: what is, not what is planned */
    const struct value *v;                /* planned, with what is set so far */
};

static void set(struct outputs *o, const char *name, const struct value *v)
{
    o->v = o->v && v ? value_with(o->a, o->v, name, v) : NULL;
}

static bool is_made_new(const struct outputs *o, const char *name)
{
    for (size_t i = 0; o->changes && i < o->changes->count; i++) {
        const struct engine_change *ch = &o->changes->items[i];
        if (strcmp(ch->name, name) == 0)
            return ch->action == ENGINE_CREATE || ch->action == ENGINE_REPLACE;
    }
    return false;
}

/* An attribute of a component, in a plan unknown when it is not known yet. */
static const struct value *text_of(struct outputs *o, const char *component, const char *attr)
{
    const struct value *v = o->changes ? changes_attr(o->changes, component, attr)
                                       : records_attr(o->records, component, attr);
    if (value_is_known(v) && v->type->kind == TYPE_STRING)
        return v;
    return o->changes ? value_unknown(o->a, &type_string) : value_null(o->a, &type_string);
}

static const struct value *like(struct outputs *o, const struct value *v, const struct type *t)
{
    return value_is_unknown(v) ? value_unknown(o->a, t) : value_null(o->a, t);
}

/* The machine: decided by placement, or known before when there is no choice. */
static void set_machine(struct outputs *o)
{
    const struct value *type = text_of(o, "instance", o->cloud->instance_machine);
    const struct catalog_machine *m =
        value_is_known(type) ? catalog_machine(o->cloud->cloud, value_slice(type)) : NULL;
    set(o, "machine_type", type);
    set(o, "gpu", m ? value_str(o->a, m->gpu->name) : like(o, type, &type_string));
    set(o, "gpu_count", m ? value_int(o->a, m->gpu_count) : like(o, type, &type_number));
    set(o, "gpu_memory_gib",
        m ? value_int(o->a, (int64_t)m->gpu_count * m->gpu->memory_gib)
          : like(o, type, &type_number));
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

static const struct value *disk(struct outputs *o, const struct value *derived)
{
    const struct value *size = o->changes
                                   ? changes_attr(o->changes, "volume", o->cloud->volume_size)
                                   : records_attr(o->records, "volume", o->cloud->volume_size);
    if (!value_is_known(size))
        size = value_get(derived, "disk_gib");
    int64_t gib = 0;
    return value_to_int(size, &gib) ? value_int(o->a, gib) : like(o, size, &type_number);
}

int gpu_node_outputs(const struct composite_context *c, const struct value *derived,
                     const struct value *planned, const struct records *records,
                     const struct engine_changes *changes, const struct value **ret)
{
    struct outputs o = {c->arena, gpu_node_cloud(c->cloud), records, changes, planned};
    const struct gpu_node_cloud *cloud = o.cloud;
    if (!cloud)
        return diags_error(c->diags, NULL, "Unknown cloud", "The outputs could not be set.");
    const struct value *address = text_of(&o, "instance", cloud->instance_address);
    set(&o, "instance_id", text_of(&o, "instance", cloud->instance_id));
    set(&o, "private_ip", address);
    set(&o, "image_id", text_of(&o, "instance", cloud->instance_image));
    /* Wherever a new instance is placed, it may be elsewhere than asked first. */
    set(&o, "zone",
        is_made_new(&o, "instance") ? value_unknown(c->arena, &type_string)
                                    : text_of(&o, "instance", cloud->instance_zone));
    set_machine(&o);
    set(&o, "disk_gib", disk(&o, derived));
    set(&o, "ollama_url", url(&o, address));
    if (!o.v)
        return diags_error(c->diags, NULL, "Out of memory", "The outputs could not be set.");
    *ret = o.v;
    return 0;
}

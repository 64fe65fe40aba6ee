/* What every cloud's derive hook of a node begins with. */
#include "resources/gpu_node_derive.h"

#include <string.h>

void gpu_node_put(struct gpu_node_derivation *d, const char *name, const struct value *v)
{
    derived_put(&d->out, name, v);
}

const struct value *gpu_node_unknown(struct gpu_node_derivation *d)
{
    return derived_unknown(&d->out);
}

const struct value *gpu_node_of(const struct gpu_node_derivation *d, const char *path)
{
    return value_path(d->config, path);
}

const struct value *gpu_node_is_set(struct gpu_node_derivation *d, const char *path, bool negate)
{
    const struct value *v = gpu_node_of(d, path);
    return value_is_unknown(v) ? gpu_node_unknown(d) : value_bool(d->a, value_is_null(v) == negate);
}

/* ---- lookups ---- */

bool gpu_node_is_import(const struct composite_context *c)
{
    return !c->secrets && !c->prior;
}

const char *gpu_node_instance_text(const struct gpu_node_derivation *d, const char *attr)
{
    return d->instance ? value_cstr(value_get(d->instance->attrs, attr), NULL) : NULL;
}

bool gpu_node_keeps_machine(const struct gpu_node_derivation *d)
{
    return gpu_node_has_machine(&d->machines,
                                slice_str(gpu_node_instance_text(d, d->cloud->instance_machine)));
}

bool gpu_node_needs_offers(const struct gpu_node_derivation *d, bool zones)
{
    const struct composite_context *c = d->c;
    bool machine =
        !d->machines.chosen && !gpu_node_keeps_machine(d) && !value_get(c->decided, "machine_type");
    bool reading = !c->secrets && !gpu_node_is_import(c);
    zones = zones && value_is_null(gpu_node_of(d, "zones")) && !value_get(c->decided, "zones");
    return c->online && !reading && c->region && d->machines.known && d->machines.count &&
           (zones || machine);
}

int gpu_node_look_up(struct gpu_node_derivation *d, bool needed)
{
    const struct composite_context *c = d->c;
    const struct gpu_node_lookup *k = NULL;
    gpu_node_ask(c);
    if (!needed)
        return 0;
    if (gpu_node_answer(c, GPU_NODE_LOOKUP_OFFERS, NULL, &k) < 0)
        return cloud_error_report(c->diags, NULL, "looking up where the machine is offered",
                                  &k->error);
    d->offers = k->offers;
    d->offer_count = k->offer_count;
    if (d->offer_count)
        return 0;
    return diags_error(c->diags, path_attribute(d->a, NULL, "machine"),
                       "The machine is not offered in the region",
                       "No zone of %s offers %s%s. Choose another region, or name a machine that "
                       "is offered there.",
                       c->region, d->machines.items[0]->type,
                       d->machines.count > 1 ? ", nor any of the others that may be used" : "");
}

/* ---- parts ---- */

static bool is_offered(const struct gpu_node_derivation *d, const char *type)
{
    for (size_t i = 0; i < d->offer_count; i++)
        if (strcmp(d->offers[i].type, type) == 0)
            return true;
    return false;
}

const struct value *gpu_node_machine_type(struct gpu_node_derivation *d)
{
    const struct value *decided = value_get(d->c->decided, "machine_type");
    if (decided)
        return decided;
    if (!d->machines.known)
        return gpu_node_unknown(d);
    if (gpu_node_keeps_machine(d))
        return value_str(d->a, gpu_node_instance_text(d, d->cloud->instance_machine));
    if (d->machines.chosen)
        return d->machines.count == 1 || d->instance ? value_str(d->a, d->machines.items[0]->type)
                                                     : value_null(d->a, &type_string);
    for (size_t i = 0; i < d->machines.count; i++)
        if (is_offered(d, d->machines.items[i]->type))
            return value_str(d->a, d->machines.items[i]->type);
    return gpu_node_unknown(d);
}

static bool zone_allowed(const struct gpu_node_derivation *d, const char *zone)
{
    const struct value *zones = gpu_node_of(d, "zones");
    return value_is_null(zones) || value_has_text(zones, zone);
}

const struct value *gpu_node_zone_of(struct gpu_node_derivation *d)
{
    const char *now = gpu_node_instance_text(d, d->cloud->instance_zone);
    const struct value *zones = gpu_node_of(d, "zones");
    /* Zones that are not known yet may ask for another instance. */
    if (now && zones && !value_is_wholly_known(zones))
        return gpu_node_unknown(d);
    if (!now || zone_allowed(d, now))
        return value_null(d->a, &type_string);
    return value_at(zones, 0);
}

int gpu_node_disk_gib(struct gpu_node_derivation *d, const struct value **ret)
{
    const struct record *volume = records_find(d->c->records, "volume");
    const struct value *size = gpu_node_of(d, "disk.size_gib");
    int64_t now = volume ? value_int_or(value_get(volume->attrs, d->cloud->volume_size), 0) : 0;
    int64_t wanted = 0;
    *ret = gpu_node_unknown(d);
    if (value_is_unknown(size) || (value_is_null(size) && !d->models.known))
        return *ret ? 0 : -1;
    if (value_to_int(size, &wanted) && wanted < now && d->c->secrets)
        return diags_error(
            d->c->diags, path_parse(d->a, "disk.size_gib"), "A volume cannot shrink",
            "It has %lld GiB, and %lld are asked for. Leave the size, or destroy the "
            "node and make it anew.",
            (long long)now, (long long)wanted);
    if (!wanted)
        wanted = fit_disk_gib(d->models.models, d->models.count);
    *ret = value_int(d->a, wanted > now ? wanted : now);
    return *ret ? 0 : -1;
}

bool gpu_node_wholly_known(const struct gpu_node_derivation *d)
{
    static const char *const inputs[] = {"machine",
                                         "zones",
                                         "disk",
                                         "network",
                                         "egress",
                                         "tailscale",
                                         "image",
                                         "instance_profile",
                                         "service_account",
                                         "power",
                                         "model_cache",
                                         "wait_for",
                                         "log_retention_days",
                                         "huggingface_token_secret"};
    bool wholly = d->models.known && d->name && d->c->region;
    for (size_t i = 0; i < sizeof(inputs) / sizeof(*inputs); i++) {
        const struct value *v = gpu_node_of(d, inputs[i]);
        wholly = wholly && (!v || value_is_wholly_known(v));
    }
    return wholly;
}

const struct value *gpu_node_wait_serving(struct gpu_node_derivation *d)
{
    const struct value *wait = gpu_node_of(d, "wait_for"), *power = gpu_node_of(d, "power");
    bool serving = strcmp(value_cstr(wait, ""), "serving") == 0 &&
                   strcmp(value_cstr(power, ""), "running") == 0;
    return value_is_unknown(wait) || value_is_unknown(power) ? gpu_node_unknown(d)
                                                             : value_bool(d->a, serving);
}

/* ---- beginning and end ---- */

int gpu_node_derive_begin(const struct composite_context *c, struct gpu_node_derivation *ret)
{
    const struct record *instance = records_find(c->records, "instance");
    void *own = ret->own;
    memset(ret, 0, sizeof(*ret));
    ret->own = own;
    ret->c = c;
    ret->cloud = gpu_node_cloud(c->cloud);
    ret->a = ret->out.arena = c->arena;
    ret->config = c->config;
    ret->instance = instance && !instance->missing ? instance : NULL;
    ret->name = value_cstr(value_get(c->config, "name"), NULL);
    return gpu_node_models(ret->a, c->config, &ret->models, c->diags) < 0
               ? -1
               : gpu_node_machines(ret->a, c->cloud, c->config, &ret->models, &ret->machines,
                                   c->diags);
}

const struct value *gpu_node_derive_end(struct gpu_node_derivation *d, int rc, size_t before)
{
    const struct value *v = rc == 0 ? derived_object(&d->out) : NULL;
    if (!v && d->c->diags->errors == before)
        diags_error(d->c->diags, NULL, "Out of memory", "The node was not worked out.");
    return v;
}

/* What the plan-time checks of a node begin with on every cloud: what is made, and where it is
 * offered. */
#include "resources/gpu_node_check.h"

#include <string.h>

#include "resources/claim.h"

static const struct engine_change *change_of(const struct engine_changes *changes, const char *name)
{
    for (size_t i = 0; i < changes->count; i++)
        if (strcmp(changes->items[i].name, name) == 0)
            return &changes->items[i];
    return NULL;
}

bool gpu_node_is_made(const struct gpu_node_checking *k, const char *component)
{
    const struct engine_change *ch = change_of(k->changes, component);
    return ch && (ch->action == ENGINE_CREATE || ch->action == ENGINE_REPLACE);
}

bool gpu_node_has_name(const struct gpu_node_checking *k)
{
    const struct records *r = k->c->records;
    for (size_t i = 0; k->c->prior && i < r->count; i++)
        if (!r->items[i].missing && !r->items[i].component->adopt_only)
            return true;
    return false;
}

int gpu_node_check_found(const struct gpu_node_checking *k, const struct value *tags,
                         const char *id, const char *unfinished)
{
    return claim_check_found(k->c, "node", "instance", tags, id, unfinished);
}

static bool changes_machine(const struct gpu_node_checking *k)
{
    const struct engine_change *ch = change_of(k->changes, "instance");
    const char *attr = gpu_node_cloud(k->c->cloud)->instance_machine;
    for (size_t i = 0; ch && ch->action == ENGINE_UPDATE && i < ch->attr_count; i++)
        if (strcmp(ch->attrs[i], attr) == 0)
            return true;
    return false;
}

bool gpu_node_needs_machine(const struct gpu_node_checking *k)
{
    const char *power = value_cstr(value_get(k->c->config, "power"), "running");
    return (gpu_node_is_made(k, "instance") || changes_machine(k)) && k->machines.known &&
           k->machines.count && strcmp(power, "running") == 0;
}

const struct path *gpu_node_machine_path(const struct gpu_node_checking *k)
{
    return path_attribute(k->a, NULL, "machine");
}

bool gpu_node_may_be(const struct gpu_node_checking *k, const struct catalog_machine *m)
{
    return !k->type || strcmp(k->type, m->type) == 0;
}

/* ---- offers ---- */

static bool is_zone_wanted(const struct gpu_node_checking *k, const char *zone)
{
    const struct value *zones = value_get(k->c->config, "zones");
    return !value_count(zones) || !value_is_wholly_known(zones) || value_has_text(zones, zone);
}

int gpu_node_check_offers(struct gpu_node_checking *k)
{
    const struct composite_context *c = k->c;
    const struct gpu_node_lookup *found = NULL;
    gpu_node_want_offers(c, &k->machines);
    if (gpu_node_answer(c, GPU_NODE_LOOKUP_OFFERS, NULL, &found) < 0)
        return cloud_error_report(c->diags, NULL, "looking up where the machine is offered",
                                  &found->error);
    const struct gpu_node_offer *offers = found->offers;
    size_t count = found->offer_count;
    _cleanup_buf_ struct buf zones = BUF_INIT(1024), types = BUF_INIT(4096);
    for (size_t i = 0; i < count; i++) {
        bool wanted = !k->type || strcmp(k->type, offers[i].type) == 0;
        if (wanted && is_zone_wanted(k, offers[i].zone))
            return 0;
        if (wanted)
            buf_printf(&zones, "%s%s in %s", zones.len ? ", " : "", offers[i].type, offers[i].zone);
    }
    for (size_t i = 0, named = 0; i < k->machines.count && named < 5; i++)
        if (gpu_node_may_be(k, k->machines.items[i])) {
            buf_printf(&types, "%s%s", types.len ? ", " : "", k->machines.items[i]->type);
            named++;
        }
    return diags_error(c->diags, gpu_node_machine_path(k), "The machine is not offered there",
                       "%s: not offered in %s%s. %s%s", buf_cstr(&types),
                       value_count(value_get(c->config, "zones")) ? "the zones that are named, of "
                                                                  : "",
                       c->region, zones.len ? "It would be: " : "Choose another machine or region.",
                       buf_cstr(&zones));
}

int gpu_node_check_begin(const struct composite_context *c, const struct engine_changes *changes,
                         const struct value *derived, struct gpu_node_checking *ret)
{
    *ret =
        (struct gpu_node_checking){.c = c, .a = c->arena, .changes = changes, .derived = derived};
    ret->type = value_cstr(value_get(derived, "machine_type"), NULL);
    if (gpu_node_models(ret->a, c->config, &ret->models, c->diags) < 0 ||
        gpu_node_machines(ret->a, c->cloud, c->config, &ret->models, &ret->machines, c->diags) < 0)
        return -1;
    /* A machine that is decided may be one of many that would do, of which only a few are asked
     * for: it is asked for alone. */
    for (size_t i = 0; ret->type && i < ret->machines.count; i++)
        if (gpu_node_may_be(ret, ret->machines.items[i])) {
            ret->machines.items += i;
            ret->machines.count = 1;
        }
    return 0;
}

/* What the plan-time checks of a node begin with on every cloud: what is made, and where it is
 * offered. */
#include "resources/gpu_node_check.h"

#include <string.h>

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

/* 1 with a warning when the apply that made it was killed, -1 with an error when it is at work, 0
 * when no claim says either. */
static int check_claim(const struct gpu_node_checking *k, const struct value *tags, const char *id)
{
    const struct composite_context *c = k->c;
    const struct clock *clock = c->work->clock;
    const struct path *path = path_attribute(k->a, NULL, "name");
    const struct value *text = value_get(tags, c->driver->claim_tag);
    int64_t until = 0, now = clock->unix_s(clock->self);
    switch (engine_claim_of(value_slice(text), now, &until)) {
    case ENGINE_CLAIM_LEFT:
        diags_warning(c->diags, path, "An interrupted apply is continued",
                      "The apply that made instance %s was killed before it could write a state. "
                      "It will be used.",
                      id);
        return 1;
    case ENGINE_CLAIM_HELD:
        return diags_error(
            c->diags, path, "The name is taken",
            "An apply is making a node \"%s\" in %s (instance %s), or was killed on another "
            "machine. If it was, it can be gone on with in %lld minutes, or be imported now: "
            "%s/%s/%s.",
            value_cstr(value_get(c->config, "name"), ""), c->region, id,
            (long long)((until - now) / 60 + 1), c->cloud, c->region,
            value_cstr(value_get(c->config, "name"), ""));
    default:
        return 0;
    }
}

int gpu_node_check_found(const struct gpu_node_checking *k, const struct value *tags,
                         const char *id, const char *unfinished)
{
    const struct composite_context *c = k->c;
    const struct path *path = path_attribute(k->a, NULL, "name");
    const char *name = value_cstr(value_get(c->config, "name"), "");
    int claim = check_claim(k, tags, id);
    if (claim)
        return claim < 0 ? -1 : 0;
    if (!unfinished)
        return diags_error(c->diags, path, "The name is taken",
                           "A node \"%s\" exists in %s (instance %s), and this state does not have "
                           "it. Choose another name, or import it: %s/%s/%s.",
                           name, c->region, id, c->cloud, c->region, name);
    diags_warning(c->diags, path, "An interrupted apply is continued", "%s", unfinished);
    return 0;
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
    return !value_count(zones) || value_has_text(zones, zone);
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

/* Placement: machines × zones are tried in order until one has room; spot first and then on demand
 * where that is asked for. What an error says of other zones decides which one is next. */
#include "resources/gpu_node.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"

enum { MESSAGE_MOST = 240 };

enum place_state { PLACE_OPEN, PLACE_TRIED, PLACE_SKIPPED };

struct place {
    struct gpu_node_place at;
    enum place_state state;
    const char *why; /* it failed, or was skipped */
    enum cloud_error_class class_;
};

struct placement {
    const struct composite_context *c;
    const struct gpu_node_cloud *cloud;
    const struct value *derived;
    struct arena *a;      /* of its own: the hook runs in a thread of the engine's */
    struct place *places; /* in the order to try; a reorder moves them */
    size_t count;
    struct place *last; /* tried last; NULL: none yet */
    bool ready;
};

/* ---- the zones, with a subnet in each ---- */

void gpu_node_zones_add(struct gpu_node_zones *z, const char *name, const char *subnet)
{
    for (size_t i = 0; name && i < z->count; i++)
        if (strcmp(z->items[i].name, name) == 0)
            return;
    if (z->count < GPU_NODE_ZONES_MOST && name && subnet)
        z->items[z->count++] = (struct gpu_node_zone){name, subnet};
}

/* Where the model volume is, a new instance finds its models. */
static void volume_zone_first(struct placement *p, struct gpu_node_zones *z)
{
    const struct record *volume = records_find(p->c->records, "volume");
    const char *zone = volume && !volume->missing
                           ? value_cstr(value_get(volume->attrs, p->cloud->volume_zone), NULL)
                           : NULL;
    for (size_t i = 1; zone && i < z->count; i++)
        if (strcmp(z->items[i].name, zone) == 0) {
            struct gpu_node_zone first = z->items[i];
            memmove(&z->items[1], &z->items[0], i * sizeof(first));
            z->items[0] = first;
        }
}

/* ---- the places ---- */

static void add_places(struct placement *p, const struct gpu_node_machines *machines, bool spot,
                       const struct gpu_node_zones *zones)
{
    const char *decided = value_cstr(value_get(p->derived, "machine_type"), NULL);
    for (size_t i = 0; i < machines->count; i++)
        for (size_t k = 0; k < zones->count; k++)
            if (!decided || strcmp(decided, machines->items[i]->type) == 0)
                p->places[p->count++] =
                    (struct place){.at = {machines->items[i], spot, zones->items[k]}};
}

static int prepare(struct placement *p, const struct value *inputs, struct diags *diags)
{
    struct gpu_node_zones zones = {.count = 0};
    struct gpu_node_models models;
    struct gpu_node_machines machines;
    const struct value *config = p->c->config;
    const struct gpu_node_markets may = gpu_node_markets(config);
    if (gpu_node_models(p->a, config, &models, diags) < 0 ||
        gpu_node_machines(p->a, p->c->cloud, config, &models, &machines, diags) < 0 ||
        p->cloud->zones(p->c, p->a, p->derived, inputs, &zones, diags) < 0)
        return -1;
    volume_zone_first(p, &zones);
    p->places =
        arena_calloc(p->a, 2 * (machines.count + 1) * (zones.count + 1), sizeof(*p->places));
    /* A zone whose name could not be copied would be left out silently. */
    if (!p->places || arena_failed(p->a))
        return -1;
    if (may.spot)
        add_places(p, &machines, true, &zones);
    if (may.on_demand)
        add_places(p, &machines, false, &zones);
    p->ready = true;
    return p->count ? 0
                    : diags_error(diags, NULL, "There is no place for the instance",
                                  "No subnet is there to put it in.");
}

/* ---- what an error says ---- */

static bool same_try(const struct place *x, const struct place *y)
{
    return x->at.machine == y->at.machine && x->at.spot == y->at.spot;
}

/* Moves the places of the same machine and market in the named zones to the front of what is left,
 * in the order of the error. */
static void prefer_named(struct placement *p, const struct place *failed,
                         const struct cloud_error *err)
{
    struct slice named[GPU_NODE_ZONES_MOST];
    size_t count = p->cloud->named_zones(err, named, GPU_NODE_ZONES_MOST);
    size_t next = (size_t)(failed - p->places) + 1;
    for (size_t n = 0; n < count; n++)
        for (size_t i = next; i < p->count; i++) {
            struct place place = p->places[i];
            if (place.state != PLACE_OPEN || !same_try(&place, failed) ||
                !slice_eq_str(named[n], place.at.zone.name))
                continue;
            memmove(&p->places[next + 1], &p->places[next], (i - next) * sizeof(place));
            p->places[next++] = place;
            break;
        }
}

/* A quota is the same in all zones. */
static void skip_quota(struct placement *p, const struct place *failed, const char *code)
{
    for (size_t i = 0; i < p->count; i++) {
        struct place *other = &p->places[i];
        if (other->state != PLACE_OPEN || !p->cloud->same_quota(&failed->at, &other->at, code))
            continue;
        other->state = PLACE_SKIPPED;
        other->class_ = CLOUD_ERROR_QUOTA;
        other->why = "the same quota";
    }
}

static const char *market(const struct place *place)
{
    return place->at.spot ? "spot" : "on demand";
}

static void take_failure(struct placement *p, const struct cloud_error *err)
{
    struct place *place = p->last;
    const char *code = err->code ? err->code : "", *message = err->message ? err->message : "";
    place->class_ = err->class_;
    place->why = arena_printf(p->a, "%s%s%.*s", code, *code ? ": " : "", MESSAGE_MOST, message);
    log_at(LOG_WARN, "There is no place for the instance here",
           LOG_STR("machine", place->at.machine->type), LOG_STR("zone", place->at.zone.name),
           LOG_STR("market", market(place)), LOG_STR("class", cloud_error_class_name(err->class_)),
           LOG_STR("error", place->why));
    if (err->class_ == CLOUD_ERROR_QUOTA)
        skip_quota(p, place, code);
    else
        prefer_named(p, place, err);
}

/* ---- the end ---- */

static const char *advice(const struct placement *p)
{
    bool capacity = false, quota = false;
    for (size_t i = 0; i < p->count; i++) {
        capacity |= p->places[i].class_ == CLOUD_ERROR_CAPACITY;
        quota |= p->places[i].class_ == CLOUD_ERROR_QUOTA;
    }
    if (quota && !capacity)
        return "Ask for a higher quota, or name a machine of another family.";
    if (capacity)
        return "Allow more zones (`zones`) or machines (`machine.candidates`), or run it again "
               "later.";
    return "Name a machine that is offered in these zones, or other zones.";
}

static int report(struct placement *p, struct diags *diags)
{
    _cleanup_buf_ struct buf b = BUF_INIT(65536);
    size_t tried = 0;
    for (size_t i = 0; i < p->count; i++) {
        const struct place *place = &p->places[i];
        tried += place->state == PLACE_TRIED;
        buf_printf(&b, "- %s, %s, in %s: %s%s%s%s\n", place->at.machine->type, market(place),
                   place->at.zone.name, place->state == PLACE_SKIPPED ? "not tried, " : "",
                   cloud_error_class_name(place->class_), place->why ? ": " : "",
                   place->why ? place->why : "");
        const char *quota = place->class_ == CLOUD_ERROR_QUOTA && place->state == PLACE_TRIED
                                ? p->cloud->quota_name(p->a, &place->at)
                                : NULL;
        if (quota)
            buf_printf(&b, "  (%s)\n", quota);
    }
    return diags_error(
        diags, path_attribute(diags->arena, NULL, "machine"), "No place for the instance was found",
        "%zu places were tried in this order:\n%s%s", tried, buf_cstr(&b), advice(p));
}

static int next_place(struct placement *p, struct arena *a, const struct engine_create_try *t,
                      const struct value **ret_inputs, struct diags *diags)
{
    if (!p->ready && prepare(p, t->inputs, diags) < 0)
        return -1;
    if (p->last && t->error)
        take_failure(p, t->error);
    for (size_t i = 0; i < p->count; i++) {
        struct place *place = &p->places[i];
        if (place->state != PLACE_OPEN)
            continue;
        place->state = PLACE_TRIED;
        p->last = place;
        log_at(LOG_INFO, "Placing the instance", LOG_STR("machine", place->at.machine->type),
               LOG_STR("zone", place->at.zone.name), LOG_STR("market", market(place)),
               LOG_INT("try", t->tries + 1));
        *ret_inputs = p->cloud->inputs_for(a, t->inputs, &place->at);
        return *ret_inputs ? 0 : -1;
    }
    report(p, diags);
    return 0;
}

static int next_try(void *self, struct arena *a, const char *hook,
                    const struct engine_create_try *t, const struct value **ret_inputs,
                    struct diags *diags)
{
    size_t before = diags->errors;
    (void)hook;
    *ret_inputs = NULL;
    int rc = next_place(self, a, t, ret_inputs, diags);
    if (rc < 0 && diags->errors == before)
        diags_error(diags, NULL, "Out of memory", "The instance was not placed.");
    return rc;
}

int gpu_node_hooks_new(const struct composite_context *c, const struct value *derived,
                       struct engine_hooks *ret)
{
    struct arena *a = arena_new_child(c->arena);
    struct placement *p = a ? arena_new_object(a, struct placement) : NULL;
    if (!p || !gpu_node_cloud(c->cloud))
        return diags_error(c->diags, NULL, "Out of memory", "The instance cannot be placed.");
    p->c = c;
    p->cloud = gpu_node_cloud(c->cloud);
    p->a = a;
    p->derived = derived;
    *ret = (struct engine_hooks){.self = p, .next_try = next_try};
    return 0;
}

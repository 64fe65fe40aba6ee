/* Placement: machines × zones are tried in order until one has room; spot first and then on demand
 * where that is asked for. What an error says of other zones decides which one is next. */
#include "resources/gpu_node.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "cloud/template.h"

enum { ZONES_MOST = 32, MESSAGE_MOST = 240 };

enum place_state { PLACE_OPEN, PLACE_TRIED, PLACE_SKIPPED };

struct place {
    const struct catalog_machine *machine;
    bool spot;
    const char *zone, *subnet;
    enum place_state state;
    const char *why; /* it failed, or was skipped */
    enum cloud_error_class class_;
};

struct zone {
    const char *name, *subnet;
};

struct placement {
    const struct composite_context *c;
    const struct value *derived;
    struct arena *a;      /* of its own: the hook runs in a thread of the engine's */
    struct place *places; /* in the order to try; a reorder moves them */
    size_t count;
    struct place *last; /* tried last; NULL: none yet */
    bool ready;
};

/* ---- the zones, with a subnet in each ---- */

static void add_zone(struct zone *zones, size_t *count, const char *name, const char *subnet)
{
    for (size_t i = 0; name && i < *count; i++)
        if (strcmp(zones[i].name, name) == 0)
            return;
    if (*count < ZONES_MOST && name && subnet)
        zones[(*count)++] = (struct zone){name, subnet};
}

static const char *copy(struct placement *p, const struct value *v)
{
    return arena_strndup(p->a, value_slice(v).ptr, value_slice(v).len);
}

/* Subnets that were made: {a: id}, with the zones that `$derived.zones` has for them. */
static void made_zones(struct placement *p, const struct value *subnets, struct zone *zones,
                       size_t *count)
{
    const struct value *derived = value_get(p->derived, "zones");
    const struct value *order = value_get(p->c->config, "zones");
    for (size_t pass = 0; pass < value_count(order) + 1; pass++)
        for (size_t i = 0; i < value_count(subnets); i++) {
            const struct value *zone =
                value_get(value_get_slice(derived, subnets->members[i].key), "zone");
            bool now = pass == value_count(order) || value_equal(zone, value_at(order, pass));
            if (now && value_is_known(zone))
                add_zone(zones, count, copy(p, zone), copy(p, subnets->members[i].value));
        }
}

/* Existing subnets: EC2 knows their zones. */
static int used_zones(struct placement *p, const struct value *ids, struct zone *zones,
                      size_t *count, struct diags *diags)
{
    struct cloud_error err;
    const struct value *answer = NULL;
    const struct value_member m[] = {{SLICE_LIT("SubnetId"), value_copy(p->a, ids)}};
    if (gpu_node_call(p->c, p->a, &gpu_node_describe_subnets, value_object(p->a, m, 1), &answer,
                      &err) < 0)
        return cloud_error_report(diags, path_parse(diags->arena, "network.subnet_ids"),
                                  "looking up the subnets", &err);
    const struct value *list = template_select(p->a, answer, "subnetSet.*");
    const char *vpc = value_cstr(value_path(p->c->config, "network.vpc_id"), "");
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
            add_zone(zones, count, copy(p, value_get(item, "availabilityZone")), copy(p, id));
        }
    return 0;
}

/* Where the model volume is, a new instance finds its models. */
static void volume_zone_first(struct placement *p, struct zone *zones, size_t count)
{
    const struct record *volume = records_find(p->c->records, "volume");
    const char *zone = volume && !volume->missing
                           ? value_cstr(value_get(volume->attrs, "availability_zone"), NULL)
                           : NULL;
    for (size_t i = 1; zone && i < count; i++)
        if (strcmp(zones[i].name, zone) == 0) {
            struct zone first = zones[i];
            memmove(&zones[1], &zones[0], i * sizeof(*zones));
            zones[0] = first;
        }
}

/* ---- the places ---- */

static void add_places(struct placement *p, const struct gpu_node_machines *machines, bool spot,
                       const struct zone *zones, size_t count)
{
    const char *decided = value_cstr(value_get(p->derived, "machine_type"), NULL);
    for (size_t i = 0; i < machines->count; i++)
        for (size_t k = 0; k < count; k++)
            if (!decided || strcmp(decided, machines->items[i]->type) == 0)
                p->places[p->count++] =
                    (struct place){machines->items[i], spot, zones[k].name,   zones[k].subnet,
                                   PLACE_OPEN,         NULL, CLOUD_ERROR_NONE};
}

static int prepare(struct placement *p, const struct value *inputs, struct diags *diags)
{
    struct zone zones[ZONES_MOST];
    size_t count = 0;
    struct gpu_node_models models;
    struct gpu_node_machines machines;
    const struct value *config = p->c->config, *ids = value_path(config, "network.subnet_ids");
    const char *how = value_cstr(value_path(config, "machine.provisioning"), "on_demand");
    bool spot = strncmp(how, "spot", 4) == 0, on_demand = strcmp(how, "spot") != 0;
    if (gpu_node_models(p->a, config, &models, diags) < 0 ||
        gpu_node_machines(p->a, p->c->cloud, config, &models, &machines, diags) < 0)
        return -1;
    if (value_count(ids) && used_zones(p, ids, zones, &count, diags) < 0)
        return -1;
    if (!value_count(ids))
        made_zones(p, value_get(inputs, "subnet_ids"), zones, &count);
    volume_zone_first(p, zones, count);
    p->places = arena_calloc(p->a, 2 * (machines.count + 1) * (count + 1), sizeof(*p->places));
    /* A zone whose name could not be copied would be left out silently. */
    if (!p->places || arena_failed(p->a))
        return -1;
    if (spot)
        add_places(p, &machines, true, zones, count);
    if (on_demand)
        add_places(p, &machines, false, zones, count);
    p->ready = true;
    return p->count ? 0
                    : diags_error(diags, NULL, "There is no place for the instance",
                                  "No subnet is there to put it in.");
}

/* ---- what an error says ---- */

size_t gpu_node_named_zones(struct slice message, struct slice *ret, size_t most)
{
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

static bool same_try(const struct place *x, const struct place *y)
{
    return x->machine == y->machine && x->spot == y->spot;
}

/* Moves the places of the same machine and market in the named zones to the front of what is left,
 * in the order of the message. */
static void prefer_named(struct placement *p, const struct place *failed, const char *message)
{
    struct slice named[ZONES_MOST];
    size_t count = gpu_node_named_zones(slice_str(message), named, ZONES_MOST);
    size_t next = (size_t)(failed - p->places) + 1;
    for (size_t n = 0; n < count; n++)
        for (size_t i = next; i < p->count; i++) {
            struct place place = p->places[i];
            if (place.state != PLACE_OPEN || !same_try(&place, failed) ||
                !slice_eq_str(named[n], place.zone))
                continue;
            memmove(&p->places[next + 1], &p->places[next], (i - next) * sizeof(place));
            p->places[next++] = place;
            break;
        }
}

/* A quota is the same in all zones. */
static void skip_quota(struct placement *p, const struct place *failed, const char *code)
{
    bool of_type = strcmp(code, "InstanceLimitExceeded") == 0;
    for (size_t i = 0; i < p->count; i++) {
        struct place *other = &p->places[i];
        const struct catalog_quota *q = other->machine->quota, *own = failed->machine->quota;
        bool same = failed->spot ? strcmp(q->spot, own->spot) == 0
                                 : strcmp(q->on_demand, own->on_demand) == 0;
        /* A smaller machine may still fit into what is left. */
        bool smaller = other->machine->vcpus < failed->machine->vcpus;
        if (other->state != PLACE_OPEN || other->spot != failed->spot || !same ||
            (of_type ? other->machine != failed->machine : smaller))
            continue;
        other->state = PLACE_SKIPPED;
        other->class_ = CLOUD_ERROR_QUOTA;
        other->why = "the same quota";
    }
}

static const char *market(const struct place *place)
{
    return place->spot ? "spot" : "on demand";
}

static void take_failure(struct placement *p, const struct cloud_error *err)
{
    struct place *place = p->last;
    const char *code = err->code ? err->code : "", *message = err->message ? err->message : "";
    place->class_ = err->class_;
    place->why = arena_printf(p->a, "%s%s%.*s", code, *code ? ": " : "", MESSAGE_MOST, message);
    log_at(LOG_WARN, "There is no place for the instance here",
           LOG_STR("machine", place->machine->type), LOG_STR("zone", place->zone),
           LOG_STR("market", market(place)), LOG_STR("class", cloud_error_class_name(err->class_)),
           LOG_STR("error", place->why));
    if (err->class_ == CLOUD_ERROR_QUOTA)
        skip_quota(p, place, code);
    else
        prefer_named(p, place, message);
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
        return "Ask AWS for a higher quota, or name a machine of another family.";
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
        buf_printf(&b, "- %s, %s, in %s: %s%s%s%s\n", place->machine->type, market(place),
                   place->zone, place->state == PLACE_SKIPPED ? "not tried, " : "",
                   cloud_error_class_name(place->class_), place->why ? ": " : "",
                   place->why ? place->why : "");
        if (place->class_ == CLOUD_ERROR_QUOTA && place->state == PLACE_TRIED) {
            const struct catalog_quota *q = place->machine->quota;
            buf_printf(&b, "  (quota \"%s\", %s)\n", place->spot ? q->spot_name : q->on_demand_name,
                       place->spot ? q->spot : q->on_demand);
        }
    }
    return diags_error(
        diags, path_attribute(diags->arena, NULL, "machine"), "No place for the instance was found",
        "%zu places were tried in this order:\n%s%s", tried, buf_cstr(&b), advice(p));
}

static const struct value *inputs_for(struct arena *a, const struct value *inputs,
                                      const struct place *place)
{
    const struct value *v =
        value_with(a, inputs, "instance_type", value_str(a, place->machine->type));
    v = v ? value_with(a, v, "availability_zone", value_str(a, place->zone)) : NULL;
    v = v ? value_with(a, v, "subnet_id", value_str(a, place->subnet)) : NULL;
    return v && place->spot ? value_with(a, v, "market_type", value_str(a, "spot")) : v;
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
        log_at(LOG_INFO, "Placing the instance", LOG_STR("machine", place->machine->type),
               LOG_STR("zone", place->zone), LOG_STR("market", market(place)),
               LOG_INT("try", t->tries + 1));
        *ret_inputs = inputs_for(a, t->inputs, place);
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
    if (!p)
        return diags_error(c->diags, NULL, "Out of memory", "The instance cannot be placed.");
    p->c = c;
    p->a = a;
    p->derived = derived;
    *ret = (struct engine_hooks){.self = p, .next_try = next_try};
    return 0;
}

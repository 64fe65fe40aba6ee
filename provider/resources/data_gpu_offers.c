/* The data source llm_gpu_offers. */
#include "resources/data_sources.h"

#include <string.h>

#include "resources/figures.h"
#include "resources/gpu_node.h"
#include "schema/tables.h"

static const struct value *get(const struct value *config, const char *name)
{
    return value_get(config, name);
}

/* The candidates that the configuration names are in the catalogue. */
static int check_candidates(struct request *rq, const struct value *config)
{
    const struct value *list = get(config, "candidates");
    const char *cloud = value_cstr(get(config, "cloud"), "aws");
    const struct path *path = path_attribute(rq->arena, NULL, "candidates");
    int rc = 0;
    for (size_t i = 0; i < value_count(list); i++) {
        struct slice type = value_slice(value_at(list, i));
        if (!type.len || catalog_machine(cloud, type))
            continue;
        const char *near = catalog_nearest_machine(rq->arena, cloud, type);
        rc =
            diags_error(rq->diags, path_index(rq->arena, path, (int64_t)i), "Unknown machine type",
                        "The catalogue has no GPU machine \"%.*s\".%s%s%s", (int)type.len, type.ptr,
                        near ? " Did you mean \"" : "", near ? near : "", near ? "\"?" : "");
    }
    return rc;
}

static int validate(const struct data_source *d, struct request *rq, const struct value *config)
{
    struct gpu_node_models models;
    if (schema_validate(d->schema, config, rq->diags) < 0)
        return -1;
    int rc = gpu_node_models(rq->arena, config, &models, rq->diags);
    return check_candidates(rq, config) < 0 ? -1 : rc;
}

static bool is_candidate(const struct value *config, const struct catalog_machine *m)
{
    const struct value *list = get(config, "candidates");
    return value_is_null(list) || value_has_text(list, m->type);
}

/* What the cloud offers in the region: asked once for all machines. */
struct offered {
    bool asked;
    struct gpu_node_offer *items;
    size_t count;
};

static int ask(struct request *rq, const struct value *config,
               const struct catalog_machine **machines, size_t count, struct offered *ret)
{
    struct composite_context c = {.request = rq, .arena = rq->arena, .diags = rq->diags};
    struct work work = {rq->provider->clock, rq->cancel, INT64_MAX};
    struct cloud_error err = {.class_ = CLOUD_ERROR_NONE};
    const struct path *path = path_attribute(rq->arena, NULL, "region");
    struct gpu_node_machines wanted = {true, true, machines, count};
    c.region = value_cstr(get(config, "region"), NULL);
    c.cloud = value_cstr(get(config, "cloud"), "aws");
    const struct gpu_node_cloud *cloud = gpu_node_cloud(c.cloud);
    if (!c.region || !count || !cloud)
        return 0;
    if (provider_client(rq->provider, c.cloud, path, &c.driver, &c.client, rq->diags) < 0)
        return -1;
    if (!c.client)
        return diags_error(rq->diags, path, "The provider's settings are not known yet",
                           "Without them the cloud cannot be asked what it offers. Leave `region` "
                           "out to search the whole catalogue.");
    c.work = &work;
    work.deadline_ms = work.clock->monotonic_ms(work.clock->self) + 120000;
    if (cloud->offers(&c, &wanted, &ret->items, &ret->count, &err) < 0)
        return cloud_error_report(rq->diags, path, "asking what the region offers", &err);
    ret->asked = true;
    return 0;
}

static const struct value *zones_of(struct arena *a, const struct offered *o,
                                    const struct catalog_machine *m, size_t *ret_count)
{
    const struct value **zones = arena_calloc(a, o->count + 1, sizeof(struct value *));
    *ret_count = 0;
    for (size_t i = 0; zones && i < o->count; i++)
        if (strcmp(o->items[i].type, m->type) == 0)
            zones[(*ret_count)++] = value_str(a, o->items[i].zone);
    if (!o->asked)
        return value_null(a, &type_list_of_string);
    /* As a set they come sorted and without duplicates. */
    const struct value *set = zones ? value_set(a, &type_string, zones, *ret_count) : NULL;
    for (size_t i = 0; zones && i < value_count(set); i++)
        zones[i] = value_at(set, i);
    return set ? value_list(a, &type_string, zones, value_count(set)) : NULL;
}

static const struct value *offer(struct arena *a, const struct type *type,
                                 const struct catalog_machine *m, const struct fit_result *r,
                                 const struct value *zones)
{
    const struct value_member members[] = {
        {SLICE_LIT("machine_type"), value_str(a, m->type)},
        {SLICE_LIT("gpu"), value_str(a, m->gpu->name)},
        {SLICE_LIT("gpu_count"), value_int(a, m->gpu_count)},
        {SLICE_LIT("gpu_memory_gib"), value_int(a, (int64_t)m->gpu_count * m->gpu->memory_gib)},
        {SLICE_LIT("needed_gib"), figure_gib(a, r->needed)},
        {SLICE_LIT("usable_gib"), figure_gib(a, r->usable)},
        {SLICE_LIT("vcpus"), value_int(a, m->vcpus)},
        {SLICE_LIT("memory_gib"), value_int(a, m->memory_gib)},
        {SLICE_LIT("architecture"), value_str(a, m->architecture)},
        {SLICE_LIT("usd_per_hour"), figure_micros(a, m->price_micros)},
        {SLICE_LIT("price_region"), value_str(a, m->price_region)},
        {SLICE_LIT("price_date"), value_str(a, m->date)},
        {SLICE_LIT("zones"), zones},
    };
    return value_object_of(a, type, members, sizeof(members) / sizeof(*members));
}

static const struct value *offers(struct arena *a, const struct gpu_node_models *models,
                                  const struct catalog_machine **machines, size_t count,
                                  const struct offered *offered)
{
    const struct type *type = schema_find(&schema_data_source_llm_gpu_offers, "offers")->type->elem;
    const struct value **items = arena_calloc(a, count + 1, sizeof(struct value *));
    size_t n = 0;
    for (size_t i = 0; items && i < count; i++) {
        struct fit_result r;
        size_t zone_count = 0;
        const struct value *zones = zones_of(a, offered, machines[i], &zone_count);
        if (offered->asked && !zone_count)
            continue;
        fit_place(machines[i], models->models, models->count, models->runtime, &r);
        items[n++] = offer(a, type, machines[i], &r, zones);
    }
    return items ? value_list(a, type, items, n) : NULL;
}

static int read_offers(const struct data_source *d, struct request *rq, const struct value *config,
                       const struct value **ret)
{
    struct arena *a = rq->arena;
    struct gpu_node_models models;
    struct offered offered = {false, NULL, 0};
    size_t all = 0, count = 0;
    const struct value *with = schema_defaults(a, d->schema, config);
    if (!with || gpu_node_models(a, with, &models, rq->diags) < 0 || check_candidates(rq, with) < 0)
        return -1;
    const struct catalog_machine **machines =
        fit_machines(a, value_cstr(get(with, "cloud"), "aws"), models.models, models.count,
                     models.runtime, &all);
    for (size_t i = 0; machines && i < all; i++)
        if (is_candidate(with, machines[i]))
            machines[count++] = machines[i];
    if (!machines || ask(rq, with, machines, count, &offered) < 0)
        return -1;
    const struct value *list = offers(a, &models, machines, count, &offered);
    *ret = list ? value_with(a, with, "offers", list) : NULL;
    return *ret ? 0 : diags_error(rq->diags, NULL, "Out of memory", "Nothing was read.");
}

const struct data_source data_gpu_offers = {
    .schema = &schema_data_source_llm_gpu_offers, .validate = validate, .read = read_offers};

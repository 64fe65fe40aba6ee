/* Questions that a node asks of Google's APIs, besides the calls of its components. */
#include "resources/gpu_node_gcp.h"

#include <string.h>

#include "cloud/template.h"

enum { FILTER_MOST = 16384, MACHINES_AT_ONCE = 6 };

#define PROJECT "/compute/v1/projects/{project}"

static const struct cloud_operation list_machine_types = {
    .service = "compute",
    .name = "machineTypes.aggregatedList",
    .method = "GET",
    .uri = PROJECT "/aggregated/machineTypes{?filter,maxResults,pageToken}",
    .idempotent = true};
static const struct cloud_operation list_accelerator_types = {
    .service = "compute",
    .name = "acceleratorTypes.aggregatedList",
    .method = "GET",
    .uri = PROJECT "/aggregated/acceleratorTypes{?filter,maxResults,pageToken}",
    .idempotent = true};
static const struct cloud_operation list_instances = {
    .service = "compute",
    .name = "instances.aggregatedList",
    .method = "GET",
    .uri = PROJECT "/aggregated/instances{?filter,maxResults,pageToken}",
    .idempotent = true};
static const struct cloud_operation get_region = {.service = "compute",
                                                  .name = "regions.get",
                                                  .method = "GET",
                                                  .uri = PROJECT "/regions/{region}",
                                                  .idempotent = true};
static const struct cloud_operation get_project = {.service = "compute",
                                                   .name = "projects.get",
                                                   .method = "GET",
                                                   .uri = PROJECT,
                                                   .idempotent = true};
static const struct cloud_operation get_account = {
    .service = "iam",
    .name = "projects.serviceAccounts.get",
    .method = "GET",
    .uri = "/v1/projects/{project}/serviceAccounts/{accountId}@{project}.iam.gserviceaccount.com",
    .idempotent = true};

/* ---- lists ---- */

/* All pages; `path` selects the members ("items.*.instances.*"). */
static int list(const struct composite_context *c, const struct cloud_operation *op,
                const char *path, const struct value *filter, const struct value **ret,
                struct cloud_error *err)
{
    const struct value_member m[] = {{SLICE_LIT("project"), value_str(c->arena, c->account)},
                                     {SLICE_LIT("filter"), filter}};
    return gcp_list(c, op, value_object(c->arena, m, 2), path, ret, err);
}

/* ---- offers ---- */

static const char *name_of(const struct catalog_machine *m, bool accelerator)
{
    return accelerator ? m->accelerator : m->machine_type;
}

/* "(name = a) OR (name = b)", each once. */
static const struct value *names_filter(struct arena *a, const struct gpu_node_machines *machines,
                                        bool accelerators)
{
    _cleanup_buf_ struct buf b = BUF_INIT(FILTER_MOST);
    for (size_t i = 0; i < machines->count; i++) {
        const struct catalog_machine *m = machines->items[i];
        bool again = accelerators && !m->attached;
        for (size_t k = 0; k < i && !again; k++) {
            const struct catalog_machine *other = machines->items[k];
            again = (!accelerators || other->attached) &&
                    strcmp(name_of(m, accelerators), name_of(other, accelerators)) == 0;
        }
        if (!again)
            buf_printf(&b, "%s(name = %s)", b.len ? " OR " : "", name_of(m, accelerators));
    }
    return value_buf(a, &b);
}

/* A zone of the region that an item of a list is in: "us-central1-a" or a link that ends so. */
static const char *zone_of(const struct composite_context *c, const struct value *item)
{
    const char *zone =
        value_cstr(template_transform(c->arena, TRANSFORM_BASENAME, value_get(item, "zone")), NULL);
    const char *region = zone ? c->driver->region_of_zone(c->arena, zone) : NULL;
    return region && strcmp(region, c->region) == 0 ? zone : NULL;
}

static bool is_listed(const struct composite_context *c, const struct value *items,
                      const char *name, const char *zone)
{
    for (size_t i = 0; i < value_count(items); i++) {
        const struct value *item = value_at(items, i);
        const char *in = zone_of(c, item);
        if (in && strcmp(in, zone) == 0 && slice_eq_str(value_slice(value_get(item, "name")), name))
            return true;
    }
    return false;
}

static bool has_attached(const struct gpu_node_machines *machines)
{
    for (size_t i = 0; i < machines->count; i++)
        if (machines->items[i]->attached)
            return true;
    return false;
}

static int offers_of(const struct composite_context *c, const struct gpu_node_machines *machines,
                     struct gpu_node_offer **ret, size_t *ret_count, struct cloud_error *err)
{
    const struct value *types = NULL, *accelerators = NULL;
    struct arena *a = c->arena;
    if (list(c, &list_machine_types, "items.*.machineTypes.*", names_filter(a, machines, false),
             &types, err) < 0)
        return -1;
    if (has_attached(machines) && list(c, &list_accelerator_types, "items.*.acceleratorTypes.*",
                                       names_filter(a, machines, true), &accelerators, err) < 0)
        return -1;
    size_t most = value_count(types) * (machines->count + 1) + 1, count = 0;
    struct gpu_node_offer *offers = arena_new_array(a, most, struct gpu_node_offer);
    for (size_t i = 0; offers && i < value_count(types); i++) {
        const struct value *item = value_at(types, i);
        const char *zone = zone_of(c, item);
        for (size_t k = 0; zone && k < machines->count; k++) {
            const struct catalog_machine *m = machines->items[k];
            if (slice_eq_str(value_slice(value_get(item, "name")), m->machine_type) &&
                (!m->attached || is_listed(c, accelerators, m->accelerator, zone)))
                offers[count++] = (struct gpu_node_offer){m->type, zone};
        }
    }
    *ret = offers;
    *ret_count = count;
    return offers ? 0 : -1;
}

int gpu_node_gcp_offers(const struct composite_context *c, const struct gpu_node_machines *machines,
                        struct gpu_node_offer **ret, size_t *ret_count, struct cloud_error *err)
{
    struct gpu_node_machines some = *machines;
    struct composite_context with = *c;
    *ret_count = 0;
    /* A data source asks before anything else has needed the project. */
    if ((!c->account || !*c->account) &&
        c->driver->account(c->client, c->work, c->arena, c->region, &with.account, err) < 0)
        return -1;
    /* The lists are of all regions. Of machines that the catalogue chose, cheapest first, a few are
     * asked for at a time: nearly always the first ones are offered. */
    for (size_t at = 0; at < machines->count && !*ret_count; at += some.count) {
        size_t left = machines->count - at;
        some.items = machines->items + at;
        some.count = machines->chosen || left < MACHINES_AT_ONCE ? left : MACHINES_AT_ONCE;
        if (offers_of(&with, &some, ret, ret_count, err) < 0)
            return -1;
    }
    return 0;
}

/* ---- the other questions ---- */

const struct value *gpu_node_gcp_services(const struct composite_context *c)
{
    static const char *const names[] = {"compute", "iam", "cloudresourcemanager", "logging",
                                        "secretmanager"};
    bool secrets =
        config_get(c->config, "tailscale") || config_get(c->config, "huggingface_token_secret");
    return gcp_service_names(c, names, secrets ? 5 : 4);
}

static int ask_node(const struct composite_context *c, struct gpu_node_lookup *k)
{
    struct gpu_node_gcp_names names;
    struct diags ignored;
    diags_init(&ignored, c->arena);
    const char *name = value_cstr(value_get(c->config, "name"), "");
    if (gpu_node_gcp_names(c->arena, name, c->region, &names, &ignored) < 0)
        return -1;
    return list(c, &list_instances, "items.*.instances.*",
                value_printf(c->arena, "name = %s", names.base), &k->answer, &k->error);
}

int gpu_node_gcp_ask(const struct composite_context *c, struct gpu_node_lookup *k)
{
    struct arena *a = c->arena;
    const struct value_member project = {SLICE_LIT("project"), value_str(a, c->account)};
    const struct value_member region[] = {project, {SLICE_LIT("region"), k->subject}};
    const struct value_member services[] = {project, {SLICE_LIT("names"), k->subject}};
    const struct value_member account[] = {project, {SLICE_LIT("accountId"), k->subject}};
    switch (k->kind) {
    case GPU_NODE_LOOKUP_NODE:
        return ask_node(c, k);
    case GPU_NODE_LOOKUP_IDENTITY:
        return composite_call(c, a, &get_account, value_object(a, account, 2), &k->answer,
                              &k->error);
    case GPU_NODE_LOOKUP_QUOTA:
        if (!value_slice(k->subject).len)
            return composite_call(c, a, &get_project, value_object(a, &project, 1), &k->answer,
                                  &k->error);
        return composite_call(c, a, &get_region, value_object(a, region, 2), &k->answer, &k->error);
    case GPU_NODE_LOOKUP_SERVICES:
        return composite_call(c, a, &gcp_get_services, value_object(a, services, 2), &k->answer,
                              &k->error);
    default:
        return -1;
    }
}

void gpu_node_gcp_want_checks(const struct composite_context *c,
                              const struct gpu_node_machines *machines)
{
    bool runs = config_is(c->config, "power", "running");
    gpu_node_want(c, GPU_NODE_LOOKUP_SERVICES, gpu_node_gcp_services(c));
    if (value_is_known(value_get(c->config, "name")))
        gpu_node_want(c, GPU_NODE_LOOKUP_NODE, NULL);
    if (!runs || !machines->known || !machines->count)
        return;
    gpu_node_want_offers(c, machines);
    gpu_node_want(c, GPU_NODE_LOOKUP_QUOTA, value_str(c->arena, c->region));
    gpu_node_want(c, GPU_NODE_LOOKUP_QUOTA, value_str(c->arena, ""));
}

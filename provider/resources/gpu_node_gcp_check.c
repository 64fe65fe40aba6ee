/* Checks of a plan against Google Cloud: APIs, offers, quotas, names. */
#include <string.h>

#include "cloud/template.h"
#include "resources/gpu_node_check.h"
#include "resources/gpu_node_gcp.h"

enum { TEXT_MOST = 16384 };

static const char *project(const struct gpu_node_checking *k)
{
    return k->c->account;
}

/* ---- APIs ---- */

static int check_services(struct gpu_node_checking *k)
{
    const struct gpu_node_lookup *found = NULL;
    int rc = gpu_node_answer(k->c, GPU_NODE_LOOKUP_SERVICES, gpu_node_gcp_services(k->c), &found);
    return gcp_check_services(k->c, rc, found->answer, &found->error);
}

/* ---- quotas ---- */

struct quota {
    double limit, used;
    bool known;
};

/* Of the region, or ("") of the project. */
static struct quota quota_of(struct gpu_node_checking *k, const char *place, const char *metric)
{
    struct quota q = {0, 0, false};
    const struct gpu_node_lookup *found = NULL;
    if (!metric || gpu_node_answer(k->c, GPU_NODE_LOOKUP_QUOTA, value_str(k->a, place), &found) < 0)
        return q;
    const struct value *list = value_get(found->answer, "quotas");
    for (size_t i = 0; i < value_count(list) && !q.known; i++) {
        const struct value *item = value_at(list, i), *limit = value_get(item, "limit"),
                           *usage = value_get(item, "usage");
        if (!slice_eq_str(value_slice(value_get(item, "metric")), metric) ||
            !value_is_known(limit) || limit->type->kind != TYPE_NUMBER)
            continue;
        q.known = true;
        q.limit = number_to_double(limit->number, NULL);
        q.used = value_is_known(usage) && usage->type->kind == TYPE_NUMBER
                     ? number_to_double(usage->number, NULL)
                     : 0;
    }
    return q;
}

/* GPUs that this node holds already: a new machine takes their place. */
static int own_gpus(const struct gpu_node_checking *k, const struct catalog_machine *like, bool any)
{
    const struct record *r = records_find(k->c->records, "instance");
    const struct catalog_machine *m =
        r && !r->missing ? catalog_machine("gcp", value_slice(value_get(r->attrs, "machine")))
                         : NULL;
    return m && (any || m->quota == like->quota) ? m->gpu_count : 0;
}

static bool fits(struct gpu_node_checking *k, struct buf *text, const struct catalog_machine *m,
                 const char *place, const char *metric, const char *name, bool any)
{
    struct quota q = quota_of(k, place, metric);
    double used = q.used - own_gpus(k, m, any);
    if (!q.known || used + m->gpu_count <= q.limit)
        return true;
    buf_printf(text,
               "%s%s needs %d GPUs of the quota \"%s\" (%s), which is %.0f %s%s, with %.0f in use.",
               text->len ? "\n" : "", m->type, m->gpu_count, name, metric, q.limit,
               *place ? "in " : "in all regions together", place, used > 0 ? used : 0);
    return false;
}

static bool has_room(struct gpu_node_checking *k, struct buf *text, const struct catalog_machine *m,
                     bool spot)
{
    const struct catalog_quota *q = m->quota;
    bool region = fits(k, text, m, k->c->region, spot ? q->spot : q->on_demand,
                       spot ? q->spot_name : q->on_demand_name, false);
    bool all = fits(k, text, m, "", "GPUS_ALL_REGIONS", "GPUs (all regions)", true);
    return region && all;
}

static void warn_unread(struct gpu_node_checking *k)
{
    const char *const places[] = {k->c->region, ""};
    for (size_t i = 0; i < 2; i++) {
        const struct gpu_node_lookup *found = NULL;
        if (gpu_node_answer(k->c, GPU_NODE_LOOKUP_QUOTA, value_str(k->a, places[i]), &found) == 0)
            continue;
        diags_warning(k->c->diags, gpu_node_machine_path(k), "The quota was not checked", "%s",
                      found->error.message);
        return;
    }
}

/* A region that is not there is an error; whatever else keeps quotas from being read is not. */
static int check_region(struct gpu_node_checking *k)
{
    const struct gpu_node_lookup *found = NULL;
    const struct value *region = value_str(k->a, k->c->region);
    if (gpu_node_answer(k->c, GPU_NODE_LOOKUP_QUOTA, region, &found) == 0 ||
        found->error.class_ != CLOUD_ERROR_NOT_FOUND)
        return 0;
    return diags_error(k->c->diags, path_attribute(k->a, NULL, "region"), "Unknown region",
                       "The project %s has no region \"%s\": %s", project(k), k->c->region,
                       found->error.message);
}

static int check_quotas(struct gpu_node_checking *k)
{
    const struct gpu_node_markets may = gpu_node_markets(k->c->config);
    bool room = false, any = false;
    _cleanup_buf_ struct buf text = BUF_INIT(TEXT_MOST);
    warn_unread(k);
    for (size_t i = 0; i < k->machines.count && !room; i++) {
        const struct catalog_machine *m = k->machines.items[i];
        if (!gpu_node_may_be(k, m))
            continue;
        any = true;
        room = (may.spot && has_room(k, &text, m, true)) ||
               (may.on_demand && has_room(k, &text, m, false));
    }
    if (room || !any)
        return 0;
    return diags_error(k->c->diags, gpu_node_machine_path(k), "The GPU quota is too small",
                       "%s\nAsk for more on the Quotas page of the console: "
                       "https://console.cloud.google.com/iam-admin/quotas?project=%s",
                       buf_cstr(&text), project(k));
}

/* ---- names ---- */

/* The instance is in the state that is planned, maybe as one that will be replaced. */
static bool is_own(struct gpu_node_checking *k, const struct value *instance)
{
    const struct record *r = records_find(k->c->records, "instance");
    const struct value *link =
        template_transform(k->a, TRANSFORM_RELATIVE, value_get(instance, "selfLink"));
    if (r && value_equal(value_get(r->attrs, "self_link"), link))
        return true;
    return provider_has_seen(k->c->request->provider, value_slice(link));
}

static bool is_ours(struct gpu_node_checking *k, const struct value *labels, const char *component)
{
    const struct value *owner =
        k->c->driver->owner_tags(k->a, GPU_NODE_TYPE, value_get(k->c->config, "name"), component);
    return value_equal(value_get(labels, "llm-resource"), value_get(owner, "llm-resource"));
}

static bool has_model_disk(struct arena *a, const struct value *instance)
{
    const struct value *names = template_select(a, instance, "disks.*.deviceName");
    return value_has_text(names, GPU_NODE_GCP_DEVICE);
}

/* A complete node of this name belongs to another state. One without its disk is what an
 * interrupted apply has left: the next apply goes on with it. */
static int check_instances(struct gpu_node_checking *k)
{
    const struct composite_context *c = k->c;
    const struct gpu_node_lookup *found = NULL;
    const struct path *path = path_attribute(k->a, NULL, "name");
    if (gpu_node_answer(c, GPU_NODE_LOOKUP_NODE, NULL, &found) < 0)
        return cloud_error_report(c->diags, NULL, "checking that the name is free", &found->error);
    for (size_t i = 0; i < value_count(found->answer); i++) {
        const struct value *item = value_at(found->answer, i);
        const char *id = value_cstr(
            template_transform(k->a, TRANSFORM_RELATIVE, value_get(item, "selfLink")), "");
        if (is_own(k, item) ||
            (is_ours(k, value_get(item, "labels"), "instance") && gpu_node_has_name(k)))
            continue;
        if (!is_ours(k, value_get(item, "labels"), "instance"))
            return diags_error(c->diags, path, "The name is taken",
                               "The instance %s is not this provider's. Choose another name.", id);
        const char *unfinished =
            has_model_disk(k->a, item)
                ? NULL
                : arena_printf(k->a,
                               "The instance %s carries the labels of this node, but has no model "
                               "disk. It will be used.",
                               id);
        if (gpu_node_check_found(k, value_get(item, "labels"), id, unfinished) < 0)
            return -1;
    }
    return 0;
}

static int check_account(struct gpu_node_checking *k)
{
    const struct composite_context *c = k->c;
    const struct value *id = value_path(k->derived, "names.account_id");
    const struct gpu_node_lookup *found = NULL;
    if (gpu_node_answer(c, GPU_NODE_LOOKUP_IDENTITY, id, &found) < 0)
        return found->error.class_ == CLOUD_ERROR_NOT_FOUND ||
                       found->error.class_ == CLOUD_ERROR_PERMISSION
                   ? 0
                   : cloud_error_report(c->diags, NULL,
                                        "checking that the service account's name is free",
                                        &found->error);
    const struct value *owner =
        template_transform(k->a, TRANSFORM_JSON_PARSE, value_get(found->answer, "description"));
    if (is_ours(k, owner, "service_account"))
        return 0;
    return diags_error(c->diags, path_attribute(k->a, NULL, "name"), "The name is taken",
                       "The project has a service account \"%s\" that is not this node's. Choose "
                       "another name, or bring your own `service_account`.",
                       value_cstr(id, ""));
}

/* ---- the hook ---- */

static int check_all(const struct composite_context *c, const struct engine_changes *changes,
                     const struct value *derived)
{
    struct gpu_node_checking k;
    if (gpu_node_check_begin(c, changes, derived, &k) < 0)
        return -1;
    bool made = gpu_node_is_made(&k, "instance");
    if (made)
        gpu_node_gcp_want_checks(c, &k.machines);
    /* Without the APIs, nothing else could be asked. */
    if (made && check_services(&k) < 0)
        return -1;
    if (made && check_region(&k) < 0)
        return -1;
    int rc = 0;
    if (made && value_is_known(value_get(c->config, "name")) && check_instances(&k) < 0)
        rc = -1;
    if (gpu_node_is_made(&k, "service_account") && !records_find(c->records, "service_account") &&
        value_is_known(value_path(derived, "names.account_id")) && check_account(&k) < 0)
        rc = -1;
    if (gpu_node_needs_machine(&k) && (gpu_node_check_offers(&k) < 0 || check_quotas(&k) < 0))
        rc = -1;
    return rc;
}

int gpu_node_gcp_check(const struct composite_context *c, const struct engine_changes *changes,
                       const struct value *derived)
{
    size_t before = c->diags->errors;
    int rc = check_all(c, changes, derived);
    if (rc < 0 && c->diags->errors == before)
        diags_error(c->diags, NULL, "Out of memory", "The checks against the cloud were not made.");
    return rc;
}

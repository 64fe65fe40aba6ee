/* Checks of a plan against the cloud: offers, quotas, names. */
#include "resources/gpu_node_aws.h"
#include "resources/gpu_node_check.h"

#include <string.h>

#include "cloud/template.h"

enum { QUOTAS_MOST = 16 };

/* ---- quotas ---- */

/* The instance is in the state that is planned, maybe as one that will be replaced. */
static bool is_own(void *self, const struct value *instance)
{
    struct gpu_node_checking *k = self;
    const struct composite_context *c = k->c;
    const struct record *r = records_find(c->records, "instance");
    const struct value *id = value_get(instance, "instanceId");
    const struct value *tags =
        template_transform(k->a, TRANSFORM_TAGS_MAP, value_get(instance, "tagSet"));
    const struct value *owner =
        c->driver->owner_tags(k->a, GPU_NODE_TYPE, value_get(c->config, "name"), "instance");
    if (r && value_equal(value_get(r->attrs, "id"), id))
        return true;
    return value_equal(value_get(tags, "llm:resource"), value_get(owner, "llm:resource")) &&
           provider_has_seen(c->request->provider, value_slice(id));
}

/* What is known of one quota, so that each is asked for once. */
struct quota_state {
    const char *code, *name;
    double limit; /* below 0: not known */
    int used;
};

struct quotas {
    struct quota_state items[QUOTAS_MOST];
    size_t count;
    bool failed;
    struct buf text; /* of those that are too small */
};

static struct quota_state *quota_of(struct gpu_node_checking *k, struct quotas *all,
                                    const struct catalog_quota *q, bool spot)
{
    const char *code = spot ? q->spot : q->on_demand, *why = NULL;
    for (size_t i = 0; i < all->count; i++)
        if (strcmp(all->items[i].code, code) == 0)
            return &all->items[i];
    if (all->count == QUOTAS_MOST)
        return NULL;
    struct quota_state *s = &all->items[all->count++];
    *s = (struct quota_state){code, spot ? q->spot_name : q->on_demand_name, -1, 0};
    if (gpu_node_aws_read_quota(k->c, q, spot, is_own, k, &s->limit, &s->used, &why) < 0) {
        s->limit = -1;
        if (!all->failed)
            diags_warning(k->c->diags, gpu_node_machine_path(k), "The quota was not checked",
                          "%s (%s): %s", s->name, code, why ? why : "no answer");
        all->failed = true;
    }
    return s;
}

/* True when the quota has room, or is not known. */
static bool has_room(struct gpu_node_checking *k, struct quotas *all,
                     const struct catalog_machine *m, bool spot)
{
    const struct quota_state *s = quota_of(k, all, m->quota, spot);
    if (!s || s->limit < 0 || s->used + m->vcpus <= s->limit)
        return true;
    buf_printf(&all->text,
               "%s%s needs %d vCPUs of the quota \"%s\" (%s), which is %.0f in %s, with %d in use.",
               all->text.len ? "\n" : "", m->type, m->vcpus, s->name, s->code, s->limit,
               k->c->region, s->used);
    return false;
}

static int check_quotas(struct gpu_node_checking *k)
{
    struct quotas all = {.text = BUF_INIT(16384)};
    const struct gpu_node_markets may = gpu_node_markets(k->c->config);
    bool room = false;
    const struct catalog_machine *last = NULL;
    for (size_t i = 0; i < k->machines.count && !room; i++) {
        const struct catalog_machine *m = k->machines.items[i];
        if (!gpu_node_may_be(k, m))
            continue;
        last = m;
        room = (may.spot && has_room(k, &all, m, true)) ||
               (may.on_demand && has_room(k, &all, m, false));
    }
    if (!room && last)
        diags_error(k->c->diags, gpu_node_machine_path(k), "The vCPU quota is too small",
                    "%s\nAsk for more in the Service Quotas console, or with: aws service-quotas "
                    "request-service-quota-increase --service-code ec2 --quota-code %s --region %s "
                    "--desired-value …",
                    buf_cstr(&all.text), may.on_demand ? last->quota->on_demand : last->quota->spot,
                    k->c->region);
    buf_clean_up(&all.text);
    return room || !last ? 0 : -1;
}

/* ---- names ---- */

static bool has_model_volume(struct arena *a, const struct value *instance)
{
    const struct value *names = template_select(a, instance, "blockDeviceMapping.*.deviceName");
    return value_has_text(names, GPU_NODE_AWS_DEVICE);
}

/* A complete node of this name belongs to another state. One without its volume is what an
 * interrupted apply has left: the next apply goes on with it. */
static int check_instances(struct gpu_node_checking *k)
{
    const struct composite_context *c = k->c;
    const struct gpu_node_lookup *found = NULL;
    if (gpu_node_answer(c, GPU_NODE_LOOKUP_NODE, NULL, &found) < 0)
        return cloud_error_report(c->diags, NULL, "checking that the name is free", &found->error);
    for (size_t i = 0; i < value_count(found->answer); i++) {
        const struct value *item = value_at(found->answer, i);
        const char *id = value_cstr(value_get(item, "instanceId"), "");
        if (is_own(k, item) || gpu_node_has_name(k))
            continue;
        const struct value *tags =
            template_transform(k->a, TRANSFORM_TAGS_MAP, value_get(item, "tagSet"));
        const char *unfinished =
            has_model_volume(k->a, item)
                ? NULL
                : arena_printf(k->a,
                               "Instance %s carries the tags of this node, but has no model "
                               "volume. It will be used.",
                               id);
        if (gpu_node_check_found(k, tags, id, unfinished) < 0)
            return -1;
    }
    return 0;
}

static int check_role(struct gpu_node_checking *k, const struct value *derived)
{
    const struct composite_context *c = k->c;
    const struct value *name = value_path(derived, "names.role");
    const struct gpu_node_lookup *found = NULL;
    if (gpu_node_answer(c, GPU_NODE_LOOKUP_IDENTITY, name, &found) < 0)
        return found->error.class_ == CLOUD_ERROR_NOT_FOUND ||
                       found->error.class_ == CLOUD_ERROR_PERMISSION
                   ? 0
                   : cloud_error_report(c->diags, NULL, "checking that the role's name is free",
                                        &found->error);
    const struct value *tags = template_transform(
        k->a, TRANSFORM_TAGS_MAP, template_select(k->a, found->answer, "Role.Tags"));
    const struct value *owner =
        c->driver->owner_tags(k->a, GPU_NODE_TYPE, value_get(c->config, "name"), "role");
    if (value_equal(value_get(tags, "llm:resource"), value_get(owner, "llm:resource")))
        return 0;
    return diags_error(c->diags, path_attribute(k->a, NULL, "name"), "The name is taken",
                       "The account has an IAM role \"%s\" that is not this node's. Choose another "
                       "name, or bring your own `instance_profile`.",
                       value_cstr(name, ""));
}

/* ---- the hook ---- */

/* What runs on spot is not stopped, whatever provisioning the configuration asks of the next
 * instance (StopInstances: UnsupportedOperation for one-time requests). */
static int check_stop(const struct gpu_node_checking *k)
{
    const struct record *r = records_find(k->c->records, "instance");
    if (!r || gpu_node_is_made(k, "instance") || !config_is(k->c->config, "power", "stopped") ||
        strcmp(value_cstr(value_get(r->attrs, "market_type"), ""), "spot") != 0)
        return 0;
    return diags_error(k->c->diags, path_attribute(k->a, NULL, "power"),
                       "A spot instance cannot be stopped",
                       "The node runs on the spot instance %s. Remove the node while it is not "
                       "needed, or have it made anew on demand: `tofu apply "
                       "-replace=ADDRESS` with `power = \"running\"`.",
                       value_cstr(value_get(r->attrs, "id"), "of this node"));
}

static int check_all(const struct composite_context *c, const struct engine_changes *changes,
                     const struct value *derived)
{
    struct gpu_node_checking k;
    int rc = 0;
    if (gpu_node_check_begin(c, changes, derived, &k) < 0)
        return -1;
    bool made = gpu_node_is_made(&k, "instance");
    if (made)
        gpu_node_aws_want_checks(c, &k.machines);
    if (check_stop(&k) < 0)
        rc = -1;
    if (made && value_is_known(value_get(c->config, "name")) && check_instances(&k) < 0)
        rc = -1;
    if (gpu_node_is_made(&k, "role") && !records_find(c->records, "role") &&
        value_is_known(value_path(derived, "names.role")) && check_role(&k, derived) < 0)
        rc = -1;
    if (gpu_node_needs_machine(&k) && (gpu_node_check_offers(&k) < 0 || check_quotas(&k) < 0))
        rc = -1;
    return rc;
}

int gpu_node_aws_check(const struct composite_context *c, const struct engine_changes *changes,
                       const struct value *derived)
{
    size_t before = c->diags->errors;
    int rc = check_all(c, changes, derived);
    if (rc < 0 && c->diags->errors == before)
        diags_error(c->diags, NULL, "Out of memory", "The checks against the cloud were not made.");
    return rc;
}

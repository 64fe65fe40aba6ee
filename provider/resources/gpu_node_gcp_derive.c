/* What a node's components on Google Cloud need and its configuration does not say as such. */
#include <string.h>

#include "cloud/template.h"
#include "resources/gpu_node_derive.h"
#include "resources/gpu_node_gcp.h"

#define IAP_RANGE "35.235.240.0/20" /* IAP documentation, "Using IAP for TCP forwarding" */

static struct gpu_node_gcp_names *names(struct gpu_node_derivation *d)
{
    return d->own;
}

static bool is_placed(const struct gpu_node_derivation *d)
{
    return d->name && d->c->region;
}

/* Whether full names of the project's resources can be said. */
static bool has_project(const struct gpu_node_derivation *d)
{
    return d->c->region && d->c->account && *d->c->account;
}

static const struct value *list_of(struct arena *a, const char *text)
{
    const struct value *one = value_str(a, text);
    return value_list(a, &type_string, &one, 1);
}

/* ---- lookups ---- */

/* Where a machine of this type (or any that may be used) is offered; first where the node is. */
static const struct value *zones(struct gpu_node_derivation *d, const struct value *type)
{
    const struct value *decided = value_get(d->c->decided, "zones");
    const struct value *own = gpu_node_of(d, "zones");
    const char *now = gpu_node_instance_text(d, "zone");
    const struct value *items[GPU_NODE_ZONES_MOST];
    size_t count = 0;
    if (decided || value_is_known(own))
        return decided ? decided : own;
    if (now)
        items[count++] = value_str(d->a, now);
    else if (value_is_unknown(own) || !d->offers)
        return gpu_node_unknown(d);
    for (size_t i = 0; i < d->offer_count; i++) {
        bool again = value_is_known(type) && !slice_eq_str(value_slice(type), d->offers[i].type);
        for (size_t k = 0; k < count && !again; k++)
            again = slice_eq_str(value_slice(items[k]), d->offers[i].zone);
        if (!again && count < GPU_NODE_MAX_ZONES)
            items[count++] = value_str(d->a, d->offers[i].zone);
    }
    return value_list(d->a, &type_string, items, count);
}

static int look_up(struct gpu_node_derivation *d)
{
    const struct composite_context *c = d->c;
    /* Zones matter only to an instance that is placed, or placed anew on another machine. */
    bool needed = gpu_node_needs_offers(d, !d->instance || !gpu_node_keeps_machine(d));
    if (needed)
        gpu_node_want_offers(c, &d->machines);
    if (c->planning && c->online && !d->instance && c->region) {
        gpu_node_gcp_want_checks(c, &d->machines);
        if (d->name && value_is_null(gpu_node_of(d, "service_account")) &&
            !records_find(c->records, "service_account"))
            gpu_node_want(c, GPU_NODE_LOOKUP_IDENTITY, value_str(d->a, names(d)->account_id));
    }
    return gpu_node_look_up(d, needed);
}

/* ---- network ---- */

/* The resource name of a network, subnetwork … that the user names; unknown until the project is.
 */
static const struct value *existing(struct gpu_node_derivation *d, const struct value *given,
                                    const char *parent)
{
    if (!given || value_is_null(given))
        return value_null(d->a, &type_string);
    if (value_is_unknown(given) || !has_project(d))
        return gpu_node_unknown(d);
    const char *under = arena_printf(d->a, "projects/%s/%s", d->c->account, parent);
    return value_str(d->a, gcp_full_name(d->a, value_slice(given), under));
}

static void derive_network(struct gpu_node_derivation *d)
{
    const struct value *cidr = gpu_node_of(d, "network.cidr"), *egress = gpu_node_of(d, "egress");
    const struct value *ids = gpu_node_of(d, "network.subnet_ids");
    const struct value *made = gpu_node_is_set(d, "network.vpc_id", true);
    const struct value *cidrs = gpu_node_of(d, "network.ingress_cidrs");
    const struct value *runtime = gpu_node_of(d, "runtime");
    const char *subnetworks =
        arena_printf(d->a, "regions/%s/subnetworks", d->c->region ? d->c->region : "");
    bool nat = strcmp(value_cstr(egress, ""), "nat") == 0;
    bool vllm = strcmp(value_cstr(runtime, ""), "vllm") == 0;
    gpu_node_put(d, "make_network", made);
    gpu_node_put(d, "make_nat",
                 value_is_unknown(egress) || value_is_unknown(made)
                     ? gpu_node_unknown(d)
                     : value_bool(d->a, nat && value_true(made)));
    gpu_node_put(d, "make_ingress",
                 cidrs && value_is_unknown(cidrs) ? gpu_node_unknown(d)
                                                  : value_bool(d->a, value_count(cidrs) > 0));
    gpu_node_put(d, "network_cidr",
                 value_is_unknown(cidr) ? gpu_node_unknown(d)
                                        : value_str(d->a, value_cstr(cidr, GPU_NODE_CIDR)));
    gpu_node_put(d, "network", existing(d, gpu_node_of(d, "network.vpc_id"), "global/networks"));
    gpu_node_put(d, "subnetwork",
                 ids && value_is_unknown(ids)
                     ? gpu_node_unknown(d)
                     : existing(d, value_count(ids) ? value_at(ids, 0) : NULL, subnetworks));
    gpu_node_put(d, "anywhere", list_of(d->a, "0.0.0.0/0"));
    gpu_node_put(d, "iap_ranges", list_of(d->a, IAP_RANGE));
    gpu_node_put(d, "port",
                 value_is_unknown(runtime)
                     ? gpu_node_unknown(d)
                     : value_printf(d->a, "%d", vllm ? GPU_NODE_VLLM_PORT : GPU_NODE_OLLAMA_PORT));
}

static void derive_names(struct gpu_node_derivation *d)
{
    const struct gpu_node_gcp_names *n = names(d);
    bool known = is_placed(d);
    const struct value_member m[] = {
        {SLICE_LIT("base"), value_str(d->a, n->base)},
        {SLICE_LIT("disk"), value_str(d->a, n->disk)},
        {SLICE_LIT("firewall_egress"), value_str(d->a, n->firewall_egress)},
        {SLICE_LIT("firewall_iap_ssh"), value_str(d->a, n->firewall_ssh)},
        {SLICE_LIT("firewall_api"), value_str(d->a, n->firewall_api)},
        {SLICE_LIT("secret"), value_str(d->a, n->secret)},
        {SLICE_LIT("account_id"), value_str(d->a, n->account_id)}};
    gpu_node_put(d, "names", known ? value_object(d->a, m, 7) : gpu_node_unknown(d));
    gpu_node_put(d, "network_tags", known ? list_of(d->a, n->base) : gpu_node_unknown(d));
    gpu_node_put(d, "description",
                 d->name ? value_printf(d->a, "LLM node %s", d->name) : gpu_node_unknown(d));
    gpu_node_put(d, "region", d->c->region ? value_str(d->a, d->c->region) : gpu_node_unknown(d));
    gpu_node_put(d, "log_filter",
                 known ? value_printf(d->a,
                                      "resource.type=\"gce_instance\" AND "
                                      "labels.\"compute.googleapis.com/resource_name\"=\"%s\"",
                                      n->base)
                       : gpu_node_unknown(d));
}

/* ---- identity ---- */

static const struct value *role(struct gpu_node_derivation *d, const char *name,
                                const struct value *condition)
{
    const struct value_member m[] = {
        {SLICE_LIT("role"), value_str(d->a, name)},
        {SLICE_LIT("condition"), condition ? condition : value_null(d->a, &type_dynamic)}};
    return value_object(d->a, m, 2);
}

static void derive_roles(struct gpu_node_derivation *d)
{
    const struct value *cache = gpu_node_of(d, "model_cache");
    struct slice uri = value_slice(value_get(cache, "gcs_uri"));
    struct value_member m[3];
    size_t count = 0;
    m[count++] = (struct value_member){SLICE_LIT("logs"), role(d, "roles/logging.logWriter", NULL)};
    m[count++] =
        (struct value_member){SLICE_LIT("metrics"), role(d, "roles/monitoring.metricWriter", NULL)};
    if (uri.len > 5)
        m[count++] = (struct value_member){
            SLICE_LIT("cache"),
            role(d, "roles/storage.objectUser", gcp_objects_condition(d->a, "model cache", uri))};
    gpu_node_put(d, "roles",
                 cache && !value_is_wholly_known(cache) ? gpu_node_unknown(d)
                                                        : value_object(d->a, m, count));
}

/* {KEY: {secret}} of the secrets that the node reads. An existing secret is its own key, whatever
 * it is read for: a binding of one purpose must not go while another purpose needs it. */
static const struct value *readable_secrets(struct gpu_node_derivation *d)
{
    const char *const tailscale = gpu_node_gcp_tailscale_secret(d->c, names(d));
    const char *const given[] = {tailscale, gpu_node_gcp_huggingface_secret(d->c)};
    bool own = value_is_known(gpu_node_of(d, "tailscale.auth_key_wo_version"));
    struct value_member m[2];
    size_t count = 0;
    for (size_t i = 0; i < 2; i++) {
        const char *slash = given[i] ? strrchr(given[i], '/') : NULL;
        const struct value_member one = {SLICE_LIT("secret"), value_str(d->a, given[i])};
        const char *key = i == 0 && own ? "tailscale" : slash ? slash + 1 : NULL;
        if (!key || (count && strcmp(given[0], given[i]) == 0))
            continue;
        if (count && slice_eq_str(m[0].key, key))
            key = arena_printf(d->a, "%s-huggingface", key);
        m[count++] = (struct value_member){slice_str(key), value_object(d->a, &one, 1)};
    }
    return value_object(d->a, m, count);
}

static void derive_secrets(struct gpu_node_derivation *d)
{
    const struct value *version = gpu_node_of(d, "tailscale.auth_key_wo_version");
    const struct value *tailscale = gpu_node_of(d, "tailscale");
    const struct value *huggingface = gpu_node_of(d, "huggingface_token_secret");
    bool known = is_placed(d) && has_project(d) &&
                 (!tailscale || value_is_wholly_known(tailscale)) && !value_is_unknown(huggingface);
    bool some =
        (tailscale && !value_is_null(tailscale)) || (huggingface && !value_is_null(huggingface));
    gpu_node_put(d, "make_secret",
                 value_is_unknown(version) ? gpu_node_unknown(d)
                                           : value_bool(d->a, !value_is_null(version)));
    gpu_node_put(d, "secrets",
                 known   ? readable_secrets(d)
                 : !some ? value_object(d->a, NULL, 0)
                         : gpu_node_unknown(d));
}

/* ---- the machine ---- */

/* The type as the catalogue has it, of an instance that a search has found. */
static const char *found_machine(struct gpu_node_derivation *d)
{
    const char *type = gpu_node_instance_text(d, "machine_type");
    const char *accelerator = gpu_node_instance_text(d, "accelerator_type");
    int64_t count =
        d->instance ? value_int_or(value_get(d->instance->attrs, "accelerator_count"), 0) : 0;
    if (!type || catalog_machine("gcp", slice_str(type)) || !accelerator)
        return type;
    return arena_printf(d->a, "%s+%s:%lld", type, accelerator, (long long)count);
}

/* The part of a type that another type of the same series shares: "g2-", and what is attached. */
static bool same_series(const struct catalog_machine *x, const struct catalog_machine *y)
{
    size_t len = strcspn(x->type, "-");
    bool attached = x->attached == y->attached &&
                    (!x->attached ||
                     (strcmp(x->accelerator, y->accelerator) == 0 && x->gpu_count == y->gpu_count));
    return attached && len == strcspn(y->type, "-") && strncmp(x->type, y->type, len) == 0;
}

/* The existing subnetwork that the node is to be in by its name; NULL: it makes one, or is there
 * already. */
static const struct value *other_subnetwork(struct gpu_node_derivation *d)
{
    const struct value *ids = gpu_node_of(d, "network.subnet_ids");
    const char *now = gpu_node_instance_text(d, "interface_subnetwork");
    if (!now || !ids || value_is_null(ids))
        return NULL;
    if (!value_is_wholly_known(ids))
        return ids;
    const struct value *name =
        template_transform(d->a, TRANSFORM_BASENAME, value_count(ids) ? value_at(ids, 0) : NULL);
    return slice_eq_str(value_slice(name), now) ? NULL : name;
}

/* Compute Engine changes the machine type of a stopped instance within its series; a spot instance,
 * another series or other accelerators need a new instance, and so does another subnetwork. The
 * value stays what is recorded as long as nothing does. */
static const struct value *replaced_for(struct gpu_node_derivation *d, const struct value *type)
{
    const char *now = gpu_node_instance_text(d, "machine");
    const char *recorded = gpu_node_instance_text(d, "replaced_for");
    const char *model = gpu_node_instance_text(d, "provisioning_model");
    if (!d->instance)
        return value_str(d->a, "none");
    const struct value *subnetwork = other_subnetwork(d);
    if (value_is_unknown(type) || (subnetwork && !value_is_wholly_known(subnetwork)))
        return gpu_node_unknown(d);
    const struct catalog_machine *is = catalog_machine("gcp", slice_str(now));
    const struct catalog_machine *wanted =
        value_is_known(type) ? catalog_machine("gcp", value_slice(type)) : NULL;
    bool spot = model && strcmp(model, "SPOT") == 0;
    if (subnetwork)
        return value_printf(d->a, "subnetwork %s", value_cstr(subnetwork, ""));
    if (is && wanted && is != wanted && (spot || !same_series(is, wanted)))
        return value_printf(d->a, "%s%s", wanted->type, spot ? " on spot" : "");
    return recorded ? value_str(d->a, recorded) : value_null(d->a, &type_string);
}

/* A machine of the catalogue's choice takes the disk that is asked for, or another has to be named:
 * the type of a disk must not choose a dearer machine by itself. */
static int check_disk(struct gpu_node_derivation *d, const struct catalog_machine *m)
{
    const char *type = value_cstr(gpu_node_of(d, "disk.type"), NULL);
    if (!m || !type || !d->c->secrets || gpu_node_gcp_takes_disk(m, type))
        return 0;
    return gpu_node_gcp_refuse_disk(d->a, m, type, d->c->diags);
}

static int derive_machine(struct gpu_node_derivation *d)
{
    const struct value *type = gpu_node_machine_type(d), *power = gpu_node_of(d, "power");
    const struct catalog_machine *m =
        value_is_known(type) ? catalog_machine("gcp", value_slice(type)) : NULL;
    bool stopped = strcmp(value_cstr(power, ""), "stopped") == 0;
    gpu_node_put(d, "machine_type", type);
    gpu_node_put(d, "gce_machine_type",
                 m                        ? value_str(d->a, m->machine_type)
                 : value_is_unknown(type) ? gpu_node_unknown(d)
                                          : value_null(d->a, &type_string));
    gpu_node_put(d, "boot_disk_type",
                 m                        ? value_str(d->a, m->disk_type)
                 : value_is_unknown(type) ? gpu_node_unknown(d)
                                          : value_null(d->a, &type_string));
    gpu_node_put(d, "replaced_for", replaced_for(d, type));
    gpu_node_put(d, "zone", gpu_node_zone_of(d));
    gpu_node_put(d, "zones", zones(d, type));
    gpu_node_put(d, "status",
                 value_is_unknown(power) ? gpu_node_unknown(d)
                                         : value_str(d->a, stopped ? "TERMINATED" : "RUNNING"));
    return check_disk(d, m);
}

/* ---- image ---- */

/* {project, family} of "projects/P/global/images/family/F". */
static const struct value *family_of(struct gpu_node_derivation *d, const char *name)
{
    static const char middle[] = "/global/images/family/";
    const char *at = name ? strstr(name, middle) : NULL;
    const char *projects = name ? strstr(name, "projects/") : NULL;
    if (!at || !projects)
        return NULL;
    projects += strlen("projects/");
    const struct value_member m[] = {
        {SLICE_LIT("project"), value_string(d->a, slice_from(projects, (size_t)(at - projects)))},
        {SLICE_LIT("family"), value_str(d->a, at + sizeof(middle) - 1)}};
    return value_object(d->a, m, 2);
}

/* The family that a node without an image of its own was made from: it stays, whatever the
 * catalogue has by now. NULL: none was looked up. */
static const struct value *recorded_family(struct gpu_node_derivation *d)
{
    const struct record *r = records_find(d->c->records, "image");
    const struct value *project = r ? value_get(r->attrs, "project") : NULL;
    const struct value *family = r ? value_get(r->attrs, "family") : NULL;
    const struct value_member m[] = {{SLICE_LIT("project"), project},
                                     {SLICE_LIT("family"), family}};
    return project && family ? value_object(d->a, m, 2) : NULL;
}

/* Whether the user names another image than the node was made with. */
static bool is_other_image(const struct gpu_node_derivation *d, const struct value *image)
{
    return d->c->prior && value_is_known(image) &&
           !value_equal(value_get(d->c->prior, "image"), image);
}

static void derive_image(struct gpu_node_derivation *d)
{
    const struct value *image = gpu_node_of(d, "image");
    const struct catalog_machine *first = d->machines.count
                                              ? d->machines.items[0]
                                              : catalog_machine("gcp", SLICE_LIT("g2-standard-4"));
    const struct catalog_image *usual = first ? first->image : NULL;
    const char *given = value_is_known(image) ? value_cstr(image, NULL) : NULL;
    const struct value *family = family_of(d, given ? given : usual ? usual->parameter : NULL);
    /* An instance that was imported has an image, but no look-up of it. */
    bool looked_up = records_find(d->c->records, "image") != NULL;
    const char *found = gpu_node_instance_text(d, "boot_image");
    bool other = is_other_image(d, image);
    const char *kept = family && d->instance && !looked_up && !other ? found : NULL;
    if (!given && looked_up && d->instance && recorded_family(d))
        family = recorded_family(d);
    const char *id = kept     ? kept
                     : family ? NULL
                     : given  ? gcp_full_name(d->a, slice_str(given), "")
                              : NULL;
    bool unknown = value_is_unknown(image);
    gpu_node_put(d, "image_id",
                 unknown ? gpu_node_unknown(d)
                 : id    ? value_str(d->a, id)
                         : value_null(d->a, &type_string));
    gpu_node_put(d, "image_family",
                 unknown           ? gpu_node_unknown(d)
                 : family && !kept ? family
                                   : value_null(d->a, &type_dynamic));
    gpu_node_put(d, "root_gib", value_int(d->a, usual ? usual->root_gib : 100));
}

/* ---- the node ---- */

static int derive_node(struct gpu_node_derivation *d)
{
    const struct value *gib = NULL, *metadata = gpu_node_unknown(d);
    if (gpu_node_disk_gib(d, &gib) < 0)
        return -1;
    if (gpu_node_wholly_known(d) && has_project(d))
        metadata = gpu_node_gcp_metadata(d->c, names(d), &d->models);
    gpu_node_put(d, "disk_gib", gib);
    gpu_node_put(d, "snapshot",
                 existing(d, gpu_node_of(d, "model_cache.snapshot_id"), "global/snapshots"));
    gpu_node_put(d, "make_service_account", gpu_node_is_set(d, "service_account", true));
    gpu_node_put(d, "metadata", metadata);
    gpu_node_put(d, "wait_serving", gpu_node_wait_serving(d));
    return metadata ? 0 : -1;
}

/* ---- the hook ---- */

static int prepare(const struct composite_context *c, struct gpu_node_derivation *d)
{
    if (gpu_node_derive_begin(c, d) < 0)
        return -1;
    /* What a search has found does not say by itself which machine of the catalogue it is; the
     * record has the one that was wanted before anything was found. */
    if (d->instance && (!c->prior || !gpu_node_instance_text(d, "machine"))) {
        const char *found = found_machine(d);
        struct record *copy = arena_new_object(d->a, struct record);
        if (!copy)
            return -1;
        *copy = *d->instance;
        copy->attrs =
            found ? value_with(d->a, copy->attrs, "machine", value_str(d->a, found)) : copy->attrs;
        d->instance = copy;
    }
    if (!c->region)
        return 0;
    if (d->name && gpu_node_gcp_names(d->a, d->name, c->region, names(d), c->diags) < 0)
        return -1;
    return gpu_node_gcp_check_zones(d->a, d->config, c->region, c->diags);
}

int gpu_node_gcp_derive(const struct composite_context *c, const struct value **ret)
{
    struct gpu_node_gcp_names mine = {0};
    struct gpu_node_derivation d = {.own = &mine};
    size_t before = c->diags->errors;
    int rc = prepare(c, &d) < 0 || look_up(&d) < 0 ? -1 : 0;
    if (rc == 0) {
        derive_network(&d);
        derive_names(&d);
        derive_roles(&d);
        derive_secrets(&d);
        derive_image(&d);
        rc = derive_machine(&d) < 0 || derive_node(&d) < 0 ? -1 : 0;
    }
    *ret = gpu_node_derive_end(&d, rc, before);
    return *ret ? 0 : -1;
}

/* What a node's components need and its configuration does not say as such: `$derived`. */
#include "resources/gpu_node_aws.h"
#include "resources/gpu_node_derive.h"

#include <stdlib.h>
#include <string.h>

#include "cloud/template.h"

/* What only AWS has of it. */
struct own {
    struct gpu_node_aws_names names;
    struct gpu_node_network network;
};

static struct own *own(struct gpu_node_derivation *d)
{
    return d->own;
}

/* ---- lookups ---- */

static bool has_subnets(const struct records *r)
{
    for (size_t i = 0; i < r->count; i++)
        if (strncmp(r->items[i].name, "subnet.private-", 15) == 0)
            return true;
    return false;
}

/* The zones of a network that is made follow from the offers, until there are subnets. */
static bool needs_offers(const struct gpu_node_derivation *d)
{
    bool made = value_is_null(gpu_node_of(d, "network.vpc_id"));
    return gpu_node_needs_offers(d, made && !has_subnets(d->c->records));
}

/* The image that the user names, where its own properties have to be looked at. */
static const struct value *image_to_look_at(struct gpu_node_derivation *d)
{
    const struct value *image = gpu_node_of(d, "image");
    const char *now = gpu_node_instance_text(d, "image_id");
    bool kept = now && slice_eq_str(value_slice(image), now);
    return d->c->online && d->c->secrets && value_is_known(image) && !kept ? image : NULL;
}

/* Whether the node is in none of the existing subnets that it is to be in; unknown while they are.
 */
static const struct value *leaves_subnet(struct gpu_node_derivation *d)
{
    const struct value *ids = gpu_node_of(d, "network.subnet_ids");
    const char *now = gpu_node_instance_text(d, "subnet_id");
    bool named = ids && !value_is_null(ids) && now;
    if (named && !value_is_wholly_known(ids))
        return gpu_node_unknown(d);
    return value_bool(d->a, named && !value_has_text(ids, now));
}

/* Everything is asked at once, in a plan of a new instance also what its check will need. */
static void want_all(struct gpu_node_derivation *d)
{
    const struct composite_context *c = d->c;
    const struct value *image = image_to_look_at(d);
    if (needs_offers(d))
        gpu_node_want_offers(c, &d->machines);
    if (image)
        gpu_node_want(c, GPU_NODE_LOOKUP_IMAGE, image);
    if (!c->planning || !c->online || !c->region)
        return;
    if (value_true(leaves_subnet(d)))
        gpu_node_want(c, GPU_NODE_LOOKUP_SUBNETS, gpu_node_of(d, "network.subnet_ids"));
    if (d->instance)
        return;
    gpu_node_aws_want_checks(c, &d->machines);
    if (d->name && value_is_null(gpu_node_of(d, "instance_profile")) &&
        !records_find(c->records, "role"))
        gpu_node_want(c, GPU_NODE_LOOKUP_IDENTITY, value_str(d->a, own(d)->names.role));
}

/* The subnets of an interrupted or imported node, which no record knows yet. */
static int subnets_of_import(struct gpu_node_derivation *d, struct records *found)
{
    const struct composite_context *c = d->c;
    if (!gpu_node_is_import(c) || !c->online || has_subnets(c->records))
        return 0;
    return aws_owned_subnets(c, GPU_NODE_TYPE, found);
}

/* ---- parts ---- */

static int derive_network(struct gpu_node_derivation *d)
{
    struct composite_context with = *d->c;
    struct records found = {NULL, 0};
    const struct value *cidr = gpu_node_of(d, "network.cidr"), *egress = gpu_node_of(d, "egress");
    const struct value *made = gpu_node_is_set(d, "network.vpc_id", true);
    const char *range = value_is_unknown(cidr) ? NULL : value_cstr(cidr, GPU_NODE_CIDR);
    bool nat = strcmp(value_cstr(egress, ""), "nat") == 0;
    gpu_node_put(d, "make_network", made);
    gpu_node_put(d, "make_nat",
                 value_is_unknown(egress) || value_is_unknown(made)
                     ? gpu_node_unknown(d)
                     : value_bool(d->a, nat && value_true(made)));
    gpu_node_put(d, "make_security_group", gpu_node_is_set(d, "network.security_group_id", true));
    gpu_node_put(d, "network_cidr", range ? value_str(d->a, range) : gpu_node_unknown(d));
    own(d)->network.zones = own(d)->network.public = gpu_node_unknown(d);
    const struct value *zones = value_get(d->c->decided, "zones");
    if (value_true(made) && zones) {
        own(d)->network.zones = zones;
        own(d)->network.public = value_get(d->c->decided, "public");
    } else if (value_true(made)) {
        if (subnets_of_import(d, &found) < 0)
            return -1;
        if (found.count)
            with.records = &found;
        if (gpu_node_aws_network(&with, range, d->offers, d->offer_count, &d->machines,
                                 &own(d)->network) < 0)
            return -1;
    }
    gpu_node_put(d, "zones", own(d)->network.zones);
    gpu_node_put(d, "public", own(d)->network.public);
    return 0;
}

/* {10-0-0-0-8: {cidr, port, description}} */
static void derive_ingress(struct gpu_node_derivation *d)
{
    const struct value *cidrs = gpu_node_of(d, "network.ingress_cidrs"),
                       *runtime = gpu_node_of(d, "runtime");
    size_t count = value_count(cidrs);
    struct value_member *m = arena_new_array(d->a, count, struct value_member);
    bool known = !value_is_unknown(runtime) && (!cidrs || value_is_wholly_known(cidrs));
    int port =
        strcmp(value_cstr(runtime, ""), "vllm") == 0 ? GPU_NODE_VLLM_PORT : GPU_NODE_OLLAMA_PORT;
    for (size_t i = 0; known && m && i < count; i++) {
        const struct value *cidr = value_at(cidrs, i);
        char *key = arena_strdup(d->a, value_cstr(cidr, ""));
        for (char *p = key; p && *p; p++)
            if (*p == '.' || *p == '/')
                *p = '-';
        const struct value_member rule[] = {
            {SLICE_LIT("cidr"), cidr},
            {SLICE_LIT("port"), value_int(d->a, port)},
            {SLICE_LIT("description"), value_str(d->a, "API of the models")}};
        m[i] = (struct value_member){slice_str(key), value_object(d->a, rule, 3)};
    }
    gpu_node_put(d, "ingress", known && m ? value_object(d->a, m, count) : gpu_node_unknown(d));
}

static void derive_names(struct gpu_node_derivation *d)
{
    const struct gpu_node_aws_names *n = &own(d)->names;
    bool known = d->name && d->c->region;
    const struct value_member m[] = {
        {SLICE_LIT("security_group"), value_str(d->a, n->security_group)},
        {SLICE_LIT("secret"), value_str(d->a, n->secret)},
        {SLICE_LIT("log_group"), value_str(d->a, n->log_group)},
        {SLICE_LIT("role"), value_str(d->a, n->role)},
        {SLICE_LIT("policy"), value_str(d->a, n->policy)},
        {SLICE_LIT("instance_profile"), value_str(d->a, n->instance_profile)}};
    gpu_node_put(d, "names", known ? value_object(d->a, m, 6) : gpu_node_unknown(d));
    gpu_node_put(d, "description",
                 d->name ? value_printf(d->a, "LLM node %s", d->name) : gpu_node_unknown(d));
}

/* Everything that the role's policy refers to is known. */
static bool policy_known(const struct gpu_node_derivation *d)
{
    static const char *const paths[] = {"tailscale", "huggingface_token_secret", "disk.kms_key",
                                        "model_cache"};
    for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++) {
        const struct value *v = gpu_node_of(d, paths[i]);
        if (v && !value_is_wholly_known(v))
            return false;
    }
    return d->name && d->c->region;
}

static void derive_role(struct gpu_node_derivation *d)
{
    const struct value *version = gpu_node_of(d, "tailscale.auth_key_wo_version");
    gpu_node_put(d, "make_profile", gpu_node_is_set(d, "instance_profile", true));
    gpu_node_put(d, "make_secret",
                 value_is_unknown(version) ? gpu_node_unknown(d)
                                           : value_bool(d->a, !value_is_null(version)));
    gpu_node_put(d, "trust_policy",
                 d->c->region
                     ? gpu_node_aws_trust_policy(d->a, d->c->driver->partition(d->c->region))
                     : gpu_node_unknown(d));
    gpu_node_put(d, "policy",
                 policy_known(d) ? gpu_node_aws_policy(d->c, &own(d)->names) : gpu_node_unknown(d));
}

/* EC2 stops no spot instance for another type: one that has to change is made anew, and so is one
 * that leaves its subnet. The value stays what is recorded as long as nothing needs another
 * instance. */
static const struct value *replaced_for(struct gpu_node_derivation *d, const struct value *type)
{
    const char *market = gpu_node_instance_text(d, "market_type"),
               *now = gpu_node_instance_text(d, "instance_type");
    const char *recorded = gpu_node_instance_text(d, "replaced_for");
    bool spot = market && strcmp(market, "spot") == 0;
    const struct value *leaves = leaves_subnet(d);
    if (!d->instance)
        return value_str(d->a, "none");
    if (value_is_unknown(leaves) || (spot && value_is_unknown(type)))
        return gpu_node_unknown(d);
    if (value_true(leaves))
        return value_printf(d->a, "subnet %s",
                            value_cstr(value_at(gpu_node_of(d, "network.subnet_ids"), 0), ""));
    if (spot && now && value_is_known(type) && !slice_eq_str(value_slice(type), now))
        return value_printf(d->a, "%s on spot", value_cstr(type, ""));
    return recorded ? value_str(d->a, recorded) : value_null(d->a, &type_string);
}

/* The zone of the subnets that a node moves to: NULL when its own, where its volume is, is one of
 * them, otherwise that of the first. */
static int zone_of_subnets(struct gpu_node_derivation *d, const struct value **ret)
{
    const struct gpu_node_lookup *k = NULL;
    const struct value *ids = gpu_node_of(d, "network.subnet_ids");
    const char *now = gpu_node_instance_text(d, d->cloud->instance_zone);
    *ret = NULL;
    if (gpu_node_answer(d->c, GPU_NODE_LOOKUP_SUBNETS, ids, &k) < 0)
        return cloud_error_report(d->c->diags, path_parse(d->a, "network.subnet_ids"),
                                  "looking up the subnets", &k->error);
    const struct value *list = template_select(d->a, k->answer, "subnetSet.*");
    for (size_t i = 0; i < value_count(list); i++) {
        const struct value *item = value_at(list, i), *at = value_get(item, "availabilityZone");
        if (now && slice_eq_str(value_slice(at), now)) {
            *ret = NULL;
            return 0;
        }
        if (value_equal(value_get(item, "subnetId"), value_at(ids, 0)))
            *ret = at;
    }
    return 0;
}

static int derive_zone(struct gpu_node_derivation *d)
{
    const struct composite_context *c = d->c;
    const struct value *zone = value_get(c->decided, "zone"), *moved = NULL;
    if (!zone)
        zone = gpu_node_zone_of(d);
    bool asks = c->planning && c->online && value_is_null(zone) && value_true(leaves_subnet(d));
    if (asks && zone_of_subnets(d, &moved) < 0)
        return -1;
    gpu_node_put(d, "zone", moved ? moved : zone);
    return 0;
}

static int refuse_image(struct gpu_node_derivation *d, const char *image, const char *why)
{
    return diags_error(d->c->diags, path_attribute(d->a, NULL, "image"), "The image cannot be used",
                       "\"%s\" in %s: %s.", image, d->c->region, why ? why : "");
}

/* The image's own root device, for one that the user names. */
static int look_at_image(struct gpu_node_derivation *d, const char *image, const char **device,
                         int64_t *gib)
{
    const struct composite_context *c = d->c;
    const struct gpu_node_lookup *k = NULL;
    const struct value *id = image_to_look_at(d);
    if (!id)
        return 0;
    if (gpu_node_answer(c, GPU_NODE_LOOKUP_IMAGE, id, &k) < 0) {
        bool none =
            k->error.class_ == CLOUD_ERROR_NOT_FOUND || k->error.class_ == CLOUD_ERROR_INVALID;
        return none ? refuse_image(d, image, k->error.message)
                    : cloud_error_report(c->diags, path_attribute(d->a, NULL, "image"),
                                         "looking at the image", &k->error);
    }
    const struct value *answer = k->answer;
    const struct value *item = template_select(d->a, answer, "imagesSet.0");
    const char *state = value_cstr(value_get(item, "imageState"), "not there");
    const char *built_for = value_cstr(value_get(item, "architecture"), "x86_64");
    const char *needed = d->machines.count ? d->machines.items[0]->architecture : built_for;
    if (strcmp(state, "available") != 0)
        return refuse_image(d, image, arena_printf(d->a, "its state is: %s", state));
    if (strcmp(built_for, needed) != 0)
        return refuse_image(
            d, image, arena_printf(d->a, "it is for %s, and %s is needed", built_for, needed));
    const char *root = value_cstr(value_get(item, "rootDeviceName"), NULL);
    const struct value *size = template_select(d->a, item, "blockDeviceMapping.0.ebs.volumeSize");
    int64_t own = strtoll(value_cstr(size, "0"), NULL, 10);
    *device = root ? root : *device;
    *gib = own > *gib ? own : *gib;
    return 0;
}

/* What the machines start from. A machine that lacks support in the usual image ("ubuntu": the
 * script installs an older driver) decides for all candidates. */
static const struct catalog_image *usual_image(const struct gpu_node_derivation *d)
{
    const struct catalog_image *image =
        d->machines.count ? d->machines.items[0]->image : catalog_machines[0].image;
    for (size_t i = 0; d->machines.chosen && i < d->machines.count; i++)
        if (strcmp(d->machines.items[i]->image->name, "ubuntu") == 0)
            image = d->machines.items[i]->image;
    return image;
}

static int derive_image(struct gpu_node_derivation *d)
{
    const struct value *image = gpu_node_of(d, "image");
    const struct catalog_image *usual = usual_image(d);
    const char *device = usual->root_device;
    int64_t gib = usual->root_gib;
    /* An instance that was imported has an image, but no look-up of it. */
    bool looked_up = records_find(d->c->records, "image") != NULL;
    const struct value *kept = d->instance && !looked_up && value_is_null(image)
                                   ? value_get(d->instance->attrs, "image_id")
                                   : NULL;
    bool parameter = value_is_null(image) && !kept;
    if (value_is_known(image) && look_at_image(d, value_cstr(image, ""), &device, &gib) < 0)
        return -1;
    gpu_node_put(d, "image_id", kept ? kept : value_null(d->a, &type_string));
    gpu_node_put(d, "image_parameter",
                 value_is_unknown(image) ? gpu_node_unknown(d)
                 : parameter             ? value_str(d->a, usual->parameter)
                                         : value_null(d->a, &type_string));
    gpu_node_put(d, "root_device", value_str(d->a, device));
    gpu_node_put(d, "root_gib", value_int(d->a, gib));
    return 0;
}

static int derive_disk(struct gpu_node_derivation *d)
{
    const struct value *type = gpu_node_of(d, "disk.type"), *gib = NULL;
    if (gpu_node_disk_gib(d, &gib) < 0)
        return -1;
    gpu_node_put(d, "device", value_str(d->a, GPU_NODE_AWS_DEVICE));
    gpu_node_put(d, "disk_type",
                 value_is_unknown(type) ? gpu_node_unknown(d)
                                        : value_str(d->a, value_cstr(type, "gp3")));
    gpu_node_put(d, "disk_gib", gib);
    return 0;
}

static int derive_node(struct gpu_node_derivation *d)
{
    bool wholly = gpu_node_wholly_known(d);
    const struct value *tags =
        wholly ? gpu_node_tags(d->a, d->config, &d->models) : gpu_node_unknown(d);
    const struct value *script =
        wholly ? gpu_node_aws_user_data(d->c, &own(d)->names, &d->models) : gpu_node_unknown(d);
    gpu_node_put(d, "instance_tags", tags);
    gpu_node_put(d, "user_data", script);
    gpu_node_put(d, "wait_serving", gpu_node_wait_serving(d));
    if (!tags && !diags_has_error(d->c->diags))
        diags_error(d->c->diags, NULL, "The configuration is too long for the instance's tags",
                    "Name fewer or shorter models, subnets and address ranges.");
    return tags && script ? 0 : -1;
}

/* ---- the hook ---- */

static int prepare(const struct composite_context *c, struct gpu_node_derivation *d)
{
    if (gpu_node_derive_begin(c, d) < 0)
        return -1;
    if (!c->region)
        return 0;
    if (d->name && gpu_node_aws_names(d->a, d->name, c->region, &own(d)->names, c->diags) < 0)
        return -1;
    return gpu_node_aws_check_zones(d->a, d->config, c->region, c->diags);
}

static int look_up(struct gpu_node_derivation *d)
{
    want_all(d);
    return gpu_node_look_up(d, needs_offers(d));
}

int gpu_node_aws_derive(const struct composite_context *c, const struct value **ret)
{
    struct own mine = {.names = {0}};
    struct gpu_node_derivation d = {.own = &mine};
    size_t before = c->diags->errors;
    int rc = prepare(c, &d) < 0 || look_up(&d) < 0 || derive_network(&d) < 0 ? -1 : 0;
    if (rc == 0) {
        derive_ingress(&d);
        derive_names(&d);
        derive_role(&d);
        const struct value *type = gpu_node_machine_type(&d);
        gpu_node_put(&d, "machine_type", type);
        gpu_node_put(&d, "replaced_for", replaced_for(&d, type));
        rc = derive_zone(&d) < 0 || derive_image(&d) < 0 || derive_disk(&d) < 0 ||
                     derive_node(&d) < 0
                 ? -1
                 : 0;
    }
    *ret = gpu_node_derive_end(&d, rc, before);
    return *ret ? 0 : -1;
}

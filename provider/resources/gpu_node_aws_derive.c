/* What a node's components need and its configuration does not say as such: `$derived`. */
#include "resources/gpu_node_aws.h"

#include <stdlib.h>
#include <string.h>

#include "cloud/template.h"

/* One derive at work. */
struct derivation {
    const struct composite_context *c;
    struct arena *a;
    const struct value *config;
    const char *name; /* NULL: unknown */
    struct gpu_node_models models;
    struct gpu_node_machines machines;
    struct gpu_node_aws_names names;
    struct gpu_node_network network;
    struct gpu_node_offer *offers; /* NULL: not looked up */
    size_t offer_count;
    const struct record *instance; /* NULL: none */
    struct value_member members[32];
    size_t count;
};

static const struct value *unknown(struct derivation *d)
{
    return value_unknown(d->a, &type_dynamic);
}

static void put(struct derivation *d, const char *name, const struct value *v)
{
    d->members[d->count++] = (struct value_member){slice_str(name), v};
}

static const struct value *get(const struct derivation *d, const char *path)
{
    return value_path(d->config, path);
}

/* Whether an attribute is set: true, false or unknown. */
static const struct value *is_set(struct derivation *d, const char *path, bool negate)
{
    const struct value *v = get(d, path);
    return value_is_unknown(v) ? unknown(d) : value_bool(d->a, value_is_null(v) == negate);
}

/* ---- lookups ---- */

static bool has_subnets(const struct records *r)
{
    for (size_t i = 0; i < r->count; i++)
        if (strncmp(r->items[i].name, "subnet.private-", 15) == 0)
            return true;
    return false;
}

/* An import has neither written configuration nor prior state. */
static bool is_import(const struct composite_context *c)
{
    return !c->secrets && !c->prior;
}

static const char *instance_text(const struct derivation *d, const char *attr)
{
    return d->instance ? value_cstr(value_get(d->instance->attrs, attr), NULL) : NULL;
}

/* The instance is of a type that may still be used. */
static bool keeps_machine(const struct derivation *d)
{
    return gpu_node_has_machine(&d->machines, slice_str(instance_text(d, "instance_type")));
}

static bool needs_offers(const struct derivation *d)
{
    const struct composite_context *c = d->c;
    bool makes_network = value_is_null(get(d, "network.vpc_id"));
    bool zones = makes_network && value_is_null(get(d, "zones")) && !has_subnets(c->records) &&
                 !value_get(c->decided, "zones");
    bool machine =
        !d->machines.chosen && !keeps_machine(d) && !value_get(c->decided, "machine_type");
    bool reading = !c->secrets && !is_import(c);
    return c->online && !reading && c->region && d->machines.known && d->machines.count &&
           (zones || machine);
}

/* The image that the user names, where its own properties have to be looked at. */
static const struct value *image_to_look_at(struct derivation *d)
{
    const struct value *image = get(d, "image");
    const char *now = instance_text(d, "image_id");
    bool kept = now && slice_eq_str(value_slice(image), now);
    return d->c->online && d->c->secrets && value_is_known(image) && !kept ? image : NULL;
}

/* Everything is asked at once, in a plan of a new instance also what its check will need. */
static void want_all(struct derivation *d)
{
    const struct composite_context *c = d->c;
    const struct value *image = image_to_look_at(d);
    if (needs_offers(d))
        gpu_node_aws_want_offers(c, &d->machines);
    if (image)
        gpu_node_aws_want(c, GPU_NODE_LOOKUP_IMAGE, image);
    if (!c->planning || !c->online || d->instance || !c->region)
        return;
    gpu_node_aws_want_checks(c, &d->machines);
    if (d->name && value_is_null(get(d, "instance_profile")) && !records_find(c->records, "role"))
        gpu_node_aws_want(c, GPU_NODE_LOOKUP_ROLE, value_str(d->a, d->names.role));
}

static int look_up(struct derivation *d)
{
    const struct composite_context *c = d->c;
    const struct gpu_node_lookup *k = NULL;
    want_all(d);
    gpu_node_aws_ask(c);
    if (!needs_offers(d))
        return 0;
    if (gpu_node_aws_answer(c, GPU_NODE_LOOKUP_OFFERS, NULL, &k) < 0)
        return cloud_error_report(c->diags, NULL, "looking up where the machine is offered",
                                  &k->error);
    d->offers = k->offers;
    d->offer_count = k->offer_count;
    if (d->offer_count)
        return 0;
    return diags_error(c->diags, path_attribute(d->a, NULL, "machine"),
                       "The machine is not offered in the region",
                       "No zone of %s offers %s%s. Choose another region, or name a machine that "
                       "is offered there.",
                       c->region, d->machines.items[0]->type,
                       d->machines.count > 1 ? ", nor any of the others that may be used" : "");
}

static bool is_offered(const struct derivation *d, const char *type)
{
    for (size_t i = 0; i < d->offer_count; i++)
        if (strcmp(d->offers[i].type, type) == 0)
            return true;
    return false;
}

/* The subnets of an interrupted or imported node, which no record knows yet. */
static int subnets_of_import(struct derivation *d, struct records *found)
{
    const struct composite_context *c = d->c;
    struct cloud_error err;
    const struct value *answer = NULL;
    if (!is_import(c) || !c->online || has_subnets(c->records))
        return 0;
    const struct value *owner =
        value_get(c->driver->owner_tags(d->a, GPU_NODE_TYPE, get(d, "name"), ""), "llm:resource");
    const struct value_member m[] = {
        {SLICE_LIT("Filter"), gpu_node_aws_filter(d->a, "tag:llm:resource", &owner, 1)}};
    if (gpu_node_call(c, d->a, &gpu_node_aws_describe_subnets, value_object(d->a, m, 1), &answer,
                      &err) < 0)
        return cloud_error_report(c->diags, NULL, "looking up subnets", &err);
    const struct value *list = template_select(d->a, answer, "subnetSet.*");
    found->items = arena_new_array(d->a, value_count(list) + 1, struct record);
    for (size_t i = 0; found->items && i < value_count(list); i++) {
        const struct value *item = value_at(list, i);
        const struct value *tags =
            template_transform(d->a, TRANSFORM_TAGS_MAP, value_get(item, "tagSet"));
        const char *component = value_cstr(value_get(tags, "llm:component"), NULL);
        const struct value_member attrs[] = {
            {SLICE_LIT("availability_zone"), value_get(item, "availabilityZone")},
            {SLICE_LIT("cidr_block"), value_get(item, "cidrBlock")}};
        if (component)
            found->items[found->count++] =
                (struct record){.name = component, .attrs = value_object(d->a, attrs, 2)};
    }
    return found->items ? 0 : -1;
}

/* ---- parts ---- */

static int derive_network(struct derivation *d)
{
    struct composite_context with = *d->c;
    struct records found = {NULL, 0};
    const struct value *cidr = get(d, "network.cidr"), *egress = get(d, "egress");
    const struct value *made = is_set(d, "network.vpc_id", true);
    const char *range = value_is_unknown(cidr) ? NULL : value_cstr(cidr, GPU_NODE_CIDR);
    bool nat = strcmp(value_cstr(egress, ""), "nat") == 0;
    put(d, "make_network", made);
    put(d, "make_nat",
        value_is_unknown(egress) || value_is_unknown(made)
            ? unknown(d)
            : value_bool(d->a, nat && value_true(made)));
    put(d, "make_security_group", is_set(d, "network.security_group_id", true));
    put(d, "network_cidr", range ? value_str(d->a, range) : unknown(d));
    d->network.zones = d->network.public = unknown(d);
    const struct value *zones = value_get(d->c->decided, "zones");
    if (value_true(made) && zones) {
        d->network.zones = zones;
        d->network.public = value_get(d->c->decided, "public");
    } else if (value_true(made)) {
        if (subnets_of_import(d, &found) < 0)
            return -1;
        if (found.count)
            with.records = &found;
        if (gpu_node_aws_network(&with, range, d->offers, d->offer_count, &d->machines,
                                 &d->network) < 0)
            return -1;
    }
    put(d, "zones", d->network.zones);
    put(d, "public", d->network.public);
    return 0;
}

/* {10-0-0-0-8: {cidr, port, description}} */
static void derive_ingress(struct derivation *d)
{
    const struct value *cidrs = get(d, "network.ingress_cidrs"), *runtime = get(d, "runtime");
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
    put(d, "ingress", known && m ? value_object(d->a, m, count) : unknown(d));
}

static void derive_names(struct derivation *d)
{
    const struct gpu_node_aws_names *n = &d->names;
    bool known = d->name && d->c->region;
    const struct value_member m[] = {
        {SLICE_LIT("security_group"), value_str(d->a, n->security_group)},
        {SLICE_LIT("secret"), value_str(d->a, n->secret)},
        {SLICE_LIT("log_group"), value_str(d->a, n->log_group)},
        {SLICE_LIT("role"), value_str(d->a, n->role)},
        {SLICE_LIT("policy"), value_str(d->a, n->policy)},
        {SLICE_LIT("instance_profile"), value_str(d->a, n->instance_profile)}};
    put(d, "names", known ? value_object(d->a, m, 6) : unknown(d));
    put(d, "description", d->name ? value_printf(d->a, "LLM node %s", d->name) : unknown(d));
}

/* Everything that the role's policy refers to is known. */
static bool policy_known(const struct derivation *d)
{
    static const char *const paths[] = {"tailscale", "huggingface_token_secret", "disk.kms_key",
                                        "model_cache"};
    for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++) {
        const struct value *v = get(d, paths[i]);
        if (v && !value_is_wholly_known(v))
            return false;
    }
    return d->name && d->c->region;
}

static void derive_role(struct derivation *d)
{
    const struct value *version = get(d, "tailscale.auth_key_wo_version");
    put(d, "make_profile", is_set(d, "instance_profile", true));
    put(d, "make_secret",
        value_is_unknown(version) ? unknown(d) : value_bool(d->a, !value_is_null(version)));
    put(d, "trust_policy",
        d->c->region ? gpu_node_aws_trust_policy(d->a, d->c->driver->partition(d->c->region))
                     : unknown(d));
    put(d, "policy", policy_known(d) ? gpu_node_aws_policy(d->c, &d->names) : unknown(d));
}

/* The machine is said here only when there is no choice: else placement decides. */
static const struct value *machine_type(struct derivation *d)
{
    const struct value *decided = value_get(d->c->decided, "machine_type");
    if (decided)
        return decided;
    if (!d->machines.known)
        return unknown(d);
    if (keeps_machine(d))
        return value_str(d->a, instance_text(d, "instance_type"));
    if (d->machines.chosen)
        return d->machines.count == 1 || d->instance ? value_str(d->a, d->machines.items[0]->type)
                                                     : value_null(d->a, &type_string);
    for (size_t i = 0; i < d->machines.count; i++)
        if (is_offered(d, d->machines.items[i]->type))
            return value_str(d->a, d->machines.items[i]->type);
    return unknown(d);
}

static bool zone_allowed(const struct derivation *d, const char *zone)
{
    const struct value *zones = get(d, "zones");
    if (value_is_null(zones) || !value_is_wholly_known(zones))
        return true;
    for (size_t i = 0; i < value_count(zones); i++)
        if (slice_eq_str(value_slice(value_at(zones, i)), zone))
            return true;
    return false;
}

/* Null leaves the zone to placement; a node whose zone is no longer allowed has to move. */
static const struct value *zone(struct derivation *d)
{
    const char *now = instance_text(d, "availability_zone");
    if (!now || zone_allowed(d, now))
        return value_null(d->a, &type_string);
    return value_at(get(d, "zones"), 0);
}

/* EC2 stops no spot instance for another type: one that has to change is made anew. The value stays
 * what is recorded as long as nothing needs another instance. */
static const struct value *replaced_for(struct derivation *d, const struct value *type)
{
    const char *market = instance_text(d, "market_type"), *now = instance_text(d, "instance_type");
    const char *recorded = instance_text(d, "replaced_for");
    if (!d->instance)
        return value_str(d->a, "none");
    if (market && strcmp(market, "spot") == 0 && now && value_is_known(type) &&
        !slice_eq_str(value_slice(type), now))
        return value_printf(d->a, "%s on spot", value_cstr(type, ""));
    return recorded ? value_str(d->a, recorded) : value_null(d->a, &type_string);
}

static int refuse_image(struct derivation *d, const char *image, const char *why)
{
    return diags_error(d->c->diags, path_attribute(d->a, NULL, "image"), "The image cannot be used",
                       "\"%s\" in %s: %s.", image, d->c->region, why ? why : "");
}

/* The image's own root device, for one that the user names. */
static int look_at_image(struct derivation *d, const char *image, const char **device, int64_t *gib)
{
    const struct composite_context *c = d->c;
    const struct gpu_node_lookup *k = NULL;
    const struct value *id = image_to_look_at(d);
    if (!id)
        return 0;
    if (gpu_node_aws_answer(c, GPU_NODE_LOOKUP_IMAGE, id, &k) < 0) {
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
static const struct catalog_image *usual_image(const struct derivation *d)
{
    const struct catalog_image *image =
        d->machines.count ? d->machines.items[0]->image : catalog_machines[0].image;
    for (size_t i = 0; d->machines.chosen && i < d->machines.count; i++)
        if (strcmp(d->machines.items[i]->image->name, "ubuntu") == 0)
            image = d->machines.items[i]->image;
    return image;
}

static int derive_image(struct derivation *d)
{
    const struct value *image = get(d, "image");
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
    put(d, "image_id", kept ? kept : value_null(d->a, &type_string));
    put(d, "image_parameter",
        value_is_unknown(image) ? unknown(d)
        : parameter             ? value_str(d->a, usual->parameter)
                                : value_null(d->a, &type_string));
    put(d, "root_device", value_str(d->a, device));
    put(d, "root_gib", value_int(d->a, gib));
    return 0;
}

static int derive_disk(struct derivation *d)
{
    const struct record *volume = records_find(d->c->records, "volume");
    const struct value *size = get(d, "disk.size_gib"), *type = get(d, "disk.type");
    int64_t now = volume ? value_int_or(value_get(volume->attrs, "size"), 0) : 0, wanted = 0;
    put(d, "device", value_str(d->a, GPU_NODE_AWS_DEVICE));
    put(d, "disk_type",
        value_is_unknown(type) ? unknown(d) : value_str(d->a, value_cstr(type, "gp3")));
    if (value_is_unknown(size) || (value_is_null(size) && !d->models.known)) {
        put(d, "disk_gib", unknown(d));
        return 0;
    }
    if (value_to_int(size, &wanted) && wanted < now && d->c->secrets)
        return diags_error(
            d->c->diags, path_parse(d->a, "disk.size_gib"), "A volume cannot shrink",
            "It has %lld GiB, and %lld are asked for. Leave the size, or destroy the "
            "node and make it anew.",
            (long long)now, (long long)wanted);
    if (!wanted)
        wanted = fit_disk_gib(d->models.models, d->models.count);
    put(d, "disk_gib", value_int(d->a, wanted > now ? wanted : now));
    return 0;
}

static int derive_node(struct derivation *d)
{
    const struct value *wait = get(d, "wait_for"), *power = get(d, "power");
    bool wholly =
        d->models.known && value_is_known(value_get(d->config, "name")) && d->c->region != NULL;
    static const char *const inputs[] = {"machine",
                                         "zones",
                                         "disk",
                                         "network",
                                         "egress",
                                         "tailscale",
                                         "image",
                                         "instance_profile",
                                         "power",
                                         "model_cache",
                                         "wait_for",
                                         "log_retention_days",
                                         "huggingface_token_secret"};
    for (size_t i = 0; i < sizeof(inputs) / sizeof(*inputs); i++) {
        const struct value *v = get(d, inputs[i]);
        wholly = wholly && (!v || value_is_wholly_known(v));
    }
    const struct value *tags = wholly ? gpu_node_tags(d->a, d->config, &d->models) : unknown(d);
    const struct value *script =
        wholly ? gpu_node_aws_user_data(d->c, &d->names, &d->models) : unknown(d);
    bool serving = strcmp(value_cstr(wait, ""), "serving") == 0 &&
                   strcmp(value_cstr(power, ""), "running") == 0;
    put(d, "instance_tags", tags);
    put(d, "user_data", script);
    put(d, "wait_serving",
        value_is_unknown(wait) || value_is_unknown(power) ? unknown(d) : value_bool(d->a, serving));
    if (!tags && !diags_has_error(d->c->diags))
        diags_error(d->c->diags, NULL, "The configuration is too long for the instance's tags",
                    "Name fewer or shorter models, subnets and address ranges.");
    return tags && script ? 0 : -1;
}

/* ---- the hook ---- */

static int prepare(struct derivation *d)
{
    const struct composite_context *c = d->c;
    const struct record *instance = records_find(c->records, "instance");
    d->instance = instance && !instance->missing ? instance : NULL;
    d->name = value_cstr(value_get(d->config, "name"), NULL);
    if (gpu_node_models(d->a, d->config, &d->models, c->diags) < 0 ||
        gpu_node_machines(d->a, c->cloud, d->config, &d->models, &d->machines, c->diags) < 0)
        return -1;
    if (!c->region)
        return 0;
    if (d->name && gpu_node_aws_names(d->a, d->name, c->region, &d->names, c->diags) < 0)
        return -1;
    return gpu_node_aws_check_zones(d->a, d->config, c->region, c->diags);
}

int gpu_node_aws_derive(const struct composite_context *c, const struct value **ret)
{
    struct derivation d = {.c = c, .a = c->arena, .config = c->config};
    size_t before = c->diags->errors;
    int rc = prepare(&d) < 0 || look_up(&d) < 0 || derive_network(&d) < 0 ? -1 : 0;
    if (rc == 0) {
        derive_ingress(&d);
        derive_names(&d);
        derive_role(&d);
        const struct value *type = machine_type(&d);
        put(&d, "machine_type", type);
        put(&d, "replaced_for", replaced_for(&d, type));
        put(&d, "zone", zone(&d));
        rc = derive_image(&d) < 0 || derive_disk(&d) < 0 || derive_node(&d) < 0 ? -1 : 0;
    }
    *ret = rc == 0 ? value_object(c->arena, d.members, d.count) : NULL;
    if (!*ret && c->diags->errors == before)
        diags_error(c->diags, NULL, "Out of memory", "The node was not worked out.");
    return *ret ? 0 : -1;
}

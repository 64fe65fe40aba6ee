/* Checks of a node's configuration across attributes. */
#include "resources/gpu_node.h"

#include <string.h>

#include "resources/tables.h"

static bool is_set(const struct value *v)
{
    return v && !value_is_null(v);
}

/* An attribute by dotted path; NULL when it or a parent is null or absent. */
static const struct value *get(const struct value *config, const char *dotted)
{
    const struct value *v = value_path(config, dotted);
    return is_set(v) ? v : NULL;
}

static bool is(const struct value *config, const char *dotted, const char *text)
{
    return slice_eq_str(value_slice(get(config, dotted)), text);
}

/* ---- models ---- */

static int check_duplicates(struct arena *a, const struct gpu_node_models *m, struct diags *diags)
{
    for (size_t i = 0; i < m->count; i++)
        for (size_t k = 0; k < i; k++)
            if (strcmp(m->names[i], m->names[k]) == 0)
                return diags_error(diags, path_attribute(a, NULL, "models"), "Duplicate model",
                                   "\"%s\" is named twice.", m->names[i]);
    return 0;
}

static void warn_of_context(struct arena *a, const struct gpu_node_models *m, struct diags *diags)
{
    for (size_t i = 0; i < m->count; i++) {
        const struct catalog_model *model = m->choices[i].model;
        if (model && m->context_tokens > 8192 && m->context_tokens > model->context_max)
            diags_warning(diags, path_attribute(a, NULL, "context_tokens"),
                          "The context is longer than a model's",
                          "%s was made for %lld tokens of context; it will be served with those.",
                          m->names[i], (long long)model->context_max);
    }
}

/* What goes into tags and units of the node as it is. */
static bool is_plain(struct slice s)
{
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._:/@-";
    for (size_t i = 0; i < s.len; i++)
        if (!s.ptr[i] || !strchr(allowed, s.ptr[i]))
            return false;
    return s.len && s.ptr[0] != '-';
}

static int check_models(struct arena *a, const struct value *config, struct diags *diags)
{
    struct gpu_node_models models;
    struct gpu_node_machines machines;
    const struct value *custom = get(config, "custom_model.name");
    const char *cloud = value_cstr(get(config, "cloud"), NULL);
    int rc = gpu_node_models(a, config, &models, diags);
    if (value_is_known(custom) && !is_plain(value_slice(custom)))
        rc = diags_error(diags, path_parse(a, "custom_model.name"), "Invalid model name",
                         "Letters, digits and . _ : / @ - are allowed.");
    if (models.known && models.runtime == FIT_VLLM && models.count > 1)
        rc = diags_error(diags, path_attribute(a, NULL, "models"), "vLLM serves one model",
                         "%zu models are named. Use the runtime \"ollama\", or a node for each.",
                         models.count);
    if (check_duplicates(a, &models, diags) < 0)
        rc = -1;
    warn_of_context(a, &models, diags);
    if (!cloud || !table_llm_gpu_node.cloud_count)
        return rc;
    if (gpu_node_machines(a, cloud, config, &models, &machines, diags) < 0)
        return -1;
    for (size_t i = 0; i < machines.count; i++)
        for (size_t k = 0; machines.chosen && k < i; k++)
            if (machines.items[i] == machines.items[k])
                rc = diags_error(diags, path_parse(a, "machine.candidates"), "Duplicate machine",
                                 "\"%s\" is named twice.", machines.items[i]->type);
    return rc < 0 ? rc : gpu_node_check_fit(a, &models, &machines, diags);
}

/* ---- network ---- */

int gpu_node_subnets(struct slice cidr)
{
    const char *slash = cidr.len ? memchr(cidr.ptr, '/', cidr.len) : NULL;
    int prefix = 0;
    for (const char *p = slash ? slash + 1 : NULL; p && p < cidr.ptr + cidr.len; p++)
        prefix = *p >= '0' && *p <= '9' && prefix < 100 ? prefix * 10 + (*p - '0') : 100;
    /* EC2 allows subnets from /16 to /28. */
    return !slash || prefix < 16 || prefix > 26 ? 0 : prefix == 26 ? 4 : 8;
}

static int check_cidr(struct arena *a, const struct value *config, struct diags *diags)
{
    const struct value *cidr = get(config, "network.cidr"), *zones = get(config, "zones");
    if (!value_is_known(cidr))
        return 0;
    int subnets = gpu_node_subnets(value_slice(cidr));
    size_t wanted = value_count(zones) ? value_count(zones) : GPU_NODE_DEFAULT_ZONES;
    if (subnets == 0)
        return diags_error(diags, path_parse(a, "network.cidr"), "The range has the wrong size",
                           "EC2 allows networks from /16 to /28, and this one is divided into "
                           "subnets of at least /28: use a prefix from 16 to 26.");
    if (wanted < (size_t)subnets)
        return 0;
    return diags_error(diags, path_parse(a, "network.cidr"), "The range is too small for the zones",
                       "%.*s has room for a public subnet and %d zones, but %zu are named. Use a "
                       "prefix of at most 25.",
                       (int)value_slice(cidr).len, value_slice(cidr).ptr, subnets - 1, wanted);
}

struct conflict {
    const char *one, *other, *why;
};

static int check_conflicts(struct arena *a, const struct value *config, struct diags *diags)
{
    static const struct conflict conflicts[] = {
        {"network.vpc_id", "zones", "the subnets that are named decide the zones"},
        {"network.security_group_id", "network.ingress_cidrs",
         "rules are added only to a security group that is made"},
    };
    int rc = 0;
    for (size_t i = 0; i < sizeof(conflicts) / sizeof(*conflicts); i++)
        if (value_is_known(get(config, conflicts[i].one)) &&
            value_is_known(get(config, conflicts[i].other)))
            rc = diags_error(diags, path_parse(a, conflicts[i].other), "Conflicting settings",
                             "`%s` cannot be used with `%s`: %s.", conflicts[i].other,
                             conflicts[i].one, conflicts[i].why);
    if (value_is_known(get(config, "network.security_group_id")) && !get(config, "network.vpc_id"))
        rc = diags_error(diags, path_parse(a, "network.security_group_id"), "Conflicting settings",
                         "A security group belongs to a VPC: name it in `network.vpc_id`, with its "
                         "subnets.");
    if (is(config, "egress", "existing") && !get(config, "network.vpc_id"))
        rc = diags_error(diags, path_attribute(a, NULL, "egress"), "Conflicting settings",
                         "A network that is made has no way out but the NAT gateway. Use an "
                         "existing network (`network.vpc_id`), or `egress = \"nat\"`.");
    return rc;
}

static bool zone_fits(struct slice zone, const char *region)
{
    return slice_has_prefix(zone, region) && zone.len > strlen(region);
}

int gpu_node_check_zones(struct arena *a, const struct value *config, const char *region,
                         struct diags *diags)
{
    const struct value *zones = get(config, "zones");
    const struct path *path = path_attribute(a, NULL, "zones");
    int rc = 0;
    for (size_t i = 0; i < value_count(zones); i++) {
        struct slice z = value_slice(value_at(zones, i));
        if (z.len && region && !zone_fits(z, region))
            rc = diags_error(diags, path_index(a, path, (int64_t)i), "Zone outside the region",
                             "\"%.*s\" is not a zone of %s; those are named like %sa.", (int)z.len,
                             z.ptr, region, region);
        for (size_t k = 0; z.len && k < i; k++)
            if (slice_eq(z, value_slice(value_at(zones, k))))
                rc = diags_error(diags, path_index(a, path, (int64_t)i), "Duplicate zone",
                                 "\"%.*s\" is named twice.", (int)z.len, z.ptr);
    }
    return rc;
}

static int check_region(struct arena *a, const struct value *config, struct diags *diags)
{
    struct slice r = value_slice(get(config, "region"));
    bool zone = r.len > 2 && r.ptr[r.len - 1] >= 'a' && r.ptr[r.len - 1] <= 'z' &&
                r.ptr[r.len - 2] >= '0' && r.ptr[r.len - 2] <= '9';
    if (!r.len)
        return 0;
    if (zone)
        return diags_error(diags, path_attribute(a, NULL, "region"), "A zone, not a region",
                           "\"%.*s\" is a zone. Its region is \"%.*s\".", (int)r.len, r.ptr,
                           (int)r.len - 1, r.ptr);
    return gpu_node_check_zones(a, config, value_cstr(get(config, "region"), ""), diags);
}

/* ---- names ---- */

static int check_length(struct arena *a, const char *text, size_t most, const char *what,
                        struct diags *diags)
{
    if (!text || strlen(text) <= most)
        return text ? 0 : -1;
    return diags_error(diags, path_attribute(a, NULL, "name"), "The name is too long",
                       "The %s would be called \"%s\", which has %zu characters; AWS allows %zu. "
                       "Shorten `name` by %zu.",
                       what, text, strlen(text), most, strlen(text) - most);
}

int gpu_node_names(struct arena *a, const char *name, const char *region,
                   struct gpu_node_names *ret, struct diags *diags)
{
    /* IAM names are unique in the account, the others in the region or the VPC. */
    *ret = (struct gpu_node_names){
        .security_group = arena_printf(a, "llm-node-%s", name),
        .secret = arena_printf(a, "llm/gpu-node/%s/tailscale", name),
        .log_group = arena_printf(a, "/llm/gpu-node/%s", name),
        .role = arena_printf(a, "llm-node-%s-%s", name, region),
        .policy = "node",
        .instance_profile = arena_printf(a, "llm-node-%s-%s", name, region),
    };
    int rc = check_length(a, ret->role, 64, "IAM role", diags);
    if (check_length(a, ret->instance_profile, 128, "instance profile", diags) < 0 ||
        check_length(a, ret->security_group, 255, "security group", diags) < 0 ||
        check_length(a, ret->secret, 512, "secret", diags) < 0 ||
        check_length(a, ret->log_group, 512, "log group", diags) < 0)
        rc = -1;
    return rc;
}

static int check_names(struct arena *a, const struct value *config, struct diags *diags)
{
    struct gpu_node_names names;
    const char *name = value_cstr(get(config, "name"), NULL),
               *region = value_cstr(get(config, "region"), NULL);
    return name && region ? gpu_node_names(a, name, region, &names, diags) : 0;
}

/* ---- the rest ---- */

static int check_disk(struct arena *a, const struct value *config, struct diags *diags)
{
    const char *type = value_cstr(get(config, "disk.type"), "gp3");
    bool unknown = value_is_unknown(value_path(config, "disk.type"));
    bool provisioned = strcmp(type, "io1") == 0 || strcmp(type, "io2") == 0;
    int rc = 0;
    if (unknown)
        return 0;
    if (get(config, "disk.throughput") && strcmp(type, "gp3") != 0)
        rc = diags_error(diags, path_parse(a, "disk.throughput"), "Conflicting settings",
                         "Only gp3 volumes have a throughput of their own; this one is %s.", type);
    if (get(config, "disk.iops") && strcmp(type, "gp2") == 0)
        rc = diags_error(diags, path_parse(a, "disk.iops"), "Conflicting settings",
                         "The operations of a gp2 volume follow from its size. Use gp3 or io2.");
    if (provisioned && is_set(get(config, "disk")) && !get(config, "disk.iops"))
        rc = diags_error(diags, path_parse(a, "disk.iops"), "A setting is missing",
                         "A volume of type %s needs `iops`.", type);
    return rc;
}

static int check_power(struct arena *a, const struct value *config, struct diags *diags)
{
    bool stopped = is(config, "power", "stopped");
    int rc = 0;
    if (stopped && is(config, "machine.provisioning", "spot"))
        rc = diags_error(diags, path_attribute(a, NULL, "power"), "Conflicting settings",
                         "A spot instance cannot be stopped and started. Use on-demand "
                         "provisioning, or remove the node while it is not needed.");
    if (stopped && is(config, "machine.provisioning", "spot_preferred"))
        diags_warning(diags, path_attribute(a, NULL, "power"), "A spot instance cannot be stopped",
                      "If the node runs on a spot instance, stopping it fails.");
    if (stopped && is(config, "wait_for", "serving"))
        rc = diags_error(diags, path_attribute(a, NULL, "wait_for"), "Conflicting settings",
                         "A stopped node does not serve. Use `wait_for = \"running\"`.");
    return rc;
}

static int check_tailscale(struct arena *a, const struct value *config, struct diags *diags)
{
    const struct value *t = get(config, "tailscale");
    if (!value_is_known(t) || get(t, "auth_key_wo") || get(t, "auth_key_wo_version") ||
        get(t, "auth_key_secret"))
        return 0;
    return diags_error(diags, path_attribute(a, NULL, "tailscale"), "An auth key is missing",
                       "Give the key itself in `auth_key_wo`, or name an existing secret in "
                       "`auth_key_secret`.");
}

/* CloudWatch Logs API Reference, PutRetentionPolicy. */
static int check_retention(struct arena *a, const struct value *config, struct diags *diags)
{
    static const int64_t allowed[] = {1,   3,   5,   7,   14,   30,   60,   90,   120,  150,  180,
                                      365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653};
    int64_t days = value_int_or(get(config, "log_retention_days"), 30);
    for (size_t i = 0; i < sizeof(allowed) / sizeof(*allowed); i++)
        if (allowed[i] == days)
            return 0;
    return diags_error(
        diags, path_attribute(a, NULL, "log_retention_days"), "CloudWatch has no such retention",
        "%lld days are not offered; nearby are 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, "
        "180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288 and 3653.",
        (long long)days);
}

/* EC2 User Guide, "Tag restrictions"; the prefix llm: is how this provider finds its objects. */
static int check_tags(struct arena *a, const struct value *config, struct diags *diags)
{
    const struct value *tags = get(config, "tags");
    int rc = 0;
    for (size_t i = 0; i < value_count(tags); i++) {
        struct slice key = tags->members[i].key, value = value_slice(tags->members[i].value);
        const struct path *path = path_key(a, path_attribute(a, NULL, "tags"), key);
        if (slice_has_prefix(key, "aws:") || slice_has_prefix(key, "llm:"))
            rc = diags_error(diags, path, "Reserved tag",
                             "Keys that start with aws: or llm: are set by AWS and this provider.");
        if (!key.len || key.len > 128 || value.len > GPU_NODE_TAG_MAX)
            rc = diags_error(diags, path, "The tag is too long",
                             "AWS allows 128 characters in a key and 256 in a value.");
    }
    return rc;
}

int gpu_node_validate(struct arena *a, const struct value *config, struct diags *diags)
{
    static int (*const checks[])(struct arena *, const struct value *, struct diags *) = {
        check_models, check_conflicts, check_cidr,      check_region,    check_names,
        check_disk,   check_power,     check_tailscale, check_retention, check_tags};
    int rc = 0;
    size_t before = diags->errors;
    for (size_t i = 0; i < sizeof(checks) / sizeof(*checks); i++)
        if (checks[i](a, config, diags) < 0)
            rc = -1;
    if (rc < 0 && diags->errors == before)
        diags_error(diags, NULL, "Out of memory", "The configuration was not checked.");
    return rc;
}

/* Checks of a node's configuration that hold on AWS. */
#include "resources/gpu_node_aws.h"

#include <string.h>

/* ---- network ---- */

int gpu_node_aws_subnets(struct slice cidr)
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
    const struct value *cidr = config_get(config, "network.cidr"),
                       *zones = config_get(config, "zones");
    if (!value_is_known(cidr))
        return 0;
    int subnets = gpu_node_aws_subnets(value_slice(cidr));
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
        if (value_is_known(config_get(config, conflicts[i].one)) &&
            value_is_known(config_get(config, conflicts[i].other)))
            rc = diags_error(diags, path_parse(a, conflicts[i].other), "Conflicting settings",
                             "`%s` cannot be used with `%s`: %s.", conflicts[i].other,
                             conflicts[i].one, conflicts[i].why);
    if (value_is_known(config_get(config, "network.security_group_id")) &&
        !config_get(config, "network.vpc_id"))
        rc = diags_error(diags, path_parse(a, "network.security_group_id"), "Conflicting settings",
                         "A security group belongs to a VPC: name it in `network.vpc_id`, with its "
                         "subnets.");
    if (config_is(config, "egress", "existing") && !config_get(config, "network.vpc_id"))
        rc = diags_error(diags, path_attribute(a, NULL, "egress"), "Conflicting settings",
                         "A network that is made has no way out but the NAT gateway. Use an "
                         "existing network (`network.vpc_id`), or `egress = \"nat\"`.");
    return rc;
}

static bool zone_fits(struct slice zone, const char *region)
{
    return slice_has_prefix(zone, region) && zone.len > strlen(region);
}

int gpu_node_aws_check_zones(struct arena *a, const struct value *config, const char *region,
                             struct diags *diags)
{
    return config_check_zones(a, config, "zones", region, zone_fits, "a", diags);
}

/* ---- names ---- */

int gpu_node_aws_names(struct arena *a, const char *name, const char *region,
                       struct gpu_node_aws_names *ret, struct diags *diags)
{
    /* IAM names are unique in the account, the others in the region or the VPC. */
    *ret = (struct gpu_node_aws_names){
        .security_group = arena_printf(a, "llm-node-%s", name),
        .secret = arena_printf(a, "llm/gpu-node/%s/tailscale", name),
        .log_group = arena_printf(a, "/llm/gpu-node/%s", name),
        .role = arena_printf(a, "llm-node-%s-%s", name, region),
        .policy = "node",
        .instance_profile = arena_printf(a, "llm-node-%s-%s", name, region),
    };
    int rc = config_check_name_length(a, ret->role, 64, "IAM role", diags);
    if (config_check_name_length(a, ret->instance_profile, 128, "instance profile", diags) < 0 ||
        config_check_name_length(a, ret->security_group, 255, "security group", diags) < 0 ||
        config_check_name_length(a, ret->secret, 512, "secret", diags) < 0 ||
        config_check_name_length(a, ret->log_group, 512, "log group", diags) < 0)
        rc = -1;
    return rc;
}

static int check_names(struct arena *a, const struct value *config, struct diags *diags)
{
    struct gpu_node_aws_names names;
    const char *name = value_cstr(config_get(config, "name"), NULL),
               *region = value_cstr(config_get(config, "region"), NULL);
    return name && region ? gpu_node_aws_names(a, name, region, &names, diags) : 0;
}

/* ---- the rest ---- */

static int check_foreign(struct arena *a, const struct value *config, struct diags *diags)
{
    static const char *const others[][2] = {
        {"service_account", "Use `instance_profile`."},
        {"model_cache.gcs_uri", "Use `model_cache.s3_uri`."},
    };
    return config_refuse(a, config, "AWS", others, sizeof(others) / sizeof(*others), diags);
}

static int check_disk(struct arena *a, const struct value *config, struct diags *diags)
{
    const char *type = value_cstr(config_get(config, "disk.type"), "gp3");
    bool unknown = value_is_unknown(value_path(config, "disk.type"));
    bool known = strcmp(type, "gp3") == 0 || strcmp(type, "gp2") == 0;
    bool provisioned = strcmp(type, "io1") == 0 || strcmp(type, "io2") == 0;
    int rc = 0;
    if (unknown)
        return 0;
    if (!known && !provisioned)
        return diags_error(diags, path_parse(a, "disk.type"), "Not a disk type of AWS",
                           "\"%s\" is not offered; there are gp3, gp2, io1 and io2.", type);
    if (value_is_known(config_get(config, "disk.throughput")) && strcmp(type, "gp3") != 0)
        rc = diags_error(diags, path_parse(a, "disk.throughput"), "Conflicting settings",
                         "Only gp3 volumes have a throughput of their own; this one is %s.", type);
    if (value_is_known(config_get(config, "disk.iops")) && strcmp(type, "gp2") == 0)
        rc = diags_error(diags, path_parse(a, "disk.iops"), "Conflicting settings",
                         "The operations of a gp2 volume follow from its size. Use gp3 or io2.");
    if (provisioned && config_get(config, "disk") && !config_get(config, "disk.iops"))
        rc = diags_error(diags, path_parse(a, "disk.iops"), "A setting is missing",
                         "A volume of type %s needs `iops`.", type);
    return rc;
}

static int check_ids(struct arena *a, const struct value *config, struct diags *diags)
{
    static const struct aws_id ids[] = {{"network.vpc_id", "vpc-", "a VPC id"},
                                        {"image", "ami-", "an AMI id"},
                                        {"model_cache.snapshot_id", "snap-", "a snapshot id"}};
    return aws_check_ids(a, config, ids, sizeof(ids) / sizeof(*ids), diags);
}

static int check_region(struct arena *a, const struct value *config, struct diags *diags)
{
    struct slice r = value_slice(config_get(config, "region"));
    if (!r.len)
        return 0;
    if (aws_check_region(a, config, diags) < 0)
        return -1;
    return gpu_node_aws_check_zones(a, config, value_cstr(config_get(config, "region"), ""), diags);
}

static int check_retention(struct arena *a, const struct value *config, struct diags *diags)
{
    return aws_check_retention(a, value_int_or(config_get(config, "log_retention_days"), 30),
                               "log_retention_days", diags);
}

int gpu_node_aws_validate(struct arena *a, const struct value *config, struct diags *diags)
{
    static int (*const checks[])(struct arena *, const struct value *, struct diags *) = {
        check_foreign, check_ids,  check_conflicts, check_cidr,    check_region,
        check_names,   check_disk, check_retention, aws_check_tags};
    int rc = 0;
    for (size_t i = 0; i < sizeof(checks) / sizeof(*checks); i++)
        if (checks[i](a, config, diags) < 0)
            rc = -1;
    return rc;
}

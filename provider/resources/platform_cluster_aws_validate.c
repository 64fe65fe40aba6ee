/* Checks of a platform's configuration that hold on AWS. */
#include "resources/platform_cluster_aws.h"

#include <ctype.h>
#include <string.h>

#include "schema/validators.h"

enum { LABEL_MOST = 63 }; /* labelKey, taintKey of EKS' API */

static int check_foreign(struct arena *a, const struct value *config, struct diags *diags)
{
    static const char *const others[][2] = {
        {"release_channel", "Set `kubernetes_version`."},
        {"network.pods_cidr", "Pods have addresses of the private subnets."},
        {"network.control_plane_cidr", "The control plane has addresses of the private subnets."},
        {"network.pods_range_name", "Pods have addresses of the private subnets."},
        {"network.services_range_name", "Use `network.services_cidr`."},
    };
    return config_refuse(a, config, "AWS", others, sizeof(others) / sizeof(*others), diags);
}

/* ---- network ---- */

static bool zone_fits(struct slice zone, const char *region)
{
    size_t n = strlen(region);
    return slice_has_prefix(zone, region) && zone.len > n && islower((unsigned char)zone.ptr[n]);
}

static int check_zones(struct arena *a, const struct value *config, struct diags *diags)
{
    const struct value *names = config_get(config, "network.zone_names"),
                       *count = config_get(config, "network.zones");
    bool named = value_is_known(names), counted = value_is_known(count);
    int64_t zones = named ? (int64_t)value_count(names) : value_int_or(count, 0);
    const char *region = value_cstr(config_get(config, "region"), NULL);
    int rc = config_check_zones(a, config, "network.zone_names", region, zone_fits, "a", diags);
    if ((!named && !counted) || zones >= PLATFORM_AWS_ZONES_LEAST)
        return rc;
    return diags_error(diags, path_parse(a, named ? "network.zone_names" : "network.zones"),
                       "Too few zones", "EKS needs subnets in at least two zones.");
}

static int check_existing(struct arena *a, const struct value *config, struct diags *diags)
{
    static const char *const lists[] = {"network.private_subnet_ids", "network.public_subnet_ids"};
    static const struct aws_id ids[] = {{"network.vpc_id", "vpc-", "a VPC id"}};
    int rc = aws_check_ids(a, config, ids, 1, diags);
    for (size_t l = 0; l < 2; l++) {
        const struct value *list = config_get(config, lists[l]);
        for (size_t i = 0; i < value_count(list); i++) {
            struct slice s = value_slice(value_at(list, i));
            if (s.len && !aws_is_id(s, "subnet-"))
                rc = diags_error(
                    diags, path_index(a, path_parse(a, lists[l]), (int64_t)i), "Invalid value",
                    "\"%.*s\" is not a subnet id, which starts with subnet-.", (int)s.len, s.ptr);
        }
    }
    const struct value *private = config_get(config, lists[0]);
    if (value_is_known(private) && value_count(private) < 2)
        rc = diags_error(diags, path_parse(a, lists[0]), "Too few subnets",
                         "EKS needs subnets in at least two zones.");
    if (value_is_known(config_get(config, lists[1])) &&
        value_is_null(config_get(config, "network.vpc_id")))
        rc = diags_error(diags, path_parse(a, lists[1]), "Conflicting settings",
                         "A network that is made has public subnets of its own. Name the existing "
                         "one in `network.vpc_id`, with its private subnets.");
    return rc;
}

/* Addresses that are nobody's in the internet (IANA, "IPv4 Special-Purpose Address Registry"): EKS
 * takes none of them but 0.0.0.0/0. */
static int check_public_cidrs(struct arena *a, const struct value *config, struct diags *diags)
{
    static const char *const special[] = {"0.0.0.0/8",       "10.0.0.0/8",     "100.64.0.0/10",
                                          "127.0.0.0/8",     "169.254.0.0/16", "172.16.0.0/12",
                                          "192.0.2.0/24",    "192.168.0.0/16", "198.18.0.0/15",
                                          "198.51.100.0/24", "203.0.113.0/24"};
    const struct value *cidrs = config_get(config, "endpoint.public_cidrs");
    int rc = 0;
    for (size_t i = 0; i < value_count(cidrs); i++)
        for (size_t k = 0; k < sizeof(special) / sizeof(*special); k++) {
            struct slice s = value_slice(value_at(cidrs, i));
            if (platform_range_inside(s, slice_str(special[k])))
                rc = diags_error(diags, path_parse(a, "endpoint.public_cidrs"),
                                 "Not in the internet",
                                 "EKS does not take %.*s: nobody in the internet has an address of "
                                 "%s.",
                                 (int)s.len, s.ptr, special[k]);
        }
    return rc;
}

/* ---- ARNs ---- */

/* "arn:PARTITION:SERVICE:REGION:ACCOUNT:PREFIX…"; `service` may name two: "iam" or "sts". */
static bool is_arn(struct slice s, const char *service, const char *prefix)
{
    size_t colons = 0, at = 0;
    size_t field[5] = {0};
    if (!slice_has_prefix(s, "arn:aws"))
        return false;
    for (; at < s.len && colons < 5; at++)
        if (s.ptr[at] == ':')
            field[colons++] = at + 1;
    if (colons < 5)
        return false;
    struct slice its = slice_from(s.ptr + field[1], field[2] - field[1] - 1);
    struct slice rest = slice_from(s.ptr + field[4], s.len - field[4]);
    return slice_eq_str(its, service) && slice_has_prefix(rest, prefix) &&
           rest.len > strlen(prefix);
}

bool platform_aws_people(struct arena *a, const struct value *config, size_t i,
                         struct platform_aws_people *ret)
{
    static const char *const lists[] = {"access.admins", "access.viewers"};
    const struct value *groups = config_get(config, "access.groups");
    if (i < 2) {
        *ret = (struct platform_aws_people){path_parse(a, lists[i]), config_get(config, lists[i])};
        return true;
    }
    if (i - 2 >= value_count(groups))
        return false;
    *ret = (struct platform_aws_people){
        path_key(a, path_parse(a, "access.groups"), groups->members[i - 2].key),
        value_at(groups, i - 2)};
    return true;
}

static int check_principals(struct arena *a, const struct value *config, struct diags *diags)
{
    struct platform_aws_people of;
    int rc = 0;
    for (size_t l = 0; platform_aws_people(a, config, l, &of); l++)
        for (size_t i = 0; i < value_count(of.arns); i++) {
            const struct value *arn = value_at(of.arns, i);
            struct slice s = value_slice(arn);
            if (value_is_known(arn) && !is_arn(s, "iam", "role/") && !is_arn(s, "iam", "user/"))
                rc = diags_error(diags, of.at, "Invalid principal",
                                 "\"%.*s\" is not the ARN of an IAM role or user, such as "
                                 "arn:aws:iam::123456789012:role/ops.",
                                 (int)s.len, s.ptr);
        }
    return rc;
}

/* CreateAccessEntry, kubernetesGroups. */
static int check_groups(struct arena *a, const struct value *config, struct diags *diags)
{
    static const char *const own[] = {"system:", "eks:", "aws:", "amazon:", "iam:"};
    const struct value *groups = config_get(config, "access.groups");
    int rc = 0;
    for (size_t i = 0; i < value_count(groups); i++) {
        struct slice name = groups->members[i].key;
        const struct path *at = path_key(a, path_parse(a, "access.groups"), name);
        bool is_own = false;
        for (size_t k = 0; k < sizeof(own) / sizeof(*own); k++)
            is_own |= slice_has_prefix(name, own[k]);
        if (is_own)
            rc = diags_error(diags, at, "The group is not to be given",
                             "EKS takes no group that starts with system:, eks:, aws:, amazon: or "
                             "iam:, such as \"%.*s\". Choose another name, and give it the rights "
                             "with `rbac`.",
                             (int)name.len, name.ptr);
        else if (!name.len)
            rc = diags_error(diags, at, "A group without a name", "Groups have names.");
    }
    return rc;
}

static int check_keys(struct arena *a, const struct value *config, struct diags *diags)
{
    static const char *const paths[] = {"encryption.kms_key", "registries.kms_key"};
    int rc = 0;
    for (size_t i = 0; i < 2; i++) {
        struct slice s = value_slice(config_get(config, paths[i]));
        if (s.len && !is_arn(s, "kms", "key/"))
            rc = diags_error(diags, path_parse(a, paths[i]), "Invalid key",
                             "\"%.*s\" is not the ARN of a KMS key, such as "
                             "arn:aws:kms:us-west-2:123456789012:key/….",
                             (int)s.len, s.ptr);
    }
    return rc;
}

static int check_actions(struct arena *a, const struct value *config, struct diags *diags)
{
    const struct value *list = config_get(config, "observability.alarms.actions");
    int rc = 0;
    for (size_t i = 0; i < value_count(list); i++) {
        struct slice s = value_slice(value_at(list, i));
        if (s.len && !slice_has_prefix(s, "arn:aws"))
            rc = diags_error(diags, path_parse(a, "observability.alarms.actions"), "Invalid action",
                             "\"%.*s\" is not an ARN.", (int)s.len, s.ptr);
    }
    return rc;
}

/* ---- workloads ---- */

static int check_role_name(struct arena *a, const struct value *config, struct slice workload,
                           struct diags *diags)
{
    const char *name = value_cstr(config_get(config, "name"), NULL),
               *region = value_cstr(config_get(config, "region"), NULL);
    const char *suffix = arena_printf(a, "w-%.*s", (int)workload.len, workload.ptr);
    const char *role = name && region && suffix ? platform_aws_role(a, name, region, suffix) : NULL;
    if (!role || strlen(role) <= PLATFORM_AWS_ROLE_MOST)
        return 0;
    return diags_error(diags, path_key(a, path_parse(a, "workloads"), workload),
                       "The name is too long",
                       "Its role would be called %s, which has %zu characters; IAM allows %d. "
                       "Choose a shorter name for the workload or the cluster.",
                       role, strlen(role), PLATFORM_AWS_ROLE_MOST);
}

static int check_workloads(struct arena *a, const struct value *config, struct diags *diags)
{
    const struct value *all = config_get(config, "workloads");
    int rc = 0;
    for (size_t i = 0; i < value_count(all); i++) {
        const struct path *at = path_key(a, path_parse(a, "workloads"), all->members[i].key);
        const struct value *list = value_get(value_at(all, i), "policies");
        for (size_t k = 0; k < value_count(list); k++) {
            struct slice s = value_slice(value_at(list, k));
            if (s.len && !is_arn(s, "iam", "policy/"))
                rc = diags_error(diags, path_attribute(a, at, "policies"), "Invalid policy",
                                 "\"%.*s\" is not the ARN of an IAM policy.", (int)s.len, s.ptr);
        }
        rc |= check_role_name(a, config, all->members[i].key, diags);
    }
    return rc;
}

/* ---- pools ---- */

/* The kinds of AMI that EKS knows (AMITypes of its API); there are new ones now and then. */
static int check_image(struct arena *a, const struct value *pool, const struct path *at,
                       struct diags *diags)
{
    static const char *const families[] = {"AL2_", "AL2023_", "BOTTLEROCKET_"};
    struct slice s = value_slice(config_get(pool, "image_type"));
    for (size_t i = 0; i < sizeof(families) / sizeof(*families); i++)
        if (!s.len || slice_has_prefix(s, families[i]))
            return 0;
    return diags_error(diags, path_attribute(a, at, "image_type"), "Unknown image type",
                       "\"%.*s\" is none of EKS's AMI types for Linux, such as "
                       "AL2023_x86_64_STANDARD or BOTTLEROCKET_x86_64.",
                       (int)s.len, s.ptr);
}

static bool contains(struct slice s, const char *part)
{
    size_t n = strlen(part);
    for (size_t i = 0; i + n <= s.len; i++)
        if (memcmp(s.ptr + i, part, n) == 0)
            return true;
    return false;
}

/* AMI types with NVIDIA's drivers say so: AL2023_x86_64_NVIDIA, AL2_x86_64_GPU. */
static int check_drivers(struct arena *a, const struct value *pool, const struct path *at,
                         struct diags *diags)
{
    struct slice s = value_slice(config_get(pool, "image_type"));
    const char *processor = contains(s, "_ARM_64") ? "ARM_64" : "x86_64";
    if (!s.len || !value_true(config_get(pool, "gpu")) || contains(s, "_NVIDIA") ||
        contains(s, "_GPU"))
        return 0;
    return diags_error(diags, path_attribute(a, at, "image_type"), "No drivers for the GPUs",
                       "%.*s has no drivers for NVIDIA's GPUs, which `gpu` asks for. Choose "
                       "AL2023_%s_NVIDIA or BOTTLEROCKET_%s_NVIDIA, leave `image_type` out, or set "
                       "`gpu = false` to see to the drivers yourself.",
                       (int)s.len, s.ptr, processor, processor);
}

/* An AMI type names its architecture: AL2023_ARM_64_STANDARD, BOTTLEROCKET_x86_64. */
static int check_architecture(struct arena *a, const struct platform_pool *p, const struct path *at,
                              struct diags *diags)
{
    struct slice image = value_slice(p->image_type);
    bool arm = contains(image, "_ARM_64");
    if (!p->known || (!arm && !contains(image, "_x86_64")))
        return 0;
    for (size_t i = 0; i < value_count(p->machine_types); i++) {
        struct slice type = value_slice(value_at(p->machine_types, i));
        if (type.len && platform_aws_is_arm(type) != arm)
            return diags_error(diags, path_attribute(a, at, "image_type"), "Different processors",
                               "%.*s is for %s processors, and %.*s has %s.", (int)image.len,
                               image.ptr, arm ? "Arm" : "x86", (int)type.len, type.ptr,
                               arm ? "x86" : "Arm");
    }
    return 0;
}

static int check_images(struct arena *a, const struct value *config, struct diags *diags)
{
    struct platform_pools pools;
    int rc = 0;
    platform_pools(a, &platform_aws, config, &pools);
    for (size_t i = 0; i < pools.count; i++)
        rc |= check_architecture(a, &pools.items[i],
                                 path_key(a, path_parse(a, "node_pools"), pools.items[i].name),
                                 diags);
    return rc;
}

/* What EKS takes of labels and taints is less than what Kubernetes does. */
static int check_labels(struct arena *a, const struct value *pool, const struct path *at,
                        struct diags *diags)
{
    const struct value *labels = config_get(pool, "labels"), *taints = config_get(pool, "taints");
    int rc = 0;
    for (size_t i = 0; i < value_count(labels); i++) {
        struct slice key = labels->members[i].key;
        const struct value *v = value_at(labels, i);
        if (key.len > LABEL_MOST || (value_is_known(v) && !value_slice(v).len))
            rc = diags_error(diags, path_key(a, path_attribute(a, at, "labels"), key),
                             "EKS has no such label",
                             "The labels of a node group have keys of at most %d characters, and "
                             "values that are not empty.",
                             LABEL_MOST);
    }
    for (size_t i = 0; i < value_count(taints); i++)
        if (value_slice(config_get(value_at(taints, i), "key")).len > LABEL_MOST)
            rc = diags_error(diags, path_index(a, path_attribute(a, at, "taints"), (int64_t)i),
                             "EKS has no such taint",
                             "The taints of a node group have keys of at most %d characters.",
                             LABEL_MOST);
    return rc;
}

/* The machine types of a pool are alternatives: they start from one image. */
static int check_pools(struct arena *a, const struct value *config, struct diags *diags)
{
    const struct value *all = config_get(config, "node_pools");
    int rc = 0;
    for (size_t i = 0; i < value_count(all); i++) {
        const struct value *types = config_get(value_at(all, i), "machine_types");
        const struct path *pool = path_key(a, path_parse(a, "node_pools"), all->members[i].key),
                          *at = path_attribute(a, pool, "machine_types");
        struct slice first = value_slice(value_at(types, 0));
        for (size_t k = 0; k < value_count(types); k++) {
            struct slice s = value_slice(value_at(types, k));
            if (s.len && !memchr(s.ptr, '.', s.len))
                rc = diags_error(diags, path_index(a, at, (int64_t)k), "Invalid machine type",
                                 "\"%.*s\" is no machine type of AWS, such as m6i.large.",
                                 (int)s.len, s.ptr);
            else if (s.len && first.len && platform_aws_is_arm(s) != platform_aws_is_arm(first))
                rc = diags_error(diags, path_index(a, at, (int64_t)k), "Different processors",
                                 "%.*s and %.*s have different processors: they cannot start from "
                                 "one image. Use a pool for each.",
                                 (int)first.len, first.ptr, (int)s.len, s.ptr);
        }
        rc |= check_image(a, value_at(all, i), pool, diags) < 0
                  ? -1
                  : check_drivers(a, value_at(all, i), pool, diags);
        rc |= check_labels(a, value_at(all, i), pool, diags);
    }
    return rc;
}

/* Whether a pool begins with a node that takes pods without tolerations, or may: something about it
 * is unknown. */
static bool takes_any_pod(const struct platform_pool *p)
{
    const struct value *taints = config_get(p->config, "taints");
    bool known = p->known && !value_is_unknown(taints) &&
                 !value_is_unknown(value_get(p->config, "desired")) &&
                 !value_is_unknown(value_get(p->config, "min"));
    for (size_t i = 0; i < value_count(taints); i++) {
        const struct value *effect = config_get(value_at(taints, i), "effect");
        if (known && value_is_known(effect) &&
            !config_is(value_at(taints, i), "effect", "PREFER_NO_SCHEDULE"))
            return false;
    }
    return !known || (!p->gpu && p->desired > 0);
}

/* EKS' addons are not active before their pods run. */
static int check_first_node(struct arena *a, const struct value *config, struct diags *diags)
{
    struct platform_pools pools;
    platform_pools(a, &platform_aws, config, &pools);
    bool any = !pools.known || !pools.count;
    for (size_t i = 0; i < pools.count; i++)
        any |= takes_any_pod(&pools.items[i]);
    return any ? 0
               : diags_error(diags, path_attribute(a, NULL, "node_pools"),
                             "No node for the cluster's own pods",
                             "CoreDNS and the storage driver need a node: one pool has to begin "
                             "with at least one (`min` or `desired`), without `gpu` and without "
                             "taints that keep pods away.");
}

/* ---- the rest ---- */

static int check_retention(struct arena *a, const struct value *config, struct diags *diags)
{
    return aws_check_retention(a,
                               value_int_or(config_get(config, "observability.retention_days"), 30),
                               "observability.retention_days", diags);
}

/* Amazon EKS API Reference, KubernetesNetworkConfigRequest, "serviceIpv4Cidr". */
static int check_services(struct arena *a, const struct value *config, struct diags *diags)
{
    static const char *const private[] = {"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"};
    const struct value *range = config_get(config, "network.services_cidr");
    uint32_t address = 0;
    int prefix = 0;
    if (!range || cidr_parse(value_slice(range), &address, &prefix) < 0)
        return 0;
    for (size_t i = 0; i < 3; i++)
        if (platform_range_inside(value_slice(range), slice_str(private[i])))
            return 0;
    return diags_error(diags, path_parse(a, "network.services_cidr"), "Not a range for services",
                       "EKS takes a range of 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16, and not "
                       "%s.",
                       value_cstr(range, ""));
}

int platform_aws_validate(struct arena *a, const struct value *config, struct diags *diags)
{
    static int (*const checks[])(struct arena *, const struct value *, struct diags *) = {
        check_foreign,  check_zones,     check_existing,   check_principals,
        check_groups,   check_keys,      check_actions,    check_workloads,
        check_images,   check_pools,     check_first_node, check_public_cidrs,
        check_services, check_retention, aws_check_region, aws_check_tags};
    int rc = 0;
    for (size_t i = 0; i < sizeof(checks) / sizeof(*checks); i++)
        if (checks[i](a, config, diags) < 0)
            rc = -1;
    return rc;
}

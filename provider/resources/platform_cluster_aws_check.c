/* Checks of a plan against the cloud: is the name free, and are version, machines and subnets
 * there. */
#include "resources/platform_cluster_aws.h"

#include <string.h>

#include "cloud/template.h"
#include "resources/claim.h"

enum { TEXT_MOST = 4096 };

static const struct cloud_operation describe_versions = {.service = "eks",
                                                         .name = "DescribeClusterVersions",
                                                         .method = "GET",
                                                         .uri =
                                                             "/cluster-versions{?clusterVersions}",
                                                         .idempotent = true};
static const struct cloud_operation describe_offerings = {
    .service = "ec2", .name = "DescribeInstanceTypeOfferings", .idempotent = true};

static const struct cloud_operation get_caller = {
    .service = "sts", .name = "GetCallerIdentity", .idempotent = true};

/* ---- questions ---- */

static const struct value *cluster_request(struct arena *a, const char *name)
{
    const struct value_member m = {SLICE_LIT("name"), value_str(a, name)};
    return value_object(a, &m, 1);
}

static const struct value *version_request(struct arena *a, const char *version)
{
    const struct value *one = value_str(a, version);
    const struct value_member m = {SLICE_LIT("clusterVersions"), value_tuple(a, &one, 1)};
    return value_object(a, &m, 1);
}

/* Of all machine types of pools that are not there yet; NULL: there is nothing to ask. */
static const struct value *offerings_request(struct arena *a, const struct platform_cloud *cloud,
                                             const struct value *config,
                                             const struct records *records)
{
    struct platform_pools pools;
    const struct value *types = value_tuple(a, NULL, 0);
    platform_pools(a, cloud, config, &pools);
    for (size_t i = 0; i < pools.count; i++) {
        const struct platform_pool *p = &pools.items[i];
        const char *key = p->known ? platform_pool_key(a, p) : NULL;
        const char *component = key ? arena_printf(a, "node_pool.%s", key) : NULL;
        for (size_t k = 0;
             component && !records_find(records, component) && k < value_count(p->machine_types);
             k++) {
            const struct value *type = value_at(p->machine_types, k);
            if (!value_has_text(types, value_cstr(type, "")))
                types = value_tuple_join(a, types, value_tuple(a, &type, 1));
        }
    }
    if (!value_count(types))
        return NULL;
    const struct value_member filter[] = {{SLICE_LIT("Name"), value_str(a, "instance-type")},
                                          {SLICE_LIT("Value"), types}};
    const struct value *filters = value_object(a, filter, 2);
    const struct value_member m[] = {{SLICE_LIT("LocationType"), value_str(a, "region")},
                                     {SLICE_LIT("Filter"), value_tuple(a, &filters, 1)}};
    return value_object(a, m, 2);
}

/* Of all existing subnets; NULL: none are named, or not all are known. */
static const struct value *subnets_request(struct arena *a, const struct value *config)
{
    const struct value *private = config_get(config, "network.private_subnet_ids"),
                       *public = config_get(config, "network.public_subnet_ids");
    if (!private || !value_is_wholly_known(private) || (public && !value_is_wholly_known(public)))
        return NULL;
    const struct value *none = value_tuple(a, NULL, 0);
    const struct value *ids = value_tuple_join(a, value_tuple_join(a, none, private), public);
    const struct value_member filter[] = {{SLICE_LIT("Name"), value_str(a, "subnet-id")},
                                          {SLICE_LIT("Value"), ids}};
    const struct value *filters = value_object(a, filter, 2);
    const struct value_member m = {SLICE_LIT("Filter"), value_tuple(a, &filters, 1)};
    return value_object(a, &m, 1);
}

/* Whether this plan makes the cluster, or takes it to another version. */
static bool changes_version(const struct composite_context *c, const char *version)
{
    const char *has = platform_recorded(c, "cluster", "version");
    return version && (!has || strcmp(has, version) != 0);
}

static bool is_new(const struct composite_context *c)
{
    return !platform_recorded(c, "cluster", "name");
}

void platform_aws_want_checks(struct platform_aws *p)
{
    const struct composite_context *c = p->d->c;
    struct arena *a = p->d->a;
    const struct value *offerings = offerings_request(a, p->d->cloud, p->d->config, c->records);
    const struct value *subnets = is_new(c) ? subnets_request(a, p->d->config) : NULL;
    if (is_new(c) && p->d->name)
        gpu_node_want_call(c, &platform_aws_describe_cluster, cluster_request(a, p->d->name));
    if (is_new(c) && platform_of(p->d, "access"))
        gpu_node_want_call(c, &get_caller, value_object(a, NULL, 0));
    if (changes_version(c, p->version))
        gpu_node_want_call(c, &describe_versions, version_request(a, p->version));
    if (offerings)
        gpu_node_want_call(c, &describe_offerings, offerings);
    if (subnets)
        gpu_node_want_call(c, &aws_describe_subnets, subnets);
    platform_aws_want_quotas(p);
}

/* ---- answers ---- */

/* The state that is planned for may have it, as one that is to be replaced. */
static bool was_ours(const struct composite_context *c, const struct value *cluster)
{
    return provider_has_seen(c->request->provider, value_slice(value_get(cluster, "arn")));
}

/* Another's cluster, or one that an apply of this resource is making, or has made. */
static int check_found(const struct composite_context *c, const struct value *cluster)
{
    const struct value *tags = value_get(cluster, "tags"), *owner = value_get(tags, "llm:resource");
    const struct value *ours = c->driver->owner_tags(c->arena, PLATFORM_CLUSTER_TYPE,
                                                     value_get(c->config, "name"), "cluster");
    const char *arn = value_cstr(value_get(cluster, "arn"), "");
    if (value_is_known(owner) && value_equal(owner, value_get(ours, "llm:resource")))
        return claim_check_found(c, "platform", "cluster", tags, arn, platform_unfinished(c, arn));
    return diags_error(c->diags, path_attribute(c->arena, NULL, "name"), "The name is taken",
                       "There is a cluster \"%s\" in %s (%s), which was not made as a platform "
                       "(its tag llm:resource is \"%s\"). Choose another name.",
                       value_cstr(value_get(cluster, "name"), ""), c->region, arn,
                       value_cstr(owner, ""));
}

static int check_name(const struct composite_context *c)
{
    const char *name = value_cstr(value_get(c->config, "name"), NULL);
    const struct gpu_node_lookup *k = NULL;
    if (!name || !is_new(c))
        return 0;
    if (gpu_node_answer_call(c, &platform_aws_describe_cluster, cluster_request(c->arena, name),
                             &k) < 0)
        return k->error.class_ == CLOUD_ERROR_NOT_FOUND
                   ? 0
                   : cloud_error_report(c->diags, NULL, "checking that the name is free",
                                        &k->error);
    const struct value *cluster = value_get(k->answer, "cluster");
    return was_ours(c, cluster) ? 0 : check_found(c, cluster);
}

/* "1.35, 1.34 …", as EKS lists them; empty when it does not say. */
static void append_versions(const struct composite_context *c, struct buf *b)
{
    const struct gpu_node_lookup *k = NULL;
    if (gpu_node_answer_call(c, &describe_versions, value_object(c->arena, NULL, 0), &k) < 0)
        return;
    const struct value *list = value_get(k->answer, "clusterVersions");
    for (size_t i = 0; i < value_count(list); i++)
        buf_printf(b, "%s%s", b->len ? ", " : "",
                   value_cstr(value_get(value_at(list, i), "clusterVersion"), ""));
}

int platform_aws_no_version(const struct composite_context *c, const char *version)
{
    _cleanup_buf_ struct buf versions = BUF_INIT(TEXT_MOST);
    append_versions(c, &versions);
    return diags_error(c->diags, path_attribute(c->arena, NULL, "kubernetes_version"),
                       "EKS has no such version", "EKS in %s does not offer Kubernetes %s%s%s.",
                       c->region, version, versions.len ? "; it offers: " : "",
                       buf_cstr(&versions));
}

int platform_aws_check_version(const struct composite_context *c, const char *version)
{
    const struct gpu_node_lookup *k = NULL;
    int rc = gpu_node_answer_call(c, &describe_versions, version_request(c->arena, version), &k);
    bool unknown = rc < 0 && k->error.class_ == CLOUD_ERROR_INVALID;
    if (rc < 0 && k->error.class_ == CLOUD_ERROR_PERMISSION)
        return 0;
    if (rc < 0 && !unknown)
        return cloud_error_report(c->diags, NULL, "checking the Kubernetes version", &k->error);
    if (!unknown && value_count(value_get(k->answer, "clusterVersions")))
        return 0;
    return platform_aws_no_version(c, version);
}

static bool is_offered(const struct value *list, const struct value *type)
{
    for (size_t i = 0; i < value_count(list); i++)
        if (value_equal(value_get(value_at(list, i), "instanceType"), type))
            return true;
    return false;
}

static int check_pool_offers(const struct composite_context *c, const struct platform_pool *p,
                             const struct value *list)
{
    struct arena *a = c->arena;
    int rc = 0;
    for (size_t i = 0; i < value_count(p->machine_types); i++) {
        const struct value *type = value_at(p->machine_types, i);
        const struct path *at = path_key(a, path_parse(a, "node_pools"), p->name);
        if (!is_offered(list, type))
            rc = diags_error(c->diags, p->config ? path_attribute(a, at, "machine_types") : NULL,
                             "The machine is not offered there",
                             "EC2 does not offer %s in %s. Choose another machine or region.",
                             value_cstr(type, ""), c->region);
    }
    return rc;
}

static int check_offers(const struct composite_context *c)
{
    struct platform_pools pools;
    const struct platform_cloud *cloud = platform_cloud(c->cloud);
    const struct value *request = offerings_request(c->arena, cloud, c->config, c->records);
    const struct gpu_node_lookup *k = NULL;
    int rc = 0;
    if (!request)
        return 0;
    if (gpu_node_answer_call(c, &describe_offerings, request, &k) < 0)
        return cloud_error_report(c->diags, NULL, "looking up where the machines are offered",
                                  &k->error);
    const struct value *list = template_select(c->arena, k->answer, "instanceTypeOfferingSet.*");
    platform_pools(c->arena, cloud, c->config, &pools);
    for (size_t i = 0; i < pools.count; i++) {
        const char *key = platform_pool_key(c->arena, &pools.items[i]);
        const char *component = key ? arena_printf(c->arena, "node_pool.%s", key) : NULL;
        if (pools.items[i].known && component && !records_find(c->records, component))
            rc |= check_pool_offers(c, &pools.items[i], list);
    }
    return rc;
}

/* ---- existing subnets ---- */

static const struct value *subnet_of(const struct value *list, const struct value *id)
{
    for (size_t i = 0; i < value_count(list); i++)
        if (value_equal(value_get(value_at(list, i), "subnetId"), id))
            return value_at(list, i);
    return NULL;
}

static int check_subnet(const struct composite_context *c, const struct path *at,
                        const struct value *id, const struct value *subnet)
{
    const struct value *vpc = config_get(c->config, "network.vpc_id");
    if (!subnet)
        return diags_error(c->diags, at, "There is no such subnet",
                           "%s has no subnet \"%s\" that these credentials see.", c->region,
                           value_cstr(id, ""));
    if (value_is_known(vpc) && !value_equal(vpc, value_get(subnet, "vpcId")))
        return diags_error(c->diags, at, "The subnet is in another VPC",
                           "\"%s\" belongs to %s, and not to %s.", value_cstr(id, ""),
                           value_cstr(value_get(subnet, "vpcId"), ""), value_cstr(vpc, ""));
    return 0;
}

/* Kubernetes' services would take the place of what is there. */
static int check_services(const struct composite_context *c, const struct value *subnets)
{
    const struct value *range = config_get(c->config, "network.services_cidr");
    for (size_t i = 0; value_is_known(range) && i < value_count(subnets); i++) {
        const struct value *its = value_get(value_at(subnets, i), "cidrBlock");
        if (platform_ranges_overlap(value_slice(range), value_slice(its)))
            return diags_error(
                c->diags, path_parse(c->arena, "network.services_cidr"), "Overlapping ranges",
                "%s and the subnet \"%s\" (%s) have addresses in common.", value_cstr(range, ""),
                value_cstr(value_get(value_at(subnets, i), "subnetId"), ""), value_cstr(its, ""));
    }
    return 0;
}

static int check_list(const struct composite_context *c, const char *path, const struct value *list,
                      size_t zones_least)
{
    const struct value *ids = config_get(c->config, path), *zone = NULL;
    size_t zones = 0;
    int rc = 0;
    for (size_t i = 0; i < value_count(ids); i++) {
        const struct value *subnet = subnet_of(list, value_at(ids, i));
        const struct path *at = path_index(c->arena, path_parse(c->arena, path), (int64_t)i);
        const struct value *its = value_get(subnet, "availabilityZone");
        rc |= check_subnet(c, at, value_at(ids, i), subnet);
        zones += its && (!zone || !value_equal(zone, its));
        zone = zone ? zone : its;
    }
    if (rc == 0 && zones < zones_least)
        rc = diags_error(c->diags, path_parse(c->arena, path), "Too few zones",
                         "All of these subnets are in %s; EKS needs two zones.",
                         value_cstr(zone, "one zone"));
    return rc;
}

static int check_subnets(const struct composite_context *c)
{
    const struct value *request = is_new(c) ? subnets_request(c->arena, c->config) : NULL;
    const struct gpu_node_lookup *k = NULL;
    if (!request)
        return 0;
    if (gpu_node_answer_call(c, &aws_describe_subnets, request, &k) < 0)
        return cloud_error_report(c->diags, path_parse(c->arena, "network"),
                                  "looking up the subnets", &k->error);
    const struct value *list = template_select(c->arena, k->answer, "subnetSet.*");
    return check_services(c, list) |
           check_list(c, "network.private_subnet_ids", list, PLATFORM_AWS_ZONES_LEAST) |
           check_list(c, "network.public_subnet_ids", list, 0);
}

/* ---- access ---- */

/* Whether a principal is who calls: a user, or the role behind "assumed-role/ROLE/SESSION". */
static bool is_caller(struct arena *a, const char *principal, const char *caller)
{
    const char *session = strstr(caller, ":assumed-role/");
    const char *name = session ? session + strlen(":assumed-role/") : NULL;
    const char *last = strrchr(principal, '/'), *account = strstr(caller, "::"),
               *its = strstr(principal, "::");
    if (!session || !account || !its)
        return account && its && strcmp(account, its) == 0;
    const char *role = arena_strndup(a, name, strcspn(name, "/"));
    const char *of = arena_printf(a, "%.*s:role/", (int)(session - account), account);
    return role && of && last && strstr(principal, of) && strcmp(last + 1, role) == 0;
}

/* EKS has an entry for who makes the cluster, and takes no second one. */
static int check_access(const struct composite_context *c)
{
    struct platform_aws_people of;
    const struct gpu_node_lookup *k = NULL;
    int rc = 0;
    if (!is_new(c) || !config_get(c->config, "access") ||
        gpu_node_answer_call(c, &get_caller, value_object(c->arena, NULL, 0), &k) < 0)
        return 0;
    const char *caller = value_cstr(value_get(k->answer, "Arn"), NULL);
    for (size_t l = 0; caller && platform_aws_people(c->arena, c->config, l, &of); l++)
        for (size_t i = 0; i < value_count(of.arns); i++) {
            const char *principal = value_cstr(value_at(of.arns, i), NULL);
            if (principal && is_caller(c->arena, principal, caller))
                rc = diags_error(c->diags, of.at, "Who makes the cluster administers it",
                                 "%s is who makes the cluster, and has the rights of an "
                                 "administrator by that; EKS takes no second entry. Leave it out.",
                                 principal);
        }
    return rc;
}

/* ---- the hook ---- */

int platform_aws_check(const struct composite_context *c, const struct engine_changes *changes,
                       const struct value *derived)
{
    const char *version = value_cstr(value_get(derived, "kubernetes_version"), NULL);
    int rc = check_name(c);
    if (changes_version(c, version))
        rc |= platform_aws_check_version(c, version);
    rc |= check_offers(c) | check_subnets(c) | check_access(c) |
          platform_aws_check_quotas(c, changes, derived);
    return rc ? -1 : 0;
}

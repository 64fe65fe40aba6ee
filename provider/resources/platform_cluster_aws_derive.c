/* What a platform's components on AWS need and its configuration does not say as such. */
#include "resources/platform_cluster_aws.h"

#include <string.h>

#include "cloud/sigv4.h"

enum { WORKLOADS_MOST = 50, ATTACHED_MOST = 15, REGISTRIES_MOST = 50 };

const char *platform_aws_role(struct arena *a, const char *name, const char *region,
                              const char *suffix)
{
    return arena_printf(a, "llm-k8s-%s-%s-%s", name, region, suffix);
}

bool platform_aws_bool(const struct platform_derivation *d, const char *path, bool otherwise)
{
    const struct value *v = platform_of(d, path);
    return value_is_known(v) ? value_true(v) : otherwise;
}

/* The attribute, or what it is when its block is absent; unknown stays so. */
static const struct value *or_default(const struct platform_derivation *d, const char *path,
                                      const struct value *otherwise)
{
    const struct value *v = platform_of(d, path);
    return v ? v : otherwise;
}

/* ---- names ---- */

static const struct value *role_name(struct platform_aws *p, const char *suffix)
{
    return p->d->name && p->region
               ? value_str(p->d->a, platform_aws_role(p->d->a, p->d->name, p->region, suffix))
               : platform_unknown(p->d);
}

static const struct value *with_name(struct platform_aws *p, const char *before, const char *after)
{
    return p->d->name ? value_printf(p->d->a, "%s%s%s", before, p->d->name, after)
                      : platform_unknown(p->d);
}

static const struct value *aws_policy(struct platform_aws *p, const char *path)
{
    return p->partition ? value_printf(p->d->a, "arn:%s:iam::aws:policy/%s", p->partition, path)
                        : platform_unknown(p->d);
}

static void derive_names(struct platform_aws *p)
{
    struct arena *a = p->d->a;
    const struct value *oidc =
        p->account ? value_printf(a, "arn:%s:iam::%s:oidc-provider/", p->partition, p->account)
                   : platform_unknown(p->d);
    const struct value *dashboard =
        p->d->name && p->region ? value_printf(a, "llm-platform-%s-%s", p->d->name, p->region)
                                : platform_unknown(p->d);
    const struct value_member m[] = {
        {SLICE_LIT("cluster"), with_name(p, "", "")},
        {SLICE_LIT("common"), with_name(p, "llm-platform-", "")},
        {SLICE_LIT("description"), with_name(p, "LLM platform ", "")},
        {SLICE_LIT("log_group"), with_name(p, "/aws/eks/", "/cluster")},
        {SLICE_LIT("dashboard"), dashboard},
        {SLICE_LIT("oidc_prefix"), oidc},
        {SLICE_LIT("cluster_role"), role_name(p, "cluster")},
        {SLICE_LIT("node_role"), role_name(p, "nodes")},
        {SLICE_LIT("ebs_csi_role"), role_name(p, "ebs-csi")},
        {SLICE_LIT("ebs_csi_policy"), aws_policy(p, "service-role/AmazonEBSCSIDriverPolicy")},
        {SLICE_LIT("cloudwatch_role"), role_name(p, "cloudwatch")},
        {SLICE_LIT("cloudwatch_policy"), aws_policy(p, "CloudWatchAgentServerPolicy")},
        {SLICE_LIT("load_balancer_role"), role_name(p, "lb")},
        {SLICE_LIT("autoscaler_role"), role_name(p, "autoscaler")}};
    platform_put(p->d, "names", value_object(a, m, sizeof(m) / sizeof(*m)));
}

/* ---- roles ---- */

static void derive_trust(struct platform_aws *p)
{
    struct arena *a = p->d->a;
    const struct value *unknown = platform_unknown(p->d);
    const struct value_member m[] = {
        {SLICE_LIT("cluster"), p->partition ? aws_trust_policy(a, "eks.amazonaws.com") : unknown},
        {SLICE_LIT("nodes"),
         p->partition ? aws_trust_policy(a, aws_ec2_principal(p->partition)) : unknown}};
    platform_put(p->d, "trust", value_object(a, m, 2));
    const struct value_member policies[] = {
        {SLICE_LIT("load_balancer"), platform_aws_load_balancer_policy(p)},
        {SLICE_LIT("autoscaler"), platform_aws_autoscaler_policy(p)}};
    platform_put(p->d, "policies", value_object(a, policies, 2));
}

/* {key: {arn}} of policies that AWS manages. */
static void put_policies(struct platform_aws *p, const char *name, const char *const (*list)[2],
                         size_t count)
{
    struct value_member m[4];
    for (size_t i = 0; i < count; i++) {
        const struct value_member arn = {SLICE_LIT("arn"), aws_policy(p, list[i][1])};
        m[i] = (struct value_member){slice_str(list[i][0]), value_object(p->d->a, &arn, 1)};
    }
    platform_put(p->d, name, value_object(p->d->a, m, count));
}

static void derive_policies(struct platform_aws *p)
{
    static const char *const cluster[][2] = {{"eks", "AmazonEKSClusterPolicy"},
                                             {"vpc-resources", "AmazonEKSVPCResourceController"}};
    static const char *const nodes[][2] = {{"worker", "AmazonEKSWorkerNodePolicy"},
                                           {"cni", "AmazonEKS_CNI_Policy"},
                                           {"registry", "AmazonEC2ContainerRegistryReadOnly"}};
    put_policies(p, "cluster_policies", cluster, 2);
    put_policies(p, "node_policies", nodes, 3);
}

/* ---- settings of the cluster ---- */

/* Logs of the control plane: those that are wanted, and the others. */
static void log_types(struct platform_aws *p, const struct value **on, const struct value **off)
{
    static const char *const all[] = {"api", "audit", "authenticator", "controllerManager",
                                      "scheduler"};
    struct platform_derivation *d = p->d;
    const struct value *wanted = platform_of(d, "observability.cluster_logs");
    const struct value *lists[2][5];
    size_t counts[2] = {0, 0};
    *on = *off = platform_unknown(d);
    if (wanted && !value_is_wholly_known(wanted))
        return;
    for (size_t i = 0; i < 5; i++) {
        size_t which = wanted && !value_has_text(wanted, all[i]);
        lists[which][counts[which]++] = value_str(d->a, all[i]);
    }
    *on = value_tuple(d->a, lists[0], counts[0]);
    *off = value_tuple(d->a, lists[1], counts[1]);
}

static void derive_settings(struct platform_aws *p)
{
    struct platform_derivation *d = p->d;
    struct arena *a = d->a;
    const struct value *on = NULL, *off = NULL, *anywhere = value_str(a, "0.0.0.0/0");
    log_types(p, &on, &off);
    const struct value *public = or_default(d, "endpoint.public", value_bool(a, true));
    const struct value *cidrs =
        or_default(d, "endpoint.public_cidrs", value_tuple(a, &anywhere, 1));
    const struct value_member m[] = {
        {SLICE_LIT("retention_days"),
         or_default(d, "observability.retention_days", value_int(a, 30))},
        {SLICE_LIT("public"), public},
        {SLICE_LIT("private"), or_default(d, "endpoint.private", value_bool(a, true))},
        {SLICE_LIT("public_cidrs"), cidrs},
        {SLICE_LIT("log_types"), on},
        {SLICE_LIT("log_types_off"), off},
        {SLICE_LIT("gpu_metrics"),
         or_default(d, "observability.gpu_metrics", value_bool(a, false))}};
    platform_put(d, "settings", value_object(a, m, sizeof(m) / sizeof(*m)));
}

/* ---- access ---- */

/* "ops-1a2b3c4d": the last part of an ARN, and a digest of it all. */
static const char *principal_key(struct arena *a, const char *arn)
{
    const char *slash = strrchr(arn, '/'), *colon = strrchr(arn, ':');
    const char *last = slash ? slash + 1 : colon ? colon + 1 : arn;
    const char *digest = sigv4_sha256_hex(a, slice_str(arn));
    char *key = digest ? arena_printf(a, "%.32s-%.8s", last, digest) : NULL;
    for (char *c = key; c && *c; c++)
        if (!((*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9')))
            *c = '-';
    return key;
}

/* EKS has one entry for each principal: what `access` says of one. */
struct principal {
    const char *arn, *policy;      /* policy: NULL: rights in all of the cluster are not meant */
    const struct value *groups;    /* tuple of names */
    const struct value *attribute; /* where it is written first */
};

struct principals {
    struct arena *a;
    struct principal *items;
    size_t count;
};

static struct principal *principal_of(struct principals *all, const char *arn)
{
    for (size_t i = 0; i < all->count; i++)
        if (strcmp(all->items[i].arn, arn) == 0)
            return &all->items[i];
    struct principal *p = &all->items[all->count++];
    *p = (struct principal){.arn = arn, .groups = value_tuple(all->a, NULL, 0)};
    return p;
}

static void add_policy(struct principals *all, const struct value *arns, const char *list,
                       const char *policy)
{
    for (size_t i = 0; i < value_count(arns); i++) {
        struct principal *p = principal_of(all, value_cstr(value_at(arns, i), ""));
        p->policy = policy;
        p->attribute = platform_attribute(all->a, "access", list, NULL, NULL);
    }
}

static void add_group(struct principals *all, struct slice name, const struct value *arns)
{
    const struct value *one = value_string(all->a, name), *group = value_tuple(all->a, &one, 1);
    for (size_t i = 0; i < value_count(arns); i++) {
        struct principal *p = principal_of(all, value_cstr(value_at(arns, i), ""));
        p->groups = value_tuple_join(all->a, p->groups, group);
        if (!p->attribute)
            p->attribute = platform_attribute(all->a, "access", "groups",
                                              arena_strndup(all->a, name.ptr, name.len), NULL);
    }
}

static const struct value *policies_of(struct platform_aws *p, const char *policy)
{
    struct arena *a = p->d->a;
    const struct value_member scope[] = {{SLICE_LIT("type"), value_str(a, "cluster")},
                                         {SLICE_LIT("namespaces"), value_tuple(a, NULL, 0)}};
    if (!policy)
        return value_tuple(a, NULL, 0);
    const struct value_member policies[] = {
        {SLICE_LIT("policyArn"),
         value_printf(a, "arn:%s:eks::aws:cluster-access-policy/%s", p->partition, policy)},
        {SLICE_LIT("accessScope"), value_object(a, scope, 2)}};
    const struct value *one = value_object(a, policies, 2);
    return value_tuple(a, &one, 1);
}

static const struct value *entries(struct platform_aws *p, const struct principals *all)
{
    struct arena *a = p->d->a;
    struct value_member *m = arena_new_array(a, all->count + 1, struct value_member);
    for (size_t i = 0; m && i < all->count; i++) {
        const struct principal *one = &all->items[i];
        const char *key = principal_key(a, one->arn);
        const struct value_member its[] = {{SLICE_LIT("principal_arn"), value_str(a, one->arn)},
                                           {SLICE_LIT("policies"), policies_of(p, one->policy)},
                                           {SLICE_LIT("groups"), one->groups},
                                           {SLICE_LIT("attribute"), one->attribute}};
        m[i] = (struct value_member){slice_str(key),
                                     key && one->attribute ? value_object(a, its, 4) : NULL};
    }
    return m ? value_object(a, m, all->count) : NULL;
}

/* Who administers need not be among those who look. */
static const struct value *access_entries(struct platform_aws *p)
{
    struct platform_derivation *d = p->d;
    const struct value *access = platform_of(d, "access"), *admins = value_get(access, "admins"),
                       *viewers = value_get(access, "viewers"),
                       *groups = value_get(access, "groups");
    size_t most = value_count(admins) + value_count(viewers) + 1;
    if (!p->partition || (access && !value_is_wholly_known(access)))
        return platform_unknown(d);
    for (size_t i = 0; i < value_count(groups); i++)
        most += value_count(value_at(groups, i));
    struct principals all = {d->a, arena_new_array(d->a, most, struct principal), 0};
    if (!all.items)
        return NULL;
    add_policy(&all, viewers, "viewers", "AmazonEKSViewPolicy");
    add_policy(&all, admins, "admins", "AmazonEKSClusterAdminPolicy");
    for (size_t i = 0; i < value_count(groups); i++)
        add_group(&all, groups->members[i].key, value_at(groups, i));
    return entries(p, &all);
}

static void derive_access(struct platform_aws *p)
{
    platform_put(p->d, "access_entries", access_entries(p));
}

/* ---- registries ---- */

static const struct value *registry(struct platform_aws *p, const struct value *all)
{
    struct platform_derivation *d = p->d;
    const struct value *immutable = value_get(all, "immutable_tags");
    const struct value *mutability =
        value_is_unknown(immutable)
            ? platform_unknown(d)
            : value_str(d->a, value_true(immutable) ? "IMMUTABLE" : "MUTABLE");
    static const char *const decisive[] = {"tag_prefixes", "keep_tagged", "untagged_days"};
    bool known = true;
    for (size_t i = 0; i < 3; i++)
        known &= !value_is_unknown(value_get(all, decisive[i]));
    const struct value_member m[] = {
        {SLICE_LIT("mutability"), mutability},
        {SLICE_LIT("scan_on_push"), value_get(all, "scan_on_push")},
        {SLICE_LIT("kms_key"), value_get(all, "kms_key")},
        {SLICE_LIT("force_delete"), value_get(all, "force_delete")},
        {SLICE_LIT("lifecycle_policy"),
         known ? platform_aws_lifecycle(d->a, all) : platform_unknown(d)}};
    return value_object(d->a, m, sizeof(m) / sizeof(*m));
}

static void derive_registries(struct platform_aws *p)
{
    struct platform_derivation *d = p->d;
    const struct value *all = platform_of(d, "registries"),
                       *names = platform_of(d, "registries.names");
    struct value_member m[REGISTRIES_MOST];
    size_t n = 0;
    bool known = !value_is_unknown(all) && (!names || value_is_wholly_known(names));
    for (size_t i = 0; known && i < value_count(names) && n < REGISTRIES_MOST; i++) {
        const char *name = value_cstr(value_at(names, i), "");
        m[n++] = (struct value_member){slice_str(name), registry(p, all)};
    }
    platform_put(d, "repositories", known ? value_object(d->a, m, n) : platform_unknown(d));
}

/* ---- workloads ---- */

static const struct value *workload_role(struct platform_aws *p, struct slice name)
{
    const char *suffix = arena_printf(p->d->a, "w-%.*s", (int)name.len, name.ptr);
    return suffix ? role_name(p, suffix) : NULL;
}

static const struct value *workload(struct platform_aws *p, struct slice name,
                                    const struct value *w)
{
    struct platform_derivation *d = p->d;
    const struct value *ns = value_get(w, "namespace"), *role = workload_role(p, name);
    const char *account = platform_service_account(d->a, w);
    bool known = account && value_is_known(ns), has_arn = value_is_known(role) && p->account;
    const struct value_member m[] = {
        {SLICE_LIT("identity"), has_arn ? value_printf(d->a, "arn:%s:iam::%s:role/%s", p->partition,
                                                       p->account, value_cstr(role, ""))
                                        : platform_unknown(d)},
        {SLICE_LIT("subject"),
         known ? value_printf(d->a, "system:serviceaccount:%s:%s", value_cstr(ns, ""), account)
               : platform_unknown(d)},
        {SLICE_LIT("policy"), platform_aws_workload_policy(p, w)}};
    return value_object(d->a, m, sizeof(m) / sizeof(*m));
}

/* What a workload's other policies are attached by: {NAME-digest: {role, policy_arn}}. */
static size_t attached(struct platform_aws *p, struct slice name, const struct value *w,
                       struct value_member *ret)
{
    struct arena *a = p->d->a;
    const struct value *policies = value_get(w, "policies");
    size_t n = 0;
    for (size_t i = 0; i < value_count(policies) && n < ATTACHED_MOST; i++) {
        const struct value *arn = value_at(policies, i);
        const char *digest = sigv4_sha256_hex(a, value_slice(arn));
        const char *key =
            digest ? arena_printf(a, "%.*s-%.8s", (int)name.len, name.ptr, digest) : NULL;
        const struct value_member m[] = {{SLICE_LIT("role"), workload_role(p, name)},
                                         {SLICE_LIT("policy_arn"), arn},
                                         {SLICE_LIT("workload"), value_string(a, name)}};
        ret[n++] = (struct value_member){slice_str(key), key ? value_object(a, m, 3) : NULL};
    }
    return n;
}

static void derive_workloads(struct platform_aws *p)
{
    struct platform_derivation *d = p->d;
    const struct value *all = platform_of(d, "workloads");
    struct value_member m[WORKLOADS_MOST],
        *more = arena_new_array(d->a, WORKLOADS_MOST * ATTACHED_MOST, struct value_member);
    size_t n = 0, k = 0;
    bool known = !value_is_unknown(all), policies_known = known;
    for (size_t i = 0; i < value_count(all); i++) {
        const struct value *list = value_get(value_at(all, i), "policies");
        known &= !value_is_unknown(value_at(all, i));
        policies_known &= known && (!list || value_is_wholly_known(list));
    }
    for (size_t i = 0; known && more && i < value_count(all) && n < WORKLOADS_MOST; i++) {
        struct slice name = all->members[i].key;
        m[n++] = (struct value_member){name, workload(p, name, value_at(all, i))};
        if (policies_known)
            k += attached(p, name, value_at(all, i), more + k);
    }
    platform_put(d, "workloads", known ? value_object(d->a, m, n) : platform_unknown(d));
    platform_put(d, "workload_policies",
                 policies_known && more ? value_object(d->a, more, k) : platform_unknown(d));
}

/* ---- dashboard and alarms ---- */

static void derive_observability(struct platform_aws *p)
{
    struct platform_derivation *d = p->d;
    const struct value *alarms = platform_of(d, "observability.alarms");
    const struct value *actions = value_get(alarms, "actions");
    const struct value_member m[] = {
        {SLICE_LIT("node_cpu_percent"), value_get(alarms, "node_cpu_percent")},
        {SLICE_LIT("actions"), config_is_set(actions) ? actions : value_tuple(d->a, NULL, 0)}};
    platform_put(d, "dashboard", platform_aws_dashboard(p));
    platform_put(d, "alarms",
                 value_is_unknown(alarms) ? platform_unknown(d)
                 : alarms                 ? value_object(d->a, m, 2)
                                          : value_bool(d->a, false));
}

/* ---- what may not change ---- */

/* EKS can encrypt with a key later on, but neither with another one nor with none again. */
static int check_key(struct platform_aws *p)
{
    const struct platform_derivation *d = p->d;
    const struct value *wanted = platform_of(d, "encryption.kms_key"),
                       *was = d->c->prior ? config_get(d->c->prior, "encryption.kms_key") : NULL;
    if (!d->c->planning || !was || !value_is_known(was) || value_is_unknown(wanted) ||
        (wanted && value_equal(wanted, was)))
        return 0;
    return diags_error(d->c->diags, path_parse(d->a, "encryption.kms_key"),
                       "The key cannot be changed",
                       "The Kubernetes secrets are encrypted with %s; EKS can neither take that "
                       "back nor use another key. Leave it as it was.",
                       value_cstr(was, ""));
}

static int check_registry_key(struct platform_aws *p)
{
    const struct platform_derivation *d = p->d;
    const struct value *wanted = platform_of(d, "registries.kms_key"),
                       *before = d->c->prior ? config_get(d->c->prior, "registries") : NULL,
                       *was = config_get(before, "kms_key");
    bool same = wanted ? was && value_equal(wanted, was) : !was;
    if (!d->c->planning || !before || value_is_unknown(wanted) || !platform_of(d, "registries") ||
        same)
        return 0;
    return diags_error(d->c->diags, path_parse(d->a, "registries.kms_key"),
                       "The key cannot be changed",
                       "A registry keeps the key that it was made with. Leave it as it was, or "
                       "remove the registries, apply, and make them anew.");
}

static int check_account(struct platform_aws *p)
{
    if (!p->asks || p->account)
        return 0;
    return diags_error(p->d->c->diags, NULL, "The account is not known",
                       "The identities of workloads are named by their account: remove "
                       "`skip_requesting_account_id` from the provider's settings.");
}

/* ---- all of it ---- */

static struct platform_aws begin(struct platform_derivation *d)
{
    const struct composite_context *c = d->c;
    struct platform_aws p = {.d = d, .region = c->region};
    p.partition = c->region ? c->driver->partition(c->region) : NULL;
    p.account = c->region && *c->account ? c->account : NULL;
    p.version = platform_version(d, PLATFORM_CLUSTER_VERSION);
    p.asks = c->online && c->region && c->secrets;
    return p;
}

static void want_all(struct platform_aws *p)
{
    platform_aws_want_zones(p);
    platform_aws_want_addons(p);
    if (p->asks && p->d->c->planning)
        platform_aws_want_checks(p);
}

int platform_aws_derive(struct platform_derivation *d)
{
    struct platform_aws p = begin(d);
    if (check_key(&p) < 0 || check_registry_key(&p) < 0 || check_account(&p) < 0)
        return -1;
    want_all(&p);
    platform_put(d, "kubernetes_version",
                 p.version ? value_str(d->a, p.version) : platform_unknown(d));
    derive_names(&p);
    derive_trust(&p);
    derive_policies(&p);
    derive_settings(&p);
    derive_access(&p);
    derive_registries(&p);
    derive_workloads(&p);
    derive_observability(&p);
    if (platform_aws_network(&p) < 0 || platform_aws_addons(&p) < 0 || platform_aws_pools(&p) < 0)
        return -1;
    return 0;
}

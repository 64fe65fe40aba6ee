/* Checks of a platform's configuration across attributes that hold on every cloud. */
#include "resources/platform_cluster.h"

#include <regex.h>
#include <string.h>

#include "cloud/plain.h"
#include "schema/validators.h"

static const struct path *key_path(struct arena *a, const char *map, struct slice key)
{
    return path_key(a, path_parse(a, map), key);
}

/* ---- names ---- */

static bool matches(struct slice s, const char *pattern)
{
    regex_t re;
    char text[512];
    if (s.len >= sizeof(text) || regcomp(&re, pattern, REG_EXTENDED | REG_NOSUB) != 0)
        return false;
    memcpy(text, s.ptr, s.len);
    text[s.len] = '\0';
    bool ok = strlen(text) == s.len && regexec(&re, text, 0, NULL, 0) == 0;
    regfree(&re);
    return ok;
}

#define NAME "^[a-z0-9]([a-z0-9-]*[a-z0-9])?$"
#define QUALIFIED                                                                                  \
    "^([a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$"

/* The keys of a map: names of what is made. */
static int check_keys(struct arena *a, const struct value *config, const char *map, size_t most,
                      struct diags *diags)
{
    const struct value *all = config_get(config, map);
    int rc = 0;
    for (size_t i = 0; i < value_count(all); i++) {
        struct slice key = all->members[i].key;
        if (key.len > most || !matches(key, NAME))
            rc = diags_error(diags, key_path(a, map, key), "Invalid name",
                             "\"%.*s\" is no name here: at most %zu lower-case letters, digits and "
                             "hyphens, starting and ending with a letter or digit.",
                             (int)key.len, key.ptr, most);
    }
    return rc;
}

/* Whether the part of a label's key before the slash is Kubernetes' own. */
static bool is_own_key(struct slice key)
{
    return matches(key, "^([a-z0-9.-]*\\.)?(kubernetes|k8s)\\.io/");
}

/* Keys of labels, annotations and quotas ("Labels and Selectors", "Syntax and character set"). */
static int check_qualified(struct arena *a, const struct value *of, const struct path *at,
                           const char *member, struct diags *diags)
{
    const struct value *all = config_get(of, member);
    int rc = 0;
    for (size_t i = 0; i < value_count(all); i++) {
        struct slice key = all->members[i].key;
        if (!matches(key, QUALIFIED))
            rc = diags_error(diags, path_key(a, path_attribute(a, at, member), key),
                             "Invalid Kubernetes key",
                             "\"%.*s\" is no key of Kubernetes: a name of at most 63 letters, "
                             "digits, '-', '_' and '.', with or without a DNS name and a slash "
                             "before it.",
                             (int)key.len, key.ptr);
    }
    return rc;
}

/* ---- address ranges ---- */

/* Of two ranges one is inside the other, or they have nothing in common. */
bool platform_ranges_overlap(struct slice x, struct slice y)
{
    uint32_t a = 0, b = 0;
    int m = 0, n = 0;
    if (cidr_parse(x, &a, &m) < 0 || cidr_parse(y, &b, &n) < 0)
        return false;
    int shorter = m < n ? m : n;
    uint32_t mask = shorter ? UINT32_MAX << (32 - shorter) : 0;
    return (a & mask) == (b & mask);
}

bool platform_range_inside(struct slice range, struct slice whole)
{
    uint32_t address = 0;
    int prefix = 0, least = 0;
    return cidr_parse(range, &address, &prefix) == 0 && cidr_parse(whole, &address, &least) == 0 &&
           prefix >= least && platform_ranges_overlap(range, whole);
}

struct range {
    const char *path, *otherwise; /* otherwise: its default, or NULL */
    struct slice text;            /* empty: not known */
    bool written;
};

static int check_overlap(struct arena *a, const struct range *r, const struct range *other,
                         struct diags *diags)
{
    if (!platform_ranges_overlap(r->text, other->text))
        return 0;
    return diags_error(diags, path_parse(a, r->path), "Overlapping ranges",
                       "%.*s and %s`%s` (%.*s) have addresses in common.%s", (int)r->text.len,
                       r->text.ptr, other->written ? "" : "the default of ", other->path,
                       (int)other->text.len, other->text.ptr,
                       other->written ? "" : " Set that, too.");
}

/* Each range that is written, with those before it and with the defaults of the others. */
static int check_ranges(struct arena *a, const struct platform_cloud *cloud,
                        const struct value *config, struct diags *diags)
{
    struct range r[] = {
        {.path = "network.cidr", .otherwise = cloud ? cloud->cidr : NULL},
        {.path = "network.pods_cidr", .otherwise = cloud ? cloud->pods_cidr : NULL},
        {.path = "network.services_cidr", .otherwise = cloud ? cloud->services_cidr : NULL},
        {.path = "network.control_plane_cidr"}};
    bool made = !config_get(config, "network.vpc_id");
    int rc = 0;
    for (size_t i = 0; i < 4; i++) {
        const struct value *v = config_get(config, r[i].path);
        r[i].written = v;
        r[i].text = v ? value_slice(v) : slice_str(made && r[i].otherwise ? r[i].otherwise : "");
    }
    for (size_t i = 0; i < 4; i++)
        for (size_t k = 0; r[i].written && k < 4; k++)
            if (k < i || (k > i && !r[k].written))
                rc |= check_overlap(a, &r[i], &r[k], diags);
    return rc;
}

/* ---- pools ---- */

static int check_sizes(struct arena *a, const struct platform_pool *p, const struct path *at,
                       struct diags *diags)
{
    if (p->min > p->max)
        return diags_error(diags, path_attribute(a, at, "min"), "Impossible size",
                           "`min` is %lld, and `max` is %lld (3 where it is not set).",
                           (long long)p->min, (long long)p->max);
    if (p->desired < p->min || p->desired > p->max)
        return diags_error(diags, path_attribute(a, at, "desired"), "Impossible size",
                           "`desired` is %lld, which is not between `min` (%lld) and `max` (%lld).",
                           (long long)p->desired, (long long)p->min, (long long)p->max);
    return 0;
}

static bool sizes_known(const struct platform_pool *p)
{
    static const char *const names[] = {"min", "max", "desired"};
    for (size_t i = 0; i < 3; i++)
        if (value_is_unknown(value_get(p->config, names[i])))
            return false;
    return true;
}

static int check_taints(struct arena *a, const struct value *taints, const struct path *at,
                        struct diags *diags)
{
    int rc = 0;
    for (size_t i = 0; i < value_count(taints); i++)
        for (size_t k = 0; k < i; k++) {
            const struct value *x = value_at(taints, i), *y = value_at(taints, k);
            if (value_is_known(value_get(x, "key")) &&
                value_equal(value_get(x, "key"), value_get(y, "key")) &&
                value_is_known(value_get(x, "effect")) &&
                value_equal(value_get(x, "effect"), value_get(y, "effect")))
                rc = diags_error(diags, path_index(a, path_attribute(a, at, "taints"), (int64_t)i),
                                 "Duplicate taint", "The key \"%s\" has this effect already.",
                                 value_cstr(value_get(x, "key"), ""));
        }
    return rc;
}

/* What a node may say of itself (NodeRestriction; the kubelet's --node-labels). */
static int check_node_labels(struct arena *a, const struct platform_pool *p, const struct path *at,
                             struct diags *diags)
{
    const struct value *labels = config_get(p->config, "labels");
    int rc = check_qualified(a, p->config, at, "labels", diags);
    for (size_t i = 0; i < value_count(labels); i++) {
        struct slice key = labels->members[i].key;
        if (is_own_key(key) && !matches(key, "^([a-z0-9.-]*\\.)?(node|kubelet)\\.kubernetes\\.io/"))
            rc = diags_error(diags, path_key(a, path_attribute(a, at, "labels"), key),
                             "The label is Kubernetes' own",
                             "Kubernetes sets labels like %.*s itself; a node that asks for one "
                             "does not start. Choose a name of your own.",
                             (int)key.len, key.ptr);
    }
    return rc;
}

/* Who writes `gpu = false` brings drivers and device plugin; who writes nothing has forgotten. */
static int unused_gpus(const struct platform_pool *p, struct slice type, const struct path *here,
                       struct diags *diags)
{
    if (value_is_known(value_get(p->config, "gpu"))) {
        diags_warning(diags, here, "The machine has GPUs",
                      "%.*s has GPUs, for which the pool is not set up: with `gpu = true`, the "
                      "nodes have drivers and a taint, and Kubernetes the device plugin.",
                      (int)type.len, type.ptr);
        return 0;
    }
    return diags_error(diags, here, "The machine has GPUs",
                       "%.*s has GPUs, which nothing could use without drivers and device plugin: "
                       "set `gpu = true` for this pool, or `gpu = false` to see to them yourself.",
                       (int)type.len, type.ptr);
}

static int check_machines(struct arena *a, const struct platform_cloud *cloud,
                          const struct platform_pool *p, const struct path *at, struct diags *diags)
{
    int rc = 0;
    for (size_t i = 0; cloud && p->config && i < value_count(p->machine_types); i++) {
        struct slice type = value_slice(value_at(p->machine_types, i));
        bool has = cloud->has_gpu(type);
        const struct path *here = path_index(a, path_attribute(a, at, "machine_types"), (int64_t)i);
        if (type.len && p->gpu && !has)
            rc = diags_error(diags, here, "The machine has no GPU",
                             "The pool asks for GPUs (`gpu = true`), and %.*s has none.",
                             (int)type.len, type.ptr);
        else if (type.len && has && !p->gpu && !value_is_unknown(value_get(p->config, "gpu")))
            rc |= unused_gpus(p, type, here, diags);
    }
    return rc;
}

static int check_pools(struct arena *a, const struct platform_cloud *cloud,
                       const struct value *config, struct diags *diags)
{
    static const struct platform_cloud none;
    struct platform_pools pools;
    int rc = check_keys(a, config, "node_pools", 24, diags);
    platform_pools(a, cloud ? cloud : &none, config, &pools);
    for (size_t i = 0; i < pools.count; i++) {
        const struct platform_pool *p = &pools.items[i];
        const struct path *at = key_path(a, "node_pools", p->name);
        if (sizes_known(p))
            rc |= check_sizes(a, p, at, diags);
        rc |= check_taints(a, config_get(p->config, "taints"), at, diags);
        rc |= check_node_labels(a, p, at, diags);
        if (p->known)
            rc |= check_machines(a, cloud, p, at, diags);
    }
    return rc;
}

/* ---- namespaces and workloads ---- */

static int check_reserved(struct arena *a, const struct platform_cloud *cloud, struct slice name,
                          struct diags *diags)
{
    bool own = slice_eq_str(name, "default") || slice_has_prefix(name, "kube-"), theirs = false;
    for (size_t i = 0; cloud && cloud->namespaces && cloud->namespaces[i]; i++)
        theirs |= slice_eq_str(name, cloud->namespaces[i]);
    if (!own && !theirs)
        return 0;
    return diags_error(diags, key_path(a, "namespaces", name),
                       own ? "The namespace is Kubernetes' own"
                           : "The namespace is the cloud's own",
                       "\"%.*s\" is there in every cluster, and belongs to no team. Choose "
                       "another name.",
                       (int)name.len, name.ptr);
}

/* Labels that the API server sets, or by which what is in the cluster is found again. */
static int check_own_labels(struct arena *a, const struct value *ns, const struct path *at,
                            struct diags *diags)
{
    const struct value *labels = config_get(ns, "labels");
    int rc = 0;
    for (size_t i = 0; i < value_count(labels); i++) {
        struct slice key = labels->members[i].key;
        const struct path *here = path_key(a, path_attribute(a, at, "labels"), key);
        if (slice_eq_str(key, "app.kubernetes.io/managed-by") || slice_has_prefix(key, "llm-"))
            rc = diags_error(diags, here, "Reserved label", "\"%.*s\" is set by this provider.",
                             (int)key.len, key.ptr);
        else if (slice_eq_str(key, "kubernetes.io/metadata.name"))
            rc = diags_error(diags, here, "The label is Kubernetes' own",
                             "Every namespace has the label %.*s, with its name.", (int)key.len,
                             key.ptr);
    }
    return rc;
}

static int check_quota(struct arena *a, const struct value *ns, const struct path *at,
                       struct diags *diags)
{
    const struct value *all = config_get(ns, "quota");
    int rc = check_qualified(a, ns, at, "quota", diags);
    for (size_t i = 0; i < value_count(all); i++) {
        struct slice key = all->members[i].key;
        const struct path *here = path_key(a, path_attribute(a, at, "quota"), key);
        if (matches(key, QUALIFIED))
            rc |= platform_check_quota(a, key, value_at(all, i), here, diags);
    }
    return rc;
}

/* Keys of a ConfigMap (IsConfigMapKey). */
static int check_config(struct arena *a, const struct value *ns, const struct path *at,
                        struct diags *diags)
{
    const struct value *all = config_get(ns, "config");
    int rc = 0;
    for (size_t i = 0; i < value_count(all); i++) {
        struct slice key = all->members[i].key;
        if (key.len > 253 || !matches(key, "^[A-Za-z0-9._-]+$") || slice_eq_str(key, ".") ||
            slice_has_prefix(key, ".."))
            rc =
                diags_error(diags, path_key(a, path_attribute(a, at, "config"), key), "Invalid key",
                            "\"%.*s\" is no key of a ConfigMap: at most 253 letters, digits, '-', "
                            "'_' and '.', and no dots alone.",
                            (int)key.len, key.ptr);
    }
    return rc;
}

/* Whether one amount is larger than another. */
static bool larger(struct arena *a, const struct value *x, const struct value *y)
{
    struct slice s = value_slice(plain_value(a, x, true)), t = value_slice(plain_value(a, y, true));
    return s.len != t.len ? s.len > t.len : memcmp(s.ptr, t.ptr, s.len) > 0;
}

/* What the API server demands: each bound at most the next one. */
static int check_limits(struct arena *a, const struct value *ns, const struct path *at,
                        struct diags *diags)
{
    static const char *const bounds[2][4] = {
        {"min_cpu", "default_request_cpu", "default_cpu", "max_cpu"},
        {"min_memory", "default_request_memory", "default_memory", "max_memory"}};
    const struct value *range = config_get(ns, "limit_range");
    int rc = 0;
    for (size_t kind = 0; kind < 2; kind++)
        for (size_t i = 0; i < 4; i++)
            for (size_t k = i + 1; k < 4; k++) {
                const struct value *low = config_get(range, bounds[kind][i]),
                                   *high = config_get(range, bounds[kind][k]);
                if (value_is_known(low) && value_is_known(high) && larger(a, low, high))
                    rc = diags_error(
                        diags,
                        path_attribute(a, path_attribute(a, at, "limit_range"), bounds[kind][i]),
                        "Impossible limits", "`%s` (%s) is more than `%s` (%s).", bounds[kind][i],
                        value_cstr(low, ""), bounds[kind][k], value_cstr(high, ""));
            }
    return rc;
}

/* ---- rights ---- */

static int check_subjects(struct arena *a, const struct value *of, const struct path *at,
                          const char *member, struct diags *diags)
{
    const struct value *all = config_get(of, member);
    int rc = 0;
    for (size_t i = 0; i < value_count(all); i++)
        if (slice_eq_str(value_slice(value_at(all, i)), "user:"))
            rc = diags_error(diags, path_attribute(a, at, member), "A user without a name",
                             "Write users as \"user:NAME\"; what has no \"user:\" before it is a "
                             "group.");
    return rc;
}

static bool has_empty(const struct value *texts)
{
    for (size_t i = 0; i < value_count(texts); i++)
        if (value_is_known(value_at(texts, i)) && !value_slice(value_at(texts, i)).len)
            return true;
    return false;
}

static int check_rules(struct arena *a, const struct value *role, const struct path *at,
                       struct diags *diags)
{
    static const char *const names[] = {"resources", "verbs"};
    const struct value *rules = config_get(role, "rules");
    int rc = 0;
    if (!rules)
        rc = diags_error(diags, path_attribute(a, at, "rules"), "A role without rules",
                         "It would allow nothing: say what, or leave the role out.");
    for (size_t i = 0; i < value_count(rules); i++)
        for (size_t k = 0; k < 2; k++)
            if (has_empty(config_get(value_at(rules, i), names[k])))
                rc = diags_error(
                    diags,
                    path_attribute(a, path_index(a, path_attribute(a, at, "rules"), (int64_t)i),
                                   names[k]),
                    "Invalid rule", "Nothing is called \"\"; \"*\" stands for all.");
    return rc;
}

/* The bindings of `admins`, `editors` and `viewers` have these names. */
static bool is_taken(struct slice name)
{
    return slice_eq_str(name, "admins") || slice_eq_str(name, "editors") ||
           slice_eq_str(name, "viewers");
}

static int check_roles(struct arena *a, const struct value *rbac, const struct path *at,
                       struct diags *diags)
{
    const struct value *roles = config_get(rbac, "roles");
    int rc = 0;
    for (size_t i = 0; i < value_count(roles); i++) {
        struct slice name = roles->members[i].key;
        const struct path *here = path_key(a, path_attribute(a, at, "roles"), name);
        if (name.len > 63 || !matches(name, "^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$") || is_taken(name))
            rc = diags_error(diags, here, "Invalid name",
                             "\"%.*s\" is no name for a role here: at most 63 lower-case letters, "
                             "digits, hyphens and dots, and none of `admins`, `editors` and "
                             "`viewers`, which are the names of other bindings.",
                             (int)name.len, name.ptr);
        rc |= check_subjects(a, value_at(roles, i), here, "subjects", diags);
        rc |= check_rules(a, value_at(roles, i), here, diags);
    }
    return rc;
}

static int check_rbac(struct arena *a, const struct value *ns, const struct path *at,
                      struct diags *diags)
{
    static const char *const who[] = {"admins", "editors", "viewers"};
    const struct value *rbac = config_get(ns, "rbac");
    const struct path *here = path_attribute(a, at, "rbac");
    int rc = check_roles(a, rbac, here, diags);
    for (size_t i = 0; i < 3; i++)
        rc |= check_subjects(a, rbac, here, who[i], diags);
    return rc;
}

static int check_namespaces(struct arena *a, const struct platform_cloud *cloud,
                            const struct value *config, struct diags *diags)
{
    const struct value *all = config_get(config, "namespaces");
    int rc = check_keys(a, config, "namespaces", 52, diags);
    for (size_t i = 0; i < value_count(all); i++) {
        const struct value *ns = value_at(all, i);
        const struct path *at = key_path(a, "namespaces", all->members[i].key);
        rc |= check_reserved(a, cloud, all->members[i].key, diags);
        rc |= check_qualified(a, ns, at, "labels", diags);
        rc |= check_qualified(a, ns, at, "annotations", diags);
        rc |= check_quota(a, ns, at, diags);
        rc |= check_own_labels(a, ns, at, diags);
        rc |= check_config(a, ns, at, diags);
        rc |= check_limits(a, ns, at, diags);
        rc |= check_rbac(a, ns, at, diags);
    }
    return rc;
}

static int check_service_accounts(struct arena *a, const struct value *all, size_t i,
                                  const struct path *at, struct diags *diags)
{
    const struct value *w = value_at(all, i);
    const char *account = platform_service_account(a, w);
    if (account && strcmp(account, "default") == 0)
        return diags_error(diags, path_attribute(a, at, "service_account"),
                           "The service account is Kubernetes' own",
                           "Kubernetes makes \"default\" in every namespace. Choose another name.");
    for (size_t k = 0; account && k < i; k++) {
        const struct value *other = value_at(all, k);
        const char *its = platform_service_account(a, other);
        if (its && strcmp(its, account) == 0 && value_is_known(value_get(w, "namespace")) &&
            value_equal(value_get(w, "namespace"), value_get(other, "namespace")))
            return diags_error(diags, path_attribute(a, at, "service_account"),
                               "Two workloads with one service account",
                               "\"%s\" in namespace \"%s\" belongs to the workload \"%.*s\" "
                               "already; an account has one identity in the cloud.",
                               account, value_cstr(value_get(w, "namespace"), ""),
                               (int)all->members[k].key.len, all->members[k].key.ptr);
    }
    return 0;
}

static int check_workloads(struct arena *a, const struct value *config, struct diags *diags)
{
    const struct value *all = config_get(config, "workloads"),
                       *namespaces = value_get(config, "namespaces");
    int rc = check_keys(a, config, "workloads", 24, diags);
    for (size_t i = 0; i < value_count(all); i++) {
        const struct path *at = key_path(a, "workloads", all->members[i].key);
        const struct value *ns = value_get(value_at(all, i), "namespace");
        bool missing = value_is_known(ns) && !value_is_unknown(namespaces) &&
                       !value_get_slice(namespaces, value_slice(ns));
        if (missing)
            rc = diags_error(diags, path_attribute(a, at, "namespace"), "Unknown namespace",
                             "\"%s\" is not one of `namespaces`.", value_cstr(ns, ""));
        rc |= check_service_accounts(a, all, i, at, diags);
    }
    return rc;
}

/* ---- access and endpoint ---- */

static int check_access(struct arena *a, const struct value *config, struct diags *diags)
{
    const struct value *admins = config_get(config, "access.admins"),
                       *viewers = config_get(config, "access.viewers");
    int rc = 0;
    for (size_t i = 0; i < value_count(viewers); i++) {
        const char *who = value_cstr(value_at(viewers, i), NULL);
        if (who && value_has_text(admins, who))
            rc = diags_error(diags, path_parse(a, "access.viewers"), "Admin and viewer",
                             "\"%s\" is one of `admins`, who may read everything anyway.", who);
    }
    return rc;
}

/* What counts when nothing is written is that both are true. */
static int check_endpoint(struct arena *a, const struct value *config, struct diags *diags)
{
    const struct value *public = config_get(config, "endpoint.public"),
                       *private = config_get(config, "endpoint.private"),
                       *cidrs = config_get(config, "endpoint.public_cidrs");
    if (!value_is_known(public) || value_true(public))
        return 0;
    int rc = 0;
    if (value_is_known(private) && !value_true(private))
        rc = diags_error(diags, path_parse(a, "endpoint.private"), "Nobody reaches the cluster",
                         "The Kubernetes API needs a public address, a private one, or both.");
    if (cidrs && !value_is_unknown(cidrs))
        rc = diags_error(diags, path_parse(a, "endpoint.public_cidrs"), "No public address",
                         "With `public = false` there is no public address to reach.");
    return rc;
}

/* ---- all of it ---- */

int platform_validate(struct arena *a, const struct value *config, struct diags *diags)
{
    const struct platform_cloud *cloud =
        platform_cloud(value_cstr(value_get(config, "cloud"), NULL));
    int rc = check_ranges(a, cloud, config, diags);
    rc |= check_pools(a, cloud, config, diags);
    rc |= check_namespaces(a, cloud, config, diags);
    rc |= check_workloads(a, config, diags);
    rc |= check_access(a, config, diags);
    rc |= check_endpoint(a, config, diags);
    if (cloud)
        rc |= cloud->validate(a, config, diags);
    return rc ? -1 : 0;
}

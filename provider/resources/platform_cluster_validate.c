/* Checks of a platform's configuration across attributes that hold on every cloud. */
#include "resources/platform_cluster.h"

#include <regex.h>
#include <string.h>

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

static int check_ranges(struct arena *a, const struct value *config, struct diags *diags)
{
    static const char *const paths[] = {"network.cidr", "network.pods_cidr",
                                        "network.services_cidr", "network.control_plane_cidr"};
    int rc = 0;
    for (size_t i = 0; i < 4; i++) {
        const struct value *v = config_get(config, paths[i]);
        for (size_t k = 0; v && k < i; k++)
            if (platform_ranges_overlap(value_slice(v), value_slice(config_get(config, paths[k]))))
                rc = diags_error(diags, path_parse(a, paths[i]), "Overlapping ranges",
                                 "%s and `%s` have addresses in common.", value_cstr(v, ""),
                                 paths[k]);
    }
    return rc;
}

/* ---- pools ---- */

static int check_sizes(struct arena *a, const struct platform_pool *p, const struct path *at,
                       struct diags *diags)
{
    if (p->min > p->max)
        return diags_error(diags, path_attribute(a, at, "min"), "Impossible size",
                           "`min` is %lld, and `max` is %lld.", (long long)p->min,
                           (long long)p->max);
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
        else if (type.len && has && !p->gpu && value_is_known(value_get(p->config, "gpu")))
            rc = diags_error(diags, here, "The machine has GPUs",
                             "%.*s has GPUs, which nothing could use without drivers and device "
                             "plugin: set `gpu = true` for this pool.",
                             (int)type.len, type.ptr);
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
        rc |= check_qualified(a, p->config, at, "labels", diags);
        if (p->known)
            rc |= check_machines(a, cloud, p, at, diags);
    }
    return rc;
}

/* ---- namespaces and workloads ---- */

static int check_reserved(struct arena *a, struct slice name, struct diags *diags)
{
    if (!slice_eq_str(name, "default") && !slice_has_prefix(name, "kube-"))
        return 0;
    return diags_error(diags, key_path(a, "namespaces", name), "The namespace is Kubernetes' own",
                       "\"%.*s\" is there in every cluster, and belongs to no team. Choose "
                       "another name.",
                       (int)name.len, name.ptr);
}

/* Labels by which what is in the cluster is found again. */
static int check_own_labels(struct arena *a, const struct value *ns, const struct path *at,
                            struct diags *diags)
{
    const struct value *labels = config_get(ns, "labels");
    int rc = 0;
    for (size_t i = 0; i < value_count(labels); i++) {
        struct slice key = labels->members[i].key;
        if (slice_eq_str(key, "app.kubernetes.io/managed-by") || slice_has_prefix(key, "llm-"))
            rc = diags_error(diags, path_key(a, path_attribute(a, at, "labels"), key),
                             "Reserved label", "\"%.*s\" is set by this provider.", (int)key.len,
                             key.ptr);
    }
    return rc;
}

static int check_namespaces(struct arena *a, const struct value *config, struct diags *diags)
{
    const struct value *all = config_get(config, "namespaces");
    int rc = check_keys(a, config, "namespaces", 52, diags);
    for (size_t i = 0; i < value_count(all); i++) {
        const struct value *ns = value_at(all, i);
        const struct path *at = key_path(a, "namespaces", all->members[i].key);
        rc |= check_reserved(a, all->members[i].key, diags);
        rc |= check_own_labels(a, ns, at, diags);
        rc |= check_qualified(a, ns, at, "labels", diags);
        rc |= check_qualified(a, ns, at, "annotations", diags);
        rc |= check_qualified(a, ns, at, "quota", diags);
    }
    return rc;
}

static int check_service_accounts(struct arena *a, const struct value *all, size_t i,
                                  const struct path *at, struct diags *diags)
{
    const struct value *w = value_at(all, i);
    const char *account = platform_service_account(a, w);
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

/* ---- all of it ---- */

int platform_validate(struct arena *a, const struct value *config, struct diags *diags)
{
    const struct platform_cloud *cloud =
        platform_cloud(value_cstr(value_get(config, "cloud"), NULL));
    int rc = check_ranges(a, config, diags);
    rc |= check_pools(a, cloud, config, diags);
    rc |= check_namespaces(a, config, diags);
    rc |= check_workloads(a, config, diags);
    if (cloud)
        rc |= cloud->validate(a, config, diags);
    return rc ? -1 : 0;
}

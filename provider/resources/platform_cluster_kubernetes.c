/* What a platform has in its cluster, as `$derived` says it: the same on every cloud. */
#include "resources/platform_cluster.h"

#include <string.h>

#include "cloud/plain.h"
#include "resources/settings.h"
#include "resources/tables.h"
#include "schema/tables.h"
#include "value/codec.h"

/* https://github.com/NVIDIA/k8s-device-plugin, deployments/static; of 2025-03. */
#define DEVICE_PLUGIN_IMAGE "nvcr.io/nvidia/k8s-device-plugin:v0.17.1"
#define RBAC_GROUP "rbac.authorization.k8s.io"

static void put_map(struct platform_derivation *d, const char *name, const struct derived_map *m)
{
    platform_put(d, name, derived_map_object(m));
}

/* Whether a collection has members; when that is not known yet, the map that it decides about is
 * unsure. */
static bool has_members(const struct value *v, struct derived_map *decides)
{
    decides->unsure |= value_is_unknown(v);
    return value_is_known(v) && value_count(v);
}

static const char *text_of_slice(struct arena *a, struct slice s)
{
    return arena_strndup(a, s.ptr, s.len);
}

/* That there are none, which is not the same as saying nothing about it. */
static const struct value *no_texts(struct arena *a)
{
    return value_map(a, &type_string, NULL, 0);
}

/* ---- namespaces ---- */

static const struct value *namespace_object(struct platform_derivation *d, const char *name,
                                            const struct value *ns)
{
    const struct value *labels = value_get(ns, "labels"), *notes = value_get(ns, "annotations");
    const struct value_member own = {SLICE_LIT("team"), value_str(d->a, name)};
    const struct value *all = value_object(d->a, &own, 1);
    if (value_is_unknown(labels))
        all = labels;
    for (size_t i = 0; all && value_is_known(labels) && i < value_count(labels); i++)
        all =
            value_with(d->a, all, text_of_slice(d->a, labels->members[i].key), value_at(labels, i));
    const struct value_member m[] = {
        {SLICE_LIT("labels"), all},
        {SLICE_LIT("annotations"), config_is_set(notes) ? notes : no_texts(d->a)}};
    return all ? value_object(d->a, m, 2) : NULL;
}

static const struct value *named(struct arena *a, const char *name, const char *member,
                                 const struct value *v)
{
    const struct value_member m[] = {{SLICE_LIT("name"), value_str(a, name)},
                                     {slice_str(member), v}};
    return value_object(a, m, v ? 2 : 1);
}

/* As the server writes them: another form of the same amount, beside another field manager's, would
 * be a conflict. */
static const struct value *amounts_of(struct arena *a, const struct value *quota)
{
    if (!value_is_known(quota))
        return quota;
    struct value_member *m = arena_new_array(a, value_count(quota), struct value_member);
    for (size_t i = 0; m && i < value_count(quota); i++)
        m[i] = (struct value_member){quota->members[i].key, plain_quantity(a, value_at(quota, i))};
    return m ? value_map(a, &type_string, m, value_count(quota)) : NULL;
}

/* "default_cpu" and "default_memory" of the configuration are "default": {"cpu", "memory"}. */
static const struct value *limits_object(struct platform_derivation *d, const char *name,
                                         const struct value *range)
{
    static const char *const names[][3] = {
        {"default", "default_cpu", "default_memory"},
        {"defaultRequest", "default_request_cpu", "default_request_memory"},
        {"max", "max_cpu", "max_memory"},
        {"min", "min_cpu", "min_memory"}};
    struct derived_map limit = {.a = d->a};
    derived_map_put(&limit, "type", value_str(d->a, "Container"));
    for (size_t i = 0; i < 4; i++) {
        struct derived_map amounts = {.a = d->a};
        const struct value *cpu = value_get(range, names[i][1]),
                           *memory = value_get(range, names[i][2]);
        if (config_is_set(cpu))
            derived_map_put(&amounts, "cpu", plain_quantity(d->a, cpu));
        if (config_is_set(memory))
            derived_map_put(&amounts, "memory", plain_quantity(d->a, memory));
        if (amounts.count)
            derived_map_put(&limit, names[i][0], value_object(d->a, amounts.items, amounts.count));
        limit.failed |= amounts.failed;
    }
    const struct value *one = value_object(d->a, limit.items, limit.count);
    const struct value_member m[] = {{SLICE_LIT("name"), value_printf(d->a, "%s-limits", name)},
                                     {SLICE_LIT("limits"), value_tuple(d->a, &one, 1)}};
    return limit.failed ? NULL : value_object(d->a, m, 2);
}

static const struct value *policy_object(struct platform_derivation *d, const struct value *types)
{
    const struct value *ingress = value_str(d->a, "Ingress");
    const struct value_member m[] = {
        {SLICE_LIT("name"), value_str(d->a, "default-deny")},
        {SLICE_LIT("pod_selector"), value_object(d->a, NULL, 0)},
        {SLICE_LIT("policy_types"), config_is_set(types) ? types : value_tuple(d->a, &ingress, 1)}};
    return value_object(d->a, m, 3);
}

/* ---- rights ---- */

/* A group, or a user as "user:NAME". */
static const struct value *subject(struct arena *a, const char *who)
{
    bool user = strncmp(who, "user:", 5) == 0;
    const struct value_member m[] = {{SLICE_LIT("kind"), value_str(a, user ? "User" : "Group")},
                                     {SLICE_LIT("name"), value_str(a, user ? who + 5 : who)},
                                     {SLICE_LIT("apiGroup"), value_str(a, RBAC_GROUP)}};
    return value_object(a, m, 3);
}

static const struct value *subjects(struct platform_derivation *d, const struct value *who,
                                    const char *prefix)
{
    if (!value_is_wholly_known(who))
        return platform_unknown(d);
    size_t count = value_count(who);
    const struct value **items = arena_new_array(d->a, count + 1, const struct value *);
    for (size_t i = 0; items && i < count; i++) {
        const char *name = arena_printf(d->a, "%s%s", prefix, value_cstr(value_at(who, i), ""));
        if (!name || !(items[i] = subject(d->a, name)))
            return NULL;
    }
    return items ? value_tuple(d->a, items, count) : NULL;
}

static const struct value *role_ref(struct arena *a, const char *kind, const char *name)
{
    const struct value_member m[] = {{SLICE_LIT("kind"), value_str(a, kind)},
                                     {SLICE_LIT("name"), value_str(a, name)},
                                     {SLICE_LIT("apiGroup"), value_str(a, RBAC_GROUP)}};
    return value_object(a, m, 3);
}

struct binding {
    const char *namespace, *name, *kind, *role, *prefix;
    const struct value *who, *attribute;
};

static const struct value *binding_object(struct platform_derivation *d, const struct binding *b)
{
    const struct value_member m[] = {{SLICE_LIT("name"), value_str(d->a, b->name)},
                                     {SLICE_LIT("role_ref"), role_ref(d->a, b->kind, b->role)},
                                     {SLICE_LIT("subjects"), subjects(d, b->who, b->prefix)},
                                     {SLICE_LIT("attribute"), b->attribute},
                                     {SLICE_LIT("namespace"), value_str(d->a, b->namespace)}};
    return m[2].value && m[3].value ? value_object(d->a, m, b->namespace ? 5 : 4) : NULL;
}

static const struct value *rules_of(struct platform_derivation *d, const struct value *rules)
{
    if (!value_is_wholly_known(rules))
        return platform_unknown(d);
    size_t count = value_count(rules);
    const struct value **items = arena_new_array(d->a, count + 1, const struct value *);
    const struct value *core = value_str(d->a, "");
    for (size_t i = 0; items && i < count; i++) {
        const struct value *rule = value_at(rules, i), *groups = value_get(rule, "api_groups");
        const struct value_member m[] = {
            {SLICE_LIT("apiGroups"), config_is_set(groups) ? groups : value_tuple(d->a, &core, 1)},
            {SLICE_LIT("resources"), value_get(rule, "resources")},
            {SLICE_LIT("verbs"), value_get(rule, "verbs")}};
        if (!(items[i] = value_object(d->a, m, 3)))
            return NULL;
    }
    return items ? value_tuple(d->a, items, count) : NULL;
}

struct rights {
    struct derived_map roles, bindings;
};

static void own_role(struct platform_derivation *d, struct rights *r, const char *ns,
                     const char *name, const struct value *role)
{
    const char *key = arena_printf(d->a, "%s.%s", ns, name);
    bool unknown = value_is_unknown(role);
    /* "rbac.roles" is two steps; the name of the role is the last. */
    const struct value *rbac = platform_attribute(d->a, "namespaces", ns, "rbac", "roles"),
                       *one = value_str(d->a, name);
    const struct value *attribute =
        rbac && one ? value_tuple_join(d->a, rbac, value_tuple(d->a, &one, 1)) : NULL;
    const struct value_member m[] = {
        {SLICE_LIT("namespace"), value_str(d->a, ns)},
        {SLICE_LIT("name"), value_str(d->a, name)},
        {SLICE_LIT("attribute"), attribute},
        {SLICE_LIT("rules"),
         unknown ? platform_unknown(d) : rules_of(d, value_get(role, "rules"))}};
    const struct binding b = {
        ns, name, "Role", name, "", unknown ? role : value_get(role, "subjects"), attribute};
    derived_map_put(&r->roles, key, attribute && m[3].value ? value_object(d->a, m, 4) : NULL);
    derived_map_put(&r->bindings, key, binding_object(d, &b));
}

static void add_rights(struct platform_derivation *d, struct rights *r, const char *ns,
                       const struct value *rbac)
{
    static const char *const names[][2] = {
        {"admins", "admin"}, {"editors", "edit"}, {"viewers", "view"}};
    const struct value *roles = value_get(rbac, "roles");
    r->roles.unsure |= value_is_unknown(rbac);
    r->bindings.unsure |= value_is_unknown(rbac) || value_is_unknown(roles);
    for (size_t i = 0; i < 3; i++) {
        const struct binding b = {ns,
                                  names[i][0],
                                  "ClusterRole",
                                  names[i][1],
                                  "",
                                  value_get(rbac, names[i][0]),
                                  platform_attribute(d->a, "namespaces", ns, "rbac", names[i][0])};
        if (has_members(b.who, &r->bindings))
            derived_map_put(&r->bindings, arena_printf(d->a, "%s.%s", ns, b.name),
                            binding_object(d, &b));
    }
    for (size_t i = 0; has_members(roles, &r->roles) && i < value_count(roles); i++) {
        const char *name = text_of_slice(d->a, roles->members[i].key);
        own_role(d, r, ns, name ? name : "", value_at(roles, i));
    }
}

/* Where the cloud cannot say it: who administers, or looks at, all of the cluster. */
static void derive_access(struct platform_derivation *d)
{
    static const char *const names[][2] = {{"admins", "cluster-admin"}, {"viewers", "view"}};
    struct derived_map all = {.a = d->a};
    const struct value *access = platform_of(d, "access");
    if (!d->cloud->binds_access)
        return;
    all.unsure = value_is_unknown(access);
    for (size_t i = 0; i < 2; i++) {
        const struct value *who = value_get(access, names[i][0]);
        const struct binding b = {NULL,
                                  arena_printf(d->a, "llm-platform-%s", names[i][0]),
                                  "ClusterRole",
                                  names[i][1],
                                  "user:",
                                  who,
                                  platform_attribute(d->a, "access", names[i][0], NULL, NULL)};
        if (has_members(who, &all))
            derived_map_put(&all, names[i][0], binding_object(d, &b));
    }
    put_map(d, "cluster_role_bindings", &all);
}

/* ---- service accounts ---- */

const char *platform_service_account(struct arena *a, const struct value *workload)
{
    const struct value *account = value_get(workload, "service_account"),
                       *ns = value_get(workload, "namespace");
    if (value_is_unknown(account) || (value_is_null(account) && !value_is_known(ns)))
        return NULL;
    return value_is_known(account) ? value_cstr(account, NULL)
                                   : arena_printf(a, "%s-sa", value_cstr(ns, ""));
}

/* Under the namespace's name and its own, so that an account whose workload is called otherwise, or
 * that is no workload's any more, is the same object still. */
static void put_account(struct platform_derivation *d, struct derived_map *accounts, const char *ns,
                        const char *name, const struct value *annotations,
                        const struct value *attribute)
{
    const struct value_member m[] = {{SLICE_LIT("namespace"), value_str(d->a, ns)},
                                     {SLICE_LIT("name"), value_str(d->a, name)},
                                     {SLICE_LIT("annotations"), annotations},
                                     {SLICE_LIT("attribute"), attribute}};
    derived_map_put(accounts, arena_printf(d->a, "%s.%s", ns, name),
                    attribute ? value_object(d->a, m, 4) : NULL);
}

static void add_workload_accounts(struct platform_derivation *d, struct derived_map *accounts)
{
    const struct value *all = platform_of(d, "workloads"),
                       *made = derived_get(&d->out, "workloads");
    accounts->unsure |= value_is_unknown(all);
    for (size_t i = 0; i < value_count(all); i++) {
        const struct value *w = value_at(all, i), *ns = value_get(w, "namespace"),
                           *identity =
                               value_get(value_get_slice(made, all->members[i].key), "identity");
        const char *name = value_is_unknown(w) ? NULL : platform_service_account(d->a, w);
        const struct value_member m = {slice_str(d->cloud->identity_annotation),
                                       identity ? identity : platform_unknown(d)};
        accounts->unsure |= !name || !value_is_known(ns);
        if (!accounts->unsure)
            put_account(d, accounts, value_cstr(ns, ""), name, value_object(d->a, &m, 1),
                        platform_attribute(d->a, "workloads",
                                           text_of_slice(d->a, all->members[i].key), NULL, NULL));
    }
}

/* The namespace's own account, unless a workload has it. */
static void add_account(struct platform_derivation *d, struct derived_map *accounts, const char *ns)
{
    const char *key = arena_printf(d->a, "%s.%s-sa", ns, ns);
    bool again = false;
    for (size_t i = 0; key && i < accounts->count; i++)
        again |= slice_eq_str(accounts->items[i].key, key);
    if (!again)
        put_account(d, accounts, ns, arena_printf(d->a, "%s-sa", ns), no_texts(d->a),
                    platform_attribute(d->a, "namespaces", ns, NULL, NULL));
}

/* ---- the device plugin ---- */

static bool has_gpus(struct platform_derivation *d, bool *known)
{
    struct platform_pools pools;
    bool any = false;
    platform_pools(d->a, d->cloud, d->config, &pools);
    *known = pools.known;
    for (size_t i = 0; i < pools.count; i++) {
        const struct platform_pool *p = &pools.items[i];
        *known &= p->known;
        /* Bottlerocket has the plugin in its image. */
        any |= p->gpu &&
               !(p->image_type && strncmp(value_cstr(p->image_type, ""), "BOTTLEROCKET", 12) == 0);
    }
    return any;
}

static void derive_device_plugin(struct platform_derivation *d)
{
    const struct value_member m[] = {{SLICE_LIT("image"), value_str(d->a, DEVICE_PLUGIN_IMAGE)}};
    if (!d->cloud->needs_device_plugin)
        return;
    bool known = true, any = has_gpus(d, &known);
    if (!known)
        platform_put(d, "device_plugin", platform_unknown(d));
    else
        platform_put(d, "device_plugin", any ? value_object(d->a, m, 1) : value_bool(d->a, false));
}

/* ---- the configuration, for an import ---- */

/* What says which cluster it is, and what the cluster itself says. */
static const char *const not_kept[] = {"name",     "cloud", "region", "kubernetes_version",
                                       "timeouts", NULL};

static void derive_configuration(struct platform_derivation *d)
{
    platform_put(d, "configuration",
                 settings_text(d->a, &schema_llm_platform_cluster, d->config, not_kept));
}

const struct value *platform_configuration_of(struct arena *a, const struct value *config,
                                              struct slice text, struct diags *diags)
{
    return settings_of(a, &schema_llm_platform_cluster, config, not_kept, text, diags);
}

/* ---- all of it ---- */

struct objects {
    struct derived_map namespaces, quotas, limits, configs, accounts, policies;
    struct rights rights;
};

/* The policy that denies by default, unless its types are an empty set. */
static void add_policy(struct platform_derivation *d, struct derived_map *policies,
                       const char *name, const struct value *deny)
{
    policies->unsure |= value_is_unknown(deny);
    if (!value_is_known(deny) || value_count(deny))
        derived_map_put(policies, name, policy_object(d, deny));
}

static void add_namespace(struct platform_derivation *d, struct objects *o, const char *name,
                          const struct value *ns)
{
    const struct value *quota = value_get(ns, "quota"), *range = value_get(ns, "limit_range"),
                       *config = value_get(ns, "config");
    derived_map_put(&o->namespaces, name, namespace_object(d, name, ns));
    if (has_members(quota, &o->quotas))
        derived_map_put(
            &o->quotas, name,
            named(d->a, arena_printf(d->a, "%s-quota", name), "hard", amounts_of(d->a, quota)));
    o->limits.unsure |= value_is_unknown(range);
    if (value_is_known(range))
        derived_map_put(&o->limits, name, limits_object(d, name, range));
    if (has_members(config, &o->configs))
        derived_map_put(&o->configs, name,
                        named(d->a, arena_printf(d->a, "%s-config", name), "data", config));
    add_account(d, &o->accounts, name);
    add_policy(d, &o->policies, name, value_get(ns, "default_deny"));
    add_rights(d, &o->rights, name, value_get(ns, "rbac"));
}

static void put_unknown(struct platform_derivation *d)
{
    static const char *const names[] = {"namespaces",  "resource_quotas",  "limit_ranges",
                                        "config_maps", "service_accounts", "network_policies",
                                        "kube_roles",  "role_bindings"};
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        platform_put(d, names[i], platform_unknown(d));
}

int platform_kubernetes_derive(struct platform_derivation *d)
{
    const struct value *all = platform_of(d, "namespaces");
    struct objects o = {{.a = d->a},
                        {.a = d->a},
                        {.a = d->a},
                        {.a = d->a},
                        {.a = d->a},
                        {.a = d->a},
                        {{.a = d->a}, {.a = d->a}}};
    bool known = !value_is_unknown(all);
    for (size_t i = 0; known && i < value_count(all); i++)
        known = !value_is_unknown(value_at(all, i));
    if (known)
        add_workload_accounts(d, &o.accounts);
    for (size_t i = 0; known && i < value_count(all); i++)
        add_namespace(d, &o, text_of_slice(d->a, all->members[i].key), value_at(all, i));
    if (known) {
        put_map(d, "namespaces", &o.namespaces);
        put_map(d, "resource_quotas", &o.quotas);
        put_map(d, "limit_ranges", &o.limits);
        put_map(d, "config_maps", &o.configs);
        put_map(d, "service_accounts", &o.accounts);
        put_map(d, "network_policies", &o.policies);
        put_map(d, "kube_roles", &o.rights.roles);
        put_map(d, "role_bindings", &o.rights.bindings);
    } else {
        put_unknown(d);
    }
    derive_access(d);
    derive_device_plugin(d);
    derive_configuration(d);
    return 0;
}

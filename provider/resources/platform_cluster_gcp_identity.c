/* Registries and identities of workloads on Google Cloud. */
#include "resources/platform_cluster_gcp.h"

#include <string.h>

enum { DAY_S = 86400, ROLES_MOST = 64 };

/* ---- registries ---- */

static const struct value *named_policy(struct arena *a, const char *id, const char *action,
                                        const char *member, const struct value *v)
{
    const struct value_member m[] = {{SLICE_LIT("id"), value_str(a, id)},
                                     {SLICE_LIT("action"), value_str(a, action)},
                                     {slice_str(member), v}};
    return v ? value_object(a, m, 3) : NULL;
}

static const struct value *tag_prefixes(struct platform_derivation *d)
{
    static const char *const usual[] = {"v", "sha-", "main", "develop", "dev-"};
    const struct value *given = platform_of(d, "registries.tag_prefixes"), *items[5];
    if (given)
        return given;
    for (size_t i = 0; i < 5; i++)
        items[i] = value_str(d->a, usual[i]);
    return value_list(d->a, &type_string, items, 5);
}

/* The newest tagged images stay; older ones with such tags go, and those without any tag. */
static const struct value *cleanup_policies(struct platform_derivation *d)
{
    struct arena *a = d->a;
    int64_t keep = value_int_or(platform_of(d, "registries.keep_tagged"), 15);
    int64_t days = value_int_or(platform_of(d, "registries.untagged_days"), 7);
    const struct value_member count = {SLICE_LIT("keepCount"), value_int(a, keep)};
    const struct value_member tagged[] = {{SLICE_LIT("tagState"), value_str(a, "TAGGED")},
                                          {SLICE_LIT("tagPrefixes"), tag_prefixes(d)}};
    const struct value_member untagged[] = {
        {SLICE_LIT("tagState"), value_str(a, "UNTAGGED")},
        {SLICE_LIT("olderThan"), value_printf(a, "%llds", (long long)days * DAY_S)}};
    const struct value_member m[] = {
        {SLICE_LIT("delete-tagged"),
         named_policy(a, "delete-tagged", "DELETE", "condition", value_object(a, tagged, 2))},
        {SLICE_LIT("delete-untagged"),
         named_policy(a, "delete-untagged", "DELETE", "condition", value_object(a, untagged, 2))},
        {SLICE_LIT("keep-newest"),
         named_policy(a, "keep-newest", "KEEP", "mostRecentVersions", value_object(a, &count, 1))}};
    return m[0].value && m[1].value && m[2].value ? value_object(a, m, 3) : NULL;
}

static const struct value *registries(struct platform_derivation *d, const struct value *names)
{
    size_t count = value_count(names);
    struct value_member *m = arena_new_array(d->a, count + 1, struct value_member);
    for (size_t i = 0; m && i < count; i++) {
        m[i] = (struct value_member){value_slice(value_at(names, i)), value_object(d->a, NULL, 0)};
        if (!m[i].value)
            return NULL;
    }
    return m ? value_object(d->a, m, count) : NULL;
}

void platform_gcp_derive_registries(struct platform_derivation *d)
{
    const struct value *all = platform_of(d, "registries"),
                       *names = platform_of(d, "registries.names"),
                       *scan = platform_of(d, "registries.scan_on_push");
    bool known = !names || value_is_wholly_known(names);
    bool off = value_is_known(scan) && !value_true(scan);
    platform_put(d, "registries", known ? registries(d, names) : platform_unknown(d));
    platform_put(d, "cleanup_policies",
                 all && !value_is_wholly_known(all) ? platform_unknown(d) : cleanup_policies(d));
    platform_put(d, "scanning",
                 value_is_unknown(scan) ? platform_unknown(d)
                                        : value_str(d->a, off ? "DISABLED" : "INHERITED"));
}

/* ---- workloads ---- */

struct workload {
    const char *key, *account_id;
    const struct value *config;
};

/* "projects/p" is part of an account's address; of a project in a domain ("example.com:p") turned
 * round. */
static const char *email_of(struct arena *a, const char *account_id, const char *project)
{
    const char *colon = strchr(project, ':');
    return colon ? arena_printf(a, "%s@%s.%.*s.iam.gserviceaccount.com", account_id, colon + 1,
                                (int)(colon - project), project)
                 : arena_printf(a, "%s@%s.iam.gserviceaccount.com", account_id, project);
}

static struct workload workload_at(struct platform_derivation *d, const struct value *all, size_t i)
{
    const char *key = all->members[i].key.ptr;
    const char *base = platform_gcp_base(d->a, d->name, d->c->region);
    const char *full = base ? arena_printf(d->a, "%s/workloads/%s", base, key) : NULL;
    return (struct workload){key, full ? gcp_account_id(d->a, key, full) : NULL, value_at(all, i)};
}

static const struct value *workload_object(struct platform_derivation *d, const struct workload *w)
{
    const struct value *ns = value_get(w->config, "namespace");
    const char *account = platform_service_account(d->a, w->config);
    bool has_project = platform_gcp_has_account(d->c);
    bool known = account && value_is_known(ns) && has_project;
    const char *email = has_project ? email_of(d->a, w->account_id, d->c->account) : NULL;
    const struct value_member m[] = {
        {SLICE_LIT("account_id"), value_str(d->a, w->account_id)},
        {SLICE_LIT("identity"), has_project ? value_str(d->a, email) : platform_unknown(d)},
        {SLICE_LIT("member"), known ? value_printf(d->a, "serviceAccount:%s.svc.id.goog[%s/%s]",
                                                   d->c->account, value_cstr(ns, ""), account)
                                    : platform_unknown(d)}};
    return value_object(d->a, m, 3);
}

/* The roles of a workload; one that is named twice has one binding, by its key. */
static size_t roles_of(const struct value *w, const char **ret)
{
    const struct value *policies = value_get(w, "policies");
    size_t count = 0;
    if (value_count(value_get(w, "invoke_endpoints")))
        ret[count++] = "roles/aiplatform.user";
    if (value_true(value_get(w, "metrics"))) {
        ret[count++] = "roles/monitoring.metricWriter";
        ret[count++] = "roles/logging.logWriter";
    }
    for (size_t i = 0; i < value_count(policies) && count < ROLES_MOST; i++)
        ret[count++] = value_cstr(value_at(policies, i), "");
    return count;
}

/* "quant-api.aiplatform.user": a role has at most one binding for each workload. */
static const char *role_key(struct arena *a, const char *workload, const char *role)
{
    const char *name = strncmp(role, "roles/", 6) == 0 ? role + 6 : role;
    char *key = arena_printf(a, "%s.%s", workload, name);
    for (char *p = key; p && *p; p++)
        if (*p == '/')
            *p = '.';
    return key;
}

static int add_roles(struct platform_derivation *d, const struct workload *w,
                     struct value_member *ret, size_t *count)
{
    const char *roles[ROLES_MOST];
    size_t n = roles_of(w->config, roles);
    const char *email = email_of(d->a, w->account_id, d->c->account);
    for (size_t i = 0; i < n; i++) {
        const struct value_member m[] = {
            {SLICE_LIT("role"), value_str(d->a, roles[i])},
            {SLICE_LIT("member"), value_printf(d->a, "serviceAccount:%s", email ? email : "")},
            {SLICE_LIT("workload"), value_str(d->a, w->key)}};
        const char *key = role_key(d->a, w->key, roles[i]);
        if (!email || !key || !(ret[*count].value = value_object(d->a, m, 3)))
            return -1;
        ret[(*count)++].key = slice_str(key);
    }
    return 0;
}

static bool roles_known(const struct value *w)
{
    static const char *const names[] = {"invoke_endpoints", "metrics", "policies"};
    for (size_t i = 0; i < 3; i++)
        if (value_get(w, names[i]) && !value_is_wholly_known(value_get(w, names[i])))
            return false;
    return true;
}

static void put_workloads(struct platform_derivation *d, const struct value *all)
{
    size_t count = value_count(all), role_count = 0;
    struct value_member *m = arena_new_array(d->a, count + 1, struct value_member),
                        *roles = arena_new_array(d->a, count * ROLES_MOST + 1, struct value_member);
    bool known = platform_gcp_has_account(d->c), failed = !m || !roles;
    for (size_t i = 0; i < count && !failed; i++) {
        struct workload w = workload_at(d, all, i);
        m[i] =
            (struct value_member){slice_str(w.key), w.account_id ? workload_object(d, &w) : NULL};
        known &= roles_known(w.config);
        failed = !m[i].value || (known && add_roles(d, &w, roles, &role_count) < 0);
    }
    platform_put(d, "workloads", failed ? NULL : value_object(d->a, m, count));
    platform_put(d, "workload_roles",
                 failed  ? NULL
                 : known ? value_object(d->a, roles, role_count)
                         : platform_unknown(d));
}

void platform_gcp_derive_workloads(struct platform_derivation *d)
{
    const struct value *all = platform_of(d, "workloads");
    bool known = d->name && d->c->region && !value_is_unknown(all);
    for (size_t i = 0; known && i < value_count(all); i++)
        known = !value_is_unknown(value_at(all, i));
    if (known) {
        put_workloads(d, all);
        return;
    }
    platform_put(d, "workloads", platform_unknown(d));
    platform_put(d, "workload_roles", platform_unknown(d));
}

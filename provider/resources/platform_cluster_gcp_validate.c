/* Checks of a platform's configuration that hold on Google Cloud. */
#include "resources/platform_cluster_gcp.h"

#include <stdlib.h>
#include <string.h>

#include "schema/validators.h"

enum { NAME_MOST = 63, RETENTION_MOST = 3650, SURGE_MOST = 20, NODE_PREFIX = 24 };

/* ---- names ---- */

const char *platform_gcp_base(struct arena *a, const char *name, const char *region)
{
    return name && region ? arena_printf(a, "llm-k8s-%s-%s", name, region) : NULL;
}

const char *platform_gcp_registry(struct arena *a, const char *name, struct slice registry)
{
    return arena_printf(a, "%s-%.*s", name, (int)registry.len, registry.ptr);
}

static int check_names(struct arena *a, const struct value *config, struct diags *diags)
{
    const char *name = value_cstr(config_get(config, "name"), NULL),
               *region = value_cstr(config_get(config, "region"), NULL);
    return name && region ? config_check_name_length(a, platform_gcp_base(a, name, region),
                                                     NAME_MOST, "network", diags)
                          : 0;
}

/* ---- machines ---- */

/* "TYPE+ACCELERATOR:COUNT". */
static bool take_attached(struct arena *a, char *text, struct platform_gcp_machine *ret)
{
    char *plus = strchr(text, '+'), *colon = plus ? strchr(plus, ':') : NULL, *end = NULL;
    if (!plus)
        return true;
    size_t len = colon ? (size_t)(colon - plus - 1) : strlen(plus + 1);
    ret->count = colon ? strtol(colon + 1, &end, 10) : 1;
    ret->accelerator = arena_strndup(a, plus + 1, len);
    ret->attached = true;
    *plus = '\0';
    return *text && ret->accelerator && len && ret->count >= 1 && ret->count <= 16 &&
           (!end || !*end);
}

bool platform_gcp_machine(struct arena *a, struct slice text, struct platform_gcp_machine *ret)
{
    const struct catalog_machine *m = catalog_machine("gcp", text);
    char *copy = arena_strndup(a, text.ptr, text.len);
    *ret = (struct platform_gcp_machine){.type = copy};
    if (m)
        *ret = (struct platform_gcp_machine){m->machine_type, m->accelerator, m->gpu_count,
                                             m->attached};
    return m || (copy && text.len && take_attached(a, copy, ret));
}

/* "Accelerator-optimized machine family": what has GPUs built in. */
bool platform_gcp_has_gpu(struct slice machine_type)
{
    static const char *const series[] = {"a2-", "a3-", "a4-", "a4x-", "g2-", "g4-"};
    bool has = catalog_machine("gcp", machine_type) ||
               (machine_type.len && memchr(machine_type.ptr, '+', machine_type.len));
    for (size_t i = 0; i < sizeof(series) / sizeof(*series); i++)
        has |= slice_has_prefix(machine_type, series[i]);
    return has;
}

static int check_machine(struct arena *a, const struct platform_pool *p, const struct path *at,
                         struct diags *diags)
{
    const struct path *types = path_attribute(a, at, "machine_types");
    struct slice text = value_slice(value_at(p->machine_types, 0));
    struct platform_gcp_machine m;
    if (value_count(p->machine_types) > 1)
        return diags_error(diags, types, "One machine type is possible",
                           "All nodes of a pool on Google Cloud are of one machine type: make a "
                           "pool for each.");
    if (!platform_gcp_machine(a, text, &m) || strchr(m.type, '.') || !strchr(m.type, '-'))
        return diags_error(diags, path_index(a, types, 0), "Invalid machine type",
                           "\"%.*s\" is no machine type; GPUs to attach are named like "
                           "n1-standard-8+nvidia-tesla-t4:1.",
                           (int)text.len, text.ptr);
    if (!p->gpu || m.accelerator || !platform_gcp_has_gpu(text))
        return 0;
    const char *near = catalog_nearest_machine(a, "gcp", text);
    return diags_error(diags, path_index(a, types, 0), "Unknown GPU machine",
                       "The catalogue does not know which GPUs %.*s has.%s%s%s", (int)text.len,
                       text.ptr, near ? " Did you mean " : "", near ? near : "", near ? "?" : "");
}

/* ---- pools ---- */

static int check_image(struct arena *a, const struct platform_pool *p, const struct path *at,
                       struct diags *diags)
{
    const char *type = value_cstr(p->image_type, NULL);
    if (!type || strcasecmp(type, "COS_CONTAINERD") == 0 ||
        strcasecmp(type, "UBUNTU_CONTAINERD") == 0)
        return 0;
    return diags_error(diags, path_attribute(a, at, "image_type"), "Unknown image type",
                       "\"%s\" is none of GKE's for Linux: COS_CONTAINERD, UBUNTU_CONTAINERD.",
                       type);
}

static int check_pool(struct arena *a, const struct platform_pool *p, struct diags *diags)
{
    const struct path *at = path_key(a, path_attribute(a, NULL, "node_pools"), p->name);
    int64_t surge = p->gpu ? 0 : 1;
    int rc = 0;
    if (p->name.len && p->name.ptr[0] >= '0' && p->name.ptr[0] <= '9')
        rc = diags_error(diags, at, "Invalid name",
                         "On Google Cloud, the name of a pool starts with a letter.");
    if (p->max_unavailable + surge > SURGE_MOST)
        rc = diags_error(diags, path_attribute(a, at, "max_unavailable"), "Too many nodes at once",
                         "GKE updates at most %d nodes at once: set at most %lld.", SURGE_MOST,
                         (long long)(SURGE_MOST - surge));
    if (p->known && (check_machine(a, p, at, diags) < 0 || check_image(a, p, at, diags) < 0))
        rc = -1;
    return rc;
}

static int check_pools(struct arena *a, const struct value *config, struct diags *diags)
{
    struct platform_pools pools;
    int rc = 0;
    platform_pools(a, &platform_gcp, config, &pools);
    for (size_t i = 0; i < pools.count; i++)
        if (pools.items[i].config && check_pool(a, &pools.items[i], diags) < 0)
            rc = -1;
    return rc;
}

/* ---- network ---- */

static int check_subnetwork(struct arena *a, const struct value *config, struct diags *diags)
{
    const struct value *ids = config_get(config, "network.private_subnet_ids");
    const struct path *path = path_parse(a, "network.private_subnet_ids");
    if (value_count(ids) > 1)
        return diags_error(diags, path, "One subnetwork is enough",
                           "A subnetwork of Google Cloud is of the whole region: name one.");
    return gcp_check_subnetwork(a, value_count(ids) ? value_at(ids, 0) : NULL,
                                path_index(a, path, 0), value_slice(config_get(config, "region")),
                                "cluster", diags);
}

/* An existing subnetwork has its ranges already; one that is made has none before. */
static int check_existing(struct arena *a, const struct value *config, struct diags *diags)
{
    static const char *const made[] = {"network.pods_cidr", "network.services_cidr"},
                             *const used[] = {"network.pods_range_name",
                                              "network.services_range_name"};
    const struct value *id = config_get(config, "network.vpc_id");
    int rc = 0;
    if (value_is_unknown(id))
        return 0;
    for (size_t i = 0; i < 2; i++) {
        if (id && value_is_known(config_get(config, made[i])))
            rc = diags_error(diags, path_parse(a, made[i]), "The subnetwork has its ranges",
                             "Of an existing network, name the secondary ranges: `%s`.", used[i]);
        if (id && !config_get(config, used[i]))
            rc = diags_error(diags, path_parse(a, used[i]), "Missing range",
                             "With an existing network, name the subnetwork's secondary range for "
                             "%s.",
                             i ? "services" : "pods");
        if (!id && value_is_known(config_get(config, used[i])))
            rc = diags_error(diags, path_parse(a, used[i]), "Not with a network that is made",
                             "It names a range of an existing subnetwork (`network.vpc_id`).");
    }
    return rc;
}

static int check_region(struct arena *a, const struct value *config, struct diags *diags)
{
    const char *region = value_cstr(config_get(config, "region"), NULL);
    if (gcp_check_region(a, config, diags) < 0)
        return -1;
    return config_check_zones(a, config, "network.zone_names", region, gcp_is_zone_of, "-a", diags);
}

/* Each node gets a /24 of the pods' range ("About flexible Pod CIDRs": 110 pods a node). */
static int warn_of_pods_range(struct arena *a, const struct value *config, struct diags *diags)
{
    const struct value *cidr = config_get(config, "network.pods_cidr");
    struct slice range = cidr ? value_slice(cidr) : slice_str(platform_gcp.pods_cidr);
    uint32_t address = 0;
    int prefix = 0;
    bool known = cidr_parse(range, &address, &prefix) == 0 && prefix <= NODE_PREFIX;
    int64_t nodes = 0, most = known ? (int64_t)1 << (NODE_PREFIX - prefix) : 0;
    struct platform_pools pools;
    platform_pools(a, &platform_gcp, config, &pools);
    for (size_t i = 0; i < pools.count; i++)
        nodes += pools.items[i].max;
    if (known && !config_get(config, "network.vpc_id") && nodes > most)
        diags_warning(
            diags, path_parse(a, "network.pods_cidr"), "Fewer nodes than the pools allow",
            "The pods' range %.*s has room for %lld nodes (a /%d each), and the pools may "
            "have %lld together.",
            (int)range.len, range.ptr, (long long)most, NODE_PREFIX, (long long)nodes);
    return 0;
}

/* ---- what belongs to another cloud ---- */

static int check_foreign(struct arena *a, const struct value *config, struct diags *diags)
{
    static const char *const others[][2] = {
        {"network.public_subnet_ids",
         "Load balancers of Google Cloud need no subnetwork of their own."},
        {"access.groups",
         "Name users in `rbac` as user:EMAIL; groups there are Google Groups, where "
         "Google Groups for RBAC is set up."},
    };
    const struct value *private = config_get(config, "endpoint.private"),
                       *logs = config_get(config, "observability.cluster_logs");
    int rc = config_refuse(a, config, "Google Cloud", others, 2, diags);
    if (value_is_known(private) && !value_true(private))
        rc = diags_error(diags, path_parse(a, "endpoint.private"), "Always so on this cloud",
                         "Nodes always reach the control plane inside the network.");
    if (value_has_text(logs, "authenticator"))
        rc = diags_error(diags, path_parse(a, "observability.cluster_logs"), "Not on this cloud",
                         "GKE has no log `authenticator`: who signs in is in the audit logs.");
    return rc;
}

/* ---- forms ---- */

static int check_forms(struct arena *a, const struct value *config, struct diags *diags)
{
    static const struct {
        const char *path, *middle, *what;
        bool shortly;
    } forms[] = {
        {"network.vpc_id", "global/networks",
         "a network: its name, or projects/…/global/networks/…", true},
        {"encryption.kms_key", "locations/*/keyRings/*/cryptoKeys",
         "a Cloud KMS key: projects/…/locations/…/keyRings/…/cryptoKeys/…", false},
        {"registries.kms_key", "locations/*/keyRings/*/cryptoKeys",
         "a Cloud KMS key: projects/…/locations/…/keyRings/…/cryptoKeys/…", false},
    };
    int rc = 0;
    for (size_t i = 0; i < sizeof(forms) / sizeof(*forms); i++) {
        struct slice s = value_slice(config_get(config, forms[i].path));
        if (s.len && !gcp_is_resource(a, s, forms[i].middle, forms[i].shortly))
            rc = diags_error(diags, path_parse(a, forms[i].path), "Invalid value",
                             "\"%.*s\" is not %s.", (int)s.len, s.ptr, forms[i].what);
    }
    return rc;
}

static bool is_email(struct arena *a, struct slice s)
{
    const char *text = arena_strndup(a, s.ptr, s.len);
    const char *at = text ? strchr(text, '@') : NULL;
    return at && at > text && strchr(at, '.') && !strpbrk(text, ": /") && !strchr(at + 1, '@');
}

static bool is_role(struct arena *a, struct slice s)
{
    const char *text = arena_strndup(a, s.ptr, s.len);
    bool own = slice_has_prefix(s, "projects/") || slice_has_prefix(s, "organizations/");
    const char *middle = text && own ? strstr(text, "/roles/") : NULL;
    return text && ((slice_has_prefix(s, "roles/") && s.len > 6 && !strchr(text + 6, '/')) ||
                    (middle && middle[7] && !strchr(middle + 7, '/')));
}

static bool is_channel(struct arena *a, struct slice s)
{
    return gcp_is_resource(a, s, "notificationChannels", false);
}

/* Each member of a set is of a form. */
static int check_members(struct arena *a, const struct value *set, const struct path *at,
                         bool (*fits)(struct arena *, struct slice), const char *what,
                         struct diags *diags)
{
    int rc = 0;
    for (size_t i = 0; i < value_count(set); i++) {
        struct slice s = value_slice(value_at(set, i));
        if (s.len && !fits(a, s))
            rc = diags_error(diags, at, "Invalid value", "On Google Cloud, \"%.*s\" is not %s.",
                             (int)s.len, s.ptr, what);
    }
    return rc;
}

static int check_access(struct arena *a, const struct value *config, struct diags *diags)
{
    static const char *const who[] = {"access.admins", "access.viewers"};
    const char *actions = "observability.alarms.actions";
    int rc = check_members(a, config_get(config, actions), path_parse(a, actions), is_channel,
                           "a notification channel: projects/…/notificationChannels/…", diags);
    for (size_t i = 0; i < 2; i++)
        if (check_members(a, config_get(config, who[i]), path_parse(a, who[i]), is_email,
                          "the e-mail address of a user or service account", diags) < 0)
            rc = -1;
    return rc;
}

static int check_workloads(struct arena *a, const struct value *config, struct diags *diags)
{
    const struct value *all = config_get(config, "workloads");
    int rc = 0;
    for (size_t i = 0; i < value_count(all); i++) {
        const struct path *at =
            path_key(a, path_attribute(a, NULL, "workloads"), all->members[i].key);
        if (check_members(a, config_get(value_at(all, i), "policies"),
                          path_attribute(a, at, "policies"), is_role,
                          "a role: roles/…, or projects/…/roles/… of your own", diags) < 0)
            rc = -1;
    }
    return rc;
}

static int check_retention(struct arena *a, const struct value *config, struct diags *diags)
{
    const char *path = "observability.retention_days";
    if (value_int_or(config_get(config, path), 1) <= RETENTION_MOST)
        return 0;
    return diags_error(diags, path_parse(a, path), "Cloud Logging has no such retention",
                       "At most %d days are allowed.", RETENTION_MOST);
}

static bool is_ascii(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if ((unsigned char)s.ptr[i] > 0x7f)
            return false;
    return true;
}

/* Cloud Monitoring's labels are of fewer letters than others (AlertPolicy.userLabels). */
static int check_labels(struct arena *a, const struct value *config, struct diags *diags)
{
    const struct value *tags = config_get(config, "tags");
    int rc = gcp_check_labels(a, config, diags);
    for (size_t i = 0; rc == 0 && i < value_count(tags); i++) {
        struct slice key = tags->members[i].key, text = value_slice(value_at(tags, i));
        if (!is_ascii(key) || !is_ascii(text))
            rc = diags_error(diags, path_key(a, path_attribute(a, NULL, "tags"), key),
                             "Invalid label",
                             "Labels of dashboards and alarms have only the letters a to z, "
                             "digits, '_' and '-': \"%.*s\" = \"%.*s\" is none.",
                             (int)key.len, key.ptr, (int)text.len, text.ptr);
    }
    return rc;
}

int platform_gcp_validate(struct arena *a, const struct value *config, struct diags *diags)
{
    static int (*const checks[])(struct arena *, const struct value *, struct diags *) = {
        check_foreign,   check_forms,     check_names,      check_region,
        check_existing,  check_pools,     check_subnetwork, check_access,
        check_workloads, check_retention, check_labels,     warn_of_pods_range};
    int rc = 0;
    for (size_t i = 0; i < sizeof(checks) / sizeof(*checks); i++)
        if (checks[i](a, config, diags) < 0)
            rc = -1;
    return rc;
}

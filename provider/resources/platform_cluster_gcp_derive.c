/* What a platform's components on Google Cloud need and its configuration does not say as such. */
#include "resources/platform_cluster_gcp.h"

#include <string.h>

enum { RETENTION_DAYS = 30, CPU_PERCENT = 85 };

bool platform_gcp_has_account(const struct composite_context *c)
{
    return c->account && *c->account;
}

/* Only plans and applies have the configuration as it was written. */
bool platform_gcp_may_ask(const struct composite_context *c)
{
    return c->online && c->region && c->secrets && platform_gcp_has_account(c);
}

static bool is_placed(const struct platform_derivation *d)
{
    return d->name && d->c->region;
}

/* A text, its default, or unknown. */
static const struct value *text_of(struct platform_derivation *d, const char *path,
                                   const char *otherwise)
{
    const struct value *v = platform_of(d, path);
    return value_is_unknown(v) ? platform_unknown(d) : value_str(d->a, value_cstr(v, otherwise));
}

static const struct value *flag_of(struct platform_derivation *d, const char *path, bool otherwise)
{
    const struct value *v = platform_of(d, path);
    return value_is_unknown(v) ? platform_unknown(d)
                               : value_bool(d->a, v ? value_true(v) : otherwise);
}

/* ---- network ---- */

/* The resource name of a network or subnetwork that the user names; unknown until the project is.
 */
static const struct value *existing(struct platform_derivation *d, const struct value *given,
                                    const char *parent)
{
    if (!config_is_set(given))
        return value_null(d->a, &type_string);
    if (value_is_unknown(given) || !platform_gcp_has_account(d->c) || !d->c->region)
        return platform_unknown(d);
    const char *under = arena_printf(d->a, "projects/%s/%s", d->c->account, parent);
    return value_str(d->a, gcp_full_name(d->a, value_slice(given), under));
}

static const struct value *range(struct platform_derivation *d, const char *name, const char *path,
                                 const char *otherwise)
{
    const struct value_member m[] = {{SLICE_LIT("rangeName"), value_str(d->a, name)},
                                     {SLICE_LIT("ipCidrRange"), text_of(d, path, otherwise)}};
    return value_object(d->a, m, 2);
}

static void derive_ranges(struct platform_derivation *d)
{
    const struct value *const ranges[] = {
        range(d, "pods", "network.pods_cidr", PLATFORM_GCP_PODS_CIDR),
        range(d, "services", "network.services_cidr", PLATFORM_GCP_SERVICES_CIDR)};
    platform_put(d, "network_cidr", text_of(d, "network.cidr", PLATFORM_GCP_CIDR));
    platform_put(d, "secondary_ranges",
                 ranges[0] && ranges[1] ? value_tuple(d->a, ranges, 2) : NULL);
    platform_put(d, "pods_range", text_of(d, "network.pods_range_name", "pods"));
    platform_put(d, "services_range", text_of(d, "network.services_range_name", "services"));
}

static const struct value *make_nat(struct platform_derivation *d)
{
    const struct value *id = platform_of(d, "network.vpc_id"), *nat = platform_of(d, "network.nat");
    if (value_is_unknown(id) || (!id && value_is_unknown(nat)))
        return platform_unknown(d);
    return value_bool(d->a, !id && strcmp(value_cstr(nat, ""), "none") != 0);
}

static void derive_network(struct platform_derivation *d)
{
    const struct value *id = platform_of(d, "network.vpc_id"),
                       *subnets = platform_of(d, "network.private_subnet_ids");
    const char *parent =
        arena_printf(d->a, "regions/%s/subnetworks", d->c->region ? d->c->region : "");
    platform_put(d, "make_network",
                 value_is_unknown(id) ? platform_unknown(d) : value_bool(d->a, !id));
    platform_put(d, "make_nat", make_nat(d));
    platform_put(d, "network", existing(d, id, "global/networks"));
    platform_put(d, "subnetwork",
                 value_is_unknown(subnets)
                     ? platform_unknown(d)
                     : existing(d, value_count(subnets) ? value_at(subnets, 0) : NULL, parent));
    derive_ranges(d);
}

/* ---- names ---- */

static const struct value *names_object(struct platform_derivation *d)
{
    const char *base = platform_gcp_base(d->a, d->name, d->c->region);
    const char *nodes = base ? arena_printf(d->a, "%s/nodes", base) : NULL;
    const struct value_member m[] = {
        {SLICE_LIT("base"), value_str(d->a, base)},
        {SLICE_LIT("nodes"), value_str(d->a, nodes ? gcp_account_id(d->a, d->name, nodes) : NULL)}};
    return nodes ? value_object(d->a, m, 2) : NULL;
}

static void derive_names(struct platform_derivation *d)
{
    bool known = is_placed(d);
    platform_put(d, "names", known ? names_object(d) : platform_unknown(d));
    platform_put(d, "cluster_name", d->name ? value_str(d->a, d->name) : platform_unknown(d));
    platform_put(d, "region", d->c->region ? value_str(d->a, d->c->region) : platform_unknown(d));
    platform_put(d, "dashboard_title",
                 known ? value_printf(d->a, "%s (%s)", d->name, d->c->region)
                       : platform_unknown(d));
    platform_put(d, "workload_pool",
                 platform_gcp_has_account(d->c)
                     ? value_printf(d->a, "%s.svc.id.goog", d->c->account)
                     : platform_unknown(d));
    platform_put(
        d, "log_filter",
        known ? value_printf(d->a,
                             "resource.type=(\"k8s_cluster\" OR \"k8s_container\" OR "
                             "\"k8s_control_plane_component\" OR \"k8s_node\" OR \"k8s_pod\" OR "
                             "\"gke_cluster\" OR \"gke_nodepool\") AND "
                             "resource.labels.cluster_name=\"%s\" AND "
                             "resource.labels.location=\"%s\"",
                             d->name, d->c->region)
              : platform_unknown(d));
}

/* ---- version ---- */

const char *platform_gcp_minor(struct arena *a, const char *version)
{
    const char *dot = version ? strchr(version, '.') : NULL;
    size_t minor = dot ? strspn(dot + 1, "0123456789") : 0;
    return minor ? arena_strndup(a, version, (size_t)(dot - version) + 1 + minor) : NULL;
}

const struct value *platform_gcp_version(struct platform_derivation *d, const char *current)
{
    /* What is planned may be carried over from the state; what is written is what is asked for. */
    const struct value *asked = value_get(d->c->secrets, "kubernetes_version");
    const char *minor = platform_gcp_minor(d->a, current);
    if (value_is_unknown(asked))
        return platform_unknown(d);
    if (!value_is_known(asked) || (minor && slice_eq_str(value_slice(asked), minor)))
        return value_null(d->a, &type_string);
    return asked;
}

/* ---- the cluster ---- */

static const struct value *network_entry(struct arena *a, const struct value *cidr)
{
    const struct value_member m = {SLICE_LIT("cidrBlock"), cidr};
    return value_object(a, &m, 1);
}

static const struct value *authorized_networks(struct platform_derivation *d,
                                               const struct value *cidrs)
{
    size_t count = value_count(cidrs);
    const struct value **items = arena_new_array(d->a, count + 1, const struct value *);
    for (size_t i = 0; items && i < count; i++)
        if (!(items[i] = network_entry(d->a, value_at(cidrs, i))))
            return NULL;
    return items ? value_tuple(d->a, items, count) : NULL;
}

static void derive_endpoint(struct platform_derivation *d)
{
    const struct value *cidrs = platform_of(d, "endpoint.public_cidrs");
    bool known = !cidrs || value_is_wholly_known(cidrs);
    platform_put(d, "public_endpoint", flag_of(d, "endpoint.public", true));
    platform_put(d, "authorized_networks",
                 known ? authorized_networks(d, cidrs) : platform_unknown(d));
    platform_put(d, "authorized_networks_only",
                 value_is_unknown(cidrs) ? platform_unknown(d) : value_bool(d->a, cidrs));
}

/* GKE's own and the workloads' logs, and those of the control plane that are asked for; audit logs
 * are always written. */
static const struct value *logging_components(struct platform_derivation *d,
                                              const struct value *asked)
{
    static const char *const names[][2] = {{"api", "APISERVER"},
                                           {"controllerManager", "CONTROLLER_MANAGER"},
                                           {"scheduler", "SCHEDULER"}};
    const struct value *items[5] = {value_str(d->a, "SYSTEM_COMPONENTS"),
                                    value_str(d->a, "WORKLOADS")};
    size_t count = 2;
    for (size_t i = 0; i < 3; i++)
        if (!asked || value_has_text(asked, names[i][0]))
            items[count++] = value_str(d->a, names[i][1]);
    return value_tuple(d->a, items, count);
}

static const struct value *monitoring_components(struct platform_derivation *d, bool gpus)
{
    const struct value *items[] = {value_str(d->a, "SYSTEM_COMPONENTS"), value_str(d->a, "DCGM")};
    return value_tuple(d->a, items, gpus ? 2 : 1);
}

static void derive_cluster(struct platform_derivation *d)
{
    const struct value *logs = platform_of(d, "observability.cluster_logs"),
                       *gpus = platform_of(d, "observability.gpu_metrics"),
                       *key = platform_of(d, "encryption.kms_key");
    platform_put(d, "version",
                 platform_gcp_version(d, platform_recorded(d->c, "cluster", "current_version")));
    platform_put(d, "release_channel", text_of(d, "release_channel", "REGULAR"));
    platform_put(d, "logging_components",
                 logs && !value_is_wholly_known(logs) ? platform_unknown(d)
                                                      : logging_components(d, logs));
    platform_put(d, "monitoring_components",
                 value_is_unknown(gpus) ? platform_unknown(d)
                                        : monitoring_components(d, value_true(gpus)));
    platform_put(d, "encryption_state",
                 value_is_unknown(key) ? platform_unknown(d)
                                       : value_str(d->a, key ? "ENCRYPTED" : "DECRYPTED"));
    derive_endpoint(d);
}

/* ---- dashboard and alarms ---- */

static const struct value *cpu_alarm(struct platform_derivation *d, const struct platform_pool *p,
                                     int64_t percent)
{
    const char *key = platform_pool_key(d->a, p);
    int len = (int)p->name.len;
    const struct value_member m[] = {
        {SLICE_LIT("filter"),
         value_printf(d->a,
                      "metric.type=\"kubernetes.io/node/cpu/allocatable_utilization\" AND "
                      "resource.type=\"k8s_node\" AND resource.labels.cluster_name=\"%s\" AND "
                      "resource.labels.location=\"%s\" AND "
                      "metadata.user_labels.\"cloud.google.com/gke-nodepool\"=\"%s\"",
                      d->name, d->c->region, key ? key : "")},
        {SLICE_LIT("text"),
         value_printf(d->a,
                      "The nodes of the pool %.*s have used more than %lld%% of their processors "
                      "for 15 minutes: raise `max`, or choose larger machines.",
                      len, p->name.ptr, (long long)percent)}};
    return key ? value_object(d->a, m, 2) : NULL;
}

static const struct value *cpu_alarms(struct platform_derivation *d, int64_t percent)
{
    struct platform_pools pools;
    struct value_member m[PLATFORM_POOLS_MOST];
    platform_pools(d->a, d->cloud, d->config, &pools);
    for (size_t i = 0; i < pools.count; i++) {
        if (!pools.known || !pools.items[i].known)
            return platform_unknown(d);
        m[i] = (struct value_member){pools.items[i].name, cpu_alarm(d, &pools.items[i], percent)};
        if (!m[i].value)
            return NULL;
    }
    return pools.known ? value_object(d->a, m, pools.count) : platform_unknown(d);
}

static const struct value *nat_alarm(struct platform_derivation *d)
{
    const char *base = platform_gcp_base(d->a, d->name, d->c->region);
    const struct value_member m[] = {
        {SLICE_LIT("title"), value_printf(d->a, "%s (%s): Cloud NAT", d->name, d->c->region)},
        {SLICE_LIT("filter"),
         value_printf(d->a,
                      "metric.type=\"router.googleapis.com/nat/dropped_sent_packets_count\" AND "
                      "resource.type=\"nat_gateway\" AND resource.labels.gateway_name=\"%s\" AND "
                      "resource.labels.region=\"%s\" AND metric.labels.reason=\"OUT_OF_RESOURCES\"",
                      base ? base : "", d->c->region)},
        {SLICE_LIT("text"), value_str(d->a, "Cloud NAT has no ports left, and drops packets.")}};
    return base ? value_object(d->a, m, 3) : NULL;
}

static void derive_alarms(struct platform_derivation *d)
{
    const struct value *alarms = platform_of(d, "observability.alarms"),
                       *percent = platform_of(d, "observability.alarms.node_cpu_percent"),
                       *channels = platform_of(d, "observability.alarms.actions"),
                       *nat = make_nat(d);
    bool unsure = value_is_unknown(alarms) || value_is_unknown(percent) || !is_placed(d);
    int64_t n = value_int_or(percent, CPU_PERCENT);
    const struct number *part = number_parse(
        d->a, slice_str(arena_printf(d->a, "%lld.%02lld", (long long)n / 100, (long long)n % 100)));
    platform_put(d, "cpu_alarms",
                 !alarms  ? value_object(d->a, NULL, 0)
                 : unsure ? platform_unknown(d)
                          : cpu_alarms(d, n));
    platform_put(d, "nat_alarm",
                 !alarms                           ? value_bool(d->a, false)
                 : unsure || value_is_unknown(nat) ? platform_unknown(d)
                 : value_true(nat)                 ? nat_alarm(d)
                                                   : value_bool(d->a, false));
    platform_put(d, "alarm_cpu",
                 unsure ? platform_unknown(d)
                 : part ? value_number(d->a, part)
                        : NULL);
    platform_put(d, "alarm_channels",
                 value_is_unknown(channels) ? platform_unknown(d)
                 : channels                 ? channels
                                            : value_tuple(d->a, NULL, 0));
}

static void derive_observability(struct platform_derivation *d)
{
    const struct value *days = platform_of(d, "observability.retention_days");
    platform_put(d, "retention_days",
                 value_is_unknown(days) ? platform_unknown(d)
                                        : value_int(d->a, value_int_or(days, RETENTION_DAYS)));
    platform_put(d, "make_dashboard", flag_of(d, "observability.dashboard", true));
    derive_alarms(d);
}

/* ---- the hook ---- */

/* Zones are of the region, also when that comes from the provider's settings. */
static int check_region(struct platform_derivation *d)
{
    return config_check_zones(d->a, d->config, "network.zone_names", d->c->region, gcp_is_zone_of,
                              "-a", d->c->diags);
}

int platform_gcp_derive(struct platform_derivation *d)
{
    const struct composite_context *c = d->c;
    if (check_region(d) < 0)
        return -1;
    if (c->planning && platform_gcp_may_ask(c) && !records_find(c->records, "cluster"))
        platform_gcp_want_checks(c);
    const struct value *zones = platform_gcp_zones(d);
    if (!zones)
        return -1;
    platform_put(d, "zones", zones);
    derive_network(d);
    derive_names(d);
    derive_cluster(d);
    derive_observability(d);
    platform_gcp_derive_registries(d);
    platform_gcp_derive_workloads(d);
    return platform_gcp_derive_pools(d, zones);
}

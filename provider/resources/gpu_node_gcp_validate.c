/* Checks of a node's configuration that hold on Google Cloud. */
#include "resources/gpu_node_gcp.h"

#include <string.h>

#include "cloud/template.h"

enum { NAME_MOST = 63, RETENTION_MOST = 3650, PERSISTENT_LEAST = 10 };

/* ---- names that the user gives ---- */

static int check_forms(struct arena *a, const struct value *config, struct diags *diags)
{
    static const struct {
        const char *path, *middle, *what;
        bool shortly;
    } forms[] = {
        {"network.vpc_id", "global/networks",
         "a network: its name, or projects/…/global/networks/…", true},
        {"image", "global/images", "an image: projects/…/global/images/…", false},
        {"disk.kms_key", "locations/*/keyRings/*/cryptoKeys",
         "a Cloud KMS key: projects/…/locations/…/keyRings/…/cryptoKeys/…", false},
        {"tailscale.auth_key_secret", "secrets", "a secret: its name, or projects/…/secrets/…",
         true},
        {"huggingface_token_secret", "secrets", "a secret: its name, or projects/…/secrets/…",
         true},
        {"model_cache.snapshot_id", "global/snapshots",
         "a snapshot: its name, or projects/…/global/snapshots/…", true},
    };
    int rc = 0;
    for (size_t i = 0; i < sizeof(forms) / sizeof(*forms); i++) {
        struct slice s = value_slice(config_get(config, forms[i].path));
        bool family = strcmp(forms[i].path, "image") == 0 &&
                      gcp_is_resource(a, s, "global/images/family", false);
        if (s.len && !family && !gcp_is_resource(a, s, forms[i].middle, forms[i].shortly))
            rc = diags_error(diags, path_parse(a, forms[i].path), "Invalid value",
                             "\"%.*s\" is not %s.", (int)s.len, s.ptr, forms[i].what);
    }
    return rc;
}

static bool is_by_number(const char *full_name)
{
    const char *project = full_name + strlen("projects/");
    size_t len = strcspn(project, "/");
    return len && strspn(project, "0123456789") == len;
}

/* A secret that is named by the project's number here and by its id there would be bound twice, and
 * the end of one binding would take it from the other: whether it is the same cannot be seen. */
static int check_secrets(struct arena *a, const struct value *config, struct diags *diags)
{
    static const char own[] = "projects/-/secrets";
    struct slice key = value_slice(config_get(config, "tailscale.auth_key_secret"));
    struct slice token = value_slice(config_get(config, "huggingface_token_secret"));
    const char *x = key.len ? gcp_full_name(a, key, own) : NULL;
    const char *y = token.len ? gcp_full_name(a, token, own) : NULL;
    if (!x || !y || strcmp(strrchr(x, '/'), strrchr(y, '/')) != 0 ||
        is_by_number(x) == is_by_number(y))
        return 0;
    return diags_error(diags, path_attribute(a, NULL, "huggingface_token_secret"),
                       "A secret that may be named twice",
                       "\"%.*s\" and \"%.*s\" may be the same secret: name its project the same "
                       "way in both, by its id or by its number.",
                       (int)token.len, token.ptr, (int)key.len, key.ptr);
}

/* ---- network ---- */

static int check_subnetwork(struct arena *a, const struct value *config, struct diags *diags)
{
    const struct value *ids = config_get(config, "network.subnet_ids");
    const struct path *path = path_parse(a, "network.subnet_ids");
    struct slice region = value_slice(config_get(config, "region"));
    if (value_count(ids) > 1)
        return diags_error(diags, path, "One subnetwork is enough",
                           "A subnetwork of Google Cloud is of the whole region: name one.");
    return gcp_check_subnetwork(a, value_count(ids) ? value_at(ids, 0) : NULL,
                                path_index(a, path, 0), region, "node", diags);
}

static int check_conflicts(struct arena *a, const struct value *config, struct diags *diags)
{
    if (!config_is(config, "egress", "existing") || config_get(config, "network.vpc_id"))
        return 0;
    return diags_error(diags, path_attribute(a, NULL, "egress"), "Conflicting settings",
                       "A network that is made has no way out but Cloud NAT. Use an existing "
                       "network (`network.vpc_id`), or `egress = \"nat\"`.");
}

int gpu_node_gcp_check_zones(struct arena *a, const struct value *config, const char *region,
                             struct diags *diags)
{
    return config_check_zones(a, config, "zones", region, gcp_is_zone_of, "-a", diags);
}

static int check_region(struct arena *a, const struct value *config, struct diags *diags)
{
    const char *region = value_cstr(config_get(config, "region"), NULL);
    if (!region)
        return 0;
    return gcp_check_region(a, config, diags) < 0
               ? -1
               : gpu_node_gcp_check_zones(a, config, region, diags);
}

/* ---- names ---- */

int gpu_node_gcp_names(struct arena *a, const char *name, const char *region,
                       struct gpu_node_gcp_names *ret, struct diags *diags)
{
    const char *base = arena_printf(a, "llm-node-%s-%s", name, region);
    *ret = (struct gpu_node_gcp_names){.base = base};
    if (!base)
        return -1;
    ret->disk = arena_printf(a, "%s-data", base);
    ret->firewall_egress = arena_printf(a, "%s-out", base);
    ret->firewall_ssh = arena_printf(a, "%s-ssh", base);
    ret->firewall_api = arena_printf(a, "%s-api", base);
    ret->secret = arena_printf(a, "%s-tailscale", base);
    ret->account_id = gcp_account_id(a, name, base);
    if (!ret->firewall_egress || !ret->firewall_ssh || !ret->firewall_api || !ret->secret ||
        !ret->account_id)
        return -1;
    return config_check_name_length(a, ret->disk, NAME_MOST, "disk", diags);
}

static int check_names(struct arena *a, const struct value *config, struct diags *diags)
{
    struct gpu_node_gcp_names names;
    const char *name = value_cstr(config_get(config, "name"), NULL),
               *region = value_cstr(config_get(config, "region"), NULL);
    return name && region ? gpu_node_gcp_names(a, name, region, &names, diags) : 0;
}

/* ---- the rest ---- */

/* "Machine families resource and comparison guide", disk types: what the series take of the types
 * that a node may have. */
bool gpu_node_gcp_takes_disk(const struct catalog_machine *m, const char *type)
{
    static const char *const series[][2] = {
        {"n1-", "pd-balanced pd-ssd pd-standard"},
        {"g2-", "pd-balanced pd-ssd"},
        {"a2-", "pd-balanced pd-ssd pd-standard"},
        {"a3-ultragpu-", "hyperdisk-balanced"},
        {"a4-", "hyperdisk-balanced"},
        {"a3-", "pd-balanced pd-ssd hyperdisk-balanced"},
    };
    size_t len = strlen(type);
    for (size_t i = 0; i < sizeof(series) / sizeof(*series); i++) {
        if (strncmp(m->type, series[i][0], strlen(series[i][0])) != 0)
            continue;
        const char *at = strstr(series[i][1], type);
        return at && (at[len] == ' ' || !at[len]);
    }
    return true;
}

int gpu_node_gcp_refuse_disk(struct arena *a, const struct catalog_machine *m, const char *type,
                             struct diags *diags)
{
    return diags_error(diags, path_parse(a, "disk.type"), "Not a disk type of the machine",
                       "%s does not take %s disks; leave the type, and the disk is %s, or name "
                       "another machine.",
                       m->type, type, m->disk_type);
}

/* Every machine that is named takes the disk; whether all of them have provisioned operations when
 * no type is named comes back in `provisioned`. */
static int check_disk_of_machines(struct arena *a, const struct value *config, const char *type,
                                  bool *provisioned, struct diags *diags)
{
    const struct value *one = config_get(config, "machine.type");
    const struct value *candidates = config_get(config, "machine.candidates");
    size_t count = value_count(candidates) + (one ? 1 : 0);
    int rc = 0;
    *provisioned = one || candidates;
    for (size_t i = 0; i < count; i++) {
        const struct value *name = one ? one : value_at(candidates, i);
        const struct catalog_machine *m = catalog_machine("gcp", value_slice(name));
        if (m && type && !gpu_node_gcp_takes_disk(m, type))
            rc = gpu_node_gcp_refuse_disk(a, m, type, diags);
        if (m && strcmp(m->disk_type, GPU_NODE_GCP_HYPERDISK) != 0)
            *provisioned = false;
    }
    return rc;
}

/* Where the cloud's limits are narrower than the schema's: "About Hyperdisk Balanced" and "About
 * Persistent Disk", sizes and performance. `provisioned`: the disk is, or may be, of Hyperdisk. */
static int check_disk_limits(struct arena *a, const struct value *config, bool provisioned,
                             struct diags *diags)
{
    static const struct {
        const char *path;
        int64_t least, most;
    } limits[] = {{"disk.iops", 3000, 160000}, {"disk.throughput", 140, 2400}};
    int64_t gib = value_int_or(config_get(config, "disk.size_gib"), PERSISTENT_LEAST);
    int rc = 0;
    if (!provisioned && gib < PERSISTENT_LEAST)
        rc = diags_error(diags, path_parse(a, "disk.size_gib"), "The disk is too small",
                         "A persistent disk has at least %d GiB.", PERSISTENT_LEAST);
    for (size_t i = 0; provisioned && i < sizeof(limits) / sizeof(*limits); i++) {
        int64_t n = value_int_or(config_get(config, limits[i].path), limits[i].least);
        if (n < limits[i].least || n > limits[i].most)
            rc = diags_error(diags, path_parse(a, limits[i].path), "Not a setting of the disk",
                             "A hyperdisk-balanced disk takes %lld to %lld.",
                             (long long)limits[i].least, (long long)limits[i].most);
    }
    return rc;
}

static int check_disk(struct arena *a, const struct value *config, struct diags *diags)
{
    static const char *const allowed[] = {"pd-balanced", "pd-ssd", "pd-standard",
                                          GPU_NODE_GCP_HYPERDISK};
    static const char *const settings[] = {"disk.iops", "disk.throughput"};
    const struct value *given = config_get(config, "disk.type");
    const char *type = value_cstr(given, NULL);
    bool known = false, provisioned = false;
    for (size_t i = 0; type && i < sizeof(allowed) / sizeof(*allowed); i++)
        known |= strcmp(type, allowed[i]) == 0;
    if (type && !known)
        return diags_error(diags, path_parse(a, "disk.type"), "Not a disk type of Google Cloud",
                           "\"%s\" is not offered; there are pd-balanced, pd-ssd, pd-standard and "
                           "hyperdisk-balanced.",
                           type);
    int rc = check_disk_of_machines(a, config, type, &provisioned, diags);
    if (given && value_is_unknown(given))
        return rc;
    if (type)
        provisioned = strcmp(type, GPU_NODE_GCP_HYPERDISK) == 0;
    for (size_t i = 0; i < 2; i++)
        if (value_is_known(config_get(config, settings[i])) && !provisioned)
            rc = diags_error(diags, path_parse(a, settings[i]), "Conflicting settings",
                             "Only a hyperdisk-balanced disk has this setting; what other disks do "
                             "follows from their size.");
    return check_disk_limits(a, config, provisioned, diags) < 0 ? -1 : rc;
}

static int check_retention(struct arena *a, const struct value *config, struct diags *diags)
{
    if (value_int_or(config_get(config, "log_retention_days"), 30) <= RETENTION_MOST)
        return 0;
    return diags_error(diags, path_attribute(a, NULL, "log_retention_days"),
                       "Cloud Logging has no such retention", "At most %d days are allowed.",
                       RETENTION_MOST);
}

static int check_foreign(struct arena *a, const struct value *config, struct diags *diags)
{
    static const char *const others[][2] = {
        {"network.security_group_id", "Google Cloud filters by firewall rules of the network."},
        {"instance_profile", "Use `service_account`."},
        {"model_cache.s3_uri", "Use `model_cache.gcs_uri`."},
    };
    return config_refuse(a, config, "Google Cloud", others, sizeof(others) / sizeof(*others),
                         diags);
}

int gpu_node_gcp_validate(struct arena *a, const struct value *config, struct diags *diags)
{
    static int (*const checks[])(struct arena *, const struct value *, struct diags *) = {
        check_foreign, check_forms, check_secrets, check_subnetwork, check_conflicts,
        check_region,  check_names, check_disk,    check_retention,  gcp_check_labels};
    int rc = 0;
    for (size_t i = 0; i < sizeof(checks) / sizeof(*checks); i++)
        if (checks[i](a, config, diags) < 0)
            rc = -1;
    return rc;
}

/* Checks of a node's configuration that hold on Google Cloud. */
#include "resources/gpu_node_gcp.h"

#include <string.h>

#include "cloud/template.h"

enum { NAME_MOST = 63, LABEL_BYTES_MOST = 128, RETENTION_MOST = 3650, PERSISTENT_LEAST = 10 };

/* ---- names that the user gives ---- */

/* RFC 1035 names, as Compute Engine wants them ("Naming resources"). */
static bool is_name(struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        char ch = s.ptr[i];
        bool letter = ch >= 'a' && ch <= 'z', digit = ch >= '0' && ch <= '9';
        if (!letter && (i == 0 || (!digit && ch != '-')))
            return false;
    }
    return s.len && s.len <= NAME_MOST && s.ptr[s.len - 1] != '-';
}

const char *gpu_node_gcp_full_name(struct arena *a, struct slice given, const char *parent)
{
    const char *text = arena_strndup(a, given.ptr, given.len);
    const char *projects = text ? strstr(text, "projects/") : NULL;
    if (!text || !parent)
        return NULL;
    return projects ? projects : arena_printf(a, "%s/%s", parent, text);
}

/* Whether a text is "projects/P/<middle>/NAME" (or a link that ends so), or a name alone where
 * `shortly`. A '*' in `middle` stands for one part. */
static bool is_resource(struct arena *a, struct slice s, const char *middle, bool shortly)
{
    const char *text = arena_strndup(a, s.ptr, s.len);
    const char *at = text ? strstr(text, "projects/") : NULL;
    if (!at)
        return shortly && s.len && !memchr(s.ptr, '/', s.len);
    at += strlen("projects/");
    size_t project = strcspn(at, "/");
    if (!project || at[project] != '/')
        return false;
    for (at += project + 1; *middle; middle += strcspn(middle, "/"), middle += *middle == '/') {
        size_t len = strcspn(at, "/"), want = strcspn(middle, "/");
        bool any = want == 1 && *middle == '*';
        if (!len || at[len] != '/' || (!any && (len != want || strncmp(at, middle, len) != 0)))
            return false;
        at += len + 1;
    }
    return *at && !strchr(at, '/');
}

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
        bool family =
            strcmp(forms[i].path, "image") == 0 && is_resource(a, s, "global/images/family", false);
        if (s.len && !family && !is_resource(a, s, forms[i].middle, forms[i].shortly))
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
    const char *x = key.len ? gpu_node_gcp_full_name(a, key, own) : NULL;
    const char *y = token.len ? gpu_node_gcp_full_name(a, token, own) : NULL;
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
    struct slice id = value_slice(value_count(ids) ? value_at(ids, 0) : NULL);
    if (!id.len)
        return 0;
    if (!is_resource(a, id, "regions/*/subnetworks", true))
        return diags_error(diags, path_index(a, path, 0), "Invalid value",
                           "\"%.*s\" is not a subnetwork: its name, or "
                           "projects/…/regions/…/subnetworks/….",
                           (int)id.len, id.ptr);
    const char *text = arena_strndup(a, id.ptr, id.len);
    const char *of = text ? strstr(text, "/regions/") : NULL;
    size_t len = of ? strcspn(of + 9, "/") : 0;
    if (of && region.len && (len != region.len || strncmp(of + 9, region.ptr, len) != 0))
        return diags_error(diags, path_index(a, path, 0), "A subnetwork of another region",
                           "It is in %.*s, and the node in %.*s.", (int)len, of + 9,
                           (int)region.len, region.ptr);
    return 0;
}

static int check_conflicts(struct arena *a, const struct value *config, struct diags *diags)
{
    if (!config_is(config, "egress", "existing") || config_get(config, "network.vpc_id"))
        return 0;
    return diags_error(diags, path_attribute(a, NULL, "egress"), "Conflicting settings",
                       "A network that is made has no way out but Cloud NAT. Use an existing "
                       "network (`network.vpc_id`), or `egress = \"nat\"`.");
}

static bool zone_fits(struct slice zone, const char *region)
{
    size_t len = strlen(region);
    return zone.len == len + 2 && slice_has_prefix(zone, region) && zone.ptr[len] == '-';
}

int gpu_node_gcp_check_zones(struct arena *a, const struct value *config, const char *region,
                             struct diags *diags)
{
    return gpu_node_check_zones(a, config, region, zone_fits, "-a", diags);
}

static int check_region(struct arena *a, const struct value *config, struct diags *diags)
{
    struct slice r = value_slice(config_get(config, "region"));
    bool zone =
        r.len > 2 && r.ptr[r.len - 2] == '-' && r.ptr[r.len - 1] >= 'a' && r.ptr[r.len - 1] <= 'z';
    if (!r.len)
        return 0;
    if (zone)
        return diags_error(diags, path_attribute(a, NULL, "region"), "A zone, not a region",
                           "\"%.*s\" is a zone. Its region is \"%.*s\".", (int)r.len, r.ptr,
                           (int)r.len - 2, r.ptr);
    if (!is_name(r))
        return diags_error(diags, path_attribute(a, NULL, "region"), "Invalid region",
                           "\"%.*s\" is no region's name; they are like us-central1.", (int)r.len,
                           r.ptr);
    return gpu_node_gcp_check_zones(a, config, value_cstr(config_get(config, "region"), ""), diags);
}

/* ---- names ---- */

/* FNV-1a: tells the accounts of long names apart. */
static unsigned short_hash(const char *s)
{
    uint32_t h = 2166136261u;
    for (; *s; s++)
        h = (h ^ (unsigned char)*s) * 16777619u;
    return h;
}

/* Service account ids have 6 to 30 characters (IAM API, projects.serviceAccounts.create). */
static const char *account_id(struct arena *a, const char *name, const char *base)
{
    return arena_printf(a, "llm-%.17s-%08x", name, short_hash(base));
}

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
    ret->account_id = account_id(a, name, base);
    if (!ret->firewall_egress || !ret->firewall_ssh || !ret->firewall_api || !ret->secret ||
        !ret->account_id)
        return -1;
    return gpu_node_check_length(a, ret->disk, NAME_MOST, "disk", diags);
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

/* "Requirements for labels" (Compute Engine documentation); the bytes: Secret Manager API,
 * Secret.labels. */
static bool is_label_text(struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        unsigned char ch = (unsigned char)s.ptr[i];
        bool plain = (ch >= 'a' && ch <= 'z') || (ch >= '0' && ch <= '9') || ch == '_' ||
                     ch == '-' || ch >= 0x80;
        if (!plain)
            return false;
    }
    return true;
}

static int check_labels(struct arena *a, const struct value *config, struct diags *diags)
{
    const struct value *tags = config_get(config, "tags");
    int rc = 0;
    for (size_t i = 0; i < value_count(tags); i++) {
        struct slice key = tags->members[i].key, value = value_slice(tags->members[i].value);
        const struct path *path = path_key(a, path_attribute(a, NULL, "tags"), key);
        bool start = key.len && ((key.ptr[0] >= 'a' && key.ptr[0] <= 'z') ||
                                 (unsigned char)key.ptr[0] >= 0x80);
        if (slice_has_prefix(key, "llm-") || slice_has_prefix(key, "goog"))
            rc = diags_error(diags, path, "Reserved label",
                             "Keys that start with llm- or goog are set by this provider and "
                             "Google.");
        if (utf8_length(key) > NAME_MOST || utf8_length(value) > NAME_MOST ||
            key.len > LABEL_BYTES_MOST || value.len > LABEL_BYTES_MOST)
            rc = diags_error(diags, path, "The label is too long",
                             "Google Cloud allows %d characters, and %d bytes in UTF-8, in a key "
                             "and in a value.",
                             NAME_MOST, LABEL_BYTES_MOST);
        if (!start || !is_label_text(key) || !is_label_text(value))
            rc = diags_error(diags, path, "Invalid label",
                             "On Google Cloud tags are labels: lower-case letters, digits, _ and - "
                             "are allowed, and a key starts with a letter.");
    }
    return rc;
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
        check_region,  check_names, check_disk,    check_retention,  check_labels};
    int rc = 0;
    for (size_t i = 0; i < sizeof(checks) / sizeof(*checks); i++)
        if (checks[i](a, config, diags) < 0)
            rc = -1;
    return rc;
}

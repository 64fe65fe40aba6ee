/* Checks of an endpoint's configuration that hold on Vertex AI. */
#include "resources/endpoint_gcp.h"

#include <string.h>

static const char not_here[] = "Leave it out.";

static const char *const refused[][2] = {
    {"network.subnet_ids", "Use `network.vpc_network` or "
                           " `network.private_service_connect`."},
    {"network.security_group_ids", not_here},
    {"network.isolated", not_here},
    {"network.expose", "It is for clusters. Use `network.private_service_connect` for an endpoint "
                       "that cannot be reached from the internet."},
    {"network.source_ranges", not_here},
    {"data_capture.content", "Requests and answers are kept together."},
    {"data_capture.kms_key", "What is kept is encrypted as its BigQuery dataset says."},
    {"machine.cpu", not_here},
    {"machine.memory_gib", not_here},
    {"machine.disk_gib", not_here},
    {"machine.inference_ami", not_here},
    {"scaling.scale_in_cooldown_s", not_here},
    {"scaling.scale_out_cooldown_s", not_here},
    {"rollout.step_percent", "Share the calls between two `variants`."},
    {"rollout.wait_s", "Share the calls between two `variants`."},
    {"rollout.keep_old_s", not_here},
    {"rollout.alarms", "Leave it out: nothing is rolled back."},
    {"log_retention_days",
     "The logs are kept as long as the project's log bucket `_Default` says."},
};

static int check_flags(struct arena *a, const struct value *config, struct diags *diags)
{
    const char *strategy = value_cstr(config_get(config, "rollout.strategy"), "all_at_once");
    int rc = 0;
    if (value_true(config_get(config, "scaling.scale_to_zero")))
        rc = diags_error(diags, path_parse(a, "scaling.scale_to_zero"), "Not on Vertex AI",
                         "An endpoint with machines of its own has at least one of them. It is on "
                         "AWS that an endpoint can have none.");
    if (strcmp(strategy, "all_at_once") != 0)
        rc = diags_error(diags, path_parse(a, "rollout.strategy"), "Not on Vertex AI",
                         "All calls go to the new version once it serves. To move them in parts, "
                         "make two `variants` and change their weights.");
    return rc;
}

/* ---- container ---- */

/* Vertex AI pulls from Artifact Registry, and from Container Registry's names for it. */
static bool is_registry(const char *image)
{
    static const char *const hosts[] = {"-docker.pkg.dev", "gcr.io"};
    size_t len = strcspn(image, "/");
    for (size_t i = 0; image[len] && i < sizeof(hosts) / sizeof(*hosts); i++) {
        size_t n = strlen(hosts[i]);
        if (len >= n && strncmp(image + len - n, hosts[i], n) == 0)
            return true;
    }
    return false;
}

/* The image that the user names; NULL: none. */
static const char *image_of(const struct endpoint_variant *v)
{
    bool inside = v->model && strncmp(v->model, "oci://", 6) == 0;
    return v->image ? v->image : inside ? v->model + 6 : NULL;
}

static int check_image(struct arena *a, const struct endpoint_variant *v, struct diags *diags)
{
    const char *image = image_of(v);
    const struct path *at = v->image ? endpoint_variant_path(a, v, "image", "container.image")
                                     : endpoint_variant_path(a, v, "model", "model");
    if (!image || is_registry(image))
        return 0;
    return diags_error(diags, at, "An image from elsewhere",
                       "Vertex AI pulls images from Artifact Registry alone "
                       "(LOCATION-docker.pkg.dev/PROJECT/REPOSITORY/IMAGE:TAG). Copy \"%s\" there.",
                       image);
}

static int check_stack(struct arena *a, const struct value *config,
                       const struct endpoint_variant *v, struct diags *diags)
{
    enum endpoint_stack stack = endpoint_stack_of(config, v->model, v->image);
    size_t adapters = value_count(config_get(config, "adapters"));
    const char *image = image_of(v);
    bool own = image && !endpoint_gcp_is_googles(image);
    if (stack == ENDPOINT_DJL_LMI)
        return diags_error(diags, path_parse(a, "container.stack"), "Not on Google Cloud",
                           "`djl_lmi` is AWS' server. Use `vllm`.");
    if (adapters && stack == ENDPOINT_VLLM && own)
        return diags_error(
            diags, path_attribute(a, NULL, "adapters"), "The image cannot load adapters from GCS",
            "Google's build of vLLM does: leave the image out, or name a copy of "
            "`pytorch-vllm-serve`. Or put the adapters into your image, and name them in "
            "`container.args`.");
    return 0;
}

static int check_instances(struct arena *a, const struct endpoint_variant *v, struct diags *diags)
{
    if (!v->scale.scales || !v->at || v->instances == v->scale.min)
        return 0;
    return diags_error(diags, path_attribute(a, v->at, "instances"), "Not on Vertex AI",
                       "A variant that scales begins with `scaling.min` instances.");
}

static int check_machine(struct arena *a, const struct endpoint_variant *v, struct diags *diags)
{
    struct platform_gcp_machine m;
    const struct path *at = endpoint_variant_path(a, v, "machine_type", "machine.type");
    if (!v->machine_type)
        return 0;
    if (!platform_gcp_machine(a, slice_str(v->machine_type), &m) || strchr(m.type, '.') ||
        !strchr(m.type, '-'))
        return diags_error(diags, at, "Invalid machine type",
                           "\"%s\" is no machine type; GPUs to attach are named like "
                           "n1-standard-8+nvidia-tesla-t4:1.",
                           v->machine_type);
    if (m.accelerator || !platform_gcp_has_gpu(slice_str(v->machine_type)))
        return 0;
    const char *near = catalog_nearest_machine(a, "gcp", slice_str(v->machine_type));
    return diags_error(diags, at, "Unknown GPU machine",
                       "The catalogue does not know which GPUs %s has.%s%s%s", v->machine_type,
                       near ? " Did you mean " : "", near ? near : "", near ? "?" : "");
}

static int check_variants(struct arena *a, const struct value *config,
                          const struct endpoint_variants *all, struct diags *diags)
{
    int rc = 0;
    for (size_t i = 0; i < all->count; i++) {
        const struct endpoint_variant *v = &all->items[i];
        if (!v->known || value_is_unknown(config_get(config, "container")))
            continue;
        rc |= check_image(a, v, diags);
        rc |= check_stack(a, config, v, diags);
        rc |= check_instances(a, v, diags);
        rc |= check_machine(a, v, diags);
    }
    return rc;
}

static int check_adapters(struct arena *a, const struct value *config, struct diags *diags)
{
    const struct value *all = config_get(config, "adapters");
    int rc = 0;
    for (size_t i = 0; i < value_count(all); i++) {
        struct slice uri = value_slice(value_at(all, i));
        /* s3:// is refused for every target. */
        if (uri.len && !slice_has_prefix(uri, "gs://") && !slice_has_prefix(uri, "s3://"))
            rc = diags_error(diags,
                             path_key(a, path_attribute(a, NULL, "adapters"), all->members[i].key),
                             "Not a folder in GCS",
                             "\"%.*s\": on Vertex AI an adapter is loaded from a folder in GCS "
                             "(gs://BUCKET/FOLDER).",
                             (int)uri.len, uri.ptr);
    }
    return rc;
}

/* ---- network ---- */

static int check_network(struct arena *a, const struct value *config,
                         const struct endpoint_variants *all, struct diags *diags)
{
    bool peered = value_is_known(config_get(config, "network.vpc_network"));
    const struct value *connects = config_get(config, "network.private_service_connect");
    bool dedicated = value_true(config_get(config, "network.dedicated"));
    int rc = 0;
    if (dedicated && (peered || value_true(connects)))
        rc = diags_error(diags, path_parse(a, "network.dedicated"), "Conflicting settings",
                         "A private endpoint has no host name of its own on the internet.");
    if (value_is_known(config_get(config, "network.allowed_projects")) &&
        !value_is_unknown(connects) && !value_true(connects))
        rc = diags_error(diags, path_parse(a, "network.allowed_projects"), "Conflicting settings",
                         "It is for `network.private_service_connect`.");
    if (peered && all->count > 1)
        rc = diags_error(diags, path_attribute(a, NULL, "variants"), "One variant is possible",
                         "An endpoint in a peered network has one model, and no share of calls. "
                         "Use `network.private_service_connect`.");
    return rc;
}

/* ---- identity, keys, capture, alarms ---- */

static int check_key(struct arena *a, const struct value *config, struct diags *diags)
{
    struct slice key = value_slice(config_get(config, "kms_key")),
                 region = value_slice(config_get(config, "region"));
    const struct path *at = path_attribute(a, NULL, "kms_key");
    if (!key.len)
        return 0;
    if (!gcp_is_resource(a, key, "locations/*/keyRings/*/cryptoKeys", false))
        return diags_error(diags, at, "Invalid value",
                           "\"%.*s\" is no key: "
                           "projects/…/locations/…/keyRings/…/cryptoKeys/….",
                           (int)key.len, key.ptr);
    const char *text = arena_strndup(a, key.ptr, key.len);
    const char *of = text ? strstr(text, "/locations/") + strlen("/locations/") : "";
    size_t len = strcspn(of, "/");
    if (!region.len || (len == region.len && strncmp(of, region.ptr, len) == 0))
        return 0;
    return diags_error(diags, at, "A key of another region",
                       "Vertex AI uses keys of its own region: this one is in %.*s, and the "
                       "endpoint in %.*s.",
                       (int)len, of, (int)region.len, region.ptr);
}

static int check_identity(struct arena *a, const struct value *config, struct diags *diags)
{
    const char *role = value_cstr(config_get(config, "role"), NULL);
    struct slice secret = value_slice(config_get(config, "huggingface_token_secret"));
    int rc = 0;
    const char *at = role ? strchr(role, '@') : NULL;
    size_t len = role ? strlen(role) : 0, n = strlen(".gserviceaccount.com");
    if (role && (!at || len <= n || strcmp(role + len - n, ".gserviceaccount.com") != 0))
        rc = diags_error(diags, path_attribute(a, NULL, "role"), "Invalid value",
                         "\"%s\" is no service account: NAME@PROJECT.iam.gserviceaccount.com.",
                         role);
    if (secret.len && !gcp_is_resource(a, secret, "secrets", true))
        rc =
            diags_error(diags, path_attribute(a, NULL, "huggingface_token_secret"), "Invalid value",
                        "\"%.*s\" is no secret: its name, or projects/…/secrets/….",
                        (int)secret.len, secret.ptr);
    return rc;
}

static int check_capture(struct arena *a, const struct value *config, struct diags *diags)
{
    const char *uri = value_cstr(config_get(config, "data_capture.uri"), NULL);
    const struct path *at = path_parse(a, "data_capture.uri");
    if (!uri || (strncmp(uri, "bq://", 5) == 0 && uri[5] && !strchr(uri + 5, '/')))
        return 0;
    return diags_error(diags, at, "Not a table of BigQuery",
                       "Vertex AI keeps requests and answers in BigQuery: "
                       "bq://PROJECT.DATASET.TABLE. The dataset has to be there, the table is "
                       "made.");
}

static int check_channels(struct arena *a, const struct value *config, struct diags *diags)
{
    const struct value *all = config_get(config, "alarms.actions");
    int rc = 0;
    for (size_t i = 0; i < value_count(all); i++) {
        struct slice s = value_slice(value_at(all, i));
        if (s.len && !gcp_is_resource(a, s, "notificationChannels", false))
            rc = diags_error(diags, path_parse(a, "alarms.actions"), "Invalid value",
                             "\"%.*s\" is no notification channel: "
                             "projects/…/notificationChannels/….",
                             (int)s.len, s.ptr);
    }
    return rc;
}

int endpoint_gcp_validate(struct arena *a, const struct value *config,
                          const struct endpoint_variants *variants, struct diags *diags)
{
    int rc =
        config_refuse(a, config, "Vertex AI", refused, sizeof(refused) / sizeof(*refused), diags);
    rc |= gcp_check_region(a, config, diags);
    rc |= gcp_check_labels(a, config, diags);
    rc |= check_flags(a, config, diags);
    rc |= check_variants(a, config, variants, diags);
    rc |= check_adapters(a, config, diags);
    rc |= check_network(a, config, variants, diags);
    rc |= check_key(a, config, diags);
    rc |= check_identity(a, config, diags);
    rc |= check_capture(a, config, diags);
    rc |= check_channels(a, config, diags);
    return rc;
}

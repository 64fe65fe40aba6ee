/* Checks of an endpoint's configuration that hold in a cluster. */
#include "resources/endpoint_cluster.h"

#include <string.h>

/* What a label may be: "Labels and Selectors", "Syntax and character set". */
enum { LABEL_MOST = 63, PREFIX_MOST = 253, NAME_MOST = 253 };

static int refuse_settings(struct arena *a, const struct value *config, struct diags *diags)
{
    static const char *const paths[][2] = {
        {"data_capture", "Keep requests where they are made, or in a gateway before it."},
        {"kms_key", "Use a storage class that encrypts."},
        {"alarms", "Use what watches the cluster."},
        {"rollout.keep_old_s", "An old pod goes as soon as a new one has taken its place."},
        {"rollout.alarms", "A new pod that does not become ready ends the rollout."},
        {"container.predict_route", "A Service passes all paths on."},
        {"network.subnet_ids", "Pods run in the cluster's network."},
        {"network.security_group_ids", "Pods run in the cluster's network."},
        {"network.isolated", "Use a policy of the namespace."},
        {"network.dedicated", "Use `network.expose`."},
        {"network.vpc_network", "Use `network.expose`."},
        {"network.private_service_connect", "Use `network.expose`."},
        {"network.allowed_projects", "Use `network.source_ranges`."}};
    int rc = config_refuse(a, config, "A cluster", paths, sizeof(paths) / sizeof(*paths), diags);
    if (value_true(config_get(config, "scaling.scale_to_zero")))
        rc = diags_error(diags, path_parse(a, "scaling.scale_to_zero"), "Not in a cluster",
                         "The autoscaler of Kubernetes keeps at least one pod, as it goes by what "
                         "pods measure. Leave it out, or serve on SageMaker.");
    if (config_is(config, "rollout.strategy", "canary"))
        rc = diags_error(diags, path_parse(a, "rollout.strategy"), "Not in a cluster",
                         "A Deployment takes one step after the other, all of one size: use "
                         "`linear`, or two `variants`.");
    return rc;
}

/* ---- names ---- */

static bool is_alphanumeric(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool is_label_name(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!is_alphanumeric(s.ptr[i]) && (!s.ptr[i] || !strchr("-_.", s.ptr[i])))
            return false;
    return s.len && s.len <= LABEL_MOST && is_alphanumeric(s.ptr[0]) &&
           is_alphanumeric(s.ptr[s.len - 1]);
}

/* "a.example.com": lower-case labels with dots between them. */
static bool is_object_name(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!(s.ptr[i] >= 'a' && s.ptr[i] <= 'z') && !(s.ptr[i] >= '0' && s.ptr[i] <= '9') &&
            (!s.ptr[i] || !strchr("-.", s.ptr[i]) || !i || i + 1 == s.len))
            return false;
    return s.len && s.len <= NAME_MOST;
}

static bool is_label_key(struct slice key)
{
    const char *slash = key.len ? memchr(key.ptr, '/', key.len) : NULL;
    if (!slash)
        return is_label_name(key);
    struct slice prefix = slice_from(key.ptr, (size_t)(slash - key.ptr));
    size_t rest = key.len - prefix.len - 1;
    return prefix.len <= PREFIX_MOST && is_object_name(prefix) &&
           is_label_name(slice_from(slash + 1, rest));
}

static int check_labels(struct arena *a, const struct value *config, const char *at,
                        struct diags *diags)
{
    const struct value *labels = config_get(config, at);
    int rc = 0;
    for (size_t i = 0; i < value_count(labels); i++) {
        struct slice key = labels->members[i].key, value = value_slice(value_at(labels, i));
        const struct path *path = path_key(a, path_parse(a, at), key);
        if (slice_has_prefix(key, "llm-"))
            rc = diags_error(diags, path, "Reserved label",
                             "Keys that start with llm- are set by this provider.");
        if (!is_label_key(key) || (value.len && !is_label_name(value)))
            rc = diags_error(diags, path, "Invalid label",
                             "In a cluster these are labels: key and value have at most %d "
                             "letters, digits, '-', '_' and '.', and start and end with a letter "
                             "or digit.",
                             LABEL_MOST);
    }
    return rc;
}

static int check_object_name(struct arena *a, const struct value *config, const char *at,
                             const char *what, struct diags *diags)
{
    const struct value *v = config_get(config, at);
    if (!value_is_known(v) || is_object_name(value_slice(v)))
        return 0;
    return diags_error(diags, path_parse(a, at), "Not a name in a cluster",
                       "In a cluster this is the name of %s of the namespace: lower-case letters, "
                       "digits, '-' and '.'.",
                       what);
}

/* ---- models ---- */

static bool ends_with(const char *s, const char *end)
{
    size_t len = strlen(s), n = strlen(end);
    return len >= n && strcmp(s + len - n, end) == 0;
}

static bool is_archive(const char *uri)
{
    return endpoint_cluster_is_bucket(uri) && (ends_with(uri, ".tar.gz") || ends_with(uri, ".tgz"));
}

static int check_model(struct arena *a, const struct value *config,
                       const struct endpoint_variant *v, struct diags *diags)
{
    const struct path *at = endpoint_variant_path(a, v, "model", "model");
    if (!v->known || !v->model || !endpoint_container_known(config))
        return 0;
    enum endpoint_stack stack = endpoint_stack_of(config, v->model, v->image);
    if (stack == ENDPOINT_DJL_LMI)
        return diags_error(diags, path_parse(a, "container.stack"), "Not in a cluster",
                           "`djl_lmi` is AWS' stack for SageMaker. Use `vllm`, which it has "
                           "inside.");
    if (is_archive(v->model))
        return diags_error(diags, at, "Archives are not unpacked in a cluster",
                           "Name a folder with the unpacked files: s3://BUCKET/PREFIX/.");
    if (endpoint_cluster_is_bucket(v->model) && stack != ENDPOINT_VLLM)
        return diags_error(diags, at, "Only `vllm` reads files of a bucket",
                           "In a cluster other servers get models of Hugging Face, or have them "
                           "in their image.");
    return 0;
}

/* "ORG/NAME", or a folder of a bucket. */
static int check_adapters(struct arena *a, const struct value *config, struct diags *diags)
{
    const struct value *adapters = config_get(config, "adapters");
    int rc = 0;
    for (size_t i = 0; i < value_count(adapters); i++) {
        const char *uri = value_cstr(value_at(adapters, i), NULL);
        const struct path *at =
            path_key(a, path_attribute(a, NULL, "adapters"), adapters->members[i].key);
        const char *slash = uri ? strchr(uri, '/') : NULL;
        bool hub =
            slash && slash != uri && slash[1] && !strchr(slash + 1, '/') && !strchr(uri, ':');
        if (uri && is_archive(uri))
            rc = diags_error(diags, at, "Archives are not unpacked in a cluster",
                             "Name a folder with the unpacked files of the adapter.");
        else if (uri && !hub && !endpoint_cluster_is_bucket(uri))
            rc = diags_error(diags, at, "Not an adapter",
                             "\"%s\" is neither ORG/NAME of Hugging Face nor a folder in a bucket "
                             "(s3://BUCKET/PREFIX/, gs://BUCKET/PREFIX/).",
                             uri);
    }
    return rc;
}

/* Nodes have the names of EC2, not those of SageMaker. */
static int check_type(struct arena *a, const struct endpoint_variant *v, struct diags *diags)
{
    if (!v->machine_type || strncmp(v->machine_type, "ml.", 3) != 0)
        return 0;
    return diags_error(diags, endpoint_variant_path(a, v, "machine_type", "machine.type"),
                       "Not a type of nodes",
                       "\"%s\" is a type of SageMaker. In a cluster name that of the nodes: %s.",
                       v->machine_type, v->machine_type + 3);
}

/* ---- variants and scaling ---- */

/* One Service gives each pod as many calls as any other: weights have to be those of the pods, to a
 * percent. */
static int check_shares(struct arena *a, const struct endpoint_variants *all, struct diags *diags)
{
    int64_t pods = 0;
    int rc = 0;
    for (size_t i = 0; i < all->count; i++) {
        if (!all->known || !all->items[i].known)
            return 0;
        pods += all->items[i].instances;
    }
    for (size_t i = 0; all->count > 1 && i < all->count; i++) {
        const struct endpoint_variant *v = &all->items[i];
        int64_t off = v->weight * pods - 100 * v->instances;
        if (off > -pods && off < pods)
            continue;
        rc = diags_error(diags, path_attribute(a, v->at, "weight"),
                         "The pods do not share the calls so",
                         "In a cluster one Service gives every pod the same part of the calls: "
                         "with %lld of %lld pods, \"%.*s\" gets %lld percent, not %lld. Set "
                         "`instances` or the weights so that they agree.",
                         (long long)v->instances, (long long)pods, (int)v->name.len, v->name.ptr,
                         (long long)(100 * v->instances / pods), (long long)v->weight);
    }
    return rc;
}

static int no_metric(struct arena *a, const char *target, const char *attribute,
                     struct diags *diags)
{
    return diags_error(
        diags, path_parse(a, target), "Nothing in the cluster measures this",
        "Kubernetes itself measures processors and memory, which say nothing about a model on "
        "GPUs. With an adapter that serves such a metric for each pod in custom.metrics.k8s.io "
        "(Prometheus Adapter over the server's own metrics, or those of DCGM), name the metric in "
        "`%s`. Otherwise leave the target out, and set `min` alone.",
        attribute);
}

static int check_scaling(struct arena *a, const struct value *config,
                         const struct endpoint_variants *all, struct diags *diags)
{
    const struct value *metrics = config_get(config, "cluster.metrics");
    bool unknown = value_is_unknown(metrics) || value_is_unknown(config_get(config, "cluster"));
    int rc = 0;
    for (size_t i = 0; !unknown && i < all->count; i++) {
        const struct endpoint_variant *v = &all->items[i];
        if (!v->known || !v->scale.scales)
            continue;
        if (v->scale.target_invocations && !config_get(metrics, "requests"))
            rc = no_metric(a, "scaling.target_invocations", "cluster.metrics.requests", diags);
        if (v->scale.target_gpu_percent && !config_get(metrics, "gpu"))
            rc = no_metric(a, "scaling.target_gpu_percent", "cluster.metrics.gpu", diags);
        if (all->count > 1)
            return diags_error(diags, path_attribute(a, NULL, "scaling"), "Conflicting settings",
                               "In a cluster the variants' parts of the calls follow from their "
                               "pods, which would no longer be fixed. Scale one variant, or set "
                               "`instances` of several.");
        if (rc < 0)
            return rc;
    }
    return rc;
}

/* ---- the rest ---- */

static int check_network(struct arena *a, const struct value *config, struct diags *diags)
{
    const struct value *expose = config_get(config, "network.expose");
    bool inside = !expose || config_is(config, "network.expose", "cluster");
    if (!value_is_known(config_get(config, "network.source_ranges")) || !inside ||
        value_is_unknown(expose))
        return 0;
    return diags_error(diags, path_parse(a, "network.source_ranges"), "Conflicting settings",
                       "They are those that reach the load balancer, which there is with `expose` "
                       "`internal` or `public`.");
}

static int check_storage(struct arena *a, const struct value *config, struct diags *diags)
{
    if (!value_true(config_get(config, "cluster.shared_storage")) ||
        config_get(config, "cluster.storage_class"))
        return 0;
    return diags_error(diags, path_parse(a, "cluster.shared_storage"), "Which storage class?",
                       "The default class of a cluster is one of disks, which a single node can "
                       "have. Name one in `cluster.storage_class` that offers ReadWriteMany.");
}

static int check_cpu(struct arena *a, const struct value *config, struct diags *diags)
{
    if (endpoint_cluster_cpu_milli(config) > 0)
        return 0;
    return diags_error(diags, path_parse(a, "machine.cpu"), "Not an amount of processors",
                       "It is more than 0, and in thousandths at most: `500m`, `0.5`, `4`.");
}

int endpoint_cluster_validate(struct arena *a, const struct value *config,
                              const struct endpoint_variants *variants, struct diags *diags)
{
    int rc = refuse_settings(a, config, diags);
    rc |= check_labels(a, config, "tags", diags);
    rc |= check_labels(a, config, "cluster.node_selector", diags);
    rc |= check_object_name(a, config, "role", "a service account", diags);
    rc |= check_object_name(a, config, "huggingface_token_secret", "a Secret", diags);
    rc |= check_adapters(a, config, diags);
    rc |= check_shares(a, variants, diags);
    rc |= check_scaling(a, config, variants, diags);
    rc |= check_network(a, config, diags);
    rc |= check_storage(a, config, diags);
    rc |= check_cpu(a, config, diags);
    for (size_t i = 0; i < variants->count; i++) {
        rc |= check_type(a, &variants->items[i], diags);
        rc |= check_model(a, config, &variants->items[i], diags);
    }
    return rc;
}

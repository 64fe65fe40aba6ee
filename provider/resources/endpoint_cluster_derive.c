/* What an endpoint's objects in a cluster are made of, as `$derived` says it. */
#include "resources/endpoint_cluster.h"

#include <string.h>

static const struct value *text(struct endpoint_derivation *d, const char *s)
{
    return value_str(d->a, s);
}

static const struct value *nothing(struct endpoint_derivation *d)
{
    return value_bool(d->a, false);
}

/* What decides about the objects, and is not read by endpoint_variants(). */
static bool is_known(const struct endpoint_derivation *d)
{
    static const char *const names[] = {"machine",
                                        "container",
                                        "scaling",
                                        "rollout",
                                        "network",
                                        "context_tokens",
                                        "model_size",
                                        "startup_timeout_s",
                                        "role",
                                        "huggingface_token_secret",
                                        "cluster.namespace",
                                        "cluster.storage_class",
                                        "cluster.shared_storage",
                                        "cluster.metrics",
                                        "cluster.node_selector",
                                        "cluster.tolerations",
                                        "cluster.priority_class",
                                        "cluster.image_pull_secrets"};
    bool known = d->name && d->variants.known &&
                 !value_is_unknown(value_get(d->config, "cluster")) &&
                 config_wholly_known(d->config, names, sizeof(names) / sizeof(*names));
    for (size_t i = 0; known && i < d->variants.count; i++)
        known = d->variants.items[i].known;
    return known;
}

/* ---- what is called ---- */

/* Annotations that both the cloud's own controller and the newer one of AWS understand. */
static void annotate_balancer(struct endpoint_derivation *d, struct derived_map *m, bool internal)
{
#define AWS "service.beta.kubernetes.io/aws-load-balancer-"
    if (config_is(d->config, "cloud", "aws")) {
        derived_map_put(m, AWS "type", text(d, "nlb"));
        derived_map_put(m, AWS "scheme", text(d, internal ? "internal" : "internet-facing"));
        if (internal)
            derived_map_put(m, AWS "internal", text(d, "true"));
    } else if (internal) {
        derived_map_put(m, "networking.gke.io/load-balancer-type", text(d, "Internal"));
    }
#undef AWS
}

static void put_service(struct endpoint_derivation *d)
{
    const struct value *expose = config_get(d->config, "network.expose"),
                       *ranges = config_get(d->config, "network.source_ranges");
    bool outside = expose && !config_is(d->config, "network.expose", "cluster");
    struct derived_map notes = {.a = d->a};
    derived_map_put(&notes, ENDPOINT_CLUSTER_CONFIGURATION, derived_get(&d->out, "configuration"));
    if (outside)
        annotate_balancer(d, &notes, config_is(d->config, "network.expose", "internal"));
    const struct value *port =
        endpoint_object(d->a, "name", text(d, "http"), "port", value_int(d->a, 80), "targetPort",
                        text(d, "http"), "protocol", text(d, "TCP"), NULL);
    endpoint_put(d, "kube_service",
                 endpoint_object(d->a, "name", text(d, d->name), "annotations",
                                 derived_map_object(&notes), "type",
                                 text(d, outside ? "LoadBalancer" : "ClusterIP"), "selector",
                                 endpoint_cluster_selector(d->a, d->name, SLICE_LIT("")), "ports",
                                 endpoint_tuple(d->a, port, NULL), "source_ranges",
                                 ranges ? ranges : value_tuple(d->a, NULL, 0), NULL));
}

/* One policy for each port that is called, by number, as not all that enforces policies knows the
 * names of ports. Policies add up: with another port comes another policy, and the one of the old
 * port goes when the pods that listen there have gone. A namespace may deny what comes in by
 * default. All that is in the cluster may call; through a load balancer anybody, as far as that
 * lets them. */
static void put_policies(struct endpoint_derivation *d)
{
    const struct value *expose = config_get(d->config, "network.expose");
    bool outside = expose && !config_is(d->config, "network.expose", "cluster");
    const struct value *everywhere =
        endpoint_object(d->a, "namespaceSelector", value_object(d->a, NULL, 0), NULL);
    const struct value *pods = endpoint_object(
        d->a, "matchLabels", endpoint_cluster_selector(d->a, d->name, SLICE_LIT("")), NULL);
    struct derived_map m = {.a = d->a};
    for (size_t i = 0; i < d->variants.count; i++) {
        const struct endpoint_variant *v = &d->variants.items[i];
        int64_t number =
            endpoint_cluster_port(d->config, endpoint_stack_of(d->config, v->model, v->image));
        const char *key = arena_printf(d->a, "%lld", (long long)number);
        if (!key || value_get(derived_map_object(&m), key))
            continue;
        const struct value *port = endpoint_object(d->a, "port", value_int(d->a, number),
                                                   "protocol", text(d, "TCP"), NULL);
        const struct value *rule =
            endpoint_object(d->a, "from", outside ? NULL : endpoint_tuple(d->a, everywhere, NULL),
                            "ports", endpoint_tuple(d->a, port, NULL), NULL);
        derived_map_put(&m, key,
                        endpoint_object(d->a, "name", value_printf(d->a, "%s-%s", d->name, key),
                                        "pod_selector", pods, "ingress",
                                        endpoint_tuple(d->a, rule, NULL), NULL));
    }
    endpoint_put(d, "kube_policies", derived_map_object(&m));
}

/* ---- identity, token, volume ---- */

static void put_account(struct endpoint_derivation *d)
{
    endpoint_put(d, "kube_account",
                 config_get(d->config, "role")
                     ? nothing(d)
                     : endpoint_object(d->a, "name", text(d, d->name), NULL));
}

static void put_token(struct endpoint_derivation *d)
{
    const struct value *version = config_get(d->config, "huggingface_token_wo_version");
    const struct value *made = nothing(d);
    if (value_is_unknown(version))
        made = endpoint_unknown(d);
    else if (version)
        made = endpoint_object(d->a, "name", value_printf(d->a, "%s-token", d->name), NULL);
    endpoint_put(d, "kube_token", made);
}

/* The most that a variant needs, and so for each. */
static int64_t shared_gib(struct endpoint_derivation *d)
{
    const struct value *own = config_get(d->config, "machine.disk_gib");
    int64_t all = 0;
    for (size_t i = 0; i < d->variants.count; i++) {
        struct endpoint_model m;
        struct endpoint_cluster_needs needs;
        if (endpoint_model(d->a, d->config, &d->variants.items[i], NULL, &m, NULL) < 0 ||
            m.source == ENDPOINT_IMAGE)
            continue;
        endpoint_cluster_needs(d->config, &d->variants.items[i], &m, &needs);
        all += needs.disk_gib;
    }
    return own && all ? value_int_or(own, 0) : all;
}

/* What a model that is smaller leaves free stays: volumes do not shrink. */
static int64_t kept_gib(struct endpoint_derivation *d, const char *digest, int64_t size)
{
    const char *name = arena_printf(d->a, ENDPOINT_CLUSTER_WEIGHTS "%s", digest);
    const struct record *r = name && !config_get(d->config, "machine.disk_gib")
                                 ? records_find(d->c->records, name)
                                 : NULL;
    double had =
        r ? endpoint_cluster_amount(d->a, value_get(r->attrs, "storage")) / CATALOG_GIB : 0;
    return had > (double)size ? (int64_t)had : size;
}

/* Under the class that it was made with: another class is another volume, which is there before the
 * pods leave the old one. Returns the claim's name; NULL: there is none. */
static const char *put_weights(struct endpoint_derivation *d)
{
    const struct value *class = config_get(d->config, "cluster.storage_class");
    bool shared = value_true(config_get(d->config, "cluster.shared_storage"));
    struct derived_map m = {.a = d->a};
    int64_t size = shared ? shared_gib(d) : 0;
    const char *name = NULL;
    if (size) {
        _cleanup_buf_ struct buf b = BUF_INIT(1024);
        buf_printf(&b, "%s", value_cstr(class, ""));
        const char *digest = endpoint_digest(d->a, &b);
        name = digest ? arena_printf(d->a, "%s-weights-%s", d->name, digest) : NULL;
        derived_map_put(&m, digest,
                        endpoint_object(d->a, "name", text(d, name), "storage",
                                        endpoint_mib(d->a, 1024 * kept_gib(d, digest, size)),
                                        "storage_class", class, NULL));
    }
    endpoint_put(d, "kube_weights", derived_map_object(&m));
    return name;
}

/* ---- variants ---- */

static const struct value *metric(struct endpoint_derivation *d, const struct value *name,
                                  int64_t target)
{
    const struct value *of =
        endpoint_object(d->a, "metric", endpoint_object(d->a, "name", name, NULL), "target",
                        endpoint_object(d->a, "type", text(d, "AverageValue"), "averageValue",
                                        value_printf(d->a, "%lld", (long long)target), NULL),
                        NULL);
    return endpoint_object(d->a, "type", text(d, "Pods"), "pods", of, NULL);
}

static const struct value *window(struct endpoint_derivation *d, int64_t seconds)
{
    return endpoint_object(d->a, "stabilizationWindowSeconds", value_int(d->a, seconds), NULL);
}

static const struct value *scaler(struct endpoint_derivation *d, const struct endpoint_variant *v)
{
    const struct endpoint_scale *s = &v->scale;
    const struct value *requests = config_get(d->config, "cluster.metrics.requests"),
                       *gpu = config_get(d->config, "cluster.metrics.gpu");
    const struct value *metrics[2];
    size_t count = 0;
    if (s->target_invocations && requests)
        metrics[count++] = metric(d, requests, s->target_invocations);
    if (s->target_gpu_percent && gpu)
        metrics[count++] = metric(d, gpu, s->target_gpu_percent);
    return endpoint_object(d->a, "name", text(d, endpoint_cluster_name(d->a, d->name, v->name)),
                           "min", value_int(d->a, s->min), "max", value_int(d->a, s->max),
                           "metrics", value_tuple(d->a, metrics, count), "behavior",
                           endpoint_object(d->a, "scaleDown", window(d, s->in_cooldown_s),
                                           "scaleUp", window(d, s->out_cooldown_s), NULL),
                           NULL);
}

static const struct value *budget(struct endpoint_derivation *d, const struct endpoint_variant *v)
{
    return endpoint_object(d->a, "name", text(d, endpoint_cluster_name(d->a, d->name, v->name)),
                           "selector",
                           endpoint_object(d->a, "matchLabels",
                                           endpoint_cluster_selector(d->a, d->name, v->name), NULL),
                           NULL);
}

static void put_variants(struct endpoint_derivation *d, const char *claim)
{
    struct derived_map deployments = {.a = d->a}, budgets = {.a = d->a}, scalers = {.a = d->a},
                       choices = {.a = d->a};
    for (size_t i = 0; i < d->variants.count; i++) {
        const struct endpoint_variant *v = &d->variants.items[i];
        const char *key = arena_strndup(d->a, v->name.ptr, v->name.len);
        const char *image = endpoint_cluster_image(d, v);
        derived_map_put(&deployments, key,
                        image ? endpoint_cluster_deployment(d, v, image, claim) : NULL);
        derived_map_put(&budgets, key, budget(d, v));
        if (v->scale.scales)
            derived_map_put(&scalers, key, scaler(d, v));
        derived_map_put(&choices, key,
                        endpoint_object(d->a, "image", text(d, image), "machine_type",
                                        text(d, v->machine_type), NULL));
    }
    endpoint_put(d, "kube_deployments", derived_map_object(&deployments));
    endpoint_put(d, "kube_budgets", derived_map_object(&budgets));
    endpoint_put(d, "kube_scalers", derived_map_object(&scalers));
    endpoint_put(d, "choices", derived_map_object(&choices));
}

/* ---- all of it ---- */

static int put_unknown(struct endpoint_derivation *d)
{
    static const char *const names[] = {
        "kube_namespace", "kube_account", "kube_token",   "kube_weights",     "kube_policies",
        "kube_service",   "kube_budgets", "kube_scalers", "kube_deployments", "choices"};
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        endpoint_put(d, names[i], endpoint_unknown(d));
    return d->out.failed ? -1 : 0;
}

int endpoint_cluster_derive(struct endpoint_derivation *d)
{
    const struct value *tags = config_get(d->config, "tags");
    endpoint_put(d, "kube_labels", tags ? tags : value_map(d->a, &type_string, NULL, 0));
    if (!is_known(d))
        return put_unknown(d);
    endpoint_put(d, "kube_namespace", text(d, endpoint_cluster_namespace(d->config)));
    put_service(d);
    put_policies(d);
    put_account(d);
    put_token(d);
    put_variants(d, put_weights(d));
    return d->out.failed || arena_failed(d->a) ? -1 : 0;
}

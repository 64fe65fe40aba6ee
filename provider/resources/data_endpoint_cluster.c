/* A Service in a cluster, and the Deployments behind it, as the data source shows them. */
#include "resources/data_endpoint.h"

#include <string.h>

#include "cloud/template.h"
#include "resources/cluster_link.h"
#include "resources/config.h"
#include "resources/tables.h"

enum { DEPLOYMENTS_MOST = 128, HTTP_PORT = 80 };

static const struct cloud_operation list_deployments = {
    .service = "apps",
    .name = "listNamespacedDeployment",
    .method = "GET",
    .uri = "/apis/apps/v1/namespaces/{namespace}/deployments",
    .idempotent = true,
};

/* The way into the cluster takes the cloud's place. */
static int enter(struct data_endpoint *e)
{
    struct composite_context *c = &e->reading->c;
    static const struct cluster_advice advice = {"", ""};
    const struct cluster_link to = {.name = value_cstr(config_get(c->config, "cluster.name"), NULL),
                                    .advice = &advice};
    struct engine_cloud inner;
    if (cluster_link_new(c, &to, &inner) < 0)
        return -1;
    c->driver = inner.driver;
    c->client = inner.client;
    return 0;
}

/* ---- Deployments ---- */

/* Whether the pods that a Deployment makes are among those that the Service chooses. */
static bool is_chosen(const struct value *selector, const struct value *deployment)
{
    const struct value *labels = value_path(deployment, "spec.template.metadata.labels");
    for (size_t i = 0; i < value_count(selector); i++)
        if (!value_equal(value_get_slice(labels, selector->members[i].key),
                         selector->members[i].value))
            return false;
    return value_count(selector) > 0;
}

static struct slice key_of(const struct value *deployment)
{
    struct slice variant = value_slice(
        value_get(value_path(deployment, "spec.template.metadata.labels"), "llm-variant"));
    return variant.len ? variant : value_slice(value_path(deployment, "metadata.name"));
}

static const struct value *variant(struct data_endpoint *e, const struct value *deployment)
{
    struct arena *a = e->reading->c.arena;
    const struct value *pod = value_path(deployment, "spec.template.spec"),
                       *ready = value_path(deployment, "status.readyReplicas");
    const struct value_member m[] = {
        {SLICE_LIT("instances"), ready ? ready : value_int(a, 0)},
        {SLICE_LIT("desired_instances"), value_path(deployment, "spec.replicas")},
        {SLICE_LIT("machine_type"),
         value_get(value_get(pod, "nodeSelector"), "node.kubernetes.io/instance-type")},
        {SLICE_LIT("image"), template_select(a, pod, "containers.0.image")}};
    return data_endpoint_object(a, m, sizeof(m) / sizeof(*m));
}

static int read_variants(struct data_endpoint *e, const struct value *namespace,
                         const struct value *selector)
{
    struct arena *a = e->reading->c.arena;
    const struct value_member in = {SLICE_LIT("namespace"), namespace};
    const struct value *answer = NULL;
    struct value_member m[DEPLOYMENTS_MOST];
    struct cloud_error err;
    size_t count = 0, ready = 0;
    if (composite_call(&e->reading->c, a, &list_deployments, value_object(a, &in, 1), &answer,
                       &err) < 0)
        return cloud_error_report(e->reading->c.diags, NULL, "listing the Deployments", &err);
    const struct value *all = value_get(answer, "items");
    for (size_t i = 0; i < value_count(all) && count < DEPLOYMENTS_MOST; i++) {
        const struct value *one = value_at(all, i);
        if (!is_chosen(selector, one))
            continue;
        ready += value_int_or(value_path(one, "status.readyReplicas"), 0) > 0;
        m[count].key = key_of(one);
        m[count++].value = variant(e, one);
    }
    e->variants = value_object(a, m, count);
    e->status = count && ready == count ? "Available" : "Unavailable";
    return 0;
}

/* ---- the Service ---- */

/* Its name within the cluster, or the load balancer's address; null while that has none. */
static const struct value *url_of(struct data_endpoint *e, const struct value *service,
                                  const char *namespace)
{
    struct arena *a = e->reading->c.arena;
    int64_t port = value_int_or(template_select(a, service, "spec.ports.0.port"), HTTP_PORT);
    const char *host = arena_printf(a, "%s.%s.svc.cluster.local", e->name, namespace);
    if (config_is(service, "spec.type", "LoadBalancer")) {
        const struct value *name =
            template_select(a, service, "status.loadBalancer.ingress.0.hostname");
        host = value_cstr(
            name ? name : template_select(a, service, "status.loadBalancer.ingress.0.ip"), NULL);
    }
    if (!host || port == HTTP_PORT)
        return host ? value_printf(a, "http://%s", host) : NULL;
    return value_printf(a, "http://%s:%lld", host, (long long)port);
}

int data_endpoint_cluster(struct data_endpoint *e)
{
    struct arena *a = e->reading->c.arena;
    const struct value *config = e->reading->c.config, *service = NULL;
    const char *namespace = value_cstr(config_get(config, "cluster.namespace"), "default");
    const struct value_member own[] = {{SLICE_LIT("name"), value_str(a, e->name)},
                                       {SLICE_LIT("namespace"), value_str(a, namespace)}};
    if (enter(e) < 0 || data_endpoint_read(e, &component_kubernetes_service.read,
                                           value_object(a, own, 2), &service) < 0)
        return -1;
    if (!service)
        return data_endpoint_missing(
            e, arena_printf(a, " The namespace \"%s\" of the cluster \"%s\" was asked.", namespace,
                            value_cstr(config_get(config, "cluster.name"), "")));
    e->endpoint_name = arena_printf(a, "%s/%s", namespace, e->name);
    e->tags = value_path(service, "metadata.labels");
    e->url = url_of(e, service, namespace);
    return read_variants(e, own[1].value, value_path(service, "spec.selector"));
}

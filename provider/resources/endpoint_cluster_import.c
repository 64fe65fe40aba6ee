/* What an endpoint that exists in a cluster was configured with. */
#include "resources/endpoint_cluster.h"

#include <string.h>

static const struct cloud_operation get_service = {
    .service = "core",
    .name = "readNamespacedService",
    .method = "GET",
    .uri = "/api/v1/namespaces/{namespace}/services/{name}",
    .idempotent = true,
};

static const struct cloud_operation get_deployment = {
    .service = "apps",
    .name = "readNamespacedDeployment",
    .method = "GET",
    .uri = "/apis/apps/v1/namespaces/{namespace}/deployments/{name}",
    .idempotent = true,
};

static int ask(const struct composite_context *c, const struct cloud_operation *op,
               const char *name, const struct value **ret, struct cloud_error *err)
{
    const struct value *request = endpoint_object(
        c->arena, "namespace", value_str(c->arena, endpoint_cluster_namespace(c->config)), "name",
        value_str(c->arena, name), NULL);
    return c->inner->driver->call(c->inner->client, c->work, c->arena, c->region, op, request, ret,
                                  err);
}

static int not_there(const struct composite_context *c, const char *name,
                     const struct cloud_error *err)
{
    if (err && err->class_ != CLOUD_ERROR_NOT_FOUND)
        return cloud_error_report(c->diags, NULL, "looking for the endpoint", err);
    return diags_error(c->diags, NULL, "There is nothing to import",
                       "In the namespace \"%s\" of the cluster \"%s\" there is no Service \"%s\" "
                       "with the annotation %s, which every endpoint of this resource has.",
                       endpoint_cluster_namespace(c->config),
                       value_cstr(config_get(c->config, "cluster.name"), ""), name,
                       ENDPOINT_CLUSTER_CONFIGURATION);
}

/* ---- what was decided for the variants ---- */

/* Image and machine, as the Deployment has them. */
static const struct value *found_variant(const struct composite_context *c,
                                         const struct value *deployment, const struct type *t)
{
    const struct value *pod = value_path(deployment, "spec.template.spec");
    const struct value *none = value_null(c->arena, &type_number);
    const struct value *type =
        value_get(value_get(pod, "nodeSelector"), "node.kubernetes.io/instance-type");
    const struct value *image = value_get(value_at(value_get(pod, "containers"), 0), "image");
    const struct value_member m[] = {
        {SLICE_LIT("weight"), none},
        {SLICE_LIT("instances"), none},
        {SLICE_LIT("desired_instances"), none},
        {SLICE_LIT("machine_type"), type ? type : value_null(c->arena, &type_string)},
        {SLICE_LIT("image"), image ? image : value_null(c->arena, &type_string)}};
    return value_object_of(c->arena, t, m, 5);
}

/* `config` with what is found of its variants; one that is not there is decided on anew. */
static const struct value *with_variants(const struct composite_context *c,
                                         const struct value *config)
{
    const struct value *status = value_get(config, "variant_status");
    const char *name = value_cstr(value_get(config, "name"), "");
    struct value_member m[ENDPOINT_VARIANTS_MOST];
    struct endpoint_variants all;
    size_t count = 0;
    endpoint_variants(c->arena, config, &all);
    for (size_t i = 0; status && i < all.count; i++) {
        const struct value *found = NULL;
        struct cloud_error err;
        const char *at = endpoint_cluster_name(c->arena, name, all.items[i].name);
        if (at && ask(c, &get_deployment, at, &found, &err) == 0)
            m[count++] = (struct value_member){all.items[i].name,
                                               found_variant(c, found, status->type->elem)};
    }
    return status ? value_with(c->arena, config, "variant_status",
                               value_map(c->arena, status->type->elem, m, count))
                  : NULL;
}

int endpoint_cluster_describe(const struct composite_context *c, const struct records *found,
                              const struct value **ret)
{
    const char *name = value_cstr(value_get(c->config, "name"), "");
    const struct value *service = NULL;
    struct cloud_error err;
    (void)found;
    if (ask(c, &get_service, name, &service, &err) < 0)
        return not_there(c, name, &err);
    const struct value *text =
        value_get(value_path(service, "metadata.annotations"), ENDPOINT_CLUSTER_CONFIGURATION);
    if (!value_is_known(text))
        return not_there(c, name, NULL);
    const struct value *config = endpoint_configuration_of(c, value_slice(text));
    if (config && value_is_null(value_get(config, "region")))
        config = value_with(c->arena, config, "region", value_str(c->arena, c->region));
    *ret = config ? with_variants(c, config) : NULL;
    return *ret ? 0 : -1;
}

/* The computed attributes of a platform on AWS, and the way to its cluster. */
#include "resources/platform_cluster_aws.h"

#include <string.h>

static const char *console(const char *region)
{
    if (strncmp(region, "cn-", 3) == 0)
        return "console.amazonaws.cn";
    return strncmp(region, "us-gov-", 7) == 0 ? "console.amazonaws-us-gov.com"
                                              : "console.aws.amazon.com";
}

static const struct value *dashboard_url(const struct composite_context *c,
                                         const struct value *derived, struct outputs *o)
{
    const struct value *body = value_get(derived, "dashboard"),
                       *name = value_path(derived, "names.dashboard");
    if (value_is_unknown(body) || value_is_unknown(name) || !c->region)
        return value_unknown(o->a, &type_string);
    if (!value_is_known(body) || body->type->kind == TYPE_BOOL)
        return value_null(o->a, &type_string);
    return value_printf(o->a, "https://%s.%s/cloudwatch/home?region=%s#dashboards/dashboard/%s",
                        c->region, console(c->region), c->region, value_cstr(name, ""));
}

static const struct value *kubeconfig(const struct composite_context *c, const char *name,
                                      struct outputs *o)
{
    if (!name || !c->region)
        return value_unknown(o->a, &type_string);
    return value_printf(o->a, "aws eks update-kubeconfig --region %s --name %s", c->region, name);
}

/* The subnets that are made, or those that are used. */
static const struct value *subnets(struct outputs *o, const struct value *derived,
                                   const char *prefix, const char *configured)
{
    const struct value *own = config_get(o->v, configured);
    const struct type *t = type_list(o->a, &type_string);
    if (!t)
        return NULL;
    if (own)
        return value_is_unknown(own) ? value_unknown(o->a, t) : own;
    if (value_is_unknown(value_get(derived, "zones")))
        return value_unknown(o->a, t);
    return outputs_list(o, prefix, "id");
}

static const struct value *log_groups(struct outputs *o, const struct value *derived)
{
    const struct value *name = value_path(derived, "names.log_group");
    return value_is_known(name) ? value_set(o->a, &type_string, &name, 1)
                                : value_unknown(o->a, type_set(o->a, &type_string));
}

static void set_network(const struct value *derived, struct outputs *o)
{
    const struct value *vpc = config_get(o->v, "network.vpc_id");
    outputs_set(o, "vpc_id", vpc ? vpc : outputs_text(o, "vpc", "id"));
    outputs_set(o, "private_subnet_ids",
                subnets(o, derived, "subnet.private-", "network.private_subnet_ids"));
    outputs_set(o, "public_subnet_ids",
                subnets(o, derived, "subnet.public-", "network.public_subnet_ids"));
}

void platform_aws_outputs(const struct composite_context *c, const struct value *derived,
                          struct outputs *o)
{
    static const char *const texts[][3] = {
        {"cluster_name", "cluster", "name"},
        {"oidc_provider_arn", "oidc_provider", "arn"},
        {"oidc_provider_url", "cluster", "issuer_path"},
        {"node_role", "role.nodes", "arn"},
        {"autoscaler_role_arn", "role.cluster-autoscaler", "arn"},
        {"load_balancer_controller_role_arn", "role.load-balancer-controller", "arn"},
        {"security_group_id", "cluster", "security_group_id"}};
    const struct value *name = value_get(o->v, "name"),
                       *version = value_get(o->v, "kubernetes_version");
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
        outputs_set(o, texts[i][0], outputs_text(o, texts[i][1], texts[i][2]));
    if (!value_is_known(version) || !o->changes)
        outputs_set(o, "kubernetes_version", outputs_text(o, "cluster", "version"));
    outputs_set(o, "workload_pool", value_null(o->a, &type_string));
    outputs_set(o, "registry_urls", platform_map(o, derived, "repositories", "repository.", "url"));
    outputs_set(o, "workload_identities",
                platform_map(o, derived, "workloads", "role.workload-", "arn"));
    set_network(derived, o);
    outputs_set(o, "log_groups", log_groups(o, derived));
    outputs_set(o, "dashboard_url", dashboard_url(c, derived, o));
    outputs_set(o, "kubeconfig_command", kubeconfig(c, value_cstr(name, NULL), o));
}

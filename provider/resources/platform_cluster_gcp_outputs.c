/* The computed attributes of a platform on Google Cloud. */
#include "resources/platform_cluster_gcp.h"

#include "cloud/template.h"

bool platform_gcp_address(struct arena *a, const struct value *attrs, const char **ret_endpoint,
                          const char **ret_ca_pem)
{
    const char *host = value_cstr(value_get(attrs, "endpoint"), NULL);
    const struct value *ca =
        template_transform(a, TRANSFORM_BASE64_DECODE, value_get(attrs, "ca_certificate"));
    if (!host || !*host || !value_is_known(ca))
        return false;
    *ret_endpoint = arena_printf(a, "https://%s", host);
    *ret_ca_pem = value_cstr(ca, NULL);
    return *ret_endpoint && *ret_ca_pem;
}

static const struct value *null_of(struct outputs *o, const struct type *t)
{
    return value_null(o->a, t);
}

/* A text that is worked out, unknown in a plan that cannot. */
static const struct value *text_or_unknown(struct outputs *o, bool known, const char *text)
{
    return known        ? value_str(o->a, text)
           : o->changes ? value_unknown(o->a, &type_string)
                        : value_null(o->a, &type_string);
}

/* What the cluster has, unless a plan says what it is to have. */
static void set_version(const struct composite_context *c, struct outputs *o)
{
    const char *now = platform_recorded(c, "cluster", "current_version");
    const char *minor = platform_gcp_minor(o->a, now);
    bool planned = c->secrets && value_is_known(value_get(o->v, "kubernetes_version"));
    if (!planned)
        outputs_set(o, "kubernetes_version",
                    text_or_unknown(o, minor && !outputs_made_new(o, "cluster"), minor));
}

/* One text as a list or set of one. */
static const struct value *one_of(struct outputs *o, const struct value *text, bool set)
{
    const struct type *t = set ? type_set(o->a, &type_string) : type_list(o->a, &type_string);
    if (!t || !text || !value_is_known(text))
        return t ? outputs_like(o, text, t) : NULL;
    return set ? value_set(o->a, &type_string, &text, 1) : value_list(o->a, &type_string, &text, 1);
}

/* Of what is made, or of what the user has named. */
static const struct value *made_or_named(struct outputs *o, const struct value *derived,
                                         const char *component)
{
    const struct value *made = value_get(derived, "make_network"),
                       *named = value_get(derived, component);
    if (value_is_known(made) && !value_true(made))
        return value_is_known(named) ? named : text_or_unknown(o, false, NULL);
    return value_is_unknown(made) ? text_or_unknown(o, false, NULL)
                                  : outputs_text(o, component, "self_link");
}

static void set_network(struct outputs *o, const struct value *derived)
{
    outputs_set(o, "vpc_id", made_or_named(o, derived, "network"));
    outputs_set(o, "private_subnet_ids", one_of(o, made_or_named(o, derived, "subnetwork"), false));
    outputs_set(o, "public_subnet_ids", null_of(o, type_list(o->a, &type_string)));
}

static void set_links(const struct composite_context *c, struct outputs *o,
                      const struct value *derived)
{
    const char *name = value_cstr(value_get(derived, "cluster_name"), NULL),
               *base = value_cstr(value_path(derived, "names.base"), NULL);
    const struct value *board = value_get(derived, "make_dashboard");
    bool known = name && c->region && platform_gcp_has_account(c);
    outputs_set(o, "kubeconfig_command",
                text_or_unknown(o, known,
                                known ? arena_printf(o->a,
                                                     "gcloud container clusters get-credentials %s "
                                                     "--region %s --project %s",
                                                     name, c->region, c->account)
                                      : NULL));
    known = base && platform_gcp_has_account(c) && value_is_known(board);
    outputs_set(
        o, "dashboard_url",
        known && !value_true(board)
            ? null_of(o, &type_string)
            : text_or_unknown(
                  o, known,
                  known ? arena_printf(o->a,
                                       "https://console.cloud.google.com/monitoring/dashboards/"
                                       "builder/%s?project=%s",
                                       base, c->account)
                        : NULL));
}

static void set_foreign(struct outputs *o)
{
    static const char *const names[] = {"oidc_provider_arn", "oidc_provider_url",
                                        "autoscaler_role_arn", "load_balancer_controller_role_arn",
                                        "security_group_id"};
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        outputs_set(o, names[i], null_of(o, &type_string));
}

void platform_gcp_outputs(const struct composite_context *c, const struct value *derived,
                          struct outputs *o)
{
    const char *name = value_cstr(value_get(derived, "cluster_name"), NULL),
               *pool = value_cstr(value_get(derived, "workload_pool"), NULL);
    set_version(c, o);
    outputs_set(o, "cluster_name", text_or_unknown(o, name, name));
    outputs_set(o, "workload_pool", text_or_unknown(o, pool, pool));
    outputs_set(o, "node_role", outputs_text(o, "service_account.nodes", "email"));
    outputs_set(o, "registry_urls", platform_map(o, derived, "registries", "repository.", "url"));
    outputs_set(o, "workload_identities",
                platform_map(o, derived, "workloads", "service_account.workload-", "email"));
    outputs_set(o, "log_groups", one_of(o, outputs_text(o, "log_bucket", "full_name"), true));
    set_network(o, derived);
    set_links(c, o, derived);
    set_foreign(o);
}

/* The addons of a cluster, and their versions.
 *
 * A version is looked up when an addon is new, and when Kubernetes changes its version; otherwise
 * it stays what it is. Those that run as pods are made after the nodes, because EKS counts them as
 * ready when they run; in an upgrade they are updated before the nodes. */
#include "resources/platform_cluster_aws.h"

#include <string.h>

#include "cloud/template.h"

static const struct cloud_operation describe_versions = {
    .service = "eks",
    .name = "DescribeAddonVersions",
    .method = "GET",
    .uri = "/addons/supported-versions{?addonName,kubernetesVersion}",
    .idempotent = true};

struct addon {
    const char *name;
    bool runs_as_pods;
    const char *role; /* component of its role; NULL: none */
    bool gpu_metrics; /* made for them alone */
};

static const struct addon addons[] = {
    {"vpc-cni", false, NULL, false},
    {"kube-proxy", false, NULL, false},
    {"eks-pod-identity-agent", false, NULL, false},
    {"coredns", true, NULL, false},
    {"aws-ebs-csi-driver", true, "role.ebs-csi", false},
    {"amazon-cloudwatch-observability", true, "role.cloudwatch", true},
};

enum { ADDONS = sizeof(addons) / sizeof(*addons) };

static const char *recorded(const struct platform_aws *p, const struct addon *x, const char *attr)
{
    const char *name = arena_printf(p->d->a, "addon.%s", x->name);
    return name ? platform_recorded(p->d->c, name, attr) : NULL;
}

static bool is_wanted(const struct platform_aws *p, const struct addon *x)
{
    return !x->gpu_metrics || platform_aws_bool(p->d, "observability.gpu_metrics", false);
}

static const struct value *decided(const struct platform_aws *p, const struct addon *x)
{
    return value_get(value_get(p->d->c->decided, "addon_versions"), x->name);
}

/* Whether what is recorded was chosen for another version of Kubernetes. */
static bool is_outdated(const struct platform_aws *p, const struct addon *x)
{
    const char *chosen_for = recorded(p, x, "kubernetes_version");
    return p->version && chosen_for && strcmp(chosen_for, p->version) != 0;
}

static bool needs_version(const struct platform_aws *p, const struct addon *x)
{
    bool stays =
        recorded(p, x, "version") && recorded(p, x, "kubernetes_version") && !is_outdated(p, x);
    return p->asks && p->version && is_wanted(p, x) && !decided(p, x) && !stays;
}

static const struct value *request_for(const struct platform_aws *p, const struct addon *x)
{
    struct arena *a = p->d->a;
    const struct value_member m[] = {{SLICE_LIT("addonName"), value_str(a, x->name)},
                                     {SLICE_LIT("kubernetesVersion"), value_str(a, p->version)}};
    return value_object(a, m, 2);
}

void platform_aws_want_addons(struct platform_aws *p)
{
    for (size_t i = 0; i < ADDONS; i++)
        if (needs_version(p, &addons[i]))
            gpu_node_want_call(p->d->c, &describe_versions, request_for(p, &addons[i]));
}

/* The version that EKS itself would choose, or the first that fits. */
static const struct value *default_version(struct platform_aws *p, const struct value *answer)
{
    struct arena *a = p->d->a;
    const struct value *list = template_select(a, answer, "addons.0.addonVersions.*");
    for (size_t i = 0; i < value_count(list); i++) {
        const struct value *fits = template_select(a, value_at(list, i), "compatibilities.*");
        for (size_t k = 0; k < value_count(fits); k++)
            if (value_true(value_get(value_at(fits, k), "defaultVersion")) &&
                slice_eq_str(value_slice(value_get(value_at(fits, k), "clusterVersion")),
                             p->version))
                return value_get(value_at(list, i), "addonVersion");
    }
    return value_get(value_at(list, 0), "addonVersion");
}

static int look_up(struct platform_aws *p, const struct addon *x, const struct value **ret)
{
    struct diags *diags = p->d->c->diags;
    const struct gpu_node_lookup *k = NULL;
    if (gpu_node_answer_call(p->d->c, &describe_versions, request_for(p, x), &k) < 0)
        return k->error.class_ == CLOUD_ERROR_INVALID
                   ? platform_aws_no_version(p->d->c, p->version)
                   : cloud_error_report(diags, NULL, "looking up versions of addons", &k->error);
    *ret = default_version(p, k->answer);
    if (value_is_known(*ret))
        return 0;
    return diags_error(diags, path_attribute(p->d->a, NULL, "kubernetes_version"),
                       "An addon has no version for this Kubernetes",
                       "EKS offers no version of %s for Kubernetes %s in %s.", x->name, p->version,
                       p->region);
}

static int version_of(struct platform_aws *p, const struct addon *x, const struct value **ret)
{
    const struct value *chosen = decided(p, x);
    const char *has = recorded(p, x, "version");
    if (chosen)
        *ret = chosen;
    else if (needs_version(p, x))
        return look_up(p, x, ret);
    else if (has && !(p->d->c->planning && (is_outdated(p, x) || !p->version)))
        *ret = value_str(p->d->a, has);
    else
        *ret = platform_unknown(p->d);
    return 0;
}

/* ---- which, and when ---- */

/* Made after the nodes, and now to be updated before them. */
static bool is_kept(const struct platform_aws *p, const struct addon *x)
{
    return x->runs_as_pods && is_outdated(p, x) &&
           (!x->role || platform_recorded(p->d->c, x->role, "arn"));
}

static const struct value *kept_object(struct platform_aws *p, const struct addon *x,
                                       const struct value *version)
{
    struct arena *a = p->d->a;
    const struct value_member m[] = {
        {SLICE_LIT("version"), version},
        {SLICE_LIT("role_arn"),
         value_str(a, x->role ? platform_recorded(p->d->c, x->role, "arn") : NULL)}};
    return value_object(a, m, x->role ? 2 : 1);
}

int platform_aws_addons(struct platform_aws *p)
{
    struct platform_derivation *d = p->d;
    struct value_member versions[ADDONS], kept[ADDONS], made[ADDONS];
    size_t n = 0, k = 0, m = 0;
    const struct value *metrics = platform_of(d, "observability.gpu_metrics");
    for (size_t i = 0; i < ADDONS; i++) {
        const struct addon *x = &addons[i];
        const struct value *version = NULL;
        if (!is_wanted(p, x))
            continue;
        if (version_of(p, x, &version) < 0)
            return -1;
        versions[n++] = (struct value_member){slice_str(x->name), version};
        if (is_kept(p, x))
            kept[k++] = (struct value_member){slice_str(x->name), kept_object(p, x, version)};
        else if (x->runs_as_pods)
            made[m++] = (struct value_member){slice_str(x->name), value_bool(d->a, true)};
    }
    platform_put(d, "addon_versions", value_object(d->a, versions, n));
    platform_put(d, "addons_kept", value_object(d->a, kept, k));
    platform_put(d, "addons_made",
                 value_is_unknown(metrics) ? platform_unknown(d) : value_object(d->a, made, m));
    return 0;
}

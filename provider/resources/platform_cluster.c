/* llm_platform_cluster: the hooks of the composite, and the clouds that they go to. */
#include "resources/platform_cluster.h"

#include <stdlib.h>
#include <string.h>

#include "resources/cluster_link.h"
#include "resources/tables.h"
#include "schema/validators.h"

static const struct platform_cloud *const clouds[] = {&platform_aws, &platform_gcp};

const struct platform_cloud *platform_cloud(const char *cloud)
{
    for (size_t i = 0; cloud && i < sizeof(clouds) / sizeof(*clouds); i++)
        if (strcmp(clouds[i]->cloud, cloud) == 0)
            return clouds[i];
    return NULL;
}

/* ---- derive ---- */

void platform_put(struct platform_derivation *d, const char *name, const struct value *v)
{
    derived_put(&d->out, name, v);
}

const struct value *platform_unknown(struct platform_derivation *d)
{
    return derived_unknown(&d->out);
}

const struct value *platform_of(const struct platform_derivation *d, const char *path)
{
    return config_get(d->config, path);
}

const struct value *platform_attribute(struct arena *a, const char *top, const char *key,
                                       const char *inside, const char *inner)
{
    const char *const names[] = {top, key, inside, inner};
    const struct value *items[4];
    size_t n = 0;
    while (n < 4 && names[n]) {
        items[n] = value_str(a, names[n]);
        if (!items[n++])
            return NULL;
    }
    return value_tuple(a, items, n);
}

const char *platform_recorded(const struct composite_context *c, const char *component,
                              const char *attr)
{
    const struct record *r = records_find(c->records, component);
    return r && !r->missing ? value_cstr(value_get(r->attrs, attr), NULL) : NULL;
}

/* Of the record as the last refresh found it. */
static const char *recorded_version(const struct composite_context *c)
{
    const struct record *r = records_find(c->records, "cluster");
    const struct value *drifted = r ? value_get(r->drifted, "version") : NULL;
    return drifted ? value_cstr(drifted, NULL) : platform_recorded(c, "cluster", "version");
}

const char *platform_version(const struct platform_derivation *d, const char *otherwise)
{
    const struct value *v = value_get(d->config, "kubernetes_version"),
                       *written = value_get(d->c->secrets, "kubernetes_version");
    if (value_is_known(v))
        return value_cstr(v, NULL);
    if (value_is_unknown(written))
        return NULL;
    const char *has = recorded_version(d->c);
    return has ? has : otherwise;
}

/* "1.34": 34; -1 when it is no such text. */
static int64_t minor_of(const struct value *version)
{
    const char *text = value_cstr(version, "");
    char *end = NULL;
    long n = strncmp(text, "1.", 2) == 0 ? strtol(text + 2, &end, 10) : -1;
    return end && end != text + 2 && (!*end || *end == '.') ? n : -1;
}

/* Kubernetes goes up by one minor version at a time, and never down. */
static int check_version(const struct composite_context *c, const struct platform_cloud *cloud)
{
    const struct value *is = c->prior ? value_get(c->prior, "kubernetes_version") : NULL,
                       *wanted = value_get(c->config, "kubernetes_version");
    const struct path *path = path_attribute(c->arena, NULL, "kubernetes_version");
    int64_t from = minor_of(is), to = minor_of(wanted);
    if (!c->planning || from < 0 || to < 0 || to == from || to == from + 1)
        return 0;
    if (to < from)
        return diags_error(c->diags, path, "Kubernetes does not go back",
                           "The cluster has version %s, and none goes back to %s.",
                           value_cstr(is, ""), value_cstr(wanted, ""));
    /* There is no way to a version that the cloud does not have. */
    if (c->online && c->region && c->secrets && cloud->check_version(c, value_cstr(wanted, "")) < 0)
        return -1;
    return diags_error(c->diags, path, "A minor version is skipped",
                       "The cluster has version %s, and goes up one minor version at a time: set "
                       "1.%lld, apply, and go on from there to %s.",
                       value_cstr(is, ""), (long long)from + 1, value_cstr(wanted, ""));
}

static int derive(const struct composite_context *c, const struct value **ret)
{
    size_t before = c->diags->errors;
    struct platform_derivation d = {.c = c,
                                    .cloud = platform_cloud(c->cloud),
                                    .a = c->arena,
                                    .config = c->config,
                                    .name = value_cstr(value_get(c->config, "name"), NULL),
                                    .out = {.arena = c->arena}};
    int rc = check_version(c, d.cloud) < 0 ? -1 : d.cloud->derive(&d);
    if (rc == 0)
        rc = platform_kubernetes_derive(&d);
    *ret = rc == 0 ? derived_object(&d.out) : NULL;
    if (!*ret && c->diags->errors == before)
        diags_error(c->diags, NULL, "Out of memory", "The platform was not worked out.");
    return *ret ? 0 : -1;
}

/* ---- plan ---- */

/* What goes with a component that a plan removes; "%s" is what follows `prefix` in its name. */
struct loss {
    const char *prefix, *summary, *detail;
};

static const struct loss losses[] = {
    {"namespace.", "A namespace is removed",
     "\"%s\" is destroyed with all that is in it: what runs there ends, and its volumes go."},
    {"node_pool.", "Nodes are removed",
     "The nodes of \"%s\" go, and their pods have to find a place in the other pools (a pool that "
     "takes its place is made before)."},
    {"repository.", "A registry is removed", "The registry \"%s\" goes."},
};

static void warn_of_losses(const struct composite_context *c, const struct engine_changes *changes)
{
    for (size_t i = 0; i < changes->count; i++)
        for (size_t k = 0; k < sizeof(losses) / sizeof(*losses); k++) {
            const char *name = changes->items[i].name;
            size_t len = strlen(losses[k].prefix);
            if (changes->items[i].action == ENGINE_DESTROY &&
                strncmp(name, losses[k].prefix, len) == 0)
                diags_warning(c->diags, NULL, losses[k].summary, losses[k].detail, name + len);
        }
}

/* What an autoscaler decides is not set again. */
static void warn_of_desired(const struct composite_context *c)
{
    const struct value *now = value_get(c->config, "node_pools"),
                       *before = value_get(c->prior, "node_pools");
    for (size_t i = 0; i < value_count(now); i++) {
        const struct value *pool = value_at(now, i),
                           *old = value_get_slice(before, now->members[i].key),
                           *desired = value_get(pool, "desired");
        if (old && value_is_known(desired) && value_true(value_get(pool, "autoscaling")) &&
            !value_equal(desired, value_get(old, "desired")))
            diags_warning(
                c->diags,
                path_attribute(c->arena,
                               path_key(c->arena, path_attribute(c->arena, NULL, "node_pools"),
                                        now->members[i].key),
                               "desired"),
                "The number of nodes stays",
                "`desired` is for a new pool: what there is, the autoscaler decides, "
                "between `min` and `max`. Set these, or `autoscaling = false`.");
    }
}

/* From where the provider runs it may no longer be reached. */
static void warn_of_endpoint(const struct composite_context *c)
{
    const struct value *now = config_get(c->config, "endpoint.public"),
                       *before = config_get(c->prior, "endpoint.public");
    if (value_is_known(now) && !value_true(now) && !(before && !value_true(before)))
        diags_warning(c->diags, path_parse(c->arena, "endpoint.public"),
                      "The Kubernetes API gets no public address",
                      "Only who is in the network reaches it from then on, this provider too: run "
                      "it there, or through a VPN.");
}

/* Images are pulled, and the cloud is asked, through it. */
static void warn_of_nat(const struct composite_context *c)
{
    const struct value *now = config_get(c->config, "network.nat"),
                       *before = config_get(c->prior, "network.nat");
    if (slice_eq_str(value_slice(now), "none") && !slice_eq_str(value_slice(before), "none") &&
        !config_get(c->config, "network.vpc_id"))
        diags_warning(c->diags, path_parse(c->arena, "network.nat"), "Nodes lose their way out",
                      "Without NAT they reach neither registries nor the cloud's APIs, unless the "
                      "network has another way (private endpoints, a transit gateway).");
}

static int check(const struct composite_context *c, const struct engine_changes *changes,
                 const struct value *derived)
{
    if (c->prior) {
        warn_of_losses(c, changes);
        warn_of_desired(c);
        warn_of_endpoint(c);
        warn_of_nat(c);
    }
    return platform_cloud(c->cloud)->check(c, changes, derived);
}

/* ---- what makes another cluster of it ---- */

/* What a range of the network is where the configuration names none; NULL: the cloud chooses. */
static const char *range_by_default(const struct platform_cloud *cloud, const char *attribute)
{
    return strcmp(attribute, "network.cidr") == 0            ? cloud->cidr
           : strcmp(attribute, "network.pods_cidr") == 0     ? cloud->pods_cidr
           : strcmp(attribute, "network.services_cidr") == 0 ? cloud->services_cidr
                                                             : NULL;
}

/* A default that is written down, or no longer is, is no change. */
static bool means_the_same(const struct value *prior, const struct value *planned,
                           const char *attribute)
{
    const struct platform_cloud *cloud =
        platform_cloud(value_cstr(value_get(prior, "cloud"), NULL));
    const struct value *was = config_get(prior, attribute), *is = config_get(planned, attribute);
    if (!cloud || value_is_unknown(was) || value_is_unknown(is) ||
        value_is_unknown(value_get(planned, "network")))
        return false;
    if (strcmp(attribute, "network.zones") == 0)
        return value_int_or(was, PLATFORM_CLUSTER_ZONES) ==
               value_int_or(is, PLATFORM_CLUSTER_ZONES);
    const char *otherwise = range_by_default(cloud, attribute);
    if (otherwise)
        return strcmp(value_cstr(was, otherwise), value_cstr(is, otherwise)) == 0;
    /* What the cloud has chosen stays, as does what is no longer written down. */
    return !is && strcmp(attribute, "network.services_cidr") == 0;
}

/* A destroy is stopped before it begins. */
static int may_destroy(struct request *rq, const struct value *prior)
{
    const struct value *guard = value_get(prior, "deletion_protection");
    /* What a configuration asks for, and does not know yet, the apply will say. */
    if (value_is_unknown(guard) || (value_is_known(guard) && !value_true(guard)))
        return 0;
    return diags_error(
        rq->diags, path_attribute(rq->arena, NULL, "deletion_protection"),
        "The platform is protected from being destroyed",
        "\"%s\" would be destroyed, with its cluster and all that runs in it. If that is what you "
        "want, set `deletion_protection = false`, apply that, and then destroy it. (`false` counts "
        "also when that apply fails in another place.)",
        value_cstr(value_get(prior, "name"), ""));
}

static int destroy(const struct composite_context *c, const char *what, const struct value *attrs)
{
    const struct platform_cloud *cloud = platform_cloud(c->cloud);
    return cloud && cloud->destroy ? cloud->destroy(c, what, attrs) : 0;
}

/* ---- import ---- */

static const struct cloud_operation read_configuration = {
    .service = "core",
    .name = "readNamespacedConfigMap",
    .method = "GET",
    .uri = "/api/v1/namespaces/{namespace}/configmaps/{name}",
    .idempotent = true,
};

static int no_configuration(const struct composite_context *c, const struct cloud_error *err)
{
    if (err && err->class_ != CLOUD_ERROR_NOT_FOUND)
        return cloud_error_report(c->diags, NULL, "reading the configuration of the platform", err);
    return diags_error(
        c->diags, NULL, "There is nothing to import",
        "There is no cluster \"%s\" in %s with the ConfigMap kube-system/llm-platform-cluster, "
        "which every cluster of this resource has.",
        value_cstr(value_get(c->config, "name"), ""), c->region);
}

/* What the user had written is kept in the cluster. */
/* The config map that is kept for an import. 0, or -1 with *err. */
static int read_kept(const struct composite_context *c, const struct value **ret,
                     struct cloud_error *err)
{
    const struct value_member m[] = {
        {SLICE_LIT("namespace"), value_str(c->arena, "kube-system")},
        {SLICE_LIT("name"), value_str(c->arena, "llm-platform-cluster")}};
    return c->inner->driver->call(c->inner->client, c->work, c->arena, c->region,
                                  &read_configuration, value_object(c->arena, m, 2), ret, err);
}

const char *platform_unfinished(const struct composite_context *c, const char *id)
{
    struct cloud_error err;
    const struct value *answer = NULL;
    if (read_kept(c, &answer, &err) == 0 || err.class_ != CLOUD_ERROR_NOT_FOUND)
        return NULL;
    return arena_printf(c->arena,
                        "The cluster %s was made for a platform of this name, which was not "
                        "finished, and which nobody can import yet: this state takes it over.",
                        id);
}

static int describe(const struct composite_context *c, const struct records *found,
                    const struct value **ret)
{
    (void)found;
    struct cloud_error err;
    const struct value *answer = NULL;
    if (read_kept(c, &answer, &err) < 0)
        return no_configuration(c, &err);
    const struct value *text = value_path(answer, "data.configuration");
    if (!value_is_known(text))
        return no_configuration(c, NULL);
    const struct value *config = c->config;
    if (value_is_null(value_get(config, "region")))
        config = value_with(c->arena, config, "region", value_str(c->arena, c->region));
    *ret = platform_configuration_of(c->arena, config, value_slice(text), c->diags);
    return *ret ? 0 : -1;
}

/* ---- what is left ---- */

const char *platform_claim_of(struct arena *a, const struct value *notes)
{
    const char *name = value_cstr(value_get(notes, "kubernetes.io/created-for/pvc/name"), NULL),
               *namespace =
                   value_cstr(value_get(notes, "kubernetes.io/created-for/pvc/namespace"), NULL);
    return name && namespace ? arena_printf(a, "%s/%s", namespace, name) : NULL;
}

/* ---- the composite ---- */

static int inner_cloud(const struct composite_context *c, struct engine_cloud *ret)
{
    static const struct cluster_advice advice = {
        ", or set `endpoint.public` first",
        ", or let in the address that this comes from, with `endpoint.public_cidrs`"};
    const struct record *cluster = records_find(c->records, "cluster");
    const struct cluster_link to = {.name = value_cstr(value_get(c->config, "name"), NULL),
                                    .attrs = cluster && !cluster->missing ? cluster->attrs : NULL,
                                    .advice = &advice};
    return cluster_link_new(c, &to, ret);
}

static void recorded(void *self, const struct record *r)
{
    const struct composite_context *c = self;
    cluster_link_recorded(c->inner->client, r);
}

static bool holds_range(const struct platform_endpoint *e, const struct value *ranges,
                        const struct value *range)
{
    const struct value *text = e->range ? value_get(range, e->range) : range;
    for (size_t i = 0; i < value_count(ranges); i++) {
        const struct value *one = value_at(ranges, i);
        struct slice s = value_slice(e->range ? value_get(one, e->range) : one);
        if (slice_eq(s, value_slice(text)) || platform_range_inside(value_slice(text), s))
            return true;
    }
    return false;
}

/* Whether who reaches the endpoint by its public address may no longer do so, and nobody comes to
 * it: from none to an address, and to other ranges, it is opened first. */
static bool shuts(const struct platform_endpoint *e, const struct value *actual,
                  const struct value *wanted)
{
    const struct value *now = value_get(actual, e->ranges), *then = value_get(wanted, e->ranges);
    bool was_limited = !e->limited || value_true(value_get(actual, e->limited)),
         is_limited = !e->limited || value_true(value_get(wanted, e->limited));
    if (!value_true(value_get(actual, e->public)))
        return false;
    if (!value_true(value_get(wanted, e->public)))
        return true;
    for (size_t i = 0; was_limited && i < value_count(then); i++)
        if (!holds_range(e, now, value_at(then, i)))
            return false;
    return is_limited && !(was_limited && value_equal(now, then));
}

/* The endpoint is shut when all that goes through it is done. */
static const struct value *first_inputs(void *self, struct arena *a, const char *name,
                                        const struct value *actual, const struct value *inputs)
{
    const struct composite_context *c = self;
    const struct platform_endpoint *e = &platform_cloud(c->cloud)->endpoint;
    const char *const held[] = {e->public, e->ranges, e->limited, e->other};
    if (strcmp(name, "cluster") != 0 || !shuts(e, actual, inputs))
        return NULL;
    for (size_t i = 0; inputs && i < sizeof(held) / sizeof(*held); i++)
        if (held[i] && value_get(actual, held[i]))
            inputs = value_with(a, inputs, held[i], value_get(actual, held[i]));
    return inputs;
}

/* There is one way to make each component: a try that fails is the last. */
static int next_try(void *self, struct arena *a, const char *hook,
                    const struct engine_create_try *t, const struct value **ret_inputs,
                    struct diags *diags)
{
    const struct composite_context *c = self;
    *ret_inputs = NULL;
    if (t->error)
        return 0;
    *ret_inputs = platform_cloud(c->cloud)->inputs_by_hook(c, a, hook, t->inputs);
    return *ret_inputs ? 0
                       : diags_error(diags, NULL, "Out of memory", "Component \"%s\" was not made.",
                                     t->name);
}

static int hooks_new(const struct composite_context *c, const struct value *derived,
                     struct engine_hooks *ret)
{
    (void)derived;
    *ret = (struct engine_hooks){.self = (void *)(uintptr_t)c,
                                 .next_try = next_try,
                                 .first_inputs = first_inputs,
                                 .recorded = recorded};
    return 0;
}

/* What a plan has asked the cloud for, its apply goes by. */
static const char *const decisions[] = {"zones", "addon_versions", NULL};

const struct composite composite_platform_cluster = {
    .table = &table_llm_platform_cluster,
    .example = "llmplatform-dev",
    .validate = platform_validate,
    .derive = derive,
    .decisions = decisions,
    .claimed = "cluster",
    .check = check,
    .means_the_same = means_the_same,
    .may_destroy = may_destroy,
    .destroy = destroy,
    .outputs = platform_outputs,
    .inner_cloud = inner_cloud,
    .hooks_new = hooks_new,
    .describe = describe,
};

/* Checks of a plan against the cluster: its namespace and what that allows, names, storage,
 * metrics; and whether it would take what is to be made. */
#include "resources/endpoint_cluster.h"

#include <stdlib.h>
#include <string.h>

#include "cloud/plain.h"
#include "cloud/template.h"
#include "resources/claim.h"
#include "resources/gpu_node.h"

#define CORE(op, path)                                                                             \
    {                                                                                              \
        .service = "core", .name = op, .method = "GET", .uri = "/api/v1/" path, .idempotent = true \
    }
#define GROUP(group, op, path)                                                                     \
    {                                                                                              \
        .service = group, .name = op, .method = "GET", .uri = "/apis/" path, .idempotent = true    \
    }

static const struct cloud_operation get_namespace = CORE("readNamespace", "namespaces/{name}");
static const struct cloud_operation list_quotas =
    CORE("listNamespacedResourceQuota", "namespaces/{namespace}/resourcequotas");
static const struct cloud_operation list_limits =
    CORE("listNamespacedLimitRange", "namespaces/{namespace}/limitranges");
static const struct cloud_operation list_policies =
    GROUP("networking", "listNamespacedNetworkPolicy",
          "networking.k8s.io/v1/namespaces/{namespace}/networkpolicies");
static const struct cloud_operation get_class =
    GROUP("storage", "readStorageClass", "storage.k8s.io/v1/storageclasses/{name}");
static const struct cloud_operation get_secret =
    CORE("readNamespacedSecret", "namespaces/{namespace}/secrets/{name}");
static const struct cloud_operation get_account =
    CORE("readNamespacedServiceAccount", "namespaces/{namespace}/serviceaccounts/{name}");
static const struct cloud_operation get_metrics[] = {
    GROUP("custom.metrics", "getAPIResources", "custom.metrics.k8s.io/v1beta2"),
    GROUP("custom.metrics", "getAPIResources", "custom.metrics.k8s.io/v1beta1")};

struct check {
    const struct composite_context *c; /* of the cluster: its driver and client */
    const struct engine_changes *changes;
    const char *namespace;
};

/* ---- asking ---- */

static const struct value *named(const struct check *k, const char *name)
{
    return endpoint_object(k->c->arena, "name", value_str(k->c->arena, name), NULL);
}

static const struct value *in_namespace(const struct check *k)
{
    return endpoint_object(k->c->arena, "namespace", value_str(k->c->arena, k->namespace), NULL);
}

static const char *storage_class(const struct check *k)
{
    return value_cstr(config_get(k->c->config, "cluster.storage_class"), NULL);
}

/* All that is sure to be asked, side by side. */
static void want(const struct check *k)
{
    gpu_node_want_call(k->c, &get_namespace, named(k, k->namespace));
    gpu_node_want_call(k->c, &list_quotas, in_namespace(k));
    gpu_node_want_call(k->c, &list_limits, in_namespace(k));
    gpu_node_want_call(k->c, &list_policies, in_namespace(k));
    if (storage_class(k))
        gpu_node_want_call(k->c, &get_class, named(k, storage_class(k)));
}

/* The items of a list; NULL when it could not be had: who may not see it is not stopped by it. */
static const struct value *items(const struct check *k, const struct cloud_operation *op)
{
    const struct gpu_node_lookup *found = NULL;
    return gpu_node_answer_call(k->c, op, in_namespace(k), &found) == 0
               ? value_get(found->answer, "items")
               : NULL;
}

static double amount(const struct check *k, const struct value *v)
{
    return endpoint_cluster_amount(k->c->arena, v);
}

/* ---- the namespace ---- */

static bool is_not_there(const struct cloud_error *err, bool cluster)
{
    bool connecting = err->operation && strcmp(err->operation, "connect") == 0;
    return err->class_ == CLOUD_ERROR_NOT_FOUND && connecting == cluster;
}

/* Whether the endpoint is there, somewhere else: it would be destroyed before it is made anew. */
static bool moves(const struct check *k)
{
    static const char *const places[] = {"cluster.name", "cluster.kubernetes.endpoint"};
    const struct value *prior = k->c->replaced;
    bool same = prior && strcmp(endpoint_cluster_namespace(prior), k->namespace) == 0;
    for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++)
        same &= strcmp(value_cstr(config_get(prior, places[i]), ""),
                       value_cstr(config_get(k->c->config, places[i]), "")) == 0;
    return prior && !same;
}

static int no_namespace(const struct check *k, const struct path *at)
{
    static const char title[] = "There is no such namespace";
    if (moves(k))
        return diags_error(k->c->diags, at, title,
                           "The cluster has no namespace \"%s\". Make it first: the endpoint moves "
                           "there, and goes from where it is before it is made anew.",
                           k->namespace);
    diags_warning(k->c->diags, at, title,
                  "The cluster has no namespace \"%s\". Unless this run makes it first "
                  "(`namespaces` of an `llm_platform_cluster` that `cluster.name` refers to), the "
                  "apply will fail. Its quotas, and what is to be made in it, were not checked.",
                  k->namespace);
    return 1;
}

/* 1: the cluster cannot be asked, or has no such namespace yet; 0: it is there, as far as one may
 * see; -1. */
static int check_namespace(const struct check *k)
{
    const struct composite_context *c = k->c;
    const struct path *at = path_parse(c->arena, "cluster.namespace");
    const struct gpu_node_lookup *found = NULL;
    if (gpu_node_answer_call(c, &get_namespace, named(k, k->namespace), &found) == 0) {
        bool goes =
            slice_eq_str(value_slice(value_path(found->answer, "status.phase")), "Terminating");
        return goes ? diags_error(c->diags, at, "The namespace is being deleted",
                                  "\"%s\" goes, and takes nothing new.", k->namespace)
                    : 0;
    }
    const struct cloud_error *err = &found->error;
    if (is_not_there(err, false))
        return no_namespace(k, at);
    if (is_not_there(err, true) || cloud_error_is_unanswered(err)) {
        diags_warning(c->diags, path_attribute(c->arena, NULL, "cluster"),
                      "The cluster was not asked",
                      "%s: neither the namespace nor its quotas were checked.", err->message);
        return 1;
    }
    return err->class_ == CLOUD_ERROR_PERMISSION
               ? 0
               : cloud_error_report(c->diags, at, "looking for the namespace", err);
}

/* The servers' images run as root. */
static int check_pod_security(const struct check *k)
{
    const struct gpu_node_lookup *found = NULL;
    if (gpu_node_answer_call(k->c, &get_namespace, named(k, k->namespace), &found) < 0)
        return 0;
    const struct value *labels = value_path(found->answer, "metadata.labels");
    if (!slice_eq_str(value_slice(value_get(labels, "pod-security.kubernetes.io/enforce")),
                      "restricted"))
        return 0;
    return diags_error(k->c->diags, path_parse(k->c->arena, "cluster.namespace"),
                       "The namespace does not let the pods in",
                       "It enforces the \"restricted\" pod security standard, and the servers' "
                       "images run as root. Use a namespace with \"baseline\".");
}

/* ---- what is there to be had ---- */

static const struct value *server_of(const struct engine_change *ch)
{
    return value_at(value_get(ch->attrs_after, "containers"), 0);
}

static bool is_deployment(const struct engine_change *ch)
{
    size_t len = strlen(ENDPOINT_CLUSTER_DEPLOYMENT);
    return strncmp(ch->name, ENDPOINT_CLUSTER_DEPLOYMENT, len) == 0 &&
           (ch->action == ENGINE_CREATE || ch->action == ENGINE_UPDATE ||
            ch->action == ENGINE_REPLACE);
}

/* As many as are asked for, or as a scaler keeps at least. */
static int64_t wanted_pods(const struct check *k, const struct engine_change *ch)
{
    const char *variant = ch->name + strlen(ENDPOINT_CLUSTER_DEPLOYMENT);
    const char *scaler = arena_printf(k->c->arena, ENDPOINT_CLUSTER_SCALER "%s", variant);
    const struct value *least = scaler ? changes_attr(k->changes, scaler, "min_replicas") : NULL;
    return value_int_or(value_get(ch->attrs_after, "replicas"), value_int_or(least, 1));
}

/* Pods that come beside those that are there: a change brings one up before an old one goes. */
static int64_t more_pods(const struct check *k, const struct engine_change *ch)
{
    const struct record *r = records_find(k->c->records, ch->name);
    int64_t wanted = wanted_pods(k, ch);
    if (ch->action == ENGINE_CREATE)
        return wanted;
    int64_t has = value_int_or(r ? value_get(r->attrs, "replicas") : NULL, wanted);
    return 1 + (wanted > has ? wanted - has : 0);
}

static int64_t more_gpus(const struct check *k)
{
    int64_t all = 0;
    for (size_t i = 0; i < k->changes->count; i++) {
        const struct engine_change *ch = &k->changes->items[i];
        const struct value *asks = value_path(server_of(ch), "resources.requests");
        const char *gpus = value_cstr(value_get(asks, ENDPOINT_CLUSTER_GPU), NULL);
        if (is_deployment(ch) && gpus)
            all += more_pods(k, ch) * strtoll(gpus, NULL, 10);
    }
    return all;
}

static int check_quotas(const struct check *k)
{
    static const char resource[] = "requests." ENDPOINT_CLUSTER_GPU;
    const struct value *quotas = items(k, &list_quotas);
    double more = (double)more_gpus(k);
    int rc = 0;
    for (size_t i = 0; more > 0 && i < value_count(quotas); i++) {
        const struct value *q = value_at(quotas, i);
        double hard = amount(k, value_get(value_path(q, "spec.hard"), resource));
        double used = amount(k, value_get(value_path(q, "status.used"), resource));
        used = used < 0 ? 0 : used;
        if (hard < 0 || used + more <= hard)
            continue;
        rc = diags_error(
            k->c->diags, path_parse(k->c->arena, "cluster.namespace"),
            "The namespace's quota has no room",
            "The quota \"%s\" allows %.0f of %s, of which %.0f are in use; %.0f more are needed. "
            "(A change brings up a new pod before an old one goes, for which there has to be "
            "room.) Raise the quota, or lower `instances` or `machine.gpus`.",
            value_cstr(value_path(q, "metadata.name"), ""), hard, resource, used, more);
    }
    return rc;
}

static int check_limit(const struct check *k, const struct engine_change *ch,
                       const struct value *limit, const char *resource, const char *attribute)
{
    const struct composite_context *c = k->c;
    const struct value *asked = value_get(value_path(server_of(ch), "resources.limits"), resource),
                       *most = value_get(value_get(limit, "max"), resource);
    if (amount(k, most) < 0 || amount(k, asked) <= amount(k, most))
        return 0;
    return diags_error(c->diags, path_parse(c->arena, attribute),
                       "More than the namespace lets a container have",
                       "A pod asks for %s of %s, and a LimitRange of \"%s\" allows %s. Lower it "
                       "here, or raise it there.",
                       value_cstr(asked, ""), resource, k->namespace, value_cstr(most, ""));
}

static int check_limits(const struct check *k)
{
    const struct value *ranges = items(k, &list_limits);
    for (size_t i = 0; i < value_count(ranges); i++) {
        const struct value *limits = value_path(value_at(ranges, i), "spec.limits");
        for (size_t l = 0; l < value_count(limits); l++) {
            const struct value *limit = value_at(limits, l);
            struct slice type = value_slice(value_get(limit, "type"));
            for (size_t n = 0; n < k->changes->count; n++) {
                const struct engine_change *ch = &k->changes->items[n];
                if (!is_deployment(ch) ||
                    (!slice_eq_str(type, "Container") && !slice_eq_str(type, "Pod")))
                    continue;
                if ((check_limit(k, ch, limit, "cpu", "machine.cpu") |
                     check_limit(k, ch, limit, "memory", "machine.memory_gib")) < 0)
                    return -1;
            }
        }
    }
    return 0;
}

/* ---- calls out ---- */

/* Whether it is about all pods of the namespace. */
static bool is_for_all(const struct value *policy)
{
    return value_count(value_path(policy, "spec.podSelector")) == 0;
}

static bool has_type(const struct value *policy, const char *type)
{
    const struct value *types = value_path(policy, "spec.policyTypes");
    for (size_t i = 0; i < value_count(types); i++)
        if (slice_eq_str(value_slice(value_at(types, i)), type))
            return true;
    return false;
}

static void warn_of_egress(const struct check *k)
{
    const struct value *policies = items(k, &list_policies), *denies = NULL;
    for (size_t i = 0; i < value_count(policies); i++) {
        const struct value *p = value_at(policies, i);
        bool lets = value_count(value_path(p, "spec.egress")) > 0;
        if (has_type(p, "Egress") && lets)
            return;
        if (has_type(p, "Egress") && is_for_all(p))
            denies = p;
    }
    if (denies)
        diags_warning(k->c->diags, path_parse(k->c->arena, "cluster.namespace"),
                      "The pods may call nobody",
                      "The policy \"%s\" of \"%s\" denies what goes out, so that no model can be "
                      "fetched. Allow DNS and HTTPS for pods with the label llm-endpoint=%s.",
                      value_cstr(value_path(denies, "metadata.name"), ""), k->namespace,
                      value_cstr(value_get(k->c->config, "name"), ""));
}

/* ---- storage ---- */

/* Disks, which a single node can have. */
static bool is_disk(const struct value *provisioner)
{
    static const char *const disks[] = {"ebs.csi.aws.com", "ebs.csi.eks.amazonaws.com",
                                        "kubernetes.io/aws-ebs", "pd.csi.storage.gke.io",
                                        "kubernetes.io/gce-pd"};
    for (size_t i = 0; i < sizeof(disks) / sizeof(*disks); i++)
        if (slice_eq_str(value_slice(provisioner), disks[i]))
            return true;
    return false;
}

/* Volumes grow, where their class lets them, and never shrink. */
static int check_sizes(const struct check *k)
{
    size_t len = strlen(ENDPOINT_CLUSTER_WEIGHTS);
    for (size_t i = 0; i < k->changes->count; i++) {
        const struct engine_change *ch = &k->changes->items[i];
        const struct record *r = records_find(k->c->records, ch->name);
        const struct value *had = r ? value_get(r->attrs, "storage") : NULL,
                           *wanted = value_get(ch->attrs_after, "storage");
        if (strncmp(ch->name, ENDPOINT_CLUSTER_WEIGHTS, len) != 0 || ch->action != ENGINE_UPDATE ||
            amount(k, wanted) >= amount(k, had))
            continue;
        return diags_error(k->c->diags, path_parse(k->c->arena, "machine.disk_gib"),
                           "The volume would shrink",
                           "It has %s, %s are wanted, and volumes only grow. Leave it as it is, or "
                           "name another `cluster.storage_class`, which makes another volume.",
                           value_cstr(had, ""), value_cstr(wanted, ""));
    }
    return 0;
}

static int check_storage(const struct check *k)
{
    const struct composite_context *c = k->c;
    const struct path *at = path_parse(c->arena, "cluster.storage_class");
    const struct gpu_node_lookup *found = NULL;
    const char *class = storage_class(k);
    if (!class)
        return 0;
    if (gpu_node_answer_call(c, &get_class, named(k, class), &found) < 0)
        return found->error.class_ == CLOUD_ERROR_NOT_FOUND
                   ? diags_error(c->diags, at, "There is no such storage class",
                                 "The cluster has no storage class \"%s\".", class)
                   : 0;
    const struct value *provisioner = value_get(found->answer, "provisioner");
    if (!value_true(config_get(c->config, "cluster.shared_storage")) || !is_disk(provisioner))
        return 0;
    return diags_error(c->diags, at, "The volume cannot be shared",
                       "\"%s\" makes disks (%s), which a single node can have. Name a class of "
                       "file systems (EFS, FSx, Filestore …), or leave `shared_storage` out.",
                       class, value_cstr(provisioner, ""));
}

/* ---- what the pods name ---- */

static const struct value *in_namespace_named(const struct check *k, const char *name)
{
    return endpoint_object(k->c->arena, "namespace", value_str(k->c->arena, k->namespace), "name",
                           value_str(k->c->arena, name), NULL);
}

/* The object; NULL: it is not there, which is warned of, or may not be seen. Another resource of
 * the same run may make it, so that it is no error. */
static const struct value *named_object(const struct check *k, const struct cloud_operation *op,
                                        const char *what, const char *name, const struct path *at)
{
    const struct gpu_node_lookup *found = NULL;
    if (gpu_node_answer_call(k->c, op, in_namespace_named(k, name), &found) == 0)
        return found->answer;
    if (found->error.class_ == CLOUD_ERROR_NOT_FOUND)
        diags_warning(
            k->c->diags, at, what,
            "There is no \"%s\" in \"%s\". Until it is made, no pod starts, and the apply "
            "waits.",
            name, k->namespace);
    return NULL;
}

static void check_token(const struct check *k)
{
    const struct path *at = path_attribute(k->c->arena, NULL, "huggingface_token_secret");
    const char *name = value_cstr(config_get(k->c->config, "huggingface_token_secret"), NULL);
    const struct value *secret =
        name ? named_object(k, &get_secret, "There is no such Secret", name, at) : NULL;
    if (secret && !value_get(value_get(secret, "data"), "token"))
        diags_warning(k->c->diags, at, "The Secret has no token",
                      "The Secret \"%s\" of \"%s\" has no key \"token\". Until it has, no pod "
                      "starts, and the apply waits.",
                      name, k->namespace);
}

static void check_named(const struct check *k)
{
    const char *role = value_cstr(config_get(k->c->config, "role"), NULL);
    bool starts = false;
    for (size_t i = 0; i < k->changes->count; i++)
        starts |= is_deployment(&k->changes->items[i]);
    if (!starts)
        return;
    check_token(k);
    if (role)
        named_object(k, &get_account, "There is no such service account", role,
                     path_attribute(k->c->arena, NULL, "role"));
}

/* ---- metrics ---- */

static bool is_served(const struct check *k, const struct value *list, const char *metric)
{
    const struct value *all = value_get(list, "resources");
    const char *name = arena_printf(k->c->arena, "pods/%s", metric);
    for (size_t i = 0; name && i < value_count(all); i++)
        if (slice_eq_str(value_slice(value_get(value_at(all, i), "name")), name))
            return true;
    return false;
}

static int check_metric(const struct check *k, const struct value *list, const char *at)
{
    const char *metric = value_cstr(config_get(k->c->config, at), NULL);
    if (!metric || is_served(k, list, metric))
        return 0;
    return diags_error(k->c->diags, path_parse(k->c->arena, at), "There is no such metric",
                       "The adapter of the cluster's custom metrics API serves no \"%s\" of pods.",
                       metric);
}

static int check_metrics(const struct check *k)
{
    const struct composite_context *c = k->c;
    const struct gpu_node_lookup *found = NULL;
    bool wanted = false;
    for (size_t i = 0; i < k->changes->count; i++)
        wanted |= strncmp(k->changes->items[i].name, ENDPOINT_CLUSTER_SCALER,
                          strlen(ENDPOINT_CLUSTER_SCALER)) == 0 &&
                  k->changes->items[i].action != ENGINE_DESTROY;
    if (!wanted)
        return 0;
    for (size_t i = 0; i < 2; i++)
        if (gpu_node_answer_call(c, &get_metrics[i], value_object(c->arena, NULL, 0), &found) == 0)
            return check_metric(k, found->answer, "cluster.metrics.requests") |
                   check_metric(k, found->answer, "cluster.metrics.gpu");
    if (found->error.class_ == CLOUD_ERROR_NOT_FOUND ||
        found->error.class_ == CLOUD_ERROR_UNSUPPORTED)
        return diags_error(c->diags, path_parse(c->arena, "cluster.metrics"),
                           "Nothing serves metrics of pods",
                           "The cluster has no custom metrics API (custom.metrics.k8s.io), so that "
                           "it would never scale. Install an adapter first.");
    diags_warning(c->diags, path_parse(c->arena, "cluster.metrics"), "Metrics were not checked",
                  "%s", found->error.message);
    return 0;
}

/* Who decides about the number of pods changes: they are one until the scaler has seen to it. */
static void warn_of_scaling(const struct check *k)
{
    for (size_t i = 0; i < k->changes->count; i++) {
        const struct engine_change *ch = &k->changes->items[i];
        const struct record *r = records_find(k->c->records, ch->name);
        int64_t had = value_int_or(r ? value_get(r->attrs, "replicas") : NULL, 1);
        if (is_deployment(ch) && had > 1 && !config_is_set(value_get(ch->attrs_after, "replicas")))
            diags_warning(k->c->diags, path_attribute(k->c->arena, NULL, "scaling"),
                          "The number of pods changes hands",
                          "\"%s\" has %lld pods, and is left with one until the scaler has seen "
                          "to it.",
                          ch->name + strlen(ENDPOINT_CLUSTER_DEPLOYMENT), (long long)had);
    }
}

/* ---- trying out what is to be made ---- */

static int lookup(void *self, struct arena *a, const char *root, const char *path,
                  const struct value **ret)
{
    const struct engine_change *ch = self;
    (void)a;
    *ret = !*root && path ? value_get(ch->attrs_after, path) : NULL;
    return 0;
}

static int call(const struct check *k, const struct engine_change *ch,
                const struct cloud_operation *op, const struct template *template,
                const struct value **ret, struct cloud_error *err)
{
    const struct value *request = NULL;
    memset(err, 0, sizeof(*err));
    *ret = NULL;
    if (template_eval(k->c->arena, template, lookup, (void *)(uintptr_t)ch, &request) < 0 ||
        !request)
        return diags_error(k->c->diags, NULL, "Out of memory", "Nothing was tried out.");
    if (!value_is_wholly_known(request))
        return 0;
    return composite_call(k->c, k->c->arena, op, request, ret, err);
}

static bool is_ours(const struct check *k, const struct engine_change *ch,
                    const struct value *labels)
{
    const struct value *owner = k->c->driver->owner_tags(k->c->arena, ENDPOINT_TYPE,
                                                         value_get(k->c->config, "name"), ch->name);
    for (size_t i = 0; i < value_count(owner); i++)
        if (!value_equal(value_get_slice(labels, owner->members[i].key), value_at(owner, i)))
            return false;
    return owner != NULL;
}

/* Who has it, as far as its labels say. */
static const char *holder(const struct value *labels)
{
    const char *resource = value_cstr(value_get(labels, "llm-resource"), NULL);
    return resource
               ? resource
               : value_cstr(value_get(labels, "app.kubernetes.io/managed-by"), "somebody else");
}

static bool has_records(const struct composite_context *c)
{
    for (size_t i = 0; c->prior && i < c->records->count; i++)
        if (!c->records->items[i].missing)
            return true;
    return false;
}

/* There is one of that name: another's, or what an apply of this resource has made. */
static int check_found(const struct check *k, const struct engine_change *ch)
{
    const struct composite_context *c = k->c;
    const struct value *found = NULL;
    struct cloud_error err;
    if (call(k, ch, ch->component->read.op, ch->component->read.request, &found, &err) < 0 ||
        !found)
        return err.class_ == CLOUD_ERROR_NOT_FOUND || err.class_ == CLOUD_ERROR_NONE
                   ? 0
                   : cloud_error_report(c->diags, NULL, "looking at what has the name", &err);
    const struct value *labels = value_path(found, "metadata.labels");
    const char *id = arena_printf(c->arena, "%s/%s", k->namespace,
                                  value_cstr(value_path(found, "metadata.name"), ""));
    if (!id)
        return -1;
    if (!is_ours(k, ch, labels))
        return diags_error(c->diags, path_attribute(c->arena, NULL, "name"), "The name is taken",
                           "The %s %s is there already, and belongs to %s. Choose another name.",
                           ch->component->title, id, holder(labels));
    if (strcmp(ch->name, ENDPOINT_CLUSTER_SERVICE) != 0 || has_records(c) ||
        provider_has_seen(c->request->provider, slice_str(id)))
        return 0;
    const char *import = arena_printf(
        c->arena, "%s/%s", value_cstr(config_get(c->config, "cluster.name"), "CLUSTER"), id);
    return import ? claim_check_named(c, "model endpoint", ch->component->title, labels, id, NULL,
                                      import)
                  : -1;
}

/* The API server says of everything that is to be made whether it would take it. */
static int try_out(const struct check *k)
{
    int rc = 0;
    for (size_t i = 0; i < k->changes->count; i++) {
        const struct engine_change *ch = &k->changes->items[i];
        const struct component *kind = ch->component;
        const struct value *ignored = NULL;
        struct cloud_error err;
        bool tries = ch->action == ENGINE_CREATE && kind->create_count &&
                     strstr(kind->create[0].op->uri, "{?dryRun}");
        if (!tries || call(k, ch, kind->create[0].op, kind->create[0].request, &ignored, &err) == 0)
            continue;
        if (err.code && strcmp(err.code, "AlreadyExists") == 0)
            rc |= check_found(k, ch);
        else if (err.class_ == CLOUD_ERROR_NONE || cloud_error_is_unanswered(&err))
            return rc | (err.class_ == CLOUD_ERROR_NONE ? -1 : 0);
        else
            rc = cloud_error_report(
                k->c->diags, NULL,
                arena_printf(k->c->arena, "trying out the %s \"%s\"", kind->title, ch->name), &err);
    }
    return rc;
}

/* ---- the hook ---- */

/* A cluster that is still to be made has no address, or no name, yet. */
static bool can_be_asked(const struct composite_context *c)
{
    const struct value *name = config_get(c->config, "cluster.name"),
                       *url = config_get(c->config, "cluster.kubernetes.endpoint"),
                       *namespace = config_get(c->config, "cluster.namespace");
    return c->inner && c->inner->driver && !value_is_unknown(namespace) &&
           (value_is_known(name) || value_is_known(url));
}

int endpoint_cluster_check(const struct composite_context *c, const struct engine_changes *changes,
                           const struct value *derived)
{
    struct composite_context inside = *c;
    struct check k = {&inside, changes, endpoint_cluster_namespace(c->config)};
    int rc = endpoint_cluster_check_sources(c, changes, derived);
    if (!can_be_asked(c))
        return rc;
    inside.driver = c->inner->driver;
    inside.client = c->inner->client;
    want(&k);
    int there = check_namespace(&k);
    if (there)
        return there < 0 ? -1 : rc;
    warn_of_egress(&k);
    warn_of_scaling(&k);
    check_named(&k);
    rc |= check_pod_security(&k);
    rc |= check_quotas(&k);
    rc |= check_limits(&k);
    rc |= check_storage(&k);
    rc |= check_sizes(&k);
    rc |= check_metrics(&k);
    return rc < 0 ? -1 : try_out(&k);
}

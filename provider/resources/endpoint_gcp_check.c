/* Checks of an endpoint's plan against Google Cloud: APIs, name, machines, quota, files, images. */
#include "resources/endpoint_gcp.h"

#include <stdlib.h>
#include <string.h>

#include "cloud/template.h"
#include "resources/claim.h"

enum { TEXT_MOST = 4096, MACHINES_ASKED = 64, MACHINES_OF_ONE = 24, PAGE = 100 };

#define SERVICE "/v1beta1/projects/{project}/services/aiplatform.googleapis.com"
#define LOCATION "/v1/projects/{project}/locations/{location}"
#define PACKAGE LOCATION "/repositories/{repository}/packages/{package}"

const struct cloud_operation endpoint_gcp_get = {.service = "aiplatform",
                                                 .name = "projects.locations.endpoints.get",
                                                 .method = "GET",
                                                 .uri = LOCATION "/endpoints/{endpoint}",
                                                 .idempotent = true};
static const struct cloud_operation list_endpoints = {.service = "aiplatform",
                                                      .name = "projects.locations.endpoints.list",
                                                      .method = "GET",
                                                      .uri = LOCATION "/endpoints{?pageSize}",
                                                      .idempotent = true};
static const struct cloud_operation get_quota = {.service = "serviceusage",
                                                 .name = "services.consumerQuotaMetrics.get",
                                                 .method = "GET",
                                                 .uri = SERVICE "/consumerQuotaMetrics/{metric}",
                                                 .idempotent = true};
static const struct cloud_operation list_objects = {.service = "storage",
                                                    .name = "objects.list",
                                                    .method = "GET",
                                                    .uri = "/storage/v1/b/{bucket}/o{?prefix,"
                                                           "maxResults}",
                                                    .idempotent = true};
static const struct cloud_operation get_tag = {
    .service = "artifactregistry",
    .name = "projects.locations.repositories.packages.tags.get",
    .method = "GET",
    .uri = PACKAGE "/tags/{tag}",
    .idempotent = true};
static const struct cloud_operation get_version = {
    .service = "artifactregistry",
    .name = "projects.locations.repositories.packages.versions.get",
    .method = "GET",
    .uri = PACKAGE "/versions/{tag}",
    .idempotent = true};

/* ---- requests ---- */

const struct value *endpoint_gcp_request(const struct composite_context *c, const char *name,
                                         const struct value *v)
{
    const struct value_member m[] = {{SLICE_LIT("project"), value_str(c->arena, c->account)},
                                     {SLICE_LIT("location"), value_str(c->arena, c->region)},
                                     {slice_str(name), v}};
    return value_object(c->arena, m, 3);
}

static const struct value *own_request(const struct composite_context *c)
{
    return endpoint_gcp_request(c, "endpoint", value_get(c->config, "name"));
}

static const struct value *endpoints_request(const struct composite_context *c)
{
    return endpoint_gcp_request(c, "pageSize", value_int(c->arena, PAGE));
}

static const struct value *quota_request(const struct composite_context *c, const char *metric)
{
    const struct value_member m[] = {
        {SLICE_LIT("project"), value_str(c->arena, c->account)},
        {SLICE_LIT("metric"), value_printf(c->arena, "aiplatform.googleapis.com/%s", metric)}};
    return value_object(c->arena, m, 2);
}

static const struct value *services_request(const struct composite_context *c)
{
    static const char *const usual[] = {"aiplatform", "iam", "cloudresourcemanager"};
    const char *names[5];
    size_t count = 3;
    memcpy(names, usual, sizeof(usual));
    if (config_get(c->config, "huggingface_token_wo_version") ||
        config_get(c->config, "huggingface_token_secret"))
        names[count++] = "secretmanager";
    if (config_get(c->config, "alarms"))
        names[count++] = "monitoring";
    const struct value_member m[] = {{SLICE_LIT("project"), value_str(c->arena, c->account)},
                                     {SLICE_LIT("names"), gcp_service_names(c, names, count)}};
    return m[1].value ? value_object(c->arena, m, 2) : NULL;
}

static const struct value *objects_request(const struct composite_context *c, const char *uri)
{
    struct slice bucket, prefix;
    gcp_split_uri(slice_str(uri), &bucket, &prefix);
    const struct value_member m[] = {
        {SLICE_LIT("bucket"), value_string(c->arena, bucket)},
        {SLICE_LIT("maxResults"), value_int(c->arena, 1)},
        {SLICE_LIT("prefix"), value_printf(c->arena, "%.*s/", (int)prefix.len, prefix.ptr)}};
    return value_object(c->arena, m, prefix.len ? 3 : 2);
}

/* "us-docker.pkg.dev/PROJECT/REPOSITORY/A/B:TAG": who knows about it. NULL for what cannot be asked
 * about. */
static const struct value *image_request(struct arena *a, const char *image,
                                         const struct cloud_operation **ret_op)
{
    static const char host[] = "-docker.pkg.dev/";
    const char *end = strstr(image, host);
    const char *project = end ? end + strlen(host) : NULL;
    const char *repository = project ? strchr(project, '/') : NULL;
    const char *package = repository ? strchr(repository + 1, '/') : NULL;
    if (!package)
        return NULL;
    const char *digest = strchr(package, '@'), *colon = strrchr(package, ':');
    const char *mark = digest ? digest : colon;
    size_t len = mark ? (size_t)(mark - package - 1) : strlen(package + 1);
    *ret_op = digest ? &get_version : &get_tag;
    const struct value_member m[] = {
        {SLICE_LIT("project"),
         value_string(a, slice_from(project, (size_t)(repository - project)))},
        {SLICE_LIT("location"), value_string(a, slice_from(image, (size_t)(end - image)))},
        {SLICE_LIT("repository"),
         value_string(a, slice_from(repository + 1, (size_t)(package - repository - 1)))},
        {SLICE_LIT("package"), value_string(a, slice_from(package + 1, len))},
        {SLICE_LIT("tag"), value_str(a, mark ? mark + 1 : "latest")}};
    return value_object(a, m, 5);
}

/* ---- quotas ---- */

/* "custom_model_serving_nvidia_l4_gpus" of "nvidia-l4"; the names leave out "tesla", and of H100
 * the memory. Owned by `a`; NULL when memory is out. */
static const char *quota_metric(struct arena *a, const char *accelerator, bool spot)
{
    static const char *const usual[][2] = {{"nvidia-h100-80gb", "h100"},
                                           {"nvidia-h100-mega-80gb", "h100_mega"},
                                           {"nvidia-h200-141gb", "h200"}};
    const char *name = accelerator;
    for (size_t i = 0; i < sizeof(usual) / sizeof(*usual); i++)
        if (strcmp(usual[i][0], accelerator) == 0)
            name = usual[i][1];
    static const char *const prefixes[] = {"nvidia-", "tesla-"};
    for (size_t i = 0; i < 2; i++)
        if (strncmp(name, prefixes[i], strlen(prefixes[i])) == 0)
            name += strlen(prefixes[i]);
    char *text =
        arena_printf(a, "custom_model_serving_%snvidia_%s_gpus", spot ? "preemptible_" : "", name);
    for (char *p = text; p && *p; p++)
        if (*p == '-')
            *p = '_';
    return text;
}

static bool is_spot(const struct composite_context *c)
{
    return config_is(c->config, "machine.provisioning", "spot");
}

/* The limit in the region: that of a bucket of the region, else of the bucket of all others. */
static bool limit_of(const struct value *answer, const char *region, int64_t *ret)
{
    const struct value *limits = value_get(answer, "consumerQuotaLimits");
    bool found = false;
    for (size_t i = 0; i < value_count(limits); i++) {
        const struct value *buckets = value_get(value_at(limits, i), "quotaBuckets");
        for (size_t k = 0; k < value_count(buckets); k++) {
            const struct value *b = value_at(buckets, k), *limit = value_get(b, "effectiveLimit"),
                               *of = value_path(b, "dimensions.region");
            bool here = slice_eq_str(value_slice(of), region);
            if (!value_slice(limit).len || (of && !here))
                continue;
            if (here || !found)
                *ret = strtoll(value_cstr(limit, ""), NULL, 10);
            found = true;
            if (here)
                return true;
        }
    }
    return found;
}

/* The quota's limit. 0; 1 when it is not known (an answer without it); -1 when it cannot be asked.
 */
static int ask_limit(const struct composite_context *c, const char *metric, int64_t *ret,
                     const char **ret_reason)
{
    const struct gpu_node_lookup *found = NULL;
    if (gpu_node_answer_call(c, &get_quota, quota_request(c, metric), &found) < 0) {
        *ret_reason = found->error.message;
        return found->error.class_ == CLOUD_ERROR_NOT_FOUND ? 1 : -1;
    }
    return limit_of(found->answer, c->region, ret) ? 0 : 1;
}

/* GPUs that all endpoints of the region count against a quota: for as many replicas as there may
 * be. */
static int64_t gpus_in_use(const struct composite_context *c, const char *metric)
{
    const struct gpu_node_lookup *found = NULL;
    int64_t sum = 0;
    if (gpu_node_answer_call(c, &list_endpoints, endpoints_request(c), &found) < 0)
        return 0;
    const struct value *all =
        template_select(c->arena, found->answer, "endpoints.*.deployedModels.*.dedicatedResources");
    for (size_t i = 0; i < value_count(all); i++) {
        const struct value *one = value_at(all, i), *machine = value_get(one, "machineSpec");
        char *type = arena_strdup(c->arena, value_cstr(value_get(machine, "acceleratorType"), ""));
        for (char *p = type; p && *p; p++)
            *p = *p == '_' ? '-' : *p >= 'A' && *p <= 'Z' ? (char)(*p - 'A' + 'a') : *p;
        const char *of =
            type ? quota_metric(c->arena, type, value_true(value_get(one, "spot"))) : NULL;
        if (of && strcmp(of, metric) == 0)
            sum += value_int_or(value_get(machine, "acceleratorCount"), 0) *
                   value_int_or(value_get(one, "maxReplicaCount"), 1);
    }
    return sum;
}

/* ---- machines ---- */

static const struct gpu_node_machines *
machines_of(const struct composite_context *c, const struct catalog_machine **list, size_t count)
{
    struct gpu_node_machines *m = arena_new_object(c->arena, struct gpu_node_machines);
    if (m)
        *m = (struct gpu_node_machines){
            .known = true, .chosen = true, .items = list, .count = count};
    return m;
}

static void add_machine(const struct catalog_machine **list, size_t *count,
                        const struct catalog_machine *m)
{
    for (size_t i = 0; i < *count; i++)
        if (list[i] == m)
            return;
    if (m && *count < MACHINES_ASKED)
        list[(*count)++] = m;
}

/* All machines that this plan may be about are asked for at once: those that hold a model (the
 * cheapest few), and those that are named. */
static void want_offers(const struct endpoint_gcp *e)
{
    const struct catalog_machine **list =
        arena_new_array(e->d->a, MACHINES_ASKED, const struct catalog_machine *);
    size_t count = 0;
    int gpus = (int)value_int_or(config_get(e->d->config, "machine.gpus"), 0);
    for (size_t i = 0; list && i < e->count; i++) {
        const struct endpoint_variant *v = e->items[i].v;
        struct endpoint_model m;
        size_t fitting = 0;
        if (v->machine_type)
            add_machine(list, &count, catalog_machine("gcp", slice_str(v->machine_type)));
        if (v->machine_type || endpoint_model(e->d->a, e->d->config, v, NULL, &m, NULL) < 0 ||
            !m.sized)
            continue;
        const struct catalog_machine **fits =
            endpoint_machines(e->d->a, e->d->target, &m, gpus, &fitting);
        for (size_t k = 0; fits && k < fitting && k < MACHINES_OF_ONE; k++)
            add_machine(list, &count, fits[k]);
    }
    const struct gpu_node_machines *all = list ? machines_of(e->d->c, list, count) : NULL;
    if (all && count)
        gpu_node_want_offers(e->d->c, all);
}

static bool is_offered(const struct gpu_node_lookup *offers, const struct catalog_machine *m)
{
    for (size_t i = 0; i < offers->offer_count; i++)
        if (strcmp(offers->offers[i].type, m->type) == 0)
            return true;
    return false;
}

const struct catalog_machine *endpoint_gcp_offered(const struct endpoint_gcp *e,
                                                   const struct endpoint_gcp_variant *x,
                                                   const struct catalog_machine *const *list,
                                                   size_t count)
{
    const struct composite_context *c = e->d->c;
    const struct gpu_node_lookup *offers = NULL;
    const struct catalog_machine *first = NULL;
    int64_t min = 0, max = 0, limit = 0;
    if (!c->planning || !c->online)
        return NULL;
    want_offers(e);
    endpoint_gcp_replicas(x->v, &min, &max);
    if (gpu_node_answer(c, GPU_NODE_LOOKUP_OFFERS, NULL, &offers) < 0)
        return NULL;
    for (size_t i = 0; i < count && i < MACHINES_OF_ONE; i++) {
        const char *reason = NULL,
                   *metric = quota_metric(c->arena, list[i]->accelerator, is_spot(c));
        if (!metric || !is_offered(offers, list[i]))
            continue;
        first = first ? first : list[i];
        if (ask_limit(c, metric, &limit, &reason) != 0 || limit < 0 ||
            max * list[i]->gpu_count <= limit)
            return list[i];
    }
    return first;
}

/* ---- what is planned ---- */

struct checking {
    const struct composite_context *c;
    const struct engine_changes *changes;
    const struct value *derived;
    struct endpoint_variants variants;
};

static bool is_new(const struct engine_change *ch)
{
    return ch->action == ENGINE_CREATE || ch->action == ENGINE_REPLACE;
}

static bool starts(const char *name, const char *prefix)
{
    return strncmp(name, prefix, strlen(prefix)) == 0;
}

/* Whether the plan makes a component with such a name. */
static bool makes(const struct checking *k, const char *prefix)
{
    for (size_t i = 0; i < k->changes->count; i++)
        if (starts(k->changes->items[i].name, prefix) && is_new(&k->changes->items[i]))
            return true;
    return false;
}

/* What is deployed of a variant by this plan; NULL: nothing. */
static const struct engine_change *deployed_of(const struct checking *k, struct slice variant,
                                               bool only_new)
{
    for (size_t i = 0; i < k->changes->count; i++) {
        const struct engine_change *ch = &k->changes->items[i];
        const struct value *of = value_get(ch->attrs_after, "display_name");
        if (starts(ch->name, "deployed_model.") && slice_eq(value_slice(of), variant) &&
            (is_new(ch) || (!only_new && ch->action == ENGINE_UPDATE)))
            return ch;
    }
    return NULL;
}

static const char *choice(const struct checking *k, const struct endpoint_variant *v,
                          const char *what)
{
    const struct value *own = value_get_slice(value_get(k->derived, "choices"), v->name);
    return value_cstr(value_get(own, what), NULL);
}

static const struct catalog_machine *machine_of(const struct checking *k,
                                                const struct endpoint_variant *v)
{
    const char *type = choice(k, v, "machine_type");
    return type ? catalog_machine("gcp", slice_str(type)) : NULL;
}

/* ---- APIs and name ---- */

static int check_services(const struct checking *k)
{
    const struct gpu_node_lookup *found = NULL;
    int rc = gpu_node_answer_call(k->c, &gcp_get_services, services_request(k->c), &found);
    return gcp_check_services(k->c, rc, found->answer, &found->error);
}

/* Whether the state has something of the endpoint: one of its name is then what an update that was
 * killed has made. */
static bool has_some(const struct composite_context *c)
{
    for (size_t i = 0; c->prior && i < c->records->count; i++)
        if (!c->records->items[i].missing)
            return true;
    return false;
}

static int check_name(const struct checking *k)
{
    const struct composite_context *c = k->c;
    const struct gpu_node_lookup *found = NULL;
    if (gpu_node_answer_call(c, &endpoint_gcp_get, own_request(c), &found) < 0)
        return found->error.class_ == CLOUD_ERROR_NOT_FOUND
                   ? 0
                   : cloud_error_report(c->diags, NULL, "checking that the name is free",
                                        &found->error);
    const struct value *labels = value_get(found->answer, "labels");
    const struct value *owner =
        c->driver->owner_tags(c->arena, ENDPOINT_TYPE, value_get(c->config, "name"), "endpoint");
    const char *id = value_cstr(value_get(found->answer, "name"), "");
    bool ours = value_equal(value_get(labels, "llm-resource"), value_get(owner, "llm-resource"));
    if (provider_has_seen(c->request->provider, slice_str(id)) || (ours && has_some(c)))
        return 0;
    if (!ours)
        return diags_error(c->diags, path_attribute(c->arena, NULL, "name"), "The name is taken",
                           "The endpoint %s is not this provider's. Choose another name.", id);
    return claim_check_found(c, "model endpoint", "endpoint", labels, id, NULL);
}

/* ---- machines and quotas ---- */

static void unchecked(const struct composite_context *c, const struct path *at, const char *what,
                      const char *why)
{
    diags_warning(c->diags, at, what, "%s", why ? why : "");
}

static void want_machines(const struct checking *k)
{
    const struct catalog_machine **list =
        arena_new_array(k->c->arena, MACHINES_ASKED, const struct catalog_machine *);
    size_t count = 0;
    for (size_t i = 0; list && i < k->variants.count; i++)
        if (deployed_of(k, k->variants.items[i].name, true))
            add_machine(list, &count, machine_of(k, &k->variants.items[i]));
    const struct gpu_node_machines *all = list ? machines_of(k->c, list, count) : NULL;
    if (all && count)
        gpu_node_want_offers(k->c, all);
}

/* Vertex AI does not say which machines it has where: it has none that Compute Engine has not. */
static int check_offer(const struct checking *k, const struct endpoint_variant *v)
{
    const struct catalog_machine *m = machine_of(k, v);
    const struct gpu_node_lookup *offers = NULL;
    const struct path *at = endpoint_variant_path(k->c->arena, v, "machine_type", "machine.type");
    if (!m)
        return 0;
    if (gpu_node_answer(k->c, GPU_NODE_LOOKUP_OFFERS, NULL, &offers) < 0) {
        unchecked(k->c, at, "Whether the region has the machine was not checked",
                  offers->error.message);
        return 0;
    }
    if (is_offered(offers, m))
        return 0;
    return diags_error(k->c->diags, at, "The region does not have this machine",
                       "No zone of %s has %s. Choose another machine, or another region.",
                       k->c->region, m->type);
}

/* GPUs that this plan adds: those of a new version beside those of the old one. */
static int64_t gpus_added(const struct checking *k, const char *metric)
{
    int64_t sum = 0;
    for (size_t i = 0; i < k->variants.count; i++) {
        const struct endpoint_variant *v = &k->variants.items[i];
        const struct catalog_machine *m = machine_of(k, v);
        const struct engine_change *ch = deployed_of(k, v->name, false);
        const char *own = m ? quota_metric(k->c->arena, m->accelerator, is_spot(k->c)) : NULL;
        if (!ch || !own || strcmp(own, metric) != 0)
            continue;
        const struct value *was = records_attr(k->c->records, ch->name, "max_replicas");
        int64_t after = value_int_or(value_get(ch->attrs_after, "max_replicas"), 1);
        int64_t before = ch->action == ENGINE_CREATE ? 0 : value_int_or(was, 0);
        sum += after > before ? (after - before) * m->gpu_count : 0;
    }
    return sum;
}

static int check_quota(const struct checking *k, const struct endpoint_variant *v)
{
    const struct composite_context *c = k->c;
    const struct catalog_machine *m = machine_of(k, v);
    const struct path *at = endpoint_variant_path(c->arena, v, "machine_type", "machine.type");
    const char *metric = m ? quota_metric(c->arena, m->accelerator, is_spot(c)) : NULL;
    const char *reason = NULL;
    int64_t limit = 0, added = metric ? gpus_added(k, metric) : 0;
    if (!added)
        return 0;
    int rc = ask_limit(c, metric, &limit, &reason);
    if (rc != 0) {
        unchecked(k->c, at, "The quota was not checked",
                  reason ? reason : "The answer does not have it.");
        return 0;
    }
    int64_t used = gpus_in_use(c, metric);
    if (limit < 0 || used + added <= limit)
        return 0;
    return diags_error(
        c->diags, at, "The GPU quota is too small",
        "This needs %lld more GPUs of the quota \"%s\", which is %lld in %s, with %lld in use. It "
        "counts as many instances as there may be, and those of a new version beside those of the "
        "old one. Ask for more on the Quotas page of the console: "
        "https://console.cloud.google.com/iam-admin/quotas?project=%s",
        (long long)added, metric, (long long)limit, c->region, (long long)used, c->account);
}

/* ---- files and images ---- */

int endpoint_gcp_check_objects(const struct composite_context *c, const char *uri,
                               const struct path *at)
{
    const struct gpu_node_lookup *found = NULL;
    if (!uri || strncmp(uri, "gs://", 5) != 0)
        return 0;
    if (gpu_node_answer_call(c, &list_objects, objects_request(c, uri), &found) < 0) {
        if (found->error.class_ == CLOUD_ERROR_NOT_FOUND)
            return diags_error(c->diags, at, "There is no such bucket", "%s: %s", uri,
                               found->error.message);
        unchecked(c, at, "Whether the files are there was not checked", found->error.message);
        return 0;
    }
    if (value_count(value_get(found->answer, "items")))
        return 0;
    return diags_error(c->diags, at, "There are no such files",
                       "%s has no object in it. Name the folder that holds the files.", uri);
}

int endpoint_gcp_check_image(const struct composite_context *c, const char *image,
                             const struct path *at)
{
    const struct gpu_node_lookup *found = NULL;
    const struct cloud_operation *op = NULL;
    const struct value *request = image ? image_request(c->arena, image, &op) : NULL;
    if (!request || gpu_node_answer_call(c, op, request, &found) == 0)
        return 0;
    if (found->error.class_ == CLOUD_ERROR_NOT_FOUND)
        return diags_error(c->diags, at, "There is no such image", "%s: %s", image,
                           found->error.message);
    unchecked(c, at, "Whether the image is there was not checked", found->error.message);
    return 0;
}

static int check_image(const struct checking *k, const struct endpoint_variant *v)
{
    bool own = v->image || (v->model && strncmp(v->model, "oci://", 6) == 0);
    return endpoint_gcp_check_image(k->c, own ? choice(k, v, "image") : NULL,
                                    endpoint_image_path(k->c->arena, v));
}

static int check_adapters(const struct checking *k)
{
    const struct value *all = config_get(k->c->config, "adapters");
    int rc = 0;
    for (size_t i = 0; i < value_count(all); i++)
        rc |= endpoint_gcp_check_objects(k->c, value_cstr(value_at(all, i), NULL),
                                         path_key(k->c->arena,
                                                  path_attribute(k->c->arena, NULL, "adapters"),
                                                  all->members[i].key));
    return rc;
}

/* ---- the hook ---- */

static void want_variant(const struct checking *k, const struct endpoint_variant *v)
{
    const struct composite_context *c = k->c;
    const struct catalog_machine *m = machine_of(k, v);
    const struct cloud_operation *op = NULL;
    const char *metric = m ? quota_metric(c->arena, m->accelerator, is_spot(c)) : NULL;
    const char *image = choice(k, v, "image");
    const struct value *request = image && v->image ? image_request(c->arena, image, &op) : NULL;
    if (metric) {
        gpu_node_want_call(c, &get_quota, quota_request(c, metric));
        gpu_node_want_call(c, &list_endpoints, endpoints_request(c));
    }
    if (v->model && strncmp(v->model, "gs://", 5) == 0)
        gpu_node_want_call(c, &list_objects, objects_request(c, v->model));
    if (request)
        gpu_node_want_call(c, op, request);
}

static int check_variant(const struct checking *k, const struct endpoint_variant *v)
{
    const struct path *at = endpoint_variant_path(k->c->arena, v, "model", "model");
    int rc = 0;
    if (deployed_of(k, v->name, true)) {
        rc |= check_offer(k, v);
        rc |= endpoint_gcp_check_objects(k->c, v->model, at);
        rc |= check_image(k, v);
    }
    if (deployed_of(k, v->name, false))
        rc |= check_quota(k, v);
    return rc;
}

int endpoint_gcp_check(const struct composite_context *c, const struct engine_changes *changes,
                       const struct value *derived)
{
    struct checking *k = arena_new_object(c->arena, struct checking);
    if (!k)
        return diags_error(c->diags, NULL, "Out of memory", "The checks were not made.");
    *k = (struct checking){.c = c, .changes = changes, .derived = derived};
    endpoint_variants(c->arena, c->config, &k->variants);
    bool made = makes(k, "endpoint"), named = value_is_known(value_get(c->config, "name"));
    int rc = 0;
    if (made)
        gpu_node_want_call(c, &gcp_get_services, services_request(c));
    if (made && named)
        gpu_node_want_call(c, &endpoint_gcp_get, own_request(c));
    want_machines(k);
    for (size_t i = 0; i < k->variants.count; i++)
        if (deployed_of(k, k->variants.items[i].name, false))
            want_variant(k, &k->variants.items[i]);
    /* Without the APIs nothing else could be asked. */
    if (made && check_services(k) < 0)
        return -1;
    if (made && named)
        rc |= check_name(k);
    for (size_t i = 0; i < k->variants.count; i++)
        rc |= check_variant(k, &k->variants.items[i]);
    if (makes(k, "project_iam_member.") || makes(k, "deployed_model."))
        rc |= check_adapters(k);
    return rc;
}

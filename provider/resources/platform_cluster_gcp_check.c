/* Checks of a platform's plan against Google Cloud: APIs, region, name, version. */
#include "resources/platform_cluster_gcp.h"

#include <string.h>

#include "cloud/template.h"
#include "resources/claim.h"

enum { TEXT_MOST = 4096 };

#define PUBLIC_ENDPOINT "controlPlaneEndpointsConfig.ipEndpointsConfig.enablePublicEndpoint"
#define LOCATION "/v1/projects/{project}/locations/{location}"

static const struct cloud_operation get_cluster = {.service = "container",
                                                   .name = "projects.locations.clusters.get",
                                                   .method = "GET",
                                                   .uri = LOCATION "/clusters/{cluster}",
                                                   .idempotent = true};
static const struct cloud_operation get_server_config = {.service = "container",
                                                         .name =
                                                             "projects.locations.getServerConfig",
                                                         .method = "GET",
                                                         .uri = LOCATION "/serverConfig",
                                                         .idempotent = true};

/* ---- what is asked ---- */

static const struct value *location_request(struct arena *a, const char *project,
                                            const char *region, const char *cluster)
{
    const struct value_member m[] = {{SLICE_LIT("project"), value_str(a, project)},
                                     {SLICE_LIT("location"), value_str(a, region)},
                                     {SLICE_LIT("cluster"), value_str(a, cluster)}};
    return value_object(a, m, cluster ? 3 : 2);
}

static const struct value *cluster_request(const struct composite_context *c)
{
    return location_request(c->arena, c->account, c->region,
                            value_cstr(value_get(c->config, "name"), ""));
}

/* Without it images are kept, but nobody looks at them. */
#define SCANNING "containerscanning.googleapis.com"

static bool scans(const struct composite_context *c)
{
    const struct value *scan = config_get(c->config, "registries.scan_on_push");
    return config_get(c->config, "registries") && value_is_known(scan) && value_true(scan);
}

/* `made`: the platform is made, and not only a registry more. */
static const struct value *services_request(const struct composite_context *c, bool made)
{
    static const char *const names[] = {
        "artifactregistry",     "containerscanning", "compute",   "container", "iam",
        "cloudresourcemanager", "logging",           "monitoring"};
    const char *asked[8];
    size_t count = 0;
    for (size_t i = 0; i < 8; i++) {
        bool wanted = i == 0   ? config_get(c->config, "registries") != NULL
                      : i == 1 ? scans(c)
                               : made;
        if (wanted)
            asked[count++] = names[i];
    }
    const struct value_member m[] = {{SLICE_LIT("project"), value_str(c->arena, c->account)},
                                     {SLICE_LIT("names"), gcp_service_names(c, asked, count)}};
    return m[1].value ? value_object(c->arena, m, 2) : NULL;
}

static const struct value *versions_request(const struct composite_context *c)
{
    return location_request(c->arena, c->account, c->region, NULL);
}

static bool has_version(const struct composite_context *c)
{
    return value_is_known(value_get(c->secrets, "kubernetes_version"));
}

void platform_gcp_want_checks(const struct composite_context *c)
{
    gpu_node_want_call(c, &gcp_get_services, services_request(c, true));
    gpu_node_want_call(c, &platform_gcp_get_region, platform_gcp_region_request(c));
    if (value_is_known(value_get(c->config, "name")))
        gpu_node_want_call(c, &get_cluster, cluster_request(c));
    if (has_version(c))
        gpu_node_want_call(c, &get_server_config, versions_request(c));
}

/* ---- what the answers say ---- */

static bool is_service(const struct value *item, const char *host)
{
    const char *name = value_cstr(value_get(item, "name"), "");
    const char *last = strrchr(name, '/');
    return strcmp(last ? last + 1 : name, host) == 0;
}

static void warn_of_scanning(const struct composite_context *c, const struct value *item)
{
    if (slice_eq_str(value_slice(value_get(item, "state")), "DISABLED"))
        diags_warning(c->diags, path_parse(c->arena, "registries.scan_on_push"),
                      "Images are not scanned",
                      "The project %s has not enabled " SCANNING ", which scans them, for a price. "
                      "Enable it with: gcloud services enable " SCANNING " --project %s. Or set "
                      "`scan_on_push = false`.",
                      c->account, c->account);
}

/* Nothing fails without scanning: that is a warning. */
static int check_services(const struct composite_context *c, bool made)
{
    const struct gpu_node_lookup *found = NULL;
    int rc = gpu_node_answer_call(c, &gcp_get_services, services_request(c, made), &found);
    const struct value *list = value_get(found->answer, "services"),
                       *needed = value_tuple(c->arena, NULL, 0);
    for (size_t i = 0; rc == 0 && i < value_count(list); i++) {
        const struct value *item = value_at(list, i);
        if (is_service(item, SCANNING))
            warn_of_scanning(c, item);
        else
            needed = value_tuple_join(c->arena, needed, value_tuple(c->arena, &item, 1));
    }
    const struct value_member m = {SLICE_LIT("services"), needed};
    return gcp_check_services(c, rc, needed ? value_object(c->arena, &m, 1) : found->answer,
                              &found->error);
}

static int check_region(const struct composite_context *c)
{
    const struct gpu_node_lookup *found = NULL;
    if (gpu_node_answer_call(c, &platform_gcp_get_region, platform_gcp_region_request(c), &found) ==
        0)
        return 0;
    if (found->error.class_ != CLOUD_ERROR_NOT_FOUND)
        return cloud_error_report(c->diags, NULL, "looking up the zones of the region",
                                  &found->error);
    return diags_error(c->diags, path_attribute(c->arena, NULL, "region"), "Unknown region",
                       "The project %s has no region \"%s\": %s", c->account, c->region,
                       found->error.message);
}

/* A cluster that is in the state that is planned, maybe as one that will be replaced. */
static bool is_own(const struct composite_context *c, const char *id)
{
    const char *recorded = platform_recorded(c, "cluster", "self_link");
    return (recorded && strcmp(recorded, id) == 0) ||
           provider_has_seen(c->request->provider, slice_str(id));
}

static bool is_ours(const struct composite_context *c, const struct value *labels)
{
    const struct value *owner = c->driver->owner_tags(c->arena, PLATFORM_CLUSTER_TYPE,
                                                      value_get(c->config, "name"), "cluster");
    return value_equal(value_get(labels, "llm-resource"), value_get(owner, "llm-resource"));
}

/* Whether the state has something of the platform: a cluster of its name is then what an update
 * that was killed has made. */
static bool has_name(const struct composite_context *c)
{
    for (size_t i = 0; c->prior && i < c->records->count; i++)
        if (!c->records->items[i].missing)
            return true;
    return false;
}

static int check_name(const struct composite_context *c)
{
    const struct gpu_node_lookup *found = NULL;
    if (gpu_node_answer_call(c, &get_cluster, cluster_request(c), &found) < 0)
        return found->error.class_ == CLOUD_ERROR_NOT_FOUND
                   ? 0
                   : cloud_error_report(c->diags, NULL, "checking that the name is free",
                                        &found->error);
    const struct value *labels = value_get(found->answer, "resourceLabels");
    const struct value *link =
        template_transform(c->arena, TRANSFORM_RELATIVE, value_get(found->answer, "selfLink"));
    const char *id = value_cstr(link, "");
    if (is_own(c, id) || (is_ours(c, labels) && has_name(c)))
        return 0;
    if (!is_ours(c, labels))
        return diags_error(c->diags, path_attribute(c->arena, NULL, "name"), "The name is taken",
                           "The cluster %s is not this provider's. Choose another name.", id);
    return claim_check_found(c, "platform", "cluster", labels, id, platform_unfinished(c, id));
}

/* ---- version ---- */

/* The minor versions of a list, newest first, each once. */
static void append_minors(struct arena *a, struct buf *b, const struct value *versions)
{
    const char *last = "";
    for (size_t i = 0; i < value_count(versions); i++) {
        const char *minor = platform_gcp_minor(a, value_cstr(value_at(versions, i), NULL));
        if (minor && strcmp(minor, last) != 0)
            buf_printf(b, "%s%s", b->len ? ", " : "", minor);
        last = minor ? minor : last;
    }
}

static const struct value *versions_of(const struct value *config, const char *channel)
{
    const struct value *channels = value_get(config, "channels");
    for (size_t i = 0; i < value_count(channels); i++)
        if (slice_eq_str(value_slice(value_get(value_at(channels, i), "channel")), channel))
            return value_get(value_at(channels, i), "validVersions");
    return NULL;
}

int platform_gcp_check_version(const struct composite_context *c, const char *version)
{
    const struct gpu_node_lookup *found = NULL;
    const char *channel = value_cstr(config_get(c->config, "release_channel"), "REGULAR");
    _cleanup_buf_ struct buf minors = BUF_INIT(TEXT_MOST);
    if (gpu_node_answer_call(c, &get_server_config, versions_request(c), &found) < 0) {
        diags_warning(c->diags, path_attribute(c->arena, NULL, "kubernetes_version"),
                      "The version was not checked", "%s", found->error.message);
        return 0;
    }
    const struct value *versions = versions_of(found->answer, channel);
    for (size_t i = 0; i < value_count(versions); i++) {
        const char *minor = platform_gcp_minor(c->arena, value_cstr(value_at(versions, i), NULL));
        if (minor && strcmp(minor, version) == 0)
            return 0;
    }
    append_minors(c->arena, &minors, versions);
    return diags_error(c->diags, path_attribute(c->arena, NULL, "kubernetes_version"),
                       "Unknown version", "GKE's release channel %s has no %s in %s; it has: %s.",
                       channel, version, c->region, buf_cstr(&minors));
}

/* ---- the hook ---- */

static bool is_made(const struct engine_changes *changes, bool *upgraded)
{
    *upgraded = false;
    for (size_t i = 0; i < changes->count; i++) {
        const struct engine_change *ch = &changes->items[i];
        if (strcmp(ch->name, "cluster") != 0)
            continue;
        for (size_t k = 0; k < ch->attr_count; k++)
            *upgraded |= strcmp(ch->attrs[k], "version") == 0;
        return ch->action == ENGINE_CREATE || ch->action == ENGINE_REPLACE;
    }
    return false;
}

static bool makes_registry(const struct engine_changes *changes)
{
    for (size_t i = 0; i < changes->count; i++)
        if (changes->items[i].action == ENGINE_CREATE &&
            strncmp(changes->items[i].name, "repository.", 11) == 0)
            return true;
    return false;
}

int platform_gcp_check(const struct composite_context *c, const struct engine_changes *changes,
                       const struct value *derived)
{
    bool upgraded = false, made = is_made(changes, &upgraded);
    (void)derived;
    if (made)
        platform_gcp_want_checks(c);
    /* Without the APIs, or in another place, nothing else could be asked. */
    if ((made || makes_registry(changes)) && check_services(c, made) < 0)
        return -1;
    if (made && check_region(c) < 0)
        return -1;
    int rc = 0;
    if (made && value_is_known(value_get(c->config, "name")))
        rc = check_name(c);
    if ((made || upgraded) && has_version(c))
        rc |= platform_gcp_check_version(
            c, value_cstr(value_get(c->secrets, "kubernetes_version"), ""));
    return rc;
}

/* ---- the cluster that is there ---- */

int platform_gcp_look_up(const struct cloud_driver *driver, struct cloud_client *client,
                         const struct work *w, struct arena *a, const char *region,
                         const char *name, const struct value **ret, struct cloud_error *err)
{
    const char *project = NULL;
    const struct value *answer = NULL;
    if (driver->account(client, w, a, region, &project, err) < 0)
        return -1;
    const struct value *request = location_request(a, project, region, name);
    *ret = NULL;
    if (driver->call(client, w, a, region, &get_cluster, request, &answer, err) < 0)
        return err->class_ == CLOUD_ERROR_NOT_FOUND ? 0 : -1;
    const struct value_member m[] = {
        {SLICE_LIT("endpoint"), value_get(answer, "endpoint")},
        {SLICE_LIT("ca_certificate"), value_path(answer, "masterAuth.clusterCaCertificate")},
        {SLICE_LIT("public_endpoint"), value_path(answer, PUBLIC_ENDPOINT)}};
    if (m[0].value && m[1].value)
        *ret = value_object(a, m, m[2].value ? 3 : 2);
    return 0;
}

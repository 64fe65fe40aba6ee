/* Where the services of Google Cloud are. */
#include <string.h>

#include "gcp/config.h"

/* A service: its name in the endpoints block (and in GOOGLE_<NAME>_CUSTOM_ENDPOINT), the first
 * label of its host, and what stands before the version in its API's paths. */
struct service {
    const char *name, *env, *host, *path;
    bool located; /* each location has a host of its own: "us-central1-aiplatform" */
};

static const struct service services[] = {
    {"artifact_registry", "GOOGLE_ARTIFACT_REGISTRY_CUSTOM_ENDPOINT", "artifactregistry", "",
     false},
    {"compute", "GOOGLE_COMPUTE_CUSTOM_ENDPOINT", "compute", "/compute", false},
    {"container", "GOOGLE_CONTAINER_CUSTOM_ENDPOINT", "container", "", false},
    {"iam", "GOOGLE_IAM_CUSTOM_ENDPOINT", "iam", "", false},
    {"iam_credentials", "GOOGLE_IAM_CREDENTIALS_CUSTOM_ENDPOINT", "iamcredentials", "", false},
    {"logging", "GOOGLE_LOGGING_CUSTOM_ENDPOINT", "logging", "", false},
    {"monitoring", "GOOGLE_MONITORING_CUSTOM_ENDPOINT", "monitoring", "", false},
    {"oauth2", "GOOGLE_OAUTH2_CUSTOM_ENDPOINT", "oauth2", "", false},
    {"resource_manager", "GOOGLE_RESOURCE_MANAGER_CUSTOM_ENDPOINT", "cloudresourcemanager", "",
     false},
    {"secret_manager", "GOOGLE_SECRET_MANAGER_CUSTOM_ENDPOINT", "secretmanager", "", false},
    {"service_usage", "GOOGLE_SERVICE_USAGE_CUSTOM_ENDPOINT", "serviceusage", "", false},
    {"storage", "GOOGLE_STORAGE_CUSTOM_ENDPOINT", "storage", "/storage", false},
    {"sts", "GOOGLE_STS_CUSTOM_ENDPOINT", "sts", "", false},
    {"vertex_ai", "GOOGLE_VERTEX_AI_CUSTOM_ENDPOINT", "aiplatform", "", true},
};

static const struct service *find(const char *name)
{
    for (size_t i = 0; i < sizeof(services) / sizeof(*services); i++)
        if (strcmp(services[i].name, name) == 0 || strcmp(services[i].host, name) == 0)
            return &services[i];
    return NULL;
}

static struct slice without_slashes(struct slice s)
{
    while (s.len && s.ptr[s.len - 1] == '/')
        s.len--;
    return s;
}

static struct slice without_suffix(struct slice s, const char *suffix)
{
    size_t n = strlen(suffix);
    if (s.len > n && memcmp(s.ptr + s.len - n, suffix, n) == 0)
        s.len -= n;
    return s;
}

/* Without the base path, where there is one: the calls' own paths start with it. */
static struct slice without_base_path(struct slice url, const char *path)
{
    static const char *const versions[] = {"/v1", "/v2", "/v3", "/v1beta1", "/beta", "/alpha"};
    struct slice s = without_slashes(url);
    for (size_t i = 0; i < sizeof(versions) / sizeof(*versions); i++) {
        struct slice without = without_suffix(s, versions[i]);
        if (without.len < s.len)
            return without_suffix(without, path);
    }
    return s;
}

const char *gcp_custom_endpoint(const struct gcp_config *c, struct arena *a, const char *service)
{
    const struct service *s = find(service);
    const char *url = s ? value_cstr(value_get(c->endpoints, s->name), NULL) : NULL;
    if (s && (!url || !*url))
        url = gcp_env(s->env);
    if (!url)
        return NULL;
    struct slice base = without_base_path(slice_str(url), s->path);
    return arena_strndup(a, base.ptr, base.len);
}

/* The location in "projects/p/locations/us-central1/…"; empty when there is none. */
static struct slice location_in(const char *path)
{
    static const char before[] = "/locations/";
    const char *found = path ? strstr(path, before) : NULL;
    const char *at = found ? found + sizeof(before) - 1 : "";
    return slice_from(at, strcspn(at, "/:?"));
}

const char *gcp_endpoint(const struct gcp_config *c, struct arena *a, const char *service,
                         const char *path)
{
    const struct service *s = find(service);
    const char *custom = gcp_custom_endpoint(c, a, service);
    struct slice location = s && s->located ? location_in(path) : SLICE_EMPTY;
    if (custom)
        return custom;
    bool region = location.len && memchr(location.ptr, '-', location.len);
    if (location.len && !region && !slice_eq_str(location, "global")) /* "us", "eu" */
        return arena_printf(a, "https://%s.%.*s.rep.%s", s->host, (int)location.len, location.ptr,
                            c->universe_domain);
    if (region)
        return arena_printf(a, "https://%.*s-%s.%s", (int)location.len, location.ptr, s->host,
                            c->universe_domain);
    return arena_printf(a, "https://%s.%s", s ? s->host : service, c->universe_domain);
}

/* Where the services of Google Cloud are. */
#include <string.h>

#include "gcp/config.h"

/* A service: its name in the endpoints block (and in GOOGLE_<NAME>_CUSTOM_ENDPOINT), the first
 * label of its host, and what stands before the version in its API's paths. */
struct service {
    const char *name, *env, *host, *path;
};

static const struct service services[] = {
    {"artifact_registry", "GOOGLE_ARTIFACT_REGISTRY_CUSTOM_ENDPOINT", "artifactregistry", ""},
    {"compute", "GOOGLE_COMPUTE_CUSTOM_ENDPOINT", "compute", "/compute"},
    {"container", "GOOGLE_CONTAINER_CUSTOM_ENDPOINT", "container", ""},
    {"iam", "GOOGLE_IAM_CUSTOM_ENDPOINT", "iam", ""},
    {"iam_credentials", "GOOGLE_IAM_CREDENTIALS_CUSTOM_ENDPOINT", "iamcredentials", ""},
    {"logging", "GOOGLE_LOGGING_CUSTOM_ENDPOINT", "logging", ""},
    {"monitoring", "GOOGLE_MONITORING_CUSTOM_ENDPOINT", "monitoring", ""},
    {"oauth2", "GOOGLE_OAUTH2_CUSTOM_ENDPOINT", "oauth2", ""},
    {"resource_manager", "GOOGLE_RESOURCE_MANAGER_CUSTOM_ENDPOINT", "cloudresourcemanager", ""},
    {"secret_manager", "GOOGLE_SECRET_MANAGER_CUSTOM_ENDPOINT", "secretmanager", ""},
    {"service_usage", "GOOGLE_SERVICE_USAGE_CUSTOM_ENDPOINT", "serviceusage", ""},
    {"storage", "GOOGLE_STORAGE_CUSTOM_ENDPOINT", "storage", "/storage"},
    {"sts", "GOOGLE_STS_CUSTOM_ENDPOINT", "sts", ""},
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

const char *gcp_endpoint(const struct gcp_config *c, struct arena *a, const char *service)
{
    const struct service *s = find(service);
    const char *custom = gcp_custom_endpoint(c, a, service);
    return custom ? custom
                  : arena_printf(a, "https://%s.%s", s ? s->host : service, c->universe_domain);
}

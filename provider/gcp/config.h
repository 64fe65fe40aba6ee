/* The GCP part of the provider configuration, resolved with the environment in the order of the
 * Google provider ("Google Provider Configuration Reference"): provider block, environment,
 * gcloud's own settings, the metadata server. */
#ifndef LLM_GCP_CONFIG_H
#define LLM_GCP_CONFIG_H

#include "cloud/retry.h"
#include "http/http.h"
#include "value/value.h"

/* Everything is owned by the arena given to gcp_config_resolve(); nothing changes afterwards. */
struct gcp_config {
    const char *project; /* NULL: none is configured; the credentials or the metadata server may */
    const char *region, *zone; /* NULL: none is configured; a zone alone gives its region */
    const char *credentials;   /* path or JSON of the provider block or GOOGLE_CREDENTIALS */
    const char *access_token;  /* of the block or GOOGLE_OAUTH_ACCESS_TOKEN; NULL: none */
    const char *credentials_name, *access_token_name; /* the setting that gave each, for messages */
    const char *adc_path;        /* GOOGLE_APPLICATION_CREDENTIALS; NULL: not set */
    const char *well_known_path; /* where gcloud keeps its file; NULL: there is no home */
    const char *gcloud_project;  /* of gcloud's active configuration: after the credentials' own */
    const char *metadata_host;   /* GCE_METADATA_HOST; NULL: the default */
    bool skip_metadata;          /* NO_GCE_CHECK=true: there is no metadata server to ask */
    const char *env_quota_project; /* GOOGLE_CLOUD_QUOTA_PROJECT; NULL: not set */
    const char *impersonate;       /* impersonate_service_account; NULL: none */
    const char *const *delegates;
    size_t delegate_count;
    const char *const *scopes; /* never empty: cloud-platform and userinfo.email by default */
    size_t scope_count;
    const char *billing_project; /* NULL: none */
    bool user_project_override;
    const struct value *default_labels; /* map of string; never null */
    const struct value *endpoints;      /* object of the block; may be null */
    const char *universe_domain;        /* "googleapis.com" unless set */
    const char *request_reason;         /* sent as X-Goog-Request-Reason; NULL: none */
    struct http_settings http;          /* request_timeout, proxies, CA bundle, insecure */
    struct retry_policy retry;
};

/* Checks a provider block that may hold unknown values. 0 or -1. */
int gcp_config_validate(struct arena *a, const struct value *block, struct diags *diags);

/* Resolves the block (an object or null). Touches no network. 0 or -1. */
int gcp_config_resolve(struct arena *a, const struct value *block, struct gcp_config *ret,
                       struct diags *diags);

/* The endpoint that the block or the environment gives `service`, as gcp_endpoint() has it; NULL
 * when neither does. */
const char *gcp_custom_endpoint(const struct gcp_config *c, struct arena *a, const char *service);

/* A setting of the environment, NULL when unset or empty; owned by the process. */
const char *gcp_env(const char *name);

/* What the service's requests start with, without a slash at the end, owned by `a`: the block's
 * `endpoints.<service>`, the Google provider's GOOGLE_<SERVICE>_CUSTOM_ENDPOINT, else `host` with
 * the universe domain ("compute" -> "https://compute.googleapis.com"). A custom endpoint that ends
 * in the API's base path ("…/compute/v1/", as the Google provider has them) is taken without it.
 * `service` is a name of the endpoints block or the first label of the host ("resource_manager",
 * "cloudresourcemanager"); any other is the host's first label. Of a service whose locations have
 * hosts of their own it is the one of the location in `path`, what is called there
 * ("/v1/projects/p/locations/us-central1/…"; NULL: none).
 * NULL when memory is out. */
const char *gcp_endpoint(const struct gcp_config *c, struct arena *a, const char *service,
                         const char *path);

#endif

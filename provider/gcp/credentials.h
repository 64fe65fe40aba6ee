/* GCP credentials as Application Default Credentials finds them ("How Application Default
 * Credentials works"), with the Google provider's settings before:
 *
 *  1. access_token of the provider block, GOOGLE_OAUTH_ACCESS_TOKEN
 *  2. credentials of the provider block, GOOGLE_CREDENTIALS, GOOGLE_CLOUD_KEYFILE_JSON,
 *     GCLOUD_KEYFILE_JSON: a path or the content
 *  3. GOOGLE_APPLICATION_CREDENTIALS: a path
 *  4. gcloud's well-known file (CLOUDSDK_CONFIG or ~/.config/gcloud)
 *  5. the metadata server
 *
 * and then, where asked for, the impersonation of a service account. The first source that is
 * configured decides: what fails there is an error, not a reason to go on. */
#ifndef LLM_GCP_CREDENTIALS_H
#define LLM_GCP_CREDENTIALS_H

#include <pthread.h>

#include "base/secret.h"
#include "cloud/driver.h"

/* What one request is authorised with. */
struct gcp_token {
    struct secret bearer;   /* the access token, or a self-signed JWT for the audience */
    int64_t expires_unix_s; /* INT64_MAX: not known */
    const char *source;     /* constant text: where it came from */
};

#define GCP_TOKEN_EMPTY ((struct gcp_token){SECRET_EMPTY, INT64_MAX, ""})

struct gcp_token_cache {
    pthread_mutex_t lock;
    bool valid;
    struct gcp_token current;
    int64_t asked_unix_s; /* when `current` was got: a token that is never good for five minutes
                             (metadata servers keep theirs) is not asked for with each call */
    bool no_metadata;     /* there is no metadata server at its default address … */
    bool metadata_seen;   /* … there is one: when it is silent now, that will pass */
    bool names_known;     /* the two projects have been looked for in the credentials … */
    bool ask_metadata;    /* … which are the metadata server's: it knows the project */
    char *project;        /* that the credentials name; NULL: none, or not resolved yet */
    char *quota_project;
    struct secret refresh_token; /* that the server gave in place of the file's; empty: none */
};

void gcp_token_cache_init(struct gcp_token_cache *c);
void gcp_token_cache_clean_up(struct gcp_token_cache *c);

/* Copies the client's token, getting or refreshing it (five minutes before it expires) where
 * needed; one thread does while the others wait. The caller cleans *ret up. 0, or -1 with *err
 * (class CLOUD_ERROR_CREDENTIALS, or that of the network's failure), whose message says which
 * source failed and why. */
int gcp_token_get(struct cloud_client *c, const struct work *w, struct arena *a,
                  struct gcp_token *ret, struct cloud_error *err);

/* The next gcp_token_get() gets a new one, unless another thread already has replaced `used`. */
void gcp_token_forget(struct gcp_token_cache *c, const struct gcp_token *used);

/* Zeroes and frees. */
void gcp_token_clean_up(struct gcp_token *t);

/* The project that the credentials or the metadata server name, owned by `a`; NULL with *err. Used
 * where the configuration names none. */
const char *gcp_credentials_project(struct cloud_client *c, const struct work *w, struct arena *a,
                                    struct cloud_error *err);

/* The project that quota and billing of requests count against, owned by `a`: billing_project with
 * user_project_override, or the credentials' quota_project_id; NULL: none. */
const char *gcp_quota_project(struct cloud_client *c, struct arena *a);

#endif

/* AWS credentials as the SDKs resolve them (SDKs and Tools Reference Guide, "Credential provider
 * chain"):
 *
 *  1. access_key and secret_key of the provider block
 *  2. assume_role_with_web_identity of the provider block
 *  3. the profile that the provider block names
 *  4. AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN
 *  5. AWS_WEB_IDENTITY_TOKEN_FILE with AWS_ROLE_ARN
 *  6. the profile of the shared files: keys, role_arn with source_profile, credential_source or
 *     web_identity_token_file, SSO, credential_process
 *  7. the container endpoint (ECS, EKS Pod Identity)
 *  8. the instance metadata service, version 2
 *
 * and then the roles of assume_role, one after the other. The first source that is configured
 * decides: what fails there is an error, not a reason to go on, except for the metadata service. */
#ifndef LLM_AWS_CREDENTIALS_H
#define LLM_AWS_CREDENTIALS_H

#include <pthread.h>

#include "base/secret.h"
#include "cloud/driver.h"

struct aws_credentials {
    struct secret access_key, secret_key, session_token;
    int64_t expires_unix_s; /* INT64_MAX: never */
    const char *source;     /* constant text: where they came from */
};

#define AWS_CREDENTIALS_EMPTY                                                                      \
    ((struct aws_credentials){SECRET_EMPTY, SECRET_EMPTY, SECRET_EMPTY, INT64_MAX, ""})

struct aws_credential_cache {
    pthread_mutex_t lock;
    bool valid;
    struct aws_credentials current;
};

void aws_credential_cache_init(struct aws_credential_cache *c);
void aws_credential_cache_clean_up(struct aws_credential_cache *c);

/* Copies the client's credentials, resolving or refreshing them (five minutes before they expire)
 * where needed; one thread resolves while the others wait. The caller cleans *ret up. 0, or -1 with
 * *err. */
int aws_credentials_get(struct cloud_client *c, const struct work *w, struct arena *a,
                        const char *region, struct aws_credentials *ret, struct cloud_error *err);

/* The next aws_credentials_get() resolves anew. */
void aws_credentials_forget(struct aws_credential_cache *c);

/* Zeroes and frees. */
void aws_credentials_clean_up(struct aws_credentials *k);
int aws_credentials_copy(struct aws_credentials *to, const struct aws_credentials *from);

/* ---- the sources: 0 with *ret, 1 when this source is not configured, -1 with *err ---- */

/* What a source needs. */
struct aws_source {
    struct cloud_client *client;
    const struct work *work;
    struct arena *a;
    const char *region;
    struct cloud_error *err;
};

struct aws_assume_role;
struct aws_section;

int aws_source_fail(struct aws_source *s, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* Sets the three secrets from C strings; `token` may be NULL. */
int aws_source_keys(struct aws_source *s, struct aws_credentials *ret, const char *access_key,
                    const char *secret_key, const char *token, const char *expires,
                    const char *source);
/* Reads a small text file (at most 64 KiB), without white space at its end; NULL with *err. */
const char *aws_source_file(struct aws_source *s, const char *path);

int aws_source_environment(struct aws_source *s, struct aws_credentials *ret);
int aws_source_web_identity(struct aws_source *s, const struct aws_assume_role *role,
                            struct aws_credentials *ret);
int aws_source_assume_role(struct aws_source *s, const struct aws_credentials *with,
                           const struct aws_assume_role *role, struct aws_credentials *ret);
int aws_source_profile(struct aws_source *s, const char *profile, struct aws_credentials *ret);
int aws_source_sso(struct aws_source *s, const struct aws_section *section,
                   struct aws_credentials *ret);
int aws_source_process(struct aws_source *s, const char *command, struct aws_credentials *ret);
/* What such a program has written. */
int aws_process_output(struct aws_source *s, struct slice output, struct aws_credentials *ret);
int aws_source_container(struct aws_source *s, struct aws_credentials *ret);
int aws_source_imds(struct aws_source *s, struct aws_credentials *ret);

/* The instance's region from the metadata service, owned by `a`; NULL when there is none. */
const char *aws_imds_region(struct cloud_client *c, const struct work *w, struct arena *a);

#endif

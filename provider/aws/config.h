/* The AWS part of the provider configuration, resolved with the environment and the shared files in
 * the order of the SDKs: provider block, environment, profile, default. */
#ifndef LLM_AWS_CONFIG_H
#define LLM_AWS_CONFIG_H

#include "aws/profile_file.h"
#include "cloud/retry.h"
#include "http/http.h"
#include "value/value.h"

/* What to assume a role with; strings NULL where not given. */
struct aws_assume_role {
    const char *role_arn, *session_name, *external_id, *policy, *source_identity;
    int64_t duration_s; /* 0: the default */
    const struct value *policy_arns, *tags, *transitive_tag_keys;
    const char *web_identity_token, *web_identity_token_file; /* with web identity */
};

/* Everything is owned by the arena given to aws_config_resolve(); nothing changes afterwards. */
struct aws_config {
    const char *region;                          /* NULL: none is configured */
    const char *access_key, *secret_key, *token; /* of the provider block */
    const char *profile;                         /* never NULL */
    bool profile_is_chosen; /* in the provider block, so that it precedes the environment */
    struct aws_profiles profiles;
    const struct aws_section *section; /* of the profile; NULL: the files have none */
    struct aws_assume_role *roles;
    size_t role_count;
    struct aws_assume_role *web_identity;                            /* NULL: none */
    const struct value *allowed_account_ids, *forbidden_account_ids; /* sets; may be null */
    const struct value *default_tags;                                /* map of string; never null */
    const struct value *ignore_keys, *ignore_prefixes;
    const struct value *endpoints; /* object; may be null */
    bool use_fips, use_dualstack;
    struct http_settings http;
    struct retry_policy retry;
    bool skip_credentials_validation, skip_requesting_account_id, skip_metadata_api_check;
    bool sts_legacy;
    const char *sts_region;
    const char *imds_endpoint; /* NULL: the default */
};

/* Checks a provider block that may hold unknown values. 0 or -1. */
int aws_config_validate(struct arena *a, const struct value *block, struct diags *diags);

/* Resolves the block (an object or null). 0 or -1. */
int aws_config_resolve(struct arena *a, const struct value *block, struct aws_config *ret,
                       struct diags *diags);

/* A setting of the environment, NULL when unset or empty; owned by the process. */
const char *aws_env(const char *name);

/* The path of a file below the home directory ("~/.aws/config"), owned by `a`; NULL without home.
 */
const char *aws_home_path(struct arena *a, const char *below);

#endif

/* Credential files as Application Default Credentials has them, of every type (AIP-4110 and those
 * it names: 4112 service accounts, 4113 users, 4117 workload identity federation). Reading checks
 * everything that can be known without the network. */
#ifndef LLM_GCP_CREDENTIAL_FILE_H
#define LLM_GCP_CREDENTIAL_FILE_H

#include "value/value.h"

enum gcp_credential_type {
    GCP_SERVICE_ACCOUNT,
    GCP_AUTHORIZED_USER,
    GCP_EXTERNAL_ACCOUNT,
    GCP_EXTERNAL_ACCOUNT_AUTHORIZED_USER,
    GCP_IMPERSONATED_SERVICE_ACCOUNT,
};

enum gcp_subject_kind {
    GCP_SUBJECT_FILE,
    GCP_SUBJECT_URL,
    GCP_SUBJECT_AWS,
    GCP_SUBJECT_EXECUTABLE,
};

/* Where the subject token of an external account comes from (credential_source). */
struct gcp_subject {
    enum gcp_subject_kind kind;
    const char *file;
    const char *url;              /* url; aws: of the role's credentials, may be NULL */
    const struct value *headers;  /* map of header names to strings; may be null */
    const char *json_field;       /* NULL: the whole text is the token */
    const char *region_url;       /* aws; may be NULL */
    const char *verification_url; /* aws: regional_cred_verification_url */
    const char *imds_token_url;   /* aws: imdsv2_session_token_url; may be NULL */
    const char *command;          /* executable */
    const char *output_file;      /* executable; may be NULL */
    int64_t timeout_ms;           /* executable */
};

/* Strings are NULL where the file has none, and are not empty. */
struct gcp_credential_file {
    enum gcp_credential_type type;
    const char *universe_domain; /* never NULL */
    const char *project_id, *quota_project_id;
    /* service_account */
    const char *client_email, *private_key, *private_key_id;
    const char *token_uri; /* authorized_user too; never NULL in either */
    /* users, and external accounts that name an OAuth client */
    const char *client_id, *client_secret, *refresh_token;
    /* external_account and external_account_authorized_user */
    const char *audience, *subject_token_type, *token_url, *workforce_pool_user_project;
    struct gcp_subject subject;
    /* external_account (may be NULL) and impersonated_service_account */
    const char *impersonation_url;
    int64_t lifetime_s; /* of impersonated tokens; 3600 by default */
    /* impersonated_service_account */
    const struct value *delegates; /* tuple of strings; may be null */
    const struct gcp_credential_file *source;
};

/* Reads a file's content (at most 1 MiB). Everything is owned by `a`. 0; or -1 with *why: a phrase
 * that names the member that is missing or wrong, never what a secret holds; owned by `a` or
 * constant. */
int gcp_credential_file_read(struct arena *a, struct slice text, struct gcp_credential_file *ret,
                             const char **why);

/* Whether a setting that takes a path or content has content. */
bool gcp_credentials_are_content(struct slice setting);

/* "service_account" … */
const char *gcp_credential_type_name(enum gcp_credential_type t);

#endif

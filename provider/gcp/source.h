/* What the sources of tokens share. Private to the room.
 *
 * A source returns 0 with *ret, which its caller cleans up, or -1 with s->err. */
#ifndef LLM_GCP_SOURCE_H
#define LLM_GCP_SOURCE_H

#include "base/buf.h"
#include "gcp/client.h"
#include "gcp/credential_file.h"

enum { GCP_ANSWER_MOST = 1 << 20 }; /* bytes of a token server's answer */

struct gcp_source {
    struct cloud_client *client;
    const struct work *work;
    struct arena *a;
    struct cloud_error *err;
    const char *where; /* "the file /x/key.json (GOOGLE_APPLICATION_CREDENTIALS)": for messages */
};

/* Class CLOUD_ERROR_CREDENTIALS with the message. */
int gcp_source_fail(struct gcp_source *s, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* ---- exchanges ---- */

struct gcp_ask {
    const char *method, *url;
    const struct http_header *headers; /* besides user-agent */
    size_t header_count;
    struct slice body;
    const char *name;    /* "oauth2.token": for the log and the error's operation */
    const char *purpose; /* "the token server": what is asked, for messages */
    bool near;           /* a metadata server: no proxy, short time-outs, few tries */
    bool secret_bodies;  /* the log is to show none: they are no token server's, whose names are
                            known */
};

/* Sends, again as long as the answer is 5xx or 429 or the connection breaks. 0 with any other
 * answer. */
int gcp_source_send(struct gcp_source *s, const struct gcp_ask *ask, struct http_response *ret);

/* POST of a form whose body is in `form`; `authorization` may be NULL. */
int gcp_source_post_form(struct gcp_source *s, const char *url, const char *name,
                         const struct buf *form, const char *authorization,
                         struct http_response *ret);

/* Appends "&name=value" percent-encoded; nothing for an empty value. */
void gcp_form_add(struct buf *form, const char *name, struct slice value);

/* The file's URL, or the same path at the endpoint that is configured for `service`; NULL when
 * memory is out. */
const char *gcp_source_url(struct gcp_source *s, const char *service, const char *url);

/* The JSON object of an answer with status 200; otherwise the error: `who` failed, the server's own
 * words, and `advice` (may be NULL). */
int gcp_source_object(struct gcp_source *s, const struct http_response *r, const char *who,
                      const char *advice, const struct value **ret);

/* access_token and expires_in of a token server's answer. */
int gcp_source_token(struct gcp_source *s, const struct http_response *r, const char *who,
                     const char *advice, const char *source, struct gcp_token *ret);

/* Sets the token after checking that a header can carry it. */
int gcp_source_set(struct gcp_source *s, const char *who, struct slice bearer,
                   int64_t expires_unix_s, const char *source, struct gcp_token *ret);

/* "Basic …" for an OAuth client; owned by the arena; NULL when there is no client id. */
const char *gcp_source_basic(struct gcp_source *s, const struct gcp_credential_file *f);

/* Seconds since 1970 of "2026-11-21T10:00:00Z" (fractions are passed over); -1 for anything else.
 */
int64_t gcp_parse_time(const char *text);

int64_t gcp_source_now(const struct gcp_source *s);

/* Scopes with one `separator` between them; NULL when memory is out. */
const char *gcp_join_scopes(struct arena *a, const char *const *scopes, size_t count,
                            char separator);

/* ---- the sources ---- */

struct gcp_scopes {
    const char *const *names;
    size_t count;
};

/* "https://www.googleapis.com/auth/iam": all that impersonation needs. */
extern const struct gcp_scopes gcp_scope_iam;

/* A token of the file's kind, impersonation inside the file included. */
int gcp_source_file(struct gcp_source *s, const struct gcp_credential_file *f,
                    const struct gcp_scopes *scopes, struct gcp_token *ret);

int gcp_source_service_account(struct gcp_source *s, const struct gcp_credential_file *f,
                               const struct gcp_scopes *scopes, struct gcp_token *ret);
int gcp_source_authorized_user(struct gcp_source *s, const struct gcp_credential_file *f,
                               struct gcp_token *ret);
int gcp_source_external_user(struct gcp_source *s, const struct gcp_credential_file *f,
                             struct gcp_token *ret);
int gcp_source_external_account(struct gcp_source *s, const struct gcp_credential_file *f,
                                const struct gcp_scopes *scopes, struct gcp_token *ret);

/* The subject tokens of an external account; *ret is owned by the arena. */
int gcp_subject_file(struct gcp_source *s, const struct gcp_subject *from, const char **ret);
int gcp_subject_url(struct gcp_source *s, const struct gcp_subject *from, const char **ret);
int gcp_subject_aws(struct gcp_source *s, const struct gcp_credential_file *f, const char **ret);
int gcp_subject_executable(struct gcp_source *s, const struct gcp_credential_file *f,
                           const char **ret);

/* Exchanges `with` for a token of a service account at `url` (…:generateAccessToken). */
struct gcp_impersonation {
    const char *url;
    const char *const *delegates; /* as projects/-/serviceAccounts/EMAIL */
    size_t delegate_count;
    int64_t lifetime_s;
};
int gcp_source_impersonate(struct gcp_source *s, const struct gcp_token *with,
                           const struct gcp_impersonation *how, const struct gcp_scopes *scopes,
                           struct gcp_token *ret);
/* The account's e-mail address in such a URL, owned by the arena; NULL when it has none. */
const char *gcp_impersonated_email(struct arena *a, const char *url);

/* The metadata server. Both also return 1: there is none here. */
int gcp_source_metadata(struct gcp_source *s, const struct gcp_scopes *scopes,
                        struct gcp_token *ret);
int gcp_metadata_project(struct gcp_source *s, const char **ret);

#endif

/* Tokens of external accounts: workload identity federation (AIP-4117; RFC 8693). */
#include <string.h>

#include "gcp/source.h"

enum { FORM_MOST = 1 << 20 };

static const char advice[] = "Check that the audience names an existing workload identity pool "
                             "provider, and that its issuer, "
                             "allowed audiences and attribute condition accept this token";

static int subject_token(struct gcp_source *s, const struct gcp_credential_file *f,
                         const char **ret)
{
    switch (f->subject.kind) {
    case GCP_SUBJECT_FILE:
        return gcp_subject_file(s, &f->subject, ret);
    case GCP_SUBJECT_URL:
        return gcp_subject_url(s, &f->subject, ret);
    case GCP_SUBJECT_AWS:
        return gcp_subject_aws(s, f, ret);
    case GCP_SUBJECT_EXECUTABLE:
        return gcp_subject_executable(s, f, ret);
    }
    return gcp_source_fail(s, "%s has no known credential_source", s->where);
}

/* The project that a workforce user's calls count against, when no OAuth client names one. */
static const char *options(struct gcp_source *s, const struct gcp_credential_file *f)
{
    _cleanup_buf_ struct buf b = BUF_INIT(4096);
    if (!f->workforce_pool_user_project || f->client_id)
        return NULL;
    buf_append_str(&b, "{\"userProject\":\"");
    buf_append_json_escaped(&b, slice_str(f->workforce_pool_user_project));
    buf_append_str(&b, "\"}");
    return arena_buf(s->a, &b);
}

static int exchange(struct gcp_source *s, const struct gcp_credential_file *f,
                    const struct gcp_scopes *scopes, struct gcp_token *ret)
{
    _cleanup_buf_ struct buf form = BUF_INIT(FORM_MOST);
    const char *subject = NULL;
    struct http_response r;
    const char *scope = gcp_join_scopes(s->a, scopes->names, scopes->count, ' ');
    if (!scope)
        return gcp_source_fail(s, "memory ran out");
    if (subject_token(s, f, &subject) < 0)
        return -1;
    gcp_form_add(&form, "grant_type", SLICE_LIT("urn:ietf:params:oauth:grant-type:token-exchange"));
    gcp_form_add(&form, "audience", slice_str(f->audience));
    gcp_form_add(&form, "scope", slice_str(scope));
    gcp_form_add(&form, "requested_token_type",
                 SLICE_LIT("urn:ietf:params:oauth:token-type:access_token"));
    gcp_form_add(&form, "subject_token", slice_str(subject));
    gcp_form_add(&form, "subject_token_type", slice_str(f->subject_token_type));
    gcp_form_add(&form, "options", slice_str(options(s, f)));
    const char *url = gcp_source_url(s, "sts", f->token_url);
    if (gcp_source_post_form(s, url, "sts.token", &form, gcp_source_basic(s, f), &r) < 0)
        return -1;
    return gcp_source_token(s, &r, "the Security Token Service", r.status == 400 ? advice : NULL,
                            "workload identity federation", ret);
}

int gcp_source_external_account(struct gcp_source *s, const struct gcp_credential_file *f,
                                const struct gcp_scopes *scopes, struct gcp_token *ret)
{
    struct gcp_token federated = GCP_TOKEN_EMPTY;
    if (!f->impersonation_url)
        return exchange(s, f, scopes, ret);
    if (exchange(s, f, &gcp_scope_iam, &federated) < 0)
        return -1;
    const struct gcp_impersonation how = {.url = f->impersonation_url, .lifetime_s = f->lifetime_s};
    int rc = gcp_source_impersonate(s, &federated, &how, scopes, ret);
    gcp_token_clean_up(&federated);
    return rc;
}

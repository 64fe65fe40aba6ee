/* Tokens of users: gcloud's own credentials, and those of workforce pools (RFC 6749, 6). */
#include <string.h>

#include "gcp/source.h"

enum { FORM_MOST = 256 * 1024 };

static const char again[] =
    "The credentials have expired or were revoked: run gcloud auth application-default login";

static const char *advice_for(const struct http_response *r)
{
    static const char code[] = "invalid_grant";
    return r->body.len && memmem(r->body.ptr, r->body.len, code, strlen(code)) ? again : NULL;
}

int gcp_source_authorized_user(struct gcp_source *s, const struct gcp_credential_file *f,
                               struct gcp_token *ret)
{
    _cleanup_buf_ struct buf form = BUF_INIT(FORM_MOST);
    struct http_response r;
    gcp_form_add(&form, "grant_type", SLICE_LIT("refresh_token"));
    gcp_form_add(&form, "client_id", slice_str(f->client_id));
    gcp_form_add(&form, "client_secret", slice_str(f->client_secret));
    gcp_form_add(&form, "refresh_token", slice_str(f->refresh_token));
    const char *url = gcp_source_url(s, "oauth2", f->token_uri);
    if (gcp_source_post_form(s, url, "oauth2.token", &form, NULL, &r) < 0)
        return -1;
    return gcp_source_token(s, &r, "the token server", advice_for(&r), "a user's credentials", ret);
}

/* The server may give a new refresh token, which takes the place of the file's. */
static int keep_refresh_token(struct gcp_source *s, const struct http_response *r)
{
    const struct value *v = NULL;
    if (gcp_source_object(s, r, "the token server", NULL, &v) < 0)
        return -1;
    struct slice next = value_slice(value_get(v, "refresh_token"));
    if (next.len && secret_set(&s->client->tokens.refresh_token, next) < 0)
        return gcp_source_fail(s, "memory ran out");
    return 0;
}

int gcp_source_external_user(struct gcp_source *s, const struct gcp_credential_file *f,
                             struct gcp_token *ret)
{
    _cleanup_buf_ struct buf form = BUF_INIT(FORM_MOST);
    struct slice token = secret_slice(&s->client->tokens.refresh_token);
    struct http_response r;
    gcp_form_add(&form, "grant_type", SLICE_LIT("refresh_token"));
    gcp_form_add(&form, "refresh_token", token.len ? token : slice_str(f->refresh_token));
    const char *url = gcp_source_url(s, "sts", f->token_url);
    if (gcp_source_post_form(s, url, "sts.oauthtoken", &form, gcp_source_basic(s, f), &r) < 0)
        return -1;
    if (gcp_source_token(s, &r, "the token server", advice_for(&r),
                         "a workforce user's credentials", ret) < 0)
        return -1;
    if (keep_refresh_token(s, &r) == 0)
        return 0;
    gcp_token_clean_up(ret);
    return -1;
}

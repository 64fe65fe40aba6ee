/* Tokens of service account keys (AIP-4111 and 4112; RFC 7523). */
#include <string.h>

#include "gcp/jwt.h"
#include "gcp/source.h"

enum { CLAIMS_MOST = 64 * 1024, TOKEN_MOST = 256 * 1024, LIFETIME_S = 3600, SKEW_S = 10 };

static const char default_universe[] = "googleapis.com";

static void claim(struct buf *b, const char *name, const char *value)
{
    buf_printf(b, "%s\"%s\":\"", b->len > 1 ? "," : "", name);
    buf_append_json_escaped(b, slice_str(value));
    buf_append_char(b, '"');
}

/* {"iss", "sub" or "aud", "scope", "iat", "exp"}, signed. The times start a little early, so that a
 * clock that is ahead by seconds does no harm. */
static int make_jwt(struct gcp_source *s, const struct gcp_credential_file *f, bool self_signed,
                    const struct gcp_scopes *scopes, struct buf *out, int64_t *ret_expires)
{
    _cleanup_buf_ struct buf claims = BUF_INIT(CLAIMS_MOST);
    int64_t now = gcp_source_now(s) - SKEW_S;
    const char *scope = gcp_join_scopes(s->a, scopes->names, scopes->count, ' ');
    if (!scope)
        return gcp_source_fail(s, "memory ran out");
    buf_append_char(&claims, '{');
    claim(&claims, "iss", f->client_email);
    if (self_signed)
        claim(&claims, "sub", f->client_email);
    else
        claim(&claims, "aud", f->token_uri);
    claim(&claims, "scope", scope);
    *ret_expires = now + LIFETIME_S;
    buf_printf(&claims, ",\"iat\":%lld,\"exp\":%lld}", (long long)now, (long long)*ret_expires);
    if (claims.failed ||
        gcp_jwt_sign(out, f->private_key, f->private_key_id, buf_slice(&claims)) < 0)
        return gcp_source_fail(s, "a token could not be signed with the private_key of %s",
                               s->where);
    return 0;
}

/* Why the server may have refused, by its own words. */
static const char *advice_for(const struct http_response *r)
{
    static const struct {
        const char *words, *advice;
    } known[] = {
        {"account not found",
         "The service account has been deleted, or the key belongs to another one. Make a new key"},
        {"Invalid JWT Signature", "The key has been deleted, disabled or has expired. Make a new "
                                  "key (gcloud iam service-accounts keys create)"},
        {"reasonable timeframe", "The clock of this machine is off: set it"},
        {"disabled", "The service account or its key is disabled: enable it"},
    };
    for (size_t i = 0; r->body.len && i < sizeof(known) / sizeof(*known); i++)
        if (memmem(r->body.ptr, r->body.len, known[i].words, strlen(known[i].words)))
            return known[i].advice;
    return NULL;
}

int gcp_source_service_account(struct gcp_source *s, const struct gcp_credential_file *f,
                               const struct gcp_scopes *scopes, struct gcp_token *ret)
{
    _cleanup_buf_ struct buf jwt = BUF_INIT(TOKEN_MOST), form = BUF_INIT(2 * TOKEN_MOST);
    struct http_response r;
    int64_t expires = 0;
    /* Other universes have no token server for keys: services take the signed token itself. */
    bool self_signed = strcmp(f->universe_domain, default_universe) != 0;
    if (make_jwt(s, f, self_signed, scopes, &jwt, &expires) < 0)
        return -1;
    if (self_signed)
        return gcp_source_set(s, "signing", buf_slice(&jwt), expires,
                              "a self-signed token of a service account key", ret);
    gcp_form_add(&form, "grant_type", SLICE_LIT("urn:ietf:params:oauth:grant-type:jwt-bearer"));
    gcp_form_add(&form, "assertion", buf_slice(&jwt));
    const char *url = gcp_source_url(s, "oauth2", f->token_uri);
    if (gcp_source_post_form(s, url, "oauth2.token", &form, NULL, &r) < 0)
        return -1;
    return gcp_source_token(s, &r, "the token server", advice_for(&r), "a service account key",
                            ret);
}

/* Tokens of service accounts that others may impersonate (IAM Service Account Credentials API,
 * projects.serviceAccounts.generateAccessToken). */
#include <string.h>

#include "gcp/source.h"
#include "value/codec.h"

enum { BODY_MOST = 64 * 1024 };

static const char advice[] =
    "The caller needs roles/iam.serviceAccountTokenCreator on the service account (of each "
    "delegate "
    "on the next), and the IAM Service Account Credentials API must be enabled in the account's "
    "project";

static const struct value *strings(struct arena *a, const char *const *all, size_t count)
{
    const struct value **list = arena_new_array(a, count, const struct value *);
    for (size_t i = 0; list && i < count; i++)
        list[i] = value_str(a, all[i]);
    return list ? value_tuple(a, list, count) : NULL;
}

static int make_body(struct gcp_source *s, const struct gcp_impersonation *how,
                     const struct gcp_scopes *scopes, struct buf *out)
{
    const struct value_member m[] = {
        {SLICE_LIT("delegates"), strings(s->a, how->delegates, how->delegate_count)},
        {SLICE_LIT("lifetime"), value_printf(s->a, "%llds", (long long)how->lifetime_s)},
        {SLICE_LIT("scope"), strings(s->a, scopes->names, scopes->count)}};
    const struct value *body = value_object(s->a, m, 3);
    return body ? value_json_write(out, body, false) : -1;
}

const char *gcp_impersonated_email(struct arena *a, const char *url)
{
    static const char before[] = "/serviceAccounts/";
    const char *name = strstr(url, before);
    const char *start = name ? name + strlen(before) : NULL;
    const char *end = start ? strrchr(start, ':') : NULL;
    return end && end > start ? arena_strndup(a, start, (size_t)(end - start)) : NULL;
}

static int take(struct gcp_source *s, const struct http_response *r, const char *who,
                struct gcp_token *ret)
{
    const struct value *v = NULL;
    if (gcp_source_object(s, r, who, r->status == 403 || r->status == 404 ? advice : NULL, &v) < 0)
        return -1;
    const char *time = value_cstr(value_get(v, "expireTime"), NULL);
    int64_t expires = gcp_parse_time(time);
    if (expires < 0)
        return gcp_source_fail(s, "%s gave no expireTime that is a time, for %s", who, s->where);
    return gcp_source_set(s, who, value_slice(value_get(v, "accessToken")), expires,
                          "an impersonated service account", ret);
}

int gcp_source_impersonate(struct gcp_source *s, const struct gcp_token *with,
                           const struct gcp_impersonation *how, const struct gcp_scopes *scopes,
                           struct gcp_token *ret)
{
    _cleanup_buf_ struct buf body = BUF_INIT(BODY_MOST);
    const char *url = how->url ? gcp_source_url(s, "iam_credentials", how->url) : NULL;
    const char *bearer = arena_printf(s->a, "Bearer %.*s", (int)with->bearer.len, with->bearer.ptr);
    const char *email = url ? gcp_impersonated_email(s->a, url) : NULL;
    const char *who =
        arena_printf(s->a, "the IAM Service Account Credentials API, asked for a token of %s,",
                     email ? email : "a service account");
    struct http_response r;
    if (!url || !bearer || !who || make_body(s, how, scopes, &body) < 0)
        return gcp_source_fail(s, "memory ran out");
    const struct http_header headers[] = {
        {SLICE_LIT("content-type"), SLICE_LIT("application/json")},
        {SLICE_LIT("authorization"), slice_str(bearer)}};
    const struct gcp_ask ask = {.method = "POST",
                                .url = url,
                                .headers = headers,
                                .header_count = 2,
                                .body = buf_slice(&body),
                                .name = "iamcredentials.generateAccessToken",
                                .purpose = "the IAM Service Account Credentials API"};
    return gcp_source_send(s, &ask, &r) < 0 ? -1 : take(s, &r, who, ret);
}

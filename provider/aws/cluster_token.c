/* A token for an EKS cluster is a call of STS' GetCallerIdentity that the caller has signed, but
 * not made: the cluster makes it, and so learns who the caller is. The cluster's name is among what
 * is signed, so that no other cluster can use it (aws-iam-authenticator, "API Authorization from
 * Outside a Cluster"; the AWS CLI's "eks get-token"). */
#include "aws/cluster_token.h"

#include <string.h>

#include "aws/client.h"
#include "aws/endpoint.h"
#include "base/base64.h"
#include "cloud/sigv4.h"

enum {
    TOKEN_MOST = 64 * 1024,
    URL_EXPIRES_S = 60,       /* the longest that every version of the authenticator takes */
    TOKEN_EXPIRES_S = 14 * 60 /* a cluster takes it for 15 minutes */
};

static int fail(struct cloud_error *err, enum cloud_error_class class_, const char *message)
{
    memset(err, 0, sizeof(*err));
    err->service = "sts";
    err->operation = "GetCallerIdentity";
    err->retry_after_ms = -1;
    err->class_ = message ? class_ : CLOUD_ERROR_NO_MEMORY;
    err->message = message ? message : "memory ran out";
    return -1;
}

/* The whole URL; NULL when memory is out. */
static const char *signed_url(struct arena *a, const struct aws_endpoint *at, const char *host,
                              const char *base_path, const struct aws_credentials *k,
                              const char *cluster, int64_t now)
{
    const struct http_header headers[] = {{SLICE_LIT("host"), slice_str(host)},
                                          {SLICE_LIT("x-k8s-aws-id"), slice_str(cluster)}};
    const char *path = arena_printf(a, "%s/", base_path), *query = NULL;
    struct sigv4 s;
    const struct sigv4_input in = {
        .method = "GET",
        .path = slice_str(path),
        .query = SLICE_LIT("Action=GetCallerIdentity&Version=2011-06-15"),
        .headers = headers,
        .header_count = 2,
        .region = at->signing_region,
        .service = at->signing_name,
        .access_key = secret_slice(&k->access_key),
        .secret_key = secret_slice(&k->secret_key),
        .session_token = secret_slice(&k->session_token),
        .unix_s = now,
    };
    if (!path || sigv4_presign(a, &in, URL_EXPIRES_S, &s, &query) < 0)
        return NULL;
    return arena_printf(a, "%.*s%s?%s", (int)(strlen(at->url) - strlen(base_path)), at->url, path,
                        query);
}

/* "k8s-aws-v1." and the URL. */
static const char *token_of(struct arena *a, const char *url)
{
    _cleanup_buf_ struct buf b = BUF_INIT(TOKEN_MOST);
    buf_append_str(&b, "k8s-aws-v1.");
    return url && base64url_append(&b, url, strlen(url)) == 0 ? arena_buf(a, &b) : NULL;
}

int aws_cluster_token(struct cloud_client *c, const struct work *w, struct arena *a,
                      const char *region, const char *cluster, bool fresh, const char **ret,
                      int64_t *ret_expires_unix_s, struct cloud_error *err)
{
    struct aws_credentials k = AWS_CREDENTIALS_EMPTY;
    struct aws_endpoint at;
    const char *host = NULL, *base_path = "";
    region = region ? region : c->config.region;
    if (!region)
        return fail(err, CLOUD_ERROR_INVALID,
                    "no region is configured: set `region`, or AWS_REGION");
    if (aws_endpoint_resolve_regional_sts(a, &c->config, region, &at) < 0)
        return fail(err, CLOUD_ERROR_NO_MEMORY, NULL);
    if (aws_endpoint_split(a, at.url, &host, &base_path) < 0 || !host)
        return fail(err, CLOUD_ERROR_INVALID, "the endpoint of STS is not https://host[:port]");
    memset(err, 0, sizeof(*err));
    if (fresh)
        aws_credentials_forget(&c->credentials);
    if (aws_credentials_get(c, w, a, region, &k, err) < 0)
        return -1;
    int64_t now = c->clock->unix_s(c->clock->self), expires = now + TOKEN_EXPIRES_S;
    *ret = token_of(
        a, signed_url(a, &at, host, base_path, &k, cluster, now + atomic_load(&c->skew_s)));
    *ret_expires_unix_s = k.expires_unix_s < expires ? k.expires_unix_s : expires;
    aws_credentials_clean_up(&k);
    return *ret ? 0 : fail(err, CLOUD_ERROR_NO_MEMORY, NULL);
}

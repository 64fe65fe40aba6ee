/* The metadata server of Google Cloud ("VM metadata", "Authenticate with the metadata server"). */
#include <ctype.h>
#include <string.h>

#include "gcp/source.h"

static const char default_host[] =
    "169.254.169.254"; /* by address: elsewhere no name is asked for */

/* GET below /computeMetadata/v1/, under the cache's lock: that there is no server at the default
 * address is remembered, since finding out may take seconds. 0 with an answer of Google's server; 1
 * when there is none here.
 */
static int ask(struct gcp_source *s, const char *path, struct http_response *ret)
{
    const char *host = s->client->config.metadata_host;
    const char *url =
        arena_printf(s->a, "http://%s/computeMetadata/v1/%s", host ? host : default_host, path);
    const struct http_header flavor = {SLICE_LIT("metadata-flavor"), SLICE_LIT("Google")};
    const struct gcp_ask question = {.method = "GET",
                                     .url = url,
                                     .headers = &flavor,
                                     .header_count = 1,
                                     .name = "metadata",
                                     .purpose = "the metadata server",
                                     .near = true};
    if (!host && (s->client->config.skip_metadata || s->client->tokens.no_metadata))
        return 1;
    if (host && host[strcspn(host, "/?#@ \t\r\n")])
        return gcp_source_fail(s, "GCE_METADATA_HOST is \"%.80s\", which is no host[:port]", host);
    if (!url)
        return gcp_source_fail(s, "memory ran out");
    if (gcp_source_send(s, &question, ret) < 0) {
        bool absent = !host && !s->client->tokens.metadata_seen && s->err->http_status == 0 &&
                      s->err->class_ == CLOUD_ERROR_TRANSIENT;
        s->client->tokens.no_metadata = absent;
        return absent ? 1 : -1;
    }
    if (!slice_eq_str(http_header_get(ret, "metadata-flavor"), "Google")) {
        if (!host) {
            s->client->tokens.no_metadata = true; /* another cloud's server at the same address */
            return 1;
        }
        return gcp_source_fail(s,
                               "GCE_METADATA_HOST names %s, but what answers there is no metadata "
                               "server of Google Cloud",
                               host);
    }
    s->client->tokens.metadata_seen = true;
    return 0;
}

int gcp_source_metadata(struct gcp_source *s, const struct gcp_scopes *scopes,
                        struct gcp_token *ret)
{
    _cleanup_buf_ struct buf path = BUF_INIT(64 * 1024);
    struct http_response r = {.status = 0};
    const char *list = gcp_join_scopes(s->a, scopes->names, scopes->count, ',');
    buf_append_str(&path, "instance/service-accounts/default/token?scopes=");
    http_encode_uri(&path, slice_str(list), false);
    if (!list || path.failed)
        return gcp_source_fail(s, "memory ran out");
    int rc = ask(s, buf_cstr(&path), &r);
    if (rc != 0)
        return rc;
    if (r.status == 404)
        return gcp_source_fail(s, "this machine has no service account: attach one to it, or "
                                  "configure other credentials");
    return gcp_source_token(s, &r, "the metadata server", NULL, "the metadata server", ret);
}

int gcp_metadata_project(struct gcp_source *s, const char **ret)
{
    struct http_response r = {.status = 0};
    int rc = ask(s, "project/project-id", &r);
    if (rc != 0)
        return rc;
    size_t len = r.body.len;
    while (len && isspace((unsigned char)r.body.ptr[len - 1]))
        len--;
    for (size_t i = 0; i < len; i++)
        if (!isalnum((unsigned char)r.body.ptr[i]) && !strchr("-.:", r.body.ptr[i]))
            len = 0;
    if (r.status != 200 || !len)
        return gcp_source_fail(s, "the metadata server gave no project id (HTTP status %d)",
                               r.status);
    *ret = arena_strndup(s->a, r.body.ptr, len);
    return *ret ? 0 : gcp_source_fail(s, "memory ran out");
}

/* The subject token of an AWS identity: a signed GetCallerIdentity request, which Google's Security
 * Token Service sends to AWS ("Workload Identity Federation with AWS"; AIP-4117). */
#include <string.h>

#include "cloud/sigv4.h"
#include "gcp/source.h"
#include "value/codec.h"

enum { TEXT_MOST = 64 * 1024, HEADERS_MOST = 8 };

struct aws {
    struct gcp_source *s;
    const struct gcp_subject *from;
    const char *session; /* IMDSv2's token; NULL: none */
    const char *region;
    const char *access_key, *secret_key, *token; /* token may be NULL */
};

/* ---- the instance metadata service ---- */

static int ask_metadata(struct aws *k, const char *method, const char *url, const char *what,
                        const char **ret)
{
    struct gcp_source *s = k->s;
    struct http_response r;
    bool put = strcmp(method, "PUT") == 0;
    const struct http_header header =
        put ? (struct http_header){SLICE_LIT("x-aws-ec2-metadata-token-ttl-seconds"),
                                   SLICE_LIT("300")}
            : (struct http_header){SLICE_LIT("x-aws-ec2-metadata-token"), slice_str(k->session)};
    const struct gcp_ask ask = {.method = method,
                                .url = url,
                                .headers = &header,
                                .header_count = put || k->session ? 1 : 0,
                                .name = "aws_metadata",
                                .purpose = "the AWS instance metadata service",
                                .near = true,
                                .secret_bodies = true};
    *ret = "";
    if (!url)
        return gcp_source_fail(s, "memory ran out");
    if (gcp_source_send(s, &ask, &r) < 0)
        return -1;
    if (r.status != 200 || !r.body.len || memchr(r.body.ptr, '\0', r.body.len))
        return gcp_source_fail(s,
                               "the AWS instance metadata service gave no %s for %s (HTTP status "
                               "%d)",
                               what, s->where, r.status);
    const char *text = arena_strndup(s->a, r.body.ptr, r.body.len);
    if (!text)
        return gcp_source_fail(s, "memory ran out");
    *ret = text;
    return 0;
}

/* A session token (IMDSv2) before the first question, where the file names a URL for it. */
static int open_session(struct aws *k)
{
    if (k->session || !k->from->imds_token_url)
        return 0;
    if (ask_metadata(k, "PUT", k->from->imds_token_url, "session token", &k->session) < 0)
        return -1;
    return strpbrk(k->session, "\r\n")
               ? gcp_source_fail(k->s, "the AWS instance metadata service gave a session token "
                                       "with a line break")
               : 0;
}

/* ---- region and keys ---- */

static bool is_region(const char *s)
{
    return *s && s[strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789-")] == '\0';
}

/* region_url gives a zone: "us-east-1d". */
static int find_region(struct aws *k)
{
    const char *region = gcp_env("AWS_REGION"), *zone = NULL;
    if (!region)
        region = gcp_env("AWS_DEFAULT_REGION");
    if (!region) {
        if (!k->from->region_url)
            return gcp_source_fail(k->s,
                                   "no AWS region is known for %s: set AWS_REGION, or give "
                                   "its credential_source a region_url",
                                   k->s->where);
        if (open_session(k) < 0 ||
            ask_metadata(k, "GET", k->from->region_url, "availability zone", &zone) < 0)
            return -1;
        size_t len = strcspn(zone, " \t\r\n");
        region = arena_strndup(k->s->a, zone, len ? len - 1 : 0);
    }
    if (!region || !is_region(region))
        return gcp_source_fail(k->s, "the AWS region for %s is no name of a region", k->s->where);
    k->region = region;
    return 0;
}

/* IAM's names of roles. */
static bool is_role(const char *s)
{
    static const char plain[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+=,.@-";
    return *s && s[strspn(s, plain)] == '\0';
}

static int metadata_keys(struct aws *k)
{
    const char *role = NULL, *text = NULL;
    const struct value *v = NULL;
    struct diags d;
    diags_init(&d, k->s->a);
    if (!k->from->url)
        return gcp_source_fail(k->s,
                               "no AWS credentials are known for %s: set AWS_ACCESS_KEY_ID and "
                               "AWS_SECRET_ACCESS_KEY, or give its credential_source a url",
                               k->s->where);
    if (open_session(k) < 0 || ask_metadata(k, "GET", k->from->url, "role", &role) < 0)
        return -1;
    role = arena_strndup(k->s->a, role, strcspn(role, " \t\r\n"));
    if (role && !is_role(role))
        return gcp_source_fail(
            k->s, "the AWS instance metadata service gave no name of a role for %s", k->s->where);
    const char *url = role ? arena_printf(k->s->a, "%s/%s", k->from->url, role) : NULL;
    if (ask_metadata(k, "GET", url, "credentials", &text) < 0)
        return -1;
    if (value_json_parse(k->s->a, slice_str(text), &v, &d) < 0)
        return gcp_source_fail(k->s, "the AWS instance metadata service gave no JSON for %s",
                               k->s->where);
    k->access_key = value_cstr(value_get(v, "AccessKeyId"), "");
    k->secret_key = value_cstr(value_get(v, "SecretAccessKey"), "");
    k->token = value_cstr(value_get(v, "Token"), NULL);
    return *k->access_key && *k->secret_key
               ? 0
               : gcp_source_fail(k->s,
                                 "the AWS instance metadata service gave no AccessKeyId or no "
                                 "SecretAccessKey for %s",
                                 k->s->where);
}

static int find_keys(struct aws *k)
{
    k->access_key = gcp_env("AWS_ACCESS_KEY_ID");
    k->secret_key = gcp_env("AWS_SECRET_ACCESS_KEY");
    k->token = gcp_env("AWS_SESSION_TOKEN");
    if (!k->access_key || !k->secret_key)
        return metadata_keys(k);
    return strpbrk(k->access_key, "\r\n") || (k->token && strpbrk(k->token, "\r\n"))
               ? gcp_source_fail(k->s, "the AWS credentials of the environment hold a line break")
               : 0;
}

/* ---- the signed request ---- */

/* The URL with {region} filled in. */
static const char *verification_url(struct aws *k)
{
    static const char place[] = "{region}";
    const char *url = k->from->verification_url, *at = strstr(url, place);
    return at ? arena_printf(k->s->a, "%.*s%s%s", (int)(at - url), url, k->region,
                             at + strlen(place))
              : url;
}

static void add_header(struct buf *b, struct slice name, struct slice value)
{
    buf_append_str(b, b->ptr[b->len - 1] == '[' ? "{\"key\":\"" : ",{\"key\":\"");
    buf_append_json_escaped(b, name);
    buf_append_str(b, "\",\"value\":\"");
    buf_append_json_escaped(b, value);
    buf_append_str(b, "\"}");
}

/* {"url", "method", "headers": [{"key", "value"}]}, percent-encoded. */
static int serialise(struct aws *k, const char *url, const struct http_header *headers,
                     size_t count, const struct sigv4 *signature, const char **ret)
{
    _cleanup_buf_ struct buf json = BUF_INIT(TEXT_MOST), out = BUF_INIT(4 * TEXT_MOST);
    buf_append_str(&json, "{\"url\":\"");
    buf_append_json_escaped(&json, slice_str(url));
    buf_append_str(&json, "\",\"method\":\"POST\",\"headers\":[");
    if (json.failed)
        return gcp_source_fail(k->s, "memory ran out");
    for (size_t i = 0; i < count; i++)
        add_header(&json, headers[i].name, headers[i].value);
    for (size_t i = 0; i < signature->added_count; i++)
        add_header(&json, signature->added[i].name, signature->added[i].value);
    buf_append_str(&json, "]}");
    http_encode_uri(&out, buf_slice(&json), false);
    *ret = json.failed || out.failed ? NULL : arena_strndup(k->s->a, out.ptr, out.len);
    return *ret ? 0 : gcp_source_fail(k->s, "memory ran out");
}

/* Signs the request to STS. The audience is signed too, so that nobody can use the request for
 * another pool. */
static int sign(struct aws *k, const char *audience, const char **ret)
{
    struct sigv4 signature;
    const char *url = verification_url(k);
    const char *authority = url ? url + strlen("https://") : "";
    size_t host = strcspn(authority, "/?");
    size_t path = strcspn(authority + host, "?");
    const char *query = authority + host + path;
    const struct http_header headers[] = {
        {SLICE_LIT("host"), slice_from(authority, host)},
        {SLICE_LIT("x-goog-cloud-target-resource"), slice_str(audience)}};
    const struct sigv4_input in = {
        .method = "POST",
        .path = slice_from(authority + host, path),
        .query = slice_str(*query ? query + 1 : query),
        .headers = headers,
        .header_count = 2,
        .region = k->region,
        .service = "sts",
        .access_key = slice_str(k->access_key),
        .secret_key = slice_str(k->secret_key),
        .session_token = slice_str(k->token),
        .unix_s = gcp_source_now(k->s),
    };
    if (!url || sigv4_sign(k->s->a, &in, &signature) < 0)
        return gcp_source_fail(k->s, "memory ran out");
    return serialise(k, url, headers, 2, &signature, ret);
}

int gcp_subject_aws(struct gcp_source *s, const struct gcp_credential_file *f, const char **ret)
{
    struct aws k = {.s = s, .from = &f->subject};
    if (find_region(&k) < 0 || find_keys(&k) < 0)
        return -1;
    return sign(&k, f->audience, ret);
}

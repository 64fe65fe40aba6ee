/* Credentials from metadata endpoints: containers (ECS, EKS Pod Identity) and instances (IMDSv2).
 */
#include <string.h>
#include <strings.h>

#include "aws/client.h"
#include "value/codec.h"

enum { TIMEOUT_MS = 1000, CONTAINER_TIMEOUT_MS = 5000, TRIES = 3 };

static const char ecs_host[] = "http://169.254.170.2";
static const char imds_default[] = "http://169.254.169.254";

/* One exchange without proxy. 0, or -1 with *r. */
static int ask(struct aws_source *s, const char *method, const char *url, const char *header,
               const char *header_value, int64_t timeout_ms, struct http_response *r)
{
    struct http_header headers[2];
    size_t count = 0;
    const struct http_settings settings = {.proxy = "",
                                           .connect_timeout_ms = timeout_ms,
                                           .request_timeout_ms = timeout_ms,
                                           .max_response_bytes = 64 * 1024};
    if (header) {
        headers[count].name = slice_str(header);
        headers[count++].value = slice_str(header_value);
    }
    headers[count].name = SLICE_LIT("user-agent");
    headers[count++].value = slice_str(s->client->user_agent);
    const struct http_request rq = {method,      url,       headers,   count,
                                    SLICE_EMPTY, &settings, "metadata"};
    return s->client->transport->send(s->client->transport->self, s->work, s->a, &rq, r);
}

/* Broken connections and 5xx are tried again, twice. */
static int ask_again(struct aws_source *s, const char *method, const char *url, const char *header,
                     const char *header_value, int64_t timeout_ms, struct http_response *r)
{
    const struct clock *c = s->client->clock;
    int rc = -1;
    for (int i = 0; i < TRIES; i++) {
        rc = ask(s, method, url, header, header_value, timeout_ms, r);
        bool again = rc < 0 ? r->failure == HTTP_RESET || r->failure == HTTP_TIMEOUT
                            : r->status >= 500 || r->status == 429;
        if (!again || i + 1 == TRIES || c->sleep_ms(c->self, 100 << i, s->work->cancel) < 0)
            break;
    }
    return rc;
}

static int take(struct aws_source *s, const struct http_response *r, const char *source,
                struct aws_credentials *ret)
{
    const struct value *v = NULL;
    struct diags d;
    diags_init(&d, s->a);
    if (value_json_parse(s->a, r->body, &v, &d) < 0)
        return aws_source_fail(s, "%s gave something other than JSON", source);
    const char *code = value_cstr(value_get(v, "Code"), "Success");
    if (strcmp(code, "Success") != 0)
        return aws_source_fail(s, "%s has no credentials: %s", source, code);
    return aws_source_keys(s, ret, value_cstr(value_get(v, "AccessKeyId"), NULL),
                           value_cstr(value_get(v, "SecretAccessKey"), NULL),
                           value_cstr(value_get(v, "Token"), NULL),
                           value_cstr(value_get(v, "Expiration"), NULL), source);
}

/* A full URI may be plain HTTP only to loopback and to the addresses of ECS and EKS. */
static bool uri_is_allowed(const char *uri)
{
    static const char *const hosts[] = {"169.254.170.2", "169.254.170.23", "[fd00:ec2::23]",
                                        "127.0.0.1",     "localhost",      "[::1]"};
    if (strncasecmp(uri, "https://", 8) == 0)
        return true;
    if (strncasecmp(uri, "http://", 7) != 0)
        return false;
    for (size_t i = 0; i < sizeof(hosts) / sizeof(*hosts); i++) {
        size_t n = strlen(hosts[i]);
        if (strncasecmp(uri + 7, hosts[i], n) == 0 && strchr(":/", uri[7 + n]))
            return true; /* strchr() also finds the end of the string */
    }
    return false;
}

int aws_source_container(struct aws_source *s, struct aws_credentials *ret)
{
    const char *relative = aws_env("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
    const char *full = aws_env("AWS_CONTAINER_CREDENTIALS_FULL_URI");
    const char *token = aws_env("AWS_CONTAINER_AUTHORIZATION_TOKEN");
    const char *file = aws_env("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
    struct http_response r;
    if (!relative && !full)
        return 1;
    const char *url = relative ? arena_printf(s->a, "%s%s", ecs_host, relative) : full;
    if (!url || !uri_is_allowed(url))
        return aws_source_fail(s,
                               "AWS_CONTAINER_CREDENTIALS_FULL_URI is neither HTTPS nor an address "
                               "of this machine, ECS or EKS");
    if (file && !(token = aws_source_file(s, file)))
        return -1;
    if (token && strpbrk(token, "\r\n"))
        return aws_source_fail(s, "the container's authorization token holds a line break");
    if (ask_again(s, "GET", url, token ? "authorization" : NULL, token, CONTAINER_TIMEOUT_MS, &r) <
        0)
        return aws_source_fail(s, "the container's credentials endpoint does not answer: %s",
                               r.failure_text);
    if (r.status != 200)
        return aws_source_fail(
            s, "the container's credentials endpoint answered with HTTP status %d", r.status);
    return take(s, &r, "the container's credentials endpoint", ret);
}

/* ---- instances ---- */

static const char *imds_url(struct aws_source *s, const char *path)
{
    const char *base = s->client->config.imds_endpoint;
    const char *mode = aws_env("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE");
    if (!base)
        base = mode && strcasecmp(mode, "ipv6") == 0 ? "http://[fd00:ec2::254]" : imds_default;
    size_t len = strlen(base);
    while (len && base[len - 1] == '/')
        len--;
    return arena_printf(s->a, "%.*s%s", (int)len, base, path);
}

/* A session token (IMDSv2); NULL when there is no metadata service here. That nothing answers is
 * found out once: it takes seconds, and a machine does not become an instance. */
static const char *imds_token(struct aws_source *s)
{
    struct http_response r;
    const char *url = imds_url(s, "/latest/api/token");
    if (!url || atomic_load(&s->client->imds_is_absent))
        return NULL;
    if (ask_again(s, "PUT", url, "x-aws-ec2-metadata-token-ttl-seconds", "21600", TIMEOUT_MS, &r) <
        0) {
        bool nobody = r.failure == HTTP_RESOLVE || r.failure == HTTP_CONNECT;
        if (nobody || r.failure == HTTP_TIMEOUT)
            atomic_store(&s->client->imds_is_absent, true);
        return NULL;
    }
    return r.status == 200 ? arena_strndup(s->a, r.body.ptr, r.body.len) : NULL;
}

static int imds_get(struct aws_source *s, const char *token, const char *path,
                    struct http_response *r)
{
    const char *url = imds_url(s, path);
    return url && ask_again(s, "GET", url, "x-aws-ec2-metadata-token", token, TIMEOUT_MS, r) == 0 &&
                   r->status == 200
               ? 0
               : -1;
}

int aws_source_imds(struct aws_source *s, struct aws_credentials *ret)
{
    static const char base[] = "/latest/meta-data/iam/security-credentials/";
    struct http_response r;
    const char *token = imds_token(s);
    if (!token || strpbrk(token, "\r\n"))
        return 1;
    if (imds_get(s, token, base, &r) < 0 || !r.body.len)
        return 1; /* an instance without a role */
    const char *role = arena_strndup(s->a, r.body.ptr, r.body.len);
    const char *path =
        role ? arena_printf(s->a, "%s%.*s", base, (int)strcspn(role, "\r\n"), role) : NULL;
    if (!path || imds_get(s, token, path, &r) < 0)
        return aws_source_fail(s,
                               "the instance metadata service did not give the role's credentials");
    return take(s, &r, "the instance metadata service", ret);
}

const char *aws_imds_region(struct cloud_client *c, const struct work *w, struct arena *a)
{
    struct cloud_error err;
    struct aws_source s = {c, w, a, NULL, &err};
    struct http_response r;
    const char *token = imds_token(&s);
    if (!token || imds_get(&s, token, "/latest/meta-data/placement/region", &r) < 0)
        return NULL;
    return arena_strndup(a, r.body.ptr, r.body.len);
}

/* Credentials from IAM Identity Center, with the token that `aws sso login` left in the cache (SDKs
 * and Tools Reference Guide, "IAM Identity Center credential provider"). */
#include <string.h>
#include <time.h>

#include <openssl/sha.h>

#include "aws/client.h"
#include "value/codec.h"

enum { REFRESH_BEFORE_S = 300 };

/* ~/.aws/sso/cache/<SHA-1 of the session's name or start URL>.json */
static const char *cache_path(struct aws_source *s, const char *key)
{
    unsigned char digest[SHA_DIGEST_LENGTH];
    SHA1((const unsigned char *)key, strlen(key), digest);
    const char *name = arena_hex(s->a, digest, sizeof(digest));
    const char *path = name ? arena_printf(s->a, ".aws/sso/cache/%s.json", name) : NULL;
    return aws_home_path(s->a, path ?: "");
}

static int64_t time_of(const struct value *v)
{
    struct tm tm = {0};
    const char *text = value_cstr(v, "");
    return strptime(text, "%Y-%m-%dT%H:%M:%S", &tm) ? (int64_t)timegm(&tm) : 0;
}

static int64_t now(struct aws_source *s)
{
    return s->client->clock->unix_s(s->client->clock->self);
}

/* A new access token for the refresh token of the cache. NULL when there is none, or it is refused:
 * the old one is then used as long as it lasts. The cache file is left to the CLI. */
static const char *refreshed(struct aws_source *s, const struct value *cached, const char *region)
{
    static const struct cloud_operation op = {.service = "ssooidc",
                                              .name = "CreateToken",
                                              .method = "POST",
                                              .uri = "/token",
                                              .idempotent = false};
    const struct aws_call_options unsigned_call = {.signer = AWS_SIGN_NOTHING};
    const struct value_member m[] = {{SLICE_LIT("clientId"), value_get(cached, "clientId")},
                                     {SLICE_LIT("clientSecret"), value_get(cached, "clientSecret")},
                                     {SLICE_LIT("refreshToken"), value_get(cached, "refreshToken")},
                                     {SLICE_LIT("grantType"), value_str(s->a, "refresh_token")}};
    const struct value *request = NULL, *answer = NULL;
    struct cloud_error err;
    for (size_t i = 0; i < 3; i++)
        if (!value_is_known(m[i].value))
            return NULL;
    request = value_object(s->a, m, 4);
    if (aws_call(s->client, s->work, s->a, region, &op, request, &unsigned_call, &answer, &err) < 0)
        return NULL;
    return value_cstr(value_get(answer, "accessToken"), NULL);
}

static const char *access_token(struct aws_source *s, const char *key, const char *region)
{
    const struct value *cached = NULL;
    struct diags d;
    diags_init(&d, s->a);
    const char *path = cache_path(s, key);
    const char *text = path ? aws_source_file(s, path) : NULL;
    if (!text || value_json_parse(s->a, slice_str(text), &cached, &d) < 0) {
        aws_source_fail(s,
                        "there is no session with IAM Identity Center for \"%s\": run `aws sso "
                        "login`",
                        key);
        return NULL;
    }
    int64_t left = time_of(value_get(cached, "expiresAt")) - now(s);
    const char *fresh = left < REFRESH_BEFORE_S ? refreshed(s, cached, region) : NULL;
    if (fresh)
        return fresh;
    if (left <= 0) {
        aws_source_fail(s,
                        "the session with IAM Identity Center for \"%s\" has expired: run `aws sso "
                        "login`",
                        key);
        return NULL;
    }
    return value_cstr(value_get(cached, "accessToken"), NULL);
}

/* The time of expiry is given in milliseconds since 1970. */
static const char *iso_time(struct aws_source *s, const struct value *ms)
{
    int64_t n = 0;
    struct tm tm;
    if (!value_to_int(ms, &n))
        return NULL;
    time_t t = (time_t)(n / 1000);
    gmtime_r(&t, &tm);
    return arena_printf(s->a, "%04d-%02d-%02dT%02d:%02d:%02dZ", tm.tm_year + 1900, tm.tm_mon + 1,
                        tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
}

int aws_source_sso(struct aws_source *s, const struct aws_section *section,
                   struct aws_credentials *ret)
{
    static const struct cloud_operation op = {.service = "sso",
                                              .name = "GetRoleCredentials",
                                              .method = "GET",
                                              .uri =
                                                  "/federation/credentials{?role_name,account_id}",
                                              .idempotent = true};
    const char *profile = section->name;
    const char *session = aws_section_get(section, "sso_session");
    const struct aws_section *from =
        session ? aws_profiles_find(&s->client->config.profiles, AWS_SECTION_SSO_SESSION, session)
                : section;
    const char *region = aws_section_get(from, "sso_region");
    const char *account = aws_section_get(section, "sso_account_id");
    const char *role = aws_section_get(section, "sso_role_name");
    const char *key = session ? session : aws_section_get(section, "sso_start_url");
    if (!from || !region || !account || !role)
        return aws_source_fail(
            s,
            "the profile \"%s\" lacks sso_region, sso_account_id or sso_role_name, or "
            "its sso_session does not exist",
            profile);
    const char *token = access_token(s, key, region);
    if (!token)
        return s->err->message ? -1 : aws_source_fail(s, "the cached session holds no token");
    const struct http_header header = {SLICE_LIT("x-amz-sso_bearer_token"), slice_str(token)};
    const struct aws_call_options options = {AWS_SIGN_NOTHING, NULL, &header, 1};
    const struct value_member m[] = {{SLICE_LIT("role_name"), value_str(s->a, role)},
                                     {SLICE_LIT("account_id"), value_str(s->a, account)}};
    const struct value *answer = NULL;
    if (aws_call(s->client, s->work, s->a, region, &op, value_object(s->a, m, 2), &options, &answer,
                 s->err) < 0)
        return -1;
    const struct value *k = value_get(answer, "roleCredentials");
    return aws_source_keys(s, ret, value_cstr(value_get(k, "accessKeyId"), NULL),
                           value_cstr(value_get(k, "secretAccessKey"), NULL),
                           value_cstr(value_get(k, "sessionToken"), NULL),
                           iso_time(s, value_get(k, "expiration")), "IAM Identity Center");
}

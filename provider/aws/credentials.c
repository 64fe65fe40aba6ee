/* The credential chain and its cache. */
#include "aws/credentials.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "aws/client.h"
#include "base/log.h"

enum { REFRESH_BEFORE_S = 300, FILE_MOST = 64 * 1024 };

void aws_credential_cache_init(struct aws_credential_cache *c)
{
    pthread_mutex_init(&c->lock, NULL);
    c->valid = false;
    c->current = AWS_CREDENTIALS_EMPTY;
}

void aws_credential_cache_clean_up(struct aws_credential_cache *c)
{
    aws_credentials_clean_up(&c->current);
    pthread_mutex_destroy(&c->lock);
}

void aws_credentials_forget(struct aws_credential_cache *c)
{
    pthread_mutex_lock(&c->lock);
    c->valid = false;
    pthread_mutex_unlock(&c->lock);
}

void aws_credentials_clean_up(struct aws_credentials *k)
{
    secret_clean_up(&k->access_key);
    secret_clean_up(&k->secret_key);
    secret_clean_up(&k->session_token);
}

int aws_credentials_copy(struct aws_credentials *to, const struct aws_credentials *from)
{
    *to = AWS_CREDENTIALS_EMPTY;
    to->expires_unix_s = from->expires_unix_s;
    to->source = from->source;
    if (secret_set(&to->access_key, secret_slice(&from->access_key)) == 0 &&
        secret_set(&to->secret_key, secret_slice(&from->secret_key)) == 0 &&
        secret_set(&to->session_token, secret_slice(&from->session_token)) == 0)
        return 0;
    aws_credentials_clean_up(to);
    return -1;
}

int aws_source_fail(struct aws_source *s, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    const char *text = arena_vprintf(s->a, fmt, ap);
    va_end(ap);
    memset(s->err, 0, sizeof(*s->err));
    s->err->class_ = CLOUD_ERROR_CREDENTIALS;
    s->err->retry_after_ms = -1;
    s->err->message = text ? text : "memory ran out";
    return -1;
}

/* "2026-11-21T10:00:00Z", with or without fractions of a second. */
static int64_t parse_time(const char *text)
{
    struct tm tm = {0};
    const char *end = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
    return end ? (int64_t)timegm(&tm) : -1;
}

int aws_source_keys(struct aws_source *s, struct aws_credentials *ret, const char *access_key,
                    const char *secret_key, const char *token, const char *expires,
                    const char *source)
{
    struct aws_credentials k = AWS_CREDENTIALS_EMPTY;
    if (!access_key || !*access_key || !secret_key || !*secret_key)
        return aws_source_fail(s, "%s gave no access key id or no secret access key", source);
    if (expires && (k.expires_unix_s = parse_time(expires)) < 0)
        return aws_source_fail(s, "%s gave \"%s\" as the time of expiry, which is none", source,
                               expires);
    k.source = source;
    if (secret_set(&k.access_key, slice_str(access_key)) < 0 ||
        secret_set(&k.secret_key, slice_str(secret_key)) < 0 ||
        (token && secret_set(&k.session_token, slice_str(token)) < 0)) {
        aws_credentials_clean_up(&k);
        return aws_source_fail(s, "memory ran out");
    }
    *ret = k;
    return 0;
}

const char *aws_source_file(struct aws_source *s, const char *path)
{
    char *text = arena_alloc(s->a, FILE_MOST + 1);
    FILE *f = fopen(path, "re");
    if (!f || !text) {
        if (f)
            fclose(f);
        aws_source_fail(s, "the file %s cannot be read: %m", path);
        return NULL;
    }
    setvbuf(f, NULL, _IONBF, 0); /* a buffer of the C library would not be zeroed */
    size_t n = fread(text, 1, FILE_MOST, f);
    fclose(f);
    text[n] = '\0';
    while (n && strchr(" \t\r\n", text[n - 1]))
        text[--n] = '\0';
    return text;
}

int aws_source_environment(struct aws_source *s, struct aws_credentials *ret)
{
    const char *id = aws_env("AWS_ACCESS_KEY_ID"), *key = aws_env("AWS_SECRET_ACCESS_KEY");
    if (!id && !key)
        return 1;
    return aws_source_keys(s, ret, id, key, aws_env("AWS_SESSION_TOKEN"), NULL, "the environment");
}

static int environment_web_identity(struct aws_source *s, struct aws_credentials *ret)
{
    const struct aws_assume_role role = {
        .role_arn = aws_env("AWS_ROLE_ARN"),
        .session_name = aws_env("AWS_ROLE_SESSION_NAME"),
        .web_identity_token_file = aws_env("AWS_WEB_IDENTITY_TOKEN_FILE"),
    };
    if (!role.web_identity_token_file)
        return 1;
    return aws_source_web_identity(s, &role, ret);
}

/* The base of the chain: a source that answers 1 is passed over. */
static int resolve_base(struct aws_source *s, struct aws_credentials *ret)
{
    const struct aws_config *c = &s->client->config;
    if (c->access_key)
        return aws_source_keys(s, ret, c->access_key, c->secret_key, c->token, NULL,
                               "the provider block");
    if (c->web_identity)
        return aws_source_web_identity(s, c->web_identity, ret);
    int rc = c->profile_is_chosen ? aws_source_profile(s, c->profile, ret) : 1;
    if (rc == 1)
        rc = aws_source_environment(s, ret);
    if (rc == 1)
        rc = environment_web_identity(s, ret);
    if (rc == 1 && !c->profile_is_chosen)
        rc = aws_source_profile(s, c->profile, ret);
    if (rc == 1)
        rc = aws_source_container(s, ret);
    if (rc == 1 && !c->skip_metadata_api_check)
        rc = aws_source_imds(s, ret);
    if (rc == 1)
        return aws_source_fail(
            s,
            "no AWS credentials were found: neither in the provider block nor in "
            "the environment, the profile \"%s\", a container's or an "
            "instance's metadata",
            c->profile);
    return rc;
}

static int resolve(struct aws_source *s, struct aws_credentials *ret)
{
    const struct aws_config *c = &s->client->config;
    if (resolve_base(s, ret) < 0)
        return -1;
    for (size_t i = 0; i < c->role_count; i++) {
        struct aws_credentials next = AWS_CREDENTIALS_EMPTY;
        int rc = aws_source_assume_role(s, ret, &c->roles[i], &next);
        aws_credentials_clean_up(ret);
        if (rc < 0)
            return -1;
        *ret = next;
    }
    log_at(LOG_DEBUG, "AWS credentials resolved", LOG_STR("source", ret->source));
    return 0;
}

int aws_credentials_get(struct cloud_client *c, const struct work *w, struct arena *a,
                        const char *region, struct aws_credentials *ret, struct cloud_error *err)
{
    struct aws_source s = {c, w, a, region, err};
    struct aws_credential_cache *cache = &c->credentials;
    int64_t now = c->clock->unix_s(c->clock->self) + atomic_load(&c->skew_s);
    int rc = 0;
    pthread_mutex_lock(&cache->lock);
    bool fresh = cache->valid && (cache->current.expires_unix_s == INT64_MAX ||
                                  cache->current.expires_unix_s - now > REFRESH_BEFORE_S);
    if (!fresh) {
        struct aws_credentials next = AWS_CREDENTIALS_EMPTY;
        rc = resolve(&s, &next);
        bool still_good = cache->valid && cache->current.expires_unix_s > now;
        if (rc == 0) {
            aws_credentials_clean_up(&cache->current);
            cache->current = next;
            cache->valid = true;
        } else if (still_good) {
            rc = 0; /* the refresh is tried again with the next call */
        }
    }
    if (rc == 0 && aws_credentials_copy(ret, &cache->current) < 0)
        rc = aws_source_fail(&s, "memory ran out");
    pthread_mutex_unlock(&cache->lock);
    return rc;
}

/* Which credentials are used, and the cache of their tokens. */
#include "gcp/credentials.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/log.h"
#include "gcp/source.h"
#include "gcp/text_file.h"

enum {
    REFRESH_BEFORE_S = 300,
    ASK_AGAIN_S =
        30, /* a token that is good for less than that when new is not asked for in a rush */
    SHOWN_MOST = 255,
    LIFETIME_S = 3600,
};

/* ---- the cache ---- */

void gcp_token_cache_init(struct gcp_token_cache *c)
{
    memset(c, 0, sizeof(*c));
    pthread_mutex_init(&c->lock, NULL);
    c->current = GCP_TOKEN_EMPTY;
}

void gcp_token_cache_clean_up(struct gcp_token_cache *c)
{
    gcp_token_clean_up(&c->current);
    secret_clean_up(&c->refresh_token);
    alloc_table.free(c->project);
    alloc_table.free(c->quota_project);
    c->project = c->quota_project = NULL;
    pthread_mutex_destroy(&c->lock);
}

void gcp_token_clean_up(struct gcp_token *t)
{
    if (t)
        secret_clean_up(&t->bearer);
}

void gcp_token_forget(struct gcp_token_cache *c, const struct gcp_token *used)
{
    pthread_mutex_lock(&c->lock);
    if (slice_eq(secret_slice(&c->current.bearer), secret_slice(&used->bearer)))
        c->valid = false;
    pthread_mutex_unlock(&c->lock);
}

static int copy_token(struct gcp_source *s, const struct gcp_token *from, struct gcp_token *ret)
{
    *ret = GCP_TOKEN_EMPTY;
    ret->expires_unix_s = from->expires_unix_s;
    ret->source = from->source;
    return secret_set(&ret->bearer, secret_slice(&from->bearer)) == 0
               ? 0
               : gcp_source_fail(s, "memory ran out");
}

/* ---- which credentials ---- */

struct choice {
    enum { FROM_TOKEN, FROM_FILE, FROM_METADATA } kind;
    struct gcp_credential_file file; /* FROM_FILE */
};

/* What a setting holds may be a key that has lost its form: only what can be a path is shown. */
static bool may_be_shown(const char *path)
{
    return strlen(path) <= SHOWN_MOST && !strpbrk(path, "\r\n{}\"") && !strstr(path, "PRIVATE");
}

static int take_file(struct gcp_source *s, struct slice text, struct choice *ret)
{
    const char *why = NULL;
    ret->kind = FROM_FILE;
    if (gcp_credential_file_read(s->a, text, &ret->file, &why) < 0)
        return gcp_source_fail(s, "%s cannot be used: %s", s->where, why);
    const char *universe = s->client->config.universe_domain;
    if (strcmp(ret->file.universe_domain, universe) != 0)
        return gcp_source_fail(s,
                               "%s is for the universe %s, but the provider is configured for %s: "
                               "set universe_domain",
                               s->where, ret->file.universe_domain, universe);
    return 0;
}

/* Of a path in the setting `name`. `optional`: 1 when there is no such file. */
static int take_path(struct gcp_source *s, const char *name, const char *path, bool optional,
                     struct choice *ret)
{
    struct slice text;
    const char *why = NULL, *home = gcp_env("HOME");
    if (!may_be_shown(path))
        return gcp_source_fail(s, "the value of %s is neither JSON nor the path of a file%s", name,
                               strncmp(path, "ew", 2) == 0 || strncmp(path, "eyJ", 3) == 0
                                   ? ": it looks like base64, which has to be decoded first"
                                   : "");
    if (strncmp(path, "~/", 2) == 0 && home)
        path = arena_printf(s->a, "%s/%s", home, path + 2);
    s->where = path ? arena_printf(s->a, "the file %s (%s)", path, name) : NULL;
    if (!s->where)
        return gcp_source_fail(s, "memory ran out");
    int rc = gcp_read_text_file(s->a, path, &text, &why);
    if (rc == 1 && optional)
        return 1;
    return rc == 0 ? take_file(s, text, ret)
                   : gcp_source_fail(s, "%s cannot be read: %s", s->where, why);
}

static int take_setting(struct gcp_source *s, struct choice *ret)
{
    const struct gcp_config *c = &s->client->config;
    if (!gcp_credentials_are_content(slice_str(c->credentials)))
        return take_path(s, c->credentials_name, c->credentials, false, ret);
    s->where = arena_printf(s->a, "the content of %s", c->credentials_name);
    return s->where ? take_file(s, slice_str(c->credentials), ret)
                    : gcp_source_fail(s, "memory ran out");
}

/* Touches no network. s->where is set. */
static int choose(struct gcp_source *s, struct choice *ret)
{
    const struct gcp_config *c = &s->client->config;
    if (c->access_token) {
        ret->kind = FROM_TOKEN;
        s->where = arena_printf(s->a, "the token of %s", c->access_token_name);
        return s->where ? 0 : gcp_source_fail(s, "memory ran out");
    }
    if (c->credentials)
        return take_setting(s, ret);
    if (c->adc_path && gcp_credentials_are_content(slice_str(c->adc_path)))
        return gcp_source_fail(s,
                               "GOOGLE_APPLICATION_CREDENTIALS holds the content of a file, but it "
                               "takes a path: GOOGLE_CREDENTIALS takes either");
    if (c->adc_path)
        return take_path(s, "GOOGLE_APPLICATION_CREDENTIALS", c->adc_path, false, ret);
    if (c->well_known_path) {
        int rc =
            take_path(s, "gcloud's application default credentials", c->well_known_path, true, ret);
        if (rc <= 0)
            return rc;
    }
    ret->kind = FROM_METADATA;
    s->where = "this machine";
    return 0;
}

static int none_found(struct gcp_source *s)
{
    const char *path = s->client->config.well_known_path;
    return gcp_source_fail(
        s,
        "no Google Cloud credentials were found: neither in the provider block (credentials, "
        "access_token), nor in the environment (GOOGLE_CREDENTIALS, "
        "GOOGLE_APPLICATION_CREDENTIALS), nor at %s, and there is no metadata server here. On your "
        "own machine, run gcloud auth application-default login",
        path ? path : "gcloud's place below the home directory");
}

/* ---- tokens ---- */

/* projects/-/serviceAccounts/EMAIL for each of the delegates. */
static const char **delegate_names(struct arena *a, const char *const *delegates, size_t count)
{
    const char **all = arena_new_array(a, count, const char *);
    for (size_t i = 0; all && i < count; i++)
        all[i] = strchr(delegates[i], '/')
                     ? delegates[i]
                     : arena_printf(a, "projects/-/serviceAccounts/%s", delegates[i]);
    return all;
}

/* The tokens of an impersonated_service_account file. */
static int impersonated_file(struct gcp_source *s, const struct gcp_credential_file *f,
                             const struct gcp_scopes *scopes, struct gcp_token *ret)
{
    struct gcp_token source = GCP_TOKEN_EMPTY;
    struct gcp_impersonation how = {.url = f->impersonation_url, .lifetime_s = f->lifetime_s};
    size_t count = value_count(f->delegates);
    const char **names = arena_new_array(s->a, count, const char *);
    for (size_t i = 0; names && i < count; i++)
        names[i] = value_cstr(value_at(f->delegates, i), "");
    how.delegates = names ? delegate_names(s->a, names, count) : NULL;
    how.delegate_count = count;
    if (!how.delegates)
        return gcp_source_fail(s, "memory ran out");
    if (gcp_source_file(s, f->source, &gcp_scope_iam, &source) < 0)
        return -1;
    int rc = gcp_source_impersonate(s, &source, &how, scopes, ret);
    gcp_token_clean_up(&source);
    return rc;
}

int gcp_source_file(struct gcp_source *s, const struct gcp_credential_file *f,
                    const struct gcp_scopes *scopes, struct gcp_token *ret)
{
    switch (f->type) {
    case GCP_SERVICE_ACCOUNT:
        return gcp_source_service_account(s, f, scopes, ret);
    case GCP_AUTHORIZED_USER:
        return gcp_source_authorized_user(s, f, ret);
    case GCP_EXTERNAL_ACCOUNT:
        return gcp_source_external_account(s, f, scopes, ret);
    case GCP_EXTERNAL_ACCOUNT_AUTHORIZED_USER:
        return gcp_source_external_user(s, f, ret);
    case GCP_IMPERSONATED_SERVICE_ACCOUNT:
        return impersonated_file(s, f, scopes, ret);
    }
    return gcp_source_fail(s, "%s has no known type", s->where);
}

static int base_token(struct gcp_source *s, const struct gcp_scopes *scopes, struct gcp_token *ret)
{
    struct choice *chosen = arena_new_object(s->a, struct choice);
    if (!chosen)
        return gcp_source_fail(s, "memory ran out");
    if (choose(s, chosen) < 0)
        return -1;
    if (chosen->kind == FROM_TOKEN)
        return gcp_source_set(s, s->client->config.access_token_name,
                              slice_str(s->client->config.access_token), INT64_MAX,
                              "an access token", ret);
    if (chosen->kind == FROM_FILE)
        return gcp_source_file(s, &chosen->file, scopes, ret);
    int rc = gcp_source_metadata(s, scopes, ret);
    return rc == 1 ? none_found(s) : rc;
}

/* impersonate_service_account, on top of whatever was found. */
static int impersonate(struct gcp_source *s, const struct gcp_token *with,
                       const struct gcp_scopes *scopes, struct gcp_token *ret)
{
    static const char plain[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.@";
    const struct gcp_config *c = &s->client->config;
    struct gcp_impersonation how = {.delegate_count = c->delegate_count, .lifetime_s = LIFETIME_S};
    if (c->impersonate[strspn(c->impersonate, plain)] || !strchr(c->impersonate, '@'))
        return gcp_source_fail(s,
                               "impersonate_service_account is \"%.200s\", which is no e-mail "
                               "address of a service account",
                               c->impersonate);
    /* As a file would name it: a custom endpoint takes the place of the host there. */
    how.url = arena_printf(
        s->a, "https://iamcredentials.%s/v1/projects/-/serviceAccounts/%s:generateAccessToken",
        c->universe_domain, c->impersonate);
    how.delegates = delegate_names(s->a, c->delegates, c->delegate_count);
    if (!how.url || !how.delegates)
        return gcp_source_fail(s, "memory ran out");
    return gcp_source_impersonate(s, with, &how, scopes, ret);
}

static int resolve(struct gcp_source *s, struct gcp_token *ret)
{
    const struct gcp_config *c = &s->client->config;
    const struct gcp_scopes wanted = {c->scopes, c->scope_count};
    struct gcp_token base = GCP_TOKEN_EMPTY;
    if (!c->impersonate) {
        if (base_token(s, &wanted, ret) < 0)
            return -1;
    } else {
        if (base_token(s, &gcp_scope_iam, &base) < 0)
            return -1;
        int rc = impersonate(s, &base, &wanted, ret);
        gcp_token_clean_up(&base);
        if (rc < 0)
            return -1;
    }
    if (ret->expires_unix_s <= gcp_source_now(s)) {
        gcp_token_clean_up(ret);
        return gcp_source_fail(s,
                               "the token for %s had expired when it came: is the clock of this "
                               "machine right?",
                               s->where);
    }
    log_at(LOG_DEBUG, "Google Cloud token obtained", LOG_STR("source", ret->source),
           LOG_STR("credentials", s->where));
    return 0;
}

static bool is_fresh(const struct gcp_token_cache *cache, int64_t now)
{
    int64_t expires = cache->current.expires_unix_s;
    if (!cache->valid || expires <= now)
        return false;
    return expires == INT64_MAX || expires - now > REFRESH_BEFORE_S ||
           (now >= cache->asked_unix_s && now - cache->asked_unix_s < ASK_AGAIN_S);
}

int gcp_token_get(struct cloud_client *c, const struct work *w, struct arena *a,
                  struct gcp_token *ret, struct cloud_error *err)
{
    struct gcp_source s = {c, w, a, err, "the credentials"};
    struct gcp_token_cache *cache = &c->tokens;
    int rc = 0;
    *ret = GCP_TOKEN_EMPTY;
    pthread_mutex_lock(&cache->lock);
    int64_t now = gcp_source_now(&s);
    if (!is_fresh(cache, now)) {
        struct gcp_token next = GCP_TOKEN_EMPTY;
        rc = resolve(&s, &next);
        if (rc == 0) {
            gcp_token_clean_up(&cache->current);
            cache->current = next;
            cache->valid = true;
            cache->asked_unix_s = now;
        } else if (cache->valid && cache->current.expires_unix_s > gcp_source_now(&s)) {
            log_at(LOG_WARN, "A Google Cloud token could not be renewed; the old one is still good",
                   LOG_STR("error", err->message));
            cache->asked_unix_s = now; /* tried again in a while */
            rc = 0;
        }
    }
    if (rc == 0)
        rc = copy_token(&s, &cache->current, ret);
    pthread_mutex_unlock(&cache->lock);
    return rc;
}

/* ---- projects ---- */

static char *own(const char *text)
{
    size_t len = text ? strlen(text) + 1 : 0;
    char *p = text ? alloc_table.malloc(len) : NULL;
    if (p)
        memcpy(p, text, len);
    return p;
}

/* The two projects that the credentials name; touches no network. Under the lock. */
static int look_up_names(struct gcp_source *s)
{
    struct gcp_token_cache *cache = &s->client->tokens;
    const char *project = s->client->config.gcloud_project;
    if (cache->names_known)
        return 0;
    struct choice *chosen = arena_new_object(s->a, struct choice);
    if (!chosen)
        return gcp_source_fail(s, "memory ran out");
    if (choose(s, chosen) < 0)
        return -1;
    if (chosen->kind == FROM_FILE) {
        const struct gcp_credential_file *f = &chosen->file;
        if (f->project_id || (f->source && f->source->project_id))
            project = f->project_id ? f->project_id : f->source->project_id;
        cache->quota_project = own(f->quota_project_id);
    }
    cache->project = own(project);
    cache->ask_metadata = chosen->kind == FROM_METADATA;
    cache->names_known = true;
    return 0;
}

/* What the metadata server says, where it is the one to ask. Under the lock. */
static int ask_project(struct gcp_source *s)
{
    struct gcp_token_cache *cache = &s->client->tokens;
    const char *project = NULL;
    if (cache->project || !cache->ask_metadata)
        return 0;
    if (gcp_metadata_project(s, &project) < 0)
        return -1;
    cache->project = own(project);
    return 0;
}

const char *gcp_credentials_project(struct cloud_client *c, const struct work *w, struct arena *a,
                                    struct cloud_error *err)
{
    struct gcp_source s = {c, w, a, err, "the source of the credentials"};
    const char *project = NULL;
    pthread_mutex_lock(&c->tokens.lock);
    int rc = look_up_names(&s) < 0 || ask_project(&s) < 0 ? -1 : 0;
    if (rc == 0)
        project = arena_strdup(a, c->tokens.project);
    pthread_mutex_unlock(&c->tokens.lock);
    if (rc == 0 && !project) {
        gcp_source_fail(&s,
                        "no project is configured, and %s names none: set project in the "
                        "provider's gcp attribute, or GOOGLE_PROJECT",
                        s.where);
        err->class_ = CLOUD_ERROR_INVALID;
    }
    return project;
}

const char *gcp_quota_project(struct cloud_client *c, struct arena *a)
{
    const struct gcp_config *config = &c->config;
    struct cloud_error err; /* a file that cannot be read is told where a token is asked for */
    struct gcp_source s = {c, NULL, a, &err, "the credentials"};
    const char *project = NULL;
    if (config->user_project_override && (config->billing_project || config->project))
        return arena_strdup(a, config->billing_project ? config->billing_project : config->project);
    if (config->env_quota_project)
        return arena_strdup(a, config->env_quota_project);
    pthread_mutex_lock(&c->tokens.lock);
    if (look_up_names(&s) == 0)
        project = arena_strdup(a, c->tokens.quota_project);
    pthread_mutex_unlock(&c->tokens.lock);
    return project;
}

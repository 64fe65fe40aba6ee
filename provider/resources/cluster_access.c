/* A cluster's client and its tokens. */
#include "resources/cluster_access.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/base64.h"
#include "base/secret.h"

enum {
    CA_MOST = 1 << 20,
    RENEW_BEFORE_S = 60, /* a token that ends sooner is not given out */
    OWN_TOKEN_S = 10,    /* so long a file's is not read again */
    TOKEN_MOST = 16384,
    ATTEMPTS_MOST = 10
};

struct cluster_access {
    struct arena *arena; /* of the texts */
    struct cluster_place place;
    const struct clock *clock;
    struct cloud_client *client;
    const struct cloud_driver *driver;
    pthread_mutex_t lock; /* of what follows; held while a token is made */
    struct secret token;  /* empty: none yet */
    int64_t expires_unix_s;
};

/* ---- what clouds say of their clusters ---- */

const char *cluster_endpoint_url(struct arena *a, const char *endpoint)
{
    if (!endpoint || !*endpoint)
        return NULL;
    return strstr(endpoint, "://") ? arena_strdup(a, endpoint)
                                   : arena_printf(a, "https://%s", endpoint);
}

const char *cluster_ca_pem(struct arena *a, const char *ca)
{
    static const char begin[] = "-----BEGIN CERTIFICATE-----";
    _cleanup_buf_ struct buf pem = BUF_INIT(CA_MOST);
    if (!ca || strstr(ca, begin))
        return arena_strdup(a, ca);
    if (base64_decode(&pem, slice_str(ca)) < 0 || !strstr(buf_cstr(&pem), begin))
        return NULL;
    return arena_buf(a, &pem);
}

/* ---- tokens ---- */

static int fail(struct cloud_error *err, enum cloud_error_class class_, const char *message)
{
    memset(err, 0, sizeof(*err));
    err->retry_after_ms = -1;
    err->class_ = class_;
    err->message = message;
    return -1;
}

static bool is_good(const struct cluster_access *x)
{
    int64_t now = x->clock->unix_s(x->clock->self);
    return x->token.len && x->expires_unix_s > now && x->expires_unix_s - now > RENEW_BEFORE_S;
}

/* What a file holds, without the white space around it. */
static int read_token(const char *path, struct secret *ret)
{
    char text[TOKEN_MOST + 2];
    FILE *f = fopen(path, "re");
    size_t n = f ? fread(text, 1, sizeof(text) - 1, f) : 0;
    int rc = -1;
    if (f)
        fclose(f);
    text[n] = '\0';
    while (n && strchr(" \t\r\n", text[n - 1]))
        n--;
    size_t first = strspn(text, " \t\r\n");
    if (first < n && n <= TOKEN_MOST)
        rc = secret_set(ret, slice_from(text + first, n - first));
    explicit_bzero(text, sizeof(text));
    return rc;
}

/* Under the lock. The user's own token; one that was refused is not given again, unless the file
 * has another one by now. */
static int take_own(struct cluster_access *x, struct arena *a, bool fresh, struct cloud_error *err)
{
    const struct cluster_place *at = &x->place;
    const char *text = at->token ? at->token : getenv("KUBE_TOKEN");
    x->expires_unix_s = x->clock->unix_s(x->clock->self) + RENEW_BEFORE_S + OWN_TOKEN_S;
    if (at->token_file && !at->token) {
        if (read_token(at->token_file, &x->token) == 0)
            return 0;
        return fail(
            err, CLOUD_ERROR_CREDENTIALS,
            arena_printf(a, "the file %s cannot be read, or holds no token", at->token_file));
    }
    if (fresh && text)
        return fail(err, CLOUD_ERROR_CREDENTIALS, "the cluster has refused the token");
    if (text && *text)
        return secret_set(&x->token, slice_str(text)) < 0
                   ? fail(err, CLOUD_ERROR_NO_MEMORY, "memory ran out")
                   : 0;
    /* As one that is out of reach: what the state has of it stays. */
    fail(err, CLOUD_ERROR_TRANSIENT,
         "there is no token for the cluster; a refresh and a destroy do not have `token_wo`: set "
         "`token_file`, or the variable KUBE_TOKEN");
    err->advised = true;
    return -1;
}

/* Under the lock. */
static int renew(struct cluster_access *x, const struct work *w, struct arena *a, bool fresh,
                 struct cloud_error *err)
{
    const struct cluster_place *at = &x->place;
    const char *text = NULL;
    int64_t expires = 0;
    if (at->own_token)
        return take_own(x, a, fresh, err);
    if (!at->driver->cluster_token)
        return fail(err, CLOUD_ERROR_UNSUPPORTED, "the cloud makes no tokens for clusters");
    if (at->driver->cluster_token(at->client, w, a, at->region, at->name, fresh, &text, &expires,
                                  err) < 0)
        return -1;
    x->expires_unix_s = expires;
    return secret_set(&x->token, slice_str(text)) < 0
               ? fail(err, CLOUD_ERROR_NO_MEMORY, "memory ran out")
               : 0;
}

static int give_token(void *self, const struct work *w, struct arena *a, bool fresh,
                      const char **ret, struct cloud_error *err)
{
    struct cluster_access *x = self;
    pthread_mutex_lock(&x->lock);
    int rc = !fresh && is_good(x) ? 0 : renew(x, w, a, fresh, err);
    *ret = rc == 0 ? arena_strndup(a, x->token.ptr, x->token.len) : NULL;
    pthread_mutex_unlock(&x->lock);
    return rc == 0 && !*ret ? fail(err, CLOUD_ERROR_NO_MEMORY, "memory ran out") : rc;
}

/* ---- making one ---- */

void cluster_access_free(struct cluster_access *x)
{
    if (!x)
        return;
    if (x->client)
        x->driver->free(x->client);
    secret_clean_up(&x->token);
    pthread_mutex_destroy(&x->lock);
    arena_free(x->arena);
    alloc_table.free(x);
}

static struct cluster_access *allocate(const struct provider *p, const struct cluster_place *place,
                                       struct diags *diags)
{
    struct arena *arena = arena_new();
    struct cluster_access *x = arena ? alloc_table.malloc(sizeof(*x)) : NULL;
    if (!x) {
        arena_free(arena);
        diags_error(diags, NULL, "Out of memory", "The cluster's client could not be made.");
        return NULL;
    }
    *x = (struct cluster_access){.arena = arena,
                                 .place = *place,
                                 .clock = p->clock,
                                 .driver = provider_cluster_driver(p),
                                 .token = SECRET_EMPTY};
    pthread_mutex_init(&x->lock, NULL);
    x->place.region = arena_strdup(arena, place->region);
    x->place.name = arena_strdup(arena, place->name);
    x->place.token = arena_strdup(arena, place->token);
    x->place.token_file = arena_strdup(arena, place->token_file);
    return x;
}

struct cluster_access *cluster_access_new(const struct provider *p,
                                          const struct cluster_place *place, struct diags *diags)
{
    struct cluster_access *x = allocate(p, place, diags);
    if (!x)
        return NULL;
    const struct cloud_cluster cluster = {
        .endpoint = cluster_endpoint_url(x->arena, place->endpoint),
        .ca_pem = cluster_ca_pem(x->arena, place->ca),
        .system_trust = place->own_token && !place->ca,
        .token = give_token,
        .token_self = x,
        .retry = {.max_attempts = ATTEMPTS_MOST},
    };
    if (arena_failed(x->arena))
        diags_error(diags, NULL, "Out of memory", "The cluster's client could not be made.");
    else
        x->client = provider_cluster_client(p, &cluster, diags);
    if (x->client)
        return x;
    cluster_access_free(x);
    return NULL;
}

struct engine_cloud cluster_access_cloud(const struct provider *p, const struct cluster_access *x)
{
    return (struct engine_cloud){provider_cluster_driver(p), x ? x->client : NULL};
}

/* Clients of clusters, and their tokens: made once, given to all, made anew before they end. */
#include "resources/clusters.h"

#include <pthread.h>
#include <string.h>

#include "base/alloc.h"
#include "base/secret.h"

enum { TOKEN_REST_S = 60 }; /* a token that ends within is not begun with */

struct cluster {
    struct cluster *next;
    struct arena *arena; /* of the texts */
    struct cluster_address at;
    struct cloud_client *client;
    const struct cloud_driver *driver; /* of `client` */
    pthread_mutex_t lock;              /* of what follows */
    struct secret token;
    int64_t token_ends_s;
};

static pthread_mutex_t list_lock = PTHREAD_MUTEX_INITIALIZER;

/* ---- tokens ---- */

static int new_token(struct cluster *c, const struct work *w, struct arena *a,
                     struct cloud_error *err)
{
    const char *text = NULL;
    int64_t ends = 0;
    if (c->at.driver->cluster_token(c->at.client, w, a, c->at.region, c->at.name, &text, &ends,
                                    err) < 0)
        return -1;
    if (secret_set(&c->token, slice_str(text)) < 0) {
        *err = (struct cloud_error){.class_ = CLOUD_ERROR_NO_MEMORY, .message = "memory ran out"};
        return -1;
    }
    c->token_ends_s = ends;
    return 0;
}

static int token(void *self, const struct work *w, struct arena *a, bool fresh, const char **ret,
                 struct cloud_error *err)
{
    struct cluster *c = self;
    int rc = 0;
    pthread_mutex_lock(&c->lock);
    bool ends = c->token_ends_s - TOKEN_REST_S < w->clock->unix_s(w->clock->self);
    if (fresh || !c->token.len || ends)
        rc = new_token(c, w, a, err);
    *ret = rc == 0 ? arena_strdup(a, c->token.ptr) : NULL;
    pthread_mutex_unlock(&c->lock);
    if (rc == 0 && !*ret)
        *err = (struct cloud_error){.class_ = CLOUD_ERROR_NO_MEMORY, .message = "memory ran out"};
    return *ret ? 0 : -1;
}

/* ---- the list ---- */

static void cluster_free(struct cluster *c)
{
    if (c->client)
        c->driver->free(c->client);
    secret_clean_up(&c->token);
    pthread_mutex_destroy(&c->lock);
    arena_free(c->arena);
    alloc_table.free(c);
}

static bool is_same(const struct cluster_address *x, const struct cluster_address *y)
{
    return x->client == y->client && strcmp(x->region, y->region) == 0 &&
           strcmp(x->name, y->name) == 0 && strcmp(x->endpoint, y->endpoint) == 0 &&
           strcmp(x->ca_pem, y->ca_pem) == 0;
}

static struct cluster *cluster_new(struct provider *p, const struct cluster_address *at,
                                   struct diags *diags)
{
    struct arena *arena = arena_new();
    struct cluster *c = arena ? alloc_table.malloc(sizeof(*c)) : NULL;
    if (!c) {
        arena_free(arena);
        diags_error(diags, NULL, "Out of memory", "The client of a cluster could not be made.");
        return NULL;
    }
    memset(c, 0, sizeof(*c));
    pthread_mutex_init(&c->lock, NULL);
    c->arena = arena;
    c->at = *at;
    c->at.region = arena_strdup(arena, at->region);
    c->at.name = arena_strdup(arena, at->name);
    c->at.endpoint = arena_strdup(arena, at->endpoint);
    c->at.ca_pem = arena_strdup(arena, at->ca_pem);
    c->driver = p->clusters->driver;
    const struct cluster_settings settings = {c->at.endpoint, c->at.ca_pem, token, c};
    c->client = arena_failed(arena)
                    ? NULL
                    : p->clusters->connect(&settings, p->transport, p->clock, p->user_agent, diags);
    if (c->client)
        return c;
    cluster_free(c);
    return NULL;
}

struct cloud_client *clusters_client(struct provider *p, const struct cluster_address *at,
                                     struct diags *diags)
{
    pthread_mutex_lock(&list_lock);
    struct cluster *c = p->cluster_list;
    while (c && !is_same(&c->at, at))
        c = c->next;
    if (!c && (c = cluster_new(p, at, diags))) {
        c->next = p->cluster_list;
        p->cluster_list = c;
    }
    pthread_mutex_unlock(&list_lock);
    return c ? c->client : NULL;
}

void clusters_clean_up(struct provider *p)
{
    while (p->cluster_list) {
        struct cluster *c = p->cluster_list;
        p->cluster_list = c->next;
        cluster_free(c);
    }
}

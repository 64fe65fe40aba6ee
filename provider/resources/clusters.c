/* The list of the clusters that were reached. */
#include "resources/clusters.h"

#include <pthread.h>
#include <string.h>

#include "base/alloc.h"

struct cluster {
    struct cluster *next;
    struct arena *arena;     /* of the texts */
    struct cluster_place at; /* as it was asked for */
    struct cluster_access *access;
};

static pthread_mutex_t list_lock = PTHREAD_MUTEX_INITIALIZER;

static void cluster_free(struct cluster *c)
{
    cluster_access_free(c->access);
    arena_free(c->arena);
    alloc_table.free(c);
}

/* The same text, or none. */
static bool is_same_text(const char *x, const char *y)
{
    return x && y ? strcmp(x, y) == 0 : x == y;
}

static bool is_same(const struct cluster_place *x, const struct cluster_place *y)
{
    return x->client == y->client && x->own_token == y->own_token &&
           is_same_text(x->region, y->region) && is_same_text(x->name, y->name) &&
           is_same_text(x->endpoint, y->endpoint) && is_same_text(x->ca, y->ca) &&
           is_same_text(x->token, y->token) && is_same_text(x->token_file, y->token_file);
}

static struct cluster *cluster_new(struct provider *p, const struct cluster_place *at,
                                   struct diags *diags)
{
    struct arena *arena = arena_new();
    struct cluster *c = arena ? alloc_table.malloc(sizeof(*c)) : NULL;
    if (!c) {
        arena_free(arena);
        diags_error(diags, NULL, "Out of memory", "The client of a cluster could not be made.");
        return NULL;
    }
    *c = (struct cluster){.arena = arena, .at = *at};
    c->at.region = arena_strdup(arena, at->region);
    c->at.name = arena_strdup(arena, at->name);
    c->at.endpoint = arena_strdup(arena, at->endpoint);
    c->at.ca = arena_strdup(arena, at->ca);
    c->at.token = arena_strdup(arena, at->token);
    c->at.token_file = arena_strdup(arena, at->token_file);
    if (arena_failed(arena))
        diags_error(diags, NULL, "Out of memory", "The client of a cluster could not be made.");
    else
        c->access = cluster_access_new(p, at, diags);
    if (c->access)
        return c;
    cluster_free(c);
    return NULL;
}

struct cloud_client *clusters_client(struct provider *p, const struct cluster_place *at,
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
    return c ? cluster_access_cloud(p, c->access).client : NULL;
}

void clusters_clean_up(struct provider *p)
{
    while (p->cluster_list) {
        struct cluster *c = p->cluster_list;
        p->cluster_list = c->next;
        cluster_free(c);
    }
}

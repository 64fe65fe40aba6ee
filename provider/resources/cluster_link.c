/* The way into a cluster: a cloud of its own for the engine, whose client finds out where the
 * cluster is when it is first needed, and passes calls on. */
#include "resources/cluster_link.h"

#include <pthread.h>
#include <string.h>

#include "resources/clusters.h"
#include "resources/platform_cluster.h"

/* A cluster that has just been made does not know its maker for a while. */
enum { NEW_CLUSTER_MS = 180000, NEW_CLUSTER_POLL_MS = 5000 };

struct cloud_client {
    const struct platform_cloud *cloud; /* that is asked for it; NULL: none, where it is is given */
    const struct cluster_advice *advice;
    struct provider *provider;
    struct cluster_place at;   /* endpoint NULL: not known yet */
    struct arena *arena;       /* the RPC's, of what `at` refers to; under the lock */
    pthread_mutex_t lock;      /* of at, real, looked_up */
    struct cloud_client *real; /* NULL: not connected yet */
    bool private;              /* the API has no public address; under the lock */
    bool looked_up;            /* the cloud was asked since the last failure */
    int64_t new_until_ms;      /* the cluster was made in this apply; 0: it was not */
    const struct clock *clock;
};

static int fail(struct cloud_error *err, enum cloud_error_class class_, const char *code,
                const char *message)
{
    *err = (struct cloud_error){.class_ = message ? class_ : CLOUD_ERROR_NO_MEMORY,
                                .service = "kubernetes",
                                .operation = "connect",
                                .code = code,
                                .message = message ? message : "memory ran out",
                                .retry_after_ms = -1};
    return -1;
}

/* ---- where the cluster is ---- */

/* Under the lock. Takes the attributes of the component "cluster"; false when they do not say it.
 */
static bool take_address(struct cloud_client *l, const struct value *attrs)
{
    const char *endpoint = NULL, *ca = NULL;
    if (!attrs || !l->cloud->address(l->arena, attrs, &endpoint, &ca))
        return false;
    bool same =
        l->at.endpoint && strcmp(l->at.endpoint, endpoint) == 0 && strcmp(l->at.ca, ca) == 0;
    const struct value *public = value_get(attrs, l->cloud->endpoint.public);
    l->private = value_is_known(public) && !value_true(public);
    l->at.endpoint = endpoint;
    l->at.ca = ca;
    if (!same)
        l->real = NULL;
    return true;
}

static int not_found(struct cloud_error *err)
{
    return fail(err, CLOUD_ERROR_NOT_FOUND, "NotFound",
                "the cluster is not there, or has no endpoint yet");
}

/* Under the lock. Asks the cloud, once: what is made later is told by
 * cluster_link_recorded(). */
static int look_up(struct cloud_client *l, const struct work *w, struct arena *a,
                   struct cloud_error *err)
{
    const struct value *attrs = NULL;
    if (!l->cloud || !l->at.name || !l->at.region)
        return not_found(err);
    if (l->cloud->look_up(l->at.driver, l->at.client, w, a, l->at.region, l->at.name, &attrs, err) <
        0)
        return -1;
    l->looked_up = true;
    if (attrs && take_address(l, attrs))
        return 0;
    l->at.endpoint = NULL;
    l->real = NULL;
    return not_found(err);
}

/* Under the lock. */
static int connect_now(struct cloud_client *l, struct arena *a, struct cloud_error *err)
{
    struct diags diags;
    diags_init(&diags, a);
    l->real = clusters_client(l->provider, &l->at, &diags);
    if (l->real)
        return 0;
    return fail(err, CLOUD_ERROR_INVALID, NULL, diags.first ? diags.first->detail : NULL);
}

/* The client to call with. 0 or -1. `anew`: what is known did not work. */
static int connected(struct cloud_client *l, const struct work *w, struct arena *a, bool anew,
                     struct cloud_client **ret, struct cloud_error *err)
{
    int rc = 0;
    pthread_mutex_lock(&l->lock);
    if (!l->looked_up && (!l->at.endpoint || anew))
        rc = look_up(l, w, a, err);
    else if (!l->at.endpoint)
        rc = not_found(err);
    if (rc == 0 && !l->real)
        rc = connect_now(l, a, err);
    *ret = l->real;
    pthread_mutex_unlock(&l->lock);
    return rc;
}

/* ---- calls ---- */

/* What cannot be reached from here says what to do. */
static void explain(struct cloud_client *l, struct arena *a, struct cloud_error *err)
{
    pthread_mutex_lock(&l->lock);
    bool private = l->private;
    pthread_mutex_unlock(&l->lock);
    const char *text = arena_printf(
        a, "the cluster's Kubernetes API cannot be reached from here (%s). %s%s", err->message,
        private ? "Its endpoint is private: run this inside its network (a runner there, or a VPN)"
                : "Run this inside its network",
        l->advice ? private ? l->advice->of_private : l->advice->of_public : "");
    if (!text)
        return;
    err->message = text;
    err->advised = true;
}

/* While a new cluster does not know its maker yet: waits, and says whether to try once more. */
static bool await_access(struct cloud_client *l, const struct work *w,
                         const struct cloud_error *err)
{
    pthread_mutex_lock(&l->lock);
    int64_t until = l->new_until_ms;
    pthread_mutex_unlock(&l->lock);
    bool refused = err->http_status == 401 || err->http_status == 403;
    return refused && w->clock->monotonic_ms(w->clock->self) < until && work_left_ms(w) > 0 &&
           w->clock->sleep_ms(w->clock->self, NEW_CLUSTER_POLL_MS, w->cancel) == 0;
}

static int call(struct cloud_client *l, const struct work *w, struct arena *a, const char *region,
                const struct cloud_operation *op, const struct value *request,
                const struct value **ret, struct cloud_error *err)
{
    const struct cloud_driver *inner = provider_cluster_driver(l->provider);
    struct cloud_client *real = NULL;
    if (connected(l, w, a, false, &real, err) < 0)
        return -1;
    int rc = inner->call(real, w, a, region, op, request, ret, err);
    while (rc < 0 && await_access(l, w, err))
        rc = inner->call(real, w, a, region, op, request, ret, err);
    if (rc == 0 || err->advised || (!cloud_error_is_unanswered(err) && err->http_status != 401))
        return rc;
    /* It may have moved, or be gone with all that was in it: what answers at its address then does
     * not know us. */
    struct cloud_client *before = real;
    struct cloud_error other;
    int found = l->cloud ? connected(l, w, a, true, &real, &other) : 0;
    if (found < 0 && other.class_ == CLOUD_ERROR_NOT_FOUND)
        *err = other;
    else if (found == 0 && real != before)
        rc = inner->call(real, w, a, region, op, request, ret, err);
    if (rc < 0 && cloud_error_is_unanswered(err))
        explain(l, a, err);
    return rc;
}

static void nothing_to_free(struct cloud_client *l)
{
    (void)l;
}

static const struct value *no_tags(struct cloud_client *l, struct arena *a)
{
    (void)l;
    return value_object(a, NULL, 0);
}

static bool ignores_no_tag(struct cloud_client *l, struct slice key)
{
    (void)l;
    (void)key;
    return false;
}

/* ---- making one ---- */

int cluster_link_new(const struct composite_context *c, const struct cluster_link *to,
                     struct engine_cloud *ret)
{
    struct cloud_client *l = arena_alloc(c->arena, sizeof(*l));
    struct cloud_driver *driver = arena_alloc(c->arena, sizeof(*driver));
    struct arena *own = arena_new_child(c->arena);
    if (!l || !driver || !own)
        return diags_error(c->diags, NULL, "Out of memory", "The cluster cannot be reached.");
    memset(l, 0, sizeof(*l));
    pthread_mutex_init(&l->lock, NULL);
    l->cloud = to->fixed ? NULL : platform_cloud(c->cloud);
    l->advice = to->advice;
    l->provider = c->request->provider;
    l->arena = own;
    l->clock = c->work->clock;
    l->at = (struct cluster_place){.driver = c->driver,
                                   .client = c->client,
                                   .region = c->region,
                                   .name = to->name,
                                   .endpoint = to->endpoint,
                                   .ca = to->ca,
                                   .own_token = to->fixed,
                                   .token = to->token,
                                   .token_file = to->token_file};
    if (l->cloud)
        take_address(l, to->attrs);
    /* What objects are called, and how they are owned, is the inner driver's. */
    *driver = *provider_cluster_driver(l->provider);
    driver->free = nothing_to_free;
    driver->default_tags = no_tags;
    driver->ignores_tag = ignores_no_tag;
    driver->call = call;
    *ret = (struct engine_cloud){.driver = driver, .client = l};
    return 0;
}

void cluster_link_recorded(void *self, const struct record *r)
{
    struct cloud_client *l = self;
    if (strcmp(r->name, "cluster") != 0)
        return;
    pthread_mutex_lock(&l->lock);
    bool was = l->at.endpoint;
    if (take_address(l, r->attrs) && !was)
        l->new_until_ms = l->clock->monotonic_ms(l->clock->self) + NEW_CLUSTER_MS;
    pthread_mutex_unlock(&l->lock);
}

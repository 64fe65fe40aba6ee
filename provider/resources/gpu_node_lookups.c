/* What a plan asks of a cloud about a node, side by side: all of it is asked for at once as soon as
 * it is clear that it will be needed, and each answer is kept for the rest of the operation. */
#include "resources/gpu_node.h"

#include <string.h>

static struct gpu_node_lookups *lookups_of(const struct composite_context *c)
{
    if (!*c->looked_up)
        *c->looked_up = arena_new_object(c->arena, struct gpu_node_lookups);
    return *c->looked_up;
}

/* What has the kind, the call and the subject of `like`; it is added when there is none. NULL:
 * there is no room. */
static struct gpu_node_lookup *lookup_add(struct gpu_node_lookups *l,
                                          const struct gpu_node_lookup *like)
{
    for (size_t i = 0; l && i < l->count; i++) {
        struct gpu_node_lookup *k = &l->items[i];
        if (k->kind == like->kind && k->op == like->op &&
            (!like->subject || value_equal(k->subject, like->subject)))
            return k;
    }
    if (!l || l->count == GPU_NODE_LOOKUPS_MOST)
        return NULL;
    l->items[l->count] = *like;
    return &l->items[l->count++];
}

void gpu_node_want(const struct composite_context *c, enum gpu_node_lookup_kind kind,
                   const struct value *subject)
{
    const struct gpu_node_lookup like = {.kind = kind, .subject = subject};
    lookup_add(lookups_of(c), &like);
}

void gpu_node_want_call(const struct composite_context *c, const struct cloud_operation *op,
                        const struct value *request)
{
    const struct gpu_node_lookup like = {
        .kind = GPU_NODE_LOOKUP_CALL, .op = op, .subject = request};
    if (request)
        lookup_add(lookups_of(c), &like);
}

void gpu_node_want_offers(const struct composite_context *c,
                          const struct gpu_node_machines *machines)
{
    const struct gpu_node_lookup like = {.kind = GPU_NODE_LOOKUP_OFFERS};
    struct gpu_node_lookup *k = lookup_add(lookups_of(c), &like);
    struct gpu_node_machines *copy = arena_new_object(c->arena, struct gpu_node_machines);
    if (!k || k->machines || !copy)
        return;
    *copy = *machines;
    k->machines = copy;
}

struct asking {
    const struct composite_context *c;
    struct gpu_node_lookup *wanted[GPU_NODE_LOOKUPS_MOST];
    struct arena *arenas[GPU_NODE_LOOKUPS_MOST]; /* one a thread */
};

static int ask_one(const struct composite_context *c, struct gpu_node_lookup *k)
{
    const struct gpu_node_cloud *cloud = gpu_node_cloud(c->cloud);
    if (k->op)
        return composite_call(c, c->arena, k->op, k->subject, &k->answer, &k->error);
    if (!cloud)
        return -1;
    if (k->kind != GPU_NODE_LOOKUP_OFFERS)
        return cloud->ask(c, k);
    return k->machines ? cloud->offers(c, k->machines, &k->offers, &k->offer_count, &k->error) : -1;
}

static int ask_job(void *self, size_t index)
{
    struct asking *all = self;
    struct gpu_node_lookup *k = all->wanted[index];
    struct composite_context mine = *all->c;
    mine.arena = all->arenas[index];
    memset(&k->error, 0, sizeof(k->error));
    k->rc = ask_one(&mine, k);
    if (k->rc < 0 && k->error.class_ == CLOUD_ERROR_NONE) {
        k->error.class_ = CLOUD_ERROR_NO_MEMORY;
        k->error.message = "memory ran out";
    }
    k->done = true;
    return 0;
}

void gpu_node_ask(const struct composite_context *c)
{
    struct gpu_node_lookups *l = lookups_of(c);
    struct asking all = {.c = c};
    size_t count = 0;
    for (size_t i = 0; l && i < l->count; i++) {
        struct arena *a = l->items[i].done ? NULL : arena_new_child(c->arena);
        if (!a)
            continue;
        all.arenas[count] = a;
        all.wanted[count++] = &l->items[i];
    }
    engine_parallel(count, ask_job, &all, c->work ? c->work->cancel : NULL);
}

static int answer(const struct composite_context *c, const struct gpu_node_lookup *like,
                  const struct gpu_node_lookup **ret)
{
    static const struct gpu_node_lookup none = {
        .rc = -1, .error = {.class_ = CLOUD_ERROR_NO_MEMORY, .message = "memory ran out"}};
    struct gpu_node_lookup *k = lookup_add(lookups_of(c), like);
    if (k && !k->done)
        gpu_node_ask(c);
    *ret = k && k->done ? k : &none;
    return (*ret)->rc;
}

int gpu_node_answer(const struct composite_context *c, enum gpu_node_lookup_kind kind,
                    const struct value *subject, const struct gpu_node_lookup **ret)
{
    const struct gpu_node_lookup like = {.kind = kind, .subject = subject};
    return answer(c, &like, ret);
}

int gpu_node_answer_call(const struct composite_context *c, const struct cloud_operation *op,
                         const struct value *request, const struct gpu_node_lookup **ret)
{
    const struct gpu_node_lookup like = {
        .kind = GPU_NODE_LOOKUP_CALL, .op = op, .subject = request};
    return answer(c, &like, ret);
}

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

static struct gpu_node_lookup *
lookup_find(struct gpu_node_lookups *l, enum gpu_node_lookup_kind kind, const struct value *subject)
{
    for (size_t i = 0; i < l->count; i++)
        if (l->items[i].kind == kind && (!subject || value_equal(l->items[i].subject, subject)))
            return &l->items[i];
    return NULL;
}

static struct gpu_node_lookup *
lookup_add(struct gpu_node_lookups *l, enum gpu_node_lookup_kind kind, const struct value *subject)
{
    struct gpu_node_lookup *k = l ? lookup_find(l, kind, subject) : NULL;
    if (k || !l || l->count == GPU_NODE_LOOKUPS_MOST)
        return k;
    k = &l->items[l->count++];
    *k = (struct gpu_node_lookup){.kind = kind, .subject = subject};
    return k;
}

void gpu_node_want(const struct composite_context *c, enum gpu_node_lookup_kind kind,
                   const struct value *subject)
{
    lookup_add(lookups_of(c), kind, subject);
}

void gpu_node_want_offers(const struct composite_context *c,
                          const struct gpu_node_machines *machines)
{
    struct gpu_node_lookup *k = lookup_add(lookups_of(c), GPU_NODE_LOOKUP_OFFERS, NULL);
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

int gpu_node_answer(const struct composite_context *c, enum gpu_node_lookup_kind kind,
                    const struct value *subject, const struct gpu_node_lookup **ret)
{
    static const struct gpu_node_lookup none = {
        .rc = -1, .error = {.class_ = CLOUD_ERROR_NO_MEMORY, .message = "memory ran out"}};
    struct gpu_node_lookup *k = lookup_add(lookups_of(c), kind, subject);
    if (k && !k->done)
        gpu_node_ask(c);
    *ret = k && k->done ? k : &none;
    return (*ret)->rc;
}

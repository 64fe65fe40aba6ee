/* What a plan asks of AWS about a node, side by side: all of it is asked for at once as soon as it
 * is clear that it will be needed, and each answer is kept for the rest of the operation. */
#include "resources/gpu_node_aws.h"

#include <string.h>

#include "cloud/template.h"

enum { PAGES_MOST = 64 };

static const struct cloud_operation get_quota = {
    .service = "servicequotas", .name = "GetServiceQuota", .idempotent = true};
static const struct cloud_operation get_role = {
    .service = "iam", .name = "GetRole", .idempotent = true};

struct gpu_node_lookups *gpu_node_aws_lookups(const struct composite_context *c)
{
    if (!*c->looked_up)
        *c->looked_up = arena_new_object(c->arena, struct gpu_node_lookups);
    return *c->looked_up;
}

static struct gpu_node_lookup *
lookup_add(struct gpu_node_lookups *l, enum gpu_node_lookup_kind kind, const struct value *subject)
{
    struct gpu_node_lookup *k = l ? gpu_node_aws_lookup(l, kind, subject) : NULL;
    if (k || !l || l->count == GPU_NODE_LOOKUPS_MOST)
        return k;
    k = &l->items[l->count++];
    *k = (struct gpu_node_lookup){.kind = kind, .subject = subject};
    return k;
}

struct gpu_node_lookup *gpu_node_aws_lookup(struct gpu_node_lookups *l,
                                            enum gpu_node_lookup_kind kind,
                                            const struct value *subject)
{
    for (size_t i = 0; i < l->count; i++)
        if (l->items[i].kind == kind && (!subject || value_equal(l->items[i].subject, subject)))
            return &l->items[i];
    return NULL;
}

void gpu_node_aws_want(const struct composite_context *c, enum gpu_node_lookup_kind kind,
                       const struct value *subject)
{
    lookup_add(gpu_node_aws_lookups(c), kind, subject);
}

static void want_quota(const struct composite_context *c, const char *code)
{
    gpu_node_aws_want(c, GPU_NODE_LOOKUP_QUOTA, value_str(c->arena, code));
}

void gpu_node_aws_want_offers(const struct composite_context *c,
                              const struct gpu_node_machines *machines)
{
    struct gpu_node_lookup *k = lookup_add(gpu_node_aws_lookups(c), GPU_NODE_LOOKUP_OFFERS, NULL);
    struct gpu_node_machines *copy = arena_new_object(c->arena, struct gpu_node_machines);
    if (!k || k->machines || !copy)
        return;
    *copy = *machines;
    k->machines = copy;
}

void gpu_node_aws_want_checks(const struct composite_context *c,
                              const struct gpu_node_machines *machines)
{
    const char *how = value_cstr(value_path(c->config, "machine.provisioning"), "on_demand");
    bool spot = strncmp(how, "spot", 4) == 0, on_demand = strcmp(how, "spot") != 0;
    bool runs = gpu_node_is(c->config, "power", "running");
    if (value_is_known(value_get(c->config, "name")))
        gpu_node_aws_want(c, GPU_NODE_LOOKUP_NODE, NULL);
    if (!runs || !machines->known || !machines->count)
        return;
    gpu_node_aws_want_offers(c, machines);
    gpu_node_aws_want(c, GPU_NODE_LOOKUP_USAGE, NULL);
    /* Of machines that the catalogue chose the first is nearly always the one. */
    for (size_t i = 0; i < (machines->chosen ? machines->count : 1); i++) {
        if (spot)
            want_quota(c, machines->items[i]->quota->spot);
        if (on_demand)
            want_quota(c, machines->items[i]->quota->on_demand);
    }
}

/* ---- asking ---- */

/* Running instances of all kinds: they count against the quotas. */
static int ask_usage(const struct composite_context *c, struct gpu_node_lookup *k)
{
    struct arena *a = c->arena;
    const struct value *states[] = {value_str(a, "pending"), value_str(a, "running")};
    const struct value *token = NULL, *answer = NULL, *all = value_tuple(a, NULL, 0);
    for (int page = 0; page < PAGES_MOST; page++) {
        const struct value_member m[] = {
            {SLICE_LIT("Filter"), gpu_node_aws_filter(a, "instance-state-name", states, 2)},
            {SLICE_LIT("NextToken"), token}};
        const struct value *request = value_object(a, m, token ? 2 : 1);
        if (gpu_node_call(c, a, &gpu_node_aws_describe_instances, request, &answer, &k->error) < 0)
            return -1;
        const struct value *more = template_select(a, answer, "reservationSet.*.instancesSet.*");
        size_t count = value_count(all), added = value_count(more);
        const struct value **items = arena_calloc(a, count + added + 1, sizeof(struct value *));
        for (size_t i = 0; items && i < count + added; i++)
            items[i] = i < count ? value_at(all, i) : value_at(more, i - count);
        all = items ? value_tuple(a, items, count + added) : NULL;
        token = value_get(answer, "nextToken");
        if (!all || !value_slice(token).len)
            break;
    }
    k->answer = all;
    return all ? 0 : -1;
}

static int ask_one(const struct composite_context *c, struct gpu_node_lookup *k)
{
    struct arena *a = c->arena;
    const struct value_member image[] = {{SLICE_LIT("ImageId"), value_tuple(a, &k->subject, 1)}};
    const struct value_member role[] = {{SLICE_LIT("RoleName"), k->subject}};
    const struct value_member quota[] = {{SLICE_LIT("ServiceCode"), value_str(a, "ec2")},
                                         {SLICE_LIT("QuotaCode"), k->subject}};
    switch (k->kind) {
    case GPU_NODE_LOOKUP_OFFERS:
        return !k->machines
                   ? -1
                   : gpu_node_aws_offers(c, k->machines, &k->offers, &k->offer_count, &k->error);
    case GPU_NODE_LOOKUP_IMAGE:
        return gpu_node_call(c, a, &gpu_node_aws_describe_images, value_object(a, image, 1),
                             &k->answer, &k->error);
    case GPU_NODE_LOOKUP_NODE:
        return gpu_node_aws_find_instances(c, &k->answer, &k->error);
    case GPU_NODE_LOOKUP_ROLE:
        return gpu_node_call(c, a, &get_role, value_object(a, role, 1), &k->answer, &k->error);
    case GPU_NODE_LOOKUP_USAGE:
        return ask_usage(c, k);
    case GPU_NODE_LOOKUP_QUOTA:
        return gpu_node_call(c, a, &get_quota, value_object(a, quota, 2), &k->answer, &k->error);
    }
    return -1;
}

struct asking {
    const struct composite_context *c;
    struct gpu_node_lookup *wanted[GPU_NODE_LOOKUPS_MOST];
    struct arena *arenas[GPU_NODE_LOOKUPS_MOST]; /* one a thread */
};

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

void gpu_node_aws_ask(const struct composite_context *c)
{
    struct gpu_node_lookups *l = gpu_node_aws_lookups(c);
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

int gpu_node_aws_answer(const struct composite_context *c, enum gpu_node_lookup_kind kind,
                        const struct value *subject, const struct gpu_node_lookup **ret)
{
    static const struct gpu_node_lookup none = {
        .rc = -1, .error = {.class_ = CLOUD_ERROR_NO_MEMORY, .message = "memory ran out"}};
    struct gpu_node_lookup *k = lookup_add(gpu_node_aws_lookups(c), kind, subject);
    if (k && !k->done)
        gpu_node_aws_ask(c);
    *ret = k && k->done ? k : &none;
    return (*ret)->rc;
}

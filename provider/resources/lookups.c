/* Questions that the hooks of a resource ask of a cloud in one operation. */
#include "resources/lookups.h"

#include <string.h>

enum { LOOKUPS_MOST = 48 };

struct lookup {
    const struct cloud_operation *op;
    const struct value *request;
    struct arena *arena; /* of its thread */
    bool done;
    int rc;
    const struct value *answer;
    struct cloud_error error;
};

struct lookups {
    struct lookup items[LOOKUPS_MOST];
    size_t count;
};

static struct lookup *lookup_note(const struct composite_context *c,
                                  const struct cloud_operation *op, const struct value *request)
{
    if (!*c->looked_up)
        *c->looked_up = arena_new_object(c->arena, struct lookups);
    struct lookups *all = *c->looked_up;
    for (size_t i = 0; all && request && i < all->count; i++)
        if (all->items[i].op == op && value_equal(all->items[i].request, request))
            return &all->items[i];
    if (!all || !request || all->count == LOOKUPS_MOST)
        return NULL;
    struct lookup *k = &all->items[all->count++];
    *k = (struct lookup){.op = op, .request = request};
    return k;
}

void lookup_want(const struct composite_context *c, const struct cloud_operation *op,
                 const struct value *request)
{
    lookup_note(c, op, request);
}

struct asking {
    const struct composite_context *c;
    struct lookup *wanted[LOOKUPS_MOST];
};

static int ask_job(void *self, size_t index)
{
    const struct asking *all = self;
    struct lookup *k = all->wanted[index];
    k->rc = composite_call(all->c, k->arena, k->op, k->request, &k->answer, &k->error);
    k->done = true;
    return 0;
}

void lookup_ask(const struct composite_context *c)
{
    struct lookups *l = *c->looked_up;
    struct asking all = {.c = c};
    size_t count = 0;
    for (size_t i = 0; l && i < l->count; i++)
        if (!l->items[i].done && (l->items[i].arena = arena_new_child(c->arena)))
            all.wanted[count++] = &l->items[i];
    engine_parallel(count, ask_job, &all, c->work ? c->work->cancel : NULL);
}

int lookup_answer(const struct composite_context *c, const struct cloud_operation *op,
                  const struct value *request, const struct value **ret,
                  struct cloud_error *ret_err)
{
    struct lookup *k = lookup_note(c, op, request);
    if (k && !k->done)
        lookup_ask(c);
    *ret = k && k->done && k->rc == 0 ? k->answer : NULL;
    *ret_err = k && k->done ? k->error : (struct cloud_error){.class_ = CLOUD_ERROR_NO_MEMORY};
    if (*ret)
        return 0;
    if (!ret_err->message)
        ret_err->message =
            cancel_is_set(c->work ? c->work->cancel : NULL) ? "it was cancelled" : "memory ran out";
    return -1;
}

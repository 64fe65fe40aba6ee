/* ApplyResourceChange. Whatever happens, the answer's state names what exists: a null state would
 * make the core forget it. */
#include "plugin/handlers.h"

#include <time.h>

enum { PATIENCE = 100, PATIENCE_NS = 100000000 };

static int read_args(struct rpc *rpc, const Tfplugin6__ApplyResourceChange__Request *rq,
                     const struct resource_type *t, struct resource_apply_args *args)
{
    const struct type *type = t->schema->type;
    args->planned_private = rpc_slice(rq->planned_private);
    return rpc_value(rpc, rq->config, type, &args->config) < 0 ||
                   rpc_value(rpc, rq->prior_state, type, &args->prior) < 0 ||
                   rpc_value(rpc, rq->planned_state, type, &args->planned) < 0 ||
                   rpc_identity_value(rpc, rq->planned_identity, t->identity,
                                      &args->planned_identity) < 0
               ? -1
               : 0;
}

static void wait_for_memory(void)
{
    static const struct timespec pause = {.tv_nsec = PATIENCE_NS};
    nanosleep(&pause, NULL);
}

/* The state and the diagnostics that go back. What was made must not be lost: memory that is out is
 * waited for, for ten seconds each. 0, or -1 when it stays out. */
static int fill(struct rpc *rpc, const struct resource_type *t,
                const struct resource_apply_args *args, const struct resource_apply_result *result,
                Tfplugin6__ApplyResourceChange__Response *rs)
{
    Tfplugin6__DynamicValue *state = NULL;
    for (int i = 0; i < PATIENCE && result->state && !state; i++)
        if (!(state = rpc_dynamic_quietly(rpc, result->state, t->schema->type)))
            wait_for_memory();
    if (result->state && !state)
        state = rpc_dynamic(rpc, result->state, t->schema->type);
    if (state) {
        rs->new_state = state;
        rs->private_ = rpc_bytes(result->private);
        rs->new_identity = rpc_identity(rpc, result->identity, t->identity);
    }
    for (int i = 0; i < PATIENCE; i++) {
        if (rpc_hide_secrets(rpc, t->schema, args->config) == 0 && rpc_finish(rpc, rs) == 0)
            return 0;
        wait_for_memory();
    }
    return -1;
}

RPC_HANDLER(rpc_apply_resource_change)
{
    const Tfplugin6__ApplyResourceChange__Request *rq = (const void *)request;
    Tfplugin6__ApplyResourceChange__Response *rs = (void *)response;
    const struct resource_type *t = registry_resource(slice_str(rq->type_name));
    struct resource_apply_args args = {.config = NULL};
    struct resource_apply_result result = {NULL, SLICE_EMPTY, NULL};
    rs->new_state = rq->prior_state;
    rs->private_ = rq->planned_private;
    if (!t) {
        rpc_unknown_type(rpc, "resource", rq->type_name);
    } else if (read_args(rpc, rq, t, &args) == 0) {
        t->apply(t, &rpc->request, &args, &result);
        return fill(rpc, t, &args, &result, rs);
    }
    return rpc_finish(rpc, rs);
}

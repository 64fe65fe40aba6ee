/* ApplyResourceChange. Whatever happens, the answer's state names what exists: a null state would
 * make the core forget it. */
#include "plugin/handlers.h"

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
        Tfplugin6__DynamicValue *state = rpc_dynamic(rpc, result.state, t->schema->type);
        if (state) {
            rs->new_state = state;
            rs->private_ = rpc_bytes(result.private);
            rs->new_identity = rpc_identity(rpc, result.identity, t->identity);
        }
        if (rpc_hide_secrets(rpc, t->schema, args.config) < 0)
            return -1;
    }
    return rpc_finish(rpc, rs);
}

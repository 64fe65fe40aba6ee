/* ReadResource. */
#include "plugin/handlers.h"

RPC_HANDLER(rpc_read_resource)
{
    const Tfplugin6__ReadResource__Request *rq = (const void *)request;
    Tfplugin6__ReadResource__Response *rs = (void *)response;
    const struct resource_type *t = registry_resource(slice_str(rq->type_name));
    struct resource_read_args args = {.private = rpc_slice(rq->private_)};
    struct resource_apply_result result = {NULL, SLICE_EMPTY, NULL};
    if (!t) {
        rpc_unknown_type(rpc, "resource", rq->type_name);
        return rpc_finish(rpc, rs);
    }
    if (rpc_value(rpc, rq->current_state, t->schema->type, &args.state) == 0 &&
        rpc_identity_value(rpc, rq->current_identity, t->identity, &args.identity) == 0 &&
        !value_is_null(args.state) && t->read(t, &rpc->request, &args, &result) == 0) {
        rs->new_state = rpc_dynamic(rpc, result.state, t->schema->type);
        rs->private_ = rpc_bytes(result.private);
        rs->new_identity = rpc_identity(rpc, result.identity, t->identity);
    } else {
        /* What could not be read stays as it was. */
        rs->new_state = rq->current_state;
        rs->private_ = rq->private_;
        rs->new_identity = rq->current_identity;
    }
    return rpc_finish(rpc, rs);
}

/* OpenEphemeralResource, RenewEphemeralResource, CloseEphemeralResource. */
#include "plugin/handlers.h"

static Tfplugin6__Timestamp *timestamp(struct rpc *rpc, int64_t unix_s)
{
    Tfplugin6__Timestamp *t =
        unix_s > 0 ? arena_new_object(rpc->arena, Tfplugin6__Timestamp) : NULL;
    if (t) {
        tfplugin6__timestamp__init(t);
        t->seconds = unix_s;
    }
    return t;
}

RPC_HANDLER(rpc_open_ephemeral_resource)
{
    const Tfplugin6__OpenEphemeralResource__Request *rq = (const void *)request;
    Tfplugin6__OpenEphemeralResource__Response *rs = (void *)response;
    const struct ephemeral_type *e = registry_ephemeral(slice_str(rq->type_name));
    const struct value *config = NULL, *result = NULL;
    struct slice private = SLICE_EMPTY;
    int64_t renew_at = 0;
    if (!e) {
        rpc_unknown_type(rpc, "ephemeral resource", rq->type_name);
    } else if (rpc_value(rpc, rq->config, e->schema->type, &config) == 0 &&
               e->open(e, &rpc->request, config, &result, &private, &renew_at) == 0) {
        rs->result = rpc_dynamic(rpc, result, e->schema->type);
        rs->renew_at = timestamp(rpc, renew_at);
        rs->has_private_case = TFPLUGIN6__OPEN_EPHEMERAL_RESOURCE__RESPONSE__HAS_PRIVATE_PRIVATE;
        rs->private_ = rpc_bytes(private);
    }
    return rpc_finish(rpc, rs);
}

RPC_HANDLER(rpc_renew_ephemeral_resource)
{
    const Tfplugin6__RenewEphemeralResource__Request *rq = (const void *)request;
    Tfplugin6__RenewEphemeralResource__Response *rs = (void *)response;
    const struct ephemeral_type *e = registry_ephemeral(slice_str(rq->type_name));
    bool given =
        rq->has_private_case == TFPLUGIN6__RENEW_EPHEMERAL_RESOURCE__REQUEST__HAS_PRIVATE_PRIVATE;
    struct slice private = SLICE_EMPTY;
    int64_t renew_at = 0;
    if (!e) {
        rpc_unknown_type(rpc, "ephemeral resource", rq->type_name);
    } else if (e->renew(e, &rpc->request, given ? rpc_slice(rq->private_) : SLICE_EMPTY, &private,
                        &renew_at) == 0) {
        rs->renew_at = timestamp(rpc, renew_at);
        rs->has_private_case = TFPLUGIN6__RENEW_EPHEMERAL_RESOURCE__RESPONSE__HAS_PRIVATE_PRIVATE;
        rs->private_ = rpc_bytes(private);
    }
    return rpc_finish(rpc, rs);
}

RPC_HANDLER(rpc_close_ephemeral_resource)
{
    const Tfplugin6__CloseEphemeralResource__Request *rq = (const void *)request;
    Tfplugin6__CloseEphemeralResource__Response *rs = (void *)response;
    const struct ephemeral_type *e = registry_ephemeral(slice_str(rq->type_name));
    bool given =
        rq->has_private_case == TFPLUGIN6__CLOSE_EPHEMERAL_RESOURCE__REQUEST__HAS_PRIVATE_PRIVATE;
    if (!e)
        rpc_unknown_type(rpc, "ephemeral resource", rq->type_name);
    else
        e->close(e, &rpc->request, given ? rpc_slice(rq->private_) : SLICE_EMPTY);
    return rpc_finish(rpc, rs);
}

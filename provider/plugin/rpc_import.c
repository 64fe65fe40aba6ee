/* ImportResourceState, MoveResourceState. */
#include "plugin/handlers.h"

static int import(struct rpc *rpc, const Tfplugin6__ImportResourceState__Request *rq,
                  const struct resource_type *t, Tfplugin6__ImportResourceState__Response *rs)
{
    struct resource_import_args args = {.id = slice_str(rq->id)};
    struct resource_apply_result result = {NULL, SLICE_EMPTY, NULL};
    if (rpc_identity_value(rpc, rq->identity, t->identity, &args.identity) < 0 ||
        t->import(t, &rpc->request, &args, &result) < 0)
        return 0; /* the diagnostics say why */
    Tfplugin6__ImportResourceState__ImportedResource *one =
        arena_new_object(rpc->arena, Tfplugin6__ImportResourceState__ImportedResource);
    rs->imported_resources = arena_calloc(rpc->arena, 1, sizeof(one));
    if (!one || !rs->imported_resources)
        return -1;
    tfplugin6__import_resource_state__imported_resource__init(one);
    one->type_name = rq->type_name;
    one->state = rpc_dynamic(rpc, result.state, t->schema->type);
    one->private_ = rpc_bytes(result.private);
    one->identity = rpc_identity(rpc, result.identity, t->identity);
    rs->imported_resources[0] = one;
    rs->n_imported_resources = one->state ? 1 : 0;
    return 0;
}

RPC_HANDLER(rpc_import_resource_state)
{
    const Tfplugin6__ImportResourceState__Request *rq = (const void *)request;
    Tfplugin6__ImportResourceState__Response *rs = (void *)response;
    const struct resource_type *t = registry_resource(slice_str(rq->type_name));
    if (!t)
        rpc_unknown_type(rpc, "resource", rq->type_name);
    else if (import(rpc, rq, t, rs) < 0)
        return -1;
    return rpc_finish(rpc, rs);
}

RPC_HANDLER(rpc_move_resource_state)
{
    const Tfplugin6__MoveResourceState__Request *rq = (const void *)request;
    Tfplugin6__MoveResourceState__Response *rs = (void *)response;
    diags_error(
        &rpc->diags, NULL, "This move is not possible",
        "%s of %s cannot become %s: no resource of this provider takes over another type's state. "
        "Import the object instead.",
        rq->source_type_name, rq->source_provider_address, rq->target_type_name);
    return rpc_finish(rpc, rs);
}

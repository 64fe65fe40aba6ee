/* UpgradeResourceState, UpgradeResourceIdentity: a state as it is stored becomes one of this
 * version. */
#include "plugin/handlers.h"
#include "value/codec.h"

static int upgrade(struct rpc *rpc, const Tfplugin6__UpgradeResourceState__Request *rq,
                   const struct resource_type *t, const struct value **ret)
{
    if (!rq->raw_state || (!rq->raw_state->json.len && rq->raw_state->n_flatmap))
        return diags_error(
            &rpc->diags, NULL, "The state cannot be read",
            "It has the form of Terraform 0.11, which no version of this provider wrote.");
    return t->upgrade(t, &rpc->request, rq->version, rpc_slice(rq->raw_state->json), ret);
}

RPC_HANDLER(rpc_upgrade_resource_state)
{
    const Tfplugin6__UpgradeResourceState__Request *rq = (const void *)request;
    Tfplugin6__UpgradeResourceState__Response *rs = (void *)response;
    const struct resource_type *t = registry_resource(slice_str(rq->type_name));
    const struct value *state = NULL;
    if (!t)
        rpc_unknown_type(rpc, "resource", rq->type_name);
    else if (upgrade(rpc, rq, t, &state) == 0)
        rs->upgraded_state = rpc_dynamic(rpc, state, t->schema->type);
    return rpc_finish(rpc, rs);
}

RPC_HANDLER(rpc_upgrade_resource_identity)
{
    const Tfplugin6__UpgradeResourceIdentity__Request *rq = (const void *)request;
    Tfplugin6__UpgradeResourceIdentity__Response *rs = (void *)response;
    const struct resource_type *t = registry_resource(slice_str(rq->type_name));
    const struct value *v = NULL;
    if (!t || !t->identity)
        rpc_unknown_type(rpc, "resource with an identity", rq->type_name);
    else if (rq->version > t->identity->version || !rq->raw_identity)
        diags_error(&rpc->diags, NULL, "The identity cannot be read",
                    "It was written by a later version of the provider. Use that one.");
    else if (value_json_decode(rpc->arena, rpc_slice(rq->raw_identity->json), t->identity->type,
                               true, &v, &rpc->diags) == 0)
        rs->upgraded_identity = rpc_identity(rpc, v, t->identity);
    return rpc_finish(rpc, rs);
}

/* ValidateResourceConfig, ValidateDataResourceConfig, ValidateEphemeralResourceConfig. */
#include "plugin/handlers.h"

RPC_HANDLER(rpc_validate_resource_config)
{
    const Tfplugin6__ValidateResourceConfig__Request *rq = (const void *)request;
    Tfplugin6__ValidateResourceConfig__Response *rs = (void *)response;
    const struct resource_type *t = registry_resource(slice_str(rq->type_name));
    const struct value *config = NULL;
    if (!t)
        rpc_unknown_type(rpc, "resource", rq->type_name);
    else if (rpc_value(rpc, rq->config, t->schema->type, &config) == 0)
        t->validate(t, &rpc->request, config);
    return rpc_finish(rpc, rs);
}

RPC_HANDLER(rpc_validate_data_resource_config)
{
    const Tfplugin6__ValidateDataResourceConfig__Request *rq = (const void *)request;
    Tfplugin6__ValidateDataResourceConfig__Response *rs = (void *)response;
    const struct data_source *d = registry_data_source(slice_str(rq->type_name));
    const struct value *config = NULL;
    if (!d)
        rpc_unknown_type(rpc, "data source", rq->type_name);
    else if (rpc_value(rpc, rq->config, d->schema->type, &config) == 0)
        d->validate(d, &rpc->request, config);
    return rpc_finish(rpc, rs);
}

RPC_HANDLER(rpc_validate_ephemeral_resource_config)
{
    const Tfplugin6__ValidateEphemeralResourceConfig__Request *rq = (const void *)request;
    Tfplugin6__ValidateEphemeralResourceConfig__Response *rs = (void *)response;
    const struct ephemeral_type *e = registry_ephemeral(slice_str(rq->type_name));
    const struct value *config = NULL;
    if (!e)
        rpc_unknown_type(rpc, "ephemeral resource", rq->type_name);
    else if (rpc_value(rpc, rq->config, e->schema->type, &config) == 0)
        e->validate(e, &rpc->request, config);
    return rpc_finish(rpc, rs);
}

/* ReadDataSource. */
#include "plugin/handlers.h"

RPC_HANDLER(rpc_read_data_source)
{
    const Tfplugin6__ReadDataSource__Request *rq = (const void *)request;
    Tfplugin6__ReadDataSource__Response *rs = (void *)response;
    const struct data_source *d = registry_data_source(slice_str(rq->type_name));
    const struct value *config = NULL, *state = NULL;
    if (!d)
        rpc_unknown_type(rpc, "data source", rq->type_name);
    else if (rpc_value(rpc, rq->config, d->schema->type, &config) == 0 &&
             d->read(d, &rpc->request, config, &state) == 0)
        rs->state = rpc_dynamic(rpc, state, d->schema->type);
    return rpc_finish(rpc, rs);
}

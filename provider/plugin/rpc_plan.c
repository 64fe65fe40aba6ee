/* PlanResourceChange. */
#include "plugin/handlers.h"

static int read_args(struct rpc *rpc, const Tfplugin6__PlanResourceChange__Request *rq,
                     const struct resource_type *t, struct resource_plan_args *args)
{
    const struct type *type = t->schema->type;
    args->prior_private = rpc_slice(rq->prior_private);
    return rpc_value(rpc, rq->config, type, &args->config) < 0 ||
                   rpc_value(rpc, rq->prior_state, type, &args->prior) < 0 ||
                   rpc_value(rpc, rq->proposed_new_state, type, &args->proposed) < 0 ||
                   rpc_identity_value(rpc, rq->prior_identity, t->identity, &args->prior_identity) <
                       0
               ? -1
               : 0;
}

static int write_replace(struct rpc *rpc, const struct resource_plan_result *result,
                         Tfplugin6__PlanResourceChange__Response *rs)
{
    rs->requires_replace =
        arena_calloc(rpc->arena, result->replace_count, sizeof(*rs->requires_replace));
    for (size_t i = 0; rs->requires_replace && i < result->replace_count;
         i++, rs->n_requires_replace++)
        if (!(rs->requires_replace[i] = rpc_path(rpc, result->replace[i])))
            return -1;
    return rs->requires_replace ? 0 : -1;
}

RPC_HANDLER(rpc_plan_resource_change)
{
    const Tfplugin6__PlanResourceChange__Request *rq = (const void *)request;
    Tfplugin6__PlanResourceChange__Response *rs = (void *)response;
    const struct resource_type *t = registry_resource(slice_str(rq->type_name));
    struct resource_plan_args args = {.config = NULL};
    struct resource_plan_result result = {.planned = NULL};
    if (!t) {
        rpc_unknown_type(rpc, "resource", rq->type_name);
        return rpc_finish(rpc, rs);
    }
    if (read_args(rpc, rq, t, &args) == 0 && t->plan(t, &rpc->request, &args, &result) == 0) {
        rs->planned_state = rpc_dynamic(rpc, result.planned, t->schema->type);
        rs->planned_private = rpc_bytes(result.planned_private);
        rs->planned_identity = rpc_identity(rpc, result.planned_identity, t->identity);
        if (write_replace(rpc, &result, rs) < 0)
            return -1;
    } else {
        rs->planned_state = rq->prior_state;
        rs->planned_private = rq->prior_private;
    }
    return rpc_finish(rpc, rs);
}

/* What no resource of this provider uses: lists, actions, state stores, generated configuration. A
 * core asks only for what the capabilities and the schema name; one that asks all the same gets an
 * error that says so, in the form of the method's answer. */
#include "plugin/handlers.h"

RPC_HANDLER(rpc_generate_resource_config)
{
    const Tfplugin6__GenerateResourceConfig__Request *rq = (const void *)request;
    Tfplugin6__GenerateResourceConfig__Response *rs = (void *)response;
    rpc_unknown_type(rpc, "resource that can be generated", rq->type_name);
    return rpc_finish(rpc, rs);
}

RPC_HANDLER(rpc_validate_list_resource_config)
{
    const Tfplugin6__ValidateListResourceConfig__Request *rq = (const void *)request;
    Tfplugin6__ValidateListResourceConfig__Response *rs = (void *)response;
    rpc_unknown_type(rpc, "list resource", rq->type_name);
    return rpc_finish(rpc, rs);
}

RPC_HANDLER(rpc_validate_action_config)
{
    const Tfplugin6__ValidateActionConfig__Request *rq = (const void *)request;
    Tfplugin6__ValidateActionConfig__Response *rs = (void *)response;
    rpc_unknown_type(rpc, "action", rq->type_name);
    return rpc_finish(rpc, rs);
}

RPC_HANDLER(rpc_plan_action)
{
    const Tfplugin6__PlanAction__Request *rq = (const void *)request;
    Tfplugin6__PlanAction__Response *rs = (void *)response;
    rpc_unknown_type(rpc, "action", rq->action_type);
    return rpc_finish(rpc, rs);
}

RPC_HANDLER(rpc_validate_state_store_config)
{
    const Tfplugin6__ValidateStateStore__Request *rq = (const void *)request;
    Tfplugin6__ValidateStateStore__Response *rs = (void *)response;
    rpc_unknown_type(rpc, "state store", rq->type_name);
    return rpc_finish(rpc, rs);
}

RPC_HANDLER(rpc_configure_state_store)
{
    const Tfplugin6__ConfigureStateStore__Request *rq = (const void *)request;
    Tfplugin6__ConfigureStateStore__Response *rs = (void *)response;
    rpc_unknown_type(rpc, "state store", rq->type_name);
    return rpc_finish(rpc, rs);
}

RPC_HANDLER(rpc_read_state_bytes)
{
    const Tfplugin6__ReadStateBytes__Request *rq = (const void *)request;
    Tfplugin6__ReadStateBytes__Response *rs = (void *)response;
    rpc_unknown_type(rpc, "state store", rq->type_name);
    return rpc_finish(rpc, rs);
}

RPC_HANDLER(rpc_lock_state)
{
    const Tfplugin6__LockState__Request *rq = (const void *)request;
    Tfplugin6__LockState__Response *rs = (void *)response;
    rpc_unknown_type(rpc, "state store", rq->type_name);
    return rpc_finish(rpc, rs);
}

RPC_HANDLER(rpc_unlock_state)
{
    const Tfplugin6__UnlockState__Request *rq = (const void *)request;
    Tfplugin6__UnlockState__Response *rs = (void *)response;
    rpc_unknown_type(rpc, "state store", rq->type_name);
    return rpc_finish(rpc, rs);
}

RPC_HANDLER(rpc_get_states)
{
    const Tfplugin6__GetStates__Request *rq = (const void *)request;
    Tfplugin6__GetStates__Response *rs = (void *)response;
    rpc_unknown_type(rpc, "state store", rq->type_name);
    return rpc_finish(rpc, rs);
}

RPC_HANDLER(rpc_delete_state)
{
    const Tfplugin6__DeleteState__Request *rq = (const void *)request;
    Tfplugin6__DeleteState__Response *rs = (void *)response;
    rpc_unknown_type(rpc, "state store", rq->type_name);
    return rpc_finish(rpc, rs);
}

/* Streams: one event with the error, and the end. */
RPC_HANDLER(rpc_list_resource)
{
    const Tfplugin6__ListResource__Request *rq = (const void *)request;
    Tfplugin6__ListResource__Event *event = (void *)response;
    rpc_unknown_type(rpc, "list resource", rq->type_name);
    return rpc_diags(rpc, &event->n_diagnostic, &event->diagnostic);
}

RPC_HANDLER(rpc_invoke_action)
{
    const Tfplugin6__InvokeAction__Request *rq = (const void *)request;
    Tfplugin6__InvokeAction__Event *event = (void *)response;
    event->completed = arena_new_object(rpc->arena, Tfplugin6__InvokeAction__Event__Completed);
    if (!event->completed)
        return -1;
    tfplugin6__invoke_action__event__completed__init(event->completed);
    event->type_case = TFPLUGIN6__INVOKE_ACTION__EVENT__TYPE_COMPLETED;
    rpc_unknown_type(rpc, "action", rq->action_type);
    return rpc_finish(rpc, event->completed);
}

RPC_HANDLER(rpc_write_state_bytes)
{
    const Tfplugin6__WriteStateBytes__RequestChunk *rq = (const void *)request;
    Tfplugin6__WriteStateBytes__Response *rs = (void *)response;
    rpc_unknown_type(rpc, "state store", rq->meta ? rq->meta->type_name : "");
    return rpc_finish(rpc, rs);
}

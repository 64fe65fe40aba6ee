/* The handlers of all methods; see rpc.h for what they take and return. */
#ifndef LLM_PLUGIN_HANDLERS_H
#define LLM_PLUGIN_HANDLERS_H

#include "plugin/rpc.h"

#define RPC_HANDLER(name)                                                                          \
    int name(struct rpc *rpc, const ProtobufCMessage *request, ProtobufCMessage *response)

RPC_HANDLER(rpc_get_metadata);
RPC_HANDLER(rpc_get_provider_schema);
RPC_HANDLER(rpc_get_resource_identity_schemas);
RPC_HANDLER(rpc_get_functions);
RPC_HANDLER(rpc_validate_provider_config);
RPC_HANDLER(rpc_configure_provider);
RPC_HANDLER(rpc_stop_provider);
RPC_HANDLER(rpc_validate_resource_config);
RPC_HANDLER(rpc_validate_data_resource_config);
RPC_HANDLER(rpc_validate_ephemeral_resource_config);
RPC_HANDLER(rpc_upgrade_resource_state);
RPC_HANDLER(rpc_upgrade_resource_identity);
RPC_HANDLER(rpc_read_resource);
RPC_HANDLER(rpc_plan_resource_change);
RPC_HANDLER(rpc_apply_resource_change);
RPC_HANDLER(rpc_import_resource_state);
RPC_HANDLER(rpc_move_resource_state);
RPC_HANDLER(rpc_read_data_source);
RPC_HANDLER(rpc_call_function);
RPC_HANDLER(rpc_open_ephemeral_resource);
RPC_HANDLER(rpc_renew_ephemeral_resource);
RPC_HANDLER(rpc_close_ephemeral_resource);
RPC_HANDLER(rpc_generate_resource_config);
RPC_HANDLER(rpc_validate_list_resource_config);
RPC_HANDLER(rpc_list_resource);
RPC_HANDLER(rpc_validate_action_config);
RPC_HANDLER(rpc_plan_action);
RPC_HANDLER(rpc_invoke_action);
RPC_HANDLER(rpc_validate_state_store_config);
RPC_HANDLER(rpc_configure_state_store);
RPC_HANDLER(rpc_read_state_bytes);
RPC_HANDLER(rpc_write_state_bytes);
RPC_HANDLER(rpc_lock_state);
RPC_HANDLER(rpc_unlock_state);
RPC_HANDLER(rpc_get_states);
RPC_HANDLER(rpc_delete_state);
RPC_HANDLER(rpc_shutdown);
RPC_HANDLER(rpc_health_check);

#endif

/* GetMetadata, GetProviderSchema, GetResourceIdentitySchemas, GetFunctions, ValidateProviderConfig,
 * ConfigureProvider, StopProvider; go-plugin's Shutdown and gRPC's health check. */
#include "plugin/handlers.h"
#include "schema/response.h"

static int packed(struct rpc *rpc, const unsigned char *bytes, size_t len)
{
    rpc->packed = slice_from(bytes, len);
    return 0;
}

RPC_HANDLER(rpc_get_metadata)
{
    (void)request, (void)response;
    return packed(rpc, metadata_response, metadata_response_len);
}

RPC_HANDLER(rpc_get_provider_schema)
{
    (void)request, (void)response;
    return packed(rpc, schema_response, schema_response_len);
}

RPC_HANDLER(rpc_get_resource_identity_schemas)
{
    (void)request, (void)response;
    return packed(rpc, identity_response, identity_response_len);
}

RPC_HANDLER(rpc_get_functions)
{
    (void)request, (void)response;
    return packed(rpc, functions_response, functions_response_len);
}

RPC_HANDLER(rpc_validate_provider_config)
{
    const Tfplugin6__ValidateProviderConfig__Request *rq = (const void *)request;
    Tfplugin6__ValidateProviderConfig__Response *rs = (void *)response;
    const struct value *config = NULL;
    if (rpc_value(rpc, rq->config, provider_schema.type, &config) == 0)
        provider_validate(rpc->provider, rpc->arena, config, &rpc->diags);
    return rpc_finish(rpc, rs);
}

RPC_HANDLER(rpc_configure_provider)
{
    const Tfplugin6__ConfigureProvider__Request *rq = (const void *)request;
    Tfplugin6__ConfigureProvider__Response *rs = (void *)response;
    const struct value *config = NULL;
    if (rpc_value(rpc, rq->config, provider_schema.type, &config) == 0)
        provider_configure(rpc->provider, rpc->arena, config, rq->terraform_version, &rpc->diags);
    return rpc_finish(rpc, rs);
}

RPC_HANDLER(rpc_stop_provider)
{
    (void)request, (void)response;
    server_stop_work(rpc->server);
    return 0;
}

RPC_HANDLER(rpc_shutdown)
{
    (void)rpc, (void)request, (void)response;
    return 0; /* the server ends the process when this answer is out */
}

RPC_HANDLER(rpc_health_check)
{
    (void)rpc, (void)request;
    Grpc__Health__V1__HealthCheckResponse *rs = (void *)response;
    rs->status = GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVING;
    return 0;
}

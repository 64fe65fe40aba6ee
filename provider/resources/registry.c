/* What this provider serves. */
#include <string.h>

#include "resources/composite.h"
#include "resources/data_sources.h"
#include "resources/endpoint.h"
#include "resources/gpu_node.h"
#include "resources/platform_cluster.h"
#include "schema/tables.h"

#define COMPOSITE(name)                                                                            \
    static const struct resource_type name = {                                                     \
        .schema = &schema_llm_##name,                                                              \
        .identity = &identity_llm_##name,                                                          \
        .table = &composite_##name,                                                                \
        .validate = composite_validate,                                                            \
        .plan = composite_plan,                                                                    \
        .apply = composite_apply,                                                                  \
        .read = composite_read,                                                                    \
        .import = composite_import,                                                                \
        .upgrade = composite_upgrade,                                                              \
    }

COMPOSITE(gpu_node);
COMPOSITE(platform_cluster);
COMPOSITE(endpoint);

const struct resource_type *const registry_resources[] = {&gpu_node, &platform_cluster, &endpoint,
                                                          NULL};
const struct data_source *const registry_data_sources[] = {&data_endpoint, &data_gpu_offers,
                                                           &data_model, NULL};
const struct function *const registry_functions[] = {&gpu_fit_function, &vram_gib_function, NULL};
const struct ephemeral_type *const registry_ephemerals[] = {&ephemeral_cluster_auth, NULL};

const struct resource_type *registry_resource(struct slice type_name)
{
    for (size_t i = 0; registry_resources[i]; i++)
        if (slice_eq_str(type_name, registry_resources[i]->schema->name))
            return registry_resources[i];
    return NULL;
}

const struct data_source *registry_data_source(struct slice type_name)
{
    for (size_t i = 0; registry_data_sources[i]; i++)
        if (slice_eq_str(type_name, registry_data_sources[i]->schema->name))
            return registry_data_sources[i];
    return NULL;
}

const struct function *registry_function(struct slice name)
{
    for (size_t i = 0; registry_functions[i]; i++)
        if (slice_eq_str(name, registry_functions[i]->schema->name))
            return registry_functions[i];
    return NULL;
}

const struct ephemeral_type *registry_ephemeral(struct slice type_name)
{
    for (size_t i = 0; registry_ephemerals[i]; i++)
        if (slice_eq_str(type_name, registry_ephemerals[i]->schema->name))
            return registry_ephemerals[i];
    return NULL;
}

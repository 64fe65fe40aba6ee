/* llm_gpu_node: the hooks of the composite, and the clouds that they go to. */
#include "resources/gpu_node.h"

#include <string.h>

#include "resources/tables.h"

static const struct gpu_node_cloud *const clouds[] = {&gpu_node_aws, &gpu_node_gcp};

const struct gpu_node_cloud *gpu_node_cloud(const char *cloud)
{
    for (size_t i = 0; cloud && i < sizeof(clouds) / sizeof(*clouds); i++)
        if (strcmp(clouds[i]->cloud, cloud) == 0)
            return clouds[i];
    return NULL;
}

static int derive(const struct composite_context *c, const struct value **ret)
{
    return gpu_node_cloud(c->cloud)->derive(c, ret);
}

static int check(const struct composite_context *c, const struct engine_changes *changes,
                 const struct value *derived)
{
    return gpu_node_cloud(c->cloud)->check(c, changes, derived);
}

static int describe(const struct composite_context *c, const struct records *found,
                    const struct value **ret)
{
    return gpu_node_cloud(c->cloud)->describe(c, found, ret);
}

/* Zones of the subnets and the machine follow from what the cloud offers. */
static const char *const decisions[] = {"zones", "public", "machine_type", "zone", NULL};

/* A composite's hook is called only for a cloud of the table. */
const struct composite composite_gpu_node = {
    .table = &table_llm_gpu_node,
    .example = "chat",
    .validate = gpu_node_validate,
    .derive = derive,
    .decisions = decisions,
    .claimed = "instance",
    .check = check,
    .outputs = gpu_node_outputs,
    .hooks_new = gpu_node_hooks_new,
    .describe = describe,
};

/* llm_gpu_node: the hooks of the composite. */
#include "resources/gpu_node.h"

#include "resources/tables.h"

const struct composite composite_gpu_node = {
    .table = &table_llm_gpu_node,
    .validate = gpu_node_validate,
    .derive = gpu_node_derive,
    .check = gpu_node_check,
    .outputs = gpu_node_outputs,
    .hooks_new = gpu_node_hooks_new,
    .describe = gpu_node_describe,
};

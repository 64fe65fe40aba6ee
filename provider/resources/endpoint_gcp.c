/* The table of llm_endpoint on Vertex AI. */
#include "resources/endpoint_gcp.h"

#include <string.h>

static const struct catalog_machine *machine(const char *cloud, struct slice type)
{
    return catalog_machine(cloud, type);
}

/* Vertex AI calls machines as Compute Engine does. */
static const char *machine_type(const struct catalog_machine *m)
{
    return strcmp(m->cloud, "gcp") == 0 ? m->type : NULL;
}

/* An endpoint is encrypted with one key for all its life. */
static const char *const fixed[] = {"kms_key", NULL};

const struct endpoint_target endpoint_gcp = {
    .cloud = "gcp",
    .target = "managed",
    .title = "Vertex AI",
    .image_target = "vertex",
    .claimed = "endpoint",
    .fixed = fixed,
    .machine = machine,
    .machine_type = machine_type,
    .validate = endpoint_gcp_validate,
    .derive = endpoint_gcp_derive,
    .check = endpoint_gcp_check,
    .describe = endpoint_gcp_describe,
    .outputs = endpoint_gcp_outputs,
};

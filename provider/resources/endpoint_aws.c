/* The table of llm_endpoint on SageMaker. */
#include "resources/endpoint_aws.h"

#include <string.h>

static const struct catalog_machine *machine(const char *cloud, struct slice type)
{
    (void)cloud;
    return catalog_endpoint_machine(type);
}

const struct endpoint_target endpoint_aws = {
    .cloud = "aws",
    .target = "managed",
    .title = "SageMaker",
    .image_target = "sagemaker",
    .claimed = "endpoint",
    .machine = machine,
    .machine_type = catalog_endpoint_type,
    .validate = endpoint_aws_validate,
    .derive = endpoint_aws_derive,
    .check = endpoint_aws_check,
    .describe = endpoint_aws_describe,
    .outputs = endpoint_aws_outputs,
};

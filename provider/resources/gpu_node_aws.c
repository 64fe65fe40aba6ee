/* llm_gpu_node on AWS. */
#include "resources/gpu_node_aws.h"

const struct gpu_node_cloud gpu_node_aws = {
    .cloud = "aws",
    .validate = gpu_node_aws_validate,
    .derive = gpu_node_aws_derive,
    .check = gpu_node_aws_check,
    .describe = gpu_node_aws_describe,
    .ask = gpu_node_aws_ask,
    .offers = gpu_node_aws_offers,
    .zones = gpu_node_aws_zones,
    .named_zones = gpu_node_aws_named_zones,
    .inputs_for = gpu_node_aws_inputs_for,
    .same_quota = gpu_node_aws_same_quota,
    .quota_name = gpu_node_aws_quota_name,
    .instance_id = "id",
    .instance_address = "private_ip",
    .instance_image = "image_id",
    .instance_zone = "availability_zone",
    .instance_machine = "instance_type",
    .volume_size = "size",
    .volume_zone = "availability_zone",
};

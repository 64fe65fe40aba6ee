/* llm_gpu_node on Google Cloud. */
#include "resources/gpu_node_gcp.h"

const struct gpu_node_cloud gpu_node_gcp = {
    .cloud = "gcp",
    .validate = gpu_node_gcp_validate,
    .derive = gpu_node_gcp_derive,
    .check = gpu_node_gcp_check,
    .describe = gpu_node_gcp_describe,
    .ask = gpu_node_gcp_ask,
    .offers = gpu_node_gcp_offers,
    .zones = gpu_node_gcp_zones,
    .named_zones = gpu_node_gcp_named_zones,
    .inputs_for = gpu_node_gcp_inputs_for,
    .same_quota = gpu_node_gcp_same_quota,
    .quota_name = gpu_node_gcp_quota_name,
    .instance_id = "self_link",
    .instance_address = "private_ip",
    .instance_image = "image",
    .instance_zone = "zone",
    .instance_machine = "machine",
    .volume_size = "size",
    .volume_zone = "zone",
};

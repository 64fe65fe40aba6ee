/* llm_platform_cluster on Google Cloud. */
#include "resources/platform_cluster_gcp.h"

const struct platform_cloud platform_gcp = {
    .cloud = "gcp",
    .machine_type = "e2-standard-2",
    .gpu_machine_type = "g2-standard-4",
    .identity_annotation = "iam.gke.io/gcp-service-account",
    .cidr = PLATFORM_GCP_CIDR,
    .pods_cidr = PLATFORM_GCP_PODS_CIDR,
    .services_cidr = PLATFORM_GCP_SERVICES_CIDR,
    .binds_access = true,
    .needs_device_plugin = false,
    .has_gpu = platform_gcp_has_gpu,
    .validate = platform_gcp_validate,
    .derive = platform_gcp_derive,
    .check = platform_gcp_check,
    .address = platform_gcp_address,
    .look_up = platform_gcp_look_up,
    .outputs = platform_gcp_outputs,
};

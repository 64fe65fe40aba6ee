/* llm_platform_cluster on Google Cloud. */
#include "resources/platform_cluster_gcp.h"

/* Of managed Prometheus, and of GKE's own agents. */
static const char *const namespaces[] = {"gmp-public",
                                         "gmp-system",
                                         "gke-gmp-system",
                                         "gke-managed-cim",
                                         "gke-managed-dpv2-observability",
                                         "gke-managed-filestorecsi",
                                         "gke-managed-parallelstorecsi",
                                         "gke-managed-system",
                                         "gke-managed-volumepopulator",
                                         NULL};

const struct platform_cloud platform_gcp = {
    .cloud = "gcp",
    .machine_type = "e2-standard-2",
    .gpu_machine_type = "g2-standard-4",
    .identity_annotation = "iam.gke.io/gcp-service-account",
    .cidr = PLATFORM_GCP_CIDR,
    .pods_cidr = PLATFORM_GCP_PODS_CIDR,
    .services_cidr = PLATFORM_GCP_SERVICES_CIDR,
    .namespaces = namespaces,
    .binds_access = true,
    .needs_device_plugin = false,
    .has_gpu = platform_gcp_has_gpu,
    .validate = platform_gcp_validate,
    .derive = platform_gcp_derive,
    .check = platform_gcp_check,
    .check_version = platform_gcp_check_version,
    .endpoint = {.public = "public_endpoint",
                 .ranges = "authorized_networks",
                 .range = "cidrBlock",
                 .limited = "authorized_networks_only"},
    .address = platform_gcp_address,
    .look_up = platform_gcp_look_up,
    .outputs = platform_gcp_outputs,
    .destroy = platform_gcp_destroy,
};

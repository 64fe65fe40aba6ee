/* The table of GCP services. */
#include "gcp/service.h"

#include <stddef.h>
#include <string.h>

static const struct gcp_service services[] = {
    {"compute", GCP_OPERATIONS_COMPUTE},
    {"iam", GCP_OPERATIONS_NONE},
    {"iamcredentials", GCP_OPERATIONS_NONE},
    {"cloudresourcemanager", GCP_OPERATIONS_LONGRUNNING},
    {"secretmanager", GCP_OPERATIONS_NONE},
    {"logging", GCP_OPERATIONS_LONGRUNNING},
    {"serviceusage", GCP_OPERATIONS_LONGRUNNING},
    {"storage", GCP_OPERATIONS_NONE},
    {"container", GCP_OPERATIONS_CONTAINER},
    {"artifactregistry", GCP_OPERATIONS_LONGRUNNING},
    {"aiplatform", GCP_OPERATIONS_LONGRUNNING},
    {"monitoring", GCP_OPERATIONS_NONE},
};

const struct gcp_service *gcp_service_find(const char *id)
{
    for (size_t i = 0; i < sizeof(services) / sizeof(*services); i++)
        if (strcmp(services[i].id, id) == 0)
            return &services[i];
    return NULL;
}

/* The GCP services that are called: where each is, and how its long-running operations look. */
#ifndef LLM_GCP_SERVICE_H
#define LLM_GCP_SERVICE_H

enum gcp_operations {
    GCP_OPERATIONS_NONE,
    GCP_OPERATIONS_COMPUTE,     /* compute#operation: zonal, regional, global; with a wait method */
    GCP_OPERATIONS_LONGRUNNING, /* google.longrunning.Operation: polled by its name */
    GCP_OPERATIONS_CONTAINER,   /* GKE's own: projects.locations.operations, polled */
};

struct gcp_service {
    const char *id; /* as the component files name it, and the first label of the host */
    enum gcp_operations operations;
};

/* NULL when there is none of this id. */
const struct gcp_service *gcp_service_find(const char *id);

#endif

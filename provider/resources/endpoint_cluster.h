/* What the files of llm_endpoint in a Kubernetes cluster share. */
#ifndef LLM_RESOURCES_ENDPOINT_CLUSTER_H
#define LLM_RESOURCES_ENDPOINT_CLUSTER_H

#include "resources/endpoint.h"

#define ENDPOINT_CLUSTER_GPU "nvidia.com/gpu"
#define ENDPOINT_CLUSTER_SERVICE "kube_service"            /* the component that is claimed */
#define ENDPOINT_CLUSTER_DEPLOYMENT "kube_deployment."     /* and the variant */
#define ENDPOINT_CLUSTER_WEIGHTS "kube_weights."           /* of a shared volume */
#define ENDPOINT_CLUSTER_SCALER "kube_scaler."             /* likewise */
#define ENDPOINT_CLUSTER_CONFIGURATION "llm/configuration" /* annotation of the Service */

enum {
    ENDPOINT_CLUSTER_CPU_MILLI = 2000,
    ENDPOINT_CLUSTER_MEMORY_GIB = 12, /* for each GPU, where the machine has as much */
    ENDPOINT_CLUSTER_DISK_GIB = 100,  /* where nothing is known of the model */
};

/* What a pod of a variant asks for. */
struct endpoint_cluster_needs {
    int64_t cpu_milli, memory_mib, gpus, tensor_parallel, disk_gib;
};

/* "default" where none is set. */
const char *endpoint_cluster_namespace(const struct value *config);
/* "NAME-VARIANT": of the Deployment, its budget and its scaler. Owned by `a`. */
const char *endpoint_cluster_name(struct arena *a, const char *name, struct slice variant);
/* Of `machine.cpu` ("2", "0.5", "500m"), in thousandths; the default where it is not set; -1: it is
 * finer than a thousandth, or more than any machine has. */
int64_t endpoint_cluster_cpu_milli(const struct value *config);
/* Of a variant whose configuration is known. */
void endpoint_cluster_needs(const struct value *config, const struct endpoint_variant *v,
                            const struct endpoint_model *m, struct endpoint_cluster_needs *ret);
/* How the containers of a variant are to be reached: the port, and where its health is asked. */
int64_t endpoint_cluster_port(const struct value *config, enum endpoint_stack stack);
/* Whether files at this URI are fetched from a bucket. */
bool endpoint_cluster_is_bucket(const char *uri);

/* ---- values ---- */

/* An amount of Kubernetes ("16Gi", "500m") as a number; -1: there is none. */
double endpoint_cluster_amount(struct arena *a, const struct value *v);
/* An object of the members named, which end with NULL; members that are NULL are left out. Owned by
 * `a`. */
const struct value *endpoint_object(struct arena *a, ...);
/* A tuple of what is named, which ends with NULL. */
const struct value *endpoint_tuple(struct arena *a, ...);
/* An amount of bytes as Kubernetes writes it: "512Mi", "16Gi", "1Ti". */
const struct value *endpoint_mib(struct arena *a, int64_t mib);

/* ---- endpoint_cluster_pods.c ---- */

/* The Deployment's object in `$derived.kube_deployments`; `replicas` NULL: a scaler decides. NULL
 * when memory is out. */
const struct value *endpoint_cluster_deployment(struct endpoint_derivation *d,
                                                const struct endpoint_variant *v, const char *image,
                                                const char *claim);
/* Labels that the pods of the endpoint (variant: {NULL, 0}), or of one variant, are chosen by. */
const struct value *endpoint_cluster_selector(struct arena *a, const char *name,
                                              struct slice variant);
/* The image of a variant: its own, the one that was decided before, or the catalogue's. NULL: the
 * catalogue has none, or memory is out. */
const char *endpoint_cluster_image(struct endpoint_derivation *d, const struct endpoint_variant *v);

/* ---- endpoint_cluster_sources.c ---- */

/* Whether the files and images that new pods would fetch from the resource's cloud are there. 0, or
 * -1 with an error at the attribute that names them. */
int endpoint_cluster_check_sources(const struct composite_context *c,
                                   const struct engine_changes *changes,
                                   const struct value *derived);

/* ---- the hooks of struct endpoint_target ---- */

int endpoint_cluster_validate(struct arena *a, const struct value *config,
                              const struct endpoint_variants *variants, struct diags *diags);
int endpoint_cluster_derive(struct endpoint_derivation *d);
int endpoint_cluster_check(const struct composite_context *c, const struct engine_changes *changes,
                           const struct value *derived);
int endpoint_cluster_describe(const struct composite_context *c, const struct records *found,
                              const struct value **ret);
void endpoint_cluster_outputs(const struct composite_context *c, const struct value *derived,
                              struct outputs *o);

#endif

/* What the files of llm_platform_cluster on Google Cloud share. */
#ifndef LLM_RESOURCES_PLATFORM_CLUSTER_GCP_H
#define LLM_RESOURCES_PLATFORM_CLUSTER_GCP_H

#include "resources/gcp.h"
#include "resources/platform_cluster.h"

#define PLATFORM_GCP_CIDR "10.0.0.0/16"
#define PLATFORM_GCP_PODS_CIDR "10.128.0.0/14"
#define PLATFORM_GCP_SERVICES_CIDR "10.112.0.0/20"

/* ---- platform_cluster_gcp_validate.c ---- */

int platform_gcp_validate(struct arena *a, const struct value *config, struct diags *diags);

/* Names of what is made. Networks, sinks, dashboards and service accounts are unique in the
 * project: name and region are part of theirs. NULL when memory is out. */
const char *platform_gcp_base(struct arena *a, const char *name, const char *region);
const char *platform_gcp_registry(struct arena *a, const char *name, struct slice registry);

/* A machine type as the configuration names it: "e2-standard-2", "g2-standard-4",
 * "n1-standard-8+nvidia-tesla-t4:1". */
struct platform_gcp_machine {
    const char *type;        /* Compute Engine's own: "n1-standard-8" */
    const char *accelerator; /* "nvidia-l4"; NULL: none, or not known here */
    int64_t count;
    bool attached; /* the accelerators are offered apart from the machine type */
};

/* Owned by `a`. False for text that cannot be one, or when memory is out. */
bool platform_gcp_machine(struct arena *a, struct slice text, struct platform_gcp_machine *ret);
bool platform_gcp_has_gpu(struct slice machine_type);

/* ---- platform_cluster_gcp_zones.c ---- */

/* The zones of the cluster's nodes, a tuple of names: what is configured, what the cluster that is
 * there was made with, what the plan has decided, or the first ones of the region. Unknown while
 * none of it can be said. NULL with a diagnostic. */
const struct value *platform_gcp_zones(struct platform_derivation *d);
/* The zones of each pool, {pool's key: tuple}: those of `zones` where its machine is offered; of a
 * pool of a fixed size as many of them as divide it. NULL with a diagnostic. */
const struct value *platform_gcp_pool_zones(struct platform_derivation *d,
                                            const struct platform_pools *pools,
                                            const struct value *zones);
/* The same for one pool: the most of the first zones that divide `nodes` evenly; 0 needs none. */
size_t platform_gcp_even_zones(int64_t nodes, size_t zones);
/* The region, as it is asked for. */
extern const struct cloud_operation platform_gcp_get_region;
const struct value *platform_gcp_region_request(const struct composite_context *c);

/* ---- platform_cluster_gcp_pools.c ---- */

/* Puts "node_pools", "initial_pool", "pool_zones". 0, or -1 with a diagnostic. */
int platform_gcp_derive_pools(struct platform_derivation *d, const struct value *zones);

/* ---- platform_cluster_gcp_identity.c: workloads and registries ---- */

void platform_gcp_derive_workloads(struct platform_derivation *d);
void platform_gcp_derive_registries(struct platform_derivation *d);

/* ---- platform_cluster_gcp_derive.c ---- */

int platform_gcp_derive(struct platform_derivation *d);
/* Whether this operation may make what is missing: a plan with credentials, or an apply; not a read
 * or an import, which only look at what is there. */
bool platform_gcp_may_ask(const struct composite_context *c);
/* "1.34" of "1.34.1-gke.2000000"; NULL of NULL. Owned by `a`. */
const char *platform_gcp_minor(struct arena *a, const char *version);
/* The version to send to a control plane, or pool, that has `current` (NULL: it is not there): null
 * when nothing is configured, or it has that minor version already. */
const struct value *platform_gcp_version(struct platform_derivation *d, const char *current);
bool platform_gcp_has_account(const struct composite_context *c);

/* ---- platform_cluster_gcp_check.c ---- */

int platform_gcp_check(const struct composite_context *c, const struct engine_changes *changes,
                       const struct value *derived);
int platform_gcp_check_version(const struct composite_context *c, const char *version);
/* Notes all that the check of a new cluster asks, so that it is asked with what derive asks. */
void platform_gcp_want_checks(const struct composite_context *c);
int platform_gcp_look_up(const struct cloud_driver *driver, struct cloud_client *client,
                         const struct work *w, struct arena *a, const char *region,
                         const char *name, const struct value **ret, struct cloud_error *err);

/* ---- platform_cluster_gcp_outputs.c ---- */

bool platform_gcp_address(struct arena *a, const struct value *attrs, const char **ret_endpoint,
                          const char **ret_ca_pem);
void platform_gcp_outputs(const struct composite_context *c, const struct value *derived,
                          struct outputs *o);

/* ---- platform_cluster_gcp_leftovers.c ---- */

/* Clears away what the cluster has made by itself, where it is proven to be its own. As in struct
 * composite. */
int platform_gcp_destroy(const struct composite_context *c, const char *what,
                         const struct value *attrs);

#endif

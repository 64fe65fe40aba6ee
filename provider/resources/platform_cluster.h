/* What the files of llm_platform_cluster share: the hooks that are the same on every cloud, and the
 * table of what each cloud does its own way. */
#ifndef LLM_RESOURCES_PLATFORM_CLUSTER_H
#define LLM_RESOURCES_PLATFORM_CLUSTER_H

#include "resources/composite.h"
#include "resources/config.h"
#include "resources/derived.h"
#include "resources/outputs.h"

extern const struct composite composite_platform_cluster;

#define PLATFORM_CLUSTER_TYPE "llm_platform_cluster"
#define PLATFORM_CLUSTER_VERSION "1.34" /* of Kubernetes, where a cloud has no default */
#define PLATFORM_CLUSTER_ZONES 3

/* One derive at work. */
struct platform_derivation {
    const struct composite_context *c;
    const struct platform_cloud *cloud;
    struct arena *a;
    const struct value *config;
    const char *name; /* NULL: unknown */
    struct derived out;
};

void platform_put(struct platform_derivation *d, const char *name, const struct value *v);
const struct value *platform_unknown(struct platform_derivation *d);
/* Of the configuration, by dotted path; null counts as absent. */
const struct value *platform_of(const struct platform_derivation *d, const char *path);
/* The list of names that a component's `attribute` is (cloud/component.h); `key` and what follows
 * may be NULL. NULL when memory is out. */
const struct value *platform_attribute(struct arena *a, const char *top, const char *key,
                                       const char *inside, const char *inner);
/* A text of a component that exists, or NULL. */
const char *platform_recorded(const struct composite_context *c, const char *component,
                              const char *attr);
/* The Kubernetes version that the cluster is to have: the configured one, that of the cluster that
 * exists, or `otherwise`. NULL: not known yet. */
const char *platform_version(const struct platform_derivation *d, const char *otherwise);

/* ---- platform_cluster_pools.c: node pools ---- */

enum { PLATFORM_POOLS_MOST = 20 };

struct platform_pool {
    struct slice name;
    const struct value *config; /* its object; NULL: the pool that is there without `node_pools` */
    bool known;                 /* false: something that decides about its making is unknown */
    bool gpu, spot, autoscaling;
    const struct value *machine_types; /* tuple of strings, defaults filled in */
    int64_t min, max, desired, disk_gib, max_unavailable;
    const struct value *image_type; /* NULL: the cloud's default */
};

struct platform_pools {
    bool known;
    struct platform_pool items[PLATFORM_POOLS_MOST];
    size_t count;
};

/* Reads `node_pools`, or the default pool. */
void platform_pools(struct arena *a, const struct platform_cloud *cloud, const struct value *config,
                    struct platform_pools *ret);
/* "NAME-1a2b3c4d": the name and a digest of what cannot change in place, so that a pool that has to
 * be made anew is made under another name, and the old one goes after it. Owned by `a`. NULL when
 * memory is out. */
const char *platform_pool_key(struct arena *a, const struct platform_pool *p);

/* ---- the clouds ---- */

struct platform_cloud {
    const char *cloud;                           /* "aws" */
    const char *machine_type, *gpu_machine_type; /* defaults */
    /* The annotation with which a Kubernetes service account has a workload's identity in the
     * cloud: `identity` of each member of `$derived.workloads`. */
    const char *identity_annotation;
    /* Ranges of a network that is made, where the configuration names none; NULL: there is none, or
     * the cloud chooses it. */
    const char *cidr, *pods_cidr, *services_cidr;
    /* Namespaces that the cloud has in each of its clusters, NULL-terminated; NULL: none. */
    const char *const *namespaces;
    /* Whether Kubernetes itself must say who administers the cluster, and needs NVIDIA's device
     * plugin. */
    bool binds_access, needs_device_plugin;

    /* Whether a machine type has GPUs. */
    bool (*has_gpu)(struct slice machine_type);

    /* Checks beyond those that hold on every cloud; unknowns are passed over. 0 or -1. */
    int (*validate)(struct arena *a, const struct value *config, struct diags *diags);
    /* Puts what the cloud's own components need. 0 or -1 with a diagnostic. */
    int (*derive)(struct platform_derivation *d);
    int (*check)(const struct composite_context *c, const struct engine_changes *changes,
                 const struct value *derived);
    /* Asks the cloud whether it offers this version of Kubernetes. 0, also when that cannot be
     * known, or -1 with a diagnostic that names those it offers. */
    int (*check_version)(const struct composite_context *c, const char *version);
    /* Attributes of the component "cluster": whether its API has a public address, and which ranges
     * reach that; then what else is set in the same call. The ranges are texts, or objects whose
     * member `range` they are. `limited`: whether the ranges count; NULL: always. */
    struct platform_endpoint {
        const char *public, *ranges, *range, *limited, *other;
    } endpoint;
    /* Of the component "cluster": its URL and its authority as PEM, owned by `a`; false when one is
     * not known. `attrs` are those of its record. */
    bool (*address)(struct arena *a, const struct value *attrs, const char **ret_endpoint,
                    const char **ret_ca_pem);
    /* Asks the cloud for the cluster: an object as `address` takes it, NULL when there is none. 0,
     * or -1 with *err. */
    int (*look_up)(const struct cloud_driver *driver, struct cloud_client *client,
                   const struct work *w, struct arena *a, const char *region, const char *name,
                   const struct value **ret, struct cloud_error *err);
    /* As in struct composite; NULL: nothing is destroyed by code. */
    int (*destroy)(const struct composite_context *c, const char *what, const struct value *attrs);
    /* For a component with a `hook`: the inputs that it is made with, owned by `a`; NULL when
     * memory is out. Runs in a thread of the engine's. NULL: the cloud's table has no hook. */
    const struct value *(*inputs_by_hook)(const struct composite_context *c, struct arena *a,
                                          const char *hook, const struct value *inputs);
    /* Sets the outputs that come from this cloud's components. */
    void (*outputs)(const struct composite_context *c, const struct value *derived,
                    struct outputs *o);
};

extern const struct platform_cloud platform_aws, platform_gcp;

/* NULL: the resource cannot be made there, or `cloud` is NULL. */
const struct platform_cloud *platform_cloud(const char *cloud);

/* ---- platform_cluster.c ---- */

/* The claim that a CSI driver has made a disk for, "NAMESPACE/NAME", by what it notes on the disk:
 * a map. Owned by `a`; NULL: none is named. */
const char *platform_claim_of(struct arena *a, const struct value *notes);

/* ---- platform_cluster_validate.c ---- */

int platform_validate(struct arena *a, const struct value *config, struct diags *diags);
/* Whether two IPv4 ranges have addresses in common; false when one of them is none. */
bool platform_ranges_overlap(struct slice x, struct slice y);
/* Whether all addresses of a range are in another one. */
bool platform_range_inside(struct slice range, struct slice whole);
/* Of a platform's cluster that this state does not have: what to say when it has nothing yet that
 * an import could rebuild the configuration from, because an apply ended before its end. Asks the
 * cluster. NULL: it has, or cannot be asked. `id` is the cluster's. */
const char *platform_unfinished(const struct composite_context *c, const char *id);

/* ---- platform_cluster_quota.c ---- */

/* Whether Kubernetes limits what a quota's key names, by such an amount (NULL or unknown: not
 * looked at). The key is one by its form. 0, or -1 with an error at `at`. */
int platform_check_quota(struct arena *a, struct slice key, const struct value *amount,
                         const struct path *at, struct diags *diags);

/* ---- platform_cluster_kubernetes.c: what is in the cluster ---- */

int platform_kubernetes_derive(struct platform_derivation *d);
/* The Kubernetes service account of a workload: `service_account`, or "NAMESPACE-sa"; NULL when it
 * is not known. Owned by `a`. */
const char *platform_service_account(struct arena *a, const struct value *workload);
/* The configuration that a cluster's ConfigMap holds, an object of the schema's type, on top of
 * `config`. NULL, with a diagnostic, when the text is none. */
const struct value *platform_configuration_of(struct arena *a, const struct value *config,
                                              struct slice text, struct diags *diags);

/* ---- platform_cluster_outputs.c ---- */

int platform_outputs(const struct composite_context *c, const struct value *derived,
                     const struct value *planned, const struct records *records,
                     const struct engine_changes *changes, const struct value **ret);
/* outputs_map() of components whose keys are those of `$derived.NAME`: unknown while that is. */
const struct value *platform_map(struct outputs *o, const struct value *derived, const char *name,
                                 const char *prefix, const char *attr);

#endif

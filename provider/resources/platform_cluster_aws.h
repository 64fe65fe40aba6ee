/* What the files of llm_platform_cluster on AWS share. */
#ifndef LLM_RESOURCES_PLATFORM_CLUSTER_AWS_H
#define LLM_RESOURCES_PLATFORM_CLUSTER_AWS_H

#include "resources/aws.h"
#include "resources/gpu_node.h"
#include "resources/platform_cluster.h"

#define PLATFORM_AWS_CIDR "10.0.0.0/16" /* of the network that is made, without `network.cidr` */

enum { PLATFORM_AWS_ZONES_MOST = 4, PLATFORM_AWS_ZONES_LEAST = 2, PLATFORM_AWS_ROLE_MOST = 64 };

/* What all files ask about one derivation. */
struct platform_aws {
    struct platform_derivation *d;
    const char *region, *partition, *account; /* NULL: not known */
    const char *version;                      /* of Kubernetes; NULL: not known */
    /* Whether questions may be asked: a plan or an apply, with credentials. Reading and importing
     * work from what is recorded. */
    bool asks;
};

/* ---- platform_cluster_aws_derive.c ---- */

/* The IAM role "llm-k8s-NAME-REGION-SUFFIX". Owned by `a`. */
const char *platform_aws_role(struct arena *a, const char *name, const char *region,
                              const char *suffix);
/* An attribute of the configuration; `otherwise` when it, or its block, is absent or unknown. */
bool platform_aws_bool(const struct platform_derivation *d, const char *path, bool otherwise);

/* ---- platform_cluster_aws_validate.c ---- */

struct platform_aws_people {
    const struct path *at;
    const struct value *arns; /* NULL: none */
};

/* The i-th set of principals in `access`: admins, viewers, then the groups. The path is owned by
 * `a`. False: there is none. */
bool platform_aws_people(struct arena *a, const struct value *config, size_t i,
                         struct platform_aws_people *ret);

/* ---- platform_cluster_aws_network.c ---- */

/* Notes the question for zones, when it will be needed. */
void platform_aws_want_zones(struct platform_aws *p);
/* Puts `make_network`, `network_cidr` and `zones`. 0, or -1 with a diagnostic. */
int platform_aws_network(struct platform_aws *p);

/* ---- platform_cluster_aws_addons.c ---- */

/* Notes the questions for versions that will be needed. */
void platform_aws_want_addons(struct platform_aws *p);
/* Puts `addon_versions`, `addons_kept` and `addons_made`. 0, or -1 with a diagnostic. */
int platform_aws_addons(struct platform_aws *p);

/* ---- platform_cluster_aws_pools.c ---- */

bool platform_aws_has_gpu(struct slice machine_type);
/* Whether a machine type has an Arm processor. */
bool platform_aws_is_arm(struct slice machine_type);
/* Puts `node_pools`. 0, or -1 with a diagnostic. */
int platform_aws_pools(struct platform_aws *p);

/* ---- platform_cluster_aws_policy.c: documents ---- */

const struct value *platform_aws_load_balancer_policy(struct platform_aws *p);
const struct value *platform_aws_autoscaler_policy(struct platform_aws *p);
/* "" when the workload asks for no rights; unknown while what it asks is. */
const struct value *platform_aws_workload_policy(struct platform_aws *p,
                                                 const struct value *workload);
/* The rules by which a registry forgets images. */
const struct value *platform_aws_lifecycle(struct arena *a, const struct value *registries);
const struct value *platform_aws_dashboard(struct platform_aws *p);

/* ---- platform_cluster_aws_quota.c ---- */

/* Notes the questions about quotas that a new network, or new pools with GPUs, will need. */
void platform_aws_want_quotas(struct platform_aws *p);
/* Whether quotas have room for what the plan makes. 0, or -1 with a diagnostic. */
int platform_aws_check_quotas(const struct composite_context *c,
                              const struct engine_changes *changes, const struct value *derived);

/* ---- the hooks of struct platform_cloud ---- */

extern const struct cloud_operation platform_aws_describe_cluster;

int platform_aws_validate(struct arena *a, const struct value *config, struct diags *diags);
int platform_aws_derive(struct platform_derivation *d);
int platform_aws_check(const struct composite_context *c, const struct engine_changes *changes,
                       const struct value *derived);
int platform_aws_check_version(const struct composite_context *c, const char *version);
/* The error that EKS does not offer this version of Kubernetes, with those that it does. -1. */
int platform_aws_no_version(const struct composite_context *c, const char *version);
/* Notes what the check of this plan will ask. */
void platform_aws_want_checks(struct platform_aws *p);
/* Clears away what the cluster's controllers have made in its network, where tags prove it. */
int platform_aws_destroy(const struct composite_context *c, const char *what,
                         const struct value *attrs);
/* The hook "thumbprint" of an OIDC provider: platform_cluster_aws_issuer.c. */
const struct value *platform_aws_inputs_by_hook(const struct composite_context *c, struct arena *a,
                                                const char *hook, const struct value *inputs);
void platform_aws_outputs(const struct composite_context *c, const struct value *derived,
                          struct outputs *o);

#endif

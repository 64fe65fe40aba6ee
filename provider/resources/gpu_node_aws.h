/* What the files of llm_gpu_node on AWS share. */
#ifndef LLM_RESOURCES_GPU_NODE_AWS_H
#define LLM_RESOURCES_GPU_NODE_AWS_H

#include "resources/aws.h"
#include "resources/gpu_node.h"

#define GPU_NODE_AWS_DEVICE "/dev/sdf"   /* that the model volume is attached as */
#define GPU_NODE_AWS_USER_DATA_MAX 16384 /* EC2 User Guide, "user data": 16 KB before encoding */

/* ---- gpu_node_aws_validate.c ---- */

int gpu_node_aws_validate(struct arena *a, const struct value *config, struct diags *diags);

/* Names of the objects that are made; error at `name` when one of them is too long. */
struct gpu_node_aws_names {
    const char *security_group, *secret, *log_group, *role, *policy, *instance_profile;
};
int gpu_node_aws_names(struct arena *a, const char *name, const char *region,
                       struct gpu_node_aws_names *ret, struct diags *diags);

/* Errors for zones that are not of the region. */
int gpu_node_aws_check_zones(struct arena *a, const struct value *config, const char *region,
                             struct diags *diags);

/* ---- gpu_node_aws_calls.c: questions to EC2 ---- */

/* All zones of the region that offer one of the types, in the answer's order. 0 or -1 with *err. */
int gpu_node_aws_offers(const struct composite_context *c, const struct gpu_node_machines *machines,
                        struct gpu_node_offer **ret, size_t *ret_count, struct cloud_error *err);

/* The instances that carry the owner tag of this node and are not terminated: a tuple of items of
 * DescribeInstances. */
int gpu_node_aws_find_instances(const struct composite_context *c, const struct value **ret,
                                struct cloud_error *err);

extern const struct cloud_operation gpu_node_aws_describe_instances, gpu_node_aws_describe_images;

/* ---- gpu_node_aws_lookups.c ---- */

/* Notes all that the check of a new instance needs: name, offers, quotas. */
void gpu_node_aws_want_checks(const struct composite_context *c,
                              const struct gpu_node_machines *machines);
int gpu_node_aws_ask(const struct composite_context *c, struct gpu_node_lookup *k);

/* ---- gpu_node_aws_quota.c ---- */

/* Whether an instance (of DescribeInstances) will be gone, and gives its vCPUs back. */
typedef bool (*gpu_node_aws_is_own)(void *self, const struct value *instance);

/* The limit of a family's quota (below 0: not known), and the vCPUs in use, which are added to
 * *used. 0, or -1 with *why. */
int gpu_node_aws_read_quota(const struct composite_context *c, const struct catalog_quota *q,
                            bool spot, gpu_node_aws_is_own is_own, void *self, double *limit,
                            int *used, const char **why);
/* Of an answer of GetServiceQuota; below 0: it does not say. */
double gpu_node_aws_quota_value(struct arena *a, const struct value *answer);

/* ---- gpu_node_aws_network.c: zones and address ranges ---- */

struct gpu_node_network {
    const struct value *zones;  /* "$derived.zones": {a: {zone, cidr}}, or unknown */
    const struct value *public; /* {zone, cidr}, or unknown */
};

/* Zones are those of the configuration, else those of the existing subnets, else the first three
 * that offer the machine; ranges of existing subnets stay. `offers` NULL: not known. */
int gpu_node_aws_network(const struct composite_context *c, const char *cidr,
                         const struct gpu_node_offer *offers, size_t offer_count,
                         const struct gpu_node_machines *machines, struct gpu_node_network *ret);

/* Subnets that an IPv4 range has room for, the public one included: 8, 4, or 0 when it is too small
 * or no range. */
int gpu_node_aws_subnets(struct slice cidr);

/* ---- gpu_node_aws_policy.c: JSON documents for IAM ---- */

const struct value *gpu_node_aws_trust_policy(struct arena *a, const char *partition);
const struct value *gpu_node_aws_policy(const struct composite_context *c,
                                        const struct gpu_node_aws_names *names);

/* ---- gpu_node_aws_script.c ---- */

/* The start-up script with its values. NULL with an error in c->diags when it is over 16 KiB. */
const struct value *gpu_node_aws_user_data(const struct composite_context *c,
                                           const struct gpu_node_aws_names *names,
                                           const struct gpu_node_models *models);

/* ---- the hooks ---- */

int gpu_node_aws_derive(const struct composite_context *c, const struct value **ret);
int gpu_node_aws_check(const struct composite_context *c, const struct engine_changes *changes,
                       const struct value *derived);
int gpu_node_aws_describe(const struct composite_context *c, const struct records *found,
                          const struct value **ret);

/* ---- gpu_node_aws_placement.c ---- */

int gpu_node_aws_zones(const struct composite_context *c, struct arena *a,
                       const struct value *derived, const struct value *inputs,
                       struct gpu_node_zones *ret, struct diags *diags);
/* The zones that an EC2 error message names as having capacity ("… or choosing us-east-1b,
 * us-east-1c."). */
size_t gpu_node_aws_named_zones(const struct cloud_error *err, struct slice *ret, size_t most);
const struct value *gpu_node_aws_inputs_for(struct arena *a, const struct value *inputs,
                                            const struct gpu_node_place *place);
bool gpu_node_aws_same_quota(const struct gpu_node_place *failed,
                             const struct gpu_node_place *other, const char *code);
const char *gpu_node_aws_quota_name(struct arena *a, const struct gpu_node_place *place);

#endif

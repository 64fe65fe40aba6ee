/* What the resources on AWS share: questions to EC2, names of zones, and checks of configurations.
 */
#ifndef LLM_RESOURCES_AWS_H
#define LLM_RESOURCES_AWS_H

#include "resources/composite.h"

enum { AWS_TAG_VALUE_MOST = 256 };

/* [{Name, Value: [v…]}] for EC2's Filter parameter. NULL when memory is out. */
const struct value *aws_filter(struct arena *a, const char *name, const struct value *const *values,
                               size_t count);
extern const struct cloud_operation aws_describe_subnets;
/* The subnets that carry the owner tag of this resource, for one that no record knows yet (an
 * import): records with `availability_zone` and `cidr_block`, owned by c->arena. 0, or -1 with a
 * diagnostic. */
int aws_owned_subnets(const struct composite_context *c, const char *resource_type,
                      struct records *ret);

/* The name of a zone within its region: "a", or "lax-1a" of a local zone. */
const char *aws_zone_key(const char *zone, const char *region);
/* "10.0.16.0/20": the part-th range with this prefix from `base` (host order) on. Owned by `a`. */
const char *aws_part_cidr(struct arena *a, uint32_t base, int prefix, unsigned part);

/* The service that assumes the role of a machine: it has a name of its own in China. */
const char *aws_ec2_principal(const char *partition);
/* The document by which a service may assume a role. NULL when memory is out. */
const struct value *aws_trust_policy(struct arena *a, const char *service);

/* A policy document, statement by statement. `actions` and `resources` are members of a JSON list,
 * `condition` those of an object, "" without any; NULL: memory is out, which the end sees. */
void aws_policy_begin(struct buf *b);
void aws_policy_allow(struct buf *b, const char *sid, const char *actions, const char *resources,
                      const char *condition);
/* NULL when memory is out. */
const struct value *aws_policy_end(struct arena *a, struct buf *b);

/* Each adds its errors; unknown values are passed over. 0 or -1. */
int aws_check_region(struct arena *a, const struct value *config, struct diags *diags);
int aws_check_retention(struct arena *a, int64_t days, const char *path, struct diags *diags);
int aws_check_tags(struct arena *a, const struct value *config, struct diags *diags);

struct aws_id {
    const char *path, *prefix, *what; /* "network.vpc_id", "vpc-", "a VPC id" */
};
int aws_check_ids(struct arena *a, const struct value *config, const struct aws_id *ids,
                  size_t count, struct diags *diags);
/* "vpc-0a1b": the prefix, then lower-case letters and digits. */
bool aws_is_id(struct slice s, const char *prefix);

#endif

/* Tokens for EKS clusters. Private to the room. */
#ifndef LLM_AWS_CLUSTER_TOKEN_H
#define LLM_AWS_CLUSTER_TOKEN_H

#include "cloud/driver.h"

/* As cloud/driver.h has it. */
int aws_cluster_token(struct cloud_client *c, const struct work *w, struct arena *a,
                      const char *region, const char *cluster, bool fresh, const char **ret,
                      int64_t *ret_expires_unix_s, struct cloud_error *err);

#endif

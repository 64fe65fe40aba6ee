/* Which token a request goes out with. Private to the room. */
#ifndef LLM_KUBERNETES_TOKEN_H
#define LLM_KUBERNETES_TOKEN_H

#include "base/secret.h"
#include "kubernetes/client.h"

/* Copies the token for a request into *ret, which the caller cleans up. `refused` is the one that
 * the cluster has just refused, or empty: then another one is asked for, unless another thread has
 * already got one; one thread renews while the others wait. 0, or -1 with *err (the callback's, or
 * CLOUD_ERROR_CREDENTIALS for a token that no header can carry), whose texts `a` owns. */
int kubernetes_token_get(struct cloud_client *c, const struct work *w, struct arena *a,
                         const struct secret *refused, struct secret *ret, struct cloud_error *err);

#endif

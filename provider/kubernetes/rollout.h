/* How far a cluster is with what it was asked for. Private to the room. */
#ifndef LLM_KUBERNETES_ROLLOUT_H
#define LLM_KUBERNETES_ROLLOUT_H

#include "value/value.h"

/* {state, message} of a Deployment, of a Service that wants a load balancer, or of a Namespace: see
 * driver.h. NULL for other objects, and when memory is out (arena_failed()). Owned by `a`. */
const struct value *kubernetes_rollout(struct arena *a, const struct value *object);

#endif

/* What of an object the field manager has applied. Private to the room. */
#ifndef LLM_KUBERNETES_APPLIED_H
#define LLM_KUBERNETES_APPLIED_H

#include "value/value.h"

/* The answer with each object of it, and of its `items`, without metadata.managedFields, and with a
 * members "applied" and "id" where `manager` has applied it, "managers" where it has not, and
 * "rollout": see driver.h. What is
 * no object of the API stays as it is. Owned by `a`; NULL when memory is out, or managedFields have
 * a key that makes no sense.
 */
const struct value *kubernetes_mark_applied(struct arena *a, const struct value *answer,
                                            const char *manager);

#endif

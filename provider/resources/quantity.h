/* Kubernetes quantities: "500m", "1.5Gi", "1e3". */
#ifndef LLM_RESOURCES_QUANTITY_H
#define LLM_RESOURCES_QUANTITY_H

#include "base/arena.h"
#include "base/slice.h"

/* The canonical form, which is what an API server gives back (apimachinery, resource.Quantity:
 * "no precision is lost, no fractional digits, the exponent is as large as possible"): "1000m" is
 * "1", "1024Mi" is "1Gi", "0.5" is "500m". Owned by `a`; NULL when it is no quantity, or memory is
 * out. */
const char *quantity_canonical(struct arena *a, struct slice text);

#endif

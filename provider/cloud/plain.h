/* Values as JSON has them, for comparing what was asked for with what an answer says. */
#ifndef LLM_CLOUD_PLAIN_H
#define LLM_CLOUD_PLAIN_H

#include "value/value.h"

/* `v` without the types that a schema gave it: lists and sets are tuples, maps are objects, members
 * that are null are left out. With `quantities`, texts and numbers that are quantities of
 * Kubernetes have one form for one amount ("1024Mi" and "1Gi"; resource.Quantity of its API:
 * suffixes of ten and of two, exponents, rounded up to the nano), which is for comparing alone. An
 * unknown stays at its place. Owned by `a`; NULL when memory is out. */
const struct value *plain_value(struct arena *a, const struct value *v, bool quantities);

/* A quantity's text as Kubernetes writes it (resource.Quantity, "CanonicalizeBytes"): "1024Mi" is
 * "1Gi", "0.5" is "500m". `v` itself when it is no text, no quantity, or has an exponent ("1e3").
 * Owned by `a`; NULL when memory is out. */
const struct value *plain_quantity(struct arena *a, const struct value *v);

/* The same, with numbers as the 32-bit ones that are nearest: an API may answer 0.1 as
 * 0.10000000149011612. */
const struct value *plain_float32(struct arena *a, const struct value *v);

/* Whether everything that `wanted` says, `has` says too: objects may have more members, lists may
 * not have more elements. An empty list or text may be left out. Both plain. */
bool plain_includes(const struct value *has, const struct value *wanted);

#endif

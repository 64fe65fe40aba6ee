/* The cores' own checks of what a provider plans and makes, in our words: OpenTofu's
 * internal/plans/objchange (AssertPlanValid in plan_valid.go, AssertObjectCompatible in
 * compatible.go), and the rules of internal/terraform for write-only attributes.
 * Where the core gives the provider the benefit of the doubt (the number of elements of sets that
 * hold unknowns, known plans of unknown sets), this one does not.
 */
#ifndef LLM_TESTS_ORACLE_H
#define LLM_TESTS_ORACLE_H

#include "schema/schema.h"

/* Is `planned` a plan that the core accepts, given prior state (NULL or null: create) and
 * configuration? Returns the number of violations and appends a line for each to `report`. */
size_t oracle_plan_valid(const struct schema *s, const struct value *prior,
                         const struct value *config, const struct value *planned,
                         struct buf *report);

/* Is `actual` (a result, or the plan that is made again at apply) a completion of `planned`? */
size_t oracle_compatible(const struct schema *s, const struct value *planned,
                         const struct value *actual, struct buf *report);

#endif

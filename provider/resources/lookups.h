/* Questions that the hooks of a resource ask of a cloud in one operation: noted as soon as it is
 * clear that they will be needed, asked side by side, each once. Answers live as long as the
 * operation (in context->arena). */
#ifndef LLM_RESOURCES_LOOKUPS_H
#define LLM_RESOURCES_LOOKUPS_H

#include "resources/composite.h"

/* Notes a question; `request` is an object (NULL: memory is out, and the answer will say so). */
void lookup_want(const struct composite_context *c, const struct cloud_operation *op,
                 const struct value *request);
/* Asks all that is noted and not asked yet. */
void lookup_ask(const struct composite_context *c);
/* The answer; asks now, with all that is noted, when that was not done. 0, or -1 with *ret_err. */
int lookup_answer(const struct composite_context *c, const struct cloud_operation *op,
                  const struct value *request, const struct value **ret,
                  struct cloud_error *ret_err);

#endif

/* What is found under a resource's name before it is made: who has it, or is making it. */
#ifndef LLM_RESOURCES_CLAIM_H
#define LLM_RESOURCES_CLAIM_H

#include "resources/composite.h"

/* An object of the resource's name that the state does not have, with its tags (an object or a map;
 * may be NULL). The name is taken when it is of a whole resource, or when another apply is making
 * it: -1 with a diagnostic. What an interrupted apply has left will be gone on with: 0 with a
 * warning; `unfinished` says so of one that carries no claim, and is NULL for a whole resource.
 * `what` and `object` are words for both: "node", "instance". */
int claim_check_found(const struct composite_context *c, const char *what, const char *object,
                      const struct value *tags, const char *id, const char *unfinished);
/* The same for a resource whose import id ends otherwise than with its name. */
int claim_check_named(const struct composite_context *c, const char *what, const char *object,
                      const struct value *tags, const char *id, const char *unfinished,
                      const char *import_name);

#endif

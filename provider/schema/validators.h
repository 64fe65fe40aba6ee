/* The checks of single values. Inside the room only. */
#ifndef LLM_SCHEMA_VALIDATORS_H
#define LLM_SCHEMA_VALIDATORS_H

#include "schema/schema.h"

/* Applies one validator to a known value; an error at `path` when it does not hold. A `sensitive`
 * value is not repeated in the message. */
void validator_apply(const struct schema_validator *v, const struct value *value, bool sensitive,
                     const struct path *path, struct diags *diags);

/* A known IPv4 network "a.b.c.d/n": 0, or -1 when the text is none. */
int cidr_parse(struct slice text, uint32_t *ret_address, int *ret_prefix);

#endif

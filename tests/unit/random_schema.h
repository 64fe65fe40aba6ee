/* Random schemas, configurations and states for generated tests. The same seed gives the same ones.
 */
#ifndef LLM_TESTS_RANDOM_SCHEMA_H
#define LLM_TESTS_RANDOM_SCHEMA_H

#include "schema/schema.h"

struct generator {
    struct arena *arena;
    uint64_t state; /* of the random numbers; not zero */
    bool unknowns;  /* configurations hold unknown values */
    bool merged;    /* a completion made elements of a set equal */
};

/* A number in [0, n). */
size_t random_below(struct generator *g, size_t n);

/* A schema as the compiler would accept it: nested attributes of every kind, three levels deep at
 * most, with every flag, defaults, replacements. */
const struct schema *random_schema(struct generator *g);

/* A configuration that the core would pass on: required attributes set, computed ones null. */
const struct value *random_config(struct generator *g, const struct schema *s);

/* Any wholly known state of the schema, as after drift or an import; write-only values null. */
const struct value *random_state(struct generator *g, const struct schema *s);

/* `v` with every unknown replaced by a known value of its type. */
const struct value *random_completion(struct generator *g, const struct value *v);

#endif

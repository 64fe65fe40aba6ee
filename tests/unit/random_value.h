/* Random types and values for generated tests. The same seed gives the same ones.
 *
 * What cty cannot hold is not made: elements of one collection always have one real type, and
 * strings are in normal form. */
#ifndef LLM_TESTS_RANDOM_VALUE_H
#define LLM_TESTS_RANDOM_VALUE_H

#include "value/value.h"

struct value_generator {
    struct arena *arena;
    uint64_t state; /* of the random numbers; not zero */
    bool unknowns;  /* values may be unknown, and refined */
};

/* A number in [0, n). */
size_t value_random_below(struct value_generator *g, size_t n);

/* A type at most `depth` collections or structures deep. */
const struct type *random_type(struct value_generator *g, unsigned depth);

/* A value of type `t`; parts of it may be null. NULL when memory is out. */
const struct value *random_value(struct value_generator *g, const struct type *t);

const struct number *random_number(struct value_generator *g);

#endif

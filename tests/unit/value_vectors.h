/* The golden vectors of golden/vectors.json, as go-cty made them. */
#ifndef LLM_TESTS_VALUE_VECTORS_H
#define LLM_TESTS_VALUE_VECTORS_H

#include "value/codec.h"

struct vector {
    const char *name;
    const struct type *type;
    struct slice type_json;
    struct slice msgpack;   /* as cty writes the value */
    struct slice from;      /* another form of it; the same as msgpack when there is none */
    struct slice json;      /* empty: cty has none */
    struct slice json_from; /* another form of it; the same as json when there is none */
    bool reordered;         /* a set of several elements is in it */
    bool refused;           /* cty refuses `msgpack`, or `json` when that is set */
};

/* All vectors and refusals, owned by `a`. NULL with a message on stderr when they cannot be read.
 */
const struct vector *vectors_load(struct arena *a, const char *file, size_t *ret_count);

#endif

/* The computed attributes of a resource, set one by one from what its components are, or will be.
 */
#ifndef LLM_RESOURCES_OUTPUTS_H
#define LLM_RESOURCES_OUTPUTS_H

#include "engine/engine.h"

struct outputs {
    struct arena *a;
    const struct records *records;
    const struct engine_changes *changes; /* NULL: what is, not what is planned */
    const struct value *v;                /* planned, with what is set so far; NULL: no memory */
};

void outputs_set(struct outputs *o, const char *name, const struct value *v);
/* Whether a plan makes this component, or makes it anew. */
bool outputs_made_new(const struct outputs *o, const char *component);
/* An attribute of a component as it is, or will be; NULL: absent. */
const struct value *outputs_attr(const struct outputs *o, const char *component, const char *attr);
/* The same as a text, in a plan unknown when it is not known yet. */
const struct value *outputs_text(struct outputs *o, const char *component, const char *attr);
/* Unknown of type `t` where `v` is, else null. */
const struct value *outputs_like(struct outputs *o, const struct value *v, const struct type *t);

/* Attribute `attr` of each component "PREFIXkey": a
 * map of texts by key, unknown ones included. NULL when memory is out. */
const struct value *outputs_map(struct outputs *o, const char *prefix, const char *attr);
/* The same as a list, in the order of the keys. */
const struct value *outputs_list(struct outputs *o, const char *prefix, const char *attr);

#endif

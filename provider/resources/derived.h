/* The `$derived` object of a resource, put together member by member. */
#ifndef LLM_RESOURCES_DERIVED_H
#define LLM_RESOURCES_DERIVED_H

#include "value/value.h"

enum { DERIVED_MOST = 64 };

struct derived {
    struct arena *arena; /* owns all of it */
    struct value_member members[DERIVED_MOST];
    size_t count;
    bool failed; /* a member could not be made: memory is out */
};

/* Adds a member; `name` outlives the object. `v` NULL: memory is out. */
void derived_put(struct derived *d, const char *name, const struct value *v);
/* A member that was added; NULL: there is none. */
const struct value *derived_get(const struct derived *d, const char *name);
/* What is not known yet, of any type. NULL when memory is out. */
const struct value *derived_unknown(struct derived *d);
/* The object of all members. NULL when memory is out. */
const struct value *derived_object(struct derived *d);

/* An object that grows by members. `failed`: memory is out; `unsure`: it is not known yet which
 * members it will have. */
struct derived_map {
    struct arena *a;
    struct value_member *items;
    size_t count, room;
    bool failed, unsure;
};

/* Adds a member; `key` and `v` NULL: memory is out. */
void derived_map_put(struct derived_map *m, const char *key, const struct value *v);
/* Unknown when it is unsure; NULL when memory is out. */
const struct value *derived_map_object(const struct derived_map *m);

/* The canonical text of a JSON document, as clouds' answers are compared with. NULL when `text` is
 * no JSON, or memory is out. */
const struct value *derived_json(struct arena *a, const struct buf *text);

#endif

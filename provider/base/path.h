/* The place of a value inside a resource, as the protocol's AttributePath has it: attribute names,
 * map keys (strings) and list indexes. Paths are immutable lists that share their parents. */
#ifndef LLM_BASE_PATH_H
#define LLM_BASE_PATH_H

#include <stdint.h>

#include "base/arena.h"
#include "base/slice.h"

enum path_step { PATH_ATTRIBUTE, PATH_KEY, PATH_INDEX };

struct path {
    const struct path *parent; /* NULL for the first step */
    enum path_step step;
    struct slice name; /* PATH_ATTRIBUTE, PATH_KEY */
    int64_t index;     /* PATH_INDEX */
};

/* A path one step longer than `parent` (NULL: a path of one step), owned by `a`. Names are copied.
 * NULL when memory is out. */
const struct path *path_attribute(struct arena *a, const struct path *parent, const char *name);
const struct path *path_key(struct arena *a, const struct path *parent, struct slice key);
const struct path *path_index(struct arena *a, const struct path *parent, int64_t index);

/* From a dotted string of attribute names ("network.cidr"); for constants in the sources. */
const struct path *path_parse(struct arena *a, const char *dotted);

/* Number of steps; 0 for NULL. */
size_t path_length(const struct path *p);

/* "network.cidr", "zones[0]", "tags[\"x\"]"; "" for NULL. Owned by `a`. */
const char *path_string(struct arena *a, const struct path *p);

const struct path *path_copy(struct arena *a, const struct path *p);

#endif

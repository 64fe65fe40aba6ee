/* What the plan-time checks of a node begin with on every cloud. */
#ifndef LLM_RESOURCES_GPU_NODE_CHECK_H
#define LLM_RESOURCES_GPU_NODE_CHECK_H

#include "resources/gpu_node.h"

struct gpu_node_checking {
    const struct composite_context *c;
    struct arena *a;
    const struct engine_changes *changes;
    const struct value *derived;
    struct gpu_node_models models;
    struct gpu_node_machines machines;
    const char *type; /* the machine that was decided on; NULL: any of `machines` */
};

/* 0, or -1 with a diagnostic. */
int gpu_node_check_begin(const struct composite_context *c, const struct engine_changes *changes,
                         const struct value *derived, struct gpu_node_checking *ret);

/* Whether the plan makes this component, or makes it anew. */
bool gpu_node_is_made(const struct gpu_node_checking *k, const char *component);
/* Whether the state has the node itself, with objects that are there: then one of its name that the
 * state lacks is what an update that was killed has made, and no other state's. */
bool gpu_node_has_name(const struct gpu_node_checking *k);
/* An instance of this name that the state does not have, with its tags (an object or a map; may be
 * NULL). Its name is taken when it is a whole node, or when another apply is making it: -1 with a
 * diagnostic. What an interrupted apply has left will be gone on with: 0 with a warning;
 * `unfinished` says so of one that carries no claim, and is NULL for a whole node. */
int gpu_node_check_found(const struct gpu_node_checking *k, const struct value *tags,
                         const char *id, const char *unfinished);
/* Whether the machine that is planned will run and is new, so that it needs offers and quota. */
bool gpu_node_needs_machine(const struct gpu_node_checking *k);
/* Whether the node may run on this machine. */
bool gpu_node_may_be(const struct gpu_node_checking *k, const struct catalog_machine *m);
const struct path *gpu_node_machine_path(const struct gpu_node_checking *k);

/* Whether a machine that may be used is offered in a zone that may be used. 0, or -1 with a
 * diagnostic. */
int gpu_node_check_offers(struct gpu_node_checking *k);

#endif

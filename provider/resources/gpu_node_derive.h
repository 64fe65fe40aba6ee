/* What every cloud's derive hook of a node begins with: models, machines, offers, and the members
 * of
 * `$derived`. */
#ifndef LLM_RESOURCES_GPU_NODE_DERIVE_H
#define LLM_RESOURCES_GPU_NODE_DERIVE_H

#include "resources/derived.h"
#include "resources/gpu_node.h"

/* One derive at work. */
struct gpu_node_derivation {
    const struct composite_context *c;
    const struct gpu_node_cloud *cloud;
    struct arena *a;
    const struct value *config;
    const char *name; /* NULL: unknown */
    struct gpu_node_models models;
    struct gpu_node_machines machines;
    struct gpu_node_offer *offers; /* NULL: not looked up */
    size_t offer_count;
    const struct record *instance; /* NULL: none */
    void *own;                     /* what only this cloud's hook knows */
    struct derived out;
};

/* Reads the configuration; ret->own is kept, all else set. 0, or -1 with a diagnostic. */
int gpu_node_derive_begin(const struct composite_context *c, struct gpu_node_derivation *ret);
/* The object of all members; NULL, with a diagnostic, when rc is not 0 or memory is out. `before`:
 * errors when it began. */
const struct value *gpu_node_derive_end(struct gpu_node_derivation *d, int rc, size_t before);

/* `v` NULL: memory is out. */
void gpu_node_put(struct gpu_node_derivation *d, const char *name, const struct value *v);
const struct value *gpu_node_unknown(struct gpu_node_derivation *d);
/* Of the configuration, by dotted path. */
const struct value *gpu_node_of(const struct gpu_node_derivation *d, const char *path);
/* Whether an attribute is set (negate: is null): true, false or unknown. */
const struct value *gpu_node_is_set(struct gpu_node_derivation *d, const char *path, bool negate);

/* An import has neither written configuration nor prior state. */
bool gpu_node_is_import(const struct composite_context *c);
/* A text of the instance that exists, or NULL. */
const char *gpu_node_instance_text(const struct gpu_node_derivation *d, const char *attr);

/* Whether the instance that exists is on a machine that may still be used. */
bool gpu_node_keeps_machine(const struct gpu_node_derivation *d);

/* Whether offers have to be looked up: `zones` says that they decide about zones. */
bool gpu_node_needs_offers(const struct gpu_node_derivation *d, bool zones);
/* Asks all that is noted, and takes the offers when `needed`. 0, or -1 with a diagnostic. */
int gpu_node_look_up(struct gpu_node_derivation *d, bool needed);

/* The machine's type, as the catalogue has it: null when placement decides, unknown when it cannot
 * be said. */
const struct value *gpu_node_machine_type(struct gpu_node_derivation *d);
/* Null leaves the zone to placement; a node whose zone is no longer allowed has to move. */
const struct value *gpu_node_zone_of(struct gpu_node_derivation *d);
/* Size of the model volume, or unknown. -1 with a diagnostic when it would have to shrink. */
int gpu_node_disk_gib(struct gpu_node_derivation *d, const struct value **ret);
/* Whether all that scripts and settings are made of is known. */
bool gpu_node_wholly_known(const struct gpu_node_derivation *d);
/* Whether an apply waits until the runtime serves: true, false or unknown. */
const struct value *gpu_node_wait_serving(struct gpu_node_derivation *d);

#endif

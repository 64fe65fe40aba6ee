/* One operation of a composite at work; shared by the files composite*.c. */
#ifndef LLM_RESOURCES_COMPOSITE_INTERNAL_H
#define LLM_RESOURCES_COMPOSITE_INTERNAL_H

#include "resources/composite.h"
#include "value/codec.h"

struct composite_run {
    const struct resource_type *type;
    struct request *request;
    struct work work;
    struct composite_context context;
    void *looked_up;
    const struct resource_cloud *cloud; /* NULL: not known yet */
    struct engine engine;
    struct engine_destroyer destroyer;
    struct engine_cloud inner; /* of the context */
    struct records records;
    const char *nonce;
    const struct value *derived;
    struct graph *graph;
    bool partial;
    struct engine_changes changes;
};

const struct composite *composite_of(const struct resource_type *t);
const struct resource_cloud *composite_cloud(const struct composite *c, const char *cloud);

/* Fills in driver, client and region as far as `config` says. 0 or -1 with a diagnostic. */
int composite_begin(struct composite_run *r, const struct resource_type *t, struct request *rq,
                    const char *operation, const struct value *config);
/* The deadline of the operation ("create", "update", "delete"), from now. */
void composite_work(struct composite_run *r, const char *operation, const struct value *config);
/* Credentials and account, or an error: for everything but a plan. */
int composite_online(struct composite_run *r, const char *doing);
/* The same for a plan: without credentials it goes on, and of a new resource it says which checks
 * are skipped. */
int composite_plan_online(struct composite_run *r, bool is_new, bool changes);
/* -1 with a diagnostic: neither the configuration nor the provider has a region. */
int composite_no_region(struct composite_run *r);
/* 0 or -1 with a diagnostic. */
int composite_engine(struct composite_run *r, const struct value *config);
const struct value *composite_identity(struct composite_run *r, const struct value *state);
const char *composite_new_nonce(struct arena *a);

/* A resource that replaces another is worked out like a new one: nothing of the old one is its own.
 */
void composite_forget_records(struct composite_run *r);

/* ---- composite_read.c ---- */

/* Finds the objects of `config` by their owner tags, as an import does. 0 or -1 with a diagnostic.
 */
int composite_discover(struct composite_run *r, const struct value *config);

/* ---- composite_state.c ---- */

/* Private state: {"v": 1, "nonce": …, "records": […]}. Empty bytes decode to nothing. */
int composite_private_decode(struct composite_run *r, struct slice bytes);
int composite_private_encode(struct composite_run *r, struct slice *ret);

/* `planned` with `components` as they will be. */
const struct value *composite_plan_components(struct composite_run *r, const struct value *planned);
/* `state` with `components` as they are. */
const struct value *composite_state_components(struct composite_run *r, const struct value *state);
/* Every unknown value, at any depth, becomes null. */
const struct value *composite_without_unknown(struct arena *a, const struct value *v);

#endif

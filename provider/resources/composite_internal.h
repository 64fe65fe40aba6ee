/* One operation of a composite at work; shared by composite.c and composite_state.c. */
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
/* 0 or -1 with a diagnostic. */
int composite_engine(struct composite_run *r, const struct value *config);
const struct value *composite_identity(struct composite_run *r, const struct value *state);
const char *composite_new_nonce(struct arena *a);

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

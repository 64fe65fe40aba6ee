/* The engine: turns a table of components into ordered, parallel work on cloud objects.
 *
 * It knows no cloud and no resource. It is given a graph (which components, with which inputs), the
 * records of what exists (from private state), and a driver. All results come back as records:
 * whatever happens, the records name every object that exists.
 *
 * Work of independent components runs in parallel on a bounded pool that the whole process shares;
 * calls are synchronous in their worker. Waiting for an object polls with growing pauses and does
 * not hold up other components. One deadline (work->deadline_ms) bounds everything; a soft cancel
 * starts nothing new and lets running calls end. */
#ifndef LLM_ENGINE_ENGINE_H
#define LLM_ENGINE_ENGINE_H

#include "cloud/component.h"

/* What is known of one cloud object. */
struct record {
    const char *name; /* component name: "subnet.private-a" */
    const struct component *component;
    const char *region;
    const struct value *attrs; /* object: inputs as last set, outputs as last seen */
    const struct value
        *drifted; /* object: attributes that refresh found to be different; NULL: none */
    const char *const *needs; /* names of the components it was built on: destroyed before them */
    size_t need_count;
    bool incomplete; /* created, but a later step or its readiness did not finish */
    bool missing;    /* refresh did not find it */
};

struct records {
    struct record *items; /* sorted by name */
    size_t count;
};

/* "ready", "missing", "incomplete" or "changed (attr, attr)"; owned by `a`. */
const char *record_state(struct arena *a, const struct record *r);

/* Private state: records as JSON, sensitive attributes left out. 0 or -1. */
int records_encode(struct buf *out, const struct records *r);
/* From JSON as records_encode() wrote it. A kind that `kinds` (NULL-terminated) does not have is an
 * error that names it: the state was written by a later version. */
int records_decode(struct arena *a, const struct value *json, const struct component *const *kinds,
                   struct records *ret, struct diags *diags);
struct record *records_find(const struct records *r, const char *name);

/* What a resource's code may decide while a component is created (hooks named in the table). */
struct engine_create_try {
    const struct component *component;
    const char *name;
    const struct value *inputs;      /* wholly known */
    const struct cloud_error *error; /* of the last try; NULL before the first */
    int tries;                       /* so far */
};

struct engine_hooks {
    void *self;
    /* For components with a `hook`: the inputs of the next try (changed attributes replaced), or 0
     * with *ret_inputs NULL when there is nothing left to try: the hook has then added the error
     * that says all that was tried; when it has not, the error of the last try is reported as that
     * of any component. Called before the first try and after each failed one. */
    int (*next_try)(void *self, struct arena *a, const char *hook,
                    const struct engine_create_try *t, const struct value **ret_inputs,
                    struct diags *diags);
    /* What a component that is there, with `actual` as its attributes, is set to before the others
     * are made, in the place of `inputs`: where it differs from them, the rest is set when all else
     * is done, because it takes away what they need. Any thread; owned by `a`. NULL: all is set at
     * once. The function NULL: not needed. */
    const struct value *(*first_inputs)(void *self, struct arena *a, const char *name,
                                        const struct value *actual, const struct value *inputs);
    /* Told of each object as soon as it exists, and again after each change, one at a time but from
     * any thread; `r` is the caller's. NULL: not needed. */
    void (*recorded)(void *self, const struct record *r);
};

/* What destroys components whose kind says `destroyed_by`. */
struct engine_destroyer {
    void *self;
    /* `attrs` are those of the component's record. Any thread. 0, or -1 with a diagnostic: what the
     * component was built on then stays. Called again by a later destroy, also after success. */
    int (*destroy)(void *self, struct arena *a, const struct component *kind,
                   const struct value *attrs, struct diags *diags);
};

/* A cloud that components are made on. */
struct engine_cloud {
    const struct cloud_driver *driver;
    struct cloud_client *client;
};

struct engine {
    const struct cloud_driver *driver;
    struct cloud_client *client;
    /* Clouds of components whose tables name another one than the driver's: what runs in a cluster
     * that this resource makes. */
    const struct engine_cloud *more;
    size_t more_count;
    const char *region, *account, *partition;
    const char *resource_type; /* "llm_gpu_node" */
    const struct value *name;  /* the resource's name: string, may be unknown at plan */
    const struct value *tags; /* of the resource: map of string; default and owner tags are added */
    const struct engine_hooks *hooks;         /* may be NULL */
    const struct engine_destroyer *destroyer; /* NULL: such components are only forgotten */
    const char *nonce; /* makes client tokens of this apply differ from those of earlier ones */
    /* The component whose tags say who is at work, and what they are to say while this apply makes
     * a resource that no state knows yet (engine_claim_new()). NULL: none; nothing is claimed. */
    const char *claimed, *claim;
};

/* Says, in a tag, that this process is at work on a resource, and until when at most: its deadline
 * and a minute. Holds a digest of the machine's boot and process namespace, and which process it
 * is, so that who runs there can tell whether it still lives. Owned by `a`; NULL when memory is
 * out. */
const char *engine_claim_new(struct arena *a, const struct work *w);

enum engine_claim {
    ENGINE_CLAIM_NONE, /* no such tag: a state has the resource */
    ENGINE_CLAIM_HELD, /* its maker is, or may be, at work */
    ENGINE_CLAIM_LEFT, /* its maker has ended without giving a state back */
};

/* What such a tag says at `now_s` (seconds since 1970). *ret_until_s: when it will be LEFT at the
 * latest; 0 with NONE. */
enum engine_claim engine_claim_of(struct slice text, int64_t now_s, int64_t *ret_until_s);

/* The claim among what is known; NULL: none. */
const struct value *record_claim(const struct engine *e, const struct records *r);

/* A graph: the components that the configuration asks for, with inputs still as templates. */
struct graph;

/* Expands `table` in the scope of `config`, `derived` and `secrets` (objects; may hold unknowns).
 * `when` or `for_each` that are unknown make *ret_partial true: the graph then holds what is
 * certain. */
int graph_expand(struct arena *a, const struct resource_cloud *table, const struct value *config,
                 const struct value *derived, const struct value *secrets, struct graph **ret,
                 bool *ret_partial, struct diags *diags);

enum engine_action {
    ENGINE_NONE,
    ENGINE_CREATE,
    ENGINE_UPDATE,
    ENGINE_REPLACE,
    ENGINE_DESTROY,
};

struct engine_change {
    const char *name;
    const struct component *component;
    enum engine_action action;
    const char *const *attrs; /* what differs (update, replace) */
    size_t attr_count;
    const char *const *warnings; /* of the updates that will run */
    size_t warning_count;
    const struct value *attrs_after; /* planned attributes; unknown where only the apply knows */
    const struct path *path;         /* of the attribute that it is made for; NULL: none */
};

struct engine_changes {
    struct engine_change *items; /* sorted by name; every component of graph and records */
    size_t count;
};

/* Compares graph and records without any call. */
int engine_plan(struct arena *a, const struct engine *e, const struct graph *g,
                const struct records *prior, struct engine_changes *ret, struct diags *diags);

/* Whether an object that is planned to be made is there already as somebody else's, on one of the
 * further clouds, or where its table says what to do about it: an error for each, at the path of
 * its change. What cannot be asked is passed over: the apply will say it. 0 or -1. */
int engine_check_taken(struct arena *a, const struct engine *e, const struct work *w,
                       const struct engine_changes *changes, struct diags *diags);

/* Whether `c`, planned with `g` and `r`, replaces or removes what another object of `r`, which
 * stays, was built on: it would still be in use. */
bool engine_undermines(const struct graph *g, const struct records *r,
                       const struct engine_changes *c);

/* Makes the graph real: creates, updates and replaces in the order of the references, then removes
 * what the graph no longer has, in reverse. *ret is always filled with all that exists afterwards,
 * also on -1. */
int engine_apply(struct arena *a, const struct engine *e, const struct work *w,
                 const struct graph *g, const struct records *prior, struct records *ret,
                 struct diags *diags);

/* Reads every record at once, many per call where the API can, and fills in attrs and drift.
 * Objects that are gone stay in the records with drift "missing". When one of the further clouds
 * gives no answer, the records of its objects stay as they are, and a warning says so. */
int engine_refresh(struct arena *a, const struct engine *e, const struct work *w,
                   const struct records *prior, struct records *ret, struct diags *diags);

/* Removes everything in `prior`, dependants first. *ret holds what is left (empty on 0). */
int engine_destroy(struct arena *a, const struct engine *e, const struct work *w,
                   const struct records *prior, struct records *ret, struct diags *diags);

/* Looks for existing objects of the graph's components by their owner tags or names; those whose
 * tags say that they are not this resource's are passed over. When there are any, those that
 * settings which are wanted no more have made (engine_find_others()) are found too. */
int engine_find(struct arena *a, const struct engine *e, const struct work *w,
                const struct graph *g, struct records *ret, struct diags *diags);

/* What this resource has in the cloud under keys of a for_each that `known` does not have, of kinds
 * that can be listed, and what belongs to those keys. `config`: what the names of such objects are
 * made of. *ret holds those found; lists that are refused have nothing. 0, or -1 when memory is
 * out.
 */
int engine_find_others(struct arena *a, const struct engine *e, const struct work *w,
                       const struct resource_cloud *table, const struct value *config,
                       const struct records *known, struct records *ret);

/* Inputs of found components that reading does not answer are taken to be as `g` wants them: called
 * with a graph that was worked out with what was found. `known` (may be NULL): what they may refer
 * to besides. 0 or -1 with a diagnostic. */
int engine_take_unread(struct arena *a, const struct engine *e, const struct graph *g,
                       const struct records *known, struct records *found, struct diags *diags);

/* What an interrupted apply has left of a resource, and `known` (what the state has; may be empty)
 * does not: components without a record, or whose object is missing, are looked for as
 * engine_find() does, and what other settings have made. *ret holds those found, marked as
 * incomplete, so that an apply with `known` and these as its prior records goes on from there.
 * Searches that fail find nothing. 0, or -1 when memory is out. */
int engine_adopt(struct arena *a, const struct engine *e, const struct work *w,
                 const struct graph *g, const struct records *known, struct records *ret);

/* The secrets of found objects cannot be read, so that they may be others than those that are
 * wanted now: the version that stands for each becomes one that is nobody's (-1), and the apply
 * sets the secret. 0, or -1 when memory is out. */
int engine_distrust_secrets(struct arena *a, struct records *found);

/* Puts copies of the records of `more` into `r`, in the place of those of the same names. 0, or -1
 * when memory is out. */
int records_merge(struct arena *a, struct records *r, const struct records *more);

/* Runs job(self, 0), job(self, 1) … side by side, as many as the process-wide bound allows, and
 * returns when all have ended. Each must work in an arena of its own. After a cancel no further one
 * starts. 0, or -1 when one did not return 0 or did not run. */
int engine_parallel(size_t count, int (*job)(void *self, size_t index), void *self,
                    const struct cancel *cancel);

/* One attribute of one component in records or in planned changes: for outputs. NULL: absent. */
const struct value *records_attr(const struct records *r, const char *name, const char *attr);
const struct value *changes_attr(const struct engine_changes *c, const char *name,
                                 const char *attr);

#endif

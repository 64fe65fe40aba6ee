/* What the files of the engine share. */
#ifndef LLM_ENGINE_INTERNAL_H
#define LLM_ENGINE_INTERNAL_H

#include "engine/engine.h"

/* ---- object.c ---- */

/* Where a component is made: the cloud that its table names, or else the engine's own. */
struct engine_cloud engine_cloud_of(const struct engine *e, const struct component *c);
/* Whether it is made on one of the engine's further clouds, and that one gave no answer. */
bool engine_is_out_of_reach(const struct engine *e, const struct component *c,
                            const struct cloud_error *err);

/* ---- graph.c ---- */

struct node {
    const char *name;
    const struct resource_component *entry;
    const struct component *component;
    const char *key;          /* of for_each; NULL: none */
    const struct value *each; /* the member of for_each */
    size_t *deps;             /* indexes of the nodes that this one refers to */
    size_t dep_count;
};

struct graph {
    const struct resource_cloud *table;
    const struct value *config, *derived, *secrets;
    struct node *nodes;
    size_t count, room;
    const char **unsure; /* entries that may or may not be there */
    size_t unsure_count;
};

/* An attribute of another component as far as it is known: the value, an unknown one, or NULL when
 * the component is there but has no such value. */
typedef const struct value *(*graph_resolve)(void *self, struct arena *a, const char *component,
                                             const char *attr);

/* The inputs of a node: an object with the attributes that are set, of their types, tags merged.
 * NULL with diagnostics on error. */
const struct value *graph_inputs(struct arena *a, const struct engine *e, const struct graph *g,
                                 const struct node *n, graph_resolve resolve, void *self,
                                 struct diags *diags);

/* Where the configuration has what a node is made for, as far as it goes: owned by `a`; NULL: it is
 * made for no attribute, or the attribute is not set. */
const struct path *graph_path(struct arena *a, const struct graph *g, const struct node *n);

const struct node *graph_find(const struct graph *g, const char *name);

/* A graph of what `known` and `more` (may be NULL) have, without calls or configuration: nodes with
 * the keys that they have, and nothing of their for_each but that. NULL when memory is out. */
struct graph *graph_of_records(struct arena *a, const struct resource_cloud *table,
                               const struct value *config, const struct records *known,
                               const struct records *more);

/* Whether two entries have the same for_each, by reference. */
bool graph_same_each(const struct resource_component *x, const struct resource_component *y);

/* Adds a node for `key` of each component that has the for_each of `entry`, where there is none. 0,
 * or -1 when memory is out. */
int graph_add_key(struct arena *a, struct graph *g, const struct resource_component *entry,
                  const char *key);

/* ---- schedule.c ---- */

enum schedule_status { SCHEDULE_WAITING, SCHEDULE_RUNNING, SCHEDULE_DONE, SCHEDULE_FAILED };

struct schedule {
    size_t count;
    const size_t *const *deps; /* per job: those that must be done before it */
    const size_t *dep_counts;
    int (*run)(void *self, size_t job); /* in a thread of its own; 0 or -1 */
    void *self;
    const struct cancel *cancel;  /* set: nothing new starts */
    bool keep_going;              /* a failure keeps only its dependants from starting */
    enum schedule_status *status; /* `count` entries, filled in */
};

/* Runs the jobs, as many at once as the process-wide bound allows. 0 when all are done, else -1. */
int schedule_run(struct schedule *s);

/* ---- compare.c ---- */

/* Attributes of `desired` that differ from `actual` and that the component is compared by. Tags
 * that others set are passed over. */
int compare_attrs(struct arena *a, const struct engine *e, const struct component *c,
                  const struct value *desired, const struct value *actual, const char *const **ret,
                  size_t *ret_count);

/* Whether an attribute is not as it is wanted. */
bool attr_differs(struct arena *a, const struct engine_cloud *at, const struct component_attr *attr,
                  const struct value *desired, const struct value *actual);

/* Whether what was read says all that was set, and what it says besides is the cloud's to fill in.
 */
bool attr_includes(struct arena *a, const struct component_attr *attr, const struct value *seen,
                   const struct value *set);

/* Attributes with what drifted on top: what the cloud has. */
const struct value *record_actual(struct arena *a, const struct record *r);

const struct component_attr *component_attr_find(const struct component *c, const char *name);

/* ---- object.c, object_read.c: one object at work, in one thread ---- */

/* What was answered last, for who asks the same again. */
struct object_answer {
    const struct cloud_operation *op;
    const struct value *request, *answer;
};

struct object {
    const struct engine *engine;
    const struct work *work;
    struct arena *a;
    const struct component *component;
    const char *name;
    const struct value *attrs;   /* object: what is wanted, on top of what is there */
    int repeats;                 /* of calls that the cloud refused, for new tokens */
    const struct value *prior;   /* object: what was there before; NULL: nothing */
    const struct value *item;    /* as last read; NULL: not read since the last change */
    const struct value *element; /* of the step's `each` */
    bool destroying;
    struct object_answer *last; /* of a read, which is not made again; NULL: each is made */
    struct cloud_error error;   /* of the last call that failed */
    struct diags *diags;
    /* Called as soon as the object exists, and after each change. NULL: nobody is told. */
    void (*changed)(void *self, const struct object *o);
    void *self;
};

enum object_found { OBJECT_FAILED = -1, OBJECT_GONE, OBJECT_FOUND };

/* A template in the object's scope. */
int object_eval(struct object *o, const struct template *t, const struct value **ret);
/* Reads it into o->item, and attributes from there into o->attrs when `take`. */
enum object_found object_read(struct object *o, bool take);
/* Whether an extra read is wanted: its `when_attr` is set in `attrs`, or it has none. */
bool object_wants(const struct component_read *r, const struct value *attrs);
/* Looks for it by tags or name; found: o->attrs are what the cloud has, o->item its answer. */
enum object_found object_find(struct object *o);
/* The names that `r` lists, on all pages: a tuple of texts. */
enum object_found object_list(struct object *o, const struct component_read *r,
                              const struct value **ret);
/* Whether the tags of o->attrs say that the object is this resource's component. */
bool object_is_owned(const struct object *o);
/* The attributes that an item of a read shows, on top of `attrs`. `extra` is the name of the extra
 * read that the answer is of, or NULL. */
const struct value *object_attrs_from(struct arena *a, const struct component *c,
                                      const struct value *attrs, const struct value *item,
                                      const char *extra);
/* Waits until the state is one of `ready`, or the object is gone (`want_gone`). */
int object_wait(struct object *o, const struct component_states *s, bool want_gone);
/* As object_wait, but looks at what `r` reads: an update, for example. */
int object_wait_for(struct object *o, const struct component_states *s,
                    const struct component_read *r);
/* The state of an item. */
enum object_state { OBJECT_PENDING, OBJECT_READY, OBJECT_STATE_GONE, OBJECT_STATE_FAILED };
enum object_state object_state_of(struct arena *a, const struct component_states *s,
                                  const struct value *item);

/* Reads it: whether its making has failed for good. */
bool object_is_unmade(struct object *o);
/* Reads it: whether its last change has failed, so that waiting for it is of no use. */
bool object_has_failed(struct object *o);

/* ---- taken.c ---- */

/* Looks whether what `o` is to be is there already, and another's: then adds the error that says
 * so. o->attrs are the inputs. */
bool object_is_taken(struct object *o);

/* ---- held.c ---- */

/* Whether the last call, which was to destroy `o` and was refused for `for_ms` now, was refused
 * because of what others have put in its way, that has had its time to go. Then o->error says what
 * that is, and what to do. `last`: it is not going to be called again, so that this is the time. */
bool object_is_held(struct object *o, int64_t for_ms, bool last);

int object_run_steps(struct object *o, const struct component_step *steps, size_t count);
/* Creates it with o->attrs, to readiness. With `tries` a placement error is left to the caller: -1
 * with o->error set and no diagnostic. */
int object_create(struct object *o, bool tries);
/* The steps after the create call: readiness, and attributes that the create did not carry. */
int object_complete(struct object *o);
/* Sets the named attributes to o->attrs. */
int object_update(struct object *o, const char *const *attrs, size_t count);
int object_destroy(struct object *o);
/* "creating VPC \"vpc\"" … and the error of the last call. -1. */
int object_report(struct object *o, const char *doing);

/* ---- claim.c ---- */

/* Takes the claim away, when there is one; a warning when that fails. */
void claim_release(struct arena *a, const struct engine *e, const struct work *w,
                   struct records *records, struct diags *diags);

/* ---- records.c ---- */
int records_put(struct arena *a, struct records *r, const struct record *item);
void records_remove(struct records *r, const char *name);
int records_copy(struct arena *a, struct records *to, const struct records *from);

#endif

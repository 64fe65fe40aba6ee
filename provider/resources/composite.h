/* A composite resource: a table of components plus the few hooks that data cannot say. composite*.c
 * implement every operation of struct resource_type over the engine; a new composite is a resource
 * file and one `const struct composite`. */
#ifndef LLM_RESOURCES_COMPOSITE_H
#define LLM_RESOURCES_COMPOSITE_H

#include "engine/engine.h"
#include "resources/provider.h"

/* What a hook may use. client is NULL when the provider is not configured or its configuration is
 * not known yet; `online` says that credentials were had, so that calls make sense. */
struct composite_context {
    struct request *request;
    struct arena *arena;
    const struct cloud_driver *driver;
    struct cloud_client *client;
    bool online;
    const struct work *work;
    const char *cloud, *region;   /* NULL: not known yet */
    const char *account;          /* "" when not known */
    const struct value *config;   /* as planned: defaults filled in */
    const struct value *secrets;  /* as written: with the write-only values (apply and plan only) */
    const struct value *prior;    /* prior state; NULL: none */
    const struct value *replaced; /* state of what this plan destroys first; NULL: nothing */
    const struct records *records; /* what exists; never NULL */
    bool planning;                 /* a plan: the check hook may follow */
    /* In an apply what the plan's derive decided (struct composite); NULL: nothing. */
    const struct value *decided;
    /* Where components of another cloud are: what inner_cloud() gave; NULL: the composite has none.
     */
    const struct engine_cloud *inner;
    void **looked_up; /* for what the hooks have asked in this operation; starts as NULL, and lives
                         in `arena` */
    struct diags *diags;
};

struct composite {
    const struct resource_table *table;
    const char *example; /* of a name, for messages */

    /* Checks across attributes that schema rules cannot say; unknowns are passed over. May be NULL.
     */
    int (*validate)(struct arena *a, const struct value *config, struct diags *diags);

    /* The `$derived` object: names, sizes, choices; unknown where an input is unknown. Called at
     * plan and at apply; given the same inputs (and prior records) it must give the same result. */
    int (*derive)(const struct composite_context *c, const struct value **ret);

    /* Members of `$derived` that rest on answers of the cloud: what the plan has decided is handed
     * to the apply's derive as `decided`, so that it decides the same, without asking again.
     * NULL-terminated; may be NULL. */
    const char *const *decisions;

    /* Plan-time checks against the cloud (quota, names, offers), only when `online` and something
     * is to be created or changed; never called in a plan that changes nothing. May be NULL. */
    int (*check)(const struct composite_context *c, const struct engine_changes *changes,
                 const struct value *derived);

    /* An attribute that changes, and makes another resource of it, where that is not so on every
     * cloud (the schema says what is): NULL: there is none. Owned by `a`. May be NULL. */
    const struct path *(*replaced_by)(struct arena *a, const struct value *prior,
                                      const struct value *planned);

    /* Whether a difference of an attribute ("network.cidr") for which the schema makes another
     * resource is none, because one of both says what the other means anyway. May be NULL. */
    bool (*means_the_same)(const struct value *prior, const struct value *planned,
                           const char *attribute);

    /* Whether the resource may be destroyed, by its state, and, when it is to be replaced, by its
     * configuration too; asked in the plan, and before the first call. 0, or -1
     * with a diagnostic. May be NULL: it may. */
    int (*may_destroy)(struct request *rq, const struct value *prior);

    /* The cloud of components that are inside what the resource makes, or names (a cluster). Makes
     * no call; lives in c->arena; a `driver` that stays NULL: this one has no such components. 0,
     * or -1 with a diagnostic. May be NULL: there are none. */
    int (*inner_cloud)(const struct composite_context *c, struct engine_cloud *ret);

    /* Sets the computed attributes from derived values and records (or planned changes: unknown
     * where they are). `planned` has configuration and defaults. */
    int (*outputs)(const struct composite_context *c, const struct value *derived,
                   const struct value *planned, const struct records *records,
                   const struct engine_changes *changes, /* NULL at apply and read */
                   const struct value **ret);

    /* The component whose tags say that an apply is at work on a resource that no state knows yet;
     * NULL: none. Where it depends on the configuration, `claimed_of` says it. */
    const char *claimed;
    const char *(*claimed_of)(const struct value *config);

    /* Engine hooks (placement); NULL: none. The object lives for one apply. */
    int (*hooks_new)(const struct composite_context *c, const struct value *derived,
                     struct engine_hooks *ret);

    /* Destroys a component whose kind says `destroyed_by` (`what`): its attributes as recorded. Any
     * thread; c->arena and c->diags are the thread's. 0, or -1 with a diagnostic. May be NULL. */
    int (*destroy)(const struct composite_context *c, const char *what, const struct value *attrs);

    /* The name in identities and import ids, where one of a resource says more than `name`: a text,
     * NULL when it is not known yet, or memory is out. NULL: it is `name`. */
    const struct value *(*identity_name)(struct arena *a, const struct value *state);
    /* The other way round: `config` (cloud and region) with what such a name stands for. NULL with
     * a diagnostic. NULL: the name is `name`. */
    const struct value *(*import_name)(struct arena *a, const struct value *config,
                                       struct slice name, struct diags *diags);

    /* The configuration that found objects stand for (import): attributes by name. */
    int (*describe)(const struct composite_context *c, const struct records *found,
                    const struct value **ret);
};

/* One call; `request` is an object (NULL: memory is out). 0 or -1 with *err. */
int composite_call(const struct composite_context *c, struct arena *a,
                   const struct cloud_operation *op, const struct value *request,
                   const struct value **ret, struct cloud_error *err);

/* The operations for `struct resource_type`; `table` there points to a struct composite. */
int composite_validate(const struct resource_type *t, struct request *rq,
                       const struct value *config);
int composite_plan(const struct resource_type *t, struct request *rq,
                   const struct resource_plan_args *args, struct resource_plan_result *ret);
int composite_apply(const struct resource_type *t, struct request *rq,
                    const struct resource_apply_args *args, struct resource_apply_result *ret);
int composite_read(const struct resource_type *t, struct request *rq,
                   const struct resource_read_args *args, struct resource_apply_result *ret);
int composite_import(const struct resource_type *t, struct request *rq,
                     const struct resource_import_args *args, struct resource_apply_result *ret);
int composite_upgrade(const struct resource_type *t, struct request *rq, int64_t version,
                      struct slice json, const struct value **ret);

#endif

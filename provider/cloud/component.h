/* Component descriptors: one const table per kind of cloud object, compiled from
 * schemas/components/<cloud>/<kind>.json (format: schemas/README.md). */
#ifndef LLM_CLOUD_COMPONENT_H
#define LLM_CLOUD_COMPONENT_H

#include "cloud/driver.h"
#include "cloud/template.h"

enum component_change {
    COMPONENT_REPLACE, /* a different value needs a new object */
    COMPONENT_UPDATE,  /* one of `updates` can set it */
    COMPONENT_KEEP,    /* only used at creation; later differences do not matter */
};

struct component_attr {
    const char *name;
    const struct type *type;
    enum component_change change;
    bool input;  /* set by the resource */
    bool output; /* known from the cloud's answers */
    bool required;
    bool sensitive; /* never recorded or printed; differences are seen through `version_of` */
    bool in_create; /* the create call carries it; otherwise the matching update follows it */
    bool is_set;    /* compared without order, and duplicates ignored */
    bool tags;      /* the object's tags: owner tags and default tags are merged in */
    bool owner;     /* the owner tags alone, of an object that has no tags (in a description) */
    const char *read_path; /* in the item that `read` selects; NULL: keeps what was recorded */
    enum template_transform read_as;
    const char *version_of;             /* of a sensitive input: the input that changes with it */
    const struct value *absent;         /* what it means that read_path is not there; NULL: null */
    enum template_transform compare_as; /* what two values become before they are compared */
    bool defaults;          /* an answer may say more than was set: the cloud fills it in */
    bool if_set;            /* found, but not asked for: not recorded, and so never a drift */
    const char *read_where; /* "name=value": picks one of a list before read_path's last part */
};

/* A value taken from an answer into an attribute. */
struct component_output {
    const char *attr;
    const char *path;
    enum template_transform as;
};

enum component_each { COMPONENT_ONCE, COMPONENT_EACH_ADDED, COMPONENT_EACH_REMOVED };

/* States of an object, as the cloud names them; a name that ends in '*' is a prefix. A state in
 * none of the lists counts as pending. */
struct component_states {
    const char *path; /* in the read item; NULL: existing is being ready */
    const char *const *pending;
    size_t pending_count;
    const char *const *ready;
    size_t ready_count;
    const char *const *gone; /* listed by the API, yet no longer there */
    size_t gone_count;
    const char *const *failed;
    size_t failed_count;
    const char *const *unmade; /* failed, and only another object in its place helps */
    size_t unmade_count;
    const char *const *undeleted; /* of the failed ones: its deletion has failed */
    size_t undeleted_count;
    /* The cloud's words for a failure, or for what is in the way, a text or a list; NULL: none */
    const char *reason_path;
    const char *gone_path; /* an item that has this is gone ("DeletedDate"); NULL: none */
    /* Inputs that a ready object has as they are wanted; one that has not has gone back to what it
     * was before. */
    const char *const *expect;
    size_t expect_count;
};

struct component_read {
    const struct cloud_operation *op;
    const struct template *request; /* "$ids" is the list of ids when batch is set */
    bool batch;                     /* one call reads many */
    const char *items; /* where the objects are ("vpcSet.*"); NULL: the answer itself */
    /* Path in an item that equals match_attr; NULL: the only item. Without `items`, an answer that
     * does not match is of another object that has taken its place. */
    const char *match;
    const char *match_attr; /* NULL: the component's id attribute */
    /* Path without which an answer is of no such object, for what is a part of another one; only
     * without `items`. NULL: every answer is one. */
    const char *present;
    /* Codes that mean it does not exist, "Code" or "Code:part of the message". */
    const char *const *not_found;
    size_t not_found_count;
    const char *next_token; /* "NextToken": more pages when the answer has it; NULL: one page */
    const char
        *when_attr; /* of an extra read: made only when this attribute is set; NULL: always */
};

/* One step of a create, update or delete: a call, or a wait until the object has a state. */
struct component_step {
    const struct cloud_operation *op; /* NULL: a wait */
    const struct template *request;
    const struct component_output *outputs;
    size_t output_count;
    enum component_each each; /* once per member of `each_attr` that came or went */
    const char
        *each_attr; /* a set or map attribute; "$element" is the member (map: {key, value}) */
    /* "power", or "prior.gateway_id" for the value before the update (null in a create). The step
     * is skipped when the attribute is null, false or empty; with when_equals, unless it is that
     * string. */
    const char *when_attr;
    const char *when_equals;
    const char
        *unless_attr; /* skipped when it is set; with unless_equals, when it is that string */
    const char *unless_equals;
    const char *const *tolerate; /* codes that count as success */
    size_t tolerate_count;
    /* Codes that pass with time (eventual consistency, dependencies), "Code" or "Code:part of the
     * message". Retried for retry_ms at most; 0: two minutes in create and update, until the
     * deadline in destroy. */
    const char *const *retry;
    size_t retry_count;
    int64_t retry_ms;
    /* Codes that say that what an earlier step of the list has read is outdated (a fingerprint):
     * the list begins again. */
    const char *const *restart;
    size_t restart_count;
    const struct component_states *wait; /* when op is NULL */
    /* What the wait looks at, such as an update with an end of its own; NULL: the object's `read`
     */
    const struct component_read *wait_read;
    bool wait_gone; /* wait until the object is gone */
};

struct component_update {
    const char *const *attrs; /* any of them differs: the steps run once */
    size_t attr_count;
    const char *warning; /* shown at plan ("stops and starts the instance"); NULL: none */
    const struct component_step *steps;
    size_t step_count;
};

/* More calls for attributes that `read` does not answer (an attribute's read_path starts with
 * "<name>:" to select from this answer). */
struct component_extra_read {
    const char *name;
    struct component_read read;
};

/* What may keep an object from being deleted, and how to ask for it. */
struct component_held {
    /* Refusals of the calls that destroy it which say that something does, "Code" or "Code:part of
     * the message". */
    const char *const *codes;
    size_t code_count;
    /* `name` is what it is ("attached policy"); the items are names, or have them at `match`. */
    const struct component_extra_read *by;
    size_t by_count;
    const char *advice;  /* what to do: sentences */
    int64_t patience_ms; /* how long it may still go by itself; 0: until the time is up */
};

struct component {
    const char *kind;  /* "aws_vpc" */
    const char *cloud; /* "aws" */
    const char *title; /* "VPC" */
    bool hidden;       /* a look-up, not an object: not listed in `components` */
    bool adopt_only;   /* never created or deleted here, only waited for */
    bool put_back; /* an update of another kind takes it away: it is made again when that fails */
    /* Nothing of its own, but a place in the order: when it is destroyed, code of the resource by
     * this name clears away what others have made meanwhile. NULL: `destroy` below. */
    const char *destroyed_by;
    /* What to do when there is one already that is not this resource's: sentences. Such an object
     * is looked for in the plan of a resource that exists. NULL: it is not looked for. */
    const char *taken;
    const struct component_attr *attrs;
    size_t attr_count;
    const char *id_attr; /* the attribute that reads and deletes work from */
    const char
        *display; /* the attribute shown as the id in `components` (an ARN where there is one) */
    const struct component_step *create;
    size_t create_count;
    struct component_states states; /* readiness after create and update */
    struct component_read read;     /* op NULL: never read again */
    const struct component_extra_read *extra_reads;
    size_t extra_read_count;
    struct component_read find; /* by tags or name, for import and resume; op NULL: none */
    /* What lists objects of this kind, whoever has made them: the items are names, have them at
     * `match`, or as id_attr is read. The key of one is what its name has more than id_attr, or
     * match_attr, has with an empty key. op NULL: none. */
    struct component_read list;
    const struct component_update *updates;
    size_t update_count;
    const struct component_step *destroy;
    size_t destroy_count;
    struct component_held held;     /* no codes: nobody is asked */
    const char *const *permissions; /* "ec2:CreateVpc" */
    size_t permission_count;
    int64_t poll_ms, poll_max_ms; /* first and longest pause between reads while waiting */
};

/* One entry of a resource's component list. */
struct resource_component {
    const char *name; /* "subnet.private-{key}" */
    const struct component *component;
    const struct template *for_each; /* NULL: one; else a map (key -> each.value) */
    const struct template *when;     /* NULL: always; else present when it is set and not false */
    const char *when_equals;         /* NULL, or the string that `when` must equal */
    const struct template *inputs;   /* an object template */
    const char *const *after;        /* order without a reference */
    size_t after_count;
    const char *hook; /* a named hook of the resource that makes this component; NULL: the table */
    /* Which of the resource's attributes it is made for: a list of names, from the outermost
     * attribute on, where keys of maps are names too. Its errors are shown there. NULL: of none. */
    const struct template *attribute;
};

struct resource_cloud {
    const char *cloud;
    const struct resource_component *components; /* in an order that respects the references */
    size_t component_count;
};

/* A composite resource: what resources/composite*.c work from. */
struct resource_table {
    const char *type_name;
    const struct resource_cloud *clouds;
    size_t cloud_count;
};

#endif

/* Templates: constant trees with references, which become values in a scope. They are how the
 * component and resource files say what goes into a request or an input.
 *
 * References (see schemas/README.md): a string that starts with '$' in the file. There are no
 * expressions: only references, structure, "the first of these that is set", and named
 * transformations of one value. */
#ifndef LLM_CLOUD_TEMPLATE_H
#define LLM_CLOUD_TEMPLATE_H

#include "value/value.h"

enum template_kind {
    TEMPLATE_LITERAL, /* `literal` */
    TEMPLATE_REF,     /* root.path in the scope */
    TEMPLATE_OBJECT,  /* members with names */
    TEMPLATE_TUPLE,   /* members without */
    TEMPLATE_FIRST,   /* the first member that is set (neither absent nor null) */
    TEMPLATE_JOIN,    /* the members' texts, one after the other; absent when one of them is */
};

/* Transformations of one value ("as" in the files). */
enum template_transform {
    TRANSFORM_NONE,
    TRANSFORM_TAGS,           /* map -> [{Key, Value}], sorted */
    TRANSFORM_TAGS_LOWER,     /* map -> [{key, value}] */
    TRANSFORM_TAG_KEYS,       /* map -> [{Key}] */
    TRANSFORM_KEYS,           /* map -> [key] */
    TRANSFORM_VALUES,         /* map -> [value], in the order of the keys */
    TRANSFORM_JSON,           /* any -> its JSON text */
    TRANSFORM_JSON_PARSE,     /* JSON text -> value */
    TRANSFORM_BASE64,         /* string -> base64 */
    TRANSFORM_BASE64_DECODE,  /* base64 -> the text in it */
    TRANSFORM_STRING,         /* number, bool -> string */
    TRANSFORM_NUMBER,         /* string -> number */
    TRANSFORM_BOOL,           /* "true"/"false" -> bool */
    TRANSFORM_TAGS_MAP,       /* [{key|Key, value|Value}] -> map */
    TRANSFORM_JSON_DOCUMENT,  /* JSON text, percent-encoded or not -> its canonical JSON text */
    TRANSFORM_LIST,           /* a single value -> [value] */
    TRANSFORM_FIRST_OF,       /* [x, …] -> x; null when empty */
    TRANSFORM_BASENAME,       /* "…/zones/us-east1-b" -> "us-east1-b" */
    TRANSFORM_WITHOUT_SCHEME, /* "https://host/path" -> "host/path" */
    TRANSFORM_RELATIVE,     /* "https://…/projects/p/x" -> "projects/p/x", the resource's name */
    TRANSFORM_UNLESS_EMPTY, /* null for an empty map, list or string */
    TRANSFORM_PLAIN,        /* for comparing: as JSON has it (cloud/plain.h) */
    TRANSFORM_QUANTITIES,   /* the same, with amounts of Kubernetes in one form */
    TRANSFORM_FLOAT32,      /* the same, with numbers as those of 32 bits that are nearest */
};

struct template_member {
    const char *name; /* NULL in tuples and "first" */
    const struct template *value;
};

struct template
{
    enum template_kind kind;
    enum template_transform transform;
    const struct value *literal;
    /* In a resource's component list: "config", "secrets", "derived", "each", or a component's name
     * as it is written there ("subnet.private-{key}", "subnet.private-*"). In a component's
     * requests: "" for its own attributes, "prior", "token", "element", "ids", "owner_filter",
     * "region", "account", "partition". */
    const char *root;
    const char *path; /* dotted; NULL: the root itself */
    const struct template_member *members;
    size_t member_count;
};

/* Looks up root.path. Sets *ret to the value (unknown when it is not known yet), or to NULL when
 * the reference names something that does not exist in this graph (a component whose condition is
 * false). 0, or -1 on a failure already reported elsewhere. */
typedef int (*template_lookup)(void *self, struct arena *a, const char *root, const char *path,
                               const struct value **ret);

/* The template's value. Object members that are absent or null are left out, and an object or tuple
 * of which no member is left is absent itself; an unknown anywhere stays unknown at its place; a
 * transformation of an unknown is unknown. *ret NULL: absent. */
int template_eval(struct arena *a, const struct template *t, template_lookup lookup, void *self,
                  const struct value **ret);

/* Applies one transformation; unknown and null stay as they are (of dynamic type). NULL when the
 * value does not fit it. */
const struct value *template_transform(struct arena *a, enum template_transform tr,
                                       const struct value *v);

/* Selects from an answer: "vpcSet.0.vpcId" (a number is an index), "instancesSet.*.instanceId"
 * (all: a tuple; of an object its members' values), "Reservations.*.Instances.*" (flattened). NULL
 * when nothing is there. */
const struct value *template_select(struct arena *a, const struct value *v, const char *path);

#endif

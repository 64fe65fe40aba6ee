/* Schemas as const tables. The tables are compiled from schemas/ by schema/compiler at build; see
 * schemas/README.md for the files' format.
 *
 * The implied type of a schema (`type`) is what values of it have on the wire: an object with one
 * attribute per attribute and block. */
#ifndef LLM_SCHEMA_SCHEMA_H
#define LLM_SCHEMA_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "value/value.h"

enum schema_flag {
    SCHEMA_REQUIRED = 1 << 0,
    SCHEMA_OPTIONAL = 1 << 1,
    SCHEMA_COMPUTED = 1 << 2,
    SCHEMA_SENSITIVE = 1 << 3,
    SCHEMA_WRITE_ONLY = 1 << 4,
};

/* When a changed value needs a new resource. */
enum schema_replace {
    SCHEMA_REPLACE_NEVER,
    SCHEMA_REPLACE_ALWAYS,   /* any difference, an unknown one included */
    SCHEMA_REPLACE_IF_KNOWN, /* only when old and new are known (null is a known value) and differ
                              */
};

enum schema_nesting {
    SCHEMA_NESTING_NONE, /* a plain attribute: see `type` */
    SCHEMA_NESTING_SINGLE,
    SCHEMA_NESTING_LIST,
    SCHEMA_NESTING_SET,
    SCHEMA_NESTING_MAP,
};

enum schema_validator_kind {
    SCHEMA_PATTERN,  /* POSIX extended regular expression over the whole string */
    SCHEMA_RANGE,    /* number between min and max, both included */
    SCHEMA_LENGTH,   /* bytes of a string, or members of a collection */
    SCHEMA_ONE_OF,   /* strings */
    SCHEMA_CIDR,     /* IPv4 network with host bits zero; prefix length between min and max */
    SCHEMA_DURATION, /* Go duration: "30m", "1h30m" */
    SCHEMA_JSON,     /* a JSON document */
};

struct schema_validator {
    enum schema_validator_kind kind;
    const char *pattern;
    const char *message; /* why, for the user; may be NULL */
    int64_t min, max;    /* INT64_MIN / INT64_MAX: open */
    const char *const *choices;
    size_t choice_count;
    bool each; /* applies to each member of the collection rather than to the collection */
};

struct schema_attr {
    const char *name;
    const struct type *type; /* the implied type, nested attributes included */
    enum schema_nesting nesting;
    const struct schema_attr *attrs; /* of a nested attribute, sorted by name */
    size_t attr_count;
    unsigned flags; /* enum schema_flag */
    enum schema_replace replace;
    const struct value *default_value; /* const table; NULL: none. Implies optional + computed */
    const struct schema_validator *validators;
    size_t validator_count;
    const char *description; /* Markdown */
    const char *deprecation; /* message; NULL: not deprecated */
};

/* Rules over several attributes (dotted paths). */
enum schema_rule_kind {
    SCHEMA_CONFLICTS,    /* at most one of them is set */
    SCHEMA_EXACTLY_ONE,  /* of them is set. This and the next say nothing when all of them stand */
    SCHEMA_AT_LEAST_ONE, /* of them is set.  in one nested attribute that is itself not set */
    SCHEMA_REQUIRED_TOGETHER /* all or none */
};

struct schema_rule {
    enum schema_rule_kind kind;
    const char *const *paths;
    size_t path_count;
    const char *message; /* may be NULL */
};

struct schema {
    const char *name; /* "llm_gpu_node" */
    int64_t version;
    const struct type *type;
    const struct schema_attr *attrs; /* sorted by name; blocks excluded */
    size_t attr_count;
    bool has_timeouts; /* a `timeouts` block with nesting single */
    int64_t timeout_create_s, timeout_update_s, timeout_delete_s; /* defaults */
    const struct schema_rule *rules;
    size_t rule_count;
    const char *description;
    const char *deprecation;
};

/* The identity schema of a resource: all attributes are strings required for import. */
struct schema_identity {
    int64_t version;
    const struct type *type;
};

/* An attribute by dotted path ("machine.type"); NULL when there is none. */
const struct schema_attr *schema_find(const struct schema *s, const char *dotted);

/* ---- what the RPCs need ---- */

/* Checks a configuration (which may hold unknowns) against flags, validators and rules; unknown
 * values are passed over. Every violation becomes an error at its path, also a null inside a
 * collection. Deprecated attributes that are set become warnings. 0, or -1 with at least one error.
 */
int schema_validate(const struct schema *s, const struct value *config, struct diags *diags);

/* The first step of a plan: from the core's proposed new state, the configuration and the prior
 * state (NULL or null: create), a planned state in which
 *  - what is configured stays as configured,
 *  - defaults are filled in where the configuration is null,
 *  - a computed value without configuration keeps its prior value, and is unknown where there is
 *    none,
 *  - write-only values are null,
 * inside nested attributes too. Appends to *ret_replace (count in *ret_replace_count; owned by `a`)
 * the paths whose difference needs a new resource. Resource logic then sets or un-sets computed
 * values. 0 or -1. */
int schema_plan(struct arena *a, const struct schema *s, const struct value *config,
                const struct value *prior, const struct value *proposed,
                const struct value **ret_planned, const struct path *const **ret_replace,
                size_t *ret_replace_count, struct diags *diags);

/* `v` with every computed attribute that is neither configured nor has a default unknown (for a
 * planned create of dependent parts, or a replace). */
const struct value *schema_unknown_computed(struct arena *a, const struct schema *s,
                                            const struct value *planned,
                                            const struct value *config);

/* A configuration with its defaults filled in, and null where nothing is set: what a data source
 * works from. NULL when memory is out. */
const struct value *schema_defaults(struct arena *a, const struct schema *s,
                                    const struct value *config);

/* `v` with write-only attributes null; `v` with sensitive ones marked. NULL when memory is out. */
const struct value *schema_strip_write_only(struct arena *a, const struct schema *s,
                                            const struct value *v);
const struct value *schema_mark_sensitive(struct arena *a, const struct schema *s,
                                          const struct value *v);

/* The duration in seconds of timeouts.<operation> ("create"…) or the schema's default. */
int64_t schema_timeout_s(const struct schema *s, const struct value *v, const char *operation);

/* "1h30m", "90s", "1.5h" as Go's time.ParseDuration. 0 with *ret_ms set, or -1. */
int schema_duration_parse(struct slice text, int64_t *ret_ms);

/* ---- functions ---- */
struct schema_parameter {
    const char *name;
    const struct type *type;
    bool allow_null, allow_unknown;
    const char *description;
};
struct schema_function {
    const char *name;
    const struct schema_parameter *parameters;
    size_t parameter_count;
    const struct schema_parameter *variadic; /* NULL: none */
    const struct type *result;
    const char *summary, *description;
};

#endif

/* llm-schemac: the host program that turns the JSON files of schemas/ into const C tables, the
 * packed schema messages, and the documentation pages. It runs at build, never in the provider.
 *
 * It works in four passes over one struct compilation: parse (JSON -> the definitions below), check
 * (references, mapping, order), emit (C), docs (Markdown). Every pass appends its errors as
 * "FILE: PLACE: message" and goes on, so that one run shows them all. Memory is a region that lives
 * as long as the compilation. */
#ifndef LLM_SCHEMA_COMPILER_SCHEMAC_H
#define LLM_SCHEMA_COMPILER_SCHEMAC_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* ---- places and errors (place.c) ---- */

/* A place in a schema file. */
struct place {
    const char *file;       /* relative to the schemas directory */
    const struct place *up; /* NULL: the file's top level */
    const char *key;        /* NULL: `index` counts */
    size_t index;
};

struct strings {
    const char **items;
    size_t count;
};

/* ---- definitions: what a file says ---- */

struct type_def;
struct type_member {
    const char *name; /* NULL in tuples */
    struct type_def *type;
};
struct type_def {
    const char *kind; /* "TYPE_STRING" … */
    struct type_def *elem;
    struct type_member *members; /* object: sorted by name */
    size_t member_count;
    const char *json;   /* its wire form; types with the same are the same */
    const char *symbol; /* C expression for its address */
};

struct validator_def {
    const char *kind; /* "SCHEMA_PATTERN" … */
    const char *pattern, *message;
    bool has_min, has_max;
    int64_t min, max;
    struct strings choices;
    bool each;
};

struct attr_def {
    const struct place *at;
    const char *name;
    struct type_def *declared; /* NULL when nested */
    struct type_def *type;     /* implied */
    const char *nesting;       /* "single" …; NULL: plain */
    struct attr_def **attrs;   /* sorted by name */
    size_t attr_count;
    bool required, optional, computed, sensitive, write_only;
    const char *replace; /* "SCHEMA_REPLACE_NEVER" … */
    json_t *default_value;
    const struct place *default_at;
    struct validator_def *validators;
    size_t validator_count;
    const char *description, *deprecated;
};

struct rule_def {
    const struct place *at;
    const char *kind; /* "SCHEMA_CONFLICTS" … */
    const char *word; /* "conflicts" … */
    struct strings paths;
    const char *message;
};

struct timeout_def {
    const char *create, *update, *destroy; /* Go durations; NULL: not offered */
    int64_t create_s, update_s, destroy_s;
};

struct identity_attr {
    const char *name, *description;
};
struct identity_def {
    int64_t version;
    struct identity_attr *attrs; /* sorted by name */
    size_t attr_count;
    struct type_def *type;
};

enum tmpl_kind { TMPL_LITERAL, TMPL_REF, TMPL_OBJECT, TMPL_TUPLE, TMPL_FIRST, TMPL_JOIN };

struct tmpl;
struct tmpl_member {
    const char *name;
    struct tmpl *value;
};
struct tmpl {
    const struct place *at;
    enum tmpl_kind kind;
    const char *transform; /* "TRANSFORM_TAGS" …; NULL: none */
    json_t *literal;
    const char *ref;         /* as written, without the dollar sign */
    const char *root, *path; /* set by the check pass; path NULL: the root itself */
    struct tmpl_member *members;
    size_t member_count;
};

struct output_def {
    const struct place *at;
    const char *attr, *path, *transform;
};

struct states_def {
    const char *path, *reason, *gone_when;
    struct strings pending, ready, gone, failed, unmade, undeleted, expect;
};

struct operation_def {
    const char *service, *name, *method, *uri, *token;
    bool idempotent;
};

struct condition_def {
    const char *attr, *equals;
};

struct read_def {
    const struct place *at;
    struct operation_def op; /* name NULL: none */
    struct tmpl *request;
    bool batch;
    const char *items, *match, *match_attr, *present, *next_token, *when;
    struct strings not_found;
};

struct step_def {
    const struct place *at;
    struct operation_def op; /* name NULL: a wait */
    struct tmpl *request;
    struct output_def *outputs;
    size_t output_count;
    const char *each; /* "COMPONENT_EACH_ADDED" … */
    const char *each_attr;
    struct condition_def when, unless;
    struct strings tolerate, retry, restart;
    int64_t retry_ms;
    struct states_def *wait;
    struct read_def *wait_read; /* NULL: the object's own */
    bool wait_gone;
};

struct steps {
    struct step_def *items;
    size_t count;
};

struct extra_read_def {
    const char *name;
    struct read_def read;
};

struct update_def {
    const struct place *at;
    struct strings attrs;
    const char *warning;
    struct steps steps;
};

struct component_attr_def {
    const struct place *at;
    const char *name;
    struct type_def *type;
    const char *change; /* "COMPONENT_REPLACE" … */
    bool input, output, required, sensitive, in_create, is_set, tags, owner, if_set;
    const char *read, *read_as, *read_where;
    const char *version_of, *unsent;
    json_t *absent;
    const char *compare_as;
    bool defaults;
    bool sent, set; /* found by the check pass */
};

struct held_def {
    const struct place *at; /* NULL: none */
    struct strings codes;
    struct extra_read_def *by;
    size_t by_count;
    const char *advice;
    int64_t patience_ms;
};

struct component_def {
    const struct place *at;
    const char *kind, *cloud, *title, *service;
    bool hidden, adopt_only, put_back;
    const char *destroyed_by;
    const char *taken;
    struct component_attr_def *attrs; /* in the file's order */
    size_t attr_count;
    const char *id, *display;
    struct steps create, destroy;
    struct states_def states;
    struct read_def read, find, list;
    struct extra_read_def *extra_reads;
    size_t extra_read_count;
    struct held_def held;
    struct update_def *updates;
    size_t update_count;
    struct strings permissions;
    int64_t poll[2];
    const char *symbol;
};

struct resource_component_def {
    const struct place *at;
    const char *name, *kind;
    struct component_def *component;
    struct tmpl *for_each, *when, *inputs;
    struct tmpl *attribute; /* NULL: none */
    const char *when_equals;
    struct strings after;
    const char *hook;
    const char *made; /* when, in words, for the documentation; may be NULL */
    /* found by the check pass */
    bool *needs; /* by position in the cloud's list */
};

/* Permissions that are wanted for certain objects only, whose names the resource decides. */
struct limit_def {
    const struct place *at;
    const char *permission; /* "iam:PassRole", or "iam" for all of the service */
    struct strings resources;
};

struct cloud_def {
    const struct place *at;
    const char *cloud;
    struct strings derived, permissions;
    struct strings cluster_permissions; /* of the resource's own code, in a cluster */
    struct strings passed_to; /* the services that roles are passed to, as iam:PassRole is for */
    struct limit_def *limits;
    size_t limit_count;
    struct resource_component_def **components; /* in order after the check pass */
    size_t component_count;
};

enum file_kind { FILE_PROVIDER, FILE_RESOURCE, FILE_DATA_SOURCE, FILE_EPHEMERAL };

struct schema_def {
    const struct place *at;
    enum file_kind kind;
    const char *type; /* "llm_gpu_node" */
    int64_t version;
    const char *description, *deprecated, *subcategory;
    struct attr_def **attrs; /* sorted by name */
    size_t attr_count;
    struct timeout_def *timeouts;
    struct rule_def *rules;
    size_t rule_count;
    struct identity_def *identity;
    struct cloud_def *clouds;
    size_t cloud_count;
    struct type_def *implied;
    const char *symbol;
};

struct parameter_def {
    const char *name, *description;
    struct type_def *type;
    bool allow_null, allow_unknown;
};
struct function_def {
    const struct place *at;
    const char *name, *summary, *description, *deprecated;
    struct parameter_def *parameters;
    size_t parameter_count;
    struct parameter_def *variadic;
    struct type_def *result;
};

/* All files of one directory, sorted by name. */
struct schema_list {
    struct schema_def **items;
    size_t count;
};

struct compilation {
    struct block *blocks; /* the region */
    json_t **documents;
    size_t document_count;
    const char *dir;
    size_t errors;

    struct schema_def *provider;
    struct schema_list resources, data_sources, ephemerals;
    struct function_def **functions;
    size_t function_count;
    struct component_def **components; /* sorted by kind */
    size_t component_count;
    struct type_def **types; /* distinct ones that need a table */
    size_t type_count;
};

/* ---- region.c: memory of the compilation; running out ends the program ---- */
void *take(struct compilation *c, size_t count, size_t size);
char *text(struct compilation *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* A longer array with `item` (a pointer) at its end. */
void *with_item(struct compilation *c, void *array, size_t *count, void *item);
void strings_add(struct compilation *c, struct strings *s, const char *item);
bool strings_have(const struct strings *s, const char *item);
void strings_sort(struct strings *s);
void compilation_end(struct compilation *c);

/* ---- place.c ---- */
const struct place *place_file(struct compilation *c, const char *file);
const struct place *place_key(struct compilation *c, const struct place *up, const char *key);
const struct place *place_index(struct compilation *c, const struct place *up, size_t index);
/* "attributes.name.validate[0]"; "top level" for the file itself. */
const char *place_text(struct compilation *c, const struct place *at);
/* Prints "FILE: PLACE: message" on stderr and counts it. */
void refuse(struct compilation *c, const struct place *at, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* ---- fields.c: reading an object by a table of its fields ---- */
typedef void (*field_parser)(struct compilation *c, const struct place *at, json_t *v, void *out);

struct field {
    const char *name;
    bool required;
    field_parser parse;
    size_t offset; /* of the result in the structure that is filled */
};

/* False when `v` is no object. Unknown and missing fields are refused. */
bool fields_read(struct compilation *c, const struct place *at, json_t *v,
                 const struct field *fields, size_t count, void *out);

void field_string(struct compilation *c, const struct place *at, json_t *v, void *out);
void field_bool(struct compilation *c, const struct place *at, json_t *v, void *out);
void field_int(struct compilation *c, const struct place *at, json_t *v, void *out);
void field_strings(struct compilation *c, const struct place *at, json_t *v, void *out);
void field_json(struct compilation *c, const struct place *at, json_t *v, void *out);
void field_type(struct compilation *c, const struct place *at, json_t *v, void *out);
void field_permissions(struct compilation *c, const struct place *at, json_t *v, void *out);

/* A word out of a list, replaced by its C name; refused with the list. */
struct word {
    const char *word, *c_name;
};
const char *word_find(const struct word *words, size_t count, const char *word);
void word_refuse(struct compilation *c, const struct place *at, const char *got,
                 const struct word *words, size_t count);

/* ---- types.c ---- */
struct type_def *type_primitive(struct compilation *c, const char *kind, const char *json);
struct type_def *type_collection(struct compilation *c, const char *kind, struct type_def *elem);
struct type_def *type_structure(struct compilation *c, struct type_member *members, size_t count);
bool type_has_dynamic(const struct type_def *t);
const struct type_member *type_member_find(const struct type_def *t, const char *name);
const char *type_text(struct compilation *c, const struct type_def *t); /* "list(string)" */
/* Refuses a JSON value that is not of the type. */
void type_check_json(struct compilation *c, const struct place *at, const struct type_def *t,
                     json_t *v);

/* ---- parse_*.c ---- */
struct schema_def *parse_schema(struct compilation *c, const struct place *at, json_t *v,
                                enum file_kind kind);
struct function_def *parse_function(struct compilation *c, const struct place *at, json_t *v);
struct component_def *parse_component(struct compilation *c, const struct place *at, json_t *v,
                                      const char *cloud);
void field_attributes(struct compilation *c, const struct place *at, json_t *v, void *out);
void field_rules(struct compilation *c, const struct place *at, json_t *v, void *out);
void field_validators(struct compilation *c, const struct place *at, json_t *v, void *out);
void field_clouds(struct compilation *c, const struct place *at, json_t *v, void *out);
void field_template(struct compilation *c, const struct place *at, json_t *v, void *out);
void field_steps(struct compilation *c, const struct place *at, json_t *v, void *out);
void field_states(struct compilation *c, const struct place *at, json_t *v, void *out);
const char *transform_find(const char *word);
void transform_refuse(struct compilation *c, const struct place *at, const char *word);

/* ---- check_*.c ---- */
void check_schema(struct compilation *c, struct schema_def *s);
void check_component(struct compilation *c, struct component_def *d);
void check_resource(struct compilation *c, struct schema_def *s);
struct attr_def *attr_by_path(struct attr_def *const *attrs, size_t count, const char *dotted,
                              const char **ret_rest);
struct component_def *component_find(const struct compilation *c, const char *kind);
struct component_attr_def *component_attr_find(const struct component_def *d, const char *name);

/* ---- emit_*.c: 0 or -1 (the stream failed) ---- */
/* `s` as a C string literal, or NULL as the word. */
void emit_string(FILE *f, const char *s);
/* ".name = (const char *const[]){…}, .name_count = n," */
void emit_strings(FILE *f, const char *name, const char *count_name, const struct strings *s);
/* An expression of type `const struct value *`. */
void emit_value(struct compilation *c, FILE *f, const struct type_def *t, json_t *v);
void emit_types(struct compilation *c, FILE *f);
int emit_schema_tables(struct compilation *c, FILE *f);
int emit_schema_header(struct compilation *c, FILE *f);
int emit_component_tables(struct compilation *c, FILE *f);
int emit_component_header(struct compilation *c, FILE *f);
int emit_response(struct compilation *c, FILE *f);
/* Whether a limit is for that permission, or for all of its service. */
bool limit_covers(const struct limit_def *l, const char *permission);
/* Whether the object is one in a Kubernetes cluster: those of a cloud's resource may be. */
bool is_in_cluster(const struct component_def *d);
/* All permissions that a resource needs in a cloud, sorted, without duplicates and without those in
 * a cluster, which its own access control gives. */
struct strings permissions_of(struct compilation *c, const struct cloud_def *cloud);
/* Those of one kind that a cloud has: without what lists its keys, where no for_each is of it. */
struct strings permissions_of_kind(struct compilation *c, const struct cloud_def *cloud,
                                   const struct component_def *d);

/* ---- docs*.c ---- */
/* Writes (or, with `check`, compares) the pages under `docs_dir`, with examples from
 * `examples_dir`. 0, or -1 when a page could not be written or differs. */
int docs_write(struct compilation *c, const char *docs_dir, const char *examples_dir, bool check);

#endif

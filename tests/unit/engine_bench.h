/* What the tests of the engine share: a cloud in memory, components for it (a root with leaves that
 * stand on it, and a top that stands on the root and comes after the leaves), and the engine's
 * operations on both. */
#ifndef LLM_TESTS_ENGINE_BENCH_H
#define LLM_TESTS_ENGINE_BENCH_H

#include <pthread.h>

#include "engine/engine.h"

/* ---- the cloud ---- */

enum { FAKE_OBJECTS_MOST = 64 };

struct fake_object {
    char id[32], type[32], parent[32], size[16], name[64], claim[80];
    bool exists;
};

/* Calls hold `lock`; a test sets the rest, and looks at it, while none runs. */
struct fake {
    pthread_mutex_t lock;
    struct fake_object objects[FAKE_OBJECTS_MOST];
    size_t count;
    int running, running_most, to_meet, calls, creates;
    const char *fail_type; /* creates of this type fail */
    const char *fail_code;
    int fail_times;
    int delay_ms;
    int pending_reads;            /* describes answer "pending" this often */
    char broken[32];              /* the object that is described as "broken" */
    bool keeps_broken;            /* a delete leaves that one there */
    bool lose_answer;             /* of the next create */
    enum cloud_error_class fails; /* every call; CLOUD_ERROR_NONE: none does */
    char order[FAKE_OBJECTS_MOST][40];
    size_t ordered;
};

/* Its client is a struct fake. */
extern const struct cloud_driver fake_driver;
/* Lists the objects that exist, as "items": those of the request's "owner", or all. */
extern const struct cloud_operation fake_op_list;

/* The object of that id; NULL: none exists. */
struct fake_object *fake_find(struct fake *f, const char *id);

/* ---- tables ---- */

/* Templates: the value at path `p` in `r`, a string, an object of {name, template}. */
#define REF(r, p) (&(const struct template){.kind = TEMPLATE_REF, .root = (r), .path = (p)})
#define TEXT(s)                                                                                    \
    (&(const struct template){.kind = TEMPLATE_LITERAL,                                            \
                              .literal = &(const struct value){.type = &type_string,               \
                                                               .state = VALUE_KNOWN,               \
                                                               .string = {(s), sizeof(s) - 1}}})
#define OBJECT(...)                                                                                \
    (&(const struct template){.kind = TEMPLATE_OBJECT,                                             \
                              .members = (const struct template_member[]){__VA_ARGS__},            \
                              .member_count =                                                      \
                                  sizeof((const struct template_member[]){__VA_ARGS__}) /          \
                                  sizeof(struct template_member)})

extern const struct component bench_root, bench_leaf;
extern const struct component *const bench_kinds[]; /* all three; NULL-terminated */
/* "root", "leaf-{key}" for each of the leaves, and "top". Tests copy and change them. */
extern const struct resource_component bench_entries[3];

/* ---- a run ---- */

struct bench {
    struct arena *a;
    struct fake fake;
    struct diags diags; /* of all operations so far */
    struct engine engine;
    struct work work;
    struct cancel *cancel;
    struct records records; /* the state: what an operation begins with, and what it leaves */
    const struct resource_cloud *table;
    const char *root_size, *top_size, *leaves; /* JSON of the for_each */
    bool top;
};

/* For cmocka: *state is a struct bench with an empty cloud, leaves "a", "b" and "c", a top, and
 * "1" as the size of each. */
int bench_setup(void **state);
int bench_teardown(void **state);

/* The graph of the table with what is configured now. Fails the test when there is none. */
struct graph *bench_graph(struct bench *b);

/* The engine's operations, from the records to the records. 0 or -1, as they return it. */
int bench_apply(struct bench *b);
int bench_adopt(struct bench *b); /* what is found is added */
int bench_refresh(struct bench *b);
int bench_destroy(struct bench *b);

/* What a plan says about the component; fails the test when it has none of that name. */
enum engine_action bench_action(struct bench *b, const char *name);

/* How many objects exist in the cloud. */
size_t bench_existing(const struct bench *b);
/* The first of them of that type: "root", "leaf" or "top". NULL: none. */
struct fake_object *bench_of_type(struct bench *b, const char *type);
/* Whether a diagnostic has `text` in it. */
bool bench_says(const struct bench *b, const char *text);

#endif

/* What the tests of resources share: configurations from JSON, and a cloud that answers what the
 * test lays out. */
#ifndef LLM_TESTS_GPU_NODE_FIXTURE_H
#define LLM_TESTS_GPU_NODE_FIXTURE_H

#include "resources/gpu_node.h"

/* An answer of the cloud: JSON, or an error. The first entry whose operation fits, and whose
 * `times` are not used up (0: no limit), is taken. */
struct fixture_answer {
    const char *op, *json;
    enum cloud_error_class class_;
    const char *code, *message;
    int times;
    const char *of;           /* NULL, or what the request must contain */
    const struct value *read; /* the JSON at `read_of` */
    const char *read_of;
};

struct fixture {
    const struct schema *schema; /* of the resource: llm_gpu_node, unless a test sets another */
    const struct resource_table *table;
    struct arena *a;
    struct diags diags;
    struct composite_context c;
    struct request request;
    struct provider *provider;
    struct records records;
    struct work work;
    void *looked_up; /* reset by fixture_set() and fixture_answer(), as a new operation does */
    struct fixture_answer answers[32];
    size_t answer_count;
    const char *calls[64]; /* names of the operations, in order */
    const struct value *requests[64];
    size_t call_count;
    const char *unanswered; /* an operation that nobody answers: fixture_free() fails the test */
};

/* A new fixture on us-east-1, online; the configuration is null. NULL when memory is out. */
struct fixture *fixture_new(void);
void fixture_free(struct fixture *f);

/* A value of the resource's type; attributes that `json` leaves out are null, defaults filled in.
 */
const struct value *fixture_config(struct fixture *f, const char *json);
/* Plain JSON. */
const struct value *fixture_json(struct fixture *f, const char *json);
void fixture_set(struct fixture *f, const char *json);

void fixture_answer(struct fixture *f, const char *op, const char *json);
void fixture_refuse(struct fixture *f, const char *op, enum cloud_error_class class_,
                    const char *code, const char *message, int times);
/* A record of what exists; `attrs` is JSON. */
void fixture_record(struct fixture *f, const char *name, const char *attrs);

/* Fails the test unless a diagnostic of `severity` has `text` in it. */
void fixture_expect(struct fixture *f, enum diag_severity severity, const char *text);
/* Fails the test when there is an error. */
void fixture_expect_none(struct fixture *f);

/* What a composite derives from a configuration; JSON NULL: from the one that is set. A test that
 * gets an error has failed. */
const struct value *fixture_derive(struct fixture *f, const struct composite *kind,
                                   const char *json);
/* A value as JSON; "(none)" without one, "(unknown)" for one that is. */
const char *fixture_text(struct fixture *f, const struct value *v);

/* Calls `run` again and again, while each allocation in turn is the first one that fails, until
 * none does, and once more while each is the only one: `run` returns 0 or -1, and with -1 there has
 * to be an error. `set_up` gets a new fixture each time, before memory is short; c.arena is short
 * of it, f->a is not. */
void fixture_starve(void (*set_up)(struct fixture *f), int (*run)(struct fixture *f));

#endif

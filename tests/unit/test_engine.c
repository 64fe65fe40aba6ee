/* The engine over a cloud in memory: order, parallelism, partial failure, drift, repair,
 * replacement, placement, cancel and deadline; what exists is asked of that cloud, not of the
 * engine. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine/engine.h"
#include "value/codec.h"

/* ---- a cloud in memory ---- */

enum { OBJECTS_MOST = 64 };

struct object {
    char id[32], type[32], parent[32], size[16], name[64], claim[80];
    bool exists;
};

struct fake {
    pthread_mutex_t lock;
    struct object objects[OBJECTS_MOST];
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
    char order[OBJECTS_MOST][40];
    size_t ordered;
};

static struct fake *fake_of(struct cloud_client *c)
{
    return (struct fake *)c;
}

static int refuse(struct cloud_error *err, enum cloud_error_class class_, const char *code)
{
    memset(err, 0, sizeof(*err));
    err->class_ = class_;
    err->code = code;
    err->message = "simulated";
    err->service = "fake";
    err->operation = "op";
    err->retry_after_ms = -1;
    return -1;
}

static void note(struct fake *f, const char *what, const char *name)
{
    snprintf(f->order[f->ordered++ % OBJECTS_MOST], sizeof(f->order[0]), "%s %s", what, name);
}

static struct object *find(struct fake *f, const char *id)
{
    for (size_t i = 0; i < f->count; i++)
        if (f->objects[i].exists && strcmp(f->objects[i].id, id) == 0)
            return &f->objects[i];
    return NULL;
}

static const struct value *describe(struct fake *f, struct arena *a, const struct object *o)
{
    const struct value_member pair[] = {{SLICE_LIT("claim"), value_str(a, o->claim)},
                                        {SLICE_LIT("owner"), value_str(a, o->name)}};
    const struct value *tags = value_object(a, *o->claim ? pair : pair + 1, *o->claim ? 2 : 1);
    const char *dash = strrchr(o->name, '-');
    const struct value_member m[] = {
        {SLICE_LIT("id"), value_str(a, o->id)},
        {SLICE_LIT("parent"), value_str(a, o->parent)},
        {SLICE_LIT("size"), value_str(a, o->size)},
        {SLICE_LIT("tags"), tags},
        {SLICE_LIT("key"), value_str(a, dash ? dash + 1 : "")},
        {SLICE_LIT("state"), value_str(a, strcmp(o->id, f->broken) == 0 ? "broken"
                                          : f->pending_reads > 0        ? "pending"
                                                                        : "ready")}};
    return value_object(a, m, 6);
}

static int do_create(struct fake *f, struct arena *a, const struct value *rq,
                     const struct value **ret, struct cloud_error *err)
{
    const char *type = value_cstr(value_get(rq, "type"), "");
    if (f->fail_type && strcmp(f->fail_type, type) == 0 && f->fail_times-- > 0)
        return refuse(err,
                      strcmp(f->fail_code, "NoCapacity") == 0 ? CLOUD_ERROR_CAPACITY
                                                              : CLOUD_ERROR_INVALID,
                      f->fail_code);
    struct object *o = &f->objects[f->count++];
    o->exists = true;
    f->creates++;
    snprintf(o->id, sizeof(o->id), "%s-%zu", type, f->count);
    snprintf(o->type, sizeof(o->type), "%s", type);
    snprintf(o->parent, sizeof(o->parent), "%s", value_cstr(value_get(rq, "parent"), ""));
    snprintf(o->size, sizeof(o->size), "%s", value_cstr(value_get(rq, "size"), ""));
    snprintf(o->name, sizeof(o->name), "%s", value_cstr(value_path(rq, "tags.owner"), ""));
    snprintf(o->claim, sizeof(o->claim), "%s", value_cstr(value_path(rq, "tags.claim"), ""));
    note(f, "create", type);
    if (f->lose_answer) {
        f->lose_answer = false;
        refuse(err, CLOUD_ERROR_TRANSIENT, NULL);
        err->maybe_processed = true;
        return -1;
    }
    *ret = describe(f, a, o);
    return 0;
}

static int do_delete(struct fake *f, const char *id, struct cloud_error *err)
{
    struct object *o = find(f, id);
    if (!o)
        return refuse(err, CLOUD_ERROR_NOT_FOUND, "NotFound");
    for (size_t i = 0; i < f->count; i++)
        if (f->objects[i].exists && strcmp(f->objects[i].parent, id) == 0)
            return refuse(err, CLOUD_ERROR_DEPENDENCY, "InUse");
    o->exists = f->keeps_broken && strcmp(o->id, f->broken) == 0;
    note(f, "delete", o->type);
    return 0;
}

static int do_list(struct fake *f, struct arena *a, const struct value *rq,
                   const struct value **ret)
{
    const struct value *items[OBJECTS_MOST];
    size_t count = 0;
    const struct value *owner = value_get(rq, "owner");
    for (size_t i = 0; i < f->count; i++) {
        const struct object *o = &f->objects[i];
        bool wanted = value_is_known(owner) ? strcmp(o->name, value_cstr(owner, "")) == 0 : true;
        if (o->exists && wanted)
            items[count++] = describe(f, a, o);
    }
    if (f->pending_reads > 0)
        f->pending_reads--;
    *ret = value_object(
        a, (struct value_member[]){{SLICE_LIT("items"), value_tuple(a, items, count)}}, 1);
    return 0;
}

static int call_locked(struct fake *f, struct arena *a, const struct cloud_operation *op,
                       const struct value *rq, const struct value **ret, struct cloud_error *err)
{
    const char *id = value_cstr(value_get(rq, "id"), "");
    *ret = value_object(a, NULL, 0);
    if (f->fails)
        return refuse(err, f->fails, NULL);
    if (strcmp(op->name, "Create") == 0)
        return do_create(f, a, rq, ret, err);
    if (strcmp(op->name, "Delete") == 0)
        return do_delete(f, id, err);
    if (strcmp(op->name, "List") == 0)
        return do_list(f, a, rq, ret);
    struct object *o = find(f, id); /* Resize */
    if (!o)
        return refuse(err, CLOUD_ERROR_NOT_FOUND, "NotFound");
    if (strcmp(op->name, "Tag") == 0) {
        if (f->fail_type && strcmp(f->fail_type, "tags") == 0)
            return refuse(err, CLOUD_ERROR_PERMISSION, f->fail_code);
        snprintf(o->claim, sizeof(o->claim), "%s", value_cstr(value_path(rq, "tags.claim"), ""));
        return 0;
    }
    snprintf(o->size, sizeof(o->size), "%s", value_cstr(value_get(rq, "size"), ""));
    note(f, "resize", o->type);
    return 0;
}

/* A call takes as long as it is told, or until as many run beside each other as are to meet. */
static void wait_for_others(struct fake *f)
{
    for (int ms = 0; ms < f->delay_ms; ms++) {
        pthread_mutex_lock(&f->lock);
        bool met = f->to_meet && f->running_most >= f->to_meet;
        pthread_mutex_unlock(&f->lock);
        if (met)
            return;
        usleep(1000);
    }
}

static int fake_call(struct cloud_client *c, const struct work *w, struct arena *a,
                     const char *region, const struct cloud_operation *op,
                     const struct value *request, const struct value **ret, struct cloud_error *err)
{
    struct fake *f = fake_of(c);
    (void)w, (void)region;
    pthread_mutex_lock(&f->lock);
    f->calls++;
    if (++f->running > f->running_most)
        f->running_most = f->running;
    pthread_mutex_unlock(&f->lock);
    wait_for_others(f);
    pthread_mutex_lock(&f->lock);
    int rc = call_locked(f, a, op, request, ret, err);
    f->running--;
    pthread_mutex_unlock(&f->lock);
    return rc;
}

static const struct value *no_tags(struct cloud_client *c, struct arena *a)
{
    (void)c;
    return value_map(a, &type_string, NULL, 0);
}

static bool ignores(struct cloud_client *c, struct slice key)
{
    (void)c, (void)key;
    return false;
}

static const struct value *owner_tags(struct arena *a, const char *type, const struct value *name,
                                      const char *component)
{
    const struct value_member m = {
        SLICE_LIT("owner"), value_printf(a, "%s/%s/%s", type, value_cstr(name, ""), component)};
    return value_map(a, &type_string, &m, 1);
}

static const struct value *owner_filter(struct arena *a, const struct value *tags)
{
    (void)a;
    return value_get(tags, "owner");
}

static const struct cloud_driver driver = {.cloud = "fake",
                                           .call = fake_call,
                                           .default_tags = no_tags,
                                           .ignores_tag = ignores,
                                           .owner_tags = owner_tags,
                                           .claim_tag = "claim",
                                           .owner_filter = owner_filter};

/* ---- tables: a root with two leaves that stand on it, and a top that stands on both ---- */

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

static const struct cloud_operation op_create = {.service = "fake", .name = "Create"};
static const struct cloud_operation op_list = {
    .service = "fake", .name = "List", .idempotent = true};
static const struct cloud_operation op_delete = {
    .service = "fake", .name = "Delete", .idempotent = true};
static const struct cloud_operation op_resize = {
    .service = "fake", .name = "Resize", .idempotent = true};
static const struct cloud_operation op_tag = {.service = "fake", .name = "Tag", .idempotent = true};

static const struct component_attr attrs[] = {
    {.name = "id", .type = &type_string, .output = true, .read_path = "id"},
    {.name = "parent",
     .type = &type_string,
     .input = true,
     .in_create = true,
     .change = COMPONENT_REPLACE,
     .read_path = "parent"},
    {.name = "size",
     .type = &type_string,
     .input = true,
     .in_create = true,
     .change = COMPONENT_UPDATE,
     .read_path = "size"},
    {.name = "tags",
     .type = &type_map_of_string,
     .input = true,
     .in_create = true,
     .tags = true,
     .change = COMPONENT_UPDATE,
     .read_path = "tags"},
};
static const char *const pending[] = {"pending"}, *const ready[] = {"ready"},
                         *const in_use[] = {"InUse"}, *const not_found[] = {"NotFound"},
                         *const size_attr[] = {"size"}, *const tags_attr[] = {"tags"};

#define COMPONENT(kind_name)                                                                       \
    {                                                                                              \
        .kind = (kind_name), .cloud = "fake", .title = (kind_name), .attrs = attrs,                \
        .attr_count = 4, .id_attr = "id", .display = "id",                                         \
        .create =                                                                                  \
            (const struct component_step[]){                                                       \
                {.op = &op_create,                                                                 \
                 .request = OBJECT({"type", TEXT(kind_name)}, {"parent", REF("", "parent")},       \
                                   {"size", REF("", "size")}, {"tags", REF("", "tags")}),          \
                 .outputs = (const struct component_output[]){{"id", "id", TRANSFORM_NONE}},       \
                 .output_count = 1}},                                                              \
        .create_count = 1,                                                                         \
        .states = {.path = "state",                                                                \
                   .pending = pending,                                                             \
                   .pending_count = 1,                                                             \
                   .ready = ready,                                                                 \
                   .ready_count = 1},                                                              \
        .read = {.op = &op_list,                                                                   \
                 .request = OBJECT({"ids", REF("ids", NULL)}),                                     \
                 .batch = true,                                                                    \
                 .items = "items.*",                                                               \
                 .match = "id"},                                                                   \
        .find = {.op = &op_list,                                                                   \
                 .request = OBJECT({"owner", REF("owner_filter", NULL)}),                          \
                 .items = "items.*"},                                                              \
        .updates =                                                                                 \
            (const struct component_update[]){                                                     \
                {.attrs = size_attr,                                                               \
                 .attr_count = 1,                                                                  \
                 .warning = "it is resized",                                                       \
                 .steps =                                                                          \
                     (const struct component_step[]){                                              \
                         {.op = &op_resize,                                                        \
                          .request = OBJECT({"id", REF("", "id")}, {"size", REF("", "size")})}},   \
                 .step_count = 1},                                                                 \
                {.attrs = tags_attr,                                                               \
                 .attr_count = 1,                                                                  \
                 .steps =                                                                          \
                     (const struct component_step[]){                                              \
                         {.op = &op_tag,                                                           \
                          .request = OBJECT({"id", REF("", "id")}, {"tags", REF("", "tags")})}},   \
                 .step_count = 1}},                                                                \
        .update_count = 2,                                                                         \
        .destroy = (const struct component_step[]){{.op = &op_delete,                              \
                                                    .request = OBJECT({"id", REF("", "id")}),      \
                                                    .tolerate = not_found,                         \
                                                    .tolerate_count = 1,                           \
                                                    .retry = in_use,                               \
                                                    .retry_count = 1}},                            \
        .destroy_count = 1, .poll_ms = 5, .poll_max_ms = 10,                                       \
    }

static const struct component root = COMPONENT("root"), leaf = COMPONENT("leaf"),
                              top = COMPONENT("top");
static const struct component *const kinds[] = {&leaf, &root, &top, NULL};

static const struct resource_component entries[] = {
    {.name = "root", .component = &root, .inputs = OBJECT({"size", REF("config", "root_size")})},
    {.name = "leaf-{key}",
     .component = &leaf,
     .for_each = REF("derived", "leaves"),
     .inputs = OBJECT({"parent", REF("root", "id")}, {"size", REF("each", "size")})},
    {.name = "top",
     .component = &top,
     .when = REF("config", "top"),
     .hook = "place",
     .inputs = OBJECT({"parent", REF("root", "id")}, {"size", REF("config", "top_size")}),
     .after = (const char *const[]){"leaf-{key}"},
     .after_count = 1},
};
static const struct resource_cloud table = {"fake", entries, 3};

/* ---- a run ---- */

struct bench {
    struct arena *a;
    struct fake fake;
    struct diags diags;
    struct engine engine;
    struct work work;
    struct cancel *cancel;
    struct records records;
    const struct resource_cloud *table;
    const char *root_size, *top_size, *leaves; /* JSON of the for_each */
    bool top;
};

static int setup(void **state)
{
    struct bench *b = calloc(1, sizeof(*b));
    b->a = arena_new();
    pthread_mutex_init(&b->fake.lock, NULL);
    diags_init(&b->diags, b->a);
    b->cancel = cancel_new();
    b->work = (struct work){clock_system(), b->cancel, INT64_MAX};
    b->engine = (struct engine){.driver = &driver,
                                .client = (struct cloud_client *)&b->fake,
                                .region = "r",
                                .account = "1",
                                .partition = "p",
                                .resource_type = "thing",
                                .name = value_str(b->a, "x"),
                                .nonce = "n"};
    b->table = &table;
    b->root_size = "1";
    b->top_size = "1";
    b->leaves = "{\"a\":{\"size\":\"1\"},\"b\":{\"size\":\"1\"},\"c\":{\"size\":\"1\"}}";
    b->top = true;
    *state = b;
    return 0;
}

static int teardown(void **state)
{
    struct bench *b = *state;
    cancel_free(b->cancel);
    arena_free(b->a);
    pthread_mutex_destroy(&b->fake.lock);
    free(b);
    return 0;
}

/* What a user would have written: {key: {big: …}}, a map. */
static const struct value *sizes_of(struct bench *b, const struct value *leaves)
{
    const struct value_member big = {SLICE_LIT("big"), value_str(b->a, "1")};
    const struct value *one = value_object(b->a, &big, 1);
    struct value_member m[32];
    for (size_t i = 0; i < value_count(leaves); i++)
        m[i] = (struct value_member){leaves->members[i].key, one};
    return value_map(b->a, one->type, m, value_count(leaves));
}

static struct graph *graph_of(struct bench *b)
{
    const struct value *leaves = NULL;
    struct graph *g = NULL;
    bool partial = false;
    assert_int_equal(value_json_parse(b->a, slice_str(b->leaves), &leaves, &b->diags), 0);
    const struct value_member config[] = {{SLICE_LIT("root_size"), value_str(b->a, b->root_size)},
                                          {SLICE_LIT("top_size"), value_str(b->a, b->top_size)},
                                          {SLICE_LIT("top"), value_bool(b->a, b->top)},
                                          {SLICE_LIT("sizes"), sizes_of(b, leaves)}};
    const struct value_member derived[] = {{SLICE_LIT("leaves"), leaves}};
    assert_int_equal(graph_expand(b->a, b->table, value_object(b->a, config, 4),
                                  value_object(b->a, derived, 1), NULL, &g, &partial, &b->diags),
                     0);
    assert_false(partial);
    return g;
}

static int apply(struct bench *b)
{
    struct records after;
    int rc = engine_apply(b->a, &b->engine, &b->work, graph_of(b), &b->records, &after, &b->diags);
    b->records = after;
    return rc;
}

static int adopt(struct bench *b)
{
    struct records found;
    int rc = engine_adopt(b->a, &b->engine, &b->work, graph_of(b), &b->records, &found);
    return rc == 0 ? records_merge(b->a, &b->records, &found) : -1;
}

static int refresh(struct bench *b)
{
    struct records after;
    int rc = engine_refresh(b->a, &b->engine, &b->work, &b->records, &after, &b->diags);
    b->records = after;
    return rc;
}

static int destroy(struct bench *b)
{
    struct records after;
    int rc = engine_destroy(b->a, &b->engine, &b->work, &b->records, &after, &b->diags);
    b->records = after;
    return rc;
}

static enum engine_action action(struct bench *b, const char *name)
{
    struct engine_changes c;
    assert_int_equal(engine_plan(b->a, &b->engine, graph_of(b), &b->records, &c, &b->diags), 0);
    for (size_t i = 0; i < c.count; i++)
        if (strcmp(c.items[i].name, name) == 0)
            return c.items[i].action;
    fail_msg("no component %s", name);
    return ENGINE_NONE;
}

static size_t existing(const struct bench *b)
{
    size_t n = 0;
    for (size_t i = 0; i < b->fake.count; i++)
        n += b->fake.objects[i].exists;
    return n;
}

static struct object *of_type(struct bench *b, const char *type)
{
    for (size_t i = 0; i < b->fake.count; i++)
        if (b->fake.objects[i].exists && strcmp(b->fake.objects[i].type, type) == 0)
            return &b->fake.objects[i];
    return NULL;
}

static bool says(const struct bench *b, const char *text)
{
    for (const struct diag *d = b->diags.first; d; d = d->next)
        if (strstr(d->detail, text) || strstr(d->summary, text))
            return true;
    return false;
}

/* ---- tests ---- */

static void creates_in_order_and_in_parallel(void **state)
{
    struct bench *b = *state;
    b->fake.delay_ms = 500;
    b->fake.to_meet = 3;
    assert_int_equal(apply(b), 0);
    assert_int_equal(existing(b), 5);
    assert_int_equal(b->records.count, 5);
    assert_string_equal(b->fake.order[0], "create root");
    assert_string_equal(b->fake.order[4], "create top");
    assert_true(b->fake.running_most >= 3);
    assert_string_equal(of_type(b, "top")->parent, of_type(b, "root")->id);
    assert_int_equal(action(b, "root"), ENGINE_NONE);
    assert_int_equal(action(b, "top"), ENGINE_NONE);
}

static void partial_failure_keeps_what_exists(void **state)
{
    struct bench *b = *state;
    b->fake.fail_type = "top";
    b->fake.fail_code = "Bad";
    b->fake.fail_times = 1;
    assert_int_equal(apply(b), -1);
    assert_int_equal(existing(b), 4);
    assert_int_equal(b->records.count, 4);
    assert_true(says(b, "What exists is in the state: 4 of 5 components. Not made: top.\n"));
    assert_int_equal(apply(b), 0);
    assert_int_equal(existing(b), 5);
    assert_int_equal(b->fake.creates, 5);
}

static void what_was_not_made_is_said_shortly(void **state)
{
    struct bench *b = *state;
    struct buf leaves = BUF_INIT(4096);
    for (int i = 10; i < 30; i++)
        buf_printf(&leaves, "%s\"%d\":{\"size\":\"1\"}", i > 10 ? "," : "{", i);
    buf_append_char(&leaves, '}');
    b->leaves = arena_buf(b->a, &leaves);
    buf_clean_up(&leaves);
    b->fake.fail_type = "root";
    b->fake.fail_code = "Bad";
    b->fake.fail_times = 1;
    assert_int_equal(apply(b), -1);
    assert_true(says(b, "0 of 22 components. Not made: root, leaf-10, leaf-11, leaf-12, leaf-13, "
                        "leaf-14, leaf-15, leaf-16 and 14 more.\n"));
}

static void drift_is_seen_and_only_it_is_repaired(void **state)
{
    struct bench *b = *state;
    assert_int_equal(apply(b), 0);
    of_type(b, "leaf")->exists = false;
    strcpy(of_type(b, "root")->size, "9");
    assert_int_equal(refresh(b), 0);
    assert_string_equal(record_state(b->a, records_find(&b->records, "root")), "changed (size)");
    assert_string_equal(record_state(b->a, records_find(&b->records, "top")), "ready");
    int missing = 0;
    for (size_t i = 0; i < b->records.count; i++)
        missing += b->records.items[i].missing;
    assert_int_equal(missing, 1);
    b->fake.ordered = 0;
    assert_int_equal(apply(b), 0);
    assert_int_equal(b->fake.ordered, 2); /* one resize, one create */
    assert_int_equal(existing(b), 5);
    assert_string_equal(of_type(b, "root")->size, "1");
    assert_int_equal(refresh(b), 0);
    assert_int_equal(action(b, "root"), ENGINE_NONE);
}

/* An update that was killed has set it, and the state does not know: it is no drift any more. */
static void drift_that_is_as_wanted_is_recorded(void **state)
{
    struct bench *b = *state;
    assert_int_equal(apply(b), 0);
    strcpy(of_type(b, "root")->size, "2");
    b->root_size = "2";
    assert_int_equal(refresh(b), 0);
    assert_string_equal(record_state(b->a, records_find(&b->records, "root")), "changed (size)");
    assert_int_equal(apply(b), 0);
    assert_int_equal(refresh(b), 0);
    assert_string_equal(record_state(b->a, records_find(&b->records, "root")), "ready");
}

static void update_in_place(void **state)
{
    struct bench *b = *state;
    assert_int_equal(apply(b), 0);
    char id[32];
    strcpy(id, of_type(b, "root")->id);
    b->root_size = "2";
    assert_int_equal(action(b, "root"), ENGINE_UPDATE);
    assert_int_equal(action(b, "leaf-a"), ENGINE_NONE);
    assert_int_equal(apply(b), 0);
    assert_string_equal(of_type(b, "root")->id, id);
    assert_string_equal(of_type(b, "root")->size, "2");
}

static const struct value *root_stays(void *self, struct arena *a, const char *name,
                                      const struct value *actual, const struct value *inputs)
{
    (void)self;
    return strcmp(name, "root") == 0 ? value_with(a, inputs, "size", value_get(actual, "size"))
                                     : NULL;
}

/* What takes away the ground of others is set when they are done; not at all when they failed. */
static void some_inputs_are_set_at_last(void **state)
{
    struct bench *b = *state;
    const struct engine_hooks hooks = {.first_inputs = root_stays};
    assert_int_equal(apply(b), 0);
    b->engine.hooks = &hooks;
    b->root_size = b->top_size = "2";
    b->leaves = "{\"a\":{\"size\":\"1\"},\"b\":{\"size\":\"1\"},\"d\":{\"size\":\"1\"}}";
    b->fake.fail_type = "leaf";
    b->fake.fail_code = "Bad";
    b->fake.fail_times = 1;
    assert_int_equal(apply(b), -1);
    assert_string_equal(of_type(b, "root")->size, "1");
    assert_int_equal(action(b, "root"), ENGINE_UPDATE);
    b->fake.ordered = 0;
    assert_int_equal(apply(b), 0);
    assert_string_equal(of_type(b, "root")->size, "2");
    assert_string_equal(of_type(b, "top")->size, "2");
    assert_string_equal(b->fake.order[b->fake.ordered - 1], "resize root");
    assert_int_equal(b->fake.ordered, 4); /* a leaf comes, one goes, two are resized */
    assert_int_equal(action(b, "root"), ENGINE_NONE);
}

static void a_missing_root_replaces_what_stands_on_it(void **state)
{
    struct bench *b = *state;
    assert_int_equal(apply(b), 0);
    of_type(b, "root")->exists = false;
    assert_int_equal(refresh(b), 0);
    assert_int_equal(action(b, "root"), ENGINE_CREATE);
    assert_int_equal(action(b, "leaf-a"), ENGINE_REPLACE);
    assert_int_equal(apply(b), 0);
    assert_int_equal(existing(b), 5);
    assert_string_equal(of_type(b, "leaf")->parent, of_type(b, "root")->id);
}

static void what_is_no_longer_asked_for_goes(void **state)
{
    struct bench *b = *state;
    assert_int_equal(apply(b), 0);
    b->top = false;
    b->leaves = "{\"a\":{\"size\":\"1\"}}";
    assert_int_equal(action(b, "top"), ENGINE_DESTROY);
    assert_int_equal(apply(b), 0);
    assert_int_equal(existing(b), 2);
    assert_int_equal(b->records.count, 2);
}

static void destroys_dependants_first(void **state)
{
    struct bench *b = *state;
    assert_int_equal(apply(b), 0);
    b->fake.ordered = 0;
    of_type(b, "leaf")->exists = false; /* what is gone already is no error */
    assert_int_equal(destroy(b), 0);
    assert_int_equal(existing(b), 0);
    assert_int_equal(b->records.count, 0);
    assert_string_equal(b->fake.order[0], "delete top");
    assert_string_equal(b->fake.order[b->fake.ordered - 1], "delete root");
}

static void a_lost_answer_is_looked_up(void **state)
{
    struct bench *b = *state;
    b->fake.lose_answer = true;
    assert_int_equal(apply(b), 0);
    assert_int_equal(b->fake.creates, 5);
    assert_int_equal(existing(b), 5);
}

static void an_interrupted_create_is_adopted(void **state)
{
    struct bench *b = *state;
    b->fake.fail_type = "top";
    b->fake.fail_code = "Bad";
    b->fake.fail_times = 1;
    assert_int_equal(apply(b), -1);
    b->records = (struct records){NULL, 0}; /* killed before the state was written */
    assert_int_equal(adopt(b), 0);
    assert_int_equal(b->records.count, 4);
    assert_int_equal(apply(b), 0);
    assert_int_equal(b->fake.creates, 5);
    assert_int_equal(existing(b), 5);
}

/* Its state has the rest: only what the state lacks is looked for, and nothing of it made twice. */
static void an_interrupted_update_is_adopted(void **state)
{
    struct bench *b = *state;
    b->top = false;
    assert_int_equal(apply(b), 0);
    struct records before = {NULL, 0};
    assert_int_equal(records_merge(b->a, &before, &b->records), 0);
    b->top = true;
    assert_int_equal(apply(b), 0);
    size_t made = existing(b);
    b->records = before; /* killed before the state was written */
    assert_int_equal(adopt(b), 0);
    assert_int_equal(b->records.count, before.count + 1);
    assert_true(records_find(&b->records, "top")->incomplete);
    assert_false(records_find(&b->records, "root")->incomplete);
    assert_int_equal(apply(b), 0);
    assert_int_equal(existing(b), made);
    int calls = b->fake.calls;
    assert_int_equal(adopt(b), 0);
    assert_int_equal(b->fake.calls, calls);
}

static bool undermines(struct bench *b)
{
    struct engine_changes c;
    struct graph *g = graph_of(b);
    assert_int_equal(engine_plan(b->a, &b->engine, g, &b->records, &c, &b->diags), 0);
    return engine_undermines(g, &b->records, &c);
}

/* The top stands on the root, and comes after the leaves. */
static void what_stays_on_what_goes_is_seen(void **state)
{
    struct bench *b = *state;
    assert_int_equal(apply(b), 0);
    assert_false(undermines(b));
    b->leaves = "{\"a\":{\"size\":\"1\"},\"b\":{\"size\":\"1\"}}";
    assert_true(undermines(b));
    b->top = false;
    assert_false(undermines(b));
    b->top = true;
    records_find(&b->records, "top")->missing = true;
    assert_false(undermines(b));
}

static void what_stays_may_not_say_what_it_stands_on(void **state)
{
    struct bench *b = *state;
    assert_int_equal(apply(b), 0);
    records_find(&b->records, "top")->need_count = 0;
    assert_false(undermines(b));
    struct record *leaf_a = records_find(&b->records, "leaf-a");
    leaf_a->attrs = value_with(b->a, leaf_a->attrs, "parent", value_str(b->a, "another"));
    assert_true(undermines(b));
    of_type(b, "root")->exists = false;
    assert_int_equal(refresh(b), 0);
    assert_int_equal(action(b, "top"), ENGINE_REPLACE);
    assert_false(undermines(b));
}

/* ---- who is at work ---- */

static void claim_as(struct bench *b, const char *claim)
{
    b->engine.claimed = "top";
    b->engine.claim = claim;
}

static void a_claim_is_put_on_and_taken_away(void **state)
{
    struct bench *b = *state;
    claim_as(b, engine_claim_new(b->a, &b->work));
    b->fake.fail_type = "tags"; /* as if killed before it is taken away */
    b->fake.fail_code = "Denied";
    assert_int_equal(apply(b), 0);
    assert_true(says(b, "A tag is left over"));
    assert_string_equal(of_type(b, "top")->claim, b->engine.claim);
    assert_string_equal(of_type(b, "root")->claim, "");
    /* The next apply, of a state, takes it away. */
    b->fake.fail_type = NULL;
    b->engine.claim = NULL;
    assert_int_equal(action(b, "top"), ENGINE_UPDATE);
    assert_int_equal(apply(b), 0);
    assert_string_equal(of_type(b, "top")->claim, "");
    assert_int_equal(action(b, "top"), ENGINE_NONE);
}

/* Also when the apply fails, or its time was up: the state that goes back is the owner. */
static void a_failed_apply_takes_its_claim_away(void **state)
{
    struct bench *b = *state;
    claim_as(b, "x");
    b->engine.claimed = "root";
    b->fake.fail_type = "leaf";
    b->fake.fail_code = "Bad";
    b->fake.fail_times = 9;
    assert_int_equal(apply(b), -1);
    assert_string_equal(of_type(b, "root")->claim, "");
    assert_null(record_claim(&b->engine, &b->records));
}

static void an_adopted_object_gets_the_new_claim(void **state)
{
    struct bench *b = *state;
    claim_as(b, "old");
    b->fake.fail_type = "tags";
    b->fake.fail_code = "Denied";
    assert_int_equal(apply(b), 0);
    b->records = (struct records){NULL, 0}; /* killed before the state was written */
    assert_int_equal(adopt(b), 0);
    assert_string_equal(value_cstr(record_claim(&b->engine, &b->records), ""), "old");
    b->fake.fail_type = NULL;
    claim_as(b, "new");
    assert_int_equal(action(b, "top"), ENGINE_UPDATE);
    assert_int_equal(apply(b), 0);
    assert_string_equal(of_type(b, "top")->claim, "");
    assert_int_equal(existing(b), 5);
}

static void objects_of_another_owner_are_left_alone(void **state)
{
    struct bench *b = *state;
    assert_int_equal(apply(b), 0);
    b->records = (struct records){NULL, 0};
    b->engine.name = value_str(b->a, "y");
    assert_int_equal(adopt(b), 0);
    assert_int_equal(b->records.count, 0);
    assert_int_equal(apply(b), 0);
    assert_int_equal(existing(b), 10);
}

static void waits_until_ready(void **state)
{
    struct bench *b = *state;
    b->fake.pending_reads = 12;
    assert_int_equal(apply(b), 0);
    assert_true(b->fake.calls > 12);
}

static void the_deadline_ends_it(void **state)
{
    struct bench *b = *state;
    b->fake.pending_reads = 1000000;
    b->work.deadline_ms = clock_system()->monotonic_ms(NULL) + 100;
    assert_int_equal(apply(b), -1);
    assert_true(says(b, "the time was up"));
    assert_int_equal(b->records.count, existing(b));
    assert_true(records_find(&b->records, "root")->incomplete);
    b->fake.pending_reads = 0;
    b->work.deadline_ms = INT64_MAX;
    assert_int_equal(apply(b), 0);
    assert_int_equal(b->fake.creates, 5);
}

static void cancel_starts_nothing_new(void **state)
{
    struct bench *b = *state;
    cancel_set(b->cancel, false);
    assert_int_equal(apply(b), -1);
    assert_int_equal(existing(b), 0);
    assert_true(says(b, "Not made"));
}

struct placing {
    int tries;
    int give_up_after;
};

static int next_try(void *self, struct arena *a, const char *hook,
                    const struct engine_create_try *t, const struct value **ret,
                    struct diags *diags)
{
    struct placing *p = self;
    assert_string_equal(hook, "place");
    assert_int_equal(t->tries, p->tries);
    assert_true(p->tries == 0 || t->error->class_ == CLOUD_ERROR_CAPACITY);
    if (p->tries++ == p->give_up_after) {
        *ret = NULL;
        return diags_error(diags, NULL, "No place", "all was tried");
    }
    *ret = value_with(a, t->inputs, "size", value_printf(a, "%d", p->tries));
    return 0;
}

static void placement_tries_the_next(void **state)
{
    struct bench *b = *state;
    struct placing p = {0, 5};
    const struct engine_hooks hooks = {.self = &p, .next_try = next_try};
    b->engine.hooks = &hooks;
    b->fake.fail_type = "top";
    b->fake.fail_code = "NoCapacity";
    b->fake.fail_times = 2;
    assert_int_equal(apply(b), 0);
    assert_string_equal(of_type(b, "top")->size, "3");
    assert_int_equal(p.tries, 3);
}

static void placement_gives_up(void **state)
{
    struct bench *b = *state;
    struct placing p = {0, 2};
    const struct engine_hooks hooks = {.self = &p, .next_try = next_try};
    b->engine.hooks = &hooks;
    b->fake.fail_type = "top";
    b->fake.fail_code = "NoCapacity";
    b->fake.fail_times = 100;
    assert_int_equal(apply(b), -1);
    assert_true(says(b, "all was tried"));
    assert_int_equal(existing(b), 4);
}

static int one_try(void *self, struct arena *a, const char *hook, const struct engine_create_try *t,
                   const struct value **ret, struct diags *diags)
{
    (void)self, (void)a, (void)hook, (void)diags;
    *ret = t->error ? NULL : t->inputs;
    return 0;
}

/* A hook without words of its own leaves them to the cloud. */
static void a_hook_gives_up_silently(void **state)
{
    struct bench *b = *state;
    const struct engine_hooks hooks = {.next_try = one_try};
    b->engine.hooks = &hooks;
    b->fake.fail_type = "top";
    b->fake.fail_code = "NoCapacity";
    b->fake.fail_times = 1;
    assert_int_equal(apply(b), -1);
    assert_true(says(b, "NoCapacity"));
    assert_false(says(b, "memory"));
    assert_int_equal(apply(b), 0);
}

static void records_survive_their_json(void **state)
{
    struct bench *b = *state;
    assert_int_equal(apply(b), 0);
    strcpy(of_type(b, "root")->size, "");
    assert_int_equal(refresh(b), 0);
    struct buf json = BUF_INIT(1 << 20);
    const struct value *v = NULL;
    struct records back;
    assert_int_equal(records_encode(&json, &b->records), 0);
    assert_int_equal(value_json_parse(b->a, buf_slice(&json), &v, &b->diags), 0);
    assert_int_equal(records_decode(b->a, v, kinds, &back, &b->diags), 0);
    assert_int_equal(back.count, b->records.count);
    for (size_t i = 0; i < back.count; i++) {
        assert_string_equal(back.items[i].name, b->records.items[i].name);
        assert_string_equal(record_state(b->a, &back.items[i]),
                            record_state(b->a, &b->records.items[i]));
        assert_true(value_equal(records_attr(&back, back.items[i].name, "id"),
                                records_attr(&b->records, back.items[i].name, "id")));
    }
    buf_clean_up(&json);
    const struct component *const none[] = {NULL};
    assert_int_equal(records_decode(b->a, v, none, &back, &b->diags), -1);
    assert_true(says(b, "does not know"));
}

/* ---- components of another cloud ---- */

static const struct value *inner_owner_tags(struct arena *a, const char *type,
                                            const struct value *name, const char *component)
{
    (void)type, (void)name;
    const struct value_member m = {SLICE_LIT("owner"), value_printf(a, "inner %s", component)};
    return value_map(a, &type_string, &m, 1);
}

struct told {
    char roots[64]; /* the root's id, once it was told of */
    bool early;     /* something of the inner cloud was there before the root was told of */
    struct fake *inner;
};

static void recorded(void *self, const struct record *r)
{
    struct told *t = self;
    if (strcmp(r->name, "root") == 0 && !*t->roots)
        snprintf(t->roots, sizeof(t->roots), "%s", value_cstr(value_get(r->attrs, "id"), "?"));
    t->early |= !*t->roots && t->inner->count;
}

/* A cloud whose leaves are made inside of what the other one's root is. */
struct inner {
    struct fake fake;
    struct cloud_driver driver;
    struct component leaf;
    struct resource_component entries[3];
    struct resource_cloud table;
    struct engine_cloud cloud;
};

static void use_inner(struct bench *b, struct inner *in)
{
    memset(in, 0, sizeof(*in));
    pthread_mutex_init(&in->fake.lock, NULL);
    in->driver = driver;
    in->leaf = leaf;
    in->driver.cloud = in->leaf.cloud = "inner";
    in->driver.owner_tags = inner_owner_tags;
    memcpy(in->entries, entries, sizeof(in->entries));
    in->entries[1].component = &in->leaf;
    in->table = (struct resource_cloud){"fake", in->entries, 3};
    in->cloud = (struct engine_cloud){&in->driver, (struct cloud_client *)&in->fake};
    b->table = &in->table;
    b->engine.more = &in->cloud;
    b->engine.more_count = 1;
    b->top = false;
}

/* What cannot be asked stays as it was; that is said once, and is no error. */
static void a_cloud_out_of_reach_keeps_its_records(void **state)
{
    struct bench *b = *state;
    struct inner in;
    use_inner(b, &in);
    assert_int_equal(apply(b), 0);
    in.fake.objects[0].exists = false;
    assert_int_equal(refresh(b), 0);
    in.fake.fails = CLOUD_ERROR_TRANSIENT;
    of_type(b, "root")->size[0] = '9';
    assert_int_equal(refresh(b), 0);
    assert_false(diags_has_error(&b->diags));
    assert_int_equal(b->diags.warnings, 1);
    assert_true(says(b, "Objects in the cluster could not be looked at"));
    assert_true(says(b, "3 of them are taken to be as the state has them: simulated."));
    size_t missing = 0;
    for (size_t i = 0; i < b->records.count; i++)
        missing += b->records.items[i].missing;
    assert_int_equal(missing, 1);
    assert_int_equal(action(b, "root"), ENGINE_UPDATE);
    /* Neither is a refusal such a case, nor the resource's own cloud. */
    in.fake.fails = CLOUD_ERROR_PERMISSION;
    assert_int_equal(refresh(b), -1);
    in.fake.fails = CLOUD_ERROR_NONE;
    b->fake.fails = CLOUD_ERROR_TRANSIENT;
    assert_int_equal(refresh(b), -1);
    assert_int_equal(b->diags.warnings, 1);
    pthread_mutex_destroy(&in.fake.lock);
}

static void what_is_out_of_reach_is_said_once(void **state)
{
    struct bench *b = *state;
    struct inner in;
    use_inner(b, &in);
    assert_int_equal(apply(b), 0);
    in.fake.fails = CLOUD_ERROR_TRANSIENT;
    b->leaves = "{\"a\":{\"size\":\"2\"},\"b\":{\"size\":\"2\"},\"c\":{\"size\":\"2\"}}";
    in.fake.delay_ms = 50; /* they are all at work when the first one fails */
    b->root_size = "3";
    assert_int_equal(apply(b), -1);
    assert_int_equal(b->diags.errors, 2); /* and what exists */
    assert_true(says(b, "simulated"));
    assert_string_equal(of_type(b, "root")->size, "3");
    in.fake.fails = CLOUD_ERROR_PERMISSION;
    assert_int_equal(apply(b), -1);
    assert_int_equal(b->diags.errors, 2 + 4);
    pthread_mutex_destroy(&in.fake.lock);
}

/* Components whose tables name another cloud are made, read and removed there; the hook has been
 * told of what they stand on before. */
static void components_of_another_cloud(void **state)
{
    struct bench *b = *state;
    struct inner in;
    use_inner(b, &in);
    struct told told = {.inner = &in.fake};
    const struct engine_hooks hooks = {.self = &told, .recorded = recorded};
    b->engine.hooks = &hooks;
    const struct value_member tag = {SLICE_LIT("team"), value_str(b->a, "a b")};
    b->engine.tags = value_map(b->a, &type_string, &tag, 1);
    assert_int_equal(apply(b), 0);
    /* the resource's tags are for its own cloud */
    const struct value *root_tags = records_attr(&b->records, "root", "tags");
    const struct record *inner_one = NULL;
    for (size_t i = 0; i < b->records.count; i++)
        if (b->records.items[i].component == &in.leaf)
            inner_one = &b->records.items[i];
    assert_non_null(value_get(root_tags, "team"));
    assert_non_null(inner_one);
    assert_null(value_get(value_get(inner_one->attrs, "tags"), "team"));
    assert_int_equal(existing(b), 1);
    assert_int_equal(in.fake.count, 3);
    assert_string_equal(in.fake.objects[0].parent, told.roots);
    assert_non_null(strstr(in.fake.objects[0].name, "inner leaf-"));
    assert_false(told.early);
    in.fake.objects[0].exists = false;
    assert_int_equal(refresh(b), 0);
    size_t missing = 0;
    for (size_t i = 0; i < b->records.count; i++)
        missing += b->records.items[i].missing;
    assert_int_equal(missing, 1);
    assert_int_equal(apply(b), 0);
    assert_int_equal(in.fake.count, 4);
    assert_int_equal(b->fake.creates, 1);
    assert_int_equal(destroy(b), 0);
    for (size_t i = 0; i < in.fake.count; i++)
        assert_false(in.fake.objects[i].exists);
    assert_int_equal(existing(b), 0);
    pthread_mutex_destroy(&in.fake.lock);
}

/* A condition may be about each member. */
static void members_have_conditions_of_their_own(void **state)
{
    struct bench *b = *state;
    struct resource_component own[3] = {entries[0], entries[1], entries[2]};
    const struct resource_cloud with = {"fake", own, 3};
    own[1].when = REF("each", "on");
    b->table = &with;
    b->leaves = "{\"a\":{\"size\":\"1\",\"on\":true},\"b\":{\"size\":\"1\",\"on\":false},"
                "\"c\":{\"size\":\"1\"}}";
    assert_int_equal(apply(b), 0);
    assert_int_equal(existing(b), 3);
    assert_non_null(records_find(&b->records, "leaf-a"));
    b->leaves = "{\"a\":{\"size\":\"1\",\"on\":false},\"b\":{\"size\":\"1\",\"on\":true}}";
    assert_int_equal(apply(b), 0);
    assert_null(records_find(&b->records, "leaf-a"));
    assert_non_null(records_find(&b->records, "leaf-b"));
    assert_int_equal(destroy(b), 0);
}

static const char *path_of_error(const struct bench *b, const char *text)
{
    for (const struct diag *d = b->diags.first; d; d = d->next)
        if (strstr(d->detail, text) || strstr(d->summary, text))
            return path_string(b->a, d->path);
    return "no such error";
}

/* Errors stand at the attribute that a component is made for, as far as the configuration has it.
 */
static void errors_have_the_path_of_their_attribute(void **state)
{
    struct bench *b = *state;
    static const struct {
        const char *inner, *path;
    } cases[] = {{"big", "sizes[\"a\"].big"}, {"small", "sizes[\"a\"]"}};
    b->leaves = "{\"a\":{\"size\":\"1\"}}";
    for (size_t i = 0; i < 2; i++) {
        struct resource_component own[3] = {entries[0], entries[1], entries[2]};
        const struct resource_cloud with = {"fake", own, 3};
        const struct template outer = {.kind = TEMPLATE_LITERAL,
                                       .literal = value_str(b->a, "sizes")},
                              inner = {.kind = TEMPLATE_LITERAL,
                                       .literal = value_str(b->a, cases[i].inner)};
        const struct template_member steps[] = {
            {NULL, &outer}, {NULL, REF("each", "key")}, {NULL, &inner}};
        const struct template attribute = {
            .kind = TEMPLATE_TUPLE, .members = steps, .member_count = 3};
        own[1].attribute = &attribute;
        b->table = &with;
        b->fake.fail_type = "leaf";
        b->fake.fail_code = "Bad";
        b->fake.fail_times = 1;
        diags_init(&b->diags, b->a);
        assert_int_equal(apply(b), -1);
        assert_string_equal(path_of_error(b, "Bad"), cases[i].path);
        assert_string_equal(path_of_error(b, "is not complete"), "");
    }
}

/* Records of several applies may contradict each other: nothing waits for itself. */
static void a_circle_of_records_is_destroyed(void **state)
{
    struct bench *b = *state;
    const char *const on_top[] = {"top"};
    assert_int_equal(apply(b), 0);
    records_find(&b->records, "leaf-a")->needs = on_top;
    records_find(&b->records, "leaf-a")->need_count = 1;
    assert_int_equal(destroy(b), 0);
    assert_int_equal(existing(b), 0);
}

/* What could not be made gives way to another; what worked before is left as it is. */
static void what_could_not_be_made_is_made_anew(void **state)
{
    static const char *const broken[] = {"broken"};
    struct bench *b = *state;
    struct component fragile = leaf;
    struct resource_component own[3] = {entries[0], entries[1], entries[2]};
    const struct resource_cloud with = {"fake", own, 3};
    fragile.states.unmade = broken;
    fragile.states.unmade_count = 1;
    own[1].component = &fragile;
    b->table = &with;
    b->leaves = "{\"a\":{\"size\":\"1\"}}";
    snprintf(b->fake.broken, sizeof(b->fake.broken), "leaf-2");
    assert_int_equal(apply(b), -1);
    assert_true(says(b, "broken"));
    assert_true(records_find(&b->records, "leaf-a")->incomplete);
    diags_init(&b->diags, b->a);
    assert_int_equal(apply(b), 0);
    assert_string_equal(of_type(b, "leaf")->id, "leaf-3");
    assert_int_equal(existing(b), 3);
    snprintf(b->fake.broken, sizeof(b->fake.broken), "leaf-3");
    assert_int_equal(apply(b), 0);
    assert_string_equal(of_type(b, "leaf")->id, "leaf-3");
    assert_int_equal(destroy(b), 0);
}

/* What cannot be deleted is not waited for until the time is up; it stays in the records. */
static void what_could_not_be_deleted_is_not_waited_for(void **state)
{
    static const char *const broken[] = {"broken"};
    const struct component_step steps[] = {leaf.destroy[0], {.wait_gone = true}};
    struct bench *b = *state;
    struct component stubborn = leaf;
    struct resource_component own[3] = {entries[0], entries[1], entries[2]};
    const struct resource_cloud with = {"fake", own, 3};
    stubborn.states.failed = stubborn.states.undeleted = broken;
    stubborn.states.failed_count = stubborn.states.undeleted_count = 1;
    stubborn.destroy = steps;
    stubborn.destroy_count = 2;
    own[1].component = &stubborn;
    b->table = &with;
    b->leaves = "{\"a\":{\"size\":\"1\"}}";
    assert_int_equal(apply(b), 0);
    snprintf(b->fake.broken, sizeof(b->fake.broken), "%s", of_type(b, "leaf")->id);
    b->fake.keeps_broken = true;
    assert_int_equal(destroy(b), -1);
    assert_true(says(b, "broken"));
    assert_false(says(b, "last state"));
    assert_non_null(records_find(&b->records, "leaf-a"));
    b->fake.keeps_broken = false;
    assert_int_equal(destroy(b), 0);
    assert_int_equal(existing(b), 0);
}

/* Objects that one list has are read with one call; each is compared, or missed, for itself. */
static void one_list_is_read_once(void **state)
{
    struct bench *b = *state;
    struct component listed = leaf;
    struct resource_component own[3] = {entries[0], entries[1], entries[2]};
    const struct resource_cloud with = {"fake", own, 3};
    listed.read.batch = false;
    listed.read.request = OBJECT({"of", REF("", "parent")});
    own[1].component = &listed;
    b->table = &with;
    assert_int_equal(apply(b), 0);
    b->fake.calls = 0;
    assert_int_equal(refresh(b), 0);
    assert_int_equal(b->fake.calls, 3);
    const char *b_id = value_cstr(records_attr(&b->records, "leaf-b", "id"), "");
    const char *c_id = value_cstr(records_attr(&b->records, "leaf-c", "id"), "");
    snprintf(find(&b->fake, b_id)->size, sizeof(b->fake.objects[0].size), "9");
    find(&b->fake, c_id)->exists = false;
    assert_int_equal(refresh(b), 0);
    assert_int_equal(action(b, "leaf-a"), ENGINE_NONE);
    assert_int_equal(action(b, "leaf-b"), ENGINE_UPDATE);
    assert_int_equal(action(b, "leaf-c"), ENGINE_CREATE);
    /* Another parent has another list. */
    struct record *r = records_find(&b->records, "leaf-a");
    r->attrs = value_with(b->a, r->attrs, "parent", value_str(b->a, "other"));
    b->fake.calls = 0;
    assert_int_equal(refresh(b), 0);
    assert_int_equal(b->fake.calls, 4);
}

/* What others have built on an object keeps it. They are named when they have had their time to
 * go, or when the time is up; who cannot be asked for is waited for. */
static void what_others_have_put_in_the_way_is_named(void **state)
{
    const struct component_extra_read by[] = {{"thing",
                                               {.op = &op_list,
                                                .request = OBJECT({"of", REF("", "id")}),
                                                .items = "items.*",
                                                .match = "parent"}}};
    struct bench *b = *state;
    struct component held = root;
    struct resource_component own[3] = {entries[0], entries[1], entries[2]};
    const struct resource_cloud with = {"fake", own, 3};
    const struct {
        int64_t patience_ms, ms;
        const char *code;
        bool named;
    } cases[] = {{500, 60000, "InUse", true},
                 {60000, 2000, "InUse", true},
                 {0, 2000, "InUse", true},
                 {0, 2000, "Other", false}};
    held.held = (struct component_held){.by = by, .by_count = 1, .advice = "Take it away."};
    own[0].component = &held;
    b->table = &with;
    assert_int_equal(apply(b), 0);
    struct object *foreign = &b->fake.objects[b->fake.count++];
    *foreign = (struct object){"leaf-9", "leaf", "", "1", "theirs", "", true};
    snprintf(foreign->parent, sizeof(foreign->parent), "%s", of_type(b, "root")->id);
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        int64_t began = clock_system()->monotonic_ms(NULL);
        held.held.codes = &cases[i].code;
        held.held.code_count = 1;
        held.held.patience_ms = cases[i].patience_ms;
        b->work.deadline_ms = began + cases[i].ms;
        diags_init(&b->diags, b->a);
        assert_int_equal(destroy(b), -1);
        assert_int_equal(says(b, "simulated. In the way: thing root-1. Take it away."),
                         cases[i].named);
        assert_true(clock_system()->monotonic_ms(NULL) - began < 5000);
        assert_non_null(records_find(&b->records, "root"));
    }
    foreign->exists = false;
    assert_int_equal(destroy(b), 0);
}

/* Settings of a create that failed have made leaves that those of the next one do not want. */
static void what_other_settings_have_made_is_found(void **state)
{
    struct bench *b = *state;
    struct component listed = leaf;
    struct resource_component own[3] = {entries[0], entries[1], entries[2]};
    const struct resource_cloud with = {"fake", own, 3};
    listed.list = (struct component_read){.op = &op_list,
                                          .request = OBJECT({"of", REF("", "parent")}),
                                          .items = "items.*",
                                          .match = "key"};
    own[1].component = &listed;
    b->table = &with;
    assert_int_equal(apply(b), 0);
    struct object *foreign = &b->fake.objects[b->fake.count++];
    *foreign = (struct object){"leaf-9", "leaf", "", "1", "thing/y/leaf-d", "", true};
    b->records = (struct records){NULL, 0};
    b->leaves = "{\"a\":{\"size\":\"1\"}}";
    assert_int_equal(adopt(b), 0);
    assert_int_equal(b->records.count, 5);
    assert_int_equal(action(b, "leaf-a"), ENGINE_UPDATE);
    assert_int_equal(action(b, "leaf-c"), ENGINE_DESTROY);
    assert_int_equal(apply(b), 0);
    assert_int_equal(existing(b), 4);
    assert_true(foreign->exists);
    assert_int_equal(destroy(b), 0);
    assert_int_equal(existing(b), 1);
}

/* The keys of objects with names are what follows the beginning that all names of the entry have.
 */
static void keys_are_found_in_names(void **state)
{
    struct bench *b = *state;
    struct component listed = leaf;
    struct resource_component own[3] = {entries[0], entries[1], entries[2]};
    const struct resource_cloud with = {"fake", own, 3};
    const struct template_member words[] = {{NULL, TEXT("n-")}, {NULL, REF("each", "key")}};
    const struct template join = {.kind = TEMPLATE_JOIN, .members = words, .member_count = 2};
    const struct template_member inputs[] = {{"parent", REF("root", "id")}, {"size", &join}};
    const struct template named = {.kind = TEMPLATE_OBJECT, .members = inputs, .member_count = 2};
    listed.id_attr = listed.read.match = "size";
    listed.list = (struct component_read){.op = &op_list, .request = OBJECT(), .items = "items.*"};
    own[1].component = &listed;
    own[1].inputs = &named;
    b->table = &with;
    b->root_size = "other-b";
    b->top = false;
    assert_int_equal(apply(b), 0);
    struct object *foreign = &b->fake.objects[b->fake.count++];
    *foreign = (struct object){"leaf-9", "leaf", "", "n-z", "thing/y/leaf-z", "", true};
    b->records = (struct records){NULL, 0};
    b->leaves = "{\"a\":{\"size\":\"1\"}}";
    b->fake.calls = 0;
    assert_int_equal(adopt(b), 0);
    /* The two that are wanted, the list, b and c, and z, which is another's. */
    assert_int_equal(b->fake.calls, 6);
    assert_int_equal(b->records.count, 4);
    assert_int_equal(action(b, "leaf-b"), ENGINE_DESTROY);
    assert_int_equal(apply(b), 0);
    assert_int_equal(existing(b), 3);
    assert_true(foreign->exists);
}

/* Of a key that is still wanted, other settings may have made more than these do. */
static void what_a_key_has_besides_is_found(void **state)
{
    struct bench *b = *state;
    struct resource_component own[4] = {entries[0], entries[1], entries[1], entries[2]};
    const struct resource_cloud with = {"fake", own, 4};
    own[2].name = "twin-{key}";
    own[2].when = REF("each", "twin");
    b->table = &with;
    b->leaves = "{\"a\":{\"size\":\"1\",\"twin\":true},\"b\":{\"size\":\"1\"}}";
    assert_int_equal(apply(b), 0);
    assert_int_equal(existing(b), 5);
    b->records = (struct records){NULL, 0};
    b->leaves = "{\"a\":{\"size\":\"1\"},\"b\":{\"size\":\"1\",\"twin\":true}}";
    b->fake.calls = 0;
    assert_int_equal(adopt(b), 0);
    /* The five that are wanted, and the twin of a. */
    assert_int_equal(b->fake.calls, 6);
    assert_int_equal(action(b, "twin-a"), ENGINE_DESTROY);
    assert_int_equal(action(b, "twin-b"), ENGINE_CREATE);
    assert_int_equal(apply(b), 0);
    assert_int_equal(existing(b), 5);
    /* What the state has is not looked for each time. */
    b->fake.calls = 0;
    assert_int_equal(adopt(b), 0);
    assert_int_equal(b->fake.calls, 0);
}

/* Those that no state knows are found from what it knows, with what they stand on. */
static void what_an_update_has_left_is_found_for_a_destroy(void **state)
{
    struct bench *b = *state;
    struct component listed = leaf;
    struct resource_component own[3] = {entries[0], entries[1], entries[2]};
    const struct resource_cloud with = {"fake", own, 3};
    struct records old, others;
    listed.list = (struct component_read){.op = &op_list,
                                          .request = OBJECT({"of", REF("", "parent")}),
                                          .items = "items.*",
                                          .match = "key"};
    own[1].component = &listed;
    b->table = &with;
    b->leaves = "{\"a\":{\"size\":\"1\"}}";
    b->top = false;
    assert_int_equal(apply(b), 0);
    old = b->records;
    b->leaves = "{\"b\":{\"size\":\"2\"},\"c\":{\"size\":\"2\"}}";
    assert_int_equal(apply(b), 0);
    assert_int_equal(engine_find_others(b->a, &b->engine, &b->work, &with, NULL, &old, &others), 0);
    assert_int_equal(others.count, 2);
    assert_string_equal(others.items[0].name, "leaf-b");
    assert_int_equal(others.items[0].need_count, 1);
    assert_string_equal(others.items[0].needs[0], "root");
    old = (struct records){NULL, 0};
    b->fake.calls = 0;
    assert_int_equal(engine_find_others(b->a, &b->engine, &b->work, &with, NULL, &old, &others), 0);
    assert_int_equal(others.count + (size_t)b->fake.calls, 0);
}

/* Waiting for what has failed is of no use: another change is made at once, and in place. */
static void what_has_failed_takes_another_change(void **state)
{
    static const char *const broken[] = {"broken"};
    struct bench *b = *state;
    struct component fragile = leaf;
    struct resource_component own[3] = {entries[0], entries[1], entries[2]};
    const struct resource_cloud with = {"fake", own, 3};
    fragile.states.failed = broken;
    fragile.states.failed_count = 1;
    own[1].component = &fragile;
    b->table = &with;
    b->leaves = "{\"a\":{\"size\":\"1\"}}";
    snprintf(b->fake.broken, sizeof(b->fake.broken), "leaf-2");
    assert_int_equal(apply(b), -1);
    diags_init(&b->diags, b->a);
    assert_int_equal(apply(b), -1); /* nothing else is wanted: it has failed still */
    assert_true(says(b, "broken"));
    diags_init(&b->diags, b->a);
    b->leaves = "{\"a\":{\"size\":\"2\"}}";
    assert_int_equal(apply(b), 0);
    assert_string_equal(of_type(b, "leaf")->id, "leaf-2");
    assert_string_equal(of_type(b, "leaf")->size, "2");
    assert_false(records_find(&b->records, "leaf-a")->incomplete);
    assert_int_equal(destroy(b), 0);
}

struct sweeper {
    struct bench *bench;
    int rc, count;
    size_t seen; /* objects that are there when it is called */
};

static int sweep(void *self, struct arena *a, const struct component *kind, const struct value *of,
                 struct diags *diags)
{
    struct sweeper *s = self;
    (void)a;
    s->count++;
    s->seen = existing(s->bench);
    assert_string_equal(kind->destroyed_by, "sweep");
    assert_string_equal(value_cstr(value_get(of, "size"), ""), "1");
    return s->rc == 0 ? 0 : diags_error(diags, NULL, "Still in use", "by others");
}

/* Code destroys between what stands on the component and what it stands on; a refusal keeps the
 * latter, and the place in the order. */
static void code_destroys_in_its_place(void **state)
{
    struct bench *b = *state;
    struct component place = leaf;
    struct resource_component own[3] = {entries[0], entries[1], entries[2]};
    const struct resource_cloud with = {"fake", own, 3};
    struct sweeper s = {b, -1, 0, 0};
    const struct engine_destroyer destroyer = {&s, sweep};
    place.destroyed_by = "sweep";
    place.create_count = place.destroy_count = 0;
    place.read.op = NULL;
    place.states.path = NULL;
    own[1].component = &place;
    b->table = &with;
    b->leaves = "{\"a\":{\"size\":\"1\"}}";
    b->engine.destroyer = &destroyer;
    assert_int_equal(apply(b), 0);
    assert_int_equal(existing(b), 2);
    assert_int_equal(destroy(b), -1);
    assert_true(says(b, "Still in use"));
    assert_int_equal(s.seen, 1);
    assert_non_null(of_type(b, "root"));
    assert_non_null(records_find(&b->records, "leaf-a"));
    s.rc = 0;
    assert_int_equal(destroy(b), 0);
    assert_int_equal(s.count, 2);
    assert_int_equal(existing(b), 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(creates_in_order_and_in_parallel),
        T(partial_failure_keeps_what_exists),
        T(what_was_not_made_is_said_shortly),
        T(drift_is_seen_and_only_it_is_repaired),
        T(drift_that_is_as_wanted_is_recorded),
        T(update_in_place),
        T(some_inputs_are_set_at_last),
        T(a_missing_root_replaces_what_stands_on_it),
        T(what_is_no_longer_asked_for_goes),
        T(destroys_dependants_first),
        T(a_lost_answer_is_looked_up),
        T(an_interrupted_create_is_adopted),
        T(an_interrupted_update_is_adopted),
        T(what_stays_on_what_goes_is_seen),
        T(what_stays_may_not_say_what_it_stands_on),
        T(a_claim_is_put_on_and_taken_away),
        T(a_failed_apply_takes_its_claim_away),
        T(an_adopted_object_gets_the_new_claim),
        T(objects_of_another_owner_are_left_alone),
        T(waits_until_ready),
        T(the_deadline_ends_it),
        T(cancel_starts_nothing_new),
        T(placement_tries_the_next),
        T(components_of_another_cloud),
        T(a_cloud_out_of_reach_keeps_its_records),
        T(what_is_out_of_reach_is_said_once),
        T(placement_gives_up),
        T(a_hook_gives_up_silently),
        T(records_survive_their_json),
        T(members_have_conditions_of_their_own),
        T(errors_have_the_path_of_their_attribute),
        T(a_circle_of_records_is_destroyed),
        T(what_could_not_be_made_is_made_anew),
        T(what_could_not_be_deleted_is_not_waited_for),
        T(one_list_is_read_once),
        T(what_others_have_put_in_the_way_is_named),
        T(what_other_settings_have_made_is_found),
        T(keys_are_found_in_names),
        T(what_a_key_has_besides_is_found),
        T(what_an_update_has_left_is_found_for_a_destroy),
        T(what_has_failed_takes_another_change),
        T(code_destroys_in_its_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

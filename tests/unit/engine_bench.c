/* The cloud in memory, the components, and the operations; see the header. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine_bench.h"
#include "value/codec.h"

/* ---- a cloud in memory ---- */

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
    snprintf(f->order[f->ordered++ % FAKE_OBJECTS_MOST], sizeof(f->order[0]), "%s %s", what, name);
}

struct fake_object *fake_find(struct fake *f, const char *id)
{
    for (size_t i = 0; i < f->count; i++)
        if (f->objects[i].exists && strcmp(f->objects[i].id, id) == 0)
            return &f->objects[i];
    return NULL;
}

static const struct value *describe(struct fake *f, struct arena *a, const struct fake_object *o)
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
    struct fake_object *o = &f->objects[f->count++];
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
    struct fake_object *o = fake_find(f, id);
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
    const struct value *items[FAKE_OBJECTS_MOST];
    size_t count = 0;
    const struct value *owner = value_get(rq, "owner");
    for (size_t i = 0; i < f->count; i++) {
        const struct fake_object *o = &f->objects[i];
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
    struct fake_object *o = fake_find(f, id); /* Resize */
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

const struct cloud_driver fake_driver = {.cloud = "fake",
                                         .call = fake_call,
                                         .default_tags = no_tags,
                                         .ignores_tag = ignores,
                                         .owner_tags = owner_tags,
                                         .claim_tag = "claim",
                                         .owner_filter = owner_filter};

/* ---- tables ---- */

static const struct cloud_operation op_create = {.service = "fake", .name = "Create"};
const struct cloud_operation fake_op_list = {.service = "fake", .name = "List", .idempotent = true};
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
        .read = {.op = &fake_op_list,                                                              \
                 .request = OBJECT({"ids", REF("ids", NULL)}),                                     \
                 .batch = true,                                                                    \
                 .items = "items.*",                                                               \
                 .match = "id"},                                                                   \
        .find = {.op = &fake_op_list,                                                              \
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

const struct component bench_root = COMPONENT("root"), bench_leaf = COMPONENT("leaf");
static const struct component top = COMPONENT("top");
const struct component *const bench_kinds[] = {&bench_leaf, &bench_root, &top, NULL};

const struct resource_component bench_entries[] = {
    {.name = "root",
     .component = &bench_root,
     .inputs = OBJECT({"size", REF("config", "root_size")})},
    {.name = "leaf-{key}",
     .component = &bench_leaf,
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
static const struct resource_cloud table = {"fake", bench_entries, 3};

/* ---- a run ---- */

int bench_setup(void **state)
{
    struct bench *b = calloc(1, sizeof(*b));
    b->a = arena_new();
    pthread_mutex_init(&b->fake.lock, NULL);
    diags_init(&b->diags, b->a);
    b->cancel = cancel_new();
    b->work = (struct work){clock_system(), b->cancel, INT64_MAX};
    b->engine = (struct engine){.driver = &fake_driver,
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

int bench_teardown(void **state)
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

struct graph *bench_graph(struct bench *b)
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

int bench_apply(struct bench *b)
{
    struct records after;
    int rc =
        engine_apply(b->a, &b->engine, &b->work, bench_graph(b), &b->records, &after, &b->diags);
    b->records = after;
    return rc;
}

int bench_adopt(struct bench *b)
{
    struct records found;
    int rc = engine_adopt(b->a, &b->engine, &b->work, bench_graph(b), &b->records, &found);
    return rc == 0 ? records_merge(b->a, &b->records, &found) : -1;
}

int bench_refresh(struct bench *b)
{
    struct records after;
    int rc = engine_refresh(b->a, &b->engine, &b->work, &b->records, &after, &b->diags);
    b->records = after;
    return rc;
}

int bench_destroy(struct bench *b)
{
    struct records after;
    int rc = engine_destroy(b->a, &b->engine, &b->work, &b->records, &after, &b->diags);
    b->records = after;
    return rc;
}

enum engine_action bench_action(struct bench *b, const char *name)
{
    struct engine_changes c;
    assert_int_equal(engine_plan(b->a, &b->engine, bench_graph(b), &b->records, &c, &b->diags), 0);
    for (size_t i = 0; i < c.count; i++)
        if (strcmp(c.items[i].name, name) == 0)
            return c.items[i].action;
    fail_msg("no component %s", name);
    return ENGINE_NONE;
}

size_t bench_existing(const struct bench *b)
{
    size_t n = 0;
    for (size_t i = 0; i < b->fake.count; i++)
        n += b->fake.objects[i].exists;
    return n;
}

struct fake_object *bench_of_type(struct bench *b, const char *type)
{
    for (size_t i = 0; i < b->fake.count; i++)
        if (b->fake.objects[i].exists && strcmp(b->fake.objects[i].type, type) == 0)
            return &b->fake.objects[i];
    return NULL;
}

bool bench_says(const struct bench *b, const char *text)
{
    for (const struct diag *d = b->diags.first; d; d = d->next)
        if (strstr(d->detail, text) || strstr(d->summary, text))
            return true;
    return false;
}

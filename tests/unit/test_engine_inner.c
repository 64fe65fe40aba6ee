/* Components of another cloud than the resource's own, inside of what that one has made. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "engine_bench.h"

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
    in->driver = fake_driver;
    in->leaf = bench_leaf;
    in->driver.cloud = in->leaf.cloud = "inner";
    in->driver.owner_tags = inner_owner_tags;
    memcpy(in->entries, bench_entries, sizeof(in->entries));
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
    assert_int_equal(bench_apply(b), 0);
    in.fake.objects[0].exists = false;
    assert_int_equal(bench_refresh(b), 0);
    in.fake.fails = CLOUD_ERROR_TRANSIENT;
    bench_of_type(b, "root")->size[0] = '9';
    assert_int_equal(bench_refresh(b), 0);
    assert_false(diags_has_error(&b->diags));
    assert_int_equal(b->diags.warnings, 1);
    assert_true(bench_says(b, "Objects in the cluster could not be looked at"));
    assert_true(bench_says(b, "3 of them are taken to be as the state has them: simulated."));
    size_t missing = 0;
    for (size_t i = 0; i < b->records.count; i++)
        missing += b->records.items[i].missing;
    assert_int_equal(missing, 1);
    assert_int_equal(bench_action(b, "root"), ENGINE_UPDATE);
    /* Neither is a refusal such a case, nor the resource's own cloud. */
    in.fake.fails = CLOUD_ERROR_PERMISSION;
    assert_int_equal(bench_refresh(b), -1);
    in.fake.fails = CLOUD_ERROR_NONE;
    b->fake.fails = CLOUD_ERROR_TRANSIENT;
    assert_int_equal(bench_refresh(b), -1);
    assert_int_equal(b->diags.warnings, 1);
    pthread_mutex_destroy(&in.fake.lock);
}

static void what_is_out_of_reach_is_said_once(void **state)
{
    struct bench *b = *state;
    struct inner in;
    use_inner(b, &in);
    assert_int_equal(bench_apply(b), 0);
    in.fake.fails = CLOUD_ERROR_TRANSIENT;
    b->leaves = "{\"a\":{\"size\":\"2\"},\"b\":{\"size\":\"2\"},\"c\":{\"size\":\"2\"}}";
    in.fake.delay_ms = 50; /* they are all at work when the first one fails */
    b->root_size = "3";
    assert_int_equal(bench_apply(b), -1);
    assert_int_equal(b->diags.errors, 2); /* and what exists */
    assert_true(bench_says(b, "simulated"));
    assert_string_equal(bench_of_type(b, "root")->size, "3");
    in.fake.fails = CLOUD_ERROR_PERMISSION;
    assert_int_equal(bench_apply(b), -1);
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
    assert_int_equal(bench_apply(b), 0);
    /* the resource's tags are for its own cloud */
    const struct value *root_tags = records_attr(&b->records, "root", "tags");
    const struct record *inner_one = NULL;
    for (size_t i = 0; i < b->records.count; i++)
        if (b->records.items[i].component == &in.leaf)
            inner_one = &b->records.items[i];
    assert_non_null(value_get(root_tags, "team"));
    assert_non_null(inner_one);
    assert_null(value_get(value_get(inner_one->attrs, "tags"), "team"));
    assert_int_equal(bench_existing(b), 1);
    assert_int_equal(in.fake.count, 3);
    assert_string_equal(in.fake.objects[0].parent, told.roots);
    assert_non_null(strstr(in.fake.objects[0].name, "inner leaf-"));
    assert_false(told.early);
    in.fake.objects[0].exists = false;
    assert_int_equal(bench_refresh(b), 0);
    size_t missing = 0;
    for (size_t i = 0; i < b->records.count; i++)
        missing += b->records.items[i].missing;
    assert_int_equal(missing, 1);
    assert_int_equal(bench_apply(b), 0);
    assert_int_equal(in.fake.count, 4);
    assert_int_equal(b->fake.creates, 1);
    assert_int_equal(bench_destroy(b), 0);
    for (size_t i = 0; i < in.fake.count; i++)
        assert_false(in.fake.objects[i].exists);
    assert_int_equal(bench_existing(b), 0);
    pthread_mutex_destroy(&in.fake.lock);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, bench_setup, bench_teardown)
    const struct CMUnitTest tests[] = {
        T(components_of_another_cloud),
        T(a_cloud_out_of_reach_keeps_its_records),
        T(what_is_out_of_reach_is_said_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

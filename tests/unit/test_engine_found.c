/* What the engine finds again in the cloud, and whose it is: answers that were lost, work that was
 * interrupted, claims, other owners, what stands on what, and what other settings have left. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "engine_bench.h"

static void a_lost_answer_is_looked_up(void **state)
{
    struct bench *b = *state;
    b->fake.lose_answer = true;
    assert_int_equal(bench_apply(b), 0);
    assert_int_equal(b->fake.creates, 5);
    assert_int_equal(bench_existing(b), 5);
}

static void an_interrupted_create_is_adopted(void **state)
{
    struct bench *b = *state;
    b->fake.fail_type = "top";
    b->fake.fail_code = "Bad";
    b->fake.fail_times = 1;
    assert_int_equal(bench_apply(b), -1);
    b->records = (struct records){NULL, 0}; /* killed before the state was written */
    assert_int_equal(bench_adopt(b), 0);
    assert_int_equal(b->records.count, 4);
    assert_int_equal(bench_apply(b), 0);
    assert_int_equal(b->fake.creates, 5);
    assert_int_equal(bench_existing(b), 5);
}

/* Its state has the rest: only what the state lacks is looked for, and nothing of it made twice. */
static void an_interrupted_update_is_adopted(void **state)
{
    struct bench *b = *state;
    b->top = false;
    assert_int_equal(bench_apply(b), 0);
    struct records before = {NULL, 0};
    assert_int_equal(records_merge(b->a, &before, &b->records), 0);
    b->top = true;
    assert_int_equal(bench_apply(b), 0);
    size_t made = bench_existing(b);
    b->records = before; /* killed before the state was written */
    assert_int_equal(bench_adopt(b), 0);
    assert_int_equal(b->records.count, before.count + 1);
    assert_true(records_find(&b->records, "top")->incomplete);
    assert_false(records_find(&b->records, "root")->incomplete);
    assert_int_equal(bench_apply(b), 0);
    assert_int_equal(bench_existing(b), made);
    int calls = b->fake.calls;
    assert_int_equal(bench_adopt(b), 0);
    assert_int_equal(b->fake.calls, calls);
}

/* ---- what stands on what ---- */

static bool undermines(struct bench *b)
{
    struct engine_changes c;
    struct graph *g = bench_graph(b);
    assert_int_equal(engine_plan(b->a, &b->engine, g, &b->records, &c, &b->diags), 0);
    return engine_undermines(g, &b->records, &c);
}

/* The top stands on the root, and comes after the leaves. */
static void what_stays_on_what_goes_is_seen(void **state)
{
    struct bench *b = *state;
    assert_int_equal(bench_apply(b), 0);
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
    assert_int_equal(bench_apply(b), 0);
    records_find(&b->records, "top")->need_count = 0;
    assert_false(undermines(b));
    struct record *leaf_a = records_find(&b->records, "leaf-a");
    leaf_a->attrs = value_with(b->a, leaf_a->attrs, "parent", value_str(b->a, "another"));
    assert_true(undermines(b));
    bench_of_type(b, "root")->exists = false;
    assert_int_equal(bench_refresh(b), 0);
    assert_int_equal(bench_action(b, "top"), ENGINE_REPLACE);
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
    assert_int_equal(bench_apply(b), 0);
    assert_true(bench_says(b, "A tag is left over"));
    assert_string_equal(bench_of_type(b, "top")->claim, b->engine.claim);
    assert_string_equal(bench_of_type(b, "root")->claim, "");
    /* The next apply, of a state, takes it away. */
    b->fake.fail_type = NULL;
    b->engine.claim = NULL;
    assert_int_equal(bench_action(b, "top"), ENGINE_UPDATE);
    assert_int_equal(bench_apply(b), 0);
    assert_string_equal(bench_of_type(b, "top")->claim, "");
    assert_int_equal(bench_action(b, "top"), ENGINE_NONE);
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
    assert_int_equal(bench_apply(b), -1);
    assert_string_equal(bench_of_type(b, "root")->claim, "");
    assert_null(record_claim(&b->engine, &b->records));
}

static void an_adopted_object_gets_the_new_claim(void **state)
{
    struct bench *b = *state;
    claim_as(b, "old");
    b->fake.fail_type = "tags";
    b->fake.fail_code = "Denied";
    assert_int_equal(bench_apply(b), 0);
    b->records = (struct records){NULL, 0}; /* killed before the state was written */
    assert_int_equal(bench_adopt(b), 0);
    assert_string_equal(value_cstr(record_claim(&b->engine, &b->records), ""), "old");
    b->fake.fail_type = NULL;
    claim_as(b, "new");
    assert_int_equal(bench_action(b, "top"), ENGINE_UPDATE);
    assert_int_equal(bench_apply(b), 0);
    assert_string_equal(bench_of_type(b, "top")->claim, "");
    assert_int_equal(bench_existing(b), 5);
}

static void objects_of_another_owner_are_left_alone(void **state)
{
    struct bench *b = *state;
    assert_int_equal(bench_apply(b), 0);
    b->records = (struct records){NULL, 0};
    b->engine.name = value_str(b->a, "y");
    assert_int_equal(bench_adopt(b), 0);
    assert_int_equal(b->records.count, 0);
    assert_int_equal(bench_apply(b), 0);
    assert_int_equal(bench_existing(b), 10);
}

/* ---- lists, and what others have left ---- */

/* Objects that one list has are read with one call; each is compared, or missed, for itself. */
static void one_list_is_read_once(void **state)
{
    struct bench *b = *state;
    struct component listed = bench_leaf;
    struct resource_component own[3] = {bench_entries[0], bench_entries[1], bench_entries[2]};
    const struct resource_cloud with = {"fake", own, 3};
    listed.read.batch = false;
    listed.read.request = OBJECT({"of", REF("", "parent")});
    own[1].component = &listed;
    b->table = &with;
    assert_int_equal(bench_apply(b), 0);
    b->fake.calls = 0;
    assert_int_equal(bench_refresh(b), 0);
    assert_int_equal(b->fake.calls, 3);
    const char *b_id = value_cstr(records_attr(&b->records, "leaf-b", "id"), "");
    const char *c_id = value_cstr(records_attr(&b->records, "leaf-c", "id"), "");
    snprintf(fake_find(&b->fake, b_id)->size, sizeof(b->fake.objects[0].size), "9");
    fake_find(&b->fake, c_id)->exists = false;
    assert_int_equal(bench_refresh(b), 0);
    assert_int_equal(bench_action(b, "leaf-a"), ENGINE_NONE);
    assert_int_equal(bench_action(b, "leaf-b"), ENGINE_UPDATE);
    assert_int_equal(bench_action(b, "leaf-c"), ENGINE_CREATE);
    /* Another parent has another list. */
    struct record *r = records_find(&b->records, "leaf-a");
    r->attrs = value_with(b->a, r->attrs, "parent", value_str(b->a, "other"));
    b->fake.calls = 0;
    assert_int_equal(bench_refresh(b), 0);
    assert_int_equal(b->fake.calls, 4);
}

/* What others have built on an object keeps it. They are named when they have had their time to
 * go, or when the time is up; who cannot be asked for is waited for. */
static void what_others_have_put_in_the_way_is_named(void **state)
{
    const struct component_extra_read by[] = {{"thing",
                                               {.op = &fake_op_list,
                                                .request = OBJECT({"of", REF("", "id")}),
                                                .items = "items.*",
                                                .match = "parent"}}};
    struct bench *b = *state;
    struct component held = bench_root;
    struct resource_component own[3] = {bench_entries[0], bench_entries[1], bench_entries[2]};
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
    assert_int_equal(bench_apply(b), 0);
    struct fake_object *foreign = &b->fake.objects[b->fake.count++];
    *foreign = (struct fake_object){"leaf-9", "leaf", "", "1", "theirs", "", true};
    snprintf(foreign->parent, sizeof(foreign->parent), "%s", bench_of_type(b, "root")->id);
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        int64_t began = clock_system()->monotonic_ms(NULL);
        held.held.codes = &cases[i].code;
        held.held.code_count = 1;
        held.held.patience_ms = cases[i].patience_ms;
        b->work.deadline_ms = began + cases[i].ms;
        diags_init(&b->diags, b->a);
        assert_int_equal(bench_destroy(b), -1);
        assert_int_equal(bench_says(b, "simulated. In the way: thing root-1. Take it away."),
                         cases[i].named);
        assert_true(clock_system()->monotonic_ms(NULL) - began < 5000);
        assert_non_null(records_find(&b->records, "root"));
    }
    foreign->exists = false;
    assert_int_equal(bench_destroy(b), 0);
}

/* Settings of a create that failed have made leaves that those of the next one do not want. */
static void what_other_settings_have_made_is_found(void **state)
{
    struct bench *b = *state;
    struct component listed = bench_leaf;
    struct resource_component own[3] = {bench_entries[0], bench_entries[1], bench_entries[2]};
    const struct resource_cloud with = {"fake", own, 3};
    listed.list = (struct component_read){.op = &fake_op_list,
                                          .request = OBJECT({"of", REF("", "parent")}),
                                          .items = "items.*",
                                          .match = "key"};
    own[1].component = &listed;
    b->table = &with;
    assert_int_equal(bench_apply(b), 0);
    struct fake_object *foreign = &b->fake.objects[b->fake.count++];
    *foreign = (struct fake_object){"leaf-9", "leaf", "", "1", "thing/y/leaf-d", "", true};
    b->records = (struct records){NULL, 0};
    b->leaves = "{\"a\":{\"size\":\"1\"}}";
    assert_int_equal(bench_adopt(b), 0);
    assert_int_equal(b->records.count, 5);
    assert_int_equal(bench_action(b, "leaf-a"), ENGINE_UPDATE);
    assert_int_equal(bench_action(b, "leaf-c"), ENGINE_DESTROY);
    assert_int_equal(bench_apply(b), 0);
    assert_int_equal(bench_existing(b), 4);
    assert_true(foreign->exists);
    assert_int_equal(bench_destroy(b), 0);
    assert_int_equal(bench_existing(b), 1);
}

/* The keys of objects with names are what follows the beginning that all names of the entry have.
 */
static void keys_are_found_in_names(void **state)
{
    struct bench *b = *state;
    struct component listed = bench_leaf;
    struct resource_component own[3] = {bench_entries[0], bench_entries[1], bench_entries[2]};
    const struct resource_cloud with = {"fake", own, 3};
    const struct template_member words[] = {{NULL, TEXT("n-")}, {NULL, REF("each", "key")}};
    const struct template join = {.kind = TEMPLATE_JOIN, .members = words, .member_count = 2};
    const struct template_member inputs[] = {{"parent", REF("root", "id")}, {"size", &join}};
    const struct template named = {.kind = TEMPLATE_OBJECT, .members = inputs, .member_count = 2};
    listed.id_attr = listed.read.match = "size";
    listed.list =
        (struct component_read){.op = &fake_op_list, .request = OBJECT(), .items = "items.*"};
    own[1].component = &listed;
    own[1].inputs = &named;
    b->table = &with;
    b->root_size = "other-b";
    b->top = false;
    assert_int_equal(bench_apply(b), 0);
    struct fake_object *foreign = &b->fake.objects[b->fake.count++];
    *foreign = (struct fake_object){"leaf-9", "leaf", "", "n-z", "thing/y/leaf-z", "", true};
    b->records = (struct records){NULL, 0};
    b->leaves = "{\"a\":{\"size\":\"1\"}}";
    b->fake.calls = 0;
    assert_int_equal(bench_adopt(b), 0);
    /* The two that are wanted, the list, b and c, and z, which is another's. */
    assert_int_equal(b->fake.calls, 6);
    assert_int_equal(b->records.count, 4);
    assert_int_equal(bench_action(b, "leaf-b"), ENGINE_DESTROY);
    assert_int_equal(bench_apply(b), 0);
    assert_int_equal(bench_existing(b), 3);
    assert_true(foreign->exists);
}

/* Of a key that is still wanted, other settings may have made more than these do. */
static void what_a_key_has_besides_is_found(void **state)
{
    struct bench *b = *state;
    struct resource_component own[4] = {bench_entries[0], bench_entries[1], bench_entries[1],
                                        bench_entries[2]};
    const struct resource_cloud with = {"fake", own, 4};
    own[2].name = "twin-{key}";
    own[2].when = REF("each", "twin");
    b->table = &with;
    b->leaves = "{\"a\":{\"size\":\"1\",\"twin\":true},\"b\":{\"size\":\"1\"}}";
    assert_int_equal(bench_apply(b), 0);
    assert_int_equal(bench_existing(b), 5);
    b->records = (struct records){NULL, 0};
    b->leaves = "{\"a\":{\"size\":\"1\"},\"b\":{\"size\":\"1\",\"twin\":true}}";
    b->fake.calls = 0;
    assert_int_equal(bench_adopt(b), 0);
    /* The five that are wanted, and the twin of a. */
    assert_int_equal(b->fake.calls, 6);
    assert_int_equal(bench_action(b, "twin-a"), ENGINE_DESTROY);
    assert_int_equal(bench_action(b, "twin-b"), ENGINE_CREATE);
    assert_int_equal(bench_apply(b), 0);
    assert_int_equal(bench_existing(b), 5);
    /* What the state has is not looked for each time. */
    b->fake.calls = 0;
    assert_int_equal(bench_adopt(b), 0);
    assert_int_equal(b->fake.calls, 0);
}

/* Those that no state knows are found from what it knows, with what they stand on. */
static void what_an_update_has_left_is_found_for_a_destroy(void **state)
{
    struct bench *b = *state;
    struct component listed = bench_leaf;
    struct resource_component own[3] = {bench_entries[0], bench_entries[1], bench_entries[2]};
    const struct resource_cloud with = {"fake", own, 3};
    struct records old, others;
    listed.list = (struct component_read){.op = &fake_op_list,
                                          .request = OBJECT({"of", REF("", "parent")}),
                                          .items = "items.*",
                                          .match = "key"};
    own[1].component = &listed;
    b->table = &with;
    b->leaves = "{\"a\":{\"size\":\"1\"}}";
    b->top = false;
    assert_int_equal(bench_apply(b), 0);
    old = b->records;
    b->leaves = "{\"b\":{\"size\":\"2\"},\"c\":{\"size\":\"2\"}}";
    assert_int_equal(bench_apply(b), 0);
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

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, bench_setup, bench_teardown)
    const struct CMUnitTest tests[] = {
        T(a_lost_answer_is_looked_up),
        T(an_interrupted_create_is_adopted),
        T(an_interrupted_update_is_adopted),
        T(what_stays_on_what_goes_is_seen),
        T(what_stays_may_not_say_what_it_stands_on),
        T(a_claim_is_put_on_and_taken_away),
        T(a_failed_apply_takes_its_claim_away),
        T(an_adopted_object_gets_the_new_claim),
        T(objects_of_another_owner_are_left_alone),
        T(one_list_is_read_once),
        T(what_others_have_put_in_the_way_is_named),
        T(what_other_settings_have_made_is_found),
        T(keys_are_found_in_names),
        T(what_a_key_has_besides_is_found),
        T(what_an_update_has_left_is_found_for_a_destroy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The engine over a cloud in memory: order, parallelism, partial failure, drift, repair,
 * replacement, placement, cancel and deadline; what exists is asked of that cloud, not of the
 * engine. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "engine_bench.h"
#include "value/codec.h"

static void creates_in_order_and_in_parallel(void **state)
{
    struct bench *b = *state;
    b->fake.delay_ms = 500;
    b->fake.to_meet = 3;
    assert_int_equal(bench_apply(b), 0);
    assert_int_equal(bench_existing(b), 5);
    assert_int_equal(b->records.count, 5);
    assert_string_equal(b->fake.order[0], "create root");
    assert_string_equal(b->fake.order[4], "create top");
    assert_true(b->fake.running_most >= 3);
    assert_string_equal(bench_of_type(b, "top")->parent, bench_of_type(b, "root")->id);
    assert_int_equal(bench_action(b, "root"), ENGINE_NONE);
    assert_int_equal(bench_action(b, "top"), ENGINE_NONE);
}

static void partial_failure_keeps_what_exists(void **state)
{
    struct bench *b = *state;
    b->fake.fail_type = "top";
    b->fake.fail_code = "Bad";
    b->fake.fail_times = 1;
    assert_int_equal(bench_apply(b), -1);
    assert_int_equal(bench_existing(b), 4);
    assert_int_equal(b->records.count, 4);
    assert_true(bench_says(b, "What exists is in the state: 4 of 5 components. Not made: top.\n"));
    assert_int_equal(bench_apply(b), 0);
    assert_int_equal(bench_existing(b), 5);
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
    assert_int_equal(bench_apply(b), -1);
    assert_true(
        bench_says(b, "0 of 22 components. Not made: root, leaf-10, leaf-11, leaf-12, leaf-13, "
                      "leaf-14, leaf-15, leaf-16 and 14 more.\n"));
}

static void drift_is_seen_and_only_it_is_repaired(void **state)
{
    struct bench *b = *state;
    assert_int_equal(bench_apply(b), 0);
    bench_of_type(b, "leaf")->exists = false;
    strcpy(bench_of_type(b, "root")->size, "9");
    assert_int_equal(bench_refresh(b), 0);
    assert_string_equal(record_state(b->a, records_find(&b->records, "root")), "changed (size)");
    assert_string_equal(record_state(b->a, records_find(&b->records, "top")), "ready");
    int missing = 0;
    for (size_t i = 0; i < b->records.count; i++)
        missing += b->records.items[i].missing;
    assert_int_equal(missing, 1);
    b->fake.ordered = 0;
    assert_int_equal(bench_apply(b), 0);
    assert_int_equal(b->fake.ordered, 2); /* one resize, one create */
    assert_int_equal(bench_existing(b), 5);
    assert_string_equal(bench_of_type(b, "root")->size, "1");
    assert_int_equal(bench_refresh(b), 0);
    assert_int_equal(bench_action(b, "root"), ENGINE_NONE);
}

/* An update that was killed has set it, and the state does not know: it is no drift any more. */
static void drift_that_is_as_wanted_is_recorded(void **state)
{
    struct bench *b = *state;
    assert_int_equal(bench_apply(b), 0);
    strcpy(bench_of_type(b, "root")->size, "2");
    b->root_size = "2";
    assert_int_equal(bench_refresh(b), 0);
    assert_string_equal(record_state(b->a, records_find(&b->records, "root")), "changed (size)");
    assert_int_equal(bench_apply(b), 0);
    assert_int_equal(bench_refresh(b), 0);
    assert_string_equal(record_state(b->a, records_find(&b->records, "root")), "ready");
}

static void update_in_place(void **state)
{
    struct bench *b = *state;
    assert_int_equal(bench_apply(b), 0);
    char id[32];
    strcpy(id, bench_of_type(b, "root")->id);
    b->root_size = "2";
    assert_int_equal(bench_action(b, "root"), ENGINE_UPDATE);
    assert_int_equal(bench_action(b, "leaf-a"), ENGINE_NONE);
    assert_int_equal(bench_apply(b), 0);
    assert_string_equal(bench_of_type(b, "root")->id, id);
    assert_string_equal(bench_of_type(b, "root")->size, "2");
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
    assert_int_equal(bench_apply(b), 0);
    b->engine.hooks = &hooks;
    b->root_size = b->top_size = "2";
    b->leaves = "{\"a\":{\"size\":\"1\"},\"b\":{\"size\":\"1\"},\"d\":{\"size\":\"1\"}}";
    b->fake.fail_type = "leaf";
    b->fake.fail_code = "Bad";
    b->fake.fail_times = 1;
    assert_int_equal(bench_apply(b), -1);
    assert_string_equal(bench_of_type(b, "root")->size, "1");
    assert_int_equal(bench_action(b, "root"), ENGINE_UPDATE);
    b->fake.ordered = 0;
    assert_int_equal(bench_apply(b), 0);
    assert_string_equal(bench_of_type(b, "root")->size, "2");
    assert_string_equal(bench_of_type(b, "top")->size, "2");
    assert_string_equal(b->fake.order[b->fake.ordered - 1], "resize root");
    assert_int_equal(b->fake.ordered, 4); /* a leaf comes, one goes, two are resized */
    assert_int_equal(bench_action(b, "root"), ENGINE_NONE);
}

static void a_missing_root_replaces_what_stands_on_it(void **state)
{
    struct bench *b = *state;
    assert_int_equal(bench_apply(b), 0);
    bench_of_type(b, "root")->exists = false;
    assert_int_equal(bench_refresh(b), 0);
    assert_int_equal(bench_action(b, "root"), ENGINE_CREATE);
    assert_int_equal(bench_action(b, "leaf-a"), ENGINE_REPLACE);
    assert_int_equal(bench_apply(b), 0);
    assert_int_equal(bench_existing(b), 5);
    assert_string_equal(bench_of_type(b, "leaf")->parent, bench_of_type(b, "root")->id);
}

static void what_is_no_longer_asked_for_goes(void **state)
{
    struct bench *b = *state;
    assert_int_equal(bench_apply(b), 0);
    b->top = false;
    b->leaves = "{\"a\":{\"size\":\"1\"}}";
    assert_int_equal(bench_action(b, "top"), ENGINE_DESTROY);
    assert_int_equal(bench_apply(b), 0);
    assert_int_equal(bench_existing(b), 2);
    assert_int_equal(b->records.count, 2);
}

static void destroys_dependants_first(void **state)
{
    struct bench *b = *state;
    assert_int_equal(bench_apply(b), 0);
    b->fake.ordered = 0;
    bench_of_type(b, "leaf")->exists = false; /* what is gone already is no error */
    assert_int_equal(bench_destroy(b), 0);
    assert_int_equal(bench_existing(b), 0);
    assert_int_equal(b->records.count, 0);
    assert_string_equal(b->fake.order[0], "delete top");
    assert_string_equal(b->fake.order[b->fake.ordered - 1], "delete root");
}

static void waits_until_ready(void **state)
{
    struct bench *b = *state;
    b->fake.pending_reads = 12;
    assert_int_equal(bench_apply(b), 0);
    assert_true(b->fake.calls > 12);
}

static void the_deadline_ends_it(void **state)
{
    struct bench *b = *state;
    b->fake.pending_reads = 1000000;
    b->work.deadline_ms = clock_system()->monotonic_ms(NULL) + 100;
    assert_int_equal(bench_apply(b), -1);
    assert_true(bench_says(b, "the time was up"));
    assert_int_equal(b->records.count, bench_existing(b));
    assert_true(records_find(&b->records, "root")->incomplete);
    b->fake.pending_reads = 0;
    b->work.deadline_ms = INT64_MAX;
    assert_int_equal(bench_apply(b), 0);
    assert_int_equal(b->fake.creates, 5);
}

static void cancel_starts_nothing_new(void **state)
{
    struct bench *b = *state;
    cancel_set(b->cancel, false);
    assert_int_equal(bench_apply(b), -1);
    assert_int_equal(bench_existing(b), 0);
    assert_true(bench_says(b, "Not made"));
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
    assert_int_equal(bench_apply(b), 0);
    assert_string_equal(bench_of_type(b, "top")->size, "3");
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
    assert_int_equal(bench_apply(b), -1);
    assert_true(bench_says(b, "all was tried"));
    assert_int_equal(bench_existing(b), 4);
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
    assert_int_equal(bench_apply(b), -1);
    assert_true(bench_says(b, "NoCapacity"));
    assert_false(bench_says(b, "memory"));
    assert_int_equal(bench_apply(b), 0);
}

static void records_survive_their_json(void **state)
{
    struct bench *b = *state;
    assert_int_equal(bench_apply(b), 0);
    strcpy(bench_of_type(b, "root")->size, "");
    assert_int_equal(bench_refresh(b), 0);
    struct buf json = BUF_INIT(1 << 20);
    const struct value *v = NULL;
    struct records back;
    assert_int_equal(records_encode(&json, &b->records), 0);
    assert_int_equal(value_json_parse(b->a, buf_slice(&json), &v, &b->diags), 0);
    assert_int_equal(records_decode(b->a, v, bench_kinds, &back, &b->diags), 0);
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
    assert_true(bench_says(b, "does not know"));
}

/* A condition may be about each member. */
static void members_have_conditions_of_their_own(void **state)
{
    struct bench *b = *state;
    struct resource_component own[3] = {bench_entries[0], bench_entries[1], bench_entries[2]};
    const struct resource_cloud with = {"fake", own, 3};
    own[1].when = REF("each", "on");
    b->table = &with;
    b->leaves = "{\"a\":{\"size\":\"1\",\"on\":true},\"b\":{\"size\":\"1\",\"on\":false},"
                "\"c\":{\"size\":\"1\"}}";
    assert_int_equal(bench_apply(b), 0);
    assert_int_equal(bench_existing(b), 3);
    assert_non_null(records_find(&b->records, "leaf-a"));
    b->leaves = "{\"a\":{\"size\":\"1\",\"on\":false},\"b\":{\"size\":\"1\",\"on\":true}}";
    assert_int_equal(bench_apply(b), 0);
    assert_null(records_find(&b->records, "leaf-a"));
    assert_non_null(records_find(&b->records, "leaf-b"));
    assert_int_equal(bench_destroy(b), 0);
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
        struct resource_component own[3] = {bench_entries[0], bench_entries[1], bench_entries[2]};
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
        assert_int_equal(bench_apply(b), -1);
        assert_string_equal(path_of_error(b, "Bad"), cases[i].path);
        assert_string_equal(path_of_error(b, "is not complete"), "");
    }
}

/* Records of several applies may contradict each other: nothing waits for itself. */
static void a_circle_of_records_is_destroyed(void **state)
{
    struct bench *b = *state;
    const char *const on_top[] = {"top"};
    assert_int_equal(bench_apply(b), 0);
    records_find(&b->records, "leaf-a")->needs = on_top;
    records_find(&b->records, "leaf-a")->need_count = 1;
    assert_int_equal(bench_destroy(b), 0);
    assert_int_equal(bench_existing(b), 0);
}

/* What could not be made gives way to another; what worked before is left as it is. */
static void what_could_not_be_made_is_made_anew(void **state)
{
    static const char *const broken[] = {"broken"};
    struct bench *b = *state;
    struct component fragile = bench_leaf;
    struct resource_component own[3] = {bench_entries[0], bench_entries[1], bench_entries[2]};
    const struct resource_cloud with = {"fake", own, 3};
    fragile.states.unmade = broken;
    fragile.states.unmade_count = 1;
    own[1].component = &fragile;
    b->table = &with;
    b->leaves = "{\"a\":{\"size\":\"1\"}}";
    snprintf(b->fake.broken, sizeof(b->fake.broken), "leaf-2");
    assert_int_equal(bench_apply(b), -1);
    assert_true(bench_says(b, "broken"));
    assert_true(records_find(&b->records, "leaf-a")->incomplete);
    diags_init(&b->diags, b->a);
    assert_int_equal(bench_apply(b), 0);
    assert_string_equal(bench_of_type(b, "leaf")->id, "leaf-3");
    assert_int_equal(bench_existing(b), 3);
    snprintf(b->fake.broken, sizeof(b->fake.broken), "leaf-3");
    assert_int_equal(bench_apply(b), 0);
    assert_string_equal(bench_of_type(b, "leaf")->id, "leaf-3");
    assert_int_equal(bench_destroy(b), 0);
}

/* What cannot be deleted is not waited for until the time is up; it stays in the records. */
static void what_could_not_be_deleted_is_not_waited_for(void **state)
{
    static const char *const broken[] = {"broken"};
    const struct component_step steps[] = {bench_leaf.destroy[0], {.wait_gone = true}};
    struct bench *b = *state;
    struct component stubborn = bench_leaf;
    struct resource_component own[3] = {bench_entries[0], bench_entries[1], bench_entries[2]};
    const struct resource_cloud with = {"fake", own, 3};
    stubborn.states.failed = stubborn.states.undeleted = broken;
    stubborn.states.failed_count = stubborn.states.undeleted_count = 1;
    stubborn.destroy = steps;
    stubborn.destroy_count = 2;
    own[1].component = &stubborn;
    b->table = &with;
    b->leaves = "{\"a\":{\"size\":\"1\"}}";
    assert_int_equal(bench_apply(b), 0);
    snprintf(b->fake.broken, sizeof(b->fake.broken), "%s", bench_of_type(b, "leaf")->id);
    b->fake.keeps_broken = true;
    assert_int_equal(bench_destroy(b), -1);
    assert_true(bench_says(b, "broken"));
    assert_false(bench_says(b, "last state"));
    assert_non_null(records_find(&b->records, "leaf-a"));
    b->fake.keeps_broken = false;
    assert_int_equal(bench_destroy(b), 0);
    assert_int_equal(bench_existing(b), 0);
}

/* Waiting for what has failed is of no use: another change is made at once, and in place. */
static void what_has_failed_takes_another_change(void **state)
{
    static const char *const broken[] = {"broken"};
    struct bench *b = *state;
    struct component fragile = bench_leaf;
    struct resource_component own[3] = {bench_entries[0], bench_entries[1], bench_entries[2]};
    const struct resource_cloud with = {"fake", own, 3};
    fragile.states.failed = broken;
    fragile.states.failed_count = 1;
    own[1].component = &fragile;
    b->table = &with;
    b->leaves = "{\"a\":{\"size\":\"1\"}}";
    snprintf(b->fake.broken, sizeof(b->fake.broken), "leaf-2");
    assert_int_equal(bench_apply(b), -1);
    diags_init(&b->diags, b->a);
    assert_int_equal(bench_apply(b), -1); /* nothing else is wanted: it has failed still */
    assert_true(bench_says(b, "broken"));
    diags_init(&b->diags, b->a);
    b->leaves = "{\"a\":{\"size\":\"2\"}}";
    assert_int_equal(bench_apply(b), 0);
    assert_string_equal(bench_of_type(b, "leaf")->id, "leaf-2");
    assert_string_equal(bench_of_type(b, "leaf")->size, "2");
    assert_false(records_find(&b->records, "leaf-a")->incomplete);
    assert_int_equal(bench_destroy(b), 0);
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
    s->seen = bench_existing(s->bench);
    assert_string_equal(kind->destroyed_by, "sweep");
    assert_string_equal(value_cstr(value_get(of, "size"), ""), "1");
    return s->rc == 0 ? 0 : diags_error(diags, NULL, "Still in use", "by others");
}

/* Code destroys between what stands on the component and what it stands on; a refusal keeps the
 * latter, and the place in the order. */
static void code_destroys_in_its_place(void **state)
{
    struct bench *b = *state;
    struct component place = bench_leaf;
    struct resource_component own[3] = {bench_entries[0], bench_entries[1], bench_entries[2]};
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
    assert_int_equal(bench_apply(b), 0);
    assert_int_equal(bench_existing(b), 2);
    assert_int_equal(bench_destroy(b), -1);
    assert_true(bench_says(b, "Still in use"));
    assert_int_equal(s.seen, 1);
    assert_non_null(bench_of_type(b, "root"));
    assert_non_null(records_find(&b->records, "leaf-a"));
    s.rc = 0;
    assert_int_equal(bench_destroy(b), 0);
    assert_int_equal(s.count, 2);
    assert_int_equal(bench_existing(b), 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, bench_setup, bench_teardown)
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
        T(waits_until_ready),
        T(the_deadline_ends_it),
        T(cancel_starts_nothing_new),
        T(placement_tries_the_next),
        T(placement_gives_up),
        T(a_hook_gives_up_silently),
        T(records_survive_their_json),
        T(members_have_conditions_of_their_own),
        T(errors_have_the_path_of_their_attribute),
        T(a_circle_of_records_is_destroyed),
        T(what_could_not_be_made_is_made_anew),
        T(what_could_not_be_deleted_is_not_waited_for),
        T(what_has_failed_takes_another_change),
        T(code_destroys_in_its_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* What is made of an answer's members, by the component's table. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "engine/internal.h"

/* APIs that leave out what has its default value: the table says what that is. */
static void what_an_answer_lacks_has_its_meaning(void **state)
{
    static const struct value no = {.type = &type_bool, .state = VALUE_KNOWN};
    static const struct component_attr two[] = {
        {.name = "said", .type = &type_bool, .input = true, .read_path = "a.on", .absent = &no},
        {.name = "open", .type = &type_bool, .input = true, .read_path = "a.on"}};
    static const struct component c = {.attrs = two, .attr_count = 2};
    struct arena *a _cleanup_arena_ = arena_new();
    const struct value *nothing = value_object(a, NULL, 0);
    const struct value *got = object_attrs_from(a, &c, nothing, nothing, NULL);
    (void)state;
    assert_true(value_equal(value_get(got, "said"), value_bool(a, false)));
    assert_true(value_is_null(value_get(got, "open")));
    const struct value_member on = {SLICE_LIT("on"), value_bool(a, true)};
    const struct value_member item = {SLICE_LIT("a"), value_object(a, &on, 1)};
    got = object_attrs_from(a, &c, nothing, value_object(a, &item, 1), NULL);
    assert_true(value_true(value_get(got, "said")) && value_true(value_get(got, "open")));
}

static const char *uid; /* of the object that answers */

static int answer(struct cloud_client *c, const struct work *w, struct arena *a, const char *region,
                  const struct cloud_operation *op, const struct value *request,
                  const struct value **ret, struct cloud_error *err)
{
    (void)c, (void)w, (void)region, (void)op, (void)request, (void)err;
    const struct value_member m = {SLICE_LIT("uid"), value_str(a, uid)};
    *ret = value_object(a, &m, 1);
    return 0;
}

/* An object that is read by its name may be another one of that name. */
static void an_answer_of_another_object_is_none(void **state)
{
    static const struct cloud_operation get = {.name = "Get"};
    static const struct component_attr id = {.name = "id", .type = &type_string, .output = true};
    static const struct component c = {
        .attrs = &id, .attr_count = 1, .id_attr = "id", .read = {.op = &get, .match = "uid"}};
    static const struct cloud_driver driver = {.cloud = "fake", .call = answer};
    const struct engine e = {.driver = &driver};
    struct arena *a _cleanup_arena_ = arena_new();
    const struct value_member m = {SLICE_LIT("id"), value_str(a, "one")};
    struct object o = {.engine = &e, .a = a, .component = &c, .attrs = value_object(a, &m, 1)};
    (void)state;
    uid = "one";
    assert_int_equal(object_read(&o, false), OBJECT_FOUND);
    uid = "another";
    assert_int_equal(object_read(&o, false), OBJECT_GONE);
    uid = NULL;
    assert_int_equal(object_read(&o, false), OBJECT_GONE);
}

/* ---- codes that say what they mean in their message alone ---- */

static const char *says;

static int refusal(struct cloud_client *c, const struct work *w, struct arena *a,
                   const char *region, const struct cloud_operation *op,
                   const struct value *request, const struct value **ret, struct cloud_error *err)
{
    (void)c, (void)w, (void)a, (void)region, (void)op, (void)request, (void)ret;
    *err = (struct cloud_error){
        .class_ = CLOUD_ERROR_INVALID, .code = "ValidationException", .message = says};
    return -1;
}

static void a_message_may_say_that_it_does_not_exist(void **state)
{
    static const struct cloud_operation get = {.name = "Get"};
    static const char *const missing[] = {"ValidationException:Could not find"};
    static const struct component_attr id = {.name = "id", .type = &type_string, .output = true};
    static const struct component c = {
        .attrs = &id,
        .attr_count = 1,
        .id_attr = "id",
        .read = {.op = &get, .not_found = missing, .not_found_count = 1}};
    static const struct cloud_driver driver = {.cloud = "fake", .call = refusal};
    const struct engine e = {.driver = &driver};
    struct arena *a _cleanup_arena_ = arena_new();
    struct object o = {.engine = &e, .a = a, .component = &c, .attrs = value_object(a, NULL, 0)};
    (void)state;
    says = "Could not find it.";
    assert_int_equal(object_read(&o, false), OBJECT_GONE);
    says = "The name is too long.";
    assert_int_equal(object_read(&o, false), OBJECT_FAILED);
}

/* ---- changes that are undone ---- */

static const struct step {
    const char *state, *config, *reason;
} * steps; /* what is answered, one after the other; the last for good */

static int next_step(struct cloud_client *c, const struct work *w, struct arena *a,
                     const char *region, const struct cloud_operation *op,
                     const struct value *request, const struct value **ret, struct cloud_error *err)
{
    (void)c, (void)w, (void)region, (void)op, (void)request, (void)err;
    const struct value_member m[] = {{SLICE_LIT("state"), value_str(a, steps->state)},
                                     {SLICE_LIT("config"), value_str(a, steps->config)},
                                     {SLICE_LIT("reason"), value_str(a, steps->reason)}};
    *ret = value_object(a, m, steps->reason ? 3 : 2);
    steps += steps[1].state != NULL;
    return 0;
}

/* The end of a wait of at most that long for the config "new": NULL, or what the error says. */
static const char *ends_within(struct arena *a, const struct step *script, int64_t ms)
{
    static const struct cloud_operation get = {.name = "Get"};
    static const char *const busy[] = {"busy"}, *const ready[] = {"ready"},
                             *const expect[] = {"config"};
    static const struct component_attr attrs[] = {
        {.name = "config", .type = &type_string, .input = true, .read_path = "config"}};
    static const struct component c = {.attrs = attrs,
                                       .attr_count = 1,
                                       .id_attr = "config",
                                       .title = "thing",
                                       .read = {.op = &get},
                                       .poll_ms = 1,
                                       .poll_max_ms = 1};
    static const struct component_states states = {.path = "state",
                                                   .pending = busy,
                                                   .pending_count = 1,
                                                   .ready = ready,
                                                   .ready_count = 1,
                                                   .reason_path = "reason",
                                                   .expect = expect,
                                                   .expect_count = 1};
    static const struct cloud_driver driver = {.cloud = "fake", .call = next_step};
    const struct engine e = {.driver = &driver};
    const struct work w = {clock_system(), NULL, clock_system()->monotonic_ms(NULL) + ms};
    const struct value_member m = {SLICE_LIT("config"), value_str(a, "new")};
    struct object o = {.engine = &e,
                       .work = &w,
                       .name = "it",
                       .a = a,
                       .component = &c,
                       .attrs = value_object(a, &m, 1)};
    steps = script;
    return object_wait(&o, &states, false) < 0 ? o.error.message : NULL;
}

static const char *ends(struct arena *a, const struct step *script)
{
    return ends_within(a, script, 10000);
}

static void a_change_that_is_undone_is_an_error(void **state)
{
    static const struct step done[] = {{"busy", "old", NULL}, {"ready", "new", "x"}, {0}},
                             undone[] = {{"busy", "old", NULL}, {"ready", "old", "an alarm"}, {0}},
                             stale[] = {{"ready", "old", NULL},
                                        {"ready", "old", NULL},
                                        {"busy", "old", NULL},
                                        {"ready", "new", NULL},
                                        {0}},
                             at_once[] = {{"ready", "old", "no capacity"}, {0}};
    struct arena *a _cleanup_arena_ = arena_new();
    (void)state;
    assert_null(ends(a, done));
    assert_string_equal(ends(a, undone),
                        "the change was undone: its config is \"old\" again: an alarm");
    assert_null(ends(a, stale));
    assert_non_null(strstr(ends(a, at_once), "no capacity"));
}

/* What the cloud says of it while the time passes, once. */
static void what_is_in_the_way_is_said(void **state)
{
    static const struct step held[] = {{"busy", "old", "pods are left"}, {0}},
                             same[] = {{"busy", "old", "busy"}, {0}},
                             silent[] = {{"busy", "old", ""}, {0}};
    static const char said[] = "the time was up while the thing \"it\" was waited for; its last "
                               "state was busy";
    struct arena *a _cleanup_arena_ = arena_new();
    (void)state;
    assert_string_equal(ends_within(a, held, 20), arena_printf(a, "%s: pods are left", said));
    assert_string_equal(ends_within(a, same, 20), said);
    assert_string_equal(ends_within(a, silent, 20), said);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(what_an_answer_lacks_has_its_meaning),
                                       cmocka_unit_test(an_answer_of_another_object_is_none),
                                       cmocka_unit_test(a_message_may_say_that_it_does_not_exist),
                                       cmocka_unit_test(a_change_that_is_undone_is_an_error),
                                       cmocka_unit_test(what_is_in_the_way_is_said)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

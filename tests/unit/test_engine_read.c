/* What is made of an answer's members, by the component's table. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

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

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(what_an_answer_lacks_has_its_meaning),
                                       cmocka_unit_test(an_answer_of_another_object_is_none)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

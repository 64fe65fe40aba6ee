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

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(what_an_answer_lacks_has_its_meaning)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Types: making, comparing, finding attributes, and their two written forms. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "value_test.h"

static const struct type_attr unsorted[] = {
    {"b", &type_number, false}, {"a", &type_string, true}, {"ab", &type_bool, true}};

static void test_objects_are_sorted_and_found(void **state)
{
    (void)state;
    const struct type *t = type_object(arena, unsorted, 3);
    assert_non_null(t);
    assert_string_equal(t->attrs[0].name, "a");
    assert_string_equal(t->attrs[1].name, "ab");
    assert_string_equal(t->attrs[2].name, "b");
    for (size_t i = 0; i < 3; i++)
        assert_ptr_equal(type_attr(t, slice_str(t->attrs[i].name)), &t->attrs[i]);
    assert_null(type_attr(t, SLICE_LIT("c")));
    assert_null(type_attr(t, SLICE_LIT("")));
    assert_null(type_attr(t, SLICE_LIT("aa")));
    assert_null(type_attr(&type_map_of_string, SLICE_LIT("a")));
}

static void test_bad_parts_give_null(void **state)
{
    (void)state;
    const struct type_attr twice[] = {{"a", &type_bool, false}, {"a", &type_bool, false}};
    const struct type_attr none[] = {{"a", NULL, false}};
    const struct type *missing[] = {&type_bool, NULL};
    assert_null(type_object(arena, twice, 2));
    assert_null(type_object(arena, none, 1));
    assert_null(type_tuple(arena, missing, 2));
    assert_null(type_list(arena, NULL));
    assert_null(type_set(arena, NULL));
    assert_null(type_map(arena, NULL));
}

static void test_equality_is_structural(void **state)
{
    (void)state;
    static const char *const all[] = {
        "\"string\"",
        "\"number\"",
        "\"dynamic\"",
        "[\"list\",\"string\"]",
        "[\"set\",\"string\"]",
        "[\"map\",\"string\"]",
        "[\"list\",[\"list\",\"string\"]]",
        "[\"tuple\",[]]",
        "[\"tuple\",[\"string\"]]",
        "[\"tuple\",[\"string\",\"string\"]]",
        "[\"object\",{}]",
        "[\"object\",{\"a\":\"string\"}]",
        "[\"object\",{\"b\":\"string\"}]",
        "[\"object\",{\"a\":\"number\"}]",
    };
    enum { COUNT = sizeof(all) / sizeof(*all) };
    for (size_t i = 0; i < COUNT; i++)
        for (size_t k = 0; k < COUNT; k++)
            assert_int_equal(type_equal(type_of(all[i]), type_of(all[k])), i == k);
    assert_true(type_equal(type_of("[\"object\",{\"a\":\"string\"},[\"a\"]]"), type_of(all[11])));
    assert_false(type_equal(type_of(all[0]), NULL));
    assert_true(type_equal(&type_set_of_string, type_of("[\"set\",\"string\"]")));
}

static void assert_written(const char *json, const char *text)
{
    const struct type *t = type_of(json);
    struct buf b _cleanup_buf_ = BUF_INIT(1 << 16);
    assert_int_equal(type_json_encode(&b, t), 0);
    assert_string_equal(buf_cstr(&b), json);
    assert_string_equal(type_string_of(arena, t), text);
}

static void test_written_forms(void **state)
{
    (void)state;
    assert_written("\"bool\"", "bool");
    assert_written("\"dynamic\"", "any");
    assert_written("[\"list\",[\"map\",\"number\"]]", "list(map(number))");
    assert_written("[\"set\",\"dynamic\"]", "set(any)");
    assert_written("[\"tuple\",[\"string\",[\"tuple\",[]]]]", "tuple([string, tuple([])])");
    assert_written("[\"object\",{\"a\":\"string\",\"b\":[\"object\",{}]}]",
                   "object({a = string, b = object({})})");
    assert_written("[\"object\",{\"a\":\"string\",\"b\":\"bool\",\"c\":\"number\"},[\"a\",\"c\"]]",
                   "object({a = string, b = bool, c = number})");
}

static void assert_refused(const char *json)
{
    diags_init(&diags, arena);
    if (type_json_decode(arena, slice_str(json), &diags) || diags.errors != 1)
        fail_msg("%s: accepted", json);
}

static void test_malformed_descriptions(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "string",
        "\"text\"",
        "\"list\"",
        "null",
        "5",
        "true",
        "{}",
        "[]",
        "[\"list\"]",
        "[\"list\",\"string\",\"string\"]",
        "[\"list\",null]",
        "[\"string\"]",
        "[\"array\",\"string\"]",
        "[\"object\",[]]",
        "[\"object\",{\"a\":5}]",
        "[\"object\",{\"a\":null}]",
        "[\"object\",{\"a\":\"string\",\"a\":\"string\"}]",
        "[\"object\",{},[],[]]",
        "[\"tuple\",{}]",
        "[\"tuple\",[null]]",
        "[\"tuple\",\"string\"]",
        "\"string\" 1",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        assert_refused(bad[i]);
}

/* `levels` lists around a string. */
static const char *nested_lists(size_t levels)
{
    struct buf b _cleanup_buf_ = BUF_INIT(1 << 20);
    for (size_t i = 0; i < levels; i++)
        buf_append_str(&b, "[\"list\",");
    buf_append_str(&b, "\"string\"");
    for (size_t i = 0; i < levels; i++)
        buf_append_char(&b, ']');
    return arena_strdup(arena, buf_cstr(&b));
}

static void test_limits(void **state)
{
    (void)state;
    const struct type *deepest = type_of(nested_lists(32));
    struct buf b _cleanup_buf_ = BUF_INIT(1 << 16);
    assert_int_equal(type_json_encode(&b, deepest), 0);
    assert_int_equal(type_json_encode(&b, type_list(arena, deepest)), -1);
    assert_refused(nested_lists(33));
    assert_refused(nested_lists(100000));

    struct buf wide _cleanup_buf_ = BUF_INIT(1 << 20);
    buf_append_str(&wide, "[\"object\",{");
    for (unsigned i = 0; i < 4097; i++)
        buf_printf(&wide, "%s\"a%u\":\"bool\"", i ? "," : "", i);
    buf_append_str(&wide, "}]");
    assert_refused(buf_cstr(&wide));

    struct buf large _cleanup_buf_ = BUF_INIT(4 << 20);
    buf_append_str(&large, "\"string\"");
    while (large.len <= 1 << 20)
        buf_append_char(&large, ' ');
    assert_refused(buf_cstr(&large));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_objects_are_sorted_and_found, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_bad_parts_give_null, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_equality_is_structural, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_written_forms, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_malformed_descriptions, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_limits, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

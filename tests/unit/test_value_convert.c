/* value_convert() by Terraform's rules. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "value_test.h"

/* `json` of type `from` (NULL: plain) converted to `to` and shown; NULL with one error. */
static const char *converted(const char *from, const char *json, const char *to)
{
    diags_init(&diags, arena);
    const struct value *v = from_json(from ? type_of(from) : NULL, json);
    const struct path *at = path_attribute(arena, NULL, "here");
    const struct value *out = value_convert(arena, v, type_of(to), at, &diags);
    assert_int_equal(diags.errors, out ? 0 : 1);
    if (!out)
        return NULL;
    if (type_of(to)->kind != TYPE_DYNAMIC)
        assert_true(type_equal(out->type, type_of(to)));
    return shown(out);
}

static void test_primitives(void **state)
{
    (void)state;
    static const char *const cases[][3] = {
        {"\"a\"", "\"string\"", "\"a\""},
        {"5", "\"string\"", "\"5\""},
        {"-1.50", "\"string\"", "\"-1.5\""},
        {"1e20", "\"string\"", "\"100000000000000000000\""},
        {"1e70", "\"string\"",
         "\"10000000000000000000000000000000000000000000000000000000000000000000000\""},
        {"true", "\"string\"", "\"true\""},
        {"\"5\"", "\"number\"", "5"},
        {"\"1e3\"", "\"number\"", "1000"},
        {"\"true\"", "\"bool\"", "true"},
        {"\"0\"", "\"bool\"", "false"},
        {"\"1\"", "\"bool\"", "true"},
        {"\"false\"", "\"bool\"", "false"},
        {"5", "\"dynamic\"", "5"},
        {"null", "\"number\"", "null"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
        assert_string_equal(converted(NULL, cases[i][0], cases[i][1]), cases[i][2]);
}

static void test_refused(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"\"x\"", "\"number\""},
        {"\"True\"", "\"bool\""},
        {"\"\"", "\"number\""},
        {"true", "\"number\""},
        {"1", "\"bool\""},
        {"[1]", "\"string\""},
        {"{}", "\"string\""},
        {"1", "[\"list\",\"number\"]"},
        {"{}", "[\"list\",\"string\"]"},
        {"[]", "[\"map\",\"string\"]"},
        {"[]", "[\"object\",{}]"},
        {"[1]", "[\"tuple\",[]]"},
        {"\"a\"", "[\"map\",\"string\"]"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        assert_null(converted(NULL, cases[i][0], cases[i][1]));
        assert_string_equal(path_string(arena, diags.first->path), "here");
    }
}

static void test_collections(void **state)
{
    (void)state;
    assert_string_equal(converted(NULL, "[3,\"1\",true]", "[\"list\",\"string\"]"),
                        "[\"3\", \"1\", \"true\"]");
    assert_string_equal(converted(NULL, "[3,\"3\",1]", "[\"set\",\"number\"]"), "[1, 3]");
    assert_string_equal(converted("[\"set\",\"number\"]", "[2,1]", "[\"list\",\"string\"]"),
                        "[\"1\", \"2\"]");
    assert_string_equal(
        converted("[\"list\",\"string\"]", "[\"b\",\"a\",\"b\"]", "[\"set\",\"string\"]"),
        "[\"a\", \"b\"]");
    assert_string_equal(converted(NULL, "{\"b\":1,\"a\":\"x\"}", "[\"map\",\"string\"]"),
                        "{a = \"x\", b = \"1\"}");
    assert_string_equal(converted(NULL, "[]", "[\"list\",\"string\"]"), "[]");
}

static void test_objects(void **state)
{
    (void)state;
    static const char to[] = "[\"object\",{\"a\":\"string\",\"n\":[\"list\",\"number\"]}]";
    assert_string_equal(converted(NULL, "{\"a\":1,\"extra\":2,\"n\":[\"5\"]}", to),
                        "{a = \"1\", n = [5]}");
    assert_string_equal(converted(NULL, "{}", to), "{a = null, n = null}");
    assert_string_equal(converted("[\"map\",\"string\"]", "{\"a\":\"x\"}", to),
                        "{a = \"x\", n = null}");
    assert_null(converted(NULL, "{\"n\":[1,\"x\"]}", to));
    assert_string_equal(path_string(arena, diags.first->path), "here.n[1]");
    assert_null(converted(NULL, "{\"k\":[]}", "[\"map\",\"string\"]"));
    assert_string_equal(path_string(arena, diags.first->path), "here[\"k\"]");
}

static void test_unknowns(void **state)
{
    (void)state;
    const struct refinement r = {
        .not_null = true, .prefix = SLICE_LIT("1"), .length_min = -1, .length_max = -1};
    const struct value *v = value_unknown_refined(arena, &type_string, &r);
    const struct value *n = value_convert(arena, v, &type_number, NULL, &diags);
    assert_true(value_is_unknown(n));
    assert_ptr_equal(n->type, &type_number);
    assert_true(n->refinement->not_null);
    assert_int_equal(n->refinement->prefix.len, 0);
    assert_ptr_equal(value_convert(arena, v, &type_string, NULL, &diags), v);
    struct refinement maybe_null = r;
    maybe_null.not_null = false;
    v = value_unknown_refined(arena, &type_string, &maybe_null);
    assert_null(value_convert(arena, v, &type_number, NULL, &diags)->refinement);
    n = value_convert(arena, value_unknown(arena, &type_string), &type_number, NULL, &diags);
    assert_true(value_is_unknown(n) && !n->refinement);
    assert_null(value_convert(arena, NULL, &type_string, NULL, &diags));
    assert_int_equal(diags.errors, 0);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {TEST(test_primitives), TEST(test_refused),
                                       TEST(test_collections), TEST(test_objects),
                                       TEST(test_unknowns)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Values: making them, looking at them, comparing, deriving, walking, showing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "value_test.h"

static const struct value *str(const char *s)
{
    return value_str(arena, s);
}

static const struct value *num(int64_t n)
{
    return value_int(arena, n);
}

/* {name = "x", tags = {k = "v"}, ports = [22, 80], none = null, later = unknown} */
static const struct value *sample(void)
{
    const struct value *ports[] = {num(22), num(80)};
    const struct value_member tags[] = {{SLICE_LIT("k"), str("v")}};
    const struct value_member all[] = {
        {SLICE_LIT("name"), str("x")},
        {SLICE_LIT("tags"), value_map(arena, &type_string, tags, 1)},
        {SLICE_LIT("ports"), value_list(arena, &type_number, ports, 2)},
        {SLICE_LIT("none"), value_null(arena, &type_string)},
        {SLICE_LIT("later"), value_unknown(arena, type_of("[\"object\",{\"id\":\"string\"}]"))},
    };
    const struct value *v = value_object(arena, all, 5);
    assert_non_null(v);
    return v;
}

static void test_text_in_a_list_and_lists_joined(void **state)
{
    (void)state;
    const struct value *x[] = {str("a"), num(1)}, *y[] = {str("b")};
    const struct value *xs = value_tuple(arena, x, 2), *ys = value_tuple(arena, y, 1);
    const struct value *all[] = {x[0], x[1], y[0]};
    assert_true(value_equal(value_tuple_join(arena, xs, ys), value_tuple(arena, all, 3)));
    assert_true(value_equal(value_tuple_join(arena, NULL, ys), ys));
    assert_int_equal(value_count(value_tuple_join(arena, NULL, NULL)), 0);
    assert_true(value_has_text(value_tuple_join(arena, xs, ys), "b"));
    assert_false(value_has_text(xs, "b"));
    assert_false(value_has_text(xs, "1"));
    assert_false(value_has_text(NULL, "a"));
    assert_false(value_has_text(value_unknown(arena, xs->type), "a"));
}

static void test_null_reads_as_null(void **state)
{
    (void)state;
    int64_t n = 7;
    assert_true(value_is_null(NULL));
    assert_false(value_is_unknown(NULL));
    assert_false(value_is_known(NULL));
    assert_true(value_is_wholly_known(NULL));
    assert_int_equal(value_count(NULL), 0);
    assert_null(value_at(NULL, 0));
    assert_null(value_get(NULL, "a"));
    assert_null(value_path(NULL, "a.b"));
    assert_null(value_at_path(NULL, path_parse(arena, "a")));
    assert_null(value_cstr(NULL, NULL));
    assert_string_equal(value_cstr(NULL, "else"), "else");
    assert_int_equal(value_slice(NULL).len, 0);
    assert_false(value_true(NULL));
    assert_false(value_to_int(NULL, &n));
    assert_int_equal(value_int_or(NULL, 5), 5);
    assert_string_equal(shown(NULL), "null");
    assert_true(value_equal(NULL, value_null(arena, &type_string)));
    assert_false(value_equal(NULL, str("")));
    assert_int_equal(value_compare(NULL, value_null(arena, &type_string)), 0);
    assert_true(value_compare(NULL, str("")) < 0);
    assert_true(value_compare(str(""), NULL) > 0);
    assert_int_equal(value_walk(arena, NULL, NULL, NULL, NULL), 0);
}

static void test_null_child_gives_null(void **state)
{
    (void)state;
    const struct value *elems[] = {str("a"), NULL};
    const struct value_member members[] = {{SLICE_LIT("a"), NULL}};
    const struct value_member wrong[] = {{SLICE_LIT("b"), str("x")}};
    const struct type *t = type_of("[\"object\",{\"a\":\"string\"}]");
    assert_null(value_list(arena, &type_string, elems, 2));
    assert_null(value_set(arena, &type_string, elems, 2));
    assert_null(value_tuple(arena, elems, 2));
    assert_null(value_map(arena, &type_string, members, 1));
    assert_null(value_object(arena, members, 1));
    assert_null(value_object_of(arena, t, members, 1));
    assert_null(value_object_of(arena, t, wrong, 1));
    assert_null(value_number(arena, NULL));
    assert_null(value_null(arena, NULL));
    assert_null(value_unknown(arena, NULL));
    assert_null(value_list(arena, NULL, elems, 1));
    assert_null(value_with(arena, sample(), "name", NULL));
    assert_null(value_with_sensitive(arena, NULL));
    assert_null(value_copy(arena, NULL));
    assert_true(value_is_null(value_str(arena, NULL)));
}

static void test_accessors(void **state)
{
    (void)state;
    const struct value *v = sample();
    assert_int_equal(value_count(v), 5);
    assert_string_equal(value_cstr(value_get(v, "name"), ""), "x");
    assert_string_equal(value_cstr(value_path(v, "tags.k"), ""), "v");
    assert_null(value_path(v, "tags.x"));
    assert_null(value_path(v, "x"));
    assert_ptr_equal(value_path(v, ""), v);
    assert_true(value_is_unknown(value_path(v, "later.id")));
    assert_true(value_is_null(value_path(v, "none.any")));
    assert_int_equal(value_int_or(value_at(value_get(v, "ports"), 1), 0), 80);
    assert_null(value_at(value_get(v, "ports"), 2));
    assert_null(value_get(value_get(v, "ports"), "a"));
    assert_int_equal(value_count(value_get(v, "name")), 0);
    assert_int_equal(value_count(value_get(v, "later")), 0);
    assert_false(value_is_wholly_known(v));
    assert_true(value_is_wholly_known(value_get(v, "tags")));
    assert_string_equal(value_cstr(value_printf(arena, "%s-%d", "a", 5), ""), "a-5");
    assert_true(value_true(value_bool(arena, true)));
    assert_false(value_true(value_bool(arena, false)));
    assert_false(value_true(str("true")));
}

static void test_paths(void **state)
{
    (void)state;
    const struct value *v = sample();
    const struct path *ports = path_attribute(arena, NULL, "ports");
    const struct path *tags = path_attribute(arena, NULL, "tags");
    assert_ptr_equal(value_at_path(v, NULL), v);
    assert_int_equal(value_int_or(value_at_path(v, path_index(arena, ports, 0)), 0), 22);
    assert_null(value_at_path(v, path_index(arena, ports, -1)));
    assert_null(value_at_path(v, path_index(arena, ports, 2)));
    assert_string_equal(value_cstr(value_at_path(v, path_key(arena, tags, SLICE_LIT("k"))), ""),
                        "v");
    assert_true(value_is_unknown(value_at_path(v, path_parse(arena, "later.id"))));
}

static void test_sets_and_maps_are_canonical(void **state)
{
    (void)state;
    const struct value *elems[] = {str("b"),
                                   str("a"),
                                   str("b"),
                                   value_null(arena, &type_string),
                                   value_unknown(arena, &type_string),
                                   value_unknown(arena, &type_string),
                                   str("a")};
    assert_string_equal(shown(value_set(arena, &type_string, elems, 7)),
                        "[null, (known after apply), (known after apply), \"a\", \"b\"]");
    const struct value_member members[] = {{SLICE_LIT("z"), num(1)},
                                           {SLICE_LIT("a"), num(2)},
                                           {SLICE_LIT("z"), num(3)},
                                           {SLICE_LIT(""), num(4)}};
    assert_string_equal(shown(value_map(arena, &type_number, members, 4)), "{ = 4, a = 2, z = 3}");
    assert_string_equal(shown(value_object(arena, members, 2)), "{a = 2, z = 1}");
    /* Objects with an unknown inside may turn out different. */
    const struct type *t = type_of("[\"object\",{\"a\":\"string\"}]");
    const struct value_member open[] = {{SLICE_LIT("a"), value_unknown(arena, &type_string)}};
    const struct value *objects[] = {
        value_object_of(arena, t, open, 1), value_object_of(arena, t, open, 1),
        value_object_of(arena, t, NULL, 0), value_object_of(arena, t, NULL, 0)};
    assert_int_equal(value_count(value_set(arena, t, objects, 4)), 3);
}

static void test_equality(void **state)
{
    (void)state;
    const struct value *all[] = {
        str("a"),
        str("b"),
        str(""),
        num(1),
        num(2),
        value_bool(arena, true),
        value_bool(arena, false),
        value_null(arena, &type_string),
        value_null(arena, &type_number),
        value_unknown(arena, &type_string),
        value_unknown(arena, &type_number),
        from_json(&type_list_of_string, "[]"),
        from_json(&type_set_of_string, "[]"),
        from_json(&type_map_of_string, "{}"),
        from_json(&type_list_of_string, "[\"a\"]"),
        from_json(&type_list_of_string, "[\"a\",\"b\"]"),
        from_json(&type_map_of_string, "{\"a\":\"b\"}"),
        from_json(&type_map_of_string, "{\"b\":\"b\"}"),
        from_json(&type_map_of_string, "{\"a\":\"c\"}"),
        from_json(NULL, "[]"),
        from_json(NULL, "{}"),
        from_json(NULL, "{\"a\":\"b\"}"),
        from_json(NULL, "{\"a\":null}"),
        sample(),
    };
    enum { COUNT = sizeof(all) / sizeof(*all) };
    for (size_t i = 0; i < COUNT; i++)
        for (size_t k = 0; k < COUNT; k++) {
            assert_int_equal(value_equal(all[i], value_copy(arena, all[k])), i == k);
            int c = value_compare(all[i], all[k]), back = value_compare(all[k], all[i]);
            assert_int_equal((c > 0) - (c < 0), (back < 0) - (back > 0));
        }
    /* A promise and a mark are no part of it. */
    assert_true(value_equal(value_unknown_not_null(arena, &type_string), all[9]));
    assert_true(value_equal(value_with_sensitive(arena, all[0]), all[0]));
}

static void test_with(void **state)
{
    (void)state;
    const struct value *v = sample();
    const struct value *w = value_with(arena, v, "name", str("y"));
    assert_string_equal(value_cstr(value_get(w, "name"), ""), "y");
    assert_string_equal(value_cstr(value_get(v, "name"), ""), "x");
    assert_ptr_equal(value_get(w, "tags"), value_get(v, "tags"));
    assert_true(type_equal(v->type, w->type));
    w = value_with_path(arena, v, "tags.new", str("n"));
    assert_string_equal(shown(value_get(w, "tags")), "{k = \"v\", new = \"n\"}");
    assert_string_equal(shown(value_get(v, "tags")), "{k = \"v\"}");
    w = value_with(arena, v, "name", num(5));
    assert_int_equal(type_attr(w->type, SLICE_LIT("name"))->type->kind, TYPE_NUMBER);
    assert_int_equal(value_int_or(value_get(w, "name"), 0), 5);
    assert_null(value_with_path(arena, v, "later.id", str("x")));
    assert_null(value_with_path(arena, v, "none.x", str("x")));
    assert_null(value_with_path(arena, v, "missing.x", str("x")));
    assert_null(value_with(arena, value_get(v, "ports"), "a", str("x")));
}

static void test_sensitive_is_censored(void **state)
{
    (void)state;
    const struct value *v = sample();
    v = value_with(arena, v, "name", value_with_sensitive(arena, str("hunter2")));
    assert_null(strstr(shown(v), "hunter2"));
    assert_non_null(strstr(shown(v), "name = (sensitive value)"));
    assert_string_equal(value_cstr(value_get(value_copy(arena, v), "name"), ""), "hunter2");
    assert_true(value_get(value_copy(arena, v), "name")->sensitive);
}

static void test_shown(void **state)
{
    (void)state;
    assert_string_equal(shown(sample()), "{later = (known after apply), name = \"x\", none = null, "
                                         "ports = [22, 80], tags = {k = \"v\"}}");
    assert_string_equal(shown(str("a\"\n")), "\"a\\\"\\n\"");
    assert_string_equal(shown(value_bool(arena, false)), "false");
}

static void test_unknown_promises(void **state)
{
    (void)state;
    const struct refinement r = {.prefix = SLICE_LIT("arn:"), .length_min = -1, .length_max = -1};
    const struct value *v = value_unknown_refined(arena, &type_string, &r);
    assert_true(slice_eq_str(v->refinement->prefix, "arn:"));
    assert_ptr_not_equal(v->refinement->prefix.ptr, r.prefix.ptr);
    assert_true(value_unknown_not_null(arena, &type_string)->refinement->not_null);
    assert_null(value_unknown_not_null(arena, &type_dynamic)->refinement);
    assert_null(value_unknown_refined(arena, &type_dynamic, &r)->refinement);
    assert_null(value_unknown(arena, &type_string)->refinement);
}

/* A promised prefix longer than cty's is cut between ASCII characters, or dropped. */
static void test_long_prefixes(void **state)
{
    (void)state;
    for (int ascii = 0; ascii < 2; ascii++) {
        struct buf text _cleanup_buf_ = BUF_INIT(1 << 20), b _cleanup_buf_ = BUF_INIT(1 << 20);
        while (text.len < 100000)
            buf_append_str(&text, ascii ? "ab\xc3\xbc" : "\xc3\xbc");
        const struct refinement r = {
            .prefix = buf_slice(&text), .length_min = -1, .length_max = -1};
        const struct value *back = NULL, *v = value_unknown_refined(arena, &type_string, &r);
        assert_int_equal(value_msgpack_encode(&b, v, &type_string), 0);
        assert_in_range(b.len, 3, 300);
        assert_int_equal(value_msgpack_decode(arena, buf_slice(&b), &type_string, &back, &diags),
                         0);
        assert_true(value_is_unknown(back));
        if (!ascii) {
            assert_null(back->refinement);
            continue;
        }
        struct slice prefix = back->refinement->prefix;
        assert_in_range(prefix.len, 250, 256);
        assert_memory_equal(prefix.ptr, text.ptr, prefix.len);
        assert_int_equal(prefix.ptr[prefix.len - 1], 'a');
    }
}

struct walk {
    struct buf text;
    size_t stop_at, seen;
};

static int note(void *arg, const struct value *v, const struct path *path)
{
    struct walk *w = arg;
    (void)v;
    buf_printf(&w->text, "%s;", path_string(arena, path));
    return ++w->seen == w->stop_at ? 5 : 0;
}

static void test_walk(void **state)
{
    (void)state;
    const struct type *t = type_of("[\"object\",{\"l\":[\"list\",[\"tuple\",[\"string\"]]],"
                                   "\"m\":[\"map\",\"bool\"],\"s\":[\"set\",\"number\"]}]");
    const struct value *v = from_json(t, "{\"l\":[[\"x\"]],\"m\":{\"k\":true},\"s\":[1,2]}");
    struct walk w = {.text = BUF_INIT(1 << 16)};
    assert_int_equal(value_walk(arena, v, NULL, note, &w), 0);
    assert_string_equal(buf_cstr(&w.text), ";l;l[0];l[0][0];m;m[\"k\"];s;s;s;");
    buf_clean_up(&w.text);
    w = (struct walk){.text = BUF_INIT(1 << 16), .stop_at = 3};
    assert_int_equal(value_walk(arena, v, path_attribute(arena, NULL, "top"), note, &w), 5);
    assert_string_equal(buf_cstr(&w.text), "top;top.l;top.l[0];");
    buf_clean_up(&w.text);
}

/* A copy lives when all that it was made from is gone. */
static void test_copy(void **state)
{
    (void)state;
    struct arena *other = arena_new();
    const struct value *copy = value_copy(other, sample());
    arena_free(arena);
    arena = other;
    assert_string_equal(shown(copy), "{later = (known after apply), name = \"x\", none = null, "
                                     "ports = [22, 80], tags = {k = \"v\"}}");
    assert_int_equal(copy->type->attr_count, 5);
}

static void test_encoders_refuse_another_type(void **state)
{
    (void)state;
    const struct type *empty = type_of("[\"object\",{}]"), *tuple = type_of("[\"tuple\",[]]");
    const struct type *other = type_of("[\"object\",{\"a\":\"string\",\"b\":\"string\"}]");
    const struct type *named = type_of("[\"object\",{\"a\":\"string\",\"c\":\"string\"}]");
    const struct value *v = from_json(other, "{\"a\":\"x\"}");
    const struct value *list = from_json(&type_list_of_string, "[\"x\"]");
    const struct {
        const struct value *v;
        const struct type *t;
    } wrong[] = {
        {v, empty},
        {v, named},
        {v, tuple},
        {v, &type_map_of_string},
        {list, &type_set_of_string},
        {list, type_of("[\"list\",\"number\"]")},
        {list, tuple},
        {str("x"), &type_number},
        {num(1), &type_string},
        {from_json(NULL, "[1]"), tuple},
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
        struct buf b _cleanup_buf_ = BUF_INIT(1 << 16), j _cleanup_buf_ = BUF_INIT(1 << 16);
        assert_int_equal(value_msgpack_encode(&b, wrong[i].v, wrong[i].t), -1);
        assert_int_equal(value_json_encode(&j, wrong[i].v, wrong[i].t), -1);
    }
    struct buf small _cleanup_buf_ = BUF_INIT(3), b _cleanup_buf_ = BUF_INIT(10);
    assert_int_equal(value_msgpack_encode(&small, str("hello"), &type_string), -1);
    assert_int_equal(value_json_encode(&small, str("hello"), &type_string), -1);
    assert_int_equal(value_msgpack_encode(&b, NULL, &type_string), 0);
    assert_true(slice_eq(buf_slice(&b), SLICE_LIT("\xc0")));
}

static void test_plain_json(void **state)
{
    (void)state;
    struct buf b _cleanup_buf_ = BUF_INIT(1 << 16), skipped _cleanup_buf_ = BUF_INIT(1 << 16);
    const struct value *v =
        from_json(NULL, " {\"z\":[1.50,null,{\"a\":null}],\"b\":1e2,\"\":\"\\u0041\",\"n\":null} ");
    assert_int_equal(v->type->kind, TYPE_OBJECT);
    assert_int_equal(value_get(v, "z")->type->kind, TYPE_TUPLE);
    assert_int_equal(value_get(v, "n")->type->kind, TYPE_DYNAMIC);
    assert_int_equal(value_json_write(&b, v, false), 0);
    assert_string_equal(buf_cstr(&b),
                        "{\"\":\"A\",\"b\":100,\"n\":null,\"z\":[1.5,null,{\"a\":null}]}");
    assert_int_equal(value_json_write(&skipped, v, true), 0);
    assert_string_equal(buf_cstr(&skipped), "{\"\":\"A\",\"b\":100,\"z\":[1.5,null,{}]}");
    assert_int_equal(value_json_write(&b, sample(), false), -1);
}

static void test_lenient_json(void **state)
{
    (void)state;
    const struct type *t =
        type_of("[\"object\",{\"a\":\"string\",\"n\":[\"list\",[\"object\",{\"b\":\"bool\"}]]}]");
    static const char old[] = "{\"gone\":{\"x\":[1]},\"n\":[{\"b\":true,\"gone\":1}]}";
    const struct value *v = NULL;
    assert_int_equal(value_json_decode(arena, slice_str(old), t, true, &v, &diags), 0);
    assert_string_equal(shown(v), "{a = null, n = [{b = true}]}");
    assert_int_equal(value_json_decode(arena, slice_str(old), t, false, &v, &diags), -1);
    assert_string_equal(diags.first->detail, "The attribute \"gone\" is not in the schema.");
    /* Leniency is about names, not about types. */
    assert_int_equal(value_json_decode(arena, SLICE_LIT("{\"a\":[]}"), t, true, &v, &diags), -1);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_null_reads_as_null),
        TEST(test_text_in_a_list_and_lists_joined),
        TEST(test_null_child_gives_null),
        TEST(test_accessors),
        TEST(test_paths),
        TEST(test_sets_and_maps_are_canonical),
        TEST(test_equality),
        TEST(test_with),
        TEST(test_sensitive_is_censored),
        TEST(test_shown),
        TEST(test_unknown_promises),
        TEST(test_long_prefixes),
        TEST(test_walk),
        TEST(test_copy),
        TEST(test_encoders_refuse_another_type),
        TEST(test_plain_json),
        TEST(test_lenient_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

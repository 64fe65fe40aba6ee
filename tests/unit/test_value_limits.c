/* Bytes from outside that are too deep, too large, or say that they are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "value_test.h"

static int unpack(struct slice bytes, const struct type *t)
{
    diags_init(&diags, arena);
    const struct value *v = NULL;
    int rc = value_msgpack_decode(arena, bytes, t, &v, &diags);
    assert_int_equal(diags.errors, rc < 0);
    assert_int_equal(v != NULL, rc == 0);
    return rc;
}

static int parse(struct slice json, const struct type *t)
{
    diags_init(&diags, arena);
    const struct value *v = NULL;
    int rc = t ? value_json_decode(arena, json, t, false, &v, &diags)
               : value_json_parse(arena, json, &v, &diags);
    assert_int_equal(diags.errors, rc < 0);
    assert_int_equal(v != NULL, rc == 0);
    return rc;
}

#define BYTES(text) slice_from((text), sizeof(text) - 1)

static void test_sizes_that_are_not_there(void **state)
{
    (void)state;
    const struct slice bombs[] = {
        BYTES("\xdd\xff\xff\xff\xff"),
        BYTES("\xdc\xff\xff"),
        BYTES("\xdf\xff\xff\xff\xff"),
        BYTES("\xde\xff\xff"),
        BYTES("\xdb\xff\xff\xff\xff"),
        BYTES("\xda\xff\xff"),
        BYTES("\xd9\xff"),
        BYTES("\xc6\xff\xff\xff\xff"),
        BYTES("\xc9\xff\xff\xff\xff\x0c"),
        BYTES("\xc8\xff\xff\x0c"),
        BYTES("\xc7\xff\x0c"),
        BYTES("\xd8\x0c\x80"),
        BYTES("\x9f"),
        BYTES("\x8f"),
        BYTES("\xbf"),
        BYTES("\xdd\x00\x00"),
        BYTES("\xcf\x00"),
        BYTES("\xcb\x00"),
        BYTES("\x91\xdd\xff\xff\xff\xff"),
        BYTES("\x92\xa1\x61"),
        BYTES("\x81\xa1\x61"),
        BYTES("\xc1"),
        BYTES("\x92\xc4\xff\x22"),
        BYTES("\x93\x93\x93\x93"),
        BYTES("\xdd\x00\x00\x00\x02\xa1\x61"),
    };
    static const struct type *const types[] = {&type_dynamic, &type_string, &type_list_of_string,
                                               &type_map_of_string, &type_number};
    for (size_t i = 0; i < sizeof(bombs) / sizeof(*bombs); i++)
        for (size_t k = 0; k < sizeof(types) / sizeof(*types); k++)
            assert_int_equal(unpack(bombs[i], types[k]), -1);
    assert_true(arena_used(arena) < 1 << 20);
}

static void test_bytes_behind(void **state)
{
    (void)state;
    assert_int_equal(unpack(BYTES("\xa1\x61"), &type_string), 0);
    assert_int_equal(unpack(BYTES("\xa1\x61\xc0"), &type_string), -1);
    assert_int_equal(unpack(BYTES("\xc0\xc0"), &type_string), -1);
    assert_int_equal(unpack(SLICE_EMPTY, &type_string), -1);
    assert_int_equal(parse(SLICE_LIT("\"a\" 1"), &type_string), -1);
    assert_int_equal(parse(SLICE_LIT("1 2"), NULL), -1);
    assert_int_equal(parse(SLICE_LIT("\"a\"\"b\""), NULL), -1);
    assert_int_equal(parse(SLICE_LIT("1\"a\""), NULL), -1);
    assert_int_equal(parse(SLICE_LIT("1-"), NULL), -1);
    assert_int_equal(parse(SLICE_EMPTY, NULL), -1);
}

static const struct type *list_type(size_t levels)
{
    const struct type *t = &type_string;
    for (size_t i = 0; i < levels; i++)
        t = type_list(arena, t);
    return t;
}

static const struct value *lists(size_t levels)
{
    const struct value *v = value_str(arena, "x");
    for (size_t i = 0; i < levels; i++)
        v = value_list(arena, v->type, &v, 1);
    return v;
}

static void test_msgpack_depth(void **state)
{
    (void)state;
    for (size_t levels = 0; levels < 40; levels++) {
        struct buf made _cleanup_buf_ = BUF_INIT(1 << 16),
                        by_hand _cleanup_buf_ = BUF_INIT(1 << 16);
        for (size_t i = 0; i < levels; i++)
            buf_append_char(&by_hand, (char)0x91);
        buf_append_str(&by_hand, "\xa1x");
        int want = levels <= 31 ? 0 : -1;
        assert_int_equal(unpack(buf_slice(&by_hand), list_type(levels)), want);
        assert_int_equal(value_msgpack_encode(&made, lists(levels), list_type(levels)), want);
        if (want == 0)
            assert_true(slice_eq(buf_slice(&made), buf_slice(&by_hand)));
    }
    struct buf deep _cleanup_buf_ = BUF_INIT(8 << 20);
    while (deep.len < 4 << 20)
        buf_append_char(&deep, (char)0x91);
    buf_append_char(&deep, (char)0xc0);
    assert_int_equal(unpack(buf_slice(&deep), &type_dynamic), -1);
}

/* What is written in a dynamic place can be read there. */
static void test_dynamic_depth(void **state)
{
    (void)state;
    size_t packed = 0, texts = 0;
    for (size_t levels = 0; levels < 40; levels++) {
        struct buf bytes _cleanup_buf_ = BUF_INIT(1 << 16), json _cleanup_buf_ = BUF_INIT(1 << 16);
        if (value_msgpack_encode(&bytes, lists(levels), &type_dynamic) == 0) {
            assert_int_equal(unpack(buf_slice(&bytes), &type_dynamic), 0);
            packed++;
        }
        if (value_json_encode(&json, lists(levels), &type_dynamic) == 0) {
            assert_int_equal(parse(buf_slice(&json), &type_dynamic), 0);
            texts++;
        }
    }
    assert_int_equal(packed, 31);
    assert_int_equal(texts, 33);
}

/* A dynamic place takes a level of its own. */
static void test_dynamic_in_lists(void **state)
{
    (void)state;
    for (size_t levels = 28; levels < 34; levels++) {
        const struct type *t = &type_dynamic;
        for (size_t i = 0; i < levels; i++)
            t = type_list(arena, t);
        struct buf bytes _cleanup_buf_ = BUF_INIT(1 << 16);
        int rc = value_msgpack_encode(&bytes, lists(levels), t);
        assert_int_equal(rc, levels <= 30 ? 0 : -1);
        if (rc == 0)
            assert_int_equal(unpack(buf_slice(&bytes), t), 0);
    }
}

/* In JSON the type of a value in a dynamic place may be deeper than the value: it counts. */
static void test_types_count_in_json_depth(void **state)
{
    (void)state;
    const struct type *inner = &type_string;
    for (size_t i = 0; i < 30; i++) {
        const struct type_attr attr = {"a", inner, false};
        inner = type_object(arena, &attr, 1);
    }
    size_t written = 0;
    for (size_t levels = 60; levels < 72; levels++) {
        const struct type *t = &type_dynamic;
        const struct value *v = value_null(arena, inner);
        for (size_t i = 0; i < levels; i++) {
            t = type_list(arena, t);
            v = value_list(arena, t->elem, &v, 1);
        }
        struct buf json _cleanup_buf_ = BUF_INIT(1 << 16);
        int rc = value_json_encode(&json, v, t);
        assert_int_equal(rc, levels + 1 + 60 <= 128 ? 0 : -1);
        if (rc == 0) {
            assert_int_equal(parse(buf_slice(&json), t), 0);
            written++;
        }
    }
    assert_int_equal(written, 8);
}

static void test_json_depth(void **state)
{
    (void)state;
    for (size_t levels = 120; levels < 140; levels++) {
        struct buf json _cleanup_buf_ = BUF_INIT(1 << 16), back _cleanup_buf_ = BUF_INIT(1 << 16);
        for (size_t i = 0; i < levels; i++)
            buf_append_str(&json, i % 2 ? "{\"[\":" : "[");
        buf_append_str(&json, "\"]]]}}}\"");
        for (size_t i = levels; i-- > 0;)
            buf_append_char(&json, i % 2 ? '}' : ']');
        assert_int_equal(parse(buf_slice(&json), NULL), levels <= 128 ? 0 : -1);
        if (levels <= 128) {
            assert_int_equal(value_json_write(&back, from_json(NULL, buf_cstr(&json)), false), 0);
            assert_string_equal(buf_cstr(&back), buf_cstr(&json));
        }
    }
    const struct value *deep = lists(129);
    struct buf b _cleanup_buf_ = BUF_INIT(1 << 16);
    assert_int_equal(value_json_write(&b, deep, false), -1);
    struct buf open _cleanup_buf_ = BUF_INIT(8 << 20);
    while (open.len < 4 << 20)
        buf_append_char(&open, '[');
    assert_int_equal(parse(buf_slice(&open), NULL), -1);
}

static void test_too_many_members(void **state)
{
    (void)state;
    const size_t count = ((size_t)4 << 20) + 1;
    struct buf json _cleanup_buf_ = BUF_INIT(64 << 20), packed _cleanup_buf_ = BUF_INIT(64 << 20);
    buf_append_char(&json, '[');
    buf_append(&packed, "\xdd\x00\x40\x00\x01", 5);
    for (size_t i = 0; i < count; i++) {
        buf_append_str(&json, i ? ",0" : "0");
        buf_append_char(&packed, 0);
    }
    buf_append_char(&json, ']');
    assert_int_equal(parse(buf_slice(&json), NULL), -1);
    assert_int_equal(unpack(buf_slice(&packed), list_type(1)), -1);
    assert_non_null(strstr(diags.first->detail, "4194304 members"));
    assert_true(arena_used(arena) < 1 << 20);
}

static void test_too_many_bytes(void **state)
{
    (void)state;
    const size_t len = ((size_t)64 << 20) + 1;
    char *bytes = test_malloc(len);
    memset(bytes, ' ', len);
    bytes[0] = '1';
    assert_int_equal(parse(slice_from(bytes, len), NULL), -1);
    assert_int_equal(parse(slice_from(bytes, len - 1), NULL), 0);
    bytes[0] = (char)0xdb;
    uint32_t text = (uint32_t)len - 5;
    for (int i = 0; i < 4; i++)
        bytes[1 + i] = (char)(text >> (24 - 8 * i));
    assert_int_equal(unpack(slice_from(bytes, len), &type_string), -1);
    test_free(bytes);
}

/* A promise that does not suit the type is no promise; the value stays unknown. */
static void test_promises_about_another_type(void **state)
{
    (void)state;
    const struct slice promises[] = {
        BYTES("\xc7\x04\x0c\x81\x02\xa1x"),        /* prefix */
        BYTES("\xc7\x05\x0c\x81\x03\x92\x01\xc3"), /* least number */
        BYTES("\xc7\x03\x0c\x81\x05\x01"),         /* least length */
    };
    static const struct type *const types[] = {&type_string, &type_number, &type_list_of_string,
                                               &type_bool};
    for (size_t i = 0; i < 3; i++)
        for (size_t k = 0; k < 4; k++) {
            const struct value *v = NULL;
            assert_int_equal(value_msgpack_decode(arena, promises[i], types[k], &v, &diags), 0);
            assert_true(value_is_unknown(v));
            assert_int_equal(v->refinement->prefix.len, i == 0 && k == 0);
            assert_int_equal(v->refinement->min != NULL, i == 1 && k == 1);
            assert_int_equal(v->refinement->length_min, i == 2 && k == 2 ? 1 : -1);
        }
}

/* Each name may be there once, and each attribute must be. */
static void test_msgpack_names(void **state)
{
    (void)state;
    const struct type *t = type_of("[\"object\",{\"a\":\"number\",\"b\":\"number\"}]");
    assert_int_equal(unpack(BYTES("\x82\xa1\x61\x01\xa1\x62\x02"), t), 0);
    assert_int_equal(unpack(BYTES("\x82\xa1\x62\x02\xa1\x61\x01"), t), 0);
    assert_int_equal(unpack(BYTES("\x82\xa1\x61\x01\xa1\x61\x02"), t), -1);
    assert_int_equal(unpack(BYTES("\x82\xa1\x61\x01\xc4\x01\x62\x02"), t), -1);
    assert_int_equal(unpack(BYTES("\x82\xa1\x61\x01\x01\x02"), t), -1);
    assert_int_equal(unpack(BYTES("\x81\xa1\x61\x01"), t), -1);
    assert_int_equal(unpack(BYTES("\x80"), t), -1);
    const struct type *map = type_of("[\"map\",\"number\"]");
    assert_int_equal(unpack(BYTES("\x82\xa1\x61\x01\xa1\x62\x02"), map), 0);
    assert_int_equal(unpack(BYTES("\x82\xa1\x61\x01\xa1\x61\x02"), map), -1);
    assert_int_equal(parse(SLICE_LIT("{\"a\":1,\"a\":2}"), map), -1);
}

static void test_text_that_is_not_utf8(void **state)
{
    (void)state;
    const struct type *map = type_of("[\"map\",\"number\"]");
    static const char *const bad[] = {"\xff",     "\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80",
                                      "\xe2\x82", "\x80"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        struct buf b _cleanup_buf_ = BUF_INIT(100);
        buf_append_char(&b, (char)(0xa0 + strlen(bad[i])));
        buf_append_str(&b, bad[i]);
        assert_int_equal(unpack(buf_slice(&b), &type_string), -1);
        struct buf key _cleanup_buf_ = BUF_INIT(100);
        buf_append_char(&key, (char)0x81);
        buf_append_slice(&key, buf_slice(&b));
        buf_append_char(&key, 1);
        assert_int_equal(unpack(buf_slice(&key), map), -1);
        struct buf json _cleanup_buf_ = BUF_INIT(100);
        buf_printf(&json, "\"%s\"", bad[i]);
        assert_int_equal(parse(buf_slice(&json), &type_string), -1);
    }
    assert_int_equal(parse(SLICE_LIT("\"\\ud800\""), &type_string), -1);
}

static void test_errors_name_the_place_and_nothing_else(void **state)
{
    (void)state;
    const struct type *t = type_of("[\"object\",{\"l\":[\"list\",[\"object\",{\"n\":\"number\"}]],"
                                   "\"m\":[\"map\",\"bool\"],\"s\":[\"set\",\"number\"]}]");
    static const char *const cases[][2] = {
        {"{\"l\":[{\"n\":1},{\"n\":\"hunter2\"}]}", "l[1].n"},
        {"{\"m\":{\"k\":\"hunter2\"}}", "m[\"k\"]"},
        {"{\"s\":[1,\"hunter2\"]}", "s"},
        {"{\"l\":[{\"n\":1,\"x\":\"hunter2\"}]}", "l[0]"},
        {"{\"l\":\"hunter2\"}", "l"},
        {"{\"l\":[\"hunter2\" oops]}", ""},
        {"{\"hunter2\":1,\"hunter2\":1}", ""},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        assert_int_equal(parse(slice_str(cases[i][0]), t), -1);
        assert_string_equal(path_string(arena, diags.first->path), cases[i][1]);
        assert_null(strstr(diags.first->detail, "hunter2"));
        assert_null(strstr(diags.first->summary, "hunter2"));
    }
    assert_int_equal(unpack(BYTES("\x83\xa1l\xc0\xa1m\x81\xa1k\xa1x\xa1s\xc0"), t), -1);
    assert_string_equal(path_string(arena, diags.first->path), "m[\"k\"]");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_sizes_that_are_not_there, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_bytes_behind, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_msgpack_depth, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_dynamic_depth, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_dynamic_in_lists, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_types_count_in_json_depth, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_json_depth, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_promises_about_another_type, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_too_many_members, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_too_many_bytes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_msgpack_names, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_text_that_is_not_utf8, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_errors_name_the_place_and_nothing_else, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

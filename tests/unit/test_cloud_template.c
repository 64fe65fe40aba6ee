/* Templates: evaluation in a scope, transformations, selection from answers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "cloud/plain.h"
#include "cloud/template.h"
#include "value/codec.h"

static struct arena *arena;

static int set_up(void **state)
{
    (void)state;
    arena = arena_new();
    return arena ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    arena_free(arena);
    return 0;
}

static const struct value *json(const char *text)
{
    const struct value *v = NULL;
    struct diags d;
    diags_init(&d, arena);
    if (value_json_parse(arena, slice_str(text), &v, &d) < 0)
        fail_msg("not JSON: %s", text);
    return v;
}

static const char *show(const struct value *v)
{
    static struct buf b;
    buf_clean_up(&b);
    buf_init(&b, 1 << 20);
    if (!v)
        return "(absent)";
    if (value_json_write(&b, v, false) < 0) {
        buf_reset(&b); /* something in it is not known */
        value_format(&b, v);
    }
    return buf_cstr(&b);
}

/* ---- evaluation ---- */

/* The scope: "config" is a value, "gone" does not exist, "unknown" is not known, "broken" fails. */
static int lookup(void *self, struct arena *a, const char *root, const char *path,
                  const struct value **ret)
{
    const struct value *config = self;
    if (strcmp(root, "broken") == 0)
        return -1;
    if (strcmp(root, "gone") == 0)
        *ret = NULL;
    else if (strcmp(root, "unknown") == 0)
        *ret = value_unknown(a, &type_string);
    else
        *ret = path ? value_path(config, path) : config;
    return 0;
}

#define REF(name, root_, path_)                                                                    \
    static const struct template name = {.kind = TEMPLATE_REF, .root = (root_), .path = (path_)}
#define GROUP(name, kind_, ...)                                                                    \
    static const struct template_member name##_members[] = {__VA_ARGS__};                          \
    static const struct template name = {.kind = (kind_),                                          \
                                         .members = name##_members,                                \
                                         .member_count =                                           \
                                             sizeof(name##_members) / sizeof(*name##_members)}

REF(ref_name, "config", "name");
REF(ref_null, "config", "nothing");
REF(ref_tags, "config", "tags");
REF(ref_all, "config", NULL);
REF(ref_gone, "gone", "id");
REF(ref_unknown, "unknown", "id");
REF(ref_broken, "broken", "id");

static const struct value *scope(void)
{
    return json(
        "{\"name\":\"n\",\"nothing\":null,\"tags\":{\"b\":\"2\",\"a\":\"1\"},\"no\":false}");
}

static const struct value *eval(const struct template *t)
{
    const struct value *v = NULL;
    assert_int_equal(template_eval(arena, t, lookup, (void *)(uintptr_t)scope(), &v), 0);
    return v;
}

static void test_references(void **state)
{
    (void)state;
    assert_string_equal(show(eval(&ref_name)), "\"n\"");
    assert_true(value_is_null(eval(&ref_null)));
    assert_null(eval(&ref_gone));
    assert_true(value_is_unknown(eval(&ref_unknown)));
    assert_int_equal(value_count(eval(&ref_all)), 4);
    const struct value *v = scope();
    assert_int_equal(template_eval(arena, &ref_broken, lookup, (void *)(uintptr_t)scope(), &v), -1);
    assert_non_null(v); /* untouched */
}

static void test_object(void **state)
{
    (void)state;
    static const struct template literal = {.kind = TEMPLATE_LITERAL};
    GROUP(object, TEMPLATE_OBJECT, {"Name", &ref_name}, {"Null", &ref_null}, {"Gone", &ref_gone},
          {"Later", &ref_unknown}, {"Literal", &literal});
    struct template one = literal;
    one.literal = value_int(arena, 1);
    struct template_member members[5];
    memcpy(members, object_members, sizeof(members));
    members[4].value = &one;
    struct template whole = object;
    whole.members = members;
    /* what is absent or null is left out; what is unknown stays at its place */
    assert_string_equal(show(eval(&whole)),
                        "{Later = (known after apply), Literal = 1, Name = \"n\"}");
    /* an object or a list of which nothing is left is absent; one that is empty as written is not
     */
    GROUP(nothing, TEMPLATE_OBJECT, {"Null", &ref_null});
    GROUP(none, TEMPLATE_TUPLE, {NULL, &ref_null}, {NULL, &ref_gone});
    static const struct template empty = {.kind = TEMPLATE_TUPLE};
    assert_string_equal(show(eval(&nothing)), "(absent)");
    assert_string_equal(show(eval(&none)), "(absent)");
    assert_string_equal(show(eval(&empty)), "[]");
    GROUP(broken, TEMPLATE_OBJECT, {"Name", &ref_name}, {"Broken", &ref_broken});
    const struct value *v = NULL;
    assert_int_equal(template_eval(arena, &broken, lookup, (void *)(uintptr_t)scope(), &v), -1);
}

static void test_tuple_and_first(void **state)
{
    (void)state;
    GROUP(tuple, TEMPLATE_TUPLE, {NULL, &ref_name}, {NULL, &ref_gone}, {NULL, &ref_null},
          {NULL, &ref_name});
    assert_string_equal(show(eval(&tuple)), "[\"n\",\"n\"]");
    GROUP(first, TEMPLATE_FIRST, {NULL, &ref_gone}, {NULL, &ref_null}, {NULL, &ref_name},
          {NULL, &ref_broken}); /* what comes behind is not looked at */
    assert_string_equal(show(eval(&first)), "\"n\"");
    /* unknown may turn out null, and decides all the same: it is what will be there */
    GROUP(later, TEMPLATE_FIRST, {NULL, &ref_unknown}, {NULL, &ref_name});
    assert_true(value_is_unknown(eval(&later)));
    GROUP(none, TEMPLATE_FIRST, {NULL, &ref_gone});
    assert_null(eval(&none));
}

static void test_transformed(void **state)
{
    (void)state;
    struct template t = ref_tags;
    t.transform = TRANSFORM_TAGS;
    assert_string_equal(show(eval(&t)),
                        "[{\"Key\":\"a\",\"Value\":\"1\"},{\"Key\":\"b\",\"Value\":\"2\"}]");
    t = ref_gone;
    t.transform = TRANSFORM_TAGS;
    assert_null(eval(&t));
    t = ref_unknown;
    t.transform = TRANSFORM_BASE64;
    assert_true(value_is_unknown(eval(&t)));
    t = ref_name;
    t.transform = TRANSFORM_TAGS; /* a string has no tags */
    const struct value *v = NULL;
    assert_int_equal(template_eval(arena, &t, lookup, (void *)(uintptr_t)scope(), &v), -1);
}

/* ---- transformations ---- */

static const char *as(enum template_transform tr, const char *text)
{
    return show(template_transform(arena, tr, json(text)));
}

static void test_tag_forms(void **state)
{
    (void)state;
    const char *map = "{\"z\":\"1\",\"a\":\"\"}";
    assert_string_equal(as(TRANSFORM_TAGS, map),
                        "[{\"Key\":\"a\",\"Value\":\"\"},{\"Key\":\"z\",\"Value\":\"1\"}]");
    assert_string_equal(as(TRANSFORM_TAGS_LOWER, map),
                        "[{\"key\":\"a\",\"value\":\"\"},{\"key\":\"z\",\"value\":\"1\"}]");
    assert_string_equal(as(TRANSFORM_TAG_KEYS, map), "[{\"Key\":\"a\"},{\"Key\":\"z\"}]");
    assert_string_equal(as(TRANSFORM_KEYS, map), "[\"a\",\"z\"]");
    assert_string_equal(as(TRANSFORM_TAGS, "{}"), "[]");
    assert_string_equal(as(TRANSFORM_TAGS, "[]"), "(absent)");
    assert_string_equal(as(TRANSFORM_KEYS, "\"a\""), "(absent)");
}

static void test_tags_map(void **state)
{
    (void)state;
    const char *expected = "{\"a\":\"1\",\"b\":\"\"}";
    assert_string_equal(
        as(TRANSFORM_TAGS_MAP, "[{\"key\":\"b\",\"value\":\"\"},{\"key\":\"a\",\"value\":\"1\"}]"),
        expected);
    assert_string_equal(
        as(TRANSFORM_TAGS_MAP, "[{\"Key\":\"b\",\"Value\":null},{\"Key\":\"a\",\"Value\":\"1\"}]"),
        expected);
    /* none: an empty XML list, null, an empty list */
    assert_string_equal(as(TRANSFORM_TAGS_MAP, "\"\""), "{}");
    assert_string_equal(as(TRANSFORM_TAGS_MAP, "null"), "{}");
    assert_string_equal(as(TRANSFORM_TAGS_MAP, "[]"), "{}");
    assert_string_equal(as(TRANSFORM_WITHOUT_SCHEME, "\"https://host/id/A1\""), "\"host/id/A1\"");
    assert_string_equal(as(TRANSFORM_WITHOUT_SCHEME, "\"host/id\""), "\"host/id\"");
    const struct value *v = template_transform(arena, TRANSFORM_TAGS_MAP, json("[]"));
    assert_true(type_equal(v->type, &type_map_of_string));
}

static void test_scalars(void **state)
{
    (void)state;
    assert_string_equal(as(TRANSFORM_STRING, "1.50"), "\"1.5\"");
    assert_string_equal(as(TRANSFORM_STRING, "true"), "\"true\"");
    assert_string_equal(as(TRANSFORM_STRING, "\"x\""), "\"x\"");
    assert_string_equal(as(TRANSFORM_STRING, "[]"), "(absent)");
    assert_string_equal(as(TRANSFORM_NUMBER, "\"100\""), "100");
    assert_string_equal(as(TRANSFORM_NUMBER, "\"x\""), "(absent)");
    assert_string_equal(as(TRANSFORM_BOOL, "\"true\""), "true");
    assert_string_equal(as(TRANSFORM_BOOL, "\"false\""), "false");
    assert_string_equal(as(TRANSFORM_BOOL, "\"maybe\""), "(absent)");
    assert_string_equal(as(TRANSFORM_BASE64, "\"#!/bin/sh\\n\""), "\"IyEvYmluL3NoCg==\"");
    assert_string_equal(as(TRANSFORM_BASE64, "\"\""), "\"\"");
    assert_string_equal(as(TRANSFORM_BASE64, "1"), "(absent)");
    assert_string_equal(as(TRANSFORM_BASE64, "{\"a\":\"x\",\"b\":\"\"}"),
                        "{\"a\":\"eA==\",\"b\":\"\"}");
    assert_string_equal(as(TRANSFORM_BASE64, "{\"a\":1}"), "(absent)");
    assert_string_equal(as(TRANSFORM_BASE64_DECODE, "\"IyEvYmluL3NoCg==\""), "\"#!/bin/sh\\n\"");
    assert_string_equal(as(TRANSFORM_BASE64_DECODE, "\"YWI=\""), "\"ab\"");
    assert_string_equal(as(TRANSFORM_BASE64_DECODE, "\"YWJj\""), "\"abc\"");
    assert_string_equal(as(TRANSFORM_BASE64_DECODE, "\"\""), "\"\"");
    assert_string_equal(as(TRANSFORM_BASE64_DECODE, "\"YWJ\""), "(absent)");
    assert_string_equal(as(TRANSFORM_BASE64_DECODE, "\" YWI\""), "(absent)");
    assert_string_equal(as(TRANSFORM_BASE64_DECODE, "\"YW=j\""), "(absent)");
    assert_string_equal(as(TRANSFORM_BASE64_DECODE, "\"====\""), "(absent)");
    assert_string_equal(as(TRANSFORM_BASE64_DECODE, "\"/w==\""), "(absent)");
    assert_string_equal(as(TRANSFORM_BASE64_DECODE, "1"), "(absent)");
    assert_string_equal(as(TRANSFORM_LIST, "\"x\""), "[\"x\"]");
    assert_string_equal(as(TRANSFORM_FIRST_OF, "[\"x\",\"y\"]"), "\"x\"");
    assert_true(value_is_null(template_transform(arena, TRANSFORM_FIRST_OF, json("[]"))));
    assert_string_equal(as(TRANSFORM_VALUES, "{\"b\":1,\"a\":\"x\"}"), "[\"x\",1]");
    assert_string_equal(as(TRANSFORM_VALUES, "{}"), "[]");
    assert_null(template_transform(arena, TRANSFORM_VALUES, json("[1]")));
    assert_true(value_is_null(template_transform(arena, TRANSFORM_FIRST_OF, json("\"\""))));
}

static void test_json_forms(void **state)
{
    (void)state;
    assert_string_equal(value_cstr(template_transform(arena, TRANSFORM_JSON,
                                                      json("{\"b\":[1,true,null],\"a\":\"é\"}")),
                                   ""),
                        "{\"a\":\"é\",\"b\":[1,true,null]}");
    assert_string_equal(as(TRANSFORM_JSON_PARSE, "\"{\\\"a\\\": [1]}\""), "{\"a\":[1]}");
    assert_string_equal(as(TRANSFORM_JSON_PARSE, "\"{\""), "(absent)");
    /* documents are compared in one form, whether IAM has percent-encoded them or not */
    const char *canonical = "{\"a\":\"%\",\"b\":1}";
    assert_string_equal(value_cstr(template_transform(arena, TRANSFORM_JSON_DOCUMENT,
                                                      value_str(arena, "{ \"b\":1, \"a\":\"%\" }")),
                                   ""),
                        canonical);
    assert_string_equal(
        value_cstr(
            template_transform(arena, TRANSFORM_JSON_DOCUMENT,
                               value_str(arena, "%7B%22b%22%3A1%2C%20%22a%22%3A%22%25%22%7d")),
            ""),
        canonical);
    assert_string_equal(
        value_cstr(template_transform(arena, TRANSFORM_JSON_DOCUMENT, value_str(arena, "%7B%2")),
                   ""),
        "{%2"); /* no JSON: as it is */
}

static void test_unknown_and_null(void **state)
{
    (void)state;
    for (int tr = TRANSFORM_TAGS; tr <= TRANSFORM_FIRST_OF; tr++) {
        const struct value *u = template_transform(arena, (enum template_transform)tr,
                                                   value_unknown(arena, &type_string));
        const struct value *n =
            template_transform(arena, (enum template_transform)tr, value_null(arena, &type_string));
        assert_false(value_is_wholly_known(u));
        assert_true(value_is_null(n) || tr == TRANSFORM_TAGS_MAP);
        assert_null(template_transform(arena, (enum template_transform)tr, NULL));
    }
    const struct value *elems[] = {value_str(arena, "a"), value_unknown(arena, &type_string)};
    const struct value *partly = value_tuple(arena, elems, 2);
    assert_true(value_is_unknown(template_transform(arena, TRANSFORM_JSON, partly)));
    assert_string_equal(show(template_transform(arena, TRANSFORM_FIRST_OF, partly)), "\"a\"");
}

/* ---- selection ---- */

static void test_select(void **state)
{
    (void)state;
    const struct value *v = json(
        "{\"vpcSet\":[{\"vpcId\":\"vpc-1\",\"tagSet\":[{\"key\":\"a\"}]},{\"vpcId\":\"vpc-2\"}],"
        "\"Reservations\":[{\"Instances\":[{\"id\":\"i-1\"},{\"id\":\"i-2\"}]},{\"Instances\":\"\"}"
        ","
        "{\"Instances\":[{\"id\":\"i-3\"}]}],\"empty\":\"\",\"null\":null,\"n\":{\"0\":\"zero\"}}");
    assert_string_equal(show(template_select(arena, v, "vpcSet.0.vpcId")), "\"vpc-1\"");
    assert_string_equal(show(template_select(arena, v, "vpcSet.1.vpcId")), "\"vpc-2\"");
    assert_null(template_select(arena, v, "vpcSet.2.vpcId"));
    assert_null(template_select(arena, v, "vpcSet.x"));
    assert_null(template_select(arena, v, "vpcSet.vpcId"));
    assert_null(template_select(arena, v, "nothing"));
    assert_null(template_select(arena, v, "vpcSet.0.vpcId.more"));
    assert_string_equal(show(template_select(arena, v, "n.0")), "\"zero\"");
    assert_string_equal(show(template_select(arena, v, "vpcSet.*.vpcId")), "[\"vpc-1\",\"vpc-2\"]");
    assert_string_equal(show(template_select(arena, v, "vpcSet.*.tagSet.*.key")), "[\"a\"]");
    assert_string_equal(show(template_select(arena, v, "Reservations.*.Instances.*.id")),
                        "[\"i-1\",\"i-2\",\"i-3\"]");
    /* nothing there is an empty tuple where all are asked for */
    assert_string_equal(show(template_select(arena, v, "empty.*")), "[]");
    assert_string_equal(show(template_select(arena, v, "nothing.*.x")), "[]");
    assert_true(value_is_null(template_select(arena, v, "null")));
    assert_ptr_equal(template_select(arena, v, ""), v);
    assert_null(template_select(arena, NULL, "a"));
}

static void test_select_many(void **state)
{
    (void)state;
    enum { MANY = 5000 };
    const struct value **elems = arena_calloc(arena, MANY, sizeof(*elems));
    for (int64_t i = 0; i < MANY; i++)
        elems[i] = value_int(arena, i);
    const struct value *all = template_select(arena, value_tuple(arena, elems, MANY), "*");
    assert_int_equal(value_count(all), MANY);
    assert_int_equal(value_int_or(value_at(all, MANY - 1), -1), MANY - 1);
}

/* ---- memory ---- */

static int allocations_left;

static void *failing_malloc(size_t size)
{
    return allocations_left-- > 0 ? malloc(size) : NULL;
}

static void *failing_realloc(void *ptr, size_t size)
{
    return allocations_left-- > 0 ? realloc(ptr, size) : NULL;
}

static void test_memory_out(void **state)
{
    (void)state;
    const struct alloc_table whole = alloc_table;
    const struct value *in = scope();
    struct template tags = ref_tags;
    tags.transform = TRANSFORM_TAGS;
    const struct template_member members[] = {{"Tag", &tags}, {"Name", &ref_name}};
    const struct template t = {.kind = TEMPLATE_OBJECT, .members = members, .member_count = 2};
    bool done = false;
    for (int n = 0; n < 50 && !done; n++) {
        const struct value *v = NULL;
        allocations_left = n;
        alloc_table.malloc = failing_malloc;
        alloc_table.realloc = failing_realloc;
        struct arena *a = arena_new();
        int rc = a ? template_eval(a, &t, lookup, (void *)(uintptr_t)in, &v) : -1;
        alloc_table = whole;
        assert_true(rc == 0 ? value_count(v) == 2 : v == NULL);
        done = rc == 0;
        arena_free(a);
    }
    assert_true(done);
}

/* ---- for comparing ---- */

static void test_amounts(void **state)
{
    (void)state;
    static const char *const same[][4] = {
        {"\"1Gi\"", "\"1024Mi\"", "\"1073741824\"", "\"1073741824000m\""},
        {"\"500m\"", "\"0.5\"", "\".5\"", "\"5e-1\""},
        {"\"1e3\"", "\"1k\"", "\"1E3\"", "1000"},
        {"\"1E\"", "\"1e18\"", "\"1000P\"", "\"+1000000000G\""},
        {"\"1n\"", "\"0.0000000001\"", "\"0.1n\"", "\"1e-12\""},
        {"\"1u\"", "\"1000n\"", "\"0.001m\"", "0.000001"},
        {"\"-1\"", "\"-1000m\"", "-1", "\"-1.0\""},
        {"\"0\"", "\"-0\"", "\"0Ki\"", "\"0.\""},
        {"\"7Ei\"", "\"7168Pi\"", "\"8070450532247928832\"", "\"7340032Ti\""},
    };
    char *first = NULL;
    for (size_t i = 0; i < sizeof(same) / sizeof(*same); i++) {
        char *amount = arena_strdup(arena, as(TRANSFORM_QUANTITIES, same[i][0]));
        for (size_t k = 1; k < 4; k++)
            assert_string_equal(as(TRANSFORM_QUANTITIES, same[i][k]), amount);
        assert_true(!first || strcmp(first, amount) != 0);
        first = amount;
    }
    static const char *const none[] = {
        "\"Container\"",
        "\"\"",
        "\".\"",
        "\"-\"",
        "\"1 \"",
        "\"1Mib\"",
        "\"1mi\"",
        "\"1i\"",
        "\"1e\"",
        "\"1e3k\"",
        "\"1e99\"",
        "\"10.0.0.0\"",
        "\"1,5\"",
        "\"e3\"",
        "true",
        "\"99999999999999999999999999999999999999999\"",
        "\"99999999999999999999999Ei\"",
        "\"1111111111111111111111111111111111111111111111111111111111111111111\""};
    for (size_t i = 0; i < sizeof(none) / sizeof(*none); i++)
        assert_string_equal(as(TRANSFORM_QUANTITIES, none[i]), none[i]);
}

static void test_plain(void **state)
{
    (void)state;
    const struct value *one = value_str(arena, "1Gi"), *none = value_null(arena, &type_string);
    const struct value_member m[] = {{SLICE_LIT("a"), one}, {SLICE_LIT("b"), none}};
    const struct value *map = value_map(arena, &type_string, m, 2);
    const struct value *typed = value_list(arena, &type_map_of_string, &map, 1);
    assert_true(
        value_equal(template_transform(arena, TRANSFORM_PLAIN, typed), json("[{\"a\":\"1Gi\"}]")));
    assert_false(value_equal(typed, json("[{\"a\":\"1Gi\"}]")));
    assert_true(
        value_equal(template_transform(arena, TRANSFORM_QUANTITIES, typed),
                    template_transform(arena, TRANSFORM_QUANTITIES, json("[{\"a\":\"1024Mi\"}]"))));
    const char *numbers = arena_strdup(arena, as(TRANSFORM_FLOAT32, "{\"a\":[0.1,2,\"0.1\"]}"));
    assert_string_equal(as(TRANSFORM_FLOAT32, "{\"a\":[0.10000000149011612,2.0,\"0.1\"]}"),
                        numbers);
    numbers = arena_strdup(arena, as(TRANSFORM_FLOAT32, "0.1"));
    assert_string_not_equal(as(TRANSFORM_FLOAT32, "0.1000001"), numbers);
    assert_string_equal(as(TRANSFORM_PLAIN, "{\"a\":[1,null,{}],\"b\":null}"),
                        "{\"a\":[1,null,{}]}");
    assert_string_equal(as(TRANSFORM_UNLESS_EMPTY, "{\"a\":1}"), "{\"a\":1}");
    assert_string_equal(as(TRANSFORM_UNLESS_EMPTY, "0"), "0");
    static const char *const empty[] = {"{}", "[]", "\"\""};
    for (size_t i = 0; i < 3; i++)
        assert_string_equal(as(TRANSFORM_UNLESS_EMPTY, empty[i]), "null");
}

static void test_includes(void **state)
{
    (void)state;
    static const struct {
        const char *has, *wanted;
        bool does;
    } cases[] = {
        {"{\"a\":1,\"b\":2}", "{\"a\":1}", true},
        {"{\"a\":1}", "{\"a\":1,\"b\":2}", false},
        {"{\"a\":1}", "{\"a\":2}", false},
        {"[{\"a\":1,\"b\":2},3]", "[{\"a\":1},3]", true},
        {"[1,2]", "[1]", false},
        {"[1]", "[1,2]", false},
        {"[1,2]", "[2,1]", false},
        {"{\"a\":1}", "{\"a\":1,\"b\":[]}", true},
        {"{\"a\":1}", "{\"a\":1,\"b\":{}}", false},
        {"{\"a\":{\"b\":1}}", "{\"a\":{}}", true},
        {"{\"a\":\"1\"}", "{\"a\":1}", false},
        {"{}", "[]", false},
        {"null", "{}", false},
        {"{\"a\":1}", "null", false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
        assert_int_equal(plain_includes(json(cases[i].has), json(cases[i].wanted)), cases[i].does);
}

/* A literal that is empty stays: that every pod is selected is said by {}. */
static void test_empty_literals(void **state)
{
    (void)state;
    static const struct template nothing = {.kind = TEMPLATE_OBJECT},
                                 none = {.kind = TEMPLATE_TUPLE};
    GROUP(outer, TEMPLATE_OBJECT, {"podSelector", &nothing}, {"egress", &none},
          {"gone", &ref_gone});
    assert_string_equal(show(eval(&outer)), "{\"egress\":[],\"podSelector\":{}}");
}

int main(void)
{
#define TEST(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_references),     TEST(test_object),     TEST(test_tuple_and_first),
        TEST(test_transformed),    TEST(test_tag_forms),  TEST(test_tags_map),
        TEST(test_scalars),        TEST(test_json_forms), TEST(test_unknown_and_null),
        TEST(test_amounts),        TEST(test_plain),      TEST(test_includes),
        TEST(test_empty_literals), TEST(test_select),     TEST(test_select_many),
        TEST(test_memory_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

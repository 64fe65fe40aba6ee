/* schema_plan() and its kin, case by case, on the schema of compiler/good; and that the oracle of
 * the generated tests does refuse bad plans. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "oracle.h"
#include "schema/tables.h"
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

/* A value of the schema from JSON; what is not named is null. */
static const struct value *from(const char *json)
{
    struct diags diags;
    const struct value *v = NULL;
    diags_init(&diags, arena);
    if (value_json_decode(arena, slice_str(json), schema_llm_box.type, true, &v, &diags))
        fail_msg("%s: %s", json, diags.first->detail);
    return v;
}

static const struct value *unknown_at(const struct value *v, const char *path)
{
    const struct value *old = value_path(v, path);
    assert_non_null(old);
    const struct value *ret = value_with_path(arena, v, path, value_unknown(arena, old->type));
    assert_non_null(ret);
    return ret;
}

static const char *text(const struct value *v)
{
    struct buf b _cleanup_buf_ = BUF_INIT(1 << 16);
    assert_int_equal(value_format(&b, v), 0);
    return arena_strdup(arena, buf_cstr(&b));
}

struct plan {
    const struct value *planned;
    const struct path *const *replace;
    size_t count;
};

static struct plan plan(const struct value *config, const struct value *prior)
{
    struct diags diags;
    struct plan p = {0};
    diags_init(&diags, arena);
    assert_int_equal(schema_plan(arena, &schema_llm_box, config, prior, config, &p.planned,
                                 &p.replace, &p.count, &diags),
                     0);
    return p;
}

#define UNKNOWN "(known after apply)"

static void test_create(void **state)
{
    const struct value *config =
        from("{\"name\":\"n\",\"cloud\":\"aws\",\"key_wo\":\"secret\",\"key_wo_version\":1,"
             "\"net\":{\"id\":null},\"disks\":[{\"gib\":3}],\"timeouts\":{\"create\":\"1h\"}}");
    struct plan p = plan(config, NULL);
    (void)state;
    assert_string_equal(
        text(p.planned),
        "{box_id = " UNKNOWN ", cloud = \"aws\", disks = [{gib = 3}], key_wo = null, "
        "key_wo_version = 1, name = \"n\", net = {cidr = \"10.0.0.0/16\", id = null}, "
        "old = null, size = 4, timeouts = {create = \"1h\", delete = null}, zones = "
        "null}");
    assert_int_equal(p.count, 0);
}

static void test_no_difference(void **state)
{
    const struct value *config = from("{\"name\":\"n\",\"cloud\":\"aws\",\"key_wo\":\"secret\"}");
    const struct value *prior =
        from("{\"name\":\"n\",\"cloud\":\"aws\",\"size\":4,\"box_id\":\"b-1\"}");
    struct plan p = plan(config, prior);
    (void)state;
    assert_true(value_equal(p.planned, prior));
    assert_int_equal(p.count, 0);
}

static void test_default_comes_back(void **state)
{
    struct plan p = plan(from("{\"name\":\"n\",\"net\":{}}"),
                         from("{\"name\":\"n\",\"size\":9,\"net\":{\"cidr\":\"10.8.0.0/16\"}}"));
    (void)state;
    assert_int_equal(value_int_or(value_get(p.planned, "size"), 0), 4);
    assert_string_equal(value_cstr(value_path(p.planned, "net.cidr"), ""), "10.0.0.0/16");
    assert_true(value_is_null(value_get(p.planned, "box_id")));
}

static void test_unknown_stays(void **state)
{
    const struct value *config = from("{\"name\":\"n\",\"net\":{\"cidr\":\"x\"}}");
    struct plan p = plan(unknown_at(unknown_at(config, "net.cidr"), "zones"), NULL);
    (void)state;
    assert_true(value_is_unknown(value_path(p.planned, "net.cidr")));
    assert_true(value_is_null(value_path(p.planned, "net.id")));
    assert_true(value_is_unknown(value_get(p.planned, "zones")));
    p = plan(unknown_at(config, "net"), NULL);
    assert_true(value_is_unknown(value_get(p.planned, "net")));
}

static void test_replace(void **state)
{
    const struct value *prior = from("{\"name\":\"n\",\"cloud\":\"aws\",\"size\":4}");
    struct plan p = plan(from("{\"name\":\"m\",\"cloud\":\"aws\"}"), prior);
    (void)state;
    assert_int_equal(p.count, 1);
    assert_string_equal(path_string(arena, p.replace[0]), "name");
    p = plan(unknown_at(prior, "name"), prior);
    assert_int_equal(p.count, 1);
    p = plan(from("{\"name\":\"m\",\"cloud\":\"aws\"}"), NULL);
    assert_int_equal(p.count, 0);
}

static const struct schema_attr one_attr = {.name = "a",
                                            .type = &type_string,
                                            .flags = SCHEMA_OPTIONAL,
                                            .replace = SCHEMA_REPLACE_IF_KNOWN};
static const struct type_attr one_attr_type = {"a", &type_string, false};
static const struct type one_type = {.kind = TYPE_OBJECT, .attrs = &one_attr_type, .attr_count = 1};
static const struct schema one_schema = {
    .name = "s", .type = &one_type, .attrs = &one_attr, .attr_count = 1};

static void test_replace_if_known(void **state)
{
    const struct value *values[] = {value_str(arena, "x"), value_str(arena, "y"),
                                    value_null(arena, &type_string),
                                    value_unknown(arena, &type_string)};
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        for (size_t k = 0; k < 4; k++) {
            struct diags diags;
            struct plan p = {0};
            const struct value_member prior = {SLICE_LIT("a"), values[i]};
            const struct value_member config = {SLICE_LIT("a"), values[k]};
            diags_init(&diags, arena);
            assert_int_equal(schema_plan(arena, &one_schema,
                                         value_object_of(arena, &one_type, &config, 1),
                                         value_object_of(arena, &one_type, &prior, 1), NULL,
                                         &p.planned, &p.replace, &p.count, &diags),
                             0);
            assert_int_equal(p.count, k != 3 && i != k);
        }
    }
}

/* An unknown object may hold what needs a new resource: a core refuses a replacement that only the
 * plan at apply asks for. */
static void test_unknown_object_replaces(void **state)
{
    static const enum schema_replace kinds[] = {SCHEMA_REPLACE_ALWAYS, SCHEMA_REPLACE_IF_KNOWN,
                                                SCHEMA_REPLACE_NEVER};
    const struct type_attr inner = {"a", &type_string, false}, outer = {"net", NULL, false};
    const struct type net = {.kind = TYPE_OBJECT, .attrs = &inner, .attr_count = 1};
    struct type_attr outer_typed = outer;
    outer_typed.type = &net;
    const struct type all = {.kind = TYPE_OBJECT, .attrs = &outer_typed, .attr_count = 1};
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        const struct schema_attr a = {
            .name = "a", .type = &type_string, .flags = SCHEMA_OPTIONAL, .replace = kinds[i]};
        const struct schema_attr box = {.name = "net",
                                        .type = &net,
                                        .flags = SCHEMA_OPTIONAL,
                                        .nesting = SCHEMA_NESTING_SINGLE,
                                        .attrs = &a,
                                        .attr_count = 1};
        const struct schema schema = {.name = "s", .type = &all, .attrs = &box, .attr_count = 1};
        const struct value_member prior = {SLICE_LIT("net"), value_null(arena, &net)};
        const struct value_member config = {SLICE_LIT("net"), value_unknown(arena, &net)};
        struct plan p = {0};
        struct diags diags;
        diags_init(&diags, arena);
        assert_int_equal(schema_plan(arena, &schema, value_object_of(arena, &all, &config, 1),
                                     value_object_of(arena, &all, &prior, 1), NULL, &p.planned,
                                     &p.replace, &p.count, &diags),
                         0);
        assert_int_equal(p.count, kinds[i] == SCHEMA_REPLACE_ALWAYS);
    }
}

static void test_destroy(void **state)
{
    const struct value *null = value_null(arena, schema_llm_box.type);
    (void)state;
    assert_true(value_is_null(plan(null, from("{\"name\":\"n\"}")).planned));
}

static void test_unknown_computed(void **state)
{
    const struct value *config = from("{\"name\":\"n\"}");
    const struct value *planned = from("{\"name\":\"n\",\"size\":4,\"box_id\":\"b-1\"}");
    const struct value *v = schema_unknown_computed(arena, &schema_llm_box, planned, config);
    (void)state;
    assert_true(value_is_unknown(value_get(v, "box_id")));
    assert_int_equal(value_int_or(value_get(v, "size"), 0), 4);
}

static void test_defaults(void **state)
{
    const struct value *v = schema_defaults(arena, &schema_llm_box, from("{\"name\":\"n\"}"));
    (void)state;
    assert_true(value_is_null(value_get(v, "box_id")));
    assert_int_equal(value_int_or(value_get(v, "size"), 0), 4);
}

static void test_secrets(void **state)
{
    const struct value *v = from("{\"name\":\"n\",\"key_wo\":\"hush\"}");
    (void)state;
    assert_non_null(strstr(text(v), "hush"));
    assert_null(strstr(text(schema_mark_sensitive(arena, &schema_llm_box, v)), "hush"));
    assert_true(
        value_is_null(value_get(schema_strip_write_only(arena, &schema_llm_box, v), "key_wo")));
}

static void test_timeouts(void **state)
{
    const struct schema *s = &schema_llm_box;
    const struct value *v = from("{\"timeouts\":{\"create\":\"90s\"}}");
    (void)state;
    assert_int_equal(schema_timeout_s(s, v, "create"), 90);
    assert_int_equal(schema_timeout_s(s, v, "delete"), 5400);
    assert_int_equal(schema_timeout_s(s, from("{}"), "create"), 1800);
    assert_int_equal(schema_timeout_s(s, NULL, "create"), 1800);
}

static void test_durations(void **state)
{
    static const struct {
        const char *text;
        int64_t ms;
    } good[] = {{"0", 0},          {"30m", 1800000}, {"1h30m", 5400000},
                {"1.5h", 5400000}, {".5s", 500},     {"1m0.25s", 60250},
                {"100ms", 100},    {"1s1ms", 1001},  {"-2s", -2000},
                {"+2s", 2000},     {"1000us", 1},    {"1500\xc2\xb5s", 1},
                {"999999ns", 0},   {"0.1s", 100},    {"2540400h", 9145440000000}};
    static const char *const bad[] = {"",     "30", "m",     "1x", "1h30", "h1", "1 h",
                                      "--1s", "1.", "1..5s", ".s", "1e3s", "-",  "9999999h"};
    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
        int64_t ms = -1;
        assert_int_equal(schema_duration_parse(slice_str(good[i].text), &ms), 0);
        if (ms != good[i].ms)
            fail_msg("%s: %lld", good[i].text, (long long)ms);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        int64_t ms;
        if (schema_duration_parse(slice_str(bad[i]), &ms) == 0)
            fail_msg("%s was taken", bad[i]);
    }
}

/* ---- sets ---- */

static const struct schema_attr set_elem[] = {
    {.name = "a", .type = &type_string, .flags = SCHEMA_OPTIONAL},
    {.name = "b", .type = &type_string, .flags = SCHEMA_OPTIONAL | SCHEMA_COMPUTED},
    {.name = "c", .type = &type_string, .flags = SCHEMA_COMPUTED},
};
static const struct type set_elem_type = {
    .kind = TYPE_OBJECT,
    .attrs = (const struct type_attr[]){{"a", &type_string, false},
                                        {"b", &type_string, false},
                                        {"c", &type_string, false}},
    .attr_count = 3};
static const struct type set_set = {.kind = TYPE_SET, .elem = &set_elem_type};
static const struct schema_attr set_attrs[] = {{.name = "s",
                                                .type = &set_set,
                                                .nesting = SCHEMA_NESTING_SET,
                                                .attrs = set_elem,
                                                .attr_count = 3,
                                                .flags = SCHEMA_OPTIONAL}};
static const struct type set_type = {.kind = TYPE_OBJECT,
                                     .attrs = (const struct type_attr[]){{"s", &set_set, false}},
                                     .attr_count = 1};
static const struct schema set_schema = {
    .name = "sets", .type = &set_type, .attrs = set_attrs, .attr_count = 1};

static const char *plan_sets(const char *config, const char *prior, size_t *errors)
{
    struct diags diags;
    struct plan p = {0};
    const struct value *c = NULL, *before = NULL;
    diags_init(&diags, arena);
    assert_int_equal(value_json_decode(arena, slice_str(config), &set_type, true, &c, &diags), 0);
    assert_int_equal(value_json_decode(arena, slice_str(prior), &set_type, true, &before, &diags),
                     0);
    schema_plan(arena, &set_schema, c, before, c, &p.planned, &p.replace, &p.count, &diags);
    *errors = diags.errors;
    return p.planned ? text(p.planned) : diags.first->detail;
}

static void test_sets(void **state)
{
    size_t errors;
    (void)state;
    /* The first element could take either prior one; only one choice leaves the second its own. */
    assert_string_equal(
        plan_sets(
            "{\"s\":[{\"a\":\"1\"},{\"a\":\"1\",\"b\":\"x\"}]}",
            "{\"s\":[{\"a\":\"1\",\"b\":\"x\",\"c\":\"p\"},{\"a\":\"1\",\"b\":\"y\",\"c\":\"q\"}]}",
            &errors),
        "{s = [{a = \"1\", b = \"x\", c = \"p\"}, {a = \"1\", b = \"y\", c = \"q\"}]}");
    assert_int_equal(errors, 0);
    assert_string_equal(plan_sets("{\"s\":[{\"a\":\"2\"}]}",
                                  "{\"s\":[{\"a\":\"1\",\"b\":\"x\",\"c\":\"p\"}]}", &errors),
                        "{s = [{a = \"2\", b = " UNKNOWN ", c = " UNKNOWN "}]}");
}

/* ---- the oracle ---- */

static void expect_refusal(const struct value *prior, const struct value *config,
                           const struct value *planned, const char *expected)
{
    struct buf report _cleanup_buf_ = BUF_INIT(4096);
    assert_int_equal(oracle_plan_valid(&schema_llm_box, prior, config, planned, &report), 1);
    assert_string_equal(buf_cstr(&report), expected);
}

static void test_oracle_of_plans(void **state)
{
    const struct value *config = from("{\"name\":\"n\",\"net\":{},\"disks\":[{\"gib\":1}],"
                                      "\"key_wo\":\"k\",\"timeouts\":{\"create\":\"1m\"}}");
    const struct value *good = plan(config, NULL).planned;
    struct buf report _cleanup_buf_ = BUF_INIT(4096);
    (void)state;
    assert_int_equal(oracle_plan_valid(&schema_llm_box, NULL, config, good, &report), 0);
    const struct value *m = value_str(arena, "m");
    expect_refusal(NULL, config, value_with(arena, good, "name", m),
                   ".name: neither the configured nor the prior value\n");
    expect_refusal(from("{\"name\":\"p\"}"), config, value_with(arena, good, "name", m),
                   ".name: neither the configured nor the prior value\n");
    assert_int_equal(oracle_plan_valid(&schema_llm_box, from("{\"name\":\"m\"}"), config,
                                       value_with(arena, good, "name", m), &report),
                     0);
    expect_refusal(NULL, config, value_with(arena, good, "old", m),
                   ".old: a value for an attribute that is neither configured nor computed\n");
    expect_refusal(NULL, config, value_with(arena, good, "key_wo", value_get(config, "key_wo")),
                   ".key_wo: a write-only value in the plan\n");
    expect_refusal(NULL, config, unknown_at(good, "net"),
                   ".net: unknown, although it is configured\n");
    expect_refusal(NULL, config,
                   value_with(arena, good, "net", value_null(arena, value_get(good, "net")->type)),
                   ".net: present in only one of plan and configuration\n");
    expect_refusal(NULL, config,
                   value_with(arena, good, "disks",
                              value_list(arena, value_get(good, "disks")->type->elem, NULL, 0)),
                   ".disks: another number of elements than the configuration has\n");
    expect_refusal(NULL, config, value_with_path(arena, good, "timeouts.create", m),
                   ": the timeouts block is not as configured\n");
    expect_refusal(NULL, config, value_null(arena, schema_llm_box.type),
                   ": absent in only one of plan and configuration\n");
}

static void expect_incompatible(const struct value *planned, const struct value *actual,
                                const char *expected)
{
    struct buf report _cleanup_buf_ = BUF_INIT(4096);
    assert_true(oracle_compatible(&schema_llm_box, planned, actual, &report) > 0);
    assert_string_equal(buf_cstr(&report), expected);
}

static void test_oracle_of_results(void **state)
{
    const struct value *planned =
        unknown_at(from("{\"name\":\"n\",\"disks\":[{\"gib\":1}],\"zones\":[\"a\"]}"), "box_id");
    const struct value *made = value_with(arena, planned, "box_id", value_str(arena, "b"));
    const struct value *x = value_str(arena, "x");
    const struct type *gib = value_get(made, "disks")->type->elem;
    struct buf report _cleanup_buf_ = BUF_INIT(4096);
    (void)state;
    assert_int_equal(oracle_compatible(&schema_llm_box, planned, made, &report), 0);
    expect_incompatible(planned, value_with(arena, made, "name", x),
                        ".name: another value than planned\n");
    expect_incompatible(planned, unknown_at(made, "name"),
                        ".name: unknown, although the plan knew it\n");
    expect_incompatible(planned, value_with(arena, made, "old", x),
                        ".old: null in only one of plan and result\n");
    expect_incompatible(planned, value_with(arena, made, "disks", value_list(arena, gib, NULL, 0)),
                        ".disks: another number of elements than planned\n");
    expect_incompatible(
        planned, value_with(arena, made, "zones", value_set(arena, &type_string, &x, 1)),
        ".zones: a planned element is gone\n.zones: an element that was not planned\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_create),
        cmocka_unit_test(test_no_difference),
        cmocka_unit_test(test_default_comes_back),
        cmocka_unit_test(test_unknown_stays),
        cmocka_unit_test(test_replace),
        cmocka_unit_test(test_replace_if_known),
        cmocka_unit_test(test_unknown_object_replaces),
        cmocka_unit_test(test_destroy),
        cmocka_unit_test(test_unknown_computed),
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_secrets),
        cmocka_unit_test(test_timeouts),
        cmocka_unit_test(test_durations),
        cmocka_unit_test(test_sets),
        cmocka_unit_test(test_oracle_of_plans),
        cmocka_unit_test(test_oracle_of_results),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

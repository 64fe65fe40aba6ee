/* schema_validate(): every kind of check with its message and path. The schema is made here, one
 * attribute per check. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

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

/* Every diagnostic as "path: summary: detail\n" ("!" before warnings). */
static const char *validate(const struct schema *s, const struct value *config)
{
    struct diags diags;
    struct buf out _cleanup_buf_ = BUF_INIT(1 << 16);
    diags_init(&diags, arena);
    assert_non_null(config);
    int rc = schema_validate(s, config, &diags);
    assert_int_equal(rc != 0, diags_has_error(&diags));
    for (const struct diag *d = diags.first; d; d = d->next)
        buf_printf(&out, "%s%s: %s: %s\n", d->severity == DIAG_WARNING ? "!" : "",
                   path_string(arena, d->path), d->summary, d->detail);
    return arena_strdup(arena, buf_cstr(&out));
}

/* ---- one attribute with one validator ---- */

static const char *check_value(const struct schema_validator *v, unsigned flags,
                               const struct value *value)
{
    const struct schema_attr a = {.name = "a",
                                  .type = value->type,
                                  .flags = SCHEMA_OPTIONAL | flags,
                                  .validators = v,
                                  .validator_count = v ? 1 : 0};
    const struct value_member m = {SLICE_LIT("a"), value};
    const struct value *config = value_object(arena, &m, 1);
    const struct schema s = {.name = "s", .type = config->type, .attrs = &a, .attr_count = 1};
    return validate(&s, config);
}

static const char *check_str(const struct schema_validator *v, const char *s)
{
    return check_value(v, 0, value_str(arena, s));
}

static void test_pattern(void **state)
{
    const struct schema_validator v = {
        .kind = SCHEMA_PATTERN, .pattern = "a|b+", .message = "an a or some b"};
    const struct schema_validator bare = {.kind = SCHEMA_PATTERN, .pattern = "a"};
    (void)state;
    assert_string_equal(check_str(&v, "a"), "");
    assert_string_equal(check_str(&v, "bbb"), "");
    /* The whole string has to match, each alternative anchored. */
    assert_string_equal(check_str(&v, "ax"),
                        "a: Invalid value: a is \"ax\", but has to be an a or some b.\n");
    assert_string_equal(check_str(&v, "xb"),
                        "a: Invalid value: a is \"xb\", but has to be an a or some b.\n");
    assert_string_equal(check_str(&v, "a\n"),
                        "a: Invalid value: a is \"a\\n\", but has to be an a or some b.\n");
    assert_string_equal(check_str(&bare, ""),
                        "a: Invalid value: a is \"\", but has to be text that matches ^a$.\n");
    assert_string_not_equal(check_value(&v, 0, value_string(arena, SLICE_LIT("a\0x"))), "");
    char *big = arena_alloc(arena, 70000);
    memset(big, 'b', 69999);
    assert_non_null(strstr(check_str(&v, big), "(70001 bytes), but has to be an a or some b."));
}

static void test_range(void **state)
{
    const struct schema_validator v = {.kind = SCHEMA_RANGE, .min = 1, .max = 10};
    const struct schema_validator low = {.kind = SCHEMA_RANGE, .min = 1, .max = INT64_MAX};
    const struct schema_validator high = {.kind = SCHEMA_RANGE, .min = INT64_MIN, .max = 10};
    (void)state;
    assert_string_equal(check_value(&v, 0, value_int(arena, 1)), "");
    assert_string_equal(check_value(&v, 0, value_int(arena, 10)), "");
    assert_string_equal(
        check_value(&v, 0, value_number(arena, number_parse(arena, SLICE_LIT("10.5")))),
        "a: Invalid value: a is 10.5, but has to be between 1 and 10.\n");
    assert_string_equal(check_value(&low, 0, value_int(arena, 0)),
                        "a: Invalid value: a is 0, but has to be at least 1.\n");
    assert_string_equal(check_value(&high, 0, value_int(arena, 11)),
                        "a: Invalid value: a is 11, but has to be at most 10.\n");
    assert_string_equal(
        check_value(&low, 0, value_number(arena, number_parse(arena, SLICE_LIT("1e300")))), "");
}

static void test_length(void **state)
{
    const struct schema_validator v = {.kind = SCHEMA_LENGTH, .min = 2, .max = 3};
    const struct schema_validator one = {
        .kind = SCHEMA_LENGTH, .min = 1, .max = 1, .message = "just one"};
    const struct value *x = value_str(arena, "x"), *u = value_unknown(arena, &type_string);
    const struct value *two[] = {x, u};
    (void)state;
    assert_string_equal(check_str(&v, "abc"), "");
    assert_string_equal(check_str(&v, "a"),
                        "a: Invalid value: a has 1 byte, but has to have between 2 and 3.\n");
    assert_string_equal(check_str(&v, "abcd"),
                        "a: Invalid value: a has 4 bytes, but has to have between 2 and 3.\n");
    assert_string_equal(check_value(&v, 0, value_list(arena, &type_string, &x, 1)),
                        "a: Invalid value: a has 1 member, but has to have between 2 and 3.\n");
    assert_string_equal(check_value(&one, 0, value_list(arena, &type_string, two, 2)),
                        "a: Invalid value: a has 2 members, but has to have 1: just one.\n");
    /* Two members of a set that may still turn out to be one. */
    assert_string_equal(check_value(&one, 0, value_set(arena, &type_string, two, 2)), "");
}

static void test_one_of(void **state)
{
    static const char *const choices[] = {"x", "y", "z"};
    const struct schema_validator v = {
        .kind = SCHEMA_ONE_OF, .choices = choices, .choice_count = 3};
    (void)state;
    assert_string_equal(check_str(&v, "y"), "");
    assert_string_equal(check_str(&v, "Y"),
                        "a: Invalid value: a is \"Y\", but has to be \"x\", \"y\" or \"z\".\n");
}

static void test_cidr(void **state)
{
    const struct schema_validator v = {.kind = SCHEMA_CIDR, .min = 16, .max = 26};
    static const char *const bad[] = {"",
                                      "10.0.0.0",
                                      "10.0.0/16",
                                      "10.0.0.0/",
                                      "10.0.0.0/33",
                                      "10.0.0.256/16",
                                      "10.0.0.0/16 ",
                                      "10.0.0.00/16",
                                      "::/16",
                                      "1010.0.0.0/16"};
    (void)state;
    assert_string_equal(check_str(&v, "10.42.0.0/16"), "");
    assert_string_equal(check_str(&v, "10.42.7.64/26"), "");
    assert_string_equal(check_str(&v, "10.42.7.0/16"),
                        "a: Invalid value: a is \"10.42.7.0/16\", but has to be a network with "
                        "host bits zero: \"10.42.0.0/16\".\n");
    assert_string_equal(check_str(&v, "10.0.0.0/8"),
                        "a: Invalid value: a is \"10.0.0.0/8\", but has to be a network with a "
                        "prefix length between 16 and 26.\n");
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        assert_non_null(strstr(check_str(&v, bad[i]),
                               "has to be an IPv4 network, for example \"10.42.0.0/16\""));
    const struct schema_validator any = {.kind = SCHEMA_CIDR, .min = 0, .max = 32};
    assert_string_equal(check_str(&any, "0.0.0.0/0"), "");
    assert_string_equal(check_str(&any, "1.2.3.4/32"), "");
}

static void test_formats(void **state)
{
    const struct schema_validator duration = {.kind = SCHEMA_DURATION},
                                  json = {.kind = SCHEMA_JSON};
    (void)state;
    assert_string_equal(check_str(&duration, "1h"), "");
    assert_non_null(
        strstr(check_str(&duration, "soon"), "a is \"soon\", but has to be a duration"));
    assert_non_null(strstr(check_str(&duration, "-1h"), "has to be a duration"));
    assert_string_equal(check_str(&json, "{\"a\": [1]}"), "");
    assert_non_null(strstr(check_str(&json, "{a}"), "but has to be a JSON document"));
}

static void test_each(void **state)
{
    const struct schema_validator v = {.kind = SCHEMA_LENGTH, .min = 1, .max = 2, .each = true};
    const struct value *elems[] = {value_str(arena, "ab"), value_str(arena, "abc"),
                                   value_unknown(arena, &type_string)};
    const struct value_member members[] = {{SLICE_LIT("k"), elems[1]}};
    (void)state;
    assert_string_equal(
        check_value(&v, 0, value_list(arena, &type_string, elems, 3)),
        "a[1]: Invalid value: a[1] has 3 bytes, but has to have between 1 and 2.\n");
    assert_string_equal(
        check_value(&v, 0, value_map(arena, &type_string, members, 1)),
        "a[\"k\"]: Invalid value: a[\"k\"] has 3 bytes, but has to have between 1 and 2.\n");
    assert_string_equal(check_value(&v, 0, value_set(arena, &type_string, elems, 2)),
                        "a: Invalid value: a has 3 bytes, but has to have between 1 and 2.\n");
}

static void test_secret_is_not_shown(void **state)
{
    const struct schema_validator v = {.kind = SCHEMA_PATTERN, .pattern = "x"};
    const struct schema_validator json = {.kind = SCHEMA_JSON};
    (void)state;
    const char *text = check_value(&v, SCHEMA_SENSITIVE, value_str(arena, "hush"));
    assert_string_equal(
        text, "a: Invalid value: a is a sensitive value, but has to be text that matches ^x$.\n");
    assert_null(strstr(check_value(&v, SCHEMA_WRITE_ONLY, value_str(arena, "hush")), "hush"));
    assert_null(strstr(check_value(&json, SCHEMA_SENSITIVE, value_str(arena, "hush")), "hush"));
}

static void test_null_and_unknown(void **state)
{
    const struct schema_validator v = {.kind = SCHEMA_LENGTH, .min = 5, .max = 6};
    const struct value *null = value_null(arena, &type_string);
    (void)state;
    assert_string_equal(check_value(&v, 0, null), "");
    assert_string_equal(check_value(&v, 0, value_unknown(arena, &type_string)), "");
    assert_string_equal(check_value(NULL, 0, value_list(arena, &type_string, &null, 1)),
                        "a[0]: Null value in a collection: a holds a null. Leave the member out, "
                        "or give it a value.\n");
}

/* ---- flags and rules, on the schema of compiler/good ---- */

static const struct value *from(const char *json)
{
    struct diags diags;
    const struct value *v = NULL;
    diags_init(&diags, arena);
    if (value_json_decode(arena, slice_str(json), schema_llm_box.type, true, &v, &diags))
        fail_msg("%s: %s", json, diags.first->detail);
    return v;
}

static const char *check_box(const char *json)
{
    return validate(&schema_llm_box, from(json));
}

#define BOX "\"name\":\"n\",\"cloud\":\"aws\""

static void test_flags(void **state)
{
    (void)state;
    assert_string_equal(check_box("{" BOX "}"), "");
    assert_string_equal(
        check_box("{\"cloud\":\"aws\"}"),
        "name: Missing required argument: name is required, but it is not set (or set to null).\n");
    assert_string_equal(check_box("{" BOX ",\"disks\":[{\"gib\":1},{}]}"),
                        "disks[1].gib: Missing required argument: disks[1].gib is required, but it "
                        "is not set (or set to null).\n");
    assert_string_equal(check_box("{" BOX ",\"box_id\":\"x\"}"),
                        "box_id: Value for a read-only attribute: box_id is decided by the "
                        "provider and cannot be set. Remove it from the configuration.\n");
    assert_string_equal(check_box("{" BOX ",\"old\":\"x\"}"),
                        "!old: Attribute is deprecated: Use `name`.\n");
    assert_string_equal(check_box("{" BOX ",\"net\":{\"cidr\":\"10.0.0.0/30\"}}"),
                        "net.cidr: Invalid value: net.cidr is \"10.0.0.0/30\", but has to be a "
                        "network with a prefix length between 8 and 28.\n");
    const struct value *config = from("{" BOX "}");
    config = value_with(arena, config, "name", value_unknown(arena, &type_string));
    assert_string_equal(validate(&schema_llm_box, config), "");
}

static void test_timeouts(void **state)
{
    (void)state;
    assert_string_equal(check_box("{" BOX ",\"timeouts\":{\"create\":\"1h\"}}"), "");
    assert_string_equal(check_box("{" BOX ",\"timeouts\":{\"create\":\"soon\"}}"),
                        "timeouts.create: Invalid value: timeouts.create is \"soon\", but has to "
                        "be a duration, for example \"30m\" or \"1h30m\".\n");
    assert_string_equal(
        check_box("{" BOX ",\"timeouts\":{\"delete\":\"0\"}}"),
        "timeouts.delete: Invalid value: timeouts.delete is shorter than a second.\n");
}

static const struct schema *with_rule(enum schema_rule_kind kind, const char *a, const char *b)
{
    struct schema *s = arena_new_object(arena, struct schema);
    struct schema_rule *r = arena_new_object(arena, struct schema_rule);
    const char **paths = arena_new_array(arena, 2, const char *);
    paths[0] = a;
    paths[1] = b;
    *r = (struct schema_rule){.kind = kind, .paths = paths, .path_count = 2, .message = "why"};
    *s = schema_llm_box;
    s->rules = r;
    s->rule_count = 1;
    return s;
}

static void test_rules(void **state)
{
    const char *none = "{" BOX "}", *old = "{" BOX ",\"zones\":[\"x\"]}",
               *both = "{" BOX ",\"zones\":[\"x\"],\"net\":{\"id\":\"i\"}}";
    const struct schema *conflicts = with_rule(SCHEMA_CONFLICTS, "zones", "net.id");
    const struct schema *one = with_rule(SCHEMA_EXACTLY_ONE, "zones", "net.id");
    const struct schema *any = with_rule(SCHEMA_AT_LEAST_ONE, "zones", "net.id");
    const struct schema *all = with_rule(SCHEMA_REQUIRED_TOGETHER, "zones", "net.id");
    const char *conflict =
        "net.id: Conflicting attributes: \"net.id\" cannot be set together with \"zones\": why.\n";
    (void)state;
    assert_string_equal(validate(conflicts, from(none)), "");
    assert_string_equal(validate(conflicts, from(old)), "");
    assert_string_equal(validate(conflicts, from(both)), conflict);
    assert_string_equal(validate(one, from(old)), "");
    assert_string_equal(validate(one, from(both)), conflict);
    assert_string_equal(
        validate(one, from(none)),
        "zones: Missing attribute: One of \"zones\" or \"net.id\" has to be set: why.\n");
    assert_string_equal(validate(any, from(both)), "");
    assert_string_equal(
        validate(any, from(none)),
        "zones: Missing attribute: At least one of \"zones\" and \"net.id\" has to be set: why.\n");
    assert_string_equal(validate(all, from(none)), "");
    assert_string_equal(validate(all, from(both)), "");
    assert_string_equal(
        validate(all, from(old)),
        "net.id: Missing attribute: \"net.id\" has to be set together with \"zones\": why.\n");
    /* Unknown: may be set or not. */
    const struct value *maybe =
        value_with(arena, from(none), "zones", value_unknown(arena, &type_set_of_string));
    assert_string_equal(validate(one, maybe), "");
    assert_string_equal(validate(any, maybe), "");
    maybe = value_with(arena, from(both), "zones", value_unknown(arena, &type_set_of_string));
    assert_string_equal(validate(conflicts, maybe), "");
    assert_string_equal(validate(all, maybe), "");
}

static void test_rule_inside_nested(void **state)
{
    const struct schema *one = with_rule(SCHEMA_EXACTLY_ONE, "net.cidr", "net.id");
    (void)state;
    assert_string_equal(validate(one, from("{" BOX "}")), "");
    assert_string_equal(
        validate(one, from("{" BOX ",\"net\":{}}")),
        "net.cidr: Missing attribute: One of \"net.cidr\" or \"net.id\" has to be set: why.\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pattern),
        cmocka_unit_test(test_range),
        cmocka_unit_test(test_length),
        cmocka_unit_test(test_one_of),
        cmocka_unit_test(test_cidr),
        cmocka_unit_test(test_formats),
        cmocka_unit_test(test_each),
        cmocka_unit_test(test_secret_is_not_shown),
        cmocka_unit_test(test_flags),
        cmocka_unit_test(test_null_and_unknown),
        cmocka_unit_test(test_timeouts),
        cmocka_unit_test(test_rules),
        cmocka_unit_test(test_rule_inside_nested),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

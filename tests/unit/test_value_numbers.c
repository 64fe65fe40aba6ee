/* Numbers: what is read, the canonical form, order, and conversions to C's types. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <math.h>
#include <cmocka.h>

#include "random_value.h"
#include "value_test.h"

static const char *written(const struct number *n)
{
    struct buf b _cleanup_buf_ = BUF_INIT(1 << 16);
    assert_non_null(n);
    assert_int_equal(number_format(&b, n), 0);
    return arena_strdup(arena, buf_cstr(&b));
}

static void test_written_forms(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {
        {"0", "0"},
        {"-0", "0"},
        {"0.000", "0"},
        {"0e99", "0"},
        {"+5", "5"},
        {"-12.50", "-12.5"},
        {"100", "100"},
        {"1e2", "100"},
        {"1E+2", "100"},
        {"1.5e3", "1500"},
        {"1500e-3", "1.5"},
        {"0.0001", "0.0001"},
        {"12345678901234567890123.000000000000000000001",
         "12345678901234567890123.000000000000000000001"},
        {"0.1", "0.1"},
        {"00012", "12"},
        {"1e-3", "0.001"},
        {"123e-2", "1.23"},
        {"1000000000000000000000000000000e-30", "1"},
    };
    for (size_t i = 0; i < sizeof(pairs) / sizeof(*pairs); i++)
        assert_string_equal(written(number_of(pairs[i][0])), pairs[i][1]);
}

static void test_canonical_form(void **state)
{
    (void)state;
    const struct number *n = number_of("-001200.3400e5");
    assert_true(n->negative);
    assert_true(slice_eq_str(n->digits, "120034"));
    assert_int_equal(n->exponent, 3);
    const struct number *zero = number_of("-0.0e-7");
    assert_false(zero->negative);
    assert_int_equal(zero->digits.len, 0);
    assert_int_equal(zero->exponent, 0);
}

static void test_malformed(void **state)
{
    (void)state;
    static const char *const bad[] = {"",    "-",   "+",   ".5",  "1.",   "1.e5", "e5",
                                      "1e",  "1e+", "--1", "1 ",  " 1",   "0x10", "1_0",
                                      "NaN", "Inf", "1,5", "1-2", "1e5.", "1e5e", "\xd9\xa1"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        if (number_of(bad[i]))
            fail_msg("\"%s\": accepted", bad[i]);
    assert_null(number_parse(arena, SLICE_EMPTY));
    assert_null(number_parse(arena, slice_from("1\0", 2)));
}

/* `count` times `c`, between `before` and `after`. */
static const char *row(const char *before, char c, size_t count, const char *after)
{
    struct buf b _cleanup_buf_ = BUF_INIT(1 << 22);
    buf_append_str(&b, before);
    for (size_t i = 0; i < count; i++)
        buf_append_char(&b, c);
    buf_append_str(&b, after);
    return arena_strdup(arena, buf_cstr(&b));
}

static void test_limits(void **state)
{
    (void)state;
    assert_non_null(number_of(row("", '9', 1100, "")));
    assert_null(number_of(row("", '9', 1101, "")));
    assert_null(number_of(row("1", '0', 1099, "1")));
    assert_non_null(number_of(row("1", '0', 1098, "1")));
    assert_non_null(number_of("1e4096"));
    assert_null(number_of("1e4097"));
    assert_non_null(number_of("1e-4096"));
    assert_null(number_of("1e-4097"));
    assert_null(number_of("1e99999999999999999999999"));
    assert_null(number_of("1e-99999999999999999999999"));
    /* Zeros that say nothing cost nothing, and do not hide a large exponent. */
    assert_string_equal(written(number_of(row("", '0', 100000, "7"))), "7");
    assert_string_equal(written(number_of(row("7.", '0', 100000, ""))), "7");
    assert_string_equal(written(number_of(row("1", '0', 4096, ""))), row("1", '0', 4096, ""));
    assert_string_equal(written(number_of(row("0.", '0', 4095, "1"))), row("0.", '0', 4095, "1"));
    assert_string_equal(written(number_of(row("0.", '0', 99999, "1e100000"))), "1");
    assert_null(number_of(row("0.", '0', 99999, "1e1000000000")));
}

static void test_order(void **state)
{
    (void)state;
    static const char *const rising[] = {"-1e4000", "-123", "-122.9", "-1",  "-0.1", "-1e-4000",
                                         "0",       "1e-9", "0.09",   "0.1", "0.11", "0.2",
                                         "1",       "1.1",  "9",      "10",  "99",   "100",
                                         "100.5",   "1e20", "1e4000"};
    enum { COUNT = sizeof(rising) / sizeof(*rising) };
    for (size_t i = 0; i < COUNT; i++)
        for (size_t k = 0; k < COUNT; k++) {
            int c = number_compare(number_of(rising[i]), number_of(rising[k]));
            assert_int_equal((c > 0) - (c < 0), (i > k) - (i < k));
        }
    assert_int_equal(number_compare(number_of("1.0"), number_of("10e-1")), 0);
    assert_int_equal(number_compare(number_of("-0"), number_of("0")), 0);
}

static void test_integers(void **state)
{
    (void)state;
    static const int64_t all[] = {0, 1, -1, 10, 1000000, INT64_MAX, INT64_MIN, INT64_MAX - 7, -10};
    for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
        int64_t back = 5;
        assert_true(number_to_int(number_from_int(arena, all[i]), &back));
        assert_true(back == all[i]);
    }
    int64_t n = 5;
    uint64_t u = 5;
    assert_false(number_to_int(number_of("9223372036854775808"), &n));
    assert_true(number_to_int(number_of("-9223372036854775808"), &n) && n == INT64_MIN);
    assert_false(number_to_int(number_of("-9223372036854775809"), &n));
    assert_false(number_to_int(number_of("1.5"), &n));
    assert_false(number_to_int(number_of("1e30"), &n));
    assert_true(number_to_uint(number_of("18446744073709551615"), &u) && u == UINT64_MAX);
    assert_false(number_to_uint(number_of("18446744073709551616"), &u));
    assert_false(number_to_uint(number_of("99999999999999999999"), &u));
    assert_false(number_to_uint(number_of("-1"), &u));
    assert_true(number_to_uint(number_of("-0"), &u) && u == 0);
    assert_string_equal(written(number_from_uint(arena, UINT64_MAX)), "18446744073709551615");
}

static void assert_double(const char *text, double want, bool want_exact)
{
    bool exact = !want_exact;
    double d = number_to_double(number_of(text), &exact);
    assert_true(d == want);
    assert_int_equal(exact, want_exact);
}

static void test_doubles(void **state)
{
    (void)state;
    assert_double("0", 0, true);
    assert_double("0.5", 0.5, true);
    assert_double("-0.375", -0.375, true);
    assert_double("0.1", 0.1, false);
    assert_double("0.15", 0.15, false);
    assert_double("0.1000000000000000055511151231257827021181583404541015625", 0.1, true);
    assert_double("9007199254740993", 9007199254740992.0, false);
    assert_double("9007199254740994", 9007199254740994.0, true);
    assert_double("1e308", 1e308, false);
    assert_double("1e400", HUGE_VAL, false);
    assert_double("1e-400", 0, false);
    assert_double("5e-4000", 0, false);
    assert_null(number_from_double(arena, NAN));
    assert_null(number_from_double(arena, HUGE_VAL));
    assert_null(number_from_double(arena, -HUGE_VAL));
    assert_string_equal(written(number_from_double(arena, -0.0)), "0");
    assert_string_equal(written(number_from_double(arena, 0.1)), "0.1");
    assert_string_equal(written(number_from_double(arena, -2.5)), "-2.5");
    assert_string_equal(written(number_from_double(arena, 1e23)), "99999999999999991611392");
}

/* A double's decimal reads back as the double; a number's text reads back as the number. */
static void test_round_trips(void **state)
{
    (void)state;
    struct value_generator g = {arena, 88172645463325252u, false};
    for (size_t i = 0; i < 3000; i++) {
        double d = ldexp((double)value_random_below(&g, (size_t)1 << 53),
                         (int)value_random_below(&g, 1800) - 1050);
        const struct number *n = number_from_double(arena, d);
        assert_non_null(n);
        assert_true(number_to_double(n, NULL) == d);
        const struct number *random = random_number(&g);
        const struct number *back = number_of(written(random));
        assert_int_equal(number_compare(random, back), 0);
        assert_true(slice_eq(random->digits, back->digits) && random->exponent == back->exponent);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_written_forms, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_canonical_form, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_malformed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_limits, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_integers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_doubles, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_round_trips, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Retry: which errors, after which pauses, until when. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cloud/retry.h"
#include "fake_clock.h"

static struct fake_clock fake;
static struct work work;
static struct retry_state state;
static struct retry_call one;

static void begin(enum retry_mode mode, int max_attempts)
{
    const struct retry_policy policy = {.mode = mode, .max_attempts = max_attempts};
    fake_clock_init(&fake, 1700000000);
    work = (struct work){&fake.clock, NULL, INT64_MAX};
    one = (struct retry_call){0, 0};
    retry_init(&state, &policy);
}

static int tear_down(void **s)
{
    (void)s;
    retry_clean_up(&state);
    return 0;
}

static const struct cloud_error throttled = {
    .class_ = CLOUD_ERROR_THROTTLED, .http_status = 400, .retry_after_ms = -1};
static const struct cloud_error broken = {.class_ = CLOUD_ERROR_TRANSIENT,
                                          .http_status = 500,
                                          .maybe_processed = true,
                                          .retry_after_ms = -1};
static const struct cloud_error refused = {.class_ = CLOUD_ERROR_TRANSIENT, .retry_after_ms = -1};
static const struct cloud_error timed_out = {
    .class_ = CLOUD_ERROR_TRANSIENT, .maybe_processed = true, .retry_after_ms = -1};

/* How often the call is made in all when every try fails so. */
static int tries(const struct cloud_error *err, bool safe)
{
    int n = 1;
    while (retry_again(&state, &one, &work, err, safe))
        n++;
    return n;
}

static void test_attempts(void **s)
{
    (void)s;
    begin(RETRY_STANDARD, 3);
    assert_int_equal(tries(&throttled, false), 3);
    begin(RETRY_STANDARD, 1);
    assert_int_equal(tries(&throttled, true), 1);
    assert_int_equal(fake.sleep_count, 0);
    begin(RETRY_STANDARD, 0); /* at least one */
    assert_int_equal(tries(&throttled, true), 1);
}

static void test_pauses(void **s)
{
    (void)s;
    static const int64_t expected[] = {500, 1000, 2000, 4000, 8000, 10000, 10000, 10000};
    begin(RETRY_STANDARD, 9);
    assert_int_equal(tries(&throttled, false), 9);
    assert_int_equal(fake.sleep_count, 8);
    assert_memory_equal(fake.sleeps, expected, sizeof(expected));
    begin(RETRY_STANDARD, 3);
    fake.random = 0; /* full jitter: from nothing */
    tries(&throttled, false);
    assert_int_equal(fake_clock_slept(&fake), 0);
    begin(RETRY_STANDARD, 9);
    fake.random = 0.999999; /* to the whole, 20 s at most */
    tries(&throttled, false);
    assert_in_range(fake.sleeps[0], 998, 1000);
    assert_in_range(fake.sleeps[7], 19998, 20000);
}

static void test_own_pauses(void **s)
{
    (void)s;
    const struct retry_policy policy = {
        .mode = RETRY_STANDARD, .max_attempts = 5, .base_ms = 10, .cap_ms = 30};
    static const int64_t expected[] = {5, 10, 15, 15};
    begin(RETRY_STANDARD, 1);
    retry_clean_up(&state);
    retry_init(&state, &policy);
    assert_int_equal(tries(&throttled, false), 5);
    assert_memory_equal(fake.sleeps, expected, sizeof(expected));
}

static void test_classes(void **s)
{
    (void)s;
    for (int c = CLOUD_ERROR_NONE; c <= CLOUD_ERROR_OTHER; c++) {
        const struct cloud_error e = {
            .class_ = (enum cloud_error_class)c, .http_status = 400, .retry_after_ms = -1};
        bool wanted = c == CLOUD_ERROR_THROTTLED || c == CLOUD_ERROR_TRANSIENT;
        begin(RETRY_STANDARD, 3);
        assert_int_equal(retry_again(&state, &one, &work, &e, true), wanted);
        retry_clean_up(&state);
    }
    begin(RETRY_STANDARD, 3);
}

/* What may have been done is made again only when that does no harm. */
static void test_processed(void **s)
{
    (void)s;
    begin(RETRY_STANDARD, 3);
    assert_int_equal(tries(&broken, false), 1);
    begin(RETRY_STANDARD, 3);
    assert_int_equal(tries(&broken, true), 3);
    begin(RETRY_STANDARD, 3);
    assert_int_equal(tries(&timed_out, false), 1);
    begin(RETRY_STANDARD, 3); /* never sent */
    assert_int_equal(tries(&refused, false), 3);
    begin(RETRY_STANDARD, 3); /* throttled means not done, whatever the status says */
    struct cloud_error e = throttled;
    e.maybe_processed = true;
    assert_int_equal(tries(&e, false), 3);
}

static void test_without_answer(void **s)
{
    (void)s;
    begin(RETRY_STANDARD, 26);
    assert_int_equal(tries(&refused, false), 5);
}

static void test_retry_after(void **s)
{
    (void)s;
    struct cloud_error e = throttled;
    begin(RETRY_STANDARD, 2);
    e.retry_after_ms = 7000;
    tries(&e, false);
    assert_int_equal(fake.sleeps[0], 7000);
    begin(RETRY_STANDARD, 2); /* shorter than what is due anyway */
    e.retry_after_ms = 100;
    tries(&e, false);
    assert_int_equal(fake.sleeps[0], 500);
    begin(RETRY_STANDARD, 2);
    e.retry_after_ms = 3600000;
    tries(&e, false);
    assert_int_equal(fake.sleeps[0], 20000);
}

static void test_deadline(void **s)
{
    (void)s;
    begin(RETRY_STANDARD, 20);
    work.deadline_ms = fake.now_ms + 3600;
    assert_int_equal(tries(&throttled, false), 4); /* 0.5, 1 and 2 s; 4 s would pass it */
    assert_int_equal(fake_clock_slept(&fake), 3500);
}

static void test_soft_cancel(void **s)
{
    (void)s;
    struct cancel *c = cancel_new();
    begin(RETRY_STANDARD, 20);
    work.cancel = c;
    cancel_set(c, false);
    assert_int_equal(tries(&throttled, false), 3);
    assert_int_equal(fake_clock_slept(&fake), 1500);
    retry_clean_up(&state);
    /* it comes while the fifth try waits for its turn: that one is still made, and is the last */
    struct cancel *later = cancel_new();
    begin(RETRY_STANDARD, 20);
    work.cancel = fake.cancel = later;
    fake.cancel_at_ms = fake.now_ms + 3700;
    assert_int_equal(tries(&throttled, false), 5);
    assert_int_equal(fake_clock_slept(&fake), 7500);
    cancel_free(c);
    cancel_free(later);
}

static void test_hard_cancel(void **s)
{
    (void)s;
    struct cancel *c = cancel_new();
    begin(RETRY_STANDARD, 20);
    work.cancel = fake.cancel = c;
    fake.cancel_at_ms = fake.now_ms + 3700;
    fake.cancel_hard = true;
    assert_int_equal(tries(&throttled, false), 4);
    assert_in_range(fake_clock_slept(&fake), 3700, 4000); /* not the whole 7.5 s */
    one = (struct retry_call){0, 0};
    assert_int_equal(tries(&throttled, false), 1);
    cancel_free(c);
}

/* 500 tokens, 5 for a retry, 10 without an answer; what a success gives back. */
static void test_quota(void **s)
{
    (void)s;
    begin(RETRY_STANDARD, 1000);
    assert_int_equal(tries(&broken, true), 101);
    assert_int_equal(state.tokens, 0);
    one = (struct retry_call){0, 0};
    assert_int_equal(tries(&broken, true), 1);
    one = (struct retry_call){0, 0};
    assert_int_equal(tries(&throttled, false), 1000); /* a throttled call needs none */
    assert_int_equal(state.tokens, 0);
    one = (struct retry_call){0, 0};
    retry_succeeded(&state, &one, &work); /* without a retry: one token */
    assert_int_equal(state.tokens, 1);
    state.tokens = 5;
    one = (struct retry_call){0, 0};
    assert_true(retry_again(&state, &one, &work, &broken, true));
    assert_int_equal(state.tokens, 0);
    retry_succeeded(&state, &one, &work); /* after a retry: what it took */
    assert_int_equal(state.tokens, 5);
    one = (struct retry_call){0, 0};
    assert_false(retry_again(&state, &one, &work, &refused, true)); /* needs 10 */
    state.tokens = 500;
    retry_succeeded(&state, &one, &work);
    assert_int_equal(state.tokens, 500);
}

/* ---- adaptive ---- */

static void test_adaptive_waits_only_when_throttled(void **s)
{
    (void)s;
    begin(RETRY_ADAPTIVE, 3);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(retry_before(&state, &work), 0);
        fake.now_ms += 10;
        retry_succeeded(&state, &one, &work);
    }
    assert_int_equal(fake.sleep_count, 0);
    assert_true(state.measured_rate > 50 && state.measured_rate < 150);
    retry_again(&state, &one, &work, &throttled, false);
    double rate = state.fill_rate; /* 0.7 of what was measured */
    assert_true(fabs(rate - 0.7 * state.measured_rate) < 1e-9);
    /* The pause of the retry has filled the bucket by half a second; behind it calls go out at the
     * rate. */
    int64_t before = fake.now_ms;
    int calls = (int)(rate * 3);
    for (int i = 0; i < calls; i++)
        assert_int_equal(retry_before(&state, &work), 0);
    double seconds = (double)(fake.now_ms - before) / 1000;
    assert_true(seconds > 2 && seconds < 3.5);
}

static void test_adaptive_recovers(void **s)
{
    (void)s;
    begin(RETRY_ADAPTIVE, 3);
    for (int i = 0; i < 100; i++) {
        fake.now_ms += 20;
        retry_succeeded(&state, &one, &work);
    }
    retry_again(&state, &one, &work, &throttled, false);
    double low = state.fill_rate;
    for (int i = 0; i < 1000; i++) {
        fake.now_ms += 20;
        retry_succeeded(&state, &one, &work);
    }
    assert_true(state.fill_rate > 1.4 * low);
    assert_true(state.fill_rate <= 2 * state.measured_rate + 1e-9);
}

static void test_adaptive_ends(void **s)
{
    (void)s;
    struct cancel *c = cancel_new();
    begin(RETRY_ADAPTIVE, 3);
    retry_again(&state, &one, &work, &throttled, false);
    state.level = 0;
    state.last_refill = (double)fake.now_ms / 1000;
    work.deadline_ms = fake.now_ms + 100; /* at half a call a second, the next turn is in 2 s */
    assert_int_equal(retry_before(&state, &work), -1);
    assert_int_equal(work_left_ms(&work), 100);
    work.deadline_ms = INT64_MAX;
    work.cancel = c;
    cancel_set(c, false);
    assert_int_equal(retry_before(&state, &work), -1);
    work.cancel = NULL;
    assert_int_equal(retry_before(&state, &work), 0);
    cancel_free(c);
}

int main(void)
{
#define TEST(t) cmocka_unit_test_teardown(t, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_attempts),
        TEST(test_pauses),
        TEST(test_own_pauses),
        TEST(test_classes),
        TEST(test_processed),
        TEST(test_without_answer),
        TEST(test_retry_after),
        TEST(test_deadline),
        TEST(test_soft_cancel),
        TEST(test_hard_cancel),
        TEST(test_quota),
        TEST(test_adaptive_waits_only_when_throttled),
        TEST(test_adaptive_recovers),
        TEST(test_adaptive_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

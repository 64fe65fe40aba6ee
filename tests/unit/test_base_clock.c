/* The machine's clock, deadlines and cancellation. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <pthread.h>
#include <time.h>

#include <cmocka.h>

#include "base/clock.h"

static int64_t now_ms(void)
{
    return clock_system()->monotonic_ms(NULL);
}

static void test_clock(void **state)
{
    (void)state;
    const struct clock *c = clock_system();
    int64_t before = now_ms();
    assert_int_equal(c->sleep_ms(c->self, 30, NULL), 0);
    assert_true(now_ms() - before >= 30);
    assert_true(llabs(c->unix_s(c->self) - (int64_t)time(NULL)) <= 1);
    double low = 1, high = 0;
    for (int i = 0; i < 1000; i++) {
        double r = c->random(c->self);
        assert_true(r >= 0 && r < 1);
        low = r < low ? r : low;
        high = r > high ? r : high;
    }
    assert_true(low < 0.1 && high > 0.9);
}

static void test_work_left(void **state)
{
    (void)state;
    struct work w = {clock_system(), NULL, INT64_MAX};
    assert_true(work_left_ms(&w) == INT64_MAX);
    w.deadline_ms = now_ms() - 5;
    assert_int_equal(work_left_ms(&w), 0);
    w.deadline_ms = now_ms() + 10000;
    assert_true(work_left_ms(&w) > 9000 && work_left_ms(&w) <= 10000);
}

static void test_cancel_levels(void **state)
{
    (void)state;
    struct cancel *c = cancel_new();
    assert_false(cancel_is_set(NULL) || cancel_is_hard(NULL));
    assert_false(cancel_is_set(c));
    cancel_set(c, false);
    assert_true(cancel_is_set(c));
    assert_false(cancel_is_hard(c));
    cancel_set(c, true);
    assert_true(cancel_is_hard(c));
    cancel_set(c, false); /* stays hard */
    assert_true(cancel_is_hard(c));
    cancel_free(c);
    cancel_free(NULL);
}

static void *set_soon(void *arg)
{
    clock_system()->sleep_ms(NULL, 30, NULL);
    cancel_set(arg, false);
    return NULL;
}

static void test_cancel_ends_sleep(void **state)
{
    (void)state;
    struct cancel *c = cancel_new();
    pthread_t thread;
    int64_t before = now_ms();
    assert_int_equal(clock_system()->sleep_ms(NULL, 20, c), 0);
    assert_true(now_ms() - before >= 20);
    assert_int_equal(pthread_create(&thread, NULL, set_soon, c), 0);
    assert_int_equal(clock_system()->sleep_ms(NULL, 60000, c), -1);
    assert_true(now_ms() - before < 30000);
    pthread_join(thread, NULL);
    assert_int_equal(clock_system()->sleep_ms(NULL, 60000, c), -1); /* at once */
    assert_true(now_ms() - before < 30000);
    cancel_free(c);
}

static void count_call(void *arg)
{
    ++*(int *)arg;
}

static void test_cancel_lasting_hooks(void **state)
{
    (void)state;
    struct cancel *c = cancel_new();
    int calls = 0, late = 0;
    for (int i = 0; i < 7; i++)
        assert_int_equal(cancel_on_hard(c, count_call, &calls), 0);
    cancel_set(c, false);
    assert_int_equal(calls, 0);
    cancel_set(c, true);
    assert_int_equal(calls, 7);
    cancel_set(c, true);
    assert_int_equal(calls, 7); /* once */
    assert_int_equal(cancel_on_hard(c, count_call, &late), 0);
    assert_int_equal(late, 1); /* it was set before */
    assert_int_equal(cancel_on_hard(c, count_call, &late), -1);
    cancel_free(c);
}

static void test_cancel_hooks(void **state)
{
    (void)state;
    struct cancel *c = cancel_new();
    int calls[4] = {0};
    struct cancel_hook hooks[4];
    memset(hooks, 0, sizeof(hooks));
    for (size_t i = 0; i < 4; i++) {
        hooks[i].fn = count_call;
        hooks[i].arg = &calls[i];
    }
    for (size_t i = 0; i < 3; i++)
        cancel_hook_add(c, &hooks[i]);
    cancel_hook_remove(c, &hooks[1]); /* the middle one */
    cancel_hook_remove(c, &hooks[1]);
    cancel_set(c, true);
    cancel_hook_add(c, &hooks[3]); /* late */
    assert_int_equal(calls[0], 1);
    assert_int_equal(calls[1], 0);
    assert_int_equal(calls[2], 1);
    assert_int_equal(calls[3], 1);
    cancel_hook_remove(c, &hooks[0]);
    cancel_hook_remove(c, &hooks[3]);
    cancel_hook_remove(c, &hooks[2]);
    cancel_hook_add(NULL, &hooks[0]);
    cancel_hook_remove(NULL, &hooks[0]);
    cancel_free(c);
}

static void test_cancel_parts(void **state)
{
    (void)state;
    struct cancel *whole = cancel_new();
    struct cancel *parts[4] = {cancel_new_part(whole), cancel_new_part(whole),
                               cancel_new_part(whole), NULL};
    int calls = 0;
    struct cancel_hook hook = {.fn = count_call, .arg = &calls};
    cancel_hook_add(parts[0], &hook);
    cancel_set(parts[1], true); /* alone */
    assert_true(cancel_is_hard(parts[1]));
    assert_false(cancel_is_set(whole) || cancel_is_set(parts[0]) || cancel_is_set(parts[2]));
    cancel_free(parts[1]); /* the middle one */
    cancel_set(whole, false);
    assert_true(cancel_is_set(parts[0]) && cancel_is_set(parts[2]));
    assert_false(cancel_is_hard(parts[0]) || cancel_is_hard(parts[2]));
    parts[3] = cancel_new_part(whole); /* late */
    assert_true(cancel_is_set(parts[3]) && !cancel_is_hard(parts[3]));
    cancel_free(parts[3]); /* the first of the list, then its last */
    cancel_hook_remove(parts[0], &hook);
    cancel_free(parts[0]);
    cancel_set(whole, true);
    assert_true(cancel_is_hard(parts[2]));
    assert_int_equal(calls, 0);
    cancel_free(parts[2]);
    cancel_free(whole);
}

static void *make_parts(void *arg)
{
    for (int i = 0; i < 2000; i++) {
        struct cancel *part = cancel_new_part(arg);
        int calls = 0;
        struct cancel_hook hook = {.fn = count_call, .arg = &calls};
        cancel_hook_add(part, &hook);
        cancel_hook_remove(part, &hook);
        cancel_free(part);
        if (calls > 1)
            return arg;
    }
    return NULL;
}

static void in_four_threads(void *(*run)(void *))
{
    struct cancel *c = cancel_new();
    pthread_t threads[4];
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, run, c), 0);
    cancel_set(c, true);
    for (size_t i = 0; i < 4; i++) {
        void *wrong = NULL;
        pthread_join(threads[i], &wrong);
        assert_null(wrong);
    }
    cancel_free(c);
}

static void test_cancel_parts_of_threads(void **state)
{
    (void)state;
    in_four_threads(make_parts);
}

static void *hook_and_unhook(void *arg)
{
    for (int i = 0; i < 2000; i++) {
        int calls = 0;
        struct cancel_hook hook = {.fn = count_call, .arg = &calls};
        cancel_hook_add(arg, &hook);
        cancel_hook_remove(arg, &hook);
        if (calls > 1)
            return arg;
    }
    return NULL;
}

static void test_cancel_hooks_of_threads(void **state)
{
    (void)state;
    in_four_threads(hook_and_unhook);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_clock),
        cmocka_unit_test(test_work_left),
        cmocka_unit_test(test_cancel_levels),
        cmocka_unit_test(test_cancel_ends_sleep),
        cmocka_unit_test(test_cancel_lasting_hooks),
        cmocka_unit_test(test_cancel_hooks),
        cmocka_unit_test(test_cancel_hooks_of_threads),
        cmocka_unit_test(test_cancel_parts),
        cmocka_unit_test(test_cancel_parts_of_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

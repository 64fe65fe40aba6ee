/* What an apply that was killed has left: who was at work on it, and what cannot be trusted of it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine/engine.h"

static int setup(void **state)
{
    *state = arena_new();
    return *state ? 0 : -1;
}

static int teardown(void **state)
{
    arena_free(*state);
    return 0;
}

/* What an object's secret is cannot be read: one that is found may have another than is wanted now.
 */
static void the_secret_of_a_found_object_is_not_trusted(void **state)
{
    struct arena *a = *state;
    static const struct component_attr of_secret[] = {
        {.name = "data", .type = &type_string, .input = true, .version_of = "version"}};
    static const struct component secret = {.kind = "secret", .attrs = of_secret, .attr_count = 1};
    const struct value_member version = {SLICE_LIT("version"), value_int(a, 1)};
    struct record r = {.name = "s", .component = &secret, .attrs = value_object(a, &version, 1)};
    struct records found = {&r, 1};
    assert_int_equal(engine_distrust_secrets(a, &found), 0);
    assert_int_equal(value_int_or(value_get(r.attrs, "version"), 0), -1);
}

static enum engine_claim claim_at(const char *text, int64_t now_s)
{
    int64_t until = 0;
    return engine_claim_of(slice_str(text), now_s, &until);
}

/* A claim of this machine with another process. */
static const char *claim_of_process(struct arena *a, const struct work *w, long pid,
                                    int start_offset)
{
    unsigned long long until = 0, host = 0, start = 0;
    long own = 0;
    const char *claim = engine_claim_new(a, w);
    assert_int_equal(sscanf(claim, "%llx-%llx-%ld-%llu", &until, &host, &own, &start), 4);
    assert_int_equal(own, getpid());
    return arena_printf(a, "%llx-%016llx-%ld-%llu", until, host, pid,
                        start + (unsigned long long)start_offset);
}

/* Also when nobody waits for it. */
static void a_claim_ends_with_its_process(struct arena *a, const struct work *w, int64_t now)
{
    char claim[80] = {0};
    int ends[2];
    siginfo_t info;
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        const char *own = engine_claim_new(a, w);
        _exit(own && write(ends[1], own, strlen(own)) > 0 ? 0 : 1);
    }
    assert_true(child > 0 && read(ends[0], claim, sizeof(claim) - 1) > 0);
    assert_int_equal(waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT), 0);
    assert_int_equal(claim_at(claim, now), ENGINE_CLAIM_LEFT);
    assert_int_equal(waitpid(child, NULL, 0), child);
    close(ends[0]);
    close(ends[1]);
}

static void a_claim_says_whether_its_maker_lives(void **state)
{
    struct arena *a = *state;
    struct work w = {.clock = clock_system()};
    int64_t now = clock_system()->unix_s(NULL), until = 0;
    w.deadline_ms = clock_system()->monotonic_ms(NULL) + 600000;
    const char *own = engine_claim_new(a, &w);
    assert_true(strlen(own) <= 63); /* a label's limit */
    assert_int_equal(engine_claim_of(slice_str(own), now, &until), ENGINE_CLAIM_HELD);
    assert_in_range(until, now + 600, now + 720);
    assert_int_equal(claim_at(own, until + 1), ENGINE_CLAIM_LEFT);
    /* A process that is gone, and one that has its number now. */
    assert_int_equal(claim_at(claim_of_process(a, &w, 4194304 + 7, 0), now), ENGINE_CLAIM_LEFT);
    assert_int_equal(claim_at(claim_of_process(a, &w, getpid(), 1), now), ENGINE_CLAIM_LEFT);
    /* Of another machine, nothing is known before the time is up. */
    const char *other = arena_printf(a, "%llx-00000000000000ff-%ld-5", (unsigned long long)until,
                                     (long)(4194304 + 7));
    assert_int_equal(claim_at(other, now), ENGINE_CLAIM_HELD);
    assert_int_equal(claim_at(other, until + 1), ENGINE_CLAIM_LEFT);
    a_claim_ends_with_its_process(a, &w, now);
    static const char *const none[] = {"", "x", "12-34", "1-1-1-1x", "1-1--1-1"};
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(claim_at(none[i], now), ENGINE_CLAIM_NONE);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(the_secret_of_a_found_object_is_not_trusted),
        T(a_claim_says_whether_its_maker_lives),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

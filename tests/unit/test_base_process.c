/* Programs that are run for what they write. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/process.h"

static struct arena *arena;
static struct work work_;

static int set_up(void **state)
{
    (void)state;
    arena = arena_new();
    work_ = (struct work){clock_system(), NULL, INT64_MAX};
    return arena ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    arena_free(arena);
    return 0;
}

static int64_t now(void)
{
    return clock_system()->monotonic_ms(clock_system()->self);
}

static const char *shell(const char *text, int64_t timeout_ms, struct buf *out)
{
    char *argv[] = {arena_strdup(arena, "sh"), arena_strdup(arena, "-c"), arena_strdup(arena, text),
                    NULL};
    return process_output(arena, &work_, argv, NULL, timeout_ms, out);
}

static void test_output(void **state)
{
    (void)state;
    _cleanup_buf_ struct buf out = BUF_INIT(1 << 20);
    assert_null(shell("cat; head -c 300000 /dev/zero | tr '\\0' x; printf end", 30000, &out));
    assert_int_equal(out.len, 300003);
    assert_string_equal(out.ptr + 300000, "end");
}

static void test_descriptors(void **state)
{
    (void)state;
    _cleanup_buf_ struct buf out = BUF_INIT(1024);
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(dup2(ends[0], 77), 77);
    assert_null(shell("test -e /dev/fd/1 && printf one; test -e /dev/fd/77 && printf 77; true",
                      30000, &out));
    assert_string_equal(buf_cstr(&out), "one");
    close(ends[0]);
    close(ends[1]);
    close(77);
}

static void test_environment(void **state)
{
    (void)state;
    _cleanup_buf_ struct buf out = BUF_INIT(1024);
    char *argv[] = {arena_strdup(arena, "/bin/sh"), arena_strdup(arena, "-c"),
                    arena_strdup(arena, "printf '%s' \"$A$HOME\""), NULL};
    char *envp[] = {arena_strdup(arena, "A=b"), NULL};
    assert_null(process_output(arena, &work_, argv, envp, 30000, &out));
    assert_string_equal(buf_cstr(&out), "b");
}

static void test_failures(void **state)
{
    (void)state;
    _cleanup_buf_ struct buf out = BUF_INIT(1024);
    char *argv[] = {arena_strdup(arena, "/nonexistent/program"), NULL};
    assert_string_equal(shell("exit 3", 30000, &out), "it ended with status 3");
    assert_string_equal(shell("kill -9 $$", 30000, &out), "it ended with signal 9");
    assert_string_equal(shell("head -c 2000 /dev/zero; sleep 60", 30000, &out),
                        "its output is over 1 KiB");
    assert_string_equal(process_output(arena, &work_, argv, NULL, 1000, &out),
                        "it could not be started: No such file or directory");
}

/* What hangs is killed with all that it has started, whether it keeps its output open or not. */
static void test_time(void **state)
{
    (void)state;
    _cleanup_buf_ struct buf out = BUF_INIT(1024);
    int64_t start = now();
    assert_string_equal(shell("sleep 60 & sleep 60", 1000, &out), "it did not end within 1 s");
    assert_string_equal(shell("exec >/dev/null; sleep 60", 1000, &out),
                        "it did not end within 1 s");
    work_.deadline_ms = now() + 200;
    assert_string_equal(shell("sleep 60", 30000, &out), "the time of the operation was up");
    work_.deadline_ms = INT64_MAX;
    struct cancel *c = cancel_new();
    cancel_set(c, true);
    work_.cancel = c;
    assert_string_equal(shell("sleep 60", 30000, &out), "the operation was cancelled");
    cancel_free(c);
    assert_true(now() - start < 20000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_output, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_descriptors, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_environment, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_failures, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_time, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Log lines: what a core can parse, what is cut, levels, and threads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <fcntl.h>
#include <pthread.h>
#include <regex.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"

/* Standard error goes to a file while a test runs. */
static int real_stderr = -1;
static FILE *captured;

static int capture(void **state)
{
    (void)state;
    captured = tmpfile();
    real_stderr = dup(STDERR_FILENO);
    return captured && dup2(fileno(captured), STDERR_FILENO) >= 0 ? 0 : -1;
}

static int release(void **state)
{
    (void)state;
    dup2(real_stderr, STDERR_FILENO);
    close(real_stderr);
    fclose(captured);
    return 0;
}

static char *captured_text(size_t *ret_len)
{
    static char text[4 << 20];
    off_t len = lseek(fileno(captured), 0, SEEK_END);
    assert_true(len >= 0 && (size_t)len < sizeof(text));
    assert_int_equal(pread(fileno(captured), text, (size_t)len, 0), len);
    text[len] = '\0';
    *ret_len = (size_t)len;
    return text;
}

static void set_levels(const char *llm, const char *provider, const char *all)
{
    const char *names[] = {"TF_LOG_PROVIDER_LLM", "TF_LOG_PROVIDER", "TF_LOG"};
    const char *values[] = {llm, provider, all};
    for (size_t i = 0; i < 3; i++) {
        if (values[i])
            setenv(names[i], values[i], 1);
        else
            unsetenv(names[i]);
    }
    log_init();
}

static enum log_level least_enabled(void)
{
    for (int i = LOG_TRACE; i <= LOG_ERROR; i++)
        if (log_enabled((enum log_level)i))
            return (enum log_level)i;
    return (enum log_level)(LOG_ERROR + 1);
}

static void test_levels(void **state)
{
    (void)state;
    assert_int_equal(least_enabled(), LOG_WARN); /* before anything is set */
    set_levels(NULL, NULL, "DEBUG");
    assert_int_equal(least_enabled(), LOG_DEBUG);
    set_levels(NULL, "error", "DEBUG");
    assert_int_equal(least_enabled(), LOG_ERROR);
    set_levels("Info", "error", "DEBUG");
    assert_int_equal(least_enabled(), LOG_INFO);
    set_levels(NULL, NULL, "JSON");
    assert_int_equal(least_enabled(), LOG_TRACE);
    set_levels(NULL, NULL, "nonsense");
    assert_int_equal(least_enabled(), LOG_TRACE);
    set_levels(NULL, "off", "TRACE");
    assert_int_equal(least_enabled(), LOG_ERROR + 1);
    set_levels("", "", "warn");
    assert_int_equal(least_enabled(), LOG_WARN);
}

/* hclog's own layout "2006-01-02T15:04:05.000000Z07:00", keys and values as go-plugin reads them.
 */
static void test_line(void **state)
{
    (void)state;
    set_levels(NULL, NULL, "DEBUG");
    log_at(LOG_TRACE, "not shown", LOG_INT("n", 1));
    log_at(LOG_DEBUG, "made \"it\"", LOG_STR("op", "ec2.RunInstances"), LOG_INT("ms", -42),
           LOG_BOOL("ok", true), LOG_STR("none", NULL), LOG_SLICE("bad", SLICE_LIT("\xff\n")));
    size_t len = 0;
    char *text = captured_text(&len);
    regex_t want;
    assert_int_equal(
        regcomp(&want,
                "^\\{\"@level\":\"debug\",\"@message\":\"made \\\\\"it\\\\\"\",\"@module\":\"llm\","
                "\"@timestamp\":\"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{6}Z"
                "\",\"op\":\"ec2.RunInstances\",\"ms\":-42,\"ok\":true,"
                "\"bad\":\"\\\\ufffd\\\\n\"\\}\n$",
                REG_EXTENDED | REG_NOSUB),
        0);
    int differs = regexec(&want, text, 0, NULL, 0);
    regfree(&want);
    if (differs)
        fail_msg("line is %s", text);
}

/* One long string uses the room that there is, and leaves some for what stands behind it. */
static void test_long_strings(void **state)
{
    (void)state;
    set_levels(NULL, NULL, "DEBUG");
    enum { SIZE = 300000 };
    char *big = malloc(SIZE + 1), *controls = malloc(SIZE + 1);
    memset(big, 'x', SIZE);
    memset(controls, 1, SIZE);
    big[SIZE] = controls[SIZE] = '\0';
    log_at(LOG_DEBUG, "long", LOG_STR("body", big), LOG_STR("after", "still here"),
           LOG_STR("more", controls), LOG_INT("n", 7));
    log_at(LOG_DEBUG, controls, LOG_STR("key", "value"));
    free(big);
    free(controls);
    size_t len = 0;
    char *text = captured_text(&len);
    char *end = strchr(text, '\n');
    assert_non_null(end);
    assert_true(end - text < 65536);
    assert_true(end - text > 51200);
    *end = '\0';
    assert_non_null(strstr(text, "…\",\"after\":\"still here\""));
    assert_non_null(strstr(text, "\\u0001…\",\"n\":7}"));
    char *second = end + 1;
    assert_true(strlen(second) < 65536);
    assert_non_null(strstr(second, "\\u0001…\",\"@module\""));
    assert_non_null(strstr(second, ",\"key\":\"value\"}\n"));
}

enum { THREADS = 4, LINES = 200, FILL = 9000 };

static void *write_lines(void *arg)
{
    char fill[FILL + 1];
    memset(fill, *(const char *)arg, FILL);
    fill[FILL] = '\0';
    for (int i = 0; i < LINES; i++)
        log_at(LOG_INFO, "t", LOG_STR("fill", fill));
    return NULL;
}

struct reader {
    int fd;
    int lines;
    int broken;
};

static void *read_lines(void *arg)
{
    struct reader *r = arg;
    FILE *f = fdopen(r->fd, "r");
    char *line = NULL;
    size_t cap = 0;
    ssize_t len = 0;
    while ((len = getline(&line, &cap, f)) > 0) {
        const char *fill = strstr(line, "\"fill\":\"");
        r->lines++;
        if (!fill || strspn(fill + 8, (char[]){fill[8], '\0'}) != FILL ||
            strcmp(line + len - 3, "\"}\n") != 0)
            r->broken++;
    }
    free(line);
    fclose(f);
    return NULL;
}

/* A pipe takes less than a line at once when it is full: lines of threads must not mix. */
static void test_threads_on_a_pipe(void **state)
{
    (void)state;
    int ends[2];
    set_levels(NULL, NULL, "INFO");
    assert_int_equal(pipe(ends), 0);
    int keep = dup(STDERR_FILENO);
    dup2(ends[1], STDERR_FILENO);
    close(ends[1]);
    struct reader r = {ends[0], 0, 0};
    pthread_t reader, writers[THREADS];
    assert_int_equal(pthread_create(&reader, NULL, read_lines, &r), 0);
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&writers[i], NULL, write_lines, (void *)&"abcd"[i]), 0);
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(writers[i], NULL);
    dup2(keep, STDERR_FILENO); /* closes the pipe's end */
    close(keep);
    pthread_join(reader, NULL);
    assert_int_equal(r.lines, THREADS * LINES);
    assert_int_equal(r.broken, 0);
}

/* A reader that stops reading costs a line, never the work. */
static void test_full_pipe(void **state)
{
    (void)state;
    int ends[2];
    set_levels(NULL, NULL, "INFO");
    assert_int_equal(pipe2(ends, O_NONBLOCK), 0);
    int keep = dup(STDERR_FILENO);
    dup2(ends[1], STDERR_FILENO);
    char fill[FILL + 1];
    memset(fill, 'x', FILL);
    fill[FILL] = '\0';
    for (int i = 0; i < 8; i++)
        log_at(LOG_INFO, "t", LOG_STR("fill", fill));
    dup2(keep, STDERR_FILENO);
    close(keep);
    close(ends[0]);
    close(ends[1]);
}

int main(void)
{
#define CAPTURED(test) cmocka_unit_test_setup_teardown(test, capture, release)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_levels),    CAPTURED(test_line),      CAPTURED(test_long_strings),
        CAPTURED(test_threads_on_a_pipe), CAPTURED(test_full_pipe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

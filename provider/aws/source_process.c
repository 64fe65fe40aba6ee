/* Credentials from a program (SDKs and Tools Reference Guide, "Process credential provider"). */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "aws/client.h"
#include "base/buf.h"
#include "value/codec.h"

enum { OUTPUT_MOST = 64 * 1024, TIME_MOST_MS = 60000 };

static int start(const char *command, int output, pid_t *ret_pid)
{
    char *const argv[] = {(char *)(uintptr_t) "sh", (char *)(uintptr_t) "-c",
                          (char *)(uintptr_t)command, NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attr;
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attr);
    sigset_t none;
    sigemptyset(&none); /* the plugin blocks signals that the program may need */
    posix_spawnattr_setsigmask(&attr, &none);
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
    int rc = posix_spawn(ret_pid, "/bin/sh", &actions, &attr, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attr);
    return rc;
}

/* Reads all of the output; NULL, or why it could not. */
static const char *read_output(struct aws_source *s, int fd, struct buf *out)
{
    char piece[4096];
    int64_t end = s->client->clock->monotonic_ms(s->client->clock->self) + TIME_MOST_MS;
    for (;;) {
        int64_t left = end - s->client->clock->monotonic_ms(s->client->clock->self);
        struct pollfd p = {.fd = fd, .events = POLLIN};
        if (left <= 0 || work_left_ms(s->work) == 0)
            return "it did not end within a minute";
        if (cancel_is_hard(s->work->cancel))
            return "the operation was cancelled";
        if (poll(&p, 1, 100) <= 0)
            continue;
        ssize_t n = read(fd, piece, sizeof(piece));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? "its output could not be read" : NULL;
        if (buf_append(out, piece, (size_t)n) < 0)
            return "its output is over 64 KiB";
        explicit_bzero(piece, sizeof(piece));
    }
}

static int run(struct aws_source *s, const char *command, struct buf *out)
{
    int ends[2], status = 0;
    pid_t pid = 0;
    if (pipe2(ends, O_CLOEXEC) < 0)
        return aws_source_fail(s, "credential_process could not be started: %m");
    int rc = start(command, ends[1], &pid);
    close(ends[1]);
    if (rc != 0) {
        close(ends[0]);
        return aws_source_fail(s, "credential_process could not be started: %s", strerror(rc));
    }
    const char *why = read_output(s, ends[0], out);
    close(ends[0]);
    if (why)
        kill(-pid, SIGKILL);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (why)
        return aws_source_fail(s, "credential_process failed: %s", why);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        return aws_source_fail(s, "credential_process failed: it ended with %s %d",
                               WIFEXITED(status) ? "status" : "signal",
                               WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
    return 0;
}

int aws_source_process(struct aws_source *s, const char *command, struct aws_credentials *ret)
{
    _cleanup_buf_ struct buf out = BUF_INIT(OUTPUT_MOST);
    const struct value *v = NULL;
    struct diags d;
    diags_init(&d, s->a);
    if (run(s, command, &out) < 0)
        return -1;
    if (value_json_parse(s->a, buf_slice(&out), &v, &d) < 0 ||
        value_int_or(value_get(v, "Version"), 0) != 1)
        return aws_source_fail(s, "credential_process gave no JSON object of Version 1");
    return aws_source_keys(s, ret, value_cstr(value_get(v, "AccessKeyId"), NULL),
                           value_cstr(value_get(v, "SecretAccessKey"), NULL),
                           value_cstr(value_get(v, "SessionToken"), NULL),
                           value_cstr(value_get(v, "Expiration"), NULL), "credential_process");
}

/* Running a program and reading what it writes. */
#include "base/process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/secret.h"

enum { POLL_MS = 100 };

static int start(char *const argv[], char *const envp[], int output, pid_t *ret_pid)
{
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
    /* Libraries open sockets that would stay open: libcurl's to the cloud among them. */
    posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);
    int rc = posix_spawnp(ret_pid, argv[0], &actions, &attr, argv, envp ? envp : environ);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attr);
    return rc;
}

/* Why the program must not go on; NULL when it may. */
static const char *must_end(struct arena *a, const struct work *w, int64_t end_ms,
                            int64_t timeout_ms)
{
    const char *text = NULL;
    if (cancel_is_hard(w->cancel))
        return "the operation was cancelled";
    if (work_left_ms(w) == 0)
        return "the time of the operation was up";
    if (w->clock->monotonic_ms(w->clock->self) < end_ms)
        return NULL;
    text = arena_printf(a, "it did not end within %lld s", (long long)(timeout_ms / 1000));
    return text ? text : "it did not end in time";
}

/* Reads all of the output; NULL, or why it could not. */
static const char *read_all(struct arena *a, const struct work *w, int fd, int64_t timeout_ms,
                            struct buf *out)
{
    char piece[4096];
    int64_t end = w->clock->monotonic_ms(w->clock->self) + timeout_ms;
    for (;;) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        const char *why = must_end(a, w, end, timeout_ms);
        if (why)
            return why;
        if (poll(&p, 1, POLL_MS) <= 0)
            continue;
        ssize_t n = read(fd, piece, sizeof(piece));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? "its output could not be read" : NULL;
        int rc = buf_append(out, piece, (size_t)n);
        secret_zero(piece, sizeof(piece));
        if (rc < 0) {
            why = arena_printf(a, "its output is over %zu KiB", out->max / 1024);
            return why ? why : "its output is too large";
        }
    }
}

/* A program that has closed its output, and is not killed, may still take its time to end. */
static const char *wait_for(struct arena *a, const struct work *w, pid_t pid, int64_t timeout_ms,
                            bool killed)
{
    int status = 0;
    int64_t end = w->clock->monotonic_ms(w->clock->self) + timeout_ms;
    const char *why = NULL;
    for (;;) {
        pid_t done = waitpid(pid, &status, killed ? 0 : WNOHANG);
        if (done == pid)
            break;
        if (done < 0 && errno != EINTR)
            return "its end could not be waited for";
        if (done == 0 && (why = must_end(a, w, end, timeout_ms))) {
            kill(-pid, SIGKILL);
            killed = true;
        }
        if (done == 0)
            poll(NULL, 0, 1);
    }
    if (why || (WIFEXITED(status) && WEXITSTATUS(status) == 0))
        return why;
    const char *text =
        arena_printf(a, "it ended with %s %d", WIFEXITED(status) ? "status" : "signal",
                     WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
    return text ? text : "it ended with an error";
}

const char *process_output(struct arena *a, const struct work *w, char *const argv[],
                           char *const envp[], int64_t timeout_ms, struct buf *out)
{
    int ends[2];
    pid_t pid = 0;
    if (pipe2(ends, O_CLOEXEC) < 0)
        return "no pipe could be made for its output";
    int rc = start(argv, envp, ends[1], &pid);
    close(ends[1]);
    if (rc != 0) {
        close(ends[0]);
        const char *text = arena_printf(a, "it could not be started: %s", strerror(rc));
        return text ? text : "it could not be started";
    }
    const char *why = read_all(a, w, ends[0], timeout_ms, out);
    close(ends[0]);
    if (why)
        kill(-pid, SIGKILL);
    const char *ended = wait_for(a, w, pid, timeout_ms, why != NULL);
    return why ? why : ended;
}

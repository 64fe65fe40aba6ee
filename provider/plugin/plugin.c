/* The handshake with the core (go-plugin 1.7), and the life of the process. */
#include "plugin/plugin.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "plugin/server.h"

enum { CORE_PROTOCOL = 1, PLUGIN_PROTOCOL = 6, CHECK_MS = 1000 };

static const char cookie_key[] = "TF_PLUGIN_MAGIC_COOKIE";
static const char cookie_value[] =
    "d602bf8f470bc67ca7faa0386276bbdd4330efaf76d1a219cb4d6991ca9872b2";

/* The core waits for the process's end, several times in one plan, and gRPC takes 4 ms to free what
 * the system frees anyway. Debug builds free all of it, for leak checkers. */
#ifdef NDEBUG
static const bool leave_at_once = true;
#else
static const bool leave_at_once = false;
#endif

struct life {
    struct arena *arena;
    struct provider *provider;
    const struct plugin_options *options;
    char directory[96];
    char socket[112];
    sigset_t signals;
    pthread_t main_thread;
};

/* ---- handshake ---- */

static bool started_by_core(void)
{
    const char *cookie = getenv(cookie_key);
    return cookie && strcmp(cookie, cookie_value) == 0;
}

static int run_by_hand(void)
{
    fputs("This binary is a plugin. These are not meant to be executed directly.\n"
          "Please execute the program that consumes these plugins, which will\n"
          "load any plugins automatically\n",
          stderr);
    return 1;
}

/* PLUGIN_PROTOCOL_VERSIONS is a list like "5,6"; without it the host takes what it gets. */
static bool speaks_our_version(void)
{
    const char *list = getenv("PLUGIN_PROTOCOL_VERSIONS");
    while (list && *list) {
        char *end = NULL;
        if (strtol(list, &end, 10) == PLUGIN_PROTOCOL)
            return true;
        if (end == list)
            return false;
        list = *end == ',' ? end + 1 : end;
        if (*end && *end != ',')
            return false;
    }
    return !getenv("PLUGIN_PROTOCOL_VERSIONS");
}

static int make_socket_path(struct life *l)
{
    const char *base = getenv("PLUGIN_UNIX_SOCKET_DIR");
    if (!base || !*base)
        base = getenv("TMPDIR");
    if (!base || !*base)
        base = "/tmp";
    int n = snprintf(l->directory, sizeof(l->directory), "%s/terraform-provider-llm-XXXXXX", base);
    /* A socket's path has 107 bytes at the most (unix(7)). */
    if (n < 0 || (size_t)n >= sizeof(l->directory)) {
        fprintf(stderr, "The directory for the plugin's socket has too long a name: %s\n", base);
        l->directory[0] = '\0';
        return -1;
    }
    if (!mkdtemp(l->directory)) { /* with mode 0700 */
        fprintf(stderr, "No directory for the plugin's socket can be made in %s: %s\n", base,
                strerror(errno));
        l->directory[0] = '\0';
        return -1;
    }
    snprintf(l->socket, sizeof(l->socket), "%s/plugin.sock", l->directory);
    return 0;
}

static void remove_socket(struct life *l)
{
    if (!l->directory[0])
        return;
    unlink(l->socket);
    rmdir(l->directory);
    l->directory[0] = '\0';
}

static void print_handshake(const struct life *l, const struct plugin_tls *tls)
{
    printf("%d|%d|unix|%s|grpc|%s\n", CORE_PROTOCOL, PLUGIN_PROTOCOL, l->socket,
           tls ? tls->cert_base64 : "");
    fflush(stdout);
}

static void print_reattach(const struct life *l)
{
    printf("Provider started. To attach Terraform CLI, set the TF_REATTACH_PROVIDERS environment "
           "variable "
           "with the following:\n\n\tTF_REATTACH_PROVIDERS='{\"%s\":{\"Protocol\":\"grpc\","
           "\"ProtocolVersion\":%d,\"Pid\":%d,\"Test\":true,\"Addr\":{\"Network\":\"unix\","
           "\"String\":\"%s\"}}}'\n",
           l->options->address, PLUGIN_PROTOCOL, (int)getpid(), l->socket);
    fflush(stdout);
}

/* ---- the process's life ---- */

/* Called from the server's thread: the main thread waits for signals. */
static void on_shut_down(void *self)
{
    struct life *l = self;
    pthread_kill(l->main_thread, SIGTERM);
}

/* Waits for the end: SIGTERM or SIGHUP, the host's Shutdown, SIGINT in debug mode (a core takes
 * SIGINT itself, and tells us with StopProvider), or the core's death. That is seen at
 * once; on Linux before 5.3, which has no descriptors of processes, within a second. */
static void wait_for_end(struct life *l, struct server *s)
{
    pid_t parent = getppid();
    const struct timespec at_once = {0, 0};
    struct pollfd events[] = {
        {.fd = signalfd(-1, &l->signals, SFD_CLOEXEC), .events = POLLIN},
        {.fd = l->options->debug ? -1 : (int)syscall(SYS_pidfd_open, parent, 0), .events = POLLIN}};
    bool ended = false;
    while (!ended) {
        poll(events, 2, CHECK_MS);
        int signal = sigtimedwait(&l->signals, NULL, &at_once);
        ended = signal == SIGTERM || signal == SIGHUP || (signal == SIGINT && l->options->debug);
        server_check_stopped(s);
        if (!l->options->debug && (getppid() != parent || events[1].revents)) {
            log_at(LOG_WARN, "The core is gone; the provider ends", LOG_INT("pid", parent));
            ended = true;
        }
    }
    for (size_t i = 0; i < 2; i++)
        if (events[i].fd >= 0)
            close(events[i].fd);
}

static int serve(struct life *l)
{
    struct plugin_tls tls;
    const char *client = l->options->debug ? NULL : getenv("PLUGIN_CLIENT_CERT"), *why = NULL;
    bool secure = client && *client;
    if (secure && plugin_tls_make(l->arena, &tls) < 0) {
        fputs("The plugin's certificate could not be made.\n", stderr);
        return 1;
    }
    const struct server_options o = {.provider = l->provider,
                                     .socket_path = l->socket,
                                     .tls = secure ? &tls : NULL,
                                     .client_cert_pem = client,
                                     .shut_down = on_shut_down,
                                     .self = l};
    struct server *s = server_start(&o, &why);
    if (!s) {
        fprintf(stderr, "The plugin's server could not be started: %s.\n", why);
        return 1;
    }
    if (l->options->debug)
        print_reattach(l);
    else
        print_handshake(l, secure ? &tls : NULL);
    wait_for_end(l, s);
    remove_socket(l); /* first: a core that has waited for two seconds kills */
    bool ended = server_end(s);
    if (!ended || leave_at_once)
        _exit(0);
    server_free(s);
    return 0;
}

int plugin_serve(struct provider *provider, const struct plugin_options *options)
{
    _cleanup_arena_ struct arena *a = arena_new();
    struct life l = {
        .arena = a, .provider = provider, .options = options, .main_thread = pthread_self()};
    if (!options->debug && !started_by_core())
        return run_by_hand();
    if (!options->debug && !speaks_our_version()) {
        fprintf(stderr,
                "The core speaks none of this plugin's protocol versions (%d): use OpenTofu, or "
                "Terraform 1.0 or later.\n",
                PLUGIN_PROTOCOL);
        return 1;
    }
    sigemptyset(&l.signals);
    sigaddset(&l.signals, SIGINT);
    sigaddset(&l.signals, SIGTERM);
    sigaddset(&l.signals, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &l.signals, NULL);
    signal(SIGPIPE, SIG_IGN);
    if (!a || make_socket_path(&l) < 0)
        return 1;
    int rc = serve(&l);
    remove_socket(&l);
    return rc;
}

/* The gRPC server: gRPC core's completion queue in one thread, calls handled by the workers. */
#ifndef LLM_PLUGIN_SERVER_H
#define LLM_PLUGIN_SERVER_H

#include "plugin/tls.h"
#include "resources/provider.h"

struct server;

struct server_options {
    struct provider *provider;
    const char *socket_path;
    const struct plugin_tls *tls;  /* NULL: none */
    const char *client_cert_pem;   /* what clients must show, with tls */
    void (*shut_down)(void *self); /* a client asked for the process's end */
    void *self;
};

/* Listens and serves. NULL with a line in *ret_why. */
struct server *server_start(const struct server_options *o, const char **ret_why);

/* To be called about once a second: StopProvider lets running requests to the cloud end, but one
 * that has no answer half a minute later is cut off. */
void server_check_stopped(struct server *s);

/* Cancels what runs (hard), lets it answer, ends all calls, and waits until each client has read
 * its answers; a few seconds at the most. False when something still runs: then nothing may be
 * freed, here or elsewhere, and only the process's end is left. */
bool server_end(struct server *s);

/* After server_end() returned true. */
void server_free(struct server *s);

#endif

/* The client of one cluster, shared by all threads. Private to the room. */
#ifndef LLM_KUBERNETES_CLIENT_H
#define LLM_KUBERNETES_CLIENT_H

#include <pthread.h>

#include "kubernetes/driver.h"

struct cloud_client {
    struct arena *arena;  /* of the texts */
    const char *endpoint; /* without a slash at its end */
    const char *field_manager;
    struct http_settings http;
    cloud_cluster_token token;
    void *token_self;
    struct http_transport *transport;
    const struct clock *clock;
    const char *user_agent;
    struct retry_state retry;
    pthread_mutex_t renewal; /* held while a refused token is replaced */
};

#endif

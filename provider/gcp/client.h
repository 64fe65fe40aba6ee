/* The GCP client: settings, tokens and retry state of one provider configuration, shared by all
 * threads. Private to the room. */
#ifndef LLM_GCP_CLIENT_H
#define LLM_GCP_CLIENT_H

#include <pthread.h>

#include "gcp/config.h"
#include "gcp/credentials.h"

struct cloud_client {
    struct arena *arena; /* of the settings */
    struct gcp_config config;
    struct http_transport *transport;
    const struct clock *clock;
    const char *user_agent;
    struct retry_state retry;
    struct gcp_token_cache tokens;
    pthread_mutex_t project_lock;
    const char *project; /* NULL: not resolved yet; guarded by project_lock */
};

#endif

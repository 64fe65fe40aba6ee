/* How clients of Kubernetes clusters are made, by those that know a cluster but not the room that
 * talks to it: main.c hands the functions in. */
#ifndef LLM_CLOUD_CLUSTER_H
#define LLM_CLOUD_CLUSTER_H

#include "cloud/driver.h"

/* Gives the bearer token for one request, owned by `a`. `fresh`: the one that was given before has
 * been refused, and must not be given again. Called from any number of threads, but with `fresh`
 * from one at a time. 0, or -1 with *err filled. */
typedef int (*cluster_token)(void *self, const struct work *w, struct arena *a, bool fresh,
                             const char **ret, struct cloud_error *err);

struct cluster_settings {
    const char *endpoint; /* "https://host[:port]" */
    const char *ca_pem;   /* of the cluster's authority: the only ones that are trusted */
    cluster_token token;
    void *token_self; /* outlives the client */
};

struct cluster_connector {
    const struct cloud_driver *driver; /* of what is in a cluster */
    /* A client, freed by driver->free. Touches no network. NULL with diagnostics. */
    struct cloud_client *(*connect)(const struct cluster_settings *cluster,
                                    struct http_transport *transport, const struct clock *clock,
                                    const char *user_agent, struct diags *diags);
};

#endif

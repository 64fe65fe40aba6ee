/* Kubernetes clusters as something that a cloud has: which there is, and how it is reached, the
 * resources find out while they work, not the provider's configuration. The Kubernetes room fills
 * in the table of functions. */
#ifndef LLM_CLOUD_CLUSTER_H
#define LLM_CLOUD_CLUSTER_H

#include "cloud/driver.h"
#include "cloud/retry.h"

/* Gives the bearer token for one request, owned by `a`. `fresh`: the one that was given before has
 * been refused, and must not be given again. Called from any number of threads, but with `fresh`
 * from one at a time. 0, or -1 with *err filled. */
typedef int (*cloud_cluster_token)(void *self, const struct work *w, struct arena *a, bool fresh,
                                   const char **ret, struct cloud_error *err);

struct cloud_cluster {
    const char *endpoint;      /* "https://host[:port][/path]" */
    const char *ca_pem;        /* of the cluster's authority: the only ones that are trusted */
    bool system_trust;         /* those that the system trusts are, in place of `ca_pem` */
    const char *field_manager; /* "terraform-provider-llm": at most 128 printable characters */
    cloud_cluster_token token;
    void *token_self;                 /* outlives the client */
    const struct http_settings *http; /* proxy, time-outs; NULL: defaults. Its trust and `insecure`
                                         do not count */
    struct retry_policy retry;
};

struct cloud_clusters {
    const struct cloud_driver *driver; /* of the clients */
    /* A client of the cluster, which copies the texts; freed by driver->free. Touches no network.
     * `transport` and `clock` outlive it. NULL with diagnostics when a setting is missing or makes
     * no sense, or memory is out. */
    struct cloud_client *(*client_new)(const struct cloud_cluster *cluster,
                                       struct http_transport *transport, const struct clock *clock,
                                       const char *user_agent, struct diags *diags);
};

#endif

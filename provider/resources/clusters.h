/* The clusters that this process talks to: one client for each, for all RPCs, with its token. */
#ifndef LLM_RESOURCES_CLUSTERS_H
#define LLM_RESOURCES_CLUSTERS_H

#include "resources/provider.h"

struct cluster_address {
    const struct cloud_driver *driver; /* of the cloud that it runs in */
    struct cloud_client *client;
    const char *region, *name; /* as that cloud knows the cluster */
    const char *endpoint;
    const char *ca_pem;
};

/* The client for a cluster, made when there is none yet; the provider owns it until
 * clusters_clean_up(). Any thread. NULL with diagnostics. */
struct cloud_client *clusters_client(struct provider *p, const struct cluster_address *at,
                                     struct diags *diags);

/* Ends all of them; before the clouds' clients, whose tokens they have. */
void clusters_clean_up(struct provider *p);

#endif

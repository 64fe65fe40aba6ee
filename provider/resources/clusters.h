/* The clusters that this process talks to: one access for each, with its token and its connections,
 * for all RPCs. */
#ifndef LLM_RESOURCES_CLUSTERS_H
#define LLM_RESOURCES_CLUSTERS_H

#include "resources/cluster_access.h"

/* The client for a cluster, made when there is none yet; the provider owns it until
 * clusters_clean_up(). Any thread. NULL with diagnostics. */
struct cloud_client *clusters_client(struct provider *p, const struct cluster_place *at,
                                     struct diags *diags);

/* Ends all of them; before the clouds' clients, whose tokens they have. */
void clusters_clean_up(struct provider *p);

#endif

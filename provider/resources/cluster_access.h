/* One Kubernetes cluster as a resource reaches it: a client of the cluster, whose tokens its cloud
 * makes and which are kept here until shortly before they end. */
#ifndef LLM_RESOURCES_CLUSTER_ACCESS_H
#define LLM_RESOURCES_CLUSTER_ACCESS_H

#include "engine/engine.h"
#include "resources/provider.h"

/* Whose cluster it is. The texts are copied; driver and client outlive the access. */
struct cluster_place {
    const struct cloud_driver *driver; /* of the cloud */
    struct cloud_client *client;
    const char *region;
    const char *name;     /* of the cluster */
    const char *endpoint; /* as the cloud says it: a URL, or host[:port] */
    const char *ca;       /* likewise: certificates as PEM, or base64 of it */
    /* A cluster that is no cloud's own: `ca` may be NULL (those that the system trusts), and tokens
     * are this text, else what the file has now, else the variable KUBE_TOKEN. */
    bool own_token;
    const char *token, *token_file;
};

struct cluster_access;

/* Touches no network. NULL with diagnostics when a part is missing or makes no sense. Freed by
 * cluster_access_free(), which takes NULL, when nobody uses the client any more. */
struct cluster_access *cluster_access_new(const struct provider *p,
                                          const struct cluster_place *place, struct diags *diags);
void cluster_access_free(struct cluster_access *x);

/* Driver and client, for `more` of struct engine; the access owns the client. For NULL the driver
 * alone, of a cluster that is not there yet. */
struct engine_cloud cluster_access_cloud(const struct provider *p, const struct cluster_access *x);

/* An endpoint as a URL, and an authority as PEM, from what a cloud says of its clusters; owned by
 * `a`. NULL when it is empty, no base64 of PEM, or memory is out. */
const char *cluster_endpoint_url(struct arena *a, const char *endpoint);
const char *cluster_ca_pem(struct arena *a, const char *ca);

#endif

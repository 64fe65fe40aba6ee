/* The Kubernetes driver: see cloud/driver.h for what its functions do. A client is made for one
 * cluster, by kubernetes_client_new(): which cluster there is, the resources find out, not the
 * provider's configuration.
 *
 * An operation's URI is a path of the cluster's API ("/api/v1/namespaces/{name}"), and its method
 * says what is done ("Kubernetes API Concepts", "Server-Side Apply"):
 *
 * PATCH: server-side apply. The members that the URI does not name are the applied object
 * (apiVersion, kind, metadata, …). Sent with the client's field manager, never forced, and with
 * strict validation: an unknown or repeated field is an error. What another manager has set to
 * another value is CLOUD_ERROR_CONFLICT.
 *
 * POST, PUT: create and replace, with field manager and strict validation.
 *
 * DELETE: the members that the URI does not name are the DeleteOptions: propagationPolicy
 * ("Foreground", "Background", "Orphan"), preconditions {uid, resourceVersion}, …
 *
 * GET: one object, or a list, also by {?labelSelector,fieldSelector}.
 *
 * Names in the path are not put into the body: an applied object has its own metadata.name.
 *
 * A POST, PUT or PATCH is only tried out with {?dryRun} in the URI and "dryRun": "All": a POST
 * tells whether there is such an object already, which an apply would go into.
 *
 * An object in an answer, also in a list, that this field manager has applied gets two members
 * more: "id", its "namespace/name" or name, and "applied": what of the object the manager owns, as
 * metadata.managedFields say it ("Field management"), in the object's own shape. It has no fields
 * of others, and of the server's defaults only those inside of what is owned as a whole (an atomic
 * list), so that it can be compared with what was applied. One that it has not applied gets
 * "managers": the names of those that have written fields of it. metadata.managedFields itself is
 * left out.
 *
 * A Deployment gets a member "rollout" {state, message}: "Waiting" until its controller has seen
 * the change, "Updating" while new pods take the place of old ones, "Starting" until they are
 * available, "Complete"; when the time for it is up, with the cluster's reason, "RolloutFailed"
 * while pods (of before) are available, and "ProgressDeadlineExceeded" when there is none. So does
 * a Service: "Waiting" until the load balancer is there that it wants, "Complete" without one. A
 * Namespace gets its phase, and the messages of the conditions that hold: what keeps it in
 * "Terminating". */
#ifndef LLM_KUBERNETES_DRIVER_H
#define LLM_KUBERNETES_DRIVER_H

#include "cloud/cluster.h"

/* As cloud/cluster.h has it. */
struct cloud_client *kubernetes_client_new(const struct cloud_cluster *cluster,
                                           struct http_transport *transport,
                                           const struct clock *clock, const char *user_agent,
                                           struct diags *diags);

/* Its configure() makes no client, and says so. Its default_region() is NULL, its account() "". */
extern const struct cloud_driver kubernetes_driver;

extern const struct cloud_clusters kubernetes_clusters;

#endif

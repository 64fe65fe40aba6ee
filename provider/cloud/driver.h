/* The driver interface: how engine and resources talk to any cloud.
 *
 * A driver is a const table of functions; a client is a configured driver (credentials, endpoints),
 * made once per provider configuration and used by any number of threads. Requests and answers are
 * plain values (objects, tuples, strings, numbers): the driver knows the protocol that carries
 * them. Retry, throttling and clock skew are handled below call(). */
#ifndef LLM_CLOUD_DRIVER_H
#define LLM_CLOUD_DRIVER_H

#include "base/clock.h"
#include "cloud/error.h"
#include "http/http.h"
#include "value/value.h"

/* One operation of a cloud's API, as the component files name it. */
struct cloud_operation {
    const char *service; /* "ec2", "iam", "logs", "compute" */
    const char *name;    /* "CreateVpc" */
    /* REST protocols: method and URI template with {Param} in the path and {?a,b} for the query;
     * NULL otherwise. Parameters that the URI does not name are the body. */
    const char *method, *uri;
    /* Request member that makes a repeated call harmless ("ClientToken"); NULL: none. */
    const char *token_param;
    /* Reads, and writes that may be repeated as they are. */
    bool idempotent;
};

struct cloud_client;

struct cloud_driver {
    const char
        *cloud; /* "aws": the value of a resource's `cloud`, and of the provider's attribute */

    /* Checks the provider configuration's part for this cloud (an object, may be null, may hold
     * unknowns). Paths start with the cloud's attribute. */
    int (*validate)(struct arena *a, const struct value *config, struct diags *diags);

    /* Makes a client. Touches no network: credentials are resolved at the first call. `transport`
     * and `clock` outlive the client. NULL with diagnostics on error. */
    struct cloud_client *(*configure)(const struct value *config, struct http_transport *transport,
                                      const struct clock *clock, const char *user_agent,
                                      struct diags *diags);
    void (*free)(struct cloud_client *c);

    /* How the client connects: proxy, trust, time-outs. As long as the client. NULL: the driver's
     * connections are not its own to set. */
    const struct http_settings *(*http_settings)(struct cloud_client *c);

    /* The region used when a resource names none; NULL when nothing configures one. */
    const char *(*default_region)(struct cloud_client *c);

    /* 0 when credentials can be had now (they are resolved and cached), else -1 with the error. */
    int (*check_credentials)(struct cloud_client *c, const struct work *w, struct arena *a,
                             const char *region, struct cloud_error *err);

    /* The account or project of the credentials, owned by `a`; checks allowed and forbidden
     * accounts. *ret is "" where the user asked that it be not requested. */
    int (*account)(struct cloud_client *c, const struct work *w, struct arena *a,
                   const char *region, const char **ret, struct cloud_error *err);

    /* One call, retried as the class of its errors allows. *ret is owned by `a`: an object value
     * (empty for empty answers); leaves of XML protocols are strings. 0, or -1 with *err. */
    int (*call)(struct cloud_client *c, const struct work *w, struct arena *a, const char *region,
                const struct cloud_operation *op, const struct value *request,
                const struct value **ret, struct cloud_error *err);

    /* Tags (labels) that every object gets from the provider configuration; map of string. */
    const struct value *(*default_tags)(struct cloud_client *c, struct arena *a);
    /* True for a tag of an object that reading must pass over. */
    bool (*ignores_tag)(struct cloud_client *c, struct slice key);

    /* How ownership is written into tags: e.g. AWS "llm:resource" = "llm_gpu_node/NAME",
     * "llm:component" = "subnet.private-a"; map of string. `name` may be unknown (the values are
     * then unknown). */
    const struct value *(*owner_tags)(struct arena *a, const char *resource_type,
                                      const struct value *name, const char *component);

    /* The tag that says who is at work on a resource that no state knows yet (engine_claim_new()).
     */
    const char *claim_tag;

    /* "$owner_filter" in requests: what selects objects by these tags in the cloud's list calls. */
    const struct value *(*owner_filter)(struct arena *a, const struct value *owner_tags);

    /* Of an object that stands where another one is to be made, as an answer of its read shows it:
     * what it is, and whose as far as that can be told; the end of a sentence, owned by `a`, NULL
     * when memory is out. NULL: the cloud's objects do not say. */
    const char *(*describe_foreign)(struct arena *a, const struct value *item);

    /* Error classes by the cloud's code (tables in the cloud's room). */
    enum cloud_error_class (*classify)(const char *service, const char *code, int http_status);

    /* "aws" | "aws-cn" | …: what ARNs of the region start with. "" where there is no such thing. */
    const char *(*partition)(const char *region);

    /* The name of a region's or zone's parent: "us-east-1" for "us-east-1a"; NULL when it is not a
     * zone name of this cloud. Owned by `a`. */
    const char *(*region_of_zone)(struct arena *a, const char *zone);

    /* A bearer token that lets the client's identity into a Kubernetes cluster of this cloud, made
     * without a call of the cluster's; owned by `a`, a secret. `fresh`: from credentials that are
     * resolved anew, because a cluster has refused the one before. *ret_expires_unix_s: when it
     * ends at the latest; INT64_MAX: not known. 0, or -1 with *err. NULL: the cloud has no such
     * clusters. */
    int (*cluster_token)(struct cloud_client *c, const struct work *w, struct arena *a,
                         const char *region, const char *cluster, bool fresh, const char **ret,
                         int64_t *ret_expires_unix_s, struct cloud_error *err);
};

#endif

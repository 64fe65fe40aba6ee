/* What the plugin room serves: resource types, data sources, functions and ephemeral resources as
 * tables of functions over values. Nothing here knows gRPC or protobuf. */
#ifndef LLM_RESOURCES_PROVIDER_H
#define LLM_RESOURCES_PROVIDER_H

#include <stdatomic.h>

#include "base/clock.h"
#include "cloud/cluster.h"
#include "schema/schema.h"

#define PROVIDER_MAX_CLOUDS 4
#define PROVIDER_MAX_SEEN 2048

/* The configured provider: shared by all RPCs after ConfigureProvider. */
struct provider {
    const struct cloud_driver *const *drivers; /* wired in main.c; NULL-terminated */
    const struct cloud_clusters *clusters;     /* likewise; NULL: clusters cannot be reached */
    struct http_transport *transport;
    const struct clock *clock;
    struct cluster *cluster_list; /* resources/clusters.h */
    const char *version;          /* of the provider */
    const char *user_agent;       /* "terraform-provider-llm/0.1.0 (Terraform/1.11.4)" */
    struct cloud_client
        *clients[PROVIDER_MAX_CLOUDS]; /* by position in `drivers`; NULL: not configured */
    bool configured;
    bool clouds_unknown[PROVIDER_MAX_CLOUDS]; /* its configuration holds unknown values (a plan) */
    /* Hashes of the ids in the states that this process was shown; see provider_saw(). */
    _Atomic uint64_t seen[PROVIDER_MAX_SEEN];
};

/* Remembers that an object with this id is in the state of a resource. A core plans a resource that
 * is to be replaced, or is tainted, as a new one, without its state: this is how a plan can tell
 * the objects of the old one from those of strangers. Any thread. */
void provider_saw(struct provider *p, struct slice id);
/* Whether it was seen; true also when there were too many to remember. Any thread. */
bool provider_has_seen(struct provider *p, struct slice id);

/* The driver and client for a cloud's name. 0, or -1 with an error at `path` when the provider is
 * not configured for it. *ret_client may be NULL with return 0 when its configuration is not known
 * yet. */
int provider_client(const struct provider *p, const char *cloud, const struct path *path,
                    const struct cloud_driver **ret_driver, struct cloud_client **ret_client,
                    struct diags *diags);

/* What components in a Kubernetes cluster are made with: the driver, and a client of one cluster,
 * which the caller frees with it, before provider_clean_up(). The client uses the provider's
 * transport, clock and user agent, and our field manager where `cluster` names none. NULL with an
 * error: see cloud/cluster.h. Most callers want resources/cluster_access.h, which has the tokens
 * too. */
const struct cloud_driver *provider_cluster_driver(const struct provider *p);
struct cloud_client *provider_cluster_client(const struct provider *p,
                                             const struct cloud_cluster *cluster,
                                             struct diags *diags);

/* The provider block. Each driver validates and configures its part. May be called again. */
extern const struct schema provider_schema;
int provider_validate(struct provider *p, struct arena *a, const struct value *config,
                      struct diags *diags);
int provider_configure(struct provider *p, struct arena *a, const struct value *config,
                       const char *terraform_version, struct diags *diags);
/* Ends the clients. The transport and clock belong to main. */
void provider_clean_up(struct provider *p);

/* Everything one RPC hands down. */
struct request {
    struct provider *provider;
    struct arena *arena; /* the RPC's */
    const struct cancel *cancel;
    struct diags *diags;
};

struct resource_type;

/* In all of these: values are of the schema's type; private data is opaque bytes owned by the
 * request's arena. A return of -1 means that diags has an error; the ret_ values then still hold
 * what is to be saved (apply), or are untouched (all others). */

struct resource_plan_args {
    const struct value *config, *prior, *proposed;
    struct slice prior_private;
    const struct value *provider_meta;
    const struct value *prior_identity; /* NULL: none */
};
struct resource_plan_result {
    const struct value *planned;
    struct slice planned_private;
    const struct path *const *replace;
    size_t replace_count;
    const struct value *planned_identity; /* NULL: none */
};

struct resource_apply_args {
    const struct value *config, *prior, *planned;
    struct slice planned_private;
    const struct value *planned_identity;
};
struct resource_apply_result {
    const struct value *state; /* null after a complete destroy; never null when objects remain */
    struct slice private;
    const struct value *identity;
};

struct resource_read_args {
    const struct value *state;
    struct slice private;
    const struct value *identity;
};
/* Uses resource_apply_result: a null state means that nothing is left. */

struct resource_import_args {
    struct slice id;              /* "cloud/region/name"; empty when identity is given */
    const struct value *identity; /* or NULL */
};

struct resource_type {
    const struct schema *schema;
    const struct schema_identity *identity; /* NULL: none */
    const void *table;                      /* the composite's own (struct composite) */
    int (*validate)(const struct resource_type *t, struct request *rq, const struct value *config);
    int (*plan)(const struct resource_type *t, struct request *rq,
                const struct resource_plan_args *args, struct resource_plan_result *ret);
    int (*apply)(const struct resource_type *t, struct request *rq,
                 const struct resource_apply_args *args, struct resource_apply_result *ret);
    int (*read)(const struct resource_type *t, struct request *rq,
                const struct resource_read_args *args, struct resource_apply_result *ret);
    int (*import)(const struct resource_type *t, struct request *rq,
                  const struct resource_import_args *args, struct resource_apply_result *ret);
    /* `json`: the stored state of schema version `version`, plain JSON of an older type. */
    int (*upgrade)(const struct resource_type *t, struct request *rq, int64_t version,
                   struct slice json, const struct value **ret);
};

struct data_source {
    const struct schema *schema;
    int (*validate)(const struct data_source *d, struct request *rq, const struct value *config);
    int (*read)(const struct data_source *d, struct request *rq, const struct value *config,
                const struct value **ret);
};

struct function {
    const struct schema_function *schema;
    /* 0, or -1 with *ret_error set to the message and *ret_argument to the argument's index (-1:
     * the call as a whole). */
    int (*call)(struct arena *a, const struct value *const *args, size_t count,
                const struct value **ret, const char **ret_error, int64_t *ret_argument);
};

struct ephemeral_type {
    const struct schema *schema;
    int (*validate)(const struct ephemeral_type *e, struct request *rq, const struct value *config);
    int (*open)(const struct ephemeral_type *e, struct request *rq, const struct value *config,
                const struct value **ret, struct slice *ret_private, int64_t *ret_renew_at_unix_s);
    int (*renew)(const struct ephemeral_type *e, struct request *rq, struct slice private,
                 struct slice *ret_private, int64_t *ret_renew_at_unix_s);
    int (*close)(const struct ephemeral_type *e, struct request *rq, struct slice private);
};

/* The registry: NULL-terminated arrays, in resources/registry.c. */
extern const struct resource_type *const registry_resources[];
extern const struct data_source *const registry_data_sources[];
extern const struct function *const registry_functions[];
extern const struct ephemeral_type *const registry_ephemerals[];

const struct resource_type *registry_resource(struct slice type_name);
const struct data_source *registry_data_source(struct slice type_name);
const struct function *registry_function(struct slice name);
const struct ephemeral_type *registry_ephemeral(struct slice type_name);

#endif

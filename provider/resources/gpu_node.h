/* What the files of llm_gpu_node share: its configuration as the hooks see it, and the calls they
 * make besides those of the components. */
#ifndef LLM_RESOURCES_GPU_NODE_H
#define LLM_RESOURCES_GPU_NODE_H

#include "resources/composite.h"
#include "resources/fit.h"

extern const struct composite composite_gpu_node;

#define GPU_NODE_TYPE "llm_gpu_node"
#define GPU_NODE_CIDR "10.42.0.0/16" /* of the network that is made, without `network.cidr` */
#define GPU_NODE_DEVICE "/dev/sdf"   /* that the model volume is attached as */
#define GPU_NODE_OLLAMA_PORT 11434
#define GPU_NODE_VLLM_PORT 8000
#define GPU_NODE_MAX_ZONES 6
#define GPU_NODE_DEFAULT_ZONES 3
#define GPU_NODE_USER_DATA_MAX 16384 /* EC2 User Guide, "user data": 16 KB before encoding */
#define GPU_NODE_TAG_MAX 256         /* characters of a tag's value */

/* ---- gpu_node_models.c: what is to be served, and on which machines ---- */

struct gpu_node_models {
    bool known; /* false: something that it depends on is unknown */
    enum fit_runtime runtime;
    int64_t context_tokens;
    struct fit_model models[FIT_MAX_MODELS];
    struct catalog_choice choices[FIT_MAX_MODELS]; /* model NULL: the custom one */
    const char *names[FIT_MAX_MODELS];             /* as written */
    size_t count;
};

/* Reads models, custom_model, runtime and context_tokens. 0, or -1 when a model is not in the
 * catalogue (an error at its path; `diags` may be NULL: no error is added). */
int gpu_node_models(struct arena *a, const struct value *config, struct gpu_node_models *ret,
                    struct diags *diags);

struct gpu_node_machines {
    bool known;
    bool chosen; /* the user named them; else they are all that fit */
    const struct catalog_machine *const *items; /* in the order to try */
    size_t count;
};

/* The machines that may be used: `machine.type`, `machine.candidates`, or all of the catalogue that
 * hold the models and have a price, cheapest first. 0, or -1 with an error at its path for a type
 * that the catalogue does not have. */
int gpu_node_machines(struct arena *a, const char *cloud, const struct value *config,
                      const struct gpu_node_models *models, struct gpu_node_machines *ret,
                      struct diags *diags);

/* Checks that the models fit every machine that the user named, and any machine at all. */
int gpu_node_check_fit(struct arena *a, const struct gpu_node_models *models,
                       const struct gpu_node_machines *machines, struct diags *diags);

/* Whether a machine of this type may be used. */
bool gpu_node_has_machine(const struct gpu_node_machines *machines, struct slice type);

/* The model's name as the runtime knows it. */
const char *gpu_node_served_name(const struct gpu_node_models *m, size_t index);

/* ---- gpu_node_validate.c ---- */

int gpu_node_validate(struct arena *a, const struct value *config, struct diags *diags);

/* Names of the objects that are made; error at `name` when one of them is too long. */
struct gpu_node_names {
    const char *security_group, *secret, *log_group, *role, *policy, *instance_profile;
};
int gpu_node_names(struct arena *a, const char *name, const char *region,
                   struct gpu_node_names *ret, struct diags *diags);

/* Errors for zones that are not of the region. */
int gpu_node_check_zones(struct arena *a, const struct value *config, const char *region,
                         struct diags *diags);

/* ---- gpu_node_calls.c: questions to EC2 ---- */

struct gpu_node_offer {
    const char *type, *zone;
};

/* All zones of the region that offer one of the types, in the answer's order. 0 or -1 with *err. */
int gpu_node_offers(const struct composite_context *c, const struct gpu_node_machines *machines,
                    struct gpu_node_offer **ret, size_t *ret_count, struct cloud_error *err);

/* One call; `request` is an object. 0 or -1 with *err. */
int gpu_node_call(const struct composite_context *c, struct arena *a,
                  const struct cloud_operation *op, const struct value *request,
                  const struct value **ret, struct cloud_error *err);

/* [{Name, Value: [v…]}] for EC2's Filter parameter. */
const struct value *gpu_node_filter(struct arena *a, const char *name,
                                    const struct value *const *values, size_t count);

/* The instances that carry the owner tag of this node and are not terminated: a tuple of items of
 * DescribeInstances. */
int gpu_node_find_instances(const struct composite_context *c, const struct value **ret,
                            struct cloud_error *err);

extern const struct cloud_operation gpu_node_describe_instances, gpu_node_describe_images,
    gpu_node_describe_subnets;

/* ---- gpu_node_network.c: zones and address ranges ---- */

struct gpu_node_network {
    const struct value *zones;  /* "$derived.zones": {a: {zone, cidr}}, or unknown */
    const struct value *public; /* {zone, cidr}, or unknown */
};

/* Zones are those of the configuration, else those of the existing subnets, else the first three
 * that offer the machine; ranges of existing subnets stay. `offers` NULL: not known. */
int gpu_node_network(const struct composite_context *c, const char *cidr,
                     const struct gpu_node_offer *offers, size_t offer_count,
                     const struct gpu_node_machines *machines, struct gpu_node_network *ret);

/* Subnets that an IPv4 range has room for, the public one included: 8, 4, or 0 when it is too small
 * or no range. */
int gpu_node_subnets(struct slice cidr);

/* ---- gpu_node_policy.c: JSON documents for IAM ---- */

const struct value *gpu_node_trust_policy(struct arena *a, const char *partition);
const struct value *gpu_node_policy(const struct composite_context *c,
                                    const struct gpu_node_names *names);

/* ---- gpu_node_tags.c: what the instance says of itself ---- */

/* The tags of the instance: llm:models, llm:served, llm:runtime, llm:context, llm:settings, each
 * cut into pieces of 256 characters (llm:models-2 …). NULL when memory is out. */
const struct value *gpu_node_tags(struct arena *a, const struct value *config,
                                  const struct gpu_node_models *models);

/* The configuration that such tags stand for, on top of `config` (an object of the schema's type).
 */
const struct value *gpu_node_config_of_tags(struct arena *a, const struct value *config,
                                            const struct value *tags);

/* ---- gpu_node_script.c ---- */

/* The start-up script with its values. NULL with an error in c->diags when it is over 16 KiB. */
const struct value *gpu_node_user_data(const struct composite_context *c,
                                       const struct gpu_node_names *names,
                                       const struct gpu_node_models *models);

/* Fills the @@name@@ places of a script with quoted values. 0 or -1. */
int gpu_node_render(struct buf *out, const char *script, const char *const (*values)[2],
                    size_t count);

/* ---- the other hooks ---- */

int gpu_node_derive(const struct composite_context *c, const struct value **ret);
int gpu_node_check(const struct composite_context *c, const struct engine_changes *changes,
                   const struct value *derived);
int gpu_node_hooks_new(const struct composite_context *c, const struct value *derived,
                       struct engine_hooks *ret);
int gpu_node_describe(const struct composite_context *c, const struct records *found,
                      const struct value **ret);
int gpu_node_outputs(const struct composite_context *c, const struct value *derived,
                     const struct value *planned, const struct records *records,
                     const struct engine_changes *changes, const struct value **ret);

/* ---- placement, by itself for tests (gpu_node_placement.c) ---- */

/* The zones that an EC2 error message names as having capacity ("… or choosing us-east-1b,
 * us-east-1c."), in its order; at most `most`. Returns how many. */
size_t gpu_node_named_zones(struct slice message, struct slice *ret, size_t most);

#endif

/* What the files of llm_gpu_node share: its configuration as the hooks see it, and the table of
 * what each cloud does its own way. */
#ifndef LLM_RESOURCES_GPU_NODE_H
#define LLM_RESOURCES_GPU_NODE_H

#include "resources/composite.h"
#include "resources/config.h"
#include "resources/fit.h"

extern const struct composite composite_gpu_node;

#define GPU_NODE_TYPE "llm_gpu_node"
#define GPU_NODE_CIDR "10.42.0.0/16" /* of the network that is made, without `network.cidr` */
#define GPU_NODE_OLLAMA_PORT 11434
#define GPU_NODE_VLLM_PORT 8000
#define GPU_NODE_TAG_MAX 256 /* characters of a tag's value */
#define GPU_NODE_MAX_ZONES 6
#define GPU_NODE_DEFAULT_ZONES 3

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

/* ---- gpu_node.c: what each cloud does its own way ---- */

/* A zone that the instance may be placed in; strings owned by the arena of the placement. */
struct gpu_node_zone {
    const char *name;
    const char *subnet; /* id of the subnet that the instance gets there */
};

enum { GPU_NODE_ZONES_MOST = 32 };

struct gpu_node_zones {
    struct gpu_node_zone items[GPU_NODE_ZONES_MOST];
    size_t count;
};

/* Adds a zone at the end; one that is there already, or has no subnet, is left out. */
void gpu_node_zones_add(struct gpu_node_zones *z, const char *name, const char *subnet);

/* One place of a placement. */
struct gpu_node_place {
    const struct catalog_machine *machine;
    bool spot;
    struct gpu_node_zone zone;
};

/* A machine type that a zone offers. */
struct gpu_node_offer {
    const char *type, *zone;
};

struct gpu_node_lookup;

struct gpu_node_cloud {
    const char *cloud; /* "aws" */

    /* Checks of the configuration beyond those that hold on every cloud; unknowns are passed over.
     * 0 or -1. */
    int (*validate)(struct arena *a, const struct value *config, struct diags *diags);

    /* The composite's hooks of the same names (resources/composite.h). */
    int (*derive)(const struct composite_context *c, const struct value **ret);
    int (*check)(const struct composite_context *c, const struct engine_changes *changes,
                 const struct value *derived);
    int (*describe)(const struct composite_context *c, const struct records *found,
                    const struct value **ret);

    /* Asks one question; the answer lives in c->arena. 0, or -1 with k->error (class NONE: memory
     * is out). Offers are asked through `offers`. */
    int (*ask)(const struct composite_context *c, struct gpu_node_lookup *k);

    /* All zones of the region that offer one of the machines, in the order of the cloud's answer,
     * owned by c->arena. 0 or -1 with *err. */
    int (*offers)(const struct composite_context *c, const struct gpu_node_machines *machines,
                  struct gpu_node_offer **ret, size_t *ret_count, struct cloud_error *err);

    /* The zones that may be tried, in the order of the configuration. `inputs` are those of the
     * component "instance". 0, or -1 with a diagnostic. */
    int (*zones)(const struct composite_context *c, struct arena *a, const struct value *derived,
                 const struct value *inputs, struct gpu_node_zones *ret, struct diags *diags);
    /* The zones that an error itself names as having room, in its order; at most `most`. Returns
     * how many. */
    size_t (*named_zones)(const struct cloud_error *err, struct slice *ret, size_t most);
    /* The component's inputs in this place. NULL when memory is out. */
    const struct value *(*inputs_for)(struct arena *a, const struct value *inputs,
                                      const struct gpu_node_place *place);
    /* Whether a quota that `failed` met (with the cloud's code) also keeps `other` out. */
    bool (*same_quota)(const struct gpu_node_place *failed, const struct gpu_node_place *other,
                       const char *code);
    /* The quota of a place in words, owned by `a`: "quota \"…\", L-DB2E81BA". NULL: not known. */
    const char *(*quota_name)(struct arena *a, const struct gpu_node_place *place);

    /* Attributes of the components "instance" and "volume" that become outputs. `instance_machine`
     * holds the type as the catalogue has it. */
    const char *instance_id, *instance_address, *instance_image, *instance_zone, *instance_machine,
        *volume_size, *volume_zone;
};

extern const struct gpu_node_cloud gpu_node_aws, gpu_node_gcp;

/* NULL: the resource cannot be made there, or `cloud` is NULL. */
const struct gpu_node_cloud *gpu_node_cloud(const char *cloud);

/* ---- gpu_node_validate.c ---- */

int gpu_node_validate(struct arena *a, const struct value *config, struct diags *diags);

/* How the instance may be bought, by `machine.provisioning`. */
struct gpu_node_markets {
    bool spot, on_demand;
};
struct gpu_node_markets gpu_node_markets(const struct value *config);
/* ---- gpu_node_lookups.c: what a plan asks of a cloud, side by side ---- */

enum gpu_node_lookup_kind {
    GPU_NODE_LOOKUP_OFFERS,   /* of `machines` */
    GPU_NODE_LOOKUP_IMAGE,    /* subject: its id */
    GPU_NODE_LOOKUP_NODE,     /* instances with this node's name or tags */
    GPU_NODE_LOOKUP_IDENTITY, /* subject: the name of the role, or service account */
    GPU_NODE_LOOKUP_USAGE,    /* AWS: running instances */
    GPU_NODE_LOOKUP_SUBNETS,  /* AWS; subject: their ids */
    GPU_NODE_LOOKUP_QUOTA,    /* subject: its code; on GCP the region, or the project */
    GPU_NODE_LOOKUP_SERVICES, /* GCP: which APIs are enabled; subject: their names */
    GPU_NODE_LOOKUP_CALL,     /* any call; subject: its request */
};

struct gpu_node_lookup {
    enum gpu_node_lookup_kind kind;
    const struct value *subject;      /* NULL: the kind says it all */
    const struct cloud_operation *op; /* of GPU_NODE_LOOKUP_CALL */
    bool done;
    int rc; /* 0, or -1 with `error` */
    struct cloud_error error;
    const struct value *answer;
    const struct gpu_node_machines *machines; /* of the offers */
    struct gpu_node_offer *offers;
    size_t offer_count;
};

enum { GPU_NODE_LOOKUPS_MOST = 64 };

struct gpu_node_lookups {
    struct gpu_node_lookup items[GPU_NODE_LOOKUPS_MOST];
    size_t count;
};

/* Notes that something will be asked; gpu_node_ask() then asks all that is noted at once. */
void gpu_node_want(const struct composite_context *c, enum gpu_node_lookup_kind kind,
                   const struct value *subject);
/* Notes the offers of these machines. */
void gpu_node_want_offers(const struct composite_context *c,
                          const struct gpu_node_machines *machines);
void gpu_node_ask(const struct composite_context *c);
/* The answer, asked for now when it was not asked before; *ret is never NULL. 0, or -1 with its
 * error. */
int gpu_node_answer(const struct composite_context *c, enum gpu_node_lookup_kind kind,
                    const struct value *subject, const struct gpu_node_lookup **ret);

/* The same for any call of the resource's cloud, of any resource: gpu_node_ask() makes all that are
 * noted at once. `request` NULL: memory is out. */
void gpu_node_want_call(const struct composite_context *c, const struct cloud_operation *op,
                        const struct value *request);
int gpu_node_answer_call(const struct composite_context *c, const struct cloud_operation *op,
                         const struct value *request, const struct gpu_node_lookup **ret);

/* ---- gpu_node_tags.c: what the instance says of itself ---- */

/* The tags of the instance: llm:models, llm:served, llm:runtime, llm:context, llm:settings, each
 * cut into pieces of 256 characters (llm:models-2 …). NULL when memory is out. */
const struct value *gpu_node_tags(struct arena *a, const struct value *config,
                                  const struct gpu_node_models *models);

/* The configuration that such tags stand for, on top of `config` (an object of the schema's type).
 */
const struct value *gpu_node_config_of_tags(struct arena *a, const struct value *config,
                                            const struct value *tags);

/* Of the tags of an instance the user's own: not those with our prefix ("llm:"), not the cloud's,
 * and not the provider's default ones. NULL: none. */
const struct value *gpu_node_user_tags(const struct composite_context *c, const struct value *tags,
                                       const char *prefix);

/* ---- gpu_node_script.c ---- */

/* Fills the @@name@@ places of a script with quoted values. 0 or -1. */
int gpu_node_render(struct buf *out, const char *script, const char *const (*values)[2],
                    size_t count);

/* A list of strings with commas between, owned by `a`. */
const char *gpu_node_join(struct arena *a, const struct value *list);

/* ---- gpu_node_outputs.c, gpu_node_placement.c: hooks that are the same on every cloud ---- */

int gpu_node_outputs(const struct composite_context *c, const struct value *derived,
                     const struct value *planned, const struct records *records,
                     const struct engine_changes *changes, const struct value **ret);
int gpu_node_hooks_new(const struct composite_context *c, const struct value *derived,
                       struct engine_hooks *ret);

#endif

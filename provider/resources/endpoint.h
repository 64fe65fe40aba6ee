/* What the files of llm_endpoint share: its configuration as the hooks see it, and the table of
 * what each target (SageMaker, Vertex AI, a cluster) does its own way. */
#ifndef LLM_RESOURCES_ENDPOINT_H
#define LLM_RESOURCES_ENDPOINT_H

#include "resources/composite.h"
#include "resources/config.h"
#include "resources/derived.h"
#include "resources/fit.h"
#include "resources/outputs.h"

extern const struct composite composite_endpoint;

#define ENDPOINT_TYPE "llm_endpoint"
#define ENDPOINT_VARIANT "main" /* the variant that there is without `variants` */

enum {
    ENDPOINT_VARIANTS_MOST = 10,
    ENDPOINT_VARIANT_NAME_MOST = 13, /* so that names made of it stay below 64 characters */
    ENDPOINT_ADAPTER_NAME_MOST = 40,
    ENDPOINT_CONTEXT = 8192,
    ENDPOINT_STARTUP_S = 1800,
};

/* ---- endpoint_read.c: what is to be served ---- */

/* What the container is, and so which settings it understands. OWN: an image that nothing is known
 * of. */
enum endpoint_stack { ENDPOINT_OWN, ENDPOINT_VLLM, ENDPOINT_TGI, ENDPOINT_DJL_LMI };

/* Where the weights come from. IMAGE: they are in the container's image. */
enum endpoint_source { ENDPOINT_HUB, ENDPOINT_S3, ENDPOINT_GCS, ENDPOINT_IMAGE };

struct endpoint_model {
    enum endpoint_source source;
    const char *id;                    /* "ORG/NAME" of Hugging Face, the URI, or the image */
    const char *revision;              /* of the hub; NULL: the newest */
    const struct catalog_model *known; /* of the catalogue; NULL: it does not have it */
    bool sized;                        /* whether `fit` says what it needs */
    struct fit_model fit;
};

/* How many instances (copies, pods) there are. */
struct endpoint_scale {
    int64_t min, max;
    int64_t target_invocations, target_gpu_percent; /* 0: no such target */
    int64_t in_cooldown_s, out_cooldown_s;
    bool scales;  /* there is a target, and room between min and max */
    bool to_zero; /* min is 0 */
};

struct endpoint_variant {
    struct slice name;
    const struct path *at;     /* in the configuration; NULL: the one without `variants` */
    bool known;                /* false: something that decides about its making is unknown */
    int64_t weight, instances; /* instances: to begin with, or, without scaling, at all times */
    const char *model, *revision, *quantization;
    const char *machine_type;                           /* NULL: it is to be picked */
    const char *image;                                  /* NULL: the catalogue's */
    const struct value *environment, *more_environment; /* the endpoint's, its own; may be NULL */
    struct endpoint_scale scale;
};

struct endpoint_variants {
    bool known; /* false: which ones there are is unknown */
    struct endpoint_variant items[ENDPOINT_VARIANTS_MOST];
    size_t count;
};

/* "vllm", "tgi", "djl_lmi"; NULL for OWN. */
const char *endpoint_stack_name(enum endpoint_stack stack);
/* What a variant's container is; `model` is its model as written. */
enum endpoint_stack endpoint_stack_of(const struct value *config, const char *model,
                                      const char *image);
/* Reads `variants`, or the one that is there without it. Texts are those of the configuration. */
void endpoint_variants(struct arena *a, const struct value *config, struct endpoint_variants *ret);
/* Whether what decides about all variants on SageMaker and Vertex AI is known. */
bool endpoint_settled(const struct value *config);
/* Whether what decides about a variant is known, with its own environment. */
bool endpoint_variant_settled(const struct endpoint_variant *v);
/* What the model of a variant is, and what it needs with this quantization and context. 0, or -1
 * with an error at `at` (`diags` may be NULL: none is added). */
int endpoint_model(struct arena *a, const struct value *config, const struct endpoint_variant *v,
                   const struct path *at, struct endpoint_model *ret, struct diags *diags);
/* Tokens of context that are served. */
int64_t endpoint_context(const struct value *config, const struct endpoint_model *m);
/* Where an attribute of the endpoint, or the variant's own in its place, stands. */
const struct path *endpoint_variant_path(struct arena *a, const struct endpoint_variant *v,
                                         const char *name, const char *otherwise);
/* Where a variant's image stands: in its model, when that is an image, else in `image`. */
const struct path *endpoint_image_path(struct arena *a, const struct endpoint_variant *v);
/* The first 8 digits of the SHA-256 of a text: for names of what cannot change. Owned by `a`. */
const char *endpoint_digest(struct arena *a, const struct buf *text);

/* ---- endpoint_machine.c: which machine ---- */

struct endpoint_target;

/* Whether the model fits the machine, and on how many of its GPUs; true without figures. `gpus`:
 * how many it may use at most; 0: all. */
bool endpoint_fits(const struct endpoint_model *m, const struct catalog_machine *machine, int gpus,
                   struct fit_result *ret);
/* The machines of the target that hold the model, cheapest first (by the price of the plain
 * machine). Owned by `a`; NULL when memory is out. */
const struct catalog_machine **endpoint_machines(struct arena *a, const struct endpoint_target *t,
                                                 const struct endpoint_model *m, int gpus,
                                                 size_t *ret_count);
/* Checks the machine that a variant names, or that there is one to be picked. 0 or -1. */
int endpoint_check_machine(struct arena *a, const struct endpoint_target *t,
                           const struct value *config, const struct endpoint_variant *v,
                           const struct endpoint_model *m, struct diags *diags);

/* ---- the targets ---- */

/* One derive at work. */
struct endpoint_derivation {
    const struct composite_context *c;
    const struct endpoint_target *target;
    struct arena *a;
    const struct value *config;
    const char *name; /* NULL: unknown */
    struct endpoint_variants variants;
    struct derived out;
};

/* Puts a member of `$derived`. */
void endpoint_put(struct endpoint_derivation *d, const char *name, const struct value *v);
const struct value *endpoint_unknown(struct endpoint_derivation *d);
/* Whether an attribute is set (`set`), or is not; unknown while that is unknown. */
const struct value *endpoint_if_set(struct endpoint_derivation *d, const char *name, bool set);
struct endpoint_target {
    const char *cloud;        /* "aws"; NULL: any */
    const char *target;       /* "managed" */
    const char *title;        /* "SageMaker" */
    const char *image_target; /* of the catalogue's images: "sagemaker"; NULL: it has none */
    const char *claimed;      /* as in struct composite: the component "endpoint", or another one */

    /* The machine of the catalogue behind a type as the target calls it; NULL: not known. */
    const struct catalog_machine *(*machine)(const char *cloud, struct slice type);
    /* The other way round; NULL: the target does not have it. */
    const char *(*machine_type)(const struct catalog_machine *machine);

    /* Attributes whose change makes another endpoint here; NULL-terminated, or NULL: none. */
    const char *const *fixed;

    /* Checks beyond those that hold everywhere; unknowns are passed over. 0 or -1. */
    int (*validate)(struct arena *a, const struct value *config,
                    const struct endpoint_variants *variants, struct diags *diags);
    /* Puts what the target's components need; `configuration` is there already. 0, or -1 with a
     * diagnostic. */
    int (*derive)(struct endpoint_derivation *d);
    /* As in struct composite; `hooks_new` and `inner_cloud` may be NULL. */
    int (*check)(const struct composite_context *c, const struct engine_changes *changes,
                 const struct value *derived);
    int (*inner_cloud)(const struct composite_context *c, struct engine_cloud *ret);
    int (*hooks_new)(const struct composite_context *c, const struct value *derived,
                     struct engine_hooks *ret);
    int (*describe)(const struct composite_context *c, const struct records *found,
                    const struct value **ret);
    /* Sets all computed attributes but `components` and `region`. */
    void (*outputs)(const struct composite_context *c, const struct value *derived,
                    struct outputs *o);
};

/* ---- endpoint_choose.c: image and machine of each variant ---- */

/* A member of `$derived.choices`; what is NULL is unknown. */
struct value_member endpoint_choice(struct endpoint_derivation *d, const struct endpoint_variant *v,
                                    const char *image, const char *machine_type);
/* What an earlier apply has decided for a variant ("image", "machine_type"), which stays while it
 * still fits: from this operation's plan, or else the state. NULL: nothing. */
const char *endpoint_decided(const struct composite_context *c, struct slice variant,
                             const char *what);
/* The user's image, the one that was decided before, or the catalogue's newest of the target's.
 * NULL: the catalogue has none of this stack and version, or none for the region. */
const char *endpoint_image(struct endpoint_derivation *d, const struct endpoint_variant *v,
                           const struct endpoint_model *m, enum endpoint_stack stack,
                           const char *region);
/* One machine of a list, which is cheapest first; NULL: none of them can be had. */
typedef const struct catalog_machine *
endpoint_offered(void *self, const struct catalog_machine *const *list, size_t count);
/* The machine type that was decided before while it still holds the model; else what `offered` says
 * of those that do, or the cheapest. `gpus` as in endpoint_fits(). NULL: none is known. */
const char *endpoint_pick_machine(struct endpoint_derivation *d, const struct endpoint_variant *v,
                                  const struct endpoint_model *m, int gpus,
                                  endpoint_offered *offered, void *self);

extern const struct endpoint_target endpoint_aws;
extern const struct endpoint_target endpoint_gcp;
extern const struct endpoint_target endpoint_cluster;

/* NULL: there is no such target, or one of the two is NULL. */
const struct endpoint_target *endpoint_target(const char *cloud, const char *target);
/* Of a configuration; NULL while it is not known. */
const struct endpoint_target *endpoint_target_of(const struct value *config);

/* ---- endpoint_validate.c ---- */

int endpoint_validate(struct arena *a, const struct value *config, struct diags *diags);
/* Whether it is known what the container is. */
bool endpoint_container_known(const struct value *config);
/* ---- endpoint.c: the configuration as it is kept for an import ---- */

/* `config` (with cloud, region, target and name) with what the text of `$derived.configuration`
 * says. NULL with a diagnostic. */
const struct value *endpoint_configuration_of(const struct composite_context *c, struct slice text);

#endif

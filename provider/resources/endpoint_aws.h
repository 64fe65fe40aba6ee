/* What the files of llm_endpoint on SageMaker share. */
#ifndef LLM_RESOURCES_ENDPOINT_AWS_H
#define LLM_RESOURCES_ENDPOINT_AWS_H

#include "resources/aws.h"
#include "resources/endpoint.h"
#include "resources/gpu_node.h"

enum {
    ENDPOINT_AWS_NAME_MOST = 63, /* of what SageMaker has */
    ENDPOINT_AWS_ROLE_MOST = 64,
    ENDPOINT_AWS_TAG_PIECES = 15, /* of the configuration in the endpoint's tags */
};

#define ENDPOINT_AWS_TAG "llm:configuration"

/* Names of what is made; each is NULL when memory is out. Owned by `a`. */
struct endpoint_aws_names {
    const char *role, *secret, *log_group, *base;
};

/* A variant as it is made. */
struct endpoint_aws_variant {
    const struct endpoint_variant *v;
    struct endpoint_model model;
    enum endpoint_stack stack;
    const char *machine_type;              /* NULL: not known yet */
    const struct catalog_machine *machine; /* NULL: the catalogue does not have it */
    const char *image;                     /* NULL: not known yet */
    int gpus;                              /* that a copy of the model uses; 0: not known */
    const char *model_name;                /* of the SageMaker model; NULL: not known yet */
};

/* What all files ask about one derivation. */
struct endpoint_aws {
    struct endpoint_derivation *d;
    const char *region, *partition, *account; /* NULL: not known */
    struct endpoint_aws_names names;          /* as soon as name and region are known */
    /* Whether the model is an inference component, which adapters and scaling to zero need. */
    bool components;
    bool known; /* whether it is known what is made */
    struct endpoint_aws_variant items[ENDPOINT_VARIANTS_MOST];
    size_t count;
};

/* ---- endpoint_aws_derive.c ---- */

/* 0, or -1 with an error at `name` for one that is too long. */
int endpoint_aws_names(struct arena *a, const char *name, const char *region,
                       struct endpoint_aws_names *ret, struct diags *diags);
/* Whether adapters or scaling to zero are configured; false while that is not known. */
bool endpoint_aws_has_components(const struct value *config);
/* Whether a machine type has disks of its own, which take neither a size nor a key. */
bool endpoint_aws_has_disks(struct slice type);

/* Whether an image is in ECR; SageMaker reaches other registries through the user's network only.
 */
bool endpoint_aws_is_ecr(const char *image);

/* ---- endpoint_aws_model.c: models and the configuration ---- */

/* Puts `models`, and sets the names of the variants' models. 0, or -1 when memory is out. */
int endpoint_aws_models(struct endpoint_aws *e);
/* Puts `configs` and `endpoint`. */
void endpoint_aws_configs(struct endpoint_aws *e);

/* ---- endpoint_aws_policy.c ---- */

/* The rights of the execution role. */
const struct value *endpoint_aws_policy(struct endpoint_aws *e);

/* ---- endpoint_aws_scaling.c: how many, and how a change rolls out ---- */

/* Puts `weights`, `instance_counts`, `targets`, `policies` and `wake`. */
void endpoint_aws_scaling(struct endpoint_aws *e);
/* Puts `alarms` and `deployment`. */
void endpoint_aws_rollout(struct endpoint_aws *e);
/* Seconds that a roll waits between and after its steps, of a configuration whose `rollout` is
 * known. */
int64_t endpoint_aws_rollout_s(const struct value *config);
enum { ENDPOINT_AWS_ROLLOUT_MOST_S = 28800 }; /* MaximumExecutionTimeoutInSeconds */
/* The deployment of an inference component. NULL: memory is out. */
const struct value *endpoint_aws_component_rollout(struct endpoint_aws *e);
/* Copies of the model that an instance has room for; at least 1. */
int64_t endpoint_aws_copies_per_instance(const struct endpoint_aws_variant *x);

/* ---- endpoint_aws_lookups.c: what a plan asks of AWS ---- */

/* The quota "TYPE for endpoint usage", in instances; -1: the region does not list the type, -2: it
 * could not be asked. *ret_error: why not (class NONE: nobody asked), may be NULL. */
double endpoint_aws_quota(const struct composite_context *c, const char *machine_type);

/* ---- endpoint_aws_check.c ---- */

/* Whether there is something at an s3:// URI; others are not looked at, nor what may not be seen.
 * 0, or -1 with an error at `at`. */
int endpoint_aws_check_artifact(const struct composite_context *c, const char *uri,
                                const struct path *at);
/* Whether an image of the account's registry in the region is there; others (NULL: none) are not
 * looked at. 0, or -1 with an error at `at`. */
int endpoint_aws_check_image(const struct composite_context *c, const char *image,
                             const struct path *at);

/* ---- the hooks of struct endpoint_target ---- */

int endpoint_aws_validate(struct arena *a, const struct value *config,
                          const struct endpoint_variants *variants, struct diags *diags);
int endpoint_aws_derive(struct endpoint_derivation *d);
int endpoint_aws_check(const struct composite_context *c, const struct engine_changes *changes,
                       const struct value *derived);
int endpoint_aws_describe(const struct composite_context *c, const struct records *found,
                          const struct value **ret);
void endpoint_aws_outputs(const struct composite_context *c, const struct value *derived,
                          struct outputs *o);

#endif

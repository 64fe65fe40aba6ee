/* What the files of llm_endpoint on Vertex AI share. */
#ifndef LLM_RESOURCES_ENDPOINT_GCP_H
#define LLM_RESOURCES_ENDPOINT_GCP_H

#include "resources/endpoint.h"
#include "resources/gcp.h"
#include "resources/platform_cluster_gcp.h"

/* Names of what is made. The service account and the secret are unique in the project: name and
 * region are part of theirs. */
struct endpoint_gcp_names {
    const char *account_id;
    const char *secret;
    const char *title; /* in words */
};

/* One variant, worked out. */
struct endpoint_gcp_variant {
    const struct endpoint_variant *v;
    struct endpoint_model model;
    enum endpoint_stack stack;
    const char *image, *machine_type;    /* decided; NULL: not known */
    struct platform_gcp_machine machine; /* what the type stands for */
    int tensor_parallel;                 /* GPUs that share the weights; 0: it has none */
    int memory_gib;                      /* of the machine; 0: not known */
    bool googles;                        /* the image is Google's build of vLLM */
    const char *model_key, *model_name;  /* "main-1a2b3c4d", and with the endpoint's name */
    const char *deployed_key, *deployed_id;
};

/* One derive at work. */
struct endpoint_gcp {
    struct endpoint_derivation *d;
    const char *region, *project; /* NULL: not known */
    struct endpoint_gcp_names names;
    bool known;  /* all that decides about models is known */
    bool peered; /* it is in a network by peering, where there is one model and no split */
    struct endpoint_gcp_variant items[ENDPOINT_VARIANTS_MOST];
    size_t count;
};

/* ---- endpoint_gcp_derive.c ---- */

/* Owned by `a`; NULL members when memory is out. */
struct endpoint_gcp_names endpoint_gcp_names(struct arena *a, const char *name, const char *region);
/* "projects/P/secrets/S" of the token, whether it is made or named; NULL: there is none. */
const char *endpoint_gcp_secret(const struct endpoint_gcp *e);
/* The name that the API has for accelerators: "NVIDIA_L4" of "nvidia-l4". Owned by `a`. */
const char *endpoint_gcp_accelerator(struct arena *a, const char *accelerator);
/* The most and fewest replicas of a variant. */
void endpoint_gcp_replicas(const struct endpoint_variant *v, int64_t *ret_min, int64_t *ret_max);

/* ---- endpoint_gcp_model.c ---- */

/* Whether an image is Google's build of vLLM (the one in the catalogue, or a copy of it): it reads
 * models and adapters from GCS by itself. */
bool endpoint_gcp_is_googles(const char *image);
/* Puts "models", "deployed_models", "make_split", "split". 0, or -1: memory is out. */
int endpoint_gcp_models(struct endpoint_gcp *e);

/* ---- endpoint_gcp_check.c ---- */

/* The machines of the list (cheapest first) that the region has and the quota allows: the first of
 * them; NULL when none is, or nothing can be asked now. */
const struct catalog_machine *endpoint_gcp_offered(const struct endpoint_gcp *e,
                                                   const struct endpoint_gcp_variant *x,
                                                   const struct catalog_machine *const *list,
                                                   size_t count);

/* The endpoint's call, and the request for something in its location: project, location, `name`. */
extern const struct cloud_operation endpoint_gcp_get;
const struct value *endpoint_gcp_request(const struct composite_context *c, const char *name,
                                         const struct value *v);

/* Whether a folder in GCS has something in it; what is no gs:// URI is not looked at. 0 (with a
 * warning when it could not be asked), or -1 with an error at `at`. */
int endpoint_gcp_check_objects(const struct composite_context *c, const char *uri,
                               const struct path *at);
/* The same for an image in Artifact Registry; NULL: none. */
int endpoint_gcp_check_image(const struct composite_context *c, const char *image,
                             const struct path *at);

/* ---- the hooks of struct endpoint_target ---- */

int endpoint_gcp_validate(struct arena *a, const struct value *config,
                          const struct endpoint_variants *variants, struct diags *diags);
int endpoint_gcp_derive(struct endpoint_derivation *d);
int endpoint_gcp_check(const struct composite_context *c, const struct engine_changes *changes,
                       const struct value *derived);
int endpoint_gcp_describe(const struct composite_context *c, const struct records *found,
                          const struct value **ret);
void endpoint_gcp_outputs(const struct composite_context *c, const struct value *derived,
                          struct outputs *o);

#endif

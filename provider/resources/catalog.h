/* The catalogue: models as Ollama names them, and machines with GPUs. Const tables compiled from
 * schemas/catalog/ by resources/compiler; every entry has the date and the source of its figures.
 */
#ifndef LLM_RESOURCES_CATALOG_H
#define LLM_RESOURCES_CATALOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/slice.h"

#define CATALOG_GIB ((uint64_t)1 << 30)

/* One quantization of a model. */
struct catalog_variant {
    const char *quantization; /* "q4_K_M" */
    uint64_t bytes;           /* of the weights: on disk and in memory */
};

struct catalog_model {
    const char *name;             /* "llama3.1:8b" */
    bool latest;                  /* what the name without a tag means */
    uint64_t parameters;          /* how many */
    int layers, heads, kv_heads;  /* kv_heads 0: an encoder, which keeps no cache */
    int key_length, value_length; /* of one head */
    int window_layers;            /* layers that see only the last window_tokens */
    int64_t window_tokens;        /* 0 with window_layers 0 */
    int64_t context_max;          /* tokens that the model was made for */
    int64_t vocabulary;           /* tokens that it knows */
    const char *tag_prefix; /* "8b-instruct-": of the tags that name a quantization; or NULL */
    const struct catalog_variant *variants; /* the first one is what `name` means */
    size_t variant_count;
    const char *huggingface; /* repository for vLLM */
    uint64_t huggingface_bytes;
    bool gated; /* it is fetched with a token of somebody who has accepted its terms */
    const char *date, *source; /* "2025-10-01"; a URL */
};

struct catalog_gpu {
    const char *name;       /* "L4" */
    int memory_gib;         /* of one, as the cloud states it */
    int compute_capability; /* times ten: 89 for 8.9 */
    const char *date, *source;
};

/* The image that a machine starts from when the user names none. */
struct catalog_image {
    const char *name, *parameter; /* parameter: where the cloud publishes the newest one's id */
    const char *root_device;      /* NULL where the cloud names it itself */
    int root_gib;                 /* size of the root volume to ask for */
    const char *date, *source;
};

/* The quotas, in vCPUs (on GCP in GPUs), that a machine counts against. */
struct catalog_quota {
    const char *family;
    /* Code (on GCP the metric; NULL: the API does not tell it) and name. */
    const char *on_demand, *on_demand_name;
    const char *spot, *spot_name;
    const char *date, *source;
};

struct catalog_machine {
    const char *cloud; /* "aws" */
    const char *type;  /* "g6.xlarge"; with GPUs to attach "n1-standard-8+nvidia-tesla-t4:1" */
    const char *machine_type; /* the cloud's own: "n1-standard-8" */
    const char *accelerator;  /* on GCP: "nvidia-l4" */
    bool attached;            /* the accelerators are asked for beside the machine type */
    const char *disk_type;    /* on GCP: of its disks when none is named */
    const struct catalog_gpu *gpu;
    int gpu_count, vcpus, memory_gib;
    const char *architecture; /* "x86_64" */
    const struct catalog_quota *quota;
    const struct catalog_image *image;
    int64_t
        price_micros; /* 10^-6 USD per hour, on demand, in price_region; -1: not sold by the hour */
    const char *price_region;
    const char *date, *source; /* of the price */
};

/* The registry of an AWS region that has AWS' own images. */
struct catalog_registry {
    const char *region, *account;
};

/* A container image that serves models. */
struct catalog_serving_image {
    const char *stack;   /* "vllm", "tgi", "djl_lmi" */
    const char *target;  /* "sagemaker", "vertex", "cluster" */
    const char *version; /* of the stack; the newest stands first */
    const char *repository, *tag;
    const char *date, *source;
};

/* SageMaker's name of a machine: "ml.g5.xlarge" is "g5.xlarge". */
struct catalog_endpoint_type {
    const char *type, *machine;
};

extern const struct catalog_model catalog_models[];
extern const size_t catalog_model_count;
extern const struct catalog_machine catalog_machines[];
extern const size_t catalog_machine_count;
extern const struct catalog_registry catalog_registry_table[];
extern const size_t catalog_registry_count;
extern const struct catalog_serving_image catalog_serving_image_table[];
extern const size_t catalog_serving_image_count;
extern const struct catalog_endpoint_type catalog_endpoint_type_table[];
extern const size_t catalog_endpoint_type_count;

/* A model in one quantization. */
struct catalog_choice {
    const struct catalog_model *model;
    const struct catalog_variant *variant;
};

/* What an Ollama name stands for: "llama3.1", "llama3.1:latest", "llama3.1:8b" or
 * "llama3.1:8b-instruct-q8_0". True with *ret set, or false when the catalogue has no such model.
 */
bool catalog_find(struct slice name, struct catalog_choice *ret);

/* The name of the catalogue that is nearest to `name` (edit distance), or NULL when none is near.
 * Owned by `a`. */
const char *catalog_nearest(struct arena *a, struct slice name);

/* A machine by cloud (NULL: any) and type; NULL when there is none. */
const struct catalog_machine *catalog_machine(const char *cloud, struct slice type);

/* The machine type of `cloud` (NULL: any) that is nearest to `type`, or NULL. Owned by `a`. */
const char *catalog_nearest_machine(struct arena *a, const char *cloud, struct slice type);

/* The one of `names` that is nearest to `name`, or NULL. */
const char *catalog_nearest_of(const char *const *names, size_t count, struct slice name);

/* The image of a serving stack for `target` ("sagemaker", "vertex", "cluster"), in a version or
 * (NULL) the newest; NULL when the catalogue has none. */
const struct catalog_serving_image *catalog_serving_image(const char *target, struct slice stack,
                                                          const char *version);

/* Where the image is pulled from in `region` (of AWS; not looked at for Vertex AI):
 * "763104351884.dkr.ecr.us-east-1.amazonaws.com/vllm:…". NULL when the region has no registry of
 * AWS' images, or memory is out (arena_failed()). Owned by `a`. */
const char *catalog_serving_uri(struct arena *a, const struct catalog_serving_image *image,
                                const char *region);

/* The machine that SageMaker calls `type` ("ml.g5.xlarge"); NULL when the catalogue has none. */
const struct catalog_machine *catalog_endpoint_machine(struct slice type);

/* What SageMaker calls a machine of the catalogue; NULL when its endpoints do not have it. */
const char *catalog_endpoint_type(const struct catalog_machine *machine);

#endif

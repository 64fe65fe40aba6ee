/* Which machine holds which models: the arithmetic of docs/guides/fit.md.
 *
 * A model needs its weights, a key-value cache for the context, and on every GPU that works on it a
 * CUDA context and compute buffers. FIT_USABLE_PERCENT of a GPU's memory is counted as usable. */
#ifndef LLM_RESOURCES_FIT_H
#define LLM_RESOURCES_FIT_H

#include "resources/catalog.h"

enum fit_runtime { FIT_OLLAMA, FIT_VLLM };

#define FIT_USABLE_PERCENT 92
#define FIT_MAX_MODELS 17 /* 16 of the catalogue and a custom one */
#define FIT_MAX_GPUS 16
/* vLLM's kernels need bfloat16: compute capability 8.0. */
#define FIT_VLLM_CAPABILITY 80

/* What one model needs, in bytes. */
struct fit_model {
    const char *name;
    uint64_t weights;
    uint64_t cache;   /* key-value cache of the whole context */
    uint64_t per_gpu; /* CUDA context and buffers, on each GPU that takes part */
    uint64_t disk;
    int layers;          /* 0: not known (a custom model): split evenly */
    int heads, kv_heads; /* for tensor parallelism; 0: not known */
};

/* Bytes of key-value cache (two bytes per number) for `tokens` of context; more than the model was
 * made for counts as its maximum. */
uint64_t fit_cache_bytes(const struct catalog_model *m, int64_t tokens);

/* The needs of a model of the catalogue, or of one that its user describes. */
struct fit_model fit_model_of(const struct catalog_choice *c, enum fit_runtime runtime,
                              int64_t context_tokens);
struct fit_model fit_model_custom(const char *name, uint64_t memory_bytes, uint64_t disk_bytes);

/* What the model takes on the fullest of `gpus` GPUs that share it. */
uint64_t fit_share(const struct fit_model *m, enum fit_runtime runtime, int gpus);

/* What it takes on a single GPU: the figure that users compare. */
uint64_t fit_total(const struct fit_model *m);

struct fit_result {
    bool fits;
    const char *reason;             /* why not, a constant; NULL when it fits */
    const struct fit_model *failed; /* the model that found no room; NULL: none in particular */
    int gpus_used;                  /* GPUs that hold something */
    int tensor_parallel;            /* of vLLM; 1 otherwise */
    uint64_t needed;                /* of all models and all GPUs */
    uint64_t usable;                /* of all GPUs */
    uint64_t load[FIT_MAX_GPUS];    /* by GPU */
};

/* Places the models on the machine as the runtime does: Ollama puts a model on one GPU if one has
 * room, else spreads its layers over as few as possible, the largest model first; vLLM splits its
 * one model by heads over the GPUs. */
void fit_place(const struct catalog_machine *machine, const struct fit_model *models, size_t count,
               enum fit_runtime runtime, struct fit_result *ret);

/* The machines of `cloud` that hold the models, cheapest first (by price, vCPUs, type); those
 * without a price come last. Owned by `a`; NULL when memory is out. */
const struct catalog_machine **fit_machines(struct arena *a, const char *cloud,
                                            const struct fit_model *models, size_t count,
                                            enum fit_runtime runtime, size_t *ret_count);

/* GiB that the model files take on a volume: with a tenth for growth and 10 GiB for the rest, in
 * steps of 10, at least 30. */
int64_t fit_disk_gib(const struct fit_model *models, size_t count);

#endif

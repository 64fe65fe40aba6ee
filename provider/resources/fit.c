/* The fit arithmetic: needs of models, and their placement on a machine's GPUs. */
#include "resources/fit.h"

#include <stdlib.h>
#include <string.h>

#define MIB ((uint64_t)1 << 20)

enum {
    BYTES_PER_NUMBER = 2,    /* f16 key-value cache */
    CUDA_CONTEXT_MIB = 512,  /* context and cuBLAS workspace of one process on one GPU */
    BATCH_TOKENS = 512,      /* whose logits (4 bytes per token of the vocabulary) are kept */
    VLLM_RESERVE_MIB = 2048, /* CUDA graphs, activations and NCCL buffers */
};

static uint64_t layer_bytes(const struct catalog_model *m, int64_t tokens)
{
    return (uint64_t)tokens * (uint64_t)m->kv_heads * (uint64_t)(m->key_length + m->value_length) *
           BYTES_PER_NUMBER;
}

uint64_t fit_cache_bytes(const struct catalog_model *m, int64_t tokens)
{
    int64_t full = tokens < m->context_max ? tokens : m->context_max;
    int64_t window = full < m->window_tokens ? full : m->window_tokens;
    if (full < 0)
        return 0;
    return layer_bytes(m, full) * (uint64_t)(m->layers - m->window_layers) +
           layer_bytes(m, window) * (uint64_t)m->window_layers;
}

struct fit_model fit_model_of(const struct catalog_choice *c, enum fit_runtime runtime,
                              int64_t context_tokens)
{
    const struct catalog_model *m = c->model;
    bool vllm = runtime == FIT_VLLM;
    uint64_t logits = (uint64_t)m->vocabulary * BATCH_TOKENS * 4;
    struct fit_model f = {
        .name = m->name,
        .weights = vllm ? m->huggingface_bytes : c->variant->bytes,
        .cache = fit_cache_bytes(m, context_tokens),
        .per_gpu = CUDA_CONTEXT_MIB * MIB + (vllm ? VLLM_RESERVE_MIB * MIB : logits),
        .layers = m->layers,
        .heads = m->heads,
        .kv_heads = m->kv_heads,
    };
    f.disk = f.weights;
    return f;
}

struct fit_model fit_model_custom(const char *name, uint64_t memory_bytes, uint64_t disk_bytes)
{
    return (struct fit_model){.name = name, .weights = memory_bytes, .disk = disk_bytes};
}

/* What each GPU after the first costs a model whose needs are given as one figure. */
static uint64_t extra_per_gpu(const struct fit_model *m, int gpus)
{
    return m->layers || gpus == 1 ? m->per_gpu : CUDA_CONTEXT_MIB * MIB;
}

uint64_t fit_share(const struct fit_model *m, enum fit_runtime runtime, int gpus)
{
    uint64_t n = gpus > 0 ? (uint64_t)gpus : 1, body = m->weights + m->cache;
    if (runtime == FIT_VLLM && m->kv_heads) {
        /* Heads of the cache are copied when there are fewer of them than GPUs. */
        uint64_t cache_parts = m->kv_heads < gpus ? (uint64_t)m->kv_heads : n;
        return (m->weights + n - 1) / n + (m->cache + cache_parts - 1) / cache_parts + m->per_gpu;
    }
    if (m->layers && gpus > 1) {
        /* Whole layers, and the output layer as one more. */
        uint64_t parts = (uint64_t)m->layers + 1;
        return body / parts * ((parts + n - 1) / n) + m->per_gpu;
    }
    return (body + n - 1) / n + extra_per_gpu(m, gpus);
}

uint64_t fit_total(const struct fit_model *m)
{
    return m->weights + m->cache + m->per_gpu;
}

static uint64_t usable_bytes(const struct catalog_machine *machine)
{
    return (uint64_t)machine->gpu->memory_gib * CATALOG_GIB / 100 * FIT_USABLE_PERCENT;
}

static void fail(struct fit_result *r, const struct fit_model *m, const char *reason)
{
    r->fits = false;
    r->reason = reason;
    r->failed = m;
}

static void place_vllm(const struct catalog_machine *machine, const struct fit_model *models,
                       size_t count, struct fit_result *r)
{
    uint64_t usable = usable_bytes(machine);
    if (count != 1) {
        fail(r, NULL, "vLLM serves one model");
        return;
    }
    if (machine->gpu->compute_capability < FIT_VLLM_CAPABILITY) {
        fail(r, models, "vLLM needs GPUs of compute capability 8.0 or higher");
        return;
    }
    /* As many GPUs as the heads can be split over. */
    for (int n = machine->gpu_count; n >= 1; n--) {
        uint64_t share = fit_share(models, FIT_VLLM, n);
        if ((models->heads && models->heads % n) || (n & (n - 1)) || share > usable)
            continue;
        for (int g = 0; g < n; g++)
            r->load[g] = share;
        r->tensor_parallel = r->gpus_used = n;
        r->needed = share * (uint64_t)n;
        return;
    }
    r->needed = fit_total(models);
    fail(r, models, "not enough GPU memory");
}

/* GPUs with the most room first. */
static void order_by_load(const uint64_t *load, int count, int *ret_order)
{
    for (int i = 0; i < count; i++) {
        int k = i;
        for (; k > 0 && load[ret_order[k - 1]] > load[i]; k--)
            ret_order[k] = ret_order[k - 1];
        ret_order[k] = i;
    }
}

static bool place_one(const struct fit_model *m, int gpus, uint64_t usable, struct fit_result *r)
{
    int order[FIT_MAX_GPUS] = {0};
    order_by_load(r->load, gpus, order);
    for (int n = 1; n <= gpus; n++) {
        uint64_t share = fit_share(m, FIT_OLLAMA, n);
        if (r->load[order[n - 1]] + share > usable)
            continue;
        for (int g = 0; g < n; g++)
            r->load[order[g]] += share;
        return true;
    }
    return false;
}

static void place_ollama(const struct catalog_machine *machine, const struct fit_model *models,
                         size_t count, struct fit_result *r)
{
    const struct fit_model *sorted[FIT_MAX_MODELS];
    for (size_t i = 0; i < count; i++) {
        size_t k = i;
        for (; k > 0 && fit_total(sorted[k - 1]) < fit_total(&models[i]); k--)
            sorted[k] = sorted[k - 1];
        sorted[k] = &models[i];
    }
    for (size_t i = 0; i < count && r->fits; i++) {
        r->needed += fit_total(sorted[i]);
        if (!place_one(sorted[i], machine->gpu_count, usable_bytes(machine), r))
            fail(r, sorted[i], "not enough GPU memory");
    }
    for (int g = 0; g < machine->gpu_count; g++)
        r->gpus_used += r->load[g] > 0;
}

void fit_place(const struct catalog_machine *machine, const struct fit_model *models, size_t count,
               enum fit_runtime runtime, struct fit_result *ret)
{
    memset(ret, 0, sizeof(*ret));
    ret->fits = true;
    ret->tensor_parallel = 1;
    ret->usable = usable_bytes(machine) * (uint64_t)machine->gpu_count;
    if (count > FIT_MAX_MODELS || machine->gpu_count > FIT_MAX_GPUS)
        fail(ret, NULL, "too many models or GPUs");
    else if (runtime == FIT_VLLM)
        place_vllm(machine, models, count, ret);
    else
        place_ollama(machine, models, count, ret);
}

static int compare_machines(const void *x, const void *y)
{
    const struct catalog_machine *a = *(const struct catalog_machine *const *)x;
    const struct catalog_machine *b = *(const struct catalog_machine *const *)y;
    if ((a->price_micros < 0) != (b->price_micros < 0))
        return a->price_micros < 0 ? 1 : -1;
    if (a->price_micros != b->price_micros)
        return a->price_micros < b->price_micros ? -1 : 1;
    return a->vcpus != b->vcpus ? a->vcpus - b->vcpus : strcmp(a->type, b->type);
}

const struct catalog_machine **fit_machines(struct arena *a, const char *cloud,
                                            const struct fit_model *models, size_t count,
                                            enum fit_runtime runtime, size_t *ret_count)
{
    const struct catalog_machine **found =
        arena_calloc(a, catalog_machine_count + 1, sizeof(struct catalog_machine *));
    *ret_count = 0;
    for (size_t i = 0; found && i < catalog_machine_count; i++) {
        struct fit_result r;
        if (strcmp(catalog_machines[i].cloud, cloud) != 0)
            continue;
        fit_place(&catalog_machines[i], models, count, runtime, &r);
        if (r.fits)
            found[(*ret_count)++] = &catalog_machines[i];
    }
    if (found)
        qsort(found, *ret_count, sizeof(struct catalog_machine *), compare_machines);
    return found;
}

int64_t fit_disk_gib(const struct fit_model *models, size_t count)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < count; i++)
        bytes += models[i].disk;
    uint64_t gib = (bytes + bytes / 10 + CATALOG_GIB - 1) / CATALOG_GIB + 10;
    gib = (gib + 9) / 10 * 10;
    return gib < 30 ? 30 : (int64_t)gib;
}

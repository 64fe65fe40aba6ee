/* The fit arithmetic against figures that others have published or measured. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "resources/fit.h"

#define MIB ((uint64_t)1 << 20)

static struct catalog_choice find(const char *name)
{
    struct catalog_choice c = {NULL, NULL};
    if (!catalog_find(slice_str(name), &c))
        fail_msg("\"%s\" is not found", name);
    return c;
}

static const struct catalog_machine *machine(const char *type)
{
    const struct catalog_machine *m = catalog_machine("aws", slice_str(type));
    if (!m)
        fail_msg("\"%s\" is not found", type);
    return m;
}

/* Hugging Face, "Llama 3.1 - 405B, 70B & 8B with multilinguality and long context", table "KV cache
 * size" (the 8B and 70B rows, FP16); Ollama's own log lines "memory.required.kv" (ollama/ollama
 * issues 9362 and 10810); llama.cpp's "KV self size" for Llama 3 8B. */
static void cache_as_published(void **state)
{
    (void)state;
    static const struct {
        const char *model;
        int64_t tokens;
        double gib;
    } cases[] = {
        {"llama3.1:8b", 1024, 0.125},       {"llama3.1:8b", 16000, 1.95},
        {"llama3.1:8b", 128000, 15.62},     {"llama3.1:70b", 1024, 0.313},
        {"llama3.1:70b", 16000, 4.88},      {"llama3.1:70b", 128000, 39.06},
        {"llama3:8b", 8192, 1.0},           {"deepseek-r1:1.5b", 8192, 224.0 / 1024},
        {"qwen3:235b", 4096, 752.0 / 1024}, {"llama2:7b", 4096, 2.0},
        {"qwen2.5:7b", 8192, 448.0 / 1024},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        double gib = (double)fit_cache_bytes(find(cases[i].model).model, cases[i].tokens) /
                     (double)CATALOG_GIB;
        if (gib < cases[i].gib - 0.006 || gib > cases[i].gib + 0.006)
            fail_msg("%s, %lld tokens: %.3f GiB, published %.3f", cases[i].model,
                     (long long)cases[i].tokens, gib, cases[i].gib);
    }
}

static void cache_stops_at_the_models_context_and_windows(void **state)
{
    (void)state;
    const struct catalog_model *llama2 = find("llama2:7b").model;
    assert_int_equal(fit_cache_bytes(llama2, 100000), fit_cache_bytes(llama2, 4096));
    /* DeepSeek V3: llama.cpp reports n_embd_k_gqa = 24576 and n_embd_v_gqa = 16384. */
    assert_int_equal(fit_cache_bytes(find("deepseek-v3").model, 1), 61 * (24576 + 16384) * 2);
    /* Gemma 3 27B: 10 global layers and 52 of 1,024 tokens. */
    uint64_t per_layer = 8192; /* 16 heads of 128 + 128, two bytes each */
    assert_int_equal(fit_cache_bytes(find("gemma3:27b").model, 8192),
                     per_layer * (10 * 8192 + 52 * 1024));
    assert_int_equal(fit_cache_bytes(find("gemma3:27b").model, 512), per_layer * 62 * 512);
    assert_int_equal(fit_cache_bytes(find("nomic-embed-text").model, 8192), 0);
}

/* Sizes of files and checkpoints: llama.cpp's quantize README (Llama 3.1 8B), Ollama's tags of
 * llama3.3, and "model size" lines of llama.cpp's log; GB are 10^9 bytes. */
static void weights_as_published(void **state)
{
    (void)state;
    static const struct {
        const char *model;
        double gb, tolerance;
    } cases[] = {
        {"llama3.1:8b", 4.58 * 1.073742, 0.03},
        {"llama3.1:8b-instruct-q8_0", 7.95 * 1.073742, 0.01},
        {"llama3.1:8b-instruct-fp16", 14.96 * 1.073742, 0.01},
        {"llama3.3:70b", 43, 0.01},
        {"llama3.3:70b-instruct-q8_0", 75, 0.01},
        {"llama3.3:70b-instruct-fp16", 141, 0.01},
        {"llama3:70b", 37.22 * 1.073742, 0.01},
        {"qwen3:235b", 132.3 * 1.073742, 0.01},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        double gb = (double)find(cases[i].model).variant->bytes / 1e9;
        if (gb < cases[i].gb * (1 - cases[i].tolerance) ||
            gb > cases[i].gb * (1 + cases[i].tolerance))
            fail_msg("%s: %.2f GB, published %.2f", cases[i].model, gb, cases[i].gb);
    }
}

static bool fits(const char *type, enum fit_runtime runtime, int64_t tokens,
                 const char *const *names, struct fit_result *r)
{
    struct fit_model models[FIT_MAX_MODELS];
    size_t count = 0;
    for (; names[count]; count++) {
        struct catalog_choice c = find(names[count]);
        models[count] = fit_model_of(&c, runtime, tokens);
    }
    fit_place(machine(type), models, count, runtime, r);
    return r->fits;
}

static bool one_fits(const char *type, enum fit_runtime runtime, int64_t tokens, const char *name)
{
    const char *const names[] = {name, NULL};
    struct fit_result r;
    return fits(type, runtime, tokens, names, &r);
}

/* What is known to work, and what is known not to. OpenAI: gpt-oss-20b runs within 16 GB,
 * gpt-oss-120b on one 80 GB GPU. Google: Gemma 3 27B in bfloat16 takes 54 GB. Meta: Llama 3.1 8B
 * in FP16 takes 16 GB, 70B 140 GB. */
static void machines_as_known(void **state)
{
    (void)state;
    assert_true(one_fits("g4dn.xlarge", FIT_OLLAMA, 8192, "llama3.1:8b"));
    assert_true(one_fits("g4dn.xlarge", FIT_OLLAMA, 8192, "gpt-oss:20b"));
    assert_true(one_fits("p5.4xlarge", FIT_OLLAMA, 8192, "gpt-oss:120b"));
    assert_true(one_fits("p5.4xlarge", FIT_VLLM, 8192, "gpt-oss:120b"));
    assert_false(one_fits("g6e.xlarge", FIT_OLLAMA, 8192, "gpt-oss:120b"));
    assert_false(one_fits("g5.xlarge", FIT_OLLAMA, 8192, "llama3.3:70b"));
    assert_true(one_fits("g5.12xlarge", FIT_OLLAMA, 8192, "llama3.3:70b"));
    assert_true(one_fits("g6e.xlarge", FIT_OLLAMA, 8192, "llama3.3:70b"));
    assert_false(one_fits("g6e.xlarge", FIT_OLLAMA, 16384, "llama3.3:70b"));
    assert_true(one_fits("g6e.12xlarge", FIT_OLLAMA, 8192, "llama3.3:70b-instruct-fp16"));
    assert_true(one_fits("g5.xlarge", FIT_VLLM, 8192, "llama3.1:8b"));
    assert_false(one_fits("g6e.xlarge", FIT_VLLM, 8192, "gemma3:27b"));
    assert_true(one_fits("p5.4xlarge", FIT_VLLM, 8192, "gemma3:27b"));
    assert_false(one_fits("p4d.24xlarge", FIT_OLLAMA, 8192, "deepseek-r1:671b"));
    assert_true(one_fits("p4de.24xlarge", FIT_OLLAMA, 8192, "deepseek-r1:671b"));
    assert_false(one_fits("p5.48xlarge", FIT_VLLM, 8192, "deepseek-r1:671b"));
    assert_true(one_fits("p5en.48xlarge", FIT_VLLM, 8192, "deepseek-r1:671b"));
    /* A context that is too long for the same card. */
    assert_true(one_fits("g5.xlarge", FIT_OLLAMA, 65536, "llama3.1:8b"));
    assert_false(one_fits("g4dn.xlarge", FIT_OLLAMA, 131072, "llama3.1:8b"));
}

static void spreads_layers_over_few_gpus(void **state)
{
    (void)state;
    struct fit_result r;
    const char *const big[] = {"llama3.3:70b", NULL};
    assert_true(fits("g5.12xlarge", FIT_OLLAMA, 8192, big, &r));
    assert_int_equal(r.gpus_used, 3);
    struct catalog_choice c = find("llama3.3:70b");
    struct fit_model m = fit_model_of(&c, FIT_OLLAMA, 8192);
    /* 81 parts over 3 GPUs: 27 each. */
    assert_int_equal(r.load[0], (m.weights + m.cache) / 81 * 27 + m.per_gpu);
    assert_int_equal(r.load[3], 0);
    assert_int_equal(r.needed, fit_total(&m));
}

static void several_models_share_the_gpus(void **state)
{
    (void)state;
    struct fit_result r;
    const char *const two[] = {"llama3.1:8b", "qwen2.5:14b", NULL};
    assert_true(fits("g5.xlarge", FIT_OLLAMA, 8192, two, &r));
    assert_int_equal(r.gpus_used, 1);
    assert_false(fits("g4dn.xlarge", FIT_OLLAMA, 8192, two, &r));
    assert_string_equal(r.reason, "not enough GPU memory");
    assert_string_equal(r.failed->name, "llama3.1:8b"); /* the larger one was placed first */
    assert_true(fits("g4dn.12xlarge", FIT_OLLAMA, 8192, two, &r));
    assert_int_equal(r.gpus_used, 2); /* on the emptiest one each */
}

static void vllm_serves_one_model_on_new_gpus(void **state)
{
    (void)state;
    struct fit_result r;
    const char *const two[] = {"llama3.1:8b", "qwen2.5:7b", NULL};
    assert_false(fits("p5.48xlarge", FIT_VLLM, 8192, two, &r));
    assert_string_equal(r.reason, "vLLM serves one model");
    const char *const one[] = {"qwen2.5:7b", NULL};
    assert_false(fits("g4dn.12xlarge", FIT_VLLM, 8192, one, &r));
    assert_non_null(strstr(r.reason, "compute capability"));
    /* 28 heads: over 4 of 8 GPUs. */
    assert_true(fits("g5.48xlarge", FIT_VLLM, 8192, one, &r));
    assert_int_equal(r.tensor_parallel, 4);
    const char *const llama[] = {"llama3.3:70b", NULL};
    assert_true(fits("g6e.48xlarge", FIT_VLLM, 8192, llama, &r));
    assert_int_equal(r.tensor_parallel, 8);
}

static void custom_models_count_as_said(void **state)
{
    (void)state;
    struct fit_model m = fit_model_custom("mine", 22 * CATALOG_GIB, 15 * CATALOG_GIB);
    struct fit_result r;
    assert_int_equal(fit_total(&m), 22 * CATALOG_GIB);
    fit_place(machine("g5.xlarge"), &m, 1, FIT_OLLAMA, &r);
    assert_true(r.fits); /* 24 GiB * 0.92 = 22.08 */
    m.weights += 100 * MIB;
    fit_place(machine("g5.xlarge"), &m, 1, FIT_OLLAMA, &r);
    assert_false(r.fits);
    fit_place(machine("g5.12xlarge"), &m, 1, FIT_OLLAMA, &r);
    assert_true(r.fits);
    assert_int_equal(r.load[0], (m.weights + 1) / 2 + 512 * MIB);
    fit_place(machine("g5.12xlarge"), &m, 1, FIT_VLLM, &r);
    assert_true(r.fits);
    assert_int_equal(r.tensor_parallel, 4);
}

static void cheapest_machines_first(void **state)
{
    struct arena *a = *state;
    struct catalog_choice c = find("llama3.1:8b");
    struct fit_model m = fit_model_of(&c, FIT_OLLAMA, 8192);
    size_t count = 0;
    const struct catalog_machine **found = fit_machines(a, "aws", &m, 1, FIT_OLLAMA, &count);
    assert_non_null(found);
    size_t of_aws = 0;
    for (size_t i = 0; i < catalog_machine_count; i++)
        of_aws += strcmp(catalog_machines[i].cloud, "aws") == 0;
    assert_int_equal(count, of_aws);
    assert_string_equal(found[0]->type, "g4dn.xlarge");
    assert_string_equal(found[1]->type, "g4dn.2xlarge");
    assert_string_equal(found[2]->type, "g6.xlarge");
    for (size_t i = 1; i < count; i++)
        assert_true(found[i]->price_micros < 0 ||
                    (found[i - 1]->price_micros >= 0 &&
                     found[i - 1]->price_micros <= found[i]->price_micros));
    assert_string_equal(found[count - 1]->type, "p5e.48xlarge");
    assert_non_null(fit_machines(a, "gcp", &m, 1, FIT_OLLAMA, &count));
    assert_true(count > 0);
    fit_machines(a, "azure", &m, 1, FIT_OLLAMA, &count);
    assert_int_equal(count, 0);
    m = fit_model_custom("huge", 5000 * CATALOG_GIB, CATALOG_GIB);
    fit_machines(a, "aws", &m, 1, FIT_OLLAMA, &count);
    assert_int_equal(count, 0);
}

static void disk_has_room_to_spare(void **state)
{
    (void)state;
    struct catalog_choice small = find("llama3.1:8b"), big = find("llama3.3:70b");
    struct fit_model models[] = {fit_model_of(&small, FIT_OLLAMA, 8192),
                                 fit_model_of(&big, FIT_OLLAMA, 8192)};
    assert_int_equal(fit_disk_gib(models, 1), 30);
    assert_int_equal(fit_disk_gib(models, 2), 60); /* 4.9 + 43 GB = 44.6 GiB, and 10 % + 10 */
    models[0] = fit_model_of(&small, FIT_VLLM, 8192);
    assert_int_equal(fit_disk_gib(models, 1), 30); /* 16.06 GB = 15 GiB */
}

static int set_up(void **state)
{
    *state = arena_new();
    return *state ? 0 : -1;
}

static int tear_down(void **state)
{
    arena_free(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cache_as_published),
        cmocka_unit_test(cache_stops_at_the_models_context_and_windows),
        cmocka_unit_test(weights_as_published),
        cmocka_unit_test(machines_as_known),
        cmocka_unit_test(spreads_layers_over_few_gpus),
        cmocka_unit_test(several_models_share_the_gpus),
        cmocka_unit_test(vllm_serves_one_model_on_new_gpus),
        cmocka_unit_test(custom_models_count_as_said),
        cmocka_unit_test(cheapest_machines_first),
        cmocka_unit_test(disk_has_room_to_spare),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

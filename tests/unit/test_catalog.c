/* The catalogue: names as Ollama writes them, suggestions, and the consistency of its facts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "resources/catalog.h"

static struct catalog_choice find(const char *name)
{
    struct catalog_choice c = {NULL, NULL};
    if (!catalog_find(slice_str(name), &c))
        fail_msg("\"%s\" is not found", name);
    return c;
}

static void names_as_ollama_writes_them(void **state)
{
    (void)state;
    static const struct {
        const char *name, *model, *quantization;
    } cases[] = {
        {"llama3.1", "llama3.1:8b", "q4_K_M"},
        {"llama3.1:latest", "llama3.1:8b", "q4_K_M"},
        {"llama3.1:8b", "llama3.1:8b", "q4_K_M"},
        {"llama3.1:70b", "llama3.1:70b", "q4_K_M"},
        {"llama3.1:8b-instruct-q8_0", "llama3.1:8b", "q8_0"},
        {"llama3.1:70b-instruct-fp16", "llama3.1:70b", "fp16"},
        {"llama3.3", "llama3.3:70b", "q4_K_M"},
        {"mistral", "mistral:7b", "q4_K_M"},
        {"mixtral:8x7b", "mixtral:8x7b", "q4_0"},
        {"qwen2.5", "qwen2.5:7b", "q4_K_M"},
        {"qwen2.5-coder:32b", "qwen2.5-coder:32b", "q4_K_M"},
        {"qwen3:30b", "qwen3:30b", "q4_K_M"},
        {"gemma2:27b", "gemma2:27b", "q4_0"},
        {"gemma3:27b-it-q8_0", "gemma3:27b", "q8_0"},
        {"deepseek-r1:70b", "deepseek-r1:70b", "q4_K_M"},
        {"phi3", "phi3:3.8b", "q4_0"},
        {"phi4", "phi4:14b", "q4_K_M"},
        {"gpt-oss", "gpt-oss:20b", "mxfp4"},
        {"gpt-oss:120b", "gpt-oss:120b", "mxfp4"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct catalog_choice c = find(cases[i].name);
        assert_string_equal(c.model->name, cases[i].model);
        assert_string_equal(c.variant->quantization, cases[i].quantization);
    }
}

static void wrong_names_are_not_found(void **state)
{
    (void)state;
    static const char *const names[] = {"",
                                        ":",
                                        "llama3.1:",
                                        "llama3.1:9b",
                                        "llama",
                                        "llama3.1:8b-instruct-q9",
                                        "LLAMA3.1",
                                        "llama3.1:8b:8b",
                                        "llama3.1:8b-instruct-",
                                        "gpt-oss:20b-fp16"};
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        struct catalog_choice c;
        if (catalog_find(slice_str(names[i]), &c))
            fail_msg("\"%s\" is found", names[i]);
    }
}

static void suggests_the_nearest_name(void **state)
{
    static const struct {
        const char *wrong, *right;
    } cases[] = {
        {"lama3.1:8b", "llama3.1:8b"},
        {"llama3.1:8", "llama3.1:8b"},
        {"mistrall", "mistral"},
        {"qwen-2.5:7b", "qwen2.5:7b"},
        {"deepseek-r1:70", "deepseek-r1:70b"},
        {"gpt-oss:21b", "gpt-oss:20b"},
        {"phi4:huge", "phi4:14b"},
        {"gemma3:270x-something-long", "gemma3:4b"},
    };
    struct arena *a = *state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        const char *near = catalog_nearest(a, slice_str(cases[i].wrong));
        assert_non_null(near);
        assert_string_equal(near, cases[i].right);
    }
    assert_null(catalog_nearest(a, SLICE_LIT("completely-different")));
    assert_null(catalog_nearest(a, SLICE_LIT("")));
    char longest[200];
    memset(longest, 'x', sizeof(longest));
    assert_null(catalog_nearest(a, slice_from(longest, sizeof(longest))));
}

static void machines_by_type(void **state)
{
    struct arena *a = *state;
    const struct catalog_machine *m = catalog_machine("aws", SLICE_LIT("g6e.12xlarge"));
    assert_non_null(m);
    assert_string_equal(m->gpu->name, "L40S");
    assert_int_equal(m->gpu_count, 4);
    assert_int_equal(m->gpu->memory_gib, 48);
    assert_int_equal(m->vcpus, 48);
    assert_int_equal(m->price_micros, 10492640);
    assert_string_equal(m->quota->on_demand, "L-DB2E81BA");
    assert_string_equal(m->quota->spot, "L-3819A6DF");
    assert_string_equal(catalog_machine("aws", SLICE_LIT("p5.48xlarge"))->quota->spot,
                        "L-C4BD4855");
    assert_string_equal(catalog_machine("aws", SLICE_LIT("p4d.24xlarge"))->quota->spot,
                        "L-7212CCBC");
    assert_null(catalog_machine("gcp", SLICE_LIT("g6e.12xlarge")));
    assert_null(catalog_machine("aws", SLICE_LIT("g6e.13xlarge")));
    assert_string_equal(catalog_nearest_machine(a, "aws", SLICE_LIT("g6e.13xlarge")),
                        "g6e.12xlarge");
    assert_null(catalog_nearest_machine(a, "aws", SLICE_LIT("n1-standard-8")));
    m = catalog_machine("gcp", SLICE_LIT("n1-standard-16+nvidia-tesla-t4:2"));
    assert_non_null(m);
    assert_true(m->attached);
    assert_string_equal(m->machine_type, "n1-standard-16");
    assert_string_equal(m->accelerator, "nvidia-tesla-t4");
    assert_int_equal(m->gpu_count, 2);
    m = catalog_machine(NULL, SLICE_LIT("a3-ultragpu-8g"));
    assert_non_null(m);
    assert_false(m->attached);
    assert_string_equal(m->machine_type, m->type);
    assert_string_equal(m->disk_type, "hyperdisk-balanced");
    assert_null(m->quota->on_demand);
    assert_string_equal(catalog_nearest_machine(a, NULL, SLICE_LIT("g2-standard-9")),
                        "g2-standard-96");
}

/* Every size of the families that the catalogue is to have. */
static void has_all_sizes(void **state)
{
    (void)state;
    static const struct {
        const char *family;
        int sizes, gpus;
    } cases[] = {{"g4dn.", 7, 17},       {"g5.", 8, 21},          {"g6.", 8, 21},
                 {"g6e.", 8, 21},        {"gr6.", 2, 2},          {"p3.", 3, 13},
                 {"p3dn.", 1, 8},        {"p4d.", 1, 8},          {"p4de.", 1, 8},
                 {"p5.", 2, 9},          {"p5e.", 1, 8},          {"p5en.", 1, 8},
                 {"n1-", 12, 31},        {"g2-", 8, 19},          {"a2-highgpu-", 4, 15},
                 {"a2-megagpu-", 1, 16}, {"a2-ultragpu-", 4, 15}, {"a3-highgpu-", 4, 15},
                 {"a3-megagpu-", 1, 8},  {"a3-ultragpu-", 1, 8},  {"a4-highgpu-", 1, 8}};
    size_t all = 0;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        int sizes = 0, gpus = 0;
        for (size_t k = 0; k < catalog_machine_count; k++) {
            const struct catalog_machine *m = &catalog_machines[k];
            if (strncmp(m->type, cases[i].family, strlen(cases[i].family)) == 0) {
                sizes++;
                gpus += m->gpu_count;
            }
        }
        assert_int_equal(sizes, cases[i].sizes);
        assert_int_equal(gpus, cases[i].gpus);
        all += (size_t)sizes;
    }
    assert_int_equal(all, catalog_machine_count);
}

/* A published size that is far from what parameters and quantization give is a slip of the pen;
 * small models and those with vision carry more. */
static void sizes_fit_the_parameters(void **state)
{
    (void)state;
    assert_true(catalog_model_count >= 40);
    for (size_t i = 0; i < catalog_model_count; i++) {
        const struct catalog_model *m = &catalog_models[i];
        double bits = (double)m->variants[0].bytes * 8 / (double)m->parameters;
        const char *q = m->variants[0].quantization;
        double low = strcmp(q, "fp16") == 0 ? 15.5 : strcmp(q, "q8_0") == 0 ? 8.3 : 4.2;
        double high = strcmp(q, "fp16") == 0 ? 16.5 : strcmp(q, "q8_0") == 0 ? 8.7 : 6.6;
        if (bits < low || bits > high)
            fail_msg("%s: %.2f bits per weight", m->name, bits);
        for (size_t k = 1; k < m->variant_count; k++)
            assert_true(m->variants[k].bytes > m->variants[k - 1].bytes);
        assert_true(m->window_layers <= m->layers);
    }
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

static void images_that_serve(void **state)
{
    static const struct {
        const char *target, *stack, *version, *region, *uri; /* uri NULL: there is none */
    } cases[] = {
        {"sagemaker", "djl_lmi", "0.36.0", "us-west-2",
         "763104351884.dkr.ecr.us-west-2.amazonaws.com/djl-inference:0.36.0-lmi27.0.0-cu130"},
        {"sagemaker", "djl_lmi", "0.33.0", "cn-north-1",
         "727897471807.dkr.ecr.cn-north-1.amazonaws.com.cn/djl-inference:0.33.0-lmi15.0.0-cu128"},
        {"sagemaker", "tgi", "3.3.6", "eu-south-1",
         "692866216735.dkr.ecr.eu-south-1.amazonaws.com/"
         "huggingface-pytorch-tgi-inference:2.7.0-tgi3.3.6-gpu-py311-cu124-ubuntu22.04"},
        {"sagemaker", "vllm", NULL, "us-gov-west-1",
         "442386744353.dkr.ecr.us-gov-west-1.amazonaws.com/"
         "vllm:0.28.0-gpu-py312-cu130-ubuntu24.04-sagemaker"},
        {"vertex", "vllm", NULL, "europe-west4",
         "us-docker.pkg.dev/vertex-ai/vertex-vision-model-garden-dockers/"
         "pytorch-vllm-serve:20251205_0916_RC01"},
        {"sagemaker", "vllm", NULL, "us-iso-east-1", NULL},
        {"cluster", "vllm", NULL, "us-west-2", "docker.io/vllm/vllm-openai:v0.27.1"},
        {"cluster", "tgi", "3.3.5", "us-west-2",
         "ghcr.io/huggingface/text-generation-inference:3.3.5"},
    };
    struct arena *a _cleanup_arena_ = arena_new();
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        const struct catalog_serving_image *image =
            catalog_serving_image(cases[i].target, slice_str(cases[i].stack), cases[i].version);
        assert_non_null(image);
        const char *uri = catalog_serving_uri(a, image, cases[i].region);
        if (!cases[i].uri)
            assert_null(uri);
        else
            assert_string_equal(uri, cases[i].uri);
    }
    assert_string_equal(catalog_serving_image("sagemaker", slice_str("djl_lmi"), NULL)->version,
                        "0.36.0");
    assert_null(catalog_serving_image("sagemaker", slice_str("vllm"), "0.1.0"));
    assert_null(catalog_serving_image("vertex", slice_str("tgi"), NULL));
}

static void machines_of_endpoints(void **state)
{
    (void)state;
    assert_string_equal(catalog_endpoint_machine(slice_str("ml.g5.12xlarge"))->type, "g5.12xlarge");
    assert_null(catalog_endpoint_machine(slice_str("g5.12xlarge")));
    assert_null(catalog_endpoint_machine(slice_str("ml.m5.large")));
    assert_string_equal(catalog_endpoint_type(catalog_machine("aws", slice_str("p4d.24xlarge"))),
                        "ml.p4d.24xlarge");
    assert_null(catalog_endpoint_type(catalog_machine("aws", slice_str("g4dn.metal"))));
    assert_null(catalog_endpoint_type(catalog_machine("gcp", slice_str("g2-standard-4"))));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_as_ollama_writes_them),
        cmocka_unit_test(wrong_names_are_not_found),
        cmocka_unit_test(images_that_serve),
        cmocka_unit_test(machines_of_endpoints),
        cmocka_unit_test(suggests_the_nearest_name),
        cmocka_unit_test(machines_by_type),
        cmocka_unit_test(has_all_sizes),
        cmocka_unit_test(sizes_fit_the_parameters),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

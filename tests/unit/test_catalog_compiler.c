/* The catalogue compiler refuses what it must, with the place in the file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define MODEL                                                                                      \
    "{\"name\":\"a:1b\",\"latest\":true,\"parameters_million\":1000,\"layers\":2,\"heads\":4,"     \
    "\"kv_heads\":2,\"key_length\":64,\"value_length\":64,\"context_max\":4096,"                   \
    "\"vocabulary\":32000,\"size_gb\":0.6,\"quantizations\":[\"q4_0\"],"                           \
    "\"huggingface\":\"x/y\",\"date\":\"2025-10-01\",\"source\":\"https://example.com/\"}"
#define MODELS                                                                                     \
    "{\"description\":\"d\",\"quantizations\":[{\"name\":\"q4_0\",\"bits_per_weight\":4.64,"       \
    "\"date\":\"2025-10-01\",\"source\":\"https://example.com/\"}],\"models\":[" MODEL "]}"
#define MACHINES                                                                                   \
    "{\"description\":\"d\",\"price_region\":\"us-east-1\","                                       \
    "\"price_source\":\"https://example.com/\",\"gpus\":[{\"name\":\"L4\",\"memory_gib\":24,"      \
    "\"compute_capability\":8.9,\"date\":\"2025-10-01\",\"source\":\"https://example.com/\"}],"    \
    "\"images\":[{\"name\":\"i\",\"parameter\":\"/p\",\"root_device\":\"/dev/sda1\","              \
    "\"root_gib\":100,\"date\":\"2025-10-01\",\"source\":\"https://example.com/\"}],"              \
    "\"quotas\":[{\"family\":\"g\",\"on_demand\":\"L-1\",\"on_demand_name\":\"n\","                \
    "\"spot\":\"L-2\",\"spot_name\":\"s\",\"date\":\"2025-10-01\","                                \
    "\"source\":\"https://example.com/\"}],\"machines\":[{\"type\":\"g6.xlarge\","                 \
    "\"gpu\":\"L4\",\"gpu_count\":1,\"vcpus\":4,\"memory_gib\":16,"                                \
    "\"architecture\":\"x86_64\",\"quota\":\"g\",\"image\":\"i\",\"usd_per_hour\":0.8,"            \
    "\"date\":\"2025-10-01\"}]}"

#define SERVING                                                                                    \
    "{\"description\":\"d\",\"registry_date\":\"2025-10-01\","                                     \
    "\"registry_source\":\"https://example.com/\","                                                \
    "\"registries\":[{\"region\":\"us-east-1\",\"account\":\"1\"}],"                               \
    "\"images\":[{\"stack\":\"vllm\",\"target\":\"sagemaker\",\"version\":\"1\","                  \
    "\"repository\":\"r\",\"tag\":\"t\",\"date\":\"2025-10-01\","                                  \
    "\"source\":\"https://example.com/\"}],\"endpoint_type_date\":\"2025-10-01\","                 \
    "\"endpoint_type_source\":\"https://example.com/\","                                           \
    "\"endpoint_types\":[{\"type\":\"ml.g6.xlarge\",\"machine\":\"g6.xlarge\"}]}"

static char dir[64], output[65536];

static void put(const char *name, const char *text)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

static int compile(void)
{
    char command[1024];
    snprintf(command, sizeof(command), "%s catalog %s %s/out.c 2>&1", CATALOGC, dir, dir);
    FILE *f = popen(command, "r"); /* NOLINT(bugprone-command-processor): paths of this test */
    assert_non_null(f);
    output[fread(output, 1, sizeof(output) - 1, f)] = 0;
    int status = pclose(f);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

/* `text` with the first `old` replaced. */
static void put_changed(const char *name, const char *text, const char *old, const char *new)
{
    char changed[4096];
    const char *at = strstr(text, old);
    if (!at)
        fail_msg("\"%s\" is not there", old);
    snprintf(changed, sizeof(changed), "%.*s%s%s", (int)(at - text), text, new, at + strlen(old));
    put(name, changed);
}

static void compiles_what_is_right(void **state)
{
    (void)state;
    put("models.json", MODELS);
    put("machines-aws.json", MACHINES);
    put("machines-gcp.json", MACHINES);
    put("serving.json", SERVING);
    if (compile() != 0)
        fail_msg("%s", output);
}

static void refuses_with_the_place(void **state)
{
    (void)state;
    static const struct {
        const char *file, *old, *new, *message;
    } cases[] = {
        {"models.json", "\"layers\":2,", "", "models.json: models[0]: \"layers\" is missing"},
        {"models.json", "\"layers\":2", "\"layers\":0", "\"layers\": an integer in range"},
        {"models.json", "\"layers\":2", "\"layers\":2.5", "\"layers\": an integer in range"},
        {"models.json", "\"layers\":2", "\"layerz\":2", "unknown field \"layerz\""},
        {"models.json", "\"date\":\"2025-10-01\",\"source\":\"https://example.com/\"}]}",
         "\"source\":\"https://example.com/\"}]}", "models[0]: \"date\" is missing"},
        {"models.json", "\"date\":\"2025-10-01\"", "\"date\":\"1.10.2025\"",
         "models.json: quantizations[0]: \"date\": a date like"},
        {"models.json", "\"source\":\"https://", "\"source\":\"ftp://", "an https URL"},
        {"models.json", "[\"q4_0\"]", "[\"q9\"]", "quantization \"q9\" is not in the list"},
        {"models.json", "\"a:1b\"", "\"a\"", "is no \"family:tag\""},
        {"models.json", "\"heads\":4", "\"heads\":3", "no multiple of \"kv_heads\""},
        {"models.json", "\"layers\":2", "\"layers\":2,\"window_layers\":1", "do not fit"},
        {"models.json", MODEL, MODEL "," MODEL, "models[1]: \"a:1b\" is there twice"},
        {"models.json", MODEL, "", "\"models\": a list with members"},
        {"models.json", "{", "[", "models.json: line 1"},
        {"machines-aws.json", "\"gpu\":\"L4\"", "\"gpu\":\"L5\"",
         "machines-aws.json: machines[0]: \"gpu\": there is no \"L5\""},
        {"machines-aws.json", "\"quota\":\"g\"", "\"quota\":\"x\"", "\"quota\": there is no \"x\""},
        {"machines-aws.json", "0.8", "-1", "\"usd_per_hour\": a number in range"},
        {"machines-aws.json", "\"gpu_count\":1", "\"gpu_count\":17", "\"gpu_count\""},
        {"machines-aws.json", "\"vcpus\":4", "\"vcpus\":null", "\"vcpus\""},
        {"serving.json", "\"sagemaker\"", "\"azure\"",
         "\"target\" is sagemaker, vertex or cluster"},
        {"serving.json", "\"tag\":\"t\",", "", "serving.json: images[0]: \"tag\" is missing"},
        {"serving.json", "\"machine\":\"g6.xlarge\"", "\"machine\":\"g9.xlarge\"",
         "serving.json: endpoint_types[0]: there is no machine \"g9.xlarge\""},
        {"serving.json", "\"account\":\"1\"}",
         "\"account\":\"1\"},{\"region\":\"us-east-1\",\"account\":\"2\"}",
         "registries[1]: \"us-east-1\" is there twice"},
        {"serving.json", "}],\"endpoint_type_date\"",
         "},{\"stack\":\"vllm\",\"target\":\"sagemaker\",\"version\":\"1\",\"repository\":\"r\","
         "\"tag\":\"u\","
         "\"date\":\"2025-10-01\",\"source\":\"https://example.com/\"}],\"endpoint_type_date\"",
         "images[1]: this image is there twice"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        put("models.json", MODELS);
        put("machines-aws.json", MACHINES);
        put("machines-gcp.json", MACHINES);
        put("serving.json", SERVING);
        const char *text = cases[i].file[0] == 's'   ? SERVING
                           : cases[i].file[1] == 'o' ? MODELS
                                                     : MACHINES;
        put_changed(cases[i].file, text, cases[i].old, cases[i].new);
        if (compile() != 1 || !strstr(output, cases[i].message))
            fail_msg("case %zu: expected \"%s\", got: %s", i, cases[i].message, output);
    }
}

static void refuses_two_latest_of_a_family(void **state)
{
    (void)state;
    put_changed("models.json", MODELS, MODEL, MODEL "," MODEL);
    char text[8192], path[128];
    snprintf(path, sizeof(path), "%s/models.json", dir);
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    text[fread(text, 1, sizeof(text) - 1, f)] = 0;
    fclose(f);
    put_changed("models.json", text, "a:1b", "a:2b");
    put("machines-aws.json", MACHINES);
    put("machines-gcp.json", MACHINES);
    put("serving.json", SERVING);
    assert_int_equal(compile(), 1);
    assert_non_null(strstr(output, "another model of the family is \"latest\" too"));
}

static int set_up(void **state)
{
    (void)state;
    snprintf(dir, sizeof(dir), "/tmp/test_catalog_compiler.XXXXXX");
    return mkdtemp(dir) ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    static const char *const names[] = {"models.json", "machines-aws.json", "machines-gcp.json",
                                        "serving.json", "out.c"};
    char path[128];
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
        unlink(path);
    }
    return rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(compiles_what_is_right),
        cmocka_unit_test(refuses_with_the_place),
        cmocka_unit_test(refuses_two_latest_of_a_family),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

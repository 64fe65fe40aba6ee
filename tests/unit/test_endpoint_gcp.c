/* What llm_endpoint derives for Vertex AI: containers, names that follow from their contents,
 * machines, the split; what stays as it was; and what a plan asks and refuses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "gpu_node_fixture.h"
#include "resources/endpoint_gcp.h"
#include "resources/tables.h"
#include "schema/tables.h"
#include "value/codec.h"

#define CONFIG(more) "{\"name\":\"chat\",\"cloud\":\"gcp\",\"region\":\"us-central1\"" more "}"
#define LLAMA ",\"model\":\"llama3.1:8b\""
#define ON(type) ",\"machine\":{\"type\":\"" type "\"}"
#define OFFERS                                                                                     \
    "{\"items\":{\"zones/us-central1-a\":{\"machineTypes\":["                                      \
    "{\"name\":\"g2-standard-8\",\"zone\":\"us-central1-a\"},"                                     \
    "{\"name\":\"a2-highgpu-1g\",\"zone\":\"us-central1-a\"}]}}}"
#define QUOTA(n)                                                                                   \
    "{\"consumerQuotaLimits\":[{\"quotaBuckets\":[{\"effectiveLimit\":\"100\"},"                   \
    "{\"effectiveLimit\":\"" n "\",\"dimensions\":{\"region\":\"us-central1\"}}]}]}"

static struct fixture *f;
static struct cloud_driver driver;

static const char *region_of_zone(struct arena *a, const char *zone)
{
    return arena_strndup(a, zone, strlen(zone) - 2);
}

static int set_up(void **state)
{
    (void)state;
    f = fixture_new();
    f->schema = &schema_llm_endpoint;
    f->table = &table_llm_endpoint;
    f->c.cloud = "gcp";
    f->c.region = "us-central1";
    f->c.account = "test-project";
    f->c.online = false;
    driver = *f->c.driver;
    driver.region_of_zone = region_of_zone;
    f->c.driver = &driver;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    fixture_free(f);
    return 0;
}

static const struct value *derive(const char *json)
{
    return fixture_derive(f, &composite_endpoint, json);
}

static const char *json_of(const struct value *v)
{
    _cleanup_buf_ struct buf b = BUF_INIT(65536);
    if (value_is_unknown(v))
        return "(unknown)";
    if (!v || value_is_null(v))
        return "(null)";
    assert_int_equal(value_json_write(&b, v, true), 0);
    return arena_strdup(f->a, buf_cstr(&b));
}

static const char *at(const struct value *v, const char *path)
{
    return json_of(value_path(v, path));
}

/* Of the first model, and of the first that is deployed. */
static const char *model(const struct value *v, const char *path)
{
    return at(value_at(value_get(v, "models"), 0), path);
}

static const char *deployed(const struct value *v, const char *path)
{
    return at(value_at(value_get(v, "deployed_models"), 0), path);
}

static const char *key_of(const struct value *v, const char *name)
{
    return value_get(v, name)->members[0].key.ptr;
}

static bool has_arg(const struct value *v, const char *arg)
{
    return value_has_text(value_get(value_at(value_get(v, "models"), 0), "args"), arg);
}

/* ---- containers ---- */

static void test_google_s_vllm(void **state)
{
    (void)state;
    const struct value *v = derive(CONFIG(LLAMA ON("g2-standard-24")));
    assert_string_equal(
        model(v, "args"),
        "[\"python\",\"-m\",\"vllm.entrypoints.api_server\",\"--host=0.0.0.0\",\"--port=8080\","
        "\"--model=meta-llama/Llama-3.1-8B-Instruct\",\"--tensor-parallel-size=2\","
        "\"--max-model-len=8192\",\"--disable-log-stats\"]");
    assert_string_equal(model(v, "predict_route"), "\"/generate\"");
    assert_string_equal(model(v, "shared_memory_mb"), "16384");
    assert_string_equal(model(v, "command"), "[]");
    /* A small machine does not give all its memory away. */
    v = derive(CONFIG(LLAMA ON("g2-standard-4")));
    assert_string_equal(model(v, "shared_memory_mb"), "8192");
}

static void test_what_the_user_sets_comes_last(void **state)
{
    (void)state;
    const struct value *v = derive(
        CONFIG(LLAMA ON("g2-standard-8") ",\"container\":{\"args\":[\"--seed=1\"],\"port\":9000},"
                                         "\"environment\":{\"MODEL_ID\":\"x\",\"A\":\"1\"},"
                                         "\"startup_timeout_s\":3600"));
    const struct value *args = value_get(value_at(value_get(v, "models"), 0), "args");
    assert_string_equal(value_cstr(value_at(args, value_count(args) - 1), ""), "--seed=1");
    assert_string_equal(model(v, "env"), "[{\"name\":\"MODEL_ID\",\"value\":\"x\"},"
                                         "{\"name\":\"A\",\"value\":\"1\"}]");
    assert_string_equal(model(v, "ports"), "[{\"containerPort\":9000}]");
    assert_true(has_arg(v, "--port=9000"));
    assert_string_equal(model(v, "deployment_timeout"), "\"5400s\"");
}

static void test_images_of_the_project(void **state)
{
    (void)state;
#define OWN(rest) ",\"container\":{\"image\":\"us-docker.pkg.dev/p/r/" rest "}"
    const struct value *v =
        derive(CONFIG(",\"model\":\"gs://b/m\",\"model_size\":{\"memory_gib\":10}" ON(
            "g2-standard-8") OWN("vllm:1\",\"stack\":\"vllm\"")));
    assert_true(has_arg(v, "--load-format=runai_streamer") && !has_arg(v, "python"));
    assert_string_equal(model(v, "predict_route"), "\"/v1/chat/completions\"");
    /* A copy of Google's build is Google's build. */
    v = derive(CONFIG(",\"model\":\"gs://b/m\"" ON("g2-standard-8")
                          OWN("pytorch-vllm-serve:x\",\"stack\":\"vllm\"")));
    assert_true(has_arg(v, "--model=gs://b/m") && has_arg(v, "python"));
    v = derive(CONFIG(",\"model\":\"org/m\",\"model_revision\":\"r\",\"context_tokens\":4096,"
                      "\"quantization\":\"awq\"" ON("g2-standard-8")
                          OWN("tgi:1\",\"stack\":\"tgi\"")));
    assert_string_equal(model(v, "args"), "[]");
    assert_non_null(strstr(model(v, "env"), "{\"name\":\"QUANTIZE\",\"value\":\"awq\"}"));
    assert_non_null(strstr(model(v, "env"), "{\"name\":\"MAX_INPUT_TOKENS\",\"value\":\"4095\"}"));
    /* Of an image that nothing is known of, Vertex AI says where the files are. */
    v = derive(CONFIG(",\"model\":\"gs://b/m\"" ON("n1-standard-8") OWN("mine:1\"")));
    assert_string_equal(model(v, "artifact_uri"), "\"gs://b/m\"");
    assert_string_equal(model(v, "env"), "[]");
    assert_string_equal(model(v, "shared_memory_mb"), "(null)");
    v = derive(CONFIG(",\"model\":\"oci://us-docker.pkg.dev/p/r/all:1\"" ON("n1-standard-8")));
    assert_string_equal(model(v, "image"), "\"us-docker.pkg.dev/p/r/all:1\"");
}

static void test_tokens(void **state)
{
    (void)state;
#define SECRET ",\"huggingface_token_secret\":\"hub\""
    const struct value *v = derive(CONFIG(LLAMA ON("g2-standard-8") SECRET));
    assert_true(has_arg(v, "projects/test-project/secrets/hub/versions/latest"));
    assert_string_equal(at(v, "token_secret"),
                        "{\"hub\":{\"secret\":\"projects/test-project/secrets/hub\"}}");
    /* Files in GCS need none. */
    v = derive(CONFIG(",\"model\":\"gs://b/m\"" ON("g2-standard-8") SECRET));
    assert_false(has_arg(v, "projects/test-project/secrets/hub/versions/latest"));
    v = derive(CONFIG(LLAMA ON("g2-standard-8") SECRET OWN("vllm:1\",\"stack\":\"vllm\"")));
    assert_non_null(strstr(model(v, "command"), "vllm.entrypoints.openai.api_server"));
    v = derive(CONFIG(LLAMA ON("g2-standard-8") SECRET OWN("mine:1\"")));
    assert_non_null(strstr(model(v, "env"), "HF_TOKEN_SECRET_ID"));
    v = derive(CONFIG(LLAMA ON("g2-standard-8") ",\"huggingface_token_wo_version\":3"));
    assert_true(has_arg(v, "projects/test-project/secrets/llm-endpoint-chat-us-central1-"
                           "huggingface/versions/latest"));
    assert_string_equal(at(v, "make_secret"), "true");
}

static void test_adapters_are_read_by_the_identity(void **state)
{
    (void)state;
#define ADAPTERS(list) CONFIG(LLAMA ON("g2-standard-8") ",\"adapters\":{" list "}")
    const struct value *one = derive(ADAPTERS("\"a\":\"gs://b/x/\""));
    const struct value *two =
        derive(ADAPTERS("\"a\":\"gs://b/x\",\"c\":\"gs://b/x\",\"d\":\"gs://b/y\\\"\""));
    assert_true(has_arg(one, "--enable-lora"));
    assert_int_equal(value_count(value_get(one, "object_roles")), 1);
    assert_int_equal(value_count(value_get(two, "object_roles")), 2);
    /* More adapters are no other container. */
    assert_string_equal(key_of(one, "deployed_models"), key_of(two, "deployed_models"));
    assert_non_null(strstr(at(two, "object_roles"), "objects/y\\\\\\\"/"));
}

/* ---- names ---- */

static void test_names_follow_from_the_contents(void **state)
{
    (void)state;
    const struct value *v = derive(CONFIG(LLAMA ON("g2-standard-8")));
    const char *first = key_of(v, "models"), *placed = key_of(v, "deployed_models");
    assert_string_equal(key_of(derive(CONFIG(LLAMA ON("g2-standard-8"))), "models"), first);
    v = derive(CONFIG(LLAMA ON("g2-standard-8") ",\"scaling\":{\"min\":2,\"max\":2}"));
    assert_string_equal(key_of(v, "deployed_models"), placed);
    v = derive(CONFIG(LLAMA ",\"machine\":{\"type\":\"g2-standard-8\",\"provisioning\":\"spot\"}"));
    assert_string_equal(key_of(v, "models"), first);
    assert_string_not_equal(key_of(v, "deployed_models"), placed);
    v = derive(CONFIG(LLAMA ON("g2-standard-8") ",\"role\":\"x@p.iam.gserviceaccount.com\""));
    assert_string_equal(key_of(v, "models"), first);
    assert_string_not_equal(key_of(v, "deployed_models"), placed);
    v = derive(CONFIG(LLAMA ON("g2-standard-8") ",\"environment\":{\"A\":\"1\"}"));
    assert_string_not_equal(key_of(v, "models"), first);
}

static void test_ids_are_digits(void **state)
{
    (void)state;
    for (int i = 0; i < 50; i++) {
        const char *json = arena_printf(
            f->a, CONFIG(LLAMA ON("g2-standard-8") ",\"environment\":{\"A\":\"%d\"}"), i);
        const char *id = deployed(derive(json), "id");
        size_t len = strspn(id + 1, "0123456789");
        assert_true(len >= 1 && len <= 10 && id[1] != '0' && id[len + 1] == '"');
    }
}

static void test_the_longest_names(void **state)
{
    (void)state;
    const struct value *v = derive(
        "{\"name\":\"a123456789b123456789c123456789d123456789\",\"cloud\":\"gcp\","
        "\"region\":\"us-central1\",\"variants\":{\"abcdefghijklm\":{\"weight\":100}}" LLAMA ON(
            "g2-standard-8") "}");
    assert_int_equal(strlen(model(v, "name")) - 2, 63);
}

/* ---- machines, scaling, split ---- */

static void test_machines(void **state)
{
    (void)state;
    const struct value *v = derive(CONFIG(LLAMA ON("n1-standard-32+nvidia-tesla-v100:4")));
    assert_string_equal(deployed(v, "machine_type"), "\"n1-standard-32\"");
    assert_string_equal(deployed(v, "accelerator_type"), "\"NVIDIA_TESLA_V100\"");
    assert_string_equal(deployed(v, "accelerator_count"), "4");
    v = derive(CONFIG(",\"model\":\"org/small\"" ON("n2-standard-8")));
    assert_string_equal(deployed(v, "accelerator_type"), "(null)");
    assert_false(has_arg(v, "--tensor-parallel-size=0"));
}

static void test_replicas_and_targets(void **state)
{
    (void)state;
    const struct value *v = derive(CONFIG(
        LLAMA ON("g2-standard-8") ",\"scaling\":{\"min\":1,\"max\":5,\"target_invocations\":60}"));
    assert_string_equal(deployed(v, "max_replicas"), "5");
    assert_string_equal(deployed(v, "metric_targets"),
                        "[{\"metricName\":\"aiplatform.googleapis.com/prediction/online/"
                        "request_count\",\"target\":60}]");
    v = derive(CONFIG(LLAMA ON("g2-standard-8") ",\"variants\":{\"a\":{\"weight\":100,"
                                                "\"instances\":3},\"b\":{\"weight\":0}}"));
    assert_string_equal(deployed(v, "min_replicas"), "3");
    assert_string_equal(deployed(v, "max_replicas"), "3");
    assert_int_equal(value_count(value_get(v, "deployed_models")), 2);
    assert_int_equal(value_count(value_get(v, "split")), 1);
}

static void test_peered(void **state)
{
    (void)state;
    const struct value *v =
        derive(CONFIG(LLAMA ON("g2-standard-8") ",\"network\":{\"vpc_network\":"
                                                "\"projects/1/global/networks/n\"}"));
    assert_string_equal(at(v, "make_split"), "false");
    assert_string_equal(key_of(v, "deployed_models"), "main");
    assert_string_equal(at(v, "endpoint.dedicated"), "false");
}

static void test_the_cheapest_machine_that_is_offered(void **state)
{
    (void)state;
    f->c.online = f->c.planning = true;
    fixture_answer(f, "machineTypes.aggregatedList", OFFERS);
    fixture_answer(f, "acceleratorTypes.aggregatedList", "{\"items\":{}}");
    fixture_answer(f, "services.consumerQuotaMetrics.get", QUOTA("4"));
    const struct value *v = derive(CONFIG(LLAMA));
    assert_string_equal(at(v, "choices.main.machine_type"), "\"g2-standard-8\"");
    f->answers[2].json = QUOTA("0");
    f->looked_up = NULL;
    v = derive(CONFIG(LLAMA));
    assert_string_equal(at(v, "choices.main.machine_type"), "\"g2-standard-8\"");
    f->answers[2].of = "_l4_";
    fixture_answer(f, "services.consumerQuotaMetrics.get", QUOTA("4"));
    f->looked_up = NULL;
    v = derive(CONFIG(LLAMA));
    assert_string_equal(at(v, "choices.main.machine_type"), "\"a2-highgpu-1g\"");
}

static void test_decisions_stay(void **state)
{
    (void)state;
    const char *image = "us-docker.pkg.dev/vertex-ai/vertex-vision-model-garden-dockers/"
                        "pytorch-vllm-serve:20240101_0916_RC01";
    f->c.decided = fixture_json(
        f, arena_printf(f->a,
                        "{\"choices\":{\"main\":{\"machine_type\":\"g2-standard-48\",\"image\":"
                        "\"%s\"}}}",
                        image));
    const struct value *v = derive(CONFIG(LLAMA));
    assert_string_equal(at(v, "choices.main.machine_type"), "\"g2-standard-48\"");
    assert_string_equal(value_cstr(value_path(v, "choices.main.image"), ""), image);
    /* One that does not hold the model any more, or is of another stack, does not. */
    v = derive(CONFIG(",\"model\":\"llama3.1:70b\""));
    assert_string_not_equal(at(v, "choices.main.machine_type"), "\"g2-standard-48\"");
}

static void test_unknowns(void **state)
{
    (void)state;
    f->c.account = "";
    const struct value *v = derive(CONFIG(LLAMA ON("g2-standard-8")));
    assert_string_equal(at(v, "models"), "(unknown)");
    assert_string_equal(at(v, "endpoint.name"), "\"chat\"");
    assert_string_equal(at(v, "make_split"), "true");
}

static void test_alarms_and_capture(void **state)
{
    (void)state;
    const struct value *v =
        derive(CONFIG(LLAMA ON("g2-standard-8") ",\"alarms\":{\"errors_5xx\":5},\"data_capture\":{"
                                                "\"uri\":\"bq://p.d.t\",\"percent\":7}"));
    assert_int_equal(value_count(value_get(v, "alarms")), 1);
    assert_string_equal(at(v, "alarms.errors.threshold"), "4");
    assert_string_equal(at(v, "endpoint.logging_rate"), "0.07");
    v = derive(CONFIG(LLAMA ON("g2-standard-8")));
    assert_int_equal(value_count(value_get(v, "alarms")), 0);
    assert_string_equal(at(v, "endpoint.logging_enabled"), "false");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_google_s_vllm),
        TEST(test_what_the_user_sets_comes_last),
        TEST(test_images_of_the_project),
        TEST(test_tokens),
        TEST(test_adapters_are_read_by_the_identity),
        TEST(test_names_follow_from_the_contents),
        TEST(test_ids_are_digits),
        TEST(test_the_longest_names),
        TEST(test_machines),
        TEST(test_replicas_and_targets),
        TEST(test_peered),
        TEST(test_the_cheapest_machine_that_is_offered),
        TEST(test_decisions_stay),
        TEST(test_unknowns),
        TEST(test_alarms_and_capture),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

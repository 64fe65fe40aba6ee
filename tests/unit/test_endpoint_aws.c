/* What llm_endpoint derives for SageMaker: what a model needs, names by content, what stays as it
 * was decided, rights; and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "gpu_node_fixture.h"
#include "resources/endpoint_aws.h"
#include "resources/tables.h"
#include "schema/tables.h"
#include "value/codec.h"

#define CONFIG(more)                                                                               \
    "{\"name\":\"chat\",\"cloud\":\"aws\",\"region\":\"us-east-1\",\"target\":\"managed\"" more "}"
#define MODEL ",\"model\":\"llama3.1:8b\""
#define MACHINE ",\"machine\":{\"type\":\"ml.g5.2xlarge\"}"
#define QUOTAS(value)                                                                              \
    "{\"Quotas\":[{\"QuotaName\":\"ml.g6.xlarge for endpoint usage\",\"Value\":" value "},"        \
    "{\"QuotaName\":\"ml.g5.xlarge for endpoint usage\",\"Value\":8}]}"

static struct fixture *f;

static void use_aws(struct fixture *x)
{
    x->schema = &schema_llm_endpoint;
    x->table = &table_llm_endpoint;
    x->c.cloud = "aws";
    x->c.region = "us-east-1";
    x->c.account = "123456789012";
    x->c.planning = true;
    fixture_answer(x, "ListServiceQuotas", QUOTAS("0"));
}

static int set_up(void **state)
{
    (void)state;
    f = fixture_new();
    use_aws(f);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    fixture_free(f);
    return 0;
}

static const struct value *derive_of(const char *config)
{
    return fixture_derive(f, &composite_endpoint, config);
}

static const char *member(const struct value *v, const char *path)
{
    return fixture_text(f, value_path(v, path));
}

static const struct value *first(const struct value *v, const char *name)
{
    return value_at(value_get(v, name), 0);
}

static const char *config_name(const struct value *v)
{
    return member(v, "endpoint.config_name");
}

/* ---- names by content ---- */

static void test_a_change_is_another_name(void **state)
{
    (void)state;
    const struct value *v = derive_of(CONFIG(MODEL MACHINE));
    const char *config = config_name(v), *model = member(first(v, "models"), "name");
    v = derive_of(CONFIG(MODEL MACHINE ",\"environment\":{\"A\":\"b\"}"));
    assert_string_not_equal(model, member(first(v, "models"), "name"));
    assert_string_not_equal(config, config_name(v));
    v = derive_of(CONFIG(MODEL ",\"machine\":{\"type\":\"ml.g6.2xlarge\"}"));
    assert_string_equal(model, member(first(v, "models"), "name"));
    assert_string_not_equal(config, config_name(v));
}

/* Numbers, alarms and tags need no other configuration. */
static void test_what_changes_in_place_keeps_the_name(void **state)
{
    (void)state;
    const struct value *v = derive_of(CONFIG(MODEL MACHINE));
    const char *config = config_name(v);
    v = derive_of(CONFIG(MODEL MACHINE
                         ",\"scaling\":{\"min\":2,\"max\":4,\"target_invocations\":9},"
                         "\"alarms\":{\"errors_5xx\":3},\"tags\":{\"a\":\"b\"}"));
    assert_string_equal(config, config_name(v));
    assert_string_equal(member(first(v, "targets"), "max"), "4");
    assert_string_equal(member(first(v, "alarms"), "threshold"), "3");
}

/* ---- what was decided ---- */

static void test_machine_is_picked_by_quota(void **state)
{
    (void)state;
    const struct value *v = derive_of(CONFIG(MODEL));
    assert_string_equal(member(v, "choices.main.machine_type"), "\"ml.g5.xlarge\"");
    f->answer_count = 0;
    fixture_answer(f, "ListServiceQuotas", QUOTAS("4"));
    v = derive_of(CONFIG(MODEL));
    assert_string_equal(member(v, "choices.main.machine_type"), "\"ml.g6.xlarge\"");
}

static void test_what_was_decided_stays(void **state)
{
    (void)state;
    f->c.prior = fixture_config(
        f, CONFIG(",\"variant_status\":{\"main\":{\"machine_type\":\"ml.g5.4xlarge\",\"image\":"
                  "\"763104351884.dkr.ecr.us-east-1.amazonaws.com/vllm:0.1-old\"}}"));
    const struct value *v = derive_of(CONFIG(MODEL));
    assert_string_equal(member(v, "choices.main.machine_type"), "\"ml.g5.4xlarge\"");
    assert_non_null(strstr(member(v, "choices.main.image"), "vllm:0.1-old"));
    assert_int_equal(f->call_count, 0);
    /* Another stack needs another image; another model may need another machine. */
    v = derive_of(CONFIG(",\"model\":\"llama3.3:70b\",\"container\":{\"stack\":\"tgi\"}"));
    assert_null(strstr(member(v, "choices.main.image"), "old"));
    assert_string_not_equal(member(v, "choices.main.machine_type"), "\"ml.g5.4xlarge\"");
}

/* ---- the server's settings ---- */

static void test_settings_of_stacks(void **state)
{
    (void)state;
    const struct value *v =
        derive_of(CONFIG(MODEL MACHINE ",\"quantization\":\"fp8\",\"model_revision\":\"abc\""));
    const struct value *env = value_get(first(v, "models"), "environment");
    assert_string_equal(member(env, "SM_VLLM_MODEL"), "\"meta-llama/Llama-3.1-8B-Instruct\"");
    assert_string_equal(member(env, "SM_VLLM_REVISION"), "\"abc\"");
    assert_string_equal(member(env, "SM_VLLM_QUANTIZATION"), "\"fp8\"");
    assert_string_equal(member(env, "SM_VLLM_MAX_MODEL_LEN"), "\"8192\"");
    v = derive_of(
        CONFIG(",\"model\":\"o/m-GPTQ\",\"quantization\":\"gptq\",\"container\":{\"stack\":"
               "\"tgi\"},\"context_tokens\":4096" MACHINE));
    env = value_get(first(v, "models"), "environment");
    assert_string_equal(member(env, "HF_MODEL_QUANTIZE"), "\"gptq\"");
    assert_string_equal(member(env, "MAX_TOTAL_TOKENS"), "\"4096\"");
    assert_string_equal(member(env, "MAX_INPUT_TOKENS"), "\"4095\"");
    /* Of an own image nothing is known but what its user says. */
    v = derive_of(
        CONFIG(",\"model\":\"oci://r.example/m:1\",\"environment\":{\"X\":\"1\"}" MACHINE));
    assert_string_equal(member(first(v, "models"), "environment"), "{\"X\":\"1\"}");
    assert_string_equal(member(first(v, "models"), "image"), "\"r.example/m:1\"");
}

/* The driver of the instances fits the CUDA that the image's tag names. */
static void test_ami_by_cuda(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"x:1-cu130", "\"al2023-ami-sagemaker-inference-gpu-4-1\""},
        {"x:1-cu128-a", "\"al2-ami-sagemaker-inference-gpu-3-1\""},
        {"x:1", NULL}};
    for (size_t i = 0; i < 3; i++) {
        const struct value *v = derive_of(
            arena_printf(f->a, CONFIG(MODEL MACHINE ",\"container\":{\"image\":\"r.example/%s\"}"),
                         cases[i][0]));
        const struct value *variant = value_at(value_get(first(v, "configs"), "variants"), 0);
        const struct value *ami = value_get(variant, "InferenceAmiVersion");
        if (cases[i][1])
            assert_string_equal(fixture_text(f, ami), cases[i][1]);
        else
            assert_null(ami);
    }
}

/* ---- rights ---- */

static void test_rights(void **state)
{
    (void)state;
    const struct value *v = derive_of(
        CONFIG(",\"model\":\"s3://b/m\",\"data_capture\":{\"uri\":\"s3://c/d\"}" MACHINE));
    const char *policy = value_cstr(value_get(v, "role_policy"), "");
    assert_non_null(strstr(policy, "\"arn:aws:s3:::b/m/*\""));
    assert_non_null(strstr(policy, "\"arn:aws:s3:::c/d/*\""));
    assert_non_null(strstr(policy, "log-group:/aws/sagemaker/Endpoints/chat:*"));
    assert_null(strstr(policy, "secretsmanager"));
    assert_null(strstr(policy, "ec2:"));
    f->c.account = "";
    v = derive_of(CONFIG(MODEL MACHINE));
    assert_true(value_is_unknown(value_get(v, "role_policy")));
}

/* ---- the configuration in tags ---- */

static void test_tags(void **state)
{
    (void)state;
    const struct value *v = derive_of(CONFIG(MODEL MACHINE));
    const struct value *tags = value_get(v, "endpoint_tags");
    assert_int_equal(value_count(tags), 1);
    assert_string_equal(value_cstr(value_get(v, "configuration"), ""),
                        "{\"machine\":{\"provisioning\":\"on_demand\",\"type\":\"ml.g5.2xlarge\"},"
                        "\"model\":\"llama3.1:8b\"}");
    char *text = arena_alloc(f->a, 4001);
    memset(text, 'x', 4000);
    text[4000] = '\0';
    v = derive_of(
        arena_printf(f->a, CONFIG(MODEL MACHINE ",\"environment\":{\"A\":\"%s\"}"), text));
    assert_int_equal(value_count(value_get(v, "endpoint_tags")), 0);
    fixture_expect(f, DIAG_WARNING, "could not be imported");
}

/* ---- unknown values ---- */

static void test_unknown(void **state)
{
    (void)state;
    fixture_set(f, CONFIG(MODEL MACHINE));
    f->c.config = value_with(f->a, f->c.config, "model", value_unknown(f->a, &type_string));
    const struct value *v = NULL;
    assert_int_equal(composite_endpoint.derive(&f->c, &v), 0);
    static const char *const unknown[] = {"models",  "configs",  "choices", "role_policy",
                                          "targets", "policies", "base",    "adapters"};
    for (size_t i = 0; i < sizeof(unknown) / sizeof(*unknown); i++)
        assert_true(value_is_unknown(value_get(v, unknown[i])));
    assert_string_equal(member(v, "names.role"), "\"llm-ep-chat-us-east-1\"");
}

/* ---- where memory is short ---- */

static void starved(struct fixture *x)
{
    use_aws(x);
    fixture_set(
        x,
        CONFIG(",\"model\":\"s3://b/m/\",\"machine\":{\"type\":\"ml.g5.12xlarge\"},\"adapters\":{"
               "\"sql\":\"s3://b/a.tar.gz\"},\"scaling\":{\"min\":1,\"max\":2,"
               "\"target_gpu_percent\":70},\"alarms\":{\"latency_ms\":5},\"model_size\":{"
               "\"memory_gib\":20},\"data_capture\":{\"uri\":\"s3://c/d\"}"));
}

static void starved_variants(struct fixture *x)
{
    use_aws(x);
    fixture_set(x,
                CONFIG(MODEL MACHINE ",\"variants\":{\"a\":{\"weight\":60},\"b\":{\"weight\":40}},"
                                     "\"rollout\":{\"strategy\":\"all_at_once\"},"
                                     "\"network\":{\"subnet_ids\":[\"subnet-1\"],"
                                     "\"security_group_ids\":[\"sg-1\"]}"));
}

static int derive_rc(struct fixture *x)
{
    const struct value *v = NULL;
    return composite_endpoint.derive(&x->c, &v);
}

static int validate_rc(struct fixture *x)
{
    return endpoint_validate(x->c.arena, x->c.config, x->c.diags);
}

static void test_memory(void **state)
{
    (void)state;
    tear_down(NULL);
    fixture_starve(starved, derive_rc);
    fixture_starve(starved_variants, derive_rc);
    fixture_starve(starved, validate_rc);
    fixture_starve(starved_variants, validate_rc);
    set_up(NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_change_is_another_name),
        TEST(test_what_changes_in_place_keeps_the_name),
        TEST(test_machine_is_picked_by_quota),
        TEST(test_what_was_decided_stays),
        TEST(test_settings_of_stacks),
        TEST(test_ami_by_cuda),
        TEST(test_rights),
        TEST(test_tags),
        TEST(test_unknown),
        TEST(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

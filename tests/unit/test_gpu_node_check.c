/* The checks of a plan against the cloud, and the outputs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "gpu_node_fixture.h"
#include "resources/tables.h"
#include "value/codec.h"

#define BASE "\"name\":\"demo\",\"cloud\":\"aws\",\"region\":\"us-east-1\""
#define MODEL BASE ",\"models\":[\"llama3.1:8b\"],\"machine\":{\"type\":\"g5.xlarge\"}"
#define OFFERED                                                                                    \
    "{\"instanceTypeOfferingSet\":[{\"instanceType\":\"g5.xlarge\",\"location\":\"us-east-1a\"}]}"
#define NONE "{\"reservationSet\":\"\"}"
#define QUOTA(n) "{\"Quota\":{\"QuotaCode\":\"L-DB2E81BA\",\"Value\":" n "}}"
#define INSTANCES(list) "{\"reservationSet\":[{\"instancesSet\":[" list "]}]}"
#define OWNED "\"tagSet\":[{\"key\":\"llm:resource\",\"value\":\"llm_gpu_node/demo\"}]"

static struct engine_change items[2];
static struct engine_changes changes = {items, 2};

static struct fixture *start(const char *config, enum engine_action instance)
{
    struct fixture *f = fixture_new();
    assert_non_null(f);
    fixture_set(f, arena_printf(f->a, "{%s}", config));
    items[0] = (struct engine_change){.name = "instance", .action = instance};
    items[1] = (struct engine_change){.name = "role", .action = instance};
    fixture_refuse(f, "GetRole", CLOUD_ERROR_NOT_FOUND, "NoSuchEntity", "no such role", 0);
    fixture_answer(f, "DescribeInstanceTypeOfferings", OFFERED);
    return f;
}

static int check(struct fixture *f, const char *derived)
{
    return composite_gpu_node.check(&f->c, &changes, fixture_json(f, derived));
}

#define DERIVED "{\"machine_type\":\"g5.xlarge\",\"names\":{\"role\":\"llm-node-demo-us-east-1\"}}"

static void all_is_well(void **state)
{
    (void)state;
    struct fixture *f = start(MODEL, ENGINE_CREATE);
    fixture_answer(f, "DescribeInstances", NONE);
    fixture_answer(f, "GetServiceQuota", QUOTA("4"));
    assert_int_equal(check(f, DERIVED), 0);
    assert_int_equal(f->diags.warnings, 0);
    fixture_free(f);
}

static void the_quota_is_too_small(void **state)
{
    (void)state;
    struct fixture *f = start(MODEL, ENGINE_CREATE);
    fixture_answer(f, "DescribeInstances",
                   INSTANCES("{\"instanceId\":\"i-1\",\"instanceType\":\"g4dn.xlarge\"},"
                             "{\"instanceId\":\"i-2\",\"instanceType\":\"g3.4xlarge\","
                             "\"cpuOptions\":{\"coreCount\":\"8\",\"threadsPerCore\":\"2\"}},"
                             "{\"instanceId\":\"i-3\",\"instanceType\":\"p3.2xlarge\"},"
                             "{\"instanceId\":\"i-4\",\"instanceType\":\"g5.xlarge\","
                             "\"instanceLifecycle\":\"spot\"},"
                             "{\"instanceId\":\"i-5\",\"instanceType\":\"m5.large\"}"));
    fixture_answer(f, "GetServiceQuota", QUOTA("23.0"));
    assert_int_equal(check(f, DERIVED), -1);
    fixture_expect(
        f, DIAG_ERROR,
        "machine: The vCPU quota is too small: g5.xlarge needs 4 vCPUs of the quota "
        "\"Running On-Demand G and VT instances\" (L-DB2E81BA), which is 23 in us-east-1, "
        "with 20 in use.");
    fixture_expect(f, DIAG_ERROR, "--quota-code L-DB2E81BA --region us-east-1");
    fixture_free(f);
}

/* An instance of the state that is replaced gives its vCPUs back; a stranger's does not. */
static void own_instances_do_not_count(void **state)
{
    (void)state;
    struct fixture *f = start(MODEL, ENGINE_CREATE);
    fixture_answer(
        f, "DescribeInstances",
        INSTANCES("{\"instanceId\":\"i-own\",\"instanceType\":\"g5.xlarge\"," OWNED "}"));
    fixture_answer(f, "GetServiceQuota", QUOTA("4"));
    provider_saw(f->provider, SLICE_LIT("i-own"));
    assert_int_equal(check(f, DERIVED), 0);
    fixture_free(f);
}

static void spot_and_on_demand_have_quotas_of_their_own(void **state)
{
    (void)state;
    struct fixture *f =
        start(BASE ",\"models\":[\"llama3.1:8b\"],\"machine\":{\"type\":\"g5.xlarge\","
                   "\"provisioning\":\"spot_preferred\"}",
              ENGINE_CREATE);
    fixture_answer(f, "DescribeInstances", NONE);
    f->answers[f->answer_count++] = (struct fixture_answer){
        .op = "GetServiceQuota", .json = QUOTA("8"), .times = 1, .of = "L-DB2E81BA"};
    fixture_answer(f, "GetServiceQuota", QUOTA("0"));
    assert_int_equal(check(f, DERIVED), 0); /* on demand has room */
    f->looked_up = NULL;
    assert_int_equal(check(f, DERIVED), -1);
    fixture_expect(f, DIAG_ERROR,
                   "\"All G and VT Spot Instance Requests\" (L-3819A6DF), which is 0");
    fixture_expect(f, DIAG_ERROR, "(L-DB2E81BA), which is 0");
    fixture_free(f);
}

static void a_quota_that_cannot_be_read_is_a_warning(void **state)
{
    (void)state;
    struct fixture *f = start(MODEL, ENGINE_CREATE);
    fixture_answer(f, "DescribeInstances", NONE);
    fixture_refuse(f, "GetServiceQuota", CLOUD_ERROR_PERMISSION, "AccessDeniedException",
                   "not authorized", 0);
    assert_int_equal(check(f, DERIVED), 0);
    fixture_expect(f, DIAG_WARNING, "The quota was not checked");
    fixture_free(f);
}

static void not_offered(void **state)
{
    (void)state;
    struct fixture *f = start(MODEL ",\"zones\":[\"us-east-1e\"]", ENGINE_CREATE);
    fixture_answer(f, "DescribeInstances", NONE);
    fixture_answer(f, "GetServiceQuota", QUOTA("4"));
    assert_int_equal(check(f, DERIVED), -1);
    fixture_expect(f, DIAG_ERROR, "machine: The machine is not offered there");
    fixture_expect(f, DIAG_ERROR, "It would be: g5.xlarge in us-east-1a");
    fixture_free(f);
}

static void a_name_that_is_taken(void **state)
{
    (void)state;
    struct fixture *f = start(MODEL, ENGINE_CREATE);
    fixture_answer(f, "GetServiceQuota", QUOTA("100"));
    fixture_answer(f, "DescribeInstances",
                   INSTANCES("{\"instanceId\":\"i-other\",\"instanceType\":\"g5.xlarge\"," OWNED
                             ",\"blockDeviceMapping\":[{\"deviceName\":\"/dev/sda1\"},"
                             "{\"deviceName\":\"/dev/sdf\"}]}"));
    assert_int_equal(check(f, DERIVED), -1);
    fixture_expect(f, DIAG_ERROR,
                   "name: The name is taken: A node \"demo\" exists in us-east-1 "
                   "(instance i-other)");
    fixture_expect(f, DIAG_ERROR, "aws/us-east-1/demo");
    /* The same instance, in a state that this process was shown. */
    provider_saw(f->provider, SLICE_LIT("i-other"));
    f->diags.errors = 0;
    assert_int_equal(check(f, DERIVED), 0);
    fixture_free(f);
}

static void an_interrupted_apply_is_continued(void **state)
{
    (void)state;
    struct fixture *f = start(MODEL, ENGINE_CREATE);
    fixture_answer(f, "GetServiceQuota", QUOTA("100"));
    fixture_answer(f, "DescribeInstances",
                   INSTANCES("{\"instanceId\":\"i-half\",\"instanceType\":\"g5.xlarge\"," OWNED
                             ",\"blockDeviceMapping\":[{\"deviceName\":\"/dev/sda1\"}]}"));
    assert_int_equal(check(f, DERIVED), 0);
    fixture_expect(f, DIAG_WARNING, "Instance i-half carries the tags of this node");
    fixture_free(f);
}

static void a_role_of_somebody_else(void **state)
{
    (void)state;
    struct fixture *f = start(MODEL, ENGINE_CREATE);
    f->answers[0] = (struct fixture_answer){
        .op = "GetRole", .json = "{\"Role\":{\"RoleName\":\"llm-node-demo-us-east-1\"}}"};
    fixture_answer(f, "DescribeInstances", NONE);
    fixture_answer(f, "GetServiceQuota", QUOTA("100"));
    assert_int_equal(check(f, DERIVED), -1);
    fixture_expect(f, DIAG_ERROR,
                   "an IAM role \"llm-node-demo-us-east-1\" that is not this node's");
    f->answers[0].json = "{\"Role\":{\"Tags\":[{\"Key\":\"llm:resource\","
                         "\"Value\":\"llm_gpu_node/demo\"}]}}";
    f->looked_up = NULL;
    f->diags.errors = 0;
    assert_int_equal(check(f, DERIVED), 0);
    fixture_free(f);
}

static void nothing_is_asked_for_other_changes(void **state)
{
    (void)state;
    struct fixture *f = start(MODEL, ENGINE_UPDATE);
    static const char *const tags[] = {"tags"}, *const type[] = {"instance_type"};
    items[0].attrs = tags;
    items[0].attr_count = 1;
    assert_int_equal(check(f, DERIVED), 0);
    assert_int_equal(f->call_count, 0);
    items[0].attrs = type;
    fixture_record(f, "instance", "{\"id\":\"i-own\",\"instance_type\":\"g5.2xlarge\"}");
    fixture_answer(f, "DescribeInstances",
                   INSTANCES("{\"instanceId\":\"i-own\",\"instanceType\":\"g5.2xlarge\"}"));
    fixture_answer(f, "GetServiceQuota", QUOTA("4"));
    assert_int_equal(check(f, DERIVED), 0);
    assert_string_equal(f->calls[0], "DescribeInstanceTypeOfferings");
    fixture_free(f);
}

static void set_up_check(struct fixture *f)
{
    fixture_set(f, "{" MODEL "}");
    items[0] = (struct engine_change){.name = "instance", .action = ENGINE_CREATE};
    items[1] = (struct engine_change){.name = "role", .action = ENGINE_CREATE};
    fixture_answer(f, "GetRole",
                   "{\"Role\":{\"Tags\":[{\"Key\":\"llm:resource\","
                   "\"Value\":\"llm_gpu_node/demo\"}]}}");
    fixture_answer(f, "DescribeInstanceTypeOfferings", OFFERED);
    fixture_answer(
        f, "DescribeInstances",
        INSTANCES("{\"instanceId\":\"i-half\",\"instanceType\":\"g5.xlarge\"," OWNED "}"));
    fixture_answer(f, "GetServiceQuota", QUOTA("8"));
}

static int run_check(struct fixture *f)
{
    const struct value *v = NULL;
    if (value_json_parse(f->c.arena, SLICE_LIT(DERIVED), &v, &f->diags) < 0)
        return -1;
    return composite_gpu_node.check(&f->c, &changes, v);
}

static void memory_runs_out(void **state)
{
    (void)state;
    fixture_starve(set_up_check, run_check);
}

/* ---- outputs ---- */

static const struct value *outputs(struct fixture *f, bool planned)
{
    const struct value *v = NULL;
    int rc = gpu_node_outputs(&f->c, fixture_json(f, "{\"disk_gib\":30}"), f->c.config, &f->records,
                              planned ? &changes : NULL, &v);
    assert_int_equal(rc, 0);
    return v;
}

static void expect_text(const struct value *v, const char *name, const char *text)
{
    assert_string_equal(value_cstr(value_get(v, name), "?"), text);
}

static void outputs_of_a_plan(void **state)
{
    (void)state;
    struct fixture *f = start(MODEL, ENGINE_CREATE);
    items[0].attrs_after = fixture_json(f, "{\"instance_type\":\"g5.xlarge\"}");
    const struct value *v = outputs(f, true);
    expect_text(v, "machine_type", "g5.xlarge");
    expect_text(v, "gpu", "A10G");
    assert_int_equal(value_int_or(value_get(v, "gpu_memory_gib"), 0), 24);
    assert_int_equal(value_int_or(value_get(v, "disk_gib"), 0), 30);
    assert_true(value_is_unknown(value_get(v, "instance_id")));
    assert_true(value_is_unknown(value_get(v, "zone")));
    assert_true(value_is_unknown(value_get(v, "ollama_url")));
    /* Left to placement: nothing of the machine is known. */
    items[0].attrs_after = fixture_json(f, "{}");
    v = outputs(f, true);
    assert_true(value_is_unknown(value_get(v, "machine_type")));
    assert_true(value_is_unknown(value_get(v, "gpu_count")));
    /* The name in the tailnet is known before there is an address. */
    fixture_set(f, "{" MODEL ",\"tailscale\":{\"auth_key_secret\":\"k\",\"hostname\":\"gpu\"}}");
    expect_text(outputs(f, true), "ollama_url", "http://gpu:11434");
    fixture_set(f, "{" MODEL ",\"runtime\":\"vllm\",\"tailscale\":{\"auth_key_secret\":\"k\"}}");
    expect_text(outputs(f, true), "ollama_url", "http://demo:8000");
    fixture_free(f);
}

static void outputs_of_what_is(void **state)
{
    (void)state;
    struct fixture *f = start(MODEL, ENGINE_NONE);
    const struct value *v = outputs(f, false);
    assert_true(value_is_null(value_get(v, "instance_id")));
    assert_true(value_is_null(value_get(v, "ollama_url")));
    fixture_record(f, "instance",
                   "{\"id\":\"i-1\",\"instance_type\":\"g6e.12xlarge\",\"private_ip\":\"10.0.0.7\","
                   "\"availability_zone\":\"us-east-1c\",\"image_id\":\"ami-1\"}");
    fixture_record(f, "volume", "{\"size\":80}");
    v = outputs(f, false);
    expect_text(v, "instance_id", "i-1");
    expect_text(v, "private_ip", "10.0.0.7");
    expect_text(v, "zone", "us-east-1c");
    expect_text(v, "image_id", "ami-1");
    expect_text(v, "ollama_url", "http://10.0.0.7:11434");
    expect_text(v, "gpu", "L40S");
    assert_int_equal(value_int_or(value_get(v, "gpu_count"), 0), 4);
    assert_int_equal(value_int_or(value_get(v, "gpu_memory_gib"), 0), 192);
    assert_int_equal(value_int_or(value_get(v, "disk_gib"), 0), 80);
    fixture_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_is_well),
        cmocka_unit_test(the_quota_is_too_small),
        cmocka_unit_test(own_instances_do_not_count),
        cmocka_unit_test(spot_and_on_demand_have_quotas_of_their_own),
        cmocka_unit_test(a_quota_that_cannot_be_read_is_a_warning),
        cmocka_unit_test(not_offered),
        cmocka_unit_test(a_name_that_is_taken),
        cmocka_unit_test(an_interrupted_apply_is_continued),
        cmocka_unit_test(a_role_of_somebody_else),
        cmocka_unit_test(nothing_is_asked_for_other_changes),
        cmocka_unit_test(memory_runs_out),
        cmocka_unit_test(outputs_of_a_plan),
        cmocka_unit_test(outputs_of_what_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

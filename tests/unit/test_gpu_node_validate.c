/* Bad configurations of llm_gpu_node, each with its message and place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "gpu_node_fixture.h"
#include "schema/tables.h"

#define BASE "\"name\":\"demo\",\"cloud\":\"aws\",\"region\":\"us-east-1\""
#define MODEL BASE ",\"models\":[\"llama3.1:8b\"]"

struct bad {
    const char *config, *message;
};

static const struct bad bad[] = {
    {BASE ",\"models\":[\"llama3.1:8bb\"]", "models[0]: Unknown model: "},
    {BASE ",\"models\":[\"llama3.1:8bb\"]", "Did you mean \"llama3.1:8b\"?"},
    {BASE ",\"models\":[\"mistral\",\"nonsense-from-nowhere\"]", "models[1]: Unknown model"},
    {BASE ",\"models\":[\"mistral\",\"mistral\"]", "models: Duplicate model"},
    {BASE ",\"models\":[\"mistral\",\"phi4\"],\"runtime\":\"vllm\"", "vLLM serves one model"},
    {BASE ",\"custom_model\":{\"name\":\"x\",\"memory_gib\":1500,\"disk_gib\":10}",
     "models: No machine holds the models"},
    {BASE ",\"models\":[\"deepseek-v3:671b\"],\"runtime\":\"vllm\",\"context_tokens\":163840",
     "compute capability 8.0"},
    {BASE ",\"custom_model\":{\"name\":\"a b\",\"memory_gib\":10,\"disk_gib\":10}",
     "custom_model.name: Invalid model name"},
    {MODEL ",\"machine\":{\"type\":\"g5.13xlarge\"}", "machine.type: Unknown machine type"},
    {MODEL ",\"machine\":{\"type\":\"g5.13xlarge\"}", "Did you mean \"g5.12xlarge\"?"},
    {MODEL ",\"machine\":{\"candidates\":[\"g5.xlarge\",\"m5.large\"]}",
     "machine.candidates[1]: Unknown machine type"},
    {MODEL ",\"machine\":{\"candidates\":[\"g5.xlarge\",\"g5.xlarge\"]}", "Duplicate machine"},
    {BASE ",\"models\":[\"llama3.3:70b\"],\"machine\":{\"type\":\"g5.xlarge\"}",
     "machine: The machine cannot hold the models: g5.xlarge has 1 × A10G with 24 GiB"},
    {BASE ",\"models\":[\"llama3.3:70b\"],\"machine\":{\"type\":\"g5.xlarge\"}",
     "The cheapest that hold them: g6e.xlarge"},
    {BASE
     ",\"models\":[\"qwen2.5:7b\"],\"runtime\":\"vllm\",\"machine\":{\"type\":\"g4dn.12xlarge\"}",
     "compute capability"},
    {MODEL ",\"zones\":[\"us-east-1a\",\"eu-west-1a\"]", "zones[1]: Zone outside the region"},
    {MODEL ",\"zones\":[\"us-east-1\"]", "zones[0]: Zone outside the region"},
    {MODEL ",\"zones\":[\"us-east-1a\",\"us-east-1a\"]", "zones[1]: Duplicate zone"},
    {"\"name\":\"demo\",\"cloud\":\"aws\",\"region\":\"us-east-1a\",\"models\":[\"phi4\"]",
     "region: A zone, not a region: \"us-east-1a\" is a zone. Its region is \"us-east-1\""},
    {MODEL ",\"zones\":[\"us-east-1a\"],\"network\":{\"vpc_id\":\"vpc-1\",\"subnet_ids\":[\"s\"]}",
     "zones: Conflicting settings"},
    {MODEL ",\"network\":{\"security_group_id\":\"sg-1\"}",
     "network.security_group_id: Conflicting settings"},
    {MODEL
     ",\"network\":{\"vpc_id\":\"vpc-1\",\"subnet_ids\":[\"s\"],\"security_group_id\":\"sg-1\","
     "\"ingress_cidrs\":[\"10.0.0.0/8\"]}",
     "network.ingress_cidrs: Conflicting settings"},
    {MODEL ",\"egress\":\"existing\"", "egress: Conflicting settings"},
    {MODEL ",\"zones\":[\"us-east-1a\",\"us-east-1b\",\"us-east-1c\",\"us-east-1d\"],"
           "\"network\":{\"cidr\":\"10.0.0.0/26\"}",
     "network.cidr: The range is too small for the zones"},
    {MODEL ",\"network\":{\"cidr\":\"10.0.0.0/28\"}", "network.cidr: The range has the wrong size"},
    {"\"name\":\"a123456789012345678901234567890123456789\",\"cloud\":\"aws\","
     "\"region\":\"us-northsouth-100\",\"models\":[\"phi4\"]",
     "name: The name is too long: The IAM role would be called "
     "\"llm-node-a123456789012345678901234567890123456789-us-northsouth-100\", which has 67 "
     "characters; at most 64 are allowed. Shorten `name` by 3."},
    {MODEL ",\"disk\":{\"type\":\"io2\"}", "disk.iops: A setting is missing"},
    {MODEL ",\"disk\":{\"type\":\"gp2\",\"iops\":3000}", "disk.iops: Conflicting settings"},
    {MODEL ",\"disk\":{\"type\":\"gp2\",\"throughput\":200}", "disk.throughput: Conflicting"},
    {MODEL ",\"power\":\"stopped\",\"machine\":{\"provisioning\":\"spot\"}", "power: Conflicting"},
    {MODEL ",\"power\":\"stopped\",\"wait_for\":\"serving\"", "wait_for: Conflicting"},
    {MODEL ",\"tailscale\":{\"ssh\":true}", "tailscale: An auth key is missing"},
    {MODEL ",\"log_retention_days\":31", "log_retention_days: CloudWatch has no such retention"},
    {MODEL ",\"tags\":{\"llm:x\":\"y\"}", "tags[\"llm:x\"]: Reserved tag"},
    {MODEL ",\"tags\":{\"aws:x\":\"y\"}", "tags[\"aws:x\"]: Reserved tag"},
};

static void refuses(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        struct fixture *f = fixture_new();
        assert_non_null(f);
        const char *json = arena_printf(f->a, "{%s}", bad[i].config);
        if (gpu_node_validate(f->a, fixture_config(f, json), &f->diags) != -1)
            fail_msg("accepted: %s", json);
        fixture_expect(f, DIAG_ERROR, bad[i].message);
        fixture_free(f);
    }
}

static void accepts(void **state)
{
    (void)state;
    static const char *const good[] = {
        MODEL,
        BASE ",\"models\":[\"llama3.1:8b\",\"qwen2.5:14b\"],\"context_tokens\":32768",
        BASE
        ",\"custom_model\":{\"name\":\"hf.co/me/model:Q4_K_M\",\"memory_gib\":20,\"disk_gib\":12}",
        MODEL ",\"machine\":{\"candidates\":[\"g5.xlarge\",\"p3.2xlarge\"],"
              "\"provisioning\":\"spot_preferred\"}",
        MODEL ",\"runtime\":\"vllm\",\"huggingface_token_secret\":\"hf\"",
        MODEL
        ",\"network\":{\"vpc_id\":\"vpc-1\",\"subnet_ids\":[\"subnet-1\"]},\"egress\":\"existing\"",
        MODEL
        ",\"zones\":[\"us-east-1a\",\"us-east-1b\",\"us-east-1c\",\"us-east-1d\",\"us-east-1e\","
        "\"us-east-1f\"],\"network\":{\"cidr\":\"10.0.0.0/25\"}",
        MODEL ",\"zones\":[\"us-east-1-bos-1a\"]",
        MODEL ",\"disk\":{\"type\":\"io2\",\"iops\":5000,\"size_gib\":200}",
        "\"name\":\"demo\",\"cloud\":\"aws\",\"models\":[\"phi4\"],\"zones\":[\"eu-west-1a\"]",
    };
    for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
        struct fixture *f = fixture_new();
        assert_non_null(f);
        gpu_node_validate(f->a, fixture_config(f, arena_printf(f->a, "{%s}", good[i])), &f->diags);
        fixture_expect_none(f);
        fixture_free(f);
    }
}

static void warns_of_a_long_context(void **state)
{
    (void)state;
    struct fixture *f = fixture_new();
    assert_non_null(f);
    assert_int_equal(gpu_node_validate(f->a,
                                       fixture_config(f, "{" BASE ",\"models\":[\"gemma2:2b\"],"
                                                         "\"context_tokens\":16384}"),
                                       &f->diags),
                     0);
    fixture_expect(f, DIAG_WARNING, "gemma2:2b was made for 8192 tokens");
    fixture_free(f);
}

/* Every attribute, made unknown: no check may stumble or take it for wrong. */
static void passes_over_unknowns(void **state)
{
    (void)state;
    struct fixture *f = fixture_new();
    assert_non_null(f);
    const struct value *config = fixture_config(f, "{" MODEL "}");
    for (size_t i = 0; i < schema_llm_gpu_node.attr_count; i++) {
        const struct schema_attr *attr = &schema_llm_gpu_node.attrs[i];
        const struct value *v =
            value_with(f->a, config, attr->name, value_unknown(f->a, attr->type));
        assert_non_null(v);
        if (gpu_node_validate(f->a, v, &f->diags) != 0)
            fail_msg("%s unknown: %s", attr->name, f->diags.first->detail);
    }
    fixture_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses),
        cmocka_unit_test(accepts),
        cmocka_unit_test(warns_of_a_long_context),
        cmocka_unit_test(passes_over_unknowns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

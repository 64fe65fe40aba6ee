/* What a node says of itself in tags, and back again; and the start-up script. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gpu_node_fixture.h"
#include "resources/scripts.h"
#include "schema/tables.h"
#include "value/codec.h"

#define BASE "\"name\":\"demo\",\"cloud\":\"aws\",\"region\":\"us-east-1\""
#define MODEL BASE ",\"models\":[\"llama3.1:8b\"]"

static const char *const configs[] = {
    MODEL,
    BASE ",\"models\":[\"llama3.1:8b\",\"mistral\",\"qwen2.5:14b-instruct-q8_0\"],"
         "\"context_tokens\":32768",
    BASE ",\"custom_model\":{\"name\":\"hf.co/me/x:Q4\",\"memory_gib\":20.5,\"disk_gib\":12}",
    MODEL ",\"custom_model\":{\"name\":\"x\",\"memory_gib\":2,\"disk_gib\":1}",
    MODEL
    ",\"runtime\":\"vllm\",\"huggingface_token_secret\":\"my secret, with odd=chars+\\u00fc\"",
    MODEL ",\"machine\":{\"candidates\":[\"g5.xlarge\",\"g6.xlarge\"],\"provisioning\":\"spot\"},"
          "\"zones\":[\"us-east-1b\",\"us-east-1a\"]",
    MODEL ",\"machine\":{\"type\":\"g5.xlarge\"},\"power\":\"stopped\",\"log_retention_days\":7",
    MODEL
    ",\"disk\":{\"size_gib\":200,\"type\":\"io2\",\"iops\":4000,"
    "\"kms_key\":\"arn:aws:kms:us-east-1:123456789012:key/11111111-2222-3333-4444-555555555555\"}",
    MODEL ",\"disk\":{\"throughput\":250},\"wait_for\":\"serving\"",
    MODEL ",\"network\":{\"cidr\":\"10.9.0.0/20\",\"ingress_cidrs\":[\"10.0.0.0/8\","
          "\"192.168.0.0/16\"]}",
    MODEL ",\"network\":{\"vpc_id\":\"vpc-1\",\"subnet_ids\":[\"subnet-2\",\"subnet-1\"],"
          "\"security_group_id\":\"sg-1\"},\"egress\":\"existing\",\"instance_profile\":\"mine\"",
    MODEL ",\"tailscale\":{\"auth_key_secret\":\"ts/key\",\"hostname\":\"gpu\","
          "\"tags\":[\"tag:llm\",\"tag:gpu\"],\"ssh\":true},\"image\":\"ami-0123\"",
    MODEL ",\"tailscale\":{\"auth_key_wo_version\":7},\"model_cache\":{\"s3_uri\":\"s3://b/p\"}",
    MODEL ",\"model_cache\":{\"snapshot_id\":\"snap-1\"}",
    MODEL ",\"machine\":{},\"disk\":{},\"network\":{},\"model_cache\":{},\"tags\":{}",
    MODEL ",\"machine\":{\"provisioning\":\"on_demand\"},\"network\":{\"ingress_cidrs\":[]}",
    BASE ",\"models\":[\"llama3.1:70b-instruct-q8_0\",\"llama3.1:8b-instruct-fp16\","
         "\"qwen2.5-coder:32b-instruct-q8_0\",\"qwen2.5-coder:14b-instruct-q8_0\","
         "\"deepseek-coder-v2:16b-lite-instruct-q4_0\",\"phi3:14b-medium-128k-instruct-q4_0\","
         "\"mixtral:8x7b-instruct-v0.1-q8_0\",\"mistral-small3.2:24b-instruct-2506-q8_0\","
         "\"qwen3:235b-a22b-thinking-2507-q8_0\",\"command-r-plus:104b-08-2024-q8_0\"]",
};

static const struct value *tags_of(struct fixture *f, const struct value *config)
{
    struct gpu_node_models models;
    assert_int_equal(gpu_node_models(f->a, config, &models, &f->diags), 0);
    const struct value *tags = gpu_node_tags(f->a, config, &models);
    assert_non_null(tags);
    return tags;
}

static void there_and_back(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(configs) / sizeof(*configs); i++) {
        struct fixture *f = fixture_new();
        assert_non_null(f);
        const struct value *config = fixture_config(f, arena_printf(f->a, "{%s}", configs[i]));
        const struct value *tags = tags_of(f, config);
        for (size_t k = 0; k < value_count(tags); k++) {
            struct slice v = value_slice(tags->members[k].value);
            assert_true(v.len > 0 && v.len <= 256);
            assert_true(v.ptr[0] != ' ' && v.ptr[v.len - 1] != ' ');
        }
        const struct value *base = fixture_json(f, "{" BASE "}");
        const struct value *empty =
            value_object_of(f->a, schema_llm_gpu_node.type, base->members, value_count(base));
        const struct value *back = gpu_node_config_of_tags(f->a, empty, tags);
        if (!value_equal(back, config)) {
            _cleanup_buf_ struct buf b = BUF_INIT(65536);
            value_format(&b, back);
            fail_msg("%s came back as %s", configs[i], buf_cstr(&b));
        }
        fixture_free(f);
    }
}

static void names_for_the_runtime(void **state)
{
    (void)state;
    struct fixture *f = fixture_new();
    assert_non_null(f);
    const struct value *tags =
        tags_of(f, fixture_config(f, "{" BASE ",\"models\":[\"phi4\"],\"runtime\":\"vllm\","
                                     "\"context_tokens\":100000}"));
    assert_string_equal(value_cstr(value_get(tags, "llm:models"), ""), "phi4");
    assert_string_equal(value_cstr(value_get(tags, "llm:served"), ""), "microsoft/phi-4");
    /* vLLM refuses a context that the model does not have. */
    assert_string_equal(value_cstr(value_get(tags, "llm:context"), ""), "16384");
    tags = tags_of(f, fixture_config(f, "{" MODEL ",\"custom_model\":{\"name\":\"mine\","
                                        "\"memory_gib\":2,\"disk_gib\":1}}"));
    assert_string_equal(value_cstr(value_get(tags, "llm:served"), ""), "llama3.1:8b mine");
    fixture_free(f);
}

static void imports_what_the_instance_says(void **state)
{
    (void)state;
    struct fixture *f = fixture_new();
    assert_non_null(f);
    const struct value *config = NULL;
    f->c.config = fixture_config(f, "{" BASE "}");
    fixture_answer(f, "DescribeInstances",
                   "{\"reservationSet\":[{\"instancesSet\":[{\"instanceId\":\"i-1\",\"tagSet\":["
                   "{\"key\":\"llm:models\",\"value\":\"llama3.1:8b mistral\"},"
                   "{\"key\":\"llm:runtime\",\"value\":\"ollama\"},"
                   "{\"key\":\"llm:settings\",\"value\":\"context_tokens=4096 log_ret\"},"
                   "{\"key\":\"llm:settings-2\",\"value\":\"ention_days=7\"},"
                   "{\"key\":\"llm:status\",\"value\":\"serving\"},{\"key\":\"Name\",\"value\":"
                   "\"demo-instance\"},"
                   "{\"key\":\"team\",\"value\":\"models\"},{\"key\":\"aws:x\",\"value\":\"y\"},"
                   "{\"key\":\"owner\",\"value\":\"me\"}]}]}]}");
    assert_int_equal(composite_gpu_node.describe(&f->c, &f->records, &config), 0);
    assert_int_equal(value_count(value_get(config, "models")), 2);
    assert_int_equal(value_int_or(value_get(config, "context_tokens"), 0), 4096);
    assert_int_equal(value_int_or(value_get(config, "log_retention_days"), 0), 7);
    assert_string_equal(value_cstr(value_get(config, "egress"), ""), "nat");
    assert_int_equal(value_count(value_get(config, "tags")), 1);
    assert_string_equal(value_cstr(value_path(config, "tags.owner"), ""), "me");
    f->answer_count = 0;
    fixture_answer(f, "DescribeInstances", "{\"reservationSet\":\"\"}");
    assert_int_equal(composite_gpu_node.describe(&f->c, &f->records, &config), -1);
    fixture_expect(f, DIAG_ERROR, "There is no such node");
    fixture_free(f);
}

static void set_up_import(struct fixture *f)
{
    f->c.config = fixture_config(f, "{" BASE "}");
    fixture_answer(f, "DescribeInstances",
                   "{\"reservationSet\":[{\"instancesSet\":[{\"instanceId\":\"i-1\",\"tagSet\":["
                   "{\"key\":\"llm:models\",\"value\":\"llama3.1:8b mistral\"},"
                   "{\"key\":\"llm:settings\",\"value\":\"network.cidr=10.0.0.0/20 "
                   "tailscale.tags=tag:a,tag:b\"},{\"key\":\"owner\",\"value\":\"me\"}]}]}]}");
}

static int run_import(struct fixture *f)
{
    const struct value *config = NULL;
    return composite_gpu_node.describe(&f->c, &f->records, &config);
}

static void memory_runs_out(void **state)
{
    (void)state;
    fixture_starve(set_up_import, run_import);
}

/* ---- the script ---- */

static const char *script_of(struct fixture *f, const char *config)
{
    const struct value *derived = NULL;
    f->c.online = false;
    fixture_set(f, arena_printf(f->a, "{%s}", config));
    assert_int_equal(composite_gpu_node.derive(&f->c, &derived), 0);
    const char *script = value_cstr(value_get(derived, "user_data"), NULL);
    assert_non_null(script);
    return script;
}

static void every_script_is_small_and_whole(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(configs) / sizeof(*configs); i++) {
        struct fixture *f = fixture_new();
        assert_non_null(f);
        const char *script = script_of(f, configs[i]);
        assert_true(strlen(script) <= 16384);
        assert_null(strstr(script, "@@"));
        assert_memory_equal(script, "#!/bin/bash\n", 12);
        fixture_free(f);
    }
}

static void values_are_quoted(void **state)
{
    (void)state;
    struct fixture *f = fixture_new();
    assert_non_null(f);
    const char *script =
        script_of(f, MODEL ",\"huggingface_token_secret\":\"it's $(odd) `x` \\\" \\\\\"");
    assert_non_null(strstr(script, "\nHF_SECRET='it'\\''s $(odd) `x` \" \\'\n"));
    assert_non_null(strstr(script, "\nSERVED='llama3.1:8b'\n"));
    assert_non_null(strstr(script, "\nTS_SECRET=''\n"));
    script = script_of(f, MODEL ",\"tailscale\":{\"auth_key_wo_version\":1}");
    assert_non_null(strstr(script, "\nTS_SECRET='llm/gpu-node/demo/tailscale'\n"));
    fixture_free(f);
}

static void a_script_that_is_too_long(void **state)
{
    (void)state;
    struct fixture *f = fixture_new();
    assert_non_null(f);
    const struct value *derived = NULL;
    char secret[2048 + 1] = {0};
    memset(secret, '\'', 2048); /* each needs four characters */
    const char *json =
        arena_printf(f->a, "{" MODEL ",\"huggingface_token_secret\":\"%s\"}", secret);
    fixture_set(f, json);
    f->c.online = false;
    assert_int_equal(composite_gpu_node.derive(&f->c, &derived), -1);
    fixture_expect(f, DIAG_ERROR, "too long");
    fixture_free(f);
}

static void places_that_nothing_fills(void **state)
{
    (void)state;
    static const char *const values[][2] = {{"a", "x"}};
    _cleanup_buf_ struct buf b = BUF_INIT(1024);
    assert_int_equal(gpu_node_render(&b, "1 @@a@@ 2 @@a@@ 3", values, 1), 0);
    assert_string_equal(buf_cstr(&b), "1 'x' 2 'x' 3");
    assert_int_equal(gpu_node_render(&b, "@@b@@", values, 1), -1);
    assert_int_equal(gpu_node_render(&b, "@@a", values, 1), -1);
    (void)script_aws_startup;
}

/* For the script's own tests: a rendered one, in the file that SCRIPT_OUT names. */
static void writes_one(void **state)
{
    (void)state;
    const char *path = getenv("SCRIPT_OUT");
    if (!path)
        return;
    struct fixture *f = fixture_new();
    assert_non_null(f);
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    assert_true(fputs(script_of(f, MODEL ",\"tailscale\":{\"auth_key_wo_version\":1,"
                                         "\"tags\":[\"tag:llm\"]},\"model_cache\":{"
                                         "\"s3_uri\":\"s3://cache/models/\"}"),
                      out) >= 0);
    assert_int_equal(fclose(out), 0);
    fixture_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(there_and_back),
        cmocka_unit_test(names_for_the_runtime),
        cmocka_unit_test(imports_what_the_instance_says),
        cmocka_unit_test(memory_runs_out),
        cmocka_unit_test(every_script_is_small_and_whole),
        cmocka_unit_test(values_are_quoted),
        cmocka_unit_test(a_script_that_is_too_long),
        cmocka_unit_test(places_that_nothing_fills),
        cmocka_unit_test(writes_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

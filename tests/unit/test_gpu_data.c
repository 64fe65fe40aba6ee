/* The data sources llm_model and llm_gpu_offers, the functions gpu_fit and vram_gib, and the
 * registry. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "gpu_node_fixture.h"
#include "resources/data_sources.h"
#include "schema/tables.h"
#include "value/codec.h"

static const struct value *config_of(struct fixture *f, const struct data_source *d,
                                     const char *json)
{
    const struct value *v = NULL;
    if (value_json_decode(f->a, slice_str(json), d->schema->type, true, &v, &f->diags) < 0)
        fail_msg("no configuration: %s", json);
    return v;
}

static const struct value *read_data(struct fixture *f, const struct data_source *d,
                                     const char *json)
{
    const struct value *v = NULL, *config = config_of(f, d, json);
    assert_int_equal(d->validate(d, &f->request, config), 0);
    if (d->read(d, &f->request, config, &v) < 0)
        return NULL;
    assert_true(type_equal(v->type, d->schema->type));
    assert_true(value_is_wholly_known(v));
    return v;
}

static const char *text(struct fixture *f, const struct value *v)
{
    _cleanup_buf_ struct buf b = BUF_INIT(65536);
    assert_int_equal(value_format(&b, v), 0);
    return arena_strdup(f->a, buf_cstr(&b));
}

static void expect(struct fixture *f, const struct value *v, const char *path, const char *what)
{
    assert_string_equal(text(f, value_path(v, path)), what);
}

static void a_model(void **state)
{
    (void)state;
    struct fixture *f = fixture_new();
    assert_non_null(f);
    const struct value *v =
        read_data(f, &data_model, "{\"name\":\"llama3.1\",\"context_tokens\":16384}");
    assert_non_null(v);
    expect(f, v, "full_name", "\"llama3.1:8b\"");
    expect(f, v, "quantization", "\"q4_K_M\"");
    expect(f, v, "parameters", "8030000000");
    expect(f, v, "kv_cache_gib", "2");
    expect(f, v, "weights_gib", "4.56");
    expect(f, v, "huggingface_id", "\"meta-llama/Llama-3.1-8B-Instruct\"");
    expect(f, v, "runtime", "\"ollama\"");
    v = read_data(f, &data_model, "{\"name\":\"llama3.1\",\"runtime\":\"vllm\"}");
    expect(f, v, "quantization", "\"huggingface\"");
    expect(f, v, "weights_gib", "14.96");
    const struct value *bad = config_of(f, &data_model, "{\"name\":\"llama3.1:9b\"}");
    assert_int_equal(data_model.validate(&data_model, &f->request, bad), -1);
    fixture_expect(f, DIAG_ERROR,
                   "name: Unknown model: The catalogue has no \"llama3.1:9b\". Did "
                   "you mean \"llama3.1:8b\"?");
    fixture_free(f);
}

static void offers_without_a_region(void **state)
{
    (void)state;
    struct fixture *f = fixture_new();
    assert_non_null(f);
    const struct value *v = read_data(f, &data_gpu_offers, "{\"models\":[\"llama3.3:70b\"]}");
    assert_non_null(v);
    const struct value *offers = value_get(v, "offers"), *first = value_at(offers, 0);
    assert_true(value_count(offers) > 5);
    expect(f, first, "machine_type", "\"g6e.xlarge\"");
    expect(f, first, "usd_per_hour", "1.861");
    expect(f, first, "gpu_memory_gib", "48");
    expect(f, first, "needed_gib", "43.29");
    expect(f, first, "usable_gib", "44.16");
    expect(f, first, "zones", "null");
    const struct value *last = value_at(offers, value_count(offers) - 1);
    expect(f, last, "machine_type", "\"p5e.48xlarge\"");
    expect(f, last, "usd_per_hour", "null");
    v = read_data(f, &data_gpu_offers,
                  "{\"models\":[\"llama3.3:70b\"],\"candidates\":[\"p5.48xlarge\",\"g5.12xlarge\","
                  "\"g5.xlarge\"]}");
    assert_int_equal(value_count(value_get(v, "offers")), 2);
    expect(f, value_at(value_get(v, "offers"), 0), "machine_type", "\"g5.12xlarge\"");
    fixture_free(f);
}

static void offers_of_a_region(void **state)
{
    (void)state;
    struct fixture *f = fixture_new();
    assert_non_null(f);
    const struct cloud_driver *const drivers[] = {f->c.driver, NULL};
    f->provider->drivers = drivers;
    f->provider->clients[0] = f->c.client;
    f->provider->configured = true;
    fixture_answer(f, "DescribeInstanceTypeOfferings",
                   "{\"instanceTypeOfferingSet\":["
                   "{\"instanceType\":\"g5.xlarge\",\"location\":\"us-east-1b\"},"
                   "{\"instanceType\":\"g5.xlarge\",\"location\":\"us-east-1a\"}]}");
    const struct value *v =
        read_data(f, &data_gpu_offers, "{\"models\":[\"llama3.1:8b\"],\"region\":\"us-east-1\"}");
    assert_non_null(v);
    assert_int_equal(value_count(value_get(v, "offers")), 1);
    expect(f, value_at(value_get(v, "offers"), 0), "zones", "[\"us-east-1a\", \"us-east-1b\"]");
    f->answer_count = 0;
    fixture_refuse(f, "DescribeInstanceTypeOfferings", CLOUD_ERROR_CREDENTIALS, "ExpiredToken",
                   "expired", 0);
    assert_null(
        read_data(f, &data_gpu_offers, "{\"models\":[\"llama3.1:8b\"],\"region\":\"us-east-1\"}"));
    fixture_expect(f, DIAG_ERROR, "ExpiredToken");
    f->provider->drivers = NULL;
    fixture_free(f);
}

static void wrong_offers(void **state)
{
    (void)state;
    struct fixture *f = fixture_new();
    assert_non_null(f);
    const struct value *bad = config_of(
        f, &data_gpu_offers, "{\"models\":[\"llama3.1:8c\"],\"candidates\":[\"g5.3xlarge\"]}");
    assert_int_equal(data_gpu_offers.validate(&data_gpu_offers, &f->request, bad), -1);
    fixture_expect(f, DIAG_ERROR, "models[0]: Unknown model");
    fixture_expect(f, DIAG_ERROR, "candidates[0]: Unknown machine type");
    fixture_free(f);
}

/* ---- functions ---- */

static const struct value *call(struct fixture *f, const struct function *fn, const char *json,
                                const char *error, int64_t argument)
{
    const struct value *list = fixture_json(f, json), *v = NULL;
    const struct value *args[8];
    const char *message = NULL;
    int64_t at = -2;
    assert_int_equal(value_count(list), fn->schema->parameter_count);
    for (size_t i = 0; i < value_count(list); i++) {
        args[i] =
            value_convert(f->a, value_at(list, i), fn->schema->parameters[i].type, NULL, &f->diags);
        assert_non_null(args[i]);
    }
    int rc = fn->call(f->a, args, value_count(list), &v, &message, &at);
    if (!error) {
        assert_int_equal(rc, 0);
        assert_true(type_equal(v->type, fn->schema->result));
        return v;
    }
    assert_int_equal(rc, -1);
    assert_int_equal(at, argument);
    if (!strstr(message, error))
        fail_msg("\"%s\" does not say \"%s\"", message, error);
    return NULL;
}

static void functions(void **state)
{
    (void)state;
    struct fixture *f = fixture_new();
    assert_non_null(f);
    const struct value *v = call(f, &vram_gib_function, "[\"llama3.1:8b\",8192]", NULL, 0);
    assert_string_equal(text(f, v), "6.31");
    call(f, &vram_gib_function, "[\"lama3.1:8b\",8192]", "did you mean \"llama3.1:8b\"?", 0);
    call(f, &vram_gib_function, "[\"llama3.1:8b\",0]", "from 1 to", 1);
    call(f, &vram_gib_function, "[\"llama3.1:8b\",0.5]", "whole number", 1);
    v = call(f, &gpu_fit_function, "[[\"llama3.1:8b\",\"mistral\"],8192,\"g5.xlarge\"]", NULL, 0);
    expect(f, v, "fits", "true");
    expect(f, v, "gpu", "\"A10G\"");
    expect(f, v, "gpus_used", "1");
    expect(f, v, "reason", "null");
    v = call(f, &gpu_fit_function, "[[\"llama3.3:70b\"],8192,\"g5.xlarge\"]", NULL, 0);
    expect(f, v, "fits", "false");
    expect(f, v, "reason", "\"not enough GPU memory\"");
    call(f, &gpu_fit_function, "[[],8192,\"g5.xlarge\"]", "from 1 to 16", 0);
    call(f, &gpu_fit_function, "[[\"x\"],8192,\"g5.xlarge\"]", "no model \"x\"", 0);
    call(f, &gpu_fit_function, "[[\"phi4\"],8192,\"g5.9xlarge\"]", "no GPU machine", 2);
    fixture_free(f);
}

/* Everything that the schemas describe is served, under its name. */
static void the_registry_has_all(void **state)
{
    (void)state;
    for (size_t i = 0; all_resource_schemas[i]; i++)
        assert_non_null(registry_resource(slice_str(all_resource_schemas[i]->name)));
    for (size_t i = 0; all_data_source_schemas[i]; i++)
        assert_non_null(registry_data_source(slice_str(all_data_source_schemas[i]->name)));
    for (size_t i = 0; all_functions[i]; i++)
        assert_non_null(registry_function(slice_str(all_functions[i]->name)));
    for (size_t i = 0; all_ephemeral_schemas[i]; i++)
        assert_non_null(registry_ephemeral(slice_str(all_ephemeral_schemas[i]->name)));
    assert_null(registry_resource(SLICE_LIT("llm_nothing")));
    assert_null(registry_data_source(SLICE_LIT("llm_nothing")));
    assert_null(registry_function(SLICE_LIT("nothing")));
    assert_null(registry_ephemeral(SLICE_LIT("llm_nothing")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_model),
        cmocka_unit_test(offers_without_a_region),
        cmocka_unit_test(offers_of_a_region),
        cmocka_unit_test(wrong_offers),
        cmocka_unit_test(functions),
        cmocka_unit_test(the_registry_has_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* What llm_endpoint derives in a cluster: pods, image, storage, labels, amounts; and what stays as
 * it was. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "gpu_node_fixture.h"
#include "resources/endpoint_cluster.h"
#include "resources/tables.h"
#include "schema/tables.h"
#include "value/codec.h"

#define CONFIG(more)                                                                               \
    "{\"name\":\"chat\",\"cloud\":\"aws\",\"target\":\"cluster\",\"region\":\"us-east-1\","        \
    "\"model\":\"llama3.1:8b\"" more "}"
#define CLUSTER(more) ",\"cluster\":{\"name\":\"c\"" more "}"
#define MAIN "kube_deployments.main"
#define IMAGE(tag) "docker.io/vllm/vllm-openai:" tag

static struct fixture *f;

static void use_endpoint(struct fixture *x)
{
    x->schema = &schema_llm_endpoint;
    x->table = &table_llm_endpoint;
}

static int set_up(void **state)
{
    (void)state;
    f = fixture_new();
    use_endpoint(f);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    fixture_free(f);
    return 0;
}

static const struct value *derive(const char *config)
{
    return fixture_derive(f, &composite_endpoint, config);
}

static const char *json(const struct value *v)
{
    return fixture_text(f, v);
}

static const char *member(const struct value *v, const char *path)
{
    return json(value_path(v, path));
}

static const struct value *server(const struct value *v)
{
    return value_at(value_path(v, MAIN ".containers"), 0);
}

/* ---- amounts and names ---- */

static void test_amounts_are_written_as_the_cluster_does(void **state)
{
    static const struct {
        const char *cpu, *written;
    } cpus[] = {{"2", "2"},         {"500m", "500m"}, {"0.5", "500m"}, {"2000m", "2"},
                {"1.250", "1250m"}, {"10.0", "10"},   {"0.001", "1m"}};
    static const struct {
        int64_t mib;
        const char *written;
    } sizes[] = {
        {512, "512Mi"}, {1024, "1Gi"}, {1536, "1536Mi"}, {1048576, "1Ti"}, {30720, "30Gi"}};
    (void)state;
    for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++)
        assert_string_equal(value_cstr(endpoint_mib(f->a, sizes[i].mib), ""), sizes[i].written);
    for (size_t i = 0; i < sizeof(cpus) / sizeof(*cpus); i++) {
        const char *text =
            arena_printf(f->a, CONFIG(",\"machine\":{\"cpu\":\"%s\"}" CLUSTER("")), cpus[i].cpu);
        const struct value *v = derive(text);
        assert_string_equal(value_cstr(value_path(server(v), "resources.limits.cpu"), ""),
                            cpus[i].written);
    }
    fixture_set(f, CONFIG(",\"machine\":{\"cpu\":\"0.0001\"}" CLUSTER("")));
    assert_int_equal(endpoint_cluster_cpu_milli(f->c.config), -1);
    fixture_set(f, CONFIG(",\"machine\":{\"cpu\":\"99999999999999999999999\"}" CLUSTER("")));
    assert_int_equal(endpoint_cluster_cpu_milli(f->c.config), -1);
}

static void test_labels_choose_the_pods(void **state)
{
    (void)state;
    const struct value *v = derive(CONFIG(CLUSTER("")));
    assert_string_equal(member(v, "kube_service.selector"), "{\"llm-endpoint\":\"chat\"}");
    assert_string_equal(member(v, MAIN ".selector"),
                        "{\"matchLabels\":{\"llm-endpoint\":\"chat\",\"llm-variant\":\"main\"}}");
    assert_string_equal(member(v, MAIN ".name"), "\"chat-main\"");
    assert_string_equal(member(v, "kube_namespace"), "\"default\"");
    assert_string_equal(member(v, "kube_labels"), "{}");
}

static void test_memory_follows_from_the_machine(void **state)
{
    static const struct {
        const char *machine, *memory;
    } cases[] = {{"{\"gpus\":2}", "\"24Gi\""},
                 {"{\"type\":\"g6.xlarge\"}", "\"12Gi\""},
                 {"{\"type\":\"g6.12xlarge\",\"gpus\":4}", "\"48Gi\""},
                 {"{\"gpus\":0}", "\"12Gi\""},
                 {"{\"memory_gib\":1024}", "\"1Ti\""}};
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        const struct value *v =
            derive(arena_printf(f->a, CONFIG(",\"machine\":%s" CLUSTER("")), cases[i].machine));
        assert_string_equal(json(value_path(server(v), "resources.requests.memory")),
                            cases[i].memory);
    }
}

/* ---- GPUs ---- */

static void test_gpus_follow_from_the_machine(void **state)
{
    static const struct {
        const char *machine, *gpus, *parallel;
    } cases[] = {
        {"", "\"1\"", NULL},
        {",\"machine\":{\"type\":\"g6.xlarge\"}", "\"1\"", NULL},
        {",\"model\":\"llama3.1:70b\",\"machine\":{\"type\":\"g6e.12xlarge\"}", "\"4\"", "\"4\""},
        {",\"machine\":{\"type\":\"g6.12xlarge\",\"gpus\":2}", "\"2\"", "\"2\""},
        {",\"machine\":{\"gpus\":0}", "(none)", NULL},
        {",\"machine\":{\"type\":\"x9.large\"}", "\"1\"", NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        bool other = strstr(cases[i].machine, "model") != NULL;
        const char *text =
            arena_printf(f->a,
                         "{\"name\":\"chat\",\"cloud\":\"aws\",\"target\":"
                         "\"cluster\",\"region\":\"us-east-1\"%s%s" CLUSTER("") "}",
                         other ? "" : ",\"model\":\"llama3.1:8b\"", cases[i].machine);
        const struct value *v = derive(text);
        const struct value *limits = value_path(server(v), "resources.limits");
        const char *args = json(value_get(server(v), "args"));
        assert_string_equal(json(value_get(limits, ENDPOINT_CLUSTER_GPU)), cases[i].gpus);
        const char *at = strstr(args, "\"--tensor-parallel-size\",");
        assert_int_equal(at != NULL, cases[i].parallel != NULL);
        if (at)
            assert_memory_equal(at + strlen("\"--tensor-parallel-size\","), cases[i].parallel,
                                strlen(cases[i].parallel));
        assert_int_equal(value_count(value_path(v, MAIN ".tolerations")),
                         strcmp(cases[i].gpus, "(none)") != 0);
    }
}

static void test_nodes_of_gke(void **state)
{
    (void)state;
    f->c.cloud = "gcp";
    const struct value *v = derive(
        "{\"name\":\"chat\",\"cloud\":\"gcp\",\"target\":\"cluster\",\"region\":\"us-central1\","
        "\"model\":\"mistral:7b\",\"machine\":{\"type\":\"n1-standard-4+nvidia-tesla-t4:1\","
        "\"provisioning\":\"spot\",\"gpus\":1}" CLUSTER("") "}");
    const struct value *nodes = value_path(v, MAIN ".node_selector");
    assert_string_equal(json(value_get(nodes, "node.kubernetes.io/instance-type")),
                        "\"n1-standard-4\"");
    /* A quarter of its 15 GiB is left to what else runs there. */
    assert_string_equal(json(value_path(server(v), "resources.limits.memory")), "\"11520Mi\"");
    assert_string_equal(json(value_get(nodes, "cloud.google.com/gke-accelerator")),
                        "\"nvidia-tesla-t4\"");
    assert_string_equal(json(value_get(nodes, "cloud.google.com/gke-spot")), "\"true\"");
    assert_int_equal(value_count(value_path(v, MAIN ".tolerations")), 2);
}

/* ---- images ---- */

static const char *image_with(const char *more, const char *was)
{
    const char *state =
        arena_printf(f->a, "{\"name\":\"chat\",\"variant_status\":{\"main\":{\"image\":\"%s\"}}}",
                     was ? was : "");
    f->c.prior = was ? fixture_config(f, state) : NULL;
    const char *text = arena_printf(f->a, CONFIG("%s" CLUSTER("")), more);
    return value_cstr(value_get(server(derive(text)), "image"), "");
}

/* A newer catalogue rolls over no endpoint that nobody has touched. */
static void test_an_image_stays_until_another_is_asked_for(void **state)
{
    (void)state;
    assert_string_equal(image_with("", NULL), IMAGE("v0.27.1"));
    assert_string_equal(image_with("", IMAGE("v0.20.0")), IMAGE("v0.20.0"));
    assert_string_equal(image_with(",\"container\":{\"version\":\"0.25.0\"}", IMAGE("v0.20.0")),
                        IMAGE("v0.25.0"));
    assert_string_equal(image_with(",\"container\":{\"stack\":\"tgi\"}", IMAGE("v0.20.0")),
                        "ghcr.io/huggingface/text-generation-inference:3.3.5");
    assert_string_equal(image_with("", "docker.io/vllm/vllm-openai-rocm:v1"), IMAGE("v0.27.1"));
    assert_string_equal(image_with(",\"container\":{\"image\":\"r.io/a:1\"}", IMAGE("v0.20.0")),
                        "r.io/a:1");
}

/* ---- storage ---- */

static void test_a_volume_for_each_pod_or_one_for_all(void **state)
{
    (void)state;
    const struct value *v = derive(CONFIG(CLUSTER("")));
    assert_int_equal(value_count(value_get(v, "kube_weights")), 0);
    const struct value *volume = value_at(value_path(v, MAIN ".volumes"), 0);
    assert_non_null(value_path(volume, "ephemeral.volumeClaimTemplate"));
    v = derive(CONFIG(CLUSTER(",\"shared_storage\":true,\"storage_class\":\"efs\"")));
    const struct value *all = value_get(v, "kube_weights");
    assert_int_equal(value_count(all), 1);
    const char *first = json(value_get(value_at(all, 0), "name"));
    volume = value_at(value_path(v, MAIN ".volumes"), 0);
    assert_string_equal(json(value_path(volume, "persistentVolumeClaim.claimName")), first);
    /* Another class is another object, so that the old one can go after the pods have moved. */
    v = derive(CONFIG(CLUSTER(",\"shared_storage\":true,\"storage_class\":\"fsx\"")));
    all = value_get(v, "kube_weights");
    assert_string_not_equal(json(value_get(value_at(all, 0), "name")), first);
}

/* ---- what is not known yet ---- */

static void set_unknown(const char *config, const char *path)
{
    fixture_set(f, config);
    const struct value *at = value_path(f->c.config, path);
    f->c.config =
        value_with_path(f->a, f->c.config, path, value_unknown(f->a, at ? at->type : NULL));
    assert_non_null(f->c.config);
}

static void test_unknown_settings(void **state)
{
    static const char *const decide[] = {"name",      "model",  "machine.type", "cluster.namespace",
                                         "container", "network"};
    (void)state;
    for (size_t i = 0; i < sizeof(decide) / sizeof(*decide); i++) {
        const struct value *v = NULL;
        set_unknown(CONFIG(",\"machine\":{\"gpus\":1}" CLUSTER("")), decide[i]);
        assert_int_equal(composite_endpoint.derive(&f->c, &v), 0);
        assert_string_equal(member(v, "kube_deployments"), "(unknown)");
    }
    /* What the cluster is called, and where, decides about nothing in it. */
    const struct value *v = NULL;
    set_unknown(CONFIG(CLUSTER("")), "cluster.name");
    assert_int_equal(composite_endpoint.derive(&f->c, &v), 0);
    assert_string_equal(member(v, MAIN ".name"), "\"chat-main\"");
    /* Of these alone their place in the pod is not known. */
    set_unknown(CONFIG(CLUSTER("")), "environment");
    assert_int_equal(composite_endpoint.derive(&f->c, &v), 0);
    assert_string_equal(json(value_get(server(v), "env")), "(unknown)");
    assert_string_not_equal(json(value_get(server(v), "args")), "(unknown)");
    set_unknown(CONFIG(CLUSTER("")), "adapters");
    assert_int_equal(composite_endpoint.derive(&f->c, &v), 0);
    assert_string_equal(json(value_get(server(v), "args")), "(unknown)");
    set_unknown(CONFIG(CLUSTER("")), "huggingface_token_wo_version");
    assert_int_equal(composite_endpoint.derive(&f->c, &v), 0);
    assert_string_equal(member(v, "kube_token"), "(unknown)");
    assert_string_equal(json(value_get(server(v), "env")), "(unknown)");
}

/* ---- validation ---- */

static void expect_invalid(const char *config, const char *says)
{
    diags_init(&f->diags, f->a);
    fixture_set(f, config);
    assert_int_equal(endpoint_validate(f->a, f->c.config, &f->diags), -1);
    fixture_expect(f, DIAG_ERROR, says);
}

static void expect_valid(const char *config)
{
    diags_init(&f->diags, f->a);
    fixture_set(f, config);
    int rc = endpoint_validate(f->a, f->c.config, &f->diags);
    fixture_expect_none(f);
    assert_int_equal(rc, 0);
}

#define SHARES(a, x, b, y)                                                                         \
    CONFIG(",\"variants\":{\"a\":{\"weight\":" #a ",\"instances\":" #x "},\"b\":{\"weight\":" #b   \
           ",\"instances\":" #y "}}" CLUSTER(""))

/* To a percent, as thirds make no whole ones. */
static void test_shares(void **state)
{
    (void)state;
    expect_valid(SHARES(50, 1, 50, 1));
    expect_valid(SHARES(33, 1, 67, 2));
    expect_valid(SHARES(34, 1, 66, 2));
    expect_invalid(SHARES(32, 1, 68, 2), "\"a\" gets 33 percent, not 32");
    expect_invalid(SHARES(0, 1, 100, 1), "\"a\" gets 50 percent, not 0");
}

static void test_names_in_a_cluster(void **state)
{
    (void)state;
    expect_valid(
        CONFIG(",\"role\":\"reader.v1\",\"tags\":{\"example.com/Team\":\"A.b_c\"}" CLUSTER("")));
    expect_invalid(CONFIG(",\"role\":\"Reader\"" CLUSTER("")), "a service account");
    expect_invalid(CONFIG(",\"tags\":{\"Example.com/team\":\"a\"}" CLUSTER("")), "labels");
    expect_invalid(CONFIG(",\"tags\":{\"team\":\"-a\"}" CLUSTER("")), "labels");
    expect_invalid(CONFIG(",\"tags\":{\"a/b/c\":\"a\"}" CLUSTER("")), "labels");
}

/* ---- memory ---- */

static void set_up_starved(struct fixture *x)
{
    use_endpoint(x);
    fixture_set(x, CONFIG(",\"adapters\":{\"a\":\"s3://b/a\"},\"environment\":{\"A\":\"b\"},"
                          "\"cluster\":{\"name\":\"c\",\"shared_storage\":true,\"storage_class\":"
                          "\"efs\"}"));
}

static int derive_rc(struct fixture *x)
{
    const struct value *v = NULL;
    return composite_endpoint.derive(&x->c, &v);
}

static void test_memory_that_runs_out_is_an_error(void **state)
{
    (void)state;
    fixture_starve(set_up_starved, derive_rc);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(test_amounts_are_written_as_the_cluster_does),
        T(test_labels_choose_the_pods),
        T(test_memory_follows_from_the_machine),
        T(test_gpus_follow_from_the_machine),
        T(test_nodes_of_gke),
        T(test_an_image_stays_until_another_is_asked_for),
        T(test_a_volume_for_each_pod_or_one_for_all),
        T(test_unknown_settings),
        T(test_shares),
        T(test_names_in_a_cluster),
        T(test_memory_that_runs_out_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

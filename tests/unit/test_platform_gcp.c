/* What llm_platform_cluster derives for Google Cloud: zones, sizes, versions, names; and what stays
 * as it was. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "gpu_node_fixture.h"
#include "resources/platform_cluster_gcp.h"
#include "resources/tables.h"
#include "schema/tables.h"
#include "value/codec.h"

#define REGION                                                                                     \
    "{\"name\":\"us-central1\",\"zones\":[\"https://x/zones/us-central1-f\",\"https://x/zones/"    \
    "us-central1-a\",\"https://x/zones/us-central1-c\",\"https://x/zones/us-central1-b\"]}"
#define MACHINES                                                                                   \
    "{\"items\":[{\"name\":\"e2-standard-2\"},{\"name\":\"g2-standard-4\"},{\"name\":"             \
    "\"n1-standard-8\"}]}"
#define CONFIG(more) "{\"name\":\"dev\",\"cloud\":\"gcp\",\"region\":\"us-central1\"" more "}"
#define POOL(name, more) "\"" name "\":{\"gpu\":false" more "}"
#define POOLS(pools) CONFIG(",\"node_pools\":{" pools "}")

static struct fixture *f;

static void use_gcp(struct fixture *x)
{
    x->schema = &schema_llm_platform_cluster;
    x->table = &table_llm_platform_cluster;
    x->c.cloud = "gcp";
    x->c.region = "us-central1";
    x->c.account = "test-project";
}

static int set_up(void **state)
{
    (void)state;
    f = fixture_new();
    use_gcp(f);
    fixture_answer(f, "regions.get", REGION);
    fixture_answer(f, "machineTypes.list", MACHINES);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    fixture_free(f);
    return 0;
}

static const struct value *derive(void)
{
    return fixture_derive(f, &composite_platform_cluster, NULL);
}

static int derive_rc(struct fixture *x)
{
    const struct value *v = NULL;
    return composite_platform_cluster.derive(&x->c, &v);
}

/* A member of what is derived, as JSON; `path` from a pool's object when it starts with a slash. */
static const char *member(const struct value *v, const char *path)
{
    return fixture_text(f, value_path(v, path));
}

/* Of the first pool. */
static const char *pool(const struct value *v, const char *path)
{
    return member(value_at(value_get(v, "node_pools"), 0), path);
}

static bool has_called(const char *op)
{
    for (size_t i = 0; i < f->call_count; i++)
        if (strcmp(f->calls[i], op) == 0)
            return true;
    return false;
}

/* ---- zones ---- */

static void test_first_zones_of_the_region(void **state)
{
    (void)state;
    fixture_set(f, CONFIG(""));
    const struct value *v = derive();
    assert_string_equal(member(v, "zones"),
                        "[\"us-central1-a\",\"us-central1-b\",\"us-central1-c\"]");
    fixture_set(f, CONFIG(",\"network\":{\"zones\":4}"));
    assert_int_equal(value_count(value_get(derive(), "zones")), 4);
    fixture_set(f, CONFIG(",\"network\":{\"zone_names\":[\"us-central1-f\"]}"));
    f->call_count = 0;
    assert_string_equal(member(derive(), "zones"), "[\"us-central1-f\"]");
    assert_false(has_called("regions.get"));
}

static void test_too_few_zones(void **state)
{
    (void)state;
    f->answers[0].json = "{\"zones\":[\"https://x/zones/us-central1-a\"]}";
    fixture_set(f, CONFIG(",\"network\":{\"zones\":2}"));
    assert_int_equal(derive_rc(f), -1);
    fixture_expect(f, DIAG_ERROR, "network.zones: The region has fewer zones");
}

/* What is there keeps its zones, and nothing is asked. */
static void test_zones_stay(void **state)
{
    (void)state;
    fixture_set(f, CONFIG(""));
    const char *key = value_get(derive(), "node_pools")->members[0].key.ptr;
    fixture_record(f, "cluster",
                   "{\"name\":\"dev\",\"node_locations\":[\"us-central1-c\",\"us-central1-f\"],"
                   "\"current_version\":\"1.34.1-gke.1\"}");
    fixture_record(f, arena_printf(f->a, "node_pool.%s", key),
                   "{\"node_locations\":[\"us-central1-f\"],\"autoscaling\":true}");
    f->call_count = 0;
    const struct value *v = derive();
    assert_string_equal(member(v, "zones"), "[\"us-central1-c\",\"us-central1-f\"]");
    assert_string_equal(pool(v, "zones"), "[\"us-central1-f\"]");
    assert_int_equal(f->call_count, 0);
}

/* A plan's answers hold in its apply. */
static void test_zones_are_decided_once(void **state)
{
    (void)state;
    fixture_set(f, CONFIG(""));
    const struct value *planned = derive();
    const struct value_member m[] = {{SLICE_LIT("zones"), value_get(planned, "zones")},
                                     {SLICE_LIT("pool_zones"), value_get(planned, "pool_zones")}};
    f->c.decided = value_object(f->a, m, 2);
    f->looked_up = NULL;
    f->call_count = 0;
    const struct value *v = derive();
    assert_true(value_equal(value_get(v, "node_pools"), value_get(planned, "node_pools")));
    assert_int_equal(f->call_count, 0);
}

static void test_zones_are_unknown_offline(void **state)
{
    (void)state;
    fixture_set(f, CONFIG(""));
    f->c.online = false;
    const struct value *v = derive();
    assert_string_equal(member(v, "zones"), "(unknown)");
    assert_string_equal(pool(v, "zones"), "(unknown)");
    assert_string_equal(pool(v, "initial_nodes"), "(unknown)");
    assert_string_equal(pool(v, "machine_type"), "\"e2-standard-2\"");
    assert_int_equal(f->call_count, 0);
}

/* A read does not ask: what is missing is made by an apply. */
static void test_reads_ask_nothing(void **state)
{
    (void)state;
    fixture_set(f, CONFIG(""));
    f->c.secrets = NULL;
    derive();
    assert_int_equal(f->call_count, 0);
}

static void test_even_zones(void **state)
{
    (void)state;
    assert_int_equal(platform_gcp_even_zones(6, 3), 3);
    assert_int_equal(platform_gcp_even_zones(4, 3), 2);
    assert_int_equal(platform_gcp_even_zones(5, 3), 1);
    assert_int_equal(platform_gcp_even_zones(1, 4), 1);
    assert_int_equal(platform_gcp_even_zones(0, 3), 3);
}

/* A machine that is in none of the cluster's zones. */
static void test_not_offered(void **state)
{
    (void)state;
    f->answers[1].json = "{}";
    fixture_set(f, POOLS(POOL("general", "")));
    assert_int_equal(derive_rc(f), -1);
    fixture_expect(f, DIAG_ERROR, "node_pools[\"general\"].machine_types: The machine is not");
}

/* Custom types are in no list. */
static void test_custom_machines(void **state)
{
    (void)state;
    f->answers[1].json = "{}";
    fixture_set(f, POOLS(POOL("general", ",\"machine_types\":[\"e2-custom-4-8192\"]")));
    assert_int_equal(
        value_count(value_path(value_at(value_get(derive(), "node_pools"), 0), "zones")), 3);
}

/* ---- sizes ---- */

static void test_sizes(void **state)
{
    static const struct {
        const char *config, *initial, *nodes;
    } cases[] = {
        {POOLS(POOL("a", "")), "1", "null"},
        {POOLS(POOL("a", ",\"desired\":3")), "1", "null"},
        {POOLS(POOL("a", ",\"desired\":4,\"max\":9")), "2", "null"},
        {POOLS(POOL("a", ",\"desired\":4,\"max\":4")), "1", "null"},
        {POOLS("\"a\":{\"gpu\":true}"), "0", "null"},
        {POOLS("\"a\":{\"gpu\":true,\"desired\":3}"), "1", "null"},
        {POOLS(POOL("a", ",\"autoscaling\":false,\"desired\":3")), "null", "1"},
        {POOLS(POOL("a", ",\"autoscaling\":false,\"desired\":2")), "null", "1"},
        {POOLS(POOL("a", ",\"autoscaling\":false,\"min\":0,\"desired\":0")), "null", "0"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        fixture_set(f, cases[i].config);
        const struct value *v = derive();
        assert_string_equal(pool(v, "initial_nodes"), cases[i].initial);
        assert_string_equal(pool(v, "nodes"), cases[i].nodes);
    }
}

/* What is unknown is not taken for its default. */
static void test_unknown_inputs(void **state)
{
    static const char *const paths[][2] = {{"min", "min"},
                                           {"max", "max"},
                                           {"desired", "initial_nodes"},
                                           {"max_unavailable", "max_unavailable"},
                                           {"labels", "labels"},
                                           {"autoscaling", "nodes"}};
    (void)state;
    for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++) {
        fixture_set(f, POOLS(POOL("a", "")));
        const char *dotted = arena_printf(f->a, "node_pools.a.%s", paths[i][0]);
        f->c.config = value_with_path(f->a, f->c.config, dotted, value_unknown(f->a, &type_number));
        const struct value *v = derive();
        assert_string_equal(pool(v, paths[i][1]), "(unknown)");
    }
    fixture_set(f, POOLS(POOL("a", "")));
    f->c.config = value_with_path(f->a, f->c.config, "node_pools.a.disk_gib",
                                  value_unknown(f->a, &type_number));
    assert_string_equal(member(derive(), "node_pools"), "(unknown)");
}

/* ---- versions ---- */

static void test_versions(void **state)
{
    static const struct {
        const char *asked, *current, *sent;
    } cases[] = {
        {"null", NULL, "null"},
        {"null", "1.34.1-gke.2000000", "null"},
        {"\"1.34\"", NULL, "\"1.34\""},
        {"\"1.34\"", "1.34.1-gke.2000000", "null"},
        {"\"1.35\"", "1.34.1-gke.2000000", "\"1.35\""},
        {"\"1.34\"", "1.3.1-gke.2000000", "\"1.34\""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        f->records.count = 0;
        fixture_set(f, arena_printf(f->a, CONFIG(",\"kubernetes_version\":%s"), cases[i].asked));
        if (cases[i].current)
            fixture_record(f, "cluster",
                           arena_printf(f->a, "{\"name\":\"dev\",\"current_version\":\"%s\"}",
                                        cases[i].current));
        assert_string_equal(member(derive(), "version"), cases[i].sent);
    }
}

/* A version that the plan carries over from the state is not asked for. */
static void test_a_version_that_is_carried_over(void **state)
{
    (void)state;
    fixture_set(f, CONFIG(""));
    f->c.config = value_with(f->a, f->c.config, "kubernetes_version", value_str(f->a, "1.33"));
    fixture_record(f, "cluster", "{\"name\":\"dev\",\"current_version\":\"1.34.1-gke.1\"}");
    assert_string_equal(member(derive(), "version"), "null");
}

/* ---- the first pool ---- */

static void test_the_first_pool_stays(void **state)
{
    (void)state;
    fixture_set(f, POOLS(POOL("b", "") "," POOL("c", "")));
    const struct value *v = derive();
    const char *b = value_get(v, "node_pools")->members[0].key.ptr,
               *c = value_get(v, "node_pools")->members[1].key.ptr;
    assert_string_equal(value_cstr(value_path(v, "initial_pool.name"), ""), b);
    /* GPUs may be hard to get */
    fixture_set(f, POOLS("\"a\":{\"gpu\":true}," POOL("b", "") "," POOL("c", "")));
    assert_string_equal(value_cstr(value_path(derive(), "initial_pool.name"), ""), b);
    fixture_record(f, "cluster",
                   arena_printf(f->a, "{\"name\":\"dev\",\"initial_pool\":{\"name\":\"%s\"}}", c));
    assert_string_equal(value_cstr(value_path(derive(), "initial_pool.name"), ""), c);
    /* one that is not wanted any more is nobody's first */
    fixture_set(f, POOLS(POOL("a", "") "," POOL("b", "")));
    assert_int_equal(strncmp(value_cstr(value_path(derive(), "initial_pool.name"), ""), "a-", 2),
                     0);
}

static void test_owner_labels(void **state)
{
    (void)state;
    fixture_set(f, CONFIG(",\"tags\":{\"env\":\"dev\",\"team\":\"mine\"}"));
    const struct value *owner = value_path(derive(), "initial_pool.owner");
    assert_string_equal(value_cstr(value_get(owner, "env"), ""), "dev");
    assert_string_equal(value_cstr(value_get(owner, "team"), ""), "mine");
    assert_int_equal(
        strncmp(value_cstr(value_get(owner, "llm:component"), ""), "node_pool.general-", 18), 0);
}

/* ---- machines, taints ---- */

static void test_machines(void **state)
{
    static const struct {
        const char *text, *type, *accelerator;
        int64_t count;
        bool ok, attached, gpu;
    } cases[] = {
        {"e2-standard-2", "e2-standard-2", NULL, 0, true, false, false},
        {"g2-standard-24", "g2-standard-24", "nvidia-l4", 2, true, false, true},
        {"n1-standard-8+nvidia-tesla-t4:1", "n1-standard-8", "nvidia-tesla-t4", 1, true, true,
         true},
        {"n1-standard-2+nvidia-tesla-t4:2", "n1-standard-2", "nvidia-tesla-t4", 2, true, true,
         true},
        {"n1-standard-2+nvidia-tesla-t4", "n1-standard-2", "nvidia-tesla-t4", 1, true, true, true},
        {"n1-standard-2+nvidia-tesla-t4:x", NULL, NULL, 0, false, false, true},
        {"n1-standard-2+nvidia-tesla-t4:0", NULL, NULL, 0, false, false, true},
        {"n1-standard-2+", NULL, NULL, 0, false, false, true},
        {"+nvidia-tesla-t4:1", NULL, NULL, 0, false, false, true},
        {"", NULL, NULL, 0, false, false, false},
        {"g4-standard-48", "g4-standard-48", NULL, 0, true, false, true},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct platform_gcp_machine m;
        bool ok = platform_gcp_machine(f->a, slice_str(cases[i].text), &m);
        assert_int_equal(ok, cases[i].ok);
        assert_int_equal(platform_gcp_has_gpu(slice_str(cases[i].text)), cases[i].gpu);
        if (!ok)
            continue;
        assert_string_equal(m.type, cases[i].type);
        assert_int_equal(m.count, cases[i].count);
        assert_int_equal(m.attached, cases[i].attached);
        assert_string_equal(m.accelerator ? m.accelerator : "",
                            cases[i].accelerator ? cases[i].accelerator : "");
    }
}

static void test_taints(void **state)
{
    (void)state;
    fixture_set(
        f, POOLS("\"a\":{\"gpu\":true,\"taints\":[{\"key\":\"x\",\"effect\":\"NO_EXECUTE\"}]}"));
    assert_string_equal(pool(derive(), "taints"),
                        "[{\"effect\":\"NO_EXECUTE\",\"key\":\"x\"},{\"effect\":\"NO_SCHEDULE\","
                        "\"key\":\"nvidia.com/gpu\",\"value\":\"present\"}]");
    fixture_set(f, POOLS("\"a\":{\"gpu\":true,\"taints\":[{\"key\":\"nvidia.com/gpu\",\"value\":"
                         "\"y\",\"effect\":\"NO_EXECUTE\"}]}"));
    assert_string_equal(pool(derive(), "taints"),
                        "[{\"effect\":\"NO_EXECUTE\",\"key\":\"nvidia.com/gpu\",\"value\":\"y\"}]");
}

/* ---- workloads ---- */

#define WORKLOAD                                                                                   \
    ",\"namespaces\":{\"quant\":{}},\"workloads\":{\"quant-api\":{\"namespace\":\"quant\","        \
    "\"metrics\":true,\"invoke_endpoints\":[\"x\"],\"policies\":[\"roles/logging.logWriter\","     \
    "\"projects/p/roles/own\"]}}"

static void test_workloads(void **state)
{
    (void)state;
    fixture_set(f, CONFIG(WORKLOAD));
    const struct value *v = derive(), *roles = value_get(v, "workload_roles");
    const char *id = value_cstr(value_path(v, "workloads.quant-api.account_id"), "");
    assert_true(strlen(id) <= 30 && strncmp(id, "llm-quant-api-", 14) == 0);
    assert_string_equal(value_cstr(value_path(v, "workloads.quant-api.member"), ""),
                        "serviceAccount:test-project.svc.id.goog[quant/quant-sa]");
    assert_int_equal(value_count(roles), 4); /* one that is asked for twice is bound once */
    assert_non_null(value_get(roles, "quant-api.projects.p.roles.own"));
    assert_string_equal(
        value_cstr(value_get(value_get(roles, "quant-api.aiplatform.user"), "member"), ""),
        arena_printf(f->a, "serviceAccount:%s@test-project.iam.gserviceaccount.com", id));
    f->c.account = "example.com:ours";
    roles = value_get(derive(), "workload_roles");
    assert_non_null(
        strstr(value_cstr(value_get(value_get(roles, "quant-api.aiplatform.user"), "member"), ""),
               "@ours.example.com.iam.gserviceaccount.com"));
    f->c.account = "";
    f->c.online = false;
    v = derive();
    assert_string_equal(member(v, "workload_roles"), "(unknown)");
    assert_string_equal(member(v, "workloads.quant-api.member"), "(unknown)");
}

/* Two platforms of one project do not share accounts, however alike their names are. */
static void test_accounts_differ(void **state)
{
    (void)state;
    fixture_set(f, CONFIG(WORKLOAD));
    const char *one = value_cstr(value_path(derive(), "workloads.quant-api.account_id"), "");
    fixture_set(f, "{\"name\":\"other\",\"cloud\":\"gcp\",\"region\":\"us-central1\"" WORKLOAD "}");
    assert_string_not_equal(one,
                            value_cstr(value_path(derive(), "workloads.quant-api.account_id"), ""));
}

/* ---- memory ---- */

static void set_all(struct fixture *x)
{
    use_gcp(x);
    fixture_answer(x, "regions.get", REGION);
    fixture_answer(x, "machineTypes.list", MACHINES);
    fixture_set(x,
                CONFIG(WORKLOAD
                       ",\"registries\":{\"names\":[\"a\",\"b\"]},\"observability\":{\"alarms\":"
                       "{}},\"node_pools\":{\"a\":{\"labels\":{\"x\":\"y\"}},\"g\":{\"gpu\":true,"
                       "\"machine_types\":[\"g2-standard-4\"]}}"));
}

static void test_memory_runs_out(void **state)
{
    (void)state;
    fixture_starve(set_all, derive_rc);
}

int main(void)
{
#define TEST(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_first_zones_of_the_region),
        TEST(test_too_few_zones),
        TEST(test_zones_stay),
        TEST(test_zones_are_decided_once),
        TEST(test_zones_are_unknown_offline),
        TEST(test_reads_ask_nothing),
        TEST(test_even_zones),
        TEST(test_not_offered),
        TEST(test_custom_machines),
        TEST(test_sizes),
        TEST(test_unknown_inputs),
        TEST(test_versions),
        TEST(test_a_version_that_is_carried_over),
        TEST(test_the_first_pool_stays),
        TEST(test_owner_labels),
        TEST(test_machines),
        TEST(test_taints),
        TEST(test_workloads),
        TEST(test_accounts_differ),
        cmocka_unit_test(test_memory_runs_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* What llm_platform_cluster derives for AWS: zones and ranges, addons' versions, sizes, names,
 * documents; and what stays as it was. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "gpu_node_fixture.h"
#include "resources/platform_cluster_aws.h"
#include "resources/tables.h"
#include "schema/tables.h"
#include "value/codec.h"

#define ZONE(letter, id)                                                                           \
    "{\"zoneName\":\"us-east-1" letter "\",\"zoneId\":\"" id "\",\"zoneState\":\"available\"}"
#define ZONES                                                                                      \
    "{\"availabilityZoneInfo\":[" ZONE("f", "use1-az5") "," ZONE("c", "use1-az2") "," ZONE(        \
        "a", "use1-az3") "," ZONE("b", "use1-az1") "," ZONE("d", "use1-az4") "]}"
#define VERSIONS                                                                                   \
    "{\"addons\":[{\"addonVersions\":[{\"addonVersion\":\"v2\",\"compatibilities\":"               \
    "[{\"clusterVersion\":\"1.34\",\"defaultVersion\":false}]},"                                   \
    "{\"addonVersion\":\"v1\",\"compatibilities\":[{\"clusterVersion\":\"1.33\","                  \
    "\"defaultVersion\":false},{\"clusterVersion\":\"1.34\",\"defaultVersion\":true}]}]}]}"
#define OFFERED                                                                                    \
    "{\"clusterVersions\":[{\"clusterVersion\":\"1.35\"},{\"clusterVersion\":\"1.34\"}]}"
#define CONFIG(more) "{\"name\":\"dev\",\"cloud\":\"aws\",\"region\":\"us-east-1\"" more "}"
#define POOLS(pools) CONFIG(",\"node_pools\":{" pools "}")

static struct fixture *f;

static void use_aws(struct fixture *x)
{
    x->schema = &schema_llm_platform_cluster;
    x->table = &table_llm_platform_cluster;
    x->c.cloud = "aws";
    x->c.region = "us-east-1";
    x->c.account = "123456789012";
    fixture_answer(x, "DescribeAvailabilityZones", ZONES);
    fixture_answer(x, "DescribeAddonVersions", VERSIONS);
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

static const struct value *derive(void)
{
    return fixture_derive(f, &composite_platform_cluster, NULL);
}

static int derive_rc(struct fixture *x)
{
    const struct value *v = NULL;
    return composite_platform_cluster.derive(&x->c, &v);
}

static const struct value *derive_of(const char *config)
{
    return fixture_derive(f, &composite_platform_cluster, config);
}

static const char *member(const struct value *v, const char *path)
{
    return fixture_text(f, value_path(v, path));
}

static const char *pool(const struct value *v, const char *path)
{
    return member(value_at(value_get(v, "node_pools"), 0), path);
}

static void answer_quotas(struct fixture *x)
{
    static const char *const calls[] = {"GetServiceQuota", "DescribeVpcs", "DescribeAddresses",
                                        "DescribeNatGateways"};
    for (size_t i = 0; i < 4; i++)
        fixture_answer(x, calls[i], "{}");
}

static size_t calls_of(const char *op)
{
    size_t n = 0;
    for (size_t i = 0; i < f->call_count; i++)
        n += strcmp(f->calls[i], op) == 0;
    return n;
}

/* ---- network ---- */

/* The first three by name that EKS knows: a is use1-az3, which it does not. */
static void test_ranges(void **state)
{
    (void)state;
    const struct value *v = derive_of(CONFIG(""));
    assert_string_equal(member(v, "network_cidr"), "\"10.0.0.0/16\"");
    assert_string_equal(member(v, "zones.b.private_cidr"), "\"10.0.64.0/18\"");
    assert_string_equal(member(v, "zones.c.private_cidr"), "\"10.0.128.0/18\"");
    assert_string_equal(member(v, "zones.d.private_cidr"), "\"10.0.192.0/18\"");
    assert_string_equal(member(v, "zones.b.public_cidr"), "\"10.0.0.0/20\"");
    assert_string_equal(member(v, "zones.d.public_cidr"), "\"10.0.32.0/20\"");
    assert_int_equal(value_count(value_get(v, "zones")), 3);
    assert_string_equal(member(v, "zones.b.nat"), "true");
    assert_string_equal(member(v, "zones.c.nat"), "false");
    v = derive_of(
        CONFIG(",\"network\":{\"cidr\":\"172.16.4.0/22\",\"zones\":4,\"nat\":\"per_zone\"}"));
    assert_string_equal(member(v, "zones.b.private_cidr"), "\"172.16.4.128/25\"");
    assert_string_equal(member(v, "zones.f.private_cidr"), "\"172.16.6.0/25\"");
    assert_string_equal(member(v, "zones.f.public_cidr"), "\"172.16.4.96/27\"");
    assert_string_equal(member(v, "zones.f.nat"), "true");
    v = derive_of(CONFIG(",\"network\":{\"zone_names\":[\"us-east-1a\",\"us-east-1f\"],"
                         "\"nat\":\"none\"}"));
    assert_int_equal(value_count(value_get(v, "zones")), 2);
    assert_string_equal(member(v, "zones.a.nat"), "false");
}

static void test_too_few_zones(void **state)
{
    (void)state;
    f->answer_count = 0;
    fixture_answer(f, "DescribeAvailabilityZones",
                   "{\"availabilityZoneInfo\":[" ZONE("a", "x") "," ZONE("b", "y") "]}");
    fixture_answer(f, "DescribeAddonVersions", VERSIONS);
    assert_int_equal(value_count(value_get(derive_of(CONFIG("")), "zones")), 2);
    fixture_set(f, CONFIG(",\"network\":{\"zones\":3}"));
    assert_int_equal(derive_rc(f), -1);
    fixture_expect(f, DIAG_ERROR, "2 zones for EKS, and 3 are asked for");
}

static void test_subnets_stay(void **state)
{
    (void)state;
    fixture_record(f, "subnet.private-c",
                   "{\"availability_zone\":\"us-east-1c\",\"cidr_block\":\"10.0.64.0/18\"}");
    fixture_record(f, "subnet.private-d",
                   "{\"availability_zone\":\"us-east-1d\",\"cidr_block\":\"10.0.128.0/18\"}");
    fixture_record(f, "nat_gateway.d", "{\"id\":\"nat-1\"}");
    const struct value *v = derive_of(CONFIG(""));
    assert_int_equal(calls_of("DescribeAvailabilityZones"), 0);
    assert_int_equal(value_count(value_get(v, "zones")), 2);
    assert_string_equal(member(v, "zones.c.private_cidr"), "\"10.0.64.0/18\"");
    assert_string_equal(member(v, "zones.d.nat"), "true");
    assert_string_equal(member(v, "zones.c.nat"), "false");
}

static void test_existing_network(void **state)
{
    (void)state;
    const struct value *v =
        derive_of(CONFIG(",\"network\":{\"vpc_id\":\"vpc-1\","
                         "\"private_subnet_ids\":[\"subnet-1\",\"subnet-2\"]}"));
    assert_string_equal(member(v, "make_network"), "false");
    assert_string_equal(member(v, "zones"), "{}");
    assert_int_equal(calls_of("DescribeAvailabilityZones"), 0);
}

/* ---- addons ---- */

static void test_addon_versions(void **state)
{
    (void)state;
    const struct value *v = derive_of(CONFIG(""));
    assert_string_equal(member(v, "kubernetes_version"), "\"1.34\"");
    assert_string_equal(member(v, "addon_versions.coredns"), "\"v1\"");
    assert_int_equal(calls_of("DescribeAddonVersions"), 5);
    assert_string_equal(member(v, "addons_kept"), "{}");
    assert_string_equal(member(v, "addons_made"), "{\"aws-ebs-csi-driver\":true,\"coredns\":true}");
    v = derive_of(CONFIG(",\"observability\":{\"gpu_metrics\":true}"));
    assert_string_equal(member(v, "addon_versions.amazon-cloudwatch-observability"), "\"v1\"");
}

#define ADDON(name, of)                                                                            \
    fixture_record(f, "addon." name, "{\"version\":\"v0\",\"kubernetes_version\":\"" of "\"}")

/* A version stays as long as Kubernetes keeps its own. */
static void test_addons_stay(void **state)
{
    (void)state;
    ADDON("vpc-cni", "1.34");
    ADDON("kube-proxy", "1.34");
    ADDON("eks-pod-identity-agent", "1.34");
    ADDON("coredns", "1.33");
    ADDON("aws-ebs-csi-driver", "1.33");
    const struct value *v = derive_of(CONFIG(",\"kubernetes_version\":\"1.34\""));
    assert_string_equal(member(v, "addon_versions.vpc-cni"), "\"v0\"");
    assert_string_equal(member(v, "addon_versions.coredns"), "\"v1\"");
    assert_int_equal(calls_of("DescribeAddonVersions"), 2);
    /* an upgrade that an earlier apply has not finished: before the nodes */
    assert_string_equal(member(v, "addons_kept.coredns.version"), "\"v1\"");
    assert_null(value_path(v, "addons_made.coredns"));
    /* its role is not there: it cannot be updated yet */
    assert_null(value_path(v, "addons_kept.aws-ebs-csi-driver"));
    fixture_record(f, "role.ebs-csi", "{\"arn\":\"arn:aws:iam::1:role/r\"}");
    v = derive_of(CONFIG(",\"kubernetes_version\":\"1.34\""));
    assert_string_equal(member(v, "addons_kept.aws-ebs-csi-driver.role_arn"),
                        "\"arn:aws:iam::1:role/r\"");
}

static void test_a_version_without_addons(void **state)
{
    (void)state;
    f->answer_count = 0;
    fixture_refuse(f, "DescribeAddonVersions", CLOUD_ERROR_INVALID, "InvalidParameterException",
                   "no such version", 0);
    fixture_answer(f, "DescribeAvailabilityZones", ZONES);
    fixture_answer(f, "DescribeClusterVersions", OFFERED);
    fixture_set(f, CONFIG(",\"kubernetes_version\":\"1.99\""));
    assert_int_equal(derive_rc(f), -1);
    fixture_expect(f, DIAG_ERROR, "does not offer Kubernetes 1.99; it offers: 1.35, 1.34.");
}

/* What is read, imported or planned without credentials asks nothing. */
static void test_asks_only_when_it_may(void **state)
{
    (void)state;
    fixture_set(f, CONFIG(""));
    f->c.online = false;
    const struct value *v = derive();
    assert_string_equal(member(v, "zones"), "(unknown)");
    assert_string_equal(member(v, "addon_versions.vpc-cni"), "(unknown)");
    f->c.online = true;
    f->c.secrets = NULL;
    f->c.prior = f->c.config;
    derive();
    assert_int_equal(f->call_count, 0);
}

/* ---- pools ---- */

static void test_machines(void **state)
{
    (void)state;
    static const char *const gpus[] = {"g5.xlarge",    "g4dn.xlarge",      "gr6.4xlarge",
                                       "p4d.24xlarge", "p6-b200.48xlarge", "g5g.xlarge"};
    static const char *const none[] = {"g4ad.xlarge",  "m6g.large", "inf2.xlarge",
                                       "trn1.2xlarge", "",          "x"};
    static const char *const arms[] = {"m6g.large",         "t4g.small", "c7gn.large",
                                       "g5g.xlarge",        "a1.large",  "im4gn.large",
                                       "p6e-gb200.36xlarge"};
    static const char *const intel[] = {"m6i.large", "g5.xlarge", "c5.large", "p4d.24xlarge", ""};
    for (size_t i = 0; i < 6; i++)
        assert_true(platform_aws_has_gpu(slice_str(gpus[i])));
    for (size_t i = 0; i < 6; i++)
        assert_false(platform_aws_has_gpu(slice_str(none[i])));
    for (size_t i = 0; i < 7; i++)
        assert_true(platform_aws_is_arm(slice_str(arms[i])));
    for (size_t i = 0; i < 5; i++)
        assert_false(platform_aws_is_arm(slice_str(intel[i])));
}

static void test_pools(void **state)
{
    (void)state;
    const struct value *v = derive_of(CONFIG(""));
    assert_string_equal(pool(v, "ami_type"), "\"AL2023_x86_64_STANDARD\"");
    assert_string_equal(pool(v, "taints"), "[]");
    assert_string_equal(pool(v, "disk_gib"), "50");
    v = derive_of(POOLS("\"g\":{\"gpu\":true,\"provisioning\":\"spot\",\"labels\":{\"a\":\"b\"}}"));
    assert_string_equal(pool(v, "instance_types"), "[\"g5.xlarge\"]");
    assert_string_equal(pool(v, "ami_type"), "\"AL2023_x86_64_NVIDIA\"");
    assert_string_equal(pool(v, "capacity_type"), "\"SPOT\"");
    assert_string_equal(pool(v, "labels"), "{\"a\":\"b\",\"nvidia.com/gpu.present\":\"true\"}");
    assert_string_equal(
        pool(v, "taints"),
        "[{\"effect\":\"NO_SCHEDULE\",\"key\":\"nvidia.com/gpu\",\"value\":\"present\"}]");
    /* one like it is the user's */
    v = derive_of(POOLS("\"g\":{\"gpu\":true,\"taints\":[{\"key\":\"nvidia.com/gpu\","
                        "\"value\":\"x\",\"effect\":\"NO_EXECUTE\"}]}"));
    assert_string_equal(pool(v, "taints"),
                        "[{\"effect\":\"NO_EXECUTE\",\"key\":\"nvidia.com/gpu\",\"value\":\"x\"}]");
    v = derive_of(POOLS("\"a\":{\"machine_types\":[\"m7g.large\"],"
                        "\"image_type\":\"BOTTLEROCKET_ARM_64\"}"));
    assert_string_equal(pool(v, "ami_type"), "\"BOTTLEROCKET_ARM_64\"");
    assert_string_equal(pool(v, "device"), "\"/dev/xvdb\"");
}

static const char *pool_record(const struct value *v, const char *size)
{
    const struct value *all = value_get(v, "node_pools");
    const char *name =
        arena_printf(f->a, "node_pool.%.*s", (int)all->members[0].key.len, all->members[0].key.ptr);
    fixture_record(f, name, size);
    return name;
}

/* An autoscaler decides, unless the limits leave its choice no room. */
static void test_sizes(void **state)
{
    (void)state;
    static const char few[] = POOLS("\"p\":{\"min\":1,\"max\":3,\"desired\":2}"),
                      more[] = POOLS("\"p\":{\"min\":5,\"max\":9,\"desired\":6}"),
                      fixed[] = POOLS("\"p\":{\"min\":1,\"max\":9,\"desired\":6,"
                                      "\"autoscaling\":false}");
    const struct value *v = derive_of(few);
    assert_string_equal(pool(v, "initial"), "2");
    assert_string_equal(pool(v, "desired"), "null");
    assert_string_equal(pool(v, "resize"), "false");
    pool_record(v, "{\"size\":3}");
    assert_string_equal(pool(derive_of(few), "resize"), "false");
    v = derive_of(more);
    assert_string_equal(pool(v, "resize"), "true");
    assert_string_equal(pool(v, "initial"), "5");
    v = derive_of(fixed);
    assert_string_equal(pool(v, "desired"), "6");
    assert_string_equal(pool(v, "resize"), "false");
}

/* ---- names and documents ---- */

static void test_names(void **state)
{
    (void)state;
    const struct value *v = derive_of(CONFIG(""));
    assert_string_equal(member(v, "names.cluster_role"), "\"llm-k8s-dev-us-east-1-cluster\"");
    assert_string_equal(member(v, "names.log_group"), "\"/aws/eks/dev/cluster\"");
    assert_string_equal(member(v, "names.oidc_prefix"),
                        "\"arn:aws:iam::123456789012:oidc-provider/\"");
    f->c.account = "";
    f->c.online = false;
    assert_string_equal(member(derive_of(CONFIG("")), "names.oidc_prefix"), "(unknown)");
    /* the longest name, in the longest region's, and the longest of what is always made */
    assert_true(strlen(platform_aws_role(f->a, "a12345678901234567890123456789", "ap-southeast-2",
                                         "autoscaler")) <= PLATFORM_AWS_ROLE_MOST);
}

static void test_account_is_needed(void **state)
{
    (void)state;
    f->c.account = "";
    fixture_set(f, CONFIG(""));
    assert_int_equal(derive_rc(f), -1);
    fixture_expect(f, DIAG_ERROR, "skip_requesting_account_id");
}

#define WORKLOAD(more)                                                                             \
    CONFIG(",\"namespaces\":{\"q\":{}},\"workloads\":{\"api\":{\"namespace\":\"q\"" more "}}")

static void test_workloads(void **state)
{
    (void)state;
    const struct value *v = derive_of(WORKLOAD(""));
    assert_string_equal(member(v, "workloads.api.policy"), "\"\"");
    assert_string_equal(member(v, "workloads.api.subject"), "\"system:serviceaccount:q:q-sa\"");
    assert_string_equal(member(v, "workloads.api.identity"),
                        "\"arn:aws:iam::123456789012:role/llm-k8s-dev-us-east-1-w-api\"");
    v = derive_of(WORKLOAD(",\"invoke_endpoints\":[\"Quant-*\"],\"policies\":"
                           "[\"arn:aws:iam::aws:policy/A\",\"arn:aws:iam::aws:policy/B\"]"));
    const char *policy = value_cstr(value_path(v, "workloads.api.policy"), "");
    assert_non_null(
        strstr(policy, "\"arn:aws:sagemaker:us-east-1:123456789012:endpoint/quant-*\""));
    assert_null(strstr(policy, "cloudwatch"));
    assert_int_equal(value_count(value_get(v, "workload_policies")), 2);
    v = derive_of(WORKLOAD(",\"metrics\":true"));
    policy = value_cstr(value_path(v, "workloads.api.policy"), "");
    assert_non_null(strstr(policy, "cloudwatch:PutMetricData"));
    assert_null(strstr(policy, "sagemaker"));
}

/* IAM, "IAM and AWS STS quotas": the policies in a role have 10,240 characters together. */
static void test_documents_fit(void **state)
{
    (void)state;
    const struct value *v = derive_of(CONFIG(""));
    const char *lb = value_cstr(value_path(v, "policies.load_balancer"), "");
    assert_in_range(strlen(lb), 1000, 10240);
    assert_non_null(strstr(lb, "\"aws:ResourceTag/elbv2.k8s.aws/cluster\":\"dev\""));
    assert_non_null(strstr(value_cstr(value_path(v, "policies.autoscaler"), ""),
                           "k8s.io/cluster-autoscaler/dev"));
    assert_non_null(strstr(value_cstr(value_get(v, "dashboard"), ""), "scheduler_pending_pods"));
    v = derive_of(CONFIG(",\"observability\":{\"dashboard\":false}"));
    assert_string_equal(member(v, "dashboard"), "false");
}

static void test_access(void **state)
{
    (void)state;
    const struct value *v =
        derive_of(CONFIG(",\"access\":{\"admins\":[\"arn:aws:iam::1:role/ops\"],\"viewers\":"
                         "[\"arn:aws:iam::1:role/ops\",\"arn:aws:iam::1:user/x\"]}"));
    const struct value *all = value_get(v, "access_entries");
    assert_int_equal(value_count(all), 2);
    for (size_t i = 0; i < 2; i++) {
        bool ops = slice_has_prefix(all->members[i].key, "ops-");
        assert_non_null(strstr(fixture_text(f, value_at(all, i)),
                               ops ? "AmazonEKSClusterAdminPolicy" : "AmazonEKSViewPolicy"));
        assert_string_equal(fixture_text(f, value_get(value_at(all, i), "attribute")),
                            ops ? "[\"access\",\"admins\"]" : "[\"access\",\"viewers\"]");
    }
}

/* One entry for each principal, whatever names it. */
static void test_access_groups(void **state)
{
    (void)state;
    const struct value *v = derive_of(
        CONFIG(",\"access\":{\"viewers\":[\"arn:aws:iam::1:role/ops\"],\"groups\":{"
               "\"eval\":[\"arn:aws:iam::1:role/ops\",\"arn:aws:iam::1:user/x\"],\"none\":[],"
               "\"quant\":[\"arn:aws:iam::1:role/ops\"]}}"));
    const struct value *all = value_get(v, "access_entries");
    assert_int_equal(value_count(all), 2);
    for (size_t i = 0; i < 2; i++) {
        bool ops = slice_has_prefix(all->members[i].key, "ops-");
        const struct value *one = value_at(all, i);
        assert_string_equal(fixture_text(f, value_get(one, "groups")),
                            ops ? "[\"eval\",\"quant\"]" : "[\"eval\"]");
        assert_int_equal(value_count(value_get(one, "policies")), ops ? 1 : 0);
    }
    v = derive_of(CONFIG(",\"access\":{\"admins\":[\"arn:aws:iam::1:role/ops\"]}"));
    assert_string_equal(
        fixture_text(f, value_get(value_at(value_get(v, "access_entries"), 0), "groups")), "[]");
}

/* ---- what may not change ---- */

static void test_versions(void **state)
{
    (void)state;
    static const struct {
        const char *to, *says;
    } changes[] = {{"1.33", NULL}, {"1.34", NULL}, {"1.35", "skipped"}, {"1.32", "goes back"}};
    fixture_answer(f, "DescribeCluster", "{}");
    fixture_answer(f, "DescribeClusterVersions", OFFERED);
    fixture_answer(f, "DescribeInstanceTypeOfferings", "{}");
    answer_quotas(f);
    f->c.planning = true;
    for (size_t i = 0; i < 4; i++) {
        fixture_set(f, arena_printf(f->a, CONFIG(",\"kubernetes_version\":\"%s\""), changes[i].to));
        f->c.prior = fixture_config(f, CONFIG(",\"kubernetes_version\":\"1.33\""));
        assert_int_equal(derive_rc(f), changes[i].says ? -1 : 0);
        if (changes[i].says)
            fixture_expect(f, DIAG_ERROR,
                           strcmp(changes[i].says, "skipped") == 0 ? "goes up one minor version"
                                                                   : "none goes back");
        diags_init(&f->diags, f->a);
    }
}

#define KEY(n) "\"arn:aws:kms:us-east-1:1:key/" n "\""

static void test_keys(void **state)
{
    (void)state;
    static const char *const changes[][3] = {
        {"", ",\"encryption\":{\"kms_key\":" KEY("a") "}", NULL},
        {",\"encryption\":{\"kms_key\":" KEY("a") "}", "", "neither take that"},
        {",\"encryption\":{\"kms_key\":" KEY("a") "}", ",\"encryption\":{\"kms_key\":" KEY("b") "}",
         "neither take that"},
        {",\"registries\":{\"names\":[\"x\"]}",
         ",\"registries\":{\"names\":[\"x\"],\"kms_key\":" KEY("a") "}", "keeps the key"},
        {"", ",\"registries\":{\"names\":[\"x\"],\"kms_key\":" KEY("a") "}", NULL},
    };
    f->c.planning = true;
    fixture_answer(f, "DescribeCluster", "{}");
    fixture_answer(f, "DescribeClusterVersions", "{}");
    fixture_answer(f, "DescribeInstanceTypeOfferings", "{}");
    answer_quotas(f);
    for (size_t i = 0; i < 5; i++) {
        fixture_set(f, arena_printf(f->a, CONFIG("%s"), changes[i][1]));
        f->c.prior = fixture_config(f, arena_printf(f->a, CONFIG("%s"), changes[i][0]));
        assert_int_equal(derive_rc(f), changes[i][2] ? -1 : 0);
        if (changes[i][2])
            fixture_expect(f, DIAG_ERROR, changes[i][2]);
        diags_init(&f->diags, f->a);
    }
}

/* ---- memory ---- */

static void set_all(struct fixture *x)
{
    use_aws(x);
    fixture_set(x, CONFIG(",\"node_pools\":{\"g\":{\"gpu\":true}},\"namespaces\":{\"q\":{}},"
                          "\"workloads\":{\"api\":{\"namespace\":\"q\",\"metrics\":true}},"
                          "\"registries\":{\"names\":[\"x\"]},\"observability\":{\"alarms\":{}},"
                          "\"access\":{\"admins\":[\"arn:aws:iam::1:role/ops\"],"
                          "\"groups\":{\"q\":[\"arn:aws:iam::1:role/ops\"]}}"));
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
        TEST(test_ranges),
        TEST(test_too_few_zones),
        TEST(test_subnets_stay),
        TEST(test_existing_network),
        TEST(test_addon_versions),
        TEST(test_addons_stay),
        TEST(test_a_version_without_addons),
        TEST(test_asks_only_when_it_may),
        TEST(test_machines),
        TEST(test_pools),
        TEST(test_sizes),
        TEST(test_names),
        TEST(test_account_is_needed),
        TEST(test_workloads),
        TEST(test_documents_fit),
        TEST(test_access),
        TEST(test_access_groups),
        TEST(test_versions),
        TEST(test_keys),
        cmocka_unit_test(test_memory_runs_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

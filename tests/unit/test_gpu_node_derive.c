/* What a node's components are given: names, zones and ranges, machine, image, disk, documents,
 * tags and script; and that they stay when asked again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "gpu_node_fixture.h"
#include "schema/tables.h"
#include "value/codec.h"

#define BASE "\"name\":\"demo\",\"cloud\":\"aws\",\"region\":\"us-east-1\""
#define MODEL BASE ",\"models\":[\"llama3.1:8b\"]"
#define OFFER(type, zone) "{\"instanceType\":\"" type "\",\"location\":\"" zone "\"}"

static const struct value *derive(struct fixture *f, const char *config)
{
    const struct value *v = NULL;
    if (config)
        fixture_set(f, arena_printf(f->a, "{%s}", config));
    if (composite_gpu_node.derive(&f->c, &v) < 0)
        return NULL;
    return v;
}

static const char *json(struct fixture *f, const struct value *v)
{
    _cleanup_buf_ struct buf b = BUF_INIT(65536);
    if (value_format(&b, v) < 0)
        fail_msg("not printable");
    return arena_strdup(f->a, buf_cstr(&b));
}

static void expect(struct fixture *f, const struct value *derived, const char *path,
                   const char *text)
{
    const struct value *v = value_path(derived, path);
    if (!v)
        fail_msg("there is no %s", path);
    assert_string_equal(json(f, v), text);
}

static void expect_known(const struct value *derived, const char *path, bool known)
{
    if (value_is_wholly_known(value_path(derived, path)) != known)
        fail_msg("%s is %s", path, known ? "unknown" : "known");
}

static struct fixture *offline(void)
{
    struct fixture *f = fixture_new();
    assert_non_null(f);
    f->c.online = false;
    return f;
}

static void without_credentials(void **state)
{
    (void)state;
    struct fixture *f = offline();
    const struct value *d = derive(f, MODEL);
    fixture_expect_none(f);
    assert_non_null(d);
    expect(f, d, "make_network", "true");
    expect(f, d, "make_nat", "true");
    expect(f, d, "make_security_group", "true");
    expect(f, d, "make_secret", "false");
    expect(f, d, "make_profile", "true");
    expect(f, d, "network_cidr", "\"10.42.0.0/16\"");
    expect(f, d, "names.role", "\"llm-node-demo-us-east-1\"");
    expect(f, d, "names.log_group", "\"/llm/gpu-node/demo\"");
    expect(f, d, "image_parameter",
           "\"/aws/service/deeplearning/ami/x86_64/base-oss-nvidia-driver-gpu-ubuntu-22.04/latest/"
           "ami-id\"");
    expect(f, d, "disk_gib", "30");
    expect(f, d, "wait_serving", "false");
    /* Which zones there are, and which machine they offer, only the cloud knows. */
    expect_known(d, "zones", false);
    expect_known(d, "public", false);
    expect_known(d, "machine_type", false);
    expect_known(d, "user_data", true);
    expect_known(d, "policy", true);
    assert_int_equal(f->call_count, 0);
    fixture_free(f);
}

static void configured_zones_need_no_cloud(void **state)
{
    (void)state;
    struct fixture *f = offline();
    const struct value *d = derive(f, MODEL ",\"zones\":[\"us-east-1d\",\"us-east-1a\"],"
                                            "\"machine\":{\"type\":\"g5.xlarge\"}");
    assert_non_null(d);
    expect(f, d, "zones.d.zone", "\"us-east-1d\"");
    expect(f, d, "zones.d.cidr", "\"10.42.32.0/19\"");
    expect(f, d, "zones.a.cidr", "\"10.42.64.0/19\"");
    expect(f, d, "public.zone", "\"us-east-1d\"");
    expect(f, d, "public.cidr", "\"10.42.0.0/19\"");
    expect(f, d, "machine_type", "\"g5.xlarge\"");
    fixture_free(f);
}

static void the_cheapest_machine_that_is_offered(void **state)
{
    (void)state;
    struct fixture *f = fixture_new();
    assert_non_null(f);
    fixture_answer(
        f, "DescribeInstanceTypeOfferings",
        "{\"instanceTypeOfferingSet\":[" OFFER("g5.xlarge", "us-east-1a") "," OFFER(
            "g6.xlarge",
            "us-east-1f") "," OFFER("g6.xlarge",
                                    "us-east-1d") "," OFFER("g6.xlarge",
                                                            "us-east-1b") "," OFFER("g6.xlarge",
                                                                                    "us-east-1c") "]}");
    const struct value *d = derive(f, MODEL);
    fixture_expect_none(f);
    expect(f, d, "machine_type", "\"g6.xlarge\"");
    assert_int_equal(value_count(value_get(d, "zones")), 3);
    expect(f, d, "zones.b.cidr", "\"10.42.32.0/19\"");
    expect(f, d, "zones.c.zone", "\"us-east-1c\"");
    expect(f, d, "zones.d.cidr", "\"10.42.96.0/19\"");
    expect(f, d, "public.zone", "\"us-east-1b\"");
    assert_int_equal(f->call_count, 1);
    fixture_free(f);
}

static void pages_of_offers(void **state)
{
    (void)state;
    struct fixture *f = fixture_new();
    assert_non_null(f);
    f->answers[0] = (struct fixture_answer){.op = "DescribeInstanceTypeOfferings",
                                            .json = "{\"instanceTypeOfferingSet\":[" OFFER(
                                                "g6.xlarge", "us-east-1f") "],"
                                                                           "\"nextToken\":\"t\"}",
                                            .times = 1};
    f->answer_count = 1;
    fixture_answer(f, "DescribeInstanceTypeOfferings",
                   "{\"instanceTypeOfferingSet\":[" OFFER("g6.xlarge", "us-east-1e") "]}");
    const struct value *d = derive(f, MODEL ",\"machine\":{\"type\":\"g6.xlarge\"}");
    expect_known(d, "zones.e", true);
    expect_known(d, "zones.f", true);
    assert_int_equal(f->call_count, 2);
    assert_string_equal(value_cstr(value_get(f->requests[1], "NextToken"), ""), "t");
    fixture_free(f);
}

static void a_machine_that_nobody_offers(void **state)
{
    (void)state;
    struct fixture *f = fixture_new();
    assert_non_null(f);
    fixture_answer(f, "DescribeInstanceTypeOfferings", "{\"instanceTypeOfferingSet\":\"\"}");
    assert_null(derive(f, MODEL ",\"machine\":{\"type\":\"p5.48xlarge\"}"));
    fixture_expect(f, DIAG_ERROR, "No zone of us-east-1 offers p5.48xlarge");
    fixture_free(f);
}

#define INSTANCE                                                                                   \
    "{\"id\":\"i-1\",\"instance_type\":\"g5.xlarge\",\"availability_zone\":\"us-east-1b\","        \
    "\"image_id\":\"ami-old\"}"

/* What exists decides: no look-up, and no other choice, while it still fits. */
static void stays_as_it_was(void **state)
{
    (void)state;
    struct fixture *f = fixture_new();
    assert_non_null(f);
    fixture_record(f, "instance", INSTANCE);
    fixture_record(f, "image", "{\"name\":\"x\",\"value\":\"ami-old\"}");
    fixture_record(f, "subnet.private-b",
                   "{\"availability_zone\":\"us-east-1b\",\"cidr_block\":\"10.42.32.0/19\"}");
    fixture_record(f, "subnet.private-f",
                   "{\"availability_zone\":\"us-east-1f\",\"cidr_block\":\"10.42.64.0/19\"}");
    fixture_record(f, "subnet.public",
                   "{\"availability_zone\":\"us-east-1f\",\"cidr_block\":\"10.42.0.0/19\"}");
    fixture_record(f, "volume", "{\"size\":80,\"availability_zone\":\"us-east-1b\"}");
    const struct value *d = derive(f, MODEL);
    fixture_expect_none(f);
    expect(f, d, "machine_type", "\"g5.xlarge\"");
    expect(f, d, "zone", "null");
    expect(f, d, "zones.b.cidr", "\"10.42.32.0/19\"");
    expect(f, d, "zones.f.cidr", "\"10.42.64.0/19\"");
    assert_int_equal(value_count(value_get(d, "zones")), 2);
    expect(f, d, "public.zone", "\"us-east-1f\"");
    expect(f, d, "image_id", "null"); /* the look-up has it */
    expect_known(d, "image_parameter", true);
    expect(f, d, "disk_gib", "80"); /* never smaller */
    assert_int_equal(f->call_count, 0);
    /* Another zone, a new order: existing ranges stay, the new one gets a free part. */
    d = derive(f, MODEL ",\"zones\":[\"us-east-1a\",\"us-east-1f\",\"us-east-1b\"]");
    expect(f, d, "zones.b.cidr", "\"10.42.32.0/19\"");
    expect(f, d, "zones.f.cidr", "\"10.42.64.0/19\"");
    expect(f, d, "zones.a.cidr", "\"10.42.96.0/19\"");
    expect(f, d, "zone", "null");
    /* The zone it is in is no longer allowed: it has to move. */
    d = derive(f, MODEL ",\"zones\":[\"us-east-1a\",\"us-east-1f\"]");
    expect(f, d, "zone", "\"us-east-1a\"");
    fixture_free(f);
}

static void moves_to_a_machine_that_fits(void **state)
{
    (void)state;
    struct fixture *f = fixture_new();
    assert_non_null(f);
    fixture_record(f, "instance", INSTANCE);
    fixture_record(f, "subnet.private-b",
                   "{\"availability_zone\":\"us-east-1b\",\"cidr_block\":\"10.42.32.0/19\"}");
    fixture_answer(f, "DescribeInstanceTypeOfferings",
                   "{\"instanceTypeOfferingSet\":[" OFFER("g6e.xlarge", "us-east-1b") "]}");
    const struct value *d = derive(f, BASE ",\"models\":[\"llama3.3:70b\"]");
    fixture_expect_none(f);
    expect(f, d, "machine_type", "\"g6e.xlarge\"");
    /* Candidates: the one that it is, else the first. */
    d = derive(f, MODEL ",\"machine\":{\"candidates\":[\"g6.xlarge\",\"g5.xlarge\"]}");
    expect(f, d, "machine_type", "\"g5.xlarge\"");
    d = derive(f, MODEL ",\"machine\":{\"candidates\":[\"g6.xlarge\",\"g6.2xlarge\"]}");
    expect(f, d, "machine_type", "\"g6.xlarge\"");
    /* An imported instance keeps its image, without a look-up. */
    expect(f, d, "image_id", "\"ami-old\"");
    expect(f, d, "image_parameter", "null");
    fixture_free(f);
}

static void several_candidates_are_left_to_placement(void **state)
{
    (void)state;
    struct fixture *f = offline();
    const struct value *d = derive(f, MODEL ",\"zones\":[\"us-east-1a\"],\"machine\":{"
                                            "\"candidates\":[\"g5.xlarge\",\"p3.2xlarge\"]}");
    expect(f, d, "machine_type", "null");
    /* The usual image's driver does not know the V100. */
    expect(
        f, d, "image_parameter",
        "\"/aws/service/canonical/ubuntu/server/22.04/stable/current/amd64/hvm/ebs-gp2/ami-id\"");
    fixture_free(f);
}

static void existing_network(void **state)
{
    (void)state;
    struct fixture *f = offline();
    const struct value *d =
        derive(f, MODEL ",\"network\":{\"vpc_id\":\"vpc-1\",\"subnet_ids\":[\"subnet-1\"],"
                        "\"security_group_id\":\"sg-1\"},\"instance_profile\":\"mine\"");
    expect(f, d, "make_network", "false");
    expect(f, d, "make_nat", "false");
    expect(f, d, "make_security_group", "false");
    expect(f, d, "make_profile", "false");
    fixture_free(f);
}

static void own_image(void **state)
{
    (void)state;
    struct fixture *f = fixture_new();
    assert_non_null(f);
    fixture_answer(f, "DescribeImages",
                   "{\"imagesSet\":[{\"imageId\":\"ami-1\",\"imageState\":\"available\","
                   "\"architecture\":\"x86_64\",\"rootDeviceName\":\"/dev/xvda\","
                   "\"blockDeviceMapping\":[{\"deviceName\":\"/dev/xvda\","
                   "\"ebs\":{\"volumeSize\":\"250\"}}]}]}");
#define OWN                                                                                        \
    MODEL ",\"image\":\"ami-1\",\"zones\":[\"us-east-1a\"],\"machine\":{\"type\":\"g5.xlarge\"}"
    const struct value *d = derive(f, OWN);
    fixture_expect_none(f);
    expect(f, d, "root_device", "\"/dev/xvda\"");
    expect(f, d, "root_gib", "250");
    expect(f, d, "image_parameter", "null");
    f->answer_count = 0;
    fixture_answer(f, "DescribeImages",
                   "{\"imagesSet\":[{\"imageState\":\"available\",\"architecture\":\"arm64\"}]}");
    assert_null(derive(f, OWN));
    fixture_expect(f, DIAG_ERROR, "image: The image cannot be used");
    fixture_expect(f, DIAG_ERROR, "it is for arm64, and x86_64 is needed");
    f->answer_count = 0;
    fixture_answer(f, "DescribeImages", "{\"imagesSet\":\"\"}");
    assert_null(derive(f, OWN));
    fixture_expect(f, DIAG_ERROR, "its state is: not there");
    f->answer_count = 0;
    fixture_refuse(f, "DescribeImages", CLOUD_ERROR_NOT_FOUND, "InvalidAMIID.NotFound",
                   "The image id '[ami-1]' does not exist", 0);
    assert_null(derive(f, OWN));
    fixture_expect(f, DIAG_ERROR, "The image id '[ami-1]' does not exist");
    fixture_free(f);
}

static void a_volume_cannot_shrink(void **state)
{
    (void)state;
    struct fixture *f = offline();
    fixture_record(f, "volume", "{\"size\":80}");
    const struct value *d = derive(f, MODEL ",\"disk\":{\"size_gib\":100}");
    expect(f, d, "disk_gib", "100");
    assert_null(derive(f, MODEL ",\"disk\":{\"size_gib\":60}"));
    fixture_expect(f, DIAG_ERROR, "disk.size_gib: A volume cannot shrink");
    fixture_free(f);
}

static void ingress_rules(void **state)
{
    (void)state;
    struct fixture *f = offline();
    const struct value *d = derive(f, MODEL ",\"runtime\":\"vllm\",\"network\":{\"ingress_cidrs\":["
                                            "\"10.0.0.0/8\",\"172.16.0.0/12\"]}");
    expect(f, d, "ingress.10-0-0-0-8.cidr", "\"10.0.0.0/8\"");
    expect(f, d, "ingress.172-16-0-0-12.port", "8000");
    d = derive(f, MODEL);
    assert_int_equal(value_count(value_get(d, "ingress")), 0);
    fixture_free(f);
}

/* The statement with a Sid, or NULL. */
static const struct value *statement(struct fixture *f, const struct value *derived,
                                     const char *sid)
{
    const struct value *policy = fixture_json(f, value_cstr(value_get(derived, "policy"), ""));
    const struct value *list = value_get(policy, "Statement");
    for (size_t i = 0; i < value_count(list); i++)
        if (slice_eq_str(value_slice(value_get(value_at(list, i), "Sid")), sid))
            return value_at(list, i);
    return NULL;
}

static void the_role_may_do_what_the_node_does(void **state)
{
    (void)state;
    struct fixture *f = offline();
    const struct value *d = derive(
        f, MODEL
        ",\"tailscale\":{\"auth_key_wo_version\":1},\"model_cache\":{\"s3_uri\":\"s3://b/p/\"},"
        "\"disk\":{\"kms_key\":\"alias/k\"}");
    const struct value *s = statement(f, d, "NodeSecret");
    expect(f, s, "Resource",
           "\"arn:aws:secretsmanager:us-east-1:*:secret:llm/gpu-node/demo/tailscale-??????\"");
    expect(f, s, "Condition.StringEquals.aws:ResourceAccount", "\"${aws:PrincipalAccount}\"");
    s = statement(f, d, "ModelCache");
    expect(f, s, "Resource", "\"arn:aws:s3:::b/p/*\"");
    assert_null(value_get(s, "Condition"));
    expect(f, statement(f, d, "ModelCacheList"), "Resource", "\"arn:aws:s3:::b\"");
    s = statement(f, d, "Status");
    expect(f, s, "Action", "[\"ec2:CreateTags\"]");
    expect(f, s, "Condition.StringEquals.aws:ResourceTag/llm:resource", "\"llm_gpu_node/demo\"");
    s = statement(f, d, "SecretKey");
    expect(f, s, "Resource", "\"*\"");
    expect(f, s, "Condition.StringEquals.kms:ViaService",
           "\"secretsmanager.us-east-1.amazonaws.com\"");
    d = derive(f, MODEL);
    assert_null(statement(f, d, "NodeSecret"));
    assert_null(statement(f, d, "SecretKey"));
    assert_null(statement(f, d, "ModelCache"));
    assert_non_null(statement(f, d, "Logs"));
    f->c.region = "cn-north-1";
    d = derive(f, "\"name\":\"demo\",\"cloud\":\"aws\",\"models\":[\"phi4\"]");
    assert_non_null(strstr(value_cstr(value_get(d, "trust_policy"), ""), "ec2.amazonaws.com.cn"));
    expect(f, statement(f, d, "Logs"), "Resource",
           "\"arn:aws-cn:logs:cn-north-1:*:log-group:/llm/gpu-node/demo:*\"");
    fixture_free(f);
}

static void names_that_are_too_long(void **state)
{
    (void)state;
    struct fixture *f = offline();
    f->c.region = "us-northsouth-100";
    assert_null(derive(f, "\"name\":\"a123456789012345678901234567890123456789\",\"cloud\":\"aws\","
                          "\"models\":[\"phi4\"]"));
    fixture_expect(f, DIAG_ERROR, "name: The name is too long: The IAM role");
    fixture_free(f);
}

/* Every attribute, made unknown: a plan has unknowns, and says so in what depends on them. */
static void unknowns_stay_unknown(void **state)
{
    (void)state;
    struct fixture *f = offline();
    const struct value *config = fixture_config(
        f, "{" MODEL ",\"zones\":[\"us-east-1a\"],\"machine\":{\"type\":\"g5.xlarge\"}}");
    for (size_t i = 0; i < schema_llm_gpu_node.attr_count; i++) {
        const struct schema_attr *attr = &schema_llm_gpu_node.attrs[i];
        const struct value *d = NULL;
        f->c.config = value_with(f->a, config, attr->name, value_unknown(f->a, attr->type));
        if (composite_gpu_node.derive(&f->c, &d) < 0)
            fail_msg("%s unknown: %s", attr->name, f->diags.first->detail);
        if (strcmp(attr->name, "models") == 0) {
            expect_known(d, "disk_gib", false);
            expect_known(d, "user_data", false);
            expect_known(d, "instance_tags", false);
            expect_known(d, "zones", true);
        }
        if (strcmp(attr->name, "zones") == 0)
            expect_known(d, "zones", false);
        if (strcmp(attr->name, "network") == 0)
            expect_known(d, "make_network", false);
        if (strcmp(attr->name, "name") == 0) {
            expect_known(d, "names", false);
            expect_known(d, "policy", false);
        }
    }
    f->c.config = config;
    f->c.region = NULL;
    const struct value *d = derive(f, NULL);
    assert_non_null(d);
    expect_known(d, "names", false);
    expect_known(d, "zones", false);
    fixture_free(f);
}

/* ---- memory that runs out ---- */

#define LARGE                                                                                      \
    BASE ",\"models\":[\"llama3.1:8b\",\"mistral\"],\"tailscale\":{\"auth_key_wo_version\":1,"     \
         "\"tags\":[\"tag:a\"]},\"model_cache\":{\"s3_uri\":\"s3://b/p\"},\"network\":{"           \
         "\"ingress_cidrs\":[\"10.0.0.0/8\"]},\"image\":\"ami-1\",\"tags\":{\"a\":\"b\"}"

static void set_up_large(struct fixture *f)
{
    fixture_set(f, "{" LARGE "}");
    fixture_answer(f, "DescribeInstanceTypeOfferings",
                   "{\"instanceTypeOfferingSet\":[" OFFER("g4dn.xlarge", "us-east-1f") "]}");
    fixture_answer(f, "DescribeImages", "{\"imagesSet\":[{\"imageState\":\"available\"}]}");
}

static int run_large(struct fixture *f)
{
    const struct value *d = NULL, *v = NULL;
    int rc = gpu_node_validate(f->c.arena, f->c.config, &f->diags);
    rc = rc < 0 ? rc : composite_gpu_node.derive(&f->c, &d);
    return rc < 0 ? rc : gpu_node_outputs(&f->c, d, f->c.config, &f->records, NULL, &v);
}

static void memory_runs_out(void **state)
{
    (void)state;
    fixture_starve(set_up_large, run_large);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_credentials),
        cmocka_unit_test(configured_zones_need_no_cloud),
        cmocka_unit_test(the_cheapest_machine_that_is_offered),
        cmocka_unit_test(pages_of_offers),
        cmocka_unit_test(a_machine_that_nobody_offers),
        cmocka_unit_test(stays_as_it_was),
        cmocka_unit_test(moves_to_a_machine_that_fits),
        cmocka_unit_test(several_candidates_are_left_to_placement),
        cmocka_unit_test(existing_network),
        cmocka_unit_test(own_image),
        cmocka_unit_test(a_volume_cannot_shrink),
        cmocka_unit_test(ingress_rules),
        cmocka_unit_test(the_role_may_do_what_the_node_does),
        cmocka_unit_test(names_that_are_too_long),
        cmocka_unit_test(unknowns_stay_unknown),
        cmocka_unit_test(memory_runs_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Placement: the order of machines, zones and markets; what an error changes about it; what is said
 * when nothing is left. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "gpu_node_fixture.h"

#define BASE "\"name\":\"demo\",\"cloud\":\"aws\",\"models\":[\"llama3.1:8b\"]"
#define SUBNETS "{\"a\":\"subnet-a\",\"b\":\"subnet-b\",\"c\":\"subnet-c\"}"
#define ZONES                                                                                      \
    "{\"a\":{\"zone\":\"us-east-1a\"},\"b\":{\"zone\":\"us-east-1b\"},"                            \
    "\"c\":{\"zone\":\"us-east-1c\"}}"

/* EC2's own words. */
#define NO_CAPACITY                                                                                \
    "We currently do not have sufficient g5.xlarge capacity in the Availability Zone you "         \
    "requested (us-east-1a). Our system will be working on provisioning additional capacity. You " \
    "can currently get g5.xlarge capacity by not specifying an Availability Zone in your request " \
    "or choosing us-east-1c, us-east-1f."
#define NOT_OFFERED                                                                                \
    "Your requested instance type (g5.xlarge) is not supported in your requested Availability "    \
    "Zone (us-east-1e). Please retry your request by not specifying an Availability Zone or "      \
    "choosing us-east-1a, us-east-1b, and us-east-1d."

static struct engine_hooks hooks;
static struct engine_create_try try;

static struct fixture *start(const char *config, const char *derived)
{
    struct fixture *f = fixture_new();
    assert_non_null(f);
    fixture_set(f, arena_printf(f->a, "{%s}", config));
    const struct value *inputs =
        fixture_json(f, "{\"image_id\":\"ami-1\",\"subnet_ids\":" SUBNETS "}");
    assert_int_equal(gpu_node_hooks_new(&f->c, fixture_json(f, derived), &hooks), 0);
    try = (struct engine_create_try){.name = "instance", .inputs = inputs};
    return f;
}

/* The next place as "machine zone subnet market", or "" when there is none. */
static const char *next(struct fixture *f, const struct cloud_error *error)
{
    const struct value *v = NULL;
    try.error = error;
    int rc = hooks.next_try(hooks.self, f->a, "placement", &try, &v, &f->diags);
    try.tries++;
    if (rc < 0 || !v)
        return "";
    assert_string_equal(value_cstr(value_get(v, "image_id"), ""), "ami-1");
    return arena_printf(f->a, "%s %s %s %s", value_cstr(value_get(v, "instance_type"), "-"),
                        value_cstr(value_get(v, "availability_zone"), "-"),
                        value_cstr(value_get(v, "subnet_id"), "-"),
                        value_cstr(value_get(v, "market_type"), "on-demand"));
}

static const struct cloud_error capacity = {
    .class_ = CLOUD_ERROR_CAPACITY, .code = "InsufficientInstanceCapacity", .message = "none left"};
static const struct cloud_error named = {
    .class_ = CLOUD_ERROR_CAPACITY, .code = "InsufficientInstanceCapacity", .message = NO_CAPACITY};
static const struct cloud_error quota = {
    .class_ = CLOUD_ERROR_QUOTA,
    .code = "VcpuLimitExceeded",
    .message = "You have requested more vCPU capacity than your current vCPU limit of 0 allows"};
static const struct cloud_error unsupported = {
    .class_ = CLOUD_ERROR_UNSUPPORTED, .code = "Unsupported", .message = NOT_OFFERED};

static void expect(struct fixture *f, const struct cloud_error *error, const char *place)
{
    assert_string_equal(next(f, error), place);
}

static void zones_in_order_and_each_once(void **state)
{
    (void)state;
    struct fixture *f = start(BASE, "{\"machine_type\":\"g5.xlarge\",\"zones\":" ZONES "}");
    expect(f, NULL, "g5.xlarge us-east-1a subnet-a on-demand");
    expect(f, &capacity, "g5.xlarge us-east-1b subnet-b on-demand");
    expect(f, &capacity, "g5.xlarge us-east-1c subnet-c on-demand");
    expect(f, &capacity, "");
    fixture_expect(f, DIAG_ERROR, "machine: No place for the instance was found: 3 places were");
    fixture_expect(f, DIAG_ERROR,
                   "- g5.xlarge, on demand, in us-east-1b: capacity: "
                   "InsufficientInstanceCapacity: none left");
    fixture_expect(f, DIAG_ERROR, "Allow more zones");
    fixture_free(f);
}

static void configured_order_of_zones(void **state)
{
    (void)state;
    struct fixture *f = start(BASE ",\"zones\":[\"us-east-1c\",\"us-east-1a\",\"us-east-1b\"]",
                              "{\"machine_type\":\"g5.xlarge\",\"zones\":" ZONES "}");
    expect(f, NULL, "g5.xlarge us-east-1c subnet-c on-demand");
    expect(f, &capacity, "g5.xlarge us-east-1a subnet-a on-demand");
    expect(f, &capacity, "g5.xlarge us-east-1b subnet-b on-demand");
    fixture_free(f);
}

static void candidates_then_on_demand(void **state)
{
    (void)state;
    struct fixture *f = start(BASE ",\"machine\":{\"candidates\":[\"g5.xlarge\",\"g6.xlarge\"],"
                                   "\"provisioning\":\"spot_preferred\"}",
                              "{\"machine_type\":null,\"zones\":{\"a\":{\"zone\":\"us-east-1a\"},"
                              "\"b\":{\"zone\":\"us-east-1b\"}}}");
    static const char *const order[] = {
        "g5.xlarge us-east-1a subnet-a spot",      "g5.xlarge us-east-1b subnet-b spot",
        "g6.xlarge us-east-1a subnet-a spot",      "g6.xlarge us-east-1b subnet-b spot",
        "g5.xlarge us-east-1a subnet-a on-demand", "g5.xlarge us-east-1b subnet-b on-demand",
        "g6.xlarge us-east-1a subnet-a on-demand", "g6.xlarge us-east-1b subnet-b on-demand"};
    for (size_t i = 0; i < 8; i++)
        expect(f, i ? &capacity : NULL, order[i]);
    expect(f, &capacity, "");
    fixture_expect(f, DIAG_ERROR, "8 places were tried");
    fixture_free(f);
}

static void spot_only(void **state)
{
    (void)state;
    struct fixture *f = start(BASE ",\"machine\":{\"provisioning\":\"spot\"}",
                              "{\"machine_type\":\"g5.xlarge\",\"zones\":" ZONES "}");
    expect(f, NULL, "g5.xlarge us-east-1a subnet-a spot");
    expect(f, &capacity, "g5.xlarge us-east-1b subnet-b spot");
    expect(f, &capacity, "g5.xlarge us-east-1c subnet-c spot");
    expect(f, &capacity, "");
    fixture_free(f);
}

static void zones_that_the_error_names_come_first(void **state)
{
    (void)state;
    struct fixture *f = start(BASE, "{\"machine_type\":\"g5.xlarge\",\"zones\":" ZONES "}");
    expect(f, NULL, "g5.xlarge us-east-1a subnet-a on-demand");
    expect(f, &named, "g5.xlarge us-east-1c subnet-c on-demand");
    /* The message names c again: it was tried. */
    expect(f, &named, "g5.xlarge us-east-1b subnet-b on-demand");
    expect(f, &named, "");
    fixture_free(f);
}

static void unsupported_goes_on(void **state)
{
    (void)state;
    struct fixture *f = start(BASE ",\"zones\":[\"us-east-1c\",\"us-east-1a\",\"us-east-1b\"]",
                              "{\"machine_type\":\"g5.xlarge\",\"zones\":" ZONES "}");
    expect(f, NULL, "g5.xlarge us-east-1c subnet-c on-demand");
    expect(f, &unsupported, "g5.xlarge us-east-1a subnet-a on-demand");
    expect(f, &unsupported, "g5.xlarge us-east-1b subnet-b on-demand");
    expect(f, &unsupported, "");
    fixture_expect(f, DIAG_ERROR, "in us-east-1b: unsupported: Unsupported: Your requested");
    fixture_free(f);
}

static void a_quota_counts_for_all_zones(void **state)
{
    (void)state;
    struct fixture *f = start(BASE ",\"machine\":{\"candidates\":[\"g5.2xlarge\",\"g6.2xlarge\","
                                   "\"g5.xlarge\",\"p3.2xlarge\"]}",
                              "{\"machine_type\":null,\"zones\":" ZONES "}");
    expect(f, NULL, "g5.2xlarge us-east-1a subnet-a on-demand");
    /* 8 vCPUs are too many: a smaller machine of the family may do, and another family. */
    expect(f, &quota, "g5.xlarge us-east-1a subnet-a on-demand");
    expect(f, &quota, "p3.2xlarge us-east-1a subnet-a on-demand");
    expect(f, &quota, "");
    fixture_expect(f, DIAG_ERROR, "(quota \"Running On-Demand G and VT instances\", L-DB2E81BA)");
    fixture_expect(f, DIAG_ERROR, "(quota \"Running On-Demand P instances\", L-417A185B)");
    fixture_expect(f, DIAG_ERROR,
                   "g6.2xlarge, on demand, in us-east-1a: not tried, quota: the same");
    fixture_expect(f, DIAG_ERROR, "Ask for a higher quota");
    fixture_free(f);
}

static void the_spot_quota_leaves_on_demand(void **state)
{
    (void)state;
    static const struct cloud_error spot = {.class_ = CLOUD_ERROR_QUOTA,
                                            .code = "MaxSpotInstanceCountExceeded",
                                            .message = "Max spot instance count exceeded"};
    struct fixture *f = start(BASE ",\"machine\":{\"provisioning\":\"spot_preferred\"}",
                              "{\"machine_type\":\"g5.xlarge\",\"zones\":" ZONES "}");
    expect(f, NULL, "g5.xlarge us-east-1a subnet-a spot");
    expect(f, &spot, "g5.xlarge us-east-1a subnet-a on-demand");
    fixture_free(f);
}

static void where_the_volume_is_first(void **state)
{
    (void)state;
    struct fixture *f = start(BASE, "{\"machine_type\":\"g5.xlarge\",\"zones\":" ZONES "}");
    fixture_record(f, "volume", "{\"availability_zone\":\"us-east-1c\"}");
    expect(f, NULL, "g5.xlarge us-east-1c subnet-c on-demand");
    expect(f, &capacity, "g5.xlarge us-east-1a subnet-a on-demand");
    fixture_free(f);
}

#define EXISTING ",\"network\":{\"vpc_id\":\"vpc-1\",\"subnet_ids\":[\"subnet-y\",\"subnet-x\"]}"

static void existing_subnets_in_their_order(void **state)
{
    (void)state;
    struct fixture *f = start(BASE EXISTING, "{\"machine_type\":\"g5.xlarge\"}");
    fixture_answer(f, "DescribeSubnets",
                   "{\"subnetSet\":[{\"subnetId\":\"subnet-x\",\"vpcId\":\"vpc-1\","
                   "\"availabilityZone\":\"us-east-1a\"},{\"subnetId\":\"subnet-y\","
                   "\"vpcId\":\"vpc-1\",\"availabilityZone\":\"us-east-1d\"}]}");
    expect(f, NULL, "g5.xlarge us-east-1d subnet-y on-demand");
    expect(f, &capacity, "g5.xlarge us-east-1a subnet-x on-demand");
    expect(f, &capacity, "");
    assert_int_equal(f->call_count, 1);
    fixture_free(f);
}

static void subnets_of_another_network(void **state)
{
    (void)state;
    struct fixture *f = start(BASE EXISTING, "{\"machine_type\":\"g5.xlarge\"}");
    fixture_answer(f, "DescribeSubnets",
                   "{\"subnetSet\":[{\"subnetId\":\"subnet-y\",\"vpcId\":\"vpc-2\","
                   "\"availabilityZone\":\"us-east-1d\"}]}");
    expect(f, NULL, "");
    fixture_expect(f, DIAG_ERROR, "subnet-y is not in vpc-1 but in vpc-2");
    fixture_free(f);
}

static size_t named_zones(const char *message, struct slice *ret, size_t most)
{
    const struct cloud_error err = {.message = message};
    return gpu_node_cloud("aws")->named_zones(&err, ret, most);
}

static void reads_zones_from_messages(void **state)
{
    (void)state;
    struct slice zones[8];
    assert_int_equal(named_zones(NO_CAPACITY, zones, 8), 2);
    assert_true(slice_eq_str(zones[0], "us-east-1c"));
    assert_true(slice_eq_str(zones[1], "us-east-1f"));
    assert_int_equal(named_zones(NOT_OFFERED, zones, 8), 3);
    assert_true(slice_eq_str(zones[2], "us-east-1d"));
    assert_int_equal(named_zones(NOT_OFFERED, zones, 2), 2);
    assert_int_equal(named_zones("or choosing ", zones, 8), 0);
    assert_int_equal(named_zones("choosing something else", zones, 8), 0);
    assert_int_equal(named_zones("choosing us-east-1a,", zones, 8), 1);
    assert_int_equal(named_zones(NULL, zones, 8), 0);
}

static void set_up_places(struct fixture *f)
{
    fixture_set(f, "{" BASE EXISTING ",\"machine\":{\"provisioning\":\"spot_preferred\"}}");
    fixture_answer(f, "DescribeSubnets",
                   "{\"subnetSet\":[{\"subnetId\":\"subnet-x\",\"vpcId\":\"vpc-1\","
                   "\"availabilityZone\":\"us-east-1a\"},{\"subnetId\":\"subnet-y\","
                   "\"vpcId\":\"vpc-1\",\"availabilityZone\":\"us-east-1d\"}]}");
    try = (struct engine_create_try){.name = "instance",
                                     .inputs = fixture_json(f, "{\"image_id\":\"ami-1\"}")};
}

static int run_places(struct fixture *f)
{
    const struct value *v = NULL;
    const struct value *derived = value_object(f->a, NULL, 0);
    int rc = gpu_node_hooks_new(&f->c, derived, &hooks);
    for (int i = 0; rc == 0 && i < 3; i++) {
        try.error = i == 0 ? NULL : i == 1 ? &named : &quota;
        rc = hooks.next_try(hooks.self, f->c.arena, "placement", &try, &v, &f->diags);
        if (rc == 0 && !v)
            rc = -1;
    }
    return rc;
}

static void memory_runs_out(void **state)
{
    (void)state;
    fixture_starve(set_up_places, run_places);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(zones_in_order_and_each_once),
        cmocka_unit_test(configured_order_of_zones),
        cmocka_unit_test(candidates_then_on_demand),
        cmocka_unit_test(spot_only),
        cmocka_unit_test(zones_that_the_error_names_come_first),
        cmocka_unit_test(unsupported_goes_on),
        cmocka_unit_test(a_quota_counts_for_all_zones),
        cmocka_unit_test(the_spot_quota_leaves_on_demand),
        cmocka_unit_test(where_the_volume_is_first),
        cmocka_unit_test(existing_subnets_in_their_order),
        cmocka_unit_test(subnets_of_another_network),
        cmocka_unit_test(reads_zones_from_messages),
        cmocka_unit_test(memory_runs_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

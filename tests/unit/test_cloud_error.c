/* Cloud errors as diagnostics. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cloud/error.h"

static void test_names(void **state)
{
    (void)state;
    assert_string_equal(cloud_error_class_name(CLOUD_ERROR_NONE), "none");
    assert_string_equal(cloud_error_class_name(CLOUD_ERROR_CAPACITY), "capacity");
    assert_string_equal(cloud_error_class_name(CLOUD_ERROR_DEPENDENCY), "dependency");
    assert_string_equal(cloud_error_class_name(CLOUD_ERROR_DEADLINE), "deadline");
    assert_string_equal(cloud_error_class_name(CLOUD_ERROR_OTHER), "other");
    assert_string_equal(cloud_error_class_name((enum cloud_error_class)99), "other");
    for (int i = 0; i < CLOUD_ERROR_OTHER; i++)
        for (int k = i + 1; k <= CLOUD_ERROR_OTHER; k++)
            assert_string_not_equal(cloud_error_class_name((enum cloud_error_class)i),
                                    cloud_error_class_name((enum cloud_error_class)k));
}

static void test_report(void **state)
{
    (void)state;
    _cleanup_arena_ struct arena *a = arena_new();
    struct diags d;
    diags_init(&d, a);
    const struct path *path = path_parse(a, "network.cidr");
    const struct cloud_error e = {.class_ = CLOUD_ERROR_QUOTA,
                                  .service = "ec2",
                                  .operation = "CreateVpc",
                                  .code = "VpcLimitExceeded",
                                  .message = "The maximum number of VPCs has been reached.",
                                  .request_id = "r-1",
                                  .http_status = 400};
    assert_int_equal(cloud_error_report(&d, path, "creating the VPC", &e), -1);
    assert_int_equal(d.errors, 1);
    assert_string_equal(d.first->summary, "Error creating the VPC");
    assert_string_equal(d.first->detail,
                        "ec2.CreateVpc: VpcLimitExceeded: The maximum number of VPCs has been "
                        "reached. (request id r-1)\n\nAsk the cloud for a higher quota, or free "
                        "what uses it.");
    assert_string_equal(path_string(a, d.first->path), "network.cidr");
}

static void test_report_of_little(void **state)
{
    (void)state;
    _cleanup_arena_ struct arena *a = arena_new();
    struct diags d;
    diags_init(&d, a);
    const struct cloud_error e = {.class_ = CLOUD_ERROR_OTHER};
    cloud_error_report(&d, NULL, "reading the VPC", &e);
    assert_string_equal(d.first->summary, "Error reading the VPC");
    assert_string_equal(d.first->detail, "no message");
    assert_null(d.first->path);
}

/* Every class that the user can do something about says what. */
static void test_advice(void **state)
{
    (void)state;
    static const struct {
        enum cloud_error_class class_;
        const char *says;
    } cases[] = {
        {CLOUD_ERROR_CAPACITY, "more zones"},      {CLOUD_ERROR_UNSUPPORTED, "another zone"},
        {CLOUD_ERROR_THROTTLED, "slow down"},      {CLOUD_ERROR_TRANSIENT, "Run it again"},
        {CLOUD_ERROR_CREDENTIALS, "credentials"},  {CLOUD_ERROR_PERMISSION, "permission"},
        {CLOUD_ERROR_DEPENDENCY, "still uses it"}, {CLOUD_ERROR_PROTOCOL, "endpoint and proxy"},
        {CLOUD_ERROR_CANCELLED, "in the state"},   {CLOUD_ERROR_DEADLINE, "timeouts"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        _cleanup_arena_ struct arena *a = arena_new();
        struct diags d;
        diags_init(&d, a);
        const struct cloud_error e = {.class_ = cases[i].class_, .message = "m"};
        cloud_error_report(&d, NULL, "doing it", &e);
        assert_non_null(strstr(d.first->detail, cases[i].says));
    }
}

/* A call that is not repeated, since it may have been carried out. */
static void test_advice_without_an_answer(void **state)
{
    (void)state;
    _cleanup_arena_ struct arena *a = arena_new();
    struct diags d;
    diags_init(&d, a);
    struct cloud_error e = {
        .class_ = CLOUD_ERROR_TRANSIENT, .message = "m", .maybe_processed = true};
    cloud_error_report(&d, NULL, "doing it", &e);
    assert_non_null(strstr(d.first->detail, "may have done it"));
    e.http_status = 503;
    cloud_error_report(&d, NULL, "doing it", &e);
    assert_non_null(strstr(d.first->next->detail, "the retries were used up"));
    e.advised = true;
    cloud_error_report(&d, NULL, "doing it", &e);
    assert_string_equal(d.first->next->next->detail, "m");
}

static void test_no_answer_at_all(void **state)
{
    (void)state;
    struct cloud_error e = {.class_ = CLOUD_ERROR_TRANSIENT, .message = "m"};
    assert_true(cloud_error_is_unanswered(&e));
    e.http_status = 503;
    assert_false(cloud_error_is_unanswered(&e));
    e = (struct cloud_error){.class_ = CLOUD_ERROR_CREDENTIALS, .message = "m"};
    assert_false(cloud_error_is_unanswered(&e));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_report),
        cmocka_unit_test(test_report_of_little),
        cmocka_unit_test(test_advice),
        cmocka_unit_test(test_no_answer_at_all),
        cmocka_unit_test(test_advice_without_an_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

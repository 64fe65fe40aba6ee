/* Answers and errors of the protocols. */
#include "aws_test.h"

#include "aws/protocol.h"

static struct cloud_error err;

static struct http_response answer(int status, const char *headers, const char *body)
{
    struct http_response r = {.status = status, .body = slice_str(body)};
    struct http_header *h = arena_new_array(arena, 8, struct http_header);
    /* "name: value|name: value" */
    for (const char *p = headers; p && *p;) {
        size_t len = strcspn(p, "|");
        size_t name = strcspn(p, ":");
        h[r.header_count].name = slice_from(p, name);
        h[r.header_count++].value = slice_from(p + name + 2, len - name - 2);
        p += len + (p[len] == '|');
    }
    r.headers = h;
    return r;
}

static const char *decoded(const char *service, const char *name, struct http_response r)
{
    const struct cloud_operation op = {.service = service, .name = name};
    const struct value *v = NULL;
    memset(&err, 0, sizeof(err));
    if (aws_protocol_decode(arena, aws_service_find(service), &op, &r, &v, &err) == 0) {
        assert_int_equal(err.class_, CLOUD_ERROR_NONE);
        return show(v);
    }
    assert_int_equal(err.class_, CLOUD_ERROR_PROTOCOL);
    assert_true(err.maybe_processed);
    return arena_printf(arena, "refused: %s", err.message);
}

static void failed(const char *service, const char *name, struct http_response r)
{
    memset(&err, 0, sizeof(err));
    err.service = service;
    err.operation = name;
    aws_protocol_error(arena, aws_service_find(service), &r, &err);
    assert_non_null(err.message);
    assert_int_equal(err.http_status, r.status);
    assert_int_not_equal(err.class_, CLOUD_ERROR_NONE);
}

static void contains(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("\"%s\" does not say \"%s\"", text, part);
}

/* ---- answers ---- */

static void test_ec2(void **state)
{
    (void)state;
    assert_string_equal(
        decoded("ec2", "DescribeVpcs",
                answer(200, NULL,
                       "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<DescribeVpcsResponse "
                       "xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\"><requestId>r</requestId>"
                       "<vpcSet><item><vpcId>vpc-1</vpcId><tagSet/></item></vpcSet>"
                       "</DescribeVpcsResponse>")),
        "{\"requestId\":\"r\",\"vpcSet\":[{\"tagSet\":\"\",\"vpcId\":\"vpc-1\"}]}");
    assert_string_equal(
        decoded("ec2", "Op", answer(200, NULL, "<OpResponse><return>true</return></OpResponse>")),
        "{\"return\":\"true\"}");
    assert_string_equal(decoded("ec2", "Op", answer(200, NULL, "<OpResponse/>")), "{}");
}

static void test_query(void **state)
{
    (void)state;
    assert_string_equal(
        decoded(
            "iam", "GetRole",
            answer(200, NULL,
                   "<GetRoleResponse><GetRoleResult><Role><RoleName>r</RoleName><Tags><member>"
                   "<Key>a</Key><Value/></member></Tags></Role></GetRoleResult><ResponseMetadata>"
                   "<RequestId>x</RequestId></ResponseMetadata></GetRoleResponse>")),
        "{\"Role\":{\"RoleName\":\"r\",\"Tags\":[{\"Key\":\"a\",\"Value\":\"\"}]}}");
    assert_string_equal(
        decoded("iam", "DeleteRole",
                answer(200, NULL,
                       "<DeleteRoleResponse><ResponseMetadata><RequestId>x</RequestId>"
                       "</ResponseMetadata></DeleteRoleResponse>")),
        "{}");
}

static void test_json_answer(void **state)
{
    (void)state;
    assert_string_equal(decoded("ssm", "GetParameter", answer(200, NULL, "{\"P\":{\"V\":1.10}}")),
                        "{\"P\":{\"V\":1.1}}");
    assert_string_equal(decoded("logs", "CreateLogGroup", answer(200, NULL, "")), "{}");
}

static void test_s3(void **state)
{
    (void)state;
    assert_string_equal(decoded("s3", "ListObjectsV2",
                                answer(200, NULL,
                                       "<ListBucketResult><Contents><Key>a</Key></Contents>"
                                       "<Contents><Key>b</Key></Contents></ListBucketResult>")),
                        "{\"Contents\":[{\"Key\":\"a\"},{\"Key\":\"b\"}]}");
    assert_string_equal(decoded("s3", "HeadBucket", answer(200, NULL, "")), "{}");
}

/* ---- what is no answer ---- */

static void test_rubbish(void **state)
{
    (void)state;
    const char *html = "<!DOCTYPE html>\n<html><head><title>Sign in</title></head></html>";
    const char *text =
        decoded("ec2", "Op", answer(200, "content-type: text/html|x-amzn-requestid: r-1", html));
    contains(text, "refused: the answer (HTTP status 200, text/html, 64 bytes) is not the API's");
    contains(text, "its root element is <html>");
    contains(text, "It starts with \"<!DOCTYPE html> <html><head><title>Sign in");
    assert_string_equal(err.request_id, "r-1");
    assert_int_equal(err.http_status, 200);
    contains(decoded("s3", "Op", answer(200, NULL, "<HTML><b>x</b></HTML>")), "<HTML>");
    contains(decoded("ssm", "Op", answer(200, NULL, html)), "is not the API's");
    contains(decoded("ec2", "Op", answer(200, NULL, "<OpResponse><vpcSet><item>")),
             "line 1: no element found");
    contains(decoded("ec2", "Op", answer(200, NULL, "<OtherResponse/>")), "<OtherResponse>");
    contains(decoded("ec2", "Op", answer(200, NULL, "")), "no content type, 0 bytes");
    contains(decoded("ssm", "Op", answer(200, NULL, "{\"a\":")), "is not the API's");
    contains(decoded("ssm", "Op", answer(200, NULL, "[1]")), "it is no JSON object");
    contains(decoded("ssm", "Op", answer(200, NULL, "null")), "it is no JSON object");
    contains(decoded("ec2", "Op", answer(200, NULL, "\x1f\x8b\x08 binary \xff")),
             "It starts with \"    binary  \"");
}

static void test_long_rubbish_is_cut(void **state)
{
    (void)state;
    char *text = arena_alloc(arena, 100001);
    memset(text, 'x', 100000);
    const char *message = decoded("ec2", "Op", answer(200, NULL, text));
    assert_true(strlen(message) < 450);
    contains(message, "100000 bytes");
}

/* ---- errors ---- */

static void test_ec2_error(void **state)
{
    (void)state;
    failed("ec2", "RunInstances",
           answer(500, NULL,
                  "<?xml version=\"1.0\"?><Response><Errors><Error>"
                  "<Code>InsufficientInstanceCapacity</Code><Message>We currently do not have "
                  "sufficient g5.xlarge capacity in us-east-1a.</Message></Error></Errors>"
                  "<RequestID>r-2</RequestID></Response>"));
    assert_string_equal(err.code, "InsufficientInstanceCapacity");
    assert_int_equal(err.class_, CLOUD_ERROR_CAPACITY);
    contains(err.message, "sufficient g5.xlarge");
    assert_string_equal(err.request_id, "r-2");
    assert_false(err.maybe_processed);
    assert_int_equal(err.retry_after_ms, -1);
}

/* Several errors in one answer: the first counts. */
static void test_ec2_errors(void **state)
{
    (void)state;
    failed("ec2", "Op",
           answer(400, NULL,
                  "<Response><Errors><Error><Code>A.NotFound</Code><Message>a</Message></Error>"
                  "<Error><Code>B</Code></Error></Errors></Response>"));
    assert_string_equal(err.code, "A.NotFound");
    assert_string_equal(err.message, "a");
    assert_int_equal(err.class_, CLOUD_ERROR_NOT_FOUND);
}

static void test_query_error(void **state)
{
    (void)state;
    failed("iam", "GetRole",
           answer(404, NULL,
                  "<ErrorResponse xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\"><Error>"
                  "<Type>Sender</Type><Code>NoSuchEntity</Code><Message>no role</Message></Error>"
                  "<RequestId>r-3</RequestId></ErrorResponse>"));
    assert_string_equal(err.code, "NoSuchEntity");
    assert_int_equal(err.class_, CLOUD_ERROR_NOT_FOUND);
    assert_string_equal(err.request_id, "r-3");
}

static void test_s3_error(void **state)
{
    (void)state;
    failed("s3", "GetObject",
           answer(404, "x-amz-request-id: r-4",
                  "<Error><Code>NoSuchKey</Code><Message>no key</Message><Key>k</Key></Error>"));
    assert_string_equal(err.code, "NoSuchKey");
    assert_string_equal(err.request_id, "r-4");
    assert_int_equal(err.class_, CLOUD_ERROR_NOT_FOUND);
}

/* An answer to HEAD has no body: the status is all there is. */
static void test_head(void **state)
{
    (void)state;
    failed("s3", "HeadBucket", answer(404, "x-amz-request-id: r-5", ""));
    assert_int_equal(err.class_, CLOUD_ERROR_NOT_FOUND);
    assert_null(err.code);
    assert_string_equal(err.message, "HTTP status 404 without a message");
    assert_string_equal(err.request_id, "r-5");
    failed("s3", "HeadBucket", answer(403, NULL, ""));
    assert_int_equal(err.class_, CLOUD_ERROR_PERMISSION);
}

static void test_json_error(void **state)
{
    (void)state;
    static const char *const bodies[] = {
        "{\"__type\":\"ResourceNotFoundException\",\"message\":\"gone\"}",
        "{\"__type\":\"com.amazonaws.logs#ResourceNotFoundException\",\"Message\":\"gone\"}",
        "{\"__type\":\"x.logs#ResourceNotFoundException:http://x/\",\"message\":\"gone\"}",
        "{\"code\":\"ResourceNotFoundException\",\"message\":\"gone\"}",
        "{\"Code\":\"ResourceNotFoundException\",\"errorMessage\":\"gone\"}"};
    for (size_t i = 0; i < sizeof(bodies) / sizeof(*bodies); i++) {
        failed("logs", "Op", answer(400, "x-amzn-requestid: r-6", bodies[i]));
        assert_string_equal(err.code, "ResourceNotFoundException");
        assert_string_equal(err.message, "gone");
        assert_string_equal(err.request_id, "r-6");
        assert_int_equal(err.class_, CLOUD_ERROR_NOT_FOUND);
    }
    /* the header counts more than the body */
    failed("sso", "Op",
           answer(401, "x-amzn-errortype: UnauthorizedException:http://internal/",
                  "{\"__type\":\"Other\",\"message\":\"Session token not found or invalid\"}"));
    assert_string_equal(err.code, "UnauthorizedException");
    assert_int_equal(err.class_, CLOUD_ERROR_CREDENTIALS);
    failed("ssooidc", "CreateToken",
           answer(400, NULL, "{\"error\":\"invalid_grant\",\"error_description\":\"expired\"}"));
    assert_string_equal(err.code, "invalid_grant");
    assert_string_equal(err.message, "expired");
    failed("ssm", "Op", answer(400, "x-amzn-errortype: ValidationException", ""));
    assert_string_equal(err.code, "ValidationException");
    assert_string_equal(err.message, "HTTP status 400 without a message");
}

/* A proxy's or load balancer's page instead of the API. */
static void test_error_page(void **state)
{
    (void)state;
    failed("ec2", "Op", answer(502, NULL, "<html><body>Bad gateway</body></html>"));
    assert_int_equal(err.class_, CLOUD_ERROR_TRANSIENT);
    assert_true(err.maybe_processed);
    assert_null(err.code);
    contains(err.message, "HTTP status 502");
    contains(err.message, "Bad gateway");
    failed("ssm", "Op", answer(503, NULL, ""));
    assert_int_equal(err.class_, CLOUD_ERROR_TRANSIENT);
    failed("ec2", "Op", answer(429, NULL, "slow down"));
    assert_int_equal(err.class_, CLOUD_ERROR_THROTTLED);
    failed("ec2", "Op", answer(407, "content-type: text/html", "<p>Proxy authentication</p>"));
    assert_int_equal(err.class_, CLOUD_ERROR_PROTOCOL);
    contains(err.message, "text/html");
    contains(err.message, "Proxy authentication");
    assert_false(err.maybe_processed);
    failed("ec2", "Op", answer(403, NULL, "blocked by policy"));
    assert_int_equal(err.class_, CLOUD_ERROR_PERMISSION);
    contains(err.message, "blocked by policy");
    failed("ec2", "Op", answer(400, NULL, "<Response><Errors><Error><Code>Trunc"));
    assert_int_equal(err.class_, CLOUD_ERROR_PROTOCOL);
}

static void test_retry_after(void **state)
{
    (void)state;
    static const struct {
        const char *headers;
        int64_t ms;
    } cases[] = {
        {"retry-after: 3", 3000},
        {"x-amz-retry-after: 1500", 1500},
        {"retry-after: 3|x-amz-retry-after: 1500", 1500},
        {"retry-after: 0", 0},
        {"retry-after: -1", -1},
        {"retry-after: soon", -1},
        {"retry-after: Fri, 31 Dec 1999 23:59:59 GMT", -1},
        {"retry-after: 99999999999999999999", -1},
        {"retry-after: 1.5", -1},
        {NULL, -1},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        failed("ssm", "Op", answer(400, cases[i].headers, "{\"__type\":\"ThrottlingException\"}"));
        assert_int_equal(err.retry_after_ms, cases[i].ms);
        assert_int_equal(err.class_, CLOUD_ERROR_THROTTLED);
    }
}

/* A refusal names the permission that lacks: in AWS's words, or the call's own. */
static void test_permission(void **state)
{
    (void)state;
    failed("ec2", "RunInstances",
           answer(403, NULL,
                  "<Response><Errors><Error><Code>UnauthorizedOperation</Code><Message>You are not "
                  "authorized to perform this operation.</Message></Error></Errors></Response>"));
    assert_int_equal(err.class_, CLOUD_ERROR_PERMISSION);
    contains(err.message,
             "perform this operation. (the call needs the permission ec2:RunInstances)");
    failed(
        "iam", "CreateRole",
        answer(
            403, NULL,
            "<ErrorResponse><Error><Code>AccessDenied</Code><Message>User: arn:aws:iam::1:user/u "
            "is not authorized to perform: iam:PassRole on resource: x</Message></Error>"
            "</ErrorResponse>"));
    contains(err.message, "perform: iam:PassRole on resource: x");
    assert_null(strstr(err.message, "the call needs"));
    /* by the names that IAM has for the services */
    const char *denied = "<ErrorResponse><Error><Code>AccessDenied</Code><Message>no</Message>"
                         "</Error></ErrorResponse>";
    failed("cloudwatch", "PutDashboard", answer(403, NULL, denied));
    contains(err.message, "no (the call needs the permission cloudwatch:PutDashboard)");
    failed("elbv2", "DescribeTags", answer(403, NULL, denied));
    contains(err.message, "the permission elasticloadbalancing:DescribeTags)");
    failed("eks", "CreateCluster",
           answer(403, "x-amzn-errortype: AccessDeniedException", "{\"message\":\"no\"}"));
    contains(err.message, "the permission eks:CreateCluster)");
    failed("s3", "HeadBucket", answer(403, NULL, ""));
    assert_null(strstr(err.message, "the call needs"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_ec2),        TEST(test_query),       TEST(test_json_answer),
        TEST(test_s3),         TEST(test_rubbish),     TEST(test_long_rubbish_is_cut),
        TEST(test_ec2_error),  TEST(test_ec2_errors),  TEST(test_query_error),
        TEST(test_s3_error),   TEST(test_head),        TEST(test_json_error),
        TEST(test_error_page), TEST(test_retry_after), TEST(test_permission),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

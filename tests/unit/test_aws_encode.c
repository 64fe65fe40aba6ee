/* Requests as the protocols carry them. */
#include "aws_test.h"

#include "aws/protocol.h"

static struct aws_wire_request wire;
static const char *why;

static int encode_op(const struct cloud_operation *op, const struct value *request)
{
    const struct aws_service *s = aws_service_find(op->service);
    assert_non_null(s);
    why = NULL;
    return aws_protocol_encode(arena, s, op, request, &wire, &why);
}

static const char *body_text(void)
{
    return arena_strndup(arena, wire.body.ptr ? wire.body.ptr : "", wire.body.len);
}

static const char *header(const char *name)
{
    for (size_t i = 0; i < wire.header_count; i++)
        if (slice_eq_str(wire.headers[i].name, name))
            return arena_strndup(arena, wire.headers[i].value.ptr, wire.headers[i].value.len);
    return NULL;
}

static const char *encoded(const char *service, const char *name, const char *request)
{
    const struct cloud_operation op = {.service = service, .name = name};
    if (encode_op(&op, json(request)) < 0)
        return arena_printf(arena, "refused: %s", why);
    assert_string_equal(wire.method, "POST");
    assert_string_equal(wire.path, "/");
    assert_string_equal(wire.query, "");
    return body_text();
}

static const char *rest(const char *service, const char *method, const char *uri,
                        const char *request)
{
    const struct cloud_operation op = {
        .service = service, .name = "Op", .method = method, .uri = uri};
    if (encode_op(&op, json(request)) < 0)
        return arena_printf(arena, "refused: %s", why);
    return arena_printf(arena, "%s %s%s%s%s%s", wire.method, wire.path, *wire.query ? "?" : "",
                        wire.query, wire.body.len ? " " : "", body_text());
}

static void test_ec2(void **state)
{
    (void)state;
    assert_string_equal(encoded("ec2", "DescribeVpcs", NULL),
                        "Action=DescribeVpcs&Version=2016-11-15");
    assert_string_equal(header("content-type"), "application/x-www-form-urlencoded; charset=utf-8");
    assert_string_equal(
        encoded(
            "ec2", "DescribeVpcs",
            "{\"Filter\":[{\"Name\":\"vpc-id\",\"Value\":[\"vpc-1\",\"vpc-2\"]},"
            "{\"Name\":\"tag:a b\",\"Value\":[\"x&=+/~é\"]}],\"DryRun\":false,\"MaxResults\":5}"),
        "Action=DescribeVpcs&Version=2016-11-15&DryRun=false"
        "&Filter.1.Name=vpc-id&Filter.1.Value.1=vpc-1&Filter.1.Value.2=vpc-2"
        "&Filter.2.Name=tag%3Aa%20b&Filter.2.Value.1=x%26%3D%2B%2F~%C3%A9&MaxResults=5");
    assert_string_equal(encoded("ec2", "Op",
                                "{\"A\":{\"B\":{\"C\":\"x\"}},\"N\":null,\"E\":[],"
                                "\"O\":{},\"S\":\"\",\"F\":1.50}"),
                        "Action=Op&Version=2016-11-15&A.B.C=x&F=1.5&S=");
}

static void test_query(void **state)
{
    (void)state;
    assert_string_equal(
        encoded("iam", "CreateRole",
                "{\"RoleName\":\"r\",\"Tags\":[{\"Key\":\"a\",\"Value\":\"1\"},{\"Key\":\"b\","
                "\"Value\":\"2\"}],\"MaxSessionDuration\":3600}"),
        "Action=CreateRole&Version=2010-05-08&MaxSessionDuration=3600&RoleName=r"
        "&Tags.member.1.Key=a&Tags.member.1.Value=1&Tags.member.2.Key=b&Tags.member.2.Value=2");
    assert_string_equal(encoded("sts", "GetCallerIdentity", NULL),
                        "Action=GetCallerIdentity&Version=2011-06-15");
}

static void test_collections(void **state)
{
    (void)state;
    const struct cloud_operation op = {.service = "ec2", .name = "Op"};
    const struct value *elems[] = {value_str(arena, "b"), value_str(arena, "a")};
    const struct value_member pair = {SLICE_LIT("k"), value_str(arena, "v")};
    const struct value_member members[] = {
        {SLICE_LIT("List"), value_list(arena, &type_string, elems, 2)},
        {SLICE_LIT("Map"), value_map(arena, &type_string, &pair, 1)},
        {SLICE_LIT("Set"), value_set(arena, &type_string, elems, 2)}};
    assert_int_equal(encode_op(&op, value_object(arena, members, 3)), 0);
    assert_string_equal(body_text(), "Action=Op&Version=2016-11-15&List.1=b&List.2=a&Map.k=v"
                                     "&Set.1=a&Set.2=b");
}

static void test_json(void **state)
{
    (void)state;
    assert_string_equal(
        encoded("logs", "CreateLogGroup",
                "{\"logGroupName\":\"/llm/x\",\"tags\":{\"b\":\"2\",\"a\":\"1\"},\"x\":null}"),
        "{\"logGroupName\":\"/llm/x\",\"tags\":{\"a\":\"1\",\"b\":\"2\"}}");
    assert_string_equal(header("content-type"), "application/x-amz-json-1.1");
    assert_string_equal(header("x-amz-target"), "Logs_20140328.CreateLogGroup");
    assert_string_equal(encoded("ssm", "Op", NULL), "{}");
    assert_string_equal(header("x-amz-target"), "AmazonSSM.Op");
    assert_string_equal(encoded("servicequotas", "Op", "{\"n\":[1,2.5,true,\"\"]}"),
                        "{\"n\":[1,2.5,true,\"\"]}");
    assert_string_equal(header("x-amz-target"), "ServiceQuotasV20190624.Op");
    assert_string_equal(encoded("ecr", "Op", NULL), "{}");
    assert_string_equal(header("x-amz-target"), "AmazonEC2ContainerRegistry_V20150921.Op");
}

static void test_rest_uri(void **state)
{
    (void)state;
    assert_string_equal(rest("sso", "GET", "/federation/credentials{?role_name,account_id}",
                             "{\"role_name\":\"a b\",\"account_id\":\"1\"}"),
                        "GET /federation/credentials?role_name=a%20b&account_id=1");
    assert_string_equal(rest("sso", "GET", "/x{?a,b,c}", "{\"c\":3,\"b\":null}"), "GET /x?c=3");
    assert_string_equal(rest("eks", "GET", "/cluster-versions{?clusterVersions,maxResults}",
                             "{\"clusterVersions\":[\"1.33\",\"1.34\"],\"maxResults\":5}"),
                        "GET /cluster-versions?clusterVersions=1.33&clusterVersions=1.34&"
                        "maxResults=5");
    assert_string_equal(rest("eks", "GET", "/x{?a}", "{\"a\":[]}"), "GET /x");
    assert_string_equal(rest("sso", "GET", "/x", NULL), "GET /x");
    assert_string_equal(rest("eks", "DELETE", "/clusters/{name}/access-entries/{principalArn}",
                             "{\"name\":\"c\",\"principalArn\":\"arn:aws:iam::1:role/r\"}"),
                        "DELETE /clusters/c/access-entries/arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fr");
    assert_string_equal(rest("s3", "GET", "/{Bucket}?list-type=2{?prefix,max-keys}",
                             "{\"Bucket\":\"b\",\"prefix\":\"m/\",\"max-keys\":10}"),
                        "GET /b?list-type=2&prefix=m%2F&max-keys=10");
    /* one segment, or many */
    assert_string_equal(
        rest("s3", "PUT", "/{Bucket}/{Key}", "{\"Bucket\":\"b\",\"Key\":\"a/b c\"}"),
        "PUT /b/a%2Fb%20c");
    assert_string_equal(
        rest("s3", "PUT", "/{Bucket}/{Key+}", "{\"Bucket\":\"b\",\"Key\":\"../a//b c\"}"),
        "PUT /b/../a//b%20c");
    assert_string_equal(rest("s3", "HEAD", "/{Bucket}", "{}"), "refused: the path needs Bucket");
    assert_string_equal(rest("s3", "HEAD", "/{Bucket}", "{\"Bucket\":\"\"}"),
                        "refused: the path needs Bucket");
    assert_string_equal(rest("s3", "HEAD", "/{Bucket}", "{\"Bucket\":[\"b\"]}"),
                        "refused: the path needs Bucket");
    assert_non_null(strstr(rest("s3", NULL, NULL, "{}"), "refused"));
}

static void test_rest_json_body(void **state)
{
    (void)state;
    assert_string_equal(rest("ssooidc", "POST", "/token", "{\"grantType\":\"refresh_token\"}"),
                        "POST /token {\"grantType\":\"refresh_token\"}");
    assert_string_equal(header("content-type"), "application/json");
    rest("ssooidc", "POST", "/token", "{}");
    assert_null(header("content-type"));
}

static void test_rest_headers(void **state)
{
    (void)state;
    assert_string_equal(rest("s3", "PUT", "/{Bucket}",
                             "{\"Bucket\":\"b\",\"x-amz-acl\":\"private\",\"Content-MD5\":\"q==\","
                             "\"If-Match\":null}"),
                        "PUT /b");
    assert_string_equal(header("x-amz-acl"), "private");
    assert_string_equal(header("Content-MD5"), "q==");
    assert_null(header("If-Match"));
    assert_non_null(strstr(rest("s3", "PUT", "/{Bucket}", "{\"Bucket\":\"b\",\"x-amz-acl\":[1]}"),
                           "refused: x-amz-acl is no text"));
}

static void test_rest_xml_body(void **state)
{
    (void)state;
    assert_string_equal(
        rest("s3", "PUT", "/{Bucket}?tagging",
             "{\"Bucket\":\"b\",\"Tagging\":{\"TagSet\":{\"Tag\":[{\"Key\":\"a\",\"Value\":\"<1&2>"
             "\"},"
             "{\"Key\":\"b\",\"Value\":\"\"}]}}}"),
        "PUT /b?tagging <Tagging xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><TagSet><Tag>"
        "<Key>a</Key><Value>&lt;1&amp;2&gt;</Value></Tag><Tag><Key>b</Key><Value></Value></Tag>"
        "</TagSet></Tagging>");
    assert_string_equal(header("content-type"), "application/xml");
    assert_string_equal(
        rest("s3", "PUT", "/{Bucket}?publicAccessBlock",
             "{\"Bucket\":\"b\",\"P\":{\"BlockPublicAcls\":true,\"N\":5,\"O\":null}}"),
        "PUT /b?publicAccessBlock <P xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/"
        "\"><BlockPublicAcls>true</BlockPublicAcls><N>5</N></P>");
    /* a text is the body itself */
    assert_string_equal(
        rest("s3", "PUT", "/{Bucket}?policy", "{\"Bucket\":\"b\",\"Policy\":\"{\\\"a\\\":1}\"}"),
        "PUT /b?policy {\"a\":1}");
    assert_null(header("content-type"));
    assert_string_equal(header("x-amz-checksum-sha256"),
                        "AVq9f1zFei3ZS3WQ8ErYCEJzkF7jPsXOvq5iJ2qX+GI=");
    assert_string_equal(rest("s3", "PUT", "/{Bucket}", "{\"Bucket\":\"b\",\"A\":{},\"B\":{}}"),
                        "refused: more than one member is left for the body");
    assert_non_null(
        strstr(rest("s3", "PUT", "/{Bucket}", "{\"Bucket\":\"b\",\"A\":1}"), "refused"));
}

static const struct value *nested(int depth)
{
    const struct value *v = value_str(arena, "x");
    for (int i = 0; i < depth; i++)
        v = value_object(arena, &(struct value_member){SLICE_LIT("a"), v}, 1);
    return v;
}

static void test_refused(void **state)
{
    (void)state;
    const struct cloud_operation form = {.service = "ec2", .name = "Op"};
    const struct cloud_operation plain = {.service = "ssm", .name = "Op"};
    const struct cloud_operation xml = {
        .service = "s3", .name = "Op", .method = "PUT", .uri = "/x"};
    const struct value *unknown = value_object(
        arena, &(struct value_member){SLICE_LIT("A"), value_unknown(arena, &type_string)}, 1);
    const struct value *inside =
        value_object(arena, &(struct value_member){SLICE_LIT("D"), unknown}, 1);
    assert_int_equal(encode_op(&form, unknown), -1);
    assert_non_null(strstr(why, "not known"));
    assert_int_equal(encode_op(&plain, unknown), -1);
    assert_non_null(strstr(why, "not known"));
    assert_int_equal(encode_op(&xml, inside), -1);
    assert_non_null(strstr(why, "not known"));
    assert_int_equal(encode_op(&form, nested(32)), 0);
    assert_int_equal(encode_op(&form, nested(33)), -1);
    assert_int_equal(encode_op(&xml, nested(30)), 0);
    assert_int_equal(encode_op(&xml, nested(40)), -1);
}

/* A name that does not fit must not go out shortened, and a body has its limit. */
static void test_limits(void **state)
{
    (void)state;
    enum { NAME = 40000, BODY = 17 << 20 };
    const struct cloud_operation op = {.service = "ec2", .name = "Op"};
    char *long_text = arena_alloc(arena, BODY + 1);
    memset(long_text, 'a', BODY);
    const struct value_member two[] = {{SLICE_LIT("B"), value_str(arena, "b")},
                                       {slice_from(long_text, NAME), value_str(arena, "x")}};
    const struct value *inner = value_object(arena, two, 2);
    const struct value_member outer = {slice_from(long_text, NAME), inner};
    assert_int_equal(encode_op(&op, inner), 0);
    assert_int_equal(encode_op(&op, value_object(arena, &outer, 1)), -1);
    const struct value_member big = {SLICE_LIT("A"),
                                     value_string(arena, slice_from(long_text, BODY))};
    const struct value *body = value_object(arena, &big, 1);
    assert_int_equal(encode_op(&op, body), -1);
    assert_non_null(strstr(why, "16 MiB"));
    const struct cloud_operation plain = {.service = "ssm", .name = "Op"};
    assert_int_equal(encode_op(&plain, body), -1);
    assert_non_null(strstr(why, "16 MiB"));
}

static void test_services(void **state)
{
    (void)state;
    assert_null(aws_service_find("no"));
    assert_true(aws_service_find("iam")->global);
    assert_false(aws_service_find("ec2")->global);
    assert_string_equal(aws_service_find("logs")->signing_name, "logs");
    assert_string_equal(aws_service_find("sso")->signing_name, "awsssoportal");
    assert_string_equal(aws_service_find("cloudwatch")->signing_name, "monitoring");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_ec2),          TEST(test_query),         TEST(test_collections),
        TEST(test_json),         TEST(test_rest_uri),      TEST(test_rest_json_body),
        TEST(test_rest_headers), TEST(test_rest_xml_body), TEST(test_refused),
        TEST(test_limits),       TEST(test_services),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Workload identity federation: the subject tokens of each kind and their exchange. */
#include "gcp_test.h"

#include <sys/stat.h>

#define AUDIENCE                                                                                   \
    "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/x"
#define STS "https://sts.googleapis.com/v1/token"
#define JWT "urn:ietf:params:oauth:token-type:jwt"
#define GENERATE                                                                                   \
    "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/"                         \
    "deployer@p.iam.gserviceaccount.com:generateAccessToken"
#define FEDERATED "{'access_token': 'fed', 'expires_in': 3600, 'issued_token_type': 'x'}"
#define IMDS "http://169.254.169.254/latest/"

/* Points the client at an external account with this source and these further members. */
static void use(const char *source, const char *more)
{
    const char *path = write_file(
        "ext.json",
        quoted(arena_printf(arena,
                            "{'type': 'external_account', 'audience': '" AUDIENCE
                            "', 'subject_token_type': '" JWT "', 'credential_source': %s%s}",
                            source, more)));
    setenv("GOOGLE_APPLICATION_CREDENTIALS", path, 1);
    make_client("{'scopes': ['openid', 'https://www.googleapis.com/auth/compute']}");
}

/* ---- files and URLs ---- */

static void test_file(void **state)
{
    (void)state;
    const char *path = write_file("token", "eyJ.a.b\n");
    use(arena_printf(arena, "{'file': '%s'}", path), "");
    SCRIPT({"POST", STS, 200, FEDERATED});
    assert_token("fed");
    assert_string_equal(form(0, "grant_type"), "urn:ietf:params:oauth:grant-type:token-exchange");
    assert_string_equal(form(0, "audience"), AUDIENCE);
    assert_string_equal(form(0, "scope"), "openid https://www.googleapis.com/auth/compute");
    assert_string_equal(form(0, "requested_token_type"),
                        "urn:ietf:params:oauth:token-type:access_token");
    assert_string_equal(form(0, "subject_token"), "eyJ.a.b");
    assert_string_equal(form(0, "subject_token_type"), JWT);
    assert_null(form(0, "options"));
    assert_string_equal(header(0, "authorization"), "");
    drop_client();
}

static void test_file_of_json(void **state)
{
    (void)state;
    const char *path = write_file("token", "{\"value\": \"eyJ.c.d\"}");
    const char *source = arena_printf(arena,
                                      "{'file': '%s', 'format': {'type': 'json', "
                                      "'subject_token_field_name': 'value'}}",
                                      path);
    use(source, "");
    SCRIPT({"POST", STS, 200, FEDERATED});
    assert_token("fed");
    assert_string_equal(form(0, "subject_token"), "eyJ.c.d");
    client.tokens.valid = false;
    NO_REQUEST();
    write_file("token", "{\"valu\": \"eyJ.c.d\"}");
    assert_no_token("has no member value that is a string");
    write_file("token", "SECRET");
    assert_no_token("does not hold JSON");
    assert_null(strstr(error_.message, "SECRET"));
    write_file("token", "{\"value\": \"a\\u0000b\"}");
    assert_no_token("holds no text");
    assert_int_equal(unlink(path), 0);
    assert_no_token(path);
    assert_says(error_.message, "No such file");
    assert_says(error_.message, "ext.json (GOOGLE_APPLICATION_CREDENTIALS)");
    drop_client();
}

static void test_empty_file(void **state)
{
    (void)state;
    use(arena_printf(arena, "{'file': '%s'}", write_file("token", " \n")), "");
    NO_REQUEST();
    assert_no_token("is empty: there is no subject token");
    drop_client();
}

/* As GitHub's runners have it. */
static void test_url(void **state)
{
    (void)state;
    use("{'url': 'https://pipelines.example/token?api-version=2.0&audience=x', 'headers': "
        "{'Authorization': 'Bearer runner'}, 'format': {'type': 'json', "
        "'subject_token_field_name': 'value'}}",
        ", 'service_account_impersonation_url': '" GENERATE "', 'service_account_impersonation': "
        "{'token_lifetime_seconds': 1200}");
    SCRIPT({"GET", "https://pipelines.example/token?api-version=2.0&audience=x", 200,
            "{'count': 1, 'value': 'eyJ.gh.x'}"},
           {"POST", STS, 200, FEDERATED},
           {"POST", GENERATE, 200, "{'accessToken': 'imp', 'expireTime': '2026-11-21T10:20:00Z'}"});
    assert_token("imp");
    assert_string_equal(header(0, "Authorization"), "Bearer runner");
    assert_true(requests[0].secret_bodies); /* the log would show a "value" */
    assert_false(requests[1].secret_bodies);
    assert_string_equal(form(1, "subject_token"), "eyJ.gh.x");
    assert_string_equal(form(1, "scope"), "https://www.googleapis.com/auth/iam");
    assert_string_equal(header(2, "authorization"), "Bearer fed");
    assert_string_equal(requests[2].body,
                        "{\"delegates\":[],\"lifetime\":\"1200s\",\"scope\":[\"openid\","
                        "\"https://www.googleapis.com/auth/compute\"]}");
    client.tokens.valid = false;
    SCRIPT({"GET", "https://pipelines.example/token?api-version=2.0&audience=x", 403, "no"});
    assert_no_token("HTTP status 403");
    drop_client();
}

static void test_exchange_that_is_refused(void **state)
{
    (void)state;
    use(arena_printf(arena, "{'file': '%s'}", write_file("token", "t")), "");
    SCRIPT({"POST", STS, 400,
            "{'error': 'invalid_grant', 'error_description': 'The given credential is rejected by "
            "the attribute condition.'}"});
    assert_no_token("the Security Token Service refused the file");
    assert_says(error_.message, "rejected by the attribute condition");
    assert_says(error_.message, "workload identity pool provider");
    drop_client();
}

static void test_oauth_clients(void **state)
{
    (void)state;
    const char *source = arena_printf(arena, "{'file': '%s'}", write_file("token", "t"));
    static const char workforce[] =
        "//iam.googleapis.com/locations/global/workforcePools/p/providers/x";
    const char *text =
        arena_printf(arena,
                     "{'type': 'external_account', 'audience': '%s', 'subject_token_type': '" JWT
                     "', 'workforce_pool_user_project': 'p\\\"1', 'credential_source': %s",
                     workforce, source);
    setenv("GOOGLE_CREDENTIALS", quoted(arena_printf(arena, "%s}", text)), 1);
    make_client(NULL);
    SCRIPT({"POST", STS, 200, FEDERATED});
    assert_token("fed");
    assert_string_equal(form(0, "options"), "{\"userProject\":\"p\\\"1\"}");
    drop_client();
    setenv("GOOGLE_CREDENTIALS",
           quoted(arena_printf(arena, "%s, 'client_id': 'id', 'client_secret': 'secret'}", text)),
           1);
    make_client("{'endpoints': {'sts': 'http://127.0.0.1:9/v1'}}");
    SCRIPT({"POST", "http://127.0.0.1:9/v1/token", 200, FEDERATED});
    assert_token("fed");
    assert_null(form(0, "options")); /* the client says it */
    assert_string_equal(header(0, "authorization"), "Basic aWQ6c2VjcmV0");
    drop_client();
}

/* ---- AWS ---- */

static const char aws_source[] =
    "{'environment_id': 'aws1', 'region_url': '" IMDS "meta-data/placement/availability-zone', "
    "'url': '" IMDS "meta-data/iam/security-credentials', 'regional_cred_verification_url': "
    "'https://sts.{region}.amazonaws.com?Action=GetCallerIdentity&Version=2011-06-15', "
    "'imdsv2_session_token_url': '" IMDS "api/token'}";

/* The value of a header in the serialised request. */
static const char *serialised(const struct value *request, const char *name)
{
    const struct value *headers = value_get(request, "headers");
    for (size_t i = 0; i < value_count(headers); i++)
        if (strcmp(value_cstr(value_get(value_at(headers, i), "key"), ""), name) == 0)
            return value_cstr(value_get(value_at(headers, i), "value"), "");
    return "";
}

static const struct value *subject_request(size_t request)
{
    const char *text = form(request, "subject_token");
    assert_non_null(text);
    return json(decoded(text, strlen(text)));
}

static void test_aws_environment(void **state)
{
    (void)state;
    setenv("AWS_REGION", "eu-west-3", 1);
    setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE", 1);
    setenv("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", 1);
    use(aws_source, "");
    SCRIPT({"POST", STS, 200, FEDERATED});
    assert_token("fed");
    const struct value *r = subject_request(0);
    assert_string_equal(value_cstr(value_get(r, "url"), ""),
                        "https://sts.eu-west-3.amazonaws.com?Action=GetCallerIdentity&Version="
                        "2011-06-15");
    assert_string_equal(value_cstr(value_get(r, "method"), ""), "POST");
    assert_string_equal(serialised(r, "host"), "sts.eu-west-3.amazonaws.com");
    assert_string_equal(serialised(r, "x-amz-date"), "20261121T100000Z");
    assert_string_equal(serialised(r, "x-goog-cloud-target-resource"), AUDIENCE);
    assert_string_equal(serialised(r, "x-amz-security-token"), "");
    /* The signature itself is compared with Google's library by gcp_token_compare.py. */
    assert_says(serialised(r, "authorization"),
                "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261121/eu-west-3/sts/aws4_request, "
                "SignedHeaders=host;x-amz-date;x-goog-cloud-target-resource, Signature=");
    drop_client();
}

static void test_aws_metadata(void **state)
{
    (void)state;
    use(aws_source, "");
    SCRIPT({"PUT", IMDS "api/token", 200, "imds-token"},
           {"GET", IMDS "meta-data/placement/availability-zone", 200, "us-east-1d"},
           {"GET", IMDS "meta-data/iam/security-credentials", 200, "my-role"},
           {"GET", IMDS "meta-data/iam/security-credentials/my-role", 200,
            "{'Code': 'Success', 'AccessKeyId': 'AKID', 'SecretAccessKey': 'k', 'Token': 'st'}"},
           {"POST", STS, 200, FEDERATED});
    assert_token("fed");
    assert_string_equal(header(0, "x-aws-ec2-metadata-token-ttl-seconds"), "300");
    assert_string_equal(header(1, "x-aws-ec2-metadata-token"), "imds-token");
    assert_string_equal(header(3, "x-aws-ec2-metadata-token"), "imds-token");
    assert_string_equal(requests[0].proxy, "");
    assert_true(requests[3].secret_bodies);
    const struct value *r = subject_request(4);
    assert_string_equal(serialised(r, "host"), "sts.us-east-1.amazonaws.com");
    assert_string_equal(serialised(r, "x-amz-security-token"), "st");
    drop_client();
}

static void test_aws_that_fails(void **state)
{
    (void)state;
    use("{'environment_id': 'aws1', 'regional_cred_verification_url': 'https://sts/'}", "");
    NO_REQUEST();
    assert_no_token("set AWS_REGION");
    setenv("AWS_DEFAULT_REGION", "us-east-1", 1);
    assert_no_token("set AWS_ACCESS_KEY_ID");
    drop_client();
    use(aws_source, "");
    SCRIPT({"PUT", IMDS "api/token", 403, ""});
    assert_no_token("no session token");
    SCRIPT({"PUT", IMDS "api/token", 200, "a\nb"});
    assert_no_token("line break");
    SCRIPT({"PUT", IMDS "api/token", 200, "t"},
           {"GET", IMDS "meta-data/iam/security-credentials", 404, ""});
    assert_no_token("no role");
    SCRIPT({"PUT", IMDS "api/token", 200, "t"},
           {"GET", IMDS "meta-data/iam/security-credentials", 200, "a/../b"});
    assert_no_token("no name of a role");
    SCRIPT({"PUT", IMDS "api/token", 200, "t"},
           {"GET", IMDS "meta-data/iam/security-credentials", 200, "r"},
           {"GET", IMDS "meta-data/iam/security-credentials/r", 200, "{'AccessKeyId': 'x'}"});
    assert_no_token("no SecretAccessKey");
    setenv("AWS_DEFAULT_REGION", "evil/x", 1);
    NO_REQUEST();
    assert_no_token("no name of a region");
    drop_client();
}

/* ---- executables ---- */

static const char *program(const char *body)
{
    const char *path = write_file("program", arena_printf(arena, "#!/bin/sh\n%s\n", body));
    assert_int_equal(chmod(path, 0700), 0);
    return path;
}

static void use_program(const char *body, const char *more)
{
    use(arena_printf(arena, "{'executable': {'command': '%s one \\\"two  words\\\"'%s}}",
                     program(body), more),
        ", 'service_account_impersonation_url': '" GENERATE "'");
}

#define ANSWER(token)                                                                              \
    "{\\\"version\\\": 1, \\\"success\\\": true, \\\"token_type\\\": \\\"" JWT                     \
    "\\\", \\\"id_token\\\": \\\"" token "\\\", \\\"expiration_time\\\": 1795258800}"

static void assert_exchanged(const char *subject)
{
    client.tokens.valid = false;
    SCRIPT({"POST", STS, 200, FEDERATED},
           {"POST", GENERATE, 200, "{'accessToken': 'imp', 'expireTime': '2026-11-21T11:00:00Z'}"});
    assert_token("imp");
    assert_string_equal(form(0, "subject_token"), subject);
}

static void test_executable(void **state)
{
    (void)state;
    use_program("echo \"" ANSWER("$1/$2/$#/$GOOGLE_EXTERNAL_ACCOUNT_AUDIENCE/"
                                 "$GOOGLE_EXTERNAL_ACCOUNT_TOKEN_TYPE/"
                                 "$GOOGLE_EXTERNAL_ACCOUNT_INTERACTIVE/"
                                 "$GOOGLE_EXTERNAL_ACCOUNT_IMPERSONATED_EMAIL/"
                                 "$GOOGLE_EXTERNAL_ACCOUNT_OUTPUT_FILE") "\"",
                "");
    NO_REQUEST();
    assert_no_token("GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES is 1");
    setenv("GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES", "true", 1);
    assert_no_token("GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES is 1");
    setenv("GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES", "1", 1);
    setenv("GOOGLE_EXTERNAL_ACCOUNT_OUTPUT_FILE", "somebody's", 1);
    assert_exchanged("one/two  words/2/" AUDIENCE "/" JWT "/0/deployer@p.iam.gserviceaccount.com/");
    unsetenv("GOOGLE_EXTERNAL_ACCOUNT_OUTPUT_FILE");
    drop_client();
}

static void test_executable_that_fails(void **state)
{
    (void)state;
    static const struct {
        const char *body, *says;
    } cases[] = {
        {"exit 3", "ended with status 3"},
        {"kill -9 $$", "ended with signal 9"},
        {"echo SECRET", "no JSON object"},
        {"echo '[]'", "no JSON object"},
        {"echo '{\"success\": true}'", "not of version 1"},
        {"echo '{\"version\": 2, \"success\": true}'", "not of version 1"},
        {"echo '{\"version\": 1}'", "whether it is a success"},
        {"echo '{\"version\": 1, \"success\": false, \"code\": \"401\", \"message\": \"who?\"}'",
         "is a failure: 401: who?"},
        {"echo '{\"version\": 1, \"success\": true, \"token_type\": \"x\"}'", "token_type"},
        {"echo '{\"version\": 1, \"success\": true, \"token_type\": \"" JWT "\"}'",
         "has no id_token"},
        {"echo '{\"version\": 1, \"success\": true, \"token_type\": "
         "\"urn:ietf:params:oauth:token-type:saml2\", \"id_token\": \"x\"}'",
         "has no saml_response"},
        {"echo '{\"version\": 1, \"success\": true, \"token_type\": \"" JWT
         "\", \"id_token\": \"x\", \"expiration_time\": 1795255200}'",
         "has expired"},
        {"echo '{\"version\": 1, \"success\": true, \"token_type\": \"" JWT
         "\", \"id_token\": \"x\", \"expiration_time\": \"soon\"}'",
         "no expiration_time"},
        {"head -c 300000 /dev/zero", "256 KiB"},
    };
    setenv("GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES", "1", 1);
    NO_REQUEST();
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        use_program(cases[i].body, "");
        assert_no_token(cases[i].says);
        assert_null(strstr(error_.message, "SECRET"));
        drop_client();
    }
    use("{'executable': {'command': '/nonexistent/program x'}}", "");
    assert_no_token("the executable /nonexistent/program of the file");
    assert_says(error_.message, "could not be started: No such file or directory");
    drop_client();
    use("{'executable': {'command': '/bin/true \\\"x'}}", "");
    assert_no_token("open quote");
    drop_client();
    use("{'executable': {'command': '  '}}", "");
    assert_no_token("no program");
    drop_client();
}

static void test_executable_that_hangs(void **state)
{
    (void)state;
    setenv("GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES", "1", 1);
    use_program("sleep 60", "");
    const struct clock *real = clock_system();
    work_ = (struct work){real, NULL, real->monotonic_ms(real->self) + 300};
    client.clock = real;
    NO_REQUEST();
    assert_no_token("the time of the operation was up");
    assert_true(real->monotonic_ms(real->self) - work_.deadline_ms < 10000);
    drop_client();
}

static void test_output_file(void **state)
{
    (void)state;
    const char *path = path_of("out.json");
    setenv("GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES", "1", 1);
    use_program("echo \"" ANSWER("run") "\" | tee $GOOGLE_EXTERNAL_ACCOUNT_OUTPUT_FILE",
                arena_printf(arena, ", 'output_file': '%s'", path));
    assert_exchanged("run");
    write_file("out.json", quoted("{'version': 1, 'success': true, 'token_type': '" JWT
                                  "', 'id_token': 'kept', 'expiration_time': 1795255201}"));
    assert_exchanged("kept");
    fake_clock_.now_ms += 1000; /* what is kept has expired */
    assert_exchanged("run");
    write_file("out.json", "nonsense");
    assert_exchanged("run");
    write_file("out.json", "");
    assert_exchanged("run");
    drop_client();
    use_program("echo '{\"version\": 1, \"success\": true, \"token_type\": \"" JWT
                "\", \"id_token\": \"x\"}'",
                ", 'output_file': '/nonexistent'");
    NO_REQUEST();
    assert_no_token("which an output_file needs");
    drop_client();
}

/* ---- memory that runs out ---- */

static int failing_after;

static void *failing_malloc(size_t size)
{
    return failing_after-- > 0 ? malloc(size) : NULL;
}

static void test_memory_that_runs_out(void **state)
{
    (void)state;
    bool done = false;
    for (int n = 0; n < 1000 && !done; n++) {
        use(aws_source, ", 'service_account_impersonation_url': '" GENERATE "'");
        SCRIPT({"PUT", IMDS "api/token", 200, "t"},
               {"GET", IMDS "meta-data/placement/availability-zone", 200, "us-east-1d"},
               {"GET", IMDS "meta-data/iam/security-credentials", 200, "r"},
               {"GET", IMDS "meta-data/iam/security-credentials/r", 200,
                "{'AccessKeyId': 'x', 'SecretAccessKey': 'y', 'Token': 'z'}"},
               {"POST", STS, 200, FEDERATED},
               {"POST", GENERATE, 200,
                "{'accessToken': 'imp', 'expireTime': '2026-11-21T11:00:00Z'}"});
        struct gcp_token t = GCP_TOKEN_EMPTY;
        struct arena *own = arena_new();
        failing_after = n;
        alloc_table.malloc = failing_malloc;
        int rc = gcp_token_get(&client, &work_, own, &t, &error_);
        alloc_table.malloc = malloc;
        if (rc < 0)
            assert_non_null(error_.message);
        else
            assert_string_equal(t.bearer.ptr, "imp");
        done = rc == 0;
        gcp_token_clean_up(&t);
        arena_free(own);
        drop_client();
    }
    assert_true(done);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_file),
        TEST(test_file_of_json),
        TEST(test_empty_file),
        TEST(test_url),
        TEST(test_exchange_that_is_refused),
        TEST(test_oauth_clients),
        TEST(test_aws_environment),
        TEST(test_aws_metadata),
        TEST(test_aws_that_fails),
        TEST(test_executable),
        TEST(test_executable_that_fails),
        TEST(test_executable_that_hangs),
        TEST(test_output_file),
        TEST(test_memory_that_runs_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

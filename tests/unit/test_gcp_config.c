/* The GCP settings: what is refused, and where each comes from. */
#include "gcp_test.h"

#include <sys/stat.h>

#include "gcp/gcloud.h"

/* ---- validate ---- */

static void validates(const char *block, const char *path, const char *part)
{
    struct diags d;
    diags_init(&d, arena);
    int rc = gcp_config_validate(arena, json(block), &d);
    if (!path) {
        if (rc != 0)
            fail_msg("%s: %s", block, d.first->detail);
        assert_int_equal(d.errors, 0);
        return;
    }
    if (rc == 0)
        fail_msg("%s is accepted", block);
    assert_int_equal(d.errors, 1);
    assert_string_equal(path_string(arena, d.first->path), path);
    const char *all = arena_printf(arena, "%s: %s", d.first->summary, d.first->detail);
    assert_says(all, part);
}

static void test_accepts(void **state)
{
    (void)state;
    validates("{}", NULL, NULL);
    validates("{'project': 'my-project-1', 'region': 'europe-west4', 'zone': 'europe-west4-b'}",
              NULL, NULL);
    validates("{'project': 'example.com:my-project'}", NULL, NULL);
    validates("{'project': '123456789012', 'billing_project': ''}", NULL, NULL);
    validates("{'region': 'https://compute.googleapis.com/compute/v1/projects/p/regions/us-east1'}",
              NULL, NULL);
    validates("{'credentials': '/some/path.json'}", NULL, NULL);
    validates("{'scopes': ['openid', 'https://www.googleapis.com/auth/compute']}", NULL, NULL);
    validates("{'default_labels': {'team': 'a-b_c9', '\xc3\xa4': '', 'k': null}}", NULL, NULL);
    validates("{'impersonate_service_account': 'a@p.iam.gserviceaccount.com',"
              " 'impersonate_service_account_delegates': ['b@p.iam.gserviceaccount.com']}",
              NULL, NULL);
    validates("{'endpoints': {'compute': 'http://127.0.0.1:5000/compute/v1/', 'iam': ''}}", NULL,
              NULL);
}

static void test_refuses(void **state)
{
    (void)state;
    validates("{'project': 'My Project'}", "gcp.project", "My Project");
    validates("{'billing_project': 'projects/x'}", "gcp.billing_project", "project id");
    validates("{'region': 'Europe'}", "gcp.region", "europe-west4");
    validates("{'region': 'europe'}", "gcp.region", "europe-west4");
    validates("{'zone': 'b'}", "gcp.zone", "europe-west4-b");
    validates("{'zone': 'europe-west4'}", "gcp.zone", "europe-west4-b");
    validates("{'region': 'us-east1', 'zone': 'europe-west4-b'}", "gcp.zone",
              "lies in europe-west4, not in the region us-east1");
    validates("{'impersonate_service_account': 'somebody'}", "gcp.impersonate_service_account",
              "e-mail");
    validates("{'impersonate_service_account': 'a@b/../c'}", "gcp.impersonate_service_account",
              "e-mail");
    validates("{'impersonate_service_account_delegates': ['b@p']}",
              "gcp.impersonate_service_account_delegates", "names none");
    validates(
        "{'impersonate_service_account': 'a@p', 'impersonate_service_account_delegates': ['']}",
        "gcp.impersonate_service_account_delegates[0]", "delegate");
    validates("{'scopes': ['https://www.googleapis.com/auth/compute', 'compute-rw']}",
              "gcp.scopes[1]", "compute-rw");
    validates("{'endpoints': {'compute': 'compute.example'}}", "gcp.endpoints.compute", "https://");
    validates("{'endpoints': {'sts': 'https://u:p@h/'}}", "gcp.endpoints.sts", "https://");
    validates("{'default_labels': {'Team': 'x'}}", "gcp.default_labels[\"Team\"]", "small letters");
    validates("{'default_labels': {'9': 'x'}}", "gcp.default_labels[\"9\"]", "letter");
    validates("{'default_labels': {'a': 'X'}}", "gcp.default_labels[\"a\"]", "small letters");
    validates("{'default_labels': {'a': "
              "'0123456789012345678901234567890123456789012345678901234567890123'}}",
              "gcp.default_labels[\"a\"]", "63");
    validates("{'universe_domain': 'https://x'}", "gcp.universe_domain", "domain name");
    validates("{'request_reason': 'a\\nb'}", "gcp.request_reason", "line breaks");
    validates("{'access_token': 'ya29.x\\n'}", "gcp.access_token", "trimspace");
    validates("{'credentials': '{\\'type\\': 1'}", "gcp.credentials", "not JSON");
    validates("{'credentials': ' {}'}", "gcp.credentials", "no type");
}

static void test_unknown_values_are_let_through(void **state)
{
    (void)state;
    static const char *const names[] = {
        "project",         "zone",           "region",
        "credentials",     "access_token",   "impersonate_service_account",
        "universe_domain", "request_reason", "billing_project"};
    struct value_member m[16];
    struct diags d;
    size_t n = sizeof(names) / sizeof(*names);
    for (size_t i = 0; i < n; i++)
        m[i] = (struct value_member){slice_str(names[i]), value_unknown(arena, &type_string)};
    m[n++] = (struct value_member){SLICE_LIT("scopes"), value_unknown(arena, &type_list_of_string)};
    m[n++] = (struct value_member){SLICE_LIT("default_labels"),
                                   value_unknown(arena, &type_map_of_string)};
    diags_init(&d, arena);
    assert_int_equal(gcp_config_validate(arena, value_object(arena, m, n), &d), 0);
    assert_int_equal(gcp_config_validate(arena, NULL, &d), 0);
}

/* ---- resolve ---- */

static const struct gcp_config *resolved(const char *block)
{
    make_client(block);
    drop_client();
    return &client.config;
}

static void test_defaults(void **state)
{
    (void)state;
    const struct gcp_config *c = resolved(NULL);
    assert_null(c->project);
    assert_null(c->region);
    assert_null(c->zone);
    assert_null(c->credentials);
    assert_null(c->access_token);
    assert_null(c->request_reason);
    assert_int_equal(c->scope_count, 2);
    assert_string_equal(c->scopes[0], "https://www.googleapis.com/auth/cloud-platform");
    assert_string_equal(c->universe_domain, "googleapis.com");
    assert_int_equal(c->http.request_timeout_ms, 120000);
    assert_int_equal(c->retry.max_attempts, 26);
    assert_int_equal(value_count(c->default_labels), 0);
    assert_non_null(c->default_labels);
    assert_string_equal(c->well_known_path,
                        path_of(".config/gcloud/application_default_credentials.json"));
}

static void test_block_before_environment(void **state)
{
    (void)state;
    setenv("GOOGLE_PROJECT", "of-environment", 1);
    setenv("GOOGLE_CREDENTIALS", "{}", 1);
    setenv("GOOGLE_OAUTH_ACCESS_TOKEN", "tok", 1);
    setenv("USER_PROJECT_OVERRIDE", "true", 1);
    const struct gcp_config *c =
        resolved("{'project': 'of-block', 'credentials': '/x', 'user_project_override': false,"
                 " 'request_timeout': '1m30s', 'max_retries': 0, 'retry_mode': 'adaptive',"
                 " 'http_proxy': 'http://h', 'https_proxy': 'http://s', 'no_proxy': 'n',"
                 " 'custom_ca_bundle': '/ca', 'insecure': true}");
    assert_string_equal(c->project, "of-block");
    assert_string_equal(c->credentials, "/x");
    assert_string_equal(c->credentials_name, "credentials");
    assert_null(c->access_token); /* that of the environment comes behind the block's credentials */
    assert_false(c->user_project_override);
    assert_int_equal(c->http.request_timeout_ms, 90000);
    assert_int_equal(c->retry.max_attempts, 1);
    assert_int_equal(c->retry.mode, RETRY_ADAPTIVE);
    assert_string_equal(c->http.proxy, "http://s");
    assert_string_equal(c->http.no_proxy, "n");
    assert_string_equal(c->http.ca_bundle, "/ca");
    assert_true(c->http.insecure);
}

static void test_order_of_variables(void **state)
{
    (void)state;
    static const char *const chains[][5] = {
        {"GOOGLE_PROJECT", "GOOGLE_CLOUD_PROJECT", "GCLOUD_PROJECT", "CLOUDSDK_CORE_PROJECT"},
        {"GOOGLE_REGION", "GCLOUD_REGION", "CLOUDSDK_COMPUTE_REGION"},
        {"GOOGLE_ZONE", "GCLOUD_ZONE", "CLOUDSDK_COMPUTE_ZONE"},
        {"GOOGLE_CREDENTIALS", "GOOGLE_CLOUD_KEYFILE_JSON", "GCLOUD_KEYFILE_JSON"},
    };
    for (size_t k = 0; k < 4; k++) {
        size_t count = 0;
        for (; chains[k][count]; count++)
            setenv(chains[k][count], arena_printf(arena, "us-east%zu-b", count), 1);
        for (size_t i = 0; i < count; i++) {
            const struct gcp_config *c = resolved(NULL);
            const char *const got[] = {c->project, c->region, c->zone, c->credentials};
            assert_string_equal(got[k], arena_printf(arena, "us-east%zu-b", i));
            if (k == 3)
                assert_string_equal(c->credentials_name, chains[k][i]);
            unsetenv(chains[k][i]);
        }
    }
    setenv("GOOGLE_BILLING_PROJECT", "bill", 1);
    setenv("USER_PROJECT_OVERRIDE", "TRUE", 1);
    setenv("CLOUDSDK_CORE_REQUEST_REASON", "because", 1);
    setenv("GOOGLE_IMPERSONATE_SERVICE_ACCOUNT", "a@b", 1);
    setenv("GOOGLE_CLOUD_UNIVERSE_DOMAIN", "example.goog", 1);
    const struct gcp_config *c = resolved("{'project': 'p1'}");
    assert_string_equal(c->billing_project, "bill");
    assert_true(c->user_project_override);
    assert_string_equal(c->request_reason, "because");
    assert_string_equal(c->impersonate, "a@b");
    assert_string_equal(c->universe_domain, "example.goog");
}

static void places(const char *block, const char *region, const char *zone)
{
    const struct gcp_config *c = resolved(block);
    assert_string_equal(c->region ? c->region : "none", region);
    assert_string_equal(c->zone ? c->zone : "none", zone);
}

static void test_region_and_zone(void **state)
{
    (void)state;
    places("{'zone': 'europe-west4-b'}", "europe-west4", "europe-west4-b");
    places("{'region': 'projects/p/regions/us-east1'}", "us-east1", "none");
    setenv("CLOUDSDK_COMPUTE_ZONE", "us-central1-a", 1);
    places("{'region': 'us-central1'}", "us-central1", "us-central1-a");
    places("{'region': 'europe-west4'}", "europe-west4", "none");
    setenv("GOOGLE_REGION", "us-east1", 1);
    places("{'zone': 'europe-west4-b'}", "europe-west4", "europe-west4-b");
    assert_int_equal(try_client(NULL), -1); /* both of the environment */
    drop_client();
}

static void refuses(const char *variable, const char *value, const char *path)
{
    struct diags d;
    struct gcp_config c;
    diags_init(&d, arena);
    setenv(variable, value, 1);
    assert_int_equal(gcp_config_resolve(arena, NULL, &c, &d), -1);
    assert_int_equal(d.errors, 1);
    assert_string_equal(path_string(arena, d.first->path), path);
    unsetenv(variable);
}

static void test_environment_that_cannot_be_used(void **state)
{
    (void)state;
    refuses("GOOGLE_PROJECT", "My Project", "gcp.project");
    refuses("GOOGLE_BILLING_PROJECT", "a/b", "gcp.billing_project");
    refuses("GOOGLE_CLOUD_QUOTA_PROJECT", "a\nb", "gcp.billing_project");
    refuses("GOOGLE_REGION", "europe", "gcp.region");
    refuses("GOOGLE_ZONE", "b", "gcp.zone");
    refuses("CLOUDSDK_COMPUTE_ZONE", "europe-west4", "gcp.zone");
    refuses("CLOUDSDK_CORE_REQUEST_REASON", "a\r\nb", "gcp.request_reason");
    refuses("GOOGLE_CLOUD_UNIVERSE_DOMAIN", "https://x", "gcp.universe_domain");
}

static void test_gcloud_settings(void **state)
{
    (void)state;
    assert_int_equal(mkdir(path_of("sdk"), 0700), 0);
    assert_int_equal(mkdir(path_of("sdk/configurations"), 0700), 0);
    setenv("CLOUDSDK_CONFIG", path_of("sdk"), 1);
    write_file("sdk/properties", "[core]\nproject = oldest\n[compute]\nregion=us-west1\n");
    write_file(
        "sdk/configurations/config_default",
        "# comment\n[core]\nproject = first\naccount = me\n\n[compute]\nzone = us-west1-a\n");
    write_file("sdk/configurations/config_work",
               "[core]\r\nproject=second \r\n[broken\nnonsense\n");
    const struct gcp_config *c = resolved(NULL);
    assert_null(c->project); /* it comes behind what the credentials say */
    assert_string_equal(c->gcloud_project, "first");
    assert_string_equal(c->region, "us-west1");
    assert_string_equal(c->zone, "us-west1-a");
    assert_string_equal(c->well_known_path, path_of("sdk/application_default_credentials.json"));
    write_file("sdk/configurations/config_bad",
               "[core]\nproject = Not One\n[compute]\nregion = x\nzone = y\n");
    write_file("sdk/active_config", "bad");
    c = resolved(NULL); /* what gcloud has wrong is nobody's error here */
    assert_null(c->gcloud_project);
    assert_null(c->region);
    assert_null(c->zone);
    write_file("sdk/active_config", "work\n");
    assert_string_equal(resolved(NULL)->gcloud_project, "second");
    setenv("CLOUDSDK_ACTIVE_CONFIG_NAME", "default", 1);
    assert_string_equal(resolved(NULL)->gcloud_project, "first");
    setenv("CLOUDSDK_ACTIVE_CONFIG_NAME", "NONE", 1);
    assert_string_equal(resolved(NULL)->gcloud_project, "oldest");
}

static void test_gcloud_configuration_that_is_absent(void **state)
{
    (void)state;
    struct gcloud_properties p;
    struct diags d;
    static const char *const names[] = {"absent", "../x"};
    for (size_t i = 0; i < 2; i++) {
        diags_init(&d, arena);
        setenv("CLOUDSDK_ACTIVE_CONFIG_NAME", names[i], 1);
        gcloud_properties_read(arena, home, &p, &d);
        assert_int_equal(d.warnings, 1);
        assert_int_equal(d.errors, 0);
        assert_says(d.first->detail, names[i]);
        assert_null(p.project);
    }
    unsetenv("CLOUDSDK_ACTIVE_CONFIG_NAME");
    diags_init(&d, arena);
    assert_int_equal(mkdir(path_of("properties"), 0700), 0); /* a directory cannot be read */
    gcloud_properties_read(arena, home, &p, &d);
    assert_int_equal(d.warnings, 1);
}

static void test_endpoints(void **state)
{
    (void)state;
    const struct gcp_config *c = resolved(NULL);
    assert_string_equal(gcp_endpoint(c, arena, "compute", NULL), "https://compute.googleapis.com");
    assert_string_equal(gcp_endpoint(c, arena, "resource_manager", NULL),
                        "https://cloudresourcemanager.googleapis.com");
    assert_string_equal(gcp_endpoint(c, arena, "iamcredentials", NULL),
                        "https://iamcredentials.googleapis.com");
    assert_string_equal(gcp_endpoint(c, arena, "monitoring", NULL),
                        "https://monitoring.googleapis.com");
    assert_null(gcp_custom_endpoint(c, arena, "compute"));
    static const struct {
        const char *path, *url;
    } located[] = {
        {"/v1/projects/p/locations/us-central1/endpoints", "us-central1-aiplatform"},
        {"/v1/projects/p/locations/europe-west4:x", "europe-west4-aiplatform"},
        {"projects/1/locations/asia-east1/models/m/operations/2", "asia-east1-aiplatform"},
        {"/v1/projects/p/locations/us-east1?a=b", "us-east1-aiplatform"},
        {"/v1/projects/p/locations/eu/endpoints", "aiplatform.eu.rep"},
        {"/v1/projects/p/locations/global/endpoints", "aiplatform"},
        {"/v1/projects/p/locations", "aiplatform"},
        {NULL, "aiplatform"}};
    for (size_t i = 0; i < sizeof(located) / sizeof(*located); i++)
        assert_string_equal(gcp_endpoint(c, arena, "aiplatform", located[i].path),
                            arena_printf(arena, "https://%s.googleapis.com", located[i].url));
    assert_string_equal(gcp_endpoint(c, arena, "compute", located[0].path),
                        "https://compute.googleapis.com");
    setenv("GOOGLE_COMPUTE_CUSTOM_ENDPOINT", "https://env.example/compute/beta/", 1);
    setenv("GOOGLE_IAM_CUSTOM_ENDPOINT", "https://env.example/v1", 1);
    setenv("GOOGLE_STORAGE_CUSTOM_ENDPOINT", "http://127.0.0.1:1/storage", 1);
    c = resolved("{'universe_domain': 'u.goog', 'endpoints': {'iam': 'http://[::1]:2//',"
                 " 'resource_manager': 'http://h/x/v3/', 'logging': '',"
                 " 'vertex_ai': 'https://us-central1-aiplatform.googleapis.com/v1/'}}");
    assert_string_equal(gcp_endpoint(c, arena, "aiplatform", located[1].path),
                        "https://us-central1-aiplatform.googleapis.com");
    c = resolved("{'universe_domain': 'u.goog', 'endpoints': {'iam': 'http://[::1]:2//',"
                 " 'resource_manager': 'http://h/x/v3/', 'logging': ''}}");
    assert_string_equal(gcp_endpoint(c, arena, "vertex_ai", located[1].path),
                        "https://europe-west4-aiplatform.u.goog");
    assert_string_equal(gcp_endpoint(c, arena, "compute", NULL), "https://env.example");
    assert_string_equal(gcp_endpoint(c, arena, "iam", NULL), "http://[::1]:2");
    assert_string_equal(gcp_endpoint(c, arena, "storage", NULL), "http://127.0.0.1:1/storage");
    assert_string_equal(gcp_endpoint(c, arena, "cloudresourcemanager", NULL), "http://h/x");
    assert_string_equal(gcp_endpoint(c, arena, "logging", NULL), "https://logging.u.goog");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_accepts),
        TEST(test_refuses),
        TEST(test_unknown_values_are_let_through),
        TEST(test_defaults),
        TEST(test_block_before_environment),
        TEST(test_order_of_variables),
        TEST(test_region_and_zone),
        TEST(test_environment_that_cannot_be_used),
        TEST(test_gcloud_settings),
        TEST(test_gcloud_configuration_that_is_absent),
        TEST(test_endpoints),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

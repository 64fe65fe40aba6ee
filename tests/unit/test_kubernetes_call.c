/* Calls of a cluster's API: URLs and bodies, tokens, retries, and what a client is made from. */
#include "kubernetes_test.h"

#define APPLY "fieldManager=terraform-provider-llm&fieldValidation=Strict&force=false"

static void test_apply(void **state)
{
    (void)state;
    SCRIPT({"PATCH", "/api/v1/namespaces/a%2Fb?" APPLY, 201, "{'kind':'Namespace'}"});
    assert_json(call("PATCH", "/api/v1/namespaces/{name}",
                     "{'name':'a/b','apiVersion':'v1','kind':'Namespace','none':null,"
                     "'metadata':{'name':'a/b','labels':{},'none':null}}"),
                "{'kind':'Namespace'}");
    assert_string_equal(requests[0].content_type, "application/apply-patch+yaml");
    assert_string_equal(requests[0].authorization, "Bearer token-1");
    assert_string_equal(requests[0].body,
                        "{\"apiVersion\":\"v1\",\"kind\":\"Namespace\",\"metadata\":"
                        "{\"labels\":{},\"name\":\"a/b\"}}");
    assert_true(requests[0].pinned && !requests[0].insecure);
}

static void test_other_methods(void **state)
{
    (void)state;
    SCRIPT({"GET", "/api/v1/namespaces?labelSelector=a%3Db%2Cc%3Dd", 200, "{}"},
           {"POST",
            "/api/v1/namespaces/n/configmaps?dryRun=All&fieldManager=terraform-provider-llm"
            "&fieldValidation=Strict",
            201, "{}"},
           {"PUT",
            "/api/v1/namespaces/n?fieldManager=terraform-provider-llm&fieldValidation=Strict", 200,
            "{}"},
           {"DELETE", "/api/v1/namespaces/n", 200, "{'kind':'Status','status':'Success'}"},
           {"DELETE", "/api/v1/namespaces/n", 204});
    assert_non_null(call("GET", "/api/v1/namespaces{?labelSelector,limit}",
                         "{'labelSelector':'a=b,c=d','limit':null}"));
    assert_string_equal(requests[0].content_type, "");
    assert_string_equal(requests[0].body, "");
    assert_non_null(call("POST", "/api/v1/namespaces/{namespace}/configmaps{?dryRun}",
                         "{'namespace':'n','dryRun':'All','kind':'ConfigMap'}"));
    assert_string_equal(requests[1].content_type, "application/json");
    assert_non_null(call("PUT", "/api/v1/namespaces/{name}", "{'name':'n','kind':'Namespace'}"));
    assert_non_null(call("DELETE", "/api/v1/namespaces/{name}", "{'name':'n'}"));
    assert_string_equal(requests[3].body, "");
    assert_json(call("DELETE", "/api/v1/namespaces/{name}",
                     "{'name':'n','propagationPolicy':'Foreground','preconditions':{'uid':'u'}}"),
                "{}");
    assert_string_equal(requests[4].body,
                        "{\"apiVersion\":\"v1\",\"kind\":\"DeleteOptions\",\"preconditions\":"
                        "{\"uid\":\"u\"},\"propagationPolicy\":\"Foreground\"}");
}

static void test_requests_that_make_no_sense(void **state)
{
    static const struct {
        const char *method, *uri, *request, *part;
    } table[] = {
        {"PATCH", "/api/v1/namespaces/{name}", "{}", "\"name\""},
        {"PATCH", "/api/v1/namespaces/{name}", "{'name':''}", "\"name\""},
        {"PATCH", "/api/v1/namespaces/{name}", "{'name':'..'}", "dots"},
        {"PATCH", "/api/v1/namespaces/{name}", "{'name':{'a':1}}", "\"name\""},
        {"GET", "/api{?x}", "{'x':[{'a':1}]}", "\"x\""},
        {"BREW", "/api", "{}", "method"},
        {NULL, "/api", "{}", "method"},
        {"GET", NULL, "{}", "path"},
        {"GET", "https://elsewhere/", "{}", "path"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
        assert_null(call(table[i].method, table[i].uri, table[i].request));
        assert_int_equal(error_.class_, CLOUD_ERROR_INVALID);
        assert_says(error_.message, table[i].part);
    }
    const struct value_member m[] = {{SLICE_LIT("data"), value_unknown(arena, &type_string)}};
    const struct cloud_operation op = {"kubernetes", "Test", "PATCH", "/api", NULL, false};
    const struct value *answer = NULL;
    assert_int_equal(kubernetes_driver.call(client, &work_, arena, NULL, &op,
                                            value_object(arena, m, 1), &answer, &error_),
                     -1);
    assert_says(error_.message, "not known");
    assert_int_equal(asked, 0);
}

/* ---- tokens ---- */

#define UNAUTHORIZED 401, "{'kind':'Status','reason':'Unauthorized','message':'Unauthorized'}"

static void test_token_is_renewed(void **state)
{
    (void)state;
    SCRIPT({"GET", "/version", UNAUTHORIZED}, {"GET", "/version", 200, "{}"},
           {"GET", "/version", 200, "{}"});
    assert_non_null(call("GET", "/version", "{}"));
    assert_string_equal(requests[0].authorization, "Bearer token-1");
    assert_string_equal(requests[1].authorization, "Bearer token-2");
    assert_int_equal(asked_fresh, 1);
    assert_int_equal(fake_clock_.sleep_count, 0);
    assert_non_null(call("GET", "/version", "{}"));
    assert_string_equal(requests[2].authorization, "Bearer token-2");
    assert_int_equal(asked_fresh, 1);
}

static void test_refused_twice(void **state)
{
    (void)state;
    SCRIPT({"GET", "/version", UNAUTHORIZED}, {"GET", "/version", UNAUTHORIZED});
    assert_null(call("GET", "/version", "{}"));
    assert_int_equal(error_.class_, CLOUD_ERROR_CREDENTIALS);
    assert_string_equal(error_.code, "Unauthorized");
    assert_int_equal(sent, 2);
    assert_int_equal(asked_fresh, 1);
}

/* Another thread has got a new one in the meantime: it is taken, and none is made. */
static int renewed_elsewhere(void *self, const struct work *w, struct arena *a, bool fresh,
                             const char **ret, struct cloud_error *err)
{
    int *turn = self;
    (void)w;
    (void)err;
    assert_false(fresh);
    *ret = arena_strdup(a, (*turn)++ ? "token-9" : "token-1");
    return 0;
}

static void test_another_thread_has_renewed(void **state)
{
    struct cloud_cluster cluster = a_cluster();
    struct diags d;
    int turn = 0;
    (void)state;
    diags_init(&d, arena);
    kubernetes_driver.free(client);
    cluster.token = renewed_elsewhere;
    cluster.token_self = &turn;
    client = kubernetes_client_new(&cluster, &transport, &fake_clock_.clock, "test/1", &d);
    SCRIPT({"GET", "/version", UNAUTHORIZED}, {"GET", "/version", 200, "{}"});
    assert_non_null(call("GET", "/version", "{}"));
    assert_string_equal(requests[1].authorization, "Bearer token-9");
    assert_int_equal(turn, 2);
}

static void test_no_token(void **state)
{
    static const char *const bad[] = {"", "two words", "line\r\nx: y", "\x80"};
    (void)state;
    token_now = NULL;
    assert_null(call("GET", "/version", "{}"));
    assert_int_equal(error_.class_, CLOUD_ERROR_PERMISSION);
    assert_string_equal(error_.code, "AccessDenied");
    assert_string_equal(error_.message, "no token for you");
    assert_int_equal(kubernetes_driver.check_credentials(client, &work_, arena, NULL, &error_), -1);
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        token_now = bad[i];
        assert_null(call("GET", "/version", "{}"));
        assert_int_equal(error_.class_, CLOUD_ERROR_CREDENTIALS);
    }
    token_now = "good";
    assert_int_equal(kubernetes_driver.check_credentials(client, &work_, arena, NULL, &error_), 0);
}

/* ---- retries ---- */

#define BUSY 503, "{'kind':'Status','reason':'ServiceUnavailable','message':'m'}"
#define QUERY_POST "?fieldManager=terraform-provider-llm&fieldValidation=Strict"

static void test_what_is_repeated(void **state)
{
    (void)state;
    SCRIPT({"PATCH", "/api?" APPLY, BUSY}, {"PATCH", "/api?" APPLY, 0},
           {"PATCH", "/api?" APPLY, 200, "{}"});
    assert_non_null(call("PATCH", "/api", "{}"));
    SCRIPT({"DELETE", "/api", BUSY}, {"DELETE", "/api", 200, "{}"});
    assert_non_null(call("DELETE", "/api", "{}"));
    SCRIPT({"POST", "/api" QUERY_POST, BUSY});
    assert_null(call("POST", "/api", "{}"));
    assert_int_equal(error_.class_, CLOUD_ERROR_TRANSIENT);
    assert_true(error_.maybe_processed);
    SCRIPT({"POST", "/api" QUERY_POST, BUSY}, {"POST", "/api" QUERY_POST, 201, "{}"});
    const struct cloud_operation op = {"kubernetes", "Test", "POST", "/api", NULL, true};
    assert_non_null(call_op(&op, "{}"));
    /* as often as the policy has it */
    SCRIPT({"GET", "/api", BUSY}, {"GET", "/api", BUSY}, {"GET", "/api", BUSY});
    assert_null(call("GET", "/api", "{}"));
    assert_int_equal(error_.attempts, 3);
}

static void test_throttled(void **state)
{
    (void)state;
    SCRIPT({"POST", "/api" QUERY_POST, 429, "{'kind':'Status','reason':'TooManyRequests'}",
            "retry-after", "9"},
           {"POST", "/api" QUERY_POST, 201, "{}"});
    assert_non_null(call("POST", "/api", "{}"));
    assert_int_equal(fake_clock_slept(&fake_clock_), 9000);
}

#define MODIFIED                                                                                   \
    409, "{'kind':'Status','reason':'Conflict','message':'the object has been modified'}"

/* A lost race is run again, unless the request wanted a certain version. */
static void test_races(void **state)
{
    (void)state;
    SCRIPT({"POST", "/api" QUERY_POST, MODIFIED}, {"POST", "/api" QUERY_POST, 201, "{}"});
    assert_non_null(call("POST", "/api", "{}"));
    SCRIPT({"PATCH", "/api?" APPLY, MODIFIED});
    assert_null(call("PATCH", "/api", "{'metadata':{'resourceVersion':'7'}}"));
    assert_int_equal(error_.class_, CLOUD_ERROR_CONFLICT);
    SCRIPT({"DELETE", "/api", MODIFIED});
    assert_null(call("DELETE", "/api", "{'preconditions':{'uid':'7'}}"));
    assert_int_equal(error_.class_, CLOUD_ERROR_CONFLICT);
}

static void test_answers_that_make_no_sense(void **state)
{
    static const char *const bodies[] = {"", "[]", "<html/>", "{\"a\":", "null", "7"};
    (void)state;
    for (size_t i = 0; i < sizeof(bodies) / sizeof(*bodies); i++) {
        const struct exchange x = {"GET", "/api", 200, bodies[i]};
        set_script(&x, 1);
        assert_null(call("GET", "/api", "{}"));
        assert_int_equal(error_.class_, CLOUD_ERROR_PROTOCOL);
        assert_true(error_.maybe_processed);
    }
}

/* ---- clients ---- */

static void refused(const struct cloud_cluster *cluster)
{
    struct diags d;
    diags_init(&d, arena);
    assert_null(kubernetes_client_new(cluster, &transport, &fake_clock_.clock, "test/1", &d));
    assert_int_equal(d.errors, 1);
}

static void test_settings_of_a_client(void **state)
{
    static const char *const endpoints[] = {NULL,
                                            "",
                                            "http://cluster.example",
                                            "https://",
                                            "https:///x",
                                            "https://u:p@cluster.example",
                                            "https://cluster.example/?x",
                                            "https://cluster.example#x",
                                            "https://cluster example"};
    static const char *const authorities[] = {NULL, "", "/etc/ca.pem"};
    static const char *const managers[] = {NULL, "", "a\nb"};
    struct cloud_cluster c = a_cluster();
    (void)state;
    for (size_t i = 0; i < sizeof(endpoints) / sizeof(*endpoints); i++) {
        c.endpoint = endpoints[i];
        refused(&c);
    }
    c = a_cluster();
    for (size_t i = 0; i < sizeof(authorities) / sizeof(*authorities); i++) {
        c.ca_pem = authorities[i];
        refused(&c);
    }
    c = a_cluster();
    for (size_t i = 0; i < sizeof(managers) / sizeof(*managers); i++) {
        c.field_manager = managers[i];
        refused(&c);
    }
    c = a_cluster();
    char long_name[130];
    memset(long_name, 'x', sizeof(long_name) - 1);
    long_name[sizeof(long_name) - 1] = '\0';
    c.field_manager = long_name;
    refused(&c);
    c = a_cluster();
    c.token = NULL;
    refused(&c);
}

/* Whatever settings are handed in: the cluster's trust, and never none. */
static void test_trust_is_the_clusters(void **state)
{
    const struct http_settings careless = {.insecure = true, .ca_pem = "other"};
    struct cloud_cluster c = a_cluster();
    struct diags d;
    (void)state;
    diags_init(&d, arena);
    kubernetes_driver.free(client);
    c.http = &careless;
    client = kubernetes_client_new(&c, &transport, &fake_clock_.clock, NULL, &d);
    SCRIPT({"GET", "/version", 200, "{}"});
    assert_non_null(call("GET", "/version", "{}"));
    assert_true(requests[0].pinned && !requests[0].insecure);
    /* Where none is given on purpose, it is the system's. */
    kubernetes_driver.free(client);
    c.system_trust = true;
    c.ca_pem = NULL;
    client = kubernetes_client_new(&c, &transport, &fake_clock_.clock, NULL, &d);
    SCRIPT({"GET", "/version", 200, "{}"});
    assert_non_null(call("GET", "/version", "{}"));
    assert_true(!requests[0].pinned && !requests[0].insecure);
}

static void test_driver_without_a_cluster(void **state)
{
    struct diags d;
    const char *account = NULL;
    (void)state;
    diags_init(&d, arena);
    assert_null(kubernetes_driver.configure(NULL, &transport, &fake_clock_.clock, "test/1", &d));
    assert_int_equal(d.errors, 1);
    assert_int_equal(kubernetes_driver.account(client, &work_, arena, NULL, &account, &error_), 0);
    assert_string_equal(account, "");
    assert_null(kubernetes_driver.default_region(client));
    assert_null(kubernetes_driver.region_of_zone(arena, "a-1"));
    kubernetes_driver.free(NULL);
}

/* ---- memory ---- */

static int failing_after;

static void *failing_malloc(size_t size)
{
    return failing_after-- > 0 ? malloc(size) : NULL;
}

/* However little memory there is: an error or the whole answer, nothing between. The JSON reader
 * does not tell apart what is no JSON and what did not fit into memory. */
static void run_out(const char *method, const char *uri, const struct exchange *exchanges,
                    size_t count, enum cloud_error_class expected)
{
    const char *request = "{'name':'n','kind':'Namespace','metadata':{'name':'n'}}";
    const struct cloud_operation op = {"kubernetes", "Test", method, uri, NULL, false};
    const struct value *asked_for = json(request);
    bool done = false;
    for (int n = 0; n < 2000 && !done; n++) {
        const struct value *answer = NULL;
        struct arena *own = arena_new();
        set_script(exchanges, count);
        token_now = "token-1";
        asked_fresh = 0;
        failing_after = n;
        alloc_table.malloc = failing_malloc;
        int rc =
            kubernetes_driver.call(client, &work_, own, NULL, &op, asked_for, &answer, &error_);
        alloc_table.malloc = malloc;
        done = failing_after > 0;
        if (rc == 0)
            assert_non_null(value_path(answer, "applied.metadata"));
        else
            assert_true(error_.message &&
                        (error_.class_ == CLOUD_ERROR_NO_MEMORY ||
                         error_.class_ == CLOUD_ERROR_PROTOCOL || error_.class_ == expected ||
                         strstr(error_.message, "memory ran out")));
        if (done)
            assert_int_equal(rc, expected == CLOUD_ERROR_NONE ? 0 : -1);
        arena_free(own);
    }
    assert_true(done);
}

static void test_memory_runs_out(void **state)
{
    static const struct exchange good[] = {
        {"PATCH", "/api/v1/namespaces/n?" APPLY, UNAUTHORIZED},
        {"PATCH", "/api/v1/namespaces/n?" APPLY, 200,
         "{'kind':'Namespace','metadata':{'name':'n','labels':{'a':'b'},'managedFields':["
         "{'manager':'terraform-provider-llm','operation':'Apply','fieldsV1':{'f:metadata':"
         "{'f:labels':{'f:a':{}}}}}]}}"}};
    static const struct exchange conflict[] = {
        {"PATCH", "/api/v1/namespaces/n?" APPLY, 409,
         "{'kind':'Status','reason':'Conflict','details':{'causes':[{'reason':"
         "'FieldManagerConflict','message':'conflict with x','field':'.data'}]}}"}};
    (void)state;
    run_out("PATCH", "/api/v1/namespaces/{name}", good, 2, CLOUD_ERROR_NONE);
    run_out("PATCH", "/api/v1/namespaces/{name}", conflict, 1, CLOUD_ERROR_CONFLICT);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_apply),
        TEST(test_other_methods),
        TEST(test_requests_that_make_no_sense),
        TEST(test_token_is_renewed),
        TEST(test_refused_twice),
        TEST(test_another_thread_has_renewed),
        TEST(test_no_token),
        TEST(test_what_is_repeated),
        TEST(test_throttled),
        TEST(test_races),
        TEST(test_answers_that_make_no_sense),
        TEST(test_settings_of_a_client),
        TEST(test_trust_is_the_clusters),
        TEST(test_driver_without_a_cluster),
        TEST(test_memory_runs_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

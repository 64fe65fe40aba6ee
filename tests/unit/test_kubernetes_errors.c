/* Kubernetes' errors: Status objects as API servers send them, and answers that are none. */
#include "kubernetes_test.h"

#include "http/http.h"
#include "kubernetes/errors.h"

static struct cloud_error decoded(int status, const char *body, bool conditional)
{
    const struct http_header headers[] = {{SLICE_LIT("audit-id"), SLICE_LIT("7f3c")}};
    const struct http_response r = {
        .status = status, .headers = headers, .header_count = 1, .body = slice_str(quoted(body))};
    struct cloud_error err = {.retry_after_ms = -1};
    kubernetes_error_decode(arena, &r, "ConfigMap \"c\" in \"n\"", conditional, &err);
    assert_string_equal(err.request_id, "7f3c");
    assert_int_equal(err.http_status, status);
    assert_non_null(err.message);
    return err;
}

static const char *status_of(const char *reason, const char *message, const char *details)
{
    return arena_printf(arena,
                        "{'kind':'Status','apiVersion':'v1','metadata':{},'status':'Failure',"
                        "'message':'%s','reason':'%s','details':{%s}}",
                        message, reason, details);
}

static void test_classes(void **state)
{
    static const struct {
        const char *reason, *message, *causes;
        int status;
        enum cloud_error_class class_;
        bool conditional;
    } table[] = {
        {"Unauthorized", "Unauthorized", "", 401, CLOUD_ERROR_CREDENTIALS},
        {"Forbidden", "configmaps is forbidden: User 'u' cannot list resource", "", 403,
         CLOUD_ERROR_PERMISSION},
        {"Forbidden", "pods 'p' is forbidden: exceeded quota: q, requested: pods=1", "", 403,
         CLOUD_ERROR_QUOTA},
        {"Forbidden", "pods 'p' is forbidden: failed quota: q: must specify limits.cpu", "", 403,
         CLOUD_ERROR_INVALID},
        {"Forbidden", "pods 'p' is forbidden: maximum cpu usage per Container is 1, but limit is 2",
         "", 403, CLOUD_ERROR_INVALID},
        {"Forbidden", "pods 'p' is forbidden: violates PodSecurity 'restricted:latest'", "", 403,
         CLOUD_ERROR_INVALID},
        {"Forbidden", "admission webhook 'w' denied the request: no", "", 403, CLOUD_ERROR_INVALID},
        {"Forbidden", "pods 'p' is forbidden: error looking up service account n/default", "", 403,
         CLOUD_ERROR_TRANSIENT},
        {"Forbidden", "unable to create new content in namespace n because it is being terminated",
         "'causes':[{'reason':'NamespaceTerminating','message':'m','field':'metadata.namespace'}]",
         403, CLOUD_ERROR_DEPENDENCY},
        {"NotFound", "namespaces 'n' not found", "'name':'n','kind':'namespaces'", 404,
         CLOUD_ERROR_NOT_FOUND},
        {"MethodNotAllowed", "m", "", 405, CLOUD_ERROR_INVALID},
        {"NotAcceptable", "m", "", 406, CLOUD_ERROR_INVALID},
        {"AlreadyExists", "namespaces 'n' already exists", "", 409, CLOUD_ERROR_CONFLICT},
        {"Conflict", "the UID in the precondition does not match the UID in record", "", 409,
         CLOUD_ERROR_CONFLICT, true},
        {"Conflict", "the object has been modified; please apply your changes", "", 409,
         CLOUD_ERROR_CONFLICT, true},
        {"Conflict", "the object has been modified; please apply your changes", "", 409,
         CLOUD_ERROR_TRANSIENT, false},
        {"Gone", "m", "", 410, CLOUD_ERROR_OTHER},
        {"Expired", "The provided continue parameter is too old", "", 410, CLOUD_ERROR_OTHER},
        {"RequestEntityTooLarge", "m", "", 413, CLOUD_ERROR_INVALID},
        {"UnsupportedMediaType", "m", "", 415, CLOUD_ERROR_UNSUPPORTED},
        {"Invalid", "m", "", 422, CLOUD_ERROR_INVALID},
        {"BadRequest", "strict decoding error", "", 400, CLOUD_ERROR_INVALID},
        {"TooManyRequests", "m", "", 429, CLOUD_ERROR_THROTTLED},
        {"ServerTimeout", "m", "", 500, CLOUD_ERROR_TRANSIENT},
        {"InternalError", "failed calling webhook", "", 500, CLOUD_ERROR_TRANSIENT},
        {"",
         "failed to create typed patch object (/b; /v1, Kind=Namespace): .spec.x: field not "
         "declared in schema",
         "", 500, CLOUD_ERROR_INVALID},
        {"", "failed to convert new object (/b; /v1, Kind=ResourceQuota) to proper version", "",
         500, CLOUD_ERROR_INVALID},
        {"", "etcdserver: request timed out", "", 500, CLOUD_ERROR_TRANSIENT},
        {"StorageReadError", "m", "", 500, CLOUD_ERROR_OTHER},
        {"ServiceUnavailable", "m", "", 503, CLOUD_ERROR_TRANSIENT},
        {"Timeout", "m", "", 504, CLOUD_ERROR_TRANSIENT},
        {"SomethingNew", "m", "", 403, CLOUD_ERROR_PERMISSION},
        {"SomethingNew", "m", "", 404, CLOUD_ERROR_NOT_FOUND},
        {"SomethingNew", "m", "", 409, CLOUD_ERROR_CONFLICT},
        {"SomethingNew", "m", "", 418, CLOUD_ERROR_INVALID},
        {"SomethingNew", "m", "", 502, CLOUD_ERROR_TRANSIENT},
        {"SomethingNew", "m", "", 301, CLOUD_ERROR_INVALID},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
        const char *message = arena_strdup(arena, table[i].message);
        for (char *c = (char *)(uintptr_t)message; *c; c++)
            *c = *c == '\'' ? '`' : *c;
        struct cloud_error err =
            decoded(table[i].status, status_of(table[i].reason, message, table[i].causes),
                    table[i].conditional);
        if (err.class_ != table[i].class_)
            fail_msg("%s: %s is %s", table[i].reason, message, cloud_error_class_name(err.class_));
        assert_says(err.message, message);
        assert_int_equal(err.maybe_processed,
                         table[i].status >= 500 && err.class_ != CLOUD_ERROR_INVALID);
    }
}

static void test_conflict_names_managers_and_fields(void **state)
{
    (void)state;
    const char *causes =
        "'name':'c','kind':'configmaps','causes':["
        "{'reason':'FieldManagerConflict','message':'conflict with \\'kubectl-edit\\' using v1 at "
        "2026-11-21T10:00:00Z','field':'.data.a'},"
        "{'reason':'FieldManagerConflict','message':'conflict with \\'helm\\'','field':'.data.b'},"
        "{'reason':'FieldManagerConflict','message':'conflict with \\'kubectl-edit\\' using v1 at "
        "2026-11-21T10:00:00Z','field':'.data.c'}]";
    struct cloud_error err =
        decoded(409, status_of("Conflict", "Apply failed with 3 conflicts", causes), false);
    assert_int_equal(err.class_, CLOUD_ERROR_CONFLICT);
    assert_string_equal(err.code, "FieldManagerConflict");
    assert_true(err.advised);
    assert_says(err.message, "has set fields of ConfigMap \"c\" in \"n\" to other values: ");
    assert_says(err.message, "Have that manager give the fields up, take them out of the");
    assert_says(err.message,
                "\"kubectl-edit\" using v1 at 2026-11-21T10:00:00Z has .data.a, .data.c;"
                " \"helm\" has .data.b. Nothing was changed");
    /* causes of another shape */
    err = decoded(409,
                  status_of("Conflict", "m",
                            "'causes':[{'reason':'FieldManagerConflict'},{},"
                            "{'reason':'FieldManagerConflict','field':'.x'}]"),
                  false);
    assert_says(err.message, "another manager has .x");
    /* more than fits the message */
    struct buf b = BUF_INIT(1 << 20);
    for (int i = 0; i < 30; i++)
        buf_printf(&b,
                   "%s{'reason':'FieldManagerConflict','message':'conflict with m','field':'%0*d'}",
                   i ? "," : "", 900, i);
    err = decoded(409,
                  status_of("Conflict", "Apply failed with 30 conflicts",
                            arena_printf(arena, "'causes':[%s]", buf_cstr(&b))),
                  false);
    buf_clean_up(&b);
    assert_string_equal(err.message, "Apply failed with 30 conflicts");
    assert_int_equal(err.class_, CLOUD_ERROR_CONFLICT);
}

static void test_invalid_names_fields(void **state)
{
    (void)state;
    struct cloud_error err =
        decoded(422,
                status_of("Invalid", "ConfigMap is invalid: metadata.name: Invalid value",
                          "'causes':[{'reason':'FieldValueInvalid','message':'Invalid value',"
                          "'field':'metadata.name'},{'reason':'FieldValueRequired',"
                          "'message':'Required value','field':'spec.hard'}]"),
                false);
    assert_string_equal(err.message, "ConfigMap is invalid: metadata.name: Invalid value"
                                     " spec.hard: Required value.");
    assert_string_equal(err.code, "Invalid");
}

static void test_retry_after(void **state)
{
    static const struct {
        const char *header, *details;
        int64_t ms;
    } table[] = {{"5", "", 5000},
                 {NULL, "'retryAfterSeconds':7", 7000},
                 {NULL, "", -1},
                 {"soon", "", -1},
                 {"", "'retryAfterSeconds':'x'", -1},
                 {"99999999999", "", -1},
                 {NULL, "'retryAfterSeconds':-4", -1}};
    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
        const struct http_header headers[] = {
            {SLICE_LIT("retry-after"), slice_str(table[i].header)}};
        const struct http_response r = {
            .status = 429,
            .headers = headers,
            .header_count = table[i].header ? 1 : 0,
            .body = slice_str(quoted(status_of("TooManyRequests", "m", table[i].details)))};
        struct cloud_error err = {.retry_after_ms = -1};
        kubernetes_error_decode(arena, &r, NULL, false, &err);
        assert_int_equal(err.retry_after_ms, table[i].ms);
        assert_null(err.request_id);
    }
}

/* What is not a Status says nothing about objects. */
static void test_foreign_answers(void **state)
{
    (void)state;
    struct cloud_error err = decoded(404, "404 page not found\n", false);
    assert_int_equal(err.class_, CLOUD_ERROR_UNSUPPORTED);
    static const struct {
        int status;
        const char *body;
        enum cloud_error_class class_;
    } table[] = {{404, "<html>not here</html>", CLOUD_ERROR_PROTOCOL},
                 {404, "{'error':'x'}", CLOUD_ERROR_PROTOCOL},
                 {404, "", CLOUD_ERROR_PROTOCOL},
                 {409, "[1]", CLOUD_ERROR_PROTOCOL},
                 {302, "", CLOUD_ERROR_PROTOCOL},
                 {403, "{'kind':'Status'", CLOUD_ERROR_PROTOCOL},
                 {403, "{'kind':5}", CLOUD_ERROR_PROTOCOL},
                 {401, "denied", CLOUD_ERROR_PROTOCOL},
                 {429, "slow down", CLOUD_ERROR_THROTTLED},
                 {502, "<html>bad gateway</html>", CLOUD_ERROR_TRANSIENT},
                 {503, "", CLOUD_ERROR_TRANSIENT}};
    for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
        err = decoded(table[i].status, table[i].body, false);
        if (err.class_ != table[i].class_)
            fail_msg("%s is %s", table[i].body, cloud_error_class_name(err.class_));
        assert_null(err.code);
    }
    /* a Status with nothing in it */
    err = decoded(404, "{'kind':'Status'}", false);
    assert_int_equal(err.class_, CLOUD_ERROR_NOT_FOUND);
    err = decoded(500, "{'kind':'Status','details':{'causes':7},'message':[]}", false);
    assert_int_equal(err.class_, CLOUD_ERROR_TRANSIENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_classes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_conflict_names_managers_and_fields, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_invalid_names_fields, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_retry_after, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_foreign_answers, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Google's errors. Sources: AIP-193 and google.rpc (code.proto, error_details.proto); Compute
 * Engine documentation, "Troubleshooting resource availability" and "API error codes"; "Error
 * responses" of the Discovery-based APIs. */
#include "gcp/errors.h"

#include <stdlib.h>
#include <string.h>

#include "cloud/template.h"
#include "value/codec.h"

enum { TEXT_MOST = 8192 };

struct code_class {
    const char *code;
    enum cloud_error_class class_;
};

static const struct code_class codes[] = {
    {"ZONE_RESOURCE_POOL_EXHAUSTED", CLOUD_ERROR_CAPACITY},
    {"ZONE_RESOURCE_POOL_EXHAUSTED_WITH_DETAILS", CLOUD_ERROR_CAPACITY},
    {"resource_availability", CLOUD_ERROR_CAPACITY},
    {"stockout", CLOUD_ERROR_CAPACITY},
    {"STOCKOUT", CLOUD_ERROR_CAPACITY},
    {"GCE_STOCKOUT", CLOUD_ERROR_CAPACITY},
    {"GCE_QUOTA_EXCEEDED", CLOUD_ERROR_QUOTA},
    {"QUOTA_EXCEEDED", CLOUD_ERROR_QUOTA},
    {"quotaExceeded", CLOUD_ERROR_QUOTA},
    {"limitExceeded", CLOUD_ERROR_QUOTA},
    {"CPU_QUOTA_EXCEEDED", CLOUD_ERROR_QUOTA},
    {"rateLimitExceeded", CLOUD_ERROR_THROTTLED},
    {"userRateLimitExceeded", CLOUD_ERROR_THROTTLED},
    {"RATE_LIMIT_EXCEEDED", CLOUD_ERROR_THROTTLED},
    {"RESOURCE_EXHAUSTED", CLOUD_ERROR_THROTTLED},
    {"tooManyRequests", CLOUD_ERROR_THROTTLED},
    {"UNSUPPORTED_OPERATION", CLOUD_ERROR_UNSUPPORTED},
    {"UNIMPLEMENTED", CLOUD_ERROR_UNSUPPORTED},
    {"resourceInUseByAnotherResource", CLOUD_ERROR_DEPENDENCY},
    {"RESOURCE_IN_USE_BY_ANOTHER_RESOURCE", CLOUD_ERROR_DEPENDENCY},
    {"resourceNotReady", CLOUD_ERROR_TRANSIENT},
    {"RESOURCE_NOT_READY", CLOUD_ERROR_TRANSIENT},
    {"RESOURCE_OPERATION_RATE_EXCEEDED", CLOUD_ERROR_THROTTLED},
    {"alreadyExists", CLOUD_ERROR_CONFLICT},
    {"ALREADY_EXISTS", CLOUD_ERROR_CONFLICT},
    {"conflict", CLOUD_ERROR_CONFLICT},
    {"conditionNotMet", CLOUD_ERROR_CONFLICT},
    {"ABORTED", CLOUD_ERROR_CONFLICT},
    {"notFound", CLOUD_ERROR_NOT_FOUND},
    {"NOT_FOUND", CLOUD_ERROR_NOT_FOUND},
    {"RESOURCE_NOT_FOUND", CLOUD_ERROR_NOT_FOUND},
    {"authError", CLOUD_ERROR_CREDENTIALS},
    {"UNAUTHENTICATED", CLOUD_ERROR_CREDENTIALS},
    {"ACCESS_TOKEN_EXPIRED", CLOUD_ERROR_CREDENTIALS},
    {"CREDENTIALS_MISSING", CLOUD_ERROR_CREDENTIALS},
    {"forbidden", CLOUD_ERROR_PERMISSION},
    {"insufficientPermissions", CLOUD_ERROR_PERMISSION},
    {"accessNotConfigured", CLOUD_ERROR_PERMISSION},
    {"SERVICE_DISABLED", CLOUD_ERROR_PERMISSION},
    {"BILLING_DISABLED", CLOUD_ERROR_PERMISSION},
    {"CONSUMER_INVALID", CLOUD_ERROR_PERMISSION},
    {"USER_PROJECT_DENIED", CLOUD_ERROR_PERMISSION},
    {"IAM_PERMISSION_DENIED", CLOUD_ERROR_PERMISSION},
    {"PERMISSION_DENIED", CLOUD_ERROR_PERMISSION},
    {"PERMISSIONS_ERROR", CLOUD_ERROR_PERMISSION},
    {"ACCESS_TOKEN_SCOPE_INSUFFICIENT", CLOUD_ERROR_PERMISSION},
    {"backendError", CLOUD_ERROR_TRANSIENT},
    {"internalError", CLOUD_ERROR_TRANSIENT},
    {"INTERNAL", CLOUD_ERROR_TRANSIENT},
    {"INTERNAL_ERROR", CLOUD_ERROR_TRANSIENT},
    {"UNAVAILABLE", CLOUD_ERROR_TRANSIENT},
    {"DEADLINE_EXCEEDED", CLOUD_ERROR_TRANSIENT},
    {"invalid", CLOUD_ERROR_INVALID},
    {"required", CLOUD_ERROR_INVALID},
    {"badRequest", CLOUD_ERROR_INVALID},
    {"INVALID_ARGUMENT", CLOUD_ERROR_INVALID},
    {"FAILED_PRECONDITION", CLOUD_ERROR_INVALID},
    {"failedPrecondition", CLOUD_ERROR_INVALID},
};

static bool class_of(const char *code, enum cloud_error_class *ret)
{
    for (size_t i = 0; code && i < sizeof(codes) / sizeof(*codes); i++)
        if (strcmp(codes[i].code, code) == 0) {
            *ret = codes[i].class_;
            return true;
        }
    return false;
}

enum cloud_error_class gcp_classify(const char *service, const char *code, int http_status)
{
    enum cloud_error_class found;
    (void)service;
    if (class_of(code, &found))
        return found;
    switch (http_status) {
    case 401:
        return CLOUD_ERROR_CREDENTIALS;
    case 403:
        return CLOUD_ERROR_PERMISSION;
    case 404:
    case 410:
        return CLOUD_ERROR_NOT_FOUND;
    case 409:
    case 412:
        return CLOUD_ERROR_CONFLICT;
    case 408:
        return CLOUD_ERROR_TRANSIENT;
    case 429:
        return CLOUD_ERROR_THROTTLED;
    default:
        return http_status >= 500 ? CLOUD_ERROR_TRANSIENT : CLOUD_ERROR_INVALID;
    }
}

static const char *text(const struct value *v, const char *name)
{
    const char *s = value_cstr(value_get(v, name), NULL);
    return s && *s ? s : NULL;
}

static bool is_type(const struct value *detail, const char *type)
{
    const char *name = text(detail, "@type"), *last = name ? strrchr(name, '.') : NULL;
    return last && strcmp(last + 1, type) == 0;
}

/* ---- what the details add to the message ---- */

static void say_error_info(struct buf *b, const struct value *info)
{
    const struct value *metadata = value_get(info, "metadata");
    const char *reason = text(info, "reason"), *service = text(metadata, "service");
    const char *permission = text(metadata, "permission"), *metric = text(metadata, "quota_metric");
    const char *consumer = text(metadata, "consumer");
    if (reason && strcmp(reason, "SERVICE_DISABLED") == 0 && service)
        buf_printf(b, " Enable it with: gcloud services enable %s%s%s", service,
                   consumer ? " --project " : "",
                   consumer && strncmp(consumer, "projects/", 9) == 0 ? consumer + 9
                   : consumer                                         ? consumer
                                                                      : "");
    if (permission)
        buf_printf(b, " Missing permission: %s.", permission);
    if (metric)
        buf_printf(b, " Quota metric: %s.", metric);
}

static void say_violations(struct buf *b, const struct value *failure)
{
    const struct value *list = value_get(failure, "violations");
    if (!value_count(list))
        list = value_get(failure, "fieldViolations");
    for (size_t i = 0; i < value_count(list); i++) {
        const char *field = text(value_at(list, i), "field"),
                   *subject = text(value_at(list, i), "subject"),
                   *what = text(value_at(list, i), "description");
        const char *where = field ? field : subject;
        if (what)
            buf_printf(b, " %s%s%s.", where ? where : "", where ? ": " : "", what);
    }
}

/* ErrorInfo, QuotaFailure, BadRequest … of `details`. Returns the reason of an ErrorInfo. */
static const char *say_details(struct buf *b, const struct value *details)
{
    const char *reason = NULL;
    for (size_t i = 0; i < value_count(details); i++) {
        const struct value *d = value_at(details, i);
        if (is_type(d, "ErrorInfo")) {
            reason = reason ? reason : text(d, "reason");
            say_error_info(b, d);
        } else if (is_type(d, "QuotaFailure") || is_type(d, "BadRequest") ||
                   is_type(d, "PreconditionFailure")) {
            say_violations(b, d);
        }
    }
    return reason;
}

/* The code is the most specific one; the class is that of the first that is known. */
static void set_code(struct cloud_error *err, const char *const *candidates, size_t count)
{
    err->class_ = gcp_classify(NULL, NULL, err->http_status);
    for (size_t i = count; i > 0; i--) {
        if (candidates[i - 1])
            err->code = candidates[i - 1];
        class_of(candidates[i - 1], &err->class_);
    }
}

static void set_message(struct arena *a, struct cloud_error *err, const struct buf *b)
{
    err->message = b->len ? arena_buf(a, b) : NULL;
    if (!err->message)
        err->message = "the answer has no message";
}

/* ---- answers ---- */

static void decode_json(struct arena *a, const struct value *answer, struct cloud_error *err)
{
    _cleanup_buf_ struct buf b = BUF_INIT(TEXT_MOST);
    const struct value *e = value_get(answer, "error");
    if (value_is_known(e) && e->type->kind == TYPE_STRING) { /* OAuth's shape */
        const char *const oauth[] = {value_cstr(e, NULL)};
        const char *description = text(answer, "error_description");
        buf_printf(&b, "%s", description ? description : value_cstr(e, ""));
        set_code(err, oauth, 1);
        set_message(a, err, &b);
        return;
    }
    const struct value *first = template_select(a, e, "errors.0");
    const char *message = text(e, "message");
    buf_printf(&b, "%s", message ? message : "");
    const char *reason = say_details(&b, value_get(e, "details"));
    const char *const candidates[] = {reason, text(first, "reason"), text(e, "status")};
    set_code(err, candidates, 3);
    set_message(a, err, &b);
}

void gcp_error_decode(struct arena *a, const struct http_response *r, struct cloud_error *err)
{
    const struct value *v = NULL;
    struct diags ignored;
    diags_init(&ignored, a);
    err->http_status = r->status;
    err->retry_after_ms = cloud_error_retry_after_ms(r);
    /* A server that failed may have failed after it was done. */
    err->maybe_processed = r->status >= 500;
    if (r->body.len && value_json_parse(a, r->body, &v, &ignored) == 0) {
        const struct value *in_list = v->type->kind == TYPE_TUPLE ? value_at(v, 0) : v;
        if (value_get(in_list, "error")) {
            decode_json(a, in_list, err);
            return;
        }
    }
    set_code(err, NULL, 0);
    err->message = arena_printf(
        a,
        "the answer has HTTP status %d and is not one of Google's: something between here and "
        "there may have given it",
        r->status);
    if (!err->message)
        err->message = "the answer is not one of Google's";
}

/* ---- operations ---- */

static void say_zones(struct buf *b, const struct value *zones)
{
    struct slice s = value_slice(zones);
    if (s.len)
        buf_printf(b, " zonesAvailable: %.*s", (int)s.len, s.ptr);
}

static void say_error_details(struct buf *b, const struct value *details)
{
    const struct value *zones = NULL;
    for (size_t i = 0; i < value_count(details); i++) {
        const struct value *d = value_at(details, i), *quota = value_get(d, "quotaInfo");
        const struct value *metadatas = value_path(d, "errorInfo.metadatas");
        if (text(quota, "metricName"))
            buf_printf(b, " Quota: %s (%s).",
                       text(quota, "limitName") ? text(quota, "limitName") : "",
                       text(quota, "metricName"));
        zones =
            value_get(metadatas, "zonesAvailable") ? value_get(metadatas, "zonesAvailable") : zones;
    }
    say_zones(b, zones);
}

/* GKE says within the message why machines did not come: "[GCE_STOCKOUT]: Instance …". */
static const char *reason_within(struct arena *a, const char *message)
{
    const char *at = message ? strstr(message, "[GCE_") : NULL;
    size_t len = at ? strcspn(at, "]") : 0;
    return at && at[len] == ']' ? arena_strndup(a, at + 1, len - 1) : NULL;
}

enum { RESOURCE_EXHAUSTED = 8 }; /* of google.rpc.Code */

void gcp_error_of_operation(struct arena *a, const struct value *operation, struct cloud_error *err)
{
    _cleanup_buf_ struct buf b = BUF_INIT(TEXT_MOST);
    const struct value *e = value_get(operation, "error");
    const struct value *first = template_select(a, e, "errors.0");
    int64_t status = 0;
    if (value_to_int(value_get(operation, "httpErrorStatusCode"), &status))
        err->http_status = (int)status;
    if (value_is_known(first)) {
        const char *message = text(first, "message");
        const char *const candidates[] = {text(first, "code")};
        buf_printf(&b, "%s", message ? message : "");
        say_error_details(&b, value_get(first, "errorDetails"));
        set_code(err, candidates, 1);
    } else {
        /* google.rpc.Status: codes as numbers, in the order of google.rpc.Code. */
        static const char *const names[] = {NULL,
                                            "CANCELLED",
                                            "UNKNOWN",
                                            "INVALID_ARGUMENT",
                                            "DEADLINE_EXCEEDED",
                                            "NOT_FOUND",
                                            "ALREADY_EXISTS",
                                            "PERMISSION_DENIED",
                                            "RESOURCE_EXHAUSTED",
                                            "FAILED_PRECONDITION",
                                            "ABORTED",
                                            "OUT_OF_RANGE",
                                            "UNIMPLEMENTED",
                                            "INTERNAL",
                                            "UNAVAILABLE",
                                            "DATA_LOSS",
                                            "UNAUTHENTICATED"};
        int64_t number = 0;
        bool known = value_to_int(value_get(e, "code"), &number) && number > 0 && number < 17;
        const char *message = text(e, "message");
        message = message ? message : text(operation, "statusMessage");
        buf_printf(&b, "%s", message ? message : "");
        const char *reason = say_details(&b, value_get(e, "details"));
        const char *const candidates[] = {reason_within(a, message), reason,
                                          known ? names[number] : NULL};
        set_code(err, candidates, 3);
        /* What has ended is not told to go slower: it has not got what it needs. */
        if (err->class_ == CLOUD_ERROR_THROTTLED && number == RESOURCE_EXHAUSTED)
            err->class_ =
                message && strcasestr(message, "quota") ? CLOUD_ERROR_QUOTA : CLOUD_ERROR_CAPACITY;
    }
    set_message(a, err, &b);
}

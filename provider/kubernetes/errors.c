/* Kubernetes' errors. Sources: "API Conventions", "Response Status Kind" and "HTTP Status codes";
 * StatusReason and CauseType of meta/v1; "Server-Side Apply", "Conflicts"; "Resource Quotas";
 * "Using RBAC Authorization". */
#include "kubernetes/errors.h"

#include <string.h>

#include "value/codec.h"

enum { TEXT_MOST = 8192, CAUSES_MOST = 32, RETRY_AFTER_MOST_S = 1000000 };

static const char CONFLICT_PREFIX[] = "conflict with ";

static const struct {
    const char *code;
    enum cloud_error_class class_;
} codes[] = {
    {"Unauthorized", CLOUD_ERROR_CREDENTIALS},
    {"Forbidden", CLOUD_ERROR_PERMISSION},
    {"NotFound", CLOUD_ERROR_NOT_FOUND},
    {"AlreadyExists", CLOUD_ERROR_CONFLICT},
    {"Conflict", CLOUD_ERROR_CONFLICT},
    {"FieldManagerConflict", CLOUD_ERROR_CONFLICT},
    {"NamespaceTerminating", CLOUD_ERROR_DEPENDENCY},
    {"Invalid", CLOUD_ERROR_INVALID},
    {"BadRequest", CLOUD_ERROR_INVALID},
    {"MethodNotAllowed", CLOUD_ERROR_INVALID},
    {"NotAcceptable", CLOUD_ERROR_INVALID},
    {"RequestEntityTooLarge", CLOUD_ERROR_INVALID},
    {"UnsupportedMediaType", CLOUD_ERROR_UNSUPPORTED},
    {"Gone", CLOUD_ERROR_OTHER}, /* of a version or a page, not of the object */
    {"Expired", CLOUD_ERROR_OTHER},
    {"StorageReadError", CLOUD_ERROR_OTHER},
    {"TooManyRequests", CLOUD_ERROR_THROTTLED},
    {"ServerTimeout", CLOUD_ERROR_TRANSIENT},
    {"Timeout", CLOUD_ERROR_TRANSIENT},
    {"InternalError", CLOUD_ERROR_TRANSIENT},
    {"ServiceUnavailable", CLOUD_ERROR_TRANSIENT},
};

/* One reason stands for several kinds of refusal: the words tell them apart. What admission refuses
 * is no matter of the identity's permissions. An applied object that does not fit its schema is
 * status 500 without a reason (the code is NULL), and will not fit it the next time either. */
static const struct {
    const char *code, *part;
    enum cloud_error_class class_;
} words[] = {
    {"Forbidden", "exceeded quota:", CLOUD_ERROR_QUOTA},
    {"Forbidden", "failed quota:", CLOUD_ERROR_INVALID}, /* the quota wants a limit to be named */
    {"Forbidden", " usage per ", CLOUD_ERROR_INVALID},   /* a LimitRange */
    {"Forbidden", "violates PodSecurity", CLOUD_ERROR_INVALID},
    {"Forbidden", "admission webhook", CLOUD_ERROR_INVALID},
    {"Forbidden", "error looking up service account", CLOUD_ERROR_TRANSIENT}, /* just made */
    {NULL, "failed to create typed patch object", CLOUD_ERROR_INVALID},
    {NULL, "failed to convert new object", CLOUD_ERROR_INVALID},
};

enum cloud_error_class kubernetes_classify(const char *service, const char *code, int http_status)
{
    (void)service;
    for (size_t i = 0; code && i < sizeof(codes) / sizeof(*codes); i++)
        if (strcmp(codes[i].code, code) == 0)
            return codes[i].class_;
    switch (http_status) {
    case 401:
        return CLOUD_ERROR_CREDENTIALS;
    case 403:
        return CLOUD_ERROR_PERMISSION;
    case 404:
        return CLOUD_ERROR_NOT_FOUND;
    case 408:
        return CLOUD_ERROR_TRANSIENT;
    case 409:
        return CLOUD_ERROR_CONFLICT;
    case 410:
        return CLOUD_ERROR_OTHER;
    case 415:
        return CLOUD_ERROR_UNSUPPORTED;
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

static bool says(const struct cloud_error *err, const char *part)
{
    return err->message && strstr(err->message, part);
}

/* ---- causes ---- */

static size_t cause_count(const struct value *causes)
{
    size_t count = value_count(causes);
    return count < CAUSES_MOST ? count : CAUSES_MOST;
}

static bool has_cause(const struct value *causes, const char *reason)
{
    for (size_t i = 0; i < value_count(causes); i++) {
        const char *of = text(value_at(causes, i), "reason");
        if (of && strcmp(of, reason) == 0)
            return true;
    }
    return false;
}

/* Who has the field of a cause: what its message says after "conflict with ". */
static const char *manager_of(const struct value *cause)
{
    const char *message = text(cause, "message");
    bool known = message && strncmp(message, CONFLICT_PREFIX, sizeof(CONFLICT_PREFIX) - 1) == 0;
    return known ? message + sizeof(CONFLICT_PREFIX) - 1 : "another manager";
}

/* The fields of one manager, unless a cause before this one has said them. */
static void say_manager(struct buf *b, const struct value *causes, size_t at)
{
    const char *manager = manager_of(value_at(causes, at)), *separator = "";
    for (size_t i = 0; i < at; i++)
        if (strcmp(manager_of(value_at(causes, i)), manager) == 0)
            return;
    buf_printf(b, "%s%s has ", at ? "; " : "", manager);
    for (size_t i = at; i < cause_count(causes); i++) {
        const char *field = text(value_at(causes, i), "field");
        if (field && strcmp(manager_of(value_at(causes, i)), manager) == 0) {
            buf_printf(b, "%s%s", separator, field);
            separator = ", ";
        }
    }
}

static void say_conflict(struct buf *b, const char *object, const struct value *causes)
{
    buf_printf(b, "another field manager has set fields of %s to other values: ",
               object ? object : "the object");
    for (size_t i = 0; i < cause_count(causes); i++)
        say_manager(b, causes, i);
    buf_append_str(b, ". Nothing was changed.\n\nHave that manager give the fields up, take them "
                      "out of the configuration, or set them there to the values that they have "
                      "now. They are never taken away by force.");
}

/* Fields that the message does not name yet. */
static void say_fields(struct buf *b, const struct value *causes)
{
    for (size_t i = 0; i < cause_count(causes); i++) {
        const char *field = text(value_at(causes, i), "field"),
                   *what = text(value_at(causes, i), "message");
        if (field && !strstr(buf_cstr(b), field))
            buf_printf(b, " %s: %s.", field, what ? what : "not valid");
    }
}

/* ---- answers ---- */

/* The header's, or else the Status' own. */
static int64_t retry_after_ms(const struct http_response *r, const struct value *status)
{
    int64_t ms = cloud_error_retry_after_ms(r), seconds = 0;
    if (!http_header_get(r, "retry-after").len) {
        seconds = value_int_or(value_path(status, "details.retryAfterSeconds"), 0);
        ms = seconds > 0 && seconds <= RETRY_AFTER_MOST_S ? seconds * 1000 : -1;
    }
    return ms > 0 && ms <= RETRY_AFTER_MOST_S * 1000 ? ms : -1;
}

static void class_by_words(struct cloud_error *err)
{
    for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
        const char *code = words[i].code;
        bool same = code ? err->code && strcmp(err->code, code) == 0 : !err->code;
        if (same && says(err, words[i].part)) {
            err->class_ = words[i].class_;
            err->maybe_processed = false;
            return;
        }
    }
}

static void decode_status(struct arena *a, const struct value *status, const char *object,
                          bool conditional, struct cloud_error *err)
{
    _cleanup_buf_ struct buf b = BUF_INIT(TEXT_MOST);
    const struct value *causes = value_path(status, "details.causes");
    const char *message = text(status, "message");
    err->code = text(status, "reason");
    if (has_cause(causes, "FieldManagerConflict")) {
        err->code = "FieldManagerConflict";
        err->advised = true;
        say_conflict(&b, object, causes);
    } else {
        if (has_cause(causes, "NamespaceTerminating"))
            err->code = "NamespaceTerminating";
        buf_append_str(&b, message ? message : "");
        say_fields(&b, causes);
    }
    err->message = b.len ? arena_buf(a, &b) : NULL;
    if (!err->message)
        err->message = message ? message : "the answer has no message";
    err->class_ = kubernetes_classify(NULL, err->code, err->http_status);
    class_by_words(err);
    /* Optimistic locking lost a race that the request did not ask for: "Concurrency Control and
     * Consistency" of the conventions says to try again. */
    if (!conditional && err->code && strcmp(err->code, "Conflict") == 0 &&
        says(err, "object has been modified"))
        err->class_ = CLOUD_ERROR_TRANSIENT;
}

/* Also an API that the cluster has not: its server says so in plain text. */
static void decode_foreign(struct arena *a, const struct http_response *r, struct cloud_error *err)
{
    err->class_ = kubernetes_classify(NULL, NULL, r->status);
    if (r->status == 404 && slice_has_prefix(r->body, "404 page not found")) {
        err->class_ = CLOUD_ERROR_UNSUPPORTED;
        err->message = "the cluster has no such API: its version is too old or too new for it, or "
                       "an extension is missing";
        return;
    }
    if (err->class_ != CLOUD_ERROR_TRANSIENT && err->class_ != CLOUD_ERROR_THROTTLED)
        err->class_ = CLOUD_ERROR_PROTOCOL;
    err->message = arena_printf(a,
                                "the answer has HTTP status %d and is not one of Kubernetes': "
                                "something between here and the cluster may have given it",
                                r->status);
    if (!err->message)
        err->message = "the answer is not one of Kubernetes'";
}

void kubernetes_error_decode(struct arena *a, const struct http_response *r, const char *object,
                             bool conditional, struct cloud_error *err)
{
    const struct value *v = NULL;
    struct diags ignored;
    struct slice id = http_header_get(r, "audit-id");
    diags_init(&ignored, a);
    bool parsed = r->body.len && value_json_parse(a, r->body, &v, &ignored) == 0;
    const char *kind = parsed ? text(v, "kind") : NULL;
    bool is_status = kind && strcmp(kind, "Status") == 0;
    err->http_status = r->status;
    err->request_id = id.len ? arena_strndup(a, id.ptr, id.len) : NULL;
    err->retry_after_ms = retry_after_ms(r, is_status ? v : NULL);
    /* A server that failed may have failed after it was done. */
    err->maybe_processed = r->status >= 500;
    if (is_status)
        decode_status(a, v, object, conditional, err);
    else
        decode_foreign(a, r, err);
    if (arena_failed(a)) {
        err->class_ = CLOUD_ERROR_NO_MEMORY;
        err->message = "memory ran out";
    }
}

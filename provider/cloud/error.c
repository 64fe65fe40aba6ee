/* Cloud errors as diagnostics. */
#include "cloud/error.h"

#include <string.h>

const char *cloud_error_class_name(enum cloud_error_class c)
{
    static const char *const names[] = {
        "none",        "capacity",   "quota",     "unsupported",   "throttled",  "transient",
        "credentials", "permission", "not found", "conflict",      "dependency", "invalid",
        "protocol",    "cancelled",  "deadline",  "out of memory", "other"};
    return (size_t)c < sizeof(names) / sizeof(*names) ? names[c] : "other";
}

/* What the user can do about it. */
static const char *advice(const struct cloud_error *err)
{
    switch (err->class_) {
    case CLOUD_ERROR_CAPACITY:
        return "The cloud has no such machine free there now. Allow more zones or machine types, "
               "or try "
               "again later.";
    case CLOUD_ERROR_QUOTA:
        return "Ask the cloud for a higher quota, or free what uses it.";
    case CLOUD_ERROR_UNSUPPORTED:
        return "Choose another zone or machine type.";
    case CLOUD_ERROR_THROTTLED:
        return "The cloud asked to slow down until the retries were used up. Run it again.";
    case CLOUD_ERROR_TRANSIENT:
        if (err->maybe_processed && !err->http_status)
            return "No answer came, but the cloud may have done it. Run it again: what exists is "
                   "looked for first.";
        return "The cloud did not answer properly until the retries were used up. Run it again.";
    case CLOUD_ERROR_CREDENTIALS:
        return "Check the credentials: whether they exist, are valid, and have not expired.";
    case CLOUD_ERROR_PERMISSION:
        return "Grant the identity that runs this the permission that is named; the guide "
               "\"Permissions\" lists all that are needed.";
    case CLOUD_ERROR_DEPENDENCY:
        return "Another object still uses it. Remove that object, and run it again.";
    case CLOUD_ERROR_PROTOCOL:
        return "Something other than the cloud's API answered: check endpoint and proxy settings.";
    case CLOUD_ERROR_CANCELLED:
        return "What was made until then is in the state. Run it again to go on.";
    case CLOUD_ERROR_DEADLINE:
        return "What was made until then is in the state. Run it again to go on, or raise the "
               "resource's "
               "timeouts.";
    default:
        return "";
    }
}

bool cloud_error_is_unanswered(const struct cloud_error *err)
{
    return err->class_ == CLOUD_ERROR_TRANSIENT && err->http_status == 0;
}

void cloud_error_of_transport(struct arena *a, const char *url, const struct http_response *r,
                              struct cloud_error *err)
{
    static const struct {
        enum http_failure failure;
        enum cloud_error_class class_;
        bool maybe_processed;
    } table[] = {
        {HTTP_RESOLVE, CLOUD_ERROR_TRANSIENT, false},
        {HTTP_CONNECT, CLOUD_ERROR_TRANSIENT, false},
        {HTTP_TLS, CLOUD_ERROR_OTHER, false},
        {HTTP_TIMEOUT, CLOUD_ERROR_TRANSIENT, true},
        {HTTP_RESET, CLOUD_ERROR_TRANSIENT, true},
        {HTTP_TOO_LARGE, CLOUD_ERROR_PROTOCOL, true},
        {HTTP_CANCELLED, CLOUD_ERROR_CANCELLED, true},
        {HTTP_DEADLINE, CLOUD_ERROR_DEADLINE, true},
        {HTTP_NO_MEMORY, CLOUD_ERROR_NO_MEMORY, true},
        {HTTP_BAD_REQUEST, CLOUD_ERROR_INVALID, false},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
        if (table[i].failure == r->failure) {
            err->class_ = table[i].class_;
            err->maybe_processed = table[i].maybe_processed;
        }
    }
    err->code = NULL;
    struct slice shown = http_redact_url(a, url);
    size_t len = shown.len ? strcspn(shown.ptr, "?") : 0;
    err->message = arena_printf(a, "%.*s: %s", (int)len, shown.ptr ? shown.ptr : "",
                                r->failure_text ? r->failure_text : "no answer");
    if (!err->message)
        err->message = "no answer";
}

/* "Code" or "Code:part of the message". */
static bool is_entry(const char *entry, const struct cloud_error *err)
{
    const char *colon = strchr(entry, ':');
    size_t n = colon ? (size_t)(colon - entry) : strlen(entry);
    return err->code && strlen(err->code) == n && strncmp(entry, err->code, n) == 0 &&
           (!colon || strstr(err->message, colon + 1));
}

bool cloud_error_in(const char *const *list, size_t count, const struct cloud_error *err)
{
    for (size_t i = 0; i < count; i++)
        if (is_entry(list[i], err))
            return true;
    return false;
}

int64_t cloud_error_retry_after_ms(const struct http_response *r)
{
    struct slice s = http_header_get(r, "retry-after");
    int64_t seconds = 0;
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] < '0' || s.ptr[i] > '9' || seconds > 100000)
            return -1;
        seconds = seconds * 10 + (s.ptr[i] - '0');
    }
    return s.len ? seconds * 1000 : -1;
}

int cloud_error_report(struct diags *diags, const struct path *path, const char *doing,
                       const struct cloud_error *err)
{
    struct arena *a = diags->arena;
    const char *call = err->operation ? arena_printf(a, "%s.%s: ", err->service ? err->service : "",
                                                     err->operation)
                                      : "";
    const char *code = err->code ? arena_printf(a, "%s: ", err->code) : "";
    const char *id = err->request_id ? arena_printf(a, " (request id %s)", err->request_id) : "";
    const char *what = err->advised ? "" : advice(err);
    return diags_error(diags, path, arena_printf(a, "Error %s", doing) ?: "Cloud error",
                       "%s%s%s%s%s%s", call ? call : "", code ? code : "",
                       err->message ? err->message : "no message", id ? id : "",
                       *what ? "\n\n" : "", what);
}

/* Long-running operations. Compute Engine: zoneOperations.wait and its kin, which answer when the
 * operation is done or after two minutes (API reference, v1). GKE: projects.locations.operations,
 * polled. Others: google.longrunning, polled.
 */
#include <string.h>

#include "base/log.h"
#include "gcp/call.h"
#include "gcp/errors.h"

enum { PAUSE_MS = 500, PAUSE_MOST_MS = 10000 };

static const char *text(const struct value *v, const char *name)
{
    return value_cstr(value_get(v, name), "");
}

bool gcp_is_operation(const struct gcp_service *s, const struct value *answer)
{
    const char *name = text(answer, "name");
    switch (s->operations) {
    case GCP_OPERATIONS_COMPUTE:
        return strcmp(text(answer, "kind"), "compute#operation") == 0;
    case GCP_OPERATIONS_LONGRUNNING:
        return strncmp(name, "operations/", 11) == 0 ||
               (strstr(name, "/operations/") &&
                (value_get(answer, "done") || value_get(answer, "metadata")));
    case GCP_OPERATIONS_CONTAINER:
        return value_get(answer, "operationType") &&
               strstr(text(answer, "selfLink"), "/operations/");
    case GCP_OPERATIONS_NONE:
        break;
    }
    return false;
}

struct waiting {
    struct cloud_client *client;
    const struct work *w;
    struct arena *a;
    const struct gcp_service *s;
    const struct cloud_operation *op;
    struct cloud_error *err;
    struct gcp_exchange look;
};

static bool is_done(const struct waiting *o, const struct value *v)
{
    return o->s->operations == GCP_OPERATIONS_LONGRUNNING ? value_true(value_get(v, "done"))
                                                          : strcmp(text(v, "status"), "DONE") == 0;
}

/* What follows the last slash of a link. */
static const char *last(const char *link)
{
    const char *slash = strrchr(link, '/');
    return slash ? slash + 1 : link;
}

/* The method that tells how it is: by the names in the operation, at the endpoint that is ours. */
static int prepare(struct waiting *o, const struct value *v)
{
    const char *name = text(v, "name");
    const char *base = gcp_endpoint(&o->client->config, o->a, o->s->id, name);
    const char *zone = text(v, "zone"), *region = text(v, "region");
    const char *link = text(v, "selfLink"), *projects = strstr(link, "/projects/"), *url = NULL;
    size_t len = projects ? strcspn(projects + 10, "/") : 0;
    o->look = (struct gcp_exchange){.op = o->op, .method = "GET", .safe = true};
    if (o->s->operations == GCP_OPERATIONS_CONTAINER) {
        const char *place = *text(v, "location") ? text(v, "location") : zone;
        if (base && len && *place)
            url = arena_printf(o->a, "%s/v1/projects/%.*s/locations/%s/operations/%s", base,
                               (int)len, projects + 10, place, name);
    } else if (o->s->operations == GCP_OPERATIONS_COMPUTE) {
        const char *place = *zone     ? arena_printf(o->a, "zones/%s", last(zone))
                            : *region ? arena_printf(o->a, "regions/%s", last(region))
                                      : "global";
        if (base && place && len)
            url = arena_printf(o->a, "%s/compute/v1/projects/%.*s/%s/operations/%s/wait", base,
                               (int)len, projects + 10, place, name);
        o->look.method = "POST";
        o->look.patient = true;
    } else if (base && o->op->uri) {
        /* "/v1/projects/…" or "/v2/…": operations are of the same version. */
        size_t version = 1 + strcspn(o->op->uri + 1, "/");
        url = arena_printf(o->a, "%s%.*s/%s", base, (int)version, o->op->uri, name);
    }
    o->look.url = url;
    if (url)
        return 0;
    o->err->class_ = CLOUD_ERROR_PROTOCOL;
    o->err->message = "the operation that was answered cannot be followed";
    return -1;
}

static int not_in_time(struct waiting *o, const struct value *v)
{
    bool cancelled = cancel_is_set(o->w->cancel);
    const char *status = text(v, "status");
    memset(o->err, 0, sizeof(*o->err));
    o->err->service = o->op->service;
    o->err->operation = o->op->name;
    o->err->retry_after_ms = -1;
    o->err->maybe_processed = true;
    o->err->class_ = cancelled ? CLOUD_ERROR_CANCELLED : CLOUD_ERROR_DEADLINE;
    o->err->message = arena_printf(
        o->a, "%s while the operation %s was waited for (status: %s). It goes on in the cloud.",
        cancelled ? "it was cancelled" : "the time was up", text(v, "name"),
        *status ? status : "running");
    if (!o->err->message)
        o->err->message = "the operation did not end in time";
    return -1;
}

int gcp_operation_wait(struct cloud_client *client, const struct work *w, struct arena *a,
                       const struct gcp_service *s, const struct cloud_operation *op,
                       const struct value *operation, const struct value **ret,
                       struct cloud_error *err)
{
    struct waiting o = {client, w, a, s, op, err, {.op = op}};
    int64_t pause = PAUSE_MS;
    if (!is_done(&o, operation) && prepare(&o, operation) < 0)
        return -1;
    while (!is_done(&o, operation)) {
        const struct value *now = NULL;
        if (work_left_ms(w) <= 0 || cancel_is_hard(w->cancel))
            return not_in_time(&o, operation);
        if (gcp_send(client, w, a, &o.look, &now, err) < 0) {
            bool over = err->class_ == CLOUD_ERROR_DEADLINE || err->class_ == CLOUD_ERROR_CANCELLED;
            return over ? not_in_time(&o, operation) : -1;
        }
        operation = now;
        if (is_done(&o, operation))
            break;
        log_at(LOG_TRACE, "Waiting for an operation", LOG_STR("name", text(operation, "name")));
        if (pause >= work_left_ms(w) || w->clock->sleep_ms(w->clock->self, pause, NULL) < 0)
            return not_in_time(&o, operation);
        pause = pause * 3 / 2 < PAUSE_MOST_MS ? pause * 3 / 2 : PAUSE_MOST_MS;
    }
    /* GKE's older operations say what went wrong in their status message alone. */
    bool failed = value_is_known(value_get(operation, "error")) ||
                  (s->operations == GCP_OPERATIONS_CONTAINER && *text(operation, "statusMessage"));
    if (failed) {
        memset(err, 0, sizeof(*err));
        err->service = op->service;
        err->operation = op->name;
        err->retry_after_ms = -1;
        gcp_error_of_operation(a, operation, err);
        return -1;
    }
    const struct value *response = value_get(operation, "response");
    *ret = s->operations == GCP_OPERATIONS_LONGRUNNING && value_is_known(response) ? response
                                                                                   : operation;
    return 0;
}

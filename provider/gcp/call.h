/* One call of a GCP API, with its retries and its long-running operation. Private to the room. */
#ifndef LLM_GCP_CALL_H
#define LLM_GCP_CALL_H

#include "cloud/driver.h"
#include "gcp/client.h"
#include "gcp/service.h"

/* As cloud/driver.h has it. An operation that the answer stands for is waited for, until it ends or
 * the work's deadline passes; its error is the call's. */
int gcp_call(struct cloud_client *client, const struct work *w, struct arena *a,
             const struct cloud_operation *op, const struct value *request,
             const struct value **ret, struct cloud_error *err);

/* One request with its retries, without waiting for what it started. `url` is whole; `body` may be
 * empty. `patient`: the server may take minutes (a wait method). */
struct gcp_exchange {
    const struct cloud_operation *op; /* for the log, and errors */
    const char *method, *url;
    struct slice body;
    bool safe; /* may be repeated though it may have been processed */
    bool patient;
};
int gcp_send(struct cloud_client *client, const struct work *w, struct arena *a,
             const struct gcp_exchange *x, const struct value **ret, struct cloud_error *err);

/* ---- operation.c ---- */

/* Whether an answer of the service stands for an operation. */
bool gcp_is_operation(const struct gcp_service *s, const struct value *answer);

/* Waits for it. 0 with *ret its last form (Compute Engine) or its response (longrunning), or -1
 * with *err. */
int gcp_operation_wait(struct cloud_client *client, const struct work *w, struct arena *a,
                       const struct gcp_service *s, const struct cloud_operation *op,
                       const struct value *operation, const struct value **ret,
                       struct cloud_error *err);

#endif

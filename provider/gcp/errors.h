/* Google's errors: codes and what they mean for us, and the bodies that carry them. */
#ifndef LLM_GCP_ERRORS_H
#define LLM_GCP_ERRORS_H

#include "cloud/error.h"
#include "http/http.h"

/* The class of a reason or status ("quotaExceeded", "PERMISSION_DENIED"); NULL or unknown ones are
 * classed by the HTTP status. */
enum cloud_error_class gcp_classify(const char *service, const char *code, int http_status);

/* Decodes an answer with a status of failure (AIP-193, and Compute Engine's older shape) into code,
 * message and class. The code is the most specific reason that the answer has. Texts are owned by
 * `a`. */
void gcp_error_decode(struct arena *a, const struct http_response *response,
                      struct cloud_error *err);

/* The same for an operation that ended with an error: Compute Engine's `error.errors`, or a
 * google.rpc.Status. Zones that a stock-out names are at the end of the message, after
 * "zonesAvailable: ". */
void gcp_error_of_operation(struct arena *a, const struct value *operation,
                            struct cloud_error *err);

#endif

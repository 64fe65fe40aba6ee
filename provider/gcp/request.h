/* A request value becomes URL and body: a REST method's URI template and JSON. Private to the
 * room. */
#ifndef LLM_GCP_REQUEST_H
#define LLM_GCP_REQUEST_H

#include "cloud/driver.h"

struct gcp_wire_request {
    const char *path;  /* encoded, with its query */
    struct slice body; /* empty: none */
};

/* Fills the operation's URI: {name} of the path percent-encoded, {+name} with its slashes, {?a,b}
 * for the query (members that are null or absent are left out; lists repeat the name). The other
 * members are the JSON body of a POST, PUT or PATCH, null ones left out at any depth. Owned by `a`.
 * 0, or -1 with *ret_why. */
int gcp_request_encode(struct arena *a, const struct cloud_operation *op,
                       const struct value *request, struct gcp_wire_request *ret,
                       const char **ret_why);

#endif

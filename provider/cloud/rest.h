/* A request value becomes URL and body: a REST method's URI template and JSON, as the APIs of
 * Google Cloud and Kubernetes have them. */
#ifndef LLM_CLOUD_REST_H
#define LLM_CLOUD_REST_H

#include "cloud/driver.h"

struct rest_request {
    const char *path;  /* encoded, with its query */
    struct slice body; /* empty: none */
};

/* Fills the operation's URI: {name} of the path percent-encoded, {+name} with its slashes, {?a,b}
 * for the query (members that are null or absent are left out; lists repeat the name). The other
 * members are the JSON body of a POST, PUT or PATCH, null ones left out at any depth; a GET and a
 * DELETE have none. Owned by `a`. 0, or -1 with *ret_why. */
int rest_encode(struct arena *a, const struct cloud_operation *op, const struct value *request,
                struct rest_request *ret, const char **ret_why);

/* The same for any method, with the members that the URI does not name as an object value in
 * *ret_rest (empty when there are none) in place of the JSON, and an empty body. */
int rest_encode_uri(struct arena *a, const struct cloud_operation *op, const struct value *request,
                    struct rest_request *ret, const struct value **ret_rest, const char **ret_why);

#endif

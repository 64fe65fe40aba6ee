/* One call of a cluster's API, with its retries. Private to the room. */
#ifndef LLM_KUBERNETES_CALL_H
#define LLM_KUBERNETES_CALL_H

#include "kubernetes/client.h"

/* A request as it is sent. */
struct kubernetes_request {
    const char *method, *url;
    const char *content_type; /* NULL: no body */
    struct slice body;
    bool safe;          /* may be repeated though it may have been processed */
    bool conditional;   /* names a version or a uid of the object */
    const char *object; /* what is written, in words; NULL: nothing that has a kind */
};

/* Method, URL, query and body as driver.h has them. Owned by `a`. 0, or -1 with *ret_why. */
int kubernetes_request_encode(const struct cloud_client *c, struct arena *a,
                              const struct cloud_operation *op, const struct value *request,
                              struct kubernetes_request *ret, const char **ret_why);

/* As cloud/driver.h has it. A token that is refused is replaced once. */
int kubernetes_call(struct cloud_client *c, const struct work *w, struct arena *a,
                    const struct cloud_operation *op, const struct value *request,
                    const struct value **ret, struct cloud_error *err);

#endif

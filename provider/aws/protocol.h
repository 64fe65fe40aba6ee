/* The protocols of AWS services: a request value becomes method, path, headers and body; an answer
 * becomes a value or an error. */
#ifndef LLM_AWS_PROTOCOL_H
#define LLM_AWS_PROTOCOL_H

#include "aws/service.h"
#include "cloud/driver.h"

struct aws_wire_request {
    const char *method;
    const char *path;  /* encoded, starts with '/' */
    const char *query; /* encoded, without '?'; "" for none */
    struct http_header headers[4];
    size_t header_count;
    struct slice body;
};

/* Encodes for the service's protocol; owned by `a`. 0, or -1 with *ret_why: a member that the
 * protocol cannot carry, or an unknown value. */
int aws_protocol_encode(struct arena *a, const struct aws_service *s,
                        const struct cloud_operation *op, const struct value *request,
                        struct aws_wire_request *ret, const char **ret_why);

/* Decodes an answer with a status of success. 0, or -1 with *err (CLOUD_ERROR_PROTOCOL). */
int aws_protocol_decode(struct arena *a, const struct aws_service *s,
                        const struct cloud_operation *op, const struct http_response *response,
                        const struct value **ret, struct cloud_error *err);

/* Decodes an answer with a status of failure into code, message and request id, and classes it. */
void aws_protocol_error(struct arena *a, const struct aws_service *s,
                        const struct http_response *response, struct cloud_error *err);

#endif

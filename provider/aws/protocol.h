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
    struct http_header headers[8];
    size_t header_count;
    struct slice body;
};

/* Encodes for the service's protocol; owned by `a`, but may refer to `request`. Members have their
 * names on the wire. In the REST protocols the operation's URI names those of path and query; names
 * of headers ("x-amz-acl", "Content-MD5") are headers; the others are the JSON body, or, for
 * REST-XML, the one other is the document and its name the root element ("Tagging": {"TagSet":
 * {"Tag": [{"Key": …}]}}), or the body itself when it is a text. 0, or -1 with *ret_why: a member
 * that the protocol cannot carry, or an unknown value. */
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

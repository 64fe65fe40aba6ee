/* The AWS services that components use: protocol, version, endpoint and signing names. */
#ifndef LLM_AWS_SERVICE_H
#define LLM_AWS_SERVICE_H

#include <stdbool.h>

enum aws_protocol {
    AWS_PROTOCOL_EC2,   /* form with numbered lists, XML answers */
    AWS_PROTOCOL_QUERY, /* form with ".member.N" lists, XML answers */
    AWS_PROTOCOL_JSON,  /* one path, X-Amz-Target */
    AWS_PROTOCOL_REST_JSON,
    AWS_PROTOCOL_REST_XML,
};

struct aws_service {
    const char *id; /* as components and the `endpoints` block name it */
    enum aws_protocol protocol;
    const char *version; /* ec2, query: the API version; json: "1.0" or "1.1" */
    const char *target;  /* json: prefix of X-Amz-Target */
    const char *prefix;  /* of the host name */
    const char *signing_name;
    const char *env_name;    /* in AWS_ENDPOINT_URL_<env_name> */
    const char *config_name; /* in the shared config's "services" section */
    bool global;             /* one endpoint per partition */
    const char *xmlns;       /* rest-xml: of request documents; NULL: none */
    const char *actions;     /* IAM's prefix of its actions ("cloudwatch"); NULL: they are not named
                                like the calls */
};

/* NULL when there is none. */
const struct aws_service *aws_service_find(const char *id);

#endif

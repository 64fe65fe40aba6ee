/* Errors of cloud APIs, in classes that decide what happens next. */
#ifndef LLM_CLOUD_ERROR_H
#define LLM_CLOUD_ERROR_H

#include "base/diag.h"
#include "http/http.h"
#include "value/value.h"

enum cloud_error_class {
    CLOUD_ERROR_NONE,
    CLOUD_ERROR_CAPACITY,    /* the zone has none of these machines now: try another place */
    CLOUD_ERROR_QUOTA,       /* the account may not have more: try another family, or ask */
    CLOUD_ERROR_UNSUPPORTED, /* this machine is not offered in this zone */
    CLOUD_ERROR_THROTTLED,   /* slower, please: retried */
    CLOUD_ERROR_TRANSIENT,   /* 5xx, broken connections: retried */
    CLOUD_ERROR_CREDENTIALS, /* none, expired, or not valid */
    CLOUD_ERROR_PERMISSION,  /* valid, but may not do this */
    CLOUD_ERROR_NOT_FOUND,
    CLOUD_ERROR_CONFLICT,   /* exists already, or is being changed by somebody else */
    CLOUD_ERROR_DEPENDENCY, /* still used by another object: delete waits */
    CLOUD_ERROR_INVALID,    /* the request is wrong */
    CLOUD_ERROR_PROTOCOL,   /* the answer makes no sense */
    CLOUD_ERROR_CANCELLED,
    CLOUD_ERROR_DEADLINE,
    CLOUD_ERROR_NO_MEMORY,
    CLOUD_ERROR_OTHER,
};

/* All texts are owned by the arena given to the call. */
struct cloud_error {
    enum cloud_error_class class_;
    const char *service, *operation; /* "ec2", "RunInstances" */
    const char *code;                /* the cloud's own; NULL below HTTP */
    const char *message;             /* never NULL when class_ is set */
    const char *request_id;          /* NULL when there is none */
    int http_status;                 /* 0 below HTTP */
    bool maybe_processed;            /* the cloud may have done it: look before doing it again */
    bool advised;           /* the message says what to do: the class's advice is not added */
    int64_t retry_after_ms; /* -1: the answer named none */
    int attempts;
};

/* "capacity", "quota" … */
const char *cloud_error_class_name(enum cloud_error_class c);

/* Whether who was asked gave no answer at all, in all the tries: it may be out of reach. */
bool cloud_error_is_unanswered(const struct cloud_error *err);

/* Whether a list of "Code" and "Code:part of the message" has the error. */
bool cloud_error_in(const char *const *list, size_t count, const struct cloud_error *err);

/* Class and message of an exchange that gave no answer; `url` names who was asked (without its
 * query), and is in the message. The text is owned by `a`. */
void cloud_error_of_transport(struct arena *a, const char *url, const struct http_response *r,
                              struct cloud_error *err);

/* Milliseconds that the answer asks to wait, in whole seconds of its Retry-After header; -1: there
 * is none, or it is no such number (RFC 9110, 10.2.3, has dates too). */
int64_t cloud_error_retry_after_ms(const struct http_response *r);

/* Appends the error: "creating VPC: ec2.CreateVpc: VpcLimitExceeded: … (request id …)" with advice
 * for its class. `doing` is a phrase like "creating the VPC of llm_gpu_node \"x\"". Returns -1. */
int cloud_error_report(struct diags *diags, const struct path *path, const char *doing,
                       const struct cloud_error *err);

#endif

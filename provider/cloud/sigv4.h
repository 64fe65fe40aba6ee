/* AWS Signature Version 4 (IAM User Guide, "Create a signed AWS API request"), in three stages,
 * each of which can be tested: the canonical request, the string to sign, the signature. */
#ifndef LLM_CLOUD_SIGV4_H
#define LLM_CLOUD_SIGV4_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/slice.h"
#include "http/http.h"

struct sigv4_input {
    const char *method;
    struct slice path;                 /* as it is sent, percent-encoded; "" is "/" */
    struct slice query;                /* as it is sent, without '?', percent-encoded */
    const struct http_header *headers; /* those to sign: host, content-type, x-amz-* … */
    size_t header_count;
    struct slice body;
    const char *payload_hash; /* NULL: of the body; or "UNSIGNED-PAYLOAD" */
    bool single_encoding; /* S3: the path is taken as it is, neither encoded again nor normalised */
    const char *region, *service;
    struct slice access_key, secret_key, session_token; /* token empty: none */
    int64_t unix_s;                                     /* time of the signature */
};

struct sigv4 {
    struct arena *arena;
    const struct sigv4_input *in;
    char date[20];            /* 20150830T123600Z */
    const char *payload_hash; /* hex */
    const char *signed_headers;
    const char *scope;
    /* Headers to add to the request, besides those given: x-amz-date, x-amz-security-token,
     * x-amz-content-sha256 (S3), authorization. */
    struct http_header added[4];
    size_t added_count;
    const char *canonical_request, *string_to_sign, *signature; /* the stages' results */
    const char *authorization;
};

/* Runs the three stages; everything is owned by `a`. 0, or -1 when memory is out. */
int sigv4_sign(struct arena *a, const struct sigv4_input *in, struct sigv4 *ret);

/* The same with the signature in the query instead of in headers ("presigned URL"), good for
 * `expires_s` seconds (1 to 604,800). *ret_query is the whole query to send, without '?'; nothing
 * is added to the headers. S3 wants the payload hash "UNSIGNED-PAYLOAD". 0, or -1. */
int sigv4_presign(struct arena *a, const struct sigv4_input *in, int64_t expires_s,
                  struct sigv4 *ret, const char **ret_query);

/* Lower-case hex of SHA-256; owned by `a`. */
const char *sigv4_sha256_hex(struct arena *a, struct slice data);

#endif

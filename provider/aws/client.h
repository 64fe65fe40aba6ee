/* The AWS client: settings, credentials, retry state and clock offset of one provider
 * configuration, shared by all threads. Private to the room. */
#ifndef LLM_AWS_CLIENT_H
#define LLM_AWS_CLIENT_H

#include <pthread.h>
#include <stdatomic.h>

#include "aws/config.h"
#include "aws/credentials.h"
#include "aws/protocol.h"

struct cloud_client {
    struct arena *arena; /* of the settings */
    struct aws_config config;
    struct http_transport *transport;
    const struct clock *clock;
    const char *user_agent;
    struct retry_state retry;
    struct aws_credential_cache credentials;
    atomic_bool imds_is_absent; /* nobody answered for the instance metadata service */
    _Atomic int64_t skew_s;     /* the cloud's clock minus ours */
    pthread_mutex_t account_lock;
    const char *account; /* NULL: not asked yet; guarded by account_lock */
};

/* Which credentials sign a call. */
enum aws_signer {
    AWS_SIGN_CLIENT,  /* the client's own */
    AWS_SIGN_GIVEN,   /* `given` */
    AWS_SIGN_NOTHING, /* unsigned: web identity, SSO */
};

struct aws_call_options {
    enum aws_signer signer;
    const struct aws_credentials *given;
    const struct http_header *headers; /* more headers to send */
    size_t header_count;
};

/* One call with retries, as cloud/driver.h has it. */
int aws_call(struct cloud_client *c, const struct work *w, struct arena *a, const char *region,
             const struct cloud_operation *op, const struct value *request,
             const struct aws_call_options *options, const struct value **ret,
             struct cloud_error *err);

#endif

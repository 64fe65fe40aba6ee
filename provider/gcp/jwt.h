/* JSON Web Tokens signed with RS256 (RFC 7515, RFC 7519). */
#ifndef LLM_GCP_JWT_H
#define LLM_GCP_JWT_H

#include "base/buf.h"

/* NULL when `pem` is an RSA private key in PEM that can sign; else why not, a constant phrase that
 * says nothing of its content. */
const char *gcp_jwt_key_problem(const char *pem);

/* Signs {"alg":"RS256","typ":"JWT","kid":key_id} and `claims` (JSON); `key_id` may be NULL. The
 * token is appended to `out`. 0, or -1 when the key cannot be used or memory is out. */
int gcp_jwt_sign(struct buf *out, const char *pem, const char *key_id, struct slice claims);

#endif

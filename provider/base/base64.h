/* Base64 (RFC 4648), appended to a buffer. */
#ifndef LLM_BASE_BASE64_H
#define LLM_BASE_BASE64_H

#include <stddef.h>

#include "base/buf.h"

/* With padding (section 4). 0 or -1. */
int base64_append(struct buf *out, const void *data, size_t len);

/* For URLs, without padding (section 5). 0 or -1. */
int base64url_append(struct buf *out, const void *data, size_t len);

/* What such a text stands for: with padding, white space passed over. 0, or -1 when it is no
 * base64, with `out` as far as it went. */
int base64_decode(struct buf *out, struct slice text);

#endif

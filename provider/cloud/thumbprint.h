/* What AWS calls the thumbprint of an OpenID Connect issuer. */
#ifndef LLM_CLOUD_THUMBPRINT_H
#define LLM_CLOUD_THUMBPRINT_H

#include "base/arena.h"
#include "base/slice.h"

/* The SHA-1 of the last certificate in a PEM text, as 40 lower-case hexadecimal digits: of a chain
 * as a server shows it, that is the topmost authority which it names. Owned by `a`. NULL when the
 * text has no certificate or one that makes no sense, or memory is out. */
const char *thumbprint_of_chain(struct arena *a, struct slice pem);

#endif

/* Which members of requests and answers are secret. Private to this room. */
#ifndef LLM_HTTP_HTTP_NAMES_H
#define LLM_HTTP_HTTP_NAMES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/slice.h"

/* Whether a member of a form, of JSON or of XML has a secret value, by its name as it is written.
 */
bool http_name_is_secret(struct slice name);

/* The end of the JSON string that starts at `i`, behind its closing quote. */
size_t http_json_string_end(struct slice s, size_t i);

#endif

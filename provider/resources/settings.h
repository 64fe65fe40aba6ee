/* What a user has written, as a text that is kept in the cloud: an import rebuilds the resource
 * from it. */
#ifndef LLM_RESOURCES_SETTINGS_H
#define LLM_RESOURCES_SETTINGS_H

#include "schema/schema.h"

/* The attributes that are set in `config`, as JSON; without those named in `left`
 * (NULL-terminated), the computed ones, and values that the schema's defaults say at the top.
 * Write-only values are null in `config`. Unknown while one of them is; NULL: memory is out. Owned
 * by `a`. */
const struct value *settings_text(struct arena *a, const struct schema *s,
                                  const struct value *config, const char *const *left);
/* The configuration that such a text holds, an object of the schema's type, on top of `config`,
 * which keeps what is `left` out. NULL, with a diagnostic, when the text is none. */
const struct value *settings_of(struct arena *a, const struct schema *s, const struct value *config,
                                const char *const *left, struct slice text, struct diags *diags);

#endif

/* Reading what the user has written. */
#ifndef LLM_RESOURCES_CONFIG_H
#define LLM_RESOURCES_CONFIG_H

#include "base/diag.h"
#include "value/value.h"

/* Neither absent (NULL) nor null; it may be unknown. */
bool config_is_set(const struct value *v);
/* An attribute by dotted path; NULL when it or a parent is null or absent. */
const struct value *config_get(const struct value *config, const char *dotted);
/* Whether an attribute is that text. */
bool config_is(const struct value *config, const char *dotted, const char *text);
/* Whether the attributes at these dotted paths are known, with all that is in them, or absent. */
bool config_wholly_known(const struct value *config, const char *const *paths, size_t count);
/* Errors for attributes that this cloud lacks: {path, what to do instead}. 0 or -1. */
int config_refuse(struct arena *a, const struct value *config, const char *cloud,
                  const char *const (*paths)[2], size_t count, struct diags *diags);
/* An error at `name` when the name of something that is made has over `most` characters. 0 or -1.
 * `text` NULL: memory is out. */
int config_check_name_length(struct arena *a, const char *text, size_t most, const char *what,
                             struct diags *diags);

/* Errors for the zones in the list at `dotted` that are not of the region (NULL: not known), and
 * for those named twice; `example` is what a zone's name has behind the region's. 0 or -1. */
int config_check_zones(struct arena *a, const struct value *config, const char *dotted,
                       const char *region, bool (*fits)(struct slice zone, const char *region),
                       const char *example, struct diags *diags);

#endif

/* What data sources and ephemeral resources ask a cloud with, and objects as the component tables
 * read them. */
#ifndef LLM_RESOURCES_READING_H
#define LLM_RESOURCES_READING_H

#include "resources/composite.h"

/* Whom to ask. Stays where it is made: `c` refers to `work`. */
struct reading {
    struct composite_context c; /* client, region and account are known */
    struct work work;           /* two minutes */
};

/* Gets the client of `config.cloud`, the region (`config.region`, or the provider's) and the
 * account. 0, or -1 with an error at the attribute; `needs` ends the one that is shown while the
 * provider's settings are not known: "there are no credentials to make a token from". */
int reading_begin(struct reading *x, struct request *rq, const struct value *config,
                  const char *needs);
/* An attribute of the configuration. */
const struct path *reading_path(const struct reading *x, const char *name);

/* Reads an object as its table says; `attrs`: what the request refers to. *ret: the item (of many,
 * a list). 0; 1 when there is no such object; or -1: *err says why. */
int reading_object(struct reading *x, const struct component_read *read, const struct value *attrs,
                   const struct value **ret, struct cloud_error *err);
/* Of an item, what the table's attribute `name` is, as the answer has it; NULL: nothing. */
const struct value *reading_attr(const struct reading *x, const struct component *kind,
                                 const char *name, const struct value *item);

#endif

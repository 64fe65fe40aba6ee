/* Labels of ownership. Private to the room. */
#ifndef LLM_KUBERNETES_LABELS_H
#define LLM_KUBERNETES_LABELS_H

#include "value/value.h"

/* `text` as a label's value ("Labels and Selectors", "Syntax and character set"): at most 63
 * characters, letters, digits, '-', '_' and '.', letters and digits at both ends. What is one
 * already stays; anything else is changed and ends in eight digits of its SHA-256, so that two
 * texts never become one label. The empty text stays empty. Owned by `a`; NULL when memory is out.
 */
const char *kubernetes_label(struct arena *a, const char *text);

/* As cloud/driver.h has them. */
const struct value *kubernetes_owner_tags(struct arena *a, const char *resource_type,
                                          const struct value *name, const char *component);

/* A label selector for list calls: "a=b,c=d". */
const struct value *kubernetes_owner_filter(struct arena *a, const struct value *owner_tags);

#endif

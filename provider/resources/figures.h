/* Figures of the catalogue as numbers for users. */
#ifndef LLM_RESOURCES_FIGURES_H
#define LLM_RESOURCES_FIGURES_H

#include "value/value.h"

/* Bytes in GiB, rounded to hundredths. */
const struct value *figure_gib(struct arena *a, uint64_t bytes);

/* Millionths as a number: 526000 is 0.526. Null for less than 0. */
const struct value *figure_micros(struct arena *a, int64_t micros);

#endif

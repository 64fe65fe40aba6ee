/* From a schemas directory to a checked compilation. Errors are counted in the compilation. */
#ifndef LLM_SCHEMA_COMPILER_LOAD_H
#define LLM_SCHEMA_COMPILER_LOAD_H

#include "schemac.h"

void load(struct compilation *c, const char *dir);
void check(struct compilation *c);

/* Reads one file of the directory; *ret_at is its place. NULL, with an error, when it cannot be
 * read. The compilation owns what it returns. */
json_t *load_file(struct compilation *c, const char *file, const struct place **ret_at);

#endif

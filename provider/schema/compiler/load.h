/* From a schemas directory to a checked compilation. Errors are counted in the compilation. */
#ifndef LLM_SCHEMA_COMPILER_LOAD_H
#define LLM_SCHEMA_COMPILER_LOAD_H

#include "schemac.h"

void load(struct compilation *c, const char *dir);
void check(struct compilation *c);

#endif

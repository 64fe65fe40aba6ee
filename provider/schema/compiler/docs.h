/* Parts of the documentation pages. */
#ifndef LLM_SCHEMA_COMPILER_DOCS_H
#define LLM_SCHEMA_COMPILER_DOCS_H

#include "schemac.h"

/* "## Schema" with its nested parts. */
void docs_schema(struct compilation *c, FILE *f, const struct schema_def *s);
/* "String", "List of Number" … */
const char *docs_type(struct compilation *c, const struct type_def *t);
/* "## What it creates" and "## Permissions". */
void docs_clouds(struct compilation *c, FILE *f, const struct schema_def *s);
/* "## Import", with the text of import.sh. */
void docs_import(FILE *f, const struct schema_def *s, const char *script);

#endif

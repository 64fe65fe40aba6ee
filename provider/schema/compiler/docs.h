/* Parts of the documentation pages. */
#ifndef LLM_SCHEMA_COMPILER_DOCS_H
#define LLM_SCHEMA_COMPILER_DOCS_H

#include "schemac.h"

/* ---- docs_schema.c ---- */
/* "## Schema" with its nested parts. */
void docs_schema(struct compilation *c, FILE *f, const struct schema_def *s);
/* "String", "List of Number" … */
const char *docs_type(struct compilation *c, const struct type_def *t);

/* ---- docs_clouds.c ---- */
/* "AWS" for "aws". */
const char *docs_cloud_name(const char *cloud);
/* When a component is made: "always", "when needed", "for each of `zones`", or what the file says.
 */
const char *docs_made(struct compilation *c, const struct resource_component_def *d);
/* "## What it creates", with where to read on. */
void docs_clouds(struct compilation *c, FILE *f, const struct schema_def *s);

/* The texts of the import examples of a resource. */
struct docs_import_examples {
    const char *command;     /* import.sh */
    const char *by_id;       /* import-by-string-id.tf */
    const char *by_identity; /* import-by-identity.tf */
};
/* "## Import". */
void docs_import(FILE *f, const struct schema_def *s, const struct docs_import_examples *e);

/* ---- docs_graph.c ---- */
struct docs_graph;
/* The graph of a checked cloud; it lives as long as the compilation. */
const struct docs_graph *docs_graph(struct compilation *c, const struct cloud_def *cloud);
/* A block of text: each component below the deepest one that it needs. */
void docs_graph_tree(const struct docs_graph *g, FILE *f);
/* What the component at position `i` needs itself: "`vpc`, `eip`"; "" for nothing. */
const char *docs_graph_needs(const struct docs_graph *g, size_t i);

/* ---- docs_policy.c: what the credentials have to be allowed, as a document to copy ---- */
void docs_aws_policy(struct compilation *c, FILE *f, const struct schema_def *s,
                     const struct cloud_def *cloud);
void docs_gcp_role(struct compilation *c, FILE *f, const struct schema_def *s,
                   const struct cloud_def *cloud);

/* ---- docs_guides.c: the guides that are generated as a whole, without their front matter ---- */
/* docs/guides/components.md */
void docs_guide_components(struct compilation *c, FILE *f);
/* docs/guides/permissions.md */
void docs_guide_permissions(struct compilation *c, FILE *f);

/* ---- docs_catalog.c: the guides that show the catalogue, where there is one ---- */
bool docs_has_machines(struct compilation *c);
bool docs_has_models(struct compilation *c);
/* docs/guides/machines.md */
void docs_guide_machines(struct compilation *c, FILE *f);
/* docs/guides/models.md */
void docs_guide_models(struct compilation *c, FILE *f);

#endif

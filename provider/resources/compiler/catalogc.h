/* What the parts of llm-catalogc share. */
#ifndef LLM_RESOURCES_COMPILER_CATALOGC_H
#define LLM_RESOURCES_COMPILER_CATALOGC_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

extern size_t catalogc_errors;

/* Prints "PLACE: message" on stderr and counts it. */
void refuse(const char *place, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* ---- reading (read.c) ---- */

enum field_kind {
    FIELD_STRING,
    FIELD_INT,    /* in [min, max] */
    FIELD_NUMBER, /* in [min, max] */
    FIELD_BOOL,
    FIELD_DATE,  /* "2025-10-01" */
    FIELD_URL,   /* "https://…" */
    FIELD_ARRAY, /* not empty */
};

struct field {
    const char *name;
    enum field_kind kind;
    bool optional, nullable;
    double min, max;
};

/* A file of the catalogue, or NULL (refused). It lives until release_files(). */
json_t *read_file(const char *dir, const char *name);
void release_files(void);

/* Refuses what `fields` does not allow in the object `v`. */
bool read_object(const char *place, json_t *v, const struct field *fields, size_t count);

/* "models.json: models[3]" in a buffer that the next call overwrites. */
const char *place_of(const char *file, const char *list, size_t index);

/* The position of the entry of `list` whose `key` is `name`; -1: none. */
int find_named(json_t *list, const char *key, const char *name);

/* Refuses entries of a list with the same `key`. */
void refuse_duplicates(const char *file, const char *name, json_t *list, const char *key);

/* A C string literal, or NULL for a null or absent one. */
void emit_string(FILE *f, json_t *v);

/* ---- the tables ---- */
void catalogc_models(FILE *f, const char *dir);
void catalogc_machines(FILE *f, const char *dir);
void catalogc_serving(FILE *f, const char *dir);

#endif

/* Reading the catalogue's files strictly. */
#include "catalogc.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

size_t catalogc_errors;

enum { MOST_FILES = 16 };
static json_t *documents[MOST_FILES];
static size_t document_count;

void release_files(void)
{
    while (document_count)
        json_decref(documents[--document_count]);
}

void refuse(const char *place, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    fprintf(stderr, "%s: ", place);
    /* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): va_start is right above */
    vfprintf(stderr, fmt, ap);
    fputc('\n', stderr);
    va_end(ap);
    catalogc_errors++;
}

json_t *read_file(const char *dir, const char *name)
{
    char path[4096];
    json_error_t e;
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    json_t *v = json_load_file(path, JSON_REJECT_DUPLICATES, &e);
    if (!v)
        refuse(name, "line %d, column %d: %s", e.line, e.column, e.text);
    else if (document_count == MOST_FILES)
        refuse(name, "too many files");
    else
        documents[document_count++] = v;
    return v;
}

static bool is_date(const char *s)
{
    static const char pattern[] = "dddd-dd-dd";
    for (size_t i = 0; i < sizeof(pattern); i++) {
        bool digit = s[i] >= '0' && s[i] <= '9';
        if (pattern[i] == 'd' ? !digit : s[i] != pattern[i])
            return false;
    }
    return true;
}

static bool in_range(const struct field *f, json_t *v)
{
    double d = json_number_value(v);
    return d >= f->min && d <= f->max;
}

static const char *wrong(const struct field *f, json_t *v)
{
    const char *s = json_string_value(v);
    switch (f->kind) {
    case FIELD_STRING:
        return s && *s ? NULL : "a string is expected";
    case FIELD_INT:
        return json_is_integer(v) && in_range(f, v) ? NULL : "an integer in range is expected";
    case FIELD_NUMBER:
        return json_is_number(v) && in_range(f, v) ? NULL : "a number in range is expected";
    case FIELD_BOOL:
        return json_is_boolean(v) ? NULL : "true or false is expected";
    case FIELD_DATE:
        return s && is_date(s) ? NULL : "a date like 2025-10-01 is expected";
    case FIELD_URL:
        return s && strncmp(s, "https://", 8) == 0 ? NULL : "an https URL is expected";
    case FIELD_ARRAY:
        return json_array_size(v) ? NULL : "a list with members is expected";
    }
    return "not known";
}

bool read_object(const char *place, json_t *v, const struct field *fields, size_t count)
{
    size_t before = catalogc_errors;
    const char *key;
    json_t *member;
    if (!json_is_object(v)) {
        refuse(place, "an object is expected");
        return false;
    }
    json_object_foreach(v, key, member)
    {
        size_t i = 0;
        while (i < count && strcmp(fields[i].name, key) != 0)
            i++;
        if (i == count)
            refuse(place, "unknown field \"%s\"", key);
        else if (json_is_null(member) ? !fields[i].nullable : wrong(&fields[i], member) != NULL)
            refuse(place, "\"%s\": %s", key, wrong(&fields[i], member));
    }
    for (size_t i = 0; i < count; i++)
        if (!fields[i].optional && !json_object_get(v, fields[i].name))
            refuse(place, "\"%s\" is missing", fields[i].name);
    return catalogc_errors == before;
}

const char *place_of(const char *file, const char *list, size_t index)
{
    static char place[256];
    snprintf(place, sizeof(place), "%s: %s[%zu]", file, list, index);
    return place;
}

int find_named(json_t *list, const char *key, const char *name)
{
    for (size_t i = 0; name && i < json_array_size(list); i++) {
        const char *s = json_string_value(json_object_get(json_array_get(list, i), key));
        if (s && strcmp(s, name) == 0)
            return (int)i;
    }
    return -1;
}

void refuse_duplicates(const char *file, const char *name, json_t *list, const char *key)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *s = json_string_value(json_object_get(json_array_get(list, i), key));
        if (s && find_named(list, key, s) != (int)i)
            refuse(place_of(file, name, i), "\"%s\" is there twice", s);
    }
}

void emit_string(FILE *f, json_t *v)
{
    const char *s = json_string_value(v);
    if (!s) {
        fputs("NULL", f);
        return;
    }
    fputc('"', f);
    for (; *s; s++) {
        if (*s == '"' || *s == '\\')
            fputc('\\', f);
        fputc(*s, f);
    }
    fputc('"', f);
}

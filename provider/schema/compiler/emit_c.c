/* Writing C: strings, lists of strings, types, values. Everything is nested compound literals of
 * const type, which at file scope are static data without run-time initialisation. */
#include "schemac.h"

#include <stdlib.h>
#include <string.h>

void emit_string(FILE *f, const char *s)
{
    if (!s) {
        fputs("NULL", f);
        return;
    }
    fputc('"', f);
    for (; *s; s++) {
        unsigned char b = (unsigned char)*s;
        if (b == '"' || b == '\\')
            fprintf(f, "\\%c", b);
        else if (b == '\n')
            fputs("\\n", f);
        else if (b < 0x20 || b >= 0x7f)
            fprintf(f, "\\%03o", b);
        else
            fputc(b, f);
    }
    fputc('"', f);
}

void emit_strings(FILE *f, const char *name, const char *count_name, const struct strings *s)
{
    if (!s->count)
        return;
    fprintf(f, ".%s = (const char *const[]){", name);
    for (size_t i = 0; i < s->count; i++) {
        emit_string(f, s->items[i]);
        fputs(i + 1 < s->count ? ", " : "}, ", f);
    }
    fprintf(f, ".%s = %zu, ", count_name, s->count);
}

static void emit_type(const struct type_def *t, FILE *f)
{
    if (strncmp(t->symbol, "&type_", 6) != 0 || t->json[0] == '"')
        return;
    fprintf(f, "static const struct type %s __attribute__((unused)) = {.kind = %s", t->symbol + 1,
            t->kind);
    if (t->elem)
        fprintf(f, ", .elem = %s", t->elem->symbol);
    if (t->member_count) {
        fputs(", .attrs = (const struct type_attr[]){", f);
        for (size_t i = 0; i < t->member_count; i++) {
            fputs("{", f);
            emit_string(f, t->members[i].name);
            fprintf(f, ", %s, false}, ", t->members[i].type->symbol);
        }
        fprintf(f, "}, .attr_count = %zu", t->member_count);
    }
    fputs("};\n", f);
}

void emit_types(struct compilation *c, FILE *f)
{
    /* A type is registered after those it is made of. */
    for (size_t i = 0; i < c->type_count; i++)
        emit_type(c->types[i], f);
    fputc('\n', f);
}

/* ---- values ---- */

/* The shortest decimal that reads back as the same number. */
static void decimal(json_t *v, char *out, size_t size)
{
    if (json_is_integer(v)) {
        snprintf(out, size, "%lld", (long long)json_integer_value(v));
        return;
    }
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(out, size, "%.*e", digits - 1, json_real_value(v));
        if (strtod(out, NULL) == json_real_value(v))
            return;
    }
}

/* struct number: digits without zeros at either end, and an exponent. */
static void emit_number(FILE *f, json_t *v)
{
    char s[64], digits[64];
    decimal(v, s, sizeof(s));
    const char *p = s;
    bool negative = *p == '-';
    p += negative;
    size_t n = 0;
    long exponent = 0;
    bool fraction = false;
    for (; *p && *p != 'e'; p++) {
        if (*p == '.') {
            fraction = true;
            continue;
        }
        exponent -= fraction;
        if (n || *p != '0')
            digits[n++] = *p;
    }
    exponent += *p == 'e' ? strtol(p + 1, NULL, 10) : 0;
    while (n && digits[n - 1] == '0') {
        n--;
        exponent++;
    }
    digits[n] = '\0';
    if (!n)
        exponent = negative = 0;
    fprintf(f, "&(const struct number){%s, {\"%s\", %zu}, %ld}", negative ? "true" : "false",
            digits, n, exponent);
}

static const char *literal_type(json_t *v)
{
    if (json_is_string(v))
        return "&type_string";
    if (json_is_number(v))
        return "&type_number";
    return json_is_boolean(v) ? "&type_bool" : "&type_dynamic";
}

static void emit_members(struct compilation *c, FILE *f, const struct type_def *t, json_t *v)
{
    struct strings keys = {0};
    const char *key;
    json_t *member;
    json_object_foreach(v, key, member)
    {
        strings_add(c, &keys, key);
    }
    bool object = strcmp(t->kind, "TYPE_OBJECT") == 0;
    strings_sort(&keys);
    size_t count = object ? t->member_count : keys.count;
    fputs(".members = (const struct value_member[]){", f);
    for (size_t i = 0; i < count; i++) {
        const char *name = object ? t->members[i].name : keys.items[i];
        fputs("{{", f);
        emit_string(f, name);
        fprintf(f, ", %zu}, ", strlen(name));
        emit_value(c, f, object ? t->members[i].type : t->elem, json_object_get(v, name));
        fputs("}, ", f);
    }
    fprintf(f, "}, .count = %zu", count);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(json_string_value(*(json_t *const *)a), json_string_value(*(json_t *const *)b));
}

static void emit_elements(struct compilation *c, FILE *f, const struct type_def *t, json_t *v)
{
    size_t count = json_array_size(v);
    json_t **items = take(c, count + 1, sizeof(json_t *));
    for (size_t i = 0; i < count; i++)
        items[i] = json_array_get(v, i);
    if (count && strcmp(t->kind, "TYPE_SET") == 0 && strcmp(t->elem->kind, "TYPE_STRING") == 0)
        qsort(items, count, sizeof(json_t *), by_text);
    fputs(".members = (const struct value_member[]){", f);
    for (size_t i = 0; i < count; i++) {
        fputs("{.value = ", f);
        emit_value(c, f, t->elem ? t->elem : t->members[i].type, items[i]);
        fputs("}, ", f);
    }
    fprintf(f, "}, .count = %zu", count);
}

void emit_value(struct compilation *c, FILE *f, const struct type_def *t, json_t *v)
{
    bool null = !v || json_is_null(v);
    fprintf(f, "&(const struct value){.type = %s, .state = %s",
            t && strcmp(t->kind, "TYPE_DYNAMIC") != 0 ? t->symbol : literal_type(v),
            null ? "VALUE_NULL" : "VALUE_KNOWN");
    if (!null) {
        fputs(", ", f);
        if (json_is_string(v)) {
            fputs(".string = {", f);
            emit_string(f, json_string_value(v));
            fprintf(f, ", %zu}", json_string_length(v));
        } else if (json_is_boolean(v)) {
            fprintf(f, ".boolean = %s", json_is_true(v) ? "true" : "false");
        } else if (json_is_number(v)) {
            fputs(".number = ", f);
            emit_number(f, v);
        } else if (json_is_object(v)) {
            emit_members(c, f, t, v);
        } else {
            emit_elements(c, f, t, v);
        }
    }
    fputs("}", f);
}

/* The schema part of a page: attributes by what one does with them, nested ones behind anchors. */
#include <stdlib.h>
#include <string.h>

#include "docs.h"

enum section { REQUIRED, OPTIONAL, READ_ONLY, SECTION_COUNT };

static const char *const section_titles[] = {"Required", "Optional", "Read-Only"};

static enum section section_of(const struct attr_def *a)
{
    return a->required ? REQUIRED : a->optional ? OPTIONAL : READ_ONLY;
}

/* ---- types ---- */

const char *docs_type(struct compilation *c, const struct type_def *t)
{
    static const struct word words[] = {
        {"TYPE_STRING", "String"},   {"TYPE_NUMBER", "Number"}, {"TYPE_BOOL", "Boolean"},
        {"TYPE_DYNAMIC", "Dynamic"}, {"TYPE_OBJECT", "Object"}, {"TYPE_TUPLE", "Tuple"},
        {"TYPE_LIST", "List of %s"}, {"TYPE_SET", "Set of %s"}, {"TYPE_MAP", "Map of %s"}};
    const char *word = word_find(words, sizeof(words) / sizeof(*words), t->kind);
    if (!t->elem)
        return word;
    return text(c, "%.*s%s", (int)strcspn(word, "%"), word, docs_type(c, t->elem));
}

static const char *attr_type(struct compilation *c, const struct attr_def *a)
{
    static const struct word words[] = {{"single", "Attributes"},
                                        {"list", "Attributes List"},
                                        {"set", "Attributes Set"},
                                        {"map", "Attributes Map"}};
    return a->nesting ? word_find(words, 4, a->nesting) : docs_type(c, a->type);
}

/* The object inside a plain type that has one, for a list of its members. */
static const struct type_def *inner_object(const struct type_def *t)
{
    while (t->elem)
        t = t->elem;
    return strcmp(t->kind, "TYPE_OBJECT") == 0 ? t : NULL;
}

/* ---- constraints ---- */

/* "1 to 40", "at least 1", "at most 40" */
static const char *bounds(struct compilation *c, const struct validator_def *v)
{
    if (v->has_min && v->has_max && v->min == v->max)
        return text(c, "%lld", (long long)v->min);
    if (v->has_min && v->has_max)
        return text(c, "%lld to %lld", (long long)v->min, (long long)v->max);
    return v->has_min ? text(c, "at least %lld", (long long)v->min)
                      : text(c, "at most %lld", (long long)v->max);
}

/* "`a`, `b`"; NULL when the description names them all. */
static const char *choices(struct compilation *c, const struct attr_def *a,
                           const struct validator_def *v)
{
    const char *list = "";
    bool named = true;
    for (size_t i = 0; i < v->choices.count; i++) {
        const char *word = text(c, "`%s`", v->choices.items[i]);
        named = named && strstr(a->description, word);
        list = text(c, "%s%s%s", list, i ? ", " : "", word);
    }
    return named ? NULL : text(c, "one of %s", list);
}

static const char *constraint(struct compilation *c, const struct attr_def *a,
                              const struct validator_def *v)
{
    bool string = strcmp((v->each ? a->type->elem : a->type)->kind, "TYPE_STRING") == 0;
    if (strcmp(v->kind, "SCHEMA_ONE_OF") == 0)
        return choices(c, a, v);
    if (strcmp(v->kind, "SCHEMA_PATTERN") == 0)
        return v->message ? v->message : text(c, "matches `%s`", v->pattern);
    if (strcmp(v->kind, "SCHEMA_CIDR") == 0)
        return text(c, "an IPv4 network with a prefix length of %s", bounds(c, v));
    if (strcmp(v->kind, "SCHEMA_LENGTH") == 0)
        return text(c, "%s %s", bounds(c, v), string ? "characters" : "members");
    if (strcmp(v->kind, "SCHEMA_DURATION") == 0)
        return "a duration such as `1h30m`";
    return strcmp(v->kind, "SCHEMA_JSON") == 0 ? "a JSON document" : bounds(c, v);
}

/* " Has to be: x; y. Default: `z`. Changing it makes a new resource." */
static void write_constraints(struct compilation *c, FILE *f, const struct attr_def *a)
{
    bool first = true;
    for (size_t i = 0; i < a->validator_count; i++) {
        const char *s = constraint(c, a, &a->validators[i]);
        if (!s)
            continue;
        fprintf(f, "%s%s%s", first ? " Has to be: " : "; ", a->validators[i].each ? "each " : "",
                s);
        first = false;
    }
    if (!first)
        fputs(".", f);
    if (a->default_value) {
        char *value = json_dumps(a->default_value, JSON_ENCODE_ANY | JSON_SORT_KEYS);
        fprintf(f, " Default: `%s`.", value ? value : "");
        free(value);
    }
    if (strcmp(a->replace, "SCHEMA_REPLACE_NEVER") != 0)
        fputs(" Changing it makes a new resource.", f);
    if (a->deprecated)
        fprintf(f, " **Deprecated:** %s", a->deprecated);
}

/* ---- lists of attributes ---- */

static void write_attr(struct compilation *c, FILE *f, const struct attr_def *a, const char *anchor)
{
    fprintf(f, "- `%s` (%s%s%s%s) %s", a->name, attr_type(c, a), a->sensitive ? ", Sensitive" : "",
            a->write_only ? ", Write-only" : "", a->deprecated ? ", Deprecated" : "",
            a->description);
    write_constraints(c, f, a);
    if (a->nesting || inner_object(a->type))
        fprintf(f, " (see [below for nested schema](#nestedatt--%s%s))", anchor, a->name);
    fputs("\n", f);
}

static void write_sections(struct compilation *c, FILE *f, struct attr_def *const *attrs,
                           size_t count, const char *anchor, bool nested,
                           const struct timeout_def *timeouts)
{
    for (size_t section = 0; section < SECTION_COUNT; section++) {
        bool titled = false;
        for (size_t i = 0; i < count; i++) {
            if (section_of(attrs[i]) != section)
                continue;
            if (!titled)
                fprintf(f, nested ? "%s:\n\n" : "### %s\n\n", section_titles[section]);
            titled = true;
            write_attr(c, f, attrs[i], anchor);
        }
        if (section == OPTIONAL && timeouts) {
            if (!titled)
                fprintf(f, "### %s\n\n", section_titles[section]);
            titled = true;
            fputs("- `timeouts` (Block) How long each operation may take. (see [below for nested "
                  "schema](#nestedblock--timeouts))\n",
                  f);
        }
        if (titled)
            fputs("\n", f);
    }
}

static void write_object(struct compilation *c, FILE *f, const struct type_def *t)
{
    fputs("Read-Only:\n\n", f);
    for (size_t i = 0; i < t->member_count; i++)
        fprintf(f, "- `%s` (%s)\n", t->members[i].name, docs_type(c, t->members[i].type));
    fputs("\n", f);
}

static void write_nested(struct compilation *c, FILE *f, struct attr_def *const *attrs,
                         size_t count, const char *anchor, const char *path)
{
    for (size_t i = 0; i < count; i++) {
        const struct attr_def *a = attrs[i];
        const struct type_def *object = a->nesting ? NULL : inner_object(a->type);
        if (!a->nesting && !object)
            continue;
        fprintf(f, "<a id=\"nestedatt--%s%s\"></a>\n### Nested Schema for `%s%s`\n\n", anchor,
                a->name, path, a->name);
        if (object) {
            write_object(c, f, object);
            continue;
        }
        const char *below = text(c, "%s%s--", anchor, a->name);
        write_sections(c, f, a->attrs, a->attr_count, below, true, NULL);
        write_nested(c, f, a->attrs, a->attr_count, below, text(c, "%s%s.", path, a->name));
    }
}

static void write_timeouts(FILE *f, const struct timeout_def *t)
{
    const char *const names[] = {"create", "delete", "update"};
    const char *const values[] = {t->create, t->destroy, t->update};
    fputs("<a id=\"nestedblock--timeouts\"></a>\n### Nested Schema for `timeouts`\n\n"
          "Each is one deadline for the whole operation, with every try, retry and wait.\n\n"
          "Optional:\n\n",
          f);
    for (size_t i = 0; i < 3; i++) {
        if (values[i])
            fprintf(f, "- `%s` (String) A duration such as `1h30m`. Default: `%s`.\n", names[i],
                    values[i]);
    }
    fputs("\n", f);
}

static void write_rules(struct compilation *c, FILE *f, const struct schema_def *s)
{
    static const struct word words[] = {{"conflicts", "At most one"},
                                        {"exactly_one", "Exactly one"},
                                        {"at_least_one", "At least one"},
                                        {"required_together", "All or none"}};
    if (!s->rule_count)
        return;
    fputs("### Rules\n\n", f);
    for (size_t i = 0; i < s->rule_count; i++) {
        const struct rule_def *r = &s->rules[i];
        const char *list = "";
        for (size_t k = 0; k < r->paths.count; k++)
            list = text(c, "%s%s`%s`", list,
                        k == 0                    ? ""
                        : k + 1 == r->paths.count ? " and "
                                                  : ", ",
                        r->paths.items[k]);
        fprintf(f, "- %s of %s%s%s.\n", word_find(words, 4, r->word), list, r->message ? ": " : "",
                r->message ? r->message : "");
    }
    fputs("\n", f);
}

void docs_schema(struct compilation *c, FILE *f, const struct schema_def *s)
{
    fputs("## Schema\n\n", f);
    write_sections(c, f, s->attrs, s->attr_count, "", false, s->timeouts);
    write_rules(c, f, s);
    write_nested(c, f, s->attrs, s->attr_count, "", "");
    if (s->timeouts)
        write_timeouts(f, s->timeouts);
}

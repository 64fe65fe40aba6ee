/* Checks of attributes and rules: what the cores and our own conventions ask of a schema. */
#include "schemac.h"

#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof(*(a)))

struct context {
    enum file_kind kind;
    bool in_set;
    bool computed_only; /* the parent is */
};

struct attr_def *attr_by_path(struct attr_def *const *attrs, size_t count, const char *dotted,
                              const char **ret_rest)
{
    const char *dot = strchr(dotted, '.');
    size_t len = dot ? (size_t)(dot - dotted) : strlen(dotted);
    for (size_t i = 0; i < count; i++) {
        struct attr_def *a = attrs[i];
        if (strlen(a->name) != len || strncmp(a->name, dotted, len) != 0)
            continue;
        if (dot && a->nesting && strcmp(a->nesting, "single") == 0)
            return attr_by_path(a->attrs, a->attr_count, dot + 1, ret_rest);
        *ret_rest = dot ? dot + 1 : NULL;
        return a;
    }
    return NULL;
}

/* ---- one attribute ---- */

static void check_flags(struct compilation *c, struct attr_def *a, const struct context *x)
{
    if (a->default_value) {
        if (a->required)
            refuse(c, a->at, "a required attribute has no default");
        a->optional = a->computed = true;
    }
    if (a->required && (a->optional || a->computed))
        refuse(c, a->at, "\"required\" excludes \"optional\" and \"computed\"");
    if (!a->required && !a->optional && !a->computed)
        refuse(c, a->at, "missing one of \"required\", \"optional\", \"computed\", \"default\"");
    bool computed_only = a->computed && !a->optional;
    if (x->computed_only && !computed_only)
        refuse(c, a->at, "an attribute of a computed attribute is computed too");
    if (computed_only && a->validator_count)
        refuse(c, a->at, "a computed attribute is not validated");
    if (computed_only && strcmp(a->replace, "SCHEMA_REPLACE_NEVER") != 0)
        refuse(c, a->at, "a computed attribute cannot ask for a replacement");
    if (x->kind != FILE_RESOURCE && strcmp(a->replace, "SCHEMA_REPLACE_NEVER") != 0)
        refuse(c, a->at, "only a resource is replaced");
    if (x->kind == FILE_PROVIDER && a->computed)
        refuse(c, a->at, "the provider's attributes are neither computed nor have defaults");
}

static void check_write_only(struct compilation *c, struct attr_def *a, const struct context *x,
                             struct attr_def *const *siblings, size_t count)
{
    if (!a->write_only)
        return;
    const char *rest = NULL;
    const char *version = text(c, "%s_version", a->name);
    if (a->computed)
        refuse(c, a->at, "a write-only attribute is neither computed nor has a default");
    if (x->kind != FILE_RESOURCE)
        refuse(c, a->at, "only resources have write-only attributes");
    if (x->in_set)
        refuse(c, a->at, "a write-only attribute cannot be in a set");
    if (strcmp(a->replace, "SCHEMA_REPLACE_NEVER") != 0)
        refuse(c, a->at, "a write-only attribute has no prior value to differ from");
    if (!attr_by_path(siblings, count, version, &rest))
        refuse(c, a->at, "missing its companion \"%s\", through which a change is seen", version);
}

/* The type that a validator applies to; NULL when there are no members to apply it to. */
static const struct type_def *subject(const struct attr_def *a, const struct validator_def *v)
{
    return v->each ? a->type->elem : a->type;
}

static bool fits(const struct type_def *t, const struct validator_def *v)
{
    bool string = strcmp(t->kind, "TYPE_STRING") == 0;
    if (strcmp(v->kind, "SCHEMA_RANGE") == 0)
        return strcmp(t->kind, "TYPE_NUMBER") == 0;
    if (strcmp(v->kind, "SCHEMA_LENGTH") == 0)
        return string || t->elem;
    return string;
}

static void check_validators(struct compilation *c, const struct attr_def *a)
{
    const struct place *list = place_key(c, a->at, "validate");
    for (size_t i = 0; i < a->validator_count; i++) {
        const struct validator_def *v = &a->validators[i];
        const struct type_def *t = subject(a, v);
        if (!t)
            refuse(c, place_index(c, list, i), "\"each\" on a %s", type_text(c, a->type));
        else if (v->kind && !fits(t, v))
            refuse(c, place_index(c, list, i), "this check does not fit a %s", type_text(c, t));
    }
}

static void check_attributes(struct compilation *c, struct attr_def *const *attrs, size_t count,
                             const struct context *x)
{
    for (size_t i = 0; i < count; i++) {
        struct attr_def *a = attrs[i];
        check_flags(c, a, x);
        check_write_only(c, a, x, attrs, count);
        if (a->type) {
            check_validators(c, a);
            if (a->default_value)
                type_check_json(c, a->default_at, a->type, a->default_value);
        }
        if (!a->nesting)
            continue;
        struct context inner = *x;
        inner.in_set = x->in_set || strcmp(a->nesting, "set") == 0;
        inner.computed_only = a->computed && !a->optional;
        check_attributes(c, a->attrs, a->attr_count, &inner);
    }
}

/* ---- the whole schema ---- */

static void check_rules(struct compilation *c, const struct schema_def *s)
{
    for (size_t i = 0; i < s->rule_count; i++) {
        const struct rule_def *r = &s->rules[i];
        for (size_t k = 0; k < r->paths.count; k++) {
            const char *rest = NULL;
            const struct attr_def *a =
                attr_by_path(s->attrs, s->attr_count, r->paths.items[k], &rest);
            if (!a || rest)
                refuse(c, r->at, "there is no attribute \"%s\"", r->paths.items[k]);
            else if (a->computed && !a->optional)
                refuse(c, r->at, "\"%s\" is never configured", r->paths.items[k]);
        }
    }
}

static void check_names(struct compilation *c, const struct schema_def *s)
{
    static const char *const of_resources[] = {
        "count", "for_each", "provider", "lifecycle", "depends_on", "connection", "provisioner"};
    static const char *const of_providers[] = {"alias", "version"};
    const char *const *reserved = s->kind == FILE_PROVIDER ? of_providers : of_resources;
    size_t count = s->kind == FILE_PROVIDER ? COUNT(of_providers) : COUNT(of_resources);
    for (size_t i = 0; i < count; i++) {
        const char *rest = NULL;
        const struct attr_def *a = attr_by_path(s->attrs, s->attr_count, reserved[i], &rest);
        if (a)
            refuse(c, a->at, "the core reserves this name");
    }
}

static void check_file_name(struct compilation *c, const struct schema_def *s)
{
    if (s->kind == FILE_PROVIDER)
        return;
    const char *base = strrchr(s->at->file, '/');
    const char *expected = text(c, "%s.json", strncmp(s->type, "llm_", 4) ? "" : s->type + 4);
    if (!base || strcmp(base + 1, expected) != 0)
        refuse(c, place_key(c, s->at, "type"), "\"%s\" does not fit the file's name", s->type);
}

static void check_clouds(struct compilation *c, const struct schema_def *s)
{
    const char *rest = NULL;
    const struct attr_def *a = attr_by_path(s->attrs, s->attr_count, "cloud", &rest);
    if (!s->cloud_count)
        return;
    if (!a || a->validator_count != 1 || !a->validators[0].choices.count) {
        refuse(c, s->at, "a resource with clouds has an attribute \"cloud\" with one_of");
        return;
    }
    const struct strings *choices = &a->validators[0].choices;
    for (size_t i = 0; i < s->cloud_count; i++) {
        if (!strings_have(choices, s->clouds[i].cloud))
            refuse(c, s->clouds[i].at, "the attribute \"cloud\" does not offer it");
    }
    if (choices->count > s->cloud_count)
        refuse(c, a->at, "offers a cloud that has no components");
}

void check_schema(struct compilation *c, struct schema_def *s)
{
    const struct context x = {.kind = s->kind};
    check_attributes(c, s->attrs, s->attr_count, &x);
    check_rules(c, s);
    check_names(c, s);
    check_file_name(c, s);
    check_clouds(c, s);
}

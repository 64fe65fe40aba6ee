/* Reading provider.json, resources, data sources, ephemeral resources and functions. */
#include "schemac.h"

#include <regex.h>
#include <stdlib.h>
#include <string.h>

#include "schema/schema.h"

#define COUNT(a) (sizeof(a) / sizeof(*(a)))

/* ---- validators ---- */

static void bounds(struct compilation *c, const struct place *at, json_t *v, void *out)
{
    struct validator_def *d = out;
    json_t *min = json_array_get(v, 0), *max = json_array_get(v, 1);
    if (json_array_size(v) != 2 || !(json_is_integer(min) || json_is_null(min)) ||
        !(json_is_integer(max) || json_is_null(max))) {
        refuse(c, at, "expected [min, max], each a whole number or null");
        return;
    }
    d->has_min = json_is_integer(min);
    d->has_max = json_is_integer(max);
    d->min = json_integer_value(min);
    d->max = json_integer_value(max);
    if (d->has_min && d->has_max && d->min > d->max)
        refuse(c, at, "the minimum is larger than the maximum");
}

static void set_kind(struct compilation *c, const struct place *at, struct validator_def *d,
                     const char *kind)
{
    if (d->kind)
        refuse(c, at->up, "more than one check in one entry");
    d->kind = kind;
}

static void field_range(struct compilation *c, const struct place *at, json_t *v, void *out)
{
    set_kind(c, at, out, "SCHEMA_RANGE");
    bounds(c, at, v, out);
}

static void field_length(struct compilation *c, const struct place *at, json_t *v, void *out)
{
    set_kind(c, at, out, "SCHEMA_LENGTH");
    bounds(c, at, v, out);
    if (((struct validator_def *)out)->min < 0)
        refuse(c, at, "a length is not negative");
}

static void field_cidr(struct compilation *c, const struct place *at, json_t *v, void *out)
{
    struct validator_def *d = out;
    set_kind(c, at, d, "SCHEMA_CIDR");
    bounds(c, at, v, d);
    if (!d->has_min || !d->has_max || d->min < 0 || d->max > 32)
        refuse(c, at, "prefix lengths are between 0 and 32");
}

static void field_pattern(struct compilation *c, const struct place *at, json_t *v, void *out)
{
    struct validator_def *d = out;
    set_kind(c, at, d, "SCHEMA_PATTERN");
    const char *s = NULL;
    field_string(c, at, v, &s);
    if (!s)
        return;
    regex_t re;
    int rc = regcomp(&re, s, REG_EXTENDED | REG_NOSUB);
    if (rc) {
        char why[128];
        regerror(rc, &re, why, sizeof(why));
        refuse(c, at, "not a POSIX extended regular expression: %s", why);
    } else {
        regfree(&re);
    }
    d->pattern = s;
}

static void field_one_of(struct compilation *c, const struct place *at, json_t *v, void *out)
{
    struct validator_def *d = out;
    set_kind(c, at, d, "SCHEMA_ONE_OF");
    field_strings(c, at, v, &d->choices);
    if (d->choices.count == 0)
        refuse(c, at, "no choices");
}

static void field_format(struct compilation *c, const struct place *at, json_t *v, void *out)
{
    bool duration = strcmp(at->key, "duration") == 0;
    set_kind(c, at, out, duration ? "SCHEMA_DURATION" : "SCHEMA_JSON");
    if (!json_is_true(v))
        refuse(c, at, "write true, or leave it out");
}

void field_validators(struct compilation *c, const struct place *at, json_t *v, void *out)
{
    static const struct field fields[] = {
        {"pattern", false, field_pattern, 0},
        {"range", false, field_range, 0},
        {"length", false, field_length, 0},
        {"one_of", false, field_one_of, 0},
        {"cidr", false, field_cidr, 0},
        {"duration", false, field_format, 0},
        {"json", false, field_format, 0},
        {"message", false, field_string, offsetof(struct validator_def, message)},
        {"each", false, field_bool, offsetof(struct validator_def, each)},
    };
    struct attr_def *a = out;
    if (!json_is_array(v)) {
        refuse(c, at, "expected an array of checks");
        return;
    }
    a->validators = take(c, json_array_size(v) + 1, sizeof(*a->validators));
    size_t i;
    json_t *item;
    json_array_foreach(v, i, item)
    {
        const struct place *here = place_index(c, at, i);
        struct validator_def *d = &a->validators[a->validator_count++];
        if (fields_read(c, here, item, fields, COUNT(fields), d) && !d->kind)
            refuse(c, here,
                   "no check; one of: pattern, range, length, one_of, cidr, duration, json");
    }
}

/* ---- attributes ---- */

static void field_nesting(struct compilation *c, const struct place *at, json_t *v, void *out)
{
    static const struct word words[] = {
        {"single", "single"}, {"list", "list"}, {"set", "set"}, {"map", "map"}};
    const char *s = NULL;
    field_string(c, at, v, &s);
    if (s && !word_find(words, COUNT(words), s))
        word_refuse(c, at, s, words, COUNT(words));
    else
        *(const char **)out = s;
}

static void field_replace(struct compilation *c, const struct place *at, json_t *v, void *out)
{
    static const struct word words[] = {{"never", "SCHEMA_REPLACE_NEVER"},
                                        {"always", "SCHEMA_REPLACE_ALWAYS"},
                                        {"if_known", "SCHEMA_REPLACE_IF_KNOWN"}};
    const char *s = NULL;
    field_string(c, at, v, &s);
    if (!s)
        return;
    const char *name = word_find(words, COUNT(words), s);
    if (name)
        *(const char **)out = name;
    else
        word_refuse(c, at, s, words, COUNT(words));
}

static void field_default(struct compilation *c, const struct place *at, json_t *v, void *out)
{
    struct attr_def *a = out;
    a->default_value = v;
    a->default_at = at;
    if (json_is_null(v))
        refuse(c, at, "a default of null says nothing; leave it out");
}

static bool is_name(const char *s)
{
    if (!(*s >= 'a' && *s <= 'z'))
        return false;
    return s[strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789_")] == '\0';
}

static void implied_type(struct compilation *c, struct attr_def *a)
{
    struct type_member *members = take(c, a->attr_count + 1, sizeof(*members));
    for (size_t i = 0; i < a->attr_count; i++) {
        if (!a->attrs[i]->type)
            return;
        members[i] = (struct type_member){a->attrs[i]->name, a->attrs[i]->type};
    }
    struct type_def *object = type_structure(c, members, a->attr_count);
    if (strcmp(a->nesting, "single") == 0)
        a->type = object;
    else if (type_has_dynamic(object))
        refuse(c, a->at, "a %s of objects cannot hold dynamic attributes", a->nesting);
    else
        a->type = type_collection(c,
                                  strcmp(a->nesting, "list") == 0  ? "TYPE_LIST"
                                  : strcmp(a->nesting, "set") == 0 ? "TYPE_SET"
                                                                   : "TYPE_MAP",
                                  object);
}

static struct attr_def *parse_attribute(struct compilation *c, const struct place *at, json_t *v)
{
    static const struct field fields[] = {
        {"type", false, field_type, offsetof(struct attr_def, declared)},
        {"nesting", false, field_nesting, offsetof(struct attr_def, nesting)},
        {"attributes", false, field_attributes, offsetof(struct attr_def, attrs)},
        {"required", false, field_bool, offsetof(struct attr_def, required)},
        {"optional", false, field_bool, offsetof(struct attr_def, optional)},
        {"computed", false, field_bool, offsetof(struct attr_def, computed)},
        {"sensitive", false, field_bool, offsetof(struct attr_def, sensitive)},
        {"write_only", false, field_bool, offsetof(struct attr_def, write_only)},
        {"replace", false, field_replace, offsetof(struct attr_def, replace)},
        {"default", false, field_default, 0},
        {"validate", false, field_validators, 0},
        {"description", true, field_string, offsetof(struct attr_def, description)},
        {"deprecated", false, field_string, offsetof(struct attr_def, deprecated)},
    };
    struct attr_def *a = take(c, 1, sizeof(*a));
    a->at = at;
    a->name = at->key;
    a->replace = "SCHEMA_REPLACE_NEVER";
    if (!is_name(a->name))
        refuse(c, at, "a name has lower-case letters, digits and underscores, a letter first");
    if (!fields_read(c, at, v, fields, COUNT(fields), a))
        return a;
    if ((a->nesting != NULL) != (json_object_get(v, "attributes") != NULL) ||
        (a->nesting != NULL) == (json_object_get(v, "type") != NULL))
        refuse(c, at, "write either \"type\", or \"nesting\" and \"attributes\"");
    else if (a->nesting)
        implied_type(c, a);
    else
        a->type = a->declared;
    return a;
}

static int by_name(const void *a, const void *b)
{
    return strcmp((*(struct attr_def *const *)a)->name, (*(struct attr_def *const *)b)->name);
}

/* `out` is the member `attrs`, which `attr_count` follows in both structures that have it. */
struct attr_list {
    struct attr_def **attrs;
    size_t attr_count;
};

void field_attributes(struct compilation *c, const struct place *at, json_t *v, void *out)
{
    struct attr_list *list = out;
    if (!json_is_object(v)) {
        refuse(c, at, "expected an object of attributes");
        return;
    }
    list->attrs = take(c, json_object_size(v) + 1, sizeof(struct attr_def *));
    const char *key;
    json_t *member;
    json_object_foreach(v, key, member)
    {
        list->attrs[list->attr_count++] = parse_attribute(c, place_key(c, at, key), member);
    }
    if (list->attr_count)
        qsort(list->attrs, list->attr_count, sizeof(struct attr_def *), by_name);
}

/* ---- rules, timeouts, identity ---- */

static void field_rule_paths(struct compilation *c, const struct place *at, json_t *v, void *out)
{
    static const struct word words[] = {{"conflicts", "SCHEMA_CONFLICTS"},
                                        {"exactly_one", "SCHEMA_EXACTLY_ONE"},
                                        {"at_least_one", "SCHEMA_AT_LEAST_ONE"},
                                        {"required_together", "SCHEMA_REQUIRED_TOGETHER"}};
    struct rule_def *r = out;
    if (r->kind)
        refuse(c, at->up, "more than one rule in one entry");
    r->word = at->key;
    r->kind = word_find(words, COUNT(words), at->key);
    field_strings(c, at, v, &r->paths);
    if (r->paths.count < 2)
        refuse(c, at, "a rule is about two attributes or more");
}

void field_rules(struct compilation *c, const struct place *at, json_t *v, void *out)
{
    static const struct field fields[] = {
        {"conflicts", false, field_rule_paths, 0},
        {"exactly_one", false, field_rule_paths, 0},
        {"at_least_one", false, field_rule_paths, 0},
        {"required_together", false, field_rule_paths, 0},
        {"message", false, field_string, offsetof(struct rule_def, message)},
    };
    struct schema_def *s = out;
    if (!json_is_array(v)) {
        refuse(c, at, "expected an array of rules");
        return;
    }
    s->rules = take(c, json_array_size(v) + 1, sizeof(*s->rules));
    size_t i;
    json_t *item;
    json_array_foreach(v, i, item)
    {
        struct rule_def *r = &s->rules[s->rule_count++];
        r->at = place_index(c, at, i);
        if (fields_read(c, r->at, item, fields, COUNT(fields), r) && !r->kind)
            refuse(c, r->at,
                   "no rule; one of: conflicts, exactly_one, at_least_one, required_together");
    }
}

static void field_duration(struct compilation *c, const struct place *at, json_t *v, void *out)
{
    const char *s = NULL;
    field_string(c, at, v, &s);
    int64_t ms = 0;
    if (s && (schema_duration_parse((struct slice){s, strlen(s)}, &ms) || ms < 1000))
        refuse(c, at, "\"%s\" is no duration of a second or more; write for example \"30m\"", s);
    *(const char **)out = s;
}

static int64_t seconds(const char *duration)
{
    int64_t ms = 0;
    if (!duration || schema_duration_parse((struct slice){duration, strlen(duration)}, &ms))
        return 0;
    return ms / 1000;
}

static void field_timeouts(struct compilation *c, const struct place *at, json_t *v, void *out)
{
    static const struct field fields[] = {
        {"create", false, field_duration, offsetof(struct timeout_def, create)},
        {"update", false, field_duration, offsetof(struct timeout_def, update)},
        {"delete", false, field_duration, offsetof(struct timeout_def, destroy)},
    };
    struct timeout_def *t = take(c, 1, sizeof(*t));
    if (!fields_read(c, at, v, fields, COUNT(fields), t))
        return;
    t->create_s = seconds(t->create);
    t->update_s = seconds(t->update);
    t->destroy_s = seconds(t->destroy);
    *(struct timeout_def **)out = t;
}

static int identity_by_name(const void *a, const void *b)
{
    return strcmp(((const struct identity_attr *)a)->name, ((const struct identity_attr *)b)->name);
}

static void field_identity_attributes(struct compilation *c, const struct place *at, json_t *v,
                                      void *out)
{
    struct identity_def *d = out;
    if (!json_is_object(v) || json_object_size(v) == 0) {
        refuse(c, at, "expected an object: names and descriptions");
        return;
    }
    d->attrs = take(c, json_object_size(v), sizeof(*d->attrs));
    struct type_member *members = take(c, json_object_size(v), sizeof(*members));
    const char *key;
    json_t *member;
    json_object_foreach(v, key, member)
    {
        const struct place *here = place_key(c, at, key);
        if (!is_name(key))
            refuse(c, here,
                   "a name has lower-case letters, digits and underscores, a letter first");
        d->attrs[d->attr_count].name = here->key;
        field_string(c, here, member, &d->attrs[d->attr_count].description);
        members[d->attr_count++] =
            (struct type_member){here->key, type_primitive(c, "TYPE_STRING", "string")};
    }
    qsort(d->attrs, d->attr_count, sizeof(*d->attrs), identity_by_name);
    d->type = type_structure(c, members, d->attr_count);
}

static void field_identity(struct compilation *c, const struct place *at, json_t *v, void *out)
{
    static const struct field fields[] = {
        {"version", true, field_int, offsetof(struct identity_def, version)},
        {"attributes", true, field_identity_attributes, 0},
    };
    struct identity_def *d = take(c, 1, sizeof(*d));
    if (fields_read(c, at, v, fields, COUNT(fields), d))
        *(struct identity_def **)out = d;
}

/* ---- whole files ---- */

static void implied_object(struct compilation *c, struct schema_def *s)
{
    struct type_member *members = take(c, s->attr_count + 1, sizeof(*members));
    size_t n = 0;
    for (size_t i = 0; i < s->attr_count; i++) {
        if (!s->attrs[i]->type)
            return;
        members[n++] = (struct type_member){s->attrs[i]->name, s->attrs[i]->type};
        if (strcmp(s->attrs[i]->name, "timeouts") == 0 && s->timeouts)
            refuse(c, s->attrs[i]->at, "the timeouts block has this name");
    }
    if (s->timeouts) {
        struct type_def *string = type_primitive(c, "TYPE_STRING", "string");
        struct type_member *t = take(c, 3, sizeof(*t));
        size_t count = 0;
        if (s->timeouts->create)
            t[count++] = (struct type_member){"create", string};
        if (s->timeouts->update)
            t[count++] = (struct type_member){"update", string};
        if (s->timeouts->destroy)
            t[count++] = (struct type_member){"delete", string};
        members[n++] = (struct type_member){"timeouts", type_structure(c, t, count)};
    }
    s->implied = type_structure(c, members, n);
}

struct schema_def *parse_schema(struct compilation *c, const struct place *at, json_t *v,
                                enum file_kind kind)
{
    static const struct field fields[] = {
        {"type", true, field_string, offsetof(struct schema_def, type)},
        {"version", true, field_int, offsetof(struct schema_def, version)},
        {"description", true, field_string, offsetof(struct schema_def, description)},
        {"deprecated", false, field_string, offsetof(struct schema_def, deprecated)},
        {"subcategory", false, field_string, offsetof(struct schema_def, subcategory)},
        {"attributes", true, field_attributes, offsetof(struct schema_def, attrs)},
        {"rules", false, field_rules, 0},
        /* not the provider's */
        {"clouds", false, field_clouds, 0},
        /* resources only */
        {"timeouts", false, field_timeouts, offsetof(struct schema_def, timeouts)},
        {"identity", false, field_identity, offsetof(struct schema_def, identity)},
    };
    struct schema_def *s = take(c, 1, sizeof(*s));
    s->at = at;
    s->kind = kind;
    size_t count = COUNT(fields) - (kind == FILE_RESOURCE ? 0 : kind == FILE_PROVIDER ? 3 : 2);
    if (!fields_read(c, at, v, fields, count, s) || !s->type)
        return NULL;
    if (!is_name(s->type))
        refuse(c, place_key(c, at, "type"), "\"%s\" is no type name", s->type);
    if (s->version < 0)
        refuse(c, place_key(c, at, "version"), "a version is not negative");
    implied_object(c, s);
    const char *prefix = kind == FILE_DATA_SOURCE ? "data_source_"
                         : kind == FILE_EPHEMERAL ? "ephemeral_"
                                                  : "";
    s->symbol = kind == FILE_PROVIDER ? "provider_schema" : text(c, "schema_%s%s", prefix, s->type);
    return s;
}

static void parse_parameter(struct compilation *c, const struct place *at, json_t *v, void *out)
{
    static const struct field fields[] = {
        {"name", true, field_string, offsetof(struct parameter_def, name)},
        {"type", true, field_type, offsetof(struct parameter_def, type)},
        {"description", true, field_string, offsetof(struct parameter_def, description)},
        {"allow_null", false, field_bool, offsetof(struct parameter_def, allow_null)},
        {"allow_unknown", false, field_bool, offsetof(struct parameter_def, allow_unknown)},
    };
    struct parameter_def *p = out;
    if (fields_read(c, at, v, fields, COUNT(fields), p) && p->name && !is_name(p->name))
        refuse(c, place_key(c, at, "name"),
               "a name has lower-case letters, digits and underscores, a letter first");
}

static void field_parameters(struct compilation *c, const struct place *at, json_t *v, void *out)
{
    struct function_def *f = out;
    if (!json_is_array(v)) {
        refuse(c, at, "expected an array of parameters");
        return;
    }
    f->parameters = take(c, json_array_size(v) + 1, sizeof(*f->parameters));
    size_t i;
    json_t *item;
    json_array_foreach(v, i, item)
    {
        struct parameter_def *p = &f->parameters[i];
        parse_parameter(c, place_index(c, at, i), item, p);
        for (size_t k = 0; k < i && p->name; k++) {
            if (f->parameters[k].name && strcmp(f->parameters[k].name, p->name) == 0)
                refuse(c, place_index(c, at, i), "a second parameter \"%s\"", p->name);
        }
        f->parameter_count++;
    }
}

static void field_variadic(struct compilation *c, const struct place *at, json_t *v, void *out)
{
    struct parameter_def *p = take(c, 1, sizeof(*p));
    parse_parameter(c, at, v, p);
    *(struct parameter_def **)out = p;
}

struct function_def *parse_function(struct compilation *c, const struct place *at, json_t *v)
{
    static const struct field fields[] = {
        {"name", true, field_string, offsetof(struct function_def, name)},
        {"summary", true, field_string, offsetof(struct function_def, summary)},
        {"description", true, field_string, offsetof(struct function_def, description)},
        {"deprecated", false, field_string, offsetof(struct function_def, deprecated)},
        {"parameters", true, field_parameters, 0},
        {"variadic", false, field_variadic, offsetof(struct function_def, variadic)},
        {"result", true, field_type, offsetof(struct function_def, result)},
    };
    struct function_def *f = take(c, 1, sizeof(*f));
    f->at = at;
    if (!fields_read(c, at, v, fields, COUNT(fields), f) || !f->name)
        return NULL;
    if (!is_name(f->name))
        refuse(c, place_key(c, at, "name"), "\"%s\" is no function name", f->name);
    return f;
}

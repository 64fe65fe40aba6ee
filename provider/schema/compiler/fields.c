/* Reading JSON objects by tables of their fields. */
#include "schemac.h"

#include <string.h>

static const char *kind_name(json_t *v)
{
    switch (json_typeof(v)) {
    case JSON_OBJECT:
        return "an object";
    case JSON_ARRAY:
        return "an array";
    case JSON_STRING:
        return "a string";
    case JSON_INTEGER:
    case JSON_REAL:
        return "a number";
    case JSON_TRUE:
    case JSON_FALSE:
        return "a boolean";
    default:
        return "null";
    }
}

static const struct field *field_find(const struct field *fields, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(fields[i].name, name) == 0)
            return &fields[i];
    }
    return NULL;
}

bool fields_read(struct compilation *c, const struct place *at, json_t *v,
                 const struct field *fields, size_t count, void *out)
{
    if (!json_is_object(v)) {
        refuse(c, at, "expected an object, found %s", kind_name(v));
        return false;
    }
    const char *key;
    json_t *member;
    json_object_foreach(v, key, member)
    {
        const struct field *f = field_find(fields, count, key);
        if (!f)
            refuse(c, at, "unknown field \"%s\"", key);
        else
            f->parse(c, place_key(c, at, key), member, (char *)out + f->offset);
    }
    for (size_t i = 0; i < count; i++) {
        if (fields[i].required && !json_object_get(v, fields[i].name))
            refuse(c, at, "missing field \"%s\"", fields[i].name);
    }
    return true;
}

void field_string(struct compilation *c, const struct place *at, json_t *v, void *out)
{
    if (!json_is_string(v)) {
        refuse(c, at, "expected a string, found %s", kind_name(v));
        return;
    }
    const char *s = json_string_value(v);
    if (!*s) {
        refuse(c, at, "the string is empty");
        return;
    }
    *(const char **)out = text(c, "%s", s);
}

void field_bool(struct compilation *c, const struct place *at, json_t *v, void *out)
{
    if (!json_is_boolean(v)) {
        refuse(c, at, "expected true or false, found %s", kind_name(v));
        return;
    }
    *(bool *)out = json_is_true(v);
}

void field_int(struct compilation *c, const struct place *at, json_t *v, void *out)
{
    if (!json_is_integer(v)) {
        refuse(c, at, "expected a whole number, found %s", kind_name(v));
        return;
    }
    *(int64_t *)out = json_integer_value(v);
}

void field_strings(struct compilation *c, const struct place *at, json_t *v, void *out)
{
    struct strings *ret = out;
    if (!json_is_array(v)) {
        refuse(c, at, "expected an array of strings, found %s", kind_name(v));
        return;
    }
    size_t i;
    json_t *item;
    json_array_foreach(v, i, item)
    {
        const char *s = NULL;
        const struct place *here = place_index(c, at, i);
        field_string(c, here, item, &s);
        if (!s)
            continue;
        if (strings_have(ret, s))
            refuse(c, here, "\"%s\" is here twice", s);
        else
            strings_add(c, ret, s);
    }
}

void field_json(struct compilation *c, const struct place *at, json_t *v, void *out)
{
    (void)c;
    (void)at;
    *(json_t **)out = v;
}

void field_permissions(struct compilation *c, const struct place *at, json_t *v, void *out)
{
    field_strings(c, at, v, out);
    const struct strings *s = out;
    for (size_t i = 0; i < s->count; i++) {
        const char *colon = strchr(s->items[i], ':');
        const char *dot = strchr(s->items[i], '.');
        if ((!colon && !dot) || strchr(s->items[i], '*'))
            refuse(c, place_index(c, at, i),
                   "\"%s\" is no permission; write one action, for example \"ec2:CreateVpc\"",
                   s->items[i]);
    }
}

const char *word_find(const struct word *words, size_t count, const char *word)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(words[i].word, word) == 0)
            return words[i].c_name;
    }
    return NULL;
}

void word_refuse(struct compilation *c, const struct place *at, const char *got,
                 const struct word *words, size_t count)
{
    const char *list = "";
    for (size_t i = 0; i < count; i++)
        list = text(c, "%s%s%s", list, i ? ", " : "", words[i].word);
    refuse(c, at, "unknown word \"%s\"; one of: %s", got, list);
}

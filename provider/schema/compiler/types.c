/* Types of attributes: reading, building and printing them. Equal types share one definition. */
#include "schemac.h"

#include <stdlib.h>
#include <string.h>

enum { TYPE_DEPTH_MAX = 16 };

static struct type_def *intern(struct compilation *c, struct type_def *t)
{
    for (size_t i = 0; i < c->type_count; i++) {
        if (strcmp(c->types[i]->json, t->json) == 0)
            return c->types[i];
    }
    static const struct word builtin[] = {
        {"\"dynamic\"", "&type_dynamic"},
        {"\"bool\"", "&type_bool"},
        {"\"number\"", "&type_number"},
        {"\"string\"", "&type_string"},
    };
    const char *symbol = word_find(builtin, sizeof(builtin) / sizeof(*builtin), t->json);
    t->symbol = symbol ? symbol : text(c, "&type_%zu", c->type_count);
    c->types = with_item(c, c->types, &c->type_count, t);
    return t;
}

struct type_def *type_primitive(struct compilation *c, const char *kind, const char *json)
{
    struct type_def *t = take(c, 1, sizeof(*t));
    t->kind = kind;
    t->json = text(c, "\"%s\"", json);
    return intern(c, t);
}

struct type_def *type_collection(struct compilation *c, const char *kind, struct type_def *elem)
{
    struct type_def *t = take(c, 1, sizeof(*t));
    const char *word = strcmp(kind, "TYPE_LIST") == 0  ? "list"
                       : strcmp(kind, "TYPE_SET") == 0 ? "set"
                                                       : "map";
    t->kind = kind;
    t->elem = elem;
    t->json = text(c, "[\"%s\",%s]", word, elem->json);
    return intern(c, t);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct type_member *)a)->name, ((const struct type_member *)b)->name);
}

struct type_def *type_structure(struct compilation *c, struct type_member *members, size_t count)
{
    struct type_def *t = take(c, 1, sizeof(*t));
    bool object = count == 0 || members[0].name;
    if (object && count)
        qsort(members, count, sizeof(*members), by_name);
    const char *json = "";
    for (size_t i = 0; i < count; i++) {
        const char *comma = i ? "," : "";
        json = object
                   ? text(c, "%s%s\"%s\":%s", json, comma, members[i].name, members[i].type->json)
                   : text(c, "%s%s%s", json, comma, members[i].type->json);
    }
    t->kind = object ? "TYPE_OBJECT" : "TYPE_TUPLE";
    t->members = members;
    t->member_count = count;
    t->json = object ? text(c, "[\"object\",{%s}]", json) : text(c, "[\"tuple\",[%s]]", json);
    return intern(c, t);
}

bool type_has_dynamic(const struct type_def *t)
{
    if (strcmp(t->kind, "TYPE_DYNAMIC") == 0)
        return true;
    if (t->elem)
        return type_has_dynamic(t->elem);
    for (size_t i = 0; i < t->member_count; i++) {
        if (type_has_dynamic(t->members[i].type))
            return true;
    }
    return false;
}

const struct type_member *type_member_find(const struct type_def *t, const char *name)
{
    for (size_t i = 0; i < t->member_count; i++) {
        if (t->members[i].name && strcmp(t->members[i].name, name) == 0)
            return &t->members[i];
    }
    return NULL;
}

const char *type_text(struct compilation *c, const struct type_def *t)
{
    if (t->elem) {
        const char *word = strcmp(t->kind, "TYPE_LIST") == 0  ? "list"
                           : strcmp(t->kind, "TYPE_SET") == 0 ? "set"
                                                              : "map";
        return text(c, "%s(%s)", word, type_text(c, t->elem));
    }
    const char *inner = "";
    for (size_t i = 0; i < t->member_count; i++) {
        const struct type_member *m = &t->members[i];
        const char *name = m->name ? text(c, "%s = ", m->name) : "";
        inner = text(c, "%s%s%s%s", inner, i ? ", " : "", name, type_text(c, m->type));
    }
    if (strcmp(t->kind, "TYPE_OBJECT") == 0)
        return text(c, "object({%s})", inner);
    if (strcmp(t->kind, "TYPE_TUPLE") == 0)
        return text(c, "tuple([%s])", inner);
    /* "\"string\"" without its quotes */
    return text(c, "%.*s", (int)strlen(t->json) - 2, t->json + 1);
}

/* ---- reading ---- */

static struct type_def *parse(struct compilation *c, const struct place *at, json_t *v, int depth);

static struct type_def *parse_members(struct compilation *c, const struct place *at, json_t *v,
                                      int depth)
{
    size_t count = json_is_object(v) ? json_object_size(v) : json_array_size(v);
    struct type_member *members = take(c, count + 1, sizeof(*members));
    for (size_t i = 0; i < json_array_size(v); i++) {
        members[i].type = parse(c, place_index(c, at, i), json_array_get(v, i), depth);
        if (!members[i].type)
            return NULL;
    }
    size_t n = 0;
    const char *key;
    json_t *member;
    json_object_foreach(v, key, member)
    {
        members[n].name = text(c, "%s", key);
        members[n].type = parse(c, place_key(c, at, key), member, depth);
        if (!members[n++].type)
            return NULL;
    }
    return type_structure(c, members, count);
}

static struct type_def *parse(struct compilation *c, const struct place *at, json_t *v, int depth)
{
    static const struct word primitives[] = {{"string", "TYPE_STRING"},
                                             {"number", "TYPE_NUMBER"},
                                             {"bool", "TYPE_BOOL"},
                                             {"dynamic", "TYPE_DYNAMIC"}};
    static const struct word collections[] = {
        {"list", "TYPE_LIST"}, {"set", "TYPE_SET"}, {"map", "TYPE_MAP"}};
    const char *word = json_string_value(json_is_array(v) ? json_array_get(v, 0) : v);
    json_t *inner = json_array_size(v) == 2 ? json_array_get(v, 1) : NULL;
    if (word && depth < TYPE_DEPTH_MAX) {
        const char *kind = word_find(primitives, 4, word);
        if (kind && json_is_string(v))
            return type_primitive(c, kind, word);
        kind = word_find(collections, 3, word);
        if (kind && inner) {
            struct type_def *elem = parse(c, place_index(c, at, 1), inner, depth + 1);
            return elem ? type_collection(c, kind, elem) : NULL;
        }
        if (strcmp(word, "object") == 0 && json_is_object(inner))
            return parse_members(c, place_index(c, at, 1), inner, depth + 1);
        if (strcmp(word, "tuple") == 0 && json_is_array(inner) && json_array_size(inner))
            return parse_members(c, place_index(c, at, 1), inner, depth + 1);
    }
    refuse(c, at,
           "not a type; write \"string\", \"number\", \"bool\", \"dynamic\", "
           "[\"list\"|\"set\"|\"map\", T], [\"object\", {name: T}] or [\"tuple\", [T]]");
    return NULL;
}

void field_type(struct compilation *c, const struct place *at, json_t *v, void *out)
{
    *(struct type_def **)out = parse(c, at, v, 0);
}

static void check_members(struct compilation *c, const struct place *at, const struct type_def *t,
                          json_t *v)
{
    const char *key;
    json_t *member;
    json_object_foreach(v, key, member)
    {
        const struct type_member *m = type_member_find(t, key);
        if (m)
            type_check_json(c, place_key(c, at, key), m->type, member);
        else
            refuse(c, at, "%s has no attribute \"%s\"", type_text(c, t), key);
    }
}

void type_check_json(struct compilation *c, const struct place *at, const struct type_def *t,
                     json_t *v)
{
    const char *k = t->kind;
    bool map = strcmp(k, "TYPE_MAP") == 0;
    bool ok = json_is_null(v) || strcmp(k, "TYPE_DYNAMIC") == 0;
    if (strcmp(k, "TYPE_STRING") == 0)
        ok = ok || json_is_string(v);
    else if (strcmp(k, "TYPE_NUMBER") == 0)
        ok = ok || json_is_number(v);
    else if (strcmp(k, "TYPE_BOOL") == 0)
        ok = ok || json_is_boolean(v);
    else if (map || strcmp(k, "TYPE_OBJECT") == 0)
        ok = ok || json_is_object(v);
    else
        ok = ok || json_is_array(v);
    if (!ok) {
        refuse(c, at, "the value is no %s", type_text(c, t));
        return;
    }
    if (strcmp(k, "TYPE_OBJECT") == 0) {
        check_members(c, at, t, v);
        return;
    }
    const char *key;
    json_t *member;
    json_object_foreach(v, key, member)
    {
        if (map)
            type_check_json(c, place_key(c, at, key), t->elem, member);
    }
    for (size_t i = 0; i < json_array_size(v); i++) {
        const struct type_def *e = t->elem               ? t->elem
                                   : i < t->member_count ? t->members[i].type
                                                         : NULL;
        if (e)
            type_check_json(c, place_index(c, at, i), e, json_array_get(v, i));
        else if (strcmp(k, "TYPE_TUPLE") == 0)
            refuse(c, at, "more members than %s has", type_text(c, t));
    }
}

/* Reading components/<cloud>/<kind>.json, and templates. */
#include "schemac.h"

#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof(*(a)))

/* ---- templates ---- */

static const struct word transforms[] = {
    {"tags", "TRANSFORM_TAGS"},
    {"tags_lower", "TRANSFORM_TAGS_LOWER"},
    {"tag_keys", "TRANSFORM_TAG_KEYS"},
    {"keys", "TRANSFORM_KEYS"},
    {"json", "TRANSFORM_JSON"},
    {"json_parse", "TRANSFORM_JSON_PARSE"},
    {"base64", "TRANSFORM_BASE64"},
    {"base64_decode", "TRANSFORM_BASE64_DECODE"},
    {"string", "TRANSFORM_STRING"},
    {"number", "TRANSFORM_NUMBER"},
    {"bool", "TRANSFORM_BOOL"},
    {"tags_map", "TRANSFORM_TAGS_MAP"},
    {"json_document", "TRANSFORM_JSON_DOCUMENT"},
    {"list", "TRANSFORM_LIST"},
    {"first_of", "TRANSFORM_FIRST_OF"},
    {"values", "TRANSFORM_VALUES"},
    {"basename", "TRANSFORM_BASENAME"},
    {"relative", "TRANSFORM_RELATIVE"},
    {"without_scheme", "TRANSFORM_WITHOUT_SCHEME"},
    {"unless_empty", "TRANSFORM_UNLESS_EMPTY"},
    {"plain", "TRANSFORM_PLAIN"},
    {"quantities", "TRANSFORM_QUANTITIES"},
    {"float32", "TRANSFORM_FLOAT32"},
};

static void field_transform(struct compilation *c, const struct place *at, json_t *v, void *out)
{
    const char *s = NULL;
    field_string(c, at, v, &s);
    const char *name = s ? word_find(transforms, COUNT(transforms), s) : NULL;
    if (name)
        *(const char **)out = name;
    else if (s)
        word_refuse(c, at, s, transforms, COUNT(transforms));
}

static struct tmpl *parse_template(struct compilation *c, const struct place *at, json_t *v);

static void members_of_array(struct compilation *c, struct tmpl *t, const struct place *at,
                             json_t *v)
{
    t->members = take(c, json_array_size(v) + 1, sizeof(*t->members));
    for (size_t i = 0; i < json_array_size(v); i++)
        t->members[t->member_count++].value =
            parse_template(c, place_index(c, at, i), json_array_get(v, i));
}

static void members_of_object(struct compilation *c, struct tmpl *t, json_t *v)
{
    t->members = take(c, json_object_size(v) + 1, sizeof(*t->members));
    const char *key;
    json_t *member;
    json_object_foreach(v, key, member)
    {
        const struct place *here = place_key(c, t->at, key);
        t->members[t->member_count].name = here->key;
        t->members[t->member_count++].value = parse_template(c, here, member);
    }
}

/* {"value": T, "as": W}, {"first": […]}, {"join": […]}, each with or without "as"; anything else is
 * an object. */
static struct tmpl *parse_object(struct compilation *c, const struct place *at, json_t *v)
{
    json_t *first = json_object_get(v, "first"), *value = json_object_get(v, "value");
    json_t *join = json_object_get(v, "join");
    json_t *as = json_object_get(v, "as");
    size_t rest = json_object_size(v) - (as != NULL);
    struct tmpl *t = NULL;
    if (as && value && rest == 1) {
        t = parse_template(c, place_key(c, at, "value"), value);
        if (t->transform)
            refuse(c, at, "a transformation of a transformation");
    } else {
        t = take(c, 1, sizeof(*t));
        t->at = at;
        t->kind = TMPL_OBJECT;
        if (json_is_array(first) && rest == 1) {
            t->kind = TMPL_FIRST;
            members_of_array(c, t, place_key(c, at, "first"), first);
        } else if (json_is_array(join) && rest == 1) {
            t->kind = TMPL_JOIN;
            members_of_array(c, t, place_key(c, at, "join"), join);
        } else {
            members_of_object(c, t, v);
            as = NULL;
        }
    }
    if (as)
        field_transform(c, place_key(c, at, "as"), as, &t->transform);
    return t;
}

static struct tmpl *parse_template(struct compilation *c, const struct place *at, json_t *v)
{
    if (json_is_object(v))
        return parse_object(c, at, v);
    struct tmpl *t = take(c, 1, sizeof(*t));
    t->at = at;
    const char *s = json_string_value(v);
    if (json_is_array(v)) {
        t->kind = TMPL_TUPLE;
        members_of_array(c, t, at, v);
    } else if (s && s[0] == '$' && s[1] != '$') {
        t->kind = TMPL_REF;
        t->ref = text(c, "%s", s + 1);
        if (!*t->ref)
            refuse(c, at, "a reference to nothing; a dollar sign is written \"$$\"");
    } else {
        t->kind = TMPL_LITERAL;
        t->literal = v;
    }
    return t;
}

void field_template(struct compilation *c, const struct place *at, json_t *v, void *out)
{
    *(struct tmpl **)out = parse_template(c, at, v);
}

/* ---- states ---- */

void field_states(struct compilation *c, const struct place *at, json_t *v, void *out)
{
    static const struct field fields[] = {
        {"path", false, field_string, offsetof(struct states_def, path)},
        {"pending", false, field_strings, offsetof(struct states_def, pending)},
        {"ready", false, field_strings, offsetof(struct states_def, ready)},
        {"gone", false, field_strings, offsetof(struct states_def, gone)},
        {"failed", false, field_strings, offsetof(struct states_def, failed)},
        {"unmade", false, field_strings, offsetof(struct states_def, unmade)},
        {"undeleted", false, field_strings, offsetof(struct states_def, undeleted)},
        {"reason", false, field_string, offsetof(struct states_def, reason)},
        {"gone_when", false, field_string, offsetof(struct states_def, gone_when)},
        {"expect", false, field_strings, offsetof(struct states_def, expect)},
    };
    enum { LISTS = 5 };
    struct states_def *s = out;
    if (!fields_read(c, at, v, fields, COUNT(fields), s))
        return;
    if (!s->path &&
        s->pending.count + s->ready.count + s->gone.count + s->failed.count + s->unmade.count)
        refuse(c, at, "states without a \"path\" to find them at");
    if (s->path && s->ready.count == 0)
        refuse(c, at, "no state is \"ready\"");
    for (size_t i = 0; i < s->undeleted.count; i++)
        if (!strings_have(&s->failed, s->undeleted.items[i]) &&
            !strings_have(&s->unmade, s->undeleted.items[i]))
            refuse(c, at, "\"undeleted\" has \"%s\", which is no failed state",
                   s->undeleted.items[i]);
    const struct strings *lists[LISTS] = {&s->pending, &s->ready, &s->gone, &s->failed, &s->unmade};
    for (size_t i = 0; i < LISTS; i++) {
        for (size_t k = 0; k < lists[i]->count; k++) {
            for (size_t j = i + 1; j < LISTS; j++) {
                if (strings_have(lists[j], lists[i]->items[k]))
                    refuse(c, at, "the state \"%s\" is in two lists", lists[i]->items[k]);
            }
        }
    }
}

static void field_wait(struct compilation *c, const struct place *at, json_t *v, void *out)
{
    struct states_def *s = take(c, 1, sizeof(*s));
    field_states(c, at, v, s);
    if (!s->path)
        refuse(c, at, "missing field \"path\"");
    *(struct states_def **)out = s;
}

/* ---- reads ---- */

static void field_read(struct compilation *c, const struct place *at, json_t *v, void *out)
{
    static const struct field fields[] = {
        {"op", true, field_string, offsetof(struct read_def, op.name)},
        {"service", false, field_string, offsetof(struct read_def, op.service)},
        {"method", false, field_string, offsetof(struct read_def, op.method)},
        {"uri", false, field_string, offsetof(struct read_def, op.uri)},
        {"request", true, field_template, offsetof(struct read_def, request)},
        {"batch", false, field_bool, offsetof(struct read_def, batch)},
        {"items", false, field_string, offsetof(struct read_def, items)},
        {"match", false, field_string, offsetof(struct read_def, match)},
        {"match_attr", false, field_string, offsetof(struct read_def, match_attr)},
        {"present", false, field_string, offsetof(struct read_def, present)},
        {"not_found", false, field_strings, offsetof(struct read_def, not_found)},
        {"next_token", false, field_string, offsetof(struct read_def, next_token)},
        {"when", false, field_string, offsetof(struct read_def, when)},
    };
    struct read_def *r = out;
    r->at = at;
    r->op.idempotent = true;
    if (!fields_read(c, at, v, fields, COUNT(fields), r))
        return;
    if (r->batch && (!r->items || !r->match))
        refuse(c, at, "a batch needs \"items\" and \"match\"");
    if (r->match_attr && !r->match)
        refuse(c, at, "\"match_attr\" without \"match\"");
    if (r->present && r->items)
        refuse(c, at, "\"present\" is for reads without \"items\"");
    if ((r->op.method != NULL) != (r->op.uri != NULL))
        refuse(c, at, "\"method\" and \"uri\" go together");
}

static void field_wait_read(struct compilation *c, const struct place *at, json_t *v, void *out)
{
    struct read_def *r = take(c, 1, sizeof(*r));
    field_read(c, at, v, r);
    if (r->batch)
        refuse(c, at, "a wait looks for one");
    *(struct read_def **)out = r;
}

/* ---- steps ---- */

static void parse_output(struct compilation *c, const struct place *at, json_t *v,
                         struct output_def *out)
{
    static const struct field fields[] = {
        {"path", true, field_string, offsetof(struct output_def, path)},
        {"as", true, field_transform, offsetof(struct output_def, transform)},
    };
    out->at = at;
    out->attr = at->key;
    if (json_is_object(v))
        fields_read(c, at, v, fields, COUNT(fields), out);
    else
        field_string(c, at, v, &out->path);
}

static void field_outputs(struct compilation *c, const struct place *at, json_t *v, void *out)
{
    struct step_def *s = out;
    if (!json_is_object(v)) {
        refuse(c, at, "expected an object: attributes and the paths to take them from");
        return;
    }
    s->outputs = take(c, json_object_size(v) + 1, sizeof(*s->outputs));
    const char *key;
    json_t *member;
    json_object_foreach(v, key, member)
    {
        parse_output(c, place_key(c, at, key), member, &s->outputs[s->output_count++]);
    }
}

static void field_each(struct compilation *c, const struct place *at, json_t *v, void *out)
{
    struct step_def *s = out;
    const char *added = json_string_value(json_object_get(v, "added"));
    const char *removed = json_string_value(json_object_get(v, "removed"));
    if (json_object_size(v) != 1 || (!added && !removed)) {
        refuse(c, at, "expected {\"added\": attribute} or {\"removed\": attribute}");
        return;
    }
    s->each = added ? "COMPONENT_EACH_ADDED" : "COMPONENT_EACH_REMOVED";
    s->each_attr = text(c, "%s", added ? added : removed);
}

static void field_condition(struct compilation *c, const struct place *at, json_t *v, void *out)
{
    static const struct field fields[] = {
        {"attr", true, field_string, offsetof(struct condition_def, attr)},
        {"equals", true, field_string, offsetof(struct condition_def, equals)},
    };
    struct condition_def *d = out;
    if (json_is_object(v))
        fields_read(c, at, v, fields, COUNT(fields), d);
    else
        field_string(c, at, v, &d->attr);
}

static void parse_step(struct compilation *c, const struct place *at, json_t *v, struct step_def *s)
{
    static const struct field fields[] = {
        {"op", false, field_string, offsetof(struct step_def, op.name)},
        {"service", false, field_string, offsetof(struct step_def, op.service)},
        {"method", false, field_string, offsetof(struct step_def, op.method)},
        {"uri", false, field_string, offsetof(struct step_def, op.uri)},
        {"token", false, field_string, offsetof(struct step_def, op.token)},
        {"idempotent", false, field_bool, offsetof(struct step_def, op.idempotent)},
        {"request", false, field_template, offsetof(struct step_def, request)},
        {"outputs", false, field_outputs, 0},
        {"each", false, field_each, 0},
        {"when", false, field_condition, offsetof(struct step_def, when)},
        {"unless", false, field_condition, offsetof(struct step_def, unless)},
        {"tolerate", false, field_strings, offsetof(struct step_def, tolerate)},
        {"retry", false, field_strings, offsetof(struct step_def, retry)},
        {"restart", false, field_strings, offsetof(struct step_def, restart)},
        {"retry_ms", false, field_int, offsetof(struct step_def, retry_ms)},
        {"wait", false, field_wait, offsetof(struct step_def, wait)},
        {"read", false, field_wait_read, offsetof(struct step_def, wait_read)},
        {"wait_gone", false, field_bool, offsetof(struct step_def, wait_gone)},
    };
    s->at = at;
    if (!fields_read(c, at, v, fields, COUNT(fields), s))
        return;
    if ((s->op.name != NULL) + (s->wait != NULL) + s->wait_gone != 1)
        refuse(c, at, "a step has exactly one of \"op\", \"wait\" and \"wait_gone\"");
    else if (s->op.name && !s->request)
        refuse(c, at, "missing field \"request\"");
    else if (!s->op.name &&
             (s->request || s->outputs || s->each || s->op.service || s->op.token ||
              s->op.idempotent || s->tolerate.count || s->retry.count || s->restart.count))
        refuse(c, at, "a wait takes no fields of a call");
    if (s->wait_read && !s->wait)
        refuse(c, at, "\"read\" belongs to \"wait\"");
    if ((s->op.method != NULL) != (s->op.uri != NULL))
        refuse(c, at, "\"method\" and \"uri\" go together");
    if (s->retry_ms < 0)
        refuse(c, at, "\"retry_ms\" is negative");
}

void field_steps(struct compilation *c, const struct place *at, json_t *v, void *out)
{
    struct steps *s = out;
    if (!json_is_array(v)) {
        refuse(c, at, "expected an array of steps");
        return;
    }
    s->items = take(c, json_array_size(v) + 1, sizeof(*s->items));
    for (size_t i = 0; i < json_array_size(v); i++)
        parse_step(c, place_index(c, at, i), json_array_get(v, i), &s->items[s->count++]);
}

/* ---- extra reads, updates ---- */

static struct extra_read_def *named_reads(struct compilation *c, const struct place *at, json_t *v,
                                          size_t *ret_count)
{
    size_t count = 0;
    if (!json_is_object(v)) {
        refuse(c, at, "expected an object of reads");
        return NULL;
    }
    struct extra_read_def *reads = take(c, json_object_size(v) + 1, sizeof(*reads));
    const char *key;
    json_t *member;
    json_object_foreach(v, key, member)
    {
        const struct place *here = place_key(c, at, key);
        reads[count].name = here->key;
        field_read(c, here, member, &reads[count++].read);
    }
    *ret_count = count;
    return reads;
}

static void field_extra_reads(struct compilation *c, const struct place *at, json_t *v, void *out)
{
    struct component_def *d = out;
    d->extra_reads = named_reads(c, at, v, &d->extra_read_count);
}

static void field_holders(struct compilation *c, const struct place *at, json_t *v, void *out)
{
    struct held_def *h = out;
    h->by = named_reads(c, at, v, &h->by_count);
}

static void field_held(struct compilation *c, const struct place *at, json_t *v, void *out)
{
    static const struct field fields[] = {
        {"codes", true, field_strings, offsetof(struct held_def, codes)},
        {"by", true, field_holders, 0},
        {"advice", true, field_string, offsetof(struct held_def, advice)},
        {"patience_ms", false, field_int, offsetof(struct held_def, patience_ms)},
    };
    struct held_def *h = out;
    h->at = at;
    if (fields_read(c, at, v, fields, COUNT(fields), h) && h->patience_ms < 0)
        refuse(c, at, "\"patience_ms\" is negative");
}

static void field_updates(struct compilation *c, const struct place *at, json_t *v, void *out)
{
    static const struct field fields[] = {
        {"attrs", true, field_strings, offsetof(struct update_def, attrs)},
        {"warning", false, field_string, offsetof(struct update_def, warning)},
        {"steps", true, field_steps, offsetof(struct update_def, steps)},
    };
    struct component_def *d = out;
    if (!json_is_array(v)) {
        refuse(c, at, "expected an array of updates");
        return;
    }
    d->updates = take(c, json_array_size(v) + 1, sizeof(*d->updates));
    for (size_t i = 0; i < json_array_size(v); i++) {
        struct update_def *u = &d->updates[d->update_count++];
        u->at = place_index(c, at, i);
        if (!fields_read(c, u->at, json_array_get(v, i), fields, COUNT(fields), u))
            continue;
        if (u->attrs.count == 0)
            refuse(c, u->at, "an update has attributes");
        if (u->warning && (!*u->warning || u->warning[strlen(u->warning) - 1] == '.'))
            refuse(c, u->at,
                   "a warning is said inside of a sentence, and ends without a full stop");
    }
}

/* ---- attributes and the whole file ---- */

static void field_change(struct compilation *c, const struct place *at, json_t *v, void *out)
{
    static const struct word words[] = {{"replace", "COMPONENT_REPLACE"},
                                        {"update", "COMPONENT_UPDATE"},
                                        {"keep", "COMPONENT_KEEP"}};
    const char *s = NULL;
    field_string(c, at, v, &s);
    const char *name = s ? word_find(words, COUNT(words), s) : NULL;
    if (name)
        *(const char **)out = name;
    else if (s)
        word_refuse(c, at, s, words, COUNT(words));
}

static void field_component_attributes(struct compilation *c, const struct place *at, json_t *v,
                                       void *out)
{
    static const struct field fields[] = {
        {"type", true, field_type, offsetof(struct component_attr_def, type)},
        {"change", false, field_change, offsetof(struct component_attr_def, change)},
        {"input", false, field_bool, offsetof(struct component_attr_def, input)},
        {"output", false, field_bool, offsetof(struct component_attr_def, output)},
        {"required", false, field_bool, offsetof(struct component_attr_def, required)},
        {"sensitive", false, field_bool, offsetof(struct component_attr_def, sensitive)},
        {"in_create", false, field_bool, offsetof(struct component_attr_def, in_create)},
        {"is_set", false, field_bool, offsetof(struct component_attr_def, is_set)},
        {"tags", false, field_bool, offsetof(struct component_attr_def, tags)},
        {"owner", false, field_bool, offsetof(struct component_attr_def, owner)},
        {"if_set", false, field_bool, offsetof(struct component_attr_def, if_set)},
        {"read", false, field_string, offsetof(struct component_attr_def, read)},
        {"read_as", false, field_transform, offsetof(struct component_attr_def, read_as)},
        {"read_where", false, field_string, offsetof(struct component_attr_def, read_where)},
        {"absent", false, field_json, offsetof(struct component_attr_def, absent)},
        {"compare_as", false, field_transform, offsetof(struct component_attr_def, compare_as)},
        {"defaults", false, field_bool, offsetof(struct component_attr_def, defaults)},
        {"version_of", false, field_string, offsetof(struct component_attr_def, version_of)},
        {"unsent", false, field_string, offsetof(struct component_attr_def, unsent)},
    };
    struct component_def *d = out;
    if (!json_is_object(v) || json_object_size(v) == 0) {
        refuse(c, at, "expected an object of attributes");
        return;
    }
    d->attrs = take(c, json_object_size(v), sizeof(*d->attrs));
    const char *key;
    json_t *member;
    json_object_foreach(v, key, member)
    {
        struct component_attr_def *a = &d->attrs[d->attr_count++];
        a->at = place_key(c, at, key);
        a->name = a->at->key;
        fields_read(c, a->at, member, fields, COUNT(fields), a);
    }
}

static void field_poll(struct compilation *c, const struct place *at, json_t *v, void *out)
{
    int64_t *poll = out;
    if (json_array_size(v) != 2) {
        refuse(c, at, "expected [first, longest] in milliseconds");
        return;
    }
    field_int(c, place_index(c, at, 0), json_array_get(v, 0), &poll[0]);
    field_int(c, place_index(c, at, 1), json_array_get(v, 1), &poll[1]);
    if (poll[0] < 1 || poll[0] > poll[1])
        refuse(c, at, "the first pause is at least 1 ms and not longer than the longest");
}

struct component_def *parse_component(struct compilation *c, const struct place *at, json_t *v,
                                      const char *cloud)
{
    static const struct field fields[] = {
        {"kind", true, field_string, offsetof(struct component_def, kind)},
        {"title", true, field_string, offsetof(struct component_def, title)},
        {"service", true, field_string, offsetof(struct component_def, service)},
        {"hidden", false, field_bool, offsetof(struct component_def, hidden)},
        {"adopt_only", false, field_bool, offsetof(struct component_def, adopt_only)},
        {"put_back", false, field_bool, offsetof(struct component_def, put_back)},
        {"destroyed_by", false, field_string, offsetof(struct component_def, destroyed_by)},
        {"taken", false, field_string, offsetof(struct component_def, taken)},
        {"attributes", true, field_component_attributes, 0},
        {"id", true, field_string, offsetof(struct component_def, id)},
        {"display", true, field_string, offsetof(struct component_def, display)},
        {"create", false, field_steps, offsetof(struct component_def, create)},
        {"states", false, field_states, offsetof(struct component_def, states)},
        {"read", false, field_read, offsetof(struct component_def, read)},
        {"extra_reads", false, field_extra_reads, 0},
        {"find", false, field_read, offsetof(struct component_def, find)},
        {"list", false, field_read, offsetof(struct component_def, list)},
        {"held", false, field_held, offsetof(struct component_def, held)},
        {"updates", false, field_updates, 0},
        {"destroy", false, field_steps, offsetof(struct component_def, destroy)},
        {"permissions", true, field_permissions, offsetof(struct component_def, permissions)},
        {"poll", false, field_poll, offsetof(struct component_def, poll)},
    };
    struct component_def *d = take(c, 1, sizeof(*d));
    d->at = at;
    d->cloud = text(c, "%s", cloud);
    d->poll[0] = 1000;
    d->poll[1] = 15000;
    if (!fields_read(c, at, v, fields, COUNT(fields), d) || !d->kind)
        return NULL;
    d->symbol = text(c, "component_%s", d->kind);
    return d;
}

/* response.c: the schema messages of the plugin protocol, packed. A tiny protobuf writer; field
 * numbers are those of tfplugin6, minor 10. Fields with their default value are left out, as proto3
 * does. */
#include "schemac.h"

#include <stdlib.h>
#include <string.h>

enum { WIRE_VARINT = 0, WIRE_BYTES = 2, KIND_MARKDOWN = 1, NESTING_SINGLE = 1 };

struct message {
    struct compilation *c;
    unsigned char *bytes;
    size_t len, cap;
};

static void put(struct message *m, const void *data, size_t len)
{
    if (m->len + len > m->cap) {
        size_t cap = 2 * (m->len + len) + 64;
        unsigned char *bytes = take(m->c, cap, 1);
        if (m->len)
            memcpy(bytes, m->bytes, m->len);
        m->bytes = bytes;
        m->cap = cap;
    }
    if (len)
        memcpy(m->bytes + m->len, data, len);
    m->len += len;
}

static void put_varint(struct message *m, uint64_t n)
{
    do {
        unsigned char b = (unsigned char)((n & 0x7f) | (n > 0x7f ? 0x80 : 0));
        put(m, &b, 1);
        n >>= 7;
    } while (n);
}

static void put_int(struct message *m, unsigned field, uint64_t n)
{
    if (!n)
        return;
    put_varint(m, (uint64_t)field << 3 | WIRE_VARINT);
    put_varint(m, n);
}

static void put_bytes(struct message *m, unsigned field, const void *data, size_t len)
{
    put_varint(m, (uint64_t)field << 3 | WIRE_BYTES);
    put_varint(m, len);
    put(m, data, len);
}

static void put_text(struct message *m, unsigned field, const char *s)
{
    if (s && *s)
        put_bytes(m, field, s, strlen(s));
}

static void put_message(struct message *m, unsigned field, const struct message *inner)
{
    put_bytes(m, field, inner->bytes, inner->len);
}

/* An entry of a map<string, message>. */
static void put_entry(struct message *m, unsigned field, const char *key,
                      const struct message *value)
{
    struct message entry = {.c = m->c};
    put_text(&entry, 1, key);
    put_message(&entry, 2, value);
    put_message(m, field, &entry);
}

/* ---- Schema ---- */

static void put_attribute(struct message *m, unsigned field, const struct attr_def *a);

static void put_nested(struct message *m, const struct attr_def *a)
{
    static const char *const nestings[] = {"", "single", "list", "set", "map"};
    struct message object = {.c = m->c};
    for (size_t i = 0; i < a->attr_count; i++)
        put_attribute(&object, 1, a->attrs[i]);
    for (unsigned i = 1; i < sizeof(nestings) / sizeof(*nestings); i++) {
        if (strcmp(nestings[i], a->nesting) == 0)
            put_int(&object, 3, i);
    }
    put_message(m, 10, &object);
}

static void put_attribute(struct message *m, unsigned field, const struct attr_def *a)
{
    struct message at = {.c = m->c};
    put_text(&at, 1, a->name);
    if (!a->nesting)
        put_text(&at, 2, a->type->json);
    put_text(&at, 3, a->description);
    put_int(&at, 4, a->required);
    put_int(&at, 5, a->optional);
    put_int(&at, 6, a->computed);
    put_int(&at, 7, a->sensitive);
    put_int(&at, 8, KIND_MARKDOWN);
    put_int(&at, 9, a->deprecated != NULL);
    if (a->nesting)
        put_nested(&at, a);
    put_int(&at, 11, a->write_only);
    put_text(&at, 12, a->deprecated);
    put_message(m, field, &at);
}

static void put_timeout(struct message *block, const char *operation, const char *duration)
{
    if (!duration)
        return;
    struct message at = {.c = block->c};
    put_text(&at, 1, operation);
    put_text(&at, 2, "\"string\"");
    put_text(&at, 3,
             text(block->c,
                  "How long %s may take, with every try and wait, for example `1h30m`. "
                  "Default: `%s`.",
                  operation, duration));
    put_int(&at, 5, 1);
    put_int(&at, 8, KIND_MARKDOWN);
    put_message(block, 2, &at);
}

static void put_timeouts(struct message *block, const struct timeout_def *t)
{
    struct message nested = {.c = block->c}, inner = {.c = block->c};
    put_timeout(&inner, "create", t->create);
    put_timeout(&inner, "delete", t->destroy);
    put_timeout(&inner, "update", t->update);
    put_int(&inner, 5, KIND_MARKDOWN);
    put_text(&nested, 1, "timeouts");
    put_message(&nested, 2, &inner);
    put_int(&nested, 3, NESTING_SINGLE);
    put_message(block, 3, &nested);
}

static struct message schema_message(struct compilation *c, const struct schema_def *s)
{
    struct message schema = {.c = c}, block = {.c = c};
    put_int(&block, 1, (uint64_t)s->version);
    for (size_t i = 0; i < s->attr_count; i++)
        put_attribute(&block, 2, s->attrs[i]);
    if (s->timeouts)
        put_timeouts(&block, s->timeouts);
    put_text(&block, 4, s->description);
    put_int(&block, 5, KIND_MARKDOWN);
    put_int(&block, 6, s->deprecated != NULL);
    put_text(&block, 7, s->deprecated);
    put_int(&schema, 1, (uint64_t)s->version);
    put_message(&schema, 2, &block);
    return schema;
}

static void put_schemas(struct message *m, unsigned field, const struct schema_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        struct message s = schema_message(m->c, list->items[i]);
        put_entry(m, field, list->items[i]->type, &s);
    }
}

/* ---- Function ---- */

static void put_parameter(struct message *m, unsigned field, const struct parameter_def *p)
{
    struct message at = {.c = m->c};
    put_text(&at, 1, p->name);
    put_text(&at, 2, p->type->json);
    put_int(&at, 3, p->allow_null);
    put_int(&at, 4, p->allow_unknown);
    put_text(&at, 5, p->description);
    put_int(&at, 6, KIND_MARKDOWN);
    put_message(m, field, &at);
}

static void put_functions(struct message *m, unsigned field)
{
    struct compilation *c = m->c;
    for (size_t i = 0; i < c->function_count; i++) {
        const struct function_def *d = c->functions[i];
        struct message f = {.c = c}, result = {.c = c};
        for (size_t k = 0; k < d->parameter_count; k++)
            put_parameter(&f, 1, &d->parameters[k]);
        if (d->variadic)
            put_parameter(&f, 2, d->variadic);
        put_text(&result, 1, d->result->json);
        put_message(&f, 3, &result);
        put_text(&f, 4, d->summary);
        put_text(&f, 5, d->description);
        put_int(&f, 6, KIND_MARKDOWN);
        put_text(&f, 7, d->deprecated);
        put_entry(m, field, d->name, &f);
    }
}

/* ---- the responses ---- */

/* plan_destroy, get_provider_schema_optional, move_resource_state; we generate no configuration. */
static void put_capabilities(struct message *m, unsigned field)
{
    struct message at = {.c = m->c};
    put_int(&at, 1, 1);
    put_int(&at, 2, 1);
    put_int(&at, 3, 1);
    put_message(m, field, &at);
}

static struct message schema_response(struct compilation *c)
{
    struct message m = {.c = c}, provider = schema_message(c, c->provider);
    put_message(&m, 1, &provider);
    put_schemas(&m, 2, &c->resources);
    put_schemas(&m, 3, &c->data_sources);
    put_capabilities(&m, 6);
    put_functions(&m, 7);
    put_schemas(&m, 8, &c->ephemerals);
    return m;
}

static void put_names(struct message *m, unsigned field, const char *name)
{
    struct message at = {.c = m->c};
    put_text(&at, 1, name);
    put_message(m, field, &at);
}

static struct message metadata_response(struct compilation *c)
{
    struct message m = {.c = c};
    put_capabilities(&m, 1);
    for (size_t i = 0; i < c->data_sources.count; i++)
        put_names(&m, 3, c->data_sources.items[i]->type);
    for (size_t i = 0; i < c->resources.count; i++)
        put_names(&m, 4, c->resources.items[i]->type);
    for (size_t i = 0; i < c->function_count; i++)
        put_names(&m, 5, c->functions[i]->name);
    for (size_t i = 0; i < c->ephemerals.count; i++)
        put_names(&m, 6, c->ephemerals.items[i]->type);
    return m;
}

static struct message identity_response(struct compilation *c)
{
    struct message m = {.c = c};
    for (size_t i = 0; i < c->resources.count; i++) {
        const struct identity_def *d = c->resources.items[i]->identity;
        struct message s = {.c = c};
        if (!d)
            continue;
        put_int(&s, 1, (uint64_t)d->version);
        for (size_t k = 0; k < d->attr_count; k++) {
            struct message at = {.c = c};
            put_text(&at, 1, d->attrs[k].name);
            put_text(&at, 2, "\"string\"");
            put_int(&at, 3, 1);
            put_text(&at, 5, d->attrs[k].description);
            put_message(&s, 2, &at);
        }
        put_entry(&m, 1, c->resources.items[i]->type, &s);
    }
    return m;
}

static struct message functions_response(struct compilation *c)
{
    struct message m = {.c = c};
    put_functions(&m, 1);
    return m;
}

static void emit_message(FILE *f, const char *name, const struct message *m)
{
    fprintf(f, "const unsigned char %s[] = {", name);
    for (size_t i = 0; i < m->len; i++)
        fprintf(f, "%s%u,", i % 24 ? "" : "\n    ", m->bytes[i]);
    /* An empty array is not C; an empty message has no bytes. */
    fprintf(f, "%s};\nconst size_t %s_len = %zu;\n\n", m->len ? "\n" : "0", name, m->len);
}

int emit_response(struct compilation *c, FILE *f)
{
    struct message m = schema_response(c);
    fputs("/* Generated by llm-schemac from schemas/. */\n#include \"schema/response.h\"\n\n", f);
    emit_message(f, "schema_response", &m);
    m = metadata_response(c);
    emit_message(f, "metadata_response", &m);
    m = identity_response(c);
    emit_message(f, "identity_response", &m);
    m = functions_response(c);
    emit_message(f, "functions_response", &m);
    return ferror(f) ? -1 : 0;
}

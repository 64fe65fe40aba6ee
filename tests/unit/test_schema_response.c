/* The packed answers of the schema RPCs, read back field by field (numbers as in tfplugin6, minor
 * 10) and compared with the tables that the provider works from. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "schema/response.h"
#include "schema/tables.h"

/* ---- a reader of protobuf's wire format ---- */

struct message {
    const unsigned char *p, *end;
};

struct field {
    unsigned number;
    uint64_t varint;
    struct message bytes;
};

static uint64_t varint(struct message *m)
{
    uint64_t n = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        assert_true(m->p < m->end);
        unsigned char b = *m->p++;
        n |= (uint64_t)(b & 0x7f) << shift;
        if (!(b & 0x80))
            return n;
    }
    fail_msg("a varint that does not end");
    return 0;
}

/* The next field; false at the end of the message. */
static bool next(struct message *m, struct field *f)
{
    if (m->p == m->end)
        return false;
    uint64_t tag = varint(m);
    *f = (struct field){.number = (unsigned)(tag >> 3)};
    f->varint = varint(m);
    if ((tag & 7) == 0)
        return true;
    assert_int_equal(tag & 7, 2);
    assert_true((uint64_t)(m->end - m->p) >= f->varint);
    f->bytes = (struct message){m->p, m->p + f->varint};
    m->p = f->bytes.end;
    return true;
}

/* The last field with the number, or an empty one. */
static struct field get(struct message m, unsigned number)
{
    struct field f, found = {0};
    while (next(&m, &f)) {
        if (f.number == number)
            found = f;
    }
    return found;
}

static size_t count(struct message m, unsigned number)
{
    struct field f;
    size_t n = 0;
    while (next(&m, &f))
        n += f.number == number;
    return n;
}

/* The i-th field with the number. */
static struct message nth(struct message m, unsigned number, size_t i)
{
    struct field f;
    while (next(&m, &f)) {
        if (f.number == number && i-- == 0)
            return f.bytes;
    }
    fail_msg("no field %u", number);
    return (struct message){0};
}

static void assert_text(struct message m, unsigned number, const char *expected)
{
    struct message text = get(m, number).bytes;
    struct slice s = slice_from(text.p, text.p ? (size_t)(text.end - text.p) : 0);
    if (!slice_eq_str(s, expected))
        fail_msg("field %u is \"%.*s\", expected \"%s\"", number, (int)s.len, s.len ? s.ptr : "",
                 expected ? expected : "");
}

/* ---- schemas ---- */

static void check_type(struct message m, const struct type *t)
{
    struct buf json _cleanup_buf_ = BUF_INIT(1 << 16);
    assert_int_equal(type_json_encode(&json, t), 0);
    assert_text(m, 2, buf_cstr(&json));
}

static void check_attrs(struct message m, unsigned number, const struct schema_attr *attrs,
                        size_t attr_count);

static void check_attr(struct message m, const struct schema_attr *a)
{
    assert_text(m, 1, a->name);
    assert_text(m, 3, a->description);
    assert_int_equal(get(m, 4).varint, (a->flags & SCHEMA_REQUIRED) != 0);
    assert_int_equal(get(m, 5).varint, (a->flags & SCHEMA_OPTIONAL) != 0);
    assert_int_equal(get(m, 6).varint, (a->flags & SCHEMA_COMPUTED) != 0);
    assert_int_equal(get(m, 7).varint, (a->flags & SCHEMA_SENSITIVE) != 0);
    assert_int_equal(get(m, 8).varint, 1);
    assert_int_equal(get(m, 9).varint, a->deprecation != NULL);
    assert_int_equal(get(m, 11).varint, (a->flags & SCHEMA_WRITE_ONLY) != 0);
    assert_text(m, 12, a->deprecation);
    if (a->nesting == SCHEMA_NESTING_NONE) {
        check_type(m, a->type);
        assert_int_equal(count(m, 10), 0);
        return;
    }
    assert_int_equal(count(m, 2), 0);
    assert_int_equal(get(get(m, 10).bytes, 3).varint, a->nesting);
    check_attrs(get(m, 10).bytes, 1, a->attrs, a->attr_count);
}

static void check_attrs(struct message m, unsigned number, const struct schema_attr *attrs,
                        size_t attr_count)
{
    assert_int_equal(count(m, number), attr_count);
    for (size_t i = 0; i < attr_count; i++)
        check_attr(nth(m, number, i), &attrs[i]);
}

static void check_timeouts(struct message block, const struct schema *s)
{
    const struct type *t = type_attr(s->type, SLICE_LIT("timeouts"))->type;
    assert_int_equal(count(block, 3), 1);
    struct message nested = nth(block, 3, 0);
    assert_text(nested, 1, "timeouts");
    assert_int_equal(get(nested, 3).varint, 1); /* SINGLE */
    assert_int_equal(count(nested, 4) + count(nested, 5), 0);
    struct message inner = get(nested, 2).bytes;
    assert_int_equal(count(inner, 2), t->attr_count);
    for (size_t i = 0; i < t->attr_count; i++) {
        struct message a = nth(inner, 2, i);
        assert_text(a, 1, t->attrs[i].name);
        assert_text(a, 2, "\"string\"");
        assert_int_equal(get(a, 5).varint, 1);
    }
}

static void check_schema(struct message m, const struct schema *s)
{
    struct message block = get(m, 2).bytes;
    assert_int_equal(get(m, 1).varint, s->version);
    assert_int_equal(get(block, 1).varint, s->version);
    assert_text(block, 4, s->description);
    assert_int_equal(get(block, 5).varint, 1);
    assert_int_equal(get(block, 6).varint, s->deprecation != NULL);
    check_attrs(block, 2, s->attrs, s->attr_count);
    if (s->has_timeouts)
        check_timeouts(block, s);
    else
        assert_int_equal(count(block, 3), 0);
}

static void check_schemas(struct message m, unsigned number, const struct schema *const *all)
{
    size_t n = 0;
    for (; all[n]; n++) {
        struct message entry = nth(m, number, n);
        assert_text(entry, 1, all[n]->name);
        check_schema(get(entry, 2).bytes, all[n]);
    }
    assert_int_equal(count(m, number), n);
}

static void check_parameter(struct message m, const struct schema_parameter *p)
{
    assert_text(m, 1, p->name);
    check_type(m, p->type);
    assert_int_equal(get(m, 3).varint, p->allow_null);
    assert_int_equal(get(m, 4).varint, p->allow_unknown);
    assert_text(m, 5, p->description);
}

static void check_functions(struct message m, unsigned number)
{
    size_t n = 0;
    for (; all_functions[n]; n++) {
        const struct schema_function *f = all_functions[n];
        struct message entry = nth(m, number, n), body = get(entry, 2).bytes;
        struct buf json _cleanup_buf_ = BUF_INIT(1 << 16);
        assert_text(entry, 1, f->name);
        assert_int_equal(count(body, 1), f->parameter_count);
        for (size_t i = 0; i < f->parameter_count; i++)
            check_parameter(nth(body, 1, i), &f->parameters[i]);
        assert_int_equal(count(body, 2), f->variadic != NULL);
        if (f->variadic)
            check_parameter(nth(body, 2, 0), f->variadic);
        assert_int_equal(type_json_encode(&json, f->result), 0);
        assert_text(get(body, 3).bytes, 1, buf_cstr(&json));
        assert_text(body, 4, f->summary);
        assert_text(body, 5, f->description);
    }
    assert_int_equal(count(m, number), n);
}

static void check_capabilities(struct message m)
{
    for (unsigned i = 1; i <= 3; i++)
        assert_int_equal(get(m, i).varint, 1);
    assert_int_equal(count(m, 4), 0);
}

/* ---- tests ---- */

static void test_schema_response(void **state)
{
    struct message m = {schema_response, schema_response + schema_response_len};
    (void)state;
    check_schema(get(m, 1).bytes, &provider_schema);
    check_schemas(m, 2, all_resource_schemas);
    check_schemas(m, 3, all_data_source_schemas);
    check_schemas(m, 8, all_ephemeral_schemas);
    check_functions(m, 7);
    check_capabilities(get(m, 6).bytes);
    assert_int_equal(count(m, 4) + count(m, 5) + count(m, 9) + count(m, 10) + count(m, 11), 0);
}

static void test_metadata_response(void **state)
{
    struct message m = {metadata_response, metadata_response + metadata_response_len};
    size_t n = 0;
    (void)state;
    check_capabilities(get(m, 1).bytes);
    for (; all_resource_schemas[n]; n++)
        assert_text(nth(m, 4, n), 1, all_resource_schemas[n]->name);
    assert_int_equal(count(m, 4), n);
    for (n = 0; all_data_source_schemas[n]; n++)
        assert_text(nth(m, 3, n), 1, all_data_source_schemas[n]->name);
    assert_int_equal(count(m, 3), n);
    for (n = 0; all_functions[n]; n++)
        assert_text(nth(m, 5, n), 1, all_functions[n]->name);
    assert_int_equal(count(m, 5), n);
}

static void check_identity(struct message entry, const char *name, const struct schema_identity *id)
{
    struct message schema = get(entry, 2).bytes;
    assert_text(entry, 1, name);
    assert_int_equal(get(schema, 1).varint, id->version);
    assert_int_equal(count(schema, 2), id->type->attr_count);
    for (size_t i = 0; i < id->type->attr_count; i++) {
        struct message a = nth(schema, 2, i);
        assert_text(a, 1, id->type->attrs[i].name);
        assert_text(a, 2, "\"string\"");
        assert_int_equal(get(a, 3).varint, 1);
        assert_true(get(a, 5).varint > 0);
    }
}

static void test_identity_response(void **state)
{
    struct message m = {identity_response, identity_response + identity_response_len};
    (void)state;
    assert_int_equal(count(m, 1), 3);
    check_identity(nth(m, 1, 0), "llm_endpoint", &identity_llm_endpoint);
    check_identity(nth(m, 1, 1), "llm_gpu_node", &identity_llm_gpu_node);
    check_identity(nth(m, 1, 2), "llm_platform_cluster", &identity_llm_platform_cluster);
}

static void test_functions_response(void **state)
{
    (void)state;
    check_functions(
        (struct message){functions_response, functions_response + functions_response_len}, 1);
}

/* What the compiler cannot see: a default that the attribute's own validators refuse. */
static void check_defaults(const struct schema *s)
{
    struct arena *a _cleanup_arena_ = arena_new();
    for (size_t i = 0; i < s->attr_count; i++) {
        const struct schema_attr one = s->attrs[i];
        const struct schema alone = {
            .name = s->name, .type = s->type, .attrs = &one, .attr_count = 1};
        if (!one.default_value)
            continue;
        const struct value_member m = {slice_str(one.name), one.default_value};
        struct diags diags;
        diags_init(&diags, a);
        if (schema_validate(&alone, value_object_of(a, s->type, &m, 1), &diags))
            fail_msg("%s.%s: %s", s->name, one.name, diags.first->detail);
    }
}

static void test_defaults_are_valid(void **state)
{
    (void)state;
    for (size_t i = 0; all_resource_schemas[i]; i++)
        check_defaults(all_resource_schemas[i]);
    for (size_t i = 0; all_data_source_schemas[i]; i++)
        check_defaults(all_data_source_schemas[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_schema_response),    cmocka_unit_test(test_metadata_response),
        cmocka_unit_test(test_identity_response),  cmocka_unit_test(test_functions_response),
        cmocka_unit_test(test_defaults_are_valid),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

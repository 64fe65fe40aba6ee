/* The codecs against go-cty's own: every vector is read as cty reads it, written as cty writes it,
 * and what cty refuses is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "value_vectors.h"

static struct arena *arena;
static const struct vector *vectors;
static size_t vector_count;

static int set_up(void **state)
{
    (void)state;
    arena = arena_new();
    vectors = vectors_load(arena, TEST_SOURCE_DIR "/golden/vectors.json", &vector_count);
    return vectors && vector_count > 700 ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    arena_free(arena);
    return 0;
}

static const struct value *unpack(const struct vector *x, struct slice bytes)
{
    struct diags diags;
    diags_init(&diags, arena);
    const struct value *v = NULL;
    if (value_msgpack_decode(arena, bytes, x->type, &v, &diags) < 0)
        fail_msg("%s: %s", x->name, diags.first->detail);
    return v;
}

static const struct value *parse(const struct vector *x, struct slice json)
{
    struct diags diags;
    diags_init(&diags, arena);
    const struct value *v = NULL;
    if (value_json_decode(arena, json, x->type, false, &v, &diags) < 0)
        fail_msg("%s: %s", x->name, diags.first->detail);
    return v;
}

static void assert_same(const struct vector *x, const struct value *want, const struct value *got)
{
    if (value_equal(want, got) && value_compare(want, got) == 0)
        return;
    struct buf a _cleanup_buf_ = BUF_INIT(1 << 20), b _cleanup_buf_ = BUF_INIT(1 << 20);
    value_format(&a, want);
    value_format(&b, got);
    fail_msg("%s: want %s, got %s", x->name, buf_cstr(&a), buf_cstr(&b));
}

static void test_types(void **state)
{
    (void)state;
    for (size_t i = 0; i < vector_count; i++) {
        struct buf b _cleanup_buf_ = BUF_INIT(1 << 20);
        assert_int_equal(type_json_encode(&b, vectors[i].type), 0);
        /* Go escapes more than JSON asks for. */
        if (!memchr(vectors[i].type_json.ptr, '\\', vectors[i].type_json.len))
            assert_string_equal(buf_cstr(&b), vectors[i].type_json.ptr);
        struct diags diags;
        diags_init(&diags, arena);
        assert_true(type_equal(vectors[i].type, type_json_decode(arena, buf_slice(&b), &diags)));
    }
}

static void test_msgpack(void **state)
{
    (void)state;
    for (size_t i = 0; i < vector_count; i++) {
        const struct vector *x = &vectors[i];
        if (x->refused)
            continue;
        const struct value *v = unpack(x, x->from);
        assert_same(x, v, unpack(x, x->msgpack));
        struct buf b _cleanup_buf_ = BUF_INIT(1 << 20);
        if (value_msgpack_encode(&b, v, x->type) < 0)
            fail_msg("%s: not written", x->name);
        assert_same(x, v, unpack(x, buf_slice(&b)));
        if (!x->reordered && !slice_eq(buf_slice(&b), x->msgpack))
            fail_msg("%s: other bytes than cty's", x->name);
        assert_int_equal(b.len, x->msgpack.len);
    }
}

static bool has_escapes(struct slice json)
{
    return memchr(json.ptr, '\\', json.len) || memchr(json.ptr, 0x7f, json.len);
}

static void test_json(void **state)
{
    (void)state;
    size_t compared = 0;
    for (size_t i = 0; i < vector_count; i++) {
        const struct vector *x = &vectors[i];
        if (x->refused || !x->json.len)
            continue;
        const struct value *v = parse(x, x->json_from);
        assert_same(x, unpack(x, x->msgpack), v);
        assert_same(x, v, parse(x, x->json));
        struct buf b _cleanup_buf_ = BUF_INIT(1 << 20);
        if (value_json_encode(&b, v, x->type) < 0)
            fail_msg("%s: not written", x->name);
        assert_same(x, v, parse(x, buf_slice(&b)));
        if (x->reordered || has_escapes(x->json))
            continue;
        assert_string_equal(buf_cstr(&b), x->json.ptr);
        compared++;
    }
    assert_true(compared > 500);
}

static void test_unknown_is_not_written_as_json(void **state)
{
    (void)state;
    size_t seen = 0;
    for (size_t i = 0; i < vector_count; i++) {
        const struct vector *x = &vectors[i];
        if (x->refused)
            continue;
        const struct value *v = unpack(x, x->msgpack);
        struct buf b _cleanup_buf_ = BUF_INIT(1 << 20);
        assert_int_equal(value_json_encode(&b, v, x->type), value_is_wholly_known(v) ? 0 : -1);
        seen += !value_is_wholly_known(v);
    }
    assert_true(seen > 50);
}

static void test_refusals(void **state)
{
    (void)state;
    size_t seen = 0;
    for (size_t i = 0; i < vector_count; i++) {
        const struct vector *x = &vectors[i];
        if (!x->refused)
            continue;
        seen++;
        struct diags diags;
        diags_init(&diags, arena);
        const struct value *v = NULL;
        bool json = strncmp(x->name, "JSON", 4) == 0;
        int rc = json ? value_json_decode(arena, x->json, x->type, false, &v, &diags)
                      : value_msgpack_decode(arena, x->msgpack, x->type, &v, &diags);
        if (rc != -1 || v || !diags_has_error(&diags))
            fail_msg("%s: accepted", x->name);
        assert_int_equal(diags.errors, 1);
    }
    assert_true(seen > 50);
}

static void test_copies(void **state)
{
    (void)state;
    for (size_t i = 0; i < vector_count; i++) {
        const struct vector *x = &vectors[i];
        if (x->refused)
            continue;
        struct arena *other = arena_new();
        const struct value *v = value_copy(arena, unpack(x, x->msgpack));
        struct diags diags;
        diags_init(&diags, other);
        const struct value *own = NULL;
        const struct type *t = type_json_decode(other, x->type_json, &diags);
        assert_int_equal(value_msgpack_decode(other, x->msgpack, t, &own, &diags), 0);
        const struct value *copy = value_copy(arena, own);
        arena_free(other);
        assert_same(x, v, copy);
        struct buf b _cleanup_buf_ = BUF_INIT(1 << 20);
        assert_int_equal(value_msgpack_encode(&b, copy, x->type), 0);
        if (!x->reordered)
            assert_true(slice_eq(buf_slice(&b), x->msgpack));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_types),    cmocka_unit_test(test_msgpack),
        cmocka_unit_test(test_json),     cmocka_unit_test(test_unknown_is_not_written_as_json),
        cmocka_unit_test(test_refusals), cmocka_unit_test(test_copies),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

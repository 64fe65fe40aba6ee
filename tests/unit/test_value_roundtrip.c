/* Random values through both codecs and back; what bytes that are not quite a value, and memory
 * that runs out, do to them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <jansson.h>

#include "base/alloc.h"
#include "random_value.h"
#include "value_test.h"

enum { BYTES_MOST = 64 << 20, SEEDS = 2000 };

static struct value_generator generator(uint64_t seed)
{
    return (struct value_generator){arena, (seed + 1) * 0x9e3779b97f4a7c15u, seed % 2 == 0};
}

static int decode(struct slice bytes, const struct type *t, bool json, const struct value **ret)
{
    diags_init(&diags, arena);
    *ret = NULL;
    return json ? value_json_decode(arena, bytes, t, false, ret, &diags)
                : value_msgpack_decode(arena, bytes, t, ret, &diags);
}

static int encode(struct buf *out, const struct value *v, const struct type *t, bool json)
{
    return json ? value_json_encode(out, v, t) : value_msgpack_encode(out, v, t);
}

static bool same_promises(const struct value *a, const struct value *b)
{
    const struct refinement *x = a->refinement, *y = b->refinement;
    if (!x || !y)
        return !x == !y;
    return x->not_null == y->not_null && slice_eq(x->prefix, y->prefix) && !x->min == !y->min &&
           !x->max == !y->max && x->min_inclusive == y->min_inclusive &&
           x->max_inclusive == y->max_inclusive && x->length_min == y->length_min &&
           x->length_max == y->length_max && (!x->min || !number_compare(x->min, y->min)) &&
           (!x->max || !number_compare(x->max, y->max));
}

static void round_trip(const struct value *v, const struct type *t, bool json, uint64_t seed)
{
    struct buf first _cleanup_buf_ = BUF_INIT(BYTES_MOST),
                     again _cleanup_buf_ = BUF_INIT(BYTES_MOST);
    const struct value *back = NULL;
    assert_int_equal(encode(&first, v, t, json), 0);
    if (decode(buf_slice(&first), t, json, &back) < 0)
        fail_msg("seed %u: %s", (unsigned)seed, diags.first->detail);
    if (!value_equal(v, back))
        fail_msg("seed %u: %s came back as %s", (unsigned)seed, shown(v), shown(back));
    assert_int_equal(encode(&again, back, t, json), 0);
    assert_true(slice_eq(buf_slice(&first), buf_slice(&again)));
    if (value_is_unknown(v) && t->kind != TYPE_DYNAMIC && v->refinement &&
        v->refinement->prefix.len <= 256 && (v->refinement->not_null || again.len > 3))
        assert_true(same_promises(v, back));
}

static void test_round_trips(void **state)
{
    (void)state;
    size_t texts = 0;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct value_generator g = generator(seed);
        const struct type *t = random_type(&g, 4);
        const struct value *v = random_value(&g, t);
        assert_non_null(v);
        round_trip(v, t, false, seed);
        if (value_is_wholly_known(v)) {
            round_trip(v, t, true, seed);
            texts++;
        }
        struct buf b _cleanup_buf_ = BUF_INIT(BYTES_MOST), c _cleanup_buf_ = BUF_INIT(BYTES_MOST);
        assert_int_equal(value_msgpack_encode(&b, v, t), 0);
        assert_int_equal(value_msgpack_encode(&c, value_copy(arena, v), t), 0);
        assert_true(slice_eq(buf_slice(&b), buf_slice(&c)));
        tear_down(state);
        set_up(state);
    }
    assert_true(texts > SEEDS / 3);
}

/* Every beginning of a value is refused: nothing is read behind the end, nothing is made up. */
static void test_truncations(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 60; seed++) {
        struct value_generator g = generator(seed);
        const struct type *t = random_type(&g, 3);
        const struct value *v = random_value(&g, t), *back = NULL;
        for (int json = 0; json <= value_is_wholly_known(v); json++) {
            struct buf b _cleanup_buf_ = BUF_INIT(BYTES_MOST);
            assert_int_equal(encode(&b, v, t, json), 0);
            size_t step = 1 + b.len / 300;
            for (size_t len = 0; len < b.len; len += step) {
                char *exact = malloc(len ? len : 1); /* so that the sanitizer sees the end */
                memcpy(exact, buf_cstr(&b), len);
                int rc = decode(slice_from(exact, len), t, json, &back);
                free(exact);
                /* A beginning of a JSON number is a number. */
                if (!json || v->state != VALUE_KNOWN || v->type->kind != TYPE_NUMBER)
                    assert_int_equal(rc, -1);
            }
        }
        tear_down(state);
        set_up(state);
    }
}

/* Bytes changed at random: refused, or a value that the encoder writes and the decoder reads. */
static void test_mutations(void **state)
{
    (void)state;
    size_t accepted = 0;
    for (uint64_t seed = 0; seed < 400; seed++) {
        struct value_generator g = generator(seed);
        const struct type *t = random_type(&g, 3);
        const struct value *v = random_value(&g, t);
        bool json = value_is_wholly_known(v) && seed % 3 == 0;
        struct buf b _cleanup_buf_ = BUF_INIT(BYTES_MOST);
        assert_int_equal(encode(&b, v, t, json), 0);
        for (size_t i = 0; i < 40; i++) {
            struct buf changed _cleanup_buf_ = BUF_INIT(BYTES_MOST);
            buf_append_slice(&changed, buf_slice(&b));
            for (size_t n = value_random_below(&g, 3) + 1; n; n--)
                changed.ptr[value_random_below(&g, b.len)] = (char)value_random_below(&g, 256);
            const struct value *got = NULL;
            if (decode(buf_slice(&changed), t, json, &got) < 0) {
                assert_int_equal(diags.errors, 1);
                continue;
            }
            accepted++;
            round_trip(got, t, false, seed);
        }
        tear_down(state);
        set_up(state);
    }
    assert_true(accepted > 100);
}

/* ---- memory that runs out ---- */

static size_t left;

static bool spend(void)
{
    return left && left--;
}

static void *scarce_malloc(size_t size)
{
    return spend() ? malloc(size) : NULL;
}

static void *scarce_realloc(void *ptr, size_t size)
{
    return spend() ? realloc(ptr, size) : NULL;
}

static int become_scarce(void **state)
{
    alloc_table = (struct alloc_table){scarce_malloc, scarce_realloc, free};
    json_set_alloc_funcs(scarce_malloc, free);
    left = SIZE_MAX;
    return set_up(state);
}

static int become_plenty(void **state)
{
    alloc_table = (struct alloc_table){malloc, realloc, free};
    json_set_alloc_funcs(malloc, free);
    return tear_down(state);
}

/* A copy keeps all promises, or there is none. */
static int copy_promises(struct arena *a)
{
    const struct number *least = number_from_int(a, 1), *most = number_from_int(a, 2);
    const struct refinement r = {.min = least, .max = most, .length_min = -1, .length_max = -1};
    const struct value *v = value_unknown_refined(a, &type_number, &r), *copy = value_copy(a, v);
    if (!least || !most || !copy)
        return -1;
    assert_non_null(copy->refinement->min);
    assert_non_null(copy->refinement->max);
    return 0;
}

/* All that the room does with one value; 0, or -1 with an error or without one. */
static int everything(struct arena *a, struct diags *d, struct slice json, struct slice packed,
                      const struct type *t)
{
    const struct value *v = NULL, *w = NULL, *plain = NULL;
    struct buf b _cleanup_buf_ = BUF_INIT(BYTES_MOST), c _cleanup_buf_ = BUF_INIT(BYTES_MOST);
    if (value_json_decode(a, json, t, true, &v, d) < 0 ||
        value_msgpack_decode(a, packed, t, &w, d) < 0 || value_json_parse(a, json, &plain, d) < 0)
        return -1;
    if (!value_copy(a, v) || !value_convert(a, plain, t, NULL, d) || copy_promises(a) < 0)
        return -1;
    if (value_json_encode(&b, v, t) < 0 || value_msgpack_encode(&c, w, t) < 0)
        return -1;
    assert_true(slice_eq(buf_slice(&b), json));
    assert_true(slice_eq(buf_slice(&c), packed));
    return value_equal(v, w) ? 0 : -1;
}

static void test_memory_runs_out(void **state)
{
    (void)state;
    const struct type *t =
        type_of("[\"object\",{\"a\":[\"list\",[\"map\",\"number\"]],\"b\":[\"set\",\"string\"],"
                "\"c\":[\"tuple\",[\"bool\",\"string\"]],\"d\":\"number\"}]");
    static const char json[] = "{\"a\":[{\"k\":1.5,\"l\":100},{}],\"b\":[\"x\",\"y\"],"
                               "\"c\":[true,\"z\"],\"d\":0.1}";
    struct buf packed _cleanup_buf_ = BUF_INIT(1 << 16);
    assert_int_equal(value_msgpack_encode(&packed, from_json(t, json), t), 0);
    bool done = false;
    size_t failures = 0;
    for (size_t n = 0; n < 2000 && !done; n++) {
        left = n;
        struct arena *a = arena_new();
        struct diags d;
        diags_init(&d, a);
        done = a && everything(a, &d, slice_str(json), buf_slice(&packed), t) == 0;
        failures += !done;
        left = SIZE_MAX;
        arena_free(a);
    }
    assert_true(done);
    assert_true(failures > 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_round_trips, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_truncations, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_mutations, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_memory_runs_out, become_scarce, become_plenty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

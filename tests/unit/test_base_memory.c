/* Arenas, buffers and secrets: alignment, limits, what is left in memory, and memory that runs out.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <pthread.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/base64.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/secret.h"

/* ---- an allocator that fails from the n-th call on, and looks at what is freed ---- */

enum { BLOCKS_MOST = 256 };

static struct {
    long calls, fail_at; /* fail_at < 0: never */
    struct {
        void *ptr;
        size_t size;
    } blocks[BLOCKS_MOST];
    size_t live;
    const char *needle; /* no freed block may contain it */
    size_t leaks;       /* freed blocks that did */
} traced;

static void *traced_malloc(size_t size)
{
    if (traced.fail_at >= 0 && traced.calls++ >= traced.fail_at)
        return NULL;
    void *p = malloc(size);
    for (size_t i = 0; p && i < BLOCKS_MOST; i++) {
        if (traced.blocks[i].ptr)
            continue;
        traced.blocks[i].ptr = p;
        traced.blocks[i].size = size;
        traced.live++;
        return p;
    }
    free(p);
    return NULL;
}

static void traced_free(void *p)
{
    for (size_t i = 0; p && i < BLOCKS_MOST; i++) {
        if (traced.blocks[i].ptr != p)
            continue;
        if (traced.needle && memmem(p, traced.blocks[i].size, traced.needle, strlen(traced.needle)))
            traced.leaks++;
        traced.blocks[i].ptr = NULL;
        traced.live--;
        break;
    }
    free(p);
}

static int trace(void **state)
{
    (void)state;
    memset(&traced, 0, sizeof(traced));
    traced.fail_at = -1;
    alloc_table = (struct alloc_table){traced_malloc, realloc, traced_free};
    return 0;
}

static int untrace(void **state)
{
    (void)state;
    alloc_table = (struct alloc_table){malloc, realloc, free};
    return traced.live == 0 ? 0 : -1;
}

/* ---- arena ---- */

static void test_arena_alignment_and_zero(void **state)
{
    (void)state;
    struct arena *a = arena_new();
    for (size_t size = 0; size < 3000; size += 7) {
        unsigned char *p = arena_alloc(a, size);
        assert_non_null(p);
        assert_int_equal((uintptr_t)p % _Alignof(max_align_t), 0);
        for (size_t i = 0; i < size; i++)
            assert_int_equal(p[i], 0);
        memset(p, 0xa5, size);
    }
    assert_false(arena_failed(a));
    arena_free(a);
    arena_free(NULL);
}

static void test_arena_objects_do_not_overlap(void **state)
{
    (void)state;
    struct arena *a = arena_new();
    enum { COUNT = 400 };
    unsigned char *p[COUNT];
    size_t size[COUNT], sum = 0;
    for (size_t i = 0; i < COUNT; i++) {
        size[i] = i == 200 ? 3 << 20 : i * 37 % 911 + 1;
        sum += size[i];
        p[i] = arena_alloc(a, size[i]);
        memset(p[i], (int)(i & 0xff), size[i]);
    }
    for (size_t i = 0; i < COUNT; i++)
        for (size_t k = 0; k < size[i]; k++)
            assert_int_equal(p[i][k], i & 0xff);
    assert_int_equal(arena_used(a), sum);
    arena_free(a);
}

static void test_arena_impossible_sizes(void **state)
{
    (void)state;
    struct arena *a = arena_new();
    assert_null(arena_alloc(a, SIZE_MAX));
    assert_true(arena_failed(a));
    struct arena *b = arena_new();
    assert_null(arena_calloc(b, SIZE_MAX / 8, 16));
    assert_true(arena_failed(b));
    assert_non_null(arena_alloc(b, 8)); /* and goes on working */
    assert_null(arena_strndup(b, "x", SIZE_MAX));
    arena_free(a);
    arena_free(b);
}

static void test_arena_strings(void **state)
{
    (void)state;
    struct arena *a = arena_new();
    assert_string_equal(arena_strdup(a, "abc"), "abc");
    assert_null(arena_strdup(a, NULL));
    assert_string_equal(arena_strndup(a, "abcdef", 3), "abc");
    assert_string_equal(arena_printf(a, "%s-%d", "x", 42), "x-42");
    int old[] = {1, 2, 3};
    int *grown = arena_grow(a, old, 3, 5, sizeof(int));
    assert_int_equal(grown[2], 3);
    assert_int_equal(grown[4], 0);
    assert_non_null(arena_grow(a, NULL, 0, 2, sizeof(int)));
    arena_free(a);
}

static void test_arena_zeroes_on_free(void **state)
{
    (void)state;
    traced.needle = "hunter2-secret";
    struct arena *a = arena_new();
    struct arena *child = arena_new_child(a);
    arena_strdup(a, "x hunter2-secret");
    arena_strdup(child, "y hunter2-secret");
    arena_free(a);
    assert_int_equal(traced.leaks, 0);
    assert_int_equal(traced.live, 0);
}

static void *make_children(void *arg)
{
    struct arena *parent = arg;
    for (int i = 0; i < 500; i++) {
        struct arena *c = arena_new_child(parent);
        arena_strdup(c, "something");
        if (i % 3)
            arena_free(c);
    }
    return NULL;
}

static void test_arena_children_from_threads(void **state)
{
    (void)state;
    struct arena *parent = arena_new();
    pthread_t threads[4];
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, make_children, parent), 0);
    for (size_t i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    arena_free(parent); /* the leak check of the sanitizer build sees what is left */
}

static void test_arena_out_of_memory(void **state)
{
    (void)state;
    traced.fail_at = 0;
    assert_null(arena_new());
    traced.calls = 0;
    traced.fail_at = 1;
    struct arena *a = arena_new();
    assert_non_null(a);
    assert_null(arena_alloc(a, 10));
    assert_true(arena_failed(a));
    traced.calls = 0;
    traced.fail_at = 0;
    assert_null(arena_new_child(a));
    assert_null(arena_printf(a, "%5000d", 1));
    arena_free(a);
}

/* ---- buf ---- */

static void test_buf_maximum(void **state)
{
    (void)state;
    struct buf b = BUF_INIT(10);
    assert_string_equal(buf_cstr(&b), "");
    assert_int_equal(buf_append_str(&b, "0123456"), 0);
    assert_int_equal(buf_append_str(&b, "789x"), -1); /* eleven */
    assert_true(b.failed);
    assert_string_equal(buf_cstr(&b), "0123456");
    assert_int_equal(buf_append_char(&b, 'a'), -1); /* would fit, but something is missing */
    assert_int_equal(b.len, 7);
    buf_reset(&b);
    assert_int_equal(buf_printf(&b, "%010d", 7), 0);
    assert_string_equal(buf_cstr(&b), "0000000007");
    assert_true(b.cap <= 11);
    assert_int_equal(buf_printf(&b, "%d", 7), -1);
    buf_clean_up(&b);
    assert_int_equal(buf_append_str(&b, "again"), 0);
    buf_clean_up(&b);
    buf_clean_up(NULL);
}

static void test_buf_without_maximum(void **state)
{
    (void)state;
    struct buf b = BUF_INIT(SIZE_MAX);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(buf_append_str(&b, "0123456789"), 0);
    assert_int_equal(b.len, 10000);
    assert_int_equal(buf_append(&b, "x", SIZE_MAX - 1), -1);
    assert_int_equal(b.len, 10000);
    buf_clean_up(&b);
}

static void test_buf_zeroes(void **state)
{
    (void)state;
    traced.needle = "hunter2-secret";
    struct buf b = BUF_INIT(1 << 20);
    buf_append_str(&b, "hunter2-secret");
    for (int i = 0; i < 2000; i++)
        buf_append_str(&b, "................"); /* moves several times */
    buf_clean_up(&b);
    assert_int_equal(traced.leaks, 0);
}

static void test_buf_out_of_memory(void **state)
{
    (void)state;
    struct buf b = BUF_INIT(1 << 20);
    buf_append_str(&b, "kept");
    traced.calls = 0;
    traced.fail_at = 0;
    char big[1000];
    memset(big, 'x', sizeof(big));
    assert_int_equal(buf_append(&b, big, sizeof(big)), -1);
    assert_true(b.failed);
    assert_string_equal(buf_cstr(&b), "kept");
    buf_clean_up(&b);
}

static const char *escaped(struct buf *b, const char *s, size_t len)
{
    buf_reset(b);
    assert_int_equal(buf_append_json_escaped(b, slice_from(s, len)), 0);
    return buf_cstr(b);
}

#define ESCAPED(s) escaped(&b, (s), sizeof(s) - 1)

static void test_buf_json(void **state)
{
    (void)state;
    struct buf b = BUF_INIT(4096);
    assert_string_equal(ESCAPED("plain / text"), "plain / text");
    assert_string_equal(ESCAPED("\"\\\b\t\n\v\f\r"), "\\\"\\\\\\b\\t\\n\\u000b\\f\\r");
    assert_string_equal(ESCAPED("a\0b\x1f\x7f"), "a\\u0000b\\u001f\\u007f");
    assert_string_equal(ESCAPED("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"),
                        "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80");
    /* invalid: alone, overlong, surrogate, over U+10FFFF, cut short */
    assert_string_equal(ESCAPED("\xff"), "\\ufffd");
    assert_string_equal(ESCAPED("\xc0\x80"), "\\ufffd\\ufffd");
    assert_string_equal(ESCAPED("\xe0\x80\x80"), "\\ufffd\\ufffd\\ufffd");
    assert_string_equal(ESCAPED("\xed\xa0\x80"), "\\ufffd\\ufffd\\ufffd");
    assert_string_equal(ESCAPED("\xf4\x90\x80\x80"), "\\ufffd\\ufffd\\ufffd\\ufffd");
    assert_string_equal(ESCAPED("x\xe2\x82"), "x\\ufffd\\ufffd");
    buf_clean_up(&b);
    struct buf small = BUF_INIT(6);
    buf_append_str(&small, "ab");
    assert_int_equal(buf_append_json_escaped(&small, SLICE_LIT("cd\n\n")), -1);
    assert_string_equal(buf_cstr(&small), "ab"); /* as it was */
    buf_clean_up(&small);
}

static void test_buf_json_cut(void **state)
{
    (void)state;
    struct buf b = BUF_INIT(4096);
    assert_int_equal(buf_append_json_cut(&b, SLICE_LIT("abc"), 3), 3);
    assert_int_equal(buf_append_json_cut(&b, SLICE_LIT("defg"), 2), 2);
    assert_string_equal(buf_cstr(&b), "abcde");
    buf_reset(&b);
    assert_int_equal(buf_append_json_cut(&b, SLICE_LIT("a\x01z"), 6), 1); /* escape takes six */
    assert_int_equal(buf_append_json_cut(&b, SLICE_LIT("\x01z"), 6), 1);
    assert_string_equal(buf_cstr(&b), "a\\u0001");
    buf_reset(&b);
    assert_int_equal(buf_append_json_cut(&b, SLICE_LIT("\xe2\x82\xac"), 2), 0);
    assert_int_equal(buf_append_json_cut(&b, SLICE_LIT("x"), 0), 0);
    assert_int_equal(b.len, 0);
    buf_clean_up(&b);
}

/* ---- secret ---- */

static void test_secret(void **state)
{
    (void)state;
    traced.needle = "hunter2-secret";
    struct secret s = SECRET_EMPTY;
    secret_clean_up(&s);
    assert_int_equal(secret_set(&s, SLICE_LIT("hunter2-secret")), 0);
    assert_true(slice_eq_str(secret_slice(&s), "hunter2-secret"));
    /* part of itself */
    assert_int_equal(secret_set(&s, slice_from(s.ptr + 8, 6)), 0);
    assert_string_equal(s.ptr, "secret");
    traced.calls = 0;
    traced.fail_at = 0;
    assert_int_equal(secret_set(&s, SLICE_LIT("other")), -1);
    assert_string_equal(s.ptr, "secret"); /* kept */
    secret_clean_up(&s);
    assert_null(s.ptr);
    secret_clean_up(NULL);
    assert_int_equal(traced.leaks, 0);
}

static void test_base64(void **state)
{
    (void)state;
    /* RFC 4648, 10; and the two characters in which the alphabets differ. */
    static const char *const vectors[][3] = {{"", "", ""},
                                             {"f", "Zg==", "Zg"},
                                             {"fo", "Zm8=", "Zm8"},
                                             {"foo", "Zm9v", "Zm9v"},
                                             {"foob", "Zm9vYg==", "Zm9vYg"},
                                             {"\xfb\xff", "+/8=", "-_8"}};
    for (size_t i = 0; i < sizeof(vectors) / sizeof(*vectors); i++) {
        _cleanup_buf_ struct buf plain = BUF_INIT(64), url = BUF_INIT(64);
        base64_append(&plain, vectors[i][0], strlen(vectors[i][0]));
        base64url_append(&url, vectors[i][0], strlen(vectors[i][0]));
        assert_string_equal(buf_cstr(&plain), vectors[i][1]);
        assert_string_equal(buf_cstr(&url), vectors[i][2]);
        buf_reset(&plain);
        assert_int_equal(base64_decode(&plain, slice_str(vectors[i][1])), 0);
        assert_string_equal(buf_cstr(&plain), vectors[i][0]);
    }
    static const char *const none[] = {
        "Z", "Zg", "Zg=", "Zg=a", "Z===", "====", "Zg==Zg==", "Z-8=", "Zm9v!"};
    for (size_t i = 0; i < sizeof(none) / sizeof(*none); i++) {
        _cleanup_buf_ struct buf plain = BUF_INIT(64);
        assert_int_equal(base64_decode(&plain, slice_str(none[i])), -1);
    }
    _cleanup_buf_ struct buf lines = BUF_INIT(64), small = BUF_INIT(2);
    assert_int_equal(base64_decode(&lines, SLICE_LIT(" Zm9v\r\nYg= =\n")), 0);
    assert_string_equal(buf_cstr(&lines), "foob");
    assert_int_equal(base64_decode(&small, SLICE_LIT("Zm9vYg==")), -1);
}

int main(void)
{
#define TRACED(test) cmocka_unit_test_setup_teardown(test, trace, untrace)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_arena_alignment_and_zero),
        cmocka_unit_test(test_arena_objects_do_not_overlap),
        cmocka_unit_test(test_arena_impossible_sizes),
        TRACED(test_arena_strings),
        TRACED(test_arena_zeroes_on_free),
        cmocka_unit_test(test_arena_children_from_threads),
        TRACED(test_arena_out_of_memory),
        TRACED(test_buf_maximum),
        TRACED(test_buf_without_maximum),
        TRACED(test_buf_zeroes),
        TRACED(test_buf_out_of_memory),
        TRACED(test_buf_json),
        TRACED(test_buf_json_cut),
        TRACED(test_base64),
        TRACED(test_secret),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

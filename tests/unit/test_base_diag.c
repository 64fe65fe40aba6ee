/* Paths and diagnostics. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/diag.h"
#include "base/path.h"

static void test_path_strings(void **state)
{
    (void)state;
    _cleanup_arena_ struct arena *a = arena_new();
    const struct path *p = path_parse(a, "network.subnets");
    assert_int_equal(path_length(p), 2);
    assert_string_equal(path_string(a, p), "network.subnets");
    p = path_index(a, p, 3);
    p = path_key(a, p, SLICE_LIT("a \"b\"\n"));
    p = path_attribute(a, p, "cidr");
    assert_string_equal(path_string(a, p), "network.subnets[3][\"a \\\"b\\\"\\n\"].cidr");
    assert_int_equal(path_length(p), 5);
    assert_string_equal(path_string(a, NULL), "");
    assert_int_equal(path_length(NULL), 0);
    assert_null(path_parse(a, ""));
}

static void test_path_copy_is_independent(void **state)
{
    (void)state;
    _cleanup_arena_ struct arena *a = arena_new();
    struct arena *b = arena_new();
    char name[] = "zones";
    const struct path *p = path_index(b, path_attribute(b, NULL, name), -1);
    name[0] = 'x'; /* names are copied */
    const struct path *copy = path_copy(a, p);
    arena_free(b);
    assert_string_equal(path_string(a, copy), "zones[-1]");
    assert_null(path_copy(a, NULL));
}

static void test_diags_order_and_counts(void **state)
{
    (void)state;
    _cleanup_arena_ struct arena *a = arena_new();
    struct diags d;
    diags_init(&d, a);
    assert_false(diags_has_error(&d));
    assert_int_equal(diags_warning(&d, NULL, "w", "%s", "first"), -1);
    assert_false(diags_has_error(&d));
    const struct path *p = path_attribute(a, NULL, "name");
    assert_int_equal(diags_error(&d, p, "e", "n=%d", 2), -1);
    assert_true(diags_has_error(&d));
    assert_int_equal(diags_count(&d), 2);
    assert_string_equal(d.first->detail, "first");
    assert_int_equal(d.first->severity, DIAG_WARNING);
    assert_string_equal(d.first->next->detail, "n=2");
    assert_string_equal(path_string(a, d.first->next->path), "name");
    assert_null(d.first->next->next);
}

static void test_diags_context(void **state)
{
    (void)state;
    _cleanup_arena_ struct arena *a = arena_new();
    struct diags d;
    diags_init(&d, a);
    diags_error(&d, NULL, "old", "one");
    diags_warning(&d, NULL, "warn", "two");
    diags_error(&d, NULL, "new", "three");
    diags_add_context(&d, 1, "subnet %s: ", "private-a");
    assert_string_equal(d.first->detail, "one");
    assert_string_equal(d.first->next->detail, "two");
    assert_string_equal(d.first->next->next->detail, "subnet private-a: three");
}

static void test_diags_merge(void **state)
{
    (void)state;
    _cleanup_arena_ struct arena *a = arena_new();
    struct arena *b = arena_new();
    struct diags to, from;
    diags_init(&to, a);
    diags_init(&from, b);
    diags_error(&to, NULL, "a", "1");
    diags_error(&from, path_attribute(b, NULL, "region"), "b", "2");
    diags_warning(&from, NULL, "c", "3");
    diags_merge(&to, &from);
    arena_free(b);
    assert_int_equal(to.errors, 2);
    assert_int_equal(to.warnings, 1);
    assert_string_equal(to.first->next->summary, "b");
    assert_string_equal(path_string(a, to.first->next->path), "region");
    assert_string_equal(to.first->next->next->detail, "3");
    diags_error(&to, NULL, "d", "4"); /* the tail is right */
    assert_string_equal(to.first->next->next->next->detail, "4");
}

static void *no_malloc(size_t size)
{
    (void)size;
    return NULL;
}

/* An error counts even when there is no memory left to say what it was. */
static void test_diags_out_of_memory(void **state)
{
    (void)state;
    struct arena *a = arena_new();
    struct diags d, to;
    diags_init(&d, a);
    diags_init(&to, a);
    alloc_table.malloc = no_malloc;
    diags_error(&d, path_attribute(a, NULL, "x"), "s", "detail");
    diags_merge(&to, &d);
    alloc_table.malloc = malloc;
    assert_true(diags_has_error(&d));
    assert_true(diags_has_error(&to));
    assert_int_equal(to.errors, 1);
    arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_path_strings),
        cmocka_unit_test(test_path_copy_is_independent),
        cmocka_unit_test(test_diags_order_and_counts),
        cmocka_unit_test(test_diags_context),
        cmocka_unit_test(test_diags_merge),
        cmocka_unit_test(test_diags_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* What the tests of the AWS room share: an arena for each test, values from and as JSON. */
#ifndef LLM_TESTS_AWS_TEST_H
#define LLM_TESTS_AWS_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "value/codec.h"

static struct arena *arena;

static int set_up(void **state)
{
    (void)state;
    arena = arena_new();
    return arena ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    arena_free(arena);
    return 0;
}

#define TEST(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)

/* NULL for NULL. */
static inline const struct value *json(const char *text)
{
    const struct value *v = NULL;
    struct diags d;
    diags_init(&d, arena);
    if (text && value_json_parse(arena, slice_str(text), &v, &d) < 0)
        fail_msg("not JSON: %s", text);
    return v;
}

static inline const char *show(const struct value *v)
{
    _cleanup_buf_ struct buf b = BUF_INIT(1 << 24);
    if (!v)
        return "(absent)";
    assert_int_equal(value_json_write(&b, v, false), 0);
    return arena_strdup(arena, buf_cstr(&b));
}

#endif

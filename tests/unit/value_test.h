/* What the tests of the value room share: an arena per test, and short ways to make and show
 * values. Include after cmocka.h. */
#ifndef LLM_TESTS_VALUE_TEST_H
#define LLM_TESTS_VALUE_TEST_H

#include "value/codec.h"

static struct arena *arena;
static struct diags diags;

static int set_up(void **state)
{
    (void)state;
    arena = arena_new();
    diags_init(&diags, arena);
    return arena ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    arena_free(arena);
    return 0;
}

/* From cty's JSON of a type. */
static inline const struct type *type_of(const char *json)
{
    const struct type *t = type_json_decode(arena, slice_str(json), &diags);
    if (!t)
        fail_msg("%s: %s", json, diags.first ? diags.first->detail : "no type");
    return t;
}

/* From JSON of type `t`; plain JSON when it is NULL. */
static inline const struct value *from_json(const struct type *t, const char *json)
{
    const struct value *v = NULL;
    int rc = t ? value_json_decode(arena, slice_str(json), t, false, &v, &diags)
               : value_json_parse(arena, slice_str(json), &v, &diags);
    if (rc < 0)
        fail_msg("%s: %s", json, diags.first->detail);
    return v;
}

/* As value_format() shows it. */
static inline const char *shown(const struct value *v)
{
    struct buf b _cleanup_buf_ = BUF_INIT(1 << 20);
    assert_int_equal(value_format(&b, v), 0);
    return arena_strndup(arena, buf_cstr(&b), b.len);
}

static inline const struct number *number_of(const char *text)
{
    return number_parse(arena, slice_str(text));
}

#endif

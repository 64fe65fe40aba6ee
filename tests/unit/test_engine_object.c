/* What a request says that an object's scope always has, while memory runs out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "engine/internal.h"

static struct alloc_table whole;
static long allocations_left;

/* One fails, those after it do not. */
static void *failing_malloc(size_t size)
{
    return allocations_left-- == 0 ? NULL : whole.malloc(size);
}

static const struct value *owner_tags(struct arena *a, const char *resource_type,
                                      const struct value *name, const char *component)
{
    const struct value_member m[] = {
        {SLICE_LIT("llm:resource"), value_printf(a, "%s/%s", resource_type, value_cstr(name, ""))},
        {SLICE_LIT("llm:component"), value_str(a, component)}};
    return value_map(a, &type_string, m, 2);
}

/* Large enough for memory of its own. */
static const struct value *owner_filter(struct arena *a, const struct value *tags)
{
    return value_printf(a, "%0*zu", 1 << 17, value_count(tags));
}

static void a_request_is_whole_or_an_error(void **state)
{
    (void)state;
    static const struct template token = {.kind = TEMPLATE_REF, .root = "token"};
    static const struct template filter = {.kind = TEMPLATE_REF, .root = "owner_filter"};
    static const struct template_member parts[] = {{"filter", &filter}, {"token", &token}};
    static const struct template request = {
        .kind = TEMPLATE_OBJECT, .members = parts, .member_count = 2};
    static const struct cloud_driver driver = {.owner_tags = owner_tags,
                                               .owner_filter = owner_filter};
    static const struct component component = {.kind = "thing", .title = "thing"};
    _cleanup_arena_ struct arena *a = arena_new();
    const struct engine e = {
        .driver = &driver, .resource_type = "llm_x", .name = value_str(a, "n")};
    const struct value *text = value_printf(a, "%0*d", 5000, 1), *wanted = NULL;
    const struct value_member m = {SLICE_LIT("text"), text};
    struct object o = {.engine = &e,
                       .a = a,
                       .component = &component,
                       .name = "c",
                       .attrs = value_object(a, &m, 1)};
    assert_int_equal(object_eval(&o, &request, &wanted), 0);
    assert_int_equal(value_count(wanted), 2);
    int failures = 0;
    whole = alloc_table;
    for (long n = 0; allocations_left < 0 || n == 0; n++) {
        const struct value *got = NULL;
        o.a = arena_new_child(a);
        assert_non_null(o.a);
        allocations_left = n;
        alloc_table.malloc = failing_malloc;
        int rc = object_eval(&o, &request, &got);
        alloc_table = whole;
        assert_true(rc < 0 || value_equal(got, wanted));
        failures += rc < 0;
        arena_free(o.a);
    }
    assert_true(failures > 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_request_is_whole_or_an_error)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

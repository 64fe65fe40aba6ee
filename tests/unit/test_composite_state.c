/* The private state of a composite: what is written can be read again, also when memory runs out.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "gpu_node_fixture.h"
#include "resources/composite_internal.h"

enum { COUNT = 3 };

static void set_up_records(struct fixture *f)
{
    static const char *const names[COUNT] = {"vpc", "instance", "volume"};
    for (size_t i = 0; i < COUNT; i++)
        fixture_record(f, names[i], "{\"id\":\"x-1\",\"tags\":{\"a\":\"b\"}}");
}

static struct composite_run run_of(struct fixture *f)
{
    return (struct composite_run){
        .context = f->c, .request = &f->request, .records = f->records, .nonce = "n"};
}

/* 0, or -1 with an error; what it has written is read in an arena that has memory. */
static int write_and_read(struct fixture *f)
{
    struct slice bytes = SLICE_EMPTY;
    struct composite_run r = run_of(f), again = run_of(f);
    if (composite_private_encode(&r, &bytes) < 0)
        return -1;
    struct alloc_table starved = alloc_table;
    alloc_table.malloc = malloc;
    alloc_table.realloc = realloc;
    again.context.arena = f->a;
    again.records = (struct records){NULL, 0};
    int rc = composite_private_decode(&again, bytes);
    alloc_table = starved;
    fixture_expect_none(f);
    assert_int_equal(rc, 0);
    assert_int_equal(again.records.count, COUNT);
    return 0;
}

static void private_state_is_whole_or_an_error(void **state)
{
    (void)state;
    fixture_starve(set_up_records, write_and_read);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(private_state_is_whole_or_an_error)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

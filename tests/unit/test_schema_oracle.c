/* schema_plan() against the cores' checks, over generated schemas, configurations and prior states;
 * and the checks themselves against plans that are known to be bad. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "oracle.h"
#include "random_schema.h"

enum { ROUNDS = 12000 };

struct round {
    struct generator g;
    const struct schema *s;
    const struct value *config, *prior, *planned;
    const struct path *const *replace;
    size_t replace_count;
    struct diags diags;
    struct buf report;
    uint64_t seed;
};

static const char *shown(struct round *r, const struct value *v)
{
    struct buf b _cleanup_buf_ = BUF_INIT(1 << 16);
    if (!v)
        return "(none)";
    value_format(&b, v);
    return arena_strdup(r->g.arena, buf_cstr(&b));
}

static void explain(struct round *r, const char *what)
{
    fprintf(stderr, "seed %llu: %s\n%s\nprior   %s\nconfig  %s\nplanned %s\n",
            (unsigned long long)r->seed, what, buf_cstr(&r->report), shown(r, r->prior),
            shown(r, r->config), shown(r, r->planned));
    fail();
}

/* False when the configuration is refused, which sets with defaults can cause. */
static bool plan(struct round *r, const struct value *config, const struct value *prior)
{
    struct diags diags;
    diags_init(&diags, r->g.arena);
    r->config = config;
    r->prior = prior;
    r->replace = NULL;
    r->replace_count = 0;
    int rc = schema_plan(r->g.arena, r->s, config, prior, config, &r->planned, &r->replace,
                         &r->replace_count, &diags);
    assert_int_equal(rc != 0, diags_has_error(&diags));
    return rc == 0;
}

static void check_replace_paths(struct round *r)
{
    for (size_t i = 0; i < r->replace_count; i++) {
        const struct value *old = value_at_path(r->prior, r->replace[i]);
        const struct value *now = value_at_path(r->planned, r->replace[i]);
        if (!old && !now)
            explain(r, "a replace path leads nowhere");
        if (old && now && value_equal(old, now))
            explain(r, "a replace path without a difference");
        if (value_is_null(old) && value_is_null(now))
            explain(r, "a replace path between nulls");
    }
}

static void check_plan(struct round *r)
{
    if (oracle_plan_valid(r->s, r->prior, r->config, r->planned, &r->report))
        explain(r, "the core would refuse the plan");
    if (!value_equal(schema_strip_write_only(r->g.arena, r->s, r->planned), r->planned))
        explain(r, "a write-only value in the plan");
    check_replace_paths(r);
    const struct value *again = schema_unknown_computed(r->g.arena, r->s, r->planned, r->config);
    assert_non_null(again);
    r->planned = again;
    if (oracle_plan_valid(r->s, NULL, r->config, again, &r->report))
        explain(r, "the core would refuse the plan of a replacement");
}

/* What applying a plan may give: its unknown values known, write-only ones still null. */
static const struct value *completed(struct round *r, const struct value *v)
{
    return schema_strip_write_only(r->g.arena, r->s, random_completion(&r->g, v));
}

static const struct value *some_prior(struct round *r)
{
    if (random_below(&r->g, 4) == 0)
        return random_state(&r->g, r->s);
    if (random_below(&r->g, 4) == 0)
        return NULL;
    r->g.unknowns = false;
    bool ok = plan(r, random_config(&r->g, r->s), NULL);
    r->g.unknowns = true;
    return ok ? completed(r, r->planned) : NULL;
}

static void start(struct round *r, uint64_t seed)
{
    *r = (struct round){.seed = seed};
    r->g = (struct generator){
        .arena = arena_new(), .state = seed * 0x9e3779b97f4a7c15u + 1, .unknowns = true};
    assert_non_null(r->g.arena);
    diags_init(&r->diags, r->g.arena);
    r->report = BUF_INIT(1 << 16);
    r->s = random_schema(&r->g);
    assert_non_null(r->s);
}

static void end(struct round *r)
{
    assert_false(arena_failed(r->g.arena));
    buf_clean_up(&r->report);
    arena_free(r->g.arena);
}

static void test_plans_are_valid(void **state)
{
    size_t planned = 0, with_prior = 0, with_replace = 0;
    (void)state;
    for (uint64_t seed = 1; seed <= ROUNDS; seed++) {
        struct round r;
        start(&r, seed);
        const struct value *prior = some_prior(&r);
        if (plan(&r, random_config(&r.g, r.s), prior)) {
            planned++;
            with_prior += prior != NULL;
            with_replace += r.replace_count != 0;
            check_plan(&r);
        }
        end(&r);
    }
    /* Most rounds are about something. */
    assert_true(planned > ROUNDS * 9 / 10);
    assert_true(with_prior > ROUNDS / 2);
    assert_true(with_replace > ROUNDS / 10);
}

/* At apply the configuration is known and the plan is made again: all that the first one knew
 * stays. */
static void test_second_plan_completes_first(void **state)
{
    size_t compared = 0;
    (void)state;
    for (uint64_t seed = 1; seed <= ROUNDS; seed++) {
        struct round r;
        start(&r, seed);
        const struct value *prior = some_prior(&r);
        const struct value *config = random_config(&r.g, r.s);
        if (plan(&r, config, prior)) {
            const struct value *first = r.planned;
            const struct value *known = random_completion(&r.g, config);
            if (plan(&r, known, prior)) {
                compared++;
                if (oracle_compatible(r.s, first, r.planned, &r.report)) {
                    fprintf(stderr, "first   %s\nunknown %s\n", shown(&r, first),
                            shown(&r, config));
                    explain(&r, "the plan at apply differs from the first");
                }
            }
        }
        end(&r);
    }
    assert_true(compared > ROUNDS / 2);
}

/* What was applied shows no difference in the next plan. */
static void test_no_difference_after_apply(void **state)
{
    size_t compared = 0;
    (void)state;
    for (uint64_t seed = 1; seed <= ROUNDS; seed++) {
        struct round r;
        start(&r, seed);
        r.g.unknowns = false;
        const struct value *config = random_config(&r.g, r.s);
        if (plan(&r, config, NULL)) {
            const struct value *made = completed(&r, r.planned);
            if (oracle_compatible(r.s, r.planned, made, &r.report))
                explain(&r, "a completion does not fit its plan");
            if (!r.g.merged && plan(&r, config, made)) {
                compared++;
                if (!value_equal(r.planned, made))
                    explain(&r, "a difference after apply");
                if (r.replace_count)
                    explain(&r, "a replacement after apply");
            }
        }
        end(&r);
    }
    assert_true(compared > ROUNDS / 2);
}

/* ---- failing allocations ---- */

static size_t allocations_left;

static void *failing_malloc(size_t size)
{
    return allocations_left && allocations_left-- ? malloc(size) : NULL;
}

static void *failing_realloc(void *ptr, size_t size)
{
    return allocations_left && allocations_left-- ? realloc(ptr, size) : NULL;
}

/* Validates and plans with the n-th allocation failing; true when none failed any more. */
static bool plan_with(const struct round *r, const struct value *config, const struct value *prior,
                      size_t n)
{
    const struct alloc_table usual = alloc_table;
    struct arena *a = NULL;
    allocations_left = n;
    alloc_table.malloc = failing_malloc;
    alloc_table.realloc = failing_realloc;
    a = arena_new();
    bool whole = a != NULL;
    if (a) {
        const struct value *planned = NULL, *marked = NULL;
        const struct path *const *replace = NULL;
        size_t count = 0;
        struct diags diags;
        diags_init(&diags, a);
        schema_validate(r->s, config, &diags);
        size_t errors = diags.errors;
        int rc = schema_plan(a, r->s, config, prior, config, &planned, &replace, &count, &diags);
        marked = schema_mark_sensitive(a, r->s, planned);
        whole = !arena_failed(a) && allocations_left;
        assert_int_equal(rc != 0, diags.errors > errors);
        if (whole)
            assert_true(rc || (planned && marked));
    }
    alloc_table = usual;
    arena_free(a);
    return whole;
}

static void test_out_of_memory(void **state)
{
    size_t failures = 0;
    (void)state;
    for (uint64_t seed = 1; seed <= 400; seed++) {
        struct round r;
        start(&r, seed);
        const struct value *prior = some_prior(&r);
        const struct value *config = random_config(&r.g, r.s);
        for (size_t n = 0; !plan_with(&r, config, prior, n); n++)
            failures++;
        end(&r);
    }
    assert_true(failures > 800);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plans_are_valid),
        cmocka_unit_test(test_second_plan_completes_first),
        cmocka_unit_test(test_no_difference_after_apply),
        cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

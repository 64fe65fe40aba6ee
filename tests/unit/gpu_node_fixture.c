/* See gpu_node_fixture.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "gpu_node_fixture.h"
#include "resources/tables.h"
#include "schema/tables.h"
#include "value/codec.h"

const struct value *fixture_json(struct fixture *f, const char *json)
{
    const struct value *v = NULL;
    if (value_json_parse(f->a, slice_str(json), &v, &f->diags) < 0)
        fail_msg("not JSON: %s", json);
    return v;
}

const struct value *fixture_config(struct fixture *f, const char *json)
{
    const struct value *v = NULL;
    if (value_json_decode(f->a, slice_str(json), f->schema->type, true, &v, &f->diags) < 0)
        fail_msg("no configuration: %s (%s)", json, f->diags.first->detail);
    v = schema_defaults(f->a, f->schema, v);
    assert_non_null(v);
    return v;
}

void fixture_set(struct fixture *f, const char *json)
{
    f->looked_up = NULL;
    f->c.config = f->c.secrets = fixture_config(f, json);
}

void fixture_answer(struct fixture *f, const char *op, const char *json)
{
    f->looked_up = NULL;
    f->answers[f->answer_count++] = (struct fixture_answer){
        .op = op, .json = json, .read = fixture_json(f, json), .read_of = json};
}

void fixture_refuse(struct fixture *f, const char *op, enum cloud_error_class class_,
                    const char *code, const char *message, int times)
{
    f->looked_up = NULL;
    f->answers[f->answer_count++] = (struct fixture_answer){
        .op = op, .class_ = class_, .code = code, .message = message, .times = times};
}

static const struct resource_cloud *cloud_of(const struct fixture *f)
{
    for (size_t i = 0; i < f->table->cloud_count; i++)
        if (strcmp(f->table->clouds[i].cloud, f->c.cloud) == 0)
            return &f->table->clouds[i];
    fail_msg("there is no cloud \"%s\"", f->c.cloud);
    return NULL;
}

static const struct component *kind_of(const struct fixture *f, const char *name)
{
    const struct resource_cloud *cloud = cloud_of(f);
    for (size_t i = 0; i < cloud->component_count; i++) {
        const struct resource_component *rc = &cloud->components[i];
        size_t n = strcspn(rc->name, "{");
        if (strncmp(rc->name, name, n) == 0 && (rc->name[n] || !name[n]))
            return rc->component;
    }
    fail_msg("there is no component \"%s\"", name);
    return NULL;
}

void fixture_record(struct fixture *f, const char *name, const char *attrs)
{
    f->records.items = arena_grow(f->a, f->records.items, f->records.count, f->records.count + 1,
                                  sizeof(*f->records.items));
    assert_non_null(f->records.items);
    f->records.items[f->records.count++] = (struct record){
        .name = name, .component = kind_of(f, name), .attrs = fixture_json(f, attrs)};
}

void fixture_expect(struct fixture *f, enum diag_severity severity, const char *text)
{
    _cleanup_buf_ struct buf all = BUF_INIT(65536);
    for (const struct diag *d = f->diags.first; d; d = d->next) {
        const char *line =
            arena_printf(f->a, "%s: %s: %s", path_string(f->a, d->path), d->summary, d->detail);
        if (d->severity == severity && strstr(line, text))
            return;
        buf_printf(&all, "\n%s %s", d->severity == DIAG_ERROR ? "error" : "warning", line);
    }
    fail_msg("no diagnostic says \"%s\":%s", text, buf_cstr(&all));
}

void fixture_expect_none(struct fixture *f)
{
    for (const struct diag *d = f->diags.first; d; d = d->next)
        if (d->severity == DIAG_ERROR)
            fail_msg("%s: %s", d->summary, d->detail);
}

/* ---- the cloud ---- */

static struct fixture *current; /* clients are opaque; a test has one */

static bool contains(const struct value *request, const char *text)
{
    _cleanup_buf_ struct buf b = BUF_INIT(1 << 16);
    value_json_write(&b, request, true);
    return strstr(buf_cstr(&b), text) != NULL;
}

static int answer(struct fixture *f, const char *region, const struct cloud_operation *op,
                  const struct value *request, const struct value **ret, struct cloud_error *err)
{
    if (strcmp(region, f->c.region) != 0 || f->call_count == 64) {
        f->unanswered = op->name;
        return -1;
    }
    f->requests[f->call_count] = request;
    f->calls[f->call_count++] = op->name;
    for (size_t i = 0; i < f->answer_count; i++) {
        struct fixture_answer *x = &f->answers[i];
        if (strcmp(x->op, op->name) != 0 || x->times < 0 || (x->of && !contains(request, x->of)))
            continue;
        if (x->times > 0 && --x->times == 0)
            x->times = -1;
        /* Where memory is short, the parser's own library is not what is tried. */
        if (x->json && x->read_of == x->json) {
            *ret = x->read;
            return 0;
        }
        if (x->json && value_json_parse(f->a, slice_str(x->json), ret, &f->diags) == 0)
            return 0;
        if (x->json) { /* a test lets memory run out */
            *err = (struct cloud_error){.class_ = CLOUD_ERROR_NO_MEMORY, .message = "no memory"};
            return -1;
        }
        *err = (struct cloud_error){.class_ = x->class_, .code = x->code, .message = x->message};
        return -1;
    }
    f->unanswered = op->name;
    *err = (struct cloud_error){.class_ = CLOUD_ERROR_OTHER, .message = "nobody answers"};
    return -1;
}

/* Calls come from several threads, and the fixture's arena is for one. */
static int call(struct cloud_client *client, const struct work *w, struct arena *a,
                const char *region, const struct cloud_operation *op, const struct value *request,
                const struct value **ret, struct cloud_error *err)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    (void)client;
    (void)w;
    (void)a;
    pthread_mutex_lock(&lock);
    int rc = answer(current, region, op, request, ret, err);
    pthread_mutex_unlock(&lock);
    return rc;
}

static const struct value *tags_of(struct cloud_client *c, struct arena *a)
{
    const struct value_member m[] = {{SLICE_LIT("team"), value_str(a, "models")}};
    (void)c;
    return value_map(a, &type_string, m, 1);
}

static bool ignores_tag(struct cloud_client *c, struct slice key)
{
    (void)c;
    return slice_has_prefix(key, "aws:") || slice_eq_str(key, "llm:status");
}

static const struct value *owner_tags(struct arena *a, const char *type, const struct value *name,
                                      const char *component)
{
    const struct value_member m[] = {
        {SLICE_LIT("llm:component"), value_str(a, component)},
        {SLICE_LIT("llm:resource"), value_printf(a, "%s/%s", type, value_cstr(name, ""))}};
    return value_map(a, &type_string, m, 2);
}

static const char *partition(const char *region)
{
    return strncmp(region, "cn-", 3) == 0 ? "aws-cn" : "aws";
}

static const struct cloud_driver driver = {.cloud = "aws",
                                           .call = call,
                                           .default_tags = tags_of,
                                           .ignores_tag = ignores_tag,
                                           .owner_tags = owner_tags,
                                           .partition = partition};

struct fixture *fixture_new(void)
{
    struct fixture *f = calloc(1, sizeof(*f));
    struct provider *p = calloc(1, sizeof(*p));
    if (!f || !p) {
        free(f);
        free(p);
        return NULL;
    }
    f->a = arena_new();
    f->provider = p;
    diags_init(&f->diags, f->a);
    f->schema = &schema_llm_gpu_node;
    f->table = &table_llm_gpu_node;
    p->clock = clock_system();
    f->work = (struct work){clock_system(), NULL, INT64_MAX};
    f->request = (struct request){p, f->a, NULL, &f->diags};
    f->c = (struct composite_context){.request = &f->request,
                                      .arena = f->a,
                                      .driver = &driver,
                                      .client = (struct cloud_client *)f,
                                      .online = true,
                                      .work = &f->work,
                                      .cloud = "aws",
                                      .region = "us-east-1",
                                      .account = "123456789012",
                                      .records = &f->records,
                                      .looked_up = &f->looked_up,
                                      .diags = &f->diags};
    current = f;
    return f;
}

void fixture_free(struct fixture *f)
{
    if (f->unanswered)
        fail_msg("nobody answers %s", f->unanswered);
    arena_free(f->a);
    free(f->provider);
    free(f);
}

const struct value *fixture_derive(struct fixture *f, const struct composite *kind,
                                   const char *json)
{
    const struct value *v = NULL;
    if (json)
        fixture_set(f, json);
    int rc = kind->derive(&f->c, &v);
    fixture_expect_none(f);
    assert_int_equal(rc, 0);
    return v;
}

const char *fixture_text(struct fixture *f, const struct value *v)
{
    _cleanup_buf_ struct buf b = BUF_INIT(65536);
    if (!v)
        return "(none)";
    if (value_is_unknown(v))
        return "(unknown)";
    assert_int_equal(value_json_write(&b, v, false), 0);
    return arena_strdup(f->a, buf_cstr(&b));
}

/* ---- memory that runs out ---- */

static struct alloc_table whole;
static atomic_long allocations_left;
static bool only_one_fails;

static bool there_is_memory(void)
{
    long left = atomic_fetch_sub(&allocations_left, 1);
    return left > 0 || (left < 0 && only_one_fails);
}

static void *failing_malloc(size_t size)
{
    return there_is_memory() ? whole.malloc(size) : NULL;
}

static void *failing_realloc(void *ptr, size_t size)
{
    return there_is_memory() ? whole.realloc(ptr, size) : NULL;
}

static void starve(void (*set_up)(struct fixture *f), int (*run)(struct fixture *f))
{
    bool done = false;
    whole = alloc_table;
    for (long n = 0; n < 20000 && !done; n++) {
        struct fixture *f = fixture_new();
        assert_non_null(f);
        set_up(f);
        f->c.arena = arena_new_child(f->a);
        assert_non_null(f->c.arena);
        allocations_left = n;
        alloc_table.malloc = failing_malloc;
        alloc_table.realloc = failing_realloc;
        int rc = run(f);
        done = allocations_left >= 0;
        alloc_table = whole;
        if (rc < 0 && !diags_has_error(&f->diags))
            fail_msg("allocation %ld: a failure without an error", n);
        if (done && rc < 0)
            fail_msg("%s", f->diags.first->detail);
        fixture_free(f);
    }
    assert_true(done);
}

void fixture_starve(void (*set_up)(struct fixture *f), int (*run)(struct fixture *f))
{
    for (int i = 0; i < 2; i++) {
        only_one_fails = i > 0;
        starve(set_up, run);
    }
}

/* Many threads whose token is refused at once: one new token is got, and all go on with it. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#include "kubernetes_test.h"

enum { THREADS = 8, CALLS = 20 };

static pthread_mutex_t token_lock = PTHREAD_MUTEX_INITIALIZER;
static int good_token; /* guarded by token_lock */
static atomic_int fresh_tokens, fresh_at_once, refusals, failures, valid_token;

/* A source that makes a new token only when it is told to. */
static int make_token(void *self, const struct work *w, struct arena *a, bool fresh,
                      const char **ret, struct cloud_error *err)
{
    (void)self;
    (void)w;
    (void)err;
    if (fresh && atomic_fetch_add(&fresh_at_once, 1) > 0)
        atomic_fetch_add(&failures, 1);
    pthread_mutex_lock(&token_lock);
    good_token += fresh;
    *ret = arena_printf(a, "token-%d", good_token);
    pthread_mutex_unlock(&token_lock);
    if (fresh) {
        atomic_fetch_add(&fresh_tokens, 1);
        atomic_fetch_sub(&fresh_at_once, 1);
    }
    return *ret ? 0 : -1;
}

static int send_any(void *self, const struct work *w, struct arena *a,
                    const struct http_request *rq, struct http_response *ret)
{
    char expected[32];
    (void)self;
    (void)w;
    (void)a;
    snprintf(expected, sizeof(expected), "Bearer token-%d", atomic_load(&valid_token));
    bool good = slice_eq_str(rq->headers[0].value, expected);
    memset(ret, 0, sizeof(*ret));
    ret->status = good ? 200 : 401;
    ret->body =
        good ? SLICE_LIT("{}") : SLICE_LIT("{\"kind\":\"Status\",\"reason\":\"Unauthorized\"}");
    if (!good)
        atomic_fetch_add(&refusals, 1);
    return 0;
}

static void *call_often(void *arg)
{
    struct cloud_client *c = arg;
    const struct cloud_operation op = {"kubernetes", "Test", "GET", "/version", NULL, false};
    for (int i = 0; i < CALLS; i++) {
        struct arena *a = arena_new();
        struct cloud_error err;
        const struct value *answer = NULL, *request = value_object(a, NULL, 0);
        const struct work w = {clock_system(), NULL, INT64_MAX};
        if (kubernetes_driver.call(c, &w, a, NULL, &op, request, &answer, &err) < 0)
            atomic_fetch_add(&failures, 1);
        arena_free(a);
    }
    return NULL;
}

static void test_one_renews_for_all(void **state)
{
    struct http_transport many = {.send = send_any};
    struct cloud_cluster cluster = a_cluster();
    pthread_t threads[THREADS];
    struct diags d;
    (void)state;
    diags_init(&d, arena);
    cluster.token = make_token;
    struct cloud_client *c = kubernetes_client_new(&cluster, &many, clock_system(), "test/1", &d);
    assert_non_null(c);
    atomic_store(&valid_token, 1); /* token-0, which all begin with, has expired */
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, call_often, c), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(atomic_load(&failures), 0);
    assert_int_equal(atomic_load(&fresh_tokens), 1);
    assert_in_range(atomic_load(&refusals), 1, THREADS);
    kubernetes_driver.free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_one_renews_for_all, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* How a resource reaches its cluster: the client's settings, and tokens that are kept while they
 * are good. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "fake_clock.h"
#include "resources/cluster_access.h"

enum { NOW = 1795255200 };

/* A cloud that counts the tokens it makes. */
static struct {
    int made, fresh;
    int64_t lifetime_s;
    bool refuses;
    char region[32], name[32];
} cloud;

static int make_token(struct cloud_client *c, const struct work *w, struct arena *a,
                      const char *region, const char *cluster, bool fresh, const char **ret,
                      int64_t *ret_expires_unix_s, struct cloud_error *err)
{
    assert_ptr_equal(c, &cloud);
    if (cloud.refuses) {
        *err = (struct cloud_error){.class_ = CLOUD_ERROR_CREDENTIALS, .message = "none"};
        return -1;
    }
    cloud.made++;
    cloud.fresh += fresh;
    snprintf(cloud.region, sizeof(cloud.region), "%s", region);
    snprintf(cloud.name, sizeof(cloud.name), "%s", cluster);
    *ret = arena_printf(a, "token-%d", cloud.made);
    *ret_expires_unix_s = cloud.lifetime_s == INT64_MAX
                              ? INT64_MAX
                              : w->clock->unix_s(w->clock->self) + cloud.lifetime_s;
    return 0;
}

static const struct cloud_driver with_tokens = {.cloud = "fake", .cluster_token = make_token},
                                 without_tokens = {.cloud = "bare"};

/* The clusters' room: keeps what a client is made with. */
static struct cloud_cluster made_with;
static int freed;

static struct cloud_client *client_new(const struct cloud_cluster *cluster,
                                       struct http_transport *transport, const struct clock *clock,
                                       const char *user_agent, struct diags *diags)
{
    (void)transport, (void)clock;
    assert_string_equal(user_agent, "agent/1");
    made_with = *cluster;
    if (cluster->endpoint && (cluster->ca_pem || cluster->system_trust))
        return (struct cloud_client *)&made_with;
    diags_error(diags, NULL, "refused", "refused");
    return NULL;
}

static void client_free(struct cloud_client *c)
{
    freed += c != NULL;
}

static const struct cloud_driver clusters_driver = {.cloud = "kubernetes", .free = client_free};
static const struct cloud_clusters clusters = {&clusters_driver, client_new};

struct bench {
    struct arena *a;
    struct diags diags;
    struct fake_clock clock;
    struct provider *provider;
    struct cluster_place place;
    struct work work;
};

static int set_up(void **state)
{
    static struct bench b;
    memset(&b, 0, sizeof(b));
    memset(&cloud, 0, sizeof(cloud));
    cloud.lifetime_s = 840;
    freed = 0;
    b.a = arena_new();
    b.provider = arena_new_object(b.a, struct provider);
    fake_clock_init(&b.clock, NOW);
    diags_init(&b.diags, b.a);
    b.provider->clusters = &clusters;
    b.provider->clock = &b.clock.clock;
    b.provider->user_agent = "agent/1";
    b.place = (struct cluster_place){.driver = &with_tokens,
                                     .client = (struct cloud_client *)&cloud,
                                     .region = "r1",
                                     .name = "c",
                                     .endpoint = "203.0.113.9",
                                     .ca = "-----BEGIN CERTIFICATE-----\nx"};
    b.work = (struct work){&b.clock.clock, NULL, INT64_MAX};
    *state = &b;
    return 0;
}

static int tear_down(void **state)
{
    arena_free(((struct bench *)*state)->a);
    return 0;
}

static const char *token(struct bench *b, bool fresh)
{
    struct cloud_error err = {.message = NULL};
    const char *text = NULL;
    int rc = made_with.token(made_with.token_self, &b->work, b->a, fresh, &text, &err);
    return rc == 0 ? text : err.message;
}

static void a_client_is_made_and_freed(void **state)
{
    struct bench *b = *state;
    struct cluster_access *x = cluster_access_new(b->provider, &b->place, &b->diags);
    assert_non_null(x);
    assert_string_equal(made_with.endpoint, "https://203.0.113.9");
    assert_string_equal(made_with.ca_pem, b->place.ca);
    assert_string_equal(made_with.field_manager, "terraform-provider-llm");
    assert_true(made_with.retry.max_attempts > 1);
    assert_int_equal(cloud.made, 0);
    struct engine_cloud e = cluster_access_cloud(b->provider, x);
    assert_ptr_equal(e.driver, &clusters_driver);
    assert_ptr_equal(e.client, &made_with);
    assert_null(cluster_access_cloud(b->provider, NULL).client);
    assert_ptr_equal(cluster_access_cloud(b->provider, NULL).driver, &clusters_driver);
    cluster_access_free(x);
    assert_int_equal(freed, 1);
    cluster_access_free(NULL);
}

static void a_token_is_kept_while_it_is_good(void **state)
{
    struct bench *b = *state;
    struct cluster_access *x = cluster_access_new(b->provider, &b->place, &b->diags);
    assert_string_equal(token(b, false), "token-1");
    assert_string_equal(token(b, false), "token-1");
    assert_string_equal(cloud.region, "r1");
    assert_string_equal(cloud.name, "c");
    b->clock.unix_s = NOW + 779;
    assert_string_equal(token(b, false), "token-1");
    b->clock.unix_s = NOW + 781;
    assert_string_equal(token(b, false), "token-2");
    assert_int_equal(cloud.fresh, 0);
    assert_string_equal(token(b, true), "token-3");
    assert_int_equal(cloud.fresh, 1);
    assert_string_equal(token(b, false), "token-3");
    cloud.lifetime_s = INT64_MAX;
    assert_string_equal(token(b, true), "token-4");
    b->clock.unix_s = NOW + 1000000;
    assert_string_equal(token(b, false), "token-4");
    cluster_access_free(x);
}

static void what_ends_soon_is_asked_for_each_time(void **state)
{
    struct bench *b = *state;
    struct cluster_access *x = cluster_access_new(b->provider, &b->place, &b->diags);
    cloud.lifetime_s = 30;
    assert_string_equal(token(b, false), "token-1");
    assert_string_equal(token(b, false), "token-2");
    cluster_access_free(x);
}

static void errors_are_the_cloud_s(void **state)
{
    struct bench *b = *state;
    struct cluster_access *x = cluster_access_new(b->provider, &b->place, &b->diags);
    cloud.refuses = true;
    assert_string_equal(token(b, false), "none");
    cloud.refuses = false;
    assert_string_equal(token(b, false), "token-1");
    cluster_access_free(x);
    b->place.driver = &without_tokens;
    x = cluster_access_new(b->provider, &b->place, &b->diags);
    assert_non_null(strstr(token(b, false), "makes no tokens"));
    cluster_access_free(x);
}

/* Of a cluster that is no cloud's own: a text, a file as it is now, or the variable. */
static void a_token_of_the_user_s(void **state)
{
    struct bench *b = *state;
    char path[] = "/tmp/llm-token-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, " file-1 \n", 9), 9);
    close(fd);
    b->place.own_token = true;
    b->place.ca = NULL;
    unsetenv("KUBE_TOKEN");
    struct cluster_access *x = cluster_access_new(b->provider, &b->place, &b->diags);
    assert_true(made_with.system_trust);
    assert_null(made_with.ca_pem);
    assert_non_null(strstr(token(b, false), "set `token_file`, or the variable KUBE_TOKEN"));
    setenv("KUBE_TOKEN", "variable", 1);
    assert_string_equal(token(b, false), "variable");
    assert_non_null(strstr(token(b, true), "refused the token"));
    cluster_access_free(x);
    b->place.token_file = path;
    b->place.ca = "-----BEGIN CERTIFICATE-----\nx";
    x = cluster_access_new(b->provider, &b->place, &b->diags);
    assert_false(made_with.system_trust);
    assert_string_equal(token(b, false), "file-1");
    FILE *f = fopen(path, "w");
    fputs("file-2", f);
    fclose(f);
    assert_string_equal(token(b, false), "file-1");
    assert_string_equal(token(b, true), "file-2");
    unlink(path);
    assert_non_null(strstr(token(b, true), "cannot be read"));
    cluster_access_free(x);
    b->place.token = "text";
    x = cluster_access_new(b->provider, &b->place, &b->diags);
    assert_string_equal(token(b, false), "text");
    cluster_access_free(x);
    unsetenv("KUBE_TOKEN");
    assert_int_equal(cloud.made, 0);
}

static void what_is_missing_is_refused(void **state)
{
    struct bench *b = *state;
    b->place.ca = "bm90IGEgY2VydGlmaWNhdGU=";
    assert_null(cluster_access_new(b->provider, &b->place, &b->diags));
    b->place.ca = "-----BEGIN CERTIFICATE-----\nx";
    b->place.endpoint = "";
    assert_null(cluster_access_new(b->provider, &b->place, &b->diags));
    assert_int_equal(b->diags.errors, 2);
    b->provider->clusters = NULL;
    b->place.endpoint = "h";
    assert_null(cluster_access_new(b->provider, &b->place, &b->diags));
    assert_int_equal(b->diags.errors, 3);
    assert_null(provider_cluster_driver(b->provider));
    assert_int_equal(freed, 0);
}

static void what_clouds_say_of_clusters(void **state)
{
    struct bench *b = *state;
    assert_string_equal(cluster_endpoint_url(b->a, "https://X.gr7.us-east-1.eks.amazonaws.com"),
                        "https://X.gr7.us-east-1.eks.amazonaws.com");
    assert_string_equal(cluster_endpoint_url(b->a, "127.0.0.1:6443"), "https://127.0.0.1:6443");
    assert_null(cluster_endpoint_url(b->a, NULL));
    assert_string_equal(cluster_ca_pem(b->a, "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCng="),
                        "-----BEGIN CERTIFICATE-----\nx");
    assert_null(cluster_ca_pem(b->a, "no base64!"));
    assert_null(cluster_ca_pem(b->a, NULL));
    assert_null(cluster_ca_pem(b->a, ""));
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(a_client_is_made_and_freed),
        T(a_token_is_kept_while_it_is_good),
        T(what_ends_soon_is_asked_for_each_time),
        T(errors_are_the_cloud_s),
        T(a_token_of_the_user_s),
        T(what_is_missing_is_refused),
        T(what_clouds_say_of_clusters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

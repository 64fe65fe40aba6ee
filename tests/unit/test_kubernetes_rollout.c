/* How far a Deployment, a Service or a Namespace is, in the words of its status. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "kubernetes/rollout.h"
#include "value/codec.h"

#define DEPLOYMENT                                                                                 \
    "{\"apiVersion\":\"apps/v1\",\"kind\":\"Deployment\",\"metadata\":{\"generation\":2},"
#define STATUS(n) "\"status\":{\"observedGeneration\":2," n "}}"
#define FULL "\"replicas\":2,\"updatedReplicas\":2,\"availableReplicas\":2"

static const struct {
    const char *object, *state, *message; /* state NULL: none */
} cases[] = {
    {DEPLOYMENT "\"spec\":{\"replicas\":2}," STATUS(FULL), "Complete", ""},
    {DEPLOYMENT "\"spec\":{\"replicas\":2},\"status\":{\"observedGeneration\":1," FULL "}}",
     "Waiting", NULL},
    {DEPLOYMENT "\"spec\":{\"replicas\":2},\"status\":{}}", "Waiting", NULL},
    {DEPLOYMENT "\"spec\":{\"replicas\":3}," STATUS(FULL), "Updating", NULL},
    {DEPLOYMENT "\"spec\":{\"replicas\":2}," STATUS(
         "\"replicas\":3,\"updatedReplicas\":2,\"availableReplicas\":3"),
     "Updating", NULL},
    {DEPLOYMENT "\"spec\":{\"replicas\":2}," STATUS("\"replicas\":2,\"updatedReplicas\":2"),
     "Starting", NULL},
    {DEPLOYMENT "\"spec\":{\"replicas\":0}," STATUS("\"conditions\":[]"), "Complete", ""},
    {DEPLOYMENT "\"spec\":{}," STATUS("\"replicas\":0"), "Updating", NULL}, /* 1 by default */
    {DEPLOYMENT "\"spec\":{\"replicas\":2}," STATUS(
         "\"conditions\":[{\"type\":\"Available\",\"reason\":\"ProgressDeadlineExceeded\"},"
         "{\"type\":\"Progressing\",\"reason\":\"ProgressDeadlineExceeded\",\"message\":\"late\"}"
         "]"),
     "ProgressDeadlineExceeded", "late"},
    {DEPLOYMENT "\"spec\":{\"replicas\":2}," STATUS(
         "\"conditions\":[{\"type\":\"ReplicaFailure\",\"message\":\"quota\"},"
         "{\"type\":\"Progressing\",\"reason\":\"ProgressDeadlineExceeded\",\"message\":\"late\"}"
         "]"),
     "ProgressDeadlineExceeded", "quota"},
    {DEPLOYMENT "\"spec\":{\"replicas\":1}," STATUS(
         "\"replicas\":2,\"updatedReplicas\":1,\"availableReplicas\":1,\"conditions\":[{\"type\":"
         "\"Progressing\",\"reason\":\"ProgressDeadlineExceeded\",\"message\":\"late\"}]"),
     "RolloutFailed", "late"},
    {"{\"apiVersion\":\"v1\",\"kind\":\"Service\",\"spec\":{\"type\":\"ClusterIP\"}}", "Complete",
     ""},
    {"{\"apiVersion\":\"v1\",\"kind\":\"Service\",\"spec\":{\"type\":\"LoadBalancer\"},"
     "\"status\":{\"loadBalancer\":{}}}",
     "Waiting", NULL},
    {"{\"apiVersion\":\"v1\",\"kind\":\"Service\",\"spec\":{\"type\":\"LoadBalancer\"},"
     "\"status\":{\"loadBalancer\":{\"ingress\":[{\"ip\":\"10.0.0.1\"}]}}}",
     "Complete", ""},
    {"{\"apiVersion\":\"example.com/v1\",\"kind\":\"Deployment\",\"spec\":{}}", NULL, NULL},
    {"{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\"}", NULL, NULL},
    {"{\"apiVersion\":\"v1\",\"kind\":\"Namespace\",\"status\":{\"phase\":\"Active\"}}", "Active",
     ""},
    {"{\"apiVersion\":\"v1\",\"kind\":\"Namespace\",\"status\":{\"phase\":\"Terminating\","
     "\"conditions\":["
     "{\"type\":\"NamespaceDeletionDiscoveryFailure\",\"status\":\"False\",\"message\":\"all "
     "found\"},"
     "{\"type\":\"NamespaceContentRemaining\",\"status\":\"True\",\"message\":\"pods. has 1\"},"
     "{\"type\":\"NamespaceFinalizersRemaining\",\"status\":\"True\",\"message\":\"x/y in 1\"}]}}",
     "Terminating", "pods. has 1; x/y in 1"},
};

static void test_states(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct arena *a _cleanup_arena_ = arena_new();
        const struct value *v = NULL;
        struct diags diags;
        diags_init(&diags, a);
        assert_int_equal(value_json_parse(a, slice_str(cases[i].object), &v, &diags), 0);
        const struct value *got = kubernetes_rollout(a, v);
        if (!cases[i].state) {
            assert_null(got);
            continue;
        }
        assert_string_equal(value_cstr(value_get(got, "state"), ""), cases[i].state);
        if (cases[i].message)
            assert_string_equal(value_cstr(value_get(got, "message"), "?"), cases[i].message);
        else
            assert_true(value_slice(value_get(got, "message")).len > 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_states)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

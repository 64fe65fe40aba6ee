/* How far a cluster is with what it was asked for, as "kubectl rollout status" tells it: an answer
 * has numbers and conditions, and what they mean depends on each other. */
#include "kubernetes/rollout.h"

#include <string.h>

enum { MESSAGE_MOST = 16384 };

static const struct value *rollout(struct arena *a, const char *state, const char *message)
{
    const struct value_member m[] = {{SLICE_LIT("state"), value_str(a, state)},
                                     {SLICE_LIT("message"), value_str(a, message)}};
    return value_object(a, m, 2);
}

static int64_t number_at(const struct value *object, const char *path, int64_t fallback)
{
    return value_int_or(value_path(object, path), fallback);
}

static const struct value *condition(const struct value *object, const char *type)
{
    const struct value *all = value_path(object, "status.conditions");
    for (size_t i = 0; i < value_count(all); i++)
        if (slice_eq_str(value_slice(value_get(value_at(all, i), "type")), type))
            return value_at(all, i);
    return NULL;
}

/* Why pods are not there (a quota, an admission) is said by another condition than that time ran
 * out. */
static const char *deadline_message(const struct value *object, const struct value *progressing)
{
    const struct value *failure = condition(object, "ReplicaFailure");
    const char *said = value_cstr(value_get(failure, "message"), "");
    return *said ? said : value_cstr(value_get(progressing, "message"), "");
}

/* A change that has failed while other pods serve is another thing than pods that never came. */
static const struct value *of_deployment(struct arena *a, const struct value *object)
{
    int64_t wanted = number_at(object, "spec.replicas", 1);
    int64_t all = number_at(object, "status.replicas", 0);
    int64_t updated = number_at(object, "status.updatedReplicas", 0);
    int64_t available = number_at(object, "status.availableReplicas", 0);
    const struct value *progressing = condition(object, "Progressing");
    if (number_at(object, "status.observedGeneration", 0) <
        number_at(object, "metadata.generation", 0))
        return rollout(a, "Waiting", "the change has not been seen by its controller yet");
    if (slice_eq_str(value_slice(value_get(progressing, "reason")), "ProgressDeadlineExceeded"))
        return rollout(a, available > 0 ? "RolloutFailed" : "ProgressDeadlineExceeded",
                       deadline_message(object, progressing));
    if (updated < wanted || all > updated)
        return rollout(a, "Updating", "pods take the place of others");
    return available < updated ? rollout(a, "Starting", "pods are not available yet")
                               : rollout(a, "Complete", "");
}

static const struct value *of_service(struct arena *a, const struct value *object)
{
    bool balanced = slice_eq_str(value_slice(value_path(object, "spec.type")), "LoadBalancer");
    bool has = value_count(value_path(object, "status.loadBalancer.ingress")) > 0;
    return balanced && !has ? rollout(a, "Waiting", "there is no load balancer yet")
                            : rollout(a, "Complete", "");
}

/* What keeps a namespace that is to go: the conditions that hold say what content and which
 * finalizers are left, or what could not be listed (k8s.io/api/core/v1, NamespaceConditionType). */
static const struct value *of_namespace(struct arena *a, const struct value *object)
{
    const struct value *all = value_path(object, "status.conditions");
    _cleanup_buf_ struct buf said = BUF_INIT(MESSAGE_MOST);
    for (size_t i = 0; i < value_count(all); i++) {
        const struct value *c = value_at(all, i);
        struct slice message = value_slice(value_get(c, "message"));
        if (!message.len || !slice_eq_str(value_slice(value_get(c, "status")), "True"))
            continue;
        buf_append_str(&said, said.len ? "; " : "");
        buf_append_slice(&said, message);
    }
    return rollout(a, value_cstr(value_path(object, "status.phase"), ""), buf_cstr(&said));
}

const struct value *kubernetes_rollout(struct arena *a, const struct value *object)
{
    const char *kind = value_cstr(value_get(object, "kind"), "");
    const char *api = value_cstr(value_get(object, "apiVersion"), "");
    if (strcmp(api, "apps/v1") == 0 && strcmp(kind, "Deployment") == 0)
        return of_deployment(a, object);
    if (strcmp(api, "v1") != 0)
        return NULL;
    if (strcmp(kind, "Namespace") == 0)
        return of_namespace(a, object);
    return strcmp(kind, "Service") == 0 ? of_service(a, object) : NULL;
}

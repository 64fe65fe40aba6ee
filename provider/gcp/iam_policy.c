/* Read, change, write of IAM policies. */
#include "gcp/iam_policy.h"

#include <string.h>

#include "cloud/rest.h"
#include "value/codec.h"

enum { TRIES_MOST = 20, PAUSE_MS = 250, PAUSE_MOST_MS = 8000, BODY_MOST = 4 << 20 };

enum change { ADD, REMOVE, GET, OTHER };

struct policy_change {
    struct cloud_client *client;
    const struct work *w;
    struct arena *a;
    const struct cloud_operation *op;
    struct cloud_error *err;
    const char *url; /* of the resource */
    const struct value *role, *member, *condition;
};

static enum change kind_of(const struct cloud_operation *op)
{
    static const char *const names[] = {".addIamMember", ".removeIamMember", ".getIamMember"};
    const char *dot = strrchr(op->name, '.');
    for (size_t i = 0; dot && i < 3; i++)
        if (strcmp(dot, names[i]) == 0)
            return (enum change)i;
    return OTHER;
}

bool gcp_is_iam_member(const struct cloud_operation *op)
{
    return kind_of(op) != OTHER;
}

static int fail(struct policy_change *p, enum cloud_error_class class_, const char *code,
                const char *message)
{
    memset(p->err, 0, sizeof(*p->err));
    p->err->service = p->op->service;
    p->err->operation = p->op->name;
    p->err->retry_after_ms = -1;
    p->err->class_ = message ? class_ : CLOUD_ERROR_NO_MEMORY;
    p->err->code = code;
    p->err->message = message ? message : "memory ran out";
    return -1;
}

/* ---- the two calls ---- */

/* Conditional bindings are only shown, and only kept, in version 3. */
static int read_policy(struct policy_change *p, const struct value **ret)
{
    bool by_get = strcmp(p->op->service, "secretmanager") == 0 ||
                  strcmp(p->op->service, "artifactregistry") == 0;
    bool projects = strcmp(p->op->service, "cloudresourcemanager") == 0;
    const struct gcp_exchange x = {
        .op = p->op,
        .method = by_get ? "GET" : "POST",
        .url = arena_printf(p->a, "%s:getIamPolicy%s", p->url,
                            projects ? "" : "?options.requestedPolicyVersion=3"),
        .body = projects ? SLICE_LIT("{\"options\":{\"requestedPolicyVersion\":3}}") : SLICE_EMPTY,
        .safe = true,
    };
    return x.url ? gcp_send(p->client, p->w, p->a, &x, ret, p->err)
                 : fail(p, CLOUD_ERROR_NO_MEMORY, NULL, NULL);
}

static int write_policy(struct policy_change *p, const struct value *policy)
{
    _cleanup_buf_ struct buf b = BUF_INIT(BODY_MOST);
    const struct value *answer = NULL, *version = value_int(p->a, 3);
    policy = policy ? value_with(p->a, policy, "version", version) : NULL;
    const struct value_member m[] = {{SLICE_LIT("policy"), policy}};
    const struct value *body = policy ? value_object(p->a, m, 1) : NULL;
    if (!body || value_json_write(&b, body, true) < 0)
        return fail(p, CLOUD_ERROR_NO_MEMORY, NULL, NULL);
    const struct gcp_exchange x = {
        .op = p->op,
        .method = "POST",
        .url = arena_printf(p->a, "%s:setIamPolicy", p->url),
        .body = buf_slice(&b),
        .safe = true, /* under its etag a second time changes nothing */
    };
    return x.url ? gcp_send(p->client, p->w, p->a, &x, &answer, p->err)
                 : fail(p, CLOUD_ERROR_NO_MEMORY, NULL, NULL);
}

/* ---- bindings ---- */

static bool is_binding(const struct policy_change *p, const struct value *binding)
{
    const struct value *condition = value_get(binding, "condition");
    if (!value_equal(value_get(binding, "role"), p->role))
        return false;
    if (value_is_null(p->condition) || value_is_null(condition))
        return value_is_null(p->condition) && value_is_null(condition);
    return value_equal(value_get(condition, "expression"), value_get(p->condition, "expression")) &&
           value_equal(value_get(condition, "title"), value_get(p->condition, "title"));
}

static bool has_member(const struct policy_change *p, const struct value *binding)
{
    const struct value *members = value_get(binding, "members");
    for (size_t i = 0; i < value_count(members); i++)
        if (value_equal(value_at(members, i), p->member))
            return true;
    return false;
}

static const struct value *binding_with(struct policy_change *p, const struct value *binding,
                                        bool add)
{
    const struct value *members = value_get(binding, "members");
    const struct value **list =
        arena_calloc(p->a, value_count(members) + 1, sizeof(struct value *));
    size_t count = 0;
    for (size_t i = 0; list && i < value_count(members); i++)
        if (!value_equal(value_at(members, i), p->member))
            list[count++] = value_at(members, i);
    if (list && add)
        list[count++] = p->member;
    const struct value *tuple = list ? value_tuple(p->a, list, count) : NULL;
    return tuple ? value_with(p->a, binding, "members", tuple) : NULL;
}

static const struct value *new_binding(struct policy_change *p)
{
    const struct value_member m[] = {{SLICE_LIT("role"), p->role},
                                     {SLICE_LIT("members"), value_tuple(p->a, &p->member, 1)},
                                     {SLICE_LIT("condition"), p->condition}};
    return value_object(p->a, m, value_is_null(p->condition) ? 2 : 3);
}

/* The policy with the member added or removed; a binding that becomes empty goes. NULL when memory
 * is out. */
static const struct value *changed(struct policy_change *p, const struct value *policy, bool add)
{
    const struct value *bindings = value_get(policy, "bindings");
    const struct value **list =
        arena_calloc(p->a, value_count(bindings) + 1, sizeof(struct value *));
    size_t count = 0;
    bool found = false;
    for (size_t i = 0; list && i < value_count(bindings); i++) {
        const struct value *b = value_at(bindings, i);
        bool is = is_binding(p, b);
        if (is && !(b = binding_with(p, b, add && !found)))
            return NULL;
        found |= is;
        if (!is || value_count(value_get(b, "members")))
            list[count++] = b;
    }
    if (list && add && !found)
        list[count++] = new_binding(p);
    const struct value *all = list ? value_tuple(p->a, list, count) : NULL;
    return all ? value_with(p->a, policy, "bindings", all) : NULL;
}

static bool is_there(const struct policy_change *p, const struct value *policy)
{
    const struct value *bindings = value_get(policy, "bindings");
    for (size_t i = 0; i < value_count(bindings); i++)
        if (is_binding(p, value_at(bindings, i)) && has_member(p, value_at(bindings, i)))
            return true;
    return false;
}

/* ---- the loop ---- */

static int change(struct policy_change *p, bool add)
{
    const struct clock *clock = p->w->clock;
    int64_t pause = PAUSE_MS;
    for (int i = 0;; i++) {
        const struct value *policy = NULL;
        if (read_policy(p, &policy) < 0)
            return -1;
        if (is_there(p, policy) == add)
            return 0;
        if (write_policy(p, changed(p, policy, add)) == 0)
            return 0;
        if (p->err->class_ != CLOUD_ERROR_CONFLICT || i == TRIES_MOST)
            return -1;
        int64_t ms = pause / 2 + (int64_t)((double)pause / 2 * clock->random(clock->self));
        if (ms >= work_left_ms(p->w) || clock->sleep_ms(clock->self, ms, p->w->cancel) < 0)
            return -1;
        pause = pause * 2 < PAUSE_MOST_MS ? pause * 2 : PAUSE_MOST_MS;
    }
}

static int get(struct policy_change *p)
{
    const struct value *policy = NULL;
    if (read_policy(p, &policy) < 0)
        return -1;
    return is_there(p, policy) ? 0
                               : fail(p, CLOUD_ERROR_NOT_FOUND, "notFound",
                                      "the policy does not have that member in that role");
}

int gcp_iam_member(struct cloud_client *client, const struct work *w, struct arena *a,
                   const struct cloud_operation *op, const struct value *request,
                   const struct value **ret, struct cloud_error *err)
{
    struct policy_change p = {client,
                              w,
                              a,
                              op,
                              err,
                              NULL,
                              value_get(request, "role"),
                              value_get(request, "member"),
                              value_get(request, "condition")};
    struct rest_request wire;
    const char *why = NULL;
    /* The URI alone: what is left of the request is no body. */
    const struct cloud_operation base = {
        .service = op->service, .name = op->name, .method = "GET", .uri = op->uri};
    if (!op->uri || rest_encode(a, &base, request, &wire, &why) < 0 || !value_is_known(p.role) ||
        !value_is_known(p.member))
        return fail(&p, CLOUD_ERROR_INVALID, NULL,
                    arena_printf(a, "the member of a policy cannot be asked for: %s",
                                 why ? why : "role or member is missing"));
    const char *endpoint = gcp_endpoint(&client->config, a, op->service, wire.path);
    p.url = endpoint ? arena_printf(a, "%s%s", endpoint, wire.path) : NULL;
    if (!p.url)
        return fail(&p, CLOUD_ERROR_NO_MEMORY, NULL, NULL);
    enum change kind = kind_of(op);
    if ((kind == GET ? get(&p) : change(&p, kind == ADD)) < 0)
        return -1;
    const struct value_member m[] = {{SLICE_LIT("role"), p.role}, {SLICE_LIT("member"), p.member}};
    *ret = value_object(a, m, 2);
    return *ret ? 0 : fail(&p, CLOUD_ERROR_NO_MEMORY, NULL, NULL);
}

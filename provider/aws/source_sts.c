/* Credentials from STS: AssumeRole and AssumeRoleWithWebIdentity (STS API Reference). */
#include <string.h>

#include "aws/client.h"
#include "cloud/template.h"

enum { MEMBERS_MOST = 12 };

struct request {
    struct arena *a;
    struct value_member members[MEMBERS_MOST];
    size_t count;
};

static void put(struct request *r, const char *name, const struct value *v)
{
    if (v && !value_is_null(v))
        r->members[r->count++] = (struct value_member){slice_str(name), v};
}

static void put_text(struct request *r, const char *name, const char *text)
{
    if (text && *text)
        put(r, name, value_str(r->a, text));
}

/* [{arn}] for a set of ARNs. */
static const struct value *policy_arns(struct arena *a, const struct value *arns)
{
    size_t count = value_count(arns);
    const struct value **list = arena_calloc(a, count, sizeof(struct value *));
    for (size_t i = 0; list && i < count; i++) {
        const struct value_member m = {SLICE_LIT("arn"), value_at(arns, i)};
        list[i] = value_object(a, &m, 1);
    }
    return list && count ? value_tuple(a, list, count) : NULL;
}

static const char *session_name(struct aws_source *s, const struct aws_assume_role *role)
{
    const struct clock *c = s->client->clock;
    return role->session_name
               ? role->session_name
               : arena_printf(s->a, "terraform-provider-llm-%lld", (long long)c->unix_s(c->self));
}

static void put_common(struct aws_source *s, struct request *r, const struct aws_assume_role *role)
{
    put_text(r, "RoleArn", role->role_arn);
    put_text(r, "RoleSessionName", session_name(s, role));
    put_text(r, "Policy", role->policy);
    put(r, "PolicyArns", policy_arns(s->a, role->policy_arns));
    if (role->duration_s)
        put(r, "DurationSeconds", value_int(s->a, role->duration_s));
}

static int take(struct aws_source *s, const struct value *answer, const char *source,
                struct aws_credentials *ret)
{
    const struct value *k = value_get(answer, "Credentials");
    return aws_source_keys(s, ret, value_cstr(value_get(k, "AccessKeyId"), NULL),
                           value_cstr(value_get(k, "SecretAccessKey"), NULL),
                           value_cstr(value_get(k, "SessionToken"), NULL),
                           value_cstr(value_get(k, "Expiration"), NULL), source);
}

/* What failed, and for which role, in front of STS's own words. The class is credentials: nothing
 * can be done without the role. */
static int explain(struct aws_source *s, const struct aws_assume_role *role)
{
    s->err->class_ =
        s->err->class_ == CLOUD_ERROR_PERMISSION ? CLOUD_ERROR_CREDENTIALS : s->err->class_;
    const char *text =
        arena_printf(s->a, "the role %s could not be assumed: %s", role->role_arn, s->err->message);
    if (text)
        s->err->message = text;
    return -1;
}

int aws_source_web_identity(struct aws_source *s, const struct aws_assume_role *role,
                            struct aws_credentials *ret)
{
    static const struct cloud_operation op = {
        .service = "sts", .name = "AssumeRoleWithWebIdentity", .idempotent = true};
    const struct aws_call_options unsigned_call = {.signer = AWS_SIGN_NOTHING};
    struct request r = {.a = s->a};
    const struct value *answer = NULL;
    if (!role->role_arn)
        return aws_source_fail(s,
                               "a web identity token is configured, but no role to assume with it: "
                               "set role_arn, or AWS_ROLE_ARN");
    const char *token = role->web_identity_token;
    if (!token && !role->web_identity_token_file)
        return aws_source_fail(s, "no web identity token is configured for the role %s",
                               role->role_arn);
    if (!token && !(token = aws_source_file(s, role->web_identity_token_file)))
        return -1;
    put_common(s, &r, role);
    put_text(&r, "WebIdentityToken", token);
    const struct value *request = value_object(s->a, r.members, r.count);
    if (aws_call(s->client, s->work, s->a, s->region, &op, request, &unsigned_call, &answer,
                 s->err) < 0)
        return explain(s, role);
    return take(s, answer, "a web identity", ret);
}

int aws_source_assume_role(struct aws_source *s, const struct aws_credentials *with,
                           const struct aws_assume_role *role, struct aws_credentials *ret)
{
    static const struct cloud_operation op = {
        .service = "sts", .name = "AssumeRole", .idempotent = true};
    const struct aws_call_options given = {.signer = AWS_SIGN_GIVEN, .given = with};
    struct request r = {.a = s->a};
    const struct value *answer = NULL;
    if (!role->role_arn)
        return aws_source_fail(s, "assume_role names no role_arn");
    put_common(s, &r, role);
    put_text(&r, "ExternalId", role->external_id);
    put_text(&r, "SourceIdentity", role->source_identity);
    if (role->tags)
        put(&r, "Tags", template_transform(s->a, TRANSFORM_TAGS, role->tags));
    put(&r, "TransitiveTagKeys", role->transitive_tag_keys);
    const struct value *request = value_object(s->a, r.members, r.count);
    if (aws_call(s->client, s->work, s->a, s->region, &op, request, &given, &answer, s->err) < 0)
        return explain(s, role);
    return take(s, answer, "an assumed role", ret);
}

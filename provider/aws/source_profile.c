/* Credentials from a profile of the shared files. */
#include <string.h>

#include "aws/client.h"

enum { PROFILE_DEPTH_MOST = 8 };

static int from_profile(struct aws_source *s, const char *name, int depth,
                        struct aws_credentials *ret);

static int from_credential_source(struct aws_source *s, const char *profile, const char *source,
                                  struct aws_credentials *ret)
{
    int rc = strcmp(source, "Environment") == 0           ? aws_source_environment(s, ret)
             : strcmp(source, "EcsContainer") == 0        ? aws_source_container(s, ret)
             : strcmp(source, "Ec2InstanceMetadata") == 0 ? aws_source_imds(s, ret)
                                                          : -1;
    if (rc == 0 || (rc < 0 && s->err->class_ != CLOUD_ERROR_NONE))
        return rc;
    return aws_source_fail(s, "the profile \"%s\" names the credential_source %s, which has none",
                           profile, source);
}

static int from_role(struct aws_source *s, const struct aws_section *p, const char *role_arn,
                     int depth, struct aws_credentials *ret)
{
    const char *duration = aws_section_get(p, "duration_seconds");
    const struct number *n = duration ? number_parse(s->a, slice_str(duration)) : NULL;
    struct aws_assume_role role = {
        .role_arn = role_arn,
        .session_name = aws_section_get(p, "role_session_name"),
        .external_id = aws_section_get(p, "external_id"),
        .web_identity_token_file = aws_section_get(p, "web_identity_token_file"),
    };
    if (n)
        number_to_int(n, &role.duration_s);
    if (role.web_identity_token_file)
        return aws_source_web_identity(s, &role, ret);
    if (aws_section_get(p, "mfa_serial"))
        return aws_source_fail(
            s,
            "the profile \"%s\" asks for a code of an MFA device, which cannot be "
            "given here: make a session with the AWS CLI, and use that",
            p->name);
    const char *source = aws_section_get(p, "source_profile");
    const char *other = aws_section_get(p, "credential_source");
    if (!source && !other)
        return aws_source_fail(s,
                               "the profile \"%s\" has a role_arn, but neither source_profile nor "
                               "credential_source",
                               p->name);
    struct aws_credentials base = AWS_CREDENTIALS_EMPTY;
    memset(s->err, 0, sizeof(*s->err));
    if ((source ? from_profile(s, source, depth + 1, &base)
                : from_credential_source(s, p->name, other, &base)) != 0)
        return s->err->message ? -1
                               : aws_source_fail(s, "the profile \"%s\" has no credentials",
                                                 source ? source : p->name);
    int rc = aws_source_assume_role(s, &base, &role, ret);
    aws_credentials_clean_up(&base);
    return rc;
}

static int from_profile(struct aws_source *s, const char *name, int depth,
                        struct aws_credentials *ret)
{
    const struct aws_section *p =
        aws_profiles_find(&s->client->config.profiles, AWS_SECTION_PROFILE, name);
    if (depth > PROFILE_DEPTH_MOST)
        return aws_source_fail(s, "the profiles name each other as source_profile without end");
    if (!p)
        return depth == 0 ? 1
                          : aws_source_fail(s,
                                            "there is no profile \"%s\", which another one names "
                                            "as its source_profile",
                                            name);
    const char *role = aws_section_get(p, "role_arn");
    const char *source = aws_section_get(p, "source_profile");
    /* A profile may name itself: the role is then assumed with its own keys. */
    bool itself = depth > 0 && source && strcmp(source, name) == 0;
    if (role && !itself)
        return from_role(s, p, role, depth, ret);
    if (aws_section_get(p, "aws_access_key_id"))
        return aws_source_keys(s, ret, aws_section_get(p, "aws_access_key_id"),
                               aws_section_get(p, "aws_secret_access_key"),
                               aws_section_get(p, "aws_session_token"), NULL, "a profile");
    if (aws_section_get(p, "sso_session") || aws_section_get(p, "sso_start_url"))
        return aws_source_sso(s, p, ret);
    const char *command = aws_section_get(p, "credential_process");
    return command ? aws_source_process(s, command, ret) : 1;
}

int aws_source_profile(struct aws_source *s, const char *profile, struct aws_credentials *ret)
{
    return from_profile(s, profile, 0, ret);
}

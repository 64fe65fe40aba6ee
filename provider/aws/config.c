/* Resolving the AWS settings. */
#include "aws/config.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "schema/schema.h"

enum { ROLES_MOST = 8, RETRIES_DEFAULT = 25 };

const char *aws_env(const char *name)
{
    const char *v = getenv(name);
    return v && *v ? v : NULL;
}

const char *aws_home_path(struct arena *a, const char *below)
{
    const char *home = aws_env("HOME");
    return home ? arena_printf(a, "%s/%s", home, below) : NULL;
}

/* Where a setting is looked for, in this order. */
struct source {
    struct arena *a;
    const struct value *block;
    const struct aws_section *section;
};

static const char *setting(const struct source *s, const char *attr, const char *env,
                           const char *env2, const char *key)
{
    const char *v = attr ? value_cstr(value_get(s->block, attr), NULL) : NULL;
    if (!v && env)
        v = aws_env(env);
    if (!v && env2)
        v = aws_env(env2);
    if (!v && key)
        v = aws_section_get(s->section, key);
    return v && *v ? arena_strdup(s->a, v) : NULL;
}

static bool flag(const struct source *s, const char *attr, const char *env, const char *key)
{
    const struct value *v = value_get(s->block, attr);
    if (value_is_known(v))
        return value_true(v);
    const char *text = setting(s, NULL, env, NULL, key);
    return text && strcasecmp(text, "true") == 0;
}

/* ---- validate ---- */

static bool is_account_id(struct slice s)
{
    if (s.len != 12)
        return false;
    for (size_t i = 0; i < s.len; i++)
        if (s.ptr[i] < '0' || s.ptr[i] > '9')
            return false;
    return true;
}

static void check_accounts(struct arena *a, const struct value *block, const char *name,
                           const struct path *base, struct diags *diags)
{
    const struct value *ids = value_get(block, name);
    for (size_t i = 0; i < value_count(ids); i++) {
        const struct value *id = value_at(ids, i);
        if (value_is_known(id) && !is_account_id(value_slice(id)))
            diags_error(diags, path_attribute(a, base, name), "Invalid account id",
                        "\"%s\" is no AWS account id: those have twelve digits.",
                        value_cstr(id, ""));
    }
}

static void check_url(struct arena *a, const struct value *v, const struct path *path,
                      struct diags *diags)
{
    struct slice s = value_slice(v);
    (void)a;
    if (value_is_known(v) && s.len && !slice_has_prefix(s, "http://") &&
        !slice_has_prefix(s, "https://"))
        diags_error(diags, path, "Invalid endpoint",
                    "\"%s\" is no URL: it must start with http:// or https://.", value_cstr(v, ""));
}

int aws_config_validate(struct arena *a, const struct value *block, struct diags *diags)
{
    size_t before = diags->errors;
    const struct path *base = path_attribute(a, NULL, "aws");
    check_accounts(a, block, "allowed_account_ids", base, diags);
    check_accounts(a, block, "forbidden_account_ids", base, diags);
    if (value_count(value_get(block, "allowed_account_ids")) &&
        value_count(value_get(block, "forbidden_account_ids")))
        diags_error(diags, path_attribute(a, base, "forbidden_account_ids"), "Conflicting settings",
                    "allowed_account_ids and forbidden_account_ids cannot both be set.");
    const struct value *endpoints = value_get(block, "endpoints");
    for (size_t i = 0; i < value_count(endpoints); i++)
        check_url(
            a, value_at(endpoints, i),
            path_attribute(a, path_attribute(a, base, "endpoints"), endpoints->type->attrs[i].name),
            diags);
    return diags->errors > before ? -1 : 0;
}

/* ---- resolve ---- */

static int64_t duration_s(const struct value *v)
{
    int64_t ms = 0;
    return value_is_known(v) && schema_duration_parse(value_slice(v), &ms) == 0 ? ms / 1000 : 0;
}

static const char *own(struct arena *a, const struct value *object, const char *name)
{
    const char *v = value_cstr(value_get(object, name), NULL);
    return v && *v ? arena_strdup(a, v) : NULL;
}

static const struct value *own_value(struct arena *a, const struct value *object, const char *name)
{
    const struct value *v = value_get(object, name);
    return value_is_known(v) ? value_copy(a, v) : NULL;
}

static void read_role(struct arena *a, const struct value *v, struct aws_assume_role *r)
{
    r->role_arn = own(a, v, "role_arn");
    r->session_name = own(a, v, "session_name");
    r->external_id = own(a, v, "external_id");
    r->policy = own(a, v, "policy");
    r->source_identity = own(a, v, "source_identity");
    r->duration_s = duration_s(value_get(v, "duration"));
    r->policy_arns = own_value(a, v, "policy_arns");
    r->tags = own_value(a, v, "tags");
    r->transitive_tag_keys = own_value(a, v, "transitive_tag_keys");
    r->web_identity_token = own(a, v, "web_identity_token");
    r->web_identity_token_file = own(a, v, "web_identity_token_file");
}

static int read_roles(struct arena *a, const struct value *block, struct aws_config *c)
{
    const struct value *roles = value_get(block, "assume_role");
    c->role_count = value_count(roles) < ROLES_MOST ? value_count(roles) : ROLES_MOST;
    c->roles = arena_new_array(a, c->role_count, struct aws_assume_role);
    if (!c->roles)
        return -1;
    for (size_t i = 0; i < c->role_count; i++)
        read_role(a, value_at(roles, i), &c->roles[i]);
    const struct value *web = value_get(block, "assume_role_with_web_identity");
    if (!value_is_known(web))
        return 0;
    c->web_identity = arena_new_object(a, struct aws_assume_role);
    if (!c->web_identity)
        return -1;
    read_role(a, web, c->web_identity);
    if (!c->web_identity->role_arn)
        c->web_identity->role_arn = aws_env("AWS_ROLE_ARN");
    if (!c->web_identity->session_name)
        c->web_identity->session_name = aws_env("AWS_ROLE_SESSION_NAME");
    if (!c->web_identity->web_identity_token && !c->web_identity->web_identity_token_file)
        c->web_identity->web_identity_token_file = aws_env("AWS_WEB_IDENTITY_TOKEN_FILE");
    return 0;
}

/* "~/x" as a shell would have it. */
static const char *expanded(struct arena *a, const char *path)
{
    return strncmp(path, "~/", 2) == 0 ? aws_home_path(a, path + 2) : path;
}

static int read_files(struct arena *a, const struct value *block, struct aws_config *c,
                      const char *attr, const char *env, const char *below, bool credentials,
                      struct diags *diags)
{
    const struct value *files = value_get(block, attr);
    for (size_t i = 0; i < value_count(files); i++) {
        const char *path = expanded(a, value_cstr(value_at(files, i), ""));
        if (path && aws_profiles_add_file(&c->profiles, path, credentials, diags) < 0)
            return -1;
    }
    if (value_count(files))
        return 0;
    const char *path = aws_env(env) ? expanded(a, aws_env(env)) : aws_home_path(a, below);
    return path ? aws_profiles_add_file(&c->profiles, path, credentials, diags) : 0;
}

static int read_profile(struct arena *a, const struct value *block, struct aws_config *c,
                        struct diags *diags)
{
    aws_profiles_init(&c->profiles, a);
    if (read_files(a, block, c, "shared_config_files", "AWS_CONFIG_FILE", ".aws/config", false,
                   diags) < 0 ||
        read_files(a, block, c, "shared_credentials_files", "AWS_SHARED_CREDENTIALS_FILE",
                   ".aws/credentials", true, diags) < 0)
        return -1;
    const char *chosen = own(a, block, "profile");
    c->profile_is_chosen = chosen != NULL;
    const char *env = aws_env("AWS_PROFILE");
    c->profile = chosen ? chosen : env ? arena_strdup(a, env) : "default";
    c->section = aws_profiles_find(&c->profiles, AWS_SECTION_PROFILE, c->profile);
    if (!c->section && (chosen || env))
        return diags_error(diags, path_parse(a, "aws.profile"), "No such AWS profile",
                           "The shared config and credentials files have no profile \"%s\". Check "
                           "its name, or AWS_PROFILE.",
                           c->profile);
    return 0;
}

static int read_retry(const struct source *s, struct aws_config *c, struct diags *diags)
{
    const char *mode = setting(s, "retry_mode", "AWS_RETRY_MODE", NULL, "retry_mode");
    const char *attempts = setting(s, NULL, "AWS_MAX_ATTEMPTS", NULL, "max_attempts");
    c->retry.mode = mode && strcmp(mode, "adaptive") == 0 ? RETRY_ADAPTIVE : RETRY_STANDARD;
    int64_t retries = value_int_or(value_get(s->block, "max_retries"), -1);
    char *end = NULL;
    long n = attempts ? strtol(attempts, &end, 10) : 0;
    if (retries < 0 && attempts && (!end || *end || n < 1 || n > 1000))
        return diags_error(diags, path_parse(s->a, "aws.max_retries"), "Invalid AWS_MAX_ATTEMPTS",
                           "\"%s\" is no number between 1 and 1000.", attempts);
    c->retry.max_attempts = retries >= 0 ? (int)retries + 1
                            : attempts   ? (int)n
                                         : RETRIES_DEFAULT + 1;
    return 0;
}

static void read_connection(const struct source *s, struct aws_config *c)
{
    const char *https = setting(s, "https_proxy", NULL, NULL, NULL);
    const char *http = setting(s, "http_proxy", NULL, NULL, NULL);
    /* One proxy for both, as the AWS provider has it; the environment is libcurl's to read. */
    c->http.proxy = https ? https : http;
    c->http.no_proxy = setting(s, "no_proxy", NULL, NULL, NULL);
    c->http.ca_bundle = setting(s, "custom_ca_bundle", "AWS_CA_BUNDLE", NULL, "ca_bundle");
    c->http.insecure = flag(s, "insecure", NULL, NULL);
    c->use_fips = flag(s, "use_fips_endpoint", "AWS_USE_FIPS_ENDPOINT", "use_fips_endpoint");
    c->use_dualstack =
        flag(s, "use_dualstack_endpoint", "AWS_USE_DUALSTACK_ENDPOINT", "use_dualstack_endpoint");
    const char *sts = setting(s, "sts_regional_endpoints", "AWS_STS_REGIONAL_ENDPOINTS", NULL,
                              "sts_regional_endpoints");
    c->sts_legacy = sts && strcmp(sts, "legacy") == 0;
    c->sts_region = setting(s, "sts_region", NULL, NULL, NULL);
    c->imds_endpoint =
        setting(s, "ec2_metadata_service_endpoint", "AWS_EC2_METADATA_SERVICE_ENDPOINT", NULL,
                "ec2_metadata_service_endpoint");
}

int aws_config_resolve(struct arena *a, const struct value *block, struct aws_config *ret,
                       struct diags *diags)
{
    memset(ret, 0, sizeof(*ret));
    if (read_profile(a, block, ret, diags) < 0)
        return -1;
    const struct source s = {a, block, ret->section};
    ret->region = setting(&s, "region", "AWS_REGION", "AWS_DEFAULT_REGION", "region");
    ret->access_key = own(a, block, "access_key");
    ret->secret_key = own(a, block, "secret_key");
    ret->token = own(a, block, "token");
    ret->allowed_account_ids = own_value(a, block, "allowed_account_ids");
    ret->forbidden_account_ids = own_value(a, block, "forbidden_account_ids");
    ret->default_tags = own_value(a, value_get(block, "default_tags"), "tags");
    if (!ret->default_tags)
        ret->default_tags = value_map(a, &type_string, NULL, 0);
    ret->ignore_keys = own_value(a, value_get(block, "ignore_tags"), "keys");
    ret->ignore_prefixes = own_value(a, value_get(block, "ignore_tags"), "key_prefixes");
    ret->endpoints = own_value(a, block, "endpoints");
    ret->skip_credentials_validation = flag(&s, "skip_credentials_validation", NULL, NULL);
    ret->skip_requesting_account_id = flag(&s, "skip_requesting_account_id", NULL, NULL);
    ret->skip_metadata_api_check =
        flag(&s, "skip_metadata_api_check", "AWS_EC2_METADATA_DISABLED", NULL);
    read_connection(&s, ret);
    if (read_retry(&s, ret, diags) < 0)
        return -1;
    if (read_roles(a, block, ret) < 0 || arena_failed(a))
        return diags_error(diags, NULL, "Out of memory", "The AWS settings could not be kept.");
    return 0;
}

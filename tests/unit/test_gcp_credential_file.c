/* Credential files: each type whole, and everything that can be wrong with each. */
#include "gcp_test.h"

#include "gcp_key.h"
#include "gcp/jwt.h"

/* A file of each type that is whole. */
static const char user[] =
    "{'type': 'authorized_user', 'client_id': 'id', 'client_secret': 'SECRET', 'refresh_token': "
    "'SECRET', 'quota_project_id': 'quota', 'account': '', 'universe_domain': 'googleapis.com'}";
static const char external[] =
    "{'type': 'external_account', 'audience': '//iam.googleapis.com/projects/1/locations/global/"
    "workloadIdentityPools/p/providers/x', 'subject_token_type': "
    "'urn:ietf:params:oauth:token-type:jwt', 'token_url': 'https://sts.googleapis.com/v1/token', "
    "'service_account_impersonation_url': 'https://iamcredentials.googleapis.com/v1/projects/-/"
    "serviceAccounts/a@p.iam.gserviceaccount.com:generateAccessToken', "
    "'service_account_impersonation': {'token_lifetime_seconds': 1800}, 'credential_source': {}}";
static const char external_user[] =
    "{'type': 'external_account_authorized_user', 'audience': 'a', 'client_id': 'id', "
    "'client_secret': 'SECRET', 'refresh_token': 'SECRET', 'token_url': "
    "'https://sts.googleapis.com/v1/oauthtoken'}";
static const char impersonated[] =
    "{'type': 'impersonated_service_account', 'delegates': ['d'], "
    "'service_account_impersonation_url': 'https://iamcredentials.googleapis.com/v1/x', "
    "'source_credentials': {}}";

static const char *key_file(void)
{
    return quoted(arena_printf(
        arena,
        "{'type': 'service_account', 'project_id': 'p', 'private_key_id': 'kid', 'private_key': "
        "'%s', 'client_email': 'a@p', 'client_id': '1', 'token_uri': 'https://t.example/token'}",
        test_pem));
}

/* The file with one member replaced by what is JSON; NULL: left out. */
static const char *with(const char *file, const char *name, const char *member)
{
    const struct value *v = json(file), *new = member ? json(member) : NULL;
    struct value_member m[24];
    _cleanup_buf_ struct buf b = BUF_INIT(1 << 20);
    size_t n = 0;
    for (size_t i = 0; i < value_count(v); i++)
        if (!slice_eq_str(v->members[i].key, name))
            m[n++] = v->members[i];
    if (new)
        m[n++] = (struct value_member){slice_str(name), new};
    assert_int_equal(value_json_write(&b, value_object(arena, m, n), false), 0);
    return arena_strdup(arena, buf_cstr(&b));
}

static const char *source(const char *credential_source)
{
    return with(external, "credential_source", credential_source);
}

static const char *problem(const char *text)
{
    struct gcp_credential_file f;
    const char *why = NULL;
    if (gcp_credential_file_read(arena, slice_str(text), &f, &why) == 0) {
        assert_null(why);
        return NULL;
    }
    assert_non_null(why);
    if (strstr(why, "SECRET") || strstr(why, "MII"))
        fail_msg("a secret is told: %s", why);
    return why;
}

static void read_file(const char *text, struct gcp_credential_file *ret)
{
    const char *why = NULL;
    if (gcp_credential_file_read(arena, slice_str(text), ret, &why) < 0)
        fail_msg("%s: %s", text, why);
}

static void refused(const char *text, const char *part)
{
    const char *why = problem(text);
    if (!why)
        fail_msg("accepted: %s", text);
    assert_says(why, part);
}

/* ---- files that are whole ---- */

static void test_service_account(void **state)
{
    (void)state;
    struct gcp_credential_file f;
    read_file(key_file(), &f);
    assert_int_equal(f.type, GCP_SERVICE_ACCOUNT);
    assert_string_equal(f.client_email, "a@p");
    assert_string_equal(f.private_key_id, "kid");
    assert_string_equal(f.project_id, "p");
    assert_string_equal(f.token_uri, "https://t.example/token");
    assert_string_equal(f.universe_domain, "googleapis.com");
    read_file(with(with(key_file(), "token_uri", NULL), "universe_domain", "'u.goog'"), &f);
    assert_string_equal(f.token_uri, "https://oauth2.googleapis.com/token");
    assert_string_equal(f.universe_domain, "u.goog");
    read_file(arena_printf(arena, "\xEF\xBB\xBF \r\n%s\n", key_file()), &f);
}

static void test_users(void **state)
{
    (void)state;
    struct gcp_credential_file f;
    read_file(quoted(user), &f);
    assert_int_equal(f.type, GCP_AUTHORIZED_USER);
    assert_string_equal(f.refresh_token, "SECRET");
    assert_string_equal(f.quota_project_id, "quota");
    assert_string_equal(f.token_uri, "https://oauth2.googleapis.com/token");
    read_file(quoted(external_user), &f);
    assert_int_equal(f.type, GCP_EXTERNAL_ACCOUNT_AUTHORIZED_USER);
    assert_string_equal(f.token_url, "https://sts.googleapis.com/v1/oauthtoken");
}

static void test_external_accounts(void **state)
{
    (void)state;
    struct gcp_credential_file f;
    read_file(source("{'file': '/t', 'format': {'type': 'text'}}"), &f);
    assert_int_equal(f.subject.kind, GCP_SUBJECT_FILE);
    assert_null(f.subject.json_field);
    assert_int_equal(f.lifetime_s, 1800);
    read_file(source("{'url': 'http://169.254.169.254/x?y=z', 'headers': {'Metadata': 'True'}, "
                     "'format': {'type': 'json', 'subject_token_field_name': 'access_token'}}"),
              &f);
    assert_int_equal(f.subject.kind, GCP_SUBJECT_URL);
    assert_string_equal(f.subject.json_field, "access_token");
    assert_int_equal(value_count(f.subject.headers), 1);
    read_file(source("{'environment_id': 'aws1', 'regional_cred_verification_url': "
                     "'https://sts.{region}.amazonaws.com?Action=GetCallerIdentity'}"),
              &f);
    assert_int_equal(f.subject.kind, GCP_SUBJECT_AWS);
    read_file(source("{'executable': {'command': '/bin/x', 'timeout_millis': 5000}}"), &f);
    assert_int_equal(f.subject.kind, GCP_SUBJECT_EXECUTABLE);
    assert_int_equal(f.subject.timeout_ms, 5000);
    read_file(with(source("{'executable': {'command': '/bin/x', 'output_file': '/o'}}"),
                   "token_url", NULL),
              &f);
    assert_int_equal(f.subject.timeout_ms, 30000);
    assert_string_equal(f.token_url, "https://sts.googleapis.com/v1/token");
}

static void test_impersonated(void **state)
{
    (void)state;
    struct gcp_credential_file f;
    read_file(with(impersonated, "source_credentials", user), &f);
    assert_int_equal(f.type, GCP_IMPERSONATED_SERVICE_ACCOUNT);
    assert_int_equal(f.source->type, GCP_AUTHORIZED_USER);
    assert_int_equal(value_count(f.delegates), 1);
    assert_int_equal(f.lifetime_s, 3600);
}

/* ---- files that are not ---- */

static void test_no_credential_file(void **state)
{
    (void)state;
    refused("", "empty");
    refused("nonsense", "not JSON");
    refused("{\"type\": \"authorized_user\"", "not JSON");
    refused("[1]", "not an object");
    refused("null", "not an object");
    refused("{}", "no type");
    refused("{\"type\": 1}", "no type");
    refused("{\"type\": \"gdch_service_account\"}", "gdch_service_account");
    refused("{\"type\": \"SECRET KEY\"}", "its type is no name of a type");
    refused("{\"installed\": {\"client_secret\": \"SECRET\"}}", "OAuth client");
    refused("{\"type\": \"authorized_user\", \"type\": \"authorized_user\"}", "not JSON");
    char *big = arena_alloc(arena, (1 << 20) + 2);
    memset(big, ' ', (1 << 20) + 1);
    refused(big, "1 MiB");
}

/* Each member that a type needs, left out, empty, and of another type. */
static void test_missing_members(void **state)
{
    (void)state;
    const char *external_file = source("{'file': '/t'}");
    const char *imp = with(impersonated, "source_credentials", user);
    const struct {
        const char *file, *member;
    } needed[] = {
        {key_file(), "client_email"},
        {key_file(), "private_key"},
        {user, "client_id"},
        {user, "client_secret"},
        {user, "refresh_token"},
        {external_file, "audience"},
        {external_file, "subject_token_type"},
        {external_user, "client_id"},
        {external_user, "client_secret"},
        {external_user, "refresh_token"},
        {external_user, "token_url"},
        {imp, "service_account_impersonation_url"},
    };
    for (size_t i = 0; i < sizeof(needed) / sizeof(*needed); i++) {
        const char *none = arena_printf(arena, "it has no %s", needed[i].member);
        refused(with(needed[i].file, needed[i].member, NULL), none);
        refused(with(needed[i].file, needed[i].member, "''"), none);
        refused(with(needed[i].file, needed[i].member, "null"), none);
        refused(with(needed[i].file, needed[i].member, "['SECRET']"),
                arena_printf(arena, "the member %s is not a string", needed[i].member));
        refused(with(needed[i].file, needed[i].member, "'SECRET\\u0000x'"), "NUL");
    }
    refused(with(imp, "source_credentials", NULL), "it has no source_credentials");
    refused(with(external_file, "credential_source", NULL), "it has no credential_source");
}

static void test_members_that_are_sent(void **state)
{
    (void)state;
    static const char *const names[] = {"quota_project_id", "project_id", "universe_domain",
                                        "client_email"};
    for (size_t i = 0; i < 4; i++)
        refused(with(key_file(), names[i], "'a\\r\\nSECRET: x'"),
                arena_printf(arena, "the member %s holds white space", names[i]));
}

static void test_private_keys(void **state)
{
    (void)state;
    refused(with(key_file(), "private_key", "'SECRET'"), "private_key is no key in PEM form");
    refused(with(key_file(), "private_key",
                 "'-----BEGIN ENCRYPTED PRIVATE KEY-----\\nSECRET\\n-----END ENCRYPTED PRIVATE "
                 "KEY-----\\n'"),
            "passphrase");
    refused(with(key_file(), "private_key",
                 "'-----BEGIN PRIVATE KEY-----\\nSECRET\\n-----END PRIVATE KEY-----\\n'"),
            "damaged");
    refused(with(key_file(), "private_key",
                 "'-----BEGIN PRIVATE KEY-----\\\\nSECRET\\\\n-----END PRIVATE KEY-----\\\\n'"),
            "escaped twice");
    char pem[4096] = {0};
    EVP_PKEY *ec = EVP_EC_gen("P-256");
    BIO *bio = BIO_new(BIO_s_mem());
    assert_int_equal(PEM_write_bio_PrivateKey(bio, ec, NULL, NULL, 0, NULL, NULL), 1);
    assert_true(BIO_read(bio, pem, sizeof(pem) - 1) > 0);
    BIO_free(bio);
    EVP_PKEY_free(ec);
    assert_string_equal(gcp_jwt_key_problem(pem), "is no RSA key");
}

static void test_urls(void **state)
{
    (void)state;
    refused(with(user, "token_uri", "'http://t.example/token'"), "token_uri is a URL without TLS");
    refused(with(user, "token_uri", "'ftp://t.example/token'"), "token_uri is no URL");
    refused(with(user, "token_uri", "'https:///token'"), "token_uri is no URL");
    refused(with(user, "token_uri", "'https://t.example/a b'"), "token_uri is no URL");
    refused(with(user, "token_uri", "'https://t.example@evil/'"), "token_uri is no URL");
    refused(with(user, "token_uri", "'http://localhost.evil.example/'"), "without TLS");
    assert_null(problem(with(user, "token_uri", "'http://localhost:80/token'")));
    assert_null(problem(with(user, "token_uri", "'http://127.0.0.1/token'")));
    assert_null(problem(with(user, "token_uri", "'http://[::1]:1/token'")));
    refused(with(source("{'file': '/t'}"), "token_url", "'http://sts.example/'"), "token_url");
    refused(with(source("{'file': '/t'}"), "service_account_impersonation_url", "'http://x/'"),
            "service_account_impersonation_url");
}

static void test_credential_sources(void **state)
{
    (void)state;
    refused(source("'x'"), "credential_source is not an object");
    refused(source("{}"), "neither file, url, executable nor environment_id");
    refused(source("{'file': '/t', 'url': 'https://x/'}"), "a file and a url");
    refused(source("{'file': 1}"), "credential_source.file is not a string");
    refused(source("{'url': 'x'}"), "credential_source.url is no URL");
    refused(source("{'certificate': {}}"), "certificate");
    refused(source("{'file': '/t', 'format': 'json'}"), "format is not an object");
    refused(source("{'file': '/t', 'format': {'type': 'xml'}}"), "format.type");
    refused(source("{'file': '/t', 'format': {'type': 'json'}}"), "subject_token_field_name");
    refused(source("{'url': 'https://x/', 'headers': []}"), "headers");
    refused(source("{'url': 'https://x/', 'headers': {'a b': 'c'}}"), "headers");
    refused(source("{'url': 'https://x/', 'headers': {'a': 1}}"), "headers");
    refused(source("{'url': 'https://x/', 'headers': {'a': 'b\\r\\nc'}}"), "control character");
    refused(source("{'environment_id': 'aws2', 'regional_cred_verification_url': 'https://x/'}"),
            "environment_id is not \"aws1\"");
    refused(source("{'environment_id': 'aws1'}"), "regional_cred_verification_url");
    refused(source("{'environment_id': 'aws1', 'regional_cred_verification_url': 'http://x'}"),
            "regional_cred_verification_url");
    refused(source("{'environment_id': 'aws1', 'regional_cred_verification_url': 'https://x', "
                   "'url': 'x'}"),
            "credential_source.url");
    refused(source("{'executable': 'x'}"), "executable is not an object");
    refused(source("{'executable': {}}"), "executable.command");
    refused(source("{'executable': {'command': 'x', 'timeout_millis': 4999}}"),
            "executable.timeout_millis is no whole number from 5000 to 120000");
    refused(source("{'executable': {'command': 'x', 'timeout_millis': 5000.5}}"), "timeout_millis");
    refused(source("{'executable': {'command': 'x', 'timeout_millis': '5000'}}"), "timeout_millis");
    const char *file = source("{'file': '/t'}");
    refused(with(file, "service_account_impersonation", "{'token_lifetime_seconds': 599}"),
            "service_account_impersonation.token_lifetime_seconds");
    refused(with(file, "workforce_pool_user_project", "'p'"), "no workforce pool");
}

static void test_impersonated_files(void **state)
{
    (void)state;
    const char *imp = with(impersonated, "source_credentials", user);
    refused(with(imp, "source_credentials", "'SECRET'"), "source_credentials");
    refused(with(imp, "source_credentials", imp), "impersonated_service_account again");
    refused(with(imp, "source_credentials", "{'type': 'authorized_user'}"),
            "in its source_credentials: it has no client_id");
    refused(with(imp, "delegates", "'x'"), "delegates");
    refused(with(imp, "delegates", "[1]"), "delegates");
}

static void test_content_or_path(void **state)
{
    (void)state;
    assert_true(gcp_credentials_are_content(SLICE_LIT("{")));
    assert_true(gcp_credentials_are_content(SLICE_LIT(" \n{\"a\":1}")));
    assert_true(gcp_credentials_are_content(SLICE_LIT("\xEF\xBB\xBF{}")));
    assert_false(gcp_credentials_are_content(SLICE_LIT("/a{")));
    assert_false(gcp_credentials_are_content(SLICE_EMPTY));
}

static void test_times(void **state)
{
    (void)state;
    assert_int_equal(gcp_parse_time("2026-11-21T10:00:00Z"), NOW);
    assert_int_equal(gcp_parse_time("2026-11-21T10:00:00.123456789Z"), NOW);
    assert_int_equal(gcp_parse_time("2026-11-21T10:00:00"), -1);
    assert_int_equal(gcp_parse_time("2026-11-21T10:00:00+01:00"), -1);
    assert_int_equal(gcp_parse_time("x"), -1);
    assert_int_equal(gcp_parse_time(NULL), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_service_account),
        TEST(test_users),
        TEST(test_external_accounts),
        TEST(test_impersonated),
        TEST(test_no_credential_file),
        TEST(test_missing_members),
        TEST(test_members_that_are_sent),
        TEST(test_private_keys),
        TEST(test_urls),
        TEST(test_credential_sources),
        TEST(test_impersonated_files),
        TEST(test_content_or_path),
        TEST(test_times),
    };
    return cmocka_run_group_tests(tests, make_key, drop_key);
}

/* Tokens: which credentials are used, what is asked of the token servers, the cache. */
#include "gcp_test.h"

#include <pthread.h>
#include <sys/stat.h>

#include "gcp_key.h"

#define TOKEN_URL "https://oauth2.googleapis.com/token"
#define METADATA "http://169.254.169.254/computeMetadata/v1/"
#define METADATA_TOKEN                                                                             \
    METADATA "instance/service-accounts/default/token?scopes=https%3A%2F%2Fwww.googleapis.com"     \
             "%2Fauth%2Fcloud-platform%2Chttps%3A%2F%2Fwww.googleapis.com%2Fauth%2Fuserinfo.email"
#define GENERATE                                                                                   \
    "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/"                         \
    "deployer@p.iam.gserviceaccount.com:generateAccessToken"
#define GIVES(token) "{'access_token': '" token "', 'expires_in': 3600, 'token_type': 'Bearer'}"

static const char user[] = "{'type': 'authorized_user', 'client_id': 'i/d', 'client_secret': "
                           "'s&e', 'refresh_token': '1//r', 'quota_project_id': 'quota'}";

static const char *key_file(const char *more)
{
    return quoted(
        arena_printf(arena,
                     "{'type': 'service_account', 'project_id': 'of-key', 'private_key_id': 'kid', "
                     "'private_key': '%s', 'client_email': 'sa@p.iam.gserviceaccount.com'%s}",
                     test_pem, more));
}

static const char *user_file(void)
{
    return write_file("user.json", quoted(user));
}

/* ---- signed tokens ---- */

static struct slice part(const char *jwt, size_t index)
{
    for (; index; index--)
        jwt = strchr(jwt, '.') + 1;
    return slice_from(jwt, strcspn(jwt, "."));
}

static size_t decode64(struct slice s, unsigned char *out)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    unsigned v = 0, bits = 0;
    size_t n = 0;
    for (size_t i = 0; i < s.len; i++) {
        const char *at = strchr(alphabet, s.ptr[i]);
        assert_non_null(at);
        v = v << 6 | (unsigned)(at - alphabet);
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            out[n++] = (unsigned char)(v >> bits);
        }
    }
    return n;
}

static const char *text_of(const char *jwt, size_t index)
{
    unsigned char *out = arena_alloc(arena, 4096);
    decode64(part(jwt, index), out);
    return (const char *)out;
}

static void assert_signed(const char *jwt)
{
    unsigned char signature[1024];
    size_t signed_len = part(jwt, 0).len + 1 + part(jwt, 1).len;
    size_t len = decode64(part(jwt, 2), signature);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    assert_int_equal(EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, test_key), 1);
    assert_int_equal(EVP_DigestVerify(ctx, signature, len, (const unsigned char *)jwt, signed_len),
                     1);
    signature[0] ^= 1;
    assert_int_not_equal(
        EVP_DigestVerify(ctx, signature, len, (const unsigned char *)jwt, signed_len), 1);
    EVP_MD_CTX_free(ctx);
}

static void test_service_account(void **state)
{
    (void)state;
    setenv("GOOGLE_CREDENTIALS", key_file(""), 1);
    make_client("{'scopes': ['https://www.googleapis.com/auth/compute', 'openid']}");
    SCRIPT({"POST", TOKEN_URL, 200, GIVES("ya29.a")});
    assert_token("ya29.a");
    assert_string_equal(header(0, "content-type"), "application/x-www-form-urlencoded");
    assert_string_equal(header(0, "user-agent"), "test/1");
    assert_string_equal(form(0, "grant_type"), "urn:ietf:params:oauth:grant-type:jwt-bearer");
    const char *jwt = form(0, "assertion");
    assert_string_equal(text_of(jwt, 0), "{\"alg\":\"RS256\",\"typ\":\"JWT\",\"kid\":\"kid\"}");
    assert_string_equal(text_of(jwt, 1),
                        "{\"iss\":\"sa@p.iam.gserviceaccount.com\",\"aud\":\"" TOKEN_URL "\","
                        "\"scope\":\"https://www.googleapis.com/auth/compute openid\","
                        "\"iat\":1795255190,\"exp\":1795258790}");
    assert_signed(jwt);
    assert_string_equal(gcp_credentials_project(&client, &work_, arena, &error_), "of-key");
    drop_client();
}

static void test_self_signed(void **state)
{
    (void)state;
    setenv("GOOGLE_CREDENTIALS", key_file(", 'universe_domain': 'u.goog'"), 1);
    make_client("{'universe_domain': 'u.goog'}");
    NO_REQUEST();
    const char *jwt = token();
    assert_non_null(jwt);
    assert_signed(jwt);
    assert_string_equal(text_of(jwt, 1), "{\"iss\":\"sa@p.iam.gserviceaccount.com\",\"sub\":"
                                         "\"sa@p.iam.gserviceaccount.com\",\"scope\":"
                                         "\"https://www.googleapis.com/auth/cloud-platform "
                                         "https://www.googleapis.com/auth/userinfo.email\","
                                         "\"iat\":1795255190,\"exp\":1795258790}");
    drop_client();
    make_client(NULL);
    assert_no_token("u.goog, but the provider is configured for googleapis.com");
    drop_client();
}

static void test_key_that_is_refused(void **state)
{
    (void)state;
    const char *path = write_file("key.json", key_file(""));
    setenv("GOOGLE_APPLICATION_CREDENTIALS", path, 1);
    make_client(NULL);
    SCRIPT({"POST", TOKEN_URL, 400,
            "{'error': 'invalid_grant', 'error_description': 'Invalid JWT Signature.'}"});
    assert_no_token("invalid_grant: Invalid JWT Signature. (HTTP status 400)");
    assert_says(error_.message, path);
    assert_says(error_.message, "GOOGLE_APPLICATION_CREDENTIALS");
    assert_says(error_.message, "Make a new key");
    assert_int_equal(error_.class_, CLOUD_ERROR_CREDENTIALS);
    assert_string_equal(error_.code, "invalid_grant");
    SCRIPT({"POST", TOKEN_URL, 400,
            "{'error': 'invalid_grant', 'error_description': 'Invalid JWT: "
            "Token must be in a reasonable timeframe'}"});
    assert_no_token("clock");
    drop_client();
}

/* ---- users ---- */

static void test_authorized_user(void **state)
{
    (void)state;
    setenv("GOOGLE_APPLICATION_CREDENTIALS", user_file(), 1);
    make_client(NULL);
    SCRIPT({"POST", TOKEN_URL, 200, "{'access_token': 'ya29.u', 'expires_in': '3599'}"});
    assert_token("ya29.u");
    assert_string_equal(requests[0].body, "grant_type=refresh_token&client_id=i%2Fd&client_secret="
                                          "s%26e&refresh_token=1%2F%2Fr");
    assert_string_equal(gcp_quota_project(&client, arena), "quota");
    assert_int_equal(client.tokens.current.expires_unix_s, NOW + 3599);
    drop_client();
    make_client("{'endpoints': {'oauth2': 'http://127.0.0.1:9/'}}");
    SCRIPT({"POST", "http://127.0.0.1:9/token", 400,
            "{'error': 'invalid_grant', "
            "'error_description': 'Token has been "
            "expired or revoked.'}"});
    assert_no_token("gcloud auth application-default login");
    drop_client();
}

static void test_workforce_user(void **state)
{
    (void)state;
    const char *path = write_file(
        "w.json", quoted("{'type': 'external_account_authorized_user', 'client_id': 'id', "
                         "'client_secret': 'secret', 'refresh_token': 'r1', 'token_url': "
                         "'https://sts.googleapis.com/v1/oauthtoken'}"));
    make_client(arena_printf(arena, "{'credentials': '%s'}", path));
    SCRIPT({"POST", "https://sts.googleapis.com/v1/oauthtoken", 200,
            "{'access_token': 't1', 'expires_in': 3600, 'refresh_token': 'r2'}"},
           {"POST", "https://sts.googleapis.com/v1/oauthtoken", 200, GIVES("t2")});
    assert_token("t1");
    assert_string_equal(form(0, "refresh_token"), "r1");
    assert_string_equal(header(0, "authorization"), "Basic aWQ6c2VjcmV0");
    fake_clock_.now_ms += 3500 * 1000;
    assert_token("t2");
    assert_string_equal(form(1, "refresh_token"), "r2"); /* the server's new one */
    drop_client();
}

/* ---- what servers may answer ---- */

static void test_answers_that_make_no_sense(void **state)
{
    (void)state;
    static const struct {
        const char *body, *says;
    } cases[] = {
        {"<html>", "other than a JSON object"},
        {"[1]", "other than a JSON object"},
        {"", "other than a JSON object"},
        {"{}", "no access token"},
        {"{'access_token': 7, 'expires_in': 1}", "no access token"},
        {"{'access_token': 'a b', 'expires_in': 3600}", "no header can carry"},
        {"{'access_token': 'a\\r\\nX: y', 'expires_in': 3600}", "no header can carry"},
        {"{'access_token': 'a', 'expires_in': 0}", "expires_in"},
        {"{'access_token': 'a', 'expires_in': -5}", "expires_in"},
        {"{'access_token': 'a', 'expires_in': 1.5}", "expires_in"},
        {"{'access_token': 'a', 'expires_in': '12x'}", "expires_in"},
        {"{'access_token': 'a', 'expires_in': ''}", "expires_in"},
        {"{'access_token': 'a', 'expires_in': 99999999999999999999}", "expires_in"},
        {"{'id_token': 'a'}", "no access token"},
    };
    setenv("GOOGLE_APPLICATION_CREDENTIALS", user_file(), 1);
    make_client(NULL);
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        SCRIPT({"POST", TOKEN_URL, 200, cases[i].body});
        assert_no_token(cases[i].says);
        assert_int_equal(sent, 1);
    }
    SCRIPT({"POST", TOKEN_URL, 401, "<html>"});
    assert_no_token("it gave no reason (HTTP status 401)");
    SCRIPT({"POST", TOKEN_URL, 302, ""});
    assert_no_token("HTTP status 302");
    drop_client();
}

static void test_passing_failures_are_tried_again(void **state)
{
    (void)state;
    setenv("GOOGLE_APPLICATION_CREDENTIALS", user_file(), 1);
    make_client("{'max_retries': 3}");
    SCRIPT({"POST", TOKEN_URL, 503, "{}"}, {"POST", TOKEN_URL, 429, "{}"},
           {"POST", TOKEN_URL, 0, NULL, HTTP_RESET}, {"POST", TOKEN_URL, 200, GIVES("t")});
    assert_token("t");
    assert_int_equal(sent, 4);
    assert_int_equal(fake_clock_.sleep_count, 3);
    drop_client();
    make_client("{'max_retries': 1}");
    SCRIPT({"POST", TOKEN_URL, 500, "{}"}, {"POST", TOKEN_URL, 500, "{}"});
    assert_no_token("HTTP status 500");
    assert_int_equal(error_.class_, CLOUD_ERROR_TRANSIENT);
    SCRIPT({"POST", TOKEN_URL, 0, NULL, HTTP_TLS});
    assert_no_token("the fake broke");
    assert_int_equal(error_.class_, CLOUD_ERROR_OTHER);
    SCRIPT({"POST", TOKEN_URL, 0, NULL, HTTP_CANCELLED});
    assert_no_token("the fake broke");
    assert_int_equal(error_.class_, CLOUD_ERROR_CANCELLED);
    drop_client();
}

/* ---- the cache ---- */

static void test_cache(void **state)
{
    (void)state;
    setenv("GOOGLE_APPLICATION_CREDENTIALS", user_file(), 1);
    make_client(NULL);
    SCRIPT({"POST", TOKEN_URL, 200, GIVES("t1")}, {"POST", TOKEN_URL, 200, GIVES("t2")},
           {"POST", TOKEN_URL, 200, GIVES("t3")});
    assert_token("t1");
    fake_clock_.now_ms += (3600 - 301) * 1000;
    assert_token("t1");
    assert_int_equal(sent, 1);
    fake_clock_.now_ms += 1000; /* five minutes before it expires */
    assert_token("t2");
    struct gcp_token used = GCP_TOKEN_EMPTY;
    assert_int_equal(secret_set(&used.bearer, SLICE_LIT("t1")), 0);
    gcp_token_forget(&client.tokens, &used); /* has been replaced already */
    assert_token("t2");
    assert_int_equal(secret_set(&used.bearer, SLICE_LIT("t2")), 0);
    gcp_token_forget(&client.tokens, &used);
    assert_token("t3");
    gcp_token_clean_up(&used);
    drop_client();
}

static void test_refresh_that_fails(void **state)
{
    (void)state;
    setenv("GOOGLE_APPLICATION_CREDENTIALS", user_file(), 1);
    make_client("{'max_retries': 0}");
    SCRIPT({"POST", TOKEN_URL, 200, GIVES("t1")}, {"POST", TOKEN_URL, 500, ""},
           {"POST", TOKEN_URL, 500, ""}, {"POST", TOKEN_URL, 500, ""});
    assert_token("t1");
    fake_clock_.now_ms += 3400 * 1000;
    assert_token("t1"); /* still good */
    assert_token("t1"); /* and not asked for again at once */
    assert_int_equal(sent, 2);
    fake_clock_.now_ms += 31 * 1000;
    assert_token("t1");
    assert_int_equal(sent, 3);
    fake_clock_.now_ms += 200 * 1000;
    assert_no_token("HTTP status 500");
    drop_client();
}

/* The metadata server keeps its token until five minutes before its end. */
static void test_tokens_that_are_short_lived(void **state)
{
    (void)state;
    setenv("GOOGLE_APPLICATION_CREDENTIALS", user_file(), 1);
    make_client(NULL);
    SCRIPT({"POST", TOKEN_URL, 200, "{'access_token': 't1', 'expires_in': 200}"},
           {"POST", TOKEN_URL, 200, "{'access_token': 't2', 'expires_in': 200}"},
           {"POST", TOKEN_URL, 200, "{'access_token': 't3', 'expires_in': 10}"},
           {"POST", TOKEN_URL, 200, GIVES("t4")});
    assert_token("t1");
    assert_token("t1");
    fake_clock_.now_ms += 30 * 1000;
    assert_token("t2");
    fake_clock_.now_ms += 30 * 1000;
    assert_token("t3");
    fake_clock_.now_ms += 10 * 1000; /* expired within the pause */
    assert_token("t4");
    drop_client();
}

static int threads_asked;

static int slow_send(void *self, const struct work *w, struct arena *a,
                     const struct http_request *rq, struct http_response *ret)
{
    (void)self;
    (void)w;
    (void)rq;
    usleep(50000);
    threads_asked++; /* under the cache's lock; ThreadSanitizer watches */
    memset(ret, 0, sizeof(*ret));
    ret->status = 200;
    char *body = arena_strdup(a, "{\"access_token\": \"one\", \"expires_in\": 3600}");
    ret->body = slice_str(body);
    return 0;
}

static void *ask(void *arg)
{
    (void)arg;
    struct arena *own = arena_new();
    struct gcp_token t = GCP_TOKEN_EMPTY;
    struct cloud_error err;
    struct work w = {clock_system(), NULL, INT64_MAX};
    bool good = gcp_token_get(&client, &w, own, &t, &err) == 0 &&
                slice_eq_str(secret_slice(&t.bearer), "one");
    gcp_token_clean_up(&t);
    arena_free(own);
    return good ? &client : NULL;
}

static void test_one_thread_asks(void **state)
{
    (void)state;
    pthread_t threads[8];
    setenv("GOOGLE_APPLICATION_CREDENTIALS", user_file(), 1);
    make_client(NULL);
    transport.send = slow_send;
    threads_asked = 0;
    for (size_t i = 0; i < 8; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, ask, NULL), 0);
    for (size_t i = 0; i < 8; i++) {
        void *good = NULL;
        pthread_join(threads[i], &good);
        assert_non_null(good);
    }
    assert_int_equal(threads_asked, 1);
    drop_client();
}

/* ---- which credentials ---- */

static void test_order(void **state)
{
    (void)state;
    const char *path = user_file();
    assert_int_equal(mkdir(path_of(".config"), 0700), 0);
    assert_int_equal(mkdir(path_of(".config/gcloud"), 0700), 0);
    write_file(".config/gcloud/application_default_credentials.json",
               quoted("{'type': 'authorized_user', 'client_id': 'gcloud', 'client_secret': 's', "
                      "'refresh_token': 'r'}"));
    make_client(NULL);
    SCRIPT({"POST", TOKEN_URL, 200, GIVES("t")});
    assert_token("t");
    assert_string_equal(form(0, "client_id"), "gcloud");
    drop_client();
    setenv("GOOGLE_APPLICATION_CREDENTIALS", path, 1);
    make_client(NULL);
    SCRIPT({"POST", TOKEN_URL, 200, GIVES("t")});
    assert_token("t");
    assert_string_equal(form(0, "client_id"), "i/d");
    drop_client();
    setenv("GCLOUD_KEYFILE_JSON", "~/user2.json", 1);
    write_file("user2.json", quoted("{'type': 'authorized_user', 'client_id': 'second', "
                                    "'client_secret': 's', 'refresh_token': 'r'}"));
    make_client(NULL);
    SCRIPT({"POST", TOKEN_URL, 200, GIVES("t")});
    assert_token("t");
    assert_string_equal(form(0, "client_id"), "second");
    drop_client();
    setenv("GOOGLE_OAUTH_ACCESS_TOKEN", "of-environment", 1);
    make_client(NULL);
    NO_REQUEST();
    assert_token("of-environment");
    drop_client();
    make_client("{'access_token': 'of-block'}");
    assert_token("of-block");
    drop_client();
}

static void test_settings_that_cannot_be_used(void **state)
{
    (void)state;
    NO_REQUEST();
    setenv("GOOGLE_APPLICATION_CREDENTIALS", "/nonexistent/key.json", 1);
    make_client(NULL);
    assert_no_token("/nonexistent/key.json (GOOGLE_APPLICATION_CREDENTIALS) cannot be read");
    assert_null(gcp_credentials_project(&client, &work_, arena, &error_));
    assert_null(gcp_quota_project(&client, arena));
    drop_client();
    setenv("GOOGLE_APPLICATION_CREDENTIALS", quoted(user), 1);
    make_client(NULL);
    assert_no_token("takes a path");
    drop_client();
    setenv("GOOGLE_APPLICATION_CREDENTIALS", home, 1); /* a directory */
    make_client(NULL);
    assert_no_token("Is a directory");
    drop_client();
    setenv("GOOGLE_APPLICATION_CREDENTIALS", write_file("x.json", "{}"), 1);
    make_client(NULL);
    assert_no_token("no type");
    assert_says(error_.message, "x.json");
    drop_client();
    /* A key that was encoded, or lost its braces: it must not be told. */
    static const char *const keys[] = {"eyJ0eXBlIjogInNlcnZpY2VfYWNjb3VudCIs", "\"private_key\": 1",
                                       "-----BEGIN PRIVATE KEY-----"};
    for (size_t i = 0; i < 3; i++) {
        char *big = arena_printf(arena, "%s%0300d", keys[i], 7);
        setenv("GOOGLE_CREDENTIALS", big, 1);
        make_client(NULL);
        assert_no_token("the value of GOOGLE_CREDENTIALS is neither JSON nor the path of a file");
        assert_null(strstr(error_.message, "77"));
        assert_null(strstr(error_.message, keys[i]));
        if (i == 0)
            assert_says(error_.message, "base64");
        drop_client();
    }
    setenv("GOOGLE_CREDENTIALS", "MIIE\nvQIB", 1);
    make_client(NULL);
    assert_no_token("neither JSON nor the path of a file");
    drop_client();
    make_client("{'credentials': '{}'}");
    assert_no_token("the content of credentials cannot be used: it has no type");
    drop_client();
    setenv("GOOGLE_OAUTH_ACCESS_TOKEN", "a\nb", 1);
    unsetenv("GOOGLE_CREDENTIALS");
    make_client(NULL);
    assert_no_token("GOOGLE_OAUTH_ACCESS_TOKEN gave a token that no header can carry");
    drop_client();
}

/* ---- the metadata server ---- */

static void test_metadata(void **state)
{
    (void)state;
    make_client("{'http_proxy': 'http://proxy'}");
    SCRIPT({"GET", METADATA_TOKEN, 200, GIVES("m")},
           {"GET", METADATA "project/project-id", 200, "vm-project\n"});
    assert_token("m");
    assert_string_equal(header(0, "metadata-flavor"), "Google");
    assert_string_equal(requests[0].proxy, "");
    assert_string_equal(gcp_credentials_project(&client, &work_, arena, &error_), "vm-project");
    assert_string_equal(gcp_credentials_project(&client, &work_, arena, &error_), "vm-project");
    assert_int_equal(sent, 2);
    drop_client();
    make_client(NULL);
    SCRIPT({"GET", METADATA_TOKEN, 404, ""});
    assert_no_token("this machine has no service account");
    SCRIPT({"GET", METADATA "project/project-id", 200, "../x"});
    assert_null(gcp_credentials_project(&client, &work_, arena, &error_));
    assert_says(error_.message, "no project id");
    drop_client();
}

static void test_no_metadata(void **state)
{
    (void)state;
    make_client(NULL);
    SCRIPT({"GET", METADATA_TOKEN, 0, NULL, HTTP_TIMEOUT},
           {"GET", METADATA_TOKEN, 0, NULL, HTTP_TIMEOUT},
           {"GET", METADATA_TOKEN, 0, NULL, HTTP_CONNECT});
    assert_no_token("no Google Cloud credentials were found");
    assert_says(error_.message, "gcloud auth application-default login");
    assert_int_equal(error_.class_, CLOUD_ERROR_CREDENTIALS);
    assert_true(fake_clock_slept(&fake_clock_) <= 500);
    NO_REQUEST(); /* nor is it looked for again */
    assert_no_token("no Google Cloud credentials were found");
    assert_null(gcp_credentials_project(&client, &work_, arena, &error_));
    drop_client();
    make_client(NULL);
    SCRIPT({"GET", METADATA_TOKEN, 401, "", HTTP_OK, true}); /* that of another cloud */
    assert_no_token("no Google Cloud credentials were found");
    drop_client();
    make_client(NULL);
    SCRIPT({"GET", METADATA "project/project-id", 404, "", HTTP_OK, true});
    assert_null(gcp_credentials_project(&client, &work_, arena, &error_));
    assert_says(error_.message, "no project is configured");
    assert_says(error_.message, "GOOGLE_PROJECT");
    assert_int_equal(error_.class_, CLOUD_ERROR_INVALID);
    drop_client();
    make_client(NULL);
    SCRIPT({"GET", METADATA_TOKEN, 503, "", HTTP_OK, true},
           {"GET", METADATA_TOKEN, 200, GIVES("m")});
    assert_token("m");
    client.tokens.valid = false;
    SCRIPT({"GET", METADATA_TOKEN, 0, NULL, HTTP_CONNECT},
           {"GET", METADATA_TOKEN, 0, NULL, HTTP_CONNECT},
           {"GET", METADATA_TOKEN, 0, NULL, HTTP_CONNECT},
           {"GET", METADATA_TOKEN, 200, GIVES("n")});
    assert_no_token("the fake broke"); /* it has been there: this will pass */
    assert_int_equal(error_.class_, CLOUD_ERROR_TRANSIENT);
    assert_token("n");
    client.tokens.valid = false;
    SCRIPT({"GET", METADATA_TOKEN, 0, NULL, HTTP_CANCELLED});
    assert_no_token("the fake broke");
    assert_int_equal(error_.class_, CLOUD_ERROR_CANCELLED);
    drop_client();
    setenv("NO_GCE_CHECK", "true", 1);
    make_client(NULL);
    NO_REQUEST();
    assert_no_token("no Google Cloud credentials were found");
    drop_client();
}

static void test_metadata_host(void **state)
{
    (void)state;
    setenv("GCE_METADATA_HOST", "127.0.0.1:8080", 1);
    make_client("{'scopes': ['openid']}");
#define URL                                                                                        \
    "http://127.0.0.1:8080/computeMetadata/v1/instance/service-accounts/default/"                  \
    "token?scopes=openid"
    SCRIPT({"GET", URL, 200, GIVES("m"), HTTP_OK, true});
    assert_no_token("no metadata server of Google Cloud");
    SCRIPT({"GET", URL, 0, NULL, HTTP_CONNECT}, {"GET", URL, 0, NULL, HTTP_CONNECT},
           {"GET", URL, 0, NULL, HTTP_CONNECT});
    assert_no_token("the metadata server at http://127.0.0.1:8080");
    SCRIPT({"GET", URL, 200, GIVES("m")});
    assert_token("m");
    drop_client();
    setenv("GCE_METADATA_HOST", "evil/x", 1);
    make_client(NULL);
    assert_no_token("GCE_METADATA_HOST");
    drop_client();
}

/* ---- impersonation ---- */

static void test_impersonation(void **state)
{
    (void)state;
    make_client("{'access_token': 'base', 'impersonate_service_account': "
                "'deployer@p.iam.gserviceaccount.com', 'impersonate_service_account_delegates': "
                "['one@p', 'projects/-/serviceAccounts/two@p'], 'scopes': ['openid']}");
    SCRIPT({"POST", GENERATE, 200, "{'accessToken': 'imp', 'expireTime': '2026-11-21T11:00:00Z'}"});
    assert_token("imp");
    assert_string_equal(header(0, "authorization"), "Bearer base");
    assert_string_equal(header(0, "content-type"), "application/json");
    assert_string_equal(requests[0].body,
                        "{\"delegates\":[\"projects/-/serviceAccounts/one@p\","
                        "\"projects/-/serviceAccounts/two@p\"],\"lifetime\":\"3600s\","
                        "\"scope\":[\"openid\"]}");
    assert_int_equal(client.tokens.current.expires_unix_s, NOW + 3600);
    drop_client();
}

static void test_impersonation_that_is_refused(void **state)
{
    (void)state;
    make_client("{'access_token': 'base', 'impersonate_service_account': "
                "'deployer@p.iam.gserviceaccount.com'}");
    SCRIPT({"POST", GENERATE, 403,
            "{'error': {'code': 403, 'status': 'PERMISSION_DENIED', 'message': 'Permission "
            "iam.serviceAccounts.getAccessToken denied\\non resource'}}"});
    assert_no_token(
        "a token of deployer@p.iam.gserviceaccount.com, refused the token of access_token: "
        "PERMISSION_DENIED: Permission iam.serviceAccounts.getAccessToken denied on "
        "resource (HTTP status 403)");
    assert_says(error_.message, "roles/iam.serviceAccountTokenCreator");
    SCRIPT({"POST", GENERATE, 200, "{'accessToken': 'imp'}"});
    assert_no_token("expireTime");
    SCRIPT({"POST", GENERATE, 200, "{'accessToken': 'imp', 'expireTime': '2020-01-01T00:00:00Z'}"});
    assert_no_token("had expired");
    SCRIPT({"POST", GENERATE, 200, "{'expireTime': '2026-11-21T11:00:00Z'}"});
    assert_no_token("no access token");
    drop_client();
    setenv("GOOGLE_IMPERSONATE_SERVICE_ACCOUNT", "a@b/../../c", 1);
    make_client("{'access_token': 'base'}");
    NO_REQUEST();
    assert_no_token("no e-mail address");
    drop_client();
}

static void test_impersonated_file(void **state)
{
    (void)state;
    const char *path = write_file(
        "i.json",
        quoted(arena_printf(arena,
                            "{'type': 'impersonated_service_account', 'delegates': ['d@p'], "
                            "'service_account_impersonation_url': '" GENERATE "', "
                            "'quota_project_id': 'q', 'source_credentials': %s}",
                            user)));
    setenv("GOOGLE_APPLICATION_CREDENTIALS", path, 1);
    make_client("{'scopes': ['openid']}");
    SCRIPT({"POST", TOKEN_URL, 200, GIVES("source")},
           {"POST", GENERATE, 200, "{'accessToken': 'imp', 'expireTime': '2026-11-21T11:00:00Z'}"});
    assert_token("imp");
    assert_string_equal(header(1, "authorization"), "Bearer source");
    assert_string_equal(requests[1].body, "{\"delegates\":[\"projects/-/serviceAccounts/d@p\"],"
                                          "\"lifetime\":\"3600s\",\"scope\":[\"openid\"]}");
    assert_string_equal(gcp_quota_project(&client, arena), "q");
    drop_client();
    /* Two accounts, one behind the other. */
    make_client("{'impersonate_service_account': 'last@p.iam.gserviceaccount.com', 'endpoints': "
                "{'iam_credentials': 'http://127.0.0.1:9/v1/'}}");
    SCRIPT({"POST", TOKEN_URL, 200, GIVES("source")},
           {"POST",
            "http://127.0.0.1:9/v1/projects/-/serviceAccounts/"
            "deployer@p.iam.gserviceaccount.com:generateAccessToken",
            200, "{'accessToken': 'one', 'expireTime': '2026-11-21T11:00:00Z'}"},
           {"POST",
            "http://127.0.0.1:9/v1/projects/-/serviceAccounts/"
            "last@p.iam.gserviceaccount.com:generateAccessToken",
            200, "{'accessToken': 'two', 'expireTime': '2026-11-21T11:00:00Z'}"});
    assert_token("two");
    assert_string_equal(header(2, "authorization"), "Bearer one");
    drop_client();
}

/* ---- projects ---- */

static void test_projects(void **state)
{
    (void)state;
    setenv("GOOGLE_APPLICATION_CREDENTIALS", user_file(), 1);
    NO_REQUEST();
    make_client("{'user_project_override': true, 'project': 'p1'}");
    assert_string_equal(gcp_quota_project(&client, arena), "p1");
    drop_client();
    make_client("{'user_project_override': true, 'project': 'p1', 'billing_project': 'p2'}");
    assert_string_equal(gcp_quota_project(&client, arena), "p2");
    drop_client();
    make_client("{'billing_project': 'p2'}");
    assert_string_equal(gcp_quota_project(&client, arena), "quota");
    assert_null(gcp_credentials_project(&client, &work_, arena, &error_));
    assert_says(error_.message, "no project is configured");
    drop_client();
    setenv("GOOGLE_CLOUD_QUOTA_PROJECT", "env", 1);
    make_client(NULL);
    assert_string_equal(gcp_quota_project(&client, arena), "env");
    client.config.gcloud_project = "gcloud";
    assert_string_equal(gcp_credentials_project(&client, &work_, arena, &error_), "gcloud");
    drop_client();
}

/* ---- memory that runs out ---- */

static int failing_after;

static void *failing_malloc(size_t size)
{
    return failing_after-- > 0 ? malloc(size) : NULL;
}

static void test_memory_that_runs_out(void **state)
{
    (void)state;
    bool done = false;
    setenv("GOOGLE_CREDENTIALS", key_file(""), 1);
    for (int n = 0; n < 500 && !done; n++) {
        make_client("{'impersonate_service_account': 'deployer@p.iam.gserviceaccount.com', "
                    "'max_retries': 0}");
        SCRIPT({"POST", TOKEN_URL, 200, GIVES("source")},
               {"POST", GENERATE, 200,
                "{'accessToken': 'imp', 'expireTime': '2026-11-21T11:00:00Z'}"});
        struct gcp_token t = GCP_TOKEN_EMPTY;
        struct arena *own = arena_new();
        failing_after = n;
        alloc_table.malloc = failing_malloc;
        int rc = gcp_token_get(&client, &work_, own, &t, &error_);
        alloc_table.malloc = malloc;
        if (rc < 0)
            assert_non_null(error_.message);
        else
            assert_string_equal(t.bearer.ptr, "imp");
        done = rc == 0;
        gcp_token_clean_up(&t);
        arena_free(own);
        drop_client();
    }
    assert_true(done);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_service_account),
        TEST(test_self_signed),
        TEST(test_key_that_is_refused),
        TEST(test_authorized_user),
        TEST(test_workforce_user),
        TEST(test_answers_that_make_no_sense),
        TEST(test_passing_failures_are_tried_again),
        TEST(test_cache),
        TEST(test_refresh_that_fails),
        TEST(test_tokens_that_are_short_lived),
        TEST(test_one_thread_asks),
        TEST(test_order),
        TEST(test_settings_that_cannot_be_used),
        TEST(test_metadata),
        TEST(test_no_metadata),
        TEST(test_metadata_host),
        TEST(test_impersonation),
        TEST(test_impersonation_that_is_refused),
        TEST(test_impersonated_file),
        TEST(test_projects),
        TEST(test_memory_that_runs_out),
    };
    return cmocka_run_group_tests(tests, make_key, drop_key);
}

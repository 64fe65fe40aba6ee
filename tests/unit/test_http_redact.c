/* What may be logged of URLs, headers and bodies; percent-encoding and header look-up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "http/http.h"

static struct arena *arena;

static int set_up(void **state)
{
    (void)state;
    arena = arena_new();
    return arena ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    arena_free(arena);
    return 0;
}

static const char *body(const char *type, const char *text)
{
    struct slice s = http_redact_body(arena, slice_str(type), slice_str(text));
    return s.ptr;
}

#define JSON "application/x-amz-json-1.1"
#define FORM "application/x-www-form-urlencoded; charset=utf-8"

static void test_json(void **state)
{
    (void)state;
    assert_string_equal(body(JSON, "{\"Name\":\"n\",\"SecretString\":\"p\\\"w\",\"Tags\":[1]}"),
                        "{\"Name\":\"n\",\"SecretString\":\"(redacted)\",\"Tags\":[1]}");
    /* whatever the value is, it goes whole */
    assert_string_equal(body(JSON, "{\"tokens\" : [\"a\",{\"b\":\"c]\"}], \"x\":1}"),
                        "{\"tokens\" : \"(redacted)\", \"x\":1}");
    assert_string_equal(body(JSON, "{\"Credentials\":{\"AccessKeyId\":\"A\",\"K\":\"s\"},\"x\":2}"),
                        "{\"Credentials\":\"(redacted)\",\"x\":2}");
    assert_string_equal(body(JSON, "{\"AccessKeyId\":\"AKIA\",\"Expiration\":\"x\"}"),
                        "{\"AccessKeyId\":\"(redacted)\",\"Expiration\":\"x\"}");
    assert_string_equal(body(JSON, "{\"password\":12345,\"ok\":true}"),
                        "{\"password\":\"(redacted)\",\"ok\":true}");
    assert_string_equal(body(JSON, "{\"a\":{\"user_data\":\"IyE=\"}}"),
                        "{\"a\":{\"user_data\":\"(redacted)\"}}");
    assert_string_equal(body(JSON, "{\"authorizationToken\":\"abc"), /* cut off */
                        "{\"authorizationToken\":\"(redacted)\"");
    assert_string_equal(body(JSON, "{\"Secret\\u0053tring\":\"x\"}"),
                        "{\"Secret\\u0053tring\":\"(redacted)\"}");
    assert_string_equal(body(JSON, "{\"\":\"x\",\"NextToken\":\"page-2\",\"ClientToken\":\"c\"}"),
                        "{\"\":\"x\",\"NextToken\":\"page-2\",\"ClientToken\":\"c\"}");
    /* a value that reads like a name is none */
    assert_string_equal(body(JSON, "[\"password\",\"x\"]"), "[\"password\",\"x\"]");
    assert_string_equal(body("", " [{\"privateKey\":\"x\"}]"),
                        " [{\"privateKey\":\"(redacted)\"}]");
}

static void test_json_with_plain_names(void **state)
{
    (void)state;
    assert_string_equal(body(JSON, "{\"Parameter\":{\"Type\":\"SecureString\",\"Value\":\"v\"}}"),
                        "{\"Parameter\":{\"Type\":\"SecureString\",\"Value\":\"(redacted)\"}}");
    assert_string_equal(body(JSON, "{\"Parameter\":{\"Type\":\"String\",\"Value\":\"ami-1\"}}"),
                        "{\"Parameter\":{\"Type\":\"String\",\"Value\":\"ami-1\"}}");
    assert_string_equal(body(JSON, "{\"kind\":\"Secret\",\"data\":{\"k\":\"dg==\"}}"),
                        "{\"kind\":\"Secret\",\"data\":\"(redacted)\"}");
    assert_string_equal(body(JSON, "{\"kind\":\"ConfigMap\",\"data\":{\"k\":\"v\"}}"),
                        "{\"kind\":\"ConfigMap\",\"data\":{\"k\":\"v\"}}");
}

static void test_form(void **state)
{
    (void)state;
    assert_string_equal(body(FORM, "Action=RunInstances&UserData=IyE%3D&ImageId=ami-1"),
                        "Action=RunInstances&UserData=(redacted)&ImageId=ami-1");
    assert_string_equal(body(FORM, "WebIdentityToken=ey&ClientToken=c-1&flag&="),
                        "WebIdentityToken=(redacted)&ClientToken=c-1&flag&=");
    assert_string_equal(body(FORM, "client%5Fsecret=x&MetadataOptions.HttpTokens=required"),
                        "client%5Fsecret=(redacted)&MetadataOptions.HttpTokens=required");
    assert_string_equal(body(FORM, "password=x"), "password=(redacted)");
}

static void test_xml(void **state)
{
    (void)state;
    assert_string_equal(body("text/xml",
                             "<R xmlns=\"https://token.example/\"><AccessKeyId>A</AccessKeyId>"
                             "<SecretAccessKey>s+/</SecretAccessKey><SessionToken/>"
                             "<nextToken>p</nextToken></R>"),
                        "<R xmlns=\"https://token.example/\"><AccessKeyId>(redacted)</AccessKeyId>"
                        "<SecretAccessKey>(redacted)</SecretAccessKey><SessionToken/>"
                        "<nextToken>p</nextToken></R>");
    assert_string_equal(body("text/xml", "<Password a=\"b\"><![CDATA[x<y]]></Password><b>1</b>"),
                        "<Password a=\"b\">(redacted)</Password><b>1</b>");
    assert_string_equal(body("", "<?xml version=\"1.0\"?><SessionToken>abc"),
                        "<?xml version=\"1.0\"?><SessionToken>(redacted)");
    assert_string_equal(body("", "<Credentials><SessionToken>x</SessionToken></Credentials>"),
                        "<Credentials>(redacted)</Credentials>");
    assert_string_equal(body("text/xml", "<a><b"), "<a><b");
}

static void test_other_bodies(void **state)
{
    (void)state;
    assert_string_equal(body("text/plain", "AQAEAsecrettoken=="), "(18 bytes)");
    assert_string_equal(body("", ""), "");
    struct slice none = http_redact_body(arena, SLICE_EMPTY, SLICE_EMPTY);
    assert_int_equal(none.len, 0);
}

static void test_long_bodies(void **state)
{
    (void)state;
    size_t size = 100000;
    char *text = malloc(size + 1);
    memset(text, 'x', size);
    text[size] = '\0';
    memcpy(text, "{\"a\":\"", 6);
    struct slice shown = http_redact_body(arena, slice_str(JSON), slice_from(text, size));
    assert_int_equal(shown.len, 4096 + strlen("…"));
    assert_memory_equal(shown.ptr + 4096, "…", strlen("…"));
    /* the secret lies across the place where it is cut */
    memcpy(text + 4000, "\",\"SecretString\":\"", 18);
    shown = http_redact_body(arena, slice_str(JSON), slice_from(text, size));
    assert_non_null(strstr(shown.ptr, "\"SecretString\":\"(redacted)\""));
    assert_non_null(strstr(shown.ptr, "…"));
    /* a character is not cut in two */
    for (size_t i = 6; i + 1 < size; i += 2)
        memcpy(text + i, "\xc3\xa9", 2);
    text[5] = 'x';
    shown = http_redact_body(arena, slice_str(JSON), slice_from(text + 1, size - 2));
    assert_true(shown.len <= 4096 + 3);
    assert_int_equal((unsigned char)shown.ptr[shown.len - 4], 0xa9);
    free(text);
}

static const char *url(const char *text)
{
    return http_redact_url(arena, text).ptr;
}

static void test_urls(void **state)
{
    (void)state;
    assert_string_equal(url("https://h/p?a=b#f"), "https://h/p?a=b#f");
    assert_string_equal(url("https://h:1/p/@x?X-Amz-Algorithm=A&X-Amz-Credential=AK%2F1&"
                            "X-Amz-Security-Token=t&X-Amz-Signature=s&X-Amz-Date=d"),
                        "https://h:1/p/@x?X-Amz-Algorithm=A&X-Amz-Credential=(redacted)&"
                        "X-Amz-Security-Token=(redacted)&X-Amz-Signature=(redacted)&X-Amz-Date=d");
    assert_string_equal(url("https://h?access_token=x&pageToken=2"),
                        "https://h?access_token=(redacted)&pageToken=2");
    assert_string_equal(url("http://user:pass@proxy:3128/"), "http://(redacted)@proxy:3128/");
    assert_string_equal(url("not a url"), "not a url");
    assert_string_equal(url(""), "");
}

static void test_header_names(void **state)
{
    (void)state;
    static const char *const secret[] = {"Authorization",
                                         "proxy-authorization",
                                         "X-Amz-Security-Token",
                                         "Cookie",
                                         "set-cookie",
                                         "X-aws-ec2-metadata-token",
                                         "x-amz-sso_bearer_token",
                                         "X-Api-Key",
                                         "x-goog-iam-authorization-token",
                                         "x-amz-server-side-encryption-customer-key"};
    static const char *const open[] = {
        "Content-Type", "x-amz-date", "X-Amz-Target", "host", "x-amzn-requestid", "etag", ""};
    for (size_t i = 0; i < sizeof(secret) / sizeof(*secret); i++)
        if (!http_header_is_secret(slice_str(secret[i])))
            fail_msg("%s is shown", secret[i]);
    for (size_t i = 0; i < sizeof(open) / sizeof(*open); i++)
        if (http_header_is_secret(slice_str(open[i])))
            fail_msg("%s is hidden", open[i]);
}

static void test_encode(void **state)
{
    (void)state;
    struct buf b = BUF_INIT(200);
    assert_int_equal(http_encode_uri(&b, SLICE_LIT("AZaz09-_.~ /+%&=\xc3\xa9"), false), 0);
    assert_string_equal(buf_cstr(&b), "AZaz09-_.~%20%2F%2B%25%26%3D%C3%A9");
    buf_reset(&b);
    assert_int_equal(http_encode_uri(&b, SLICE_LIT("a/b c"), true), 0);
    assert_string_equal(buf_cstr(&b), "a/b%20c");
    buf_clean_up(&b);
    struct buf small = BUF_INIT(4);
    assert_int_equal(http_encode_uri(&small, SLICE_LIT("ab c"), true), -1);
    buf_clean_up(&small);
}

static void test_header_get(void **state)
{
    (void)state;
    const struct http_header headers[] = {{SLICE_LIT("etag"), SLICE_LIT("1")},
                                          {SLICE_LIT("x-a"), SLICE_LIT("2")},
                                          {SLICE_LIT("x-a"), SLICE_LIT("3")}};
    struct http_response r = {.headers = headers, .header_count = 3};
    assert_true(slice_eq_str(http_header_get(&r, "x-a"), "2"));
    assert_true(slice_eq_str(http_header_get(&r, "etag"), "1"));
    assert_int_equal(http_header_get(&r, "x").len, 0);
}

/* Whatever an endpoint sends is walked to its end, and within its bounds. */
static void test_rubbish(void **state)
{
    (void)state;
    static const char alphabet[] = "{}[]\":,\\<>/=&?! abTokenpassword\xc3\xa9\n";
    static const char *const types[] = {JSON, FORM, "text/xml", ""};
    uint32_t seed = 20261121;
    for (int round = 0; round < 20000; round++) {
        struct arena *a = arena_new();
        size_t len = seed >> 8 & 63;
        char *text = malloc(len + 1); /* exact, so that the sanitizer sees one byte too many */
        for (size_t i = 0; i < len; i++) {
            seed = seed * 1664525 + 1013904223;
            text[i] = alphabet[(seed >> 16) % (sizeof(alphabet) - 1)];
        }
        seed = seed * 1664525 + 1013904223;
        char *exact = realloc(text, len ? len : 1);
        struct slice shown =
            http_redact_body(a, slice_str(types[round % 4]), slice_from(exact, len));
        assert_non_null(shown.ptr);
        assert_true(shown.len <= 20 * len + 12);
        free(exact);
        arena_free(a);
    }
}

static void *no_malloc(size_t size)
{
    (void)size;
    return NULL;
}

static void test_out_of_memory(void **state)
{
    (void)state;
    struct arena *empty = arena_new();
    alloc_table.malloc = no_malloc;
    struct slice shown = http_redact_body(empty, slice_str(JSON), SLICE_LIT("{\"a\":1}"));
    struct slice shown_url = http_redact_url(empty, "https://h/");
    alloc_table.malloc = malloc;
    assert_int_equal(shown.len, 0);
    assert_int_equal(shown_url.len, 0);
    arena_free(empty);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json),         cmocka_unit_test(test_json_with_plain_names),
        cmocka_unit_test(test_form),         cmocka_unit_test(test_xml),
        cmocka_unit_test(test_other_bodies), cmocka_unit_test(test_long_bodies),
        cmocka_unit_test(test_urls),         cmocka_unit_test(test_header_names),
        cmocka_unit_test(test_encode),       cmocka_unit_test(test_header_get),
        cmocka_unit_test(test_rubbish),      cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

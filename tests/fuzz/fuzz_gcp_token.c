/* Servers that answer anything: the first line is a credential file, each further one the status (a
 * character, see below) and body of an answer. A token that comes out can be sent in a header. */
#include <stdlib.h>
#include <string.h>

#include "fuzz_value.h"
#include "gcp/client.h"
#include "gcp/credential_file.h"

enum { NOW = 1795255200 };

static struct slice next_line(struct slice *rest)
{
    const char *end = rest->len ? memchr(rest->ptr, '\n', rest->len) : NULL;
    size_t len = end ? (size_t)(end - rest->ptr) : rest->len;
    struct slice line = slice_from(rest->ptr, len);
    *rest = slice_from(rest->ptr + len + (end ? 1 : 0), rest->len - len - (end ? 1 : 0));
    return line;
}

static int send(void *self, const struct work *w, struct arena *a, const struct http_request *rq,
                struct http_response *ret)
{
    static const int statuses[] = {200, 400, 403, 404, 429, 500};
    struct slice line = next_line(self);
    (void)w;
    memset(ret, 0, sizeof(*ret));
    must(utf8_is_valid(slice_str(rq->url)));
    for (size_t i = 0; i < rq->header_count; i++)
        must(!memchr(rq->headers[i].name.ptr, '\n', rq->headers[i].name.len) &&
             !(rq->headers[i].value.len &&
               memchr(rq->headers[i].value.ptr, '\n', rq->headers[i].value.len)));
    if (!line.len) {
        ret->failure = HTTP_TLS;
        ret->failure_text = "no answer";
        return -1;
    }
    ret->status = statuses[(unsigned char)line.ptr[0] % 6];
    char *body = arena_strndup(a, line.ptr + 1, line.len - 1);
    ret->body = slice_from(body, body ? line.len - 1 : 0);
    return 0;
}

static int64_t now_ms(void *self)
{
    (void)self;
    return 0;
}

static int64_t now_s(void *self)
{
    (void)self;
    return NOW;
}

static int no_sleep(void *self, int64_t ms, const struct cancel *c)
{
    (void)self;
    (void)ms;
    (void)c;
    return 0;
}

static double half(void *self)
{
    (void)self;
    return 0.5;
}

static void run(struct arena *a, struct slice *answers, const char *content)
{
    static const struct clock clock = {now_ms, now_s, no_sleep, half, NULL};
    struct http_transport transport = {.send = send, .self = answers};
    struct cloud_client client = {
        .arena = a, .transport = &transport, .clock = &clock, .user_agent = "fuzz"};
    struct gcp_token t = GCP_TOKEN_EMPTY;
    struct cloud_error err;
    struct diags diags;
    const struct work w = {&clock, NULL, INT64_MAX};
    diags_init(&diags, a);
    must(gcp_config_resolve(a, NULL, &client.config, &diags) == 0);
    client.config.credentials = content;
    client.config.retry.max_attempts = 3;
    retry_init(&client.retry, &client.config.retry);
    gcp_token_cache_init(&client.tokens);
    if (gcp_token_get(&client, &w, a, &t, &err) == 0) {
        must(t.bearer.len && t.expires_unix_s > NOW);
        for (size_t i = 0; i < t.bearer.len; i++)
            must(t.bearer.ptr[i] > ' ' && t.bearer.ptr[i] < 0x7f);
    } else {
        must(err.message && *err.message && err.class_ != CLOUD_ERROR_NONE);
    }
    gcp_token_clean_up(&t);
    retry_clean_up(&client.retry);
    gcp_token_cache_clean_up(&client.tokens);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *a _cleanup_arena_ = arena_new();
    struct slice rest = slice_from(data, size), line = next_line(&rest);
    struct gcp_credential_file f;
    const char *why = NULL;
    const char *content = arena_strndup(a, line.ptr ? line.ptr : "", line.len);
    unsetenv("GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES");
    setenv("CLOUDSDK_CONFIG", "/nonexistent", 1);
    /* Files of this machine are not the fuzzer's to read. */
    if (!gcp_credentials_are_content(slice_str(content)) ||
        gcp_credential_file_read(a, slice_str(content), &f, &why) < 0 ||
        (f.type == GCP_EXTERNAL_ACCOUNT && f.subject.kind == GCP_SUBJECT_FILE) ||
        (f.source && f.source->type == GCP_EXTERNAL_ACCOUNT &&
         f.source->subject.kind == GCP_SUBJECT_FILE))
        return 0;
    run(a, &rest, content);
    return 0;
}

/* Gets a token for each case on standard input, one JSON object a line, and writes what was asked
 * of whom as one JSON object a line: the counterpart of gcp_token_compare.py.
 *
 * A case: {"block": …, "env": {…}, "time": …, "answers": [{"status", "body"}]}. What is written:
 * {"requests": [{"method", "url", "headers": {…}, "body"}], "token" or "error"}. With "live": true
 * the requests go out, at the machine's time: gcp_token_live.py has the servers. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fake_clock.h"
#include "gcp/client.h"
#include "value/codec.h"

enum { LINE_MOST = 1 << 20, REQUESTS_MOST = 16 };

struct run {
    struct arena *a;
    const struct value *answers;
    const struct value *requests[REQUESTS_MOST];
    size_t count;
};

static int send(void *self, const struct work *w, struct arena *a, const struct http_request *rq,
                struct http_response *ret)
{
    static const struct http_header google[] = {
        {SLICE_LIT("metadata-flavor"), SLICE_LIT("Google")}};
    struct run *run = self;
    struct value_member headers[32];
    size_t count = 0;
    (void)w;
    memset(ret, 0, sizeof(*ret));
    for (; count < rq->header_count && count < 32; count++)
        headers[count] = (struct value_member){rq->headers[count].name,
                                               value_string(run->a, rq->headers[count].value)};
    const struct value_member m[] = {
        {SLICE_LIT("method"), value_str(run->a, rq->method)},
        {SLICE_LIT("url"), value_str(run->a, rq->url)},
        {SLICE_LIT("headers"), value_map(run->a, &type_string, headers, count)},
        {SLICE_LIT("body"), value_string(run->a, rq->body)}};
    const struct value *answer = value_at(run->answers, run->count);
    if (run->count < REQUESTS_MOST)
        run->requests[run->count++] = value_object(run->a, m, 4);
    if (!answer) {
        ret->failure = HTTP_TLS;
        ret->failure_text = "no answer is left";
        return -1;
    }
    ret->status = (int)value_int_or(value_get(answer, "status"), 200);
    ret->body = slice_str(arena_strdup(a, value_cstr(value_get(answer, "body"), "")));
    ret->headers = google;
    ret->header_count = 1;
    return 0;
}

static void set_environment(const struct value *env)
{
    for (size_t i = 0; i < value_count(env); i++) {
        if (value_is_null(value_at(env, i)))
            unsetenv(env->members[i].key.ptr);
        else
            setenv(env->members[i].key.ptr, value_cstr(value_at(env, i), ""), 1);
    }
}

static const struct value *get(struct arena *a, const struct value *line)
{
    struct run run = {.a = a, .answers = value_get(line, "answers")};
    struct http_transport scripted = {.send = send, .self = &run};
    bool live = value_true(value_get(line, "live"));
    struct http_transport *transport = live ? http_transport_new() : &scripted;
    struct fake_clock clock;
    struct cloud_client client = {.arena = a, .transport = transport, .user_agent = "compare"};
    struct gcp_token token = GCP_TOKEN_EMPTY;
    struct cloud_error err = {.message = "the settings were refused"};
    struct diags diags;
    diags_init(&diags, a);
    fake_clock_init(&clock, value_int_or(value_get(line, "time"), 0));
    client.clock = live ? clock_system() : &clock.clock;
    set_environment(value_get(line, "env"));
    const struct work w = {client.clock, NULL, INT64_MAX};
    int rc = gcp_config_resolve(a, value_get(line, "block"), &client.config, &diags);
    retry_init(&client.retry, &client.config.retry);
    gcp_token_cache_init(&client.tokens);
    if (rc == 0)
        rc = gcp_token_get(&client, &w, a, &token, &err);
    const struct value_member m[] = {
        {SLICE_LIT("requests"), value_tuple(a, run.requests, run.count)},
        {SLICE_LIT("token"), value_str(a, rc == 0 ? token.bearer.ptr : NULL)},
        {SLICE_LIT("expires"), value_int(a, token.expires_unix_s)},
        {SLICE_LIT("error"), value_str(a, rc == 0 ? NULL : err.message)}};
    const struct value *ret = value_object(a, m, 4);
    gcp_token_clean_up(&token);
    retry_clean_up(&client.retry);
    gcp_token_cache_clean_up(&client.tokens);
    if (live)
        http_transport_free(transport);
    return ret;
}

int main(void)
{
    static char line[LINE_MOST];
    while (fgets(line, sizeof(line), stdin)) {
        _cleanup_arena_ struct arena *a = arena_new();
        _cleanup_buf_ struct buf out = BUF_INIT(4 * LINE_MOST);
        struct diags diags;
        const struct value *parsed = NULL;
        diags_init(&diags, a);
        if (value_json_parse(a, slice_str(line), &parsed, &diags) < 0 ||
            value_json_write(&out, get(a, parsed), false) < 0) {
            fprintf(stderr, "not a case: %s", line);
            return EXIT_FAILURE;
        }
        puts(buf_cstr(&out));
    }
    return EXIT_SUCCESS;
}

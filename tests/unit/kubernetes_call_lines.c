/* Makes the calls on standard input, one JSON object a line, by the Kubernetes driver, and writes
 * what came of each as one JSON object a line: the counterpart of kubernetes_call_live.py.
 *
 * A call: {"endpoint", "ca", "tokens", "manager", "name", "method", "uri", "request",
 * "deadline_ms", "owner": {"type", "name", "component"}}: of the tokens, the next is taken when a
 * fresh one is asked for; the request may have "$labels" for the owner's labels in its metadata,
 * and
 * "$selector". What is written: {"answer", "tokens_used"} or {"class", "code", "message", "status",
 * "request_id", "maybe_processed"}. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kubernetes/driver.h"
#include "value/codec.h"

enum { LINE_MOST = 1 << 20 };

struct tokens {
    const struct value *list;
    size_t at;
};

static int next_token(void *self, const struct work *w, struct arena *a, bool fresh,
                      const char **ret, struct cloud_error *err)
{
    struct tokens *t = self;
    (void)w;
    (void)err;
    t->at += fresh && t->at + 1 < value_count(t->list);
    *ret = arena_strdup(a, value_cstr(value_at(t->list, t->at), ""));
    return *ret ? 0 : -1;
}

static const struct value *failed(struct arena *a, const struct cloud_error *err)
{
    const struct value_member m[] = {
        {SLICE_LIT("class"), value_str(a, cloud_error_class_name(err->class_))},
        {SLICE_LIT("code"), value_str(a, err->code ? err->code : "")},
        {SLICE_LIT("message"), value_str(a, err->message ? err->message : "")},
        {SLICE_LIT("request_id"), value_str(a, err->request_id ? err->request_id : "")},
        {SLICE_LIT("maybe_processed"), value_bool(a, err->maybe_processed)},
        {SLICE_LIT("status"), value_int(a, err->http_status)}};
    return value_object(a, m, sizeof(m) / sizeof(*m));
}

/* The request with the owner's labels, or the selector for them, at their places. */
static const struct value *with_owner(struct arena *a, const struct value *request,
                                      const struct value *owner)
{
    const struct value *tags = kubernetes_driver.owner_tags(
        a, value_cstr(value_get(owner, "type"), ""), value_get(owner, "name"),
        value_cstr(value_get(owner, "component"), ""));
    const char *labels = value_cstr(value_path(request, "metadata.labels"), "");
    const char *selector = value_cstr(value_get(request, "labelSelector"), "");
    if (strcmp(labels, "$labels") == 0)
        request = value_with_path(a, request, "metadata.labels", tags);
    if (strcmp(selector, "$selector") == 0)
        request = value_with(a, request, "labelSelector", kubernetes_driver.owner_filter(a, tags));
    return request;
}

static const struct value *run(struct arena *a, struct http_transport *transport,
                               const struct value *line)
{
    const struct cloud_operation op = {
        .service = "kubernetes",
        .name = value_cstr(value_get(line, "name"), "Call"),
        .method = value_cstr(value_get(line, "method"), NULL),
        .uri = value_cstr(value_get(line, "uri"), NULL),
    };
    struct tokens tokens = {value_get(line, "tokens"), 0};
    const struct cloud_cluster cluster = {
        .endpoint = value_cstr(value_get(line, "endpoint"), NULL),
        .ca_pem = value_cstr(value_get(line, "ca"), NULL),
        .field_manager = value_cstr(value_get(line, "manager"), "terraform-provider-llm"),
        .token = next_token,
        .token_self = &tokens,
        .retry = {.max_attempts = 4},
    };
    const struct clock *clock = clock_system();
    int64_t deadline = value_int_or(value_get(line, "deadline_ms"), 60000);
    struct work w = {clock, NULL, clock->monotonic_ms(clock->self) + deadline};
    struct cloud_error err = {.message = "the settings were refused"};
    struct diags diags;
    const struct value *answer = NULL;
    diags_init(&diags, a);
    struct cloud_client *c = kubernetes_client_new(&cluster, transport, clock, "test/1", &diags);
    if (!c)
        return failed(a, &err);
    const struct value *request =
        with_owner(a, value_get(line, "request"), value_get(line, "owner"));
    bool done = kubernetes_driver.call(c, &w, a, NULL, &op, request, &answer, &err) == 0;
    kubernetes_driver.free(c);
    const struct value_member m[] = {
        {SLICE_LIT("answer"), answer},
        {SLICE_LIT("tokens_used"), value_int(a, (int64_t)tokens.at + 1)}};
    return done ? value_object(a, m, 2) : failed(a, &err);
}

int main(void)
{
    static char line[LINE_MOST];
    struct http_transport *transport = http_transport_new();
    while (transport && fgets(line, sizeof(line), stdin)) {
        struct arena *a _cleanup_arena_ = arena_new();
        struct buf out _cleanup_buf_ = BUF_INIT(LINE_MOST);
        struct diags diags;
        const struct value *v = NULL;
        diags_init(&diags, a);
        if (value_json_parse(a, slice_str(line), &v, &diags) < 0 ||
            value_json_write(&out, run(a, transport, v), false) < 0)
            return 1;
        printf("%s\n", buf_cstr(&out));
        fflush(stdout);
    }
    http_transport_free(transport);
    return 0;
}

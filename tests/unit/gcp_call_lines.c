/* Makes the calls on standard input, one JSON object a line, by the GCP driver, and writes what
 * came of each as one JSON object a line: the counterpart of gcp_call_live.py.
 *
 * A call: {"service", "name", "method", "uri", "token_param", "idempotent", "request", "block",
 * "deadline_ms"}. What is written: {"account", "answer"} or {"class", "code", "message"}. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gcp/driver.h"
#include "value/codec.h"

enum { LINE_MOST = 1 << 20 };

static const struct value *failed(struct arena *a, const struct cloud_error *err)
{
    const struct value_member m[] = {
        {SLICE_LIT("class"), value_str(a, cloud_error_class_name(err->class_))},
        {SLICE_LIT("code"), value_str(a, err->code ? err->code : "")},
        {SLICE_LIT("message"), value_str(a, err->message ? err->message : "")}};
    return value_object(a, m, 3);
}

static const struct value *run(struct arena *a, struct http_transport *transport,
                               const struct value *line)
{
    const struct cloud_operation op = {
        .service = value_cstr(value_get(line, "service"), ""),
        .name = value_cstr(value_get(line, "name"), ""),
        .method = value_cstr(value_get(line, "method"), NULL),
        .uri = value_cstr(value_get(line, "uri"), NULL),
        .token_param = value_cstr(value_get(line, "token_param"), NULL),
        .idempotent = value_true(value_get(line, "idempotent")),
    };
    const struct clock *clock = clock_system();
    int64_t deadline = value_int_or(value_get(line, "deadline_ms"), 60000);
    struct work w = {clock, NULL, clock->monotonic_ms(clock->self) + deadline};
    struct cloud_error err = {.message = "the settings were refused"};
    struct diags diags;
    const char *project = NULL;
    const struct value *answer = NULL;
    diags_init(&diags, a);
    struct cloud_client *c =
        gcp_driver.configure(value_get(line, "block"), transport, clock, "test/1", &diags);
    if (!c)
        return failed(a, &err);
    bool done =
        gcp_driver.account(c, &w, a, NULL, &project, &err) == 0 &&
        gcp_driver.call(c, &w, a, NULL, &op, value_get(line, "request"), &answer, &err) == 0;
    gcp_driver.free(c);
    const struct value_member m[] = {{SLICE_LIT("account"), value_str(a, project)},
                                     {SLICE_LIT("answer"), answer}};
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

/* Makes the tokens for clusters that are asked for on standard input, one JSON object a line: the
 * counterpart of cluster_token_compare.py.
 *
 * {"cloud", "block", "env": {name: text or null}, "time" (0: now), "region", "cluster", "times":
 * how many are made, "fresh": all but the first}. What is written, of the last: {"token",
 * "expires"} or {"error"}. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aws/driver.h"
#include "fake_clock.h"
#include "gcp/driver.h"
#include "value/codec.h"

enum { LINE_MOST = 1 << 20, DEADLINE_MS = 20000 };

static void set_environment(const struct value *env)
{
    for (size_t i = 0; i < value_count(env); i++) {
        if (value_is_null(value_at(env, i)))
            unsetenv(env->members[i].key.ptr);
        else
            setenv(env->members[i].key.ptr, value_cstr(value_at(env, i), ""), 1);
    }
}

static const struct value *failed(struct arena *a, const char *why)
{
    const struct value_member m = {SLICE_LIT("error"), value_str(a, why ? why : "")};
    return value_object(a, &m, 1);
}

static const struct value *make(struct arena *a, struct http_transport *transport,
                                const struct value *line)
{
    bool aws = strcmp(value_cstr(value_get(line, "cloud"), ""), "aws") == 0;
    const struct cloud_driver *driver = aws ? &aws_driver : &gcp_driver;
    int64_t time = value_int_or(value_get(line, "time"), 0), expires = 0;
    struct fake_clock fake;
    struct diags diags;
    struct cloud_error err = {.message = NULL};
    const char *token = NULL;
    fake_clock_init(&fake, time);
    const struct clock *clock = time ? &fake.clock : clock_system();
    const struct work w = {clock, NULL, clock->monotonic_ms(clock->self) + DEADLINE_MS};
    diags_init(&diags, a);
    set_environment(value_get(line, "env"));
    struct cloud_client *c =
        driver->configure(value_get(line, "block"), transport, clock, "test/1", &diags);
    if (!c)
        return failed(a, "the settings were refused");
    const char *region = value_cstr(value_get(line, "region"), NULL);
    const char *cluster = value_cstr(value_get(line, "cluster"), "");
    int rc = 0, times = (int)value_int_or(value_get(line, "times"), 1);
    bool fresh = value_true(value_get(line, "fresh"));
    for (int i = 0; rc == 0 && i < times; i++)
        rc = driver->cluster_token(c, &w, a, region, cluster, fresh && i, &token, &expires, &err);
    driver->free(c);
    const struct value_member m[] = {{SLICE_LIT("expires"), value_int(a, expires)},
                                     {SLICE_LIT("token"), value_str(a, token)}};
    return rc == 0 ? value_object(a, m, 2) : failed(a, err.message);
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
            value_json_write(&out, make(a, transport, v), false) < 0)
            return 1;
        printf("%s\n", buf_cstr(&out));
        fflush(stdout);
    }
    http_transport_free(transport);
    return 0;
}

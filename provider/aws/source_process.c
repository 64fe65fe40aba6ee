/* Credentials from a program (SDKs and Tools Reference Guide, "Process credential provider"). */
#include "aws/client.h"
#include "base/process.h"
#include "value/codec.h"

enum { OUTPUT_MOST = 64 * 1024, TIME_MOST_MS = 60000 };

int aws_process_output(struct aws_source *s, struct slice output, struct aws_credentials *ret)
{
    const struct value *v = NULL;
    struct diags d;
    diags_init(&d, s->a);
    if (value_json_parse(s->a, output, &v, &d) < 0 || value_int_or(value_get(v, "Version"), 0) != 1)
        return aws_source_fail(s, "credential_process gave no JSON object of Version 1");
    return aws_source_keys(s, ret, value_cstr(value_get(v, "AccessKeyId"), NULL),
                           value_cstr(value_get(v, "SecretAccessKey"), NULL),
                           value_cstr(value_get(v, "SessionToken"), NULL),
                           value_cstr(value_get(v, "Expiration"), NULL), "credential_process");
}

int aws_source_process(struct aws_source *s, const char *command, struct aws_credentials *ret)
{
    _cleanup_buf_ struct buf out = BUF_INIT(OUTPUT_MOST);
    char *const argv[] = {arena_strdup(s->a, "/bin/sh"), arena_strdup(s->a, "-c"),
                          arena_strdup(s->a, command), NULL};
    if (!argv[0] || !argv[1] || !argv[2])
        return aws_source_fail(s, "memory ran out");
    const char *why = process_output(s->a, s->work, argv, NULL, TIME_MOST_MS, &out);
    if (why)
        return aws_source_fail(s, "credential_process failed: %s", why);
    return aws_process_output(s, buf_slice(&out), ret);
}

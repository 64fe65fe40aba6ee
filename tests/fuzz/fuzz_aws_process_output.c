/* What a credential_process has written. */
#include "aws/credentials.h"
#include "fuzz_value.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *a _cleanup_arena_ = arena_new();
    struct cloud_error err = {.class_ = CLOUD_ERROR_NONE};
    struct aws_source s = {.a = a, .err = &err};
    struct aws_credentials k = AWS_CREDENTIALS_EMPTY;
    int rc = aws_process_output(&s, slice_from(data, size), &k);
    if (rc == 0)
        must(k.access_key.len && k.secret_key.len && k.expires_unix_s >= 0);
    else
        must(err.message != NULL);
    aws_credentials_clean_up(&k);
    return 0;
}

/* Answers of AWS in each of its protocols, successes and errors: the first byte says service and
 * status, the rest is the body. */
#include "aws/protocol.h"
#include "fuzz_value.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* ec2, query, JSON 1.1, REST-XML, REST-JSON */
    static const char *const services[] = {"ec2", "iam", "ssm", "s3", "sso"};
    static const int statuses[] = {200, 400, 403, 503};
    struct arena *a _cleanup_arena_ = arena_new();
    unsigned char first = size ? data[0] : 0;
    const struct aws_service *s = aws_service_find(services[first % 5]);
    const struct cloud_operation op = {
        .service = services[first % 5], .name = "Describe", .method = "GET", .uri = "/"};
    const struct value *v = NULL;
    struct cloud_error err = {.class_ = CLOUD_ERROR_NONE};
    char *body = arena_strndup(a, size > 1 ? (const char *)data + 1 : "", size > 1 ? size - 1 : 0);
    struct http_response response = {.status = statuses[first / 5 % 4],
                                     .body = slice_from(body, size > 1 ? size - 1 : 0)};
    must(s != NULL);
    if (response.status != 200) {
        aws_protocol_error(a, s, &response, &err);
        must(err.class_ != CLOUD_ERROR_NONE && err.message);
    } else if (aws_protocol_decode(a, s, &op, &response, &v, &err) == 0) {
        must(value_is_known(v));
    } else {
        must(err.class_ != CLOUD_ERROR_NONE && err.message);
    }
    return 0;
}

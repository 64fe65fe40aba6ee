/* Answers of an API server, successes and errors: the first byte says the status, the rest is the
 * body. */
#include "fuzz_value.h"
#include "kubernetes/applied.h"
#include "kubernetes/errors.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const int statuses[] = {200, 400, 403, 404, 409, 422, 429, 500};
    struct arena *a _cleanup_arena_ = arena_new();
    unsigned char first = size ? data[0] : 0;
    size_t len = size > 1 ? size - 1 : 0;
    char *body = arena_strndup(a, len ? (const char *)data + 1 : "", len);
    const struct http_response response = {.status = statuses[first % 8],
                                           .body = slice_from(body, len)};
    if (response.status != 200) {
        struct cloud_error err = {.class_ = CLOUD_ERROR_NONE};
        kubernetes_error_decode(a, &response, NULL, first & 8, &err);
        must(err.class_ != CLOUD_ERROR_NONE && err.message);
        return 0;
    }
    const struct value *v = NULL;
    struct diags d;
    diags_init(&d, a);
    if (value_json_parse(a, response.body, &v, &d) < 0)
        return 0;
    const struct value *marked = kubernetes_mark_applied(a, v, "us");
    must(!marked || value_is_null(v) || value_is_known(marked));
    must(value_get(v, "items") || !value_is_known(value_path(marked, "metadata.managedFields")));
    return 0;
}

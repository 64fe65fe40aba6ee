/* Values from JSON with a type: what is read can be written, is then read as the same value, and is
 * the same when it is read leniently. */
#include "fuzz_value.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *a _cleanup_arena_ = arena_new();
    struct buf b _cleanup_buf_ = BUF_INIT(BYTES_MOST);
    struct diags diags;
    diags_init(&diags, a);
    struct slice json;
    const struct type *t = split(a, slice_from(data, size), &diags, &json);
    const struct value *v = NULL, *lenient = NULL, *back = NULL;
    if (!t)
        return 0;
    int rc = value_json_decode(a, json, t, true, &lenient, &diags);
    must((rc < 0) == diags_has_error(&diags) && (rc < 0) == !lenient);
    if (value_json_decode(a, json, t, false, &v, &diags) < 0)
        return 0;
    must(lenient && value_equal(v, lenient) && value_is_wholly_known(v));
    must(value_json_encode(&b, v, t) == 0);
    must(value_json_decode(a, buf_slice(&b), t, false, &back, &diags) == 0);
    must(value_equal(v, back));
    return 0;
}

/* Types from JSON: what is read can be written, and is then read as the same type. */
#include "fuzz_value.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *a _cleanup_arena_ = arena_new();
    struct buf b _cleanup_buf_ = BUF_INIT(BYTES_MOST), c _cleanup_buf_ = BUF_INIT(BYTES_MOST);
    struct diags diags;
    diags_init(&diags, a);
    const struct type *t = type_json_decode(a, slice_from(data, size), &diags);
    must(!t == diags_has_error(&diags));
    if (!t)
        return 0;
    must(type_json_encode(&b, t) == 0);
    const struct type *back = type_json_decode(a, buf_slice(&b), &diags);
    must(type_equal(t, back) && type_json_encode(&c, back) == 0);
    must(slice_eq(buf_slice(&b), buf_slice(&c)));
    must(type_string_of(a, t));
    return 0;
}

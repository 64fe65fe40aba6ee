/* Values from msgpack: what is read can be written, and is then read as the same value. */
#include "fuzz_value.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *a _cleanup_arena_ = arena_new();
    struct buf b _cleanup_buf_ = BUF_INIT(BYTES_MOST), c _cleanup_buf_ = BUF_INIT(BYTES_MOST);
    struct diags diags;
    diags_init(&diags, a);
    struct slice bytes;
    const struct type *t = split(a, slice_from(data, size), &diags, &bytes);
    const struct value *v = NULL, *back = NULL;
    if (!t)
        return 0;
    int rc = value_msgpack_decode(a, bytes, t, &v, &diags);
    must((rc < 0) == diags_has_error(&diags) && (rc < 0) == !v);
    if (!v)
        return 0;
    must(value_msgpack_encode(&b, v, t) == 0);
    must(value_msgpack_decode(a, buf_slice(&b), t, &back, &diags) == 0);
    must(value_equal(v, back) && value_compare(v, back) == 0);
    must(value_msgpack_encode(&c, value_copy(a, back), t) == 0);
    must(slice_eq(buf_slice(&b), buf_slice(&c)));
    return 0;
}

/* JSON without a type: what is read can be written, and is then read as the same value. */
#include "fuzz_value.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *a _cleanup_arena_ = arena_new();
    struct buf b _cleanup_buf_ = BUF_INIT(BYTES_MOST), c _cleanup_buf_ = BUF_INIT(BYTES_MOST);
    struct diags diags;
    diags_init(&diags, a);
    const struct value *v = NULL, *back = NULL;
    int rc = value_json_parse(a, slice_from(data, size), &v, &diags);
    must((rc < 0) == diags_has_error(&diags) && (rc < 0) == !v);
    if (!v)
        return 0;
    must(value_json_write(&b, v, false) == 0);
    must(value_json_parse(a, buf_slice(&b), &back, &diags) == 0);
    must(value_equal(v, back));
    must(value_json_write(&c, back, false) == 0);
    must(slice_eq(buf_slice(&b), buf_slice(&c)));
    return 0;
}

/* What the fuzz targets of the value room share. A target stops the process where something that
 * must hold does not. */
#ifndef LLM_TESTS_FUZZ_VALUE_H
#define LLM_TESTS_FUZZ_VALUE_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "value/codec.h"

enum { BYTES_MOST = 64 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define must(condition)                                                                            \
    do {                                                                                           \
        if (!(condition))                                                                          \
            abort();                                                                               \
    } while (0)

/* An input is a type in cty's JSON, a line feed, and the bytes of a value. NULL when the first line
 * is no type. */
static inline const struct type *split(struct arena *a, struct slice input, struct diags *diags,
                                       struct slice *ret_bytes)
{
    const char *end = input.len ? memchr(input.ptr, '\n', input.len) : NULL;
    if (!end)
        return NULL;
    size_t len = (size_t)(end - input.ptr);
    *ret_bytes = slice_from(end + 1, input.len - len - 1);
    return type_json_decode(a, slice_from(input.ptr, len), diags);
}

#endif

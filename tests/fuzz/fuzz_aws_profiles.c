/* The shared config and credentials files: the first byte says which, the rest is the text. */
#include "aws/profile_file.h"
#include "fuzz_value.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *a _cleanup_arena_ = arena_new();
    struct diags diags;
    struct aws_profiles p;
    diags_init(&diags, a);
    aws_profiles_init(&p, a);
    struct slice text = size ? slice_from(data + 1, size - 1) : SLICE_EMPTY;
    int rc = aws_profiles_add(&p, text, size && data[0] % 2, "file", &diags);
    must((rc < 0) == diags_has_error(&diags));
    for (size_t i = 0; i < p.count; i++)
        for (size_t k = 0; k < p.sections[i].key_count; k++)
            must(aws_section_get(&p.sections[i], p.sections[i].keys[k].name) != NULL);
    return 0;
}

/* Figures of the catalogue as numbers for users. */
#include "resources/figures.h"

static const struct value *number(struct arena *a, const char *text)
{
    const struct number *n = text ? number_parse(a, slice_str(text)) : NULL;
    return n ? value_number(a, n) : NULL;
}

const struct value *figure_gib(struct arena *a, uint64_t bytes)
{
    uint64_t mib = bytes >> 20;
    uint64_t hundredths = (mib * 100 + 512) / 1024;
    return number(a, arena_printf(a, "%llu.%02llu", (unsigned long long)(hundredths / 100),
                                  (unsigned long long)(hundredths % 100)));
}

const struct value *figure_micros(struct arena *a, int64_t micros)
{
    if (micros < 0)
        return value_null(a, &type_number);
    return number(a, arena_printf(a, "%lld.%06lld", (long long)(micros / 1000000),
                                  (long long)(micros % 1000000)));
}

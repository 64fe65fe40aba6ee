/* Attributes by path, and whether one is configured. */
#include "schema/schema.h"

static const struct schema_attr *find(const struct schema_attr *attrs, size_t count,
                                      struct slice name)
{
    size_t low = 0, high = count;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        int order = slice_cmp(slice_str(attrs[mid].name), name);
        if (order == 0)
            return &attrs[mid];
        if (order < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return NULL;
}

const struct schema_attr *schema_find(const struct schema *s, const char *dotted)
{
    const struct schema_attr *attrs = s->attrs;
    size_t count = s->attr_count;
    while (true) {
        size_t len = strcspn(dotted, ".");
        const struct schema_attr *a = find(attrs, count, slice_from(dotted, len));
        if (!a || !dotted[len])
            return a;
        attrs = a->attrs;
        count = a->attr_count;
        dotted += len + 1;
    }
}

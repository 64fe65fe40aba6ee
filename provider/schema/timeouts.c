/* The timeouts block. */
#include "schema/schema.h"

int64_t schema_timeout_s(const struct schema *s, const struct value *v, const char *operation)
{
    int64_t ms = 0;
    const struct value *own = value_get(value_get(v, "timeouts"), operation);
    if (value_is_known(own) && schema_duration_parse(value_slice(own), &ms) == 0 && ms > 0)
        return ms < 1000 ? 1 : ms / 1000;
    if (strcmp(operation, "create") == 0)
        return s->timeout_create_s;
    if (strcmp(operation, "update") == 0)
        return s->timeout_update_s;
    return strcmp(operation, "delete") == 0 ? s->timeout_delete_s : 0;
}

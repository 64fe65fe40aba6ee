/* Questions that a resource asks of a cloud, besides the calls of its components. */
#include "resources/composite.h"

#include <string.h>

int composite_call(const struct composite_context *c, struct arena *a,
                   const struct cloud_operation *op, const struct value *request,
                   const struct value **ret, struct cloud_error *err)
{
    memset(err, 0, sizeof(*err));
    if (request)
        return c->driver->call(c->client, c->work, a, c->region, op, request, ret, err);
    err->class_ = CLOUD_ERROR_NO_MEMORY;
    err->message = "memory ran out";
    return -1;
}

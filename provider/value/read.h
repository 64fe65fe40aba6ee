/* Private to value/: what the readers of the msgpack and the JSON form share. */
#ifndef LLM_VALUE_READ_H
#define LLM_VALUE_READ_H

#include "value/codec.h"

/* The error of an object at `path` that has an attribute which its type has not. Always -1. */
static inline int refuse_attribute(struct diags *diags, const struct path *path, struct slice name)
{
    enum { NAME_MOST = 64 };
    if (name.len > NAME_MOST)
        return diags_error(diags, path, "Unsupported attribute",
                           "An attribute with a name of %zu bytes is not in the schema.", name.len);
    return diags_error(diags, path, "Unsupported attribute",
                       "The attribute \"%.*s\" is not in the schema.", (int)name.len, name.ptr);
}

#endif

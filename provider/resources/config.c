/* Reading what the user has written. */
#include "resources/config.h"

bool config_is_set(const struct value *v)
{
    return v && !value_is_null(v);
}

const struct value *config_get(const struct value *config, const char *dotted)
{
    const struct value *v = value_path(config, dotted);
    return config_is_set(v) ? v : NULL;
}

bool config_is(const struct value *config, const char *dotted, const char *text)
{
    return slice_eq_str(value_slice(config_get(config, dotted)), text);
}

int config_refuse(struct arena *a, const struct value *config, const char *cloud,
                  const char *const (*paths)[2], size_t count, struct diags *diags)
{
    int rc = 0;
    for (size_t i = 0; i < count; i++)
        if (value_is_known(config_get(config, paths[i][0])))
            rc = diags_error(diags, path_parse(a, paths[i][0]), "Not on this cloud",
                             "%s has no such setting. %s", cloud, paths[i][1]);
    return rc;
}

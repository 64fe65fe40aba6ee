/* Reading what the user has written. */
#include "resources/config.h"

#include <string.h>

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

bool config_wholly_known(const struct value *config, const char *const *paths, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!value_is_wholly_known(config_get(config, paths[i])))
            return false;
    return true;
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

int config_check_name_length(struct arena *a, const char *text, size_t most, const char *what,
                             struct diags *diags)
{
    if (!text || strlen(text) <= most)
        return text ? 0 : -1;
    return diags_error(
        diags, path_attribute(a, NULL, "name"), "The name is too long",
        "The %s would be called \"%s\", which has %zu characters; at most %zu are allowed. "
        "Shorten `name` by %zu.",
        what, text, strlen(text), most, strlen(text) - most);
}

int config_check_zones(struct arena *a, const struct value *config, const char *dotted,
                       const char *region, bool (*fits)(struct slice zone, const char *region),
                       const char *example, struct diags *diags)
{
    const struct value *zones = config_get(config, dotted);
    const struct path *path = path_parse(a, dotted);
    int rc = 0;
    for (size_t i = 0; i < value_count(zones); i++) {
        struct slice z = value_slice(value_at(zones, i));
        if (z.len && region && !fits(z, region))
            rc = diags_error(diags, path_index(a, path, (int64_t)i), "Zone outside the region",
                             "\"%.*s\" is not a zone of %s; those are named like %s%s.", (int)z.len,
                             z.ptr, region, region, example);
        for (size_t k = 0; z.len && k < i; k++)
            if (slice_eq(z, value_slice(value_at(zones, k))))
                rc = diags_error(diags, path_index(a, path, (int64_t)i), "Duplicate zone",
                                 "\"%.*s\" is named twice.", (int)z.len, z.ptr);
    }
    return rc;
}

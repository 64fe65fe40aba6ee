/* The provider block: each driver validates and configures its part. */
#include "resources/provider.h"

#include <string.h>

#include "schema/tables.h"

static size_t driver_index(const struct provider *p, const char *cloud)
{
    size_t i = 0;
    while (p->drivers[i] && strcmp(p->drivers[i]->cloud, cloud) != 0)
        i++;
    return i;
}

int provider_client(const struct provider *p, const char *cloud, const struct path *path,
                    const struct cloud_driver **ret_driver, struct cloud_client **ret_client,
                    struct diags *diags)
{
    size_t i = driver_index(p, cloud);
    if (!p->drivers[i])
        return diags_error(diags, path, "Unknown cloud",
                           "This version of the provider cannot work on \"%s\".", cloud);
    *ret_driver = p->drivers[i];
    *ret_client = p->clients[i];
    if (!p->clients[i] && !p->clouds_unknown[i] && p->configured)
        return diags_error(
            diags, path, "The provider is not configured",
            "The settings for \"%s\" in the provider block were refused; see the error there.",
            cloud);
    return 0;
}

int provider_validate(struct provider *p, struct arena *a, const struct value *config,
                      struct diags *diags)
{
    int rc = schema_validate(&provider_schema, config, diags);
    for (size_t i = 0; p->drivers[i]; i++) {
        const struct value *part = value_get(config, p->drivers[i]->cloud);
        if (value_is_known(part) && p->drivers[i]->validate(a, part, diags) < 0)
            rc = -1;
    }
    return rc;
}

int provider_configure(struct provider *p, struct arena *a, const struct value *config,
                       const char *terraform_version, struct diags *diags)
{
    (void)a;
    (void)terraform_version;
    int rc = 0;
    for (size_t i = 0; p->drivers[i]; i++) {
        const struct cloud_driver *d = p->drivers[i];
        const struct value *part = value_get(config, d->cloud);
        if (p->clients[i])
            d->free(p->clients[i]);
        p->clients[i] = NULL;
        /* Unknown settings (of a resource that is not made yet): this plan does without the cloud.
         */
        p->clouds_unknown[i] = part && !value_is_wholly_known(part);
        if (p->clouds_unknown[i])
            continue;
        p->clients[i] = d->configure(part, p->transport, p->clock, p->user_agent, diags);
        if (!p->clients[i])
            rc = -1;
    }
    p->configured = true;
    return rc;
}

void provider_clean_up(struct provider *p)
{
    for (size_t i = 0; p->drivers[i]; i++) {
        if (p->clients[i])
            p->drivers[i]->free(p->clients[i]);
        p->clients[i] = NULL;
    }
}

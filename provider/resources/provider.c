/* The provider block: each driver validates and configures its part. */
#include "resources/clusters.h"

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

const struct cloud_driver *provider_cluster_driver(const struct provider *p)
{
    return p->clusters ? p->clusters->driver : NULL;
}

struct cloud_client *provider_cluster_client(const struct provider *p,
                                             const struct cloud_cluster *cluster,
                                             struct diags *diags)
{
    struct cloud_cluster with = *cluster;
    if (!p->clusters) {
        diags_error(diags, NULL, "Clusters cannot be reached",
                    "This version of the provider cannot work in Kubernetes clusters.");
        return NULL;
    }
    if (!with.field_manager)
        with.field_manager = "terraform-provider-llm";
    return p->clusters->client_new(&with, p->transport, p->clock, p->user_agent, diags);
}

/* The place of an id in the table of hashes, or one that is free; NULL when it is full. */
static _Atomic uint64_t *seen_slot(struct provider *p, struct slice id, uint64_t *ret_hash)
{
    uint64_t h = 14695981039346656037u;
    for (size_t i = 0; i < id.len; i++)
        h = (h ^ (unsigned char)id.ptr[i]) * 1099511628211u;
    *ret_hash = h ? h : 1;
    for (size_t i = 0; i < PROVIDER_MAX_SEEN; i++) {
        _Atomic uint64_t *slot = &p->seen[(h + i) % PROVIDER_MAX_SEEN];
        uint64_t there = atomic_load(slot);
        if (there == 0 || there == *ret_hash)
            return slot;
    }
    return NULL;
}

void provider_saw(struct provider *p, struct slice id)
{
    uint64_t hash = 0, none = 0;
    _Atomic uint64_t *slot = id.len ? seen_slot(p, id, &hash) : NULL;
    while (slot && !atomic_compare_exchange_strong(slot, &none, hash) && none != hash) {
        none = 0;
        slot = seen_slot(p, id, &hash);
    }
}

bool provider_has_seen(struct provider *p, struct slice id)
{
    uint64_t hash = 0;
    _Atomic uint64_t *slot = seen_slot(p, id, &hash);
    return !slot || atomic_load(slot) == hash;
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
    clusters_clean_up(p);
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
    clusters_clean_up(p);
    for (size_t i = 0; p->drivers[i]; i++) {
        if (p->clients[i])
            p->drivers[i]->free(p->clients[i]);
        p->clients[i] = NULL;
    }
}

/* gcloud's own settings ("gcloud topic configurations"): where its files are, and the properties of
 * the configuration that is active. */
#ifndef LLM_GCP_GCLOUD_H
#define LLM_GCP_GCLOUD_H

#include "base/arena.h"
#include "base/diag.h"
#include "base/slice.h"

/* Strings are owned by the arena given; NULL where not set. */
struct gcloud_properties {
    const char *project; /* core/project */
    const char *region;  /* compute/region */
    const char *zone;    /* compute/zone */
};

/* CLOUDSDK_CONFIG, or ~/.config/gcloud; owned by `a`; NULL without a home directory. */
const char *gcloud_directory(struct arena *a);

/* Adds the properties of one file's text: sections in brackets, `name = value`, comments that start
 * with '#' or ';'. What is no such line is passed over, as gcloud does. */
void gcloud_properties_add(struct arena *a, struct slice text, struct gcloud_properties *p);

/* The properties of the active configuration (CLOUDSDK_ACTIVE_CONFIG_NAME, the file active_config,
 * "default") in `directory`. A file that is absent gives none; one that cannot be read, or a
 * configuration that is named and absent, is a warning. */
void gcloud_properties_read(struct arena *a, const char *directory, struct gcloud_properties *ret,
                            struct diags *diags);

#endif

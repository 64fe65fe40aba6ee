/* What resources on Google Cloud share: forms of names, places, labels, and which APIs are enabled.
 */
#ifndef LLM_RESOURCES_GCP_H
#define LLM_RESOURCES_GCP_H

#include "resources/config.h"
#include "resources/gpu_node.h"

/* The resource name of what the user names shortly or by a link: "projects/p/regions/r/
 * subnetworks/x" of "x" or of a link. `parent`: "projects/p/regions/r/subnetworks". NULL when
 * memory is out. */
const char *gcp_full_name(struct arena *a, struct slice given, const char *parent);
/* Whether a text is "projects/P/<middle>/NAME" (or a link that ends so), or a name alone where
 * `shortly`. A '*' in `middle` stands for one part. */
bool gcp_is_resource(struct arena *a, struct slice s, const char *middle, bool shortly);
/* A service account's id: 6 to 30 characters (IAM API, projects.serviceAccounts.create), which
 * begin as `name` does and end in a digest of `full`. Owned by `a`; NULL when memory is out. */
const char *gcp_account_id(struct arena *a, const char *name, const char *full);

/* Bucket and folder (without a slash at its end) of "gs://bucket/folder/". */
void gcp_split_uri(struct slice uri, struct slice *ret_bucket, struct slice *ret_prefix);
/* An IAM condition that holds for the objects under such a URI, and for its bucket: {title,
 * expression}. NULL when memory is out. */
const struct value *gcp_objects_condition(struct arena *a, const char *title, struct slice uri);

/* Whether a zone is named like those of the region. */
bool gcp_is_zone_of(struct slice zone, const char *region);
/* Errors for a `region` that is none, or a zone. 0 or -1. */
int gcp_check_region(struct arena *a, const struct value *config, struct diags *diags);

/* Errors at `path` for what is no subnetwork's name, or of another region (empty: not known) than
 * `what` ("node"). 0 or -1. */
int gcp_check_subnetwork(struct arena *a, const struct value *given, const struct path *path,
                         struct slice region, const char *what, struct diags *diags);

/* Errors for `tags` that cannot be labels. 0 or -1. */
int gcp_check_labels(struct arena *a, const struct value *config, struct diags *diags);

/* The call that says which APIs are enabled, and its request for APIs by their names ("compute"),
 * owned by c->arena. */
extern const struct cloud_operation gcp_get_services;
const struct value *gcp_service_names(const struct composite_context *c, const char *const *names,
                                      size_t count);
/* Its answer, or the error (rc -1): an error with the command that enables what is not, a warning
 * when it could not be asked. 0 or -1. */
int gcp_check_services(const struct composite_context *c, int rc, const struct value *answer,
                       const struct cloud_error *err);

/* All pages of a list in Compute Engine: `request` has what the URI names besides the page. `path`
 * selects the members of an answer ("items.*", of an aggregated list "items.*.instances.*"). *ret:
 * a tuple, owned by c->arena. 0, or -1 with *err. */
int gcp_list(const struct composite_context *c, const struct cloud_operation *op,
             const struct value *request, const char *path, const struct value **ret,
             struct cloud_error *err);

#endif

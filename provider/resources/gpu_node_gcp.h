/* What the files of llm_gpu_node on Google Cloud share. */
#ifndef LLM_RESOURCES_GPU_NODE_GCP_H
#define LLM_RESOURCES_GPU_NODE_GCP_H

#include "resources/gcp.h"

#define GPU_NODE_GCP_HYPERDISK "hyperdisk-balanced"
#define GPU_NODE_GCP_DEVICE "models" /* /dev/disk/by-id/google-models: as disk.json attaches it */

/* ---- gpu_node_gcp_validate.c ---- */

int gpu_node_gcp_validate(struct arena *a, const struct value *config, struct diags *diags);

/* Names of the objects that are made. Networks, firewall rules and service accounts are unique in
 * the project: the region is part of all names. Error at `name` when one of them is too long. */
struct gpu_node_gcp_names {
    const char *base; /* "llm-node-NAME-REGION" */
    const char *disk, *firewall_egress, *firewall_ssh, *firewall_api, *secret, *account_id;
};
int gpu_node_gcp_names(struct arena *a, const char *name, const char *region,
                       struct gpu_node_gcp_names *ret, struct diags *diags);

/* Errors for zones that are not of the region. */
int gpu_node_gcp_check_zones(struct arena *a, const struct value *config, const char *region,
                             struct diags *diags);

/* Whether the machine takes disks of the type, one of those that `disk.type` allows. */
bool gpu_node_gcp_takes_disk(const struct catalog_machine *m, const char *type);
/* The error at `disk.type` for a machine that does not; returns -1. */
int gpu_node_gcp_refuse_disk(struct arena *a, const struct catalog_machine *m, const char *type,
                             struct diags *diags);

/* ---- gpu_node_gcp_calls.c: questions to Google's APIs ---- */

int gpu_node_gcp_offers(const struct composite_context *c, const struct gpu_node_machines *machines,
                        struct gpu_node_offer **ret, size_t *ret_count, struct cloud_error *err);
int gpu_node_gcp_ask(const struct composite_context *c, struct gpu_node_lookup *k);
/* Notes all that the check of a new instance needs. */
void gpu_node_gcp_want_checks(const struct composite_context *c,
                              const struct gpu_node_machines *machines);
/* The subject of GPU_NODE_LOOKUP_SERVICES: the APIs that the node needs. */
const struct value *gpu_node_gcp_services(const struct composite_context *c);

/* ---- gpu_node_gcp_script.c ---- */

/* The instance's metadata, with the start-up script and the settings. NULL when memory is out, or
 * with an error in c->diags. */
const struct value *gpu_node_gcp_metadata(const struct composite_context *c,
                                          const struct gpu_node_gcp_names *names,
                                          const struct gpu_node_models *models);
/* What the metadata says of the settings, as gpu_node_config_of_tags() reads it. */
const struct value *gpu_node_gcp_settings(struct arena *a, const struct value *metadata);
/* "projects/p/secrets/s" of the secrets that the node reads: of the tailnet's key, and the Hugging
 * Face token; NULL: none. */
const char *gpu_node_gcp_tailscale_secret(const struct composite_context *c,
                                          const struct gpu_node_gcp_names *names);
const char *gpu_node_gcp_huggingface_secret(const struct composite_context *c);

/* ---- the hooks ---- */

int gpu_node_gcp_derive(const struct composite_context *c, const struct value **ret);
int gpu_node_gcp_check(const struct composite_context *c, const struct engine_changes *changes,
                       const struct value *derived);
int gpu_node_gcp_describe(const struct composite_context *c, const struct records *found,
                          const struct value **ret);

/* ---- gpu_node_gcp_placement.c ---- */

int gpu_node_gcp_zones(const struct composite_context *c, struct arena *a,
                       const struct value *derived, const struct value *inputs,
                       struct gpu_node_zones *ret, struct diags *diags);
/* The zones after "zonesAvailable:" at the end of a stock-out's message. */
size_t gpu_node_gcp_named_zones(const struct cloud_error *err, struct slice *ret, size_t most);
const struct value *gpu_node_gcp_inputs_for(struct arena *a, const struct value *inputs,
                                            const struct gpu_node_place *place);
bool gpu_node_gcp_same_quota(const struct gpu_node_place *failed,
                             const struct gpu_node_place *other, const char *code);
const char *gpu_node_gcp_quota_name(struct arena *a, const struct gpu_node_place *place);

#endif

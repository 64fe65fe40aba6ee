/* The data sources, ephemeral resources and functions, as the registry lists them. */
#ifndef LLM_RESOURCES_DATA_SOURCES_H
#define LLM_RESOURCES_DATA_SOURCES_H

#include "resources/provider.h"

extern const struct data_source data_endpoint, data_gpu_offers, data_model;
extern const struct ephemeral_type ephemeral_cluster_auth;
extern const struct function gpu_fit_function, vram_gib_function;

#endif

/* Answers of the schema RPCs, packed by the schema compiler at build (tfplugin6, minor 10), so that
 * serving them takes no work at run time. */
#ifndef LLM_SCHEMA_RESPONSE_H
#define LLM_SCHEMA_RESPONSE_H

#include <stddef.h>

/* GetProviderSchema.Response: provider, resources, data sources, ephemeral resources, functions,
 * and the capabilities plan_destroy, get_provider_schema_optional and move_resource_state. */
extern const unsigned char schema_response[];
extern const size_t schema_response_len;

/* GetMetadata.Response: the same capabilities, and all names. */
extern const unsigned char metadata_response[];
extern const size_t metadata_response_len;

/* GetResourceIdentitySchemas.Response. */
extern const unsigned char identity_response[];
extern const size_t identity_response_len;

/* GetFunctions.Response. */
extern const unsigned char functions_response[];
extern const size_t functions_response_len;

#endif

/* Where endpoints are called. */
#ifndef LLM_RESOURCES_ENDPOINT_URL_H
#define LLM_RESOURCES_ENDPOINT_URL_H

#include "value/value.h"

/* SageMaker's runtime. Owned by `a`; NULL when memory is out. */
const struct value *endpoint_url_sagemaker(struct arena *a, const char *region, const char *name);
/* Vertex AI; `host`: the endpoint's own (with or without "https://"), NULL: it is shared. */
const struct value *endpoint_url_vertex(struct arena *a, const char *project, const char *region,
                                        const char *name, const char *host);

#endif

/* The URLs that endpoints are called at. */
#include "resources/endpoint_url.h"

#include <string.h>

const struct value *endpoint_url_sagemaker(struct arena *a, const char *region, const char *name)
{
    const char *domain = strncmp(region, "cn-", 3) == 0 ? "amazonaws.com.cn" : "amazonaws.com";
    return value_printf(a, "https://runtime.sagemaker.%s.%s/endpoints/%s/invocations", region,
                        domain, name);
}

const struct value *endpoint_url_vertex(struct arena *a, const char *project, const char *region,
                                        const char *name, const char *host)
{
    const char *own = host ? host : arena_printf(a, "%s-aiplatform.googleapis.com", region);
    if (!own)
        return NULL;
    return value_printf(a, "%s%s/v1/projects/%s/locations/%s/endpoints/%s:predict",
                        strncmp(own, "https://", 8) == 0 ? "" : "https://", own, project, region,
                        name);
}

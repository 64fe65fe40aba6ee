/* Prints the endpoint of each line "service region fips dualstack" (0 or 1): its URL, and what it
 * is signed for. */
#include <stdio.h>

#include "aws/endpoint.h"

int main(void)
{
    char service[64], region[64];
    int fips = 0, dualstack = 0;
    while (scanf("%63s %63s %d %d", service, region, &fips, &dualstack) == 4) {
        struct arena *a _cleanup_arena_ = arena_new();
        const struct aws_config config = {.use_fips = fips, .use_dualstack = dualstack};
        struct aws_endpoint at;
        const struct aws_service *s = aws_service_find(service);
        if (!s || aws_endpoint_resolve(a, &config, s, region, &at) < 0)
            return 1;
        printf("%s %s %s\n", at.url, at.signing_name, at.signing_region);
    }
    return 0;
}

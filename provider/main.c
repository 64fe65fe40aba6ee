/* The provider's process: wires the drivers, the transport and the clock, and serves. */
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "aws/driver.h"
#include "base/log.h"
#include "gcp/driver.h"
#include "kubernetes/driver.h"
#include "plugin/plugin.h"

static const struct cloud_driver *const drivers[] = {&aws_driver, &gcp_driver, NULL};

/* Secrets are in memory: no core dumps, and no other process of the user may look. The second
 * keeps out debuggers too, and is left away in debug mode. It also covers a core_pattern that pipes
 * dumps to a program, for which the limit does not count (core(5)). */
static void close_memory(bool debug)
{
    const struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
    if (!debug)
        prctl(PR_SET_DUMPABLE, 0);
}

int main(int argc, char **argv)
{
    struct plugin_options options = {.debug = false,
                                     .address = "registry.opentofu.org/llm-infra/llm"};
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--version") == 0 || strcmp(argv[i], "-version") == 0) {
            puts("terraform-provider-llm " LLM_VERSION);
            return 0;
        }
        if (strcmp(argv[i], "-debug") == 0 || strcmp(argv[i], "--debug") == 0) {
            options.debug = true;
            continue;
        }
        fprintf(stderr, "Usage: terraform-provider-llm [--version | -debug]\n");
        return 2;
    }
    close_memory(options.debug);
    log_init();
    struct http_transport *transport = http_transport_new();
    if (!transport) {
        fputs("Memory ran out.\n", stderr);
        return 1;
    }
    struct provider provider = {.drivers = drivers,
                                .clusters = &kubernetes_clusters,
                                .transport = transport,
                                .clock = clock_system(),
                                .version = LLM_VERSION,
                                .user_agent = "terraform-provider-llm/" LLM_VERSION};
    int rc = plugin_serve(&provider, &options);
    provider_clean_up(&provider);
    http_transport_free(transport);
    return rc;
}

/* The process as a plugin: handshake with the core, serving until the core ends it. */
#ifndef LLM_PLUGIN_PLUGIN_H
#define LLM_PLUGIN_PLUGIN_H

#include "resources/provider.h"

struct plugin_options {
    bool debug;          /* serve without a core, and print TF_REATTACH_PROVIDERS */
    const char *address; /* of the provider: "registry.opentofu.org/llm-infra/llm" */
};

/* Serves `provider` until the core asks for the end, or is gone. Blocks SIGINT, SIGTERM and SIGHUP
 * in the calling thread and those it starts. Returns the process's exit status; what went wrong is
 * on stderr. */
int plugin_serve(struct provider *provider, const struct plugin_options *options);

#endif

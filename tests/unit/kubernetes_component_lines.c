/* Objects in a cluster by their component tables: the counterpart of kubernetes_component_live.py.
 * A line has also {"endpoint", "ca", "token"} of the cluster. */
#include <stdio.h>

#include "component_lines.h"
#include "kubernetes/driver.h"

static char bearer[4096];

static int token(void *self, const struct work *w, struct arena *a, bool fresh, const char **ret,
                 struct cloud_error *err)
{
    (void)self;
    (void)w;
    (void)fresh;
    (void)err;
    *ret = arena_strdup(a, bearer);
    return *ret ? 0 : -1;
}

static struct cloud_client *client(const struct value *line, struct http_transport *transport,
                                   const struct clock *clock, struct diags *diags)
{
    const struct cloud_cluster cluster = {
        .endpoint = value_cstr(value_get(line, "endpoint"), NULL),
        .ca_pem = value_cstr(value_get(line, "ca"), NULL),
        .field_manager = "terraform-provider-llm",
        .token = token,
        .retry = {.max_attempts = 4},
    };
    snprintf(bearer, sizeof(bearer), "%s", value_cstr(value_get(line, "token"), ""));
    return kubernetes_client_new(&cluster, transport, clock, "test/1", diags);
}

int main(void)
{
    const struct component_ground ground = {&kubernetes_driver, "", "", "", client};
    return component_lines_run(&ground);
}

/* AWS objects by their component tables: the counterpart of aws_component_live.py. */
#include "aws/driver.h"
#include "component_lines.h"

static struct cloud_client *client(const struct value *line, struct http_transport *transport,
                                   const struct clock *clock, struct diags *diags)
{
    struct arena *a _cleanup_arena_ = arena_new();
    (void)line;
    return aws_driver.configure(value_object(a, NULL, 0), transport, clock, "test/1", diags);
}

int main(void)
{
    const struct component_ground ground = {&aws_driver, "us-east-1", "123456789012", "aws",
                                            client};
    return component_lines_run(&ground);
}

/* Works on a cloud's objects by their component tables, the engine and the cloud's driver, as a
 * script says: the counterpart of the tests *_component_live.py. One JSON object a line:
 *
 *   {"do": "apply" | "plan" | "refresh" | "find" | "destroy", "nonce": text,
 *    "components": {name: {"kind": "aws_vpc", "inputs": {…}}}, "records": what the last line gave}
 *
 * What is written: {"records", "changes": {name: [attribute, …]}, "errors": [text, …]}. */
#ifndef LLM_TEST_COMPONENT_LINES_H
#define LLM_TEST_COMPONENT_LINES_H

#include "cloud/driver.h"

struct component_ground {
    const struct cloud_driver *driver;
    const char *region, *account, *partition;
    /* The client for one line, which the driver frees; NULL with diagnostics. */
    struct cloud_client *(*client)(const struct value *line, struct http_transport *transport,
                                   const struct clock *clock, struct diags *diags);
};

/* From standard input to standard output, until the end. What main() returns. */
int component_lines_run(const struct component_ground *ground);

#endif

/* The start-up scripts as the build has put them together, and the one of a node on GCP with values
 * in it. What the scripts do is tested by startup/. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "resources/gpu_node.h"
#include "resources/scripts.h"

/* Compute Engine takes 256 KiB in a value of an instance's metadata. */
enum { METADATA_MAX = 256 * 1024 };

static const char *const values[][2] = {
    {"name", "demo"},
    {"project", "my-project"},
    {"region", "us-central1"},
    {"runtime", "ollama"},
    {"served", "llama3.1:8b"},
    {"context", "8192"},
    {"heads", "32"},
    {"device", "models"},
    {"cache", "gs://cache/models/"},
    {"tailscale_secret", "projects/my-project/secrets/llm-node-demo-us-central1-tailscale"},
    {"tailscale_hostname", "demo"},
    {"tailscale_tags", "tag:llm"},
    {"tailscale_ssh", "false"},
    {"huggingface_secret", ""},
};

static void is_whole(void **state)
{
    (void)state;
    static const char *const scripts[] = {script_aws_startup, script_gcp_startup};
    for (size_t i = 0; i < sizeof(scripts) / sizeof(*scripts); i++) {
        const char *s = scripts[i];
        assert_memory_equal(s, "#!/bin/bash\n", 12);
        assert_null(strstr(s + 1, "#!"));
        assert_null(strstr(s, "\n#"));
        assert_null(strstr(s, "\n "));
        assert_null(strstr(s, "\n\n"));
        assert_non_null(strstr(s, "\nset -euo pipefail\n"));
        assert_string_equal(strrchr(s, '['), "[0]} != \"$0\" ]] || main \"$@\"\n");
    }
}

static void takes_its_values(void **state)
{
    (void)state;
    _cleanup_buf_ struct buf b = BUF_INIT(METADATA_MAX);
    size_t count = sizeof(values) / sizeof(*values);
    assert_int_equal(gpu_node_render(&b, script_gcp_startup, values, count), 0);
    assert_null(strstr(buf_cstr(&b), "@@"));
    assert_non_null(strstr(buf_cstr(&b), "\nPROJECT='my-project'\n"));
    assert_non_null(strstr(buf_cstr(&b), "\nSERVED='llama3.1:8b'\n"));
    /* Every value but the region, which the node does not need, has a place. */
    for (size_t i = 0; i < count; i++) {
        _cleanup_buf_ struct buf place = BUF_INIT(64);
        buf_printf(&place, "=@@%s@@\n", values[i][0]);
        if (strcmp(values[i][0], "region") != 0)
            assert_non_null(strstr(script_gcp_startup, buf_cstr(&place)));
    }
    const char *path = getenv("SCRIPT_OUT");
    if (!path)
        return;
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    assert_true(fputs(buf_cstr(&b), out) >= 0);
    assert_int_equal(fclose(out), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_whole),
        cmocka_unit_test(takes_its_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Amounts as Kubernetes writes them. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "cloud/plain.h"

static void amounts_have_one_text(void **state)
{
    static const char *const texts[][2] = {
        {"1024Mi", "1Gi"},    {"1536Mi", "1536Mi"}, {"1.5Gi", "1536Mi"}, {"512", "512"},
        {"0.5", "500m"},      {"2000m", "2"},       {"1000", "1k"},      {"1500", "1500"},
        {"1000Ki", "1000Ki"}, {"0.5Ki", "512"},     {"1024", "1024"},    {"1048576Ki", "1Gi"},
        {"100m", "100m"},     {"0", "0"},           {"0Gi", "0"},        {"-2048Ki", "-2Mi"},
        {"1e3", "1e3"},       {"5G", "5G"},         {"5000M", "5G"},     {"none", "none"},
        {"+1", "1"},          {"1E", "1E"},         {"0.1m", "100u"},    {"", ""},
    };
    struct arena *a = arena_new();
    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
        assert_string_equal(value_cstr(plain_quantity(a, value_str(a, texts[i][0])), NULL),
                            texts[i][1]);
    arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(amounts_have_one_text)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

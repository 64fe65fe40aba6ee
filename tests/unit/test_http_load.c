/* Loading libcurl: what a user reads when it is missing or unusable, and that it is there once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "http/http_curl_load.h"

static void test_missing(void **state)
{
    (void)state;
    static const char *const names[] = {"libno-such-library.so.4", NULL};
    struct curl_functions f;
    char why[768] = "";
    assert_int_equal(curl_functions_open(names, &f, why, sizeof(why)), -1);
    assert_non_null(strstr(why, "libno-such-library.so.4"));
    assert_non_null(strstr(why, "libcurl4"));
    assert_non_null(strstr(why, "RHEL"));
}

static void test_not_libcurl(void **state)
{
    (void)state;
    static const char *const names[] = {"libno-such-library.so.4", "libm.so.6", NULL};
    struct curl_functions f;
    char why[768] = "";
    assert_int_equal(curl_functions_open(names, &f, why, sizeof(why)), -1);
    assert_non_null(strstr(why, "no function curl_global_init_mem"));
    assert_non_null(strstr(why, "7.68"));
}

static void test_loaded_once(void **state)
{
    (void)state;
    const char *why = NULL;
    const struct curl_functions *f = curl_functions_load(&why);
    assert_non_null(f);
    assert_null(why);
    assert_ptr_equal(curl_functions_load(&why), f);
    assert_true(f->version_info(CURLVERSION_NOW)->version_num >= 0x074400);
    CURL *easy = f->easy_init();
    assert_non_null(easy);
    f->easy_cleanup(easy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_missing),
        cmocka_unit_test(test_not_libcurl),
        cmocka_unit_test(test_loaded_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

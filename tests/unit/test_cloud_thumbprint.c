/* The thumbprint of a chain: expected values from `openssl x509 -fingerprint -sha1`. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cloud/thumbprint.h"

#define LEAF                                                                                       \
    "-----BEGIN CERTIFICATE-----\n"                                                                \
    "MIIBKjCB0QIUfAEKOoAR6yBd9VUxYQF9L81Kj/MwCgYIKoZIzj0EAwIwFzEVMBMG\n"                           \
    "A1UEAwwMSW50ZXJtZWRpYXRlMB4XDTI2MTEyMTE1MzA1NVoXDTM2MTExODE1MzA1\n"                           \
    "NVowGTEXMBUGA1UEAwwOaXNzdWVyLmV4YW1wbGUwWTATBgcqhkjOPQIBBggqhkjO\n"                           \
    "PQMBBwNCAATOLDXJMWLbGc3RDfCSEoNWnP7mZYMRvl3mSa7GaINgo7QX2AMw8G9Z\n"                           \
    "j/nP84FgrEsN49oOOOBXIz/qgxb6NkF1MAoGCCqGSM49BAMCA0gAMEUCIAtDmFvf\n"                           \
    "S0WAUUeniu0LJ77+PUQMvgkXBtNP+JhzoGgZAiEAntx3uaiDN/PUVOVAOQkuckVT\n"                           \
    "f/+JKFZZozbsmpGpDR8=\n"                                                                       \
    "-----END CERTIFICATE-----\n"
#define AUTHORITY                                                                                  \
    "-----BEGIN CERTIFICATE-----\n"                                                                \
    "MIIBejCCASGgAwIBAgIUfqrIrsep/oTSzwRkVOfQcF24T5AwCgYIKoZIzj0EAwIw\n"                           \
    "DzENMAsGA1UEAwwEUm9vdDAeFw0yNjExMjExNTMwNTVaFw0zNjExMTgxNTMwNTVa\n"                           \
    "MBcxFTATBgNVBAMMDEludGVybWVkaWF0ZTBZMBMGByqGSM49AgEGCCqGSM49AwEH\n"                           \
    "A0IABNHzodbyokmkOQELSVULD6Ccy/NoEPte0f2+aB64kWjv0yJ5wmFoxT3rCLDC\n"                           \
    "IRrfb1kw1h1X3CtHulC1L346jgCjUzBRMA8GA1UdEwEB/wQFMAMBAf8wHQYDVR0O\n"                           \
    "BBYEFMNNQhX8a6VsGGv5bZXrcqjcnjs2MB8GA1UdIwQYMBaAFH92+GP88TxXw4GK\n"                           \
    "ItWJTld2Z611MAoGCCqGSM49BAMCA0cAMEQCIF9QPOwSVtw+1n/XV+YmK8SERKrP\n"                           \
    "ZrEk7AvEnRswrQVhAiAiTh5ELn1Y1juLx9+9PotsAEgriX+QSXrhUlEv8xp4ow==\n"                           \
    "-----END CERTIFICATE-----\n"

static const char *of(struct arena *a, const char *pem)
{
    return thumbprint_of_chain(a, slice_str(pem));
}

static void it_is_the_last_certificate(void **state)
{
    struct arena *a = *state;
    assert_string_equal(of(a, LEAF), "0003d0f39cb2a72e58e161b29ea4e053109686c3");
    assert_string_equal(of(a, LEAF AUTHORITY), "60c639aa6f83ad76de489e7ca99cd6fc8db7f60e");
    assert_string_equal(of(a, LEAF "\n" AUTHORITY "\n"),
                        "60c639aa6f83ad76de489e7ca99cd6fc8db7f60e");
}

/* Half a chain would give the wrong authority. */
static void what_makes_no_sense_has_none(void **state)
{
    struct arena *a = *state;
    assert_null(of(a, ""));
    assert_null(of(a, "no certificate"));
    assert_null(of(a, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"));
    assert_null(of(a, LEAF "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"));
    assert_null(thumbprint_of_chain(a, SLICE_EMPTY));
}

static int set_up(void **state)
{
    *state = arena_new();
    return *state ? 0 : -1;
}

static int tear_down(void **state)
{
    arena_free(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(it_is_the_last_certificate, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_makes_no_sense_has_none, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

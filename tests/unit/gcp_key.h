/* An RSA key for the tests, made anew in each run. */
#ifndef LLM_TESTS_GCP_KEY_H
#define LLM_TESTS_GCP_KEY_H

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

static EVP_PKEY *test_key;
static char test_pem[4096]; /* PKCS #8, its line breaks as JSON has them */

static int make_key(void **state)
{
    (void)state;
    char plain[4096];
    test_key = EVP_RSA_gen(2048);
    BIO *bio = BIO_new(BIO_s_mem());
    if (!test_key || !bio ||
        PEM_write_bio_PrivateKey(bio, test_key, NULL, NULL, 0, NULL, NULL) != 1)
        return -1;
    int len = BIO_read(bio, plain, sizeof(plain) - 1);
    BIO_free(bio);
    size_t n = 0;
    for (int i = 0; i < len; i++) {
        if (plain[i] == '\n') {
            test_pem[n++] = '\\';
            test_pem[n++] = 'n';
        } else {
            test_pem[n++] = plain[i];
        }
    }
    test_pem[n] = '\0';
    return len > 0 ? 0 : -1;
}

static int drop_key(void **state)
{
    (void)state;
    EVP_PKEY_free(test_key);
    return 0;
}

#endif

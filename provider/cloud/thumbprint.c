/* Thumbprints of certificate chains. */
#include "cloud/thumbprint.h"

#include <limits.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

/* The last certificate, which the caller frees. */
static X509 *last_certificate(BIO *text)
{
    X509 *last = NULL, *next = NULL;
    while ((next = PEM_read_bio_X509(text, NULL, NULL, NULL))) {
        X509_free(last);
        last = next;
    }
    if (ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE)
        return last;
    X509_free(last);
    return NULL;
}

const char *thumbprint_of_chain(struct arena *a, struct slice pem)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    if (!pem.len || pem.len > INT_MAX)
        return NULL;
    ERR_set_mark();
    BIO *text = BIO_new_mem_buf(pem.ptr, (int)pem.len);
    X509 *last = text ? last_certificate(text) : NULL;
    bool done = last && X509_digest(last, EVP_sha1(), digest, &len);
    X509_free(last);
    BIO_free(text);
    ERR_pop_to_mark();
    return done ? arena_hex(a, digest, len) : NULL;
}

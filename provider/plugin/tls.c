/* The certificate of one connection. */
#include "plugin/tls.h"

#include <string.h>

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

enum { YEARS = 10, SERIAL_BITS = 127 };

static void free_key(EVP_PKEY **k)
{
    EVP_PKEY_free(*k);
}

static void free_cert(X509 **c)
{
    X509_free(*c);
}

static void free_bio(BIO **b)
{
    BIO_free(*b);
}

static int add_extension(X509 *cert, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509V3_set_ctx_nodb(&ctx);
    X509V3_set_ctx(&ctx, cert, cert, NULL, NULL, 0);
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    int ok = e ? X509_add_ext(cert, e, -1) : 0;
    X509_EXTENSION_free(e);
    return ok ? 0 : -1;
}

static int set_serial(X509 *cert)
{
    BIGNUM *n = BN_new();
    int ok = n && BN_rand(n, SERIAL_BITS, BN_RAND_TOP_ANY, BN_RAND_BOTTOM_ANY) &&
             BN_to_ASN1_INTEGER(n, X509_get_serialNumber(cert));
    BN_free(n);
    return ok ? 0 : -1;
}

static int fill(X509 *cert, EVP_PKEY *key)
{
    const unsigned char host[] = "localhost", organisation[] = "HashiCorp";
    X509_NAME *name = X509_get_subject_name(cert);
    if (!X509_set_version(cert, 2) || set_serial(cert) < 0 ||
        !X509_gmtime_adj(X509_getm_notBefore(cert), -30) ||
        !X509_gmtime_adj(X509_getm_notAfter(cert), 365L * YEARS * 24 * 3600) ||
        !X509_set_pubkey(cert, key) ||
        !X509_NAME_add_entry_by_txt(name, "O", MBSTRING_ASC, organisation, -1, -1, 0) ||
        !X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, host, -1, -1, 0) ||
        !X509_set_issuer_name(cert, name))
        return -1;
    if (add_extension(cert, NID_basic_constraints, "critical,CA:TRUE") < 0 ||
        add_extension(cert, NID_key_usage,
                      "critical,digitalSignature,keyEncipherment,keyAgreement,keyCertSign") < 0 ||
        add_extension(cert, NID_ext_key_usage, "clientAuth,serverAuth") < 0 ||
        add_extension(cert, NID_subject_alt_name, "DNS:localhost") < 0)
        return -1;
    return X509_sign(cert, key, EVP_sha256()) > 0 ? 0 : -1;
}

static const char *bio_text(struct arena *a, BIO *b)
{
    char *data = NULL;
    long len = BIO_get_mem_data(b, &data);
    return len > 0 ? arena_strndup(a, data, (size_t)len) : NULL;
}

static const char *base64_der(struct arena *a, X509 *cert)
{
    unsigned char *der = NULL;
    int len = i2d_X509(cert, &der);
    char *out = len > 0 ? arena_alloc(a, ((size_t)len + 2) / 3 * 4 + 1) : NULL;
    if (out) {
        int n = EVP_EncodeBlock((unsigned char *)out, der, len);
        while (n > 0 && out[n - 1] == '=')
            out[--n] = '\0';
    }
    OPENSSL_free(der);
    return out;
}

int plugin_tls_make(struct arena *a, struct plugin_tls *ret)
{
    __attribute__((cleanup(free_key))) EVP_PKEY *key = EVP_EC_gen("P-256");
    __attribute__((cleanup(free_cert))) X509 *cert = X509_new();
    __attribute__((cleanup(free_bio))) BIO *key_bio = BIO_new(BIO_s_mem());
    __attribute__((cleanup(free_bio))) BIO *cert_bio = BIO_new(BIO_s_mem());
    if (!key || !cert || !key_bio || !cert_bio || fill(cert, key) < 0 ||
        !PEM_write_bio_PrivateKey(key_bio, key, NULL, NULL, 0, NULL, NULL) ||
        !PEM_write_bio_X509(cert_bio, cert))
        return -1;
    ret->key_pem = bio_text(a, key_bio);
    ret->cert_pem = bio_text(a, cert_bio);
    ret->cert_base64 = base64_der(a, cert);
    return ret->key_pem && ret->cert_pem && ret->cert_base64 ? 0 : -1;
}

/* Signing JSON Web Tokens with OpenSSL. */
#include "gcp/jwt.h"

#include <string.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "base/base64.h"
#include "base/secret.h"

enum { HEADER_MOST = 4096, SIGNATURE_MOST = 4096, KEY_BITS_MOST = 16384 };

/* There is nobody to ask for a passphrase. */
static int no_passphrase(char *text, int size, int writing, void *arg)
{
    (void)text;
    (void)size;
    (void)writing;
    (void)arg;
    return 0;
}

static EVP_PKEY *read_key(const char *pem)
{
    size_t len = strlen(pem);
    BIO *bio = len < 1 << 20 ? BIO_new_mem_buf(pem, (int)len) : NULL;
    EVP_PKEY *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL) : NULL;
    BIO_free(bio);
    ERR_clear_error();
    return key;
}

const char *gcp_jwt_key_problem(const char *pem)
{
    const char *why = NULL;
    if (strstr(pem, "ENCRYPTED"))
        return "is encrypted with a passphrase";
    if (!strstr(pem, "-----BEGIN"))
        return "is no key in PEM form (\"-----BEGIN PRIVATE KEY-----\")";
    if (strstr(pem, "\\n"))
        return "has its line breaks written as a backslash and an n: it was escaped twice";
    EVP_PKEY *key = read_key(pem);
    if (!key)
        return "is cut off or damaged: it cannot be read as a key in PEM form";
    if (EVP_PKEY_get_base_id(key) != EVP_PKEY_RSA)
        why = "is no RSA key";
    else if (EVP_PKEY_get_bits(key) < 1024 || EVP_PKEY_get_bits(key) > KEY_BITS_MOST)
        why = "is an RSA key of a size that Google does not use";
    EVP_PKEY_free(key);
    return why;
}

static int sign(struct buf *out, EVP_PKEY *key, struct slice text)
{
    unsigned char signature[SIGNATURE_MOST];
    size_t len = sizeof(signature);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    int rc =
        ctx && EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA &&
                EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key) == 1 &&
                EVP_DigestSign(ctx, signature, &len, (const unsigned char *)text.ptr, text.len) == 1
            ? 0
            : -1;
    EVP_MD_CTX_free(ctx);
    ERR_clear_error();
    return rc == 0 ? base64url_append(out, signature, len) : -1;
}

int gcp_jwt_sign(struct buf *out, const char *pem, const char *key_id, struct slice claims)
{
    _cleanup_buf_ struct buf header = BUF_INIT(HEADER_MOST), token = BUF_INIT(out->max);
    buf_append_str(&header, "{\"alg\":\"RS256\",\"typ\":\"JWT\"");
    if (key_id) {
        buf_append_str(&header, ",\"kid\":\"");
        buf_append_json_escaped(&header, slice_str(key_id));
        buf_append_char(&header, '"');
    }
    buf_append_char(&header, '}');
    base64url_append(&token, header.ptr, header.len);
    buf_append_char(&token, '.');
    base64url_append(&token, claims.ptr, claims.len);
    EVP_PKEY *key = header.failed || token.failed ? NULL : read_key(pem);
    if (!key)
        return -1;
    struct slice text = buf_slice(&token);
    buf_append_slice(out, text);
    buf_append_char(out, '.');
    int rc = sign(out, key, text);
    EVP_PKEY_free(key);
    return rc == 0 && !out->failed ? 0 : -1;
}

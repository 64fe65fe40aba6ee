/* AutoMTLS as go-plugin does it: each side makes a certificate for one connection, and trusts the
 * other's alone. */
#ifndef LLM_PLUGIN_TLS_H
#define LLM_PLUGIN_TLS_H

#include "base/arena.h"

struct plugin_tls {
    const char *key_pem, *cert_pem;
    const char *cert_base64; /* DER, without padding: for the handshake line */
};

/* A new P-256 key and a certificate for "localhost", signed by itself, valid for ten years. Owned
 * by `a`. 0 or -1. */
int plugin_tls_make(struct arena *a, struct plugin_tls *ret);

#endif

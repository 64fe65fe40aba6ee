/* What the files of the RPCs share: one call at work, and the conversions between the protocol's
 * messages and values. */
#ifndef LLM_PLUGIN_RPC_H
#define LLM_PLUGIN_RPC_H

#include <protobuf-c/protobuf-c.h>

#include "go_plugin.pb-c.h"
#include "health.pb-c.h"
#include "resources/provider.h"
#include "tfplugin6.pb-c.h"

struct server;

struct rpc {
    struct server *server;
    struct provider *provider;
    struct arena *arena;
    struct diags diags;
    struct request request;
    struct slice packed; /* an answer that is packed already; else the response message counts */
};

/* A handler fills in `response` (initialised, of the method's output type) with memory of
 * rpc->arena. 0, or -1 when memory is out: the call then fails with RESOURCE_EXHAUSTED. Errors of
 * the user's making go into the response's diagnostics, with a return of 0. */
typedef int (*rpc_handler)(struct rpc *rpc, const ProtobufCMessage *request,
                           ProtobufCMessage *response);

/* Unpacks `bytes`, handles until `cancel` says otherwise, packs into *ret. ret->status is a gRPC
 * status code; ret->text says why when it is not 0 (OK). */
struct grpc_answer {
    int status;
    const char *text;
    struct buf body;
};
void rpc_dispatch(struct server *server, const struct cancel *cancel, const char *method,
                  struct slice bytes, struct grpc_answer *ret);

/* What the handlers may ask of the server. */
struct provider *server_provider(struct server *s);
void server_stop_work(struct server *s); /* StopProvider: soft cancel */

/* ---- convert.c ---- */

/* *ret is null of type `t` for an absent or empty message. 0, or -1 with an error in rpc->diags. */
int rpc_value(struct rpc *rpc, const Tfplugin6__DynamicValue *m, const struct type *t,
              const struct value **ret);
/* NULL stays NULL. The message, or NULL with an error in rpc->diags. */
Tfplugin6__DynamicValue *rpc_dynamic(struct rpc *rpc, const struct value *v, const struct type *t);
/* The same, without a diagnostic when it fails. */
Tfplugin6__DynamicValue *rpc_dynamic_quietly(struct rpc *rpc, const struct value *v,
                                             const struct type *t);
Tfplugin6__ResourceIdentityData *rpc_identity(struct rpc *rpc, const struct value *v,
                                              const struct schema_identity *s);
int rpc_identity_value(struct rpc *rpc, const Tfplugin6__ResourceIdentityData *m,
                       const struct schema_identity *s, const struct value **ret);
/* `s` itself, or a copy in which U+FFFD stands for each byte that is not UTF-8: a cloud's messages
 * may be anything, and a core refuses the whole answer, its state included, for one such byte. NULL
 * when memory is out. */
char *rpc_text(struct rpc *rpc, const char *s);
/* The diagnostics so far. 0 or -1. */
int rpc_diags(struct rpc *rpc, size_t *ret_count, Tfplugin6__Diagnostic ***ret);
Tfplugin6__AttributePath *rpc_path(struct rpc *rpc, const struct path *p);
ProtobufCBinaryData rpc_bytes(struct slice s);
struct slice rpc_slice(ProtobufCBinaryData b);

/* Replaces in the diagnostics so far what `config` has under sensitive attributes of `s`: strings
 * of 8 bytes or more. 0, or -1 when memory is out. */
int rpc_hide_secrets(struct rpc *rpc, const struct schema *s, const struct value *config);

/* Sets response->diagnostics; the last line of most handlers. */
#define rpc_finish(rpc, response)                                                                  \
    rpc_diags((rpc), &(response)->n_diagnostics, &(response)->diagnostics)

/* An error that names a type which this provider does not have. */
int rpc_unknown_type(struct rpc *rpc, const char *what, const char *name);

#endif

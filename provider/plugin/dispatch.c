/* From a method's path to its handler, by protobuf-c's service descriptors. */
#include "plugin/rpc.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "plugin/handlers.h"

/* gRPC status codes. */
enum {
    STATUS_OK = 0,
    STATUS_INVALID_ARGUMENT = 3,
    STATUS_RESOURCE_EXHAUSTED = 8,
    STATUS_UNIMPLEMENTED = 12
};
enum { ANSWER_MOST = 256 << 20, PATIENCE = 100, PATIENCE_NS = 100000000 };

struct method {
    const char *name;
    rpc_handler handler;
};

struct service {
    const ProtobufCServiceDescriptor *descriptor;
    const struct method *methods; /* the last has no name */
};

static const struct method provider_methods[] = {
    {"GetMetadata", rpc_get_metadata},
    {"GetProviderSchema", rpc_get_provider_schema},
    {"GetResourceIdentitySchemas", rpc_get_resource_identity_schemas},
    {"GetFunctions", rpc_get_functions},
    {"ValidateProviderConfig", rpc_validate_provider_config},
    {"ConfigureProvider", rpc_configure_provider},
    {"StopProvider", rpc_stop_provider},
    {"ValidateResourceConfig", rpc_validate_resource_config},
    {"ValidateDataResourceConfig", rpc_validate_data_resource_config},
    {"ValidateEphemeralResourceConfig", rpc_validate_ephemeral_resource_config},
    {"UpgradeResourceState", rpc_upgrade_resource_state},
    {"UpgradeResourceIdentity", rpc_upgrade_resource_identity},
    {"ReadResource", rpc_read_resource},
    {"PlanResourceChange", rpc_plan_resource_change},
    {"ApplyResourceChange", rpc_apply_resource_change},
    {"ImportResourceState", rpc_import_resource_state},
    {"MoveResourceState", rpc_move_resource_state},
    {"ReadDataSource", rpc_read_data_source},
    {"CallFunction", rpc_call_function},
    {"OpenEphemeralResource", rpc_open_ephemeral_resource},
    {"RenewEphemeralResource", rpc_renew_ephemeral_resource},
    {"CloseEphemeralResource", rpc_close_ephemeral_resource},
    {"GenerateResourceConfig", rpc_generate_resource_config},
    {"ValidateListResourceConfig", rpc_validate_list_resource_config},
    {"ListResource", rpc_list_resource},
    {"ValidateActionConfig", rpc_validate_action_config},
    {"PlanAction", rpc_plan_action},
    {"InvokeAction", rpc_invoke_action},
    {"ValidateStateStoreConfig", rpc_validate_state_store_config},
    {"ConfigureStateStore", rpc_configure_state_store},
    {"ReadStateBytes", rpc_read_state_bytes},
    {"WriteStateBytes", rpc_write_state_bytes},
    {"LockState", rpc_lock_state},
    {"UnlockState", rpc_unlock_state},
    {"GetStates", rpc_get_states},
    {"DeleteState", rpc_delete_state},
    {NULL, NULL},
};
static const struct method controller_methods[] = {{"Shutdown", rpc_shutdown}, {NULL, NULL}};
static const struct method health_methods[] = {{"Check", rpc_health_check}, {NULL, NULL}};

static const struct service services[] = {
    {&tfplugin6__provider__descriptor, provider_methods},
    {&plugin__grpccontroller__descriptor, controller_methods},
    {&grpc__health__v1__health__descriptor, health_methods},
};

/* "/tfplugin6.Provider/ReadResource" */
static bool find(const char *path, rpc_handler *ret_handler,
                 const ProtobufCMethodDescriptor **ret_method)
{
    const char *slash = path[0] == '/' ? strchr(path + 1, '/') : NULL;
    for (size_t i = 0; slash && i < sizeof(services) / sizeof(*services); i++) {
        struct slice name = slice_from(path + 1, (size_t)(slash - path) - 1);
        if (!slice_eq_str(name, services[i].descriptor->name))
            continue;
        for (const struct method *m = services[i].methods; m->name; m++) {
            if (strcmp(m->name, slash + 1) != 0)
                continue;
            *ret_handler = m->handler;
            *ret_method =
                protobuf_c_service_descriptor_get_method_by_name(services[i].descriptor, m->name);
            return *ret_method != NULL;
        }
    }
    return false;
}

static void *from_arena(void *arena, size_t size)
{
    return arena_alloc(arena, size);
}

static void to_arena(void *arena, void *ptr)
{
    (void)arena; /* freed with the rest */
    (void)ptr;
}

static bool message_is_text(const ProtobufCMessage *m);

/* One member of a string field, or of a field of messages. */
static bool member_is_text(const ProtobufCFieldDescriptor *f, const void *member)
{
    if (!member)
        return true;
    return f->type == PROTOBUF_C_TYPE_STRING ? utf8_is_valid(slice_str(member))
                                             : message_is_text(member);
}

/* Strings of proto3 are UTF-8; protobuf-c does not look. What is no text could come back in a
 * diagnostic, which the core then could not read. */
static bool message_is_text(const ProtobufCMessage *m)
{
    const char *base = (const char *)m;
    for (unsigned i = 0; i < m->descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *f = &m->descriptor->fields[i];
        if (f->type != PROTOBUF_C_TYPE_STRING && f->type != PROTOBUF_C_TYPE_MESSAGE)
            continue;
        const void *const *at = (const void *)(base + f->offset);
        if (f->label == PROTOBUF_C_LABEL_REPEATED) {
            const void *const *list = *at;
            size_t count = *(const size_t *)(const void *)(base + f->quantifier_offset);
            for (size_t k = 0; k < count; k++)
                if (!member_is_text(f, list[k]))
                    return false;
        } else if ((f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) &&
                   *(const uint32_t *)(const void *)(base + f->quantifier_offset) != f->id) {
            continue; /* another member has the place */
        } else if (!member_is_text(f, *at)) {
            return false;
        }
    }
    return true;
}

static void fail(struct grpc_answer *ret, int status, const char *text)
{
    ret->status = status;
    ret->text = text;
}

/* 0, or -1 when memory is out. */
static int pack(struct rpc *rpc, const ProtobufCMessage *response, size_t size,
                struct grpc_answer *ret)
{
    if (rpc->packed.ptr) {
        buf_append_slice(&ret->body, rpc->packed);
    } else {
        uint8_t *bytes = arena_alloc(rpc->arena, size);
        if (!bytes)
            return -1;
        buf_append(&ret->body, bytes, protobuf_c_message_pack(response, bytes));
    }
    return ret->body.failed ? -1 : 0;
}

/* An answer may hold the only word of what an apply has made: memory that is out is waited for. */
static void answer(struct rpc *rpc, const ProtobufCMessage *response, struct grpc_answer *ret)
{
    static const struct timespec pause = {.tv_nsec = PATIENCE_NS};
    size_t size = rpc->packed.ptr ? 0 : protobuf_c_message_get_packed_size(response);
    if (size > ANSWER_MOST) {
        fail(ret, STATUS_RESOURCE_EXHAUSTED, "the answer is too large");
        return;
    }
    for (int i = 0; i < PATIENCE; i++) {
        if (pack(rpc, response, size, ret) == 0)
            return;
        buf_clean_up(&ret->body);
        ret->body = BUF_INIT(ANSWER_MOST);
        nanosleep(&pause, NULL);
    }
    fail(ret, STATUS_RESOURCE_EXHAUSTED, "memory ran out");
}

void rpc_dispatch(struct server *server, const struct cancel *cancel, const char *method,
                  struct slice bytes, struct grpc_answer *ret)
{
    rpc_handler handler = NULL;
    const ProtobufCMethodDescriptor *m = NULL;
    *ret = (struct grpc_answer){STATUS_OK, "", BUF_INIT(ANSWER_MOST)};
    if (!find(method, &handler, &m)) {
        fail(ret, STATUS_UNIMPLEMENTED, "the plugin has no such method");
        return;
    }
    _cleanup_arena_ struct arena *arena = arena_new();
    if (!arena) {
        fail(ret, STATUS_RESOURCE_EXHAUSTED, "memory ran out");
        return;
    }
    ProtobufCAllocator allocator = {from_arena, to_arena, arena};
    const ProtobufCMessage *request = protobuf_c_message_unpack(
        m->input, &allocator, bytes.len, (const uint8_t *)(bytes.ptr ? bytes.ptr : ""));
    ProtobufCMessage *response = arena_alloc(arena, m->output->sizeof_message);
    if (!request || !response) {
        bool memory = arena_failed(arena);
        fail(ret, memory ? STATUS_RESOURCE_EXHAUSTED : STATUS_INVALID_ARGUMENT,
             memory ? "memory ran out" : "the request is not of the method's type");
        return;
    }
    if (!message_is_text(request)) {
        fail(ret, STATUS_INVALID_ARGUMENT, "the request has a string that is not UTF-8");
        return;
    }
    m->output->message_init(response);
    struct rpc rpc = {.server = server, .provider = server_provider(server), .arena = arena};
    diags_init(&rpc.diags, arena);
    rpc.request = (struct request){rpc.provider, arena, cancel, &rpc.diags};
    if (handler(&rpc, request, response) < 0)
        fail(ret, STATUS_RESOURCE_EXHAUSTED, "memory ran out");
    else
        answer(&rpc, response, ret);
}

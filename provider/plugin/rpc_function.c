/* CallFunction. */
#include "plugin/handlers.h"

static int fail(struct rpc *rpc, Tfplugin6__CallFunction__Response *rs, const char *text,
                int64_t argument)
{
    rs->error = arena_new_object(rpc->arena, Tfplugin6__FunctionError);
    if (!rs->error)
        return -1;
    tfplugin6__function_error__init(rs->error);
    rs->error->text = text ? rpc_text(rpc, text) : NULL;
    if (!rs->error->text)
        return -1;
    if (argument >= 0) {
        rs->error->has_function_argument_case =
            TFPLUGIN6__FUNCTION_ERROR__HAS_FUNCTION_ARGUMENT_FUNCTION_ARGUMENT;
        rs->error->function_argument = argument;
    }
    return 0;
}

static const struct schema_parameter *parameter(const struct schema_function *f, size_t i)
{
    return i < f->parameter_count ? &f->parameters[i] : f->variadic;
}

RPC_HANDLER(rpc_call_function)
{
    const Tfplugin6__CallFunction__Request *rq = (const void *)request;
    Tfplugin6__CallFunction__Response *rs = (void *)response;
    const struct function *f = registry_function(slice_str(rq->name));
    const struct value *result = NULL;
    const char *error = NULL;
    int64_t argument = -1;
    if (!f)
        return fail(
            rpc, rs,
            arena_printf(rpc->arena, "this version of the provider has no function %s", rq->name),
            -1);
    const struct value **args = arena_calloc(rpc->arena, rq->n_arguments, sizeof(*args));
    for (size_t i = 0; args && i < rq->n_arguments; i++) {
        const struct schema_parameter *p = parameter(f->schema, i);
        if (!p)
            return fail(rpc, rs, "too many arguments", (int64_t)i);
        if (rpc_value(rpc, rq->arguments[i], p->type, &args[i]) < 0)
            return fail(rpc, rs, rpc->diags.first ? rpc->diags.first->detail : NULL, (int64_t)i);
    }
    if (!args)
        return -1;
    if (rq->n_arguments < f->schema->parameter_count)
        return fail(rpc, rs, "too few arguments", -1);
    if (f->call(rpc->arena, args, rq->n_arguments, &result, &error, &argument) < 0)
        return fail(rpc, rs, error, argument);
    rs->result = rpc_dynamic(rpc, result, f->schema->result);
    return rs->result ? 0 : -1;
}

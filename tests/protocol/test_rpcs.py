"""Every method of the service answers every core: what it has, and what it has not."""
import json
import threading
from concurrent.futures import ThreadPoolExecutor

import grpc
import msgpack
import pytest

from tests.protocol.plugin import dynamic, message, methods, null_block, texts, value_of

PROVIDER = {m.name: m for m in methods()}
TYPE_FIELDS = ("type_name", "action_type", "name", "target_type_name")
ERROR = 1


def type_field(m):
    """Where a request says which type it is about: a setter, or None."""
    fields = message(m.input_type.full_name).DESCRIPTOR.fields_by_name
    for name in TYPE_FIELDS:
        if name in fields:
            return lambda request, value: setattr(request, name, value)
    if "meta" in fields:
        return lambda request, value: setattr(request.meta, "type_name", value)
    return None


def diagnostics(answer):
    """The diagnostics of an answer, wherever its message has them."""
    names = answer.DESCRIPTOR.fields_by_name
    for name in ("diagnostics", "diagnostic"):
        if name in names:
            return list(getattr(answer, name))
    if "completed" in names:
        return list(answer.completed.diagnostics)
    if "error" in names and answer.HasField("error"):
        return [message("tfplugin6.Diagnostic")(severity=ERROR, summary=answer.error.text)]
    return []


def test_the_service_is_whole():
    """The methods that OpenTofu 1.12 and Terraform 1.11 may call are in the description that the tests go through."""
    assert len(PROVIDER) == 36
    for name in ("GetMetadata", "GetProviderSchema", "ValidateProviderConfig", "ValidateResourceConfig", "ValidateDataResourceConfig",
                 "UpgradeResourceState", "ConfigureProvider", "ReadResource", "PlanResourceChange", "ApplyResourceChange",
                 "ImportResourceState", "MoveResourceState", "ReadDataSource", "GetFunctions", "CallFunction",
                 "GetResourceIdentitySchemas", "UpgradeResourceIdentity", "ValidateEphemeralResourceConfig", "OpenEphemeralResource",
                 "RenewEphemeralResource", "CloseEphemeralResource", "StopProvider"):
        assert name in PROVIDER


@pytest.mark.parametrize("name", [n for n in PROVIDER if n != "StopProvider"])
def test_empty_request(shared, name):
    answer = shared.call(name)
    if type_field(PROVIDER[name]):
        found = diagnostics(answer)
        assert found and all(d.summary for d in found), f"{name}: {answer}"
        assert found[0].severity == ERROR


@pytest.mark.parametrize("name", [n for n, m in PROVIDER.items() if type_field(m)])
def test_unknown_type(shared, name):
    request = message(PROVIDER[name].input_type.full_name)()
    type_field(PROVIDER[name])(request, "llm_no_such_thing")
    found = diagnostics(shared.call(name, request))
    assert [d.severity for d in found] == [ERROR]
    assert "llm_no_such_thing" in texts(found)


def test_stop_provider(plugin):
    assert plugin.call("StopProvider").Error == ""
    assert plugin.call("GetMetadata").resources


def test_no_such_method(shared):
    for path in ("/tfplugin6.Provider/NoSuch", "/tfplugin5.Provider/GetSchema", "/", "/x", "/" + "x" * 4000):
        rpc = shared.channel.unary_unary(path)
        with pytest.raises(grpc.RpcError) as error:
            rpc(b"", timeout=60)
        assert error.value.code() == grpc.StatusCode.UNIMPLEMENTED, path


def test_health(shared):
    assert shared.call("Check", service="grpc.health.v1.Health").status == 1


# ---- what the provider has ----


def test_capabilities_are_in_both_answers(shared):
    for answer in (shared.call("GetMetadata"), shared.schema()):
        c = answer.server_capabilities
        assert (c.plan_destroy, c.get_provider_schema_optional, c.move_resource_state) == (True, True, True)
        assert not c.generate_resource_config and not answer.diagnostics


def test_metadata_and_schema_name_the_same(shared):
    metadata, schema = shared.call("GetMetadata"), shared.schema()
    assert {r.type_name for r in metadata.resources} == set(schema.resource_schemas)
    assert {d.type_name for d in metadata.data_sources} == set(schema.data_source_schemas)
    assert {f.name for f in metadata.functions} == set(schema.functions)
    assert {e.type_name for e in metadata.ephemeral_resources} == set(schema.ephemeral_resource_schemas)
    assert "llm_gpu_node" in schema.resource_schemas
    assert {"llm_gpu_offers", "llm_model"} <= set(schema.data_source_schemas)
    assert {"gpu_fit", "vram_gib"} <= set(schema.functions)


def check_attributes(attributes, where):
    names = [a.name for a in attributes]
    assert names and len(names) == len(set(names)), where
    for a in attributes:
        here = f"{where}.{a.name}"
        assert a.required or a.optional or a.computed, here
        assert not (a.required and (a.optional or a.computed)), here
        assert not (a.write_only and a.computed), here
        assert a.description, here
        assert bool(a.type) != a.HasField("nested_type"), here
        if a.type:
            json.loads(a.type)
        else:
            check_attributes(a.nested_type.attributes, here)


def check_block(block, where):
    if block.attributes:
        check_attributes(block.attributes, where)
    for nested in block.block_types:
        check_block(nested.block, f"{where}.{nested.type_name}")


def test_schema_is_well_formed(shared):
    schema = shared.schema()
    check_block(schema.provider.block, "provider")
    for kind in (schema.resource_schemas, schema.data_source_schemas, schema.ephemeral_resource_schemas):
        for name, one in kind.items():
            check_block(one.block, name)
    for name, f in schema.functions.items():
        assert f.summary and json.loads(getattr(f, "return").type), name
        for p in f.parameters:
            assert p.name and json.loads(p.type), name


def test_functions_are_the_schemas(shared):
    assert shared.call("GetFunctions").functions == shared.schema().functions


def test_identity(shared):
    schemas = shared.call("GetResourceIdentitySchemas").identity_schemas
    assert {a.name for a in schemas["llm_gpu_node"].identity_attributes} == {"cloud", "account_or_project", "region", "name"}


def test_call_function(shared):
    answer = shared.call("CallFunction", {"name": "vram_gib", "arguments": [dynamic("llama3.1:8b"), dynamic(8192)]})
    assert not answer.HasField("error"), answer.error.text
    assert 4 < float(value_of(answer.result)) < 10


@pytest.mark.parametrize("arguments, where", [
    ([], None), ([b"\x90"] * 9, "some"), ([b"\xc1"], 0), ([msgpack.packb({"a": 1})], 0)])
def test_call_function_badly(shared, arguments, where):
    answer = shared.call("CallFunction", {
        "name": "vram_gib", "arguments": [message("tfplugin6.DynamicValue")(msgpack=a) for a in arguments]})
    assert answer.error.text and not answer.HasField("result")
    if where == 0:
        assert answer.error.function_argument == 0 and answer.error.WhichOneof("has_function_argument")


def test_validate_names_the_attribute(shared):
    block = shared.schema().resource_schemas["llm_gpu_node"].block
    config = null_block(block, name="demo", cloud="aws", models=["no-such-model:1b"])
    answer = shared.call("ValidateResourceConfig", {"type_name": "llm_gpu_node", "config": dynamic(config)})
    assert "no-such-model:1b" in texts(answer.diagnostics)
    assert answer.diagnostics[0].attribute.steps[0].attribute_name == "models"


def test_move_is_refused_with_advice(shared):
    answer = shared.call("MoveResourceState", {
        "source_provider_address": "registry.terraform.io/hashicorp/aws", "source_type_name": "aws_instance",
        "target_type_name": "llm_gpu_node"})
    assert "aws_instance" in texts(answer.diagnostics) and "Import" in texts(answer.diagnostics)


# ---- many at once, and streams ----


def test_fifty_at_once(shared):
    """Answers of different sizes and kinds, none mixed up with another's."""
    names = ["GetProviderSchema", "GetMetadata", "GetFunctions", "GetResourceIdentitySchemas", "ValidateResourceConfig"]
    alone = {n: shared.call(n).SerializeToString(deterministic=True) for n in names}

    def one(i):
        name = names[i % len(names)]
        return shared.call(name).SerializeToString(deterministic=True) == alone[name]

    with ThreadPoolExecutor(50) as threads:
        assert all(threads.map(one, range(400)))


def test_fifty_unknown_types_at_once(shared):
    def one(i):
        answer = shared.call("ReadResource", {"type_name": f"llm_thing_{i}", "private": b"x" * 100_000})
        return f'llm_thing_{i}' in texts(answer.diagnostics)

    with ThreadPoolExecutor(50) as threads:
        assert all(threads.map(one, range(200)))


@pytest.mark.parametrize("name", ["/plugin.GRPCStdio/StreamStdio", "/plugin.GRPCBroker/StartStream", "/grpc.health.v1.Health/Watch"])
def test_streams_stay_open_until_the_end(plugin, name):
    done = threading.Event()

    def requests():  # a broker's client that asks for nothing, and stays
        done.wait(60)
        return
        yield

    if name.endswith("StartStream"):
        stream = plugin.channel.stream_stream(name)(requests())
    else:
        stream = plugin.channel.unary_stream(name)(b"")
    stream.initial_metadata()
    with ThreadPoolExecutor(1) as threads:
        end = threads.submit(lambda: list(stream))
        plugin.call("GetMetadata")
        assert not end.done() and stream.is_active()
        plugin.call("Shutdown", service="plugin.GRPCController")
        with pytest.raises(grpc.RpcError):
            end.result(60)
        done.set()
    assert stream.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED)
    assert plugin.process.wait(60) == 0


def test_streams_may_be_left(plugin):
    for _ in range(50):
        stream = plugin.channel.unary_stream("/plugin.GRPCStdio/StreamStdio")(b"")
        stream.initial_metadata()
        stream.cancel()
    assert plugin.call("GetMetadata").resources

"""Messages that no core sends: broken, deep, large. Each is an error of that call; the process serves on."""
import json
import random

import grpc
import msgpack
import pytest

from tests.protocol.plugin import MIB, dynamic, message, methods, null_block, sanitized, texts, value_of

NODE = "llm_gpu_node"


def status_of(call):
    """The status of a call that must not succeed."""
    with pytest.raises(grpc.RpcError) as error:
        call()
    return error.value.code()


@pytest.fixture(autouse=True)
def still_serves(shared):
    yield
    assert shared.alive() and shared.call("GetMetadata").resources, shared.log()


def node_value(plugin, **given):
    return null_block(plugin.schema().resource_schemas[NODE].block, **given)


# ---- protobuf ----

BROKEN = [b"\xff", b"\x0a\xff\xff\xff\xff\x0f", b"\x0a\x05ab", b"\x0f", b"\x08" + b"\xff" * 11]


@pytest.mark.parametrize("name", [m.name for m in methods() if m.name != "StopProvider"])
def test_malformed_protobuf(shared, name):
    for bytes_ in BROKEN:
        assert status_of(lambda: shared.call(name, bytes_)) == grpc.StatusCode.INVALID_ARGUMENT, bytes_


def test_random_bytes(shared):
    rng = random.Random(6)
    names = [m.name for m in methods() if m.name != "StopProvider"]
    for _ in range(1500):
        try:
            shared.call(rng.choice(names), rng.randbytes(rng.randrange(1, 60)))
        except grpc.RpcError as error:
            assert error.code() == grpc.StatusCode.INVALID_ARGUMENT


def test_flipped_bytes_in_a_real_request(shared):
    """Requests that are almost right reach further than noise."""
    rng = random.Random(7)
    config = node_value(shared, name="demo", cloud="aws", models=["llama3.1:8b"], tags={"a": "b"}, zones=["us-east-1a"])
    good = message("tfplugin6.ValidateResourceConfig.Request")(type_name=NODE, config=dynamic(config)).SerializeToString()
    for _ in range(1500):
        bad = bytearray(good)
        for _ in range(rng.randrange(1, 4)):
            bad[rng.randrange(len(bad))] = rng.randrange(256)
        try:
            shared.call("ValidateResourceConfig", bytes(bad))
        except grpc.RpcError as error:
            assert error.code() == grpc.StatusCode.INVALID_ARGUMENT


@pytest.mark.parametrize("name", ["ValidateResourceConfig", "CallFunction", "ImportResourceState", "MoveResourceState"])
def test_strings_that_are_not_text(shared, name):
    assert status_of(lambda: shared.call(name, b"\x0a\x02\xff\xfe")) == grpc.StatusCode.INVALID_ARGUMENT
    answer = shared.call(name, b"\x0a\x04%s%n")
    assert "%s%n" in str(answer)


def test_nested_strings_that_are_not_text(shared):
    """A map's key, and a string within a message."""
    assert status_of(lambda: shared.call("UpgradeResourceState", b"\x1a\x05\x12\x03\x0a\x01\xff")) == grpc.StatusCode.INVALID_ARGUMENT
    assert status_of(lambda: shared.call("WriteStateBytes", b"\x0a\x03\x0a\x01\xff")) == grpc.StatusCode.INVALID_ARGUMENT


def test_environment_that_is_not_text(start):
    """A core refuses an answer with one wrong byte, with the state that is in it."""
    plugin = start(env={"AWS_PROFILE": "fa\udcffll\u00e9", "AWS_REGION": "us-east-1"})
    answer = plugin.configure()
    assert "fa\ufffdll\u00e9" in texts(answer.diagnostics)


def varint(n):
    out = b""
    while n > 127:
        out, n = out + bytes([n & 127 | 128]), n >> 7
    return out + bytes([n])


# ---- msgpack and JSON ----

GARBAGE = {
    "never used": b"\xc1", "cut map": b"\xdf\x00\x00\x00\x05\xa1a", "longer than it is": b"\xdb\xff\xff\xff\xffx",
    "huge array": b"\xdd\xff\xff\xff\xff", "huge map": b"\xdf\xff\xff\xff\xff", "deep": b"\x91" * 200_000 + b"\xc0",
    "deep maps": b"\x81\xa1a" * 100_000 + b"\xc0", "not an object": msgpack.packb("text"), "number": msgpack.packb(7),
    "unknown attribute": msgpack.packb({"nonsense": 1}), "more behind it": msgpack.packb({}) + b"\x01" * 10,
    "cut ext": b"\xc9\xff\xff\xff\xff\x0c", "nan": b"\xcb\x7f\xf8\x00\x00\x00\x00\x00\x00",
}


@pytest.mark.parametrize("what", GARBAGE)
@pytest.mark.parametrize("name, field, base", [
    ("ValidateResourceConfig", "config", {}), ("PlanResourceChange", "config", {}), ("PlanResourceChange", "prior_state", {}),
    ("PlanResourceChange", "proposed_new_state", {}), ("ReadResource", "current_state", {}), ("ApplyResourceChange", "planned_state", {}),
    ("ValidateProviderConfig", "config", None), ("ConfigureProvider", "config", None)])
def test_garbage_msgpack(shared, what, name, field, base):
    value = message("tfplugin6.DynamicValue")(msgpack=GARBAGE[what])
    request = {field: value, **({} if base is None else {"type_name": NODE})}
    answer = shared.call(name, request)
    assert answer.diagnostics and answer.diagnostics[0].severity == 1, answer


@pytest.mark.parametrize("json_", [b"{", b"[]", b'"x"', b"nul", b'{"name": 1e999999999}', b"[" * 200_000, b'{"name":"\xff"}', b'{"a":{}} x'])
def test_garbage_state(shared, json_):
    answer = shared.call("UpgradeResourceState", {"type_name": NODE, "version": 0, "raw_state": {"json": json_}})
    assert answer.diagnostics and answer.diagnostics[0].severity == 1
    assert not answer.HasField("upgraded_state")


def test_state_of_a_later_version(shared):
    answer = shared.call("UpgradeResourceState", {"type_name": NODE, "version": 99, "raw_state": {"json": b"{}"}})
    assert answer.diagnostics and answer.diagnostics[0].severity == 1


def test_flatmap_state(shared):
    answer = shared.call("UpgradeResourceState", {"type_name": NODE, "version": 0, "raw_state": {"flatmap": {"name": "x"}}})
    assert "0.11" in texts(answer.diagnostics)


def test_apply_of_garbage_keeps_the_state(shared):
    prior = dynamic(node_value(shared, name="demo", cloud="aws", models=["llama3.1:8b"]))
    answer = shared.call("ApplyResourceChange", {
        "type_name": NODE, "prior_state": prior, "planned_state": {"msgpack": b"\xc1"}, "config": prior, "planned_private": b"{}"})
    assert answer.diagnostics and answer.new_state == prior and answer.private == b"{}"


def test_read_of_garbage_private_keeps_the_state(shared):
    prior = dynamic(node_value(shared, name="demo", cloud="aws", models=["llama3.1:8b"], instance_id="i-0123456789abcdef0"))
    answer = shared.call("ReadResource", {"type_name": NODE, "current_state": prior, "private": b"\xff\x00garbage"})
    assert answer.HasField("new_state") and value_of(answer.new_state) is not None


# ---- size ----


def raw_state(plugin, size):
    """A state of about `size` bytes as it is stored: tags of 1 KiB each."""
    tags = {f"k{i:07}": "v" * 1000 for i in range(size // 1016)}
    value = node_value(plugin, name="demo", cloud="aws", models=["llama3.1:8b"], tags=tags)
    return json.dumps(value).encode(), tags


def test_state_of_60_mib(shared):
    raw, tags = raw_state(shared, 60 * MIB)
    answer = shared.call("UpgradeResourceState", {"type_name": NODE, "version": 0, "raw_state": {"json": raw}}, timeout=120)
    assert not answer.diagnostics, texts(answer.diagnostics)
    assert value_of(answer.upgraded_state)["tags"] == tags


def test_state_of_65_mib(shared):
    """Over what a state may be: a diagnostic that says so, or the state itself."""
    raw, tags = raw_state(shared, 65 * MIB)
    answer = shared.call("UpgradeResourceState", {"type_name": NODE, "version": 0, "raw_state": {"json": raw}}, timeout=120)
    if answer.diagnostics:
        assert "64 MiB" in texts(answer.diagnostics)
    else:
        assert value_of(answer.upgraded_state)["tags"] == tags


def test_message_of_300_mib(shared):
    request = message("tfplugin6.UpgradeResourceState.Request")(type_name=NODE)
    request.raw_state.json = bytes(300 * MIB)
    assert status_of(lambda: shared.call("UpgradeResourceState", request, timeout=120)) == grpc.StatusCode.RESOURCE_EXHAUSTED


@pytest.mark.skipif(sanitized(), reason="sanitizers keep what is freed")
def test_memory_is_given_back(start):
    """A call's memory goes with the call: to the system, not only to the heap of the thread that took it."""
    plugin = start()
    before = plugin.rss_kib()
    raw, _ = raw_state(plugin, 20 * MIB)
    sizes = []
    for _ in range(8):
        plugin.call("UpgradeResourceState", {"type_name": NODE, "version": 0, "raw_state": {"json": raw}}, timeout=60)
        sizes.append(plugin.rss_kib())
    assert min(sizes[4:]) < before + 64 * 1024, (before, sizes)

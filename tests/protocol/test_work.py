"""Work that is stopped: what runs is brought to its end or cut off, and the state names what exists."""
import os
import signal
import socket
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import grpc
import msgpack
import pytest

from tests.acceptance.conftest import Simulator
from tests.protocol.plugin import Relay, dynamic, null_block, texts, value_of, wait_until
from tests.sim.cloud import Cloud

NODE = "llm_gpu_node"
KEYS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": "us-east-1"}


@pytest.fixture(scope="module")
def shared_simulator(tmp_path_factory):
    simulator = Simulator(tmp_path_factory.mktemp("simulator"))
    yield simulator
    simulator.stop()


@pytest.fixture
def sim(shared_simulator):
    shared_simulator.reset()
    shared_simulator.clear_rules()
    yield shared_simulator
    assert shared_simulator.violations() == []


@pytest.fixture
def black_hole():
    """An endpoint that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        taken = []

        def take():
            try:
                while True:
                    taken.append(listener.accept()[0])
            except OSError:
                pass

        threading.Thread(target=take, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", taken
        for connection in taken:
            connection.close()


def configured(start, endpoint, **aws):
    plugin = start(env={**KEYS, "AWS_ENDPOINT_URL": endpoint})
    answer = plugin.configure()
    assert not answer.diagnostics, texts(answer.diagnostics)
    return plugin


def node(plugin, **given):
    block = plugin.schema().resource_schemas[NODE].block
    return null_block(block, **{"name": "demo", "cloud": "aws", "models": ["llama3.1:8b"], "zones": ["us-east-1a"], **given})


def plan(plugin, config, prior=None, private=b"", **options):
    return plugin.call("PlanResourceChange", {
        "type_name": NODE, "config": dynamic(config), "proposed_new_state": dynamic(config), "prior_state": dynamic(prior),
        "prior_private": private}, **options)


def apply(plugin, config, planned, prior=None, **options):
    return plugin.call("ApplyResourceChange", {
        "type_name": NODE, "config": dynamic(config), "prior_state": dynamic(prior), "planned_state": planned.planned_state,
        "planned_private": planned.planned_private,
        **({"planned_identity": planned.planned_identity} if planned.HasField("planned_identity") else {})}, **{"timeout": 120, **options})


def made(plugin, **given):
    """A node, made: its configuration and the answer of the apply."""
    config = node(plugin, **given)
    planned = plan(plugin, config)
    assert not [d for d in planned.diagnostics if d.severity == 1], texts(planned.diagnostics)
    answer = apply(plugin, config, planned)
    assert not answer.diagnostics, texts(answer.diagnostics)
    return config, answer


def test_whole_life(start, sim):
    """Made, read, and removed by bare calls, for what the others compare with."""
    plugin = configured(start, sim.endpoint)
    _, answer = made(plugin)
    state = value_of(answer.new_state)
    assert state["instance_id"].startswith("i-") and len(state["components"]) > 10
    read = plugin.call("ReadResource", {"type_name": NODE, "current_state": answer.new_state, "private": answer.private,
                                        "current_identity": answer.new_identity})
    assert value_of(read.new_state) == state and read.new_identity == answer.new_identity
    gone = plugin.call("ApplyResourceChange", {
        "type_name": NODE, "config": dynamic(None), "prior_state": answer.new_state, "planned_state": dynamic(None),
        "planned_private": answer.private}, timeout=120)
    assert not gone.diagnostics and value_of(gone.new_state) is None
    assert Cloud(sim.endpoint).owned() == []


def test_stop_in_a_create(start, sim):
    """Nothing new is begun, running calls end, and the state names all that exists."""
    plugin = configured(start, sim.endpoint)
    config = node(plugin)
    planned = plan(plugin, config)
    sim.rule("*", delay_ms=400, times=-1)
    sim_calls = len(sim.calls())
    with ThreadPoolExecutor(1) as threads:
        work = threads.submit(apply, plugin, config, planned)
        assert wait_until(lambda: any(c["operation"] == "CreateVpc" for c in sim.calls()[sim_calls:]))
        plugin.call("StopProvider")
        answer = work.result(60)
    assert "cancelled" in texts(answer.diagnostics)
    sim.clear_rules()
    state = value_of(answer.new_state)
    assert state is not None
    owned = Cloud(sim.endpoint).owned()
    assert owned and "CreateVpc" in [c["operation"] for c in sim.calls()] and "RunInstances" not in [c["operation"] for c in sim.calls()]
    assert len(state["components"]) == len(owned), (sorted(state["components"]), owned)


def test_stopped_create_is_removed_by_the_next_process(start, sim):
    plugin = configured(start, sim.endpoint)
    config = node(plugin)
    planned = plan(plugin, config)
    sim.rule("*", delay_ms=300, times=-1)
    with ThreadPoolExecutor(1) as threads:
        work = threads.submit(apply, plugin, config, planned)
        wait_until(lambda: any(c["operation"] == "CreateSubnet" for c in sim.calls()))
        plugin.call("StopProvider")
        answer = work.result(60)
    sim.clear_rules()
    other = configured(start, sim.endpoint)
    gone = other.call("ApplyResourceChange", {
        "type_name": NODE, "config": dynamic(None), "prior_state": answer.new_state, "planned_state": dynamic(None),
        "planned_private": answer.private}, timeout=120)
    assert not gone.diagnostics, texts(gone.diagnostics)
    assert value_of(gone.new_state) is None and Cloud(sim.endpoint).owned() == []


def given_up(start, sim, give_up):
    """A provider whose client gives up a create that would be done with the call under way; and its configuration."""
    plugin = configured(start, sim.endpoint)
    config = node(plugin)
    planned = plan(plugin, config)
    sim.rule("AttachVolume", hold="after")
    give_up(plugin, config, planned, lambda: wait_until(lambda: sim.calls("AttachVolume"), 60))
    assert sim.calls("AttachVolume")
    time.sleep(0.5)  # the call goes on only when the provider may know
    sim.clear_rules()
    return plugin, config


def drop(plugin, config, planned, wait_for_the_last):
    """The connection is gone while the call is under way; the provider is not told anything else."""
    with Relay(plugin.socket) as relay:
        channel = plugin.connect(plugin.key, plugin.cert, socket=relay.path)
        threading.Thread(target=lambda: (wait_for_the_last(), relay.cut())).start()
        with pytest.raises(grpc.RpcError, match="UNAVAILABLE"):
            apply(plugin, config, planned, channel=channel)
        channel.close()


def time_out(plugin, config, planned, _):
    with pytest.raises(grpc.RpcError, match="DEADLINE_EXCEEDED"):
        apply(plugin, config, planned, timeout=15)  # the last call comes after one, and is held


@pytest.mark.parametrize("give_up", [drop, time_out])
def test_client_gone_in_a_create(start, sim, give_up):
    """Nobody writes the state: the create stops where it is, and the claim on what it has made stays for the next one to find."""
    plugin, config = given_up(start, sim, give_up)
    time.sleep(1)
    cloud = Cloud(sim.endpoint)
    [instance] = cloud.instances()
    assert "llm:claim" in [t["Key"] for t in instance["Tags"]]
    assert plugin.call("GetMetadata").resources, "its other calls go on"
    plugin.stop()
    other = configured(start, sim.endpoint)
    planned = plan(other, config)
    assert [d.summary for d in planned.diagnostics] == ["An interrupted apply is continued"], texts(planned.diagnostics)
    answer = apply(other, config, planned)
    assert not answer.diagnostics, texts(answer.diagnostics)
    assert value_of(answer.new_state)["instance_id"] == instance["InstanceId"]
    [instance] = cloud.instances()
    assert "llm:claim" not in [t["Key"] for t in instance["Tags"]]


def test_stop_before_a_destroy(start, sim):
    """A provider that is stopped begins nothing: the node stays in the state, and in the cloud."""
    plugin = configured(start, sim.endpoint)
    _, answer = made(plugin)
    plugin.call("StopProvider")
    kept = plugin.call("ApplyResourceChange", {
        "type_name": NODE, "config": dynamic(None), "prior_state": answer.new_state, "planned_state": dynamic(None),
        "planned_private": answer.private}, timeout=60)
    assert "cancelled" in texts(kept.diagnostics)
    assert value_of(kept.new_state)["instance_id"] == value_of(answer.new_state)["instance_id"]
    assert Cloud(sim.endpoint).owned()


# ---- an endpoint that never answers ----


def hanging(start, black_hole, name):
    """A configured provider with a call that waits for the endpoint, in a thread: (provider, pool, future)."""
    endpoint, taken = black_hole
    plugin = configured(start, endpoint)
    config = node(plugin)
    threads = ThreadPoolExecutor(1)
    if name == "plan":
        work = threads.submit(plan, plugin, config, timeout=200)
    else:
        state = dynamic(node(plugin, instance_id="i-0123456789abcdef0", region="us-east-1"))
        work = threads.submit(plugin.call, "ReadResource", {"type_name": NODE, "current_state": state, "private": b""}, timeout=200)
    assert wait_until(lambda: taken or work.done())
    assert not work.done(), work.result()
    return plugin, threads, work


def test_other_calls_go_on(start, black_hole):
    plugin, threads, _ = hanging(start, black_hole, "plan")
    assert plugin.call("GetMetadata").resources and plugin.call("StopProvider").Error == ""
    plugin.process.kill()
    threads.shutdown()


def test_stop_while_a_call_hangs(start, black_hole):
    """The running request may end; without an answer it is cut off after half a minute, and what was there stays."""
    plugin, threads, work = hanging(start, black_hole, "plan")
    begun = time.monotonic()
    assert plugin.call("StopProvider").Error == ""
    answer = work.result(120)
    assert time.monotonic() - begun > 5, "it had time to end"
    assert "cancelled" in texts(answer.diagnostics) and value_of(answer.planned_state) is None
    assert plugin.alive() and plugin.call("GetMetadata").resources
    threads.shutdown()


@pytest.mark.parametrize("how", ["Shutdown", "SIGTERM"] * 5)
def test_end_while_a_call_hangs(start, black_hole, how):
    """go-plugin waits two seconds for the process, and then kills it."""
    plugin, threads, work = hanging(start, black_hole, "plan")
    if how == "Shutdown":
        plugin.call("Shutdown", service="plugin.GRPCController")
    else:
        plugin.process.send_signal(signal.SIGTERM)
    assert plugin.process.wait(60) == 0, plugin.log()
    assert not os.path.exists(plugin.directory)
    answer = work.result(120)  # the answer is out before the end: it has the state
    assert "cancelled" in texts(answer.diagnostics)
    threads.shutdown()


def test_the_connection_ends_in_order(start):
    """The client has acknowledged a ping after the last answers, and with it that it has read them: one that fails to write to a connection
    that is cut off reads no more."""
    plugin = start(tls=False)
    with Relay(plugin.socket) as relay:
        channel = plugin.connect(socket=relay.path)
        stream = channel.unary_stream("/plugin.GRPCStdio/StreamStdio")(b"")
        stream.initial_metadata()
        plugin.call("Shutdown", service="plugin.GRPCController", channel=channel)
        assert plugin.process.wait(60) == 0
        with pytest.raises(grpc.RpcError, match="CANCELLED"):
            list(stream)
        relay.wait_for_end()
        goaway, ping, acknowledged, no_error = 7, 6, 1, bytes(4)
        end = [(kind, payload[4:8] if kind == goaway else None) for kind, flags, payload in relay.frames()
               if kind in (goaway, ping) and not flags & acknowledged]
        assert end[-3:] == [(goaway, no_error), (ping, None), (goaway, no_error)]
        channel.close()


def test_sigterm_in_a_create(start, sim):
    """A whole process group is often told to end: what was made so far reaches the core."""
    plugin = configured(start, sim.endpoint)
    config = node(plugin)
    planned = plan(plugin, config)
    sim.rule("*", delay_ms=200, times=-1)
    with ThreadPoolExecutor(1) as threads:
        work = threads.submit(apply, plugin, config, planned)
        assert wait_until(lambda: any(c["operation"] == "CreateSubnet" and "end" in c for c in sim.calls()))
        plugin.process.send_signal(signal.SIGTERM)
        answer = work.result(60)
    assert plugin.process.wait(60) == 0
    sim.clear_rules()
    assert "cancelled" in texts(answer.diagnostics)
    assert any(name.startswith("vpc") for name in value_of(answer.new_state)["components"])

"""Log lines as hclog writes them, so that a core can show them; the cloud's exchanges among them, without secrets."""
import datetime
import json

import pytest

from tests.protocol.plugin import dynamic, texts
from tests.protocol.test_work import KEYS, made, node, plan, shared_simulator, sim  # noqa: F401

KEY_ID, SECRET, TOKEN = "AKIACANARYKEYID00000", "canary+secret/key", "canary-session-token"
CANARIES = (SECRET, TOKEN, "tskey-auth-canary")


def lines(plugin):
    """All of stderr; each line must be a log line."""
    found = []
    for text in plugin.log().splitlines():
        line = json.loads(text)
        assert line["@level"] in ("trace", "debug", "info", "warn", "error"), text
        assert line["@message"] and line["@module"], text
        datetime.datetime.fromisoformat(line["@timestamp"])
        found.append(line)
    return found


def made_with_logs(start, sim, **env):
    plugin = start(env={**KEYS, "AWS_ENDPOINT_URL": sim.endpoint, **env})
    answer = plugin.configure()
    assert not answer.diagnostics, texts(answer.diagnostics)
    made(plugin, tailscale={
        "auth_key_wo": None, "auth_key_wo_version": None, "auth_key_secret": None, "hostname": None, "tags": None, "ssh": None,
        **{"auth_key_wo": "tskey-auth-canary", "auth_key_wo_version": 1}})
    return plugin


@pytest.mark.parametrize("name", ["TF_LOG", "TF_LOG_PROVIDER", "TF_LOG_PROVIDER_LLM"])
def test_exchanges_at_debug(start, sim, name):
    plugin = made_with_logs(start, sim, **{name: "DEBUG"})
    exchanges = [e for e in lines(plugin) if e["@message"] == "HTTP exchange"]
    calls = sim.calls()
    assert len(exchanges) == len(calls)
    assert {e["operation"].split(".")[-1] for e in exchanges} == {c["operation"] for c in calls}
    for e in exchanges:
        assert e["@level"] == "debug" and e["method"] and e["url"].startswith(sim.endpoint) and e["duration_ms"] >= 0
    assert sorted(e["status"] for e in exchanges) == sorted(c["status"] for c in calls)


def test_no_secret_at_any_level(start, sim):
    plugin = made_with_logs(start, sim, TF_LOG_PROVIDER="TRACE")
    text = plugin.log()
    assert "CreateSecret" in text and "RunInstances" in text
    for canary in ("tskey-auth-canary", "AWS4-HMAC-SHA256 Credential", "Signature="):
        assert canary not in text


def test_no_credentials(start, sim):
    """Also those that the cloud refuses."""
    plugin = start(env={"AWS_ENDPOINT_URL": sim.endpoint, "AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": KEY_ID,
                        "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_SESSION_TOKEN": TOKEN, "TF_LOG_PROVIDER": "TRACE"})
    plugin.configure()
    plan(plugin, node(plugin))
    text = plugin.log()
    assert "HTTP exchange" in text
    for canary in CANARIES:
        assert canary not in text


def test_quiet_by_default(start, sim):
    plugin = made_with_logs(start, sim)
    assert [e for e in lines(plugin) if e["@level"] in ("trace", "debug", "info")] == []


@pytest.mark.parametrize("level, least", [("ERROR", {"error"}), ("OFF", set()), ("WARN", {"warn", "error"})])
def test_levels(start, sim, level, least):
    plugin = made_with_logs(start, sim, TF_LOG_PROVIDER=level)
    assert {e["@level"] for e in lines(plugin)} <= least


def test_each_call_at_trace(start):
    plugin = start(env={"TF_LOG_PROVIDER": "TRACE"})
    plugin.call("ValidateResourceConfig", {"type_name": "x", "config": dynamic({"a": "b"})})
    assert [e["method"] for e in lines(plugin) if e["@message"] == "Call"] == ["/tfplugin6.Provider/ValidateResourceConfig"]


def test_nothing_on_standard_output(start):
    """go-plugin reads standard output for the handshake alone."""
    plugin = start(env={"TF_LOG": "TRACE"})
    plugin.call("GetProviderSchema")
    plugin.process.terminate()
    assert plugin.process.wait(60) == 0
    assert plugin.process.stdout.read() == b""
    lines(plugin)

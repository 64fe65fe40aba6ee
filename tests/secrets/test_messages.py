"""Messages about a resource whose configuration has a secret."""
import pytest

from tests.acceptance.conftest import aws_settings, gcp_settings
from tests.protocol import plugin as p
from tests.protocol.test_work import NODE, apply, node, plan
from tests.secrets.canary import Marker, leaks

CLOUDS = {"aws": ("sim", aws_settings, "RunInstances", "us-east-1a"),
          "gcp": ("gcp_sim", gcp_settings, "compute.instances.insert", "us-central1-a")}


def block(plugin, name, **given):
    kind = next(a.nested_type for a in plugin.schema().resource_schemas[NODE].block.attributes if a.name == name)
    return p.within(kind, given)


@pytest.mark.parametrize("cloud", sorted(CLOUDS))
def test_a_cloud_that_quotes_the_key(request, start, cloud):
    """Whatever the call, and however it came to know it."""
    name, settings, operation, zone = CLOUDS[cloud]
    sim, key = request.getfixturevalue(name), Marker("tailscale key", "tskey-\"", "\u00e9")
    plugin = start(**settings(sim.endpoint), TF_LOG_PROVIDER="OFF")
    assert not plugin.configure().diagnostics
    sim.fail(operation, "InvalidParameterCombination" if cloud == "aws" else "invalid", f"the key {key.value} is bad, bad is {key.value}", times=-1)
    config = node(plugin, cloud=cloud, zones=[zone], tailscale=block(plugin, "tailscale", auth_key_wo=key.value, auth_key_wo_version=1))
    answer = apply(plugin, config, plan(plugin, config))
    text = p.texts(answer.diagnostics)
    assert "the key (sensitive value) is bad, bad is (sensitive value)" in text
    assert leaks([key], repr(answer).encode() + text.encode() + answer.new_state.msgpack + answer.private + plugin.log().encode(), "the answer") == []


@pytest.mark.parametrize("given", [{"auth_key_wo": "{}" * 40, "auth_key_wo_version": 1}, {"auth_key_wo": "{}"}, {"auth_key_wo": "{}", "auth_key_wo_version": -1},
                                   {"auth_key_wo": "{}", "auth_key_wo_version": 1, "auth_key_secret": "other"}])
def test_a_configuration_that_is_wrong(start, given):
    plugin, key = start(), Marker("tailscale key")
    given = {n: v.replace("{}", key.value) if isinstance(v, str) else v for n, v in given.items()}
    config = node(plugin, tailscale=block(plugin, "tailscale", **given))
    answer = plugin.call("ValidateResourceConfig", {"type_name": NODE, "config": p.dynamic(config)})
    assert answer.diagnostics
    planned = plan(plugin, config)
    assert leaks([key], p.texts(answer.diagnostics) + p.texts(planned.diagnostics) + plugin.log(), "a message or the log") == []
    assert leaks([key], planned.planned_state.msgpack + planned.planned_private, "the plan") == []

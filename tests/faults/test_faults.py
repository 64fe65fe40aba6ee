"""A sample of the fault matrix, drawn by a seed, and the cases that once were lost. All of it: scripts/test --faults."""
import collections
import os
import threading

import pytest

from tests.acceptance.conftest import CORES
from tests.faults import real
from tests.faults.matrix import Case, Matrix, arguments
from tests.faults.cases import BY_NAME
from tests.faults.core import Core, Failed
from tests.sim.model import service_model

SECONDS = float(os.environ.get("LLM_FAULTS_SECONDS", "60"))
SEED = os.environ.get("LLM_FAULTS_SEED", "7")
# What was found by the matrix: (cloud, operation, fault, call, which of its calls).
ONCE_LOST = [
    ("gcp", "update", "killed before the answer", "compute.firewalls.insert", 0),
    ("gcp", "update", "killed before the answer", "logging.projects.locations.buckets.patch", 0),
    ("gcp", "replace", "killed before the answer", "compute.instances.insert", 0),
    ("gcp", "replace", "killed before the call", "compute.instances.attachDisk", 0),
    ("gcp", "create", "killed before the answer", "compute.instances.attachDisk", 0),
    ("gcp", "recreate", "killed before the answer", "compute.instances.attachDisk", 0),
    ("aws", "create", "killed before the answer", "AttachVolume", 0),
    ("gcp", "update", "killed before the answer", "secretmanager.projects.secrets.addVersion", 0),
    ("gcp", "create", "body empty", "compute.images.getFromFamily", 0),
    ("aws", "create", "no answer, no effect", "DescribeLogGroups", 1),
    ("aws", "create", "body empty", "CreateSecret", 0),
]


@pytest.fixture(scope="module")
def matrix():
    one = Matrix(arguments(["--jobs", "1", "--seed", SEED, "--seconds", str(SECONDS), "--sample", "2000"]))
    for cloud in sorted({c for c, *_ in ONCE_LOST} | {"aws", "gcp"}):
        one.open(cloud)
    yield one
    one.close()


@pytest.fixture(params=["aws", "gcp"])
def ground(matrix, request):
    """Each cloud, with nothing in it."""
    with matrix.borrowed(request.param) as one:
        one.reset()
        yield one


@pytest.mark.parametrize("case", ONCE_LOST, ids=lambda c: " ".join(map(str, c)))
def test_once_lost(matrix, case):
    cloud, operation, fault, call, occurrence = case
    with matrix.borrowed(cloud) as ground:
        assert Case(ground, operation, BY_NAME[fault], call, occurrence).run(matrix.facts[cloud][1][operation]), "the call was not reached"


@pytest.mark.parametrize("call", ["placed", "made_last"])
def test_the_core_alone_is_killed(ground, call):
    """The provider does not go on without it: the next create does, by itself."""
    binary = CORES[sorted(CORES)[-1]]
    with real.Session(ground, binary) as session:
        session.core.apply_ok()
        expected = ground.exists()
    assert not real.case(ground, binary, "apply", (getattr(ground, call), 0), "core killed", expected), "an import was needed"


def refused(core, config, text):
    with pytest.raises(Failed, match=text):
        core.apply(config)


def test_another_configuration_of_the_same_name(ground):
    """It is refused while the first is at work, when the first has been killed on another machine, and when it is done."""
    sim, config = ground.sim, ground.base
    with Core(ground.settings) as first, Core(ground.settings) as second:
        sim.control("rules", [{"operation": ground.made_last, "hold": "before", "times": 1}])
        thread = threading.Thread(target=first.apply, args=(config,))
        thread.start()
        while not sum(r.get("hits", 0) for r in sim.control("rules")):
            assert thread.is_alive()
        refused(second, config, "The name is taken: An apply is making a node")
        assert not [c for c in sim.calls() if c["operation"] == ground.made_last][1:]
        sim.clear_rules()
        thread.join()
        made = ground.exists()
        refused(second, config, "The name is taken: A node .* exists")
        assert ground.exists() == made
        assert first.difference(config) == []
        first.destroy()
        assert not ground.exists()


def test_a_fresh_key_after_a_kill(ground):
    """What the killed create has stored is not taken for what is wanted now."""
    fresh = {**ground.base, "tailscale": {"auth_key_wo": "tskey-fresh", "auth_key_wo_version": 1}}
    with Core(ground.settings) as killed:
        rule = {"operation": ground.made_last, "signal": {"pid": killed.plugin.process.pid}, "drop": "before"}
        killed.before_apply = lambda: ground.sim.control("rules", [rule])
        with pytest.raises(Failed, match="no answer"):
            killed.apply(ground.base)
    assert ground.secret() == "tskey-x"
    ground.sim.clear_rules()
    with Core(ground.settings) as core:
        core.apply(fresh)
        assert ground.secret() == "tskey-fresh"
        assert core.difference(fresh) == []
        core.destroy()
    assert not ground.exists()


def not_there(cloud, call):
    """What a cloud says of an object that it does not know: an error, or a list without it."""
    if cloud == "gcp":
        return {"error": {"status": 404, "code": "notFound", "message": "simulated"}}
    if call["service"] == "iam":
        return {"error": {"status": 404, "code": "NoSuchEntity", "message": "simulated"}}
    members = service_model(call["service"]).operation_model(call["operation"]).output_shape.members
    lists = {name: [] for name, shape in members.items() if shape.type_name == "list"}
    if call["operation"].startswith("Describe") and lists:
        return {"set": lists}
    return {"error": {"status": 400, "code": "ResourceNotFoundException", "message": "simulated"}}


def test_a_refresh_that_is_lied_to(ground):
    """Each of its reads once does not find what is there. Nothing is made twice, and nothing is replaced."""
    sim, config = ground.sim, ground.base
    with Core(ground.settings) as core:
        core.apply(config)
        made, before = ground.identities(), len(sim.calls())
        core.refresh()
        counts = collections.Counter()
        for call in [c for c in sim.calls()[before:] if not c["operation"].endswith("Attribute")]:
            sim.control("rules", [{"operation": call["operation"], "skip": counts[call["operation"]], "times": 1, **not_there(ground.name, call)}])
            counts[call["operation"]] += 1
            core.apply(config)
            assert sum(r.get("hits", 0) for r in sim.control("rules")) == 1, call["operation"]
            sim.clear_rules()
            assert ground.identities() == made, call["operation"]
            assert core.difference(config) == [], call["operation"]
        core.destroy()
        assert not ground.exists()


def test_sample(matrix):
    matrix.run()
    print(matrix.table())
    assert not matrix.lost, "\n".join([matrix.table(), *matrix.lost])

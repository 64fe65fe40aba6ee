"""A sample of the fault matrix, drawn by a seed, and the cases that once were lost. All of it: scripts/test --faults."""
import collections
import os
import threading

import pytest

from tests.acceptance.conftest import CORES
from tests.faults import real
from tests.faults.matrix import Case, Matrix, arguments
from tests.faults.cases import BY_NAME, inside
from tests.faults.core import Core, Failed
from tests.faults.grounds import GROUNDS
from tests.sim.model import service_model

SECONDS = float(os.environ.get("LLM_FAULTS_SECONDS", "45"))
SEED = os.environ.get("LLM_FAULTS_SEED", "7")
SHARES = {"gpu_node": 0.5, "platform_cluster": 0.5, "endpoint": 0.3}  # of the seconds: what an endpoint takes beside its sample is made up for
# What SageMaker calls that which it does not find.
SAGEMAKER = {"DescribeModel": "model", "DescribeEndpointConfig": "endpoint configuration", "DescribeEndpoint": "endpoint"}
# What was found by the matrix: (resource, cloud, operation, fault, call, which of its calls).
ONCE_LOST = [
    ("gpu_node", "gcp", "update", "killed before the answer", "compute.firewalls.insert", 0),
    ("gpu_node", "gcp", "update", "killed before the answer", "logging.projects.locations.buckets.patch", 0),
    ("gpu_node", "gcp", "replace", "killed before the answer", "compute.instances.insert", 0),
    ("gpu_node", "gcp", "replace", "killed before the call", "compute.instances.attachDisk", 0),
    ("gpu_node", "gcp", "create", "killed before the answer", "compute.instances.attachDisk", 0),
    ("gpu_node", "gcp", "recreate", "killed before the answer", "compute.instances.attachDisk", 0),
    ("gpu_node", "aws", "create", "killed before the answer", "AttachVolume", 0),
    ("gpu_node", "gcp", "update", "killed before the answer", "secretmanager.projects.secrets.addVersion", 0),
    ("gpu_node", "gcp", "create", "body empty", "compute.images.getFromFamily", 0),
    ("gpu_node", "aws", "create", "no answer, no effect", "DescribeLogGroups", 1),
    ("gpu_node", "aws", "create", "body empty", "CreateSecret", 0),
    ("platform_cluster", "aws", "destroy", "killed before the answer", "DeleteSubnet", 3),
]


@pytest.fixture(scope="module", params=sorted(GROUNDS))
def matrix(request):
    """Of each resource, with a simulator of each cloud, and of clusters where it lives in them."""
    # A platform's cases take long, and an endpoint has more places: those of a node are for each fault.
    few = {"gpu_node": [], "platform_cluster": ["--at-least", "10"], "endpoint": ["--at-least", "8"]}[request.param]
    seconds = SECONDS * SHARES[request.param]
    one = Matrix(arguments(["--resource", request.param, "--jobs", "1", "--seed", SEED, "--seconds", str(seconds), "--sample", "2000", *few]))
    try:
        one.open(*GROUNDS[request.param])
        yield one
    finally:
        one.close()


@pytest.fixture(params=sorted({where for places in GROUNDS.values() for where in places}))
def ground(matrix, request):
    """Each place, with nothing in it."""
    if request.param not in matrix.pools:
        pytest.skip("it does not live there")
    with matrix.borrowed(request.param) as one:
        one.reset()
        yield one


@pytest.mark.parametrize("case", ONCE_LOST, ids=lambda c: " ".join(map(str, c)))
def test_once_lost(matrix, case):
    resource, cloud, operation, fault, call, occurrence = case
    if resource != matrix.options.resource:
        pytest.skip("of another resource")
    with matrix.borrowed(cloud) as ground:
        assert Case(ground, operation, BY_NAME[fault], call, occurrence).run(matrix.facts[cloud][1][operation]), "the call was not reached"


def refused(core, config, text):
    with pytest.raises(Failed, match=text):
        core.apply(config)


def test_another_configuration_of_the_same_name(ground):
    """It is refused while the first is at work, when the first has been killed on another machine, and when it is done."""
    config, thing = ground.base, ground.thing
    with Core(ground) as first, Core(ground) as second:
        ground.rules([{"operation": ground.made_last, "hold": "before", "times": 1}])
        thread = threading.Thread(target=first.apply, args=(config,))
        thread.start()
        while not ground.hits():
            assert thread.is_alive()
        refused(second, config, f"The name is taken: An apply is making a {thing}")
        assert not [c for c in ground.calls() if c["operation"] == ground.made_last][1:]
        ground.clear_rules()
        thread.join()
        made = ground.exists()
        refused(second, config, f"The name is taken: A {thing} .* exists")
        assert ground.exists() == made
        assert first.difference(config) == []
        first.destroy()
        assert not ground.exists()


def test_a_fresh_key_after_a_kill(ground):
    """What the killed create has stored is not taken for what is wanted now."""
    if not ground.fresh:
        pytest.skip("it has no secret")
    fresh = {**ground.base, **ground.fresh}
    with Core(ground) as killed:
        rule = {"operation": ground.made_last, "signal": {"pid": killed.plugin.process.pid}, "drop": "before"}
        killed.before_apply = lambda: ground.rules([rule])
        with pytest.raises(Failed, match="no answer"):
            killed.apply(ground.base)
    assert ground.secret() == ground.keys[0]
    ground.clear_rules()
    with Core(ground) as core:
        core.apply(fresh)
        assert ground.secret() == ground.keys[1]
        assert core.difference(fresh) == []
        core.destroy()
    assert not ground.exists()


def not_there(cloud, call):
    """What a cloud says of an object that it does not know: an error, or a list without it."""
    if inside(call["operation"]):
        return {"error": {"status": 404, "message": "simulated"}}
    if cloud == "gcp":
        return {"error": {"status": 404, "code": "notFound", "message": "simulated"}}
    if call["service"] == "iam":
        return {"error": {"status": 404, "code": "NoSuchEntity", "message": "simulated"}}
    if call["operation"] in SAGEMAKER:
        return {"error": {"status": 400, "code": "ValidationException", "message": f"Could not find {SAGEMAKER[call['operation']]} \"arn:aws:sagemaker\"."}}
    members = service_model(call["service"]).operation_model(call["operation"]).output_shape.members
    lists = {name: [] for name, shape in members.items() if shape.type_name == "list"}
    if call["operation"].startswith("Describe") and lists:
        return {"set": lists}
    return {"error": {"status": 404 if call["service"] == "eks" else 400, "code": "ResourceNotFoundException", "message": "simulated"}}


def test_a_refresh_that_is_lied_to(ground):
    """Each of its reads once does not find what is there. Nothing is made twice, and nothing is replaced. Of a platform's reads, which are many, the
    seed says which."""
    config = ground.base
    with Core(ground) as core:
        core.apply(config)
        made, before = ground.identities(), len(ground.calls())
        core.refresh()
        counts, every = collections.Counter(), {"gpu_node": 1, "platform_cluster": 4, "endpoint": 3}[ground.resource]
        reads = [c for c in ground.calls()[before:] if not c["operation"].endswith("Attribute")]
        for number, call in enumerate(sorted(reads, key=lambda c: c["operation"])):
            if number % every != int(SEED) % every:
                counts[call["operation"]] += 1
                continue
            ground.rules([{"operation": call["operation"], "skip": counts[call["operation"]], "times": 1, **not_there(ground.name, call)}])
            counts[call["operation"]] += 1
            core.apply(config)
            assert ground.hits() == 1, call["operation"]
            ground.clear_rules()
            assert ground.identities() == made, call["operation"]
            assert core.difference(config) == [], call["operation"]
        core.destroy()
        assert not ground.exists()


def pools(ground):
    return {name for name in map(str, ground.identities()) if ground.pool in name}


def with_a_fault(core, config, words, put):
    """An apply that fails with `words`, because of what `put` does when the plan is there."""
    core.before_apply = put
    with pytest.raises(Failed, match=words):
        core.apply(config)
    core.before_apply = lambda: None
    core.ground.clear_rules()


def test_pools_of_other_settings(ground):
    """Pools that a state does not have, made for settings that nobody wants any more, are found and removed by an apply and by a destroy."""
    if ground.resource != "platform_cluster":
        pytest.skip("it has no pools")
    failing = {"operation": ground.made_last, "code": "InternalFailure", "message": "simulated", "times": 1}
    never = {"operation": ground.made_last, "operation_error": {"code": "INVALID_ARGUMENT", "message": "simulated"}, "times": -1}
    # Google's alert policies have keys of their own, which are not those of pools.
    base = {**ground.base, **({} if ground.name == "aws" else {"observability": {}})}
    two, other = {**base, "node_pools": {"general": {"max": 2}, "more": {"max": 2}}}, {**base, **ground.moved}
    with Core(ground) as core:
        with_a_fault(core, two, "simulated", lambda: ground.sim.control("failures", [failing]) if ground.name == "aws" else
                     ground.rules([never]))
        failed = pools(ground)
        core.apply(other)
        assert failed and len(pools(ground)) == 1 and not pools(ground) & failed
        assert core.difference(other) == []
        kill = {"operation": ground.pool_goes, "signal": {"pid": core.plugin.process.pid}, "drop": "before", "times": 1}
        with_a_fault(core, {**other, "node_pools": {"late": {"max": 2}}}, "no answer", lambda: ground.rules([kill]))
    assert len(pools(ground)) == 2
    with core.successor() as last:
        last.destroy()
    assert not ground.exists()


def test_sample(matrix):
    matrix.run()
    print(matrix.table())
    assert not matrix.lost, "\n".join([matrix.table(), *matrix.lost])

"""What generated configurations of every resource share: places in a configuration, and the simulated clouds as such. Which values there are,
what goes together and what does not says each resource (gpu_node.py, platform_cluster.py)."""
import contextlib
import json
import pathlib
import random
import string

from tests.acceptance.conftest import aws_settings, gcp_settings
from tests.kube.linked import Linked
from tests.sim.cloud import Cloud as AwsClient
from tests.sim.gcp.client import Cloud as GcpClient

ROOT = pathlib.Path(__file__).resolve().parents[2]
LIKELY = 0.3
QUOTED = '/a"b\\c'


class Existing:
    """Objects that the account has already, for attributes that name one."""

    def __init__(self, **ids):
        self.__dict__.update(ids)


def word(rng, letters=string.ascii_lowercase, most=12):
    return "".join(rng.choice(letters) for _ in range(rng.randint(1, most)))


# ---- places: a dotted path, or a tuple of names, keys of maps and indexes of lists

def parts_of(place):
    return place.split(".") if isinstance(place, str) else place


def step(value, part):
    if isinstance(value, dict):
        return value.get(part)
    return value[part] if isinstance(value, list) and isinstance(part, int) and part < len(value) else None


def get(config, place):
    for part in parts_of(place):
        config = step(config, part)
    return config


def put(config, place, value):
    *parents, last = parts_of(place)
    for part in parents:
        config = config[part] if isinstance(config, list) else config.setdefault(part, {})
    config[last] = value


def drop(config, place):
    *parents, last = parts_of(place)
    parent = get(config, parents)
    if isinstance(parent, dict):
        parent.pop(last, None)
    elif isinstance(parent, list) and last < len(parent):
        parent.pop(last)


# ---- subjects

class Subject:
    """A resource on a cloud. `name` is the cloud's.

    domain(existing): {path in the schema: f(rng)}: values where the schema allows more than there is; of a map of objects its keys, of a list their
    number. mend(rng, config, existing) takes back what cannot be together, and adds what has to be. keep(rng, config, other, existing) does the same
    for a change from `config` to `other`. invalid(base): (what, path of the culprit, configuration) beyond what the schema says.
    `foreign`: {path of an attribute that the cloud lacks: a value that is right elsewhere}. `base`: the smallest configuration. `needs`: {path of
    an object: what has to be in it}, beside what the schema says. `together`: how many live in one root. `sample`: how many are in a quick one.
    """
    resource = offline = None
    together, sample = 10, 5
    likely, needs, never_unknown, foreign = {}, {}, (), {}

    def __init__(self):
        self.schema = json.loads((ROOT / f"schemas/resources/{self.resource}.json").read_text())
        self.type = self.schema["type"]
        self.attributes = self.schema["attributes"]

    def key(self, values, path):
        """A key of the map of objects at `path`."""
        return next(filter(None, (values[path](random.Random(seed)) for seed in range(100))))[0]

    def member(self, a, path, text):
        """A member of the collection `a` that is right; `text` tells it from others."""
        return {} if "nesting" in a else text

    def keep(self, rng, config, other, existing):
        del rng, config, existing
        return other

    def identity(self, config):
        """What an import calls it."""
        return f"{self.name}/{config.get('region', self.region)}/{config['name']}"

    def outside(self):
        """A context with what has to be beside the simulator while configurations live; prepare() gets what it gives."""
        return contextlib.nullcontext()


class Aws(Subject):
    name, region, simulator, client = "aws", "us-east-1", "tests.sim.aws", AwsClient
    settings = staticmethod(aws_settings)

    def left(self, sim, client):
        """What there is, for a comparison."""
        del sim
        return sorted(o[:2] for o in client.owned())

    def provider(self, rng):
        """A provider block, or nothing."""
        tags = {word(rng, most=4): rng.choice(["", "usual"]) for _ in range(rng.randint(0, 2))}
        return {"aws": {"default_tags": tags}} if tags else {}


class Gcp(Subject):
    name, region, simulator, client = "gcp", "us-central1", "tests.sim.gcp", GcpClient
    project, number = "test-project", "123456789012"
    settings = staticmethod(gcp_settings)

    def left(self, sim, client):
        """What is there, and who may do what to the project and the secret."""
        assert sim.control("defects") == []
        projects = client.client("cloudresourcemanager", "v1").projects()
        policies = [projects.getIamPolicy(resource=self.project, body={"options": {"requestedPolicyVersion": 3}}).execute(), *self.policies(client)]
        return client.made() + sorted(f"{i} {b['role']} {m}" for i, policy in enumerate(policies) for b in policy.get("bindings", []) for m in b["members"])

    def policies(self, client):
        """Policies of objects that exist before."""
        del client
        return []

    def provider(self, rng):
        labels = {word(rng, most=4): rng.choice(["", "usual"]) for _ in range(rng.randint(0, 2))}
        return {"gcp": {"default_labels": labels}} if labels else {}


class InCluster:
    """Before a subject's cloud: with an API server behind its clusters. existing(sim, client) is what prepare() is elsewhere."""
    kube = None

    @contextlib.contextmanager
    def outside(self):
        with Linked(self.name) as self.kube, self.kube.controllers():
            yield

    def settings(self, endpoint):
        return {**super().settings(endpoint), **self.kube.settings}

    def left(self, sim, client):
        return super().left(sim, client) + self.kube.objects()

    def prepare(self, sim, client):
        """An account with the objects that configurations may name."""
        self.kube.clean()
        self.kube.link(sim)
        return self.existing(sim, client)

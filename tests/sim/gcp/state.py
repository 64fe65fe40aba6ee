"""What the simulated GCP remembers, and the tables of what it does by hand.

Things: a Thing is one object of a service: its name relative to the service ("projects/p/zones/z/instances/i", "projects/p/secrets/s"),
the body as the API shows it, and what the API does not show. Effects that are still to come wait in STATE.later; every call first has those
whose time has come."""
import random
import threading
import time
import uuid

PROJECT, NUMBER = "test-project", "123456789012"
PUBLIC = "0"  # the number of projects whose images are everyone's
SERVICES = ("compute", "iam", "iamcredentials", "cloudresourcemanager", "secretmanager", "logging", "serviceusage", "storage", "sts", "container",
            "artifactregistry", "aiplatform", "monitoring", "oauth2")
# Settings that tests may change. check_tokens: refuse calls without a known bearer token. operation_s: how long operations take unless
# `settle` says otherwise. wait_s: how long operations.wait waits at most. page_size: most items of a page; 0 leaves it to the caller.
# stockout_details: name the zones that have capacity. issued_for_s: how long tokens are good. concurrent_pools: node pools of one cluster change
# side by side; without it each waits for the others.
SETTINGS = {"check_tokens": True, "operation_s": 0.1, "wait_s": 120, "page_size": 0, "issued_for_s": 3600, "stockout_details": True,
            "concurrent_pools": True}


class Thing:
    def __init__(self, service, name, collection, body, project):
        self.service, self.name, self.collection, self.body, self.project = service, name, collection, body, project
        self.operation = None  # that is still making or removing it
        self.policy = None
        self.data = {}  # what the API does not show
        self.made = next_order()


class Project:
    def __init__(self, project_id, number):
        self.id, self.number = project_id, number
        self.services = {f"{s}.googleapis.com" for s in SERVICES}
        self.metadata = []  # common instance metadata
        self.policy = None
        self.state = "ACTIVE"
        self.identity_pools = set()  # PROJECT.svc.id.goog, once a cluster has Workload Identity


class State:
    def __init__(self):
        self.lock = threading.RLock()
        self.reset()

    def reset(self):
        self.calls, self.violations, self.advice, self.defects, self.rules, self.running = [], [], [], [], [], 0
        self.settings = dict(SETTINGS)
        self.settle = {}  # method id -> seconds until its effect is there
        self.visible = {}  # method id -> seconds until other parts of the cloud know what it made
        self.clock_offset_s = 0
        self.later = []  # (time, n, function)
        self.projects = {}
        self.things = {}  # (service, name) -> Thing
        self.operations = {}  # (service, name) -> operation
        self.requests = {}  # requestId and what it came with -> operation
        self.images = set()  # in Artifact Registry: "us-docker.pkg.dev/p/r/vllm:1"
        self.quotas = {}  # "METRIC" or "region/METRIC" -> limit
        self.stock = {}  # zone -> {machine type or accelerator: what is left}
        self.offers = {}  # machine type or accelerator -> zones, when a test has set them
        self.guest = {}  # instance name or "*" -> {"namespace/key": value}
        self.cluster_endpoints = {}  # cluster's name or "*" -> {"endpoint", "clusterCaCertificate"}
        self.hidden = {}  # name -> reads that do not find it yet
        self.young = {}  # name -> time from which on all parts know it
        self.buried = {}  # service accounts that were deleted, by unique id
        self.tokens, self.users, self.subjects = {}, {}, {}
        self.aws_keys = {"test": "test", "AKIDEXAMPLE": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"}
        self.metadata_identity = None
        self.used_permissions, self.allowed_permissions, self.denied_permissions = set(), None, set()
        self.generation = uuid.uuid4().hex  # the world's; answers of an older one are stale
        for prepare in PREPARE:
            prepare()

    def now(self):
        """The cloud's clock."""
        return time.time() + self.clock_offset_s

    def at(self, seconds, function):
        """Has an effect after so many seconds."""
        self.later.append((time.time() + seconds, next_order(), function))

    def run_due(self):
        now = time.time()
        while True:
            due = min((entry for entry in self.later if entry[0] <= now), default=None, key=lambda e: e[:2])
            if due is None:
                return
            self.later.remove(due)
            due[2]()

    def is_young(self, name):
        return self.young.get(name, 0) > time.time()

    def violation(self, text):
        self.violations.append(text)

    def project(self, name):
        """A project by its id or number, or None."""
        if name in self.projects:
            return self.projects[name]
        return next((p for p in self.projects.values() if p.number == name), None)

    def add_project(self, project_id, number=None):
        if project_id not in self.projects:
            self.projects[project_id] = Project(project_id, str(number or random.randrange(10 ** 11, 10 ** 12)))
        return self.projects[project_id]

    def thing(self, service, name):
        return self.things.get((service, name))

    def of(self, service, collection=None, prefix=None):
        """The things of a service, oldest first."""
        found = [t for (s, n), t in self.things.items() if s == service and collection in (None, t.collection) and n.startswith(prefix or "")]
        return sorted(found, key=lambda t: t.made)

    def add(self, thing):
        self.things[thing.service, thing.name] = thing
        return thing

    def remove(self, thing):
        if self.things.get((thing.service, thing.name)) is thing:
            del self.things[thing.service, thing.name]


_order = iter(range(1, 1 << 62))


def next_order():
    return next(_order)


PREPARE = []  # what a new world has: f()
OWN = {}  # method id -> f(request), returns the answer's body
STATE = None


def own(*methods):
    """Answers these methods: f(request) returns the answer's body. A * stands for one or more parts of the id."""
    def register(function):
        for method in methods:
            OWN[method] = function
        return function
    return register


def prepare(function):
    PREPARE.append(function)
    return function


STATE = State()

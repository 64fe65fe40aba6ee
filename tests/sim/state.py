"""What the simulator remembers besides moto's own state, and the tables of what it does itself."""
import threading
import time

ACCOUNT = "123456789012"
KEYS = {"test": "test", "AKIDEXAMPLE": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"}
# Settings that tests may change. page_size: 0 leaves pages to moto. check_signatures: refuse what is signed wrongly.
SETTINGS = {"page_size": 0, "check_signatures": True, "issued_for_s": 3600}


class Refused(Exception):
    """AWS says no to this call."""

    def __init__(self, code, message, status=None):
        super().__init__(f"{code}: {message}")
        self.code, self.message, self.status = code, message, status


class Key:
    """A secret key; token and expiry for those that were issued for a while."""

    def __init__(self, secret, token=None, expires=None):
        self.secret, self.token, self.expires = secret, token, expires


class State:
    def __init__(self):
        self.lock = threading.RLock()  # of what is below
        self.moto_lock = threading.RLock()  # moto is not made for several calls at once
        self.reset()

    def reset(self):
        self.calls, self.violations, self.advice, self.rules, self.running = [], [], [], [], 0
        self.quotas = {}  # values that a test has set, by code
        self.settings = dict(SETTINGS)
        self.clock_offset_s = 0  # of the cloud's clock to this machine's
        self.tokens = {}  # answers to calls with a client token
        self.images = {}  # Deep Learning images by region and parameter
        self.offers = {}  # zones of an instance type, when a test has set them
        self.settle = {}  # seconds until the effect of an operation is there
        self.later = []  # (time, function): effects that are still to come
        self.young = {}  # id or name -> time from which on all parts of the cloud know it
        self.clusters = {}  # EKS: (account, region) -> {name: Cluster}
        self.cluster_endpoints = {}  # name, or None for all -> what a test has put behind them
        self.sagemaker, self.scaling = {}, {}  # SageMaker and Application Auto Scaling: (account, region) -> what is there
        self.failures = []  # what operations of EKS and SageMaker are to end with
        self.nat_failures = {}  # NAT gateway -> (code, message)
        self.keys = {key: Key(secret) for key, secret in KEYS.items()}

    def now(self):
        """The cloud's clock."""
        return time.time() + self.clock_offset_s

    def after(self, operation, effect):
        """Has the effect of an operation now, or when it has settled."""
        seconds = self.settle.get(operation, 0)
        if seconds <= 0:
            return effect()
        self.later.append((time.time() + seconds, effect))
        return None

    def run_due(self):
        """Has the effects whose time has come. Called with moto's lock held."""
        now = time.time()
        due, self.later = [e for t, e in self.later if t <= now], [(t, e) for t, e in self.later if t > now]
        for effect in due:
            effect()

    def is_young(self, name):
        return self.young.get(name, 0) > time.time()

    def violation(self, text):
        with self.lock:
            self.violations.append(text)


STATE = State()

CHECKS, OWN, EFFECTS, EDITS = {}, {}, {}, {}


def check(service, *operations):
    """Before moto sees the call: f(request), raises Refused for what AWS refuses and moto lets through."""
    return _register(CHECKS, service, operations)


def own(service, *operations):
    """Instead of moto: f(request) returns the output as a dict; None leaves the call to moto."""
    return _register(OWN, service, operations)


def effect(service, *operations):
    """After moto answered well: f(request, output), with output() the parsed answer."""
    return _register(EFFECTS, service, operations)


def edit(service, *operations, when=None):
    """After moto answered well: f(request, output) changes the parsed answer in place. when(request): whether it has to."""
    return _register(EDITS, service, operations, when)


def _register(table, service, operations, when=None):
    def register(function):
        for operation in operations:
            table.setdefault((service, operation), []).append((function, when) if table is EDITS else function)
        return function
    return register

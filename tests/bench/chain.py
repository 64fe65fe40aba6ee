"""The longest chain of calls that an apply needs, through the graph of the components that it has made: what each was built on is in
the records, and each call is about the component whose attributes it has most of."""
import base64
import functools
import json
import pathlib

SCHEMAS = pathlib.Path(__file__).resolve().parents[2] / "schemas/components"


def records_of(state_file):
    """The records of all resources in a state: [{"name", "kind", "attrs", "needs"}]."""
    state = json.loads(pathlib.Path(state_file).read_text())
    privates = [i["private"] for r in state["resources"] for i in r["instances"] if i.get("private")]
    return [record for p in privates for record in json.loads(base64.b64decode(p))["records"]]


def texts_of(value):
    if isinstance(value, (dict, list)):
        return {t for v in (value.values() if isinstance(value, dict) else value) for t in texts_of(v)}
    return {str(value)}


@functools.lru_cache(None)
def kind_of(kind):
    """The table of a kind, as schemas/components has it."""
    cloud, _, name = kind.partition("_")
    return json.loads((SCHEMAS / cloud / f"{name}.json").read_text())


@functools.lru_cache(None)
def operations_of(kind):
    """What is called of a kind: operations of AWS, or the plural of a kind of Kubernetes. Nothing of one that only a destroy looks at."""
    if "destroyed_by" in kind_of(kind):
        return frozenset()

    def walk(value):
        if isinstance(value, list):
            return {o for v in value for o in walk(v)}
        if not isinstance(value, dict):
            return set()
        found = {o for v in value.values() for o in walk(v)}
        if kind.startswith("kubernetes_") and "uri" in value:
            return found | {value["uri"].split("{?")[0].removesuffix("/{name}").rpartition("/")[2]}
        # Google's calls are named with their service, AWS's without.
        return found | ({value["op"], f"{kind_of(kind).get('service')}.{value['op']}"} if "op" in value else set())
    return walk(kind_of(kind))


class Components:
    def __init__(self, records):
        self.records = {r["name"]: r for r in records}
        self.texts = {r["name"]: texts_of(r["attrs"]) | {r["name"]} for r in records}

    @staticmethod
    def given(call):
        """The texts that a call names its object by."""
        return texts_of(call["params"])

    def of(self, call):
        """The name of the component that a call is about; None: none that is known. Of those that fit alike, the one whose id it has."""
        given = self.given(call)
        fit = {name: (len(given & self.texts[name]), r["attrs"].get(kind_of(r["kind"])["id"]) in given)
               for name, r in self.records.items() if call["operation"].split()[-1] in operations_of(r["kind"])}
        best = max(fit, key=fit.get, default=None)
        return best if best and fit[best][0] else None

    def longest(self, calls):
        """(seconds, [operations]) of the longest chain. The calls about one component follow each other."""
        own, done = {}, {}
        for call in sorted(calls, key=lambda c: c["start"]):
            own.setdefault(self.of(call), []).append(call)
        assert None not in own, [c["operation"] for c in own[None]]

        def chain(name):
            if name not in done:
                before = max((chain(n) for n in self.records[name]["needs"] if n in self.records), default=(0, []), key=lambda b: b[0])
                mine = own.get(name, [])
                done[name] = (before[0] + sum(c["end"] - c["start"] for c in mine), before[1] + [c["operation"] for c in mine])
            return done[name]
        return max((chain(n) for n in self.records), key=lambda b: b[0])


class GoogleComponents(Components):
    """The same on Google Cloud, where calls name objects by their paths, and a change is waited for by its operation."""

    def __init__(self, records):
        super().__init__(records)
        self.begun = {}  # last part of an object's path -> the component whose change began last on it

    @staticmethod
    def given(call):
        found = texts_of(call["params"])
        return found | {t.rpartition("/")[2] for t in found}

    def of(self, call):
        if call["operation"].endswith(".operations.get"):
            return self.begun.get(call["params"]["name"].partition("/operations/")[0].rpartition("/")[2])
        name = super().of(call)
        if name and not call["operation"].endswith((".get", ".list")):
            self.begun.update(dict.fromkeys(self.given(call), name))
        return name

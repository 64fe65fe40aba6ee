"""Every method of every document is called with what the document allows: the GCP simulator answers it, refuses it with a reason, or says that it
does not simulate it. It never fails, and it finds no fault in such requests."""
import http.client
import json
import os
import random
import re
import urllib.parse

import pytest

from tests.sim.gcp.fixtures import P, R, Z, front, process  # noqa: F401
from tests.sim.gcp.model import VERSIONS, document, read_only

KNOWN = {"project": P, "projectId": P, "projectsId": P, "zone": Z, "region": R, "locationsId": R}
SEEDS = int(os.environ.get("SIM_SEEDS", "2"))


class Maker:
    """Values that fit a schema."""

    def __init__(self, method, seed):
        self.method, self.random = method, random.Random(f"{method.id}{seed}")

    def value(self, schema, name="", depth=0):
        if "$ref" in schema:
            schema = {**schema, **self.method.schema(schema["$ref"])}
        kind = schema.get("type")
        if kind == "object" or "properties" in schema:
            return self.object(schema, depth)
        if kind == "array":
            return [self.value(schema["items"], name, depth + 1) for _ in range(self.random.choice((0, 1, 2)))] if depth < 6 else []
        return self.scalar(schema, name)

    def object(self, schema, depth):
        if "additionalProperties" in schema:
            return {"key": self.value(schema["additionalProperties"], "key", depth + 1)} if depth < 6 else {}
        result = {}
        for name, inner in schema.get("properties", {}).items():
            needed = "required" in inner.get("annotations", {}) or inner.get("description", "").startswith("Required.")
            if not read_only(inner) and (needed or depth < 6 and self.random.random() < 0.5 / (depth + 1)):
                result[name] = self.value(inner, name, depth + 1)
        return result

    def scalar(self, schema, name):
        kind, shape = schema.get("type"), schema.get("format")
        if kind == "boolean":
            return self.random.random() < 0.5
        if kind in ("integer", "number"):
            low = int(schema.get("minimum", 0))
            return self.random.randint(low, min(low + 50, int(schema.get("maximum", low + 50))))
        if shape in ("int64", "uint64"):
            return str(self.random.randint(0, 100))
        special = {"byte": "AAAA", "google-datetime": "2026-01-01T00:00:00Z", "date-time": "2026-01-01T00:00:00Z", "google-duration": "3s",
                   "google-fieldmask": "labels"}
        if shape in special:
            return special[shape]
        if "enum" in schema:
            return self.random.choice(schema["enum"])
        if schema.get("pattern"):
            return matching(schema["pattern"])
        places = (f"projects/{P}/global/networks/net", f"zones/{Z}/disks/d", "10.1.0.0/16", "text", f"regions/{R}/subnetworks/s", "a-name")
        return "a-name" if name == "name" else self.random.choice(places)


def matching(pattern):
    """Something that fits one of the documents' patterns."""
    plain = pattern.strip("^$").replace("([a-z](?:[-a-z0-9]{0,61}[a-z0-9])?|[1-9][0-9]{0,19})", "abc")
    plain = re.sub(r"\[\^/\]\+", "xyz", plain).replace(".*", "xyz").replace(".+", "xyz")
    for text in (plain, "10.0.0.0/8", "10.0.0.1", "abc", "a", "1", "roles/abc", "#ffffff", "12:34", "abc.def", "0" * 40, "fd20::", "a-name", "tagValues/1", "tagKeys/1"):
        if re.fullmatch(pattern.strip("^$"), text):
            return text
    raise AssertionError(f"no example of {pattern}")


def path_of(method, maker):
    def fill(match):
        name = match[1].lstrip("+")
        schema = method.parameters.get(name, {})
        if match[1].startswith("+"):
            text = matching(schema.get("pattern", "xyz")).replace("projects/xyz", f"projects/{P}", 1)
            return urllib.parse.quote(text.replace("locations/xyz", f"locations/{R}", 1), safe="/-")
        if name in KNOWN:
            return KNOWN[name]
        return "a-name" if "pattern" not in schema or re.fullmatch(schema["pattern"].strip("^$"), "a-name") else matching(schema["pattern"])
    path = re.sub(r"\{([^}]+)\}", fill, method.path)
    query = [(n, maker.scalar(s, n)) for n, s in method.own_parameters.items() if s.get("location") == "query" and
             (s.get("required") or maker.random.random() < 0.2) and n not in ("requestId", "pageToken", "filter", "orderBy")]
    texts = [(n, str(v).lower() if isinstance(v, bool) else str(v)) for n, v in query]
    return f"/{method.service}/{method.document.base}{path}" + ("?" + urllib.parse.urlencode(texts) if texts else "")


@pytest.mark.parametrize("service", sorted(VERSIONS))
def test_every_method_has_an_answer(front, service):
    front.control("settings", {"operation_s": 0})
    for path, body in (("global/networks", {"name": "net", "autoCreateSubnetworks": False}), (f"zones/{Z}/disks", {"name": "d", "sizeGb": "10"}),
                       (f"regions/{R}/subnetworks", {"name": "s", "network": "global/networks/net", "ipCidrRange": "10.0.0.0/24"})):
        assert front.rest("POST", f"/compute/v1/projects/{P}/{path}", body)[0] == 200
    connection = http.client.HTTPConnection(front.url.removeprefix("http://"), timeout=30)
    statuses = {}
    for version in VERSIONS[service]:
        for method in document(service, version).methods:
            for seed in range(SEEDS):
                maker = Maker(method, seed)
                body = json.dumps(maker.value({"$ref": method.request})) if method.request else None
                headers = {"authorization": "Bearer test", "content-length": str(len(body or ""))}
                if body:
                    headers["content-type"] = "application/json"
                connection.request(method.http, path_of(method, maker), body, headers)
                answer = connection.getresponse()
                text = answer.read().decode()
                statuses[answer.status] = statuses.get(answer.status, 0) + 1
                assert front.control("defects") == [], method.id
                assert answer.status in (200, 204, 400, 403, 404, 409, 412, 501), f"{method.id}: {answer.status} {text}"
                if answer.status == 501:
                    assert method.id in text
    assert front.control("violations") == []
    assert statuses.get(200, 0) + statuses.get(204, 0) + statuses.get(501, 0) > 0

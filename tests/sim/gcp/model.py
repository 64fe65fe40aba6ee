"""Google's discovery documents (from the package google-api-python-client) as routes and checks: which method a request is, and whether its
path, parameters and body are what the document says."""
import base64
import binascii
import functools
import json
import os
import re
import urllib.parse

import googleapiclient

DOCUMENTS = os.path.join(os.path.dirname(googleapiclient.__file__), "discovery_cache", "documents")
# In this order a path is looked up when neither prefix nor Host names the service.
VERSIONS = {"compute": ["v1"], "iam": ["v1"], "secretmanager": ["v1"], "cloudresourcemanager": ["v1", "v3"], "logging": ["v2"],
            "serviceusage": ["v1", "v1beta1"], "iamcredentials": ["v1"], "storage": ["v1"], "sts": ["v1"], "oauth2": ["v2"], "artifactregistry": ["v1"],
            "container": ["v1"], "aiplatform": ["v1"], "monitoring": ["v3", "v1"]}
# Parameters of every method, besides those that a document lists.
COMMON = {"$alt", "$callback", "$prettyPrint", "$fields", "$key", "$quotaUser", "$userProject"}
INTEGERS = {"int32": (-1 << 31, (1 << 31) - 1), "uint32": (0, (1 << 32) - 1), "int64": (-1 << 63, (1 << 63) - 1), "uint64": (0, (1 << 64) - 1)}
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)")
DURATION = re.compile(r"-?\d+(\.\d{1,9})?s")
MASK = re.compile(r"[A-Za-z_*][\w*]*(\.[\w*`\-/]+)*(,[A-Za-z_*][\w*]*(\.[\w*`\-/]+)*)*")


class Problem:
    """What is wrong with a request: kind is unknown, type, format, enum, pattern, required, range or readOnly."""

    def __init__(self, kind, path, text, value=None):
        self.kind, self.path, self.text, self.value = kind, path, text, value

    def __str__(self):
        return f"{self.path}: {self.text}"


class Method:
    def __init__(self, document, method):
        self.document, self.service, self.version = document, document.service, document.version
        self.id, self.http, self.path = method["id"], method["httpMethod"], method["path"]
        self.parameters = {**document.common, **method.get("parameters", {})}
        self.own_parameters = method.get("parameters", {})
        self.request, self.response = (method.get(k, {}).get("$ref") for k in ("request", "response"))
        self.long = "done" in document.raw["schemas"].get(self.response, {}).get("properties", {})  # google.longrunning's
        parts = self.id.split(".")
        self.verb, self.collection = parts[-1], parts[-2]
        template = document.base + self.path
        # Of two methods that match a path the one that says more of it is meant: a verb after a colon, more text, a longer pattern.
        self.literals = (":" in template, len(re.sub(r"\{[^}]*\}", "", template)),
                         sum(len(re.sub(r"\W", "", p.get("pattern", ""))) for p in self.own_parameters.values() if "{+" in template))
        self.depth = None if "{+" in template else template.count("/")
        self.regex = re.compile("".join(self._piece(p) for p in re.split(r"(\{[^}]*\})", template)))

    def _piece(self, piece):
        if not piece.startswith("{"):
            return re.escape(piece)
        name = piece.strip("{}").lstrip("+")
        if not piece.startswith("{+"):
            return f"(?P<{name}>[^/]+)"
        pattern = self.parameters.get(name, {}).get("pattern", ".+")
        return f"(?P<{name}>{pattern.strip('^$')})"

    def schema(self, name):
        return self.document.schemas[name]


class Document:
    """One service in one version."""

    def __init__(self, service, version):
        with open(os.path.join(DOCUMENTS, f"{service}.{version}.json"), encoding="utf-8") as file:
            raw = json.load(file)
        self.service, self.version, self.raw = service, version, raw
        self.base, self.root, self.schemas, self.common = raw["servicePath"], raw["rootUrl"], raw["schemas"], raw.get("parameters", {})
        self.methods = [Method(self, m) for m in self._methods(raw)]
        self.by_id = {m.id: m for m in self.methods}
        self.routes = {}
        for method in self.methods:
            self.routes.setdefault((method.http, method.depth), []).append(method)

    def _methods(self, node):
        yield from node.get("methods", {}).values()
        for inner in node.get("resources", {}).values():
            yield from self._methods(inner)

    def match(self, http, path):
        found = []
        for depth in (path.count("/"), None):
            for method in self.routes.get((http, depth), ()):
                match = method.regex.fullmatch(path)
                if match:
                    found.append((method, {k: decoded(v, depth is None) for k, v in match.groupdict().items()}))
        return max(found, key=lambda f: f[0].literals, default=None)


def decoded(text, several):
    """A part of a path; where it may be several segments, an encoded slash stays one (google/api/http.proto, "Path template syntax")."""
    return "%2F".join(urllib.parse.unquote(p) for p in re.split("%2F", text, flags=re.I)) if several else urllib.parse.unquote(text)


@functools.lru_cache(None)
def document(service, version):
    return Document(service, version)


def documents(service):
    return [document(service, v) for v in VERSIONS[service]]


def route(http, path, host):
    """(method, path parameters) of a request, or None."""
    path = "/".join(urllib.parse.quote(urllib.parse.unquote(p), safe=":@!$&'()*+,;=-._~") for p in path.lstrip("/").split("/"))
    services = list(VERSIONS)
    named = host.split(".")[0] if ".googleapis." in host or host.count(".") > 3 else None
    if named and named.endswith("-aiplatform"):  # a location's own: us-central1-aiplatform.googleapis.com
        named = "aiplatform"
    if named in VERSIONS:
        services = [named]
    first, _, rest = path.partition("/")
    if first in VERSIONS and not any(path.startswith(d.base) and d.base for d in documents(first)):
        services, path = [first], rest
    elif first in VERSIONS and rest.startswith(f"{first}/"):
        services, path = [first], rest
    for service in services:
        for known in documents(service):
            found = known.match(http, path)
            if found:
                return found
    return None


def check_parameters(method, path_values, query):
    """Problems of path and query parameters, and the parameters as values. query: [(name, text)]."""
    problems, values = [], dict(path_values)
    for name, value in path_values.items():
        problems += _check_text(method.parameters.get(name, {}), value, name)
    for name, text in query:
        schema = method.parameters.get(name)
        if schema is None or schema.get("location") == "path":
            if name.lstrip("$") not in method.document.common and name not in COMMON:
                problems.append(Problem("unknown", name, "not a parameter of the method", text))
            continue
        problems += _check_text(schema, text, name)
        value = _from_text(schema, text)
        if schema.get("repeated"):
            values.setdefault(name, []).append(value)
        elif name in values:
            problems.append(Problem("type", name, "given twice", text))
        else:
            values[name] = value
    for name, schema in method.own_parameters.items():
        if schema.get("required") and name not in values:
            problems.append(Problem("required", name, "is required"))
    return problems, values


def _from_text(schema, text):
    if schema.get("type") == "boolean":
        return text == "true"
    if schema.get("type") == "integer" and re.fullmatch(r"-?\d+", text):
        return int(text)
    return text


def _check_text(schema, text, name):
    kind = schema.get("type")
    if kind == "boolean" and text not in ("true", "false"):
        return [Problem("type", name, "not a boolean", text)]
    if kind == "integer" and not re.fullmatch(r"-?\d+", text):
        return [Problem("type", name, "not an integer", text)]
    return check_scalar(schema, _from_text(schema, text), name)


def check_body(method, body):
    """Problems of a request's body."""
    if method.request is None:
        return [Problem("unknown", "body", "the method takes no body")] if body else []
    return list(_check(method, {"$ref": method.request}, body if body is not None else {}, ""))


def _check(method, schema, value, path):
    if "$ref" in schema:
        inner = method.schema(schema["$ref"])
        schema = {**schema, **inner, "description": schema.get("description", inner.get("description", ""))}
    if value is None:
        return
    kind = schema.get("type")
    if kind == "object" or "properties" in schema:
        yield from _check_object(method, schema, value, path)
    elif kind == "array":
        if not isinstance(value, list):
            yield Problem("type", path, "not a list", value)
            return
        for index, item in enumerate(value):
            if item is None:
                yield Problem("type", f"{path}[{index}]", "null within a list", item)
            yield from _check(method, schema["items"], item, f"{path}[{index}]")
    elif kind != "any":
        yield from check_scalar(schema, value, path)


def _check_object(method, schema, value, path):
    if not isinstance(value, dict):
        yield Problem("type", path, "not an object", value)
        return
    properties, other = schema.get("properties", {}), schema.get("additionalProperties")
    for name, inner in value.items():
        where = f"{path}.{name}" if path else name
        if name in properties:
            if read_only(properties[name]) and inner is not None:
                yield Problem("readOnly", where, "is read-only", inner)
            yield from _check(method, properties[name], inner, where)
        elif other is not None:
            yield from _check(method, other, inner, where)
        elif name != "@type" and properties:
            yield Problem("unknown", where, "not a field of the schema", inner)
    for name, inner in properties.items():
        if value.get(name) in (None, "") and required(method, name, inner) and not read_only(inner):
            yield Problem("required", f"{path}.{name}" if path else name, "is required")


def required(method, name, schema):
    if "required" in schema.get("annotations", {}):
        return method.id in schema["annotations"]["required"]
    text = schema.get("description", "")
    return text.startswith("Required.") and method.service != "compute" and method.verb.startswith("create") and "Output only" not in text[:60]


def read_only(schema):
    text = schema.get("description", "")
    return schema.get("readOnly", False) or text.startswith(("[Output Only]", "Output only.", "Output Only."))


def check_scalar(schema, value, path):
    kind, shape = schema.get("type", "string"), schema.get("format")
    if kind == "boolean":
        return [] if isinstance(value, bool) else [Problem("type", path, "not a boolean", value)]
    if kind in ("integer", "number") or shape in INTEGERS:
        return _check_number(schema, kind, shape, value, path)
    if not isinstance(value, str):
        return [Problem("type", path, "not a string", value)]
    problems = []
    if shape == "byte" and not _is_base64(value):
        problems.append(Problem("format", path, "not base64", value))
    if shape in ("google-datetime", "date-time") and not TIME.fullmatch(value):
        problems.append(Problem("format", path, "not an RFC 3339 time", value))
    if shape == "google-duration" and not DURATION.fullmatch(value):
        problems.append(Problem("format", path, "not a duration such as 3.5s", value))
    if shape == "google-fieldmask" and value and not MASK.fullmatch(value):
        problems.append(Problem("format", path, "not a field mask", value))
    if "enum" in schema and value not in schema["enum"] and value:
        problems.append(Problem("enum", path, f"not one of {', '.join(schema['enum'][:12])}", value))
    if "pattern" in schema and value and not re.fullmatch(schema["pattern"].removeprefix("^").removesuffix("$"), value):
        problems.append(Problem("pattern", path, f"Must be a match of regex '{schema['pattern']}'", value))
    return problems


def _check_number(schema, kind, shape, value, path):
    if isinstance(value, str):  # the JSON form of protocol buffers takes numbers as text, and writes 64 bits so
        try:
            value = float(value) if kind == "number" else int(value)
        except ValueError:
            return [Problem("type", path, "not a number", value)]
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return [Problem("type", path, "not a number", value)]
    if kind != "number" and value != int(value):
        return [Problem("type", path, "not a whole number", value)]
    low, high = INTEGERS.get(shape, (None, None))
    if low is not None and not low <= value <= high:
        return [Problem("range", path, f"not an {shape}", value)]
    if "minimum" in schema and value < int(schema["minimum"]) or "maximum" in schema and value > int(schema["maximum"]):
        return [Problem("range", path, f"not within {schema.get('minimum')} and {schema.get('maximum')}", value)]
    return []


def _is_base64(text):
    try:
        base64.b64decode(text.replace("-", "+").replace("_", "/") + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        return False
    return True


def answer_problems(method, body):
    """What of an answer the document does not know: a defect of the simulator."""
    if method.response is None or body is None:
        return []
    return [f"{method.id}: answer: {p}" for p in _check(method, {"$ref": method.response}, body, "")
            if p.kind in ("unknown", "type", "format", "range", "enum") and p.value != ""]


def without_read_only(method, schema, value):
    """A body without what only the cloud sets, as the APIs take it. null is as good as absent, but for Compute Engine's patches."""
    if "$ref" in schema:
        schema = method.schema(schema["$ref"])
    if isinstance(value, dict) and "properties" in schema:
        return {n: without_read_only(method, schema["properties"].get(n, {}), v) for n, v in value.items()
                if not read_only(schema["properties"].get(n, {})) and (v is not None or method.service == "compute")}
    if isinstance(value, list):
        return [without_read_only(method, schema.get("items", {}), v) for v in value]
    return value


def select(body, fields):
    """The parts of an answer that the parameter `fields` names: a,b(c,d),e/f,*."""
    tree, _ = _parse_fields(fields, 0)
    return _pick(body, tree)


def _parse_fields(text, at):
    tree, node, name = {}, None, ""
    target = tree
    while at <= len(text):
        char = text[at] if at < len(text) else ")"
        if char in ",)(/":
            if name:
                node = target.setdefault(name, {})
                name = ""
            if char == "/":
                target = node
            elif char == "(":
                inner, at = _parse_fields(text, at + 1)
                node.update(inner)
            else:
                target = tree
                if char == ")":
                    return tree, at
        elif not char.isspace():
            name += char
        at += 1
    return tree, at


def _pick(value, tree):
    if not tree or "*" in tree and not tree["*"]:
        return value
    if isinstance(value, list):
        return [_pick(v, tree) for v in value]
    if isinstance(value, dict):
        inner = tree.get("*")
        return {k: _pick(v, tree.get(k, inner)) for k, v in value.items() if k in tree or inner is not None}
    return value

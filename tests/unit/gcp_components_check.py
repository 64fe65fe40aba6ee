"""The calls of schemas/components/gcp against Google's discovery documents: each is a method of its service, with its verb and path; each
member of its request is a parameter of the method, or a field of its body that may be written; each permission that the table names is one of the
service. The acceptance tests see what is sent; this sees what no test has sent yet.

Usage: gcp_components_check.py
"""
import json
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.sim.gcp.model import DOCUMENTS, VERSIONS  # noqa: E402

# Read-modify-write of policies: the driver's own operations.
MEMBERS = re.compile(r"\.(add|remove|get)IamMember$")
DOCUMENT = {}


def document(service):
    """service: its name and the version, as in "monitoring.v1"."""
    if service not in DOCUMENT:
        DOCUMENT[service] = json.loads((pathlib.Path(DOCUMENTS) / f"{service}.json").read_text())
    return DOCUMENT[service]


def with_version(service, uri):
    version = re.match(r"/(?:\w+/)?(v\d+)/", uri)[1]
    return f"{service}.{version if version in VERSIONS[service] else VERSIONS[service][0]}"


def methods(service):
    def walk(node):
        for method in node.get("methods", {}).values():
            yield method["id"], method
        for inner in node.get("resources", {}).values():
            yield from walk(inner)
    return dict(walk(document(service)))


def shape(path):
    """A path with its parameters as {}: "v1/{+name}" stands for any of the flat ones."""
    return re.sub(r"\{[^}]*\}", "{}", path.lstrip("/"))


def request_members(template, service, schema, at, problems):
    """Checks an object template against a schema of the document."""
    schemas = document(service)["schemas"]
    schema = schemas[schema["$ref"]] if "$ref" in schema else schema
    if isinstance(template, dict) and not ({"value", "as"} >= set(template) or set(template) in ({"first"}, {"join"})):
        properties = schema.get("properties")
        if properties is None:
            if "additionalProperties" not in schema:
                problems.append(f"{at}: not an object in Google's document")
            return
        for name, value in template.items():
            if name not in properties:
                problems.append(f"{at}.{name}: no such field")
            elif properties[name].get("readOnly"):
                problems.append(f"{at}.{name}: read-only")
            else:
                request_members(value, service, properties[name], f"{at}.{name}", problems)
    elif isinstance(template, list):
        if schema.get("type") != "array":
            problems.append(f"{at}: not a list in Google's document")
            return
        for i, value in enumerate(template):
            request_members(value, service, schema["items"], f"{at}[{i}]", problems)
    elif isinstance(template, bool) and schema.get("type") != "boolean" or isinstance(template, str) and template[:1] != "$" and schema.get("type") not in ("string",):
        problems.append(f"{at}: {template!r} is no {schema.get('type')}")
    elif isinstance(template, str) and "enum" in schema and template[:1] != "$" and template not in schema["enum"]:
        problems.append(f"{at}: {template!r} is none of {schema['enum']}")


def is_link(path, wanted):
    """Whether a path that is "{+x}" alone, the relative link of an object, may be the wanted one: of a thing in a collection."""
    return re.fullmatch(r"\{\+\w+\}", path) is not None and re.fullmatch(r"projects/\{\}(/[\w{}]+)*/\{\}", wanted) is not None


def check_call(service, call, at, problems):
    name = call["op"]
    if MEMBERS.search(name):
        return 0
    method_id, service = f"{service}.{name}", with_version(service, call["uri"])
    method = methods(service).get(method_id)
    if method is None:
        problems.append(f"{at}: {service} has no method {name}")
        return 1
    if method["httpMethod"] != call["method"]:
        problems.append(f"{at}: {name} is {method['httpMethod']}")
    uri, _, query = call["uri"].partition("{?")
    query = [q for q in query.rstrip("}").split(",") if q]
    base = document(service)["servicePath"].strip("/")
    path = uri.lstrip("/")
    if base and not path.startswith(base + "/"):
        problems.append(f"{at}: the path does not begin with {base}")
    path = path[len(base):].lstrip("/") if base else path
    wanted = shape(method.get("flatPath", method["path"]))
    own = shape(path.replace("{accountId}@{project}.iam.gserviceaccount.com", "{email}"))
    if own != wanted and own != shape(method["path"]) and not is_link(path, wanted):
        problems.append(f"{at}: the path is {own}, Google's {wanted}")
    for q in query:
        if method.get("parameters", {}).get(q, {}).get("location") != "query":
            problems.append(f"{at}: {q} is no query parameter of {name}")
    in_path = re.findall(r"\{\+?(\w+)\}", uri)
    for p in in_path + query:
        if p not in call["request"]:
            problems.append(f"{at}: {p} is not in the request")
    body = {k: v for k, v in call["request"].items() if k not in in_path + query}
    if call["method"] in ("GET", "DELETE"):
        if body:
            problems.append(f"{at}: {sorted(body)} would be sent nowhere")
    elif body or "request" in method:
        request_members(body, service, method["request"], at, problems)
    return 1


def calls(value, at):
    if isinstance(value, dict):
        if "op" in value:
            yield at, value
        else:
            for k, v in value.items():
                yield from calls(v, f"{at}.{k}")
    elif isinstance(value, list):
        for i, v in enumerate(value):
            yield from calls(v, f"{at}[{i}]")


def main():
    problems, count = [], 0
    files = sorted((ROOT / "schemas/components/gcp").glob("*.json"))
    for file in files:
        component = json.loads(file.read_text())
        for at, call in calls({k: v for k, v in component.items() if k != "attributes"}, file.name):
            count += check_call(call.get("service", component["service"]), call, at, problems)
    print("\n".join(problems) if problems else f"{count} calls of {len(files)} kinds are as Google's documents have them")
    return 1 if problems or count < 50 else 0


if __name__ == "__main__":
    sys.exit(main())

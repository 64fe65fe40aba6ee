"""One API call: who calls, in which project, is it what the document allows, may it be now, and what is answered."""
import json
import re
import urllib.parse

from tests.sim.gcp import aip, catalog, compute, identity, model, permissions, storage
from tests.sim.gcp import artifact_registry, container, container_operations, container_pools, container_versions, monitoring  # noqa: F401 they register
from tests.sim.gcp import disks, enabling, iam, instances, logs, networks, operations, projects, secret_manager, vertex  # noqa: F401 they register
from tests.sim.gcp.errors import GoogleError, bad_request, error_info, service_disabled
from tests.sim.gcp.operations import WAITING
from tests.sim.gcp.state import PUBLIC, STATE, Project

BODY_METHODS = ("POST", "PUT", "PATCH")
# Where the name of a project stands in parameters.
PROJECT = re.compile(r"projects/([^/]+)(/|$)")
OPEN = ("sts", "oauth2")  # need no API to be enabled


class Request:
    """A call: what came, and what it means."""

    def __init__(self, http, path, query, headers, raw, base_url):
        self.http, self.path, self.headers, self.raw, self.base_url = http, path, headers, raw, base_url
        self.query = urllib.parse.parse_qsl(query, keep_blank_values=True)
        self.problems, self.params, self.body, self.rules = [], {}, None, []
        self.identity, self.token, self.project, self.path_values = None, None, None, {}
        found = model.route(http, path.replace("/upload/storage/", "/storage/", 1), headers.get("host", ""))
        self.method = found[0] if found else None
        self.service = self.method.service if found else None
        self.operation = self.method.id if found else None
        self.malformed, self.media = None, False
        if found:
            self.path_values = found[1]
            self._parse()

    def _parse(self):
        self.problems, self.params = model.check_parameters(self.method, self.path_values, self.query)
        self.media = self.path.lstrip("/").startswith("upload/") or "/upload/" in self.path
        if self.raw and not self.media:
            try:
                self.body = json.loads(self.raw)
            except ValueError as error:
                self.malformed = f"Invalid JSON payload received. {error}"
                self.problems.append(model.Problem("type", "body", "not JSON", None))
                return
            kind = self.headers.get("content-type", "").split(";")[0].strip()
            if kind != "application/json":
                self.problems.append(model.Problem("format", "content-type", f"is '{kind}', not application/json"))
            if not isinstance(self.body, dict):
                self.malformed = "Invalid JSON payload received. Not an object."
                self.problems.append(model.Problem("type", "body", "not an object", None))
                self.body = None
                return
            self.params["body"] = self.body  # for rules
        self.problems += model.check_body(self.method, self.body)

    def violations(self):
        if self.method is None:
            return [f"{self.http} {self.path}: no method of a simulated service"]
        changing = self.method.verb in ("patch", "update", "setIamPolicy", "updateAsync") or self.method.verb.startswith("set")
        return [f"{self.method.id}: {p}" for p in self.problems if not (p.kind == "readOnly" and changing)]

    def advice(self):
        """Read-only fields that come back with a change, as clients that read, modify and write send them."""
        return [f"{self.operation}: {p}" for p in self.problems if p.kind == "readOnly"] if self.method else []

    def flat(self):
        """The parameters as they are recorded: of path and query, and the body as it came as "body"."""
        return dict(self.params)


def project_of(request):
    """The project that a request is about; raises if there is none. Also takes the project of X-Goog-User-Project, which pays."""
    name = request.path_values.get("project") or request.path_values.get("projectId")
    if request.service == "cloudresourcemanager" and request.method.version == "v1" and request.method.collection == "projects":
        name = name or request.path_values.get("resource")
    if request.service == "storage":
        bucket = STATE.thing("storage", f"b/{request.params.get('bucket')}")
        return STATE.project(bucket.project if bucket else request.params.get("project", ""))
    if name is None:
        texts = list(request.path_values.values())
        if request.service == "logging" and request.body:
            texts += [str(request.body.get("logName", "")), *map(str, request.body.get("resourceNames", []))]
        match = next((m for m in map(PROJECT.search, texts) if m), None)
        name = match[1] if match else None
    if name in (None, "-"):
        account = request.path_values.get("name", "")
        match = re.search(r"serviceAccounts/[^@]+@([^.]+)\.iam\.gserviceaccount\.com", account)
        return STATE.project(match[1]) if match else None
    found = STATE.project(name)
    if found is None and request.service == "compute":
        if name in catalog.FAMILIES and request.method.http == "GET":
            return Project(name, PUBLIC)
        raise GoogleError(404, f"The resource 'projects/{name}' was not found", "notFound")
    if found is None and request.service != "cloudresourcemanager":
        raise GoogleError(403, f"Permission denied on resource project {name}.", details=[
            error_info("CONSUMER_INVALID", service=f"{request.service}.googleapis.com", consumer=f"projects/{name}", containerInfo=name)])
    return found


def check_enabled(request):
    """The API must be on in the project that pays: that of X-Goog-User-Project, else the one the call is about."""
    if request.service in OPEN or request.method.id.startswith("serviceusage.services.enable"):
        return
    payer = request.headers.get("x-goog-user-project")
    project = request.project
    if payer:
        project = STATE.project(payer)
        if project is None:
            raise GoogleError(403, f"Caller does not have required permission to use project {payer}. Grant the caller the "
                                   "roles/serviceusage.serviceUsageConsumer role.", "forbidden", details=[error_info(
                                       "USER_PROJECT_DENIED", service=f"{request.service}.googleapis.com", consumer=f"projects/{payer}")])
    if project is not None and f"{request.service}.googleapis.com" not in project.services:
        raise service_disabled(request.service, project)


def check_request(request):
    """Refuses what Google refuses: the first problem of the request that is not merely a read-only field."""
    if request.malformed:
        raise GoogleError(400, request.malformed, "parseError")
    wrong = [p for p in request.problems if p.kind != "readOnly" and p.path != "content-type"]
    if not wrong:
        return
    if request.service == "compute":
        raise compute_problem(wrong[0])
    texts = {"unknown": 'Invalid JSON payload received. Unknown name "{0}": Cannot find field.', "enum": "Invalid value at '{0}' ({1}), \"{2}\"",
             "required": "Request contains an invalid argument: {0} is required."}
    named = [(p.path, texts.get(p.kind, "Invalid value at '{0}' ({1}), \"{2}\"").format(p.path, p.text, p.value)) for p in wrong]
    raise GoogleError(400, "\n".join(text for _, text in named), details=[{**bad_request(*named[0]), "fieldViolations": [
        {"field": path, "description": text} for path, text in named]}])


def compute_problem(problem):
    field = f"resource.{problem.path}"
    if problem.kind == "unknown":
        return GoogleError(400, f'Invalid JSON payload received. Unknown name "{problem.path}": Cannot find field.', "badRequest")
    if problem.kind == "required":
        return GoogleError(400, f"Required field '{field}' not specified", "required")
    return GoogleError(400, f"Invalid value for field '{field}': '{problem.value}'. {problem.text}", "invalid")


def call(request):
    """The body that answers a request; raises GoogleError."""
    with STATE.lock:
        STATE.run_due()
        request.token = identity.caller(request.headers, request.service)
        request.identity = request.token.identity
        request.project = project_of(request)
        check_enabled(request)
        check_request(request)
        if request.body is not None and request.method.request:
            request.body = model.without_read_only(request.method, {"$ref": request.method.request}, request.body)
        permissions.check(request)
    if request.method.id in WAITING:
        body = WAITING[request.method.id](request)
    else:
        with STATE.lock:
            body = perform(request)
            if isinstance(body, storage.Media):
                return body
            body = None if body is None else json.loads(json.dumps(body))
    if body is None:
        raise GoogleError(501, f"{request.method.id} is not simulated", "notImplemented")
    with STATE.lock:
        STATE.defects += model.answer_problems(request.method, body)
    fields = next((v for n, v in request.query if n in ("fields", "$fields")), None)
    return model.select(body, fields) if fields else body


def perform(request):
    if request.media:
        return storage.upload(request, request.raw, request.headers.get("content-type", "application/octet-stream"))
    if request.service == "compute":
        return compute.answer(request)
    if aip.operation_method(request.method):
        return aip.get_operation(request)
    return aip.answer(request)

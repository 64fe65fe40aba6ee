"""Operations of Google Kubernetes Engine (projects.locations.operations): what they show, and which changes must wait for which."""
import secrets
import time

from tests.sim.gcp import aip, catalog
from tests.sim.gcp.errors import GoogleError, OperationError
from tests.sim.gcp.state import STATE, own

HOST = "https://container.googleapis.com/v1/"
CODES = {"INTERNAL": 13, "RESOURCE_EXHAUSTED": 8, "FAILED_PRECONDITION": 9, "INVALID_ARGUMENT": 3, "PERMISSION_DENIED": 7}


class Operation:
    def __init__(self, request, kind, target, seconds):
        self.began, self.start, self.seconds = aip.timestamp(), time.time(), seconds
        self.done, self.cancelled, self.error, self.ended = False, False, None, None
        self.name, self.kind, self.target = f"operation-{int(time.time() * 1000)}-{secrets.token_hex(16)}", kind, target
        parts = target.split("/")
        self.place, self.path = parts[3], "/".join(parts[:4])
        self.number = request.project.number

    def status(self):
        if self.done:
            return "DONE"
        late = time.time() - self.start > min(self.seconds, 1) / 5 or self.seconds < 0
        return "ABORTING" if self.cancelled else "RUNNING" if late else "PENDING"

    def progress(self):
        """How far it is, as the console's bar shows it."""
        share = 1 if self.done else 0 if self.seconds <= 0 else min((time.time() - self.start) / self.seconds, 0.99)
        word = "CLUSTER_CONFIGURING" if self.kind.endswith("CLUSTER") else "NODES"
        return {"name": self.name, "status": self.status(), "metrics": [
            {"name": f"{word}_TOTAL", "intValue": "10"}, {"name": f"{word}_DONE", "intValue": str(int(share * 10))}]}

    def view(self):
        place = "zone" if self.place in catalog.zones() else "location"
        body = {"name": self.name, "operationType": self.kind, "status": self.status(), "startTime": self.began, place: self.place,
                "location": self.place, "selfLink": f"{HOST}projects/{self.number}/locations/{self.place}/operations/{self.name}",
                "targetLink": HOST + self.target.replace(self.target.split("/")[1], self.number, 1), "progress": self.progress()}
        if self.done:
            body["endTime"] = self.ended
        if self.error:
            code = self.error.code
            body["error"] = {"code": code if isinstance(code, int) else CODES.get(code, 13), "message": self.error.message}
            body["statusMessage"] = self.error.message
        return body


class New:
    """A pool that is still to be made."""
    operation = None


def busy(cluster, pool=None):
    """The operation that a change has to wait for, or None. A pool waits for the cluster and for its own; the cluster for everything."""
    pools = STATE.of("container", "nodePools", f"{cluster.name}/nodePools/")
    if pool is not None and STATE.settings["concurrent_pools"]:
        pools = [pool]
    return next((t.operation for t in [cluster, *pools] if t.operation), None)


def idle(cluster, pool=None):
    """Raises while an operation keeps the change waiting."""
    operation = busy(cluster, pool)
    if operation is None:
        return
    text = f"Cluster is running incompatible operation {operation.name}."
    if operation.kind.startswith("UPGRADE_"):
        text = f"Operation {operation.name} is currently upgrading cluster {cluster.body['name']}. Please wait and try again once it is done."
    raise GoogleError(400, text, status="FAILED_PRECONDITION")


def operate(request, kind, things, effect, failed=None):
    """Starts an operation on the first of the things; all of them are busy until it ends."""
    seconds = STATE.settle.get(request.method.id, STATE.settings["operation_s"])
    planned = next((r for r in request.rules if "operation_ms" in r or "operation_error" in r), {})
    if "operation_ms" in planned:
        seconds = planned["operation_ms"] / 1000
    operation = Operation(request, kind, things[0].name, seconds)

    def end():
        for thing in things:
            thing.operation = None
        try:
            if operation.cancelled:
                raise OperationError(1, "The operation was cancelled.")
            if "operation_error" in planned:
                given = planned["operation_error"]
                raise OperationError(given.get("code", "INTERNAL"), given.get("message", "simulated"))
            effect()
        except OperationError as error:
            operation.error = error
            if failed:
                failed(error)
        operation.done, operation.ended = True, aip.timestamp()
    operation.end = end
    for thing in things:
        thing.operation = operation
    STATE.operations["container", f"{operation.path}/operations/{operation.name}"] = operation
    if seconds == 0:
        end()
    elif seconds > 0:
        STATE.at(seconds, lambda: operation.done or end())
    return operation.view()


def found(request):
    operation = STATE.operations.get(("container", aip.key_of(request)))
    if operation is None:
        raise GoogleError(404, f"Not found: {request.path_values['name']}.")
    return operation


@own("container.projects.locations.operations.get")
def get_operation(request):
    return found(request).view()


@own("container.projects.locations.operations.cancel")
def cancel_operation(request):
    operation = found(request)
    if operation.done or operation.kind not in ("UPGRADE_NODES", "CREATE_NODE_POOL", "CREATE_CLUSTER"):
        raise GoogleError(400, f"Operation {operation.name} cannot be cancelled.", status="FAILED_PRECONDITION")
    operation.cancelled = True
    return {}


@own("container.projects.locations.operations.list")
def list_operations(request):
    parent = aip.key_of(request, "parent")
    prefix = parent.removesuffix("-") if parent.endswith("/locations/-") else parent + "/operations/"
    return {"operations": [o.view() for (s, n), o in STATE.operations.items() if s == "container" and n.startswith(prefix)]}

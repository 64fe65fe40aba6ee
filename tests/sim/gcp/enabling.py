"""Service Usage: which APIs a project may call."""
import re

from tests.sim.gcp import aip, catalog, vertex
from tests.sim.gcp.errors import GoogleError, error_info
from tests.sim.gcp.state import SERVICES, STATE, own

NAME = re.compile(r"(projects|organizations|folders)/([^/]+)/services/([a-z0-9.-]+)")
TITLES = {"compute": "Compute Engine API", "iam": "Identity and Access Management (IAM) API", "secretmanager": "Secret Manager API",
          "logging": "Cloud Logging API", "cloudresourcemanager": "Cloud Resource Manager API", "serviceusage": "Service Usage API"}


def project_of(name):
    match = NAME.fullmatch(name)
    project = STATE.project(match[2]) if match else None
    if project is None:
        raise GoogleError(403, f"Permission denied to get service [{name}]", details=[error_info("AUTH_PERMISSION_DENIED", "serviceusage.googleapis.com")])
    return project, match[3]


def known(host):
    return host.endswith(".googleapis.com")


def service(project, host):
    title = TITLES.get(host.split(".")[0], host)
    return {"name": f"projects/{project.number}/services/{host}", "parent": f"projects/{project.number}",
            "config": {"name": host, "title": title}, "state": "ENABLED" if host in project.services else "DISABLED"}


def unknown(host):
    return GoogleError(403, f"Service '{host}' not found or permission denied.", details=[error_info("SERVICE_CONFIG_NOT_FOUND_OR_PERMISSION_DENIED",
                                                                                            "serviceusage.googleapis.com", services=host)])


@own("serviceusage.services.get")
def get(request):
    project, host = project_of(request.path_values["name"])
    if not known(host):
        raise unknown(host)
    return service(project, host)


@own("serviceusage.services.list")
def list_services(request):
    project, _ = project_of(request.path_values["parent"] + "/services/x")
    hosts = sorted(project.services | {f"{s}.googleapis.com" for s in SERVICES})
    found = [service(project, h) for h in hosts]
    wanted = re.fullmatch(r"\s*state:(ENABLED|DISABLED)\s*", request.params.get("filter", ""))
    if request.params.get("filter") and not wanted:
        raise GoogleError(400, "The filter must be state:ENABLED or state:DISABLED.")
    return aip.page(request, [s for s in found if not wanted or s["state"] == wanted[1]], "services")


@own("serviceusage.services.batchGet")
def batch_get(request):
    return {"services": [service(*project_of(n)) for n in request.params.get("names", [])]}


METRIC = re.compile(r"(projects/[^/]+/services/aiplatform\.googleapis\.com)/consumerQuotaMetrics/aiplatform\.googleapis\.com%2F(custom_model_serving_\w+)")


@own("serviceusage.services.consumerQuotaMetrics.get")
def quota_metric(request):
    """Limits by region, as "Managing service quota" shows them; of Vertex AI's GPUs alone."""
    match = METRIC.fullmatch(request.path_values["name"])
    if not match:
        raise GoogleError(404, f"Quota metric {request.path_values['name']} not found.", status="NOT_FOUND")
    project, _ = project_of(match[1])
    name, metric = f"projects/{project.number}/services/aiplatform.googleapis.com/consumerQuotaMetrics/aiplatform.googleapis.com%2F{match[2]}", match[2]
    places = [r for r in sorted(catalog.REGIONS) if f"{r}/{metric}" in STATE.quotas]
    buckets = [{"effectiveLimit": str(vertex.limit(metric)), "defaultLimit": str(vertex.QUOTA)},
               *({"effectiveLimit": str(vertex.limit(metric, r)), "defaultLimit": str(vertex.QUOTA), "dimensions": {"region": r}} for r in places)]
    full = f"aiplatform.googleapis.com/{metric}"
    return {"name": name, "metric": full, "unit": "1", "displayName": metric.replace("_", " "), "consumerQuotaLimits": [
        {"name": f"{name}/limits/%2Fproject%2Fregion", "metric": full, "unit": "1/{project}/{region}", "allowsAdminOverrides": True,
         "quotaBuckets": buckets}]}


@own("serviceusage.services.enable")
def enable(request):
    project, host = project_of(request.path_values["name"])
    return turn_on(request, project, [host], "EnableServiceResponse")


@own("serviceusage.services.batchEnable")
def batch_enable(request):
    project, _ = project_of(request.path_values["parent"] + "/services/x")
    return turn_on(request, project, (request.body or {}).get("serviceIds", []), "BatchEnableServicesResponse")


def turn_on(request, project, hosts, kind):
    for host in hosts:
        if not known(host):
            raise unknown(host)

    def effect():
        project.services.update(hosts)
        found = [service(project, h) for h in hosts]
        return {"service": found[0]} if kind.startswith("Enable") else {"services": found}
    return aip.operate(request, "", effect, name=f"operations/acat.p2-{project.number}-{aip.secrets.token_hex(16)}",
                       response_type=f"type.googleapis.com/google.api.serviceusage.v1.{kind}")


@own("serviceusage.services.disable")
def disable(request):
    project, host = project_of(request.path_values["name"])

    def effect():
        project.services.discard(host)
        return {"service": service(project, host)}
    return aip.operate(request, "", effect, name=f"operations/acat.p2-{project.number}-{aip.secrets.token_hex(16)}",
                       response_type="type.googleapis.com/google.api.serviceusage.v1.DisableServiceResponse")

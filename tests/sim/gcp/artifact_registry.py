"""Artifact Registry: repositories with cleanup policies, tags that stay, keys of the customer."""
import re
import urllib.parse

from tests.sim.gcp import aip, catalog, compute, filters
from tests.sim.gcp.errors import GoogleError
from tests.sim.gcp.state import STATE, Thing, own

NAME = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?")
MULTI = ("us", "europe", "asia")
KEY = re.compile(r"projects/[^/]+/locations/([^/]+)/keyRings/[^/]+/cryptoKeys/[^/]+")
REPOSITORIES = "artifactregistry.projects.locations.repositories"
FIXED = ("format", "mode", "kmsKeyName")
PATCHED = {"description", "labels", "cleanupPolicies", "cleanupPolicyDryRun", "dockerConfig", "mavenConfig", "vulnerabilityScanningConfig",
           "virtualRepositoryConfig", "remoteRepositoryConfig", "platformLogsConfig"}


def spare(value, where=None):
    """An answer without what has its default value, as the JSON form of protocol buffers has it; labels are there whatever their value."""
    if isinstance(value, dict):
        return {k: spare(v, k) for k, v in value.items() if v not in (False, 0, "", None, []) or where == "labels"}
    return [spare(v) for v in value] if isinstance(value, list) else value


def check(body):
    for key, value in (body.get("labels") or {}).items():
        if not compute.label_valid(key, value):
            raise GoogleError(400, f"label {key}={value} is not valid")
    if len(body.get("cleanupPolicies") or {}) > 10:
        raise GoogleError(400, "at most 10 cleanup policies are possible")
    for name, policy in (body.get("cleanupPolicies") or {}).items():
        if policy.get("id") not in (None, "", name):
            raise GoogleError(400, f"cleanup policy \"{name}\" has the id \"{policy['id']}\"")
        if policy.get("action") not in ("DELETE", "KEEP"):
            raise GoogleError(400, f"cleanup policy \"{name}\" needs an action")
        if ("condition" in policy) == ("mostRecentVersions" in policy):
            raise GoogleError(400, f"cleanup policy \"{name}\" needs one of condition and mostRecentVersions")
        if "mostRecentVersions" in policy and policy["action"] != "KEEP":
            raise GoogleError(400, f"cleanup policy \"{name}\": mostRecentVersions is for the action KEEP only")
        policy["id"] = name


@own(f"{REPOSITORIES}.create")
def create(request):
    body = {k: v for k, v in (request.body or {}).items() if v is not None}
    parent, name = aip.key_of(request, "parent"), request.params.get("repositoryId", "")
    place = parent.rsplit("/", 1)[1]
    if place not in catalog.REGIONS and place not in MULTI:
        raise GoogleError(404, f"Location {place} is not found or access is unauthorized.")
    if not NAME.fullmatch(name):
        raise GoogleError(400, f"repository id \"{name}\" must be lowercase letters, numbers and hyphens, begin with a letter, and not end with a hyphen")
    if body.get("format", "FORMAT_UNSPECIFIED") == "FORMAT_UNSPECIFIED":
        raise GoogleError(400, "the repository format must be specified")
    if "dockerConfig" in body and body["format"] != "DOCKER":
        raise GoogleError(400, "dockerConfig is for the format DOCKER only")
    key = KEY.fullmatch(body.get("kmsKeyName") or "")
    if body.get("kmsKeyName") and (not key or key[1] != place):
        raise GoogleError(400, f"the key {body['kmsKeyName']} must be a key of Cloud KMS in {place}")
    check(body)
    path = f"{parent}/repositories/{name}"
    if STATE.thing("artifactregistry", path):
        raise GoogleError(409, "the repository already exists", status="ALREADY_EXISTS")
    body = {"mode": "STANDARD_REPOSITORY", **body}
    if body["format"] == "DOCKER":
        body["registryUri"] = f"{place}-docker.pkg.dev/{request.project.id}/{name}"
        body["vulnerabilityScanningConfig"] = {**(body.get("vulnerabilityScanningConfig") or {}), "enablementState": "SCANNING_DISABLED"}
    return aip.finish_create(request, Thing("artifactregistry", path, "repositories", body, request.project.id))


@own(f"{REPOSITORIES}.get")
def get(request):
    return spare(aip.wanted(request).body)


@own(f"{REPOSITORIES}.list")
def list_repositories(request):
    prefix = aip.key_of(request, "parent") + "/repositories/"
    found = [spare(t.body) for t in STATE.of("artifactregistry", "repositories", prefix)]
    return aip.page(request, filters.filtered(found, request.params.get("filter")), "repositories")


@own(f"{REPOSITORIES}.patch")
def patch(request):
    thing, body, mask = aip.wanted(request), request.body or {}, request.params.get("updateMask")
    names = {aip.snake_to_camel(m).split(".")[0] for m in (mask or "").split(",") if m} or set(body) - {"name"}
    for name in sorted(names - {"*"}):
        if name in FIXED and body.get(name) != thing.body.get(name) or name not in PATCHED | set(FIXED):
            raise GoogleError(400, f"the field {name} cannot be changed")
    check(body)
    if thing.operation:
        raise GoogleError(400, "the repository is being created or deleted", status="FAILED_PRECONDITION")
    thing.body = {**aip.masked(request, thing.body, body, mask, aip.schema(request)), "name": thing.name, "updateTime": aip.timestamp()}
    return spare(thing.body)


@own(f"{REPOSITORIES}.packages.tags.get", f"{REPOSITORIES}.packages.versions.get")
def get_image(request):
    """What a tag or a digest of a package names: a test says which images there are."""
    match = re.fullmatch(r"projects/([^/]+)/locations/([^/]+)/repositories/([^/]+)/packages/(.+)/(tags|versions)/([^/]+)", request.path_values["name"])
    project, place, repository, package, kind, mark = (urllib.parse.unquote(g) for g in match.groups())
    if f"{place}-docker.pkg.dev/{project}/{repository}/{package}{':' if kind == 'tags' else '@'}{mark}" not in STATE.images:
        raise GoogleError(404, f"{kind[:-1]} \"{mark}\" of \"{package}\" was not found", status="NOT_FOUND")
    return {"name": request.path_values["name"]}

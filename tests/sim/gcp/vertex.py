"""Vertex AI: models, endpoints, what is deployed to them, and how their traffic is split. Answers name projects by their numbers, as the API's do."""
import re
import secrets

from tests.sim.gcp import aip, catalog, compute, filters
from tests.sim.gcp.errors import GoogleError, OperationError
from tests.sim.gcp.state import STATE, Thing, own

MODELS, ENDPOINTS = "aiplatform.projects.locations.models", "aiplatform.projects.locations.endpoints"
TYPES = "type.googleapis.com/google.cloud.aiplatform.v1."
MODEL_ID = re.compile(r"[a-z_][a-z0-9_-]{0,62}")
ENDPOINT_ID = re.compile(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?|[1-9][0-9]{0,8}")
KEY = re.compile(r"projects/[^/]+/locations/([^/]+)/keyRings/[^/]+/cryptoKeys/[^/]+")
NETWORK = re.compile(r"projects/(\d+)/global/networks/([^/]+)")
# Accelerators that a machine type comes with, and how many; of n1 they are free to choose.
MACHINES = {"g2-standard-4": ("NVIDIA_L4", 1), "g2-standard-8": ("NVIDIA_L4", 1), "g2-standard-12": ("NVIDIA_L4", 1), "g2-standard-24": ("NVIDIA_L4", 2),
            "g2-standard-48": ("NVIDIA_L4", 4), "g2-standard-96": ("NVIDIA_L4", 8), "a2-highgpu-1g": ("NVIDIA_TESLA_A100", 1),
            "a2-ultragpu-1g": ("NVIDIA_A100_80GB", 1), "a3-highgpu-8g": ("NVIDIA_H100_80GB", 8)}
QUOTAS = {"NVIDIA_L4": "l4", "NVIDIA_TESLA_A100": "a100", "NVIDIA_A100_80GB": "a100_80gb", "NVIDIA_TESLA_T4": "t4", "NVIDIA_H100_80GB": "h100"}
QUOTA = 8  # accelerators of a kind in a region, where a test has not set another
MUTABLE = {"dedicatedResources.minReplicaCount", "dedicatedResources.maxReplicaCount", "dedicatedResources.requiredReplicaCount",
           "dedicatedResources.autoscalingMetricSpecs", "disableContainerLogging"}
PATCHED = {"displayName", "description", "labels", "trafficSplit", "predictRequestResponseLoggingConfig"}


def bad(text):
    return GoogleError(400, text)


def not_now(text):
    return GoogleError(400, text, status="FAILED_PRECONDITION")


def spare(value):
    """Without what has its default value, as the JSON form of protocol buffers has it; of labels, which are a map, each one is there."""
    if isinstance(value, dict):
        return {k: v if k == "labels" else spare(v) for k, v in value.items() if v not in (False, 0, "", None, [], {})}
    return [spare(v) for v in value] if isinstance(value, list) else value


def numbered(name):
    """A resource's name as answers have it."""
    parts = name.split("/")
    return "/".join([parts[0], STATE.project(parts[1]).number, *parts[2:]])


def view(thing):
    return {**spare(thing.body), "name": numbered(thing.name)}


def place_of(request):
    parent = aip.key_of(request, "parent")
    place = parent.rsplit("/", 1)[1]
    if place not in catalog.REGIONS:
        raise bad(f"The location {place} is not supported.")
    return parent, place


def check(body, place):
    for key, value in (body.get("labels") or {}).items():
        if not compute.label_valid(key, value):
            raise bad(f"Invalid label: {key}={value}")
    if "displayName" in body and not 0 < len(body["displayName"] or "") <= 128:
        raise bad("The display name has 1 to 128 characters.")
    name = (body.get("encryptionSpec") or {}).get("kmsKeyName")
    key = KEY.fullmatch(name or "")
    if name and (not key or key[1] != place):
        raise bad(f"The key {name} must be a key of Cloud KMS in {place}.")


def named(request, service, collection, name, body):
    if STATE.thing("aiplatform", name):
        raise GoogleError(409, f"{collection[:-1].capitalize()} {name} already exists.", status="ALREADY_EXISTS")
    now = aip.timestamp()
    return Thing("aiplatform", name, collection, {**body, "createTime": now, "updateTime": now, "etag": aip.etag()}, request.project.id)


def patched(request, allowed):
    """A patch of what may be changed in place; the answer is the object."""
    thing, body, mask = aip.wanted(request), request.body or {}, request.params.get("updateMask")
    names = {aip.snake_to_camel(m).split(".")[0] for m in (mask or "").split(",") if m}
    if not names:
        raise bad("update_mask is required.")
    for name in sorted(names - allowed):
        raise bad(f"The field {name} cannot be updated.")
    check({k: v for k, v in body.items() if k in names}, thing.name.split("/")[3])
    thing.body = {**aip.masked(request, thing.body, body, mask, aip.schema(request)), "updateTime": aip.timestamp(), "etag": aip.etag()}
    return thing


def deployments(model=None):
    for endpoint in STATE.of("aiplatform", "endpoints"):
        for one in endpoint.body.get("deployedModels", []):
            if model is None or one["model"].partition("@")[0] == numbered(model):
                yield endpoint, one


# ---- models


@own(f"{MODELS}.upload")
def upload(request):
    parent, place = place_of(request)
    body = request.body or {}
    model = {k: v for k, v in (body.get("model") or {}).items() if v is not None}
    check({"displayName": "", **model}, place)
    if "imageUri" not in model.get("containerSpec", {}):
        raise bad("container_spec.image_uri is required.")
    host = model["containerSpec"]["imageUri"].split("/")[0]
    if not host.endswith(("-docker.pkg.dev", "gcr.io")):
        raise bad(f"The image must be in Artifact Registry or Container Registry: {model['containerSpec']['imageUri']}")
    if "sharedMemorySizeMb" in model["containerSpec"]:  # 64 bits: a text
        model["containerSpec"] = {**model["containerSpec"], "sharedMemorySizeMb": str(model["containerSpec"]["sharedMemorySizeMb"])}
    if model.get("artifactUri") and not model["artifactUri"].startswith("gs://"):
        raise bad("artifact_uri must be a directory in Cloud Storage.")
    if body.get("parentModel"):
        return add_version(request, model, body["parentModel"])
    identity = body.get("modelId") or str(secrets.randbelow(9 * 10 ** 18) + 10 ** 18)
    if body.get("modelId") and not MODEL_ID.fullmatch(identity):
        raise bad(f"The model id {identity} is not valid.")
    thing = named(request, "aiplatform", "models", f"{parent}/models/{identity}", model)
    thing.body.update(versionId="1", versionAliases=[*model.get("versionAliases", []), *(["default"] if "default" not in model.get("versionAliases", []) else [])],
                      versionCreateTime=thing.body["createTime"], versionUpdateTime=thing.body["createTime"])
    answer = {"model": numbered(thing.name), "modelVersionId": "1"}
    return aip.operate(request, thing.name, lambda: STATE.add(thing) and answer, name=operation_name(thing), metadata=metadata("UploadModel"),
                       response_type=TYPES + "UploadModelResponse")


def add_version(request, model, parent):
    thing = STATE.thing("aiplatform", aip.canonical(request, parent))
    if thing is None:
        raise aip.missing(parent)

    def effect():
        thing.body.update(model, versionId=str(int(thing.body["versionId"]) + 1))
        return {"model": numbered(thing.name), "modelVersionId": thing.body["versionId"]}
    return aip.operate(request, thing.name, effect, name=operation_name(thing), metadata=metadata("UploadModel"), response_type=TYPES + "UploadModelResponse")


def operation_name(thing):
    return f"{thing.name}/operations/{secrets.randbelow(10 ** 18) + 10 ** 18}"


def metadata(kind):
    now = aip.timestamp()
    return {"@type": f"{TYPES}{kind}OperationMetadata", "genericMetadata": {"createTime": now, "updateTime": now}}


@own(f"{MODELS}.get", f"{ENDPOINTS}.get")
def get(request):
    thing = aip.wanted(request)
    body = view(thing)
    if thing.collection == "models":
        body["deployedModels"] = [{"endpoint": numbered(e.name), "deployedModelId": one["id"]} for e, one in deployments(thing.name)]
    return spare(body)


@own(f"{MODELS}.list", f"{ENDPOINTS}.list")
def list_all(request):
    parent, field = aip.key_of(request, "parent"), request.method.collection
    found = [view(t) for t in STATE.of("aiplatform", field, f"{parent}/{field}/")]
    return aip.page(request, filters.filtered(found, request.params.get("filter")), field)


@own(f"{MODELS}.patch")
def patch_model(request):
    return view(patched(request, {"displayName", "description", "labels", "versionAliases", "versionDescription"}))


@own(f"{MODELS}.delete")
def delete_model(request):
    thing = aip.wanted(request)
    used = next(deployments(thing.name), None)
    if used:
        raise not_now(f"The model {thing.name} is deployed at the endpoint {used[0].name}: undeploy it first.")
    return aip.operate(request, thing.name, lambda: STATE.remove(thing) or {}, name=operation_name(thing), metadata=metadata("Delete"),
                       response_type="type.googleapis.com/google.protobuf.Empty")


# ---- endpoints


@own(f"{ENDPOINTS}.create")
def create_endpoint(request):
    parent, place = place_of(request)
    body = {k: v for k, v in (request.body or {}).items() if v is not None}
    check({"displayName": "", **body}, place)
    identity = request.params.get("endpointId") or str(secrets.randbelow(9 * 10 ** 8) + 10 ** 8)
    if not ENDPOINT_ID.fullmatch(identity):
        raise bad(f"The endpoint id {identity} is not valid.")
    network, private = NETWORK.fullmatch(body.get("network") or ""), (body.get("privateServiceConnectConfig") or {}).get("enablePrivateServiceConnect")
    if body.get("network") and not network:
        raise bad(f"The network {body['network']} must be written projects/NUMBER/global/networks/NAME.")
    if network and not STATE.thing("compute", f"projects/{request.project.id}/global/networks/{network[2]}"):
        raise bad(f"The network {body['network']} was not found.")
    if sum(map(bool, (network, private, body.get("dedicatedEndpointEnabled")))) > 1:
        raise bad("Only one of network, private service connect and a dedicated endpoint can be set.")
    if body.get("trafficSplit"):
        raise bad("A new endpoint has no deployed models to split traffic among.")
    thing = named(request, "aiplatform", "endpoints", f"{parent}/endpoints/{identity}", body)
    if body.get("dedicatedEndpointEnabled"):
        thing.body["dedicatedEndpointDns"] = f"{identity}.{place}-{request.project.number}.prediction.vertexai.goog"

    def effect():
        STATE.add(thing)
        return view(thing)
    return aip.operate(request, thing.name, effect, name=operation_name(thing), metadata=metadata("CreateEndpoint"), response_type=TYPES + "Endpoint")


@own(f"{ENDPOINTS}.patch")
def patch_endpoint(request):
    if "trafficSplit" in (request.params.get("updateMask") or "").split(","):
        check_traffic(aip.wanted(request), (request.body or {}).get("trafficSplit") or {})
    return view(patched(request, PATCHED))


@own(f"{ENDPOINTS}.delete")
def delete_endpoint(request):
    thing = aip.wanted(request)
    if thing.body.get("deployedModels"):
        raise not_now(f"The endpoint {thing.name} has deployed models: undeploy them first.")
    return aip.operate(request, thing.name, lambda: STATE.remove(thing) or {}, name=operation_name(thing), metadata=metadata("Delete"),
                       response_type="type.googleapis.com/google.protobuf.Empty")


def check_traffic(endpoint, split, more=()):
    known = {one["id"] for one in endpoint.body.get("deployedModels", [])} | set(more)
    unknown = sorted(set(split) - known)
    if unknown:
        raise bad(f"The traffic split names deployed models that are not there: {', '.join(unknown)}.")
    if split and sum(split.values()) != 100:
        raise bad(f"The percentages of a traffic split must add up to 100; these are {sum(split.values())}.")


# ---- deployed models


def check_resources(given):
    machine = given.get("machineSpec") or {}
    kind, accelerator, count = machine.get("machineType"), machine.get("acceleratorType"), machine.get("acceleratorCount", 0)
    if not kind:
        raise bad("machine_spec.machine_type is required.")
    if kind in MACHINES and (accelerator, count) != MACHINES[kind]:
        raise bad(f"The machine type {kind} comes with {MACHINES[kind][1]} of {MACHINES[kind][0]}, not {count} of {accelerator}.")
    if accelerator and kind not in MACHINES and not kind.startswith("n1-"):
        raise bad(f"Accelerators of the type {accelerator} are not supported for machine type {kind}.")
    least, most = given.get("minReplicaCount", 0), given.get("maxReplicaCount") or given.get("minReplicaCount", 0)
    if least < 1 or most < least:
        raise bad("min_replica_count must be at least 1, and not more than max_replica_count.")
    return {**given, "maxReplicaCount": most}


def limit(metric, place=None):
    return STATE.quotas.get(f"{place}/{metric}", STATE.quotas.get(metric, QUOTA))


def quota(place, resources):
    """Charged for all replicas that there may be: what would be too much. Spot machines have a quota of their own."""
    machine, spot = resources["machineSpec"], bool(resources.get("spot"))
    metric = f"custom_model_serving_{'preemptible_' if spot else ''}nvidia_{QUOTAS.get(machine.get('acceleratorType'))}_gpus"
    if machine.get("acceleratorType") not in QUOTAS:
        return None
    used = sum(one["dedicatedResources"]["machineSpec"].get("acceleratorCount", 0) * one["dedicatedResources"]["maxReplicaCount"]
               for endpoint, one in deployments() if endpoint.name.split("/")[3] == place
               and one["dedicatedResources"]["machineSpec"].get("acceleratorType") == machine["acceleratorType"]
               and bool(one["dedicatedResources"].get("spot")) == spot)
    if used + machine["acceleratorCount"] * resources["maxReplicaCount"] <= limit(metric, place):
        return None
    return OperationError(8, f"The following quota metrics exceed quota limits: aiplatform.googleapis.com/{metric}")


@own(f"{ENDPOINTS}.deployModel")
def deploy(request):
    endpoint, body = aip.wanted(request, "endpoint"), request.body or {}
    given, place = {k: v for k, v in body["deployedModel"].items() if v is not None}, endpoint.name.split("/")[3]
    model = STATE.thing("aiplatform", aip.canonical(request, given.get("model", "").partition("@")[0]))
    if model is None:
        raise aip.missing(given.get("model"))
    identity = given.get("id") or str(secrets.randbelow(9 * 10 ** 9) + 10 ** 9)
    if not re.fullmatch(r"[0-9]{1,10}", identity):
        raise bad(f"The id {identity} of a deployed model has 1 to 10 digits.")
    if identity in {one["id"] for one in endpoint.body.get("deployedModels", [])}:
        raise GoogleError(409, f"The endpoint has a deployed model {identity} already.", status="ALREADY_EXISTS")
    account = given.get("serviceAccount")
    if account and not STATE.thing("iam", f"projects/{request.project.id}/serviceAccounts/{account}"):
        raise bad(f"The service account {account} does not exist.")
    resources = check_resources(given.get("dedicatedResources") or {})
    split = {identity if k == "0" else k: v for k, v in (body.get("trafficSplit") or {}).items()}
    check_traffic(endpoint, split, {identity})
    made = {**given, "id": identity, "model": numbered(model.name), "modelVersionId": model.body["versionId"], "createTime": aip.timestamp(),
            "displayName": given.get("displayName") or model.body["displayName"], "dedicatedResources": resources,
            "status": {"availableReplicaCount": resources["minReplicaCount"]}}

    def effect():
        problem = quota(place, resources)
        if problem:
            raise problem
        endpoint.body["deployedModels"] = [*endpoint.body.get("deployedModels", []), made]
        if split:
            endpoint.body["trafficSplit"] = split
        return {"deployedModel": spare({"id": identity, "model": made["model"]})}
    return aip.operate(request, endpoint.name, effect, name=operation_name(endpoint), metadata=metadata("DeployModel"), response_type=TYPES + "DeployModelResponse")


def deployed(endpoint, identity):
    found = next((one for one in endpoint.body.get("deployedModels", []) if one["id"] == identity), None)
    if found is None:
        raise GoogleError(404, f"The deployed model {identity} was not found at the endpoint {endpoint.name}.", status="NOT_FOUND")
    return found


@own(f"{ENDPOINTS}.undeployModel")
def undeploy(request):
    endpoint, body = aip.wanted(request, "endpoint"), request.body or {}
    one = deployed(endpoint, body["deployedModelId"])
    rest = [o for o in endpoint.body["deployedModels"] if o is not one]
    split = body.get("trafficSplit") or endpoint.body.get("trafficSplit") or {}
    if split.get(one["id"]) and rest:
        raise not_now(f"The deployed model {one['id']} has {split[one['id']]} percent of the traffic: give it to others first.")
    if body.get("trafficSplit"):
        check_traffic(endpoint, split)

    def effect():  # of what is there by then: others may have come and gone
        left = [o for o in endpoint.body["deployedModels"] if o["id"] != one["id"]]
        now = body.get("trafficSplit") or endpoint.body.get("trafficSplit") or {}
        endpoint.body["deployedModels"] = left
        endpoint.body["trafficSplit"] = {k: v for k, v in now.items() if k != one["id"]} if left else {}
        return {}
    return aip.operate(request, endpoint.name, effect, name=operation_name(endpoint), metadata=metadata("UndeployModel"), response_type=TYPES + "UndeployModelResponse")


@own(f"{ENDPOINTS}.mutateDeployedModel")
def mutate(request):
    endpoint, body = aip.wanted(request, "endpoint"), request.body or {}
    given, mask = body["deployedModel"], [aip.snake_to_camel(m) for m in (body.get("updateMask") or "").split(",") if m]
    one = deployed(endpoint, given.get("id"))
    if not mask or set(mask) - MUTABLE:
        raise bad(f"The fields {', '.join(sorted(set(mask) - MUTABLE))} of a deployed model cannot be changed.")
    new = {**one, "dedicatedResources": dict(one["dedicatedResources"])}
    for name in mask:
        first, _, rest = name.partition(".")
        if rest:
            new[first][rest] = (given.get(first) or {}).get(rest)
        else:
            new[first] = given.get(first)
    resources = check_resources({k: v for k, v in new["dedicatedResources"].items() if v is not None})

    def effect():
        one.update(new, dedicatedResources=resources)
        return {"deployedModel": spare({"id": one["id"], "model": one["model"]})}
    return aip.operate(request, endpoint.name, effect, name=operation_name(endpoint), metadata=metadata("MutateDeployedModel"),
                       response_type=TYPES + "MutateDeployedModelResponse")

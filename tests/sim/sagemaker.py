"""SageMaker: models, endpoint configurations and endpoints. All of it is the simulator's own: moto's endpoints are ready at once, and can be neither
updated nor rolled back. Inference components: sagemaker_components.py; who scales them: appautoscaling.py.

What ends badly does so late: an endpoint whose image, model or role is not there is Creating for as long as others are, and Failed then; an update
whose alarms go off, or that a test wants to fail, rolls back, and the endpoint serves what it has served before."""
import copy
import json
import random
import re
import struct
import zlib
from datetime import datetime, timezone

from moto.cloudwatch.models import cloudwatch_backends
from moto.ec2.models import ec2_backends
from moto.ecr.models import ecr_backends
from moto.iam.models import get_account_id_from
from moto.s3.models import s3_backends

from tests.sim.eks import failure_of, role_of
from tests.sim.model import service_model
from tests.sim.state import STATE, Refused, own

BUSY = ("Creating", "Updating", "SystemUpdating", "RollingBack", "Deleting")
QUOTA = 20  # instances of a type for endpoints, where a test has not set another


def now():
    return datetime.fromtimestamp(int(STATE.now()), timezone.utc)


class Room:
    """What an account has in a region, by name; endpoints by their names in small letters."""

    def __init__(self):
        self.models, self.configs, self.endpoints, self.components, self.tags = {}, {}, {}, {}, {}


def account_of(request):
    return get_account_id_from(request.access_key)


def room(request):
    return STATE.sagemaker.setdefault((account_of(request), request.region), Room())


def bad(message):
    return Refused("ValidationException", message)


def arn(request, kind, name):
    return f"arn:aws:sagemaker:{request.region}:{account_of(request)}:{kind}/{name.lower()}"


def single(number):
    """As a number of 32 bits is read: weights are such."""
    return struct.unpack("f", struct.pack("f", number))[0]


WORDS = {"model": "model", "endpoint-config": "endpoint configuration", "endpoint": "endpoint", "inference-component": "inference component"}


def table_of(request, kind):
    return {"model": room(request).models, "endpoint-config": room(request).configs, "endpoint": room(request).endpoints,
            "inference-component": room(request).components}[kind]


def known(request, kind, name):
    """The object, which exists."""
    found = table_of(request, kind).get(name.lower() if kind == "endpoint" else name)
    if found is None:
        raise bad(f'Could not find {WORDS[kind]} "{arn(request, kind, name)}".')
    return found


def new(request, kind, name):
    """The ARN of an object that does not exist yet, with the tags of the request."""
    made = arn(request, kind, name)
    if (name.lower() if kind == "endpoint" else name) in table_of(request, kind):
        raise bad(f'Cannot create already existing {WORDS[kind]} "{made}".')
    return made


def tag(request, made):
    room(request).tags[made] = {t["Key"]: t["Value"] for t in request.params.get("Tags", [])}


def dropped(request, kind, name):
    known(request, kind, name)
    table_of(request, kind).pop(name.lower() if kind == "endpoint" else name)
    room(request).tags.pop(arn(request, kind, name), None)
    return {}


def listed(request, kind, items, member, *members):
    wanted = request.params.get("NameContains", "")
    found = [i for i in items if wanted.lower() in i[f"{member}Name"].lower()]
    return {f"{member}s": [{k: i[k] for k in (f"{member}Name", f"{member}Arn", "CreationTime", *members) if k in i} for i in found]}


# ---- what models stand on


def check_role(request, role):
    if role and role_of(request, role, "sagemaker.amazonaws.com") is None:
        raise bad(f"Could not assume role {role}. Please ensure that the role exists and allows principal 'sagemaker.amazonaws.com' to assume the role.")


def check_network(request, config):
    cloud = ec2_backends[account_of(request)][request.region]
    subnets = {s for zone in cloud.subnets.values() for s in zone}
    groups = {g for vpc in cloud.groups.values() for g in vpc}
    for name in [*(n for n in config.get("Subnets", []) if n not in subnets), *(n for n in config.get("SecurityGroupIds", []) if n not in groups)]:
        raise bad(f"The ID '{name}' does not exist")


def check_data(request, source):
    """A prefix ends with a slash, and something is at what is named."""
    uri, bucket, key = source["S3Uri"], *re.match(r"(?:s3|https)://([^/]+)/?(.*)", source["S3Uri"]).groups()
    if source["S3DataType"] == "S3Prefix" and not uri.endswith("/"):
        raise bad(f"S3Uri {uri} is a prefix: it has to end with a forward slash")
    held = s3_backends[account_of(request)]["aws"].buckets.get(bucket)
    if held is None or not any(k == key or (source["S3DataType"] == "S3Prefix" and k.startswith(key)) for k in held.keys):
        raise bad(f"Could not find model data at {uri}.")


def check_container(request, container):
    if "ModelDataUrl" in container and "ModelDataSource" in container:
        raise bad("ModelDataUrl and ModelDataSource cannot be given together")
    if not container.get("Image") and not container.get("ModelPackageName"):
        raise bad("A container has an Image or a ModelPackageName")
    for source in [container.get("ModelDataSource", {}), *container.get("AdditionalModelDataSources", [])]:
        if "S3DataSource" in source:
            check_data(request, source["S3DataSource"])
    if "ModelDataUrl" in container:
        check_data(request, {"S3Uri": container["ModelDataUrl"], "S3DataType": "S3Object"})


@own("sagemaker", "CreateModel")
def create_model(request):
    params = request.params
    made = new(request, "model", params["ModelName"])
    if ("PrimaryContainer" in params) == ("Containers" in params):
        raise bad("Exactly one of PrimaryContainer and Containers is needed")
    check_role(request, params.get("ExecutionRoleArn"))
    check_network(request, params.get("VpcConfig", {}))
    containers = params.get("Containers") or [params["PrimaryContainer"]]
    for container in containers:
        check_container(request, container)
    body = {k: copy.deepcopy(v) for k, v in params.items() if k != "Tags"}
    for container in body.get("Containers", [body.get("PrimaryContainer", {})]):
        container.setdefault("Mode", "SingleModel")
    room(request).models[params["ModelName"]] = {"EnableNetworkIsolation": False, **body, "ModelArn": made, "CreationTime": now()}
    tag(request, made)
    return {"ModelArn": made}


@own("sagemaker", "DescribeModel")
def describe_model(request):
    return copy.deepcopy(known(request, "model", request.params["ModelName"]))


@own("sagemaker", "DeleteModel")
def delete_model(request):
    return dropped(request, "model", request.params["ModelName"])


@own("sagemaker", "ListModels")
def list_models(request):
    return listed(request, "model", room(request).models.values(), "Model")


# ---- configurations


def check_variant(request, variant, given):
    if "ModelName" in variant:
        known(request, "model", variant["ModelName"])
    elif "ExecutionRoleArn" not in given:
        raise bad("ExecutionRoleArn is needed where a variant has no model")
    if "ServerlessConfig" in variant:
        if "InstanceType" in variant or "InitialInstanceCount" in variant:
            raise bad("A serverless variant has neither an instance type nor a count")
        return
    if not ("InstanceType" in variant or "InstancePools" in variant) or "InitialInstanceCount" not in variant:
        raise bad(f"Variant {variant['VariantName']} needs an instance type and an initial count")
    scaling = variant.get("ManagedInstanceScaling")
    if scaling and "ModelName" in variant:
        raise bad("ManagedInstanceScaling is not supported with the given EndpointConfig setup.")
    if scaling and scaling.get("MinInstanceCount", 1) > scaling.get("MaxInstanceCount", variant["InitialInstanceCount"]):
        raise bad("MinInstanceCount is more than MaxInstanceCount")


@own("sagemaker", "CreateEndpointConfig")
def create_config(request):
    params = request.params
    made, names = new(request, "endpoint-config", params["EndpointConfigName"]), [v["VariantName"] for v in params["ProductionVariants"]]
    if len(set(names)) < len(names):
        raise bad("Variant names have to be unique")
    check_role(request, params.get("ExecutionRoleArn"))
    check_network(request, params.get("VpcConfig", {}))
    body = {k: copy.deepcopy(v) for k, v in params.items() if k != "Tags"}
    for variant in body["ProductionVariants"]:
        check_variant(request, variant, params)
        variant["InitialVariantWeight"] = single(variant.get("InitialVariantWeight", 1.0))
    room(request).configs[params["EndpointConfigName"]] = {"EnableNetworkIsolation": False, **body, "EndpointConfigArn": made, "CreationTime": now()}
    tag(request, made)
    return {"EndpointConfigArn": made}


@own("sagemaker", "DescribeEndpointConfig")
def describe_config(request):
    return copy.deepcopy(known(request, "endpoint-config", request.params["EndpointConfigName"]))


@own("sagemaker", "DeleteEndpointConfig")
def delete_config(request):
    """Also one that an endpoint uses: AWS warns of it, and does it."""
    return dropped(request, "endpoint-config", request.params["EndpointConfigName"])


@own("sagemaker", "ListEndpointConfigs")
def list_configs(request):
    return listed(request, "endpoint-config", room(request).configs.values(), "EndpointConfig")


# ---- endpoints


def images_of(request, variant):
    model = room(request).models.get(variant.get("ModelName"), {})
    return [c["Image"] for c in model.get("Containers", [model.get("PrimaryContainer", {})]) if "Image" in c]


def variant_now(request, variant):
    """A variant of a configuration as an endpoint shows it."""
    weight, count = variant["InitialVariantWeight"], variant.get("InitialInstanceCount")
    shown = {"VariantName": variant["VariantName"], "CurrentWeight": weight, "DesiredWeight": weight,
             "DeployedImages": [{"SpecifiedImage": i, "ResolvedImage": f"{i.partition(':')[0]}@sha256:{'0' * 64}", "ResolutionTime": now()}
                                for i in images_of(request, variant)]}
    if count is not None:
        shown.update(CurrentInstanceCount=count, DesiredInstanceCount=count)
    if "ServerlessConfig" in variant:
        shown["CurrentServerlessConfig"] = shown["DesiredServerlessConfig"] = variant["ServerlessConfig"]
    return {**shown, **{k: variant[k] for k in ("ManagedInstanceScaling", "RoutingConfig") if k in variant}}


def capture_now(config):
    given = config.get("DataCaptureConfig")
    return {"DataCaptureConfig": {
        "EnableCapture": given.get("EnableCapture", False), "CaptureStatus": "Started" if given.get("EnableCapture") else "Stopped",
        "CurrentSamplingPercentage": given["InitialSamplingPercentage"], "DestinationS3Uri": given["DestinationS3Uri"],
        "KmsKeyId": given.get("KmsKeyId", "")}} if given else {}


def late_problem(request, config):
    """What is found only when instances start."""
    for variant in config["ProductionVariants"]:
        if "ModelName" not in variant:
            continue
        model = room(request).models.get(variant["ModelName"])
        if model is None:
            return f'Could not find model "{arn(request, "model", variant["ModelName"])}".'
        for image in images_of(request, variant):
            own_image = re.match(rf"{account_of(request)}\.dkr\.ecr\.([^.]+)\.amazonaws\.com/([^:@]+)", image)
            if own_image and own_image[2] not in ecr_backends[account_of(request)][own_image[1]].repositories:
                return (f"Please make sure all images included in the model for the production variant {variant['VariantName']} exist, and that the "
                        "execution role used to create the model has permissions to access them.")
    return None


def check_quota(request, config):
    """Old and new instances count together while an update goes on."""
    used = {}
    for endpoint in room(request).endpoints.values():
        types = {v["VariantName"]: v.get("InstanceType") for v in endpoint["_config"]["ProductionVariants"]}
        for variant in endpoint.get("ProductionVariants", []):
            kind = types.get(variant["VariantName"])
            used[kind] = used.get(kind, 0) + variant.get("DesiredInstanceCount", 0)
    for variant in config["ProductionVariants"]:
        kind, count = variant.get("InstanceType"), variant.get("InitialInstanceCount", 0)
        name = f"{kind} for endpoint usage"
        limit = STATE.quotas.get(name, QUOTA)
        if kind and used.get(kind, 0) + count > limit:
            raise Refused("ResourceLimitExceeded", f"The account-level service limit '{name}' is {limit} Instances, with current utilization of "
                                                   f"{used.get(kind, 0)} Instances and a request delta of {count} Instances. Please use AWS Service "
                                                   "Quotas to request an increase for this quota.")
        used[kind] = used.get(kind, 0) + count


def quotas(request):
    """As Service Quotas lists them; the codes are the simulator's own."""
    types = service_model("sagemaker").shape_for("ProductionVariantInstanceType").enum
    account = account_of(request)
    for kind in types:
        name, code = f"{kind} for endpoint usage", f"L-{zlib.crc32(kind.encode()):08X}"
        yield {"ServiceCode": "sagemaker", "ServiceName": "Amazon SageMaker", "QuotaCode": code, "QuotaName": name, "Unit": "None", "Adjustable": True,
               "QuotaArn": f"arn:aws:servicequotas:{request.region}:{account}:sagemaker/{code}", "GlobalQuota": False,
               "Value": float(STATE.quotas.get(name, QUOTA))}


@own("sagemaker", "CreateEndpoint")
def create_endpoint(request):
    params, name = request.params, request.params["EndpointName"]
    made, config = new(request, "endpoint", name), known(request, "endpoint-config", params["EndpointConfigName"])
    check_deployment(request, params.get("DeploymentConfig"))
    check_quota(request, config)
    endpoint = room(request).endpoints[name.lower()] = {
        "EndpointName": name, "EndpointArn": made, "EndpointConfigName": params["EndpointConfigName"], "EndpointStatus": "Creating", "CreationTime": now(),
        "LastModifiedTime": now(), "_config": copy.deepcopy(config)}
    tag(request, made)

    def end():
        issue = failure_of("CreateEndpoint", name)
        reason = issue["message"] if issue else late_problem(request, config)
        endpoint["EndpointStatus"] = "Failed" if reason else "InService"
        if reason:
            endpoint["FailureReason"] = reason
        else:
            endpoint.update(ProductionVariants=[variant_now(request, v) for v in config["ProductionVariants"]], **capture_now(config))
        endpoint["LastModifiedTime"] = now()
    STATE.after("CreateEndpoint", end)
    return {"EndpointArn": made}


def shown(endpoint):
    return copy.deepcopy({k: v for k, v in endpoint.items() if not k.startswith("_")})


@own("sagemaker", "DescribeEndpoint")
def describe_endpoint(request):
    return shown(known(request, "endpoint", request.params["EndpointName"]))


@own("sagemaker", "ListEndpoints")
def list_endpoints(request):
    return listed(request, "endpoint", room(request).endpoints.values(), "Endpoint", "EndpointStatus", "LastModifiedTime")


def at_rest(endpoint):
    if endpoint["EndpointStatus"] in BUSY:
        raise bad(f'Cannot update in-progress endpoint "{endpoint["EndpointArn"]}".')


def updatable(endpoint):
    at_rest(endpoint)
    if endpoint["EndpointStatus"] == "Failed":
        raise bad(f'Cannot update failed endpoint "{endpoint["EndpointArn"]}": it can only be deleted.')
    return endpoint


# ---- updates


def check_deployment(request, deployment):
    if not deployment:
        return
    if ("BlueGreenUpdatePolicy" in deployment) == ("RollingUpdatePolicy" in deployment):
        raise bad("A deployment is either blue/green or rolling")
    routing = deployment.get("BlueGreenUpdatePolicy", {}).get("TrafficRoutingConfiguration", {})
    for kind, member in (("CANARY", "CanarySize"), ("LINEAR", "LinearStepSize")):
        if (routing.get("Type") == kind) != (member in routing):
            raise bad(f"{member} belongs to traffic of the type {kind}")
        if routing.get(member, {}).get("Type") == "CAPACITY_PERCENT" and routing[member]["Value"] > 50:
            raise bad(f"{member} is at most 50 percent")
    known_alarms = cloudwatch_backends[account_of(request)][request.region].alarms
    for alarm in deployment.get("AutoRollbackConfiguration", {}).get("Alarms", []):
        if alarm["AlarmName"] not in known_alarms:
            raise bad(f"The alarm {alarm['AlarmName']} does not exist")


def gone_off(request, deployment):
    """The deployment's alarms that are in their alarm state."""
    alarms = cloudwatch_backends[account_of(request)][request.region].alarms
    names = [a["AlarmName"] for a in (deployment or {}).get("AutoRollbackConfiguration", {}).get("Alarms", [])]
    return [n for n in names if n in alarms and alarms[n].state_value == "ALARM"]


def kept(request, old, new_variants, params):
    """What UpdateEndpoint retains of the variants that are there: weights and counts."""
    if not params.get("RetainAllVariantProperties"):
        return
    excluded = {p["VariantPropertyType"] for p in params.get("ExcludeRetainedVariantProperties", [])}
    before = {v["VariantName"]: v for v in old}
    for variant in new_variants:
        for member, current in (("DesiredWeight", "CurrentWeight"), ("DesiredInstanceCount", "CurrentInstanceCount")):
            if member not in excluded and member in before.get(variant["VariantName"], {}) and member in variant:
                variant[member] = variant[current] = before[variant["VariantName"]][member]


def check_scaled(request, endpoint, config):
    """What is scaled is neither removed nor put on other machines."""
    from tests.sim import appautoscaling
    types = {v["VariantName"]: v.get("InstanceType") for v in config["ProductionVariants"]}
    names = [v["VariantName"] for v in endpoint["_config"]["ProductionVariants"] if types.get(v["VariantName"]) != v.get("InstanceType")]
    held = [n for n in names if any(i == f"endpoint/{endpoint['EndpointName']}/variant/{n}" for i, _ in appautoscaling.targets(request))]
    if held:
        raise bad(f"The variant(s) {json.dumps(held)} must be deregistered as scalable targets with AWS Auto Scaling before they can be removed or have "
                  "their instance type updated.")


def roll_back(endpoint, reason):
    endpoint.update(EndpointStatus="RollingBack")

    def back():
        endpoint.update(EndpointStatus="InService", FailureReason=reason, LastModifiedTime=now())
    STATE.after("RollingBack", back)


@own("sagemaker", "UpdateEndpoint")
def update_endpoint(request):
    params = request.params
    endpoint = updatable(known(request, "endpoint", params["EndpointName"]))
    known(request, "endpoint-config", endpoint["EndpointConfigName"])  # an update starts from the old one
    config = copy.deepcopy(known(request, "endpoint-config", params["EndpointConfigName"]))
    deployment = params.get("DeploymentConfig") or (endpoint.get("LastDeploymentConfig") if params.get("RetainDeploymentConfig") else None)
    check_deployment(request, deployment)
    check_scaled(request, endpoint, config)
    check_quota(request, config)
    variants = [variant_now(request, v) for v in config["ProductionVariants"]]
    kept(request, endpoint.get("ProductionVariants", []), variants, params)
    coming = [{**v, "VariantStatus": [{"Status": "Creating", "StartTime": now()}]} for v in variants]
    endpoint.update(EndpointStatus="Updating", PendingDeploymentSummary={"EndpointConfigName": params["EndpointConfigName"], "ProductionVariants": coming,
                                                                         "StartTime": now()})
    endpoint.pop("FailureReason", None)
    if deployment:
        endpoint["LastDeploymentConfig"] = deployment

    def end():
        endpoint.pop("PendingDeploymentSummary", None)
        issue, alarms = failure_of("UpdateEndpoint", endpoint["EndpointName"]), gone_off(request, deployment)
        reason = issue["message"] if issue else f"One or more configured alarm(s) have gone into 'Alarm' state: {alarms}" if alarms else late_problem(request, config)
        if issue and issue["code"] == "UpdateRollbackFailed":
            endpoint.update(EndpointStatus="UpdateRollbackFailed", FailureReason=reason)
        elif reason:
            roll_back(endpoint, reason)
        else:
            endpoint.pop("DataCaptureConfig", None)
            endpoint.update(EndpointStatus="InService", EndpointConfigName=params["EndpointConfigName"], ProductionVariants=variants, _config=config,
                            LastModifiedTime=now(), **capture_now(config))
    STATE.after("UpdateEndpoint", end)
    return {"EndpointArn": endpoint["EndpointArn"]}


@own("sagemaker", "UpdateEndpointWeightsAndCapacities")
def update_weights(request):
    wanted = request.params["DesiredWeightsAndCapacities"]
    endpoint = updatable(known(request, "endpoint", request.params["EndpointName"]))
    variants = {v["VariantName"]: v for v in endpoint["ProductionVariants"]}
    for one in wanted:
        if one["VariantName"] not in variants:
            raise bad(f'Could not find variant "{one["VariantName"]}" of endpoint "{endpoint["EndpointArn"]}".')
        if "DesiredInstanceCount" in one and (len(wanted) > 1 or one["DesiredInstanceCount"] < 1 or "DesiredInstanceCount" not in variants[one["VariantName"]]):
            raise bad("The instance count can be set of one variant at a time, to 1 at least")
    if not any(v.get("DesiredWeight") for v in ({**variants[n], **next((o for o in wanted if o["VariantName"] == n), {})} for n in variants)):
        raise bad("At least one variant has a weight greater than 0")
    set_variants(endpoint, wanted)
    return {"EndpointArn": endpoint["EndpointArn"]}


def set_variants(endpoint, wanted):
    """Weights and counts of a running endpoint; those of an update that fails are as before."""
    variants = {v["VariantName"]: v for v in endpoint["ProductionVariants"]}
    before = copy.deepcopy(endpoint["ProductionVariants"])
    for one in wanted:
        if "DesiredWeight" in one:
            variants[one["VariantName"]]["DesiredWeight"] = single(one["DesiredWeight"])
        if "DesiredInstanceCount" in one:
            variants[one["VariantName"]]["DesiredInstanceCount"] = one["DesiredInstanceCount"]
    endpoint.update(EndpointStatus="Updating")
    endpoint.pop("FailureReason", None)

    def end():
        issue = failure_of("UpdateEndpointWeightsAndCapacities", endpoint["EndpointName"])
        if issue:
            endpoint["ProductionVariants"] = before
            return roll_back(endpoint, issue["message"])
        for one in wanted:
            variant = variants[one["VariantName"]]
            variant["CurrentWeight"] = variant["DesiredWeight"]
            if "DesiredInstanceCount" in variant:
                variant["CurrentInstanceCount"] = variant["DesiredInstanceCount"]
        return endpoint.update(EndpointStatus="InService", LastModifiedTime=now())
    STATE.after("UpdateEndpointWeightsAndCapacities", end)


@own("sagemaker", "DeleteEndpoint")
def delete_endpoint(request):
    from tests.sim import appautoscaling
    endpoint = known(request, "endpoint", request.params["EndpointName"])
    at_rest(endpoint)
    inside = [c for c in room(request).components.values() if c["EndpointName"].lower() == endpoint["EndpointName"].lower()]
    if inside:
        raise bad(f'Cannot delete endpoint "{endpoint["EndpointArn"]}" with inference components.')
    endpoint["EndpointStatus"] = "Deleting"
    appautoscaling.forget(request, f"endpoint/{endpoint['EndpointName']}/")

    def gone():
        room(request).endpoints.pop(endpoint["EndpointName"].lower(), None)
        room(request).tags.pop(endpoint["EndpointArn"], None)
    STATE.after("DeleteEndpoint", gone)
    return {}


# ---- calling one: what answers says who it is


@own("sagemaker", "InvokeEndpoint")
def invoke(request):
    name = request.params["EndpointName"]
    endpoint = room(request).endpoints.get(name.lower())
    if not endpoint or endpoint["EndpointName"] != name or "ProductionVariants" not in endpoint or endpoint["EndpointStatus"] in ("Creating", "Failed", "Deleting"):
        raise Refused("ValidationError", f"Endpoint {name} of account {account_of(request)} not found.")
    variants = endpoint["ProductionVariants"]
    wanted = request.params.get("TargetVariant")
    weights = [float(v["VariantName"] == wanted) if wanted else v["CurrentWeight"] for v in variants]
    if not any(weights):
        raise Refused("ValidationError", f"Variant {wanted} not found for the endpoint {name}")
    chosen = random.choices(variants, weights)[0]
    body = {"endpoint_config": endpoint["EndpointConfigName"], "variant": chosen["VariantName"], "component": request.params.get("InferenceComponentName")}
    return {"Body": json.dumps(body).encode(), "ContentType": "application/json", "InvokedProductionVariant": chosen["VariantName"]}


# ---- tags


def tags_of(request):
    tags = room(request).tags.get(request.params["ResourceArn"])
    if tags is None:
        raise bad("Resource does not exist.")
    return tags


@own("sagemaker", "ListTags")
def list_tags(request):
    return {"Tags": [{"Key": k, "Value": v} for k, v in tags_of(request).items()]}


@own("sagemaker", "AddTags")
def add_tags(request):
    tags = tags_of(request)
    tags.update({t["Key"]: t["Value"] for t in request.params["Tags"]})
    return {"Tags": [{"Key": k, "Value": v} for k, v in tags.items()]}


@own("sagemaker", "DeleteTags")
def delete_tags(request):
    for key in request.params["TagKeys"]:
        tags_of(request).pop(key, None)
    return {}

"""Application Auto Scaling for SageMaker: scalable targets and their policies, with the alarms that target tracking makes. The simulator's own: moto's
does not know whether an endpoint exists, and has no tags. What is registered for other services is moto's."""
import copy
import uuid

from moto.cloudwatch.models import cloudwatch_backends

from tests.sim.sagemaker import account_of, now, room, set_variants
from tests.sim.state import STATE, Refused, own

SERVICE = "application-autoscaling"
DIMENSIONS = {"endpoint": "sagemaker:variant:DesiredInstanceCount", "inference-component": "sagemaker:inference-component:DesiredCopyCount"}
METRICS = {DIMENSIONS["endpoint"]: ("SageMakerVariantInvocationsPerInstance", "SageMakerVariantConcurrentRequestsPerModelHighResolution"),
           DIMENSIONS["inference-component"]: ("SageMakerInferenceComponentInvocationsPerCopy", "SageMakerInferenceComponentConcurrentRequestsPerCopyHighResolution")}


def bad(message):
    return Refused("ValidationException", message)


def targets(request):
    """(resource id, dimension) -> (target, its policies by name, tags)."""
    return STATE.scaling.setdefault((account_of(request), request.region), {})


def ours(request):
    return request.params.get("ServiceNamespace") == "sagemaker"


def key(request):
    return request.params["ResourceId"], request.params["ScalableDimension"]


def scaled(request):
    """What the target scales: (endpoint, variant) or (None, component)."""
    identity, dimension = key(request)
    kind, *names = identity.split("/")
    if DIMENSIONS.get(kind) != dimension:
        raise bad(f"Unsupported service namespace, resource type or scalable dimension: {identity}, {dimension}")
    if kind == "inference-component":
        found = room(request).components.get(names[0])
        return None, found or missing(identity)
    endpoint = room(request).endpoints.get(names[0].lower()) if len(names) == 3 and names[1] == "variant" else None
    variant = next((v for v in (endpoint or {}).get("ProductionVariants", []) if v["VariantName"] == names[2]), None)
    return endpoint, variant or missing(identity)


def missing(identity):
    raise bad(f"The SageMaker resource does not exist: {identity}")


@own(SERVICE, "RegisterScalableTarget")
def register(request):
    if not ours(request):
        return None
    params, known = request.params, targets(request).get(key(request))
    least, most = (params.get(m, known[0][m] if known else None) for m in ("MinCapacity", "MaxCapacity"))
    if least is None or most is None:
        raise bad("MinCapacity and MaxCapacity are needed to register a scalable target")
    endpoint, what = scaled(request)
    if least > most or least < 0 or (endpoint and least == 0 and not what.get("ManagedInstanceScaling")):
        raise bad("Minimum capacity has to be at least 1 for a variant, and not more than the maximum")
    if known and "Tags" in params:
        raise bad("Tags are only given to a scalable target that is new; use TagResource")
    target, policies, tags = known or ({
        **{m: params[m] for m in ("ServiceNamespace", "ResourceId", "ScalableDimension")}, "CreationTime": now(),
        "RoleARN": f"arn:aws:iam::{account_of(request)}:role/aws-service-role/sagemaker.application-autoscaling.amazonaws.com/"
                   "AWSServiceRoleForApplicationAutoScaling_SageMakerEndpoint",
        "SuspendedState": {m: False for m in ("DynamicScalingInSuspended", "DynamicScalingOutSuspended", "ScheduledScalingSuspended")},
        "ScalableTargetARN": f"arn:aws:{SERVICE}:{request.region}:{account_of(request)}:scalable-target/{uuid.uuid4().hex[:28]}"}, {}, dict(params.get("Tags", {})))
    target.update(MinCapacity=least, MaxCapacity=most)
    target["SuspendedState"].update(params.get("SuspendedState", {}))
    targets(request)[key(request)] = target, policies, tags
    into_bounds(endpoint, what, least, most)
    return {"ScalableTargetARN": target["ScalableTargetARN"]}


def into_bounds(endpoint, what, least, most):
    """A variant or component outside the limits is brought to them at once."""
    if endpoint is None:
        copies = min(max(what["RuntimeConfig"]["DesiredCopyCount"], least), most)
        what["RuntimeConfig"].update(DesiredCopyCount=copies, CurrentCopyCount=copies)
        return
    count = min(max(what["DesiredInstanceCount"], least), most)
    if count != what["DesiredInstanceCount"] and endpoint["EndpointStatus"] == "InService":
        set_variants(endpoint, [{"VariantName": what["VariantName"], "DesiredInstanceCount": count}])


def registered(request):
    known = targets(request).get(key(request))
    if known is None:
        identity, dimension = key(request)
        raise Refused("ObjectNotFoundException", f"No scalable target registered for service namespace: sagemaker, resource ID: {identity}, "
                                                 f"scalable dimension: {dimension}")
    return known


@own(SERVICE, "DescribeScalableTargets")
def describe_targets(request):
    if not ours(request):
        return None
    wanted, dimension = request.params.get("ResourceIds"), request.params.get("ScalableDimension")
    return {"ScalableTargets": [copy.deepcopy(t) for (i, d), (t, _, _) in targets(request).items()
                                if (not wanted or i in wanted) and dimension in (None, d)]}


@own(SERVICE, "DeregisterScalableTarget")
def deregister(request):
    if not ours(request):
        return None
    registered(request)
    drop(request, key(request))
    return {}


def drop(request, which):
    _, policies, _ = targets(request).pop(which)
    for policy in policies.values():
        drop_alarms(request, policy)


def forget(request, prefix):
    """What was scaled is deleted, and its targets with it."""
    for which in [k for k in targets(request) if k[0].startswith(prefix)]:
        drop(request, which)


# ---- policies


def check_policy(params):
    tracking, steps = params.get("TargetTrackingScalingPolicyConfiguration"), params.get("StepScalingPolicyConfiguration")
    wanted = {"TargetTrackingScaling": tracking, "StepScaling": steps}.get(params.get("PolicyType", "StepScaling"))
    if wanted is None or (tracking and steps):
        raise bad("The configuration does not fit the policy's type")
    if steps and not steps.get("AdjustmentType"):
        raise bad("A step scaling policy has an adjustment type")
    if tracking and len({"PredefinedMetricSpecification", "CustomizedMetricSpecification"} & tracking.keys()) != 1:
        raise bad("A target tracking policy has exactly one metric, predefined or customized")
    metric = (tracking or {}).get("PredefinedMetricSpecification", {}).get("PredefinedMetricType")
    if metric and metric not in METRICS[params["ScalableDimension"]]:
        raise bad(f"The metric {metric} is not one of {params['ScalableDimension']}")
    if tracking and tracking["TargetValue"] <= 0:
        raise bad("The target value has to be more than 0")


@own(SERVICE, "PutScalingPolicy")
def put_policy(request):
    if not ours(request):
        return None
    params, (_, policies, _) = request.params, registered(request)
    check_policy(params)
    known = policies.get(params["PolicyName"])
    kind = params.get("PolicyType", "StepScaling")
    if known and known["PolicyType"] != kind:
        raise bad("The type of a policy cannot be changed")
    if kind == "TargetTrackingScaling" and any(p["PolicyType"] == kind and p is not known and metric_of(p) == metric_of(params) for p in policies.values()):
        raise bad("Only one TargetTrackingScaling policy for a given metric specification is allowed.")
    made = known["PolicyARN"] if known else (
        f"arn:aws:autoscaling:{request.region}:{account_of(request)}:scalingPolicy:{uuid.uuid4()}:resource/sagemaker/{params['ResourceId']}:"
        f"policyName/{params['PolicyName']}")
    policy = policies[params["PolicyName"]] = {**copy.deepcopy(params), "PolicyType": kind, "PolicyARN": made,
                                               "CreationTime": known["CreationTime"] if known else now(), "Alarms": known["Alarms"] if known else []}
    if kind == "TargetTrackingScaling" and not known:
        policy["Alarms"] = [make_alarm(request, params, part) for part in ("AlarmHigh", "AlarmLow")]
    return {"PolicyARN": made, "Alarms": copy.deepcopy(policy["Alarms"])}


def metric_of(policy):
    tracking = policy["TargetTrackingScalingPolicyConfiguration"]
    return tracking.get("PredefinedMetricSpecification") or tracking.get("CustomizedMetricSpecification")


def backend(request):
    return cloudwatch_backends[account_of(request)][request.region]


def make_alarm(request, params, part):
    name, tracking = f"TargetTracking-{params['ResourceId']}-{part}-{uuid.uuid4()}", params["TargetTrackingScalingPolicyConfiguration"]
    metric = metric_of(params)
    backend(request).put_metric_alarm(
        name=name, namespace=metric.get("Namespace", "AWS/SageMaker"), metric_name=metric.get("MetricName", "InvocationsPerInstance"),
        comparison_operator="GreaterThanThreshold" if part == "AlarmHigh" else "LessThanThreshold", evaluation_periods=3, period=60,
        threshold=tracking["TargetValue"], statistic="Sum", description="DO NOT EDIT OR DELETE. For TargetTrackingScaling policy.", dimensions=[], alarm_actions=[])
    return {"AlarmName": name, "AlarmARN": f"arn:aws:cloudwatch:{request.region}:{account_of(request)}:alarm:{name}"}


def drop_alarms(request, policy):
    for alarm in policy["Alarms"]:
        backend(request).alarms.pop(alarm["AlarmName"], None)


@own(SERVICE, "DescribeScalingPolicies")
def describe_policies(request):
    if not ours(request):
        return None
    params = request.params
    fits = lambda p: all(params.get(m) in (None, p[m]) for m in ("ResourceId", "ScalableDimension")) and p["PolicyName"] in params.get("PolicyNames", [p["PolicyName"]])
    return {"ScalingPolicies": [copy.deepcopy(p) for _, policies, _ in targets(request).values() for p in policies.values() if fits(p)]}


@own(SERVICE, "DeleteScalingPolicy")
def delete_policy(request):
    if not ours(request):
        return None
    _, policies, _ = registered(request)
    policy = policies.pop(request.params["PolicyName"], None)
    if policy is None:
        raise Refused("ObjectNotFoundException", f"No scaling policy found for service namespace: sagemaker, policy name: {request.params['PolicyName']}")
    drop_alarms(request, policy)
    return {}


# ---- tags


def tags_of(request):
    found = next((tags for target, _, tags in targets(request).values() if target["ScalableTargetARN"] == request.params["ResourceARN"]), None)
    if found is None:
        raise Refused("ResourceNotFoundException", f"The specified resource does not exist: {request.params['ResourceARN']}")
    return found


@own(SERVICE, "ListTagsForResource")
def list_tags(request):
    return {"Tags": dict(tags_of(request))}


@own(SERVICE, "TagResource")
def tag_resource(request):
    tags_of(request).update(request.params["Tags"])
    return {}


@own(SERVICE, "UntagResource")
def untag_resource(request):
    for name in request.params["TagKeys"]:
        tags_of(request).pop(name, None)
    return {}

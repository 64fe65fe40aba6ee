"""SageMaker: inference components, the models and adapters that share an endpoint's instances."""
import copy

from tests.sim.eks import failure_of
from tests.sim.sagemaker import arn, at_rest, bad, known, listed, new, now, room, tag
from tests.sim.state import STATE, own


def check_specification(request, endpoint, specification):
    base = specification.get("BaseInferenceComponentName")
    if base is None:
        if "ComputeResourceRequirements" not in specification:
            raise bad("ComputeResourceRequirements are needed of what is no adapter")
        if ("ModelName" in specification) == ("Image" in specification.get("Container", {})):
            raise bad("Exactly one of ModelName and Container.Image is needed")
        if "ModelName" in specification:
            known(request, "model", specification["ModelName"])
        return
    if known(request, "inference-component", base)["EndpointName"] != endpoint["EndpointName"]:
        raise bad("An adapter is at the endpoint of its base inference component")
    if "ComputeResourceRequirements" in specification or "ModelName" in specification:
        raise bad("An adapter uses the resources and the model of its base inference component")
    if "ArtifactUrl" not in specification.get("Container", {}):
        raise bad("An adapter has an ArtifactUrl")


def variant_of(request, endpoint):
    """The variant that hosts it: it has no model of its own."""
    params = request.params
    base = room(request).components.get(params["Specification"].get("BaseInferenceComponentName"))
    name = base["VariantName"] if base else params.get("VariantName")
    found = next((v for v in endpoint["_config"]["ProductionVariants"] if v["VariantName"] == name), None)
    if found is None:
        raise bad(f"Could not find variant {name} of endpoint {endpoint['EndpointName']}")
    if "ModelName" in found:
        raise bad("Inference Components are not supported in this Endpoint. Please make sure this endpoint can deploy inference components.")
    return name


def summary(specification):
    """As descriptions have it: the image is one that is deployed."""
    made = copy.deepcopy(specification)
    image = made.get("Container", {}).pop("Image", None)
    if image:
        made["Container"]["DeployedImage"] = {"SpecifiedImage": image, "ResolvedImage": image, "ResolutionTime": now()}
    return made


@own("sagemaker", "CreateInferenceComponent")
def create_component(request):
    params, name = request.params, request.params["InferenceComponentName"]
    made, endpoint = new(request, "inference-component", name), known(request, "endpoint", params["EndpointName"])
    at_rest(endpoint)
    if "Specification" not in params:
        raise bad("Specification is needed")
    check_specification(request, endpoint, params["Specification"])
    copies = params.get("RuntimeConfig", {}).get("CopyCount", 1)
    component = room(request).components[name] = {
        "InferenceComponentName": name, "InferenceComponentArn": made, "EndpointName": endpoint["EndpointName"], "EndpointArn": endpoint["EndpointArn"],
        "VariantName": variant_of(request, endpoint), "Specification": summary(params["Specification"]), "CreationTime": now(), "LastModifiedTime": now(),
        "RuntimeConfig": {"DesiredCopyCount": copies, "CurrentCopyCount": 0}, "InferenceComponentStatus": "Creating"}
    tag(request, made)
    settle("CreateInferenceComponent", component, {}, "Failed")
    return {"InferenceComponentArn": made}


def settle(operation, component, change, failed):
    """The change comes true; when it fails, the component is `failed`, and has what it had."""
    def end():
        issue = failure_of(operation, component["InferenceComponentName"])
        component["LastModifiedTime"] = now()
        if issue:
            component.update(InferenceComponentStatus=failed, FailureReason=issue["message"])
            return
        component.update(**change, InferenceComponentStatus="InService")
        component["RuntimeConfig"]["CurrentCopyCount"] = component["RuntimeConfig"]["DesiredCopyCount"]
    STATE.after(operation, end)


@own("sagemaker", "DescribeInferenceComponent")
def describe_component(request):
    return copy.deepcopy(known(request, "inference-component", request.params["InferenceComponentName"]))


@own("sagemaker", "ListInferenceComponents")
def list_components(request):
    wanted = request.params.get("EndpointNameEquals")
    items = [c for c in room(request).components.values() if wanted in (None, c["EndpointName"])]
    return listed(request, "inference-component", items, "InferenceComponent", "EndpointArn", "EndpointName", "VariantName", "InferenceComponentStatus",
                  "LastModifiedTime")


def changing(request):
    component = known(request, "inference-component", request.params["InferenceComponentName"])
    status = component["InferenceComponentStatus"]
    if status in ("Creating", "Updating", "Deleting"):
        raise bad(f'Cannot update in-progress inference component "{component["InferenceComponentArn"]}".')
    component["InferenceComponentStatus"] = "Updating"
    component.pop("FailureReason", None)
    return component


@own("sagemaker", "UpdateInferenceComponent")
def update_component(request):
    params = request.params
    if not {"Specification", "RuntimeConfig"} & params.keys():
        raise bad("Either Specification or RuntimeConfig is needed")
    before = known(request, "inference-component", params["InferenceComponentName"])
    if "Specification" in params:
        check_specification(request, known(request, "endpoint", before["EndpointName"]), params["Specification"])
    component, change = changing(request), {}
    if "Specification" in params:
        change["Specification"] = summary(params["Specification"])
    if "RuntimeConfig" in params:
        component["RuntimeConfig"]["DesiredCopyCount"] = params["RuntimeConfig"]["CopyCount"]
    if "DeploymentConfig" in params:
        component["LastDeploymentConfig"] = params["DeploymentConfig"]
    settle("UpdateInferenceComponent", component, change, "InService")
    return {"InferenceComponentArn": component["InferenceComponentArn"]}


@own("sagemaker", "UpdateInferenceComponentRuntimeConfig")
def update_runtime(request):
    component = changing(request)
    component["RuntimeConfig"]["DesiredCopyCount"] = request.params["DesiredRuntimeConfig"]["CopyCount"]
    settle("UpdateInferenceComponentRuntimeConfig", component, {}, "InService")
    return {"InferenceComponentArn": component["InferenceComponentArn"]}


@own("sagemaker", "DeleteInferenceComponent")
def delete_component(request):
    from tests.sim import appautoscaling
    name = request.params["InferenceComponentName"]
    component, made = known(request, "inference-component", name), arn(request, "inference-component", name)
    if component["InferenceComponentStatus"] == "Deleting":
        raise bad(f'Inference component "{made}" is in the state DELETE_IN_PROGRESS.')
    if any(c["Specification"].get("BaseInferenceComponentName") == name for c in room(request).components.values()):
        raise bad(f'Inference component "{made}" is a base inference component for one or more associated adapters.')
    component["InferenceComponentStatus"] = "Deleting"
    appautoscaling.forget(request, f"inference-component/{name}")

    def gone():
        room(request).components.pop(name, None)
        room(request).tags.pop(made, None)
    STATE.after("DeleteInferenceComponent", gone)
    return {}

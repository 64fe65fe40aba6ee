"""SageMaker and Application Auto Scaling in the simulator, by boto3."""
import json

import pytest
from botocore.exceptions import ClientError

from tests.sim.test_sim import clean, front, process, refused  # noqa: F401
from tests.sim.test_sim_eks import trust

IMAGE = "763104351884.dkr.ecr.us-east-1.amazonaws.com/djl-inference:0.33.0-lmi15.0.0-cu128"
TAGS = [{"Key": "a", "Value": "b"}]
VARIANT, COPIES = "sagemaker:variant:DesiredInstanceCount", "sagemaker:inference-component:DesiredCopyCount"


def says(function, **arguments):
    """The message of the ValidationException that a call gives."""
    with pytest.raises(ClientError) as caught:
        function(**arguments)
    assert caught.value.response["Error"]["Code"] == "ValidationException", caught.value.response
    return caught.value.response["Error"]["Message"]


class Serving:
    def __init__(self, front):
        self.front, self.api, self.scaling, self.cloudwatch = front, front.client("sagemaker"), front.client("application-autoscaling"), front.client("cloudwatch")
        self.runtime = front.client("sagemaker-runtime")
        self.role = front.client("iam").create_role(RoleName="r", AssumeRolePolicyDocument=trust("sagemaker.amazonaws.com"))["Role"]["Arn"]

    def model(self, name="m", **changes):
        return self.api.create_model(**{"ModelName": name, "ExecutionRoleArn": self.role, "PrimaryContainer": {"Image": IMAGE}, **changes})["ModelArn"]

    def config(self, name, *variants, **more):
        return self.api.create_endpoint_config(EndpointConfigName=name, ProductionVariants=list(variants or [self.variant("a", "m")]), **more)["EndpointConfigArn"]

    def variant(self, name, model=None, **more):
        return {"VariantName": name, "InstanceType": "ml.g5.xlarge", "InitialInstanceCount": 1, "InitialVariantWeight": 1.0, **({"ModelName": model} if model else {}), **more}

    def endpoint(self, config="c", name="e", **more):
        return self.api.create_endpoint(EndpointName=name, EndpointConfigName=config, **more)["EndpointArn"]

    def now(self, name="e"):
        return self.api.describe_endpoint(EndpointName=name)

    def served(self):
        return json.load(self.runtime.invoke_endpoint(EndpointName="e", Body=b"{}", ContentType="application/json")["Body"])

    def shared(self):
        """An endpoint for inference components."""
        self.model()
        self.config("s", self.variant("all", ManagedInstanceScaling={"Status": "ENABLED", "MinInstanceCount": 0, "MaxInstanceCount": 2}), ExecutionRoleArn=self.role)
        self.endpoint("s")

    def component(self, name="base", **more):
        needs = {"MinMemoryRequiredInMb": 1024, "NumberOfAcceleratorDevicesRequired": 1}
        return self.api.create_inference_component(**{
            "InferenceComponentName": name, "EndpointName": "e", "VariantName": "all", "Specification": {"ModelName": "m", "ComputeResourceRequirements": needs},
            "RuntimeConfig": {"CopyCount": 1}, **more})


@pytest.fixture
def s(clean):
    return Serving(clean)


def test_models(s):
    arn = s.model("Model-1", Tags=TAGS, EnableNetworkIsolation=True)
    found = s.api.describe_model(ModelName="Model-1")
    assert (found["ModelArn"], found["EnableNetworkIsolation"], found["PrimaryContainer"]) == (arn, True, {"Image": IMAGE, "Mode": "SingleModel"})
    assert s.api.list_tags(ResourceArn=arn)["Tags"] == TAGS
    assert says(s.model, name="Model-1") == f'Cannot create already existing model "{arn}".'
    assert [m["ModelName"] for m in s.api.list_models(NameContains="model")["Models"]] == ["Model-1"]
    s.api.delete_model(ModelName="Model-1")
    assert says(s.api.describe_model, ModelName="Model-1") == f'Could not find model "{arn}".'
    assert says(s.api.delete_model, ModelName="Model-1").startswith("Could not find model")
    assert says(s.api.list_tags, ResourceArn=arn) == "Resource does not exist."


def test_models_that_are_refused(s):
    other = s.front.client("iam").create_role(RoleName="o", AssumeRolePolicyDocument=trust("ec2.amazonaws.com"))["Role"]["Arn"]
    assert "allows principal 'sagemaker.amazonaws.com'" in says(s.model, ExecutionRoleArn=other)
    s3 = s.front.client("s3")
    s3.create_bucket(Bucket="weights")
    s3.put_object(Bucket="weights", Key="x/y", Body=b"1")
    source = lambda uri, kind="S3Prefix": {"Image": IMAGE, "ModelDataSource": {"S3DataSource": {"S3Uri": uri, "S3DataType": kind, "CompressionType": "None"}}}
    assert says(s.model, PrimaryContainer=source("s3://weights/z/")) == "Could not find model data at s3://weights/z/."
    assert says(s.model, PrimaryContainer=source("s3://nobody/x/")) == "Could not find model data at s3://nobody/x/."
    assert "forward slash" in says(s.model, PrimaryContainer=source("s3://weights/x"))
    assert "does not exist" in says(s.model, VpcConfig={"Subnets": ["subnet-0"], "SecurityGroupIds": ["sg-0"]})
    s.model(PrimaryContainer=source("s3://weights/x/"))
    s.model("n", PrimaryContainer=source("s3://weights/x/y", "S3Object"))


def test_configurations(s):
    s.model()
    arn = s.config("c", s.variant("a", "m"), s.variant("b", "m", InitialVariantWeight=0.5), Tags=TAGS)
    found = s.api.describe_endpoint_config(EndpointConfigName="c")
    assert [v["InitialVariantWeight"] for v in found["ProductionVariants"]] == [1.0, 0.5] and s.api.list_tags(ResourceArn=arn)["Tags"] == TAGS
    refused_variants = {
        "unique": [s.variant("a", "m"), s.variant("a", "m")], "Could not find model": [s.variant("a", "no")], "ExecutionRoleArn": [s.variant("a")],
        "ManagedInstanceScaling is not supported": [s.variant("a", "m", ManagedInstanceScaling={"Status": "ENABLED"})],
        "serverless": [s.variant("a", "m", ServerlessConfig={"MemorySizeInMB": 1024, "MaxConcurrency": 1})],
        "instance type": [{"VariantName": "a", "ModelName": "m"}]}
    for text, variants in refused_variants.items():
        assert text in says(lambda: s.config("d", *variants)), text
    s.api.delete_endpoint_config(EndpointConfigName="c")
    assert says(s.api.describe_endpoint_config, EndpointConfigName="c") == f'Could not find endpoint configuration "{arn}".'


def test_an_endpoint_s_life(s):
    s.model()
    s.config("c")
    s.front.control("settle", {"CreateEndpoint": 60, "DeleteEndpoint": 60})
    arn = s.endpoint(name="E", Tags=TAGS)
    assert arn.endswith(":endpoint/e") and s.now("E")["EndpointStatus"] == "Creating" and "ProductionVariants" not in s.now("E")
    assert says(s.api.delete_endpoint, EndpointName="E") == f'Cannot update in-progress endpoint "{arn}".', "for as long as it is made"
    assert says(s.endpoint, name="e") == f'Cannot create already existing endpoint "{arn}".', "the case of names does not count"
    assert refused(s.runtime.invoke_endpoint, EndpointName="E", Body=b"{}") == "ValidationError"
    s.front.control("finish", {})
    found = s.now("E")
    assert found["EndpointStatus"] == "InService" and found["ProductionVariants"][0]["DeployedImages"][0]["SpecifiedImage"] == IMAGE
    assert s.runtime.invoke_endpoint(EndpointName="E", Body=b"{}")["InvokedProductionVariant"] == "a"
    s.api.delete_endpoint(EndpointName="E")
    assert s.now("E")["EndpointStatus"] == "Deleting"
    s.front.control("finish", {})
    assert says(s.now, name="E") == f'Could not find endpoint "{arn}".'


def test_endpoints_that_fail_late(s):
    s.model()
    s.model("gone")
    s.model("mine", PrimaryContainer={"Image": "123456789012.dkr.ecr.us-east-1.amazonaws.com/nothing:1"})
    for name in ("m", "gone", "mine"):
        s.config(name, s.variant("a", name))
    s.api.delete_model(ModelName="gone")
    s.front.control("failures", [{"operation": "CreateEndpoint", "name": "m", "code": "Failed", "message": "no capacity", "times": 1}])
    for name, reason in (("m", "no capacity"), ("gone", "Could not find model"), ("mine", "all images included in the model for the production variant a exist")):
        s.endpoint(name, name)
        assert s.now(name)["EndpointStatus"] == "Failed" and reason in s.now(name)["FailureReason"], s.now(name)
    assert "it can only be deleted" in says(s.api.update_endpoint, EndpointName="m", EndpointConfigName="m")
    s.api.delete_endpoint(EndpointName="m")
    s.endpoint("m", "m")
    assert s.now("m")["EndpointStatus"] == "InService", "it fails once"


def test_quotas(s):
    s.model()
    s.config("c", s.variant("a", "m", InitialInstanceCount=2))
    s.config("d", s.variant("a", "m", InitialInstanceCount=2))
    s.front.control("quotas", {"ml.g5.xlarge for endpoint usage": 3})
    s.endpoint()
    assert refused(s.endpoint, name="f") == "ResourceLimitExceeded"
    assert refused(s.api.update_endpoint, EndpointName="e", EndpointConfigName="d") == "ResourceLimitExceeded", "old and new are there together"
    pages = s.front.client("service-quotas").get_paginator("list_service_quotas").paginate(ServiceCode="sagemaker")
    assert {q["QuotaName"]: q["Value"] for page in pages for q in page["Quotas"]}["ml.g5.xlarge for endpoint usage"] == 3


def test_updates(s):
    s.model()
    s.config("c")
    s.config("d", s.variant("a", "m", InitialInstanceCount=2, InitialVariantWeight=3.0), s.variant("b", "m"),
             DataCaptureConfig={"EnableCapture": True, "InitialSamplingPercentage": 5, "DestinationS3Uri": "s3://b/x", "CaptureOptions": [{"CaptureMode": "Input"}]})
    s.endpoint()
    s.front.control("settle", {"UpdateEndpoint": 60})
    routing = {"Type": "CANARY", "WaitIntervalInSeconds": 60, "CanarySize": {"Type": "CAPACITY_PERCENT", "Value": 10}}
    deployment = {"BlueGreenUpdatePolicy": {"TrafficRoutingConfiguration": routing}}
    s.api.update_endpoint(EndpointName="e", EndpointConfigName="d", DeploymentConfig=deployment)
    now = s.now()
    assert (now["EndpointStatus"], now["EndpointConfigName"], now["PendingDeploymentSummary"]["EndpointConfigName"]) == ("Updating", "c", "d")
    assert s.served()["endpoint_config"] == "c", "the old one serves"
    for call in (lambda: s.api.update_endpoint(EndpointName="e", EndpointConfigName="c"), lambda: s.api.delete_endpoint(EndpointName="e"),
                 lambda: s.api.update_endpoint_weights_and_capacities(EndpointName="e", DesiredWeightsAndCapacities=[{"VariantName": "a", "DesiredWeight": 2}])):
        assert "Cannot update in-progress endpoint" in says(call)
    s.front.control("finish", {})
    now = s.now()
    assert (now["EndpointStatus"], now["EndpointConfigName"], now["LastDeploymentConfig"]) == ("InService", "d", deployment) and "PendingDeploymentSummary" not in now
    assert now["DataCaptureConfig"]["CaptureStatus"] == "Started" and [v["DesiredInstanceCount"] for v in now["ProductionVariants"]] == [2, 1]
    assert s.served()["endpoint_config"] == "d"


def test_what_an_update_retains(s):
    s.model()
    s.config("c", s.variant("a", "m"))
    s.config("d", s.variant("a", "m", InitialInstanceCount=4, InitialVariantWeight=4.0))
    s.endpoint()
    set_to = lambda **what: s.api.update_endpoint_weights_and_capacities(EndpointName="e", DesiredWeightsAndCapacities=[{"VariantName": "a", **what}])
    set_to(DesiredWeight=2.0)
    set_to(DesiredInstanceCount=2)
    shown = lambda: [(v["CurrentWeight"], v["CurrentInstanceCount"]) for v in s.now()["ProductionVariants"]]
    assert shown() == [(2.0, 2)]
    for options, wanted in (({"RetainAllVariantProperties": True}, (2.0, 2)), ({}, (4.0, 4))):
        s.api.update_endpoint(EndpointName="e", EndpointConfigName="d", **options)
        assert shown() == [wanted]
    set_to(DesiredWeight=2.0)
    s.api.update_endpoint(EndpointName="e", EndpointConfigName="c", RetainAllVariantProperties=True,
                          ExcludeRetainedVariantProperties=[{"VariantPropertyType": "DesiredInstanceCount"}])
    assert shown() == [(2.0, 1)]


def test_updates_that_are_refused(s):
    s.model()
    s.config("c")
    s.config("d")
    s.endpoint()
    update = lambda **more: says(s.api.update_endpoint, EndpointName="e", **{"EndpointConfigName": "d", **more})
    routing = lambda **more: {"BlueGreenUpdatePolicy": {"TrafficRoutingConfiguration": {"WaitIntervalInSeconds": 0, **more}}}
    size = {"Type": "CAPACITY_PERCENT", "Value": 60}
    assert "Could not find endpoint configuration" in update(EndpointConfigName="no")
    assert "CanarySize" in update(DeploymentConfig=routing(Type="CANARY"))
    assert "LinearStepSize" in update(DeploymentConfig=routing(Type="ALL_AT_ONCE", LinearStepSize=size))
    assert "50 percent" in update(DeploymentConfig=routing(Type="LINEAR", LinearStepSize=size))
    assert "alarm" in update(DeploymentConfig={**routing(Type="ALL_AT_ONCE"), "AutoRollbackConfiguration": {"Alarms": [{"AlarmName": "none"}]}})
    s.api.delete_endpoint_config(EndpointConfigName="c")
    assert "endpoint-config/c" in update(), "the old configuration is needed for an update"


def test_updates_that_are_rolled_back(s):
    s.model()
    s.config("c")
    s.config("d")
    s.endpoint()
    s.cloudwatch.put_metric_alarm(AlarmName="errors", MetricName="m", Namespace="n", Statistic="Sum", Period=60, EvaluationPeriods=1, Threshold=1,
                                  ComparisonOperator="GreaterThanThreshold")
    deployment = {"BlueGreenUpdatePolicy": {"TrafficRoutingConfiguration": {"Type": "ALL_AT_ONCE", "WaitIntervalInSeconds": 60}},
                  "AutoRollbackConfiguration": {"Alarms": [{"AlarmName": "errors"}]}}
    s.front.control("settle", {"RollingBack": 60})
    s.cloudwatch.set_alarm_state(AlarmName="errors", StateValue="ALARM", StateReason="r")
    s.api.update_endpoint(EndpointName="e", EndpointConfigName="d", DeploymentConfig=deployment)
    assert s.now()["EndpointStatus"] == "RollingBack" and s.served()["endpoint_config"] == "c"
    s.front.control("finish", {})
    now = s.now()
    assert (now["EndpointStatus"], now["EndpointConfigName"]) == ("InService", "c") and "errors" in now["FailureReason"]
    s.cloudwatch.set_alarm_state(AlarmName="errors", StateValue="OK", StateReason="r")
    s.api.update_endpoint(EndpointName="e", EndpointConfigName="d", DeploymentConfig=deployment)
    assert s.now()["EndpointConfigName"] == "d" and "FailureReason" not in s.now()
    s.front.control("failures", [{"operation": "UpdateEndpointWeightsAndCapacities", "code": "x", "message": "no more of them", "times": 1}])
    s.api.update_endpoint_weights_and_capacities(EndpointName="e", DesiredWeightsAndCapacities=[{"VariantName": "a", "DesiredInstanceCount": 3}])
    s.front.control("finish", {})
    now = s.now()
    assert (now["EndpointStatus"], now["FailureReason"], now["ProductionVariants"][0]["DesiredInstanceCount"]) == ("InService", "no more of them", 1)
    s.front.control("failures", [{"operation": "UpdateEndpoint", "code": "UpdateRollbackFailed", "message": "stuck", "times": 1}])
    s.api.update_endpoint(EndpointName="e", EndpointConfigName="c")
    assert (s.now()["EndpointStatus"], s.now()["FailureReason"]) == ("UpdateRollbackFailed", "stuck")


def test_weights_that_are_refused(s):
    s.model()
    s.config("c", s.variant("a", "m"), s.variant("b", "m"))
    s.endpoint()
    put = lambda *wanted: says(s.api.update_endpoint_weights_and_capacities, EndpointName="e", DesiredWeightsAndCapacities=list(wanted))
    assert "Could not find variant" in put({"VariantName": "z", "DesiredWeight": 1})
    assert "one variant at a time" in put({"VariantName": "a", "DesiredInstanceCount": 2}, {"VariantName": "b", "DesiredInstanceCount": 2})
    assert "greater than 0" in put({"VariantName": "a", "DesiredWeight": 0}, {"VariantName": "b", "DesiredWeight": 0})


def test_traffic_follows_the_weights(s):
    s.model()
    s.config("c", s.variant("a", "m"), s.variant("b", "m", InitialVariantWeight=0.0))
    s.endpoint()
    assert {s.served()["variant"] for _ in range(20)} == {"a"}
    s.api.update_endpoint_weights_and_capacities(EndpointName="e", DesiredWeightsAndCapacities=[{"VariantName": "b", "DesiredWeight": 0.9}])
    assert s.now()["ProductionVariants"][1]["CurrentWeight"] == 0.8999999761581421, "a number of 32 bits"
    assert {s.served()["variant"] for _ in range(60)} == {"a", "b"}


def test_inference_components(s):
    s.shared()
    s.front.control("settle", {"CreateInferenceComponent": 60})
    arn = s.component(Tags=TAGS)["InferenceComponentArn"]
    now = lambda name="base": s.api.describe_inference_component(InferenceComponentName=name)
    assert now()["InferenceComponentStatus"] == "Creating"
    s.front.control("finish", {})
    assert now()["InferenceComponentStatus"] == "InService" and now()["RuntimeConfig"] == {"DesiredCopyCount": 1, "CurrentCopyCount": 1}
    s.front.control("settle", {})
    adapter = {"BaseInferenceComponentName": "base", "Container": {"ArtifactUrl": "s3://b/adapter.tar.gz"}}
    s.api.create_inference_component(InferenceComponentName="law", EndpointName="e", Specification=adapter)
    assert now("law")["VariantName"] == "all" and now("law")["Specification"] == adapter
    assert "is a base inference component" in says(s.api.delete_inference_component, InferenceComponentName="base")
    assert "inference components" in says(s.api.delete_endpoint, EndpointName="e")
    s.api.update_inference_component_runtime_config(InferenceComponentName="base", DesiredRuntimeConfig={"CopyCount": 0})
    assert now()["RuntimeConfig"]["CurrentCopyCount"] == 0
    s.api.delete_inference_component(InferenceComponentName="law")
    s.api.delete_inference_component(InferenceComponentName="base")
    assert says(now) == f'Could not find inference component "{arn}".'


def test_inference_components_that_are_refused_or_fail(s):
    s.shared()
    s.config("c")
    s.endpoint("c", "plain")
    assert "not supported in this Endpoint" in says(lambda: s.component(EndpointName="plain", VariantName="a"))
    assert "variant" in says(lambda: s.component(VariantName="none"))
    assert "ArtifactUrl" in says(lambda: (s.component(), s.component("law", Specification={"BaseInferenceComponentName": "base"})))
    assert "resources" in says(lambda: s.component("law", Specification={"BaseInferenceComponentName": "base", "ModelName": "m"}))
    assert "Exactly one" in says(lambda: s.component("x", Specification={"ComputeResourceRequirements": {"MinMemoryRequiredInMb": 128}}))
    s.model("n")
    s.front.control("failures", [{"operation": "UpdateInferenceComponent", "code": "x", "message": "out of memory", "times": 1}])
    new = {"ModelName": "n", "ComputeResourceRequirements": {"MinMemoryRequiredInMb": 128}}
    s.api.update_inference_component(InferenceComponentName="base", Specification=new)
    now = s.api.describe_inference_component(InferenceComponentName="base")
    assert (now["InferenceComponentStatus"], now["FailureReason"], now["Specification"]["ModelName"]) == ("InService", "out of memory", "m")


def test_scaling(s):
    s.model()
    s.config("c")
    s.endpoint()
    at = {"ServiceNamespace": "sagemaker", "ResourceId": "endpoint/e/variant/a", "ScalableDimension": VARIANT}
    assert refused(s.scaling.put_scaling_policy, PolicyName="p", PolicyType="TargetTrackingScaling", **at,
                   TargetTrackingScalingPolicyConfiguration={"TargetValue": 1, "CustomizedMetricSpecification": {}}) == "ObjectNotFoundException"
    assert "does not exist" in says(s.scaling.register_scalable_target, **{**at, "ResourceId": "endpoint/no/variant/a"}, MinCapacity=1, MaxCapacity=2)
    assert "at least 1" in says(s.scaling.register_scalable_target, **at, MinCapacity=0, MaxCapacity=2)
    arn = s.scaling.register_scalable_target(**at, MinCapacity=2, MaxCapacity=3, Tags={"a": "b"})["ScalableTargetARN"]
    assert s.now()["ProductionVariants"][0]["CurrentInstanceCount"] == 2
    s.scaling.register_scalable_target(**at, MaxCapacity=5)
    [target] = s.scaling.describe_scalable_targets(ServiceNamespace="sagemaker", ResourceIds=[at["ResourceId"]])["ScalableTargets"]
    assert (target["MinCapacity"], target["MaxCapacity"], target["ScalableTargetARN"]) == (2, 5, arn)
    assert "Tags" in says(s.scaling.register_scalable_target, **at, Tags={"c": "d"})
    s.scaling.tag_resource(ResourceARN=arn, Tags={"c": "d"})
    s.scaling.untag_resource(ResourceARN=arn, TagKeys=["a"])
    assert s.scaling.list_tags_for_resource(ResourceARN=arn)["Tags"] == {"c": "d"}
    tracking = {"TargetValue": 70.0, "PredefinedMetricSpecification": {"PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"}}
    put = dict(PolicyName="p", PolicyType="TargetTrackingScaling", **at, TargetTrackingScalingPolicyConfiguration=tracking)
    made = s.scaling.put_scaling_policy(**put)
    assert {a["AlarmName"] for a in s.cloudwatch.describe_alarms()["MetricAlarms"]} == {a["AlarmName"] for a in made["Alarms"]} and len(made["Alarms"]) == 2
    assert s.scaling.put_scaling_policy(**put)["PolicyARN"] == made["PolicyARN"]
    assert "Only one TargetTrackingScaling policy" in says(s.scaling.put_scaling_policy, **{**put, "PolicyName": "q"})
    s.api.delete_endpoint(EndpointName="e")
    assert s.scaling.describe_scalable_targets(ServiceNamespace="sagemaker")["ScalableTargets"] == [] == s.cloudwatch.describe_alarms()["MetricAlarms"]
    assert refused(s.scaling.deregister_scalable_target, **at) == "ObjectNotFoundException"


def test_scaling_to_zero(s):
    s.shared()
    s.component()
    at = {"ServiceNamespace": "sagemaker", "ResourceId": "inference-component/base", "ScalableDimension": COPIES}
    s.scaling.register_scalable_target(**at, MinCapacity=0, MaxCapacity=2)
    s.scaling.put_scaling_policy(PolicyName="out", PolicyType="StepScaling", **at, StepScalingPolicyConfiguration={
        "AdjustmentType": "ChangeInCapacity", "StepAdjustments": [{"MetricIntervalLowerBound": 0.0, "ScalingAdjustment": 1}]})
    [policy] = s.scaling.describe_scaling_policies(ServiceNamespace="sagemaker", PolicyNames=["out"])["ScalingPolicies"]
    assert policy["PolicyType"] == "StepScaling" and policy["Alarms"] == []
    s.scaling.delete_scaling_policy(PolicyName="out", **at)
    s.scaling.deregister_scalable_target(**at)

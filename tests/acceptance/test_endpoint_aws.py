"""llm_endpoint on SageMaker with a real core: what it makes there, how a change reaches it while clients call, and what goes wrong."""
import json
import os
import signal
import subprocess
import threading
import time

import pytest

from conftest import CORES, Core, aws_settings

NAME, REGION, ACCOUNT = "quant", "us-east-1", "123456789012"
MODEL = "TheBloke/Mistral-7B-Instruct-v0.2-AWQ"
BASE = {"model": MODEL, "quantization": "awq", "machine": {"type": "ml.g5.xlarge"}}


@pytest.fixture
def ground(tmp_path, sim):
    return Core(CORES[sorted(CORES)[-1]], tmp_path, aws_settings(sim.endpoint))


@pytest.fixture
def sagemaker(cloud):
    return cloud.client("sagemaker")


def endpoint(name=NAME, **attributes):
    settings = {"name": name, "cloud": "aws", **BASE, **attributes}
    return 'resource "llm_endpoint" "e" {\n' + "".join(f"  {k} = {json.dumps(v)}\n" for k, v in settings.items() if v is not None) + "}\n"


def state_of(ground):
    return ground.state()["llm_endpoint.e"]


def models(sagemaker):
    return [sagemaker.describe_model(ModelName=m["ModelName"]) for m in sagemaker.list_models()["Models"]]


def config_of(sagemaker, name=NAME):
    return sagemaker.describe_endpoint_config(EndpointConfigName=sagemaker.describe_endpoint(EndpointName=name)["EndpointConfigName"])


def mutations(sim):
    return [c["operation"] for c in sim.calls() if not c["operation"].startswith(("Describe", "Get", "List", "Head"))]


def test_life(ground, sim, cloud, sagemaker):
    ground.write(endpoint())
    ground.apply_ok()
    found = sagemaker.describe_endpoint(EndpointName=NAME)
    assert found["EndpointStatus"] == "InService"
    [variant] = config_of(sagemaker)["ProductionVariants"]
    [model] = models(sagemaker)
    assert (variant["InstanceType"], variant["InitialInstanceCount"], variant["ModelName"]) == ("ml.g5.xlarge", 1, model["ModelName"])
    assert variant["InferenceAmiVersion"] == "al2023-ami-sagemaker-inference-gpu-4-1"
    container = model["PrimaryContainer"]
    assert container["Image"].startswith(f"763104351884.dkr.ecr.{REGION}.amazonaws.com/vllm:")
    assert container["Environment"]["SM_VLLM_MODEL"] == MODEL
    assert "SM_VLLM_QUANTIZATION" not in container["Environment"]
    role = cloud.client("iam").get_role(RoleName=f"llm-ep-{NAME}-{REGION}")["Role"]
    assert model["ExecutionRoleArn"] == role["Arn"]
    [group] = cloud.client("logs").describe_log_groups(logGroupNamePrefix=f"/aws/sagemaker/Endpoints/{NAME}")["logGroups"]
    assert group["retentionInDays"] == 30
    state = state_of(ground)
    assert state["endpoint_arn"] == found["EndpointArn"] and state["status"] == "InService" and state["role_id"] == role["Arn"]
    assert state["model_ids"] == {"main": model["ModelArn"]}
    assert state["variant_status"]["main"] == {"weight": 100, "instances": 1, "desired_instances": 1, "machine_type": "ml.g5.xlarge",
                                               "image": container["Image"]}
    assert state["invoke_url"] == f"https://runtime.sagemaker.{REGION}.amazonaws.com/endpoints/{NAME}/invocations"
    assert "UpdateEndpointWeightsAndCapacities" not in mutations(sim)
    sim.control("calls", method="DELETE")
    ground.no_difference()
    assert mutations(sim) == []
    destroyed = ground.destroy()
    assert destroyed.status == 0, destroyed.output
    assert cloud.owned() == [] and sagemaker.list_models()["Models"] == [] and sagemaker.list_endpoint_configs()["EndpointConfigs"] == []


class Caller:
    """A client that keeps calling, and what it saw: every answer, and the status that the endpoint had meanwhile."""

    def __init__(self, cloud, name=NAME):
        self.runtime, self.sagemaker, self.name = cloud.client("sagemaker-runtime"), cloud.client("sagemaker"), name
        self.served, self.refused, self.statuses, self.ended = [], [], set(), threading.Event()
        self.thread = threading.Thread(target=self.run)

    def run(self):
        while not self.ended.is_set():
            try:
                self.served.append(json.load(self.runtime.invoke_endpoint(EndpointName=self.name, Body=b"{}")["Body"])["endpoint_config"])
            except Exception as why:  # noqa: BLE001: whatever a client would see
                self.refused.append(why)
            self.statuses.add(self.sagemaker.describe_endpoint(EndpointName=self.name)["EndpointStatus"])
            time.sleep(0.05)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.thread.join()


TWO = {"variants": {"a": {"weight": 90}, "b": {"weight": 10, "quantization": "none", "model": "mistral:7b"}}}


def weights(sagemaker):
    return {v["VariantName"]: v["CurrentWeight"] for v in sagemaker.describe_endpoint(EndpointName=NAME)["ProductionVariants"]}


def test_weights(ground, sim, sagemaker):
    ground.write(endpoint(**TWO))
    ground.apply_ok()
    assert "UpdateEndpointWeightsAndCapacities" not in mutations(sim)
    ground.no_difference()
    config = config_of(sagemaker)["EndpointConfigName"]
    sim.control("calls", method="DELETE")
    ground.write(endpoint(variants={"a": {"weight": 50}, "b": {**TWO["variants"]["b"], "weight": 50}}))
    planned = ground.plan().text
    assert "0 to add, 1 to change" in planned, planned
    ground.apply_ok()
    assert weights(sagemaker) == {"a": 50, "b": 50} and config_of(sagemaker)["EndpointConfigName"] == config
    assert set(mutations(sim)) == {"AddTags", "UpdateEndpointWeightsAndCapacities"}
    ground.no_difference()
    # Somebody has moved the calls: the next apply moves them back.
    sagemaker.update_endpoint_weights_and_capacities(EndpointName=NAME, DesiredWeightsAndCapacities=[{"VariantName": "a", "DesiredWeight": 1}])
    sim.control("finish", {})
    assert ground.plan("-detailed-exitcode").status == 2
    ground.apply_ok()
    assert weights(sagemaker) == {"a": 50, "b": 50}


def test_weights_that_are_rolled_back(ground, sim, sagemaker):
    ground.write(endpoint(**TWO))
    ground.apply_ok()
    sim.control("failures", [{"operation": "UpdateEndpointWeightsAndCapacities", "name": NAME, "code": "Failed", "message": "no capacity", "times": 1}])
    ground.write(endpoint(variants={"a": {"weight": 50}, "b": {**TWO["variants"]["b"], "weight": 50}}))
    failed = ground.apply()
    assert failed.status == 1 and "the change of its weights was undone: no capacity" in failed.text, failed.output
    assert weights(sagemaker) == {"a": 90, "b": 10} and {n: v["weight"] for n, v in state_of(ground)["variant_status"].items()} == {"a": 90, "b": 10}
    ground.apply_ok()
    assert weights(sagemaker) == {"a": 50, "b": 50}


def test_model_change_while_called(ground, sim, cloud, sagemaker):
    sim.control("settle", {"UpdateEndpoint": 3})
    ground.write(endpoint(machine={"type": "ml.g5.xlarge"}, scaling={"min": 2, "max": 2}, rollout={"strategy": "canary", "step_percent": 50, "wait_s": 0},
                          alarms={"errors_5xx": 5, "latency_ms": 20000}))
    ground.apply_ok()
    before = config_of(sagemaker)["EndpointConfigName"]
    ground.write(endpoint(model="TheBloke/Mistral-7B-Instruct-v0.1-AWQ", machine={"type": "ml.g5.2xlarge"}, scaling={"min": 2, "max": 2},
                          rollout={"strategy": "canary", "step_percent": 50, "wait_s": 0}, alarms={"errors_5xx": 5, "latency_ms": 20000}))
    with Caller(cloud) as caller:
        ground.apply_ok()
    after = config_of(sagemaker)["EndpointConfigName"]
    assert after != before and not caller.refused, caller.refused
    assert caller.statuses == {"InService", "Updating"}
    assert caller.served[0] == before and caller.served[-1] == after and set(caller.served) == {before, after}
    [update] = sim.calls("UpdateEndpoint")
    deployment = update["params"]["DeploymentConfig"]
    assert deployment["BlueGreenUpdatePolicy"]["TrafficRoutingConfiguration"] == {
        "Type": "CANARY", "WaitIntervalInSeconds": 0, "CanarySize": {"Type": "CAPACITY_PERCENT", "Value": 50}}
    assert {a["AlarmName"] for a in deployment["AutoRollbackConfiguration"]["Alarms"]} == {"llm-ep-quant-main-errors", "llm-ep-quant-main-latency"}
    [model] = models(sagemaker)
    assert model["PrimaryContainer"]["Environment"]["SM_VLLM_MODEL"] == "TheBloke/Mistral-7B-Instruct-v0.1-AWQ"
    assert [c["EndpointConfigName"] for c in sagemaker.list_endpoint_configs()["EndpointConfigs"]] == [after]
    ground.no_difference()


def test_a_long_roll_gets_its_time(ground, sim):
    """What SageMaker lets a change take is more than what its steps wait."""
    slow = {"scaling": {"min": 2}, "rollout": {"strategy": "linear", "step_percent": 50, "wait_s": 3600, "keep_old_s": 600}}
    ground.write(endpoint(**slow))
    ground.apply_ok()
    ground.write(endpoint(**slow, environment={"A": "b"}))
    ground.apply_ok()
    [update] = sim.calls("UpdateEndpoint")
    assert update["params"]["DeploymentConfig"]["BlueGreenUpdatePolicy"]["MaximumExecutionTimeoutInSeconds"] == 2 * 3600 + 600 + 7200
    ground.no_difference()


def test_failed_roll_keeps_the_old_version(ground, sim, cloud, sagemaker):
    ground.write(endpoint())
    ground.apply_ok()
    before = config_of(sagemaker)["EndpointConfigName"]
    sim.control("failures", [{"operation": "UpdateEndpoint", "name": NAME, "code": "Failed", "message": "The container did not pass the ping health check",
                              "times": 1}])
    ground.write(endpoint(model="TheBloke/Mistral-7B-Instruct-v0.1-AWQ"))
    with Caller(cloud) as caller:
        failed = ground.apply()
    assert failed.status == 1 and "The container did not pass the ping health check" in failed.text, failed.output
    assert not caller.refused and set(caller.served) == {before}
    assert config_of(sagemaker)["EndpointConfigName"] == before
    assert MODEL in {m["PrimaryContainer"]["Environment"]["SM_VLLM_MODEL"] for m in models(sagemaker)}
    # The next apply goes on.
    ground.apply_ok()
    assert config_of(sagemaker)["EndpointConfigName"] != before and len(models(sagemaker)) == 1
    ground.no_difference()
    # Back to the first.
    ground.write(endpoint())
    ground.apply_ok()
    assert config_of(sagemaker)["EndpointConfigName"] == before and len(models(sagemaker)) == 1


def test_endpoint_that_fails_late_is_made_anew(ground, sim, cloud, sagemaker):
    sim.control("failures", [{"operation": "CreateEndpoint", "name": NAME, "code": "Failed", "message": "no room on the instance", "times": 1}])
    ground.write(endpoint())
    failed = ground.apply()
    assert failed.status == 1 and "no room on the instance" in failed.text, failed.output
    ground.apply_ok()
    assert sagemaker.describe_endpoint(EndpointName=NAME)["EndpointStatus"] == "InService"
    ground.no_difference()
    assert ground.destroy().status == 0 and cloud.owned() == []


SCALED = {"scaling": {"min": 1, "max": 4, "target_invocations": 120, "target_gpu_percent": 70}, "machine": {"type": "ml.g5.12xlarge"}}


def test_scaling(ground, sim, cloud, sagemaker):
    scaling = cloud.client("application-autoscaling")
    ground.write(endpoint(**SCALED))
    ground.apply_ok()
    [target] = scaling.describe_scalable_targets(ServiceNamespace="sagemaker")["ScalableTargets"]
    assert (target["ResourceId"], target["MinCapacity"], target["MaxCapacity"]) == (f"endpoint/{NAME}/variant/main", 1, 4)
    policies = {p["PolicyName"]: p["TargetTrackingScalingPolicyConfiguration"]
                for p in scaling.describe_scaling_policies(ServiceNamespace="sagemaker")["ScalingPolicies"]}
    assert policies["quant-main-invocations"]["TargetValue"] == 120
    assert policies["quant-main-gpu"]["TargetValue"] == 280  # of four GPUs
    # What the autoscaler does is no difference.
    sagemaker.update_endpoint_weights_and_capacities(EndpointName=NAME, DesiredWeightsAndCapacities=[{"VariantName": "main", "DesiredInstanceCount": 3}])
    sim.control("finish", {})
    ground.no_difference()
    sim.control("calls", method="DELETE")
    ground.write(endpoint(**{**SCALED, "scaling": {**SCALED["scaling"], "max": 8}}))
    ground.apply_ok()
    assert set(mutations(sim)) == {"AddTags", "RegisterScalableTarget"}
    assert sagemaker.describe_endpoint(EndpointName=NAME)["ProductionVariants"][0]["DesiredInstanceCount"] == 3
    ground.write(endpoint(machine=SCALED["machine"]))
    ground.apply_ok()
    assert scaling.describe_scalable_targets(ServiceNamespace="sagemaker")["ScalableTargets"] == []
    assert sagemaker.describe_endpoint(EndpointName=NAME)["ProductionVariants"][0]["DesiredInstanceCount"] == 1
    ground.no_difference()


def test_import(ground, sim, cloud, sagemaker):
    full = {**TWO, "environment": {"LOG_LEVEL": "debug"}, "alarms": {"errors_5xx": 3}, "tags": {"team": "quant"}, "context_tokens": 4096,
            "machine": {"type": "ml.g5.2xlarge"}}
    ground.write(endpoint(**full))
    ground.apply_ok()
    before = state_of(ground)
    ground.ok("state", "rm", "llm_endpoint.e")
    ground.ok("import", "llm_endpoint.e", f"aws/{REGION}/{NAME}")
    after = state_of(ground)
    assert {k: v for k, v in after.items() if v != before[k]} == {}
    ground.no_difference()
    ground.ok("state", "rm", "llm_endpoint.e")
    missing = ground.run("import", "llm_endpoint.e", f"aws/{REGION}/another")
    assert missing.status == 1 and "There is nothing to import" in missing.text, missing.output
    short = ground.run("import", "llm_endpoint.e", f"aws/{NAME}")
    assert short.status == 1 and 'for example "aws/eu-west-1/chat"' in short.text, short.output


def test_picked_machine_stays(ground, sim, sagemaker):
    """Without a type: the cheapest that holds the model and has a quota; then the same, whatever the quotas are."""
    ground.write(endpoint(model="llama3.1:8b", quantization=None, machine=None))
    sim.control("quotas", {"ml.g6.xlarge for endpoint usage": 0})
    ground.apply_ok()
    [variant] = config_of(sagemaker)["ProductionVariants"]
    assert variant["InstanceType"] != "ml.g6.xlarge"
    [model] = models(sagemaker)
    assert model["PrimaryContainer"]["Environment"]["SM_VLLM_MODEL"] == "meta-llama/Llama-3.1-8B-Instruct"
    sim.control("quotas", {"ml.g6.xlarge for endpoint usage": 20})
    ground.no_difference()
    ground.write(endpoint(model="llama3.1:8b", quantization="fp8", machine=None))
    ground.apply_ok()
    [changed] = config_of(sagemaker)["ProductionVariants"]
    assert changed["InstanceType"] == variant["InstanceType"]
    ground.ok("state", "rm", "llm_endpoint.e")
    ground.ok("import", "llm_endpoint.e", f"aws/{REGION}/{NAME}")
    ground.no_difference()


def test_scaled_variants_change_machines(ground, sim, cloud, sagemaker):
    """SageMaker changes the machines of a variant, or removes it, only when nothing scales it: its target goes first, and comes back after."""
    scaling = cloud.client("application-autoscaling")
    ids = lambda: {t["ResourceId"].split("/")[-1] for t in scaling.describe_scalable_targets(ServiceNamespace="sagemaker")["ScalableTargets"]}  # noqa: E731
    both = {"a": {"weight": 60}, "b": {"weight": 40}}
    limits = {"min": 1, "max": 3, "target_invocations": 60}
    ground.write(endpoint(variants=both, scaling=limits))
    ground.apply_ok()
    assert ids() == {"a", "b"}
    ground.write(endpoint(variants={"a": {"weight": 60}, "b": {"weight": 40, "machine_type": "ml.g5.2xlarge"}}, scaling=limits))
    with Caller(cloud) as caller:
        ground.apply_ok()
    assert not caller.refused and ids() == {"a", "b"}
    assert {p["ResourceId"].split("/")[-1] for p in scaling.describe_scaling_policies(ServiceNamespace="sagemaker")["ScalingPolicies"]} == {"a", "b"}
    assert {v["VariantName"]: v["InstanceType"] for v in config_of(sagemaker)["ProductionVariants"]} == {"a": "ml.g5.xlarge", "b": "ml.g5.2xlarge"}
    ground.no_difference()
    ground.write(endpoint(variants={"a": {"weight": 100}}, scaling=limits))
    ground.apply_ok()
    assert ids() == {"a"}
    ground.no_difference()
    assert ground.destroy().status == 0 and cloud.owned() == [] and ids() == set()


def test_a_failed_roll_keeps_the_scaling(ground, sim, cloud, sagemaker):
    """What scales the old version was taken away for the change of machines: it is back when the roll has failed, as it was."""
    scaling = cloud.client("application-autoscaling")
    limits = {"min": 1, "max": 3, "target_invocations": 60}

    def scaled():
        return ([(t["ResourceId"], t["MinCapacity"], t["MaxCapacity"]) for t in scaling.describe_scalable_targets(ServiceNamespace="sagemaker")["ScalableTargets"]],
                [p["TargetTrackingScalingPolicyConfiguration"]["TargetValue"] for p in scaling.describe_scaling_policies(ServiceNamespace="sagemaker")["ScalingPolicies"]])
    ground.write(endpoint(scaling=limits))
    ground.apply_ok()
    for change in ({"scaling": {**limits, "max": 5}}, {"scaling": None}):
        sim.control("failures", [{"operation": "UpdateEndpoint", "name": NAME, "code": "Failed", "message": "no ping", "times": 1}])
        sim.control("calls", method="DELETE")
        ground.write(endpoint(**change, machine={"type": "ml.g5.2xlarge"}))
        failed = ground.apply()
        assert failed.status == 1 and "no ping" in failed.text, failed.output
        assert "DeregisterScalableTarget" in mutations(sim) and scaled() == ([(f"endpoint/{NAME}/variant/main", 1, 3)], [60])
        ground.write(endpoint(scaling=limits))
        ground.apply_ok()
        ground.no_difference()
    # What cannot be put back is said, and made by the next apply.
    sim.control("failures", [{"operation": "UpdateEndpoint", "name": NAME, "code": "Failed", "message": "no ping", "times": 1}])
    sim.fail("RegisterScalableTarget", "AccessDeniedException", "not you", status=403)
    ground.write(endpoint(scaling=limits, machine={"type": "ml.g5.2xlarge"}))
    failed = ground.apply()
    assert failed.status == 1 and "A component is missing until the next apply" in failed.text and "not you" in failed.text, failed.output
    assert scaled() == ([], [])
    ground.apply_ok()
    assert scaled() == ([(f"endpoint/{NAME}/variant/main", 1, 3)], [60])
    ground.no_difference()
    assert ground.destroy().status == 0 and cloud.owned() == [] and scaled() == ([], [])


def bucket_with(cloud, name, *keys):
    s3 = cloud.client("s3")
    s3.create_bucket(Bucket=name)
    for key in keys:
        s3.put_object(Bucket=name, Key=key, Body=b"x")


ADAPTERS = {"model": "llama3.1:8b", "quantization": "none", "machine": {"type": "ml.g5.12xlarge"}, "context_tokens": 8192,
            "adapters": {"sql": "s3://weights/lora/sql.tar.gz", "legal.v2": "s3://weights/lora/legal.tar.gz"}}


def test_adapters(ground, sim, cloud, sagemaker):
    bucket_with(cloud, "weights", "lora/sql.tar.gz", "lora/legal.tar.gz", "lora/new.tar.gz")
    ground.write(endpoint("finetune", **ADAPTERS))
    ground.apply_ok()
    [variant] = config_of(sagemaker, "finetune")["ProductionVariants"]
    assert "ModelName" not in variant and variant["ManagedInstanceScaling"] == {"Status": "ENABLED", "MinInstanceCount": 1, "MaxInstanceCount": 1}
    base = sagemaker.describe_inference_component(InferenceComponentName="finetune-base")
    [model] = models(sagemaker)
    assert base["Specification"]["ModelName"] == model["ModelName"] and base["RuntimeConfig"]["DesiredCopyCount"] == 1
    environment = model["PrimaryContainer"]["Environment"]
    assert environment["SM_VLLM_ENABLE_LORA"] == "true" and environment["VLLM_ALLOW_RUNTIME_LORA_UPDATING"] == "True"
    gpus = base["Specification"]["ComputeResourceRequirements"]["NumberOfAcceleratorDevicesRequired"]
    assert environment["SM_VLLM_TENSOR_PARALLEL_SIZE"] == str(int(gpus))
    adapter = sagemaker.describe_inference_component(InferenceComponentName="finetune-legal-v2")
    assert adapter["Specification"]["BaseInferenceComponentName"] == "finetune-base"
    assert adapter["Specification"]["Container"]["ArtifactUrl"] == "s3://weights/lora/legal.tar.gz"
    assert state_of(ground)["adapter_ids"] == {"sql": "finetune-sql", "legal.v2": "finetune-legal-v2"}
    statement = json.dumps(cloud.client("iam").get_role_policy(RoleName=f"llm-ep-finetune-{REGION}", PolicyName="endpoint")["PolicyDocument"])
    assert "arn:aws:s3:::weights/lora/sql.tar.gz" in statement and "s3:PutObject" not in statement
    ground.no_difference()
    # One adapter comes, one goes, one has new files; the model stays.
    sim.control("calls", method="DELETE")
    ground.write(endpoint("finetune", **{**ADAPTERS, "adapters": {"legal.v2": "s3://weights/lora/new.tar.gz", "code": "s3://weights/lora/sql.tar.gz"}}))
    ground.apply_ok()
    assert not {"CreateModel", "UpdateEndpoint", "CreateEndpointConfig"} & set(mutations(sim))
    assert {c["InferenceComponentName"] for c in sagemaker.list_inference_components()["InferenceComponents"]} == {
        "finetune-base", "finetune-legal-v2", "finetune-code"}
    ground.no_difference()
    # So it is when there are more of them than before, and fewer.
    some = {"legal.v2": "s3://weights/lora/new.tar.gz", "code": "s3://weights/lora/sql.tar.gz"}
    for adapters in ({**some, "more": "s3://weights/lora/sql.tar.gz"}, some):
        sim.control("calls", method="DELETE")
        ground.write(endpoint("finetune", **{**ADAPTERS, "adapters": adapters}))
        ground.apply_ok()
        assert not {"CreateModel", "UpdateEndpoint", "UpdateInferenceComponent"} & set(mutations(sim))
        assert len(sagemaker.list_inference_components()["InferenceComponents"]) == 1 + len(adapters)
    # Another model rolls through the component.
    ground.write(endpoint("finetune", **{**ADAPTERS, "context_tokens": 4096, "adapters": {"legal.v2": "s3://weights/lora/new.tar.gz",
                                                                                       "code": "s3://weights/lora/sql.tar.gz"}}))
    with Caller(cloud, "finetune") as caller:
        ground.apply_ok()
    assert not caller.refused
    [after] = models(sagemaker)
    base = sagemaker.describe_inference_component(InferenceComponentName="finetune-base")
    assert base["Specification"]["ModelName"] == after["ModelName"] != model["ModelName"]
    ground.no_difference()
    before = state_of(ground)
    ground.ok("state", "rm", "llm_endpoint.e")
    ground.ok("import", "llm_endpoint.e", f"aws/{REGION}/finetune")
    assert {k: v for k, v in state_of(ground).items() if v != before[k]} == {}
    ground.no_difference()
    destroyed = ground.destroy()
    assert destroyed.status == 0, destroyed.output
    assert cloud.owned() == [] and sagemaker.list_inference_components()["InferenceComponents"] == []


def test_scale_to_zero(ground, sim, cloud, sagemaker):
    ground.write(endpoint(scaling={"scale_to_zero": True, "max": 2, "target_invocations": 30}))
    ground.apply_ok()
    [variant] = config_of(sagemaker)["ProductionVariants"]
    assert variant["ManagedInstanceScaling"] == {"Status": "ENABLED", "MinInstanceCount": 0, "MaxInstanceCount": 2}
    scaling = cloud.client("application-autoscaling")
    [target] = scaling.describe_scalable_targets(ServiceNamespace="sagemaker")["ScalableTargets"]
    assert (target["ResourceId"], target["MinCapacity"], target["MaxCapacity"]) == (f"inference-component/{NAME}-base", 0, 2)
    policies = {p["PolicyName"]: p for p in scaling.describe_scaling_policies(ServiceNamespace="sagemaker")["ScalingPolicies"]}
    [alarm] = cloud.client("cloudwatch").describe_alarms(AlarmNames=[f"llm-ep-{NAME}-wake"])["MetricAlarms"]
    assert alarm["AlarmActions"] == [policies[f"{NAME}-wake"]["PolicyARN"]] and alarm["MetricName"] == "NoCapacityInvocationFailures"
    ground.no_difference()
    assert ground.destroy().status == 0 and cloud.owned() == []


def test_everything_else(ground, sim, cloud, sagemaker):
    """Weights in S3, capture, subnets, a key, an image of one's own with a token, a role that is given."""
    bucket_with(cloud, "weights", "mistral/config.json", "mistral/model.safetensors")
    ecr, iam, ec2 = cloud.client("ecr"), cloud.client("iam"), cloud.client("ec2")
    ecr.create_repository(repositoryName="own")
    ecr.put_image(repositoryName="own", imageTag="1", imageManifest=json.dumps({"schemaVersion": 2, "mediaType": "application/vnd.docker.distribution.manifest.v2+json"}))
    trust = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}]}
    role = iam.create_role(RoleName="mine", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.9.0.0/24")["Subnet"]["SubnetId"]
    group = ec2.create_security_group(GroupName="g", Description="g", VpcId=vpc)["GroupId"]
    own = {"model": "s3://weights/mistral", "quantization": "none", "role": role, "network": {"subnet_ids": [subnet], "security_group_ids": [group], "isolated": True},
           "data_capture": {"uri": "s3://weights/captured", "percent": 20, "content": ["input"]}, "kms_key": f"arn:aws:kms:{REGION}:{ACCOUNT}:key/1-2",
           "container": {"image": f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/own:1", "stack": "djl_lmi"}, "huggingface_token_wo": "hf_canary",
           "huggingface_token_wo_version": 1, "log_retention_days": 7}
    ground.write(endpoint(**own))
    ground.apply_ok()
    [model] = models(sagemaker)
    container = model["PrimaryContainer"]
    assert container["ModelDataSource"]["S3DataSource"] == {"S3Uri": "s3://weights/mistral/", "S3DataType": "S3Prefix", "CompressionType": "None"}
    assert container["Environment"] == {"HF_MODEL_ID": "/opt/ml/model", "TENSOR_PARALLEL_DEGREE": "1", "HF_TOKEN_SECRET_ID": f"llm/endpoint/{NAME}/huggingface"}
    assert model["ExecutionRoleArn"] == role and model["EnableNetworkIsolation"] and model["VpcConfig"] == {"SecurityGroupIds": [group], "Subnets": [subnet]}
    config = config_of(sagemaker)
    assert config["DataCaptureConfig"]["CaptureOptions"] == [{"CaptureMode": "Input"}] and config["DataCaptureConfig"]["InitialSamplingPercentage"] == 20
    assert config["KmsKeyId"] == own["kms_key"]
    secret = cloud.client("secretsmanager").get_secret_value(SecretId=f"llm/endpoint/{NAME}/huggingface")
    assert secret["SecretString"] == "hf_canary" and state_of(ground)["secret_id"] == secret["ARN"]
    assert "hf_canary" not in (ground.directory / "terraform.tfstate").read_text()
    ground.no_difference()
    ground.write(endpoint(**{**own, "huggingface_token_wo": "hf_other", "huggingface_token_wo_version": 2}))
    sim.control("calls", method="DELETE")
    ground.apply_ok()
    assert cloud.client("secretsmanager").get_secret_value(SecretId=f"llm/endpoint/{NAME}/huggingface")["SecretString"] == "hf_other"
    assert "UpdateEndpoint" not in mutations(sim)
    assert ground.destroy().status == 0


def test_drift(ground, sim, cloud, sagemaker):
    ground.write(endpoint(alarms={"errors_5xx": 5}, tags={"team": "quant"}))
    ground.apply_ok()
    arn = sagemaker.describe_endpoint(EndpointName=NAME)["EndpointArn"]
    sagemaker.delete_tags(ResourceArn=arn, TagKeys=["team"])
    cloud.client("cloudwatch").delete_alarms(AlarmNames=[f"llm-ep-{NAME}-main-errors"])
    cloud.client("logs").put_retention_policy(logGroupName=f"/aws/sagemaker/Endpoints/{NAME}", retentionInDays=1)
    planned = ground.plan("-detailed-exitcode")
    assert planned.status == 2, planned.output
    ground.apply_ok()
    ground.no_difference()
    assert {"Key": "team", "Value": "quant"} in sagemaker.list_tags(ResourceArn=arn)["Tags"]
    assert len(cloud.client("cloudwatch").describe_alarms(AlarmNames=[f"llm-ep-{NAME}-main-errors"])["MetricAlarms"]) == 1
    # The whole endpoint is gone: it comes back.
    sagemaker.delete_endpoint(EndpointName=NAME)
    sim.control("finish", {})
    ground.apply_ok()
    assert sagemaker.describe_endpoint(EndpointName=NAME)["EndpointStatus"] == "InService"
    ground.no_difference()


def test_a_role_that_is_gone_interrupts_nothing(ground, sim, cloud, sagemaker):
    """It comes back under its name, which models have: they stay, so that more instances can start meanwhile."""
    ground.write(endpoint())
    ground.apply_ok()
    iam, name = cloud.client("iam"), f"llm-ep-{NAME}-{REGION}"
    iam.delete_role_policy(RoleName=name, PolicyName="endpoint")
    iam.delete_role(RoleName=name)
    sim.control("calls", method="DELETE")
    ground.apply_ok()
    assert set(mutations(sim)) == {"CreateRole", "PutRolePolicy"}
    assert state_of(ground)["role_id"] == iam.get_role(RoleName=name)["Role"]["Arn"] == models(sagemaker)[0]["ExecutionRoleArn"]
    ground.no_difference()


@pytest.mark.parametrize(("attributes", "words"), [
    ({"variants": {"a": {"weight": 50}, "b": {"weight": 40}}}, "together they are 90"),
    ({"variants": {"a": {"weight": 50.5}, "b": {"weight": 49.5}}}, "Not a whole number"),
    ({"variants": {"A_1": {"weight": 100}}}, "Invalid name of a variant"),
    ({"scaling": {"target_invocations": 5, "variants": {"b": {"max": 3}}}}, 'There is no variant "b"; there are: main'),
    ({"scaling": {"min": 3, "max": 2, "target_invocations": 5}}, "at least 3 instances, and at most 2"),
    ({"scaling": {"min": 0, "max": 2, "target_invocations": 5}}, "would have no instance"),
    ({"scaling": {"max": 3}}, "Nothing says when to scale"),
    ({"model": "llama3.3:70b", "quantization": "none"}, "ml.g5.xlarge has 1 × A10G with 24 GiB"),
    ({"model": "llama3.1:8b"}, "whose weights are not quantized"),
    ({"model": "org/unknown-7b", "machine": None}, "Name one in `machine.type`"),
    ({"model": "lama3.1:8b", "quantization": "none"}, 'Did you mean "llama3.1:8b"'),
    ({"model": "gs://bucket/x"}, "Copy the files to a bucket s3://"),
    ({"adapters": {"sql": "s3://b/sql.tar.gz"}, "container": {"stack": "tgi"}}, "`tgi` takes none from here"),
    ({"adapters": {"sql": "s3://b/sql/"}}, "s3://BUCKET/KEY.tar.gz"),
    ({"adapters": {"sql": "s3://b/sql.tar.gz"}, "variants": {"a": {"weight": 50}, "b": {"weight": 50}}}, "Use an endpoint for each variant"),
    ({"environment": {"HF_TOKEN": "hf_x"}}, "No place for a token"),
    ({"huggingface_token_wo": "hf_x", "huggingface_token_wo_version": 1}, "read no secret"),
    ({"machine": {"type": "g5.xlarge"}}, 'ml.g5.xlarge'),
    ({"machine": {"type": "ml.g5.xlarge", "provisioning": "spot"}}, "no spot instances"),
    ({"rollout": {"strategy": "canary"}}, "One instance has no parts"),
    ({"rollout": {"step_percent": 20}}, "`all_at_once` has no steps"),
    ({"rollout": {"strategy": "linear", "step_percent": 10, "wait_s": 3600}, "scaling": {"min": 2}}, "wait 36000 seconds together; SageMaker gives a change 28800"),
    ({"rollout": {"strategy": "linear", "step_percent": 25, "wait_s": 3600}, "scaling": {"min": 2}}, "wait 14400 seconds together, and an update may take 10800"),
    ({"rollout": {"strategy": "canary", "step_percent": 4}, "scaling": {"scale_to_zero": True, "max": 2, "target_invocations": 5}}, "steps of 5 to 50 percent"),
    ({"container": {"stack": "vllm", "version": "0.1.0"}}, "There is no image of vllm 0.1.0 for SageMaker. There are: vllm"),
    ({"container": {"args": ["--x"]}}, "Use `environment`"),
    ({"cluster": {"name": "dev"}}, "`cluster` is for `target"),
    ({"network": {"isolated": True}}, "cannot fetch"),
    ({"role": "mine"}, "Give the ARN of an IAM role"),
    ({"container": {"image": "ghcr.io/own/vllm:1", "stack": "vllm"}}, "Copy the image to ECR"),
    ({"model": "oci://ghcr.io/own/vllm:1", "quantization": "none"}, "Copy the image to ECR"),
    ({"name": "x" * 41}, "40"),
])
def test_bad_configuration(ground, attributes, words):
    ground.write(endpoint(**attributes))
    result = ground.validate()
    assert result.status == 1 and words in result.text, result.output


def test_refused_in_the_plan(ground, sim, cloud, sagemaker):
    """What only AWS knows: nothing is made."""
    bucket_with(cloud, "weights")
    cloud.client("ecr").create_repository(repositoryName="own")
    image = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/own:nothing"
    sim.control("quotas", {"ml.g5.2xlarge for endpoint usage": 0})
    for attributes, words in (({"model": "s3://weights/mistral/", "quantization": "none"}, "There is nothing at s3://weights/mistral/"),
                              ({"model": "s3://elsewhere/m.tar.gz", "quantization": "none"}, "or no such bucket"),
                              ({"container": {"image": image, "stack": "vllm"}}, "There is no such image"),
                              ({"adapters": {"a": "s3://weights/a.tar.gz"}}, "There is nothing at s3://weights/a.tar.gz"),
                              ({"machine": {"type": "ml.g5.2xlarge"}}, 'the quota "ml.g5.2xlarge for endpoint usage" of SageMaker in us-east-1 is 0'),
                              ({"machine": {"type": "ml.nothing.xlarge"}}, "does not offer the type there")):
        ground.write(endpoint(**attributes))
        result = ground.plan()
        assert result.status == 1 and words in result.text, result.output
    assert mutations(sim) == [c for c in mutations(sim) if c in ("CreateBucket", "CreateRepository")]


def test_a_quota_counts_what_the_autoscaler_has_set(ground, sim, sagemaker):
    """A new version begins with as many instances as there are, beside them."""
    sim.control("quotas", {"ml.g5.xlarge for endpoint usage": 5})
    limits = {"min": 1, "max": 4, "target_invocations": 60}
    ground.write(endpoint(scaling=limits))
    ground.apply_ok()
    sagemaker.update_endpoint_weights_and_capacities(EndpointName=NAME, DesiredWeightsAndCapacities=[{"VariantName": "main", "DesiredInstanceCount": 3}])
    sim.control("finish", {})
    ground.write(endpoint(scaling=limits, environment={"A": "b"}))
    refused = ground.plan()
    assert refused.status == 1 and "3 instances of ml.g5.xlarge are wanted beside those that serve" in refused.text, refused.output
    sim.control("quotas", {"ml.g5.xlarge for endpoint usage": 6})
    ground.apply_ok()
    assert sagemaker.describe_endpoint(EndpointName=NAME)["ProductionVariants"][0]["DesiredInstanceCount"] == 3


def test_taken_name(ground, sim, cloud, sagemaker):
    trust = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}]}
    role = cloud.client("iam").create_role(RoleName="mine", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    sagemaker.create_model(ModelName="m", ExecutionRoleArn=role, PrimaryContainer={"Image": f"763104351884.dkr.ecr.{REGION}.amazonaws.com/x:1"})
    sagemaker.create_endpoint_config(EndpointConfigName="c", ProductionVariants=[
        {"VariantName": "v", "ModelName": "m", "InstanceType": "ml.g5.xlarge", "InitialInstanceCount": 1}])
    sagemaker.create_endpoint(EndpointName="Quant", EndpointConfigName="c")
    sim.control("finish", {})
    ground.write(endpoint())
    result = ground.plan()
    assert result.status == 1 and 'There is an endpoint "Quant"' in result.text, result.output
    sagemaker.delete_endpoint(EndpointName="Quant")
    sim.control("finish", {})
    ground.apply_ok()
    ground.ok("state", "rm", "llm_endpoint.e")
    again = ground.plan()
    assert again.status == 1 and f"aws/{REGION}/{NAME}" in again.text, again.output


@pytest.mark.parametrize("operation", ["CreateEndpoint", "CreateModel"])
def test_an_apply_that_was_killed_is_gone_on_with(ground, sim, cloud, sagemaker, operation):
    ground.write(endpoint(alarms={"errors_5xx": 5}))
    sim.control("settle", {"CreateEndpoint": 60})
    process = subprocess.Popen([ground.binary, "apply", "-auto-approve", "-input=false"], cwd=ground.directory, env=ground.env, start_new_session=True,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until = time.monotonic() + 60
    while not [c for c in sim.calls(operation) if c.get("status") == 200] and time.monotonic() < until:
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for left in ("terraform.tfstate", ".terraform.tfstate.lock.info"):
        (ground.directory / left).unlink(missing_ok=True)
    sim.control("finish", {})
    sim.control("settle", {})
    ground.apply_ok()
    ground.no_difference()
    assert len([c for c in sim.calls("CreateEndpoint") if c["status"] == 200]) == 1
    assert "llm:claim" not in {t["Key"] for t in sagemaker.list_tags(ResourceArn=state_of(ground)["endpoint_arn"])["Tags"]}
    assert ground.destroy().status == 0
    assert cloud.owned() == [] and models(sagemaker) == [] and sagemaker.list_endpoint_configs()["EndpointConfigs"] == []


def test_a_killed_update_is_gone_on_with(ground, sim, cloud, sagemaker):
    """The new configuration is made, the endpoint has moved or not: the next apply ends it, and nothing of the old one is left."""
    ground.write(endpoint())
    ground.apply_ok()
    sim.control("settle", {"UpdateEndpoint": 60})
    ground.write(endpoint(model="TheBloke/Mistral-7B-Instruct-v0.1-AWQ"))
    process = subprocess.Popen([ground.binary, "apply", "-auto-approve", "-input=false"], cwd=ground.directory, env=ground.env, start_new_session=True,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until = time.monotonic() + 60
    while not [c for c in sim.calls("UpdateEndpoint") if c.get("status") == 200] and time.monotonic() < until:
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    (ground.directory / ".terraform.tfstate.lock.info").unlink(missing_ok=True)
    sim.control("finish", {})
    sim.control("settle", {})
    ground.apply_ok()
    ground.no_difference()
    assert [m["PrimaryContainer"]["Environment"]["SM_VLLM_MODEL"] for m in models(sagemaker)] == ["TheBloke/Mistral-7B-Instruct-v0.1-AWQ"]
    assert len(sagemaker.list_endpoint_configs()["EndpointConfigs"]) == 1
    assert ground.destroy().status == 0
    assert cloud.owned() == [] and models(sagemaker) == [] and sagemaker.list_endpoint_configs()["EndpointConfigs"] == []


def test_tainted(ground, sim, cloud, sagemaker):
    ground.write(endpoint(**SCALED))
    ground.apply_ok()
    ground.ok("taint", "-no-color", "llm_endpoint.e")
    ground.apply_ok()
    ground.no_difference()
    assert len(models(sagemaker)) == 1 and len([c for c in sim.calls("CreateEndpoint") if c["status"] == 200]) == 2
    assert ground.destroy().status == 0 and cloud.owned() == []


def test_modes_do_not_change_in_place(ground, sim, cloud):
    bucket_with(cloud, "weights", "lora/sql.tar.gz", "lora/legal.tar.gz")
    ground.write(endpoint("finetune", **{**ADAPTERS, "adapters": None}))
    ground.apply_ok()
    ground.write(endpoint("finetune", **ADAPTERS))
    planned = ground.plan()
    assert planned.status == 1 and "The endpoint would have to be another one" in planned.text, planned.output
    ground.write("")
    ground.apply_ok()
    ground.write(endpoint("finetune", **ADAPTERS))
    ground.apply_ok()
    ground.no_difference()


def test_unknown_values(ground, sim, sagemaker):
    """What another resource says only when it is made."""
    ground.write('resource "terraform_data" "t" {\n  input = "TheBloke/Mistral-7B-Instruct-v0.2-AWQ"\n}\n'
                 'resource "terraform_data" "n" {\n  input = 2\n}\n' + endpoint().replace(json.dumps(MODEL), "terraform_data.t.output")
                 .replace("}\n", "}\n", 1).rstrip("}\n") + "}\n  scaling = { min = terraform_data.n.output, max = 4, target_invocations = 60 }\n}\n")
    ground.apply_ok()
    assert models(sagemaker)[0]["PrimaryContainer"]["Environment"]["SM_VLLM_MODEL"] == MODEL
    assert sagemaker.describe_endpoint(EndpointName=NAME)["ProductionVariants"][0]["DesiredInstanceCount"] == 2
    ground.no_difference()


FULL = {"variants": {"a": {"weight": 60}, "b": {"weight": 40}}, "scaling": {"min": 1, "max": 3, "target_invocations": 60}, "alarms": {"errors_5xx": 5},
        "container": {"image": f"999999999999.dkr.ecr.{REGION}.amazonaws.com/own:1", "stack": "vllm"}, "huggingface_token_wo": "hf_x", "huggingface_token_wo_version": 1}


@pytest.mark.parametrize("operation", ["CreateSecret", "CreateRole", "PutRolePolicy", "CreateLogGroup", "PutRetentionPolicy", "CreateModel", "CreateEndpointConfig",
                                       "PutMetricAlarm", "CreateEndpoint", "RegisterScalableTarget", "PutScalingPolicy"])
def test_a_create_that_fails_anywhere_is_gone_on_with(ground, sim, cloud, sagemaker, operation):
    ground.write(endpoint(**FULL))
    sim.fail(operation, "AccessDeniedException", "not you", status=403)
    failed = ground.apply()
    assert failed.status == 1 and "not you" in failed.text, failed.output
    ground.apply_ok()
    ground.no_difference()
    assert len([c for c in sim.calls("CreateEndpoint") if c["status"] == 200]) == 1
    assert ground.destroy().status == 0
    assert cloud.owned() == [] and models(sagemaker) == [] and sagemaker.list_endpoint_configs()["EndpointConfigs"] == []


@pytest.mark.parametrize("operation", ["CreateModel", "CreateEndpointConfig", "DeregisterScalableTarget", "UpdateEndpoint", "RegisterScalableTarget", "PutScalingPolicy",
                                       "DeleteEndpointConfig", "DeleteModel"])
def test_an_update_that_fails_anywhere_is_gone_on_with(ground, sim, cloud, sagemaker, operation):
    ground.write(endpoint(**FULL))
    ground.apply_ok()
    ground.write(endpoint(**{**FULL, "machine": {"type": "ml.g5.2xlarge"}, "environment": {"A": "b"}}))
    sim.fail(operation, "AccessDeniedException", "not you", status=403)
    with Caller(cloud) as caller:
        failed = ground.apply()
        assert failed.status == 1 and "not you" in failed.text, failed.output
        ground.apply_ok()
    assert not caller.refused
    ground.no_difference()
    assert {v["InstanceType"] for v in config_of(sagemaker)["ProductionVariants"]} == {"ml.g5.2xlarge"}
    targets = cloud.client("application-autoscaling").describe_scalable_targets(ServiceNamespace="sagemaker")["ScalableTargets"]
    assert len(targets) == 2 and len(models(sagemaker)) == 2 and len(sagemaker.list_endpoint_configs()["EndpointConfigs"]) == 1
    assert ground.destroy().status == 0
    assert cloud.owned() == [] and models(sagemaker) == [] and sagemaker.list_endpoint_configs()["EndpointConfigs"] == []

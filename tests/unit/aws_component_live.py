"""The objects of a platform on AWS, each through its whole life by its component table, against the simulator: made, found to be as wanted,
changed, found again by its name or tags, destroyed. The simulator checks each request by botocore's models.

Usage: aws_component_live.py PROGRAM [NAME …]   PROGRAM is the built aws_component_lines.
"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.sim.cloud import Cloud  # noqa: E402
from tests.sim.test_sim_eks import trust  # noqa: E402

ACCOUNT = "123456789012"
KEY = f"arn:aws:kms:us-east-1:{ACCOUNT}:key/11111111-2222-3333-4444-555555555555"
VIEW, ADMIN = (f"arn:aws:eks::aws:cluster-access-policy/AmazonEKS{n}Policy" for n in ("View", "ClusterAdmin"))
LOGS = ["api", "audit", "authenticator", "controllerManager", "scheduler"]

QUIET = {"log_types": [], "log_types_off": LOGS}


def text(value):
    return json.dumps(value, separators=(",", ":"), sort_keys=True)


class Ground:
    def __init__(self, program):
        self.directory = tempfile.TemporaryDirectory()
        port_file = pathlib.Path(self.directory.name) / "port"
        self.simulator = subprocess.Popen([sys.executable, "-m", "tests.sim.aws", "--port-file", str(port_file)], cwd=ROOT, stdout=subprocess.DEVNULL)
        while not port_file.exists():
            assert self.simulator.poll() is None
            time.sleep(0.05)
        self.address = f"http://127.0.0.1:{port_file.read_text()}"
        self.cloud = Cloud(self.address)
        environment = {"HOME": self.directory.name, "AWS_ENDPOINT_URL": self.address, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test",
                       "AWS_REGION": "us-east-1", **{k: v for k, v in os.environ.items() if k.startswith(("ASAN", "LSAN", "UBSAN"))}}
        self.program = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)

    def end(self):
        self.program.stdin.close()
        self.program.wait(60)
        self.simulator.kill()
        self.simulator.wait()
        self.directory.cleanup()

    def control(self, name, value=None):
        data = None if value is None else json.dumps(value).encode()
        with urllib.request.urlopen(urllib.request.Request(f"{self.address}/_sim/{name}", data=data)) as answer:
            return json.load(answer)

    def send(self, what, kind, inputs, records=None, nonce="n"):
        line = {"do": what, "nonce": nonce, "components": {"it": {"kind": kind, "inputs": inputs}}, **({"records": records} if records else {})}
        self.program.stdin.write(json.dumps(line) + "\n")
        self.program.stdin.flush()
        return json.loads(self.program.stdout.readline())

    def good(self, *given, **options):
        answer = self.send(*given, **options)
        assert answer["errors"] == [], (given[:2], answer["errors"])
        return answer

    # ---- what the objects stand on

    def network(self):
        ec2 = self.cloud.client("ec2")
        vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        return [ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{i}.0/24", AvailabilityZone=f"us-east-1{z}")["Subnet"]["SubnetId"] for i, z in enumerate("abc")]

    def role(self, name, *trusted):
        self.cloud.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=trust(*trusted))
        self.cloud.client("iam").attach_role_policy(RoleName=name, PolicyArn="arn:aws:iam::aws:policy/AmazonEKSWorkerNodePolicy")
        return f"arn:aws:iam::{ACCOUNT}:role/{name}"

    def cluster(self):
        subnets = self.network()
        self.cloud.client("eks").create_cluster(name="c", version="1.33", roleArn=self.role("cluster", "eks.amazonaws.com"),
                                                resourcesVpcConfig={"subnetIds": subnets}, accessConfig={"authenticationMode": "API"})
        return subnets


def life(ground, kind, inputs, *changes):
    """A whole life. `changes`: inputs that come one after the other, each on top of those before."""
    made = ground.good("apply", kind, inputs)
    assert made["changes"] == {}, (kind, "after the create", made["changes"])
    for change in ({}, *changes):
        inputs = {**inputs, **change}
        made = ground.good("apply", kind, inputs, made["records"], nonce=str(change))
        seen = ground.good("refresh", kind, inputs, made["records"])
        assert seen["changes"] == {}, (kind, change, seen["changes"], seen["records"])
        found = ground.good("find", kind, inputs)
        assert found["changes"] == {}, (kind, "found", change, found["changes"], found["records"])
        other = {k: (v, attributes(found).get(k)) for k, v in attributes(seen).items() if attributes(found).get(k) != v}
        assert not other, (kind, "found, it is another", other)
    gone = ground.good("destroy", kind, inputs, made["records"])
    assert attributes(gone) is None
    assert ground.good("find", kind, inputs)["changes"] != {}, (kind, "is still there")


def attributes(answer):
    items = json.dumps(answer["records"])
    found = [r for r in walk(answer["records"]) if isinstance(r, dict) and "attrs" in r]
    assert len(found) <= 1, items
    return {k: rounded(v) for k, v in found[0]["attrs"].items() if v is not None and k != "update_id"} if found else None


def rounded(value):
    """Numbers of 32 bits are not as they were written."""
    if isinstance(value, float):
        return round(value, 6)
    return [rounded(v) for v in value] if isinstance(value, list) else {k: rounded(v) for k, v in value.items()} if isinstance(value, dict) else value


def walk(value):
    yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from walk(inner)


# ---- one function for each kind


def eks_cluster(ground):
    subnets, role = ground.network(), ground.role("cluster", "eks.amazonaws.com")
    life(ground, "aws_eks_cluster", {
        "name": "c", "version": "1.32", "role_arn": role, "subnet_ids": subnets[:2], "security_group_ids": [], "endpoint_public_access": True,
        "endpoint_private_access": False, "public_access_cidrs": ["0.0.0.0/0"], "service_cidr": "172.20.0.0/16", "log_types": LOGS[:2],
        "log_types_off": LOGS[2:], "authentication_mode": "API_AND_CONFIG_MAP", "creator_is_admin": True, "self_managed_addons": False,
        "support_type": "EXTENDED", "deletion_protection": False, "tags": {"a": "b"}},
        {"version": "1.33"}, {"log_types": [], "log_types_off": LOGS}, {"log_types": LOGS, "log_types_off": []}, {"subnet_ids": subnets, **QUIET},
        {"endpoint_private_access": True, "public_access_cidrs": ["8.8.8.0/24"]}, {"authentication_mode": "API"}, {"support_type": "STANDARD"},
        {"kms_key_arn": KEY}, {"deletion_protection": True}, {"deletion_protection": False}, {"tags": {"c": "d"}})


def eks_cluster_with_a_key(ground):
    life(ground, "aws_eks_cluster", {"name": "c", "role_arn": ground.role("cluster", "eks.amazonaws.com"), "subnet_ids": ground.network(), "kms_key_arn": KEY,
                                     **QUIET})


def eks_cluster_with_a_role_that_is_young(ground):
    subnets = ground.network()
    ground.control("settle", {"CreateRole": 2})
    role = ground.role("cluster", "eks.amazonaws.com")
    life(ground, "aws_eks_cluster", {"name": "c", "role_arn": role, "subnet_ids": subnets, **QUIET})


def eks_cluster_that_fails(ground):
    subnets, role = ground.network(), ground.role("cluster", "eks.amazonaws.com")
    ground.control("failures", [{"operation": "CreateCluster", "code": "InsufficientFreeAddresses", "message": "no addresses are left", "times": 1}])
    inputs = {"name": "c", "role_arn": role, "subnet_ids": subnets, **QUIET}
    answer = ground.send("apply", "aws_eks_cluster", inputs)
    assert "no addresses are left" in answer["errors"][0], answer["errors"]
    ground.good("destroy", "aws_eks_cluster", inputs, answer["records"])
    assert ground.cloud.client("eks").list_clusters()["clusters"] == []


def eks_update_that_fails(ground):
    subnets, role = ground.network(), ground.role("cluster", "eks.amazonaws.com")
    inputs = {"name": "c", "version": "1.33", "role_arn": role, "subnet_ids": subnets, **QUIET}
    made = ground.good("apply", "aws_eks_cluster", inputs)
    ground.control("failures", [{"operation": "UpdateClusterVersion", "code": "IpNotAvailable", "message": "no addresses are left", "times": 1}])
    failed = ground.send("apply", "aws_eks_cluster", {**inputs, "version": "1.34"}, made["records"], nonce="second")
    assert "no addresses are left" in failed["errors"][0], failed["errors"]
    again = ground.good("refresh", "aws_eks_cluster", {**inputs, "version": "1.34"}, failed["records"])
    assert again["changes"] == {"it": ["version"]}, again["changes"]
    ground.good("apply", "aws_eks_cluster", {**inputs, "version": "1.34"}, again["records"], nonce="third")
    assert ground.cloud.client("eks").describe_cluster(name="c")["cluster"]["version"] == "1.34"


def eks_update_while_another_runs(ground):
    subnets, role = ground.network(), ground.role("cluster", "eks.amazonaws.com")
    inputs = {"name": "c", "version": "1.33", "role_arn": role, "subnet_ids": subnets, **QUIET}
    made = ground.good("apply", "aws_eks_cluster", inputs)
    ground.control("settle", {"UpdateClusterConfig": 2})
    ground.cloud.client("eks").update_cluster_config(name="c", logging={"clusterLogging": [{"types": ["api"], "enabled": True}]})
    ground.good("apply", "aws_eks_cluster", {**inputs, "version": "1.34"}, made["records"], nonce="second")


def eks_node_group(ground):
    subnets, role = ground.cluster(), ground.role("nodes", "ec2.amazonaws.com")
    taint, other = {"key": "nvidia.com/gpu", "value": "true", "effect": "NO_SCHEDULE"}, {"key": "a", "value": "b", "effect": "NO_EXECUTE"}
    life(ground, "aws_eks_node_group", {
        "cluster_name": "c", "name": "gpu", "node_role_arn": role, "subnet_ids": subnets, "instance_types": ["g5.xlarge", "g5.2xlarge"],
        "ami_type": "AL2023_x86_64_NVIDIA", "capacity_type": "SPOT", "disk_gib": 100, "version": "1.32", "min_size": 0, "max_size": 3, "desired_size": 1,
        "max_unavailable": 1, "labels": {"a": "1", "b": "2"}, "taints": [taint], "tags": {"a": "b"}},
        {"max_size": 5, "desired_size": 2}, {"labels": {"b": "3", "c": "4"}}, {"labels": {}}, {"taints": [{**taint, "value": "no"}, other]},
        {"taints": []}, {"max_unavailable": 2}, {"version": "1.33"}, {"tags": {"c": "d"}})


def eks_node_group_that_fails(ground):
    subnets, role = ground.cluster(), ground.role("nodes", "ec2.amazonaws.com")
    ground.control("quotas", {"L-DB2E81BA": 0})
    inputs = {"cluster_name": "c", "name": "gpu", "node_role_arn": role, "subnet_ids": subnets, "instance_types": ["g5.xlarge"], "min_size": 0, "max_size": 1,
              "initial_size": 1}
    answer = ground.send("apply", "aws_eks_node_group", inputs)
    assert "VcpuLimitExceeded" in answer["errors"][0], answer["errors"]
    ground.good("destroy", "aws_eks_node_group", inputs, answer["records"])
    assert ground.cloud.client("eks").list_nodegroups(clusterName="c")["nodegroups"] == []


def eks_node_group_with_a_launch_template(ground):
    subnets, role, ec2 = ground.cluster(), ground.role("nodes", "ec2.amazonaws.com"), ground.cloud.client("ec2")
    template = ec2.create_launch_template(LaunchTemplateName="nodes", LaunchTemplateData={"EbsOptimized": True})["LaunchTemplate"]["LaunchTemplateId"]
    ec2.create_launch_template_version(LaunchTemplateId=template, LaunchTemplateData={"EbsOptimized": False})
    life(ground, "aws_eks_node_group", {
        "cluster_name": "c", "name": "general", "node_role_arn": role, "subnet_ids": subnets, "instance_types": ["m5.large"], "launch_template_id": template,
        "launch_template_version": "1", "min_size": 1, "max_size": 2, "initial_size": 1}, {"launch_template_version": "2"}, {"min_size": 0})


def eks_addon(ground):
    ground.cluster()
    role = ground.role("cni", "pods.eks.amazonaws.com")
    life(ground, "aws_eks_addon", {"cluster_name": "c", "name": "vpc-cni", "version": "v1.20.3-eksbuild.1", "tags": {"a": "b"}},
         {"version": "v1.20.4-eksbuild.2"}, {"service_account_role_arn": role}, {"configuration": '{"env":{"X":"1"}}'}, {"tags": {"c": "d"}})


def eks_access_entry(ground):
    ground.cluster()
    role = ground.role("admin", "ec2.amazonaws.com")
    whole, part = {"type": "cluster", "namespaces": []}, {"type": "namespace", "namespaces": ["quant", "eval"]}
    life(ground, "aws_eks_access_entry", {"cluster_name": "c", "principal_arn": role, "type": "STANDARD", "kubernetes_groups": ["first"],
                                          "policies": [{"policyArn": VIEW, "accessScope": part}], "tags": {"a": "b"}},
         {"policies": [{"policyArn": VIEW, "accessScope": whole}, {"policyArn": ADMIN, "accessScope": part}]}, {"policies": []},
         {"kubernetes_groups": ["quant", "eval"]}, {"kubernetes_groups": []}, {"tags": {"c": "d"}})


def eks_pod_identity_association(ground):
    ground.cluster()
    roles = [ground.role(n, "pods.eks.amazonaws.com", "sts:AssumeRole", "sts:TagSession") for n in ("one", "two")]
    life(ground, "aws_eks_pod_identity_association", {"cluster_name": "c", "namespace": "quant", "service_account": "quant-sa", "role_arn": roles[0]},
         {"role_arn": roles[1]}, {"tags": {"c": "d"}})


def iam_oidc_provider(ground):
    host = "oidc.eks.us-east-1.amazonaws.com/id/0123456789ABCDEF0123456789ABCDEF"
    life(ground, "aws_iam_oidc_provider", {"arn": f"arn:aws:iam::{ACCOUNT}:oidc-provider/{host}", "url": f"https://{host}", "client_ids": ["sts.amazonaws.com"],
                                           "thumbprints": ["a" * 40], "tags": {"a": "b"}},
         {"client_ids": ["other"]}, {"tags": {"c": "d"}})


def iam_role_policy_attachment(ground):
    ground.cloud.client("iam").create_role(RoleName="r", AssumeRolePolicyDocument=trust("ec2.amazonaws.com"))
    life(ground, "aws_iam_role_policy_attachment", {"role": "r", "policy_arn": "arn:aws:iam::aws:policy/AmazonEKSClusterPolicy"})


def iam_policy(ground):
    document = lambda action: text({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": action, "Resource": "*"}]})
    life(ground, "aws_iam_policy", {"name": "p", "description": "d", "policy": document("logs:PutLogEvents"), "tags": {"a": "b"}},
         {"policy": document("sagemaker:InvokeEndpoint")}, {"policy": document("cloudwatch:PutMetricData")}, {"tags": {"c": "d"}})


def ecr_repository(ground):
    policy = lambda days: text({"rules": [{"rulePriority": 1, "selection": {"tagStatus": "untagged", "countType": "sinceImagePushed", "countUnit": "days",
                                                                            "countNumber": days}, "action": {"type": "expire"}}]})
    life(ground, "aws_ecr_repository", {"name": "team/api", "image_tag_mutability": "IMMUTABLE", "scan_on_push": True, "encryption_type": "KMS",
                                        "lifecycle_policy": policy(7), "force_delete": True, "tags": {"a": "b"}},
         {"image_tag_mutability": "MUTABLE"}, {"scan_on_push": False}, {"lifecycle_policy": policy(14)}, {"tags": {"c": "d"}})


def launch_template(ground):
    life(ground, "aws_launch_template", {"name": "nodes", "device_name": "/dev/xvda", "disk_gib": 100, "volume_type": "gp3", "encrypted": True,
                                         "metadata_hops": 2, "node_tags": {"team": "x"}, "tags": {"a": "b"}},
         {"disk_gib": 200}, {"metadata_hops": 1, "node_tags": {"team": "y"}}, {"user_data": "#!/bin/sh\n"}, {"tags": {"c": "d"}})


def cloudwatch_dashboard(ground):
    body = lambda words: text({"widgets": [{"type": "text", "x": 0, "y": 0, "width": 6, "height": 3, "properties": {"markdown": words}}]})
    life(ground, "aws_cloudwatch_dashboard", {"name": "d", "body": body("one"), "tags": {"a": "b"}}, {"body": body("two")}, {"tags": {"c": "d"}})


def cloudwatch_alarm(ground):
    topic = f"arn:aws:sns:us-east-1:{ACCOUNT}:t"
    life(ground, "aws_cloudwatch_alarm", {
        "name": "a", "description": "d", "namespace": "ContainerInsights", "metric_name": "node_cpu_utilization", "statistic": "Average",
        "dimensions": [{"Name": "ClusterName", "Value": "c"}], "period_s": 300, "evaluation_periods": 2, "threshold": 80,
        "comparison_operator": "GreaterThanThreshold", "treat_missing_data": "notBreaching", "alarm_actions": [], "ok_actions": [], "tags": {"a": "b"}},
        {"threshold": 90.5}, {"alarm_actions": [topic]}, {"alarm_actions": []}, {"dimensions": []}, {"tags": {"c": "d"}})


# ---- SageMaker

IMAGE = "763104351884.dkr.ecr.us-east-1.amazonaws.com/djl-inference:0.33.0-lmi15.0.0-cu128"


def served(ground, *models):
    """A bucket with weights, the execution role, and models."""
    s3 = ground.cloud.client("s3")
    s3.create_bucket(Bucket="weights")
    for key in ("llama/config.json", "other/config.json", "adapters/law.tar.gz", "adapters/tax.tar.gz", "whole.tar.gz"):
        s3.put_object(Bucket="weights", Key=key, Body=b"x")
    role = ground.role("sagemaker", "sagemaker.amazonaws.com")
    for name in models:
        ground.cloud.client("sagemaker").create_model(ModelName=name, ExecutionRoleArn=role, PrimaryContainer={"Image": IMAGE})
    return role


def variant(name, model=None, **more):
    return {"VariantName": name, "InstanceType": "ml.g5.xlarge", "InitialInstanceCount": 1, "InitialVariantWeight": 1, **({"ModelName": model} if model else {}), **more}


def configured(ground, name, *variants, **more):
    ground.cloud.client("sagemaker").create_endpoint_config(EndpointConfigName=name, ProductionVariants=list(variants), **more)


def endpoint_of(ground, name="e"):
    return ground.cloud.client("sagemaker").describe_endpoint(EndpointName=name)


def sagemaker_model(ground):
    role, subnets = served(ground), ground.network()
    vpc = ground.cloud.client("ec2").describe_vpcs(Filters=[{"Name": "cidr", "Values": ["10.0.0.0/16"]}])["Vpcs"][0]["VpcId"]
    group = ground.cloud.client("ec2").create_security_group(GroupName="g", Description="d", VpcId=vpc)["GroupId"]
    channel = {"ChannelName": "draft", "S3DataSource": {"S3Uri": "s3://weights/other/", "S3DataType": "S3Prefix", "CompressionType": "None"}}
    life(ground, "aws_sagemaker_model", {
        "name": "llama-1", "role_arn": role, "image": IMAGE, "image_access_mode": "Platform", "environment": {"OPTION_ROLLING_BATCH": "vllm", "EMPTY": ""},
        "model_data_uri": "s3://weights/llama/", "model_data_type": "S3Prefix", "model_data_compression": "None", "accept_eula": True,
        "additional_model_data": [channel], "subnet_ids": subnets, "security_group_ids": [group], "network_isolation": True, "tags": {"a": "b"}},
        {"tags": {"c": "d"}})
    life(ground, "aws_sagemaker_model", {"name": "packed", "role_arn": role, "image": IMAGE, "model_data_uri": "s3://weights/whole.tar.gz", "model_data_type": "S3Object",
                                         "model_data_compression": "Gzip", "network_isolation": False})
    life(ground, "aws_sagemaker_model", {"name": "from-a-hub", "role_arn": role, "image": IMAGE, "environment": {"HF_MODEL_ID": "x/y"}}, {"environment": {"HF_MODEL_ID": "x/z"}})


def sagemaker_model_that_is_refused(ground):
    role = served(ground)
    inputs = {"name": "m", "role_arn": role, "image": IMAGE, "model_data_uri": "s3://weights/nothing/", "model_data_type": "S3Prefix", "model_data_compression": "None"}
    answer = ground.send("apply", "aws_sagemaker_model", inputs)
    assert "Could not find model data at s3://weights/nothing/" in answer["errors"][0], answer["errors"]
    ground.control("settle", {"CreateRole": 2})
    life(ground, "aws_sagemaker_model", {"name": "m", "role_arn": ground.role("young", "sagemaker.amazonaws.com"), "image": IMAGE})


def sagemaker_endpoint_config(ground):
    role = served(ground, "one", "two")
    capture = {"EnableCapture": True, "InitialSamplingPercentage": 20, "DestinationS3Uri": "s3://weights/captured", "CaptureOptions": [{"CaptureMode": "InputAndOutput"}]}
    life(ground, "aws_sagemaker_endpoint_config", {
        "name": "e-1", "variants": [variant("a", "one", ContainerStartupHealthCheckTimeoutInSeconds=900, VolumeSizeInGB=200), variant("b", "two", InitialVariantWeight=0.25)],
        "data_capture": capture, "kms_key_id": KEY, "tags": {"a": "b"}}, {"tags": {"c": "d"}})
    scaling = {"Status": "ENABLED", "MinInstanceCount": 0, "MaxInstanceCount": 2}
    life(ground, "aws_sagemaker_endpoint_config", {
        "name": "shared", "role_arn": role, "variants": [variant("all", ManagedInstanceScaling=scaling, RoutingConfig={"RoutingStrategy": "LEAST_OUTSTANDING_REQUESTS"})],
        "network_isolation": False})
    life(ground, "aws_sagemaker_endpoint_config", {
        "name": "small", "variants": [{"VariantName": "a", "ModelName": "one", "ServerlessConfig": {"MemorySizeInMB": 4096, "MaxConcurrency": 5}}]})


BLUE_GREEN = {"BlueGreenUpdatePolicy": {"TrafficRoutingConfiguration": {"Type": "ALL_AT_ONCE", "WaitIntervalInSeconds": 0}, "TerminationWaitInSeconds": 0}}


def routed(kind, member, **more):
    size = {"Type": "CAPACITY_PERCENT", "Value": 10}
    return {"BlueGreenUpdatePolicy": {"TrafficRoutingConfiguration": {"Type": kind, "WaitIntervalInSeconds": 60, member: size}}, **more}


def sagemaker_endpoint(ground):
    served(ground, "one", "two")
    configured(ground, "c1", variant("a", "one"), variant("b", "two"))
    configured(ground, "c2", variant("a", "two"), variant("b", "two"))
    configured(ground, "c3", variant("a", "one", InitialVariantWeight=5), variant("b", "two"))
    canary, linear = routed("CANARY", "CanarySize"), routed("LINEAR", "LinearStepSize")
    weigh = lambda a, b: [{"VariantName": "b", "DesiredWeight": b}, {"VariantName": "a", "DesiredWeight": a}]
    count = lambda a, b: [{"VariantName": "a", "DesiredInstanceCount": a}, {"VariantName": "b", "DesiredInstanceCount": b}]
    life(ground, "aws_sagemaker_endpoint", {"name": "e", "endpoint_config_name": "c1", "weights": weigh(1, 1), "instance_counts": count(1, 1),
                                            "retain_variant_properties": True, "exclude_retained_properties": [{"VariantPropertyType": "DataCaptureConfig"}], "tags": {"a": "b"}},
         {"endpoint_config_name": "c2"}, {"weights": weigh(0.9, 0.1)}, {"instance_counts": count(3, 2)}, {"endpoint_config_name": "c1", "deployment": canary},
         {"endpoint_config_name": "c2", "deployment": linear}, {"endpoint_config_name": "c3", "deployment": BLUE_GREEN, "weights": weigh(2, 0.5), "instance_counts": count(2, 1)},
         {"endpoint_config_name": "c1"}, {"tags": {"c": "d"}})
    calls = [c["operation"] for c in ground.control("calls") if c["service"] == "sagemaker" and c["code"] is None]
    assert calls.count("UpdateEndpoint") == 5, calls
    # Weights twice; counts 3 and 2, then 2 and 1.
    assert calls.count("UpdateEndpointWeightsAndCapacities") == 6, calls
    assert calls.count("CreateEndpoint") == calls.count("DeleteEndpoint") == 1, calls


def sagemaker_weights_alone(ground):
    """A change of weights is no deployment."""
    served(ground, "one")
    configured(ground, "c", variant("a", "one"), variant("b", "one"))
    weigh = lambda a: [{"VariantName": "a", "DesiredWeight": a}, {"VariantName": "b", "DesiredWeight": 1}]
    inputs = {"name": "e", "endpoint_config_name": "c", "weights": weigh(1)}
    made = ground.good("apply", "aws_sagemaker_endpoint", inputs)
    ground.good("apply", "aws_sagemaker_endpoint", {**inputs, "weights": weigh(3)}, made["records"], nonce="second")
    calls = [c["operation"] for c in ground.control("calls") if c["operation"].startswith("UpdateEndpoint")]
    assert calls == ["UpdateEndpointWeightsAndCapacities"], calls
    assert {v["VariantName"]: v["CurrentWeight"] for v in endpoint_of(ground)["ProductionVariants"]} == {"a": 3, "b": 1}


def sagemaker_endpoint_that_fails_late(ground):
    served(ground, "one")
    configured(ground, "c", variant("a", "one"))
    ground.control("settle", {"CreateEndpoint": 2})
    ground.control("failures", [{"operation": "CreateEndpoint", "code": "Failed", "message": "the container did not pass its health check", "times": 1}])
    inputs = {"name": "e", "endpoint_config_name": "c"}
    answer = ground.send("apply", "aws_sagemaker_endpoint", inputs)
    assert 'its state became "Failed": the container did not pass its health check' in answer["errors"][0], answer["errors"]
    assert attributes(answer)["arn"]
    made = ground.good("apply", "aws_sagemaker_endpoint", inputs, answer["records"], nonce="second")
    assert endpoint_of(ground)["EndpointStatus"] == "InService", "a failed one is made anew"
    ground.good("destroy", "aws_sagemaker_endpoint", inputs, made["records"])
    assert ground.cloud.client("sagemaker").list_endpoints()["Endpoints"] == []


def sagemaker_update_that_is_rolled_back(ground):
    """The old configuration serves, the error has the reason, and the next plan wants the change again."""
    served(ground, "one", "two")
    configured(ground, "c1", variant("a", "one"))
    configured(ground, "c2", variant("a", "two"))
    ground.cloud.client("cloudwatch").put_metric_alarm(AlarmName="errors", MetricName="Invocation5XXErrors", Namespace="AWS/SageMaker", Statistic="Sum", Period=60, EvaluationPeriods=1,
                                                       Threshold=1, ComparisonOperator="GreaterThanThreshold")
    inputs = {"name": "e", "endpoint_config_name": "c1"}
    made = ground.good("apply", "aws_sagemaker_endpoint", inputs)
    ground.control("settle", {"UpdateEndpoint": 1, "RollingBack": 1})
    wanted = {**inputs, "endpoint_config_name": "c2", "deployment": routed("CANARY", "CanarySize", AutoRollbackConfiguration={"Alarms": [{"AlarmName": "errors"}]})}
    ground.cloud.client("cloudwatch").set_alarm_state(AlarmName="errors", StateValue="ALARM", StateReason="test")
    failed = ground.send("apply", "aws_sagemaker_endpoint", wanted, made["records"], nonce="second")
    assert 'endpoint_config_name is "c1" again' in failed["errors"][0] and "alarm(s) have gone into 'Alarm' state: ['errors']" in failed["errors"][0], failed["errors"]
    now = endpoint_of(ground)
    assert (now["EndpointStatus"], now["EndpointConfigName"]) == ("InService", "c1")
    seen = ground.good("refresh", "aws_sagemaker_endpoint", wanted, failed["records"])
    assert seen["changes"] == {"it": ["endpoint_config_name"]}, seen["changes"]
    ground.cloud.client("cloudwatch").set_alarm_state(AlarmName="errors", StateValue="OK", StateReason="test")
    ground.good("apply", "aws_sagemaker_endpoint", wanted, seen["records"], nonce="third")
    assert endpoint_of(ground)["EndpointConfigName"] == "c2" and "FailureReason" not in endpoint_of(ground)


def sagemaker_update_that_is_undone_at_once(ground):
    """Also when nobody has seen it at work."""
    served(ground, "one", "two")
    configured(ground, "c1", variant("a", "one"))
    configured(ground, "c2", variant("a", "two"))
    inputs = {"name": "e", "endpoint_config_name": "c1"}
    made = ground.good("apply", "aws_sagemaker_endpoint", inputs)
    ground.control("failures", [{"operation": "UpdateEndpoint", "code": "Failed", "message": "no capacity", "times": 1}])
    failed = ground.send("apply", "aws_sagemaker_endpoint", {**inputs, "endpoint_config_name": "c2"}, made["records"], nonce="second")
    assert "no capacity" in failed["errors"][0], failed["errors"]
    ground.control("failures", [{"operation": "UpdateEndpoint", "code": "UpdateRollbackFailed", "message": "stuck between", "times": 1}])
    failed = ground.send("apply", "aws_sagemaker_endpoint", {**inputs, "endpoint_config_name": "c2"}, made["records"], nonce="third")
    assert '"UpdateRollbackFailed": stuck between' in failed["errors"][0], failed["errors"]


def sagemaker_endpoint_that_is_busy(ground):
    """Somebody else updates it: the change, and the end, wait for that."""
    served(ground, "one")
    configured(ground, "c1", variant("a", "one"))
    configured(ground, "c2", variant("a", "one"))
    inputs = {"name": "e", "endpoint_config_name": "c1"}
    made = ground.good("apply", "aws_sagemaker_endpoint", inputs)
    ground.control("settle", {"UpdateEndpointWeightsAndCapacities": 2})
    theirs = {"EndpointName": "e", "DesiredWeightsAndCapacities": [{"VariantName": "a", "DesiredWeight": 2}]}
    ground.cloud.client("sagemaker").update_endpoint_weights_and_capacities(**theirs)
    made = ground.good("apply", "aws_sagemaker_endpoint", {**inputs, "endpoint_config_name": "c2"}, made["records"], nonce="second")
    ground.cloud.client("sagemaker").update_endpoint_weights_and_capacities(**theirs)
    ground.good("destroy", "aws_sagemaker_endpoint", inputs, made["records"])


def sagemaker_endpoint_without_quota(ground):
    served(ground, "one")
    configured(ground, "c", variant("a", "one"))
    ground.control("quotas", {"ml.g5.xlarge for endpoint usage": 0})
    answer = ground.send("apply", "aws_sagemaker_endpoint", {"name": "e", "endpoint_config_name": "c"})
    assert "'ml.g5.xlarge for endpoint usage' is 0 Instances" in answer["errors"][0] and attributes(answer) is None, answer["errors"]


def shared_endpoint(ground, *models):
    role = served(ground, *models)
    scaling = {"Status": "ENABLED", "MinInstanceCount": 0, "MaxInstanceCount": 2}
    configured(ground, "shared", variant("all", ManagedInstanceScaling=scaling), ExecutionRoleArn=role)
    ground.cloud.client("sagemaker").create_endpoint(EndpointName="e", EndpointConfigName="shared")


def sagemaker_inference_component(ground):
    shared_endpoint(ground, "one", "two")
    base = {"name": "base", "endpoint_name": "e", "variant_name": "all", "model_name": "one", "cpu_cores": 2, "accelerators": 1, "min_memory_mib": 8192, "copies": 1}
    life(ground, "aws_sagemaker_inference_component", {**base, "tags": {"a": "b"}},
         {"model_name": "two", "deployment": {"RollingUpdatePolicy": {"MaximumBatchSize": {"Type": "COPY_COUNT", "Value": 1}, "WaitIntervalInSeconds": 60}}},
         {"copies": 2}, {"copies": 0}, {"min_memory_mib": 16384, "max_memory_mib": 20480, "startup_timeout_s": 900, "download_timeout_s": 600}, {"tags": {"c": "d"}})
    life(ground, "aws_sagemaker_inference_component", {
        "name": "image", "endpoint_name": "e", "variant_name": "all", "image": IMAGE, "artifact_url": "s3://weights/whole.tar.gz", "environment": {"A": "b"}, "accelerators": 1,
        "min_memory_mib": 1024, "initial_copies": 1}, {"environment": {"A": "c"}}, {"image": IMAGE + "-2"})
    ground.good("apply", "aws_sagemaker_inference_component", base)
    life(ground, "aws_sagemaker_inference_component", {"name": "law", "endpoint_name": "e", "base_component_name": "base", "artifact_url": "s3://weights/adapters/law.tar.gz"},
         {"artifact_url": "s3://weights/adapters/tax.tar.gz"})


def sagemaker_base_that_an_adapter_still_uses(ground):
    shared_endpoint(ground, "one")
    base = {"name": "base", "endpoint_name": "e", "variant_name": "all", "model_name": "one", "min_memory_mib": 8192}
    made = ground.good("apply", "aws_sagemaker_inference_component", base)
    api = ground.cloud.client("sagemaker")
    api.create_inference_component(InferenceComponentName="law", EndpointName="e", Specification={"BaseInferenceComponentName": "base",
                                                                                                 "Container": {"ArtifactUrl": "s3://weights/adapters/law.tar.gz"}})
    ground.control("settle", {"DeleteInferenceComponent": 2})
    api.delete_inference_component(InferenceComponentName="law")
    ground.good("destroy", "aws_sagemaker_inference_component", base, made["records"])


def sagemaker_component_that_fails(ground):
    shared_endpoint(ground, "one", "two")
    inputs = {"name": "base", "endpoint_name": "e", "variant_name": "all", "model_name": "one", "accelerators": 1, "min_memory_mib": 8192}
    ground.control("settle", {"CreateInferenceComponent": 2, "UpdateInferenceComponent": 2})
    ground.control("failures", [{"operation": o, "code": "Failed", "message": "out of memory", "times": 1} for o in ("CreateInferenceComponent", "UpdateInferenceComponent")])
    answer = ground.send("apply", "aws_sagemaker_inference_component", inputs)
    assert '"Failed": out of memory' in answer["errors"][0], answer["errors"]
    ground.good("destroy", "aws_sagemaker_inference_component", inputs, answer["records"])
    made = ground.good("apply", "aws_sagemaker_inference_component", inputs, nonce="again")
    failed = ground.send("apply", "aws_sagemaker_inference_component", {**inputs, "model_name": "two"}, made["records"], nonce="update")
    assert 'model_name is "one" again: out of memory' in failed["errors"][0], failed["errors"]


def scaled(resource="endpoint/e/variant/a", dimension="sagemaker:variant:DesiredInstanceCount"):
    return {"service_namespace": "sagemaker", "resource_id": resource, "scalable_dimension": dimension}


COPIES = scaled("inference-component/base", "sagemaker:inference-component:DesiredCopyCount")


def appautoscaling_target(ground):
    shared_endpoint(ground, "one")
    configured(ground, "c", variant("a", "one"))
    ground.cloud.client("sagemaker").create_endpoint(EndpointName="other", EndpointConfigName="c")
    life(ground, "aws_appautoscaling_target", {**scaled("endpoint/other/variant/a"), "min_capacity": 1, "max_capacity": 4, "suspended": False, "tags": {"a": "b"}},
         {"max_capacity": 8}, {"min_capacity": 2}, {"suspended": True}, {"tags": {"c": "d"}})
    assert endpoint_of(ground, "other")["ProductionVariants"][0]["DesiredInstanceCount"] == 2, "the least is made at once"
    ground.good("apply", "aws_sagemaker_inference_component", {"name": "base", "endpoint_name": "e", "variant_name": "all", "model_name": "one", "min_memory_mib": 8192})
    life(ground, "aws_appautoscaling_target", {**COPIES, "min_capacity": 0, "max_capacity": 2})


def appautoscaling_policy(ground):
    shared_endpoint(ground, "one")
    configured(ground, "c", variant("a", "one"))
    ground.cloud.client("sagemaker").create_endpoint(EndpointName="other", EndpointConfigName="c")
    ground.good("apply", "aws_sagemaker_inference_component", {"name": "base", "endpoint_name": "e", "variant_name": "all", "model_name": "one", "min_memory_mib": 8192})
    at = scaled("endpoint/other/variant/a")
    target = ground.good("apply", "aws_appautoscaling_target", {**at, "min_capacity": 1, "max_capacity": 4})
    ground.good("apply", "aws_appautoscaling_target", {**COPIES, "min_capacity": 0, "max_capacity": 4})
    calls = lambda value: {"TargetValue": value, "PredefinedMetricSpecification": {"PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"}, "ScaleInCooldown": 300}
    usage = {"TargetValue": 60, "CustomizedMetricSpecification": {
        "MetricName": "GPUUtilization", "Namespace": "/aws/sagemaker/Endpoints", "Statistic": "Average", "Unit": "Percent",
        "Dimensions": [{"Name": "EndpointName", "Value": "other"}, {"Name": "VariantName", "Value": "a"}]}}
    life(ground, "aws_appautoscaling_policy", {"name": "p", **at, "policy_type": "TargetTrackingScaling", "target_tracking": calls(70)},
         {"target_tracking": {**calls(70.5), "ScaleOutCooldown": 60, "DisableScaleIn": True}}, {"target_tracking": usage})
    step = lambda by: {"AdjustmentType": "ChangeInCapacity", "MetricAggregationType": "Maximum", "Cooldown": 60, "StepAdjustments": [{"MetricIntervalLowerBound": 0, "ScalingAdjustment": by}]}
    life(ground, "aws_appautoscaling_policy", {"name": "from-zero", **COPIES, "policy_type": "StepScaling", "step_scaling": step(1)}, {"step_scaling": step(2)})
    assert not ground.cloud.client("cloudwatch").describe_alarms()["MetricAlarms"], "its alarms go with it"
    made = ground.good("apply", "aws_appautoscaling_policy", {"name": "p", **at, "policy_type": "TargetTrackingScaling", "target_tracking": calls(70)})
    ground.cloud.client("sagemaker").delete_endpoint(EndpointName="other")
    ground.good("destroy", "aws_appautoscaling_policy", {}, made["records"])
    ground.good("destroy", "aws_appautoscaling_target", {}, target["records"])


LIVES = [eks_cluster, eks_cluster_with_a_key, eks_cluster_with_a_role_that_is_young, eks_cluster_that_fails, eks_update_that_fails, eks_update_while_another_runs, eks_node_group,
         eks_node_group_that_fails, eks_node_group_with_a_launch_template, eks_addon, eks_access_entry, eks_pod_identity_association, iam_oidc_provider,
         iam_role_policy_attachment, iam_policy, ecr_repository, launch_template, cloudwatch_dashboard, cloudwatch_alarm, sagemaker_model,
         sagemaker_model_that_is_refused, sagemaker_endpoint_config, sagemaker_endpoint, sagemaker_weights_alone, sagemaker_endpoint_that_fails_late,
         sagemaker_update_that_is_rolled_back, sagemaker_update_that_is_undone_at_once, sagemaker_endpoint_that_is_busy, sagemaker_endpoint_without_quota,
         sagemaker_inference_component, sagemaker_base_that_an_adapter_still_uses, sagemaker_component_that_fails, appautoscaling_target, appautoscaling_policy]


def main():
    ground, failed = Ground(sys.argv[1]), 0
    for one in [f for f in LIVES if not sys.argv[2:] or f.__name__ in sys.argv[2:]]:
        ground.control("reset", {})
        try:
            one(ground)
            violations = ground.control("violations")
            assert violations == [], violations[:3]
        except (AssertionError, LookupError) as error:
            failed += 1
            print(f"{one.__name__}: {error!r}")
    ground.end()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

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
        self.program.wait(20)
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
        assert not {k: v for k, v in attributes(seen).items() if attributes(found).get(k) != v}, (kind, attributes(found), attributes(seen))
    gone = ground.good("destroy", kind, inputs, made["records"])
    assert attributes(gone) is None
    assert ground.good("find", kind, inputs)["changes"] != {}, (kind, "is still there")


def attributes(answer):
    items = json.dumps(answer["records"])
    found = [r for r in walk(answer["records"]) if isinstance(r, dict) and "attrs" in r]
    assert len(found) <= 1, items
    return {k: v for k, v in found[0]["attrs"].items() if v is not None and k != "update_id"} if found else None


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


LIVES = [eks_cluster, eks_cluster_with_a_key, eks_cluster_with_a_role_that_is_young, eks_cluster_that_fails, eks_update_that_fails, eks_update_while_another_runs, eks_node_group,
         eks_node_group_that_fails, eks_node_group_with_a_launch_template, eks_addon, eks_access_entry, eks_pod_identity_association, iam_oidc_provider,
         iam_role_policy_attachment, iam_policy, ecr_repository, launch_template, cloudwatch_dashboard, cloudwatch_alarm]


def main():
    ground, failed = Ground(sys.argv[1]), 0
    for one in [f for f in LIVES if not sys.argv[2:] or f.__name__ in sys.argv[2:]]:
        ground.control("reset", {})
        try:
            one(ground)
            violations = ground.control("violations")
            assert violations == [], violations[:3]
        except AssertionError as error:
            failed += 1
            print(f"{one.__name__}: {error}")
    ground.end()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

"""The policy of docs/guides/permissions.md is enough for the whole life of an endpoint on SageMaker, and has nothing to spare; with what the
page lists besides, for that of one in a cluster too."""
import json
import re

import pytest

from conftest import CORES, ROOT, Core, aws_settings, destroy_in_spite_of_others, policy_in_role
from endpoint_cluster import new_ground
from test_endpoint_aws import ADAPTERS, NAME, bucket_with, endpoint
from test_permissions import allows
from tests.kube.linked import Linked

PAGE = (ROOT / "docs/guides/permissions.md").read_text()
ACCOUNT, REGION = "123456789012", "us-east-1"
# What AWS checks besides the calls: of whom roles are passed to, of the role for scaling, and what scaling does in the caller's name.
CHECKED_BY_AWS = {"iam:PassRole", "iam:CreateServiceLinkedRole"}
IN_A_CLUSTER = {"eks:DescribeCluster"}  # with target = "cluster", see below
SERVICES = {"monitoring": "cloudwatch"}
ACTIONS = {"s3:HeadObject": "s3:GetObject", "s3:ListObjectsV2": "s3:ListBucket"}
NAMES = {"RoleName": "iam::{a}:role/{n}", "logGroupName": "logs:{r}:{a}:log-group:{n}", "AlarmName": "cloudwatch:{r}:{a}:alarm:{n}",
         "AlarmNames": "cloudwatch:{r}:{a}:alarm:{n}", "Name": "secretsmanager:{r}:{a}:secret:{n}", "SecretId": "secretsmanager:{r}:{a}:secret:{n}",
         "resourceArn": "", "ResourceARN": ""}


def policy():
    part = PAGE.split("### llm_endpoint on AWS\n")[1].split("\n### ")[0]
    return json.loads(re.search(r"```json\n(.*?)```", part, re.DOTALL)[1])["Statement"]


def resources(call):
    found = []
    for key, form in NAMES.items():
        named = call["params"].get(key) if call["service"] in ("iam", "logs", "monitoring", "secretsmanager") else None
        for name in named if isinstance(named, list) else [named] if named else []:
            found.append(name if name.startswith("arn:") else "arn:aws:" + form.format(a=ACCOUNT, r=REGION, n=name))
    return found or [None]


def asked(sim):
    for call in sim.calls():
        action = f"{SERVICES.get(call['service'], call['service'])}:{call['operation']}"
        for resource in resources(call) if call["access_key"] == "provider" else []:
            yield ACTIONS.get(action, action), resource


@pytest.fixture
def ground(tmp_path, sim):
    sim.control("keys", {"provider": "secret"})
    return Core(CORES[sorted(CORES)[-1]], tmp_path, {**aws_settings(sim.endpoint), "AWS_ACCESS_KEY_ID": "provider", "AWS_SECRET_ACCESS_KEY": "secret"})


OWN = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/own:1"
TOKEN = {"container": {"image": OWN, "stack": "vllm"}, "huggingface_token_wo": "hf_x"}


def steps():
    """Configurations one after the other, which change whatever can be changed."""
    both = {"a": {"weight": 50}, "b": {"weight": 50}}
    limits = {"min": 1, "max": 3, "target_invocations": 60}
    first = {**TOKEN, "huggingface_token_wo_version": 1, "variants": both, "scaling": limits, "alarms": {"errors_5xx": 5}, "tags": {"team": "ai", "owner": "me"}}
    yield first
    yield {**first, "huggingface_token_wo_version": 2, "variants": {"a": {"weight": 60, "machine_type": "ml.g5.2xlarge"}, "b": {"weight": 40}},
           "alarms": {"errors_5xx": 9}, "tags": {"team": "ml"}, "log_retention_days": 60, "scaling": {**limits, "max": 4, "target_invocations": 90},
           "kms_key": f"arn:aws:kms:{REGION}:{ACCOUNT}:key/1"}
    yield {"variants": {"a": {"weight": 60, "instances": 2, "machine_type": "ml.g5.2xlarge"}, "b": {"weight": 40}}}


def test_policy_is_enough(ground, sim, cloud):
    statements = policy()
    ecr = cloud.client("ecr")
    ecr.create_repository(repositoryName="own")
    ecr.put_image(repositoryName="own", imageTag="1", imageManifest=json.dumps({"schemaVersion": 2, "mediaType": "application/vnd.docker.distribution.manifest.v2+json"}))
    for settings in steps():
        ground.write(endpoint(**settings))
        ground.apply_ok()
    ground.no_difference()
    ground.ok("state", "rm", "llm_endpoint.e")
    ground.ok("import", "-no-color", "llm_endpoint.e", f"aws/{REGION}/{NAME}")
    cloud.client("iam").update_role_description(RoleName=f"llm-ep-{NAME}-{REGION}", Description="mine")
    cloud.client("iam").update_assume_role_policy(RoleName=f"llm-ep-{NAME}-{REGION}", PolicyDocument=json.dumps(
        {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "lambda.amazonaws.com"}}]}))
    ground.apply_ok()
    destroy_in_spite_of_others(ground, policy_in_role(cloud, f"llm-ep-{NAME}-{REGION}"))
    bucket_with(cloud, "weights", "lora/sql.tar.gz", "lora/legal.tar.gz", "model/config.json")
    own = {**ADAPTERS, "model": "s3://weights/model", "scaling": {"min": 1, "max": 2, "target_gpu_percent": 70}}
    for settings in (own, {**own, "adapters": {"sql": "s3://weights/lora/legal.tar.gz"}, "environment": {"A": "b"}, "tags": {"team": "ml"}},
                     {**own, "adapters": {"sql": "s3://weights/lora/legal.tar.gz"}, "scaling": {"min": 2, "max": 2}}):
        ground.write(endpoint("finetune", **settings))
        ground.apply_ok()
    ground.ok("state", "rm", "llm_endpoint.e")
    ground.ok("import", "-no-color", "llm_endpoint.e", f"aws/{REGION}/finetune")
    assert ground.destroy().status == 0
    calls = set(asked(sim))
    assert sum(resource is not None for _, resource in calls) > 20
    assert sorted(c for c in calls if not any(allows(s, *c) for s in statements)) == []
    listed = {a for s in statements for a in s["Action"]}
    assert sorted(listed - {action for action, _ in calls} - CHECKED_BY_AWS - IN_A_CLUSTER) == []


# ---- in a cluster


GROUP = "llm-provider"


def in_cluster():
    """The table of what is needed in the cluster: (resource, API group, verb)."""
    table = PAGE.split("### llm_endpoint on AWS\n")[1].split("What the same identity has to be allowed in the cluster")[1].split("\n### ")[0]
    return set(re.findall(r"`([a-z]+)(?:\.([a-z0-9.]+))?:([a-z]+)`", table)) - {("resource", "group", "verb")}


@pytest.fixture(scope="module")
def audited():
    """A cluster that lets its maker do what the page lists, and counts what he does."""
    class Limited(Linked):
        def known(self, token):
            user = super().known(token)
            return user and (user[0], [GROUP])

    with Limited("aws") as kube:
        rbac = "/apis/rbac.authorization.k8s.io/v1"
        kube.request("POST", f"{rbac}/clusterroles", {"metadata": {"name": GROUP}, "rules": [
            {"apiGroups": [group], "resources": [resource], "verbs": [verb]} for resource, group, verb in sorted(in_cluster())]})
        kube.request("POST", f"{rbac}/clusterrolebindings", {
            "metadata": {"name": GROUP}, "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": GROUP},
            "subjects": [{"kind": "Group", "apiGroup": "rbac.authorization.k8s.io", "name": GROUP}]})
        kube.usual = kube.all_objects()
        yield kube


@pytest.fixture
def limited(request, tmp_path, audited):
    g = new_ground(request, tmp_path, audited)
    yield g
    g.clean()


def test_permissions_of_the_page_are_enough(limited):
    sim = limited.sim
    everything = {"huggingface_token_wo": "hf_x", "huggingface_token_wo_version": 1, "tags": {"a": "b"}}
    limited.kube.request("POST", "/apis/storage.k8s.io/v1/storageclasses", {"metadata": {"name": "efs"}, "provisioner": "efs.csi.aws.com"})
    storage = {"cluster": {"shared_storage": True, "storage_class": "efs"}}
    sim.control("calls", method="DELETE")
    limited.change(**everything, **storage)
    limited.change(**{**everything, "huggingface_token_wo_version": 2, "tags": {"a": "c"}}, **storage, model="mistral:7b", network={"expose": "public"}, container={"port": 9000})
    limited.core.ok("state", "rm", "llm_endpoint.e")
    limited.core.ok("import", "-no-color", "llm_endpoint.e", "aws/us-east-1/c/eval/judge")
    limited.core.no_difference()
    calls = {f"{c['service']}:{c['operation']}" for c in sim.calls()}
    policy = PAGE.split("### llm_endpoint on AWS\n")[1].split("\n### ")[0]
    assert "eks:DescribeCluster" in calls and all(f'"{c}"' in policy for c in calls), calls
    limited.destroy()
    limited.kube.request("DELETE", "/apis/storage.k8s.io/v1/storageclasses/efs")


def test_what_is_not_allowed_is_said(limited):
    path = f"/apis/rbac.authorization.k8s.io/v1/clusterroles/{GROUP}"
    role = limited.kube.get(path)
    limited.kube.request("PUT", path, {**role, "rules": [r for r in role["rules"] if r["resources"] != ["poddisruptionbudgets"]]})
    try:
        limited.refused('trying out the pod disruption budget "kube_budget.main"', "Forbidden")
    finally:
        limited.kube.request("PUT", path, {**limited.kube.get(path), "rules": role["rules"]})

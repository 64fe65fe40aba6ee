"""The policies of docs/guides/permissions.md are enough for the whole life of a node."""
import fnmatch
import json
import re

from conftest import ROOT

PAGE = (ROOT / "docs/guides/permissions.md").read_text()


def part(heading):
    return PAGE.split(f"### {heading}\n")[1].split("\n### ")[0]


def policy():
    return json.loads(re.search(r"```json\n(.*?)```", part("llm_gpu_node on AWS"), re.DOTALL)[1])["Statement"]


def role_permissions():
    role = re.search(r"```yaml\n(.*?)```", part("llm_gpu_node on Google Cloud"), re.DOTALL)[1]
    return set(re.findall(r"^  - (\S+)$", role, re.MULTILINE))


def node(cloud, machine, key, cidrs, settings=""):
    return f'''
resource "llm_gpu_node" "n" {{
  name   = "demo"
  cloud  = "{cloud}"
  models = ["llama3.1:8b"]
  machine = {{
    type = "{machine}"
  }}
  tailscale = {{
    auth_key_wo         = "tskey-auth-canary"
    auth_key_wo_version = {key}
  }}
  network = {{
    ingress_cidrs = {json.dumps(cidrs)}
  }}
  {settings}
}}
'''


def life(core, cloud, small, large):
    """Makes a node, changes whatever can be changed in place, and removes it."""
    tagged = 'tags = { team = "ml" }\n  disk = { size_gib = 100 }\n  log_retention_days = 60'
    steps = [node(cloud, small, 1, ["10.0.0.0/8"], 'tags = { team = "ai", owner = "me" }'),
             node(cloud, large, 2, ["10.0.0.0/8", "192.168.0.0/16"], tagged),
             node(cloud, large, 2, ["192.168.0.0/16"], tagged + '\n  power = "stopped"'),
             node(cloud, large, 2, [], tagged)]
    for step in steps:
        core.write(step)
        core.apply_ok()
        core.no_difference()
    result = core.destroy()
    assert result.status == 0, result.output


NAMES = {"RoleName": "iam::{a}:role/", "InstanceProfileName": "iam::{a}:instance-profile/", "logGroupName": "logs:{r}:{a}:log-group:",
         "Name": "secretsmanager:{r}:{a}:secret:", "SecretId": "secretsmanager:{r}:{a}:secret:", "resourceArn": ""}


def resources(call):
    """The ARNs of what a call of IAM, Secrets Manager or CloudWatch Logs is for."""
    found = []
    for key, form in NAMES.items():
        name = call["params"].get(key) if call["service"] in ("iam", "secretsmanager", "logs") else None
        if name:
            found.append(name if name.startswith("arn:") else "arn:aws:" + form.format(a="123456789012", r="us-east-1") + name)
    return found or [None]


def allows(statement, action, resource):
    named = statement["Resource"] if isinstance(statement["Resource"], list) else [statement["Resource"]]
    return action in statement["Action"] and any(n == "*" or resource and fnmatch.fnmatchcase(resource, n) for n in named)


def test_policy_is_enough_on_aws(one_core, sim):
    statements = policy()
    life(one_core, "aws", "g5.xlarge", "g5.2xlarge")
    calls = [(f"{c['service']}:{c['operation']}", r) for c in sim.calls() for r in resources(c)]
    assert len({action for action, _ in calls}) > 50
    assert sum(resource is not None for _, resource in calls) > 20
    assert [c for c in calls if not any(allows(s, *c) for s in statements)] == []


def test_policy_removes_only_what_the_provider_made_on_aws(one_core, sim, cloud):
    """Whatever EC2 may remove by its tag has had that tag when it was removed."""
    [tagged] = [s for s in policy() if "aws:ResourceTag/llm:resource" in json.dumps(s.get("Condition", {}))]
    pattern = tagged["Condition"]["StringLike"]["aws:ResourceTag/llm:resource"]
    one_core.write(node("aws", "g5.xlarge", 1, ["10.0.0.0/8"]))
    one_core.apply_ok()
    tags = {t["ResourceId"]: t["Value"] for t in cloud.client("ec2").describe_tags(Filters=[{"Name": "key", "Values": ["llm:resource"]}])["Tags"]}
    assert one_core.destroy().status == 0
    removed = [c["params"] for c in sim.calls() if f"ec2:{c['operation']}" in tagged["Action"]]
    assert len(removed) >= len(tagged["Action"])
    for params in removed:
        [object_id] = [v[0] if isinstance(v, list) else v for k, v in params.items() if k.endswith("Id") or k.startswith("InstanceId")]
        assert fnmatch.fnmatchcase(tags.get(object_id, ""), pattern), params


def test_role_is_enough_on_google_cloud(gcp_one_core, gcp_sim):
    """The simulator refuses whatever the role does not hold."""
    listed = role_permissions()
    gcp_sim.control("permissions", {"allowed": sorted(listed)})
    life(gcp_one_core, "gcp", "g2-standard-4", "g2-standard-8")
    used = set(gcp_sim.control("permissions")["used"])
    assert len(used) > 50
    assert used <= listed

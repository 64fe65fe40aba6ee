"""Options of a node on Google Cloud that generated configurations have found wanting, each in its smallest form."""
import json

import pytest

from conftest import gcp_node
from test_gcp_life import instances, made

M = 'models = ["llama3.1:8b"]'


def test_a_disk_that_the_chosen_machine_does_not_take(gcp_one_core, gcp_cloud):
    gcp_one_core.write(gcp_node(body=M + '\n  disk = { type = "hyperdisk-balanced" }'))
    result = gcp_one_core.plan()
    assert result.status == 1 and "n1-standard-4+nvidia-tesla-t4:1 does not take hyperdisk-balanced" in result.text, result.output
    gcp_one_core.write(gcp_node(body=M + '\n  disk = { type = "pd-standard" }\n  machine = { type = "g2-standard-4" }'))
    result = gcp_one_core.validate()
    assert result.status == 1 and "g2-standard-4 does not take pd-standard" in result.text, result.output
    assert made(gcp_cloud) == {}


def test_a_setting_of_the_disk_that_turns_out_null(gcp_one_core, gcp_cloud):
    """The attribute is unknown in the plan: whether it is set at all is seen at apply."""
    gcp_one_core.write('resource "terraform_data" "u" {\n  input = { iops = null, machines = ["g2-standard-4"] }\n}\n' + gcp_node(
        body=M + '\n  disk = {\n    type = "pd-ssd"\n    iops = terraform_data.u.output.iops\n  }\n  machine = { candidates = terraform_data.u.output.machines }'))
    gcp_one_core.apply_ok()
    assert [i["machineType"].rsplit("/", 1)[1] for i in instances(gcp_cloud)] == ["g2-standard-4"]
    gcp_one_core.no_difference()


KEY = "projects/test-project/locations/us-central1/keyRings/ring/cryptoKeys/key"
CHANGES = {  # what is unknown in the plan of a change, and what the plan says of the node
    "key": ("kms_key", KEY, "disk = { kms_key = V }", "must be replaced"),
    "disk": ("disk", {"kms_key": KEY}, "disk = V", "must be replaced"),
    "region": ("region", "us-east1", "region = V", "must be replaced"),
    "zones": ("zones", ["us-central1-b"], "zones = V", "will be updated in-place"),
    "machine": ("machine", {"type": "g2-standard-4"}, "machine = V", "will be updated in-place"),
    "models": ("models", ["llama3.1:70b"], None, "will be updated in-place"),
    "same machine": ("machine", {"type": "n1-standard-4+nvidia-tesla-t4:1"}, "machine = V", "will be updated in-place"),
}


@pytest.mark.parametrize("case", CHANGES)
def test_a_change_that_is_known_at_apply_only(gcp_one_core, gcp_cloud, case):
    """Whatever the value turns out to be, the apply does what the plan said."""
    key, value, line, said = CHANGES[case]
    core, text = gcp_one_core, 'resource "terraform_data" "u" {\n  input = %s\n}\n'
    core.write(text % "{}" + gcp_node(body=M))
    core.apply_ok()
    [before] = instances(gcp_cloud)
    reference = f"terraform_data.u.output.{key}"
    body = f"models = {reference}" if line is None else M + "\n  " + line.replace("V", reference)
    core.write(text % json.dumps({key: value}) + gcp_node(body=body))
    plan = core.plan()
    assert said in plan.text, plan.output
    core.apply_ok()
    [after] = instances(gcp_cloud)
    assert (after["id"] == before["id"]) == (case == "same machine")
    core.no_difference()


def test_another_subnetwork_is_another_instance(gcp_one_core, gcp_cloud):
    compute = gcp_cloud.compute
    gcp_cloud.done(compute.networks().insert(project="test-project", body={"name": "corp", "autoCreateSubnetworks": False}).execute())
    for n, name in enumerate(("one", "two")):
        gcp_cloud.done(compute.subnetworks().insert(project="test-project", region="us-central1", body={
            "name": name, "network": "projects/test-project/global/networks/corp", "ipCidrRange": f"10.{n}.0.0/20"}).execute())
    found = []
    for given in ("one", "two", "projects/123456789012/regions/us-central1/subnetworks/two"):
        gcp_one_core.write(gcp_node(body=M + f'\n  network = {{\n    vpc_id = "corp"\n    subnet_ids = ["{given}"]\n  }}'))
        gcp_one_core.apply_ok()
        [instance] = instances(gcp_cloud)
        found.append((instance["id"], instance["networkInterfaces"][0]["subnetwork"].rsplit("/", 1)[1]))
        gcp_one_core.no_difference()
    assert [s for _, s in found] == ["one", "two", "two"] and found[0][0] != found[1][0] == found[2][0]


def given_secret(cloud, secret="shared"):
    cloud.client("secretmanager").projects().secrets().create(
        parent="projects/test-project", secretId=secret, body={"replication": {"automatic": {}}}).execute()


def readers(cloud, secret="shared"):
    policy = cloud.client("secretmanager").projects().secrets().getIamPolicy(resource=f"projects/test-project/secrets/{secret}").execute()
    return [m for b in policy.get("bindings", []) for m in b["members"]]


def test_a_secret_that_is_read_for_something_else(gcp_one_core, gcp_cloud):
    """The role's binding is one, whatever the secret is read for: the end of one purpose does not take it from the other."""
    given_secret(gcp_cloud)
    token, key = '\n  huggingface_token_secret = "shared"', '\n  tailscale = { auth_key_secret = "shared" }'
    for body in (M + token, M + token + key, M + key, M + token):
        gcp_one_core.write(gcp_node(body=body, tailscale=False))
        gcp_one_core.apply_ok()
        assert len(readers(gcp_cloud)) == 1
        gcp_one_core.no_difference()
    gcp_one_core.write(gcp_node(body=M, tailscale=False))
    gcp_one_core.apply_ok()
    assert readers(gcp_cloud) == []


def test_import_keeps_what_is_empty(gcp_one_core, gcp_cloud):
    text = gcp_node(body=M + '\n  machine = { provisioning = "on_demand" }\n  disk = {}\n  network = { ingress_cidrs = [] }\n  model_cache = {}\n  tags = {}', tailscale=False)
    gcp_one_core.write(text)
    gcp_one_core.apply_ok()
    (gcp_one_core.directory / "terraform.tfstate").unlink()
    gcp_one_core.write(text + 'import {\n  to = llm_gpu_node.n\n  id = "gcp/us-central1/demo"\n}\n')
    result = gcp_one_core.apply()
    assert result.status == 0 and "Plan: 1 to import, 0 to add, 0 to change, 0 to destroy." in result.output, result.output


def test_a_cache_prefix_stays_within_its_condition(gcp_one_core, gcp_cloud):
    gcp_one_core.write(gcp_node(body=M + r'''
  model_cache = { gcs_uri = "gs://models/a\") || true || (\"b\\\\c/" }'''))
    gcp_one_core.apply_ok()
    policy = gcp_cloud.client("cloudresourcemanager", "v1").projects().getIamPolicy(
        resource="test-project", body={"options": {"requestedPolicyVersion": 3}}).execute()
    [condition] = [b["condition"]["expression"] for b in policy["bindings"] if b["role"] == "roles/storage.objectUser"]
    assert condition == (r'resource.name == "projects/_/buckets/models" || resource.name.startsWith("projects/_/buckets/models/objects/'
                         r'a\") || true || (\"b\\\\c/")')
    gcp_one_core.no_difference()


def test_a_region_that_is_not_known_is_not_the_usual_one(gcp_one_core, gcp_cloud):
    gcp_one_core.write('resource "terraform_data" "u" {\n  input = "europe-west4"\n}\n' + gcp_node(
        body=M + "\n  region = terraform_data.u.output", zones='zones = ["europe-west4-b"]'))
    plan = gcp_one_core.plan()
    assert plan.status == 0 and "not known yet" in plan.text, plan.output
    gcp_one_core.apply_ok()
    assert [i["zone"].rsplit("/", 1)[1] for i in instances(gcp_cloud)] == ["europe-west4-b"]
    gcp_one_core.no_difference()


def test_a_machine_that_stays_is_asked_for_by_itself(gcp_one_core, gcp_cloud):
    """Of the catalogue's machines, cheapest first, a few are asked for: one that the node has already may be none of them."""
    gcp_one_core.write(gcp_node(body=M + '\n  machine = { type = "a2-ultragpu-8g" }'))
    gcp_one_core.apply_ok()
    gcp_one_core.write(gcp_node(body=M + '\n  image = "projects/ml-images/global/images/family/common-cu118-debian-11"'))
    gcp_one_core.apply_ok()
    assert [i["machineType"].rsplit("/", 1)[1] for i in instances(gcp_cloud)] == ["a2-ultragpu-8g"]
    gcp_one_core.no_difference()


def test_another_image_family_is_another_instance(gcp_one_core, gcp_cloud):
    """A family that the user names is followed when it changes; without one, the image stays what it is."""
    found, text = [], '\n  image = "projects/%s"'
    for image in ("", text % "ml-images/global/images/family/common-gpu", text % "ml-images/global/images/family/common-cpu", "",
                  text % "ml-images/global/images/common-cu128-debian-12-v20261020", text % "ml-images/global/images/family/common-gpu"):
        gcp_one_core.write(gcp_node(body=M + image))
        gcp_one_core.apply_ok()
        found.append(gcp_one_core.state()["llm_gpu_node.n"]["image_id"].rsplit("/", 1)[1])
        gcp_one_core.no_difference()
    assert found == ["common-cu128-ubuntu-2204-nvidia-570-v20261020", "common-gpu-v20261020", "common-cpu-v20261020", "common-cpu-v20261020",
                     "common-cu128-debian-12-v20261020", "common-gpu-v20261020"]


def test_default_labels_that_change_alone(gcp_one_core, gcp_cloud):
    """No attribute of the node says them: the plan has to show the change all the same, or the core applies nothing."""
    for team in ("one", "two"):
        gcp_one_core.write('provider "llm" {\n  gcp = {\n    default_labels = { team = "%s" }\n  }\n}\n' % team + gcp_node(body=M))
        plan = gcp_one_core.plan()
        assert ("will be created" if team == "one" else "will be updated in-place") in plan.text, plan.output
        gcp_one_core.apply_ok()
        [instance] = instances(gcp_cloud)
        assert instance["labels"]["team"] == team
        gcp_one_core.no_difference()


def test_import_of_a_machine_that_is_not_the_cheapest(gcp_one_core, gcp_cloud):
    """A node keeps its machine when it is changed to serve less; what is imported is that machine, not the one that would be chosen today."""
    small = gcp_node(body='models = ["llama3.2:1b"]', tailscale=False)
    gcp_one_core.write(gcp_node(body='models = ["mistral:7b"]\n  runtime = "vllm"', tailscale=False))
    gcp_one_core.apply_ok()
    gcp_one_core.write(small)
    gcp_one_core.apply_ok()
    [instance] = instances(gcp_cloud)
    assert instance["machineType"].endswith("/g2-standard-4")
    (gcp_one_core.directory / "terraform.tfstate").unlink()
    gcp_one_core.write(small + 'import {\n  to = llm_gpu_node.n\n  id = "gcp/us-central1/demo"\n}\n')
    result = gcp_one_core.apply()
    assert result.status == 0 and "Plan: 1 to import, 0 to add, 0 to change, 0 to destroy." in result.output, result.output
    assert 'machine_type       = "g2-standard-4"' in result.output, result.output

"""Placement over zones and machines on Google Cloud, and the checks before money is spent."""
import pytest

from conftest import HEAD, gcp_node
from test_gcp_life import BASE, instances, made

M = 'models = ["llama3.1:8b"]'
L4 = M + '\n  machine = { type = "g2-standard-4" }'


def tried(sim):
    return [(c["params"]["body"]["machineType"].rsplit("/", 1)[1], c["params"]["zone"]) for c in sim.calls("compute.instances.insert")]


def test_next_zone_when_there_is_no_capacity(gcp_core, gcp_sim):
    core = gcp_core
    gcp_sim.control("stock", {"us-central1-a": {"nvidia-l4": 0}})
    core.write(gcp_node(body=L4))
    core.apply_ok()
    zones = [zone for _, zone in tried(gcp_sim)]
    assert zones[0] == "us-central1-a" and len(zones) == 2
    assert core.state()["llm_gpu_node.n"]["zone"] == zones[1]
    core.no_difference()


def test_the_zone_that_the_error_names_is_next(gcp_one_core, gcp_sim):
    gcp_sim.control("stock", {"us-central1-a": {"nvidia-l4": 0}, "us-central1-b": {"nvidia-l4": 0}})
    gcp_one_core.write(gcp_node(body=L4, zones='zones = ["us-central1-a", "us-central1-b", "us-central1-c"]'))
    gcp_one_core.apply_ok()
    assert [zone for _, zone in tried(gcp_sim)] == ["us-central1-a", "us-central1-c"]
    gcp_one_core.no_difference()


def test_all_places_tried_are_named(gcp_one_core, gcp_sim, gcp_cloud):
    gcp_one_core.write(gcp_node(body=M + '\n  machine = { candidates = ["g2-standard-4", "n1-standard-8+nvidia-tesla-t4:1"] }',
                                zones='zones = ["us-central1-a", "us-central1-b"]'))
    gcp_sim.rule("compute.instances.insert", operation_error={"code": "ZONE_RESOURCE_POOL_EXHAUSTED", "message": "no capacity", "status": 503}, times=-1)
    result = gcp_one_core.apply()
    assert result.status == 1
    for text in ("g2-standard-4", "n1-standard-8+nvidia-tesla-t4:1", "us-central1-a", "us-central1-b"):
        assert text in result.text
    assert len(tried(gcp_sim)) == len(set(tried(gcp_sim))) == 4, "each place once"
    assert instances(gcp_cloud) == []


def test_spot_then_on_demand(gcp_one_core, gcp_sim, gcp_cloud):
    gcp_sim.control("stock", {f"us-central1-{z}": {"spot:nvidia-l4": 0} for z in "abcf"})
    gcp_one_core.write(gcp_node(body=M + '\n  machine = {\n    type = "g2-standard-4"\n    provisioning = "spot_preferred"\n  }'))
    gcp_one_core.apply_ok()
    models = [c["params"]["body"]["scheduling"]["provisioningModel"] for c in gcp_sim.calls("compute.instances.insert")]
    assert models[0] == "SPOT" and models[-1] == "STANDARD"
    gcp_one_core.no_difference()


def test_a_machine_with_hyperdisk_only(gcp_one_core, gcp_cloud, gcp_sim):
    gcp_sim.control("quotas", {"GPUS_PER_GPU_FAMILY:NVIDIA_H200": 8})
    gcp_one_core.write(gcp_node(body='models = ["llama3.1:405b"]\n  region = "us-south1"\n  machine = { type = "a3-ultragpu-8g" }'))
    gcp_one_core.apply_ok()
    types = {n.rsplit("/", 1)[1]: b["type"].rsplit("/", 1)[1] for n, b in gcp_cloud.things("compute").items() if "/disks/" in n}
    assert set(types.values()) == {"hyperdisk-balanced"}, types
    gcp_one_core.no_difference()


@pytest.mark.parametrize("quota", ["NVIDIA_L4_GPUS", "GPUS_ALL_REGIONS"])
def test_quota_is_checked_at_plan(gcp_one_core, gcp_sim, gcp_cloud, quota):
    gcp_sim.control("quotas", {quota: 0})
    gcp_one_core.write(gcp_node(body=L4))
    result = gcp_one_core.plan()
    assert result.status == 1 and quota in result.text, result.output
    assert made(gcp_cloud) == {}


def test_quota_that_the_operation_meets(gcp_one_core, gcp_sim, gcp_cloud):
    gcp_sim.rule("compute.instances.insert", operation_error={"code": "QUOTA_EXCEEDED", "message": "Quota 'NVIDIA_L4_GPUS' exceeded.", "status": 403}, times=-1)
    gcp_one_core.write(gcp_node(body=L4))
    result = gcp_one_core.apply()
    assert result.status == 1 and "NVIDIA L4 GPUs" in result.text and "higher quota" in result.text, result.output
    assert len(tried(gcp_sim)) == 1, "the quota is the same in all zones"


def test_disabled_apis_are_named_at_plan(gcp_core, gcp_sim, gcp_cloud):
    gcp_sim.control("projects", {"test-project": {"services": ["serviceusage.googleapis.com", "compute.googleapis.com", "iam.googleapis.com",
                                                               "cloudresourcemanager.googleapis.com"]}})
    gcp_core.write(gcp_node())
    result = gcp_core.plan()
    assert result.status == 1 and "gcloud services enable logging.googleapis.com secretmanager.googleapis.com" in result.text, result.output
    assert made(gcp_cloud) == {}


def test_machine_that_the_region_lacks(gcp_one_core, gcp_cloud):
    gcp_one_core.write(gcp_node(body=M + '\n  machine = { type = "a2-ultragpu-1g" }\n  region = "europe-west1"'))
    result = gcp_one_core.plan()
    assert result.status == 1 and "a2-ultragpu-1g" in result.text and "europe-west1" in result.text, result.output
    assert made(gcp_cloud) == {}


def test_machine_that_the_zone_lacks(gcp_one_core):
    gcp_one_core.write(gcp_node(body=L4, zones='zones = ["us-central1-f"]'))
    result = gcp_one_core.plan()
    assert result.status == 1 and "g2-standard-4 in us-central1-a" in result.text, result.output


def test_unknown_region_and_project(gcp_one_core):
    gcp_one_core.write(gcp_node(body=L4 + '\n  region = "mars-north1"'))
    result = gcp_one_core.plan()
    assert result.status == 1 and "mars-north1" in result.text, result.output
    gcp_one_core.write(gcp_node(body=L4))
    gcp_one_core.env["GOOGLE_PROJECT"] = "no-such-project"
    result = gcp_one_core.plan()
    assert result.status == 1 and "no-such-project" in result.text, result.output


def test_name_that_is_taken(gcp_one_core, gcp_cloud):
    gcp_one_core.write(gcp_node())
    gcp_one_core.apply_ok()
    (gcp_one_core.directory / "terraform.tfstate").unlink()
    before = made(gcp_cloud)
    result = gcp_one_core.plan()
    assert result.status == 1 and "import it: gcp/us-central1/demo" in result.text and BASE in result.text, result.output
    assert made(gcp_cloud) == before


def test_account_that_is_somebody_elses(gcp_one_core, gcp_cloud):
    gcp_cloud.client("iam").projects().serviceAccounts().create(name="projects/test-project", body={"accountId": "llm-demo-830978cf"}).execute()
    gcp_one_core.write(gcp_node())
    result = gcp_one_core.plan()
    assert result.status == 1 and "llm-demo-830978cf" in result.text and "service_account" in result.text, result.output


def test_plan_without_credentials(gcp_core, gcp_sim):
    core = gcp_core
    core.write(gcp_node())
    core.env.pop("GOOGLE_OAUTH_ACCESS_TOKEN")
    result = core.plan()
    assert result.status == 0, result.output
    assert "Checks against the cloud were skipped" in result.text
    assert gcp_sim.calls() == []


# ---- bad input ----

INVALID = {
    "zone outside the region": (dict(body=M + '\n  region = "us-central1"', zones='zones = ["europe-west4-a"]'), "europe-west4-a"),
    "a zone for a region": (dict(body=M + '\n  region = "us-central1-a"'), 'Its region is "us-central1"'),
    "unknown machine": (dict(body=M + '\n  machine = { type = "g2-standard-5" }'), 'Did you mean "g2-standard-'),
    "a machine of AWS": (dict(body=M + '\n  machine = { type = "g5.xlarge" }'), "g5.xlarge"),
    "machine cannot hold them": (dict(body='models = ["llama3.1:70b"]\n  machine = { type = "g2-standard-4" }'), "cannot hold"),
    "disk type of AWS": (dict(body=M + '\n  disk = { type = "gp3" }'), "pd-balanced"),
    "iops of a disk that has none": (dict(body=M + '\n  disk = {\n    type = "pd-ssd"\n    iops = 3000\n  }'), "hyperdisk-balanced"),
    "disk that the machine does not take": (dict(body='models = ["llama3.1:405b"]\n  machine = { type = "a3-ultragpu-8g" }\n  disk = { type = "pd-ssd" }'),
                                            "does not take pd-ssd"),
    "security group": (dict(body=M + '\n  network = {\n    vpc_id = "v"\n    subnet_ids = ["s"]\n    security_group_id = "sg-1"\n  }'), "firewall rules"),
    "instance profile": (dict(body=M + '\n  instance_profile = "p"'), "Use `service_account`"),
    "two subnetworks": (dict(body=M + '\n  network = {\n    vpc_id = "v"\n    subnet_ids = ["s", "t"]\n  }'), "name one"),
    "subnetwork of another region": (dict(body=M + '\n  region = "us-central1"\n  network = {\n    vpc_id = "v"\n'
                                          '    subnet_ids = ["projects/p/regions/us-east1/subnetworks/s"]\n  }'), "us-east1"),
    "s3 cache": (dict(body=M + '\n  model_cache = { s3_uri = "s3://bucket/x" }'), "gcs_uri"),
    "ami": (dict(body=M + '\n  image = "ami-1"'), "projects/…/global/images/…"),
    "kms key": (dict(body=M + '\n  disk = { kms_key = "alias/x" }'), "cryptoKeys"),
    "label": (dict(body=M + '\n  tags = { Team = "ML" }'), "lower-case letters"),
    "reserved label": (dict(body=M + '\n  tags = { llm-resource = "x" }'), "Reserved label"),
    "retention": (dict(body=M + "\n  log_retention_days = 3651"), "3650"),
    "name too long": (dict(name="a" * 40, body=M + '\n  region = "northamerica-northeast1"'), "Shorten `name`"),
    "existing egress without a network": (dict(body=M + '\n  egress = "existing"'), "Cloud NAT"),
}


@pytest.mark.parametrize("case", INVALID)
def test_refused_at_validate(gcp_one_core, gcp_sim, case):
    arguments, expected = INVALID[case]
    gcp_one_core.write(gcp_node(**arguments))
    result = gcp_one_core.validate()
    assert result.status == 1 and expected in result.text, result.output
    assert "on main.tf line" in result.text, "the message points at the place"
    assert gcp_sim.calls() == []


CREDENTIALS = {
    "not JSON": ("nonsense {", "JSON"),
    "unknown type": ('{"type": "magic"}', "magic"),
    "service account without a key": ('{"type": "service_account", "client_email": "a@b.iam.gserviceaccount.com"}', "private_key"),
    "service account with half a key": ('{"type": "service_account", "client_email": "a@b.iam.gserviceaccount.com", "token_uri": "https://x.example/",'
                                        ' "private_key": "-----BEGIN PRIVATE KEY-----\\nMIIE\\n-----END PRIVATE KEY-----\\n"}', "key"),
    "user without a refresh token": ('{"type": "authorized_user", "client_id": "a", "client_secret": "b"}', "refresh_token"),
    "federation without a source": ('{"type": "external_account", "audience": "//iam.googleapis.com/x", "token_url": "https://sts.googleapis.com/v1/token",'
                                    ' "subject_token_type": "urn:ietf:params:oauth:token-type:jwt"}', "credential_source"),
    "impersonation without a source": ('{"type": "impersonated_service_account", "service_account_impersonation_url": "https://x.example/"}',
                                       "source_credentials"),
}


@pytest.mark.parametrize("case", CREDENTIALS)
def test_malformed_credentials(gcp_one_core, gcp_sim, case):
    text, expected = CREDENTIALS[case]
    gcp_one_core.env.pop("GOOGLE_OAUTH_ACCESS_TOKEN")
    gcp_one_core.env["GOOGLE_CREDENTIALS"] = text
    gcp_one_core.write(gcp_node())
    result = gcp_one_core.apply()
    assert result.status == 1 and expected in result.text, result.output
    assert "BEGIN PRIVATE KEY" not in result.output


def test_expired_token(gcp_core, gcp_sim):
    gcp_sim.control("tokens", {"old": {"identity": "user@example.com", "expires_in": -5}})
    gcp_core.env["GOOGLE_OAUTH_ACCESS_TOKEN"] = "old"
    gcp_core.write(gcp_node())
    result = gcp_core.apply()
    assert result.status == 1 and "401" in result.text or "invalid authentication credentials" in result.text.lower(), result.output


def test_token_that_expires_on_the_way(gcp_one_core, gcp_sim, gcp_cloud):
    """Tokens that last for seconds: they are had anew in the middle of the apply."""
    key = gcp_sim.control("keys", {"email": "ci@test-project.iam.gserviceaccount.com"})
    gcp_sim.control("settings", {"issued_for_s": 2})
    import json
    gcp_one_core.env.pop("GOOGLE_OAUTH_ACCESS_TOKEN")
    gcp_one_core.env["GOOGLE_CREDENTIALS"] = json.dumps(key)
    policy = {"bindings": [{"role": "roles/owner", "members": ["serviceAccount:ci@test-project.iam.gserviceaccount.com"]}]}
    gcp_cloud.client("cloudresourcemanager", "v1").projects().setIamPolicy(resource="test-project", body={"policy": policy}).execute()
    gcp_sim.control("settle", {"compute.networks.insert": 3})
    gcp_one_core.write(gcp_node())
    gcp_one_core.apply_ok()
    gcp_one_core.no_difference()


def test_missing_permission_is_named(gcp_one_core, gcp_sim):
    gcp_sim.control("permissions", {"denied": ["compute.networks.create"]})
    gcp_one_core.write(gcp_node())
    result = gcp_one_core.apply()
    assert result.status == 1 and "compute.networks.create" in result.text and "Grant" in result.text, result.output


@pytest.mark.parametrize("what, raw", {
    "html": {"type": "text/html", "body": "<html><body>Welcome to the guest network</body></html>"},
    "truncated": {"type": "application/json", "body": "{\"kind\": \"compute#oper"},
    "a list": {"type": "application/json", "body": "[]"},
}.items())
def test_an_answer_that_is_not_googles(gcp_one_core, gcp_sim, what, raw):
    gcp_sim.rule("compute.networks.insert", raw=raw, times=-1)
    gcp_one_core.write(gcp_node())
    result = gcp_one_core.apply()
    assert result.status == 1 and "is not JSON as Google's are" in result.text, result.output


def test_endpoint_that_does_not_answer(gcp_one_core):
    gcp_one_core.write(gcp_node())
    gcp_one_core.env["GOOGLE_COMPUTE_CUSTOM_ENDPOINT"] = "http://127.0.0.1:9/compute/v1/"
    result = gcp_one_core.apply(timeout=120)
    assert result.status == 1 and "http://127.0.0.1:9" in result.text, result.output


def test_offers(gcp_one_core):
    gcp_one_core.write("""
data "llm_gpu_offers" "o" {
  cloud  = "gcp"
  region = "us-central1"
  models = ["llama3.1:8b"]
}
output "o" {
  value = data.llm_gpu_offers.o.offers
}
output "fit" {
  value = provider::llm::gpu_fit(["llama3.1:8b"], 8192, "g2-standard-4")
}
""", head=HEAD)
    gcp_one_core.apply_ok()
    offers = gcp_one_core.outputs()["o"]
    assert offers[0]["machine_type"] == "n1-standard-4+nvidia-tesla-t4:1" and "us-central1-a" in offers[0]["zones"]
    assert all(o["zones"] for o in offers)
    assert gcp_one_core.outputs()["fit"]["fits"] is True

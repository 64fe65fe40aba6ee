"""Bad input, each with the message that it gets."""
import pytest

from conftest import HEAD, node

M = 'models = ["llama3.1:8b"]'

INVALID = {
    "unknown model": (dict(body='models = ["llama3.1:8bb"]'), "llama3.1:8b"),
    "no model": (dict(body=""), "say which model"),
    "models fit no machine": (dict(body='custom_model = {\n    name = "huge"\n    memory_gib = 2000\n    disk_gib = 10\n  }'), "2000"),
    "machine cannot hold them": (dict(body='models = ["llama3.1:70b"]\n  machine = { type = "g4dn.xlarge" }'), "g4dn.xlarge"),
    "unknown machine": (dict(body=M + '\n  machine = { type = "g99.xlarge" }'), "g99.xlarge"),
    "zone outside the region": (dict(body=M + '\n  region = "us-east-1"', zones='zones = ["eu-west-1a"]'), "eu-west-1a"),
    "cidr and vpc": (dict(body=M + '\n  network = {\n    cidr = "10.0.0.0/16"\n    vpc_id = "vpc-1"\n    subnet_ids = ["subnet-1"]\n  }'), "either made"),
    "vpc without subnets": (dict(body=M + '\n  network = { vpc_id = "vpc-1" }'), "subnet_ids"),
    "bad cidr": (dict(body=M + '\n  network = { cidr = "10.0.0.0/33" }'), "10.0.0.0/33"),
    "cidr with host bits": (dict(body=M + '\n  network = { cidr = "10.0.0.1/16" }'), "10.0.0.1/16"),
    "name with bad characters": (dict(name="Demo_1"), "lower-case letters"),
    "name too long": (dict(name="a" * 60), "name"),
    "other cloud": (dict(name="x", body=M + '\n  # gcp'), None),
    "both machine and candidates": (dict(body=M + '\n  machine = {\n    type = "g5.xlarge"\n    candidates = ["g5.xlarge"]\n  }'), "machine"),
    "context too long": (dict(body=M + "\n  context_tokens = 9999999"), "context_tokens"),
    "bad duration": (dict(body=M + '\n  timeouts {\n    create = "soon"\n  }'), "soon"),
}


@pytest.mark.parametrize("case", [c for c in INVALID if INVALID[c][1]])
def test_refused_at_validate(one_core, sim, case):
    arguments, expected = INVALID[case]
    one_core.write(node(**arguments))
    result = one_core.validate()
    assert result.status == 1, result.output
    assert expected in result.text, result.output
    assert "on main.tf line" in result.text, "the message points at the place"
    assert sim.calls() == []


def test_both_secrets(one_core):
    one_core.write(node(tailscale=False, body=M + '\n  tailscale = {\n    auth_key_wo = "x"\n    auth_key_wo_version = 1\n    auth_key_secret = "y"\n  }'))
    result = one_core.validate()
    assert result.status == 1 and "auth_key_secret" in result.text, result.output


def test_unknown_cloud(one_core):
    one_core.write(node().replace('cloud = "aws"', 'cloud = "azure"'))
    result = one_core.validate()
    assert result.status == 1 and "azure" in result.text, result.output


def provider(text):
    return HEAD + f'provider "llm" {{\n  aws = {{\n{text}\n  }}\n}}\n'


def test_wrong_account(core, sim, cloud):
    core.write(node(), head=provider('    allowed_account_ids = ["999999999999"]'))
    result = core.plan()
    assert result.status == 1 and "123456789012" in result.text and "allowed_account_ids" in result.text, result.output
    assert cloud.owned() == []


def test_expired_credentials(one_core, sim, cloud):
    sim.fail("*", "ExpiredToken", "The security token included in the request is expired", times=-1, status=403)
    one_core.write(node())
    result = one_core.apply()
    assert result.status == 1 and "ExpiredToken" in result.text, result.output


def test_missing_permission_is_named(one_core, sim, cloud):
    sim.fail("CreateVpc", "UnauthorizedOperation", "You are not authorized to perform: ec2:CreateVpc", times=-1, status=403)
    one_core.write(node())
    result = one_core.apply()
    assert result.status == 1 and "ec2:CreateVpc" in result.text and "Grant" in result.text, result.output


def test_endpoint_that_does_not_answer(one_core):
    one_core.write(node())
    one_core.env["AWS_ENDPOINT_URL"] = "http://127.0.0.1:9"
    result = one_core.apply(timeout=120)
    assert result.status == 1 and "http://127.0.0.1:9" in result.text, result.output


@pytest.mark.parametrize("what, raw", {
    "html": {"type": "text/html", "body": "<html><body>Welcome to the guest network</body></html>"},
    "truncated xml": {"type": "text/xml", "body": "<CreateVpcResponse><vpc><vpcId>vpc-1</vpc"},
    "empty": {"type": "text/xml", "body": ""},
    "json": {"type": "application/json", "body": "{\"a\": 1"},
}.items())
def test_endpoint_that_answers_rubbish(one_core, sim, cloud, what, raw):
    sim.rule("CreateVpc", raw=raw, times=-1)
    one_core.write(node())
    result = one_core.apply()
    assert result.status == 1 and "is not the API's" in result.text, result.output


def test_huge_answer(one_core, sim):
    sim.rule("CreateVpc", raw={"type": "text/xml", "body": "x" * 1000000, "repeat": 100}, times=-1)
    one_core.write(node())
    result = one_core.apply()
    assert result.status == 1 and "larger than" in result.text, result.output

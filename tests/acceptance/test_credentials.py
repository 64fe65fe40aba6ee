"""AWS credentials from every source, in the SDKs' order; the simulator says which key signed each call."""
import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from conftest import HEAD, node

ROLE = "arn:aws:iam::123456789012:role/deploy"
OTHER = "arn:aws:iam::123456789012:role/second"
FUTURE = "2099-01-01T00:00:00Z"


class Metadata:
    """A server that answers fixed paths, and records what it was asked."""

    def __init__(self):
        self.answers, self.asked = {}, []
        metadata = self

        class Handler(BaseHTTPRequestHandler):
            def handle_any(self):
                path = self.path.split("?")[0]
                metadata.asked.append((self.command, self.path, dict(self.headers)))
                status, body = metadata.answers.get((self.command, path), (404, ""))
                data = body.encode()
                self.send_response(status)
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_PUT = do_POST = handle_any

            def log_message(self, *args):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def answer(self, method, path, body, status=200):
        self.answers[method, path] = (status, body if isinstance(body, str) else json.dumps(body))


@pytest.fixture
def metadata():
    metadata = Metadata()
    yield metadata
    metadata.server.shutdown()


@pytest.fixture
def bare(one_core):
    """A core without any credentials."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        one_core.env.pop(name)
    (one_core.directory / ".aws").mkdir()
    one_core.write(node())
    return one_core


def files(core, credentials="", config=""):
    (core.directory / ".aws/credentials").write_text(credentials)
    (core.directory / ".aws/config").write_text(config)


STATIC = "[dev]\naws_access_key_id = AKIDEXAMPLE\naws_secret_access_key = wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY\n"


def keys(sim, core, **options):
    """The keys that signed the calls of a plan, in the order of their first use."""
    result = core.plan(**options)
    assert result.status == 0, result.output
    assert "were skipped" not in result.text, result.output
    return list(dict.fromkeys(c["access_key"] for c in sim.calls()))


def test_environment(sim, bare):
    assert keys(sim, bare, AWS_ACCESS_KEY_ID="test", AWS_SECRET_ACCESS_KEY="test") == ["test"]


def test_provider_block_first(sim, bare):
    bare.write(node(), head=HEAD + 'provider "llm" {\n  aws = {\n    access_key = "test"\n    secret_key = "test"\n  }\n}\n')
    files(bare, STATIC)
    assert keys(sim, bare, AWS_PROFILE="dev") == ["test"]


def test_profile(sim, bare):
    files(bare, STATIC)
    assert keys(sim, bare, AWS_PROFILE="dev") == ["AKIDEXAMPLE"]


def test_environment_before_a_profile_of_the_environment(sim, bare):
    files(bare, STATIC)
    assert keys(sim, bare, AWS_PROFILE="dev", AWS_ACCESS_KEY_ID="test", AWS_SECRET_ACCESS_KEY="test") == ["test"]


def test_profile_of_the_provider_block_before_the_environment(sim, bare):
    files(bare, STATIC)
    bare.write(node(), head=HEAD + 'provider "llm" {\n  aws = {\n    profile = "dev"\n  }\n}\n')
    assert keys(sim, bare, AWS_ACCESS_KEY_ID="test", AWS_SECRET_ACCESS_KEY="test") == ["AKIDEXAMPLE"]


def test_region_of_the_profile(sim, bare):
    files(bare, STATIC, "[profile dev]\nregion = eu-west-1\n")
    bare.write(node(zones=""))
    bare.env.pop("AWS_REGION")
    keys(sim, bare, AWS_PROFILE="dev")
    assert {c["region"] for c in sim.calls("DescribeInstanceTypeOfferings")} == {"eu-west-1"}


def test_source_profile(sim, bare):
    files(bare, STATIC, f"[profile r]\nrole_arn = {ROLE}\nsource_profile = dev\nrole_session_name = ci\nexternal_id = shared\n")
    first, second = keys(sim, bare, AWS_PROFILE="r")
    assert first == "AKIDEXAMPLE" and second.startswith("ASIA")
    [call] = {json.dumps(c["params"], sort_keys=True) for c in sim.calls("AssumeRole")}
    assert json.loads(call) == {"RoleArn": ROLE, "RoleSessionName": "ci", "ExternalId": "shared"}


def test_credential_source(sim, bare):
    files(bare, "", f"[profile r]\nrole_arn = {ROLE}\ncredential_source = Environment\n")
    bare.write(node(), head=HEAD + 'provider "llm" {\n  aws = {\n    profile = "r"\n  }\n}\n')
    first, second = keys(sim, bare, AWS_ACCESS_KEY_ID="test", AWS_SECRET_ACCESS_KEY="test")
    assert first == "test" and second.startswith("ASIA")


def test_credential_process(sim, bare):
    answer = json.dumps({"Version": 1, "AccessKeyId": "AKIDEXAMPLE", "SecretAccessKey": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "Expiration": FUTURE})
    files(bare, "", f"[profile p]\ncredential_process = echo '{answer}'\n")
    assert keys(sim, bare, AWS_PROFILE="p") == ["AKIDEXAMPLE"]


def test_credential_process_that_fails(sim, bare):
    files(bare, "", "[profile p]\ncredential_process = sh -c 'exit 3'\n")
    result = bare.apply(AWS_PROFILE="p")
    assert result.status == 1 and "credential_process failed: it ended with status 3" in result.text, result.output


def test_web_identity(sim, bare):
    (bare.directory / "token").write_text("header.body.signature\n")
    signers = keys(sim, bare, AWS_ROLE_ARN=ROLE, AWS_WEB_IDENTITY_TOKEN_FILE=str(bare.directory / "token"))
    assert signers[0] is None and signers[1].startswith("ASIA") and len(signers) == 2
    assert sim.calls("AssumeRoleWithWebIdentity")[0]["params"]["WebIdentityToken"] == "header.body.signature"


def test_assume_role_of_the_provider_block(sim, bare):
    bare.write(node(), head=HEAD + f'provider "llm" {{\n  aws = {{\n    assume_role = [{{\n      role_arn = "{ROLE}"\n      session_name = "one"\n'
               f'      duration = "1h"\n      tags = {{ team = "ml" }}\n    }}, {{\n      role_arn = "{OTHER}"\n    }}]\n  }}\n}}\n')
    signers = keys(sim, bare, AWS_ACCESS_KEY_ID="test", AWS_SECRET_ACCESS_KEY="test")
    assert signers[0] == "test" and len(signers) == 3
    one, two = [c["params"] for c in sim.calls("AssumeRole")][:2]
    assert (one["RoleArn"], one["DurationSeconds"], one["Tags"]) == (ROLE, 3600, [{"Key": "team", "Value": "ml"}])
    assert two["RoleArn"] == OTHER


def key_document(token="t"):
    return {"AccessKeyId": "AKIDEXAMPLE", "SecretAccessKey": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "Token": token, "Expiration": FUTURE, "Code": "Success"}


def test_container(sim, bare, metadata):
    metadata.answer("GET", "/v2/credentials", key_document())
    (bare.directory / "token").write_text("secret-token")
    assert keys(sim, bare, AWS_CONTAINER_CREDENTIALS_FULL_URI=metadata.url + "/v2/credentials",
                AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=str(bare.directory / "token")) == ["AKIDEXAMPLE"]
    assert metadata.asked[0][2]["authorization"] == "secret-token"


def test_container_elsewhere_is_refused(sim, bare):
    result = bare.apply(AWS_CONTAINER_CREDENTIALS_FULL_URI="http://192.0.2.1/credentials")
    assert result.status == 1 and "neither HTTPS nor an address of this machine" in result.text, result.output


def test_instance_metadata(sim, bare, metadata):
    metadata.answer("PUT", "/latest/api/token", "imds-token")
    metadata.answer("GET", "/latest/meta-data/iam/security-credentials/", "role-of-the-machine")
    metadata.answer("GET", "/latest/meta-data/iam/security-credentials/role-of-the-machine", key_document())
    bare.env.pop("AWS_EC2_METADATA_DISABLED")
    assert keys(sim, bare, AWS_EC2_METADATA_SERVICE_ENDPOINT=metadata.url) == ["AKIDEXAMPLE"]
    assert all(h["x-aws-ec2-metadata-token"] == "imds-token" for m, _, h in metadata.asked if m == "GET")


def test_sso_session(sim, bare, metadata):
    files(bare, "", "[profile s]\nsso_session = corp\nsso_account_id = 123456789012\nsso_role_name = Admin\n"
                    "[sso-session corp]\nsso_region = us-east-1\nsso_start_url = https://corp.example/start\n")
    cache = bare.directory / ".aws/sso/cache"
    cache.mkdir(parents=True)
    (cache / f"{hashlib.sha1(b'corp').hexdigest()}.json").write_text(json.dumps({"accessToken": "sso-token", "expiresAt": FUTURE}))
    document = key_document()
    metadata.answer("GET", "/federation/credentials", {"roleCredentials": {
        "accessKeyId": document["AccessKeyId"], "secretAccessKey": document["SecretAccessKey"], "sessionToken": "t", "expiration": 4070908800000}})
    assert keys(sim, bare, AWS_PROFILE="s", AWS_ENDPOINT_URL_SSO=metadata.url) == ["AKIDEXAMPLE"]
    _, path, headers = metadata.asked[0]
    assert "role_name=Admin" in path and "account_id=123456789012" in path
    assert headers["x-amz-sso_bearer_token"] == "sso-token"


def test_sso_session_expired(sim, bare):
    files(bare, "", "[profile s]\nsso_start_url = https://corp.example/start\nsso_region = us-east-1\nsso_account_id = 1\nsso_role_name = Admin\n")
    result = bare.apply(AWS_PROFILE="s")
    assert result.status == 1 and "aws sso login" in result.text, result.output


def test_no_credentials(sim, bare):
    result = bare.apply()
    assert result.status == 1 and "no AWS credentials were found" in result.text, result.output
    assert sim.calls() == []


def test_unknown_profile(sim, bare):
    result = bare.plan(AWS_PROFILE="nobody")
    assert result.status == 1 and 'no profile "nobody"' in result.text, result.output


def test_broken_file_names_its_line(sim, bare):
    files(bare, "[dev\n")
    result = bare.plan()
    assert result.status == 1 and "credentials, line 1" in result.text, result.output


def test_clock_skew_is_corrected(sim, bare):
    """The cloud's clock is 20 minutes ahead: the first call is refused, and all others are signed with its time."""
    sim.control("clock", {"offset_s": 1200})
    assert keys(sim, bare, AWS_ACCESS_KEY_ID="test", AWS_SECRET_ACCESS_KEY="test") == ["test"]
    refused = [c["operation"] for c in sim.calls() if c["status"] == 403]
    assert refused == ["GetCallerIdentity"]

"""Each source of credentials, working and refused: the secrets go where they authenticate, and nowhere else. Logs are at TRACE."""
import hashlib
import json
import os
import pathlib
import stat
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.acceptance.conftest import aws_settings, gcp_settings
from tests.protocol import plugin as p
from tests.secrets.canary import Marker, leaks

FUTURE = "2099-01-01T00:00:00Z"
ROLE = "arn:aws:iam::123456789012:role/deploy"


class Bench:
    """A provider whose calls go through the proxy, and what it said."""

    def __init__(self, start, proxy, password, directory):
        self.start, self.proxy, self.password, self.directory, self.said = start, proxy, password, directory, ""

    def file(self, name, content):
        path = self.directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return str(path)

    def program(self, output, name="program"):
        """A program that prints, and leaves its own environment, arguments and its parent's on record."""
        answer = self.file(f"{name}.answer", output)
        path = self.file(name, f"#!/bin/sh\ncat /proc/$$/environ > {self.directory}/{name}.environ\ncat /proc/$$/cmdline > {self.directory}/{name}.cmdline\n"
                               f"cat /proc/$PPID/cmdline > {self.directory}/{name}.parent\nls -l /proc/$$/fd > {self.directory}/{name}.files\ncat {answer}\n")
        os.chmod(path, stat.S_IRWXU)
        return path

    def offers(self, cloud, block, **env):
        """The errors of a data source that asks the cloud once."""
        plugin = self.start(HOME=str(self.directory), **env)
        self.process = plugin.process
        self.environ = pathlib.Path(f"/proc/{plugin.process.pid}/environ").read_bytes()
        schema = plugin.schema()
        given = {"max_retries": 0, "http_proxy": self.proxy.url, **block}
        config = p.dynamic(p.filled(schema.provider.block, {cloud: given}))
        checked = plugin.call("ValidateProviderConfig", {"config": config})
        configured = plugin.call("ConfigureProvider", {"config": config, "terraform_version": "1.12.6"})
        texts = p.texts(checked.diagnostics) + p.texts(configured.diagnostics)
        region, machine = {"aws": ("us-east-1", "g5.xlarge"), "gcp": ("us-central1", "g2-standard-8")}[cloud]
        wanted = p.filled(schema.data_source_schemas["llm_gpu_offers"].block, {"models": ["llama3.1:8b"], "cloud": cloud, "region": region,
                                                                              "candidates": [machine]})
        self.said += texts

        def again():
            answer = plugin.call("ReadDataSource", {"type_name": "llm_gpu_offers", "config": p.dynamic(wanted)}, timeout=60)
            self.said += p.texts(answer.diagnostics) + plugin.log() + repr(answer)
            return p.texts(answer.diagnostics)
        self.again = again
        return texts + again()

    def aws(self, endpoint, block=None, **env):
        settings = {k: v for k, v in aws_settings(endpoint).items() if not k.startswith("AWS_ACCESS") and not k.startswith("AWS_SECRET")}
        return self.offers("aws", block or {}, **{**settings, **env})

    def gcp(self, endpoint, block=None, **env):
        extra = {"GOOGLE_OAUTH2_CUSTOM_ENDPOINT": endpoint, "GOOGLE_STS_CUSTOM_ENDPOINT": endpoint,
                 "GOOGLE_IAM_CREDENTIALS_CUSTOM_ENDPOINT": f"{endpoint}/iamcredentials"}
        settings = {k: v for k, v in gcp_settings(endpoint).items() if k != "GOOGLE_OAUTH_ACCESS_TOKEN"}
        return self.offers("gcp", block or {}, **{**settings, **extra, **env})

    def check(self, **where):
        """Every secret was sent in the named parts alone ({marker: [parts]}, none for one that is never sent), and said nowhere."""
        markers = {self.password: ["header proxy-authorization"], **where.get("secrets", {})}
        found = leaks(markers, self.said, "a message or the log")
        for name in self.directory.glob("program.*"):
            if name.suffix in (".environ", ".cmdline", ".parent", ".files"):
                found += leaks([m for m in markers if m not in where.get("inherited", [])], name.read_bytes(), name.name)
        for marker, parts in markers.items():
            sent = {s.rpartition(": ")[2] for s in self.proxy.where(marker)}
            if sent - set(parts):
                found.append(f"{marker.name} was sent in {sorted(sent - set(parts))}: {sorted(self.proxy.where(marker))}")
        assert found == []
        for issued in self.proxy.issued():
            assert issued not in self.said, "what the cloud handed out is in the log"


@pytest.fixture
def bench(start, proxy, password, tmp_path):
    return Bench(start, proxy, password, tmp_path)


class Keys:
    """Long or short-lived keys that the simulator knows, each part a marker."""

    def __init__(self, sim, name="keys"):
        self.access, self.secret, self.token = Marker(f"{name} access key", "AKIA"), Marker(f"{name} secret key", after="/+="), Marker(f"{name} token", "Fwo", "/+==")
        sim.control("keys", {self.access.value: self.secret.value})

    def sent(self):
        return {self.access: ["header authorization"], self.secret: [], self.token: ["header x-amz-security-token"]}

    def document(self, **more):
        return {"Version": 1, "AccessKeyId": self.access.value, "SecretAccessKey": self.secret.value, "SessionToken": self.token.value, **more}


@pytest.fixture
def keys(sim):
    return Keys(sim)


# ---- AWS ----


def test_provider_block(bench, sim, keys):
    block = {"access_key": keys.access.value, "secret_key": keys.secret.value, "token": keys.token.value}
    assert bench.aws(sim.endpoint, block) == ""
    bench.check(secrets=keys.sent())


def test_canonical_request_that_comes_back(bench, sim, keys):
    """AWS explains a wrong signature by what should have been signed, the session token included."""
    message = ("The request signature we calculated does not match the signature you provided. The Canonical String for this request should have been "
               f"'POST\\n/\\n\\nhost:ec2.us-east-1.amazonaws.com\\nx-amz-security-token:{keys.token.value}\\n', the key {keys.access.value}")
    sim.fail("*", "SignatureDoesNotMatch", message, times=-1, status=403)
    text = bench.aws(sim.endpoint, {"access_key": keys.access.value, "secret_key": keys.secret.value, "token": keys.token.value})
    assert "x-amz-security-token:(redacted)" in text and "the key (redacted)" in text
    bench.check(secrets=keys.sent())


def test_environment(bench, sim, keys):
    assert bench.aws(sim.endpoint, AWS_ACCESS_KEY_ID=keys.access.value, AWS_SECRET_ACCESS_KEY=keys.secret.value, AWS_SESSION_TOKEN=keys.token.value) == ""
    bench.check(secrets=keys.sent())


def test_shared_files(bench, sim, keys):
    bench.file(".aws/credentials", f"[default]\naws_access_key_id = {keys.access.value}\naws_secret_access_key = {keys.secret.value}\n"
                                   f"aws_session_token = {keys.token.value}\n")
    assert bench.aws(sim.endpoint) == ""
    bench.check(secrets=keys.sent())


@pytest.mark.parametrize("line", ["{0}", "[{0}", "= {0}", "aws_secret_access_key\n {0}"])
def test_shared_files_that_are_broken(bench, sim, keys, line):
    bench.file(".aws/credentials", "[default]\n" + line.format(keys.secret.value) + "\n")
    assert "line 2" in bench.aws(sim.endpoint) or "no AWS credentials" in bench.said
    bench.check(secrets=keys.sent())


def test_credential_process(bench, sim, keys):
    """Run again for each call, because what it gives is about to expire: then also with connections open."""
    soon = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 120))
    bench.file(".aws/config", f"[default]\ncredential_process = {bench.program(keys.document(Expiration=soon))}\n")
    assert bench.aws(sim.endpoint, SOMETHING="of the user's") == ""
    bench.check(secrets=keys.sent())
    inherited(bench)
    assert bench.again() == ""
    bench.check(secrets=keys.sent())
    inherited(bench)


def inherited(bench, *added):
    """A child has the provider's environment, and nothing else but `added`; no descriptors of the provider's."""
    ours = set(bench.environ.split(b"\0")) - {b""}
    theirs = set((bench.directory / "program.environ").read_bytes().split(b"\0")) - {b""}
    extra = {v.split(b"=")[0].decode() for v in theirs - ours} - {"_", "PWD", "OLDPWD", "SHLVL"}
    assert extra <= set(added), extra
    open_files = [line.rpartition("-> ")[2] for line in (bench.directory / "program.files").read_text().splitlines() if "-> " in line]
    assert not [f for f in open_files if f.startswith(("socket:", "anon_inode:"))], open_files


@pytest.mark.parametrize("output", ["{0}", '{{"Version": 1, "SecretAccessKey": "{0}"', '{{"Version": 1, "SecretAccessKey": "{0}"}}', '["{0}"]',
                                    '{{"Version": 1, "AccessKeyId": "AKIA", "SecretAccessKey": "x", "Expiration": "soon"}}'])
def test_credential_process_that_is_wrong(bench, sim, keys, output):
    bench.file(".aws/config", f"[default]\ncredential_process = {bench.program(output.format(keys.secret.value))}\n")
    assert "credential_process" in bench.aws(sim.endpoint)
    bench.check(secrets=keys.sent())


def test_web_identity(bench, sim):
    token = Marker("web identity token", "eyJ.", ".sig")
    path = bench.file("token", token.value)
    assert bench.aws(sim.endpoint, AWS_ROLE_ARN=ROLE, AWS_WEB_IDENTITY_TOKEN_FILE=path) == ""
    bench.check(secrets={token: ["body"]})
    assert {s.rpartition(": ")[0].split(" ")[1] for s in bench.proxy.where(token)} == {f"{sim.endpoint}/"}
    assert len(bench.proxy.issued()) >= 2, "STS handed out keys"


def test_web_identity_that_is_refused(bench, sim):
    token = Marker("web identity token", "eyJ.", ".sig")
    sim.fail("AssumeRoleWithWebIdentity", "InvalidIdentityToken", f"no OpenIDConnect provider for {token.value}", times=-1)
    assert "InvalidIdentityToken" in bench.aws(sim.endpoint, {"assume_role_with_web_identity": {"role_arn": ROLE, "web_identity_token": token.value}})
    bench.check(secrets={token: ["body"]})


def test_assumed_role(bench, sim, keys):
    role = {"role_arn": ROLE, "session_name": None, "external_id": None, "duration": None, "policy": None, "policy_arns": None, "source_identity": None,
            "tags": None, "transitive_tag_keys": None}
    assert bench.aws(sim.endpoint, {"assume_role": [role]}, AWS_ACCESS_KEY_ID=keys.access.value, AWS_SECRET_ACCESS_KEY=keys.secret.value) == ""
    bench.check(secrets={**keys.sent(), keys.token: []})
    assert len(bench.proxy.issued()) >= 2


def sso(bench, **document):
    bench.file(".aws/config", "[default]\nsso_session = corp\nsso_account_id = 123456789012\nsso_role_name = Admin\n"
                              "[sso-session corp]\nsso_region = us-east-1\nsso_start_url = https://corp.example/start\n")
    bench.file(f".aws/sso/cache/{hashlib.sha1(b'corp').hexdigest()}.json", document)


def test_sso(bench, sim):
    token = Marker("SSO access token")
    sim.control("settings", {"sso_token": token.value})
    sso(bench, accessToken=token.value, expiresAt=FUTURE)
    assert bench.aws(sim.endpoint) == ""
    bench.check(secrets={token: ["header x-amz-sso_bearer_token"]})
    assert len(bench.proxy.issued()) >= 2


def test_sso_that_is_refreshed(bench, sim):
    old, refresh, secret = Marker("SSO access token"), Marker("SSO refresh token"), Marker("SSO client secret")
    sso(bench, accessToken=old.value, expiresAt="2020-01-01T00:00:00Z", clientId="client", clientSecret=secret.value, refreshToken=refresh.value)
    assert bench.aws(sim.endpoint) == ""
    bench.check(secrets={old: [], refresh: ["body"], secret: ["body"]})


def test_sso_that_is_refused(bench, sim):
    token = Marker("SSO access token")
    sso(bench, accessToken=token.value, expiresAt=FUTURE)
    sim.fail("GetRoleCredentials", "UnauthorizedException", f"the session token {token.value} is invalid", times=-1, status=401)
    assert "UnauthorizedException" in bench.aws(sim.endpoint)
    bench.check(secrets={token: ["header x-amz-sso_bearer_token"]})


class Near:
    """A metadata endpoint of this machine; it is asked without the proxy, and keeps what it was asked."""

    def __init__(self):
        self.answers, self.asked = {}, []
        near = self

        class Handler(BaseHTTPRequestHandler):
            def any(self):
                near.asked.append((self.command, self.path, dict(self.headers)))
                status, body = near.answers.get(self.path.partition("?")[0], (404, b""))
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
            do_GET = do_PUT = do_POST = any

            def log_message(self, *_):
                pass
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def answer(self, path, body, status=200):
        self.answers[path] = status, (body if isinstance(body, str) else json.dumps(body)).encode()


@pytest.fixture
def near():
    one = Near()
    yield one
    one.server.shutdown()
    one.server.server_close()


def imds_document(keys):
    return {"AccessKeyId": keys.access.value, "SecretAccessKey": keys.secret.value, "Token": keys.token.value, "Expiration": FUTURE, "Code": "Success"}


def test_container(bench, sim, keys, near):
    token = Marker("container token")
    near.answer("/v2/credentials", imds_document(keys))
    assert bench.aws(sim.endpoint, AWS_CONTAINER_CREDENTIALS_FULL_URI=near.url + "/v2/credentials", AWS_CONTAINER_AUTHORIZATION_TOKEN=token.value) == ""
    assert [h["authorization"] for _, _, h in near.asked] == [token.value]
    bench.check(secrets={**keys.sent(), token: []})


def test_instance_metadata(bench, sim, keys, near):
    token = Marker("IMDS token")
    roles = "/latest/meta-data/iam/security-credentials/"
    near.answer("/latest/api/token", token.value)
    near.answer(roles, "role")
    near.answer(roles + "role", imds_document(keys))
    assert bench.aws(sim.endpoint, AWS_EC2_METADATA_SERVICE_ENDPOINT=near.url, AWS_EC2_METADATA_DISABLED="false") == ""
    assert not token.found_in(json.dumps([(m, u) for m, u, _ in near.asked]).encode())
    bench.check(secrets={**keys.sent(), token: []})


# ---- Google Cloud ----

AUDIENCE = "//iam.googleapis.com/projects/123456789012/locations/global/workloadIdentityPools/ci/providers/github"


@pytest.mark.parametrize("way", ["block", "environment"])
def test_access_token(bench, gcp_sim, way):
    token = Marker("access token", "ya29.")
    gcp_sim.control("tokens", {token.value: {"identity": "ci@example.com", "owner": True}})
    assert (bench.gcp(gcp_sim.endpoint, {"access_token": token.value}) if way == "block" else
            bench.gcp(gcp_sim.endpoint, GOOGLE_OAUTH_ACCESS_TOKEN=token.value)) == ""
    bench.check(secrets={token: ["header authorization"]})


def test_access_token_that_is_refused(bench, gcp_sim):
    token = Marker("access token", "ya29.")
    gcp_sim.fail("compute.*", "authError", f"Invalid Credentials: {token.value}", times=-1, status=401)
    assert "Invalid Credentials" in bench.gcp(gcp_sim.endpoint, {"access_token": token.value})
    bench.check(secrets={token: ["header authorization"]})


def key_file(gcp_sim):
    """A service account's key, and a marker that stands for the middle of its private half."""
    document = gcp_sim.control("keys", {"email": "ci@test-project.iam.gserviceaccount.com"})
    marker = Marker("private key")
    marker.core = document["private_key"].splitlines()[5]
    return document, marker


@pytest.mark.parametrize("way", ["content", "file"])
def test_service_account(bench, gcp_sim, way):
    document, marker = key_file(gcp_sim)
    gcp_sim.control("settings", {"check_tokens": False})
    given = json.dumps(document) if way == "content" else bench.file("key.json", document)
    bench.gcp(gcp_sim.endpoint, {"credentials": given})
    assert bench.proxy.issued(), bench.said[:2000]
    bench.check(secrets={marker: []})


@pytest.mark.parametrize("spoil", [lambda t: t[:-40], lambda t: t.replace("\\n", "\\\\n"), lambda t: t.replace("-----BEGIN", "----BEGIN"), lambda t: t.replace('"', "'"),
                                   lambda t: "~/" + t, lambda t: t.replace("service_account", "other")])
def test_service_account_that_is_damaged(bench, gcp_sim, spoil):
    document, marker = key_file(gcp_sim)
    assert bench.gcp(gcp_sim.endpoint, {"credentials": spoil(json.dumps(document))})
    bench.check(secrets={marker: []})


def test_service_account_that_is_refused(bench, gcp_sim):
    document, marker = key_file(gcp_sim)
    gcp_sim.fail("oauth2.token", "invalid_grant", "Invalid JWT Signature.", times=-1, status=400)
    assert "Invalid JWT Signature" in bench.gcp(gcp_sim.endpoint, {"credentials": json.dumps(document)})
    bench.check(secrets={marker: []})


@pytest.mark.parametrize("known", [True, False])
def test_user(bench, gcp_sim, known):
    refresh, secret = Marker("refresh token", "1//"), Marker("client secret", "GOCSPX-")
    if known:
        gcp_sim.control("users", {refresh.value: {"client_id": "id", "client_secret": secret.value, "identity": "a@example.com", "owner": True}})
    given = {"type": "authorized_user", "client_id": "id", "client_secret": secret.value, "refresh_token": refresh.value}
    errors = bench.gcp(gcp_sim.endpoint, GOOGLE_APPLICATION_CREDENTIALS=bench.file("adc.json", given))
    assert errors == "" if known else "invalid_grant" in errors
    bench.check(secrets={refresh: ["body"], secret: ["body"]})
    assert len(bench.proxy.issued()) == known


def external(gcp_sim, source, **more):
    return {"type": "external_account", "audience": AUDIENCE, "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
            "token_url": f"{gcp_sim.endpoint}/v1/token", "credential_source": source, **more}


def subject(gcp_sim, known=True):
    marker = Marker("subject token", "eyJ.", ".sig")
    if known:
        gcp_sim.control("subjects", {marker.value: "workload"})
    gcp_sim.control("settings", {"check_tokens": False})
    return marker


@pytest.mark.parametrize("known", [True, False])
def test_subject_token_of_a_file(bench, gcp_sim, known):
    token = subject(gcp_sim, known)
    errors = bench.gcp(gcp_sim.endpoint, {"credentials": json.dumps(external(gcp_sim, {"file": bench.file("token", token.value)}))})
    assert bool(bench.proxy.issued()) == known, errors
    bench.check(secrets={token: ["body"]})


def test_subject_token_of_a_url(bench, gcp_sim, near):
    token, login = subject(gcp_sim), Marker("header of the source")
    near.answer("/token", {"value": token.value, "odd name": token.value})
    source = {"url": f"{near.url}/token", "headers": {"X-Login": login.value, "Authorization": f"Bearer {login.value}"},
              "format": {"type": "json", "subject_token_field_name": "odd name"}}
    bench.gcp(gcp_sim.endpoint, {"credentials": json.dumps(external(gcp_sim, source))})
    assert bench.proxy.issued()
    # The source is no host of Google's: it is reached through the proxy, and gets its own headers.
    bench.check(secrets={token: ["body"], login: ["header x-login", "header authorization"]})
    assert {s.split(" ")[1] for s in bench.proxy.where(login)} == {f"{near.url}/token"}


def executable(gcp_sim, bench, **document):
    answer = {"version": 1, "success": True, "token_type": "urn:ietf:params:oauth:token-type:jwt", **document}
    return external(gcp_sim, {"executable": {"command": bench.program(answer), "timeout_millis": 5000}})


def test_subject_token_of_a_program(bench, gcp_sim):
    token = subject(gcp_sim)
    bench.gcp(gcp_sim.endpoint, {"credentials": json.dumps(executable(gcp_sim, bench, id_token=token.value, expiration_time=4070908800))},
              GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES="1")
    assert bench.proxy.issued()
    bench.check(secrets={token: ["body"]})
    inherited(bench, *(f"GOOGLE_EXTERNAL_ACCOUNT_{n}" for n in ("AUDIENCE", "TOKEN_TYPE", "INTERACTIVE")))


@pytest.mark.parametrize("document", [{"id_token": 1}, {"success": "yes"}, {"version": 2}, {"token_type": "other"}, {"expiration_time": "soon"}])
def test_program_that_is_wrong(bench, gcp_sim, document):
    token = subject(gcp_sim)
    file = executable(gcp_sim, bench, **{"id_token": token.value, "expiration_time": 4070908800, "saml_response": token.value, **document})
    assert bench.gcp(gcp_sim.endpoint, {"credentials": json.dumps(file)}, GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES="1")
    bench.check(secrets={token: []})


def test_impersonation(bench, gcp_sim):
    token = Marker("access token", "ya29.")
    gcp_sim.control("tokens", {token.value: {"identity": "ci@example.com", "owner": True}})
    gcp_sim.control("keys", {"email": "deploy@test-project.iam.gserviceaccount.com"})
    assert bench.gcp(gcp_sim.endpoint, {"access_token": token.value, "impersonate_service_account": "deploy@test-project.iam.gserviceaccount.com"}) == ""
    assert bench.proxy.issued()
    bench.check(secrets={token: ["header authorization"]})
    assert all("generateAccessToken" in s for s in bench.proxy.where(token))


def test_subject_token_of_aws(bench, gcp_sim):
    """What Google's token service gets is a signed request: the session token is in it, the secret key signs it."""
    access, secret, session = Marker("AWS access key", "AKIA"), Marker("AWS secret key", after="/+="), Marker("AWS session token", "Fwo", "/+==")
    gcp_sim.control("aws_keys", {access.value: secret.value})
    gcp_sim.control("settings", {"check_tokens": False})
    source = {"environment_id": "aws1", "regional_cred_verification_url": "https://sts.{region}.amazonaws.com?Action=GetCallerIdentity&Version=2011-06-15"}
    file = external(gcp_sim, source, subject_token_type="urn:ietf:params:aws:token-type:aws4_request")
    bench.gcp(gcp_sim.endpoint, {"credentials": json.dumps(file)}, AWS_ACCESS_KEY_ID=access.value, AWS_SECRET_ACCESS_KEY=secret.value,
              AWS_SESSION_TOKEN=session.value, AWS_REGION="us-east-1")
    assert any(request.url.endswith("/v1/token") for request in bench.proxy.requests), bench.said[:2000]
    bench.check(secrets={access: ["body"], secret: [], session: ["body"]})


def test_workforce_user(bench, gcp_sim):
    """Refused, as this simulator has no workforce pools."""
    refresh, secret = Marker("refresh token", "1//"), Marker("client secret", "GOCSPX-")
    given = {"type": "external_account_authorized_user", "audience": "//iam.googleapis.com/locations/global/workforcePools/p/providers/q",
             "client_id": "id", "client_secret": secret.value, "refresh_token": refresh.value, "token_url": f"{gcp_sim.endpoint}/token"}
    assert bench.gcp(gcp_sim.endpoint, {"credentials": json.dumps(given)})
    assert bench.proxy.where(refresh)
    bench.check(secrets={refresh: ["body"], secret: ["header authorization"]})


def test_file_that_impersonates(bench, gcp_sim):
    refresh, secret = Marker("refresh token", "1//"), Marker("client secret", "GOCSPX-")
    gcp_sim.control("users", {refresh.value: {"client_id": "id", "client_secret": secret.value, "identity": "a@example.com", "owner": True}})
    gcp_sim.control("keys", {"email": "deploy@test-project.iam.gserviceaccount.com"})
    source = {"type": "authorized_user", "client_id": "id", "client_secret": secret.value, "refresh_token": refresh.value}
    url = "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/deploy@test-project.iam.gserviceaccount.com:generateAccessToken"
    bench.gcp(gcp_sim.endpoint, {"credentials": json.dumps({"type": "impersonated_service_account", "service_account_impersonation_url": url,
                                                            "source_credentials": source})})
    assert len(bench.proxy.issued()) == 2, bench.said[:2000]
    bench.check(secrets={refresh: ["body"], secret: ["body"]})


def test_output_file_of_a_program(bench, gcp_sim):
    token = subject(gcp_sim)
    kept = bench.file("kept", {"version": 1, "success": True, "token_type": "urn:ietf:params:oauth:token-type:jwt", "id_token": token.value,
                               "expiration_time": 4070908800})
    file = external(gcp_sim, {"executable": {"command": "/nonexistent", "timeout_millis": 5000, "output_file": kept}})
    bench.gcp(gcp_sim.endpoint, {"credentials": json.dumps(file)}, GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES="1")
    assert bench.proxy.issued()
    bench.check(secrets={token: ["body"]})

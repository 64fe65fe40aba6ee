"""Tokens of the GCP simulator, got by google-auth, Google's own library: JWTs of service accounts, refresh tokens, workload identity federation,
impersonation, the metadata server."""
import base64
import json
import os
import subprocess
import sys
import time
import urllib.parse

import google.auth.exceptions
import pytest
import requests
from cryptography.hazmat.primitives.asymmetric import rsa
from google.auth import aws, identity_pool, impersonated_credentials
from google.auth.transport.requests import Request
from google.oauth2 import credentials as user_credentials
from google.oauth2 import service_account

from tests.sim.gcp import identity
from tests.sim.gcp.fixtures import P, clean, front, process  # noqa: F401

SCOPE = ["https://www.googleapis.com/auth/cloud-platform"]
NUMBER = "123456789012"
CI = f"ci-robot@{P}.iam.gserviceaccount.com"
TARGET = f"target@{P}.iam.gserviceaccount.com"
COMPUTE = f"/compute/v1/projects/{P}"
CREATOR = "roles/iam.serviceAccountTokenCreator"


def key(front, email=CI):
    return front.control("keys", {"email": email})


def who(front, token):
    """Who the simulator takes a bearer for."""
    assert front.rest("GET", COMPUTE, token=token)[0] == 200
    return front.control("calls")[-1]["identity"]


def grant(front, account, role, member):
    body = {"policy": {"bindings": [{"role": role, "members": [member]}]}}
    assert front.rest("POST", f"/v1/projects/{P}/serviceAccounts/{account}:setIamPolicy", body)[0] == 200


# --- bearers ---


@pytest.mark.parametrize("token, reason", [(None, "CREDENTIALS_MISSING"), ("", "CREDENTIALS_MISSING"), ("wrong", "ACCESS_TOKEN_TYPE_UNSUPPORTED")])
def test_calls_need_a_known_token(clean, token, reason):
    status, answer = clean.rest("GET", COMPUTE, token=token)
    assert status == 401 and answer["error"]["details"][0]["reason"] == reason and answer["error"]["status"] == "UNAUTHENTICATED"


def test_tokens_expire_and_may_be_left_unchecked(clean):
    clean.control("tokens", {"short": {"identity": CI, "expires_in": 60}})
    assert who(clean, "short") == CI
    clean.control("clock", {"offset_s": 120})
    assert clean.rest("GET", COMPUTE, token="short")[0] == 401
    clean.control("settings", {"check_tokens": False})
    assert clean.rest("GET", COMPUTE, token="short")[0] == 200 and clean.rest("GET", COMPUTE, token=None)[0] == 200


# --- service accounts ---


def test_a_signed_jwt_gives_a_token(clean):
    credentials = service_account.Credentials.from_service_account_info(key(clean), scopes=SCOPE)
    credentials.refresh(Request())
    assert who(clean, credentials.token) == CI
    call = next(c for c in clean.control("calls") if c["operation"] == "oauth2.token")
    assert call["status"] == 200


def test_a_jwt_must_be_signed_by_a_living_key_now(clean):
    file = key(clean)
    stranger = service_account.Credentials.from_service_account_info({**file, "client_email": f"none@{P}.iam.gserviceaccount.com"}, scopes=SCOPE)
    unscoped = service_account.Credentials.from_service_account_info(file)
    signed = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    now = int(time.time())
    claims = {"iss": CI, "scope": SCOPE[0], "aud": f"{clean.url}/token", "iat": now, "exp": now + 3600}
    forged = identity.signed_jwt(claims, signed, file["private_key_id"])
    answer = requests.post(f"{clean.url}/token", data={"grant_type": identity.JWT_BEARER, "assertion": forged}, timeout=60)
    assert answer.status_code == 400 and answer.json() == {"error": "invalid_grant", "error_description": "Invalid JWT Signature."}
    for credentials, text in ((stranger, "account not found"), (unscoped, "scope")):
        with pytest.raises(google.auth.exceptions.RefreshError, match=text):
            credentials.refresh(Request())
    clean.control("clock", {"offset_s": 86400})
    with pytest.raises(google.auth.exceptions.RefreshError, match="reasonable timeframe"):
        service_account.Credentials.from_service_account_info(file, scopes=SCOPE).refresh(Request())
    clean.control("clock", {"offset_s": 0})
    assert clean.rest("DELETE", f"/v1/projects/{P}/serviceAccounts/{CI}/keys/{file['private_key_id']}")[0] == 200
    with pytest.raises(google.auth.exceptions.RefreshError, match="Invalid JWT Signature"):
        service_account.Credentials.from_service_account_info(file, scopes=SCOPE).refresh(Request())


def test_a_self_signed_jwt_is_a_bearer_for_its_audience(clean):
    credentials = service_account.Credentials.from_service_account_info(key(clean))
    headers = {}
    credentials._create_self_signed_jwt("https://compute.googleapis.com/")
    credentials.before_request(Request(), "GET", "https://compute.googleapis.com/", headers)
    token = headers["authorization"].removeprefix("Bearer ")
    assert token.count(".") == 2 and who(clean, token) == CI
    assert clean.rest("GET", f"/v1/projects/{P}/secrets", token=token)[0] == 401


def test_keys_are_made_by_the_api(clean):
    key(clean)
    status, made = clean.rest("POST", f"/v1/projects/{P}/serviceAccounts/{CI}/keys", {})
    assert status == 200 and made["keyOrigin"] == "GOOGLE_PROVIDED"
    file = json.loads(base64.b64decode(made["privateKeyData"]))
    credentials = service_account.Credentials.from_service_account_info(file, scopes=SCOPE)
    credentials.refresh(Request())
    assert who(clean, credentials.token) == CI


# --- users ---


def test_a_refresh_token_gives_a_token(clean):
    made = user_credentials.Credentials(None, refresh_token="test-refresh", token_uri=f"{clean.url}/token", client_id="test-client", client_secret="test-secret")
    made.refresh(Request())
    assert who(clean, made.token) == "owner@example.com"
    for changes, text in (({"refresh_token": "revoked"}, "invalid_grant"), ({"client_secret": "wrong"}, "invalid_client")):
        given = {"refresh_token": "test-refresh", "client_id": "test-client", "client_secret": "test-secret", **changes}
        with pytest.raises(google.auth.exceptions.RefreshError, match=text):
            user_credentials.Credentials(None, token_uri=f"{clean.url}/token", **given).refresh(Request())


# --- impersonation ---


def impersonate(front, source, target=TARGET, delegates=None):
    return impersonated_credentials.Credentials(
        source_credentials=source, target_principal=target, target_scopes=SCOPE, delegates=delegates, lifetime=600,
        iam_endpoint_override=f"{front.url}/v1/projects/-/serviceAccounts/{target}:generateAccessToken")


def test_impersonation_needs_the_role(clean):
    source = service_account.Credentials.from_service_account_info(key(clean), scopes=SCOPE)
    key(clean, TARGET)
    with pytest.raises(google.auth.exceptions.RefreshError, match="iam.serviceAccounts.getAccessToken"):
        impersonate(clean, source).refresh(Request())
    grant(clean, TARGET, CREATOR, f"serviceAccount:{CI}")
    credentials = impersonate(clean, source)
    credentials.refresh(Request())
    assert who(clean, credentials.token) == TARGET


def test_impersonation_through_a_delegate(clean):
    middle = f"middle@{P}.iam.gserviceaccount.com"
    source = service_account.Credentials.from_service_account_info(key(clean), scopes=SCOPE)
    for email in (TARGET, middle):
        key(clean, email)
    grant(clean, TARGET, CREATOR, f"serviceAccount:{middle}")
    with pytest.raises(google.auth.exceptions.RefreshError):
        impersonate(clean, source, delegates=[f"projects/-/serviceAccounts/{middle}"]).refresh(Request())
    grant(clean, middle, CREATOR, f"serviceAccount:{CI}")
    with pytest.raises(google.auth.exceptions.RefreshError):
        impersonate(clean, source).refresh(Request())
    credentials = impersonate(clean, source, delegates=[f"projects/-/serviceAccounts/{middle}"])
    credentials.refresh(Request())
    assert who(clean, credentials.token) == TARGET


@pytest.mark.parametrize("body", [{}, {"scope": SCOPE, "lifetime": "7200s"}, {"scope": SCOPE, "delegates": ["middle@example.com"]}])
def test_what_a_token_must_not_be_asked_with(clean, body):
    key(clean, TARGET)
    assert clean.rest("POST", f"/v1/projects/-/serviceAccounts/{TARGET}:generateAccessToken", body)[0] == 400


# --- workload identity federation ---


AUDIENCE = f"//iam.googleapis.com/projects/{NUMBER}/locations/global/workloadIdentityPools/ci/providers/github"
ISSUER = "https://token.actions.githubusercontent.com"


def federation(front, own_key, **provider):
    """A pool and a provider, made by the IAM API."""
    numbers = own_key.public_key().public_numbers()

    def text(number):
        size = (number.bit_length() + 7) // 8
        return base64.urlsafe_b64encode(number.to_bytes(size, "big")).rstrip(b"=").decode()
    front.control("settings", {"operation_s": 0})
    pools = f"/v1/projects/{P}/locations/global/workloadIdentityPools"
    assert front.rest("POST", f"{pools}?workloadIdentityPoolId=ci", {})[0] == 200
    keys = json.dumps({"keys": [{"kty": "RSA", "alg": "RS256", "kid": "1", "n": text(numbers.n), "e": text(numbers.e)}]})
    body = {"attributeMapping": {"google.subject": "assertion.sub"}, "oidc": {"issuerUri": ISSUER, "jwksJson": keys}, **provider}
    status, answer = front.rest("POST", f"{pools}/ci/providers?workloadIdentityPoolProviderId=github", body)
    assert status == 200, answer


def workload(front, path, **more):
    return identity_pool.Credentials(audience=AUDIENCE, subject_token_type="urn:ietf:params:oauth:token-type:jwt", token_url=f"{front.url}/v1/token",
                                     credential_source={"file": str(path)}, scopes=SCOPE, **more)


def github_token(own_key, **changes):
    now = int(time.time())
    claims = {"iss": ISSUER, "sub": "repo:a/b:ref:refs/heads/main", "aud": f"https:{AUDIENCE}", "iat": now, "exp": now + 300, **changes}
    return identity.signed_jwt(claims, own_key, "1")


@pytest.fixture(scope="module")
def own_key():
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def test_a_token_from_elsewhere_is_exchanged(clean, own_key, tmp_path):
    federation(clean, own_key)
    (tmp_path / "token").write_text(github_token(own_key))
    credentials = workload(clean, tmp_path / "token")
    credentials.refresh(Request())
    principal = f"principal://iam.googleapis.com/projects/{NUMBER}/locations/global/workloadIdentityPools/ci/subject/repo:a/b:ref:refs/heads/main"
    assert who(clean, credentials.token) == principal
    key(clean, TARGET)
    link = f"{clean.url}/v1/projects/-/serviceAccounts/{TARGET}:generateAccessToken"
    with pytest.raises(google.auth.exceptions.RefreshError, match="getAccessToken"):
        workload(clean, tmp_path / "token", service_account_impersonation_url=link).refresh(Request())
    grant(clean, TARGET, "roles/iam.workloadIdentityUser", principal)
    credentials = workload(clean, tmp_path / "token", service_account_impersonation_url=link)
    credentials.refresh(Request())
    assert who(clean, credentials.token) == TARGET
    assert "subjectToken" not in json.dumps(clean.control("calls"))


@pytest.mark.parametrize("changes", [{"iss": "https://evil.example.com"}, {"aud": "other"}, {"exp": 1}])
def test_a_token_from_elsewhere_must_fit_the_provider(clean, own_key, tmp_path, changes):
    federation(clean, own_key)
    (tmp_path / "token").write_text(github_token(own_key, **changes))
    with pytest.raises(google.auth.exceptions.OAuthError, match="invalid_grant"):
        workload(clean, tmp_path / "token").refresh(Request())


def test_a_provider_must_be_there(clean, own_key, tmp_path):
    (tmp_path / "token").write_text(github_token(own_key))
    with pytest.raises(google.auth.exceptions.OAuthError, match="invalid_target"):
        workload(clean, tmp_path / "token").refresh(Request())
    clean.control("subjects", {github_token(own_key): "x", "opaque": "someone"})
    (tmp_path / "token").write_text("opaque")
    credentials = workload(clean, tmp_path / "token")
    credentials.refresh(Request())
    assert who(clean, credentials.token).endswith("/subject/someone")


@pytest.mark.parametrize("account", [None, TARGET])
def test_a_workload_s_credentials_file(clean, account):
    file = clean.control("federation", {"service_account": account} if account else {})
    credentials = identity_pool.Credentials.from_info(file, scopes=SCOPE)
    credentials.refresh(Request())
    subject = "repo:llm-infra/example:ref:refs/heads/main"
    assert who(clean, credentials.token) == account or who(clean, credentials.token).endswith(f"/workloadIdentityPools/ci/subject/{subject}")
    file["credential_source"]["headers"] = {"Authorization": "bearer wrong"}
    with pytest.raises(google.auth.exceptions.RefreshError):
        identity_pool.Credentials.from_info(file, scopes=SCOPE).refresh(Request())


class Keys(aws.AwsSecurityCredentialsSupplier):
    def __init__(self, key_id="test", secret="test", token=None):
        self.given = aws.AwsSecurityCredentials(key_id, secret, token)

    def get_aws_security_credentials(self, context, request):
        return self.given

    def get_aws_region(self, context, request):
        return "us-east-1"


def aws_workload(front, keys, audience=AUDIENCE):
    return aws.Credentials(audience=audience, subject_token_type="urn:ietf:params:aws:token-type:aws4_request", token_url=f"{front.url}/v1/token",
                           aws_security_credentials_supplier=keys, scopes=SCOPE)


def test_an_aws_identity_is_exchanged(clean, own_key):
    federation(clean, own_key, aws={"accountId": "111122223333"})
    credentials = aws_workload(clean, Keys())
    credentials.refresh(Request())
    assert who(clean, credentials.token).endswith("/subject/arn:aws:iam::111122223333:user/test")
    for keys in (Keys(secret="wrong"), Keys(key_id="unknown")):
        with pytest.raises(google.auth.exceptions.OAuthError, match="SignatureDoesNotMatch"):
            aws_workload(clean, keys).refresh(Request())
    clean.control("aws_keys", {"unknown": "wrong"})
    aws_workload(clean, Keys("unknown", "wrong", "session")).refresh(Request())
    clean.control("clock", {"offset_s": 3600})
    with pytest.raises(google.auth.exceptions.OAuthError, match="SignatureDoesNotMatch"):
        aws_workload(clean, Keys()).refresh(Request())


@pytest.mark.parametrize("change", [lambda r: r.update(method="GET"), lambda r: r.update(url=r["url"].replace("GetCallerIdentity", "GetSessionToken")),
                                    lambda r: r.update(url="https://sts.example.com?Action=GetCallerIdentity"),
                                    lambda r: next(h for h in r["headers"] if h["key"] == "x-goog-cloud-target-resource").update(value="other"),
                                    lambda r: r.update(headers=[]), lambda r: r.clear()])
def test_an_aws_request_must_be_the_one_that_google_sends(clean, own_key, change):
    federation(clean, own_key, aws={"accountId": "111122223333"})
    request = json.loads(urllib.parse.unquote(aws_workload(clean, Keys()).retrieve_subject_token(Request())))
    change(request)
    form = {"grant_type": identity.EXCHANGE, "audience": AUDIENCE, "scope": SCOPE[0], "requested_token_type": "urn:ietf:params:oauth:token-type:access_token",
            "subject_token_type": "urn:ietf:params:aws:token-type:aws4_request", "subject_token": urllib.parse.quote(json.dumps(request))}
    assert requests.post(f"{clean.url}/v1/token", data=form, timeout=60).json()["error"] == "invalid_grant"


# --- the metadata server ---


def test_the_metadata_server_by_google_s_library(clean, tmp_path):
    program = "import google.auth, google.auth.transport.requests as t\nc, p = google.auth.default()\nc.refresh(t.Request())\nprint(p, c.token)"
    host = clean.url.removeprefix("http://")
    env = {**os.environ, "GCE_METADATA_HOST": host, "GCE_METADATA_IP": host, "HOME": str(tmp_path), "CLOUDSDK_CONFIG": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", program], env=env, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    project, token = done.stdout.split()
    assert project == P and who(clean, token).endswith("-compute@developer.gserviceaccount.com")


def test_the_metadata_server(clean):
    root = f"{clean.url}/computeMetadata/v1"
    flavor = {"Metadata-Flavor": "Google"}
    assert requests.get(f"{root}/project/project-id", timeout=60).status_code == 403
    answer = requests.get(f"{root}/project/project-id", headers=flavor, timeout=60)
    assert answer.text == P and answer.headers["Metadata-Flavor"] == "Google"
    token = requests.get(f"{root}/instance/service-accounts/default/token", headers=flavor, timeout=60).json()
    assert token["token_type"] == "Bearer" and who(clean, token["access_token"]) == f"{NUMBER}-compute@developer.gserviceaccount.com"
    clean.control("metadata", {"email": TARGET})
    assert requests.get(f"{root}/instance/service-accounts/default/email", headers=flavor, timeout=60).text == TARGET
    whole = requests.get(f"{root}/instance/service-accounts/default/?recursive=true", headers=flavor, timeout=60).json()
    assert whole["email"] == TARGET and whole["aliases"] == ["default"]
    claims = requests.get(f"{root}/instance/service-accounts/default/identity?audience=me", headers=flavor, timeout=60).text.split(".")[1]
    assert json.loads(base64.urlsafe_b64decode(claims + "=="))["aud"] == "me"
    assert requests.get(f"{root}/instance/none", headers=flavor, timeout=60).status_code == 404
    clean.rule(operation="GET /computeMetadata/v1/project/project-id", raw={"status": 503, "body": "busy"})
    assert requests.get(f"{root}/project/project-id", headers=flavor, timeout=60).status_code == 503

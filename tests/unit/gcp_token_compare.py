"""Compares what we ask for tokens with what Google's own library asks, over generated credentials.

Usage: gcp_token_compare.py PROGRAM [COUNT [SEED]]   PROGRAM is the built gcp_token_lines.

Both get the same credentials, environment, time and answers. Signed tokens are verified with google.auth.jwt.
"""
import base64
import collections
import datetime
import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile
from unittest import mock
from urllib.parse import parse_qsl, unquote, urlsplit

import google.auth
from google.auth import _helpers, aws, external_account as external_account_credentials, jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

NOW = 1795255200
SCOPES = ["https://www.googleapis.com/auth/cloud-platform", "https://www.googleapis.com/auth/compute", "openid", "email"]
ODD = "abcXYZ019-_.~/+=&%? \u00e9\u1234\"\\'<>{}"
CLEARED = ["GOOGLE_CREDENTIALS", "GOOGLE_CLOUD_KEYFILE_JSON", "GCLOUD_KEYFILE_JSON", "GOOGLE_OAUTH_ACCESS_TOKEN", "GOOGLE_IMPERSONATE_SERVICE_ACCOUNT",
           "CLOUDSDK_CONFIG", "GCE_METADATA_HOST", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY",
           "AWS_SESSION_TOKEN", "GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES", "GOOGLE_CLOUD_UNIVERSE_DOMAIN"]


def make_key():
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()).decode()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    start = datetime.datetime(2020, 1, 1)
    certificate = (x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
                   .not_valid_before(start).not_valid_after(start.replace(year=2040)).sign(key, hashes.SHA256()))
    return pem, certificate.public_bytes(serialization.Encoding.PEM).decode()


PEM, CERTIFICATE = make_key()


def text(rng, alphabet, most, least=1):
    return "".join(rng.choice(alphabet) for _ in range(rng.randint(least, most))).strip() or "x"


def email(rng):
    return f"{text(rng, 'abcxyz-', 8)}@{text(rng, 'abc', 6)}.iam.gserviceaccount.com"


def generate_url(rng):
    return f"https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/{email(rng)}:generateAccessToken"


def token_answer(rng, as_string=False):
    seconds = rng.randint(600, 7200)
    return {"status": 200, "body": json.dumps({"access_token": text(rng, "abcXYZ09._-", 30), "expires_in": str(seconds) if as_string else seconds,
                                               "issued_token_type": "urn:ietf:params:oauth:token-type:access_token", "token_type": "Bearer"})}


def impersonation_answer(rng):
    time = datetime.datetime.fromtimestamp(NOW + rng.randint(600, 7200), datetime.timezone.utc)
    return {"status": 200, "body": json.dumps({"accessToken": text(rng, "abcXYZ09._-", 30), "expireTime": time.strftime("%Y-%m-%dT%H:%M:%SZ")})}


def service_account(rng, folder):
    return {"type": "service_account", "project_id": "p", "private_key_id": text(rng, "0123456789abcdef", 40), "private_key": PEM, "client_email": email(rng),
            "client_id": "1", "token_uri": "https://oauth2.googleapis.com/token"}, [token_answer(rng)], {}


def self_signed(rng, folder):
    info, _, env = service_account(rng, folder)
    return dict(info, universe_domain="example.goog"), [], dict(env, GOOGLE_CLOUD_UNIVERSE_DOMAIN="example.goog")


def authorized_user(rng, folder):
    info = {"type": "authorized_user", "client_id": text(rng, ODD, 20), "client_secret": text(rng, ODD, 20), "refresh_token": text(rng, ODD, 30)}
    return info, [token_answer(rng)], {}


def workforce_user(rng, folder):
    info = {"type": "external_account_authorized_user", "audience": "//iam.googleapis.com/locations/global/workforcePools/p/providers/x",
            "client_id": text(rng, ODD, 20), "client_secret": text(rng, ODD, 20), "refresh_token": text(rng, ODD, 30),
            "token_url": "https://sts.googleapis.com/v1/oauthtoken", "token_info_url": "https://sts.googleapis.com/v1/introspect"}
    return info, [token_answer(rng)], {}


def impersonated(rng, folder):
    source, answers, env = rng.choice([service_account, authorized_user])(rng, folder)
    info = {"type": "impersonated_service_account", "delegates": [f"projects/-/serviceAccounts/{email(rng)}" for _ in range(rng.randint(0, 2))],
            "service_account_impersonation_url": generate_url(rng), "source_credentials": source}
    return info, answers + [impersonation_answer(rng)], env


def subject_file(rng, folder):
    path = pathlib.Path(folder) / f"token-{rng.random()}"
    token = text(rng, "abcXYZ019-_.", 60)
    if rng.random() < 0.5:
        path.write_text(json.dumps({"other": 1, "value": token}), encoding="utf-8")
        return {"file": str(path), "format": {"type": "json", "subject_token_field_name": "value"}}, [], {}
    path.write_text(token, encoding="utf-8")
    return {"file": str(path), **rng.choice([{}, {"format": {"type": "text"}}])}, [], {}


def subject_url(rng, folder):
    token = text(rng, "abcXYZ019-_.", 60)
    source = {"url": rng.choice(["http://169.254.169.254/metadata/identity?x=1", "https://oidc.example/token?audience=//iam"])}
    if rng.random() < 0.5:
        source["headers"] = {"Metadata": "True", "X-Y": text(rng, "abc ;=", 10)}
    if rng.random() < 0.5:
        source["format"] = {"type": "json", "subject_token_field_name": "access_token"}
        return source, [{"status": 200, "body": json.dumps({"access_token": token})}], {}
    return source, [{"status": 200, "body": token}], {}


def subject_aws(rng, folder):
    base = "http://169.254.169.254/latest/"
    source = {"environment_id": "aws1", "region_url": base + "meta-data/placement/availability-zone", "url": base + "meta-data/iam/security-credentials",
              "regional_cred_verification_url": "https://sts.{region}.amazonaws.com?Action=GetCallerIdentity&Version=2011-06-15"}
    v2, env, answers = rng.random() < 0.5, {}, []
    key, secret, token = text(rng, "ABC234", 20), text(rng, "abcXYZ/+", 40), text(rng, "abcXYZ/+=", 60)
    if v2:
        source["imdsv2_session_token_url"] = base + "api/token"
    region_known, keys_known = rng.random() < 0.5, rng.random() < 0.5
    if v2 and not (region_known and keys_known):
        answers.append({"status": 200, "body": "imds-token"})
    if region_known:
        env[rng.choice(["AWS_REGION", "AWS_DEFAULT_REGION"])] = rng.choice(["us-east-1", "eu-west-3", "us-gov-west-1"])
    else:
        answers.append({"status": 200, "body": "eu-central-1b"})
    if keys_known:
        env |= {"AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": secret}
        if rng.random() < 0.5:
            env["AWS_SESSION_TOKEN"] = token
    else:
        body = {"Code": "Success", "AccessKeyId": key, "SecretAccessKey": secret, "Token": token}
        answers += [{"status": 200, "body": "my-role"}, {"status": 200, "body": json.dumps(body)}]
    return source, answers, env


def subject_executable(rng, folder):
    path = pathlib.Path(folder) / f"program-{rng.random()}"
    token_type = rng.choice(["id_token", "saml_response"])
    kind = "urn:ietf:params:oauth:token-type:" + ("saml2" if token_type == "saml_response" else "id_token")
    body = json.dumps({"version": 1, "success": True, "token_type": kind, token_type: "TOKEN", "expiration_time": NOW + 3600})
    # Not GOOGLE_EXTERNAL_ACCOUNT_IMPERSONATED_EMAIL: AIP-4117 has it, the library does not pass it on.
    body = body.replace("TOKEN", "$1.$GOOGLE_EXTERNAL_ACCOUNT_TOKEN_TYPE.$GOOGLE_EXTERNAL_ACCOUNT_INTERACTIVE.$GOOGLE_EXTERNAL_ACCOUNT_AUDIENCE")
    path.write_text(f"#!/bin/sh\ncat <<end\n{body}\nend\n", encoding="utf-8")
    path.chmod(0o700)
    return {"executable": {"command": f"{path} {text(rng, 'abc', 5)}", "timeout_millis": 30000}}, [], {"GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES": "1"}


def external_account(rng, folder):
    make = rng.choice([subject_file, subject_url, subject_aws, subject_executable])
    source, answers, env = make(rng, folder)
    workforce = make is not subject_aws and rng.random() < 0.3
    pool = "locations/global/workforcePools/p" if workforce else "projects/1/locations/global/workloadIdentityPools/p"
    kind = {subject_aws: "urn:ietf:params:aws:token-type:aws4_request"}.get(make, "urn:ietf:params:oauth:token-type:jwt")
    info = {"type": "external_account", "audience": f"//iam.googleapis.com/{pool}/providers/x", "subject_token_type": kind,
            "token_url": "https://sts.googleapis.com/v1/token", "credential_source": source}
    if workforce and rng.random() < 0.5:
        info["workforce_pool_user_project"] = "p1"
    if rng.random() < 0.3:
        info |= {"client_id": text(rng, ODD, 20), "client_secret": text(rng, ODD, 20)}
    answers = answers + [token_answer(rng, rng.random() < 0.3)]
    if rng.random() < 0.5:
        info["service_account_impersonation_url"] = generate_url(rng)
        if rng.random() < 0.5:
            info["service_account_impersonation"] = {"token_lifetime_seconds": rng.randint(600, 43200)}
        answers.append(impersonation_answer(rng))
    return info, answers, env


KINDS = [service_account, self_signed, authorized_user, workforce_user, impersonated, external_account, external_account, external_account]


# ---- Google's library ----

class Answer:
    def __init__(self, answer):
        self.status, self.data, self.headers = answer["status"], answer["body"].encode(), {}


def of_google(case):
    """What google.auth asks, and the token that it then has."""
    asked, answers = [], iter(case["answers"])

    def request(url, method="GET", body=None, headers=None, **_):
        if url.endswith("/latest/api/token") and any(url == a["url"] for a in asked):
            return Answer({"status": 200, "body": "imds-token"})  # the library opens a session for the region and one for the keys
        texts = {k: v.decode() if isinstance(v, bytes) else v for k, v in (headers or {}).items()}
        asked.append({"method": method, "url": url, "headers": texts, "body": (body.decode() if isinstance(body, bytes) else body) or ""})
        return Answer(next(answers))

    now = datetime.datetime.fromtimestamp(NOW, datetime.timezone.utc)
    naive = now.replace(tzinfo=None)
    with mock.patch.dict(os.environ, {k: v for k, v in case["env"].items() if v is not None}), mock.patch.object(_helpers, "utcnow", lambda: naive), \
            mock.patch("time.time", lambda: NOW), mock.patch.object(external_account_credentials.Credentials, "get_project_id", lambda *_, **__: None):
        for name in CLEARED:
            if case["env"].get(name) is None:
                os.environ.pop(name, None)
        credentials, _ = google.auth.load_credentials_from_dict(case["info"], scopes=case["scopes"])
        credentials.refresh(request)
    return asked, credentials.token, int(credentials.expiry.replace(tzinfo=datetime.timezone.utc).timestamp())


# ---- comparing ----

IGNORED = {"x-goog-api-client", "user-agent", "x-allowed-locations", "x-goog-user-project"}


def verified(token):
    """The claims of a signed token, the signature checked by google.auth, without what the two are free to choose."""
    with mock.patch.object(_helpers, "utcnow", lambda: datetime.datetime.fromtimestamp(NOW, datetime.timezone.utc).replace(tzinfo=None)):
        claims = dict(jwt.decode(token, certs=CERTIFICATE, audience=None, clock_skew_in_seconds=30))
    if not claims["exp"] - claims["iat"] <= 3600:
        sys.exit(f"a token that is good for more than an hour: {claims}")
    claims["header"] = jwt.decode_header(token)
    return {k: v for k, v in claims.items() if k not in ("iat", "exp")}


def signed_again(request, case, environment):
    """google.auth's signature of an AWS request with the headers that we sign."""
    headers = {h["key"].lower(): h["value"] for h in request["headers"]}
    keys = json.loads(case["answers"][-2 - ("service_account_impersonation_url" in case["info"])]["body"]) if not environment.get("AWS_ACCESS_KEY_ID") else None
    secrets = aws.AwsSecurityCredentials(keys["AccessKeyId"], keys["SecretAccessKey"], keys["Token"]) if keys else \
        aws.AwsSecurityCredentials(environment["AWS_ACCESS_KEY_ID"], environment["AWS_SECRET_ACCESS_KEY"], environment.get("AWS_SESSION_TOKEN"))
    more = {"x-goog-cloud-target-resource": headers["x-goog-cloud-target-resource"]}
    now = datetime.datetime.fromtimestamp(NOW, datetime.timezone.utc).replace(tzinfo=None)
    region = urlsplit(request["url"]).hostname.split(".")[1]
    with mock.patch.object(_helpers, "utcnow", lambda: now):
        options = aws.RequestSigner(region).get_request_options(secrets, request["url"], request["method"], additional_headers=more)
    if {k.lower(): v for k, v in options["headers"].items()} != headers:
        sys.exit(f"signed otherwise:\nours: {headers}\nGoogle's: {options['headers']}")


def subject(token, case, ours):
    if case["info"].get("subject_token_type") != "urn:ietf:params:aws:token-type:aws4_request":
        return token
    request = json.loads(unquote(token))
    if ours:
        signed_again(request, case, case["env"])
    # We sign the audience, too; the library sends it unsigned. signed_again() has checked what we sign.
    return {"url": request["url"], "method": request["method"], "headers": {h["key"].lower(): h["value"] for h in request["headers"] if h["key"].lower() != "authorization"}}


def body_of(request, case, ours):
    kind = {k.lower(): v for k, v in request["headers"].items()}.get("content-type", "")
    if kind == "application/json":
        body = json.loads(request["body"])
        return {**body, "delegates": body.get("delegates") or []}
    form = dict(parse_qsl(request["body"], keep_blank_values=True, strict_parsing=bool(request["body"])))
    if "options" in form:
        # The API wants JSON; the library encodes it once more.
        form["options"] = json.loads(form["options"] if ours else unquote(form["options"]))
    if "assertion" in form:
        form["assertion"] = verified(form["assertion"])
    if "subject_token" in form:
        form["subject_token"] = subject(form["subject_token"], case, ours)
    if case["info"]["type"] == "authorized_user" or case["info"].get("source_credentials", {}).get("type") == "authorized_user":
        form.pop("scope", None)  # sent by this library only; a refresh token has its scopes
    return form


def seen(request, case, ours):
    headers = {k.lower(): v for k, v in request["headers"].items() if k.lower() not in IGNORED}
    if request["url"].startswith("http://169.254.169.254/latest"):
        headers.pop("content-type", None)
    return {"method": request["method"], "url": request["url"], "headers": headers, "body": body_of(request, case, ours)}


def differences(case, mine, theirs):
    asked, token, expires = theirs
    if len(mine["requests"]) != len(asked):
        return f"{len(mine['requests'])} requests, Google's {len(asked)}: {mine['error']}"
    for number, (x, y) in enumerate(zip(mine["requests"], asked)):
        x, y = seen(x, case, True), seen(y, case, False)
        if x != y:
            return f"request {number}\nours:\n{json.dumps(x, indent=1)}\nGoogle's:\n{json.dumps(y, indent=1)}"
    if mine["token"] is None:
        return mine["error"]
    if case["kind"] == "self_signed":
        return None if verified(mine["token"]) == verified(token) else f"{verified(mine['token'])}, Google's {verified(token)}"
    return None if (mine["token"], mine["expires"]) == (token, expires) else f"{mine['token']} until {mine['expires']}, Google's {token} until {expires}"


def make_case(rng, folder):
    make = rng.choice(KINDS)
    info, answers, env = make(rng, folder)
    scopes = rng.sample(SCOPES, rng.randint(1, 3))
    return {"kind": make.__name__, "info": info, "answers": answers, "scopes": scopes, "env": {name: env.get(name) for name in CLEARED} | {"HOME": folder},
            "time": NOW, "block": {"scopes": scopes, "credentials": json.dumps(info)}}


def main():
    program, *rest = sys.argv[1:]
    count, seed = (int(x) for x in rest + ["300", "1"][len(rest):])
    rng = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        cases = [make_case(rng, folder) for _ in range(count)]
        lines = "".join(json.dumps(case) + "\n" for case in cases)
        ours = subprocess.run([program], input=lines, capture_output=True, text=True, encoding="utf-8", check=False)
        if ours.returncode != 0:
            sys.exit(f"{program} ended with status {ours.returncode}: {ours.stderr}")
        answers = [json.loads(line) for line in ours.stdout.split("\n") if line]
        if len(answers) != count:
            sys.exit(f"{len(answers)} answers for {count} cases")
        for number, (case, mine) in enumerate(zip(cases, answers)):
            difference = differences(case, mine, of_google(case))
            if difference:
                sys.exit(f"case {number} of seed {seed} ({case['kind']}) differs: {difference}\n{json.dumps({**case['info'], 'private_key': '…'}, indent=1)}")
    print(f"{count} tokens asked for alike: {dict(collections.Counter(case['kind'] for case in cases))}")


if __name__ == "__main__":
    main()

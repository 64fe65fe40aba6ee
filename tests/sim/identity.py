"""Where credentials come from besides STS: the instance metadata service, the containers' endpoint, SSO and its tokens.

    AWS_EC2_METADATA_SERVICE_ENDPOINT=http://127.0.0.1:PORT
    AWS_CONTAINER_CREDENTIALS_FULL_URI=http://127.0.0.1:PORT/v2/credentials/node   (authorization: container-token, when set)
    AWS_ENDPOINT_URL=http://127.0.0.1:PORT   SSO's GetRoleCredentials with the bearer token sso-token; CreateToken refreshes it

Every key that is handed out signs from then on, until it expires (settings: issued_for_s)."""
import json
import time
from datetime import datetime, timezone

from tests.sim.services import issue
from tests.sim.state import ACCOUNT, STATE, Refused, own

IMDS_TOKEN = "imds-token"
CONTAINER_TOKEN = "container-token"
SSO_TOKEN = "sso-token"
ROLE = "role-of-the-machine"


def text(status, body, kind="text/plain"):
    return status, {"content-type": kind}, body.encode()


def document():
    name, secret, token, expires = issue()
    return {"AccessKeyId": name, "SecretAccessKey": secret, "Token": token,
            "Expiration": datetime.fromtimestamp(int(expires), timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")}


def answer(method, path, headers):
    """The answer of a metadata service; None for every other path."""
    if path == "/latest/api/token" and method == "PUT":
        if not headers.get("x-aws-ec2-metadata-token-ttl-seconds", "").isdigit():
            return text(400, "")
        return text(200, IMDS_TOKEN)
    if path.startswith("/latest/"):
        if headers.get("x-aws-ec2-metadata-token") != IMDS_TOKEN:
            return text(401, "")
        return instance_metadata(path)
    if path.startswith("/v2/credentials/") or path == "/v1/credentials":
        if headers.get("authorization") not in (None, CONTAINER_TOKEN):
            return text(401, json.dumps({"message": "the authorization token is not the one that was handed out"}), "application/json")
        return text(200, json.dumps({**document(), "RoleArn": f"arn:aws:iam::{ACCOUNT}:role/container"}), "application/json")
    return None


def instance_metadata(path):
    roles = "/latest/meta-data/iam/security-credentials"
    if path.rstrip("/") == roles:
        return text(200, ROLE)
    if path == f"{roles}/{ROLE}":
        now = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        return text(200, json.dumps({"Code": "Success", "LastUpdated": now, "Type": "AWS-HMAC", **document()}), "application/json")
    if path == "/latest/meta-data/placement/region":
        return text(200, "us-east-1")
    if path == "/latest/meta-data/placement/availability-zone":
        return text(200, "us-east-1a")
    if path == "/latest/dynamic/instance-identity/document":
        return text(200, json.dumps({"accountId": ACCOUNT, "region": "us-east-1", "availabilityZone": "us-east-1a"}), "application/json")
    return text(404, "")


def unsigned_service(path, headers):
    """The service of a request that nobody signs."""
    if path == "/federation/credentials" or "x-amz-sso_bearer_token" in headers:
        return "sso"
    return "sso-oidc" if path == "/token" else None


@own("sso", "GetRoleCredentials")
def get_role_credentials(request):
    if request.params["accessToken"] != STATE.settings.get("sso_token", SSO_TOKEN):
        raise Refused("UnauthorizedException", "Session token not found or invalid", 401)
    name, secret, token, expires = issue()
    return {"roleCredentials": {"accessKeyId": name, "secretAccessKey": secret, "sessionToken": token, "expiration": int(expires * 1000)}}


@own("sso-oidc", "CreateToken")
def create_token(request):
    if request.params["grantType"] != "refresh_token" or not request.params.get("refreshToken"):
        raise Refused("InvalidGrantException", "Invalid grant", 400)
    STATE.settings["sso_token"] = f"{SSO_TOKEN}-{int(time.time() * 1000)}"
    return {"accessToken": STATE.settings["sso_token"], "tokenType": "Bearer", "expiresIn": STATE.settings["issued_for_s"],
            "refreshToken": "refresh-token-2"}

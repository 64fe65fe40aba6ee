"""Who calls: bearer tokens and where they come from. The OAuth 2.0 token endpoint (/token: a service account's JWT, a refresh token), STS token
exchange, iamcredentials, the metadata server, and self-signed JWTs as bearers (AIP-4111).

Known from the start: the bearer token "test" (the owner), and the user of test-client, test-secret, test-refresh."""
import base64
import datetime
import hashlib
import hmac
import json
import re
import secrets
import time
import urllib.parse

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from tests.sim.gcp import aip, iam, policy
from tests.sim.gcp.errors import GoogleError, error_info
from tests.sim.gcp.state import NUMBER, PROJECT, STATE, own, prepare

OWNER = "owner@example.com"
CREATOR = "roles/iam.serviceAccountTokenCreator"
FEDERATED = "roles/iam.workloadIdentityUser"
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
AUDIENCE = re.compile(r"//iam\.googleapis\.com/projects/(\d+)/locations/global/workloadIdentityPools/([a-z0-9-]+)/providers/([a-z0-9-]+)")
AWS_STS = re.compile(r"sts\.([a-z0-9-]+\.)?amazonaws\.com")
AWS_SIGNED = re.compile(r"AWS4-HMAC-SHA256 Credential=([^/,]+)/(\d{8})/([a-z0-9-]+)/sts/aws4_request, ?SignedHeaders=([a-z0-9;-]+), ?"
                        r"Signature=([0-9a-f]{64})")
SKEW_S = 600


class Token:
    def __init__(self, identity, expires, scopes=(), owner=False):
        self.identity, self.expires, self.scopes, self.owner = identity, expires, list(scopes), owner


@prepare
def known():
    STATE.tokens["test"] = Token(OWNER, float("inf"), owner=True)
    STATE.users["test-refresh"] = {"client_id": "test-client", "client_secret": "test-secret", "identity": OWNER, "owner": True}


def issue(identity, seconds=None, scopes=(), owner=False):
    value = "ya29." + secrets.token_urlsafe(40)
    STATE.tokens[value] = Token(identity, STATE.now() + (seconds or STATE.settings["issued_for_s"]), scopes, owner)
    return value


def answer_token(value, **more):
    return {"access_token": value, "expires_in": int(STATE.tokens[value].expires - STATE.now()), "token_type": "Bearer", **more}


# --- the bearer of a call ---


def caller(headers, service):
    """The Token behind a call, or raises what Google answers to a missing or invalid one."""
    bearer = headers.get("authorization", "")
    if not bearer.lower().startswith("bearer ") or not bearer[7:].strip():
        if not STATE.settings["check_tokens"]:
            return Token(None, 0, owner=True)
        raise refused("Request is missing required authentication credential. Expected OAuth 2 access token, login cookie or other valid authentication "
                      "credential. See https://developers.google.com/identity/sign-in/web/devconsole-project.", "CREDENTIALS_MISSING", service)
    value = bearer[7:].strip()
    token = STATE.tokens.get(value)
    if token is None and value.count(".") == 2 and not value.startswith("ya29."):
        token = self_signed(value, service)
    if token is None or token.expires < STATE.now():
        if not STATE.settings["check_tokens"]:
            return Token(None, 0, owner=True)
        raise refused("Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid authentication "
                      "credential. See https://developers.google.com/identity/sign-in/web/devconsole-project.", "ACCESS_TOKEN_TYPE_UNSUPPORTED"
                      if token is None else "ACCESS_TOKEN_EXPIRED", service)
    return token


def refused(message, reason, service):
    return GoogleError(401, message, "authError", details=[error_info(reason, service=f"{service}.googleapis.com")],
                       headers={"www-authenticate": 'Bearer realm="https://accounts.google.com/"'})


def self_signed(jwt, service):
    claims = verified(jwt)
    if claims is None or claims.get("iss") != claims.get("sub"):
        return None
    audience = str(claims.get("aud", "")).rstrip("/")
    if not claims.get("scope") and audience not in (f"https://{service}.googleapis.com", "https://www.googleapis.com"):
        return None
    return Token(claims["iss"], claims["exp"])


# --- JWTs ---


def unpadded(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def parts_of(jwt):
    """(header, claims, what is signed, signature), or None."""
    try:
        head, body, signature = jwt.split(".")
        return json.loads(unpadded(head)), json.loads(unpadded(body)), f"{head}.{body}".encode(), unpadded(signature)
    except (ValueError, UnicodeDecodeError):
        return None


def rs256(public, signed, signature):
    try:
        public.verify(signature, signed, padding.PKCS1v15(), hashes.SHA256())
        return True
    except InvalidSignature:
        return False


def verified(jwt):
    """The claims of a JWT that a living service account signed now, or None."""
    parts = parts_of(jwt)
    if parts is None or parts[0].get("alg") != "RS256":
        return None
    header, claims, signed, signature = parts
    for key in STATE.of("iam", "keys"):
        email, key_id = key.name.split("/")[3], key.name.rsplit("/", 1)[1]
        if email == claims.get("iss") and header.get("kid") in (None, key_id):
            account = STATE.thing("iam", key.name.partition("/keys/")[0])
            if account is None or account.body.get("disabled"):
                return None
            if rs256(serialization.load_pem_public_key(key.data["public"].encode()), signed, signature) and in_time(claims):
                return claims
    return None


def in_time(claims):
    now = STATE.now()
    start, end = claims.get("iat"), claims.get("exp")
    return isinstance(start, (int, float)) and isinstance(end, (int, float)) and start - SKEW_S <= now < end + SKEW_S / 10 and end - start <= 3600


# --- the OAuth 2.0 token endpoint ---


class OAuthError(Exception):
    def __init__(self, code, text, status=400):
        super().__init__(text)
        self.code, self.text, self.status = code, text, status


def form_of(headers, body):
    kind = headers.get("content-type", "").split(";")[0].strip()
    if kind == "application/json":
        return json.loads(body or b"{}")
    if kind != "application/x-www-form-urlencoded":
        raise OAuthError("invalid_request", f"Content type {kind or '(none)'} is not application/x-www-form-urlencoded.")
    return dict(urllib.parse.parse_qsl(body.decode(), keep_blank_values=True))


def token_endpoint(headers, body, base_url):
    form = form_of(headers, body)
    grant = form.get("grant_type")
    if grant == JWT_BEARER:
        return from_assertion(form.get("assertion", ""), base_url), form
    if grant == "refresh_token":
        user = STATE.users.get(form.get("refresh_token"))
        if user is None:
            raise OAuthError("invalid_grant", "Token has been expired or revoked.")
        if (form.get("client_id"), form.get("client_secret")) != (user["client_id"], user["client_secret"]):
            raise OAuthError("invalid_client", "The OAuth client was not found.", 401)
        return answer_token(issue(user["identity"], owner=user["owner"]), scope="https://www.googleapis.com/auth/cloud-platform"), form
    raise OAuthError("unsupported_grant_type", f"Invalid grant_type: {grant}")


def from_assertion(jwt, base_url):
    parts = parts_of(jwt)
    if parts is None:
        raise OAuthError("invalid_grant", "Invalid JWT: Failed to parse.")
    claims = parts[1]
    if verified(jwt) is None:
        if not in_time(claims):
            raise OAuthError("invalid_grant", "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. Check your "
                                              "iat and exp values in the JWT claim.")
        if not any(t.body["email"] == claims.get("iss") for t in STATE.of("iam", "serviceAccounts")):
            raise OAuthError("invalid_grant", "Invalid grant: account not found")
        raise OAuthError("invalid_grant", "Invalid JWT Signature.")
    if claims.get("aud") not in ("https://oauth2.googleapis.com/token", "https://www.googleapis.com/oauth2/v4/token", f"{base_url}/token",
                                 f"{base_url}/oauth2/token"):
        raise OAuthError("invalid_grant", f"Invalid JWT: aud is '{claims.get('aud')}'.")
    if claims.get("target_audience"):
        return {"id_token": "simulated"}
    if not claims.get("scope"):
        raise OAuthError("invalid_scope", "Empty or missing scope not allowed.")
    return answer_token(issue(claims["iss"], scopes=claims["scope"].split()))


# --- STS ---


def sts_token(headers, body):
    """RFC 8693, as "Method: token" of the Security Token Service has it: a form or JSON."""
    form = form_of(headers, body)
    form = {aip.snake_to_camel(k): v for k, v in form.items()}
    for name in ("grantType", "requestedTokenType", "subjectToken", "subjectTokenType"):
        if not form.get(name):
            raise OAuthError("invalid_request", f"Invalid value for \"{name}\". This field is required.")
    if form["grantType"] != EXCHANGE:
        raise OAuthError("unsupported_grant_type", f"Invalid value for \"grant_type\". The only supported value is {EXCHANGE}.")
    if not form["requestedTokenType"].endswith(":access_token"):
        raise OAuthError("invalid_request", "Invalid value for \"requested_token_type\".")
    match = AUDIENCE.fullmatch(form.get("audience", ""))
    if not match:
        raise OAuthError("invalid_target", "Invalid value for \"audience\". This value should be the full resource name of the Identity Provider.")
    subject = subject_of(form, match)
    number, pool, _ = match.groups()
    principal = f"principal://iam.googleapis.com/projects/{number}/locations/global/workloadIdentityPools/{pool}/subject/{subject}"
    value = issue(principal, scopes=(form.get("scope") or "").split())
    return {**answer_token(value), "issued_token_type": "urn:ietf:params:oauth:token-type:access_token"}, {k: v for k, v in form.items() if k != "subjectToken"}


def subject_of(form, match):
    """The subject that the provider's rules make of a token from elsewhere."""
    number, pool, provider = match.groups()
    project = STATE.project(number)
    path = f"projects/{project.id if project else number}/locations/global/workloadIdentityPools/{pool}/providers/{provider}"
    known_provider = STATE.thing("iam", path)
    token = form["subjectToken"]
    if token in STATE.subjects:  # that a test has named
        return STATE.subjects[token]
    if known_provider is None:
        raise OAuthError("invalid_target", "The target service indicated by the \"audience\" parameters is invalid. This might either be because the pool or "
                                           "provider is disabled or deleted or because it doesn't exist.")
    kind = form["subjectTokenType"]
    if kind == "urn:ietf:params:aws:token-type:aws4_request":
        return aws_subject(token, form["audience"], known_provider.body)
    if kind not in ("urn:ietf:params:oauth:token-type:jwt", "urn:ietf:params:oauth:token-type:id_token"):
        raise OAuthError("invalid_request", f"Invalid value for \"subject_token_type\": {kind}")
    return jwt_subject(token, form["audience"], known_provider.body)


def jwt_subject(token, audience, provider):
    parts, oidc = parts_of(token), provider.get("oidc") or {}
    if parts is None:
        raise OAuthError("invalid_grant", "Unable to parse the ID Token.")
    header, claims, signed, signature = parts
    if claims.get("iss") != oidc.get("issuerUri"):
        raise OAuthError("invalid_grant", f"The issuer in ID Token {claims.get('iss')} does not match the expected ones.")
    allowed = oidc.get("allowedAudiences") or [f"https:{audience}", audience]
    given = claims.get("aud") if isinstance(claims.get("aud"), list) else [claims.get("aud")]
    if not set(given) & set(allowed):
        raise OAuthError("invalid_grant", f"The audience in ID Token {given} does not match the expected audience.")
    keys = [k for k in json.loads(oidc.get("jwksJson") or '{"keys": []}')["keys"] if header.get("kid") in (None, k.get("kid"))]
    if not any(rs256(public_key(k), signed, signature) for k in keys):
        raise OAuthError("invalid_grant", "Error connecting to the given credential's issuer." if not keys else "The signature of the ID Token is invalid.")
    if not STATE.now() < claims.get("exp", 0):
        raise OAuthError("invalid_grant", "ID Token issued at is stale to sign-in.")
    return claims.get("sub", "")


def public_key(jwk):
    number = [int.from_bytes(unpadded(jwk[n]), "big") for n in ("e", "n")]
    return rsa.RSAPublicNumbers(*number).public_key()


def aws_subject(token, audience, provider):
    """A signed GetCallerIdentity request, as "Workload identity federation with AWS" describes it."""
    try:
        request = json.loads(urllib.parse.unquote(token))
        headers = {h["key"].lower(): h["value"] for h in request["headers"]}
    except (ValueError, KeyError, TypeError) as error:
        raise OAuthError("invalid_grant", "Unable to parse the AWS request token.") from error
    url = urllib.parse.urlsplit(request.get("url", ""))
    query = dict(urllib.parse.parse_qsl(url.query))
    if request.get("method") != "POST" or query.get("Action") != "GetCallerIdentity" or not AWS_STS.fullmatch(url.hostname or ""):
        raise OAuthError("invalid_grant", "The AWS request is not a POST of GetCallerIdentity to STS.")
    if headers.get("x-goog-cloud-target-resource") != audience:
        raise OAuthError("invalid_grant", "The header x-goog-cloud-target-resource does not match the audience.")
    signed = AWS_SIGNED.fullmatch(headers.get("authorization", ""))
    if not signed or "host" not in signed[4].split(";"):  # to sign x-goog-cloud-target-resource too is recommended, no more
        raise OAuthError("invalid_grant", "The AWS request is not signed as Signature Version 4.")
    key_id, date, region, names, signature = signed.groups()
    signed_headers = {n: headers.get(n, "") for n in names.split(";")}
    if not hmac.compare_digest(signature, aws_signature(url.geturl(), signed_headers, key_id, region, date, headers)):
        raise OAuthError("invalid_grant", "Received an AWS error: SignatureDoesNotMatch.")
    account = (provider.get("aws") or {}).get("accountId")
    return f"arn:aws:iam::{account}:user/{key_id}"


def aws_signature(url, signed_headers, key_id, region, date, headers):
    """What botocore signs the request with; "" when the key is not known or the date is old."""
    now = datetime.datetime.fromtimestamp(STATE.now(), datetime.timezone.utc)
    try:
        signed_at = datetime.datetime.strptime(headers.get("x-amz-date", ""), "%Y%m%dT%H%M%SZ").replace(tzinfo=datetime.timezone.utc)
    except ValueError:
        return ""
    if key_id not in STATE.aws_keys or not headers["x-amz-date"].startswith(date) or abs((now - signed_at).total_seconds()) > 900:
        return ""
    signer = SigV4Auth(Credentials(key_id, STATE.aws_keys[key_id]), "sts", region)
    request = AWSRequest("POST", url, headers=signed_headers)
    request.context["timestamp"] = headers["x-amz-date"]
    return signer.signature(signer.string_to_sign(request, signer.canonical_request(request)), request)


# --- iamcredentials ---


def impersonated(request):
    """The account that a request of iamcredentials may act as; the chain of delegates is followed."""
    thing = iam.account(request)
    if thing.body.get("disabled"):
        raise GoogleError(403, "The service account is disabled.", status="FAILED_PRECONDITION")
    holder = request.token
    member = None if holder.owner else as_member(holder.identity)
    for name in (request.body or {}).get("delegates", []):
        match = re.fullmatch(r"projects/-/serviceAccounts/([^/]+)", name)
        if not match:
            raise GoogleError(400, f"Invalid delegate '{name}': it must have the form projects/-/serviceAccounts/EMAIL.")
        delegate = next((t for t in STATE.of("iam", "serviceAccounts") if match[1] in (t.body["email"], t.body["uniqueId"])), None)
        if delegate is None or not may(delegate, member):
            raise denied(name)
        member = f"serviceAccount:{delegate.body['email']}"
    if not may(thing, member):
        raise denied(thing.name)
    return thing


def as_member(identity):
    if identity and identity.startswith("principal"):
        return identity
    return f"{'serviceAccount' if identity and identity.endswith('.gserviceaccount.com') else 'user'}:{identity}"


def may(thing, member):
    if member is None:
        return True
    holders = [thing, STATE.project(thing.project)]
    pool = member.partition("/subject/")[0].replace("principal://", "principalSet://") + "/*" if member.startswith("principal") else member
    return any(policy.has(h, role, m) for h in holders for role in (CREATOR, FEDERATED) for m in (member, pool))


def denied(name):
    return GoogleError(403, "Permission 'iam.serviceAccounts.getAccessToken' denied on resource (or it may not exist).", details=[
        error_info("IAM_PERMISSION_DENIED", "iam.googleapis.com", permission="iam.serviceAccounts.getAccessToken", resource=name)])


@own("iamcredentials.projects.serviceAccounts.generateAccessToken")
def generate_access_token(request):
    thing, body = impersonated(request), request.body or {}
    if not body.get("scope"):
        raise GoogleError(400, "Request contains an invalid argument: scope is required.")
    seconds = float((body.get("lifetime") or "3600s").rstrip("s"))
    if not 0 < seconds <= 43200:
        raise GoogleError(400, "Request contains an invalid argument: the lifetime is at most 43200s.")
    if seconds > 3600 and not STATE.settings.get("long_tokens"):
        raise GoogleError(400, "Request contains an invalid argument: a lifetime over 3600s must be allowed by an organization policy.")
    value = issue(thing.body["email"], seconds, body["scope"])
    expires = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(STATE.tokens[value].expires))
    return {"accessToken": value, "expireTime": expires}


@own("iamcredentials.projects.serviceAccounts.generateIdToken")
def generate_id_token(request):
    thing = impersonated(request)
    now = int(STATE.now())
    claims = {"aud": (request.body or {}).get("audience"), "iss": "https://accounts.google.com", "sub": thing.body["uniqueId"], "iat": now, "exp": now + 3600}
    return {"token": signed_jwt(claims, iam.private_key(), "simulated")}


@own("iamcredentials.projects.serviceAccounts.signJwt")
def sign_jwt(request):
    impersonated(request)
    return {"keyId": "simulated", "signedJwt": signed_jwt(json.loads(request.body["payload"]), iam.private_key(), "simulated")}


@own("iamcredentials.projects.serviceAccounts.signBlob")
def sign_blob(request):
    impersonated(request)
    data = base64.b64decode(request.body["payload"])
    return {"keyId": "simulated", "signedBlob": base64.b64encode(iam.private_key().sign(data, padding.PKCS1v15(), hashes.SHA256())).decode()}


def signed_jwt(claims, key, key_id):
    def encoded(data):
        return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
    text = f"{encoded(json.dumps({'alg': 'RS256', 'typ': 'JWT', 'kid': key_id}).encode())}.{encoded(json.dumps(claims).encode())}"
    return f"{text}.{encoded(key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256()))}"


@own("oauth2.tokeninfo")
def token_info(request):
    token = STATE.tokens.get(request.params.get("access_token") or request.params.get("accessToken", ""))
    if token is None:
        raise GoogleError(400, "Invalid Value", "invalid_token")
    return {"email": token.identity, "expires_in": int(min(token.expires, STATE.now() + 3600) - STATE.now()), "scope": " ".join(token.scopes)}


@own("oauth2.userinfo.get", "oauth2.userinfo.v2.me.get")
def user_info(request):
    return {"email": request.token.identity, "id": hashlib.sha256(str(request.token.identity).encode()).hexdigest()[:21], "verified_email": True}


# --- the metadata server ---


def metadata_email():
    return STATE.metadata_identity or f"{NUMBER}-compute@developer.gserviceaccount.com"


def metadata(path, query, headers):
    """(status, headers, body) of a request to the metadata server: path begins with /computeMetadata/ or is "/"."""
    plain = {"metadata-flavor": "Google", "server": "Metadata Server for VM", "content-type": "application/text"}
    if path in ("/", "/computeMetadata", "/computeMetadata/"):
        return 200, plain, b"0.1/\ncomputeMetadata/\n"
    if headers.get("metadata-flavor") != "Google" or "x-forwarded-for" in headers:
        return 403, {**plain, "content-type": "text/html"}, b"<html><title>Error 403 (Forbidden)!!1</title>Missing required header Metadata-Flavor: Google</html>"
    email = metadata_email()
    key = path.removeprefix("/computeMetadata/v1").strip("/")
    accounts = re.sub(rf"^instance/service-accounts/({re.escape(email)}|default)(/|$)", r"account\2", key)
    zone = f"projects/{NUMBER}/zones/us-central1-a"
    texts = {"project/project-id": PROJECT, "project/numeric-project-id": NUMBER, "instance/zone": zone, "instance/name": "simulated",
             "instance/id": "5533110011223344556", "universe/universe-domain": "googleapis.com", "account/email": email,
             "account/scopes": "https://www.googleapis.com/auth/cloud-platform\n", "account/aliases": "default\n",
             "instance/service-accounts": f"default/\n{email}/\n"}
    if accounts == "account/identity":
        if not query.get("audience"):
            return 400, plain, b"non-empty audience parameter required"
        now = int(STATE.now())
        claims = {"aud": query["audience"], "iss": "https://accounts.google.com", "email": email, "email_verified": True, "iat": now, "exp": now + 3600}
        return 200, plain, signed_jwt(claims, iam.private_key(), "simulated").encode()
    jsons = {"account/token": lambda: answer_token(issue(email)),
             "account": lambda: {"aliases": ["default"], "email": email, "scopes": ["https://www.googleapis.com/auth/cloud-platform"]}}
    if accounts in jsons and (accounts != "account" or query.get("recursive", "").lower() == "true"):
        return 200, {**plain, "content-type": "application/json"}, json.dumps(jsons[accounts]()).encode()
    if accounts in texts:
        return 200, plain, texts[accounts].encode()
    return 404, {**plain, "content-type": "text/html"}, b"<html><title>Error 404 (Not Found)!!1</title></html>"

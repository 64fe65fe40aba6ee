"""A workload's identity from elsewhere, for tests of workload identity federation: an issuer of OIDC tokens that answers as GitHub Actions does
(GET /_oidc/token?audience=…), and a pool with a provider that trusts it."""
import base64
import json
import secrets
import urllib.parse

from tests.sim.gcp import iam, identity, policy
from tests.sim.gcp.state import STATE, Thing

REQUEST_TOKEN = "github-request-token"
SUBJECT = "repo:llm-infra/example:ref:refs/heads/main"
JWT = "urn:ietf:params:oauth:token-type:jwt"


def key():
    iam.private_key()
    return iam.EXAMPLE_KEYS[0]


def jwks():
    numbers = key().public_key().public_numbers()

    def text(number):
        return base64.urlsafe_b64encode(number.to_bytes((number.bit_length() + 7) // 8, "big")).rstrip(b"=").decode()
    return {"keys": [{"kty": "RSA", "alg": "RS256", "use": "sig", "kid": "oidc", "n": text(numbers.n), "e": text(numbers.e)}]}


def answer(path, query, headers, base_url):
    """(status, body) of a request to the issuer."""
    if path == "/_oidc/jwks":
        return 200, jwks()
    if path == "/_oidc/.well-known/openid-configuration":
        return 200, {"issuer": f"{base_url}/_oidc", "jwks_uri": f"{base_url}/_oidc/jwks"}
    if path != "/_oidc/token":
        return 404, {"message": "not found"}
    if headers.get("authorization", "").lower() != f"bearer {REQUEST_TOKEN}":
        return 401, {"message": "the request token is missing or wrong"}
    now = int(STATE.now())
    claims = {"iss": f"{base_url}/_oidc", "sub": query.get("sub", SUBJECT), "aud": query.get("audience", "https://github.com/llm-infra"), "iat": now, "nbf": now,
              "exp": now + 300, "jti": secrets.token_hex(8), "repository": "llm-infra/example", "ref": "refs/heads/main"}
    return 200, {"value": identity.signed_jwt(claims, key(), "oidc")}


def make(base_url, given):
    """Makes pool and provider where they are missing, and an account that they may act as; answers the credentials file of a workload."""
    project = STATE.project(given.get("project", "")) or next(iter(STATE.projects.values()))
    pool, provider = given.get("pool", "ci"), given.get("provider", "github")
    pools = f"projects/{project.id}/locations/global/workloadIdentityPools/{pool}"
    for name, collection, more in ((pools, "workloadIdentityPools", {}), (f"{pools}/providers/{provider}", "providers", {
            "attributeMapping": {"google.subject": "assertion.sub"}, "oidc": {"issuerUri": f"{base_url}/_oidc", "jwksJson": json.dumps(jwks())}})):
        if STATE.thing("iam", name) is None:
            STATE.add(Thing("iam", name, collection, {"name": name, "state": "ACTIVE", **more}, project.id))
    audience = f"//iam.googleapis.com/projects/{project.number}/locations/global/workloadIdentityPools/{pool}/providers/{provider}"
    file = {"type": "external_account", "universe_domain": "googleapis.com", "audience": audience, "subject_token_type": JWT,
            "token_url": f"{base_url}/v1/token", "credential_source": {
                "url": f"{base_url}/_oidc/token?{urllib.parse.urlencode({'audience': 'https:' + audience})}",
                "headers": {"Authorization": f"bearer {REQUEST_TOKEN}"}, "format": {"type": "json", "subject_token_field_name": "value"}}}
    email = given.get("service_account")
    if email:
        thing = STATE.thing("iam", f"projects/{project.id}/serviceAccounts/{email}") or iam.add_account(project.id, email, {})
        members = f"principalSet://iam.googleapis.com/projects/{project.number}/locations/global/workloadIdentityPools/{pool}/*"
        policy.set(thing, {"bindings": [*policy.current(thing).get("bindings", []), {"role": identity.FEDERATED, "members": [members]}]})
        file["service_account_impersonation_url"] = f"{base_url}/v1/projects/-/serviceAccounts/{email}:generateAccessToken"
    return file

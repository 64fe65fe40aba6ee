"""The tokens with which EKS lets a caller in: "k8s-aws-v1." and a GetCallerIdentity of STS that was signed in advance, for one cluster."""
import base64
import binascii
import calendar
import re
import time
import urllib.parse

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from moto.iam.models import get_account_id_from
from moto.sts.models import sts_backends

from tests.sim.state import STATE

PREFIX, AGE_S = "k8s-aws-v1.", 900
SIGNED = {"X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires", "X-Amz-SignedHeaders", "X-Amz-Signature"}
HOSTS = re.compile(r"(sts|sts-fips)(\.[a-z0-9-]+)?\.amazonaws\.com(\.cn)?|127\.0\.0\.1(:\d+)?|localhost(:\d+)?")


class Bad(Exception):
    """Not a token that EKS takes."""


def look(token, cluster=None):
    """{"valid": true, "cluster", "arn", "account", "access_key", "age_s"} or {"valid": false, "why"}. Without a cluster: the one that it is for."""
    try:
        return {"valid": True, **_checked(token, cluster)}
    except Bad as why:
        return {"valid": False, "why": str(why)}


def _checked(token, cluster):
    if not token.startswith(PREFIX):
        raise Bad(f"it does not start with {PREFIX}")
    if "=" in token:
        raise Bad("it is padded")
    try:
        text = base64.urlsafe_b64decode(token[len(PREFIX):] + "=" * (-len(token[len(PREFIX):]) % 4)).decode()
    except (binascii.Error, ValueError):
        raise Bad("it is not base64url") from None
    url = urllib.parse.urlsplit(text)
    pairs = urllib.parse.parse_qsl(url.query, keep_blank_values=True)
    query = dict(pairs)
    _check_url(url, query, len(pairs))
    age = _check_time(query)
    access_key, region = _check_key(query)
    names = [cluster] if cluster else _names(region)
    found = next((n for n in names if _signature(url, pairs, n, access_key, region) == query["X-Amz-Signature"]), None)
    if found is None:
        raise Bad(f"the signature is not one for {cluster or 'any cluster of the region'}")
    account = get_account_id_from(access_key)
    return {"cluster": found, "account": account, "access_key": access_key, "region": region, "age_s": age,
            "arn": sts_backends[account]["aws"].get_caller_identity(access_key, region)[1]}


def _names(region):
    return [name for (_, where), known in STATE.clusters.items() if where == region for name in known]


def _check_url(url, query, count):
    local = not url.netloc.endswith((".amazonaws.com", ".amazonaws.com.cn"))
    if not HOSTS.fullmatch(url.netloc) or url.scheme not in (("http", "https") if local else ("https",)):
        raise Bad(f"{url.scheme}://{url.netloc} is not an endpoint of STS")
    if url.path not in ("/", ""):
        raise Bad(f"the path is {url.path}")
    if count != len(query) or query.get("Action") != "GetCallerIdentity" or query.get("Version") != "2011-06-15":
        raise Bad("it is not a call of GetCallerIdentity")
    if SIGNED - set(query) or set(query) - SIGNED - {"Action", "Version", "X-Amz-Security-Token"}:
        raise Bad(f"its query has {sorted(query)}")
    if not {"host", "x-k8s-aws-id"} <= set(query["X-Amz-SignedHeaders"].split(";")):
        raise Bad("host and x-k8s-aws-id are not both signed")
    if query["X-Amz-Algorithm"] != "AWS4-HMAC-SHA256" or not query["X-Amz-Expires"].isdigit() or not 0 < int(query["X-Amz-Expires"]) <= AGE_S:
        raise Bad("its algorithm or its expiry is not one that EKS takes")


def _check_time(query):
    try:
        signed = calendar.timegm(time.strptime(query["X-Amz-Date"], "%Y%m%dT%H%M%SZ"))
    except ValueError:
        raise Bad("its date is no date") from None
    age = int(STATE.now()) - signed
    if age > AGE_S:
        raise Bad(f"it is {age} s old")
    if age < -300:
        raise Bad(f"it was signed {-age} s in the future")
    return age


def _check_key(query):
    access_key, _, scope = query["X-Amz-Credential"].partition("/")
    parts = scope.split("/")
    if len(parts) != 4 or parts[0] != query["X-Amz-Date"][:8] or parts[2:] != ["sts", "aws4_request"]:
        raise Bad(f"its scope is {scope}")
    key = STATE.keys.get(access_key)
    if key is None:
        raise Bad("its access key is not known")
    if key.expires is not None and key.expires <= STATE.now():
        raise Bad("its access key has expired")
    if key.token is not None and query.get("X-Amz-Security-Token") != key.token:
        raise Bad("its session token is not the one that came with the key")
    return access_key, parts[1]


def _signature(url, pairs, cluster, access_key, region):
    """What botocore's signer makes of the same call with the cluster's name in the header."""
    query = urllib.parse.urlencode([(k, v) for k, v in pairs if k != "X-Amz-Signature"], quote_via=urllib.parse.quote)
    request = AWSRequest(method="GET", url=f"{url.scheme}://{url.netloc}/?{query}", headers={"host": url.netloc, "x-k8s-aws-id": cluster})
    request.context["timestamp"] = dict(pairs)["X-Amz-Date"]
    auth = SigV4Auth(Credentials(access_key, STATE.keys[access_key].secret), "sts", region)
    return auth.signature(auth.string_to_sign(request, auth.canonical_request(request)), request)

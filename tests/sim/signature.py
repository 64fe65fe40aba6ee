"""Whether a request is signed as botocore's own signer would sign it, by a key that is known, at the cloud's time."""
import calendar
import time

from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.sim.state import STATE, Refused

TOLERANCE_S = 300
# Operations that anyone may call.
UNSIGNED = {("sts", "AssumeRoleWithWebIdentity"), ("sso", "GetRoleCredentials"), ("sso-oidc", "CreateToken")}


def refusal(request, kind, message):
    """The error that the service's protocol has for a kind of bad authentication."""
    codes = {
        "ec2": {"skew": "RequestExpired", "unknown": "AuthFailure", "wrong": "AuthFailure", "missing": "MissingAuthenticationToken",
                "expired": "RequestExpired"},
        "query": {"skew": "SignatureDoesNotMatch", "unknown": "InvalidClientTokenId", "wrong": "SignatureDoesNotMatch",
                  "missing": "MissingAuthenticationToken", "expired": "ExpiredToken"},
        "rest-xml": {"skew": "RequestTimeTooSkewed", "unknown": "InvalidAccessKeyId", "wrong": "SignatureDoesNotMatch",
                     "missing": "AccessDenied", "expired": "ExpiredToken"},
    }.get(request.protocol, {"skew": "InvalidSignatureException", "unknown": "UnrecognizedClientException",
                             "wrong": "InvalidSignatureException", "missing": "MissingAuthenticationTokenException",
                             "expired": "ExpiredTokenException"})
    if kind in ("unknown", "wrong") and request.protocol == "ec2":
        message = "AWS was not able to validate the provided access credentials"
    return Refused(codes[kind], message)


def check(request):
    """Raises Refused; what only a defect of the client can cause is a violation besides."""
    name = f"{request.service}.{request.operation}"
    if (request.service, request.operation) in UNSIGNED:
        return
    if not request.access_key:
        STATE.violation(f"{name}: the request is not signed")
        raise refusal(request, "missing", "Request is missing Authentication Token")
    _check_time(request)
    key = STATE.keys.get(request.access_key)
    if key is None:
        raise refusal(request, "unknown", "The security token included in the request is invalid.")
    if key.expires is not None and key.expires <= STATE.now():
        raise refusal(request, "expired", "The security token included in the request is expired")
    if key.token is not None and request.headers.get("x-amz-security-token") != key.token:
        STATE.violation(f"{name}: the session token is not the one that came with the key")
        raise refusal(request, "unknown", "The security token included in the request is invalid.")
    problem = _problem(request, key.secret)
    if problem:
        STATE.violation(f"{name}: {problem}")
        raise refusal(request, "wrong", "The request signature we calculated does not match the signature you provided. Check your AWS "
                                        "Secret Access Key and signing method. Consult the service documentation for details.")


def _check_time(request):
    """A request that was signed more than five minutes from the cloud's time."""
    signed, now = request.headers.get("x-amz-date", ""), STATE.now()
    try:
        then = calendar.timegm(time.strptime(signed, "%Y%m%dT%H%M%SZ"))
    except ValueError:
        STATE.violation(f"{request.service}.{request.operation}: x-amz-date is {signed!r}")
        raise refusal(request, "missing", "Date must be in ISO8601 'basic format'") from None
    if abs(now - then) <= TOLERANCE_S:
        return
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
    if request.protocol == "ec2":
        raise refusal(request, "skew", "Request has expired.")
    if then < now:
        limit = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now - TOLERANCE_S))
        raise refusal(request, "skew", f"Signature expired: {signed} is now earlier than {limit} ({stamp} - 5 min.)")
    limit = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now + TOLERANCE_S))
    raise refusal(request, "skew", f"Signature not yet current: {signed} is still later than {limit} ({stamp} + 5 min.)")


def _problem(request, secret):
    """What is wrong with the signature; None when it is botocore's."""
    fields = dict(part.strip().partition("=")[::2] for part in request.headers["authorization"].partition(" ")[2].split(","))
    signed = fields.get("SignedHeaders", "").split(";")
    if signed != sorted(signed):
        return "the signed headers are not sorted"
    unsigned = [h for h in request.headers if (h == "host" or h.startswith("x-amz-")) and h not in signed]
    if unsigned:
        return f"headers that must be signed are not: {', '.join(unsigned)}"
    copy = AWSRequest(
        method=request.method,
        url=f"http://{request.headers['host']}{request.path}" + (f"?{request.query}" if request.query else ""),
        data=request.body,
        headers={name: request.headers.get(name, "") for name in signed},
    )
    copy.context["timestamp"] = request.headers["x-amz-date"]
    kind = S3SigV4Auth if request.service == "s3" else SigV4Auth
    auth = kind(Credentials(request.access_key, secret), request.signed_as, request.region)
    text = auth.string_to_sign(copy, auth.canonical_request(copy))
    if auth.signature(text, copy) != fields.get("Signature"):
        return "the signature is not botocore's"
    if auth.scope(copy) != fields["Credential"]:
        return f"the credential scope {fields['Credential']} is not {auth.scope(copy)}"
    return None

"""Answers in the shapes of botocore's models, written by moto's serialisers and read back by botocore's parsers."""
import functools
import json
import os
from datetime import datetime, timezone
from xml.sax.saxutils import escape

from botocore.awsrequest import HeadersDict
from botocore.parsers import create_parser
from botocore.validate import ParamValidator
from moto.core.serialize import SerializationContext, get_serializer_class
from moto.core.utils import get_service_model

# HTTP statuses that AWS gives codes with; 400 for all others.
STATUSES = {
    "InsufficientInstanceCapacity": 500, "InsufficientCapacity": 500, "InsufficientHostCapacity": 500, "InternalError": 500,
    "InternalFailure": 500, "InternalServiceError": 500, "InternalServerError": 500, "ServiceFailure": 500, "Unavailable": 503,
    "ServiceUnavailable": 503, "ServiceUnavailableException": 503, "RequestLimitExceeded": 503, "SlowDown": 503,
    "AuthFailure": 401, "UnauthorizedOperation": 403, "AccessDenied": 403, "DryRunOperation": 412, "SignatureDoesNotMatch": 403,
    "InvalidClientTokenId": 403, "ExpiredToken": 403, "MissingAuthenticationToken": 403, "RequestExpired": 400,
    "RequestTimeTooSkewed": 403, "NoSuchEntity": 404, "EntityAlreadyExists": 409, "DeleteConflict": 409, "LimitExceeded": 409,
    "NoSuchBucket": 404, "NoSuchKey": 404, "UnauthorizedException": 401, "InvalidAccessKeyId": 403,
}


def request_id():
    text = os.urandom(16).hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


@functools.lru_cache(maxsize=None)
def serializer_class(service, protocol):
    return get_serializer_class(service, protocol)


def success(request, output):
    """(status, headers, body) of an output; a SimulatorDefect when botocore does not read the same from it."""
    model = get_service_model(request.model.service_model.service_name).operation_model(request.operation)
    made = serializer_class(request.service, request.protocol)(model, SerializationContext(request_id=request_id())).serialize(output)
    body = made["body"]
    answered = made["status_code"], {k.lower(): v for k, v in made["headers"].items()}, body if isinstance(body, bytes) else body.encode()
    _verify(request, output, answered)
    return answered


def parse(request, answered):
    """The output that botocore reads from an answer."""
    status, headers, body = answered
    output = create_parser(request.protocol).parse({"status_code": status, "headers": HeadersDict(headers), "body": body}, request.model.output_shape)
    output.pop("ResponseMetadata", None)
    return output


def _verify(request, output, answered):
    shape = request.model.output_shape
    if shape is None:
        return
    report = ParamValidator().validate(output, shape)
    if report.has_errors():
        raise SimulatorDefect(f"{request.service}.{request.operation}: our answer: {report.generate_report()}")
    read = parse(request, answered)
    lost = difference(output, read, "")
    if lost:
        raise SimulatorDefect(f"{request.service}.{request.operation}: our answer is read differently: {lost}")


class SimulatorDefect(Exception):
    """The simulator is wrong, not the request."""


def difference(written, read, path):
    """Where a value that was written differs from the one that was read; None when it does not."""
    if isinstance(written, dict):
        for key, value in written.items():
            if value in (None, [], {}) and key not in read:
                continue
            if key not in read:
                return f"{path}.{key} is lost"
            found = difference(value, read[key], f"{path}.{key}")
            if found:
                return found
        return None
    if isinstance(written, (list, tuple)):
        if len(written) != len(read):
            return f"{path}: {len(written)} members became {len(read)}"
        return next(filter(None, (difference(w, r, f"{path}[{i}]") for i, (w, r) in enumerate(zip(written, read)))), None)
    if isinstance(written, datetime):
        aware = written if written.tzinfo else written.replace(tzinfo=timezone.utc)
        return None if abs((aware - read).total_seconds()) < 1 else f"{path}: {written} became {read}"
    if isinstance(written, bytes) or isinstance(read, bytes) or written == read:
        return None
    return f"{path}: {written!r} became {read!r}"


def failure(request, code, message, status=None):
    """(status, headers, body) of an error in the shape of the service's protocol."""
    status, identity, protocol = status or STATUSES.get(code, 400), request_id(), request.protocol
    fault = "Sender" if status < 500 else "Receiver"
    code, message = (code, message) if protocol in ("json", "rest-json") else (escape(code), escape(message))
    if protocol == "ec2":
        body = (f'<?xml version="1.0" encoding="UTF-8"?>\n<Response><Errors><Error><Code>{code}</Code><Message>{message}</Message>'
                f"</Error></Errors><RequestID>{identity}</RequestID></Response>")
        return status, {"content-type": "text/xml;charset=UTF-8"}, body.encode()
    if protocol == "query":
        namespace = request.model.service_model.metadata.get("xmlNamespace", "") if request.model else ""
        body = (f'<ErrorResponse xmlns="{namespace}"><Error><Type>{fault}</Type><Code>{code}</Code><Message>{message}</Message></Error>'
                f"<RequestId>{identity}</RequestId></ErrorResponse>")
        return status, {"content-type": "text/xml", "x-amzn-requestid": identity}, body.encode()
    if protocol == "rest-xml":
        body = (f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code><Message>{message}</Message>'
                f"<RequestId>{identity}</RequestId><HostId>host</HostId></Error>")
        return status, {"content-type": "application/xml", "x-amz-request-id": identity}, body.encode()
    headers = {"content-type": "application/x-amz-json-1.1", "x-amzn-requestid": identity}
    if protocol == "rest-json":
        headers.update({"content-type": "application/json", "x-amzn-errortype": code})
        return status, headers, json.dumps({"message": message}).encode()
    return status, headers, json.dumps({"__type": code, "message": message}).encode()

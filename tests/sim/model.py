"""What botocore's service models say of a request: which operation it is, its parameters, and whether they are allowed."""
import functools
import json
import re
import urllib.parse

import botocore.session
import regex
from botocore.validate import ParamValidator

from tests.sim import wire

SESSION = botocore.session.get_session()
# Signing names that are not the name of botocore's model.
MODEL_NAMES = {"servicequotas": "service-quotas", "monitoring": "cloudwatch", "awsssoportal": "sso", "sso-oauth": "sso-oidc",
               "elasticfilesystem": "efs"}
# Members without which AWS refuses a request, though the model marks them as filled in by an SDK.
TOKENS_NEEDED = {"secretsmanager"}


@functools.lru_cache(maxsize=None)
def service_model(name):
    return SESSION.get_service_model(MODEL_NAMES.get(name, name))


@functools.lru_cache(maxsize=None)
def rest_routes(name):
    """(method, path pattern, query constants, operation) of each operation, the most specific first."""
    routes = []
    model = service_model(name)
    for operation in model.operation_names:
        http = model.operation_model(operation).http
        path, _, query = http["requestUri"].partition("?")
        if name == "s3" and not path.startswith("/{Bucket}"):
            path = "/" if path == "" else path
        pattern = re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", re.sub(r"\\{(\w+)\\\+\\}", r"(?P<\1>.+)", re.escape(path)))
        constants = dict(urllib.parse.parse_qsl(query, keep_blank_values=True))
        routes.append((http["method"], re.compile(f"^{pattern}/?$"), constants, operation, path.count("{"), len(path)))
    routes.sort(key=lambda r: (-len(r[2]), r[4], -r[5]))
    return routes


def problem_text(model, operation, text):
    return f"{model.service_name}.{operation}: {text}"


class Violation(Exception):
    """The request is not one that the API's model allows."""


class Request:
    """A request with its service, operation and parameters. `violations`: what the model forbids; `advice`: values that it
    does not list, which may be newer than the model."""

    def __init__(self, method, path, query, headers, body, unsigned_service=None):
        self.method, self.path, self.query, self.headers, self.body = method, path, query, headers, body
        self.signed_as, self.region, self.access_key = self._scope(unsigned_service)
        self.service = self._of_several(self.signed_as)
        self.operation, self.params, self.violations, self.advice = None, {}, [], []
        self.model = None
        if self.service:
            try:
                self._identify()
            except (Violation, wire.Malformed) as violation:
                self.violations.append(f"{self.service}.{self.operation}: {violation}")

    @property
    def model_name(self):
        """Of botocore: SageMaker's runtime is signed for as SageMaker is."""
        return "sagemaker-runtime" if self.service == "sagemaker" and self.path.startswith("/endpoints/") else self.service

    def _scope(self, unsigned_service):
        header = self.headers.get("authorization", "")
        match = re.search(r"Credential=([^/,\s]+)/\d{8}/([^/,\s]+)/([^/,\s]+)/aws4_request", header)
        if match:
            return match[3], match[2], match[1]
        if unsigned_service:
            return unsigned_service, "us-east-1", None
        if b"Action=AssumeRoleWithWebIdentity" in self.body:
            return "sts", "us-east-1", None
        return None, None, None

    def _of_several(self, signed):
        """Two services sign with one name: the version of their API tells them apart."""
        if signed != "elasticloadbalancing":
            return signed
        return "elb" if b"Version=2012-06-01" in self.body else "elbv2"

    @property
    def protocol(self):
        """The one that the request uses, of a service that has several."""
        if not self.service:
            return "ec2"
        model = service_model(self.model_name)
        if "query" in model.metadata.get("protocols", []) and "x-amz-target" not in self.headers:
            return "query"
        return model.resolved_protocol

    def _identify(self):
        try:
            model = service_model(self.model_name)
        except Exception as error:
            raise Violation(f"no service signs as {self.service!r}") from error
        protocol = self.protocol
        if protocol in ("ec2", "query"):
            self._identify_form(model, protocol)
        elif protocol == "json":
            self._identify_json(model)
        else:
            self._identify_rest(model, protocol)
        shape = self.model.input_shape
        if shape:
            report = ParamValidator().validate(self.params, shape)
            if report.has_errors():
                raise Violation(report.generate_report())
            self._check_tokens(shape)
            self._check_limits(shape, self.params, "")

    def _identify_form(self, model, protocol):
        if self.method not in ("POST", "GET"):
            raise Violation(f"{self.method} is not a method of this protocol")
        text = self.body.decode() if self.method == "POST" else self.query
        if self.method == "POST" and not self.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
            raise Violation("the content type is not application/x-www-form-urlencoded")
        pairs = urllib.parse.parse_qsl(text, keep_blank_values=True, strict_parsing=True)
        form = dict(pairs)
        if len(form) != len(pairs):
            raise Violation("a form member is given twice")
        self.operation = form.pop("Action", None)
        version = form.pop("Version", None)
        if version != model.metadata["apiVersion"]:
            raise Violation(f"version {version} is not {model.metadata['apiVersion']}")
        self.model = self._operation(model)
        self.params = wire.Form(form, protocol).parse(self.model.input_shape)

    def _identify_json(self, model):
        prefix, _, self.operation = self.headers.get("x-amz-target", "").partition(".")
        if prefix != model.metadata["targetPrefix"]:
            raise Violation(f"target prefix {prefix} is not {model.metadata['targetPrefix']}")
        expected = f"application/x-amz-json-{model.metadata['jsonVersion']}"
        if self.headers.get("content-type") != expected:
            raise Violation(f"content type is not {expected}")
        self.model = self._operation(model)
        try:
            value = json.loads(self.body)
        except ValueError as error:
            raise Violation(f"the body is not JSON: {error}") from error
        if not isinstance(value, dict):
            raise Violation("the body is not a JSON object")
        self.params = wire.from_json(self.model.input_shape, value, "") if self.model.input_shape else value

    def _identify_rest(self, model, protocol):
        query = urllib.parse.parse_qs(self.query, keep_blank_values=True)
        given = {k: v[-1] for k, v in query.items()}
        path = self._path_with_bucket()
        for method, pattern, constants, operation, _, _ in rest_routes(self.model_name):
            found = pattern.match(path) if method == self.method else None
            if found and all(given.get(k) == v for k, v in constants.items()) and self._needed(model, operation, given):
                self.operation, self.model = operation, model.operation_model(operation)
                labels = {k: urllib.parse.unquote(v) for k, v in found.groupdict().items()}
                rest = wire.Rest(self.headers, labels, {k: v for k, v in query.items() if k not in constants or constants[k] != v[-1]},
                                 self.body, protocol, self.service == "s3")
                self.params = rest.parse(self.model.input_shape)
                return
        raise Violation(f"no operation is {self.method} {self.path}?{self.query}")

    def _needed(self, model, operation, given):
        """Operations that share a path differ in the query and header members that they need."""
        shape = model.operation_model(operation).input_shape
        for name in shape.required_members if shape else ():
            where = shape.members[name].serialization
            location = where.get("location")
            if location == "querystring" and where["name"] not in given:
                return False
            if location == "header" and where["name"].lower() not in self.headers:
                return False
        return True

    def _path_with_bucket(self):
        """S3's virtual-hosted style as its path style."""
        host = self.headers.get("host", "").partition(":")[0]
        if self.service == "s3" and ".s3." in host:
            return f"/{host.partition('.s3.')[0]}{self.path}"
        return self.path

    def _operation(self, model):
        if self.operation not in model.operation_names:
            raise Violation(f"{self.service} has no operation {self.operation}")
        return model.operation_model(self.operation)

    def _check_tokens(self, shape):
        if self.service not in TOKENS_NEEDED:
            return
        for name, member in shape.members.items():
            if member.metadata.get("idempotencyToken") and name not in self.params:
                raise Violation(f"{name} is needed: only SDKs fill it in")

    def _check_limits(self, shape, value, path):
        """Lengths, patterns and enumerations: botocore leaves them to the service, which refuses what does not fit."""
        kind, metadata = shape.type_name, shape.metadata
        if kind == "structure":
            for name, inner in value.items():
                if name in shape.members:
                    self._check_limits(shape.members[name], inner, f"{path}.{name}" if path else name)
        elif kind == "list":
            self._check_size(metadata, len(value), path, "members")
            for index, inner in enumerate(value):
                self._check_limits(shape.member, inner, f"{path}[{index}]")
        elif kind == "map":
            self._check_size(metadata, len(value), path, "entries")
            for key, inner in value.items():
                self._check_limits(shape.key, key, f"a key of {path}")
                self._check_limits(shape.value, inner, f"{path}[{key}]")
        elif kind == "string" and isinstance(value, str):
            self._check_string(shape, metadata, value, path)
        elif kind in ("integer", "long", "float", "double"):
            self._check_size(metadata, value, path, "")

    def _check_size(self, metadata, size, path, unit):
        if "max" in metadata and size > metadata["max"]:
            raise Violation(f"{path}: {size} {unit} is more than {metadata['max']}")

    def _check_string(self, shape, metadata, value, path):
        self._check_size(metadata, len(value), path, "characters")
        if metadata.get("pattern") and not compiled(metadata["pattern"]).fullmatch(value):
            raise Violation(f"{path}: {value[:80]!r} does not match {metadata['pattern']}")
        values = getattr(shape, "enum", None) or []
        if values and value not in values:
            self.advice.append(f"{self.service}.{self.operation}: {path}: {value!r} is not listed")


@functools.lru_cache(maxsize=None)
def compiled(pattern):
    # Java writes the characters beyond the first 65536 as pairs.
    return regex.compile(pattern.replace(r"\uD800\uDC00-\uDBFF\uDFFF", r"\U00010000-\U0010FFFF"))

"""What botocore's service models say of a request: which operation it is, and whether its parameters are allowed."""
import base64
import functools
import json
import urllib.parse

import botocore.session
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.validate import ParamValidator

SESSION = botocore.session.get_session()
# Signing names that are not the name of botocore's model.
MODEL_NAMES = {"servicequotas": "service-quotas", "monitoring": "cloudwatch", "awsssoportal": "sso", "sso-oauth": "sso-oidc"}


@functools.lru_cache(maxsize=None)
def service_model(name):
    return SESSION.get_service_model(MODEL_NAMES.get(name, name))


class Violation(Exception):
    """The request is not one that the API's model allows."""


class Request:
    """A request with its service, operation and parameters."""

    def __init__(self, method, path, query, headers, body):
        self.method, self.path, self.query, self.headers, self.body = method, path, query, headers, body
        self.service, self.region, self.access_key = self._scope()
        self.operation, self.params, self.violations = None, {}, []
        if self.service:
            try:
                self._identify()
            except Violation as violation:
                self.violations.append(str(violation))

    def _scope(self):
        header = self.headers.get("authorization", "")
        if "Credential=" in header:
            parts = header.split("Credential=")[1].split(",")[0].split("/")
            return parts[3], parts[2], parts[0]
        if b"Action=AssumeRoleWithWebIdentity" in self.body:
            return "sts", "us-east-1", None
        return None, None, None

    def _identify(self):
        model = service_model(self.service)
        protocol = model.metadata["protocol"]
        if protocol in ("ec2", "query"):
            pairs = urllib.parse.parse_qsl(self.body.decode(), keep_blank_values=True, strict_parsing=True)
            form = dict(pairs)
            if len(form) != len(pairs):
                raise Violation("a form member is given twice")
            self.operation = form.pop("Action", None)
            version = form.pop("Version", None)
            if version != model.metadata["apiVersion"]:
                raise Violation(f"version {version} is not {model.metadata['apiVersion']}")
            operation = self._operation(model)
            self.params = Form(form, protocol).parse(operation.input_shape)
        elif protocol == "json":
            target = self.headers.get("x-amz-target", "")
            prefix, _, self.operation = target.partition(".")
            if prefix != model.metadata["targetPrefix"]:
                raise Violation(f"target prefix {prefix} is not {model.metadata['targetPrefix']}")
            expected = f"application/x-amz-json-{model.metadata['jsonVersion']}"
            if self.headers.get("content-type") != expected:
                raise Violation(f"content type is not {expected}")
            operation = self._operation(model)
            self.params = json.loads(self.body or b"{}")
        else:
            return
        if operation.input_shape:
            report = ParamValidator().validate(self.params, operation.input_shape)
            if report.has_errors():
                raise Violation(f"{self.service}.{self.operation}: {report.generate_report()}")

    def _operation(self, model):
        if self.operation not in model.operation_names:
            raise Violation(f"{self.service} has no operation {self.operation}")
        return model.operation_model(self.operation)

    def check_signature(self, keys):
        """Compares the signature with botocore's own, for keys that are known."""
        header = self.headers.get("authorization", "")
        secret = keys.get(self.access_key)
        if not header or not secret:
            return
        signed = header.split("SignedHeaders=")[1].split(",")[0].split(";")
        given = header.split("Signature=")[1].strip()
        request = AWSRequest(
            method=self.method,
            url=f"http://{self.headers['host']}{self.path}" + (f"?{self.query}" if self.query else ""),
            data=self.body,
            headers={name: self.headers.get(name, "") for name in signed},
        )
        request.context["timestamp"] = self.headers.get("x-amz-date", "")
        auth = SigV4Auth(Credentials(self.access_key, secret), self.service, self.region)
        text = auth.string_to_sign(request, auth.canonical_request(request))
        if auth.signature(text, request) != given:
            self.violations.append(f"{self.service}.{self.operation}: the signature is not botocore's")


class Form:
    """Parameters from the flat members of an ec2 or query form."""

    def __init__(self, form, protocol):
        self.form, self.protocol, self.used = form, protocol, set()

    def parse(self, shape):
        params = self._structure(shape, "") if shape else {}
        unknown = sorted(set(self.form) - self.used)
        if unknown:
            raise Violation(f"unknown parameters: {', '.join(unknown)}")
        return params

    def _has(self, prefix):
        return prefix in self.form or any(name.startswith(prefix + ".") for name in self.form)

    def _name(self, member, shape):
        if self.protocol == "query":
            return shape.serialization.get("name", member)
        if "queryName" in shape.serialization:
            return shape.serialization["queryName"]
        name = shape.serialization.get("name", member)
        return name[0].upper() + name[1:]

    def _structure(self, shape, prefix):
        result = {}
        for member, inner in shape.members.items():
            name = prefix + self._name(member, inner)
            if self._has(name):
                result[member] = self._value(inner, name)
        return result

    def _value(self, shape, name):
        kind = shape.type_name
        if kind == "structure":
            return self._structure(shape, name + ".")
        if kind == "list":
            return self._list(shape, name)
        if kind == "map":
            raise Violation(f"{name}: maps are not expected here")
        self.used.add(name)
        return self._scalar(kind, name)

    def _list(self, shape, name):
        if self.protocol == "query":
            flat = shape.serialization.get("flattened")
            name = name if flat else f"{name}.{shape.member.serialization.get('name', 'member')}"
        result, index = [], 1
        while self._has(f"{name}.{index}"):
            result.append(self._value(shape.member, f"{name}.{index}"))
            index += 1
        return result

    def _scalar(self, kind, name):
        text = self.form[name]
        try:
            if kind in ("integer", "long"):
                return int(text)
            if kind in ("float", "double"):
                return float(text)
            if kind == "blob":
                return base64.b64decode(text, validate=True)
        except ValueError as error:
            raise Violation(f"{name}: {text!r} is no {kind}") from error
        if kind == "boolean":
            if text not in ("true", "false"):
                raise Violation(f"{name}: {text!r} is no boolean")
            return text == "true"
        return text

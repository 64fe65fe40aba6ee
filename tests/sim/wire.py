"""Parameters from what is on the wire, by botocore's shapes, and strictly: all that the model does not know is an error."""
import base64
import json
import re
import urllib.parse
from xml.etree import ElementTree

from botocore.utils import parse_timestamp


class Malformed(Exception):
    """What came cannot be read as the shape that the model wants."""


def scalar(kind, text, where):
    """A scalar from text, as forms, paths, queries, headers and XML carry it."""
    try:
        if kind in ("integer", "long"):
            if not re.fullmatch(r"-?\d+", text):
                raise ValueError(text)
            return int(text)
        if kind in ("float", "double"):
            return float(text)
        if kind == "blob":
            return base64.b64decode(text, validate=True)
        if kind == "timestamp":
            parse_timestamp(text)
            return text
    except ValueError as error:
        raise Malformed(f"{where}: {text[:80]!r} is no {kind}") from error
    if kind == "boolean":
        if text not in ("true", "false"):
            raise Malformed(f"{where}: {text[:80]!r} is no boolean")
        return text == "true"
    return text


class Form:
    """Parameters from the flat members of an ec2 or query form."""

    def __init__(self, form, protocol):
        self.form, self.protocol, self.used = form, protocol, set()

    def parse(self, shape):
        params = self._structure(shape, "") if shape else {}
        unknown = sorted(set(self.form) - self.used)
        if unknown:
            raise Malformed(f"unknown parameters, or bad list indices: {', '.join(unknown)}")
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
            return self._map(shape, name)
        if name not in self.form:
            raise Malformed(f"{name}: the model wants a {kind}, not members")
        self.used.add(name)
        return scalar(kind, self.form[name], name)

    def _list(self, shape, name):
        if self.protocol == "query":
            if self.form.get(name) == "":
                self.used.add(name)
                return []
            if not shape.serialization.get("flattened"):
                name = f"{name}.{shape.member.serialization.get('name', 'member')}"
        result, index = [], 1
        while self._has(f"{name}.{index}"):
            result.append(self._value(shape.member, f"{name}.{index}"))
            index += 1
        return result

    def _map(self, shape, name):
        if self.protocol == "ec2":
            raise Malformed(f"{name}: EC2 has no maps")
        name = name if shape.serialization.get("flattened") else f"{name}.entry"
        key_name, value_name = shape.key.serialization.get("name", "key"), shape.value.serialization.get("name", "value")
        result, index = {}, 1
        while self._has(f"{name}.{index}"):
            key = self._value(shape.key, f"{name}.{index}.{key_name}")
            result[key] = self._value(shape.value, f"{name}.{index}.{value_name}")
            index += 1
        return result


def from_json(shape, value, path):
    """A JSON value with its blobs decoded. Members that the model does not know stay: botocore's validator names them."""
    kind = shape.type_name
    if value is None:
        raise Malformed(f"{path}: null stands for nothing; leave the member out")
    if kind == "structure" and isinstance(value, dict):
        return {k: from_json(shape.members[k], v, f"{path}.{k}") if k in shape.members else v for k, v in value.items()}
    if kind == "list" and isinstance(value, list):
        return [from_json(shape.member, v, f"{path}[{i}]") for i, v in enumerate(value)]
    if kind == "map" and isinstance(value, dict):
        return {k: from_json(shape.value, v, f"{path}[{k}]") for k, v in value.items()}
    if kind == "blob" and isinstance(value, str):
        return scalar(kind, value, path)
    if kind in ("integer", "long") and isinstance(value, bool):
        raise Malformed(f"{path}: {value} is no {kind}")
    return value


def from_json_named(shape, value, path):
    """As from_json, for REST-JSON, whose members may have another name on the wire."""
    if shape.type_name != "structure" or not isinstance(value, dict):
        return from_json(shape, value, path)
    names = {m.serialization.get("name", n): n for n, m in shape.members.items() if "location" not in m.serialization}
    return {names.get(k, k): from_json_named(shape.members[names[k]], v, f"{path}.{k}") if k in names else v for k, v in value.items()}


def from_xml(shape, element, path):
    kind = shape.type_name
    if kind == "structure":
        return structure_from_xml(shape, element, path)
    if kind == "list":
        name = shape.member.serialization.get("name", "member")
        for child in element:
            if local_name(child) != name:
                raise Malformed(f"{path}: a list of {name} has the element {local_name(child)}")
        return [from_xml(shape.member, child, f"{path}[{i}]") for i, child in enumerate(element)]
    if kind == "map":
        raise Malformed(f"{path}: maps are not expected in XML")
    if len(element):
        raise Malformed(f"{path}: the model wants a {kind}, not elements")
    return scalar(kind, element.text or "", path)


def structure_from_xml(shape, element, path):
    result, used = {}, set()
    for member, inner in shape.members.items():
        where = inner.serialization
        name = where.get("name", member)
        if where.get("location"):
            continue
        if where.get("xmlAttribute"):
            value = next((v for k, v in element.attrib.items() if k.rpartition("}")[2] == name.rpartition(":")[2]), None)
            if value is not None:
                result[member] = value
            continue
        if inner.type_name == "list" and where.get("flattened"):
            name = inner.member.serialization.get("name", name)
        found = [child for child in element if local_name(child) == name]
        if not found:
            continue
        used.add(name)
        if inner.type_name == "list" and where.get("flattened"):
            result[member] = [from_xml(inner.member, child, f"{path}.{member}") for child in found]
        elif len(found) > 1:
            raise Malformed(f"{path}: {name} is given twice")
        else:
            result[member] = from_xml(inner, found[0], f"{path}.{member}")
    unknown = {local_name(child) for child in element} - used
    if unknown:
        raise Malformed(f"{path or 'body'}: unknown elements: {', '.join(sorted(unknown))}")
    return result


def local_name(element):
    return element.tag.rpartition("}")[2]


# Headers and query members of HTTP, SigV4 and the SDKs, not of an operation.
COMMON_HEADERS = re.compile(
    r"^(host|authorization|accept|accept-encoding|user-agent|connection|expect|content-(length|type|md5|encoding)|transfer-encoding|"
    r"x-amz-(date|security-token|content-sha256|target|trailer|decoded-content-length|sdk-.*|api-version|user-agent|te|bucket-region)|"
    r"amz-sdk-.*|x-amzn-.*|x-amz-checksum-.*|traceparent)$")


class Rest:
    """Parameters of a rest-json or rest-xml request: from path, query (name -> values), headers and body."""

    def __init__(self, headers, labels, query, body, protocol, is_s3):
        self.headers, self.labels, self.query, self.body, self.protocol, self.is_s3 = headers, labels, query, body, protocol, is_s3

    def parse(self, shape):
        if shape is None:
            self._reject_rest(set(), set(), set())
            return {}
        params, headers, queries = {}, set(), set()
        for member, inner in shape.members.items():
            where = inner.serialization
            location, name = where.get("location"), where.get("name", member)
            if location == "uri" and name in self.labels:
                params[member] = scalar(inner.type_name, self.labels[name], name)
            elif location == "querystring":
                self._query_member(params, member, inner, name, queries)
            elif location == "header" and name.lower() in self.headers:
                headers.add(name.lower())
                params[member] = self._header(inner, name)
            elif location == "headers":
                self._prefixed(params, member, name, headers)
        self._body_members(shape, params)
        self._reject_rest(headers, queries, set(self.query))
        return params

    def _header(self, shape, name):
        text = self.headers[name.lower()]
        if shape.type_name == "list":
            return [scalar(shape.member.type_name, part.strip(), name) for part in text.split(",")]
        return scalar(shape.type_name, text, name)

    def _query_member(self, params, member, shape, name, queries):
        if name in self.query:
            queries.add(name)
            texts = self.query[name]
            if shape.type_name != "list" and len(texts) > 1:
                raise Malformed(f"{name} is given twice")
            params[member] = ([scalar(shape.member.type_name, t, name) for t in texts] if shape.type_name == "list"
                              else scalar(shape.type_name, texts[0], name))

    def _prefixed(self, params, member, prefix, headers):
        found = {k: v for k, v in self.headers.items() if k.startswith(prefix.lower())}
        if found:
            headers.update(found)
            params[member] = {k[len(prefix):]: v for k, v in found.items()}

    def _body_members(self, shape, params):
        payload = shape.serialization.get("payload")
        if payload:
            inner = shape.members[payload]
            if inner.type_name in ("blob", "string"):
                if self.body:
                    params[payload] = self.body if inner.type_name == "blob" else self.body.decode()
            elif self.body:
                params[payload] = self._document(inner)
        elif any("location" not in m.serialization for m in shape.members.values()):
            if self.body:
                params.update(self._document(shape))
        elif self.body and self.body != b"{}":
            raise Malformed("this operation has no body")

    def _document(self, shape):
        if self.protocol == "rest-xml":
            try:
                element = ElementTree.fromstring(self.body)
            except ElementTree.ParseError as error:
                raise Malformed(f"the body is not XML: {error}") from error
            return from_xml(shape, element, "")
        try:
            value = json.loads(self.body)
        except ValueError as error:
            raise Malformed(f"the body is not JSON: {error}") from error
        return from_json_named(shape, value, "")

    def _reject_rest(self, headers, queries, given):
        unknown = sorted(given - queries - {"x-id"})
        if unknown:
            raise Malformed(f"unknown query members: {', '.join(urllib.parse.quote(u) for u in unknown)}")
        odd = sorted(h for h in self.headers if h.startswith("x-amz") and h not in headers and not COMMON_HEADERS.match(h))
        if odd:
            raise Malformed(f"unknown headers: {', '.join(odd)}")

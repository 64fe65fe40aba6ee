"""Markers that stand for secrets, and where they are found: in files (archives unpacked), texts and recorded requests, in every form that
software is known to write a secret in."""
import base64
import gzip
import http.client
import http.server
import io
import pathlib
import re
import secrets
import threading
import urllib.parse
import zipfile

# What STS, IAM Identity Center, Google's token servers and IAM credentials answer with.
ISSUED = re.compile(rb'<SecretAccessKey>([^<]+)|<SessionToken>([^<]+)|"(?:secretAccessKey|sessionToken|access_token|accessToken)": ?"([^"]+)"')


class Marker:
    """A secret of its own for each place where one goes in. `core` is in every form of it but the encoded ones."""

    def __init__(self, name, before="", after=""):
        self.name, self.known = name, None
        self.core = f"CANARY{re.sub('[^a-z0-9]', '', name)}{secrets.token_hex(6)}"
        self.value = f"{before}{self.core}{after}"

    def forms(self):
        """Bytes of which one is in everything that has the secret in it: as it is (so also percent-encoded, escaped for JSON or HCL: the core
        has letters and digits alone), in base64 at each of the three offsets, in hexadecimal."""
        core = self.core.encode()
        if self.known and self.known[0] == core:
            return self.known[1]
        found = {"as it is": core, "in hexadecimal": core.hex().encode()}
        for offset in range(3):
            text = base64.b64encode(b"\0" * offset + core)
            # The characters at both ends depend on what stands around the core.
            found[f"in base64 ({offset})"] = text[(0, 2, 3)[offset]:].rstrip(b"=")[:-1]
        self.known = core, found
        return found

    def found_in(self, data, lower=None):
        lower = data.lower() if lower is None else lower
        return [form for form, text in self.forms().items() if (text in data if "64" in form else text.lower() in lower)]


def unpacked(data, name):
    """What stands in bytes, and in the archives that they are: [(name, bytes)]."""
    found = [(name, data)]
    if data[:4] == b"PK\x03\x04":
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for member in archive.namelist():
                found += unpacked(archive.read(member), f"{name}!{member}")
    if data[:2] == b"\x1f\x8b":
        found += unpacked(gzip.decompress(data), f"{name}!")
    return found


def leaks(markers, data, name):
    """["name has the secret X in base64"]"""
    data = data if isinstance(data, bytes) else str(data).encode()
    return [f"{inner} has {m.name} {form}" for inner, piece in unpacked(data, name) for lower in [piece.lower()] for m in markers
            for form in m.found_in(piece, lower)]


def leaks_of_files(markers, directory, but=()):
    """Of all files below a directory but those that the test wrote the secrets into."""
    files = [f for f in pathlib.Path(directory).rglob("*") if f.is_file() and not f.is_symlink() and f not in set(but)]
    return [leak for f in files for leak in leaks(markers, f.read_bytes(), str(f.relative_to(directory)))]


# ---- a proxy that asks for a password, and keeps every request that goes through it ----


class Recorded:
    def __init__(self, method, url, headers, body):
        self.method, self.url, self.headers, self.body = method, url, headers, body

    def __repr__(self):
        return f"{self.method} {self.url} {self.headers.get('X-Amz-Target', '')}"

    def parts(self):
        """The request piece by piece: {"url": …, "body": …, "header authorization": …}"""
        return {"url": self.url, "body": self.body, **{f"header {n.lower()}": v for n, v in self.headers.items()}}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1

    def log_message(self, *_):
        pass

    def any(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.requests.append(Recorded(self.command, self.path, dict(self.headers.items()), body))
        given = self.headers.get("Proxy-Authorization", "")
        if self.server.password and given != "Basic " + base64.b64encode(f"user:{self.server.password}".encode()).decode():
            return self.send(407, [("Proxy-Authenticate", 'Basic realm="proxy"')], b"")
        url = urllib.parse.urlsplit(self.path)
        upstream = http.client.HTTPConnection(url.netloc, timeout=60)
        try:
            upstream.request(self.command, url.path + (f"?{url.query}" if url.query else ""), body or None,
                             {n: v for n, v in self.headers.items() if not n.lower().startswith("proxy-") and n.lower() != "connection"})
            answer = upstream.getresponse()
            content = answer.read()
            self.server.answers.append(content)
            return self.send(answer.status, answer.getheaders(), content)
        except OSError:
            return self.send(502, [], b"")
        finally:
            upstream.close()

    def send(self, status, headers, body):
        try:
            self.send_response_only(status)
            for name, value in headers:
                if name.lower() not in ("content-length", "connection", "transfer-encoding"):
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
            self.wfile.flush()
        except OSError:  # the provider was killed
            self.close_connection = True

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = any


class Proxy(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, password=None):
        super().__init__(("127.0.0.1", 0), Handler)
        self.password, self.requests, self.answers = password, [], []
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def url(self):
        login = f"user:{urllib.parse.quote(self.password, safe='')}@" if self.password else ""
        return f"http://{login}127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request, client_address):
        pass

    def issued(self):
        """The secrets that the clouds' token services handed out."""
        return {part.decode() for answer in self.answers for match in ISSUED.findall(answer) for part in match if part}

    def where(self, marker):
        """The places that the secret went to: {"POST http://… CreateSecret: body"}."""
        return {f"{request!r}: {part}" for request in self.requests for part, text in request.parts().items()
                if marker.found_in(text if isinstance(text, bytes) else text.encode())}

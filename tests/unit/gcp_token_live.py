"""Gets tokens over HTTP from servers that check what they are sent, as Google's do.

Usage: gcp_token_live.py PROGRAM   PROGRAM is the built gcp_token_lines.
"""
import http.server
import json
import subprocess
import sys
import tempfile
import threading
import time
from urllib.parse import parse_qs, urlsplit

from google.auth import jwt

from gcp_token_compare import CERTIFICATE, CLEARED, PEM

FUTURE = "2100-01-01T00:00:00Z"


class Server(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    failures = 0

    def answer(self, status, body, headers=()):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in (("Content-Type", "application/json"), ("Content-Length", str(len(data))), *headers):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def token(self, text):
        self.answer(200, {"access_token": text, "expires_in": 3600, "token_type": "Bearer"})

    def do_GET(self):
        url = urlsplit(self.path)
        flavor = [("Metadata-Flavor", "Google")]
        if url.path.startswith("/computeMetadata/v1/"):
            if self.headers["Metadata-Flavor"] != "Google":
                return self.answer(403, b"no flavor")
            scopes = parse_qs(url.query)["scopes"][0].split(",")
            return self.answer(200, {"access_token": f"metadata-{len(scopes)}", "expires_in": 3600}, flavor)
        if url.path == "/oidc" and self.headers["Authorization"] == "Bearer runner":
            return self.answer(200, {"count": 1, "value": "subject." + parse_qs(url.query)["audience"][0]})
        return self.answer(404, b"")

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        path = urlsplit(self.path).path
        if path.startswith("/v1/projects/-/serviceAccounts/"):
            return self.impersonate(path, json.loads(body))
        form = {k: v[0] for k, v in parse_qs(body.decode(), strict_parsing=True).items()}
        if self.headers["Content-Type"] != "application/x-www-form-urlencoded":
            return self.answer(415, b"")
        if path == "/token":
            return self.key(form) if "assertion" in form else self.user(form)
        if path == "/v1/token":
            return self.exchange(form)
        if path == "/html":
            return self.answer(200, b"<html>")
        if path == "/hangs":
            time.sleep(5)
        self.close_connection = True  # and no answer

    def key(self, form):
        try:
            claims = jwt.decode(form["assertion"], certs=CERTIFICATE, audience=f"http://{self.headers['Host']}/token", clock_skew_in_seconds=10)
        except ValueError as error:
            return self.answer(400, {"error": "invalid_grant", "error_description": str(error)})
        return self.token(f"key-{claims['iss']}-{len(claims['scope'].split())}")

    def user(self, form):
        if Server.failures:
            Server.failures -= 1
            return self.answer(503, b"later")
        return self.token("user-" + form["refresh_token"])

    def exchange(self, form):
        good = form["grant_type"] == "urn:ietf:params:oauth:grant-type:token-exchange" and form["subject_token"] == "subject.//iam/x"
        return self.token("federated") if good else self.answer(400, {"error": "invalid_request"})

    def impersonate(self, path, body):
        if not path.endswith("/ci@p.iam.gserviceaccount.com:generateAccessToken"):
            return self.answer(404, {"error": {"status": "NOT_FOUND", "message": "no such account"}})
        if self.headers["Authorization"] != "Bearer federated" or body["lifetime"] != "3600s" or not body["scope"]:
            return self.answer(403, {"error": {"status": "PERMISSION_DENIED", "message": "denied"}})
        return self.answer(200, {"accessToken": "impersonated", "expireTime": FUTURE})

    def log_message(self, *_):
        pass


def cases(host):
    base = f"http://{host}"
    user = {"type": "authorized_user", "client_id": "i", "client_secret": "s", "refresh_token": "1//r+/=", "token_uri": base + "/token"}
    key = {"type": "service_account", "private_key": PEM, "private_key_id": "k", "client_email": "a@p", "token_uri": base + "/token"}
    external = {"type": "external_account", "audience": "//iam/x", "subject_token_type": "urn:ietf:params:oauth:token-type:jwt", "token_url": base + "/v1/token",
                "credential_source": {"url": base + "/oidc?audience=//iam/x", "headers": {"Authorization": "Bearer runner"},
                                      "format": {"type": "json", "subject_token_field_name": "value"}},
                "service_account_impersonation_url": base + "/v1/projects/-/serviceAccounts/ci@p.iam.gserviceaccount.com:generateAccessToken"}
    other = dict(external, service_account_impersonation_url=base + "/v1/projects/-/serviceAccounts/x@p:generateAccessToken")
    quick = {"request_timeout": "1s", "max_retries": 0}
    return [
        ("metadata", {}, {"GCE_METADATA_HOST": host}, "metadata-2", None),
        ("key", {"credentials": json.dumps(key)}, {}, "key-a@p-2", None),
        ("key, the server by another name", {"credentials": json.dumps(dict(key, token_uri=base.replace("127.0.0.1", "localhost") + "/token"))}, {}, "key-a@p-2", None),
        ("user, at the second try", {"credentials": json.dumps(user)}, {}, "user-1//r+/=", None),
        ("user by an endpoint", {"credentials": json.dumps(dict(user, token_uri="https://oauth2.googleapis.com/token")), "endpoints": {"oauth2": base}}, {},
         "user-1//r+/=", None),
        ("GitHub", {"credentials": json.dumps(external)}, {}, "impersonated", None),
        ("GitHub, no such account", {"credentials": json.dumps(other)}, {}, None, "NOT_FOUND: no such account (HTTP status 404)"),
        ("no JSON", {"credentials": json.dumps(dict(user, token_uri=base + "/html"))}, {}, None, "other than a JSON object"),
        ("no answer", {**quick, "credentials": json.dumps(dict(user, token_uri=base + "/closes"))}, {}, None, "gave no answer"),
        ("hangs", {**quick, "credentials": json.dumps(dict(user, token_uri=base + "/hangs"))}, {}, None, "gave no answer"),
        ("nobody there", {**quick, "credentials": json.dumps(dict(user, token_uri="http://127.0.0.1:1/token"))}, {}, None, "gave no answer"),
    ]


def main():
    program = sys.argv[1]
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    Server.failures = 1
    with tempfile.TemporaryDirectory() as folder:
        wanted = cases(f"127.0.0.1:{server.server_port}")
        clear = {name: None for name in CLEARED} | {"HOME": folder}
        lines = "".join(json.dumps({"live": True, "block": block, "env": clear | env}) + "\n" for _, block, env, _, _ in wanted)
        run = subprocess.run([program], input=lines, capture_output=True, text=True, encoding="utf-8", check=False, timeout=120)
    if run.returncode != 0:
        sys.exit(f"{program} ended with status {run.returncode}: {run.stderr}")
    got = [json.loads(line) for line in run.stdout.split("\n") if line]
    bad = [f"{name}: {token} or \"{error}\" was to come, not {mine['token']}, {mine['error']}" for (name, _, _, token, error), mine in zip(wanted, got, strict=True)
           if mine["token"] != token or (error and error not in (mine["error"] or ""))]
    server.shutdown()
    if bad:
        sys.exit("\n".join(bad))
    print(f"{len(wanted)} cases over HTTP")


if __name__ == "__main__":
    main()

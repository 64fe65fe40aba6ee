"""HTTP/2 where a server offers it: a front that speaks nothing else hands everything to the simulator."""
import http.client
import socket
import ssl
import threading
from concurrent.futures import ThreadPoolExecutor

import h2.config
import h2.connection
import h2.events
import pytest

from conftest import gcp_node, node
from test_gcp_life import EXPECTED as GCP_EXPECTED
from test_gcp_life import made
from test_life import EXPECTED, kinds
from test_transport import Authority


class Connection:
    """One client's connection; its streams are answered by a pool."""

    def __init__(self, front, stream):
        self.front, self.socket, self.lock = front, stream, threading.Lock()
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding="utf-8"))
        self.requests, self.windows = {}, threading.Condition(self.lock)

    def flush(self):
        data = self.h2.data_to_send()
        if data:
            self.socket.sendall(data)

    def serve(self):
        with self.lock:
            self.h2.initiate_connection()
            self.flush()
        while data := self.socket.recv(65536):
            with self.lock:
                for event in self.h2.receive_data(data):
                    self.take(event)
                self.flush()
                self.windows.notify_all()

    def take(self, event):
        if isinstance(event, h2.events.RequestReceived):
            self.requests[event.stream_id] = (dict(event.headers), bytearray())
        elif isinstance(event, h2.events.DataReceived):
            self.requests[event.stream_id][1].extend(event.data)
            self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, h2.events.StreamEnded):
            self.front.streams += 1
            self.front.pool.submit(self.answer, event.stream_id, *self.requests.pop(event.stream_id))

    def answer(self, stream, headers, body):
        upstream = http.client.HTTPConnection("127.0.0.1", self.front.port)
        plain = {k: v for k, v in headers.items() if not k.startswith(":")}
        upstream.request(headers[":method"], headers[":path"], bytes(body), {**plain, "host": headers[":authority"]})
        answer = upstream.getresponse()
        content = answer.read()
        kept = [(k.lower(), v) for k, v in answer.getheaders() if k.lower() not in ("connection", "transfer-encoding", "keep-alive")]
        with self.lock:
            self.h2.send_headers(stream, [(":status", str(answer.status)), *kept])
            while content:
                room = min(self.h2.local_flow_control_window(stream), self.h2.max_outbound_frame_size)
                if not room:
                    self.flush()
                    self.windows.wait(5)
                    continue
                self.h2.send_data(stream, content[:room])
                content = content[room:]
            self.h2.end_stream(stream)
            self.flush()


class Front:
    def __init__(self, directory, port):
        self.port, self.authority, self.pool = port, Authority(directory), ThreadPoolExecutor(16)
        self.connections = self.streams = 0
        context = self.authority.context("127.0.0.1")
        context.set_alpn_protocols(["h2"])
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.endpoint = f"https://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self.accept, args=(context,), daemon=True).start()

    def accept(self, context):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(context, client), daemon=True).start()

    def serve(self, context, client):
        try:
            with context.wrap_socket(client, server_side=True) as stream:
                assert stream.selected_alpn_protocol() == "h2"
                self.connections += 1
                Connection(self, stream).serve()
        except (OSError, ssl.SSLError):
            pass


@pytest.fixture
def front(tmp_path):
    made = []

    def make(port):
        directory = tmp_path / "tls"
        directory.mkdir()
        made.append(Front(directory, port))
        return made[0]
    yield make
    made[0].listener.close()


def test_aws(one_core, sim, cloud, front):
    f = front(sim.port)
    one_core.env.update(AWS_ENDPOINT_URL=f.endpoint, AWS_CA_BUNDLE=str(f.authority.bundle))
    one_core.write(node())
    one_core.apply_ok()
    assert kinds(cloud) == EXPECTED
    assert f.streams > 50
    assert f.connections < f.streams / 2, "streams share connections"
    one_core.no_difference()


def test_gcp(gcp_one_core, gcp_sim, gcp_cloud, front):
    f = front(gcp_sim.port)
    for name, value in list(gcp_one_core.env.items()):
        if name.endswith("_CUSTOM_ENDPOINT"):
            gcp_one_core.env[name] = value.replace(gcp_sim.endpoint, f.endpoint)
    gcp_one_core.env["SSL_CERT_FILE"] = str(f.authority.bundle)
    gcp_one_core.write(gcp_node())
    gcp_one_core.apply_ok()
    assert made(gcp_cloud) == GCP_EXPECTED
    assert f.streams > 40 and f.connections < f.streams / 2, "streams share connections"
    gcp_one_core.no_difference()

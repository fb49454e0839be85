"""A server that updates are fetched from, over HTTPS, which breaks off, changes its mind, or leads elsewhere."""

from __future__ import annotations

import contextlib
import ssl
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

CONTENT = bytes(range(256)) * 4096


class Server(ThreadingHTTPServer):
    """Serves one file; ``ends`` after so many octets of it, to begin with."""

    daemon_threads = True
    content = CONTENT
    tag = '"one"'
    ends = None
    says_length = True
    leads_to = None

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked = []


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        server, asked = self.server, self.headers
        server.asked.append((self.path, asked.get("Range"), asked.get("If-None-Match")))
        if server.leads_to:
            self.send_response(302)
            self.send_header("Location", server.leads_to)
            self.end_headers()
            return
        if asked.get("If-None-Match") == server.tag:
            self.send_response(304)
            self.end_headers()
            return
        begin = 0
        if asked.get("Range") and asked.get("If-Range") == server.tag:
            begin = int(asked["Range"].removeprefix("bytes=").rstrip("-"))
        self.send_response(206 if begin else 200)
        self.send_header("ETag", server.tag)
        if server.says_length:
            self.send_header("Content-Length", str(len(server.content) - begin))
        self.end_headers()
        with contextlib.suppress(OSError):
            self.wfile.write(server.content[begin : server.ends])

    def log_message(self, *_):
        pass


def make_certificate(folder: Path) -> Path:
    """Make a key and a certificate for localhost, and return their folder."""
    words = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30"]
    words += ["-subj", "/CN=localhost"]
    words += ["-addext", "subjectAltName=DNS:localhost", "-keyout", folder / "key.pem", "-out", folder / "cert.pem"]
    subprocess.run(["openssl", *words], check=True, capture_output=True)
    return folder


@contextlib.contextmanager
def bundle_server(certificate: Path) -> Iterator[Server]:
    """Serve inside the block."""
    made = Server()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")
    made.socket = context.wrap_socket(made.socket, server_side=True)
    thread = threading.Thread(target=made.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield made
    finally:
        made.shutdown()
        thread.join()
        made.server_close()

"""A codec server that encrypts: CODEC_KEY=... CODEC_TOKEN=... python3 encrypting_codec_server.py PORT

Its cipher needs no packages but is a toy. Use an authenticated one such as AES-GCM, and keys of your key management.
"""

import base64
import hashlib
import json
import os
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ENCRYPTED = base64.b64encode(b"binary/encrypted").decode()


def cipher(nonce: bytes, data: bytes) -> bytes:
    stream = hashlib.shake_256(os.environ["CODEC_KEY"].encode() + nonce).digest(len(data))
    return (int.from_bytes(data, "big") ^ int.from_bytes(stream, "big")).to_bytes(len(data), "big")


def encode(payload: dict) -> dict:
    nonce = os.urandom(16)
    data = nonce + cipher(nonce, json.dumps(payload).encode())
    return {"metadata": {"encoding": ENCRYPTED}, "data": base64.b64encode(data).decode()}


def decode(payload: dict) -> dict:
    if payload.get("metadata", {}).get("encoding") != ENCRYPTED:
        return payload  # not from this codec: leave it as it is
    data = base64.b64decode(payload["data"])
    return json.loads(cipher(data[:16], data[16:]))


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        work = {"encode": encode, "decode": decode}.get(self.path.rsplit("/")[-1])
        if self.headers["Authorization"] != "Bearer " + os.environ["CODEC_TOKEN"]:
            self.answer(401, "text/plain", b"a valid token is required\n")
        elif work is None:
            self.answer(404, "text/plain", b"unknown path\n")
        else:
            payloads = [work(payload) for payload in json.loads(body)["payloads"]]
            self.answer(200, "application/json", json.dumps({"payloads": payloads}).encode())

    def answer(self, status: int, content_type: str, body: bytes):
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()

#!/usr/bin/python3
"""A key service for the checker "http" of s3gate, to begin with: docs/authentication.md.

    KEY_SERVICE_TOKEN=... python3 key-service.py PORT <users.json

where users.json is {"ACCESS KEY": {"secret_key": "...", "identity": {"id": "..."}}, ...}.
"""

import hashlib
import hmac
import json
import os
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def signing_key(secret_key: str, date: str, region: str, service: str) -> str:
    """What version 4 signs with on that day, in that region, for that service."""
    key = b"AWS4" + secret_key.encode()
    for part in (date, region, service, "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return key.hex()


def answer(users: dict, token: str, authorization: str, body: bytes) -> tuple[int, dict]:
    """Status and content of an answer."""
    if not hmac.compare_digest(authorization.encode(), f"Bearer {token}".encode()):
        return 401, {}
    asked = json.loads(body)
    user = users.get(asked["access_key"])
    if user is None:
        return 404, {}
    key = signing_key(user["secret_key"], asked["date"], asked["region"], asked["service"])
    return 200, {"signing_key": key, "identity": user["identity"], "expires_in": 60}


class Handler(BaseHTTPRequestHandler):
    """Answers POST."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Read a question, write the answer."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        status, content = answer(
            self.server.users, self.server.token, self.headers.get("Authorization", ""), body
        )
        data = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler)
    server.users, server.token = json.load(sys.stdin), os.environ["KEY_SERVICE_TOKEN"]
    server.serve_forever()

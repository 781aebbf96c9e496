"""Servers to measure: started on loopback, told when ready, stopped by their own pid."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

TICK = os.sysconf("SC_CLK_TCK")

NGINX = """
daemon off; worker_processes {workers}; pid {tmp}/nginx.pid; error_log {tmp}/error.log;
events {{ worker_connections 1024; }}
http {{
  access_log {tmp}/access.log; sendfile on; tcp_nopush on; keepalive_requests 1000000000;
  client_body_temp_path {tmp}/b; proxy_temp_path {tmp}/p; fastcgi_temp_path {tmp}/f;
  uwsgi_temp_path {tmp}/u; scgi_temp_path {tmp}/s;
  server {{ listen 127.0.0.1:{port} backlog=1024{ssl}; root {root}; {more} }}
}}
"""

#: What nginx needs to speak the same TLS as the gateway: no resumption, the same ciphers.
NGINX_TLS = """
  ssl_certificate {tmp}/tls.pem; ssl_certificate_key {tmp}/tls.key;
  ssl_protocols TLSv1.2 TLSv1.3; ssl_ciphers ECDHE+AESGCM:ECDHE+CHACHA20;
  ssl_session_tickets off; ssl_session_cache off;
"""


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


class Server:
    """One server process and what it costs.

    :ivar signed: the server wants an Authorization header.
    """

    def __init__(self, name: str, port: int, command: list[str], log: Path, signed: bool) -> None:
        self.name = name
        self.port = port
        self.signed = signed
        self._log = log.open("wb")
        self._process = subprocess.Popen(command, stdout=self._log, stderr=self._log)
        self.pid = self._process.pid
        deadline = time.monotonic() + 20
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                return
            except OSError:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"{name} did not start:\n{log.read_text()}") from None
                time.sleep(0.05)

    def connect(self) -> socket.socket:
        """A blocking connection to it."""
        sock = socket.create_connection(("127.0.0.1", self.port))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock

    def cpu(self) -> float:
        """Seconds of CPU that the process and its children have used."""
        return sum(_cpu(pid) for pid in _family(self.pid))

    def memory(self) -> int:
        """MiB of proportional memory of the process and its children."""
        total = 0
        for pid in _family(self.pid):
            for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1])
        return total // 1024

    def stop(self) -> None:
        """End it and wait."""
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(30)
        self._log.close()


def _family(pid: int) -> list[int]:
    found, todo = [], [pid]
    while todo:
        one = todo.pop()
        found.append(one)
        for task in Path(f"/proc/{one}/task").glob("*/children"):
            todo += [int(child) for child in task.read_text().split()]
    return found


def _cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def certificate(tmp: Path) -> None:
    """A key and a certificate in ``tmp``, for :func:`gateway` and :func:`nginx` with TLS."""
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
               "-nodes", "-days", "2", "-subj", "/CN=localhost", "-keyout", str(tmp / "tls.key"),
               "-out", str(tmp / "tls.pem")]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True)
    (tmp / "tls.key").chmod(0o600)


def gateway(root: Path, tmp: Path, *options: str, tls: bool = False, workers: int = 1) -> Server:
    """The gateway of this checkout over ``root``; in mode simple unless told."""
    twistd = shutil.which("twistd", path=str(Path(sys.executable).parent)) or "twistd"
    port = free_port()
    kind = f"ssl:privateKey={tmp}/tls.key:certKey={tmp}/tls.pem" if tls else "tcp"
    command = [
        twistd, "--nodaemon", "--pidfile=", "s3gate", "--root", str(root),
        "--listen", f"{kind}:port={port}:interface=127.0.0.1:backlog=1024",
        "--workers", str(workers), *(options or ("--auth", "simple")),
    ]  # fmt: skip
    name = "s3gate-tls" if tls else "s3gate"
    return Server(name, port, command, tmp / f"{name}.log", signed=True)


def nginx(root: Path, tmp: Path, *, tls: bool = False, workers: int = 1) -> Server | None:
    """nginx over the same files: the practical limit.  None where it is missing."""
    binary = shutil.which("nginx") or shutil.which("/usr/sbin/nginx")
    if binary is None:
        return None
    port = free_port()
    tmp.chmod(0o755)
    name = "nginx-tls" if tls else "nginx"
    conf = tmp / f"{name}.conf"
    user = "user root;" if os.getuid() == 0 else ""
    more = NGINX_TLS.format(tmp=tmp) if tls else ""
    ssl = " ssl" if tls else ""
    conf.write_text(
        user + NGINX.format(tmp=tmp, port=port, root=root, ssl=ssl, more=more, workers=workers)
    )
    command = [binary, "-c", str(conf), "-p", str(tmp)]
    return Server(name, port, command, tmp / f"{name}.log", signed=False)

"""Real servers as origins: nginx, Apache httpd and an S3-compatible store, with the same files."""

from __future__ import annotations

import http.client
import mimetypes
import os
import shutil
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from abc import ABC, abstractmethod
from pathlib import Path
from urllib.parse import urlsplit

from headrace.upstream.signing import Credentials
from headrace.upstream.signing import _with_signature as with_signature
from tests.harness.edge import free_port
from tests.harness.polling import eventually

RATE_KB = 300
LAB = Path("src/headrace/lab")
PLAYERS = Path(__file__).parent / "players"
KEYS = Credentials("tester", "a-secret-for-tests-only", "us-east-1")


def make_service(directory: Path) -> Path:
    """The sample and a page that plays it, as one tree of files."""
    root = directory / "root"
    shutil.copytree(PLAYERS, root)
    shutil.copytree(LAB / "media", root / "media")
    (root / "media").chmod(0o755)
    return root


class Server(ABC):
    """One origin process on a port of its own. `kill` is SIGKILL to all of it."""

    name: str

    def __init__(self, directory: Path, root: Path) -> None:
        self.directory = directory / self.name
        self.directory.mkdir()
        self.root = root
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None

    @abstractmethod
    def command(self) -> list[str]:
        """How it is started, in the foreground."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        with (self.directory / "output.log").open("ab") as output:
            self.process = subprocess.Popen(
                self.command(), stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                start_new_session=True,
            )  # fmt: skip
        eventually(self._listens, f"{self.name} listens", 30)
        self.filled()

    def filled(self) -> None:  # noqa: B027 (most have nothing to do)
        """What is to be done at each start."""

    def kill(self) -> None:
        if self.process is not None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(10)
            self.process = None

    def _listens(self) -> bool:
        with socket.socket() as sock:
            return sock.connect_ex(("127.0.0.1", self.port)) == 0


class Nginx(Server):
    """nginx, slow enough that responses are under way when it is killed."""

    name = "nginx"

    def command(self) -> list[str]:
        config = self.directory / "nginx.conf"
        config.write_text(
            f"daemon off; pid {self.directory}/pid; error_log {self.directory}/error.log;\n"
            "worker_processes 1; events {}\n"
            f"http {{ include /etc/nginx/mime.types; access_log off;\n"
            f" client_body_temp_path {self.directory}/t1; proxy_temp_path {self.directory}/t2;\n"
            f" fastcgi_temp_path {self.directory}/t3; uwsgi_temp_path {self.directory}/t4;\n"
            f" scgi_temp_path {self.directory}/t5;\n"
            f" server {{ listen 127.0.0.1:{self.port}; root {self.root};\n"
            f" limit_rate {RATE_KB}k; }} }}\n"
        )
        return ["nginx", "-c", str(config), "-p", str(self.directory)]


class Httpd(Server):
    """Apache httpd, as slow."""

    name = "httpd"

    def command(self) -> list[str]:
        modules = Path("/usr/lib/apache2/modules")
        loaded = "".join(
            f"LoadModule {name}_module {modules}/mod_{name}.so\n"
            for name in ("mpm_event", "authz_core", "mime", "dir", "ratelimit", "env")
        )
        config = self.directory / "httpd.conf"
        config.write_text(
            f"{loaded}ServerName localhost\nListen 127.0.0.1:{self.port}\n"
            f"PidFile {self.directory}/pid\nErrorLog {self.directory}/error.log\n"
            f"DocumentRoot {self.root}\nTypesConfig /etc/mime.types\n"
            f"<Directory {self.root}>\nRequire all granted\nSetOutputFilter RATE_LIMIT\n"
            f"SetEnv rate-limit {RATE_KB}\n</Directory>\n"
        )
        return ["apache2", "-X", "-f", str(config), "-d", str(self.directory)]


class Store(Server):
    """An S3-compatible store (moto), which refuses requests that are not signed."""

    name = "s3"

    def command(self) -> list[str]:
        return [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self.port)]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/vod"

    def filled(self) -> None:
        self._put("/vod", b"")
        for path in sorted(self.root.rglob("*")):
            if path.is_file():
                self._put(f"/vod/{path.relative_to(self.root)}", path.read_bytes(), path)

    def _put(self, target: str, body: bytes, path: Path | None = None) -> None:
        fields = [(b"host", f"127.0.0.1:{self.port}".encode())]
        signed_fields = with_signature(KEYS, b"PUT", target.encode(), fields, 0.0)
        headers = {name.decode(): value.decode() for name, value in signed_fields}
        kind = mimetypes.guess_type(path)[0] if path is not None else None
        headers["Content-Type"] = kind or "application/octet-stream"
        admin = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        admin.request("PUT", target, body, headers)
        assert admin.getresponse().status == 200
        admin.close()


def refuses_strangers(server: Store) -> bool:
    """Whether the store turns away a request without a signature."""
    parts = urlsplit(server.url)
    try:
        with urllib.request.urlopen(f"http://{parts.netloc}/vod/media/master.m3u8"):
            return False
    except urllib.error.HTTPError as error:
        return error.code == 403

"""Podman on a Debian machine where no Docker engine runs, with a base image made of Debian's own packages.

What it downloads and builds once lies in the user's cache folder, beside the jars of the tests' OpenSearch.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
TOOLS = ROOT / ".venv" / "containers" / "bin"
BASE = "docker.io/library/python:3.11-slim"
IMAGE = "localhost/llmops-api:test"
PACKAGES = {
    "podman": "podman",
    "runc": "runc",
    "debootstrap": "debootstrap",
    "iptables": "iptables",
    "docker-registry": "docker-registry",
    "docker-compose": "docker-compose",
    "/usr/lib/podman/netavark": "netavark",
    "/usr/lib/podman/aardvark-dns": "aardvark-dns",
}
"""A program of each package of Debian that is needed."""

CONTAINERS_CONF = """\
[containers]
default_ulimits = ["nofile=4096:4096", "nproc=1024:1024"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
[network]
network_backend = "netavark"
"""

# The slim image of Docker Hub has these left out too.
NOT_IN_BASE = ["./proc/*", "./sys/*", "./dev/*", "./var/lib/apt/lists/*", "./var/cache/apt/*", "./var/log/*"]
NOT_IN_BASE += ["./usr/share/doc/*", "./usr/share/man/*", "./usr/share/locale/*"]

BASE_DOCKERFILE = """\
FROM scratch
ADD rootfs.tar /
COPY ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY pip.conf /etc/pip.conf
ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8
CMD ["python3"]
"""


class Engine:
    """The commands of one container store; `folder` holds it, and stays."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {
            **os.environ,
            "BUILDAH_FORMAT": "docker",  # the other format knows no health check
            "BUILDAH_ISOLATION": "chroot",
            "BUILDAH_LAYERS": "false",
            "CONTAINERS_CONF": str(folder / "containers.conf"),
            "CONTAINERS_STORAGE_CONF": str(folder / "storage.conf"),
            "CONTAINERS_REGISTRIES_CONF": str(folder / "registries.conf"),
            "REGISTRY_AUTH_FILE": str(folder / "auth.json"),
            "PATH": f"{Path(__file__).parent / 'stand-ins'}:{TOOLS}:{os.environ['PATH']}",
        }

    def prepare(self) -> None:
        """Install, configure, and make the base image, as far as that is not done yet."""
        if os.geteuid() != 0:
            sys.exit("make image-test builds containers without an engine, and so needs to be root (on Debian)")
        missing = [package for program, package in PACKAGES.items() if shutil.which(program) is None]
        if missing:
            noninteractive = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
            subprocess.run(["apt-get", "update", "-qq"], check=True, stdout=sys.stderr)
            install = ["apt-get", "install", "--yes", "-qq", "--no-install-recommends", *missing]
            subprocess.run(install, check=True, env=noninteractive, stdout=sys.stderr)
        self.folder.mkdir(parents=True, exist_ok=True)
        self._write("containers.conf", CONTAINERS_CONF)
        self._write("registries.conf", 'unqualified-search-registries = ["docker.io"]\n')
        self._write("auth.json", "{}")
        store = f'[storage]\ndriver = "vfs"\ngraphroot = "{self.folder}/store"\nrunroot = "{self.folder}/run"\n'
        self._write("storage.conf", store)
        if self.podman("image", "exists", BASE, check=False).returncode:
            self._make_base()

    def _make_base(self) -> None:
        root, context = self.folder / "rootfs", self.folder / "base"
        shutil.rmtree(root, ignore_errors=True)
        context.mkdir(exist_ok=True)
        packages = "--include=python3,python3-venv,python3-pip,ca-certificates"
        subprocess.run(
            ["debootstrap", "--variant=minbase", packages, "bookworm", str(root)], check=True, stdout=sys.stderr
        )
        (root / "usr/lib/python3.11/EXTERNALLY-MANAGED").unlink(missing_ok=True)
        (root / "usr/bin/python").symlink_to("python3")
        excluded = [f"--exclude={pattern}" for pattern in NOT_IN_BASE]
        subprocess.run(["tar", "-C", str(root), *excluded, "-cf", str(context / "rootfs.tar"), "."], check=True)
        certificates = "/etc/ssl/certs/ca-certificates.crt"
        shutil.copy(certificates, context)
        (context / "pip.conf").write_text(f"[global]\ncert = {certificates}\n")
        (context / "Dockerfile").write_text(BASE_DOCKERFILE)
        self.podman("build", "--tag", BASE, str(context))
        shutil.rmtree(root)
        (context / "rootfs.tar").unlink()

    def _write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text)

    def run(self, *command: str, check: bool = True, **more: Any) -> "subprocess.CompletedProcess[str]":
        """What it printed, whichever way it ended; with `check`, an `AssertionError` with that when it failed."""
        env = {**self.environment, **more.pop("env", {})}
        more = {"cwd": ROOT, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, **more}
        done: subprocess.CompletedProcess[str] = subprocess.run(command, env=env, check=False, **more)
        assert not check or done.returncode == 0, f"{' '.join(command)}\n{done.stdout or ''}\n{done.stderr or ''}"
        return done

    def podman(self, *arguments: str, check: bool = True, **more: Any) -> "subprocess.CompletedProcess[str]":
        return self.run("podman", *arguments, check=check, **more)

    def inspect(self, kind: str, name: str) -> Any:
        """What the engine knows about an `image` or a `container`."""
        return json.loads(self.podman(kind, "inspect", name).stdout)[0]

    def is_healthy(self, container: str) -> bool:
        """Ask now: where no systemd runs, nobody asks by the clock."""
        return self.podman("healthcheck", "run", container, check=False).returncode == 0

    def wait_healthy(self, container: str, seconds: float = 60) -> None:
        until = time.monotonic() + seconds
        while not self.is_healthy(container):
            assert time.monotonic() < until, self.logs(container)
            time.sleep(0.1)

    def logs(self, container: str) -> str:
        done = self.podman("logs", container, check=False)
        return done.stdout + done.stderr


def cache_folder() -> Path:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "llmops-api-tests" / "containers"

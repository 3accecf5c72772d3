"""Installs each SDK into build/clients, once, and says how its adapter is started."""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from support import golang

ROOT = Path(__file__).resolve().parents[3]
SOURCES = ROOT / "tests/clients"
BUILD = ROOT / "build/clients"


def _run(command, cwd, env=None):
    done = subprocess.run(command, cwd=cwd, env=env, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode:
        raise RuntimeError(f"{' '.join(map(str, command))} failed:\n{done.stdout[-4000:]}")


def _once(name, inputs, install):
    """Calls install(folder) unless it succeeded before with the same inputs."""
    folder = BUILD / name
    digest = hashlib.sha256()
    for path in sorted(inputs):
        digest.update(path.read_bytes())
    stamp = folder / "installed"
    if not (stamp.exists() and stamp.read_text() == digest.hexdigest()):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        install(folder)
        stamp.write_text(digest.hexdigest())
    return folder


def _java_home(folder):
    sources = SOURCES / "java"

    def install(to):
        build = ["mvn", "-q", "-B", f"-Dmuster.build={to}", "process-classes"]
        try:
            _run([*build, "-o"], sources)  # everything may be in the local cache
        except RuntimeError:
            _run(build, sources)

    return _once(folder, [*sources.rglob("*.xml"), *sources.rglob("*.java")], install)


def _java(line):
    home = _java_home("java") / f"nacos{line}"

    def command(workdir):
        return ["java", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
                f"-Duser.home={workdir}", "-cp", f"{home}/classes:{home}/lib/*",
                "muster.clients.Adapter"]
    return command


def _go():
    sources = SOURCES / "go"
    folder = _once("go", [sources / "main.go", sources / "go.mod", sources / "go.sum"],
                   lambda to: _run([golang.program(), "build", "-o", to / "adapter", "."],
                                    sources))
    return lambda workdir: [str(folder / "adapter")]


def _python(flavour):
    sources = SOURCES / f"python_{flavour}"
    requirements = sources / "requirements.txt"

    def install(to):
        _run([sys.executable, "-m", "venv", to / "venv"], to)
        _run([to / "venv/bin/pip", "install", "-q", "--no-deps", "-r", requirements], to)

    folder = _once(f"python_{flavour}", [requirements], install)
    return lambda workdir: [str(folder / "venv/bin/python"), str(sources / "adapter.py")]


def _node():
    sources = SOURCES / "node"
    inputs = [sources / "package.json", sources / "package-lock.json"]

    def install(to):
        for each in inputs:
            shutil.copy(each, to)
        _run(["npm", "ci", "--no-audit", "--no-fund"], to)

    folder = _once("node", inputs, install)
    os.environ["NODE_PATH"] = str(folder / "node_modules")
    return lambda workdir: ["node", str(sources / "adapter.js")]


INSTALLERS = {
    "java3": lambda: _java(3),
    "java2": lambda: _java(2),
    "go": _go,
    "python-grpc": lambda: _python("grpc"),
    "python-http": lambda: _python("http"),
    "node": _node,
}

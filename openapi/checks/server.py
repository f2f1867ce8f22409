"""A server to try, on a data directory of its own, whose builds cost nothing; and where the tools are."""

import json
import os
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
CHECKS = Path(__file__).parent
DOCUMENT = ROOT / "openapi" / "openapi.json"
TOOLS = Path(os.environ["BUILDWRIGHT_CONTRACT_TOOLS"])
LOGS = Path(os.environ["BUILDWRIGHT_CONTRACT_LOGS"])
BINARY = Path(os.environ["BUILDWRIGHT_TEST_BINARY"])


def run(*command, cwd=ROOT, **environment):
    """Runs a command to its end; what it says stands in the log of the step."""
    command = [str(part) for part in command]
    print("$", *command, flush=True)
    return subprocess.run(command, cwd=cwd, env=os.environ | environment, stdin=subprocess.DEVNULL).returncode


class Server:
    """`buildwright up` with the scripted executor."""

    def __enter__(self):
        self._data = tempfile.TemporaryDirectory(prefix="buildwright-contract-")
        self._log = open(LOGS / "contract-server.log", "wb")
        data = Path(self._data.name)
        command = [BINARY, "up", "--executor", "scripted", "--listen", "127.0.0.1:0", "--slots", "2"]
        self._process = subprocess.Popen(
            [*command, "--data-dir", data], stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log
        )
        try:
            self.url = self._address(data / "server.json")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self._process.terminate()
        try:
            self._process.wait(60)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()
        self._data.cleanup()

    def _address(self, announced):
        until = time.monotonic() + 60
        while time.monotonic() < until:
            if self._process.poll() is not None:
                break
            if announced.exists():
                return "http://" + json.loads(announced.read_text())["address"]
            time.sleep(0.05)
        raise AssertionError("the server did not start: " + (LOGS / "contract-server.log").read_text())

    def lives(self):
        return self._process.poll() is None

    def get(self, path):
        with urllib.request.urlopen(self.url + path, timeout=90) as answer:
            return json.load(answer)

    def finished_build(self):
        """Submits a build, waits for its end and answers what became of it."""
        order = json.dumps({"prompt": "A to-do list for the shell"}).encode()
        request = urllib.request.Request(
            self.url + "/v1/builds", data=order, headers={"content-type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            id = json.load(answer)["id"]
        until = time.monotonic() + 180
        while time.monotonic() < until:
            build = self.get(f"/v1/builds/{id}?wait=60s")
            if build["status"] in ("completed", "failed", "cancelled"):
                return build
        raise AssertionError(f"the build goes on and on: {build}")

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
    """`buildwright up` with the scripted executor. It lets nobody in without a key, and there is one."""

    def __enter__(self):
        self._data = tempfile.TemporaryDirectory(prefix="buildwright-contract-")
        self._log = open(LOGS / "contract-server.log", "wb")
        data = Path(self._data.name)
        # Whoever checks that a key is needed asks often without one.
        settings = data / "settings.toml"
        settings.write_text("[api]\nfailures_per_minute = 0\n")
        command = [
            BINARY, "up", "--executor", "scripted", "--listen", "127.0.0.1:0", "--slots", "2", "--require-keys",
            "--config", settings,
        ]
        self._process = subprocess.Popen(
            [*command, "--data-dir", data], stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log
        )
        try:
            self.url = self._address(data / "server.json")
            self.key = self._new_key(data)
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

    def _new_key(self, data):
        command = [BINARY, "keys", "create", "--name", "contract", "--scope", "admin", "--output", "json"]
        made = subprocess.run(
            command, env=os.environ | {"BUILDWRIGHT_DATA_DIR": str(data)}, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=self._log, check=True, timeout=60,
        )
        return json.loads(made.stdout)["key"]

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
        return self._ask(urllib.request.Request(self.url + path))

    def _ask(self, request):
        request.add_header("authorization", f"Bearer {self.key}")
        with urllib.request.urlopen(request, timeout=90) as answer:
            return json.load(answer)

    def finished_build(self):
        """Submits a build, waits for its end and answers what became of it."""
        order = json.dumps({"prompt": "A to-do list for the shell"}).encode()
        request = urllib.request.Request(
            self.url + "/v1/builds", data=order, headers={"content-type": "application/json"}
        )
        id = self._ask(request)["id"]
        until = time.monotonic() + 180
        while time.monotonic() < until:
            build = self.get(f"/v1/builds/{id}?wait=60s")
            if build["status"] in ("completed", "failed", "cancelled"):
                return build
        raise AssertionError(f"the build goes on and on: {build}")

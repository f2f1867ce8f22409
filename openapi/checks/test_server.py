"""A running server, tried against its own description by schemathesis."""

import os
import shutil
import unittest

from server import CHECKS, LOGS, TOOLS, Server, run

# Test cases for each operation and phase. More find more: BUILDWRIGHT_CONTRACT_EXAMPLES=1000 is an hour well spent.
EXAMPLES = os.environ.get("BUILDWRIGHT_CONTRACT_EXAMPLES", "40")


class Conformance(unittest.TestCase):
    def test_the_server_does_what_its_description_says(self):
        report = LOGS / "contract-schemathesis.xml"
        report.unlink(missing_ok=True)
        with Server() as server:
            build = server.finished_build()
            self.assertEqual(build["status"], "completed", build)
            tasks = server.get(f"/v1/builds/{build['id']}/tasks")["tasks"]
            # Settings are looked for in the folder where it runs; everything else that it writes stays there.
            folder = LOGS / "contract-schemathesis"
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            for name in ("schemathesis.toml", "hooks.py"):
                shutil.copy(CHECKS / name, folder)
            said = run(
                TOOLS / "python" / "bin" / "schemathesis", "run", f"{server.url}/openapi.json", "--no-color",
                "--checks", "all", "--phases", "examples,coverage,fuzzing,stateful", "--mode", "all",
                "--generation-deterministic", "--max-examples", EXAMPLES, "--wait-for-schema", "30",
                "--request-timeout", "30", "--report", "junit", "--report-junit-path", report,
                cwd=folder, CONTRACT_BUILD=build["id"], CONTRACT_TASK=tasks[0]["id"], SCHEMATHESIS_HOOKS="hooks",
                PYTHONPATH=str(folder),
            )
            self.assertTrue(server.lives(), "the server ended")
        self.assertTrue(report.exists(), "there is no report")
        self.assertEqual(said, 0, "what schemathesis found stands above")


if __name__ == "__main__":
    unittest.main()

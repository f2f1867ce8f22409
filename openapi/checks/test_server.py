"""A running server, tried against its own description by schemathesis."""

import os
import shutil
import unittest

from server import CHECKS, LOGS, TOOLS, Server, run

# Test cases for each operation and phase. More find more, and take longer.
EXAMPLES = os.environ.get("BUILDWRIGHT_CONTRACT_EXAMPLES", "30")


class Conformance(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server().__enter__()
        cls.addClassCleanup(cls.server.__exit__)
        cls.build = cls.server.finished_build()
        cls.tasks = cls.server.get(f"/v1/builds/{cls.build['id']}/tasks")["tasks"]

    def try_out(self, name, settings, *options):
        """Tries the server with these settings; everything that is written stays in a folder of its own."""
        folder = LOGS / f"contract-{name}"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        for file in (settings, "hooks.py"):
            shutil.copy(CHECKS / file, folder)
        report = LOGS / f"contract-{name}.xml"
        report.unlink(missing_ok=True)
        # All checks are on unless the settings say otherwise; `--checks all` would overrule those.
        said = run(
            TOOLS / "python" / "bin" / "schemathesis", "--config-file", settings,
            "run", f"{self.server.url}/openapi.json", "--no-color", "--mode", "all", "--generation-deterministic",
            "--max-examples", EXAMPLES, "--wait-for-schema", "30", "--request-timeout", "60",
            "--report", "junit", "--report-junit-path", report, *options,
            cwd=folder, CONTRACT_BUILD=self.build["id"], CONTRACT_TASK=self.tasks[0]["id"],
            CONTRACT_KEY=self.server.key, SCHEMATHESIS_HOOKS="hooks", PYTHONPATH=str(folder),
        )
        self.assertTrue(self.server.lives(), "the server ended")
        self.assertTrue(report.exists(), "there is no report")
        self.assertEqual(said, 0, "what schemathesis found stands above")

    def test_a_build_completes_so_that_there_is_something_to_read(self):
        self.assertEqual(self.build["status"], "completed", self.build)

    def test_the_server_does_what_its_description_says(self):
        self.try_out("schemathesis", "schemathesis.toml", "--phases", "examples,coverage,fuzzing,stateful")

    def test_streams_are_what_the_description_says(self):
        # Without this header, all that can be a stream is answered in JSON.
        self.try_out(
            "streams", "streams.toml", "--phases", "examples,coverage,fuzzing",
            "--header", "Accept: text/event-stream", "--include-operation-id-regex", "(Events|Output)$",
        )


if __name__ == "__main__":
    unittest.main()

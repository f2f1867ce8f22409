"""The Dockerfile passes hadolint, and its two images are what the compose file and the chart expect."""

import os
import re
import shutil
import subprocess
import unittest
from pathlib import Path

import chart
import compose
import helm_python

ROOT = Path(__file__).parent.parent.parent
FILE = ROOT / "deploy" / "Dockerfile"


def stages():
    """The instructions of each stage, by its name, those of the stages it starts from first."""
    found = {}
    name = None
    for line in FILE.read_text().replace("\\\n", " ").splitlines():
        if start := re.match(r"FROM (\S+) AS (\S+)", line):
            base, name = start.groups()
            found[name] = list(found.get(base, []))
        elif name and line and not line.startswith("#"):
            found[name].append(" ".join(line.split()))
    return found


class Images(unittest.TestCase):
    def test_hadolint_finds_nothing(self):
        hadolint = Path(helm_python.__file__).parent.parent / "bin" / "hadolint"
        answer = subprocess.run(
            [shutil.which("hadolint") or os.fspath(hadolint), os.fspath(FILE)], capture_output=True, text=True
        )
        self.assertEqual((answer.returncode, answer.stdout + answer.stderr), (0, ""))

    def test_both_run_as_the_user_that_the_deployments_name(self):
        user = compose.read(POSTGRES_PASSWORD="secret")["services"]["api"]["user"]
        for target in ("server", "executor"):
            users = [line for line in stages()[target] if line.startswith("USER ")]
            self.assertEqual(users, [f"USER {user}"], target)
        for deployment in chart.render(chart.examples()["least"]).of("Deployment"):
            security = chart.pod(deployment)["securityContext"]
            self.assertEqual(f"{security['runAsUser']}:{security['runAsGroup']}", user)

    def test_both_keep_data_where_the_deployments_mount_it(self):
        folder = compose.read(POSTGRES_PASSWORD="secret")["services"]["api"]["environment"]["BUILDWRIGHT_DATA_DIR"]
        for target in ("server", "executor"):
            self.assertIn(f"ENV BUILDWRIGHT_DATA_DIR={folder}", stages()[target])
        for deployment in chart.render(chart.examples()["least"]).of("Deployment"):
            self.assertEqual(chart.environment(deployment)["BUILDWRIGHT_DATA_DIR"], folder)

    def test_the_server_has_no_claude_and_no_node(self):
        self.assertFalse([line for line in stages()["server"] if "claude" in line or "node" in line])
        self.assertTrue([line for line in stages()["executor"] if "claude" in line])

    def test_the_server_knows_whom_receivers_of_webhooks_are_vouched_for_by(self):
        self.assertTrue([line for line in stages()["server"] if "ca-certificates" in line])

    def test_a_target_exists_for_each_service_that_is_built(self):
        for name, service in compose.read(POSTGRES_PASSWORD="secret")["services"].items():
            if build := service.get("build"):
                self.assertIn(build["target"], stages(), name)
                self.assertEqual((compose.FILE.parent / build["context"] / build["dockerfile"]).resolve(), FILE)

    def test_what_cargo_needs_is_not_left_out_of_the_context(self):
        lines = (ROOT / ".dockerignore").read_text().splitlines()
        kept = {line[1:] for line in lines if line.startswith("!")}
        members = re.search(r"^members = \[(.*)\]", (ROOT / "Cargo.toml").read_text(), flags=re.MULTILINE)
        folders = {member.split("/")[0] for member in re.findall(r'"([^"]+)"', members.group(1))}
        self.assertEqual(kept, folders | {"Cargo.toml", "Cargo.lock", "migrations"})


if __name__ == "__main__":
    unittest.main()

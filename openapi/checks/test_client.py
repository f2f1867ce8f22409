"""A client that openapi-typescript and openapi-fetch make of the document carries a build through."""

import shutil
import unittest

from server import CHECKS, DOCUMENT, LOGS, TOOLS, Server, run


class Client(unittest.TestCase):
    def setUp(self):
        modules = TOOLS / "node" / "node_modules"
        self.tools = modules / ".bin"
        self.folder = LOGS / "contract-client"
        shutil.rmtree(self.folder, ignore_errors=True)
        shutil.copytree(CHECKS / "client", self.folder)
        (self.folder / "node_modules").symlink_to(modules)
        types = self.folder / "api.ts"
        self.assertEqual(run(self.tools / "openapi-typescript", DOCUMENT, "--output", types), 0)

    def test_it_compiles_strictly_and_drives_a_build(self):
        self.assertEqual(run(self.tools / "tsc", "--project", self.folder), 0, "the types do not compile")
        with Server() as server:
            self.assertEqual(run("node", self.folder / "made" / "build.js", server.url), 0)


if __name__ == "__main__":
    unittest.main()

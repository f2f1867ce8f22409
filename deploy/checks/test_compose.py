"""The compose file is one that compose takes, and keeps the promises of its first lines."""

import re
import unittest

import compose
import compose_spec
import yaml

SERVERS = ("api", "driver", "projector")
OURS = (*SERVERS, "executor")


class Compose(unittest.TestCase):
    def setUp(self):
        self.file = compose.read(POSTGRES_PASSWORD="secret")
        self.services = self.file["services"]

    def networks(self, name):
        return set(self.services[name]["networks"])

    def test_it_is_what_the_specification_says(self):
        parsed = compose_spec.PyCompose.from_yaml(yaml.safe_dump(self.file))
        self.assertCountEqual(parsed.service_names(), ["postgres", "nats", *OURS])

    def test_a_password_must_be_chosen(self):
        with self.assertRaises(compose.Unset):
            compose.read()

    def test_the_example_of_settings_names_what_can_be_set(self):
        example = (compose.FILE.parent / ".env.example").read_text()
        named = set(re.findall(r"^#?([A-Z_]+)=", example, flags=re.MULTILINE))
        images_and_logs = {"SERVER_IMAGE", "EXECUTOR_IMAGE", "BUILDWRIGHT_LOG"}
        self.assertEqual(named, compose.variables() - images_and_logs)

    def test_nothing_has_more_rights_than_it_needs(self):
        for name, service in self.services.items():
            with self.subTest(service=name):
                self.assertIs(service["read_only"], True)
                self.assertEqual(service["cap_drop"], ["ALL"])
                self.assertEqual(service["security_opt"], ["no-new-privileges:true"])
                self.assertNotIn("privileged", service)
                self.assertNotIn("cap_add", service)
        for name in OURS:
            self.assertEqual(self.services[name]["user"], "10001:10001")

    def test_only_the_api_is_published_and_only_on_the_loopback(self):
        published = {name: service["ports"] for name, service in self.services.items() if "ports" in service}
        self.assertEqual(published, {"api": ["127.0.0.1:8420:8420"]})

    def test_executors_share_a_network_with_nats_alone(self):
        for name in self.services.keys() - {"executor"}:
            shared = self.networks("executor") & self.networks(name)
            self.assertEqual(shared, {"work"} if name == "nats" else set(), name)

    def test_executors_have_no_way_to_the_database(self):
        executor = self.services["executor"]
        self.assertNotIn("DATABASE_URL", executor["environment"])
        self.assertNotIn("secret", yaml.safe_dump(executor))

    def test_only_executors_have_the_credential_of_the_model(self):
        for name in self.services.keys() - {"executor"}:
            variables = self.services[name].get("environment", {})
            self.assertFalse([one for one in variables if one.startswith(("ANTHROPIC", "CLAUDE"))], name)
        self.assertIn("ANTHROPIC_API_KEY", self.services["executor"]["environment"])

    def test_databases_and_buses_are_cut_off_from_the_internet(self):
        for name in ("postgres", "nats", "driver"):
            for network in self.networks(name):
                self.assertTrue(self.file["networks"][network].get("internal"), f"{name} on {network}")

    def test_who_delivers_webhooks_has_their_key_and_a_way_out_of_its_own(self):
        services = compose.read(POSTGRES_PASSWORD="secret", SECRET_KEY="sealing")["services"]
        for name in SERVERS:
            key = services[name]["environment"].get("BUILDWRIGHT_SECRET_KEY")
            self.assertEqual(key, None if name == "driver" else "sealing", name)
        (out,) = (one for one in self.networks("projector") if not self.file["networks"][one].get("internal"))
        others = {name for name in self.services if out in self.networks(name)}
        self.assertEqual(others, {"projector"})

    def test_everybody_needs_a_key_unless_it_is_said_that_nobody_does(self):
        asked = "BUILDWRIGHT_ALLOW_UNAUTHENTICATED"
        self.assertEqual(self.services["api"]["environment"][asked], "false")
        open_to_all = compose.read(POSTGRES_PASSWORD="secret", ALLOW_UNAUTHENTICATED="true")["services"]
        self.assertEqual(open_to_all["api"]["environment"][asked], "true")

    def test_every_network_and_volume_that_is_used_is_there_and_the_other_way(self):
        used = {network for name in self.services for network in self.networks(name)}
        self.assertEqual(used, set(self.file["networks"]))
        sources = {
            volume.split(":")[0]
            for service in self.services.values()
            for volume in service.get("volumes", [])
            if ":" in volume
        }
        self.assertEqual(sources, set(self.file["volumes"]))

    def test_everything_says_how_it_is_and_is_waited_for(self):
        for name, service in self.services.items():
            self.assertIn("test", service["healthcheck"], name)
        for name in OURS:
            for other, wait in self.services[name]["depends_on"].items():
                self.assertEqual(wait, {"condition": "service_healthy"}, f"{name} waits for {other}")
        for name in SERVERS:
            self.assertEqual(set(self.services[name]["depends_on"]), {"postgres", "nats"})

    def test_health_is_asked_where_it_is_told(self):
        for name in OURS:
            environment = self.services[name]["environment"]
            listens = environment.get("BUILDWRIGHT_LISTEN") or environment["BUILDWRIGHT_HEALTH"]
            port = listens.rsplit(":", 1)[1]
            self.assertEqual(self.services[name]["healthcheck"]["test"][-1], f"http://127.0.0.1:{port}/readyz")

    def test_there_are_two_executors_each_with_a_disk_of_its_own(self):
        executor = self.services["executor"]
        self.assertEqual(executor["scale"], 2)
        # A named volume would be one for all of them.
        self.assertEqual(executor["volumes"], [executor["environment"]["BUILDWRIGHT_DATA_DIR"]])

    def test_an_executor_may_finish_before_it_is_killed(self):
        executor = self.services["executor"]
        grace = int(executor["environment"]["BUILDWRIGHT_GRACE_SECONDS"])
        self.assertGreater(compose.seconds(executor["stop_grace_period"]), grace)

    def test_it_can_be_tried_with_no_account(self):
        executor = compose.read(POSTGRES_PASSWORD="secret", EXECUTOR="scripted")["services"]["executor"]
        self.assertEqual(executor["environment"]["BUILDWRIGHT_EXECUTOR"], "scripted")
        self.assertEqual(self.services["executor"]["environment"]["BUILDWRIGHT_EXECUTOR"], "claude")


if __name__ == "__main__":
    unittest.main()

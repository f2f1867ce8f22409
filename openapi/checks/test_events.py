"""The catalogue of events is true: of everything that was ever stored, and of what a build tells."""

import json
import unittest

import jsonschema_rs

from server import DOCUMENT, ROOT, Server

GOLDEN = ROOT / "libs" / "domain" / "tests" / "golden"


class Events(unittest.TestCase):
    def setUp(self):
        self.document = json.loads(DOCUMENT.read_text())

    def schema(self, name):
        """Strict: a field that the description forgets is an error, though clients should bear with it."""
        whole = {
            "$ref": f"#/components/schemas/{name}",
            "unevaluatedProperties": False,
            "components": self.document["components"],
        }
        return jsonschema_rs.Draft202012Validator(whole, validate_formats=True)

    def data_of(self, kind):
        payload = self.payload_of(kind)
        return payload["properties"]["data"]["$ref"].rsplit("/", 1)[1]

    def payload_of(self, kind):
        body = self.document["webhooks"][kind]["post"]["requestBody"]
        name = body["content"]["application/json"]["schema"]["$ref"].rsplit("/", 1)[1]
        return self.document["components"]["schemas"][name]

    def golden(self):
        for file in sorted(GOLDEN.glob("*.json")):
            if not file.name.startswith("snapshot."):
                stored = json.loads(file.read_text())
                yield from stored if isinstance(stored, list) else [stored]

    def test_every_golden_event_fits_the_schema_of_its_type(self):
        seen = set()
        for event in self.golden():
            seen.add(event["kind"])
            schema = self.schema(self.data_of(event["kind"]))
            self.assertEqual([str(error) for error in schema.iter_errors(event["payload"])], [], event["kind"])
        self.assertEqual(seen, set(self.document["webhooks"]), "one is described that nobody stores, or the other way")

    def test_no_schema_takes_everything(self):
        for kind in self.document["webhooks"]:
            schema = self.schema(self.data_of(kind))
            self.assertFalse(schema.is_valid({}), kind)
            for event in self.golden():
                if event["kind"] == kind:
                    self.assertFalse(schema.is_valid(event["payload"] | {"unheardOf": 1}), kind)

    def test_the_events_of_a_build_are_as_described(self):
        with Server() as server:
            build = server.finished_build()
            events = server.get(f"/v1/builds/{build['id']}/events?limit=1000")["events"]
        self.assertGreater(len(events), 10)
        for event in events:
            for name, part in (("EventView", event), (self.data_of(event["type"]), event["data"])):
                self.assertEqual([str(error) for error in self.schema(name).iter_errors(part)], [], event)
            pushed = {field: event[field] for field in self.payload_of(event["type"])["required"]}
            name = self.data_of(event["type"]).removesuffix("Data") + "Event"
            self.assertEqual([str(error) for error in self.schema(name).iter_errors(pushed)], [], pushed)


if __name__ == "__main__":
    unittest.main()

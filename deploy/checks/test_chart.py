"""The chart is one that Helm and Kubernetes take, and keeps the promises of its README."""

import base64
import ipaddress
import os
import unittest

import chart
import helm_python
import kubernetes_validate

SERVERS = ("api", "driver", "projector")
# The oldest that Chart.yaml allows, and the newest that the schemas are there for.
KUBERNETES = ("1.27", "1.37")
# Their schemas come with their operators, not with Kubernetes.
FOREIGN = {"ScaledObject": "keda.sh/v1alpha1", "PodMonitor": "monitoring.coreos.com/v1"}


class Chart(unittest.TestCase):
    maxDiff = None

    def each_example(self):
        for name, values in chart.examples().items():
            with self.subTest(values=name):
                yield values

    def each_deployment(self):
        for values in self.each_example():
            for deployment in chart.render(values).of("Deployment"):
                with self.subTest(deployment=deployment["metadata"]["name"]):
                    yield values, deployment

    def refused(self, **changes):
        with self.assertRaises(helm_python.HelmError) as refusal:
            chart.render(chart.example("least", **changes))
        return str(refusal.exception)


class Soundness(Chart):
    def test_helm_lint_finds_nothing(self):
        for values in self.each_example():
            report = helm_python.lint(os.fspath(chart.FOLDER), values, namespace="builds", strict=True)
            self.assertEqual(report["errors"], [])
            found = [message["error"] for message in report["messages"]]
            self.assertEqual(found, ["icon is recommended"])

    def test_every_object_is_as_the_schemas_of_kubernetes_say(self):
        for values in self.each_example():
            for one in chart.render(values):
                if FOREIGN.get(one["kind"]) == one["apiVersion"]:
                    continue
                for version in KUBERNETES:
                    with self.subTest(kind=one["kind"], name=one["metadata"]["name"], kubernetes=version):
                        kubernetes_validate.validate(one, version, strict=True)

    def test_no_two_objects_have_the_same_name_and_kind(self):
        for values in self.each_example():
            names = [(one["kind"], one["metadata"]["name"]) for one in chart.render(values)]
            self.assertCountEqual(names, set(names))

    def test_names_of_a_long_release_fit_into_labels(self):
        with helm_python.Chart.load(os.fspath(chart.FOLDER)) as loaded:
            pools = {"executors": {"pools": [{"name": "as-long-as-it-may-be"}]}}
            values = chart.merged(chart.examples()["least"], pools)
            files = loaded.render(values, name="a" * 53, namespace="builds")
        names = [line.split(": ")[1] for text in files.values() for line in text.splitlines() if line.startswith("  name: ")]
        self.assertTrue(names)
        self.assertLessEqual(max(map(len, names)), 63)

    def test_selectors_find_their_own_pods_and_no_others(self):
        for values in self.each_example():
            objects = chart.render(values)
            pods = [one["spec"]["template"]["metadata"]["labels"] for one in objects.of("Deployment")]
            for one in objects.of("Deployment") + objects.of("PodDisruptionBudget"):
                wanted = one["spec"]["selector"]["matchLabels"]
                matching = [labels for labels in pods if wanted.items() <= labels.items()]
                self.assertEqual(len(matching), 1, one["metadata"]["name"])

    def test_a_changed_configuration_restarts_the_pods(self):
        def annotations(config):
            rendered = chart.render(chart.example("least", config=config)).of("Deployment")
            return [one["spec"]["template"]["metadata"]["annotations"] for one in rendered]

        for one, other in zip(annotations("[builds]"), annotations("[api]"), strict=True):
            self.assertNotEqual(one, other)

    def test_the_configuration_arrives_as_it_was_written(self):
        config = "[builds]\nmax_parallel = 20\n\n[api]\n  # indented\nmax_labels = 3\n"
        (written,) = chart.render(chart.example("least", config=config)).of("ConfigMap")
        self.assertEqual(written["data"]["config.toml"].strip(), config.strip())


class Values(Chart):
    def test_a_misspelt_value_is_refused(self):
        self.assertIn("slot", self.refused(executors={"defaults": {"slot": 3}}))
        self.assertIn("replica", self.refused(driver={"replica": 3}))

    def test_a_value_of_the_wrong_kind_is_refused(self):
        self.assertIn("slots", self.refused(executors={"defaults": {"slots": 0}}))
        self.assertIn("url", self.refused(nats={"url": "http://nats"}))
        self.assertIn("name", self.refused(executors={"pools": [{"name": "Not_A_Name"}]}))

    def test_two_pools_of_one_name_are_refused(self):
        self.assertIn("two pools", self.refused(executors={"pools": [{"name": "a"}, {"name": "a"}]}))

    def test_an_api_that_asks_nobody_who_he_is_must_be_wanted(self):
        def said(values):
            api = chart.render(values).of("Deployment").named("api")
            return chart.environment(api).get("BUILDWRIGHT_ALLOW_UNAUTHENTICATED")

        self.assertIsNone(said(chart.example("least")))
        self.assertEqual(said(chart.example("least", api={"allowUnauthenticated": True})), "true")

    def test_what_has_no_default_is_asked_for_by_name(self):
        self.assertIn("database.existingSecret", self.refused(database={"existingSecret": ""}))
        self.assertIn("executors.model.existingSecret", self.refused(executors={"model": {"existingSecret": ""}}))
        self.assertIn("keda.prometheus.serverAddress", self.refused(keda={"enabled": True}))

    def test_another_volume_takes_the_place_of_the_default(self):
        for deployment in chart.render(chart.examples()["everything"]).of("Deployment"):
            for volume in chart.pod(deployment)["volumes"]:
                self.assertEqual(len(volume), 2, volume)


class Secrets(Chart):
    def test_executors_have_no_way_to_the_database(self):
        for values in self.each_example():
            executors = chart.render(values).of("Deployment").role("executor")
            self.assertTrue(executors)
            for executor in executors:
                self.assertNotIn("DATABASE_URL", chart.environment(executor))
                self.assertNotIn(values["database"]["existingSecret"], chart.secrets(executor))

    def test_only_executors_have_the_credential_of_the_model(self):
        for values in self.each_example():
            model = values["executors"].get("model", {}).get("existingSecret")
            for deployment in chart.render(values).of("Deployment"):
                is_executor = deployment["metadata"]["labels"]["app.kubernetes.io/component"] == "executor"
                has_it = model in chart.secrets(deployment)
                self.assertEqual(has_it, is_executor and model is not None)
                if not is_executor:
                    names = chart.environment(deployment)
                    self.assertFalse([name for name in names if name.startswith(("ANTHROPIC", "CLAUDE"))])

    def test_executors_have_credentials_of_their_own_for_nats(self):
        nats = {
            "serverCredentials": {"existingSecret": "of-servers"},
            "executorCredentials": {"existingSecret": "of-executors"},
        }
        for deployment in chart.render(chart.example("least", nats=nats)).of("Deployment"):
            role = deployment["metadata"]["labels"]["app.kubernetes.io/component"]
            mine, other = ("of-executors", "of-servers") if role == "executor" else ("of-servers", "of-executors")
            self.assertIn(mine, chart.secrets(deployment))
            self.assertNotIn(other, chart.secrets(deployment))
            path = chart.environment(deployment)["BUILDWRIGHT_NATS_CREDENTIALS"]
            mounts = [mount["mountPath"] for mount in chart.container(deployment)["volumeMounts"]]
            self.assertIn(os.path.dirname(path), mounts)

    def test_whoever_sees_bundles_has_the_credentials_of_their_bucket(self):
        for deployment in chart.render(chart.examples()["everything"]).of("Deployment"):
            role = deployment["metadata"]["labels"]["app.kubernetes.io/component"]
            self.assertEqual("buildwright-s3" in chart.secrets(deployment), role != "projector", role)
            self.assertEqual(chart.environment(deployment)["BUILDWRIGHT_ARTIFACTS"], "s3://buildwright/bundles")

    def test_api_and_projector_have_the_key_that_seals_secrets(self):
        for values, deployment in self.each_deployment():
            role = deployment["metadata"]["labels"]["app.kubernetes.io/component"]
            key = values.get("secretKey", {})
            name = "bw-buildwright-secret-key" if key.get("generate") else key.get("existingSecret")
            wanted = name if role in ("api", "projector") else None
            self.assertEqual(chart.environment(deployment).get("BUILDWRIGHT_SECRET_KEY"), wanted)
            if name:
                self.assertEqual(name in chart.secrets(deployment), wanted is not None)

    def test_a_key_that_is_made_is_one_and_stays(self):
        keys = []
        for _ in range(2):
            (secret,) = chart.render(chart.examples()["scripted"]).of("Secret")
            self.assertEqual(secret["metadata"]["annotations"], {"helm.sh/resource-policy": "keep"})
            (text,) = secret["data"].values()
            key = base64.b64decode(base64.b64decode(text, validate=True), validate=True)
            self.assertEqual(len(key), 32)
            keys.append(key)
        self.assertNotEqual(*keys)
        own = chart.example("scripted", secretKey={"existingSecret": "mine"})
        self.assertEqual(chart.render(own).of("Secret"), [])

    def test_the_figures_of_the_api_are_asked_for_with_a_key(self):
        (monitor,) = chart.render(chart.examples()["everything"]).of("PodMonitor")
        http, health = monitor["spec"]["podMetricsEndpoints"]
        key = {"name": "buildwright-figures", "key": "BUILDWRIGHT_API_KEY"}
        self.assertEqual(http["authorization"], {"credentials": key})
        self.assertNotIn("authorization", health)

    def test_no_secret_stands_in_an_object(self):
        for values in self.each_example():
            made = chart.render(values).of("Secret")
            self.assertEqual(len(made), values.get("secretKey", {}).get("generate", False))

    def test_nobody_has_a_token_for_kubernetes(self):
        for values in self.each_example():
            objects = chart.render(values)
            accounts = {one["metadata"]["name"] for one in objects.of("ServiceAccount")}
            for account in objects.of("ServiceAccount"):
                self.assertIs(account["automountServiceAccountToken"], False)
            for deployment in objects.of("Deployment"):
                self.assertIs(chart.pod(deployment)["automountServiceAccountToken"], False)
                self.assertIs(chart.pod(deployment)["enableServiceLinks"], False)
                self.assertIn(chart.pod(deployment)["serviceAccountName"], accounts)


class Pods(Chart):
    def test_they_obey_the_restricted_standard(self):
        for _, deployment in self.each_deployment():
            pod, container = chart.pod(deployment), chart.container(deployment)
            self.assertIs(pod["securityContext"]["runAsNonRoot"], True)
            self.assertGreater(pod["securityContext"]["runAsUser"], 0)
            self.assertEqual(pod["securityContext"]["seccompProfile"], {"type": "RuntimeDefault"})
            self.assertEqual(
                container["securityContext"],
                {
                    "allowPrivilegeEscalation": False,
                    "capabilities": {"drop": ["ALL"]},
                    "readOnlyRootFilesystem": True,
                    "runAsNonRoot": True,
                },
            )
            for key in ("hostNetwork", "hostPID", "hostIPC"):
                self.assertNotIn(key, pod)
            self.assertFalse([volume for volume in pod["volumes"] if "hostPath" in volume])

    def test_they_write_where_they_may(self):
        for _, deployment in self.each_deployment():
            mounts = {mount["mountPath"]: mount["name"] for mount in chart.container(deployment)["volumeMounts"]}
            self.assertEqual(mounts[chart.environment(deployment)["BUILDWRIGHT_DATA_DIR"]], "data")
            self.assertEqual(mounts["/tmp"], "tmp")
            volumes = {volume["name"] for volume in chart.pod(deployment)["volumes"]}
            self.assertEqual(set(mounts.values()), volumes)

    def test_they_are_asked_how_they_are_where_they_listen(self):
        for _, deployment in self.each_deployment():
            container, environment = chart.container(deployment), chart.environment(deployment)
            (port,) = container["ports"]
            listens = environment.get("BUILDWRIGHT_LISTEN") or environment["BUILDWRIGHT_HEALTH"]
            self.assertEqual(listens, f"0.0.0.0:{port['containerPort']}")
            for probe, path in (("startup", "/healthz"), ("liveness", "/healthz"), ("readiness", "/readyz")):
                asked = container[f"{probe}Probe"]["httpGet"]
                self.assertEqual(asked, {"path": path, "port": port["name"]})

    def test_an_executor_may_finish_before_it_is_killed(self):
        for _, deployment in self.each_deployment():
            environment = chart.environment(deployment)
            if grace := environment.get("BUILDWRIGHT_GRACE_SECONDS"):
                self.assertGreater(chart.pod(deployment)["terminationGracePeriodSeconds"], int(grace))

    def test_every_pool_is_a_deployment_with_its_own_settings(self):
        deployments = chart.render(chart.examples()["everything"]).of("Deployment")
        default = chart.environment(deployments.named("executor-default"))
        gpu = chart.environment(deployments.named("executor-gpu"))
        self.assertEqual((default["BUILDWRIGHT_POOL"], default["BUILDWRIGHT_SLOTS"]), ("default", "4"))
        self.assertEqual((gpu["BUILDWRIGHT_POOL"], gpu["BUILDWRIGHT_SLOTS"]), ("gpu", "1"))
        self.assertEqual((default["BUILDWRIGHT_GRACE_SECONDS"], gpu["BUILDWRIGHT_GRACE_SECONDS"]), ("120", "600"))
        self.assertEqual(gpu["BUILDWRIGHT_LABELS"], "gpu,big-memory")
        self.assertNotIn("BUILDWRIGHT_LABELS", default)
        self.assertEqual(chart.pod(deployments.named("executor-gpu"))["runtimeClassName"], "gvisor")

    def test_one_that_is_drained_leaves_the_others(self):
        for values in self.each_example():
            objects = chart.render(values)
            budgets = {one["metadata"]["name"] for one in objects.of("PodDisruptionBudget")}
            self.assertEqual(budgets, {one["metadata"]["name"] for one in objects.of("Deployment")})


class Scaling(Chart):
    def test_whoever_is_scaled_has_no_number_of_replicas(self):
        objects = chart.render(chart.examples()["everything"])
        scaled = {one["spec"]["scaleTargetRef"]["name"] for one in objects.of("ScaledObject")}
        scaled |= {one["spec"]["scaleTargetRef"]["name"] for one in objects.of("HorizontalPodAutoscaler")}
        self.assertEqual(scaled, {f"bw-buildwright-{name}" for name in ("api", "executor-default", "executor-gpu")})
        for deployment in objects.of("Deployment"):
            self.assertEqual("replicas" not in deployment["spec"], deployment["metadata"]["name"] in scaled)

    def test_a_pool_follows_its_own_attempts(self):
        scaled = chart.render(chart.examples()["everything"]).of("ScaledObject").named("executor-gpu")["spec"]
        (trigger,) = scaled["triggers"]
        self.assertEqual((scaled["minReplicaCount"], scaled["maxReplicaCount"]), (0, 3))
        self.assertLessEqual(scaled["fallback"]["replicas"], scaled["maxReplicaCount"])
        self.assertEqual(trigger["type"], "prometheus")
        self.assertEqual(trigger["metadata"]["threshold"], "1")
        self.assertEqual(
            " ".join(trigger["metadata"]["query"].split()),
            '(max(buildwright_attempts_waiting{pool="gpu",namespace="builds"}) or vector(0))'
            ' + (max(buildwright_attempts_queued{pool="gpu",namespace="builds"}) or vector(0))'
            ' + (max(buildwright_attempts_running{pool="gpu",namespace="builds"}) or vector(0))',
        )

    def test_without_keda_replicas_are_as_told(self):
        objects = chart.render(chart.example("least", executors={"pools": [{"name": "a", "replicas": 7}]}))
        self.assertEqual(objects.of("ScaledObject"), [])
        self.assertEqual(objects.of("Deployment").named("executor-a")["spec"]["replicas"], 7)


class Network(Chart):
    """Reads the policies as Kubernetes does: what none allows is denied."""

    def policy(self, objects, role):
        return objects.of("NetworkPolicy").named(role)["spec"]

    def ports(self, policy):
        return {port["port"] for rule in policy["egress"] for port in rule["ports"]}

    def blocks(self, policy):
        for rule in policy["egress"]:
            for peer in rule["to"]:
                if "ipBlock" in peer:
                    yield peer["ipBlock"], [port["port"] for port in rule["ports"]]

    def reaches(self, policy, address):
        address = ipaddress.ip_address(address)

        def within(cidr):
            network = ipaddress.ip_network(cidr)
            return network.version == address.version and address in network

        return any(
            within(block["cidr"]) and not any(within(hole) for hole in block.get("except", []))
            for block, _ in self.blocks(policy)
        )

    def test_every_pod_is_closed_both_ways(self):
        for values in self.each_example():
            objects = chart.render(values)
            deny = objects.of("NetworkPolicy").named("deny")["spec"]
            self.assertEqual(deny["policyTypes"], ["Ingress", "Egress"])
            self.assertNotIn("ingress", deny)
            self.assertNotIn("egress", deny)
            wanted = deny["podSelector"]["matchLabels"].items()
            for deployment in objects.of("Deployment"):
                self.assertTrue(wanted <= deployment["spec"]["template"]["metadata"]["labels"].items())

    def test_no_rule_is_open_to_everybody(self):
        for values in self.each_example():
            for policy in chart.render(values).of("NetworkPolicy"):
                for rule in policy["spec"].get("ingress", []):
                    self.assertTrue(rule["from"])
                    self.assertTrue(rule["ports"])
                for rule in policy["spec"].get("egress", []):
                    self.assertTrue(rule["to"])
                    self.assertTrue(rule["ports"])

    def test_executors_reach_nats_and_the_internet_and_nothing_else(self):
        executor = self.policy(chart.render(chart.examples()["least"]), "executor")
        self.assertEqual(self.ports(executor), {53, 4222, 443})
        for public in ("1.1.1.1", "8.8.8.8", "2606:4700::1111"):
            self.assertTrue(self.reaches(executor, public), public)
        metadata = ("169.254.169.254", "fd00:ec2::254", "fe80::1")
        for private in ("10.0.0.1", "172.20.1.1", "192.168.1.1", "100.64.0.1", "127.0.0.1", *metadata):
            self.assertFalse(self.reaches(executor, private), private)

    def test_only_servers_reach_postgres(self):
        objects = chart.render(chart.examples()["least"])
        for role in SERVERS:
            self.assertEqual(self.ports(self.policy(objects, role)), {53, 4222, 5432}, role)
            self.assertEqual(list(self.blocks(self.policy(objects, role))), [], role)

    def test_those_who_tell_of_events_reach_the_world_and_nothing_inside(self):
        objects = chart.render(chart.examples()["everything"])
        for role in ("api", "projector"):
            policy = self.policy(objects, role)
            self.assertLessEqual({443, 8443}, self.ports(policy), role)
            self.assertTrue(self.reaches(policy, "1.1.1.1") and self.reaches(policy, "2606:4700::1111"), role)
            for private in ("10.0.0.1", "192.168.1.1", "100.64.0.1", "169.254.169.254", "fd00:ec2::254"):
                self.assertFalse(self.reaches(policy, private), f"{role} {private}")
        self.assertNotIn(8443, self.ports(self.policy(objects, "driver")))
        nowhere = chart.example("everything", networkPolicy={"webhooks": {"blocks": []}})
        self.assertFalse(self.reaches(self.policy(chart.render(nowhere), "projector"), "1.1.1.1"))

    def test_nobody_reaches_the_api_but_who_is_named(self):
        least = chart.render(chart.examples()["least"])
        for role in (*SERVERS, "executor"):
            self.assertNotIn("ingress", self.policy(least, role))
        everything = chart.render(chart.examples()["everything"])
        (rule,) = self.policy(everything, "api")["ingress"]
        names = [peer["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"] for peer in rule["from"]]
        self.assertEqual(names, ["ingress-nginx", "monitoring"])
        self.assertEqual([port["port"] for port in rule["ports"]], ["http"])
        (rule,) = self.policy(everything, "driver")["ingress"]
        self.assertEqual([port["port"] for port in rule["ports"]], ["health"])

    def test_they_can_be_done_without(self):
        objects = chart.render(chart.example("least", networkPolicy={"enabled": False}))
        self.assertEqual(objects.of("NetworkPolicy"), [])


if __name__ == "__main__":
    unittest.main()

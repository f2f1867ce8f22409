"""What the description of the API cannot say of a right request, made up for before one is sent.

Requests that are meant to be wrong are sent as they were made.
"""

import schemathesis

# Nobody answers there: a build that starts from it fails at once, and no network is needed.
REPOSITORY = {"url": "https://127.0.0.1:9/nothing.git", "branch": "main"}


def in_order(order):
    """The fields of an order that depend on each other, or whose rules no pattern can hold."""
    if isinstance(order.get("repository"), dict):
        # What git takes as an address or a branch.
        order["repository"] = REPOSITORY
    if isinstance(order.get("project"), str):
        # No `..` and no ending that git reserves.
        order["project"] = project_in_order(order["project"])
    if isinstance(order.get("framework"), str) and not order["framework"].strip():
        order["framework"] = "axum"
    if isinstance(order.get("plan"), dict):
        plan_in_order(order["plan"])


def project_in_order(name):
    return name.replace(".", "-")


def plan_in_order(plan):
    """Ids of tasks are unique, dependencies name them without a cycle, and each type asks for fields of its own."""
    without_nul(plan, "summary")
    for number, task in enumerate(plan["tasks"]):
        task["id"] = f"task-{number}"
        without_nul(task, "title", "prompt")
        if task["type"] == "command":
            task["command"] = "true"
        else:
            task.pop("command", None)
            task["prompt"] = (task.get("prompt") or "").strip() or "Do it"
        if task.get("check"):
            task["check"] = "true"
        if task.get("targets") or task["type"] not in ("agent", "command", "install_deps"):
            task["targets"] = [f"file-{number}.txt"]
    if plan.get("dependencies"):
        last = len(plan["tasks"]) - 1
        plan["dependencies"] = [{"task": f"task-{last}", "dependsOn": ["task-0"]}] if last else []


def without_nul(thing, *names):
    for name in names:
        if isinstance(thing.get(name), str):
            thing[name] = thing[name].replace("\0", "")


def list_in_order(query):
    # A cursor is what an answer said, and a label's key can be asked for once.
    query.pop("cursor", None)
    if isinstance(query.get("project"), str):
        query["project"] = project_in_order(query["project"])
    if isinstance(query.get("label"), list):
        query["label"] = list({label.partition(":")[0]: label for label in query["label"]}.values())


def endpoint_in_order(endpoint):
    # No pattern says which addresses are public, and which globs fit a type that there is.
    if isinstance(endpoint.get("url"), str):
        endpoint["url"] = "https://example.com/hooks"
    if endpoint.get("events"):
        endpoint["events"] = ["build_*"]


def moment_in_order(query):
    # Not both; and nobody waits for long here.
    if "wait" in query:
        query["wait"] = "1ms"
        query.pop("asOf", None)


@schemathesis.hook
def before_call(context, case, kwargs):
    if case.meta is None or case.meta.generation.mode != schemathesis.GenerationMode.POSITIVE:
        return
    # Another way to send a key: who takes two ways at once has none.
    (case.headers or {}).pop("X-API-Key", None)
    operation = case.operation.definition.raw.get("operationId")
    if operation == "submitBuild" and isinstance(case.body, dict):
        in_order(case.body)
    elif operation == "listBuilds" and case.query:
        list_in_order(case.query)
    elif operation in ("listWebhookEndpoints", "listDeliveries") and case.query:
        case.query.pop("cursor", None)
    elif operation in ("createWebhookEndpoint", "updateWebhookEndpoint") and isinstance(case.body, dict):
        endpoint_in_order(case.body)
    elif operation == "getBuild" and case.query:
        moment_in_order(case.query)

// What a user of the API writes: a build from its order to its files, with types made from openapi.json.

import assert from "node:assert/strict";
import createClient from "openapi-fetch";
import type { components, paths } from "./api.js";

type Build = components["schemas"]["BuildView"];
type Problem = components["schemas"]["Problem"];

const baseUrl = process.argv[2];
assert(baseUrl, "usage: build.js URL");
const api = createClient<paths>({ baseUrl });

/** What was answered, unless it was refused. */
function right<T>({ data, error }: { data?: T | undefined; error?: unknown }): T {
  if (data === undefined) throw new Error(`refused: ${JSON.stringify(error)}`);
  return data;
}

/** The JSON of an answer that can also be a stream. */
function json<T>(answer: T): Exclude<T, string> {
  if (typeof answer === "string") throw new Error("a stream was not asked for");
  return answer as Exclude<T, string>;
}

async function submit(): Promise<Build> {
  const { data, error, response } = await api.POST("/v1/builds", {
    body: { prompt: "A to-do list for the shell", labels: { made: "by-a-client" }, limits: { maxParallel: 2 } },
  });
  const build = right({ data, error });
  assert.equal(response.status, 202);
  assert.equal(response.headers.get("location"), `/v1/builds/${build.id}`);
  return build;
}

async function ended(id: string): Promise<Build> {
  for (let turn = 0; turn < 6; turn += 1) {
    const build = right(await api.GET("/v1/builds/{id}", { params: { path: { id }, query: { wait: "30s" } } }));
    if (build.status === "completed" || build.status === "failed" || build.status === "cancelled") return build;
  }
  throw new Error("the build does not end");
}

async function eventsOf(id: string) {
  const events: components["schemas"]["EventView"][] = [];
  for (let after = 0; ; ) {
    const query = { after, limit: 7 };
    const page = json(right(await api.GET("/v1/builds/{id}/events", { params: { path: { id }, query } })));
    if (page.events.length === 0) return events;
    events.push(...page.events);
    after = page.next;
  }
}

const { id } = await submit();
const path = { id };
const build = await ended(id);
assert.equal(build.status, "completed", build.failure?.message ?? "no reason");
assert.deepEqual(build.labels, { made: "by-a-client" });

const { tasks } = right(await api.GET("/v1/builds/{id}/tasks", { params: { path } }));
assert(tasks.length > 0 && tasks.length === build.tasks.total);
assert(tasks.every((task) => task.status === "completed"));
const first = tasks[0];
assert(first);
const output = json(right(await api.GET("/v1/tasks/{id}/output", { params: { path: { id: first.id } } })));
assert(output.lines.length > 0);

const events = await eventsOf(id);
assert.deepEqual(events.map((event) => event.version), events.map((_, index) => index + 1));
assert.equal(events[0]?.type, "build_submitted");
assert.equal(events.at(-1)?.type, "build_completed");

const { commit, files } = right(await api.GET("/v1/builds/{id}/files", { params: { path } }));
assert.equal(commit, build.result?.commit);
assert(files.some((file) => file.path === "todo.sh" && file.size > 0));

const listed = right(await api.GET("/v1/builds", { params: { query: { label: ["made:by-a-client"], limit: 1 } } }));
assert.deepEqual(listed.builds.map((summary) => summary.id), [id]);

const refused = await api.POST("/v1/builds", { body: { prompt: "" } });
assert.equal(refused.response.status, 422);
const problem: Problem | undefined = refused.error;
assert.deepEqual(problem?.errors?.map((error) => error.pointer), ["/prompt"]);

const unknown = await api.GET("/v1/builds/{id}", { params: { path: { id: "bld_00000000000000000000000000" } } });
assert.equal(unknown.error?.type, "urn:buildwright:problem:build_unknown");

console.log(`${id}: ${tasks.length} tasks, ${events.length} events, ${files.length} files`);

//! A build, followed from outside.

use crate::{Api, Events, Server, git};
use serde_json::{Value, json};
use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// Most events in one answer.
const PAGE: usize = 1_000;
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// A build of a server. It outlives the process that serves it.
#[derive(Debug, Clone)]
pub struct Build {
    /// Its id.
    pub id: String,
    /// The project whose repository receives the result.
    pub project: String,
}

impl Api {
    /// Submits a build.
    ///
    /// # Panics
    /// When it is refused.
    pub async fn submit(&self, order: &Value) -> Build {
        let answer = self.post("/v1/builds", order).await;
        assert_eq!(answer.status, 202, "{}", answer.text());
        let build = answer.json();
        let text = |field: &str| build[field].as_str().expect("a text").to_owned();
        Build { id: text("id"), project: text("project") }
    }

    /// Everything that happened, of all builds.
    pub async fn all_events(&self) -> Events {
        self.events_at("/v1/events").await
    }

    async fn events_at(&self, path: &str) -> Events {
        let mut events = Vec::new();
        loop {
            let after = events.last().map_or(json!(0), |event: &Value| event["sequence"].clone());
            let page = self.get(&format!("{path}?after={after}&limit={PAGE}")).await.ok();
            let page = page["events"].as_array().expect("events").clone();
            let full = page.len() == PAGE;
            events.extend(page);
            if !full {
                return Events(events);
            }
        }
    }
}

impl Build {
    /// Something of it.
    pub async fn get(&self, api: &Api, what: &str) -> Value {
        api.get(&format!("/v1/builds/{}{what}", self.id)).await.ok()
    }

    /// Its tasks.
    pub async fn tasks(&self, api: &Api) -> Vec<Value> {
        self.get(api, "/tasks").await["tasks"].as_array().expect("tasks").clone()
    }

    /// What happened to it.
    pub async fn events(&self, api: &Api) -> Events {
        api.events_at(&format!("/v1/builds/{}/events", self.id)).await
    }

    /// Waits until its events fulfil a condition.
    ///
    /// # Panics
    /// When they have not by then, or no longer can.
    pub async fn wait_for(
        &self,
        api: &Api,
        limit: Duration,
        what: &str,
        condition: impl Fn(&Events) -> bool,
    ) -> Events {
        let begun = Instant::now();
        loop {
            let events = self.events(api).await;
            if condition(&events) {
                return events;
            }
            if events.has_ended() || begun.elapsed() > limit {
                let last: Vec<&Value> = events.0.iter().rev().take(8).collect();
                let wrong = events.wrong();
                panic!("no {what} after {:?}: {:?}\n{last:#?}\n{wrong:#?}", begun.elapsed(), events.kinds());
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// Waits for its end, and returns it.
    ///
    /// # Panics
    /// When it has none in time.
    pub async fn ended(&self, api: &Api, limit: Duration) -> Value {
        let begun = Instant::now();
        loop {
            let build = self.get(api, "?wait=5s").await;
            if !build["endedAt"].is_null() {
                return build;
            }
            let tasks = self.tasks(api).await;
            assert!(begun.elapsed() < limit, "no end within {limit:?}: {build:#} {:#}", Value::from(tasks));
        }
    }

    /// Waits for its end, which must be a success.
    ///
    /// # Panics
    /// When it is none.
    pub async fn completed(&self, api: &Api, limit: Duration) -> Value {
        let build = self.ended(api, limit).await;
        if build["status"] != "completed" {
            let (tasks, events) = (Value::from(self.tasks(api).await), self.events(api).await);
            panic!("{build:#}\n{tasks:#}\n{:#?}", events.wrong());
        }
        build
    }

    /// Waits for its end, which must be a failure, and returns its class and message.
    ///
    /// # Panics
    /// When it is none.
    pub async fn failed(&self, api: &Api, limit: Duration) -> (String, String) {
        let build = self.ended(api, limit).await;
        assert_eq!(build["status"], "failed", "{build:#}");
        let text = |field: &str| build["failure"][field].as_str().expect("a text").to_owned();
        (text("class"), text("message"))
    }

    /// A file of its result, as the archive holds it.
    ///
    /// # Panics
    /// When there is none.
    pub async fn file(&self, api: &Api, path: &str) -> String {
        let archive = api.get(&format!("/v1/builds/{}/archive.tar.gz", self.id)).await;
        assert_eq!(archive.status, 200, "{}", archive.text());
        let folder = tempfile::tempdir().expect("a folder");
        let packed = folder.path().join("archive.tar.gz");
        std::fs::write(&packed, &archive.body).expect("written");
        let mut tar = std::process::Command::new("tar");
        let output = tar.args(["xzOf"]).arg(&packed).arg(format!("{}/{path}", self.project)).output();
        let output = output.expect("tar starts");
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).expect("UTF-8")
    }

    /// The project's bare repository, with all its results on `main`. In a fleet commits travel as bundles and no disk
    /// has such a repository: this one is made of what the first executor has.
    pub async fn repository(&self, server: &Server) -> PathBuf {
        let kept = self.kept(server);
        if !server.is_fleet() {
            return kept;
        }
        let made = server.beside("repositories").join(format!("{}.git", self.project));
        if !made.exists() {
            git(Path::new("/"), &["init", "-q", "--bare", "-b", "main", &made.display().to_string()]);
        }
        git(&made, &["fetch", "-q", &kept.display().to_string(), "+refs/*:refs/*"]);
        // Of the builds of a project, the one that was merged last has what all the others have.
        let completed = format!("/v1/builds?project={}&status=completed&limit=100", self.project);
        let mut most = 0;
        for build in server.get(&completed).await.ok()["builds"].as_array().expect("builds") {
            let build =
                server.get(&format!("/v1/builds/{}", build["id"].as_str().expect("an id"))).await.ok();
            let commit = build["result"]["commit"].as_str().expect("a commit");
            let commits = git(&made, &["rev-list", "--count", commit]).trim().parse().expect("a number");
            if commits > most {
                git(&made, &["update-ref", "refs/heads/main", commit]);
                most = commits;
            }
        }
        made
    }

    /// What the product itself keeps of the project: in a fleet, the first executor.
    #[must_use]
    pub fn kept(&self, server: &Server) -> PathBuf {
        server.work_dir().join("repositories").join(format!("{}.git", self.project))
    }

    /// The tree that it published, as git names and content hashes it.
    pub async fn tree(&self, server: &Server) -> String {
        git(&self.repository(server).await, &["ls-tree", "-r", "main"])
    }
}

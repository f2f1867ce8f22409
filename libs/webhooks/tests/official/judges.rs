use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::Value;

/// What `scripts/fetch-standardwebhooks` installs.
const FETCHED: &str = "tools/standardwebhooks-1.1.1-1.1.0";
const README: &str = include_str!("../../README.md");

/// A program in another language that says what it thinks of our messages.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Judge {
    JavaScript,
    Python,
}

impl Judge {
    /// One verdict a case.
    pub(crate) fn of(self, cases: &[Value]) -> Vec<Value> {
        let mut judge = self
            .command()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{self:?} does not start: {error}"));
        let input = serde_json::to_vec(cases).expect("JSON");
        judge.stdin.take().expect("piped").write_all(&input).expect("it reads its cases");
        let output = judge.wait_with_output().expect("it ends");
        assert!(output.status.success(), "{self:?}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).expect("verdicts")
    }

    fn command(self) -> Command {
        let libraries = given().or_else(fetched).expect("run scripts/fetch-standardwebhooks");
        match self {
            Self::JavaScript => {
                let mut node = Command::new("node");
                // Packages are looked for from the working directory.
                node.current_dir(libraries).args(["--input-type=module", "--eval", &self.program()]);
                node
            }
            Self::Python => {
                let mut python = Command::new("python3");
                python.env("PYTHONPATH", libraries.join("python")).args(["-c", &self.program()]);
                python
            }
        }
    }

    /// The examples of the README as functions, and the judge that calls them.
    fn program(self) -> String {
        match self {
            Self::JavaScript => {
                let [(imports, standard), (others, simple)] = examples("ts");
                format!(
                    "{imports}{others}\
                     function readmeStandard(secret, body, headers) {{\n{standard}}}\n\
                     function readmeSimple(secret, body, signature) {{\n{simple}return genuine;\n}}\n{}",
                    include_str!("judge.mjs")
                )
            }
            Self::Python => {
                let [(imports, standard), (others, simple)] = examples("python");
                format!(
                    "{imports}{others}\
                     def readme_standard(secret, body, headers):\n{standard}\n\
                     def readme_simple(secret, body, signature):\n{simple}    return genuine\n{}",
                    include_str!("judge.py")
                )
            }
        }
    }
}

/// The two examples in a language, for each scheme one: their imports and the rest, indented.
fn examples(language: &str) -> [(String, String); 2] {
    let begin = format!("```{language}\n");
    let blocks = README.split(&begin).skip(1);
    let examples: Vec<_> =
        blocks.filter_map(|rest| rest.split_once("```")).map(|(code, _)| code).map(split).collect();
    examples
        .try_into()
        .unwrap_or_else(|other| panic!("the README has other examples in {language}: {other:?}"))
}

fn split(code: &str) -> (String, String) {
    let lines = code.lines().filter(|line| !line.is_empty());
    let (imports, rest): (Vec<_>, Vec<_>) =
        lines.partition(|line| line.starts_with("import ") || line.starts_with("from "));
    let imports = imports.into_iter().map(|line| format!("{line}\n")).collect();
    (imports, rest.into_iter().map(|line| format!("    {line}\n")).collect())
}

#[expect(clippy::disallowed_methods, reason = "where the libraries are is told by the environment")]
fn given() -> Option<PathBuf> {
    std::env::var_os("BUILDWRIGHT_TEST_STANDARDWEBHOOKS").map(PathBuf::from)
}

/// Tests lie somewhere below the target folder, and tools in it.
fn fetched() -> Option<PathBuf> {
    let test = std::env::current_exe().ok()?;
    test.ancestors().map(|folder| folder.join(FETCHED)).find(|folder| folder.exists())
}

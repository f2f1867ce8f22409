//! An S3 server on a free port, with a bucket `shop`.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::PathBuf,
    process::{Child, Command, Stdio},
};

/// The version that `scripts/fetch-moto` installs.
const FETCHED: &str = "tools/moto-5.2.5";

/// It ends with this value, and with the process.
pub(crate) struct Server {
    python: Child,
    port: u16,
}

impl Server {
    pub(crate) fn start() -> Self {
        let packages = given().or_else(fetched).expect("no moto: run scripts/fetch-moto");
        let mut python = Command::new("python3")
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/artifacts/s3_server.py"))
            .env("PYTHONPATH", packages)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("python3");
        let mut line = String::new();
        BufReader::new(python.stdout.take().expect("piped")).read_line(&mut line).expect("its port");
        let port = line.trim().parse().unwrap_or_else(|_| panic!("moto did not come up: {line:?}"));
        Self { python, port }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// The keys of all objects.
    pub(crate) fn keys(&self) -> Vec<String> {
        let mut connection = TcpStream::connect(("127.0.0.1", self.port)).expect("a connection");
        let request = b"GET /shop?list-type=2 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
        connection.write_all(request).expect("sent");
        let mut answer = String::new();
        connection.read_to_string(&mut answer).expect("an answer");
        assert!(answer.contains("<ListBucketResult"), "{answer}");
        let after = answer.split("<Key>").skip(1);
        after.filter_map(|rest| rest.split_once("</Key>")).map(|(key, _)| key.to_owned()).collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.python.kill();
        let _ = self.python.wait();
    }
}

#[expect(clippy::disallowed_methods, reason = "which server to test with is told by the environment")]
fn given() -> Option<PathBuf> {
    std::env::var_os("BUILDWRIGHT_TEST_MOTO").map(PathBuf::from)
}

/// Tests lie somewhere below the target folder, and tools in it.
fn fetched() -> Option<PathBuf> {
    let test = std::env::current_exe().ok()?;
    test.ancestors().map(|folder| folder.join(FETCHED)).find(|folder| folder.exists())
}

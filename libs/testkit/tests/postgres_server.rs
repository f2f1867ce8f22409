//! A server of one's own comes, goes and leaves nothing behind.

use buildwright_testkit::postgres::{Disk, Server};
use std::{
    io::{BufRead, BufReader},
    net::TcpStream,
    path::Path,
    process::{Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

#[test]
fn each_database_is_empty_and_apart_from_the_others() {
    let server = Server::new(Disk::Lazy);
    let (one, other) = (server.database(), server.database());
    server.sql(&one, "CREATE TABLE things (name text); INSERT INTO things VALUES ('a'), ('b')");
    assert_eq!(server.sql(&one, "SELECT name FROM things ORDER BY name"), "a\nb");
    assert_eq!(server.sql(&other, "SELECT to_regclass('things') IS NULL"), "t");
}

#[test]
fn data_survives_a_stop_and_a_kill() {
    let server = Server::new(Disk::Lazy);
    let url = server.database();
    server.sql(&url, "CREATE TABLE things (name text)");
    server.stop();
    server.start();
    server.sql(&url, "INSERT INTO things VALUES ('a')");
    server.kill9();
    server.start();
    assert_eq!(server.sql(&url, "SELECT count(*) FROM things"), "1");
}

/// Not a test: the process that is killed while it has a server.
#[test]
#[ignore = "run by the test below, in a process of its own"]
fn victim() {
    let server = Server::new(Disk::Lazy);
    let url = server.database();
    println!("\nserver {url} {}", server.sql(&url, "SHOW data_directory"));
    sleep(Duration::from_secs(60));
}

#[test]
fn a_killed_owner_leaves_neither_server_nor_data() {
    let mut owner = Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "victim", "--ignored", "--nocapture"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("started");
    let mut lines = BufReader::new(owner.stdout.take().expect("piped")).lines().map_while(Result::ok);
    let told = lines.find(|line| line.starts_with("server ")).expect("a server");
    let mut words = told.split(' ').skip(1);
    let (url, data) = (words.next().expect("a URL"), words.next().expect("a folder"));
    let address = url.split(['@', '/']).nth(3).expect("an address");
    assert!(TcpStream::connect(address).is_ok() && Path::new(data).exists());

    owner.kill().expect("killed");
    owner.wait().expect("dead");

    let began = Instant::now();
    while TcpStream::connect(address).is_ok() || Path::new(data).exists() {
        assert!(began.elapsed() < Duration::from_secs(20), "something is left");
        sleep(Duration::from_millis(20));
    }
}

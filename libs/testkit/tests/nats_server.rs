//! The nats-server that stories are told with.

use buildwright_testkit::nats::Server;
use std::{
    net::{TcpListener, TcpStream},
    thread,
    time::Duration,
};

#[test]
fn a_server_whose_port_was_taken_while_it_was_away_comes_back_when_it_is_free() {
    let mut server = Server::start();
    server.stop();
    let taken = TcpListener::bind(("127.0.0.1", server.port())).expect("a free port");
    let passing = thread::spawn(move || {
        thread::sleep(Duration::from_secs(1));
        drop(taken);
    });
    server.start_again();
    passing.join().expect("no panic");
    TcpStream::connect(("127.0.0.1", server.port())).expect("it takes connections");
}

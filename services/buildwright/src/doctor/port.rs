//! Whether `up` could listen, and who is there if not.

use super::Check;
use crate::client::Client;
use std::{fs, io, net::SocketAddr, time::Duration};
use tokio::net::TcpListener;

const NAME: &str = "port";
const PATIENCE: Duration = Duration::from_secs(2);

pub(super) async fn port(address: SocketAddr) -> Check {
    let taken = match TcpListener::bind(address).await {
        Ok(_) => return Check::ok(NAME, format!("{address} is free")),
        Err(error) => error,
    };
    let another = format!("buildwright up --listen {}:0   (any free port)", address.ip());
    if taken.kind() != io::ErrorKind::AddrInUse {
        return Check::missing(NAME, format!("{address} cannot be listened on: {taken}"), another);
    }
    let server = Client::new(&format!("http://{address}")).ok();
    if let Some(server) = server
        && server.answers(PATIENCE).await.is_ok()
    {
        return Check::ok(NAME, format!("a Buildwright answers at {address}"));
    }
    let who = owner(address.port()).unwrap_or_else(|| "another program".to_owned());
    Check::missing(NAME, format!("{address} is taken by {who}"), another)
}

/// Who listens on a port, as far as this user may know. Linux only.
fn owner(port: u16) -> Option<String> {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"].map(|path| fs::read_to_string(path).unwrap_or_default());
    let inode = tables.iter().find_map(|table| listening_inode(table, port))?;
    let socket = format!("socket:[{inode}]");
    for process in fs::read_dir("/proc").ok()?.flatten() {
        // Not `self` and its like.
        if !process.file_name().to_string_lossy().bytes().all(|byte| byte.is_ascii_digit()) {
            continue;
        }
        let Ok(files) = fs::read_dir(process.path().join("fd")) else { continue };
        let holds =
            |file: fs::DirEntry| fs::read_link(file.path()).is_ok_and(|to| to.as_os_str() == socket.as_str());
        if files.flatten().any(holds) {
            let name = fs::read_to_string(process.path().join("comm")).unwrap_or_default();
            return Some(format!("{} (process {})", name.trim(), process.file_name().to_string_lossy()));
        }
    }
    None
}

/// The inode of the socket that listens on a port, in a table as the kernel prints it.
fn listening_inode(table: &str, port: u16) -> Option<&str> {
    const LISTENING: &str = "0A";
    table.lines().skip(1).find_map(|line| {
        let mut fields = line.split_whitespace();
        let local = fields.nth(1)?;
        let state = fields.nth(1)?;
        let inode = fields.nth(5)?;
        let found = u16::from_str_radix(local.rsplit(':').next()?, 16).ok()?;
        (found == port && state == LISTENING).then_some(inode)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Status;

    #[tokio::test]
    async fn a_port_that_is_taken_is_told_with_who_has_it() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let check = port(address).await;
        assert_eq!(check.status, Status::Missing, "{check:?}");
        #[cfg(target_os = "linux")]
        assert!(check.found.contains(&format!("(process {})", std::process::id())), "{check:?}");
        drop(listener);
        assert_eq!(port(address).await.status, Status::Ok);
    }

    #[test]
    fn the_kernels_table_is_read() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n   \
            0: 0100007F:20E4 00000000:0000 06 00000000:00000000 00:00000000 00000000  1000        0 11 1 0\n   \
            1: 0100007F:20E4 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 4242 1 0\n";
        assert_eq!(listening_inode(table, 0x20E4), Some("4242"));
        assert_eq!(listening_inode(table, 80), None);
    }
}

//! Finds the process that listens on a port, for error messages.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::time::Duration;

use crate::service::command_line;

/// Fails if `port` of the loopback interface is in use. The error names the process.
pub(crate) fn ensure_free(port: u16, needed_by: &str) -> anyhow::Result<()> {
    if TcpListener::bind(("127.0.0.1", port)).is_ok() {
        return Ok(());
    }
    let by = listener(port).map_or_else(
        || "by a process that is not visible to this user".to_owned(),
        |pid| {
            let line = command_line(pid).unwrap_or_default();
            format!("by process {pid}: {}", terminal::ui::truncate(&line, 120))
        },
    );
    anyhow::bail!(
        "port {port}, which {needed_by} needs, is in use {by}.\nStop that process, then run the command again."
    )
}

/// Whether something accepts connections on `port` of the loopback interface.
pub(crate) fn is_listening(port: u16) -> bool {
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    TcpStream::connect_timeout(&address, Duration::from_millis(200)).is_ok()
}

/// The process that listens on `port`: from `/proc` on Linux, otherwise from `lsof`.
fn listener(port: u16) -> Option<i32> {
    if let Ok(table) = std::fs::read_to_string("/proc/net/tcp") {
        let table6 = std::fs::read_to_string("/proc/net/tcp6").unwrap_or_default();
        let inode = listening_inode(&table, port).or_else(|| listening_inode(&table6, port))?;
        return process_with_socket(inode);
    }
    let filter = format!("-iTCP:{port}");
    let output = Command::new("lsof").args(["-nP", "-t", "-sTCP:LISTEN", &filter]).output().ok()?;
    String::from_utf8_lossy(&output.stdout).lines().next()?.parse().ok()
}

/// The inode of the listening socket in a table such as `/proc/net/tcp`: the second column is
/// `address:port` in hexadecimal, the fourth the state (0A = listening), the tenth the inode.
fn listening_inode(table: &str, port: u16) -> Option<&str> {
    let port = format!(":{port:04X}");
    table.lines().find_map(|line| {
        let columns: Vec<&str> = line.split_whitespace().collect();
        let listens = columns.get(1)?.ends_with(&port) && *columns.get(3)? == "0A";
        columns.get(9).copied().filter(|_| listens)
    })
}

/// The process that has the socket with this inode open.
fn process_with_socket(inode: &str) -> Option<i32> {
    let link = format!("socket:[{inode}]");
    std::fs::read_dir("/proc").ok()?.flatten().find_map(|process| {
        let pid: i32 = process.file_name().to_string_lossy().parse().ok()?;
        let mut files = std::fs::read_dir(process.path().join("fd")).ok()?.flatten();
        files
            .any(|file| std::fs::read_link(file.path()).is_ok_and(|to| to.as_os_str() == &*link))
            .then_some(pid)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_for_a_port_in_use_names_the_process() {
        let holder = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = holder.local_addr().unwrap().port();
        let error = ensure_free(port, "the test").unwrap_err().to_string();
        assert!(error.contains(&format!("process {}", std::process::id())), "{error}");
        drop(holder);
        // A process that another test starts meanwhile has the socket until it executes its program.
        let is_free = || {
            std::thread::sleep(Duration::from_millis(10));
            ensure_free(port, "the test").is_ok()
        };
        assert!((0..500).any(|_| is_free()));
    }

    #[test]
    fn only_listening_sockets_are_found() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n   \
                     0: 0100007F:11E1 0100007F:9999 01 00000000:00000000 00:00000000 00000000  0  0 111 1\n   \
                     1: 0100007F:11E1 00000000:0000 0A 00000000:00000000 00:00000000 00000000  0  0 222 1\n";
        assert_eq!(listening_inode(table, 0x11E1), Some("222"));
        assert_eq!(listening_inode(table, 0x11E2), None);
    }
}

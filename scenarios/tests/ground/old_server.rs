//! A server that is too old for the tables and statements.

use std::{
    io::{Read as _, Write as _},
    net::{Ipv4Addr, TcpListener, TcpStream},
    process::Command,
    thread,
};

use store::testing::master_key;

use crate::process::program;

/// Greets as PostgreSQL 14.9 does, and answers no statement.
fn greet(mut client: TcpStream) -> std::io::Result<()> {
    loop {
        let mut length = [0; 4];
        client.read_exact(&mut length)?;
        let mut message = vec![0; u32::from_be_bytes(length) as usize - 4];
        client.read_exact(&mut message)?;
        // A request for TLS or another encryption has a number of its own; no.
        if message.starts_with(&80_877_103_u32.to_be_bytes())
            || message.starts_with(&80_877_104_u32.to_be_bytes())
        {
            client.write_all(b"N")?;
            continue;
        }
        break;
    }
    client.write_all(b"R\0\0\0\x08\0\0\0\0")?;
    let version = b"server_version\x0014.9 (Debian 14.9-1)\0";
    client.write_all(b"S")?;
    client.write_all(&(version.len() as u32 + 4).to_be_bytes())?;
    client.write_all(version)?;
    client.write_all(b"K\0\0\0\x0c\0\0\0\x01\0\0\0\x01Z\0\0\0\x05I")?;
    // It says that it is alive, and hears what else is said, until the client has gone.
    loop {
        let mut head = [0; 5];
        client.read_exact(&mut head)?;
        let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize - 4;
        client.read_exact(&mut vec![0; length])?;
        if head[0] == b'S' {
            client.write_all(b"Z\0\0\0\x05I")?;
        }
    }
}

#[test]
fn whoever_would_use_a_server_older_than_15_is_told_what_was_found_and_what_is_needed() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let url = format!("postgres://somebody:secret@{}/daybook", listener.local_addr().unwrap());
    thread::spawn(move || {
        for client in listener.incoming() {
            thread::spawn(move || greet(client?));
        }
    });
    for command in [
        &["migrate"][..],
        &["migrate", "--check"],
        &["serve", "--listen", "127.0.0.1:0"],
        &["up", "--listen", "127.0.0.1:0"],
        &["verify"],
    ] {
        let output = Command::new(program())
            .args(command)
            .env("DATABASE_URL", &url)
            .env("NATS_URL", "nats://127.0.0.1:1")
            .env("DAYBOOK_MASTER_KEY", master_key().to_text())
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(
            told.contains("the database is PostgreSQL 14, and 15 or newer is needed"),
            "{command:?}: {told}"
        );
        assert!(!told.contains("secret"), "{command:?}: {told}");
        assert_eq!(output.status.code(), Some(1), "{command:?}: {told}");
    }
}

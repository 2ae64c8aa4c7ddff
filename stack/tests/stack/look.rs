//! How tests look at servers from outside: without a client library, only what any stranger sees.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

/// A directory that goes away with the test.
pub struct Temp(pub PathBuf);

impl Temp {
    pub fn new(name: &str) -> Temp {
        let path = std::env::temp_dir().join(format!("daybook-stack-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir(&path).unwrap();
        Temp(path)
    }

    pub fn data(&self) -> PathBuf {
        self.0.join("data")
    }
}

impl Drop for Temp {
    fn drop(&mut self) {
        // Root's servers may have had to live elsewhere.
        for data in fs::read_dir(&self.0).into_iter().flatten().flatten() {
            if let Ok(home) = fs::read_to_string(data.path().join("run/home")) {
                let _ = fs::remove_dir_all(home);
            }
        }
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The workspace's installed servers, shared by all tests.
pub fn servers() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join(".daybook/servers")
}

#[track_caller]
pub fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !is_so() {
        assert!(Instant::now() < deadline, "not within 20 s: {what}");
        thread::sleep(Duration::from_millis(10));
    }
}

/// `host:port` of a URL.
pub fn address(url: &str) -> &str {
    url.rsplit('@').next().unwrap().split('/').next().unwrap()
}

pub fn listens(url: &str) -> bool {
    TcpStream::connect(address(url)).is_ok()
}

/// What NATS tells everybody who connects.
pub fn nats_info(url: &str) -> String {
    let mut line = String::new();
    BufReader::new(TcpStream::connect(address(url)).unwrap()).read_line(&mut line).unwrap();
    line
}

/// The kind of authentication that Postgres asks a stranger for; 10 is SASL, that is, SCRAM.
pub fn postgres_asks_for(url: &str) -> u32 {
    let mut stream = TcpStream::connect(address(url)).unwrap();
    let body = b"\0\x03\0\0user\0daybook_owner\0database\0daybook\0\0";
    stream.write_all(&(body.len() as u32 + 4).to_be_bytes()).unwrap();
    stream.write_all(body).unwrap();
    let mut answer = [0; 9];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(answer[0], b'R', "an authentication request");
    u32::from_be_bytes(answer[5..].try_into().unwrap())
}

/// The number that `initdb` gave to the cluster: the first eight bytes of its control file.
pub fn cluster_id(home: &Path) -> Vec<u8> {
    fs::read(home.join("postgres/global/pg_control")).unwrap()[..8].to_vec()
}

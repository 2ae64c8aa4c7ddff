//! A disk that is full: first under the tables, which Postgres survives, then under its journal, which it does not.

use std::{
    fs,
    os::unix::fs::{MetadataExt as _, chown},
    path::{Path, PathBuf},
    process::Command,
};

use sqlx::Executor as _;
use stack::Stack;
use store::testing::{Ground, eventually};

use crate::process::{Serve, is_whole, laid, standing};

/// A small file system of its own, with a file in it that takes the room away.
struct SmallDisk {
    at: PathBuf,
    /// What cannot be removed while it is mounted.
    around: PathBuf,
}

impl SmallDisk {
    /// Mounts it; `None` where this process may not.
    fn mount(at: &Path, around: &Path, mib: u32) -> Option<Self> {
        let options = format!("size={mib}m,mode=0700");
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", &options, "daybook"]).arg(at).output().ok()?;
        if !mounted.status.success() {
            let why = String::from_utf8_lossy(&mounted.stderr).into_owned();
            eprintln!("NOT TRIED: a full disk needs the right to mount one: {why}");
            return None;
        }
        Some(Self { at: at.to_owned(), around: around.to_owned() })
    }

    /// Takes all room but so much.
    fn fill_up(&self, left: u64) {
        let output = Command::new("df").args(["--output=avail", "-B1"]).arg(&self.at).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let free: u64 = text.lines().last().unwrap().trim().parse().unwrap();
        let room = usize::try_from(free.saturating_sub(left)).unwrap();
        fs::write(self.ballast(), vec![1; room]).unwrap();
    }

    fn make_room(&self) {
        fs::remove_file(self.ballast()).unwrap();
    }

    fn ballast(&self) -> PathBuf {
        self.at.join("ballast")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.at).status();
        let _ = fs::remove_dir_all(&self.around);
    }
}

/// Gives a directory to whom the servers run as.
fn give(path: &Path, like: &Path) {
    let owner = fs::metadata(like).unwrap();
    chown(path, Some(owner.uid()), Some(owner.gid())).unwrap();
}

/// Receives units of SKUs of its own until told otherwise; every key that was answered with 200.
async fn receive_until_refused(serve: &Serve, reason: &str) -> Vec<String> {
    let mut acknowledged = vec![];
    for nth in 0..20_000 {
        let sku = format!("SKU-{nth:05}");
        let answer = serve.receive(&sku, &sku).await;
        match answer.status {
            200 => acknowledged.push(sku),
            _ if answer.is_outage(reason) => return acknowledged,
            _ => panic!("{sku}: {answer:?}"),
        }
    }
    panic!("the disk was never full")
}

async fn all_there(ground: &Ground, acknowledged: &[String]) {
    let standing = standing(ground).await;
    for sku in acknowledged {
        assert!(standing.contains(&(sku.clone(), 1)), "{sku} was acknowledged and is not there");
    }
    assert!(standing.iter().all(|(sku, times)| *times == 1 || sku == "A"), "something stands twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_under_the_tables_refuses_commands_until_there_is_room() {
    let servers = stack::testing::private();
    let around = std::env::temp_dir().join(format!("daybook-small-{}", std::process::id()));
    fs::create_dir(&around).unwrap();
    let Some(disk) = SmallDisk::mount(&around, &around, 16) else { return };
    let place = disk.at.join("tables");
    fs::create_dir(&place).unwrap();
    let cluster = servers.data_dir().join("postgres");
    give(&disk.at, &cluster);
    give(&place, &cluster);
    let ground = laid(Ground::alone(&servers).await).await;
    let owner = ground.owner_pool("").await;
    owner.execute(format!("CREATE TABLESPACE small LOCATION '{}'", place.display()).as_str()).await.unwrap();
    for table in ["events", "commands"] {
        owner.execute(format!("ALTER TABLE {table} SET TABLESPACE small").as_str()).await.unwrap();
    }
    disk.fill_up(300 << 10);

    let mut serve = Serve::up(&ground, "full").await;
    let acknowledged = receive_until_refused(&serve, "disk_full").await;
    assert!(!acknowledged.is_empty(), "there was room for some");
    // Refused at once, again and again, while queries are answered.
    let again = serve.receive("A", "again").await;
    assert!(again.is_outage("disk_full"), "{again:?}");
    assert!(again.body["detail"].as_str().unwrap().contains("no room left"), "{again:?}");
    let first = &acknowledged[0];
    eventually("queries go on", || async {
        (serve.get(&format!("/v1/inventory/{first}")).await.body["on_hand"] == 1).then_some(())
    })
    .await;
    is_whole(&ground).await;

    disk.make_room();
    let done = serve.receive("A", "again").await;
    assert_eq!(done.status, 200, "{done:?}");
    serve.is_running();
    all_there(&ground, &acknowledged).await;
    is_whole(&ground).await;
    eventually("the read models have followed", || async {
        (serve.get("/v1/inventory/A").await.body["on_hand"] == 1).then_some(())
    })
    .await;
    drop((serve, servers));
}

/// Puts the server's journal on a small disk.
fn journal_on_small_disk(servers: &Stack) -> Option<SmallDisk> {
    let journal = servers.data_dir().join("postgres/pg_wal");
    let beside = servers.data_dir().join("postgres/pg_wal.kept");
    servers.stop_postgres().unwrap();
    fs::rename(&journal, &beside).unwrap();
    fs::create_dir(&journal).unwrap();
    let disk = SmallDisk::mount(&journal, servers.data_dir(), 160)?;
    let copied = Command::new("cp").arg("-a").arg(format!("{}/.", beside.display())).arg(&journal).status();
    assert!(copied.unwrap().success());
    give(&journal, &beside);
    servers.start_postgres().unwrap();
    Some(disk)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_under_the_journal_ends_postgres_and_the_shop_goes_on_when_it_is_back() {
    let servers = stack::testing::private();
    let ground = laid(Ground::alone(&servers).await).await;
    let Some(disk) = tokio::task::block_in_place(|| journal_on_small_disk(&servers)) else { return };
    let mut serve = Serve::up(&ground, "journal").await;
    let mut acknowledged = vec![];
    for nth in 0..50 {
        let sku = format!("SKU-{nth:05}");
        assert_eq!(serve.receive(&sku, &sku).await.status, 200);
        acknowledged.push(sku);
    }
    disk.fill_up(20 << 20);
    // Something else fills the journal, until Postgres gives up.
    let filler = ground.owner_pool("").await;
    let mut failed = None;
    for _ in 0..400 {
        let fill =
            "CREATE TABLE filler AS SELECT repeat('x', 500) FROM generate_series(1, 2000); DROP TABLE filler";
        if let Err(error) = sqlx::raw_sql(fill).execute(&filler).await {
            failed = Some(error);
            break;
        }
    }
    assert!(failed.is_some(), "the journal was never full");
    let said = fs::read_to_string(servers.data_dir().join("run/postgres.log")).unwrap();
    assert!(said.contains("PANIC") && said.contains("No space left on device"), "Postgres gave up: {said}");
    // A command that comes now waits for the database to be back, and is answered by the same process.
    let (waiting, ()) = tokio::join!(serve.receive("A", "waiting"), async {
        tokio::task::block_in_place(|| {
            disk.make_room();
            servers.start_postgres().unwrap();
        });
    });
    assert!(waiting.status == 200 || waiting.is_outage("unreachable"), "{waiting:?}");
    let done = eventually("commands are taken again", || async {
        let answer = serve.receive("A", "waiting").await;
        (answer.status == 200).then_some(answer)
    })
    .await;
    assert_eq!(done.body["version"], 1, "{done:?}");
    serve.is_running();
    all_there(&ground, &acknowledged).await;
    is_whole(&ground).await;
    drop((serve, servers));
}

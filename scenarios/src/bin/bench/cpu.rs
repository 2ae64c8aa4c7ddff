//! What processes have used of the processors, from `/proc`.

use std::{collections::HashMap, fs, path::Path};

/// Ticks a second, as Linux has them everywhere.
const TICKS: f64 = 100.0;

/// Seconds of processor time, by who used them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Used {
    pub process: f64,
    pub postgres: f64,
    pub nats: f64,
    pub load: f64,
}

impl Used {
    /// What everybody has used who belongs to the shop whose data lie there, and this process.
    pub fn now(data: &Path) -> Self {
        let data = data.to_string_lossy().into_owned();
        let all: HashMap<u32, Process> = pids().filter_map(|pid| Some((pid, Process::read(pid)?))).collect();
        let mut used =
            Self { load: all.get(&std::process::id()).map_or(0.0, |own| own.own_s), ..Self::default() };
        for process in all.values() {
            let mut ancestor = Some(process);
            let belongs = std::iter::from_fn(|| {
                let this = ancestor?;
                ancestor = all.get(&this.parent);
                Some(this)
            })
            .take(8)
            .any(|process| process.command.contains(&data) && !process.name.starts_with("bench"));
            if !belongs {
                continue;
            }
            // What ended children have used counts with the one who waited for them, where that is not this process.
            let seconds = process.own_s + process.waited_s;
            match process.name.as_str() {
                "daybook" => used.process += process.own_s,
                "nats-server" => used.nats += seconds,
                name if name.starts_with("postgres") => used.postgres += seconds,
                _ => {}
            }
        }
        used
    }

    /// What was used since.
    pub fn since(self, before: Self) -> Self {
        Self {
            process: self.process - before.process,
            postgres: self.postgres - before.postgres,
            nats: self.nats - before.nats,
            load: self.load - before.load,
        }
    }

    /// All but the load.
    pub fn shop(self) -> f64 {
        self.process + self.postgres + self.nats
    }
}

struct Process {
    name: String,
    parent: u32,
    command: String,
    own_s: f64,
    waited_s: f64,
}

impl Process {
    fn read(pid: u32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name stands in brackets and may hold anything.
        let (head, rest) = stat.rsplit_once(") ")?;
        let name = head.split_once('(')?.1.to_owned();
        let fields: Vec<&str> = rest.split(' ').collect();
        let seconds =
            |at: usize| fields.get(at).and_then(|text| text.parse::<f64>().ok()).unwrap_or(0.0) / TICKS;
        let command = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
        Some(Self {
            name,
            parent: fields.get(1)?.parse().ok()?,
            command: String::from_utf8_lossy(&command).replace('\0', " "),
            own_s: seconds(11) + seconds(12),
            waited_s: seconds(13) + seconds(14),
        })
    }
}

fn pids() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").unwrap();
    entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
}

//! The process itself, under the names that Prometheus' own libraries use; told where Linux tells it.

use std::fs;

use super::{Text, seconds};

/// Clock ticks a second in `/proc`: what Linux tells programs on every machine.
const TICKS: i64 = 100;
/// Bytes of a page: of memory, `/proc/self/statm` counts pages.
const PAGE: i64 = 4_096;

impl Text {
    pub(super) fn process(&mut self) {
        self.family("daybook_build_info", "gauge", "1, with the version of the program.");
        self.labelled("daybook_build_info", "version", env!("CARGO_PKG_VERSION"), 1);
        if let Some(stat) = fs::read_to_string("/proc/self/stat").ok().and_then(|text| Stat::of(&text)) {
            let name = "process_cpu_seconds_total";
            self.family(name, "counter", "Processor time that the process has used.");
            self.sample(name, seconds(stat.cpu_ticks * (1_000_000 / TICKS)));
            self.alone("process_resident_memory_bytes", "Memory that the process has.", stat.resident_bytes);
            self.alone("process_threads", "Threads of the process.", stat.threads);
        }
        if let Ok(open) = fs::read_dir("/proc/self/fd") {
            self.alone("process_open_fds", "Files and connections that are open.", open.count());
        }
        if let Some(max) = fs::read_to_string("/proc/self/limits").ok().and_then(|text| files_max(&text)) {
            self.alone("process_max_fds", "Files and connections that may be open.", max);
        }
    }
}

struct Stat {
    cpu_ticks: i64,
    threads: i64,
    resident_bytes: i64,
}

impl Stat {
    /// Fields as proc(5) numbers them; the second, the name in brackets, may hold anything.
    fn of(text: &str) -> Option<Self> {
        let fields: Vec<&str> = text.rsplit_once(") ")?.1.split_whitespace().collect();
        let field = |number: usize| fields.get(number - 3)?.parse::<i64>().ok();
        Some(Self {
            cpu_ticks: field(14)? + field(15)?,
            threads: field(20)?,
            resident_bytes: field(24)? * PAGE,
        })
    }
}

fn files_max(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_read_whatever_it_is_called() {
        let text = "7 (day) book) S 1 7 7 0 -1 4194560 9 0 0 0 150 50 0 0 20 0 9 0 300 5000 1000 18446744073709551615";
        let stat = Stat::of(text).unwrap();
        assert_eq!((stat.cpu_ticks, stat.threads, stat.resident_bytes), (200, 9, 4_096_000));
        let limits = "Limit Soft Hard\nMax open files            1024   4096   files\n";
        assert_eq!(files_max(limits), Some(1_024));
    }
}

//! What the kernel knows of this process, under the names of the Prometheus client libraries.

use std::fs;

use super::text::{family, sample};

/// Clock ticks a second in `/proc` (`USER_HZ`), the same on every architecture Linux has today.
const TICKS: f64 = 100.0;

/// Appends the `process_*` families; nothing where there is no `/proc`.
pub(super) fn render(out: &mut String) {
    let Ok(stat) = fs::read_to_string("/proc/self/stat") else {
        return;
    };
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let mut add = |name: &str, kind: &str, help: &str, value: Option<f64>| {
        if let Some(value) = value {
            family(out, name, kind, help);
            sample(out, name, "", value);
        }
    };
    let cpu = Some(ticks(&stat, 13) + ticks(&stat, 14));
    let help = "Total user and system CPU time spent in seconds.";
    add("process_cpu_seconds_total", "counter", help, cpu);
    let help = "Maximum number of open file descriptors.";
    add("process_max_fds", "gauge", help, max_files(&limits));
    let files = fs::read_dir("/proc/self/fd")
        .ok()
        .map(|files| files.count() as f64 - 1.0);
    add(
        "process_open_fds",
        "gauge",
        "Number of open file descriptors.",
        files,
    );
    let resident = kibibytes(&status, "VmRSS:");
    add(
        "process_resident_memory_bytes",
        "gauge",
        "Resident memory size in bytes.",
        resident,
    );
    let boot = fs::read_to_string("/proc/stat").unwrap_or_default();
    let start = boot_time(&boot).map(|boot| boot + ticks(&stat, 21));
    let help = "Start time of the process since unix epoch in seconds.";
    add("process_start_time_seconds", "gauge", help, start);
    let threads = number(&status, "Threads:");
    add("process_threads", "gauge", "Number of threads.", threads);
    let size = kibibytes(&status, "VmSize:");
    add(
        "process_virtual_memory_bytes",
        "gauge",
        "Virtual memory size in bytes.",
        size,
    );
}

/// Field `index` of `/proc/self/stat`, counted from 0, in seconds. The second field is a name that may hold spaces.
fn ticks(stat: &str, index: usize) -> f64 {
    let after_name = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
    let field = after_name.split(' ').nth(index - 2);
    field
        .and_then(|field| field.parse::<f64>().ok())
        .unwrap_or(0.0)
        / TICKS
}

fn number(text: &str, label: &str) -> Option<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix(label))?;
    line.split_whitespace().next()?.parse().ok()
}

fn kibibytes(status: &str, label: &str) -> Option<f64> {
    number(status, label).map(|kibibytes| kibibytes * 1024.0)
}

/// The soft limit.
fn max_files(limits: &str) -> Option<f64> {
    number(limits, "Max open files")
}

fn boot_time(stat: &str) -> Option<f64> {
    number(stat, "btime ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_counted_after_a_name_with_spaces_and_brackets() {
        let stat = "7 (a) b (c) S 1 7 7 0 -1 4194304 100 0 0 0 250 50 0 0 20 0 1 0 12345 1 2";
        assert_eq!(
            (ticks(stat, 13), ticks(stat, 14), ticks(stat, 21)),
            (2.5, 0.5, 123.45)
        );
        assert_eq!(
            max_files("Max open files            1024     4096     files\n"),
            Some(1024.0)
        );
        assert_eq!(
            kibibytes("Name:\tx\nVmRSS:\t    8 kB\n", "VmRSS:"),
            Some(8192.0)
        );
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_has_memory_files_and_a_start() {
        let mut out = String::new();
        render(&mut out);
        let value = |name: &str| -> f64 {
            let line = out
                .lines()
                .find_map(|line| line.strip_prefix(&format!("{name} ")));
            line.unwrap_or_else(|| panic!("{name}\n{out}"))
                .parse()
                .unwrap()
        };
        assert!(value("process_resident_memory_bytes") > 100_000.0);
        assert!(value("process_virtual_memory_bytes") >= value("process_resident_memory_bytes"));
        assert!(
            value("process_open_fds") >= 1.0
                && value("process_open_fds") <= value("process_max_fds")
        );
        assert!(value("process_start_time_seconds") > 1_600_000_000.0);
        assert!(value("process_cpu_seconds_total") >= 0.0);
    }
}

//! Where a comparison runs, as far as the system tells without asking anybody.

use std::path::Path;

use crate::model::Machine;

/// This machine, with the file system of `scratch`.
pub(crate) fn describe(scratch: &Path) -> Machine {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let processor =
        field(&read("/proc/cpuinfo"), "model name").unwrap_or_else(|| std::env::consts::ARCH.into());
    let memory = field(&read("/proc/meminfo"), "MemTotal")
        .and_then(|text| text.strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024));
    let release = read("/etc/os-release");
    let name = release.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="));
    let kernel =
        [read("/proc/sys/kernel/ostype"), read("/proc/sys/kernel/osrelease")].map(|s| s.trim().to_owned());
    let parts = [name.unwrap_or_default().trim_matches('"').to_owned(), kernel.join(" ").trim().to_owned()];
    let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    let system = if parts.is_empty() { std::env::consts::OS.to_owned() } else { parts.join(", ") };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    Machine {
        processor,
        cores: u32::try_from(cores).unwrap_or(u32::MAX),
        memory: memory.unwrap_or(0),
        system,
        file_system: stem_fs::file_system(scratch).unwrap_or("unknown").to_owned(),
    }
}

fn field(text: &str, name: &str) -> Option<String> {
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.trim_start().strip_prefix(':'))?;
    Some(value.trim().to_owned()).filter(|value| !value.is_empty())
}

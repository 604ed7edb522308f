//! What a process costs, as the kernel counts it.

use crate::Failure;

/// Processor time used so far, in milliseconds (proc(5): fields 14 and 15, in hundredths of a second).
///
/// # Errors
/// When there is no such process.
pub fn cpu_ms(id: u32) -> Result<u64, Failure> {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat"))?;
    let fields: Vec<&str> = stat
        .rsplit(')')
        .next()
        .unwrap_or("")
        .split_whitespace()
        .collect();
    let ticks = |at: usize| {
        fields
            .get(at)
            .and_then(|field| field.parse::<u64>().ok())
            .unwrap_or(0)
    };
    Ok((ticks(11) + ticks(12)) * 10)
}

/// Resident memory in KiB.
///
/// # Errors
/// When there is no such process.
pub fn resident_kib(id: u32) -> Result<u32, Failure> {
    let status = std::fs::read_to_string(format!("/proc/{id}/status"))?;
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .unwrap_or("");
    Ok(line
        .split_whitespace()
        .nth(1)
        .and_then(|kib| kib.parse().ok())
        .unwrap_or(0))
}

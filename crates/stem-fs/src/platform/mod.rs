//! All platform differences. Each platform offers the same functions; the rest of the crate has no `cfg`.

#[cfg(unix)]
mod unix;
#[cfg(unix)]
pub(crate) use unix::*;
#[cfg(unix)]
pub use unix::{available_space, open_file_limit, process_is_alive, raise_open_file_limit};

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
pub(crate) use linux::*;

#[cfg(not(target_os = "linux"))]
mod portable;
#[cfg(not(target_os = "linux"))]
pub(crate) use portable::*;

#[cfg(windows)]
mod pathwise;
#[cfg(windows)]
pub(crate) use pathwise::*;
#[cfg(windows)]
pub use pathwise::{available_space, open_file_limit, process_is_alive, raise_open_file_limit};

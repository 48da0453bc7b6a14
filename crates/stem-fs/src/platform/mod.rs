//! All platform differences. Each platform offers the same functions; the rest of the crate has no `cfg`.

#[cfg(unix)]
mod unix;
#[cfg(unix)]
pub(crate) use unix::*;
#[cfg(unix)]
pub use unix::{
    available_space, create_private_dir, open_file_limit, process_is_alive, processor_time,
    raise_open_file_limit,
};

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
pub(crate) use linux::*;
#[cfg(target_os = "linux")]
pub use linux::{drop_cached, file_system, machine_id};

#[cfg(not(target_os = "linux"))]
mod portable;
#[cfg(not(target_os = "linux"))]
pub(crate) use portable::*;
#[cfg(not(target_os = "linux"))]
pub use portable::{drop_cached, file_system, machine_id};

#[cfg(windows)]
mod pathwise;
#[cfg(windows)]
pub(crate) use pathwise::*;
#[cfg(windows)]
pub use pathwise::{
    available_space, create_private_dir, open_file_limit, process_is_alive, processor_time,
    raise_open_file_limit,
};

//! Copies of whole files: reflink, else inside the kernel, else through a buffer.
//!
//! Holes stay holes: a sparse file of many gigabytes must neither fill the disk nor take the time of its size. They are
//! looked for only in files that use fewer blocks than their size asks for, so other files pay nothing.

use std::io::{self, Seek, SeekFrom, Write};
use std::ops::Range;

use crate::error::{Context, Result};
use crate::file::OpenFile;
use crate::platform;
use crate::temp::TempFile;

/// Bytes moved by one in-kernel copy call; bounds the time until an interruption is seen.
const KERNEL_STEP: u64 = 16 << 20;
/// Bytes moved by one read and write.
const BUFFER_STEP: u64 = 1 << 20;
/// Runs of zeros that [`TempFile::write_sparse`] leaves out have this length and begin at multiples of it. Shorter ones
/// would save little and tear the file to pieces.
const GRANULE: usize = 64 << 10;

/// Where the next bytes are that are no hole, at or after a position; empty, at the end of the file, when there are none.
pub(crate) type DataRange = Range<u64>;

/// How the bytes of a whole file got into another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CopyMethod {
    /// Both share the same blocks (reflink); nothing was copied.
    Cloned,
    /// The kernel copied.
    InKernel,
    /// The bytes passed through this process.
    Buffered,
}

impl TempFile {
    /// Fills this empty file with the bytes that `source` holds, by the fastest means: reflink, copy inside the kernel,
    /// reads and writes. Copies what is there when `source` grows or shrinks meanwhile; returns the number of bytes. Holes
    /// stay holes; to find them, the position that reads of `source` use is moved and put back.
    pub fn copy_from(&mut self, source: &OpenFile) -> Result<(u64, CopyMethod)> {
        self.copy_from_with(source, &mut |_| Ok(()))
    }

    /// As [`TempFile::copy_from`]; `told` is told of every part, in bytes, and may end the copy with an error.
    pub fn copy_from_with(
        &mut self,
        source: &OpenFile,
        told: &mut dyn FnMut(u64) -> io::Result<()>,
    ) -> Result<(u64, CopyMethod)> {
        if self.clone_from(source)? {
            let size = self.stat()?.size;
            return told(size).context("clone into", self.path()).map(|()| (size, CopyMethod::Cloned));
        }
        self.copy_bytes(source, true, told).context("copy into", self.path())
    }

    /// Makes this empty file share the blocks of `source` (reflink); `false` when the file system cannot.
    pub fn clone_from(&mut self, source: &OpenFile) -> Result<bool> {
        let clone = || platform::clone_file(source.as_std(), self.as_std());
        self.make_write(0, clone, |done| done.then_some(0)).context("clone into", self.path())
    }

    fn copy_bytes(
        &mut self,
        source: &OpenFile,
        in_kernel: bool,
        told: &mut dyn FnMut(u64) -> io::Result<()>,
    ) -> io::Result<(u64, CopyMethod)> {
        let sparse = source.stat().map_err(|e| e.source)?.is_sparse();
        let mut copy =
            Copy { target: self, source, at: 0, in_kernel, buffered: !in_kernel, buffer: Vec::new() };
        loop {
            let mut most = u64::MAX;
            if sparse && let Some(data) = platform::data_range(source.as_std(), copy.at)? {
                let hole = data.start - copy.at;
                if hole > 0 {
                    copy.target.leave_hole(copy.at, hole)?;
                    copy.at = data.start;
                    told(hole)?;
                    continue;
                }
                most = data.end - data.start;
            }
            match copy.step(most)? {
                0 => break,
                moved => told(moved)?,
            }
        }
        let method = if copy.buffered { CopyMethod::Buffered } else { CopyMethod::InKernel };
        Ok((copy.at, method))
    }

    /// Writes all of `buf`, but leaves long runs of zeros out, so that they take no space. The file holds the same bytes
    /// and has the same length as after [`Write::write_all`]. Looking for zeros costs time and holes cost fragments: for
    /// copies of files that are sparse themselves ([`crate::Stat::is_sparse`]), in pieces of 64 KiB or more.
    pub fn write_sparse(&mut self, buf: &[u8]) -> io::Result<()> {
        let mut at = self.as_std().stream_position()?;
        let mut rest = buf;
        while !rest.is_empty() {
            let (run, is_hole) = leading_run(rest, at);
            let (head, tail) = rest.split_at(run);
            if is_hole {
                self.leave_hole(at, run as u64)?;
            } else {
                self.write_all(head)?;
            }
            at += run as u64;
            rest = tail;
        }
        Ok(())
    }

    /// Makes the file, which ends at `at`, longer by `len` zeros that take no space.
    fn leave_hole(&self, at: u64, len: u64) -> io::Result<()> {
        let extend = || {
            let mut file = self.as_std();
            file.set_len(at + len)?;
            file.seek(SeekFrom::Start(at + len)).map(drop)
        };
        self.make_write(len, extend, |()| Some(len))
    }
}

/// The length of the run of one kind, hole or bytes, with which `buf` begins, and whether it is a hole.
fn leading_run(buf: &[u8], at: u64) -> (usize, bool) {
    static ZEROS: [u8; GRANULE] = [0; GRANULE];
    let misaligned = usize::try_from(at % GRANULE as u64).unwrap_or(0);
    let mut run = 0;
    let mut kind = None;
    while run < buf.len() {
        let granule = if run == 0 { GRANULE - misaligned } else { GRANULE };
        let piece = &buf[run..buf.len().min(run + granule)];
        let is_hole = piece == ZEROS;
        if *kind.get_or_insert(is_hole) != is_hole {
            break;
        }
        run += piece.len();
    }
    (run, kind.unwrap_or(false))
}

/// A copy that is under way.
struct Copy<'a> {
    target: &'a mut TempFile,
    source: &'a OpenFile,
    at: u64,
    /// Whether the kernel is still asked.
    in_kernel: bool,
    /// Whether bytes passed through this process, or would have if there were any.
    buffered: bool,
    buffer: Vec<u8>,
}

impl Copy<'_> {
    /// Moves up to `most` bytes; 0 at the end of the source.
    fn step(&mut self, most: u64) -> io::Result<u64> {
        if self.in_kernel {
            let len = most.min(KERNEL_STEP);
            let copy = || platform::copy_range(self.source.as_std(), self.at, self.target.as_std(), len);
            match self.target.make_write(len, copy, |copied| copied.filter(|&n| n > 0))? {
                // Some file systems answer 0 for files whose size they do not know: read to be sure.
                Some(0) => self.in_kernel = false,
                Some(copied) => {
                    self.at += copied;
                    return Ok(copied);
                }
                None => (self.in_kernel, self.buffered) = (false, true),
            }
        }
        self.read_and_write(most)
    }

    fn read_and_write(&mut self, most: u64) -> io::Result<u64> {
        if self.buffer.is_empty() {
            // Most often this finds the end, or all of a small file.
            let mut small = [0u8; 4096];
            let read = read(self.source, &mut small, self.at, most)?;
            if read == small.len() {
                self.buffer.resize(usize::try_from(BUFFER_STEP).unwrap_or(small.len()), 0);
            }
            return self.put(&small[..read]);
        }
        let mut buffer = std::mem::take(&mut self.buffer);
        let moved = read(self.source, &mut buffer, self.at, most).and_then(|read| self.put(&buffer[..read]));
        self.buffer = buffer;
        moved
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<u64> {
        if !bytes.is_empty() {
            self.buffered = true;
            self.target.write_all(bytes)?;
            self.at += bytes.len() as u64;
        }
        Ok(bytes.len() as u64)
    }
}

fn read(source: &OpenFile, buffer: &mut [u8], at: u64, most: u64) -> io::Result<usize> {
    let room = usize::try_from(most).map_or(buffer.len(), |most| most.min(buffer.len()));
    loop {
        match source.read_at(&mut buffer[..room], at) {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};

    use super::*;
    use crate::{Dir, RelPath};

    #[test]
    fn without_the_kernel_the_copy_is_the_same() {
        let holder = tempfile::tempdir().unwrap();
        let dir = Dir::open(holder.path()).unwrap();
        let path = holder.path().join("source");
        for (len, hole) in
            [(0, 0), (1, 0), (4096, 0), (4097, 0), (5 << 20, 0), (100, 1 << 32), (1 << 20, 1 << 30)]
        {
            let data: Vec<u8> = (0..len).map(|i: u32| u8::try_from(i % 251).unwrap() + 1).collect();
            let mut file = File::create(&path).unwrap();
            file.write_all(&data).unwrap();
            file.seek(SeekFrom::Start(u64::from(len) + hole)).unwrap();
            file.write_all(&data).unwrap();
            let source = dir.open_file(&RelPath::try_from("source").unwrap()).unwrap().unwrap();
            let size = 2 * u64::from(len) + hole;
            for in_kernel in [true, false] {
                let mut temp = dir.temp_file(0o600).unwrap();
                let mut told = 0;
                let copied = temp.copy_bytes(&source, in_kernel, &mut |more| {
                    told += more;
                    Ok(())
                });
                let (copied, method) = copied.unwrap();
                assert_eq!((copied, told, temp.stat().unwrap().size), (size, size, size));
                assert!(in_kernel || method == CopyMethod::Buffered);
                if hole > 0 {
                    assert!(temp.stat().unwrap().blocks < 1 << 16);
                } else {
                    assert!(fs::read(temp.path()).unwrap() == data.repeat(2));
                }
                let mut tail = vec![0; data.len()];
                let file =
                    dir.open_file(&RelPath::from_path(temp.path().file_name().unwrap().as_ref()).unwrap());
                file.unwrap().unwrap().read_at(&mut tail, size - u64::from(len)).unwrap();
                assert!(tail == data);
            }
        }
    }

    #[test]
    fn runs_of_zeros_begin_and_end_at_granules() {
        const G: usize = GRANULE;
        let mut buf = vec![0; 5 * G];
        buf[3 * G + 1] = 1;
        assert_eq!(leading_run(&buf, 0), (3 * G, true));
        assert_eq!(leading_run(&buf[3 * G..], 0), (G, false));
        assert_eq!(leading_run(&buf[4 * G..], 0), (G, true));
        assert_eq!(leading_run(&buf, 10), (G - 10, false));
        assert_eq!(leading_run(&buf[G - 10..], G as u64), (2 * G, true));
        assert_eq!(leading_run(&buf[..G - 1], 0), (G - 1, false));
        assert_eq!(leading_run(&[], 0), (0, false));
    }
}

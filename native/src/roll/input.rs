//! The electors' file, read so that a cancelled run waits for nobody.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::OFlags;

use crate::supervise::Progress;

const TICK: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 50_000_000,
};

pub struct Input {
    file: File,
    /// 0 for a pipe.
    pub size_bytes: u64,
    is_regular: bool,
}

impl Input {
    /// Opens a file, or a pipe whose writer may come later.
    pub fn open(path: &Path) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.read(true);
        options.custom_flags(OFlags::NONBLOCK.bits().cast_signed());
        let file = options.open(path)?;
        let about = file.metadata()?;
        Ok(Self {
            file,
            size_bytes: about.len(),
            is_regular: about.is_file(),
        })
    }

    /// Its bytes. Once cancelled, a pipe is at its end.
    pub fn reader<'a>(&'a self, progress: &'a Progress) -> InputReader<'a> {
        InputReader {
            input: self,
            progress,
        }
    }
}

pub struct InputReader<'a> {
    input: &'a Input,
    progress: &'a Progress,
}

impl Read for InputReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut file = &self.input.file;
        if self.input.is_regular {
            return file.read(buffer);
        }
        while !self.progress.is_cancelled() {
            if poll(&mut [PollFd::new(file, PollFlags::IN)], Some(&TICK))? > 0 {
                return file.read(buffer);
            }
        }
        Ok(0)
    }
}

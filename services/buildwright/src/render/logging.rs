//! Log lines on a terminal whose lower lines move: they go above these, instead of through them.

use indicatif::MultiProgress;
use std::{
    io::{self, Write},
    sync::{Mutex, PoisonError},
};

/// What moves at present. One process has one terminal.
static MOVING: Mutex<Option<MultiProgress>> = Mutex::new(None);

/// From now on, log lines go above this.
pub(super) fn through(screen: Option<&MultiProgress>) {
    *MOVING.lock().unwrap_or_else(PoisonError::into_inner) = screen.cloned();
}

/// Standard error, for log lines.
#[derive(Debug)]
pub(crate) struct LogWriter;

impl Write for LogWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let moving = MOVING.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match moving {
            Some(screen) => screen.suspend(|| io::stderr().write(bytes)),
            None => io::stderr().write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

//! Makes what was written durable: one flush for all that wait for one.
//!
//! It has a thread of its own, so that what is reported during a flush is written, and so published, meanwhile.

use super::segment::SegmentFile;
use std::{
    fs::File,
    io,
    sync::{Arc, mpsc},
    thread,
};
use tokio::sync::oneshot;

/// Whether a flush succeeded, for all that waited for it.
pub(super) type Flushed = Result<(), Arc<io::Error>>;

/// Told once whether a report is durable.
pub(super) type Durable = oneshot::Sender<Flushed>;

/// What makes a file durable.
pub(super) trait Flush: Fn(&File) -> io::Result<()> + Send + 'static {}
impl<T: Fn(&File) -> io::Result<()> + Send + 'static> Flush for T {}

/// Who waits for what was written to a file before.
pub(super) struct Due {
    pub(super) file: Arc<SegmentFile>,
    pub(super) waiting: Vec<Durable>,
}

/// Starts it; it ends when nobody can hand it anything. No more can be due than there are who report.
pub(super) fn start(flush: impl Flush) -> io::Result<mpsc::Sender<Due>> {
    let (hand_in, due) = mpsc::channel();
    thread::Builder::new().name("spool-syncer".into()).spawn(move || run(&due, flush))?;
    Ok(hand_in)
}

fn run(due: &mpsc::Receiver<Due>, flush: impl Fn(&File) -> io::Result<()>) {
    while let Ok(first) = due.recv() {
        let mut flushed: Option<(Arc<SegmentFile>, Flushed)> = None;
        // Whatever is here was written before the flush begins. Another file comes only after a rotation.
        let all: Vec<_> = std::iter::once(first).chain(due.try_iter()).collect();
        for Due { file, waiting } in all {
            let said = match flushed.take_if(|(same, _)| Arc::ptr_eq(same, &file)) {
                Some((_, said)) => said,
                None => file.flush(&flush).map_err(Arc::new),
            };
            for durable in waiting {
                // Whoever reported may not wait any more.
                let _ = durable.send(said.clone());
            }
            flushed = Some((file, said));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Arc, Due, SegmentFile, io, mpsc, oneshot, run};
    use std::cell::Cell;

    fn file() -> Arc<SegmentFile> {
        Arc::new(SegmentFile::new(tempfile::tempfile().unwrap()))
    }

    #[test]
    fn all_that_wait_share_one_flush_of_each_file() {
        let (hand_in, due) = mpsc::channel();
        let (one, other) = (file(), file());
        let mut told = Vec::new();
        for n in 0..30 {
            let (durable, is_durable) = oneshot::channel();
            told.push(is_durable);
            let file = Arc::clone(if n < 20 { &one } else { &other });
            hand_in.send(Due { file, waiting: vec![durable] }).unwrap();
        }
        drop(hand_in);
        let flushes = Cell::new(0);
        run(&due, |_| {
            flushes.set(flushes.get() + 1);
            Ok(())
        });
        assert_eq!(flushes.get(), 2);
        assert!(told.into_iter().all(|told| told.blocking_recv().unwrap().is_ok()));
    }

    #[test]
    fn a_file_that_could_not_be_flushed_once_is_never_taken_for_durable() {
        let file = file();
        let failing = Cell::new(true);
        for _ in 0..2 {
            let (hand_in, due) = mpsc::channel();
            let (durable, is_durable) = oneshot::channel();
            hand_in.send(Due { file: Arc::clone(&file), waiting: vec![durable] }).unwrap();
            drop(hand_in);
            run(
                &due,
                |_| if failing.replace(false) { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) },
            );
            is_durable.blocking_recv().unwrap().unwrap_err();
        }
    }
}

//! The three forms in which programs give two times, read into one.

use rustix::fs::{Timespec, Timestamps};

use super::{kind::Times, sys::Errno};
use crate::tracee::Tracee;

/// Last access and last modification, as `utimensat(2)` takes them.
pub(crate) struct FileTimes(pub Timestamps);

impl FileTimes {
    /// Reads the caller's memory. A null pointer means now.
    pub(crate) fn read(times: Times, tracee: &Tracee) -> Errno<FileTimes> {
        let errno = |e: rustix::io::Errno| e.raw_os_error();
        let (Times::Spec(address) | Times::Val(address) | Times::Seconds(address)) = times;
        if address == 0 {
            return Ok(FileTimes::now());
        }
        if let Times::Seconds(address) = times {
            let bytes: [u8; 16] = tracee.read_array(address).map_err(errno)?;
            return Ok(FileTimes::of([(word(&bytes, 0), 0), (word(&bytes, 1), 0)]));
        }
        let bytes: [u8; 32] = tracee.read_array(address).map_err(errno)?;
        let mut pairs = [
            (word(&bytes, 0), word(&bytes, 1)),
            (word(&bytes, 2), word(&bytes, 3)),
        ];
        if let Times::Val(_) = times {
            for (_, fraction) in &mut pairs {
                if !(0..1_000_000).contains(fraction) {
                    return Err(libc::EINVAL);
                }
                *fraction *= 1000;
            }
        }
        Ok(FileTimes::of(pairs))
    }

    fn now() -> FileTimes {
        FileTimes::of([(0, libc::UTIME_NOW), (0, libc::UTIME_NOW)])
    }

    fn of([accessed, modified]: [(i64, i64); 2]) -> FileTimes {
        let time = |(tv_sec, tv_nsec)| Timespec { tv_sec, tv_nsec };
        FileTimes(Timestamps {
            last_access: time(accessed),
            last_modification: time(modified),
        })
    }
}

fn word(bytes: &[u8], index: usize) -> i64 {
    bytes[index * 8..][..8]
        .try_into()
        .map_or(0, i64::from_ne_bytes)
}

//! An open that the program does itself, behind a door that the supervisor names.
//!
//! A descriptor that the supervisor gives (`SECCOMP_IOCTL_NOTIF_ADDFD`) takes two plain wake-ups,
//! the program's and the supervisor's, which the scheduler sends to an idle CPU: some 100 µs on a
//! machine with nothing else to do. A number as an answer wakes the program where the supervisor
//! runs (`SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP`, 6.6). So the layer says in two registers that
//! openat(2) does not use that it can open behind `/proc/PID/fd/ROOT`, and where the answer would
//! not have waited for anybody, the supervisor says: do.

/// The registers behind the arguments of openat(2). No program has these there by chance.
pub const WILLING: [u64; 2] = [0x4d52_7244_6f70_656e, 0x6265_6869_6e64_2121];

/// A number with this in its upper half is no descriptor, which are below 2^31.
const TAG: u64 = 0x4d52_6f70;

/// Descriptors above are not offered.
const HIGHEST: u64 = 0x3ff;

/// Process ids end below this (`PID_MAX_LIMIT` in linux/threads.h).
const PIDS: u64 = 1 << 22;

/// Where the pod's tree is found: a directory's descriptor in the supervisor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Door {
    /// The supervisor's process id.
    pub pid: u32,
    /// The descriptor.
    pub root: u32,
}

impl Door {
    /// Whether the caller of openat(2) with these arguments can open itself.
    pub fn is_wanted(args: &[u64; 6]) -> bool {
        args[4..] == WILLING
    }

    /// As what the call returns; `None` when it does not fit.
    pub fn to_answer(self) -> Option<i64> {
        let (pid, root) = (u64::from(self.pid), u64::from(self.root));
        (pid < PIDS && root <= HIGHEST).then_some((TAG << 32 | root << 22 | pid) as i64)
    }

    /// From what the call returned; `None` when that is a descriptor.
    pub fn from_answer(answer: u64) -> Option<Door> {
        (answer >> 32 == TAG).then_some(Door {
            pid: (answer & (PIDS - 1)) as u32,
            root: ((answer & 0xffff_ffff) >> 22) as u32,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doors_come_back_as_they_went_and_are_no_descriptors() {
        for (pid, root) in [(1, 0), (4_194_303, 1023), (26858, 7)] {
            let door = Door { pid, root };
            let answer = door.to_answer().unwrap();
            assert!(answer > i64::from(i32::MAX));
            assert_eq!(Door::from_answer(answer as u64), Some(door));
        }
        assert_eq!(
            Door {
                pid: 1 << 22,
                root: 0
            }
            .to_answer(),
            None
        );
        assert_eq!(Door { pid: 1, root: 1024 }.to_answer(), None);
        assert_eq!(Door::from_answer(i32::MAX as u64), None);
    }

    #[test]
    fn only_both_registers_together_say_so() {
        let [a, b] = WILLING;
        assert!(Door::is_wanted(&[0, 0, 0, 0, a, b]));
        assert!(!Door::is_wanted(&[0, 0, 0, 0, a, 0]));
        assert!(!Door::is_wanted(&[0, 0, 0, 0, 0, b]));
    }
}

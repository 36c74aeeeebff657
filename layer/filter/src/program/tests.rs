//! The program, run by an interpreter of the few instructions that it uses.

use super::*;
use crate::calls;

/// `struct seccomp_data`.
#[derive(Clone, Copy)]
struct Data {
    nr: i64,
    arch: u32,
    ip: u64,
    args: [u64; 6],
}

impl Data {
    fn of(nr: i64) -> Data {
        Data {
            nr,
            arch: ARCHITECTURE,
            ip: 0x7f00_1234_5678,
            args: [0; 6],
        }
    }

    fn load(&self, offset: u32) -> u32 {
        let word = |value: u64, high: bool| {
            if high {
                (value >> 32) as u32
            } else {
                value as u32
            }
        };
        match offset {
            NR => self.nr as u32,
            ARCH => self.arch,
            IP_LOW => word(self.ip, false),
            IP_HIGH => word(self.ip, true),
            _ => {
                assert_eq!(offset % 4, 0);
                word(
                    self.args[((offset - ARGS) / 8) as usize],
                    (offset - ARGS) % 8 == 4,
                )
            }
        }
    }
}

/// Runs the program; also tells whether anything but number and architecture was looked at.
fn run(data: Data) -> (u32, bool) {
    let program = PROGRAM.instructions();
    let (mut at, mut accumulator, mut looked) = (0, 0, false);
    loop {
        let Instruction { code, jt, jf, k } = program[at];
        at += 1;
        let branch = |taken| if taken { jt as usize } else { jf as usize };
        match code {
            LOAD => {
                looked |= k != NR && k != ARCH;
                accumulator = data.load(k);
            }
            AND => accumulator &= k,
            GOTO => at += k as usize,
            IF_EQUAL => at += branch(accumulator == k),
            IF_AT_LEAST => at += branch(accumulator >= k),
            IF_BITS => at += branch(accumulator & k != 0),
            RETURN => return (k, looked),
            other => panic!("instruction {other:#x} is not in the interpreter"),
        }
    }
}

fn decide(data: Data) -> u32 {
    run(data).0
}

#[test]
fn every_number_is_decided_as_listed() {
    for nr in 0..1024 {
        let expected = match calls::action(nr) {
            Action::Allow | Action::NotifyIfPointer(_) | Action::NotifyIfSocketError => RET_ALLOW,
            Action::Notify | Action::NotifyUnlessEmptyPath(_) | Action::NotifyUnlessGiven(_) => {
                RET_USER_NOTIF
            }
            Action::NoSuchCall => RET_ENOSYS,
        };
        assert_eq!(decide(Data::of(nr)), expected, "call {nr}");
    }
}

#[test]
fn calls_that_are_not_listed_are_decided_by_their_number_alone() {
    for nr in 0..1024 {
        if calls::action(nr) == Action::Allow {
            assert_eq!(run(Data::of(nr)), (RET_ALLOW, false), "call {nr}");
        }
    }
}

#[test]
fn listed_calls_pass_from_the_page_only() {
    for (nr, action) in calls::LISTED {
        if action == Action::NoSuchCall {
            continue;
        }
        let mut args = [1; 6];
        if action == Action::NotifyIfSocketError {
            args[2] = libc::SO_ERROR as u64;
        }
        let from = |ip| {
            decide(Data {
                ip,
                args,
                ..Data::of(nr.into())
            })
        };
        assert_eq!(from(page::ADDRESS + 2), RET_ALLOW, "call {nr}");
        assert_eq!(from(page::ADDRESS + page::SIZE - 1), RET_ALLOW, "call {nr}");
        assert_eq!(
            from(page::ADDRESS + page::SIZE),
            RET_USER_NOTIF,
            "call {nr}"
        );
        assert_eq!(from(page::ADDRESS - 1), RET_USER_NOTIF, "call {nr}");
        assert_eq!(from(page::ADDRESS | 1 << 32), RET_USER_NOTIF, "call {nr}");
    }
}

#[test]
fn addresses_decide_for_data_calls() {
    let receive = |address| {
        decide(Data {
            args: [3, 0x1000, 64, 0, address, 0],
            ..Data::of(libc::SYS_recvfrom)
        })
    };
    assert_eq!(receive(0), RET_ALLOW);
    assert_eq!(receive(0x10), RET_USER_NOTIF);
    assert_eq!(receive(0x10 << 32), RET_USER_NOTIF);
}

#[test]
fn messages_are_asked_about_but_the_one_with_the_listener() {
    let send = |word| {
        decide(Data {
            args: [3, 0x1000, 0, 1, 1, word],
            ..Data::of(libc::SYS_sendmsg)
        })
    };
    assert_eq!(send(hand_over::GIVEN), RET_ALLOW);
    assert_eq!(send(hand_over::GIVEN ^ 1), RET_USER_NOTIF);
    assert_eq!(send(hand_over::GIVEN ^ 1 << 32), RET_USER_NOTIF);
    let receive = decide(Data {
        args: [hand_over::GIVEN; 6],
        ..Data::of(libc::SYS_recvmsg)
    });
    assert_eq!(receive, RET_USER_NOTIF);
}

#[test]
fn of_socket_options_only_the_pending_error_is_asked_about() {
    let option = |level: i32, name: i32| {
        decide(Data {
            args: [3, level as u64, name as u64, 0x1000, 0x2000, 0],
            ..Data::of(libc::SYS_getsockopt)
        })
    };
    assert_eq!(option(libc::SOL_SOCKET, libc::SO_ERROR), RET_USER_NOTIF);
    assert_eq!(option(libc::SOL_SOCKET, libc::SO_TYPE), RET_ALLOW);
    assert_eq!(option(libc::IPPROTO_TCP, libc::SO_ERROR), RET_ALLOW);
}

#[test]
fn fstat_in_disguise_passes() {
    let at_fdcwd = i64::from(libc::AT_FDCWD) as u64;
    let stat = |dirfd, flags: i32| {
        decide(Data {
            args: [dirfd, 1, 1, flags as u64, 0, 0],
            ..Data::of(libc::SYS_newfstatat)
        })
    };
    assert_eq!(stat(5, libc::AT_EMPTY_PATH), RET_ALLOW);
    assert_eq!(stat(5, 0), RET_USER_NOTIF);
    assert_eq!(stat(at_fdcwd, libc::AT_EMPTY_PATH), RET_USER_NOTIF);
    let statx = |dirfd, flags: i32| {
        decide(Data {
            args: [dirfd, 1, flags as u64, 0xfff, 1, 0],
            ..Data::of(libc::SYS_statx)
        })
    };
    assert_eq!(
        statx(5, libc::AT_EMPTY_PATH | libc::AT_NO_AUTOMOUNT),
        RET_ALLOW
    );
    assert_eq!(statx(5, libc::AT_NO_AUTOMOUNT), RET_USER_NOTIF);
}

#[test]
fn other_architectures_are_left_alone() {
    const I386: u32 = 0x4000_0003;
    const X32_BIT: i64 = 0x4000_0000;
    for (nr, _) in calls::LISTED {
        assert_eq!(
            decide(Data {
                arch: I386,
                ..Data::of(nr.into())
            }),
            RET_ALLOW
        );
        assert_eq!(decide(Data::of(i64::from(nr) | X32_BIT)), RET_ALLOW);
    }
}

#[test]
fn the_program_fits_the_kernels_limit() {
    let len = PROGRAM.instructions().len();
    assert!(len < 400, "{len} instructions");
}

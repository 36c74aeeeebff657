//! The filter program, made at compile time from [`crate::calls::LISTED`].
//!
//! Calls that are not listed are decided by their number alone, so the kernel's per-call cache
//! (5.11) skips the program for them: `read` and `write` cost nothing. Listed numbers are found
//! by a binary tree. Foreign architectures of the same machine (i386, x32) are allowed: a filter
//! for them would be a second list, and developers' programs of today have none; such a program
//! simply sees this machine.

use crate::{
    calls::{Action, LISTED},
    hand_over, page,
};

/// One instruction (`struct sock_filter`).
pub type Instruction = libc::sock_filter;

/// Most instructions the program may have; it has about half.
const CAPACITY: usize = 512;

/// A finished program.
pub struct Program {
    instructions: [Instruction; CAPACITY],
    len: usize,
}

/// The filter of this architecture.
pub static PROGRAM: Program = Program::build();

impl Program {
    /// Its instructions.
    pub fn instructions(&self) -> &[Instruction] {
        self.instructions.get(..self.len).unwrap_or_default()
    }
}

#[cfg(target_arch = "x86_64")]
pub(crate) const ARCHITECTURE: u32 = 0xc000_003e; // AUDIT_ARCH_X86_64
#[cfg(target_arch = "aarch64")]
pub(crate) const ARCHITECTURE: u32 = 0xc000_00b7; // AUDIT_ARCH_AARCH64

// Offsets in `struct seccomp_data` (little endian).
const NR: u32 = 0;
const ARCH: u32 = 4;
const IP_LOW: u32 = 8;
const IP_HIGH: u32 = 12;
const ARGS: u32 = 16;

// linux/bpf_common.h
const LOAD: u16 = 0x20; // BPF_LD | BPF_W | BPF_ABS
const AND: u16 = 0x54; // BPF_ALU | BPF_AND | BPF_K
const GOTO: u16 = 0x05; // BPF_JMP | BPF_JA
const IF_EQUAL: u16 = 0x15; // BPF_JMP | BPF_JEQ | BPF_K
const IF_AT_LEAST: u16 = 0x35; // BPF_JMP | BPF_JGE | BPF_K
const IF_BITS: u16 = 0x45; // BPF_JMP | BPF_JSET | BPF_K
const RETURN: u16 = 0x06; // BPF_RET | BPF_K

// linux/seccomp.h
pub(crate) const RET_ALLOW: u32 = 0x7fff_0000;
pub(crate) const RET_USER_NOTIF: u32 = 0x7fc0_0000;
pub(crate) const RET_ENOSYS: u32 = 0x0005_0000 | libc::ENOSYS as u32;

/// From this number on (up to the next range) this action holds.
type Range = (u32, Action);
const MAX_RANGES: usize = 2 * LISTED.len() + 1;

const fn same(a: Action, b: Action) -> bool {
    match (a, b) {
        (Action::Allow, Action::Allow)
        | (Action::Notify, Action::Notify)
        | (Action::NotifyIfSocketError, Action::NotifyIfSocketError)
        | (Action::NoSuchCall, Action::NoSuchCall) => true,
        (Action::NotifyIfPointer(a), Action::NotifyIfPointer(b))
        | (Action::NotifyUnlessEmptyPath(a), Action::NotifyUnlessEmptyPath(b))
        | (Action::NotifyUnlessGiven(a), Action::NotifyUnlessGiven(b)) => a == b,
        _ => false,
    }
}

/// Neighbouring numbers with one action become one range.
const fn ranges() -> ([Range; MAX_RANGES], usize) {
    let mut ranges = [(0, Action::Allow); MAX_RANGES];
    let mut len = 1;
    let mut at = 0;
    while at < LISTED.len() {
        let (nr, action) = LISTED[at];
        if !same(ranges[len - 1].1, action) {
            ranges[len] = (nr, action);
            len += 1;
        }
        if at + 1 == LISTED.len() || LISTED[at + 1].0 != nr + 1 {
            ranges[len] = (nr + 1, Action::Allow);
            len += 1;
        }
        at += 1;
    }
    (ranges, len)
}

/// Placeholder targets of jumps out of the tree, replaced when the blocks' places are known.
const fn placeholder(action: Action) -> u32 {
    match action {
        Action::Allow => 0,
        Action::Notify => 1,
        Action::NoSuchCall => 2,
        Action::NotifyIfSocketError => 3,
        Action::NotifyIfPointer(argument) => 0x100 + argument as u32,
        Action::NotifyUnlessEmptyPath(argument) => 0x200 + argument as u32,
        Action::NotifyUnlessGiven(argument) => 0x300 + argument as u32,
    }
}

impl Program {
    const fn build() -> Program {
        let nothing = Instruction {
            code: 0,
            jt: 0,
            jf: 0,
            k: 0,
        };
        let mut program = Program {
            instructions: [nothing; CAPACITY],
            len: 0,
        };
        program.add(LOAD, ARCH);
        program.jump(IF_EQUAL, ARCHITECTURE, 1, 0);
        program.add(RETURN, RET_ALLOW);
        program.add(LOAD, NR);
        let tree = program.len;
        let (ranges, len) = ranges();
        program.tree(&ranges, 0, len);
        let end = program.len;
        let notify = program.notify();
        let refuse = program.len;
        program.add(RETURN, RET_ENOSYS);
        let mut at = tree;
        while at < end {
            let jump = program.instructions[at];
            if jump.code == GOTO {
                let target = match jump.k {
                    1 => notify,
                    2 => refuse,
                    3 => program.notify_if_socket_error(),
                    0x100..0x200 => program.notify_if_pointer(jump.k - 0x100),
                    0x200..0x300 => program.notify_unless_empty_path(jump.k - 0x200),
                    _ => program.notify_unless_given(jump.k - 0x300),
                };
                program.instructions[at].k = (target - at - 1) as u32;
            }
            at += 1;
        }
        program
    }

    const fn add(&mut self, code: u16, k: u32) {
        self.instructions[self.len] = Instruction {
            code,
            jt: 0,
            jf: 0,
            k,
        };
        self.len += 1;
    }

    const fn jump(&mut self, code: u16, k: u32, jt: u8, jf: u8) {
        self.instructions[self.len] = Instruction { code, jt, jf, k };
        self.len += 1;
    }

    /// Decides among the ranges `from..to`.
    const fn tree(&mut self, ranges: &[Range; MAX_RANGES], from: usize, to: usize) {
        if to - from == 1 {
            match ranges[from].1 {
                Action::Allow => self.add(RETURN, RET_ALLOW),
                action => self.add(GOTO, placeholder(action)),
            }
            return;
        }
        let middle = from + (to - from) / 2;
        let branch = self.len;
        self.jump(IF_AT_LEAST, ranges[middle].0, 0, 0);
        self.tree(ranges, from, middle);
        let distance = self.len - branch - 1;
        assert!(distance < 256, "conditional jumps reach 255 instructions");
        self.instructions[branch].jt = distance as u8;
        self.tree(ranges, middle, to);
    }

    /// Asks the supervisor, unless the call comes from the page. (The instruction pointer is the
    /// address after the instruction.)
    const fn notify(&mut self) -> usize {
        let start = self.len;
        self.add(LOAD, IP_HIGH);
        self.jump(IF_EQUAL, (page::ADDRESS >> 32) as u32, 0, 3);
        self.add(LOAD, IP_LOW);
        self.add(AND, !(page::SIZE as u32 - 1));
        self.jump(IF_EQUAL, page::ADDRESS as u32, 1, 0);
        self.add(RETURN, RET_USER_NOTIF);
        self.add(RETURN, RET_ALLOW);
        start
    }

    const fn notify_if_pointer(&mut self, argument: u32) -> usize {
        let start = self.len;
        self.add(LOAD, ARGS + 8 * argument);
        self.jump(IF_EQUAL, 0, 0, 3);
        self.add(LOAD, ARGS + 8 * argument + 4);
        self.jump(IF_EQUAL, 0, 0, 1);
        self.add(RETURN, RET_ALLOW);
        // Classic BPF jumps forward only, so each condition ends in its own copy.
        self.notify();
        start
    }

    const fn notify_if_socket_error(&mut self) -> usize {
        let start = self.len;
        // Both are ints: their upper halves say nothing.
        self.add(LOAD, ARGS + 8);
        self.jump(IF_EQUAL, libc::SOL_SOCKET as u32, 0, 2);
        self.add(LOAD, ARGS + 8 * 2);
        self.jump(IF_EQUAL, libc::SO_ERROR as u32, 1, 0);
        self.add(RETURN, RET_ALLOW);
        // Classic BPF jumps forward only, so each condition ends in its own copy.
        self.notify();
        start
    }

    const fn notify_unless_given(&mut self, argument: u32) -> usize {
        let start = self.len;
        self.add(LOAD, ARGS + 8 * argument);
        self.jump(IF_EQUAL, hand_over::GIVEN as u32, 0, 3);
        self.add(LOAD, ARGS + 8 * argument + 4);
        self.jump(IF_EQUAL, (hand_over::GIVEN >> 32) as u32, 0, 1);
        self.add(RETURN, RET_ALLOW);
        // Classic BPF jumps forward only, so each condition ends in its own copy.
        self.notify();
        start
    }

    const fn notify_unless_empty_path(&mut self, flags: u32) -> usize {
        let start = self.len;
        self.add(LOAD, ARGS + 8 * flags);
        self.jump(IF_BITS, libc::AT_EMPTY_PATH as u32, 0, 3);
        self.add(LOAD, ARGS);
        self.jump(IF_EQUAL, libc::AT_FDCWD as u32, 1, 0);
        self.add(RETURN, RET_ALLOW);
        // Classic BPF jumps forward only, so each condition ends in its own copy.
        self.notify();
        start
    }
}

#[cfg(test)]
mod tests;

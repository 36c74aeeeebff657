//! The socket look-up program: which new connections come to the agent's listeners.
//!
//! The kernel runs it for each new TCP connection of the network namespace, before it looks for
//! a listener (`Documentation/bpf/prog_sk_lookup.rst`, kernel 5.9). It is short enough to be
//! written out here as instructions; the offsets are those of `struct bpf_sk_lookup`.

/// One BPF instruction as the kernel reads it (`struct bpf_insn`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub(super) struct Instruction {
    code: u8,
    registers: u8,
    offset: i16,
    immediate: i32,
}

/// The maps that the program looks into, by descriptor number.
#[derive(Debug, Clone, Copy)]
pub(super) struct Maps {
    /// `u32` port → `u32` flags for the assignment ([`REPLACE`] or 0).
    pub(super) ports: i32,
    /// 0 (IPv4) or 1 (IPv6) → listening socket.
    pub(super) listeners: i32,
    /// Source of a passed-on connection ([`source_key`]) → `u32` level that passed it on.
    pub(super) passed_on: i32,
}

/// `BPF_SK_LOOKUP_F_REPLACE`: overrule an earlier program's choice. Of several programs on one
/// namespace the first choice stands unless a later one replaces it, so a session with a filter
/// will enter its ports with this flag and one that takes whole ports without.
#[allow(dead_code, reason = "for sessions with filters, which come next")]
pub(super) const REPLACE: u32 = 1;

/// Size of a key of the passed-on map.
pub(super) const SOURCE_KEY_SIZE: usize = 24;

/// The key of a connection's source address, as the program builds it on its stack: IPv4
/// address, IPv6 address (one of them zero), port, all in network order.
pub(super) fn source_key(source: std::net::SocketAddr) -> [u8; SOURCE_KEY_SIZE] {
    let mut key = [0; SOURCE_KEY_SIZE];
    match source.ip().to_canonical() {
        std::net::IpAddr::V4(v4) => key[..4].copy_from_slice(&v4.octets()),
        std::net::IpAddr::V6(v6) => key[4..20].copy_from_slice(&v6.octets()),
    }
    // The kernel hands the port as a zero-extended network-order number.
    key[20..].copy_from_slice(&u32::from(source.port().to_be()).to_ne_bytes());
    key
}

// Offsets in `struct bpf_sk_lookup` (linux/bpf.h).
const FAMILY: i16 = 8;
const PROTOCOL: i16 = 12;
const REMOTE_IP4: i16 = 16;
const REMOTE_IP6: i16 = 20;
const REMOTE_PORT: i16 = 36;
const LOCAL_PORT: i16 = 60;

// Helper numbers (linux/bpf.h).
const MAP_LOOKUP_ELEM: i32 = 1;
const SK_RELEASE: i32 = 86;
const SK_ASSIGN: i32 = 124;

const SK_PASS: i32 = 1;
const FRAME: u8 = 10;

/// Assembles the program of a session at `level`: a connection that a session of this level or a
/// higher one passed on is left to those below, at last to the pod's own program.
pub(super) fn assemble(maps: Maps, level: u32) -> Vec<Instruction> {
    let mut code = Assembler::default();
    code.move_register(6, 1);
    code.load(1, 6, PROTOCOL);
    code.leave_unless_equal(1, libc::IPPROTO_TCP);

    // Is the port taken? The flags of its assignment go to r8.
    code.load(1, 6, LOCAL_PORT);
    code.store(FRAME, -4, 1);
    code.look_up(maps.ports, -4);
    code.leave_if_equal(0, 0);
    code.load(8, 0, 0);

    // Was it passed on? Then it is not taken a second time.
    let key = -(SOURCE_KEY_SIZE as i16) - 8;
    for (field, word) in [REMOTE_IP4]
        .into_iter()
        .chain((0..4).map(|word| REMOTE_IP6 + 4 * word))
        .chain([REMOTE_PORT])
        .zip(0i16..)
    {
        code.load(1, 6, field);
        code.store(FRAME, key + 4 * word, 1);
    }
    code.look_up(maps.passed_on, key);
    code.skip_if_equal(0, 0, 2);
    code.load(1, 0, 0);
    code.leave_if_at_least(1, level as i32);

    // The listener of the connection's family: the kernel refuses a socket of another one.
    code.move_immediate(1, 0);
    code.load(2, 6, FAMILY);
    code.skip_if_equal(2, libc::AF_INET, 1);
    code.move_immediate(1, 1);
    code.store(FRAME, -4, 1);
    code.look_up(maps.listeners, -4);
    code.leave_if_equal(0, 0);

    code.move_register(7, 0);
    code.move_register(1, 6);
    code.move_register(2, 7);
    code.move_register(3, 8);
    code.call(SK_ASSIGN);
    code.move_register(1, 7);
    code.call(SK_RELEASE);
    code.finish(SK_PASS)
}

/// Appends instructions and resolves jumps to the end.
#[derive(Default)]
struct Assembler {
    code: Vec<Instruction>,
    leaves: Vec<usize>,
}

impl Assembler {
    fn push(&mut self, code: u8, destination: u8, source: u8, offset: i16, immediate: i32) {
        self.code.push(Instruction {
            code,
            registers: destination | source << 4,
            offset,
            immediate,
        });
    }

    fn move_register(&mut self, to: u8, from: u8) {
        self.push(0xbf, to, from, 0, 0);
    }

    fn move_immediate(&mut self, to: u8, value: i32) {
        self.push(0xb7, to, 0, 0, value);
    }

    /// A 32-bit load.
    fn load(&mut self, to: u8, base: u8, offset: i16) {
        self.push(0x61, to, base, offset, 0);
    }

    /// A 32-bit store.
    fn store(&mut self, base: u8, offset: i16, from: u8) {
        self.push(0x63, base, from, offset, 0);
    }

    /// Looks up the key at `key` on the stack; r0 is the value's address or null.
    fn look_up(&mut self, map: i32, key: i16) {
        self.move_register(2, FRAME);
        self.push(0x07, 2, 0, 0, i32::from(key));
        const PSEUDO_MAP_FD: u8 = 1;
        self.push(0x18, 1, PSEUDO_MAP_FD, 0, map);
        self.push(0, 0, 0, 0, 0);
        self.call(MAP_LOOKUP_ELEM);
    }

    fn call(&mut self, helper: i32) {
        self.push(0x85, 0, 0, 0, helper);
    }

    fn leave_if_equal(&mut self, register: u8, value: i32) {
        self.leaves.push(self.code.len());
        self.push(0x15, register, 0, 0, value);
    }

    fn leave_unless_equal(&mut self, register: u8, value: i32) {
        self.leaves.push(self.code.len());
        self.push(0x55, register, 0, 0, value);
    }

    fn leave_if_at_least(&mut self, register: u8, value: i32) {
        self.leaves.push(self.code.len());
        self.push(0x35, register, 0, 0, value);
    }

    fn skip_if_equal(&mut self, register: u8, value: i32, instructions: i16) {
        self.push(0x15, register, 0, instructions, value);
    }

    /// Appends the end, which all `leave_…` jump to.
    fn finish(mut self, verdict: i32) -> Vec<Instruction> {
        let end = self.code.len();
        for from in self.leaves.drain(..) {
            self.code[from].offset = (end - from - 1) as i16;
        }
        self.move_immediate(0, verdict);
        self.push(0x95, 0, 0, 0, 0);
        self.code
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_key_holds_one_family_and_the_port_in_network_order() {
        let v4 = source_key("1.2.3.4:258".parse().unwrap());
        assert_eq!(v4[..4], [1, 2, 3, 4]);
        assert_eq!(v4[4..20], [0; 16]);
        assert_eq!(v4[20..22], [1, 2]);
        let v6 = source_key("[fd00::9]:80".parse().unwrap());
        assert_eq!((v6[..4].to_vec(), v6[4], v6[19]), (vec![0; 4], 0xfd, 9));
        assert_eq!(source_key("[::ffff:1.2.3.4]:258".parse().unwrap()), v4);
    }

    #[test]
    fn every_jump_lands_inside_the_program() {
        let code = assemble(
            Maps {
                ports: 3,
                listeners: 4,
                passed_on: 5,
            },
            1,
        );
        for (at, instruction) in code.iter().enumerate() {
            if matches!(instruction.code, 0x15 | 0x55 | 0x35) {
                let to = at as i64 + 1 + i64::from(instruction.offset);
                assert!(to > at as i64 + 1 && to < code.len() as i64, "{at} → {to}");
            }
        }
    }
}

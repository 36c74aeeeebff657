//! The classic BPF filter of the capture: TCP to the mirrored ports, nothing else.
//!
//! The kernel runs it for each packet of the namespace before anything is copied, so traffic of
//! other ports costs next to nothing. It sees packets from the network header on.

/// One instruction (`struct sock_filter`).
pub(super) type Instruction = libc::sock_filter;

/// Ports that fit: branches of a classic filter reach 255 instructions.
pub(super) const PORTS_MAX: usize = 200;

// Operation codes (linux/bpf_common.h).
const LOAD_WORD: u16 = 0x20;
const LOAD_BYTE: u16 = 0x30;
const LOAD_HALF: u16 = 0x28;
const LOAD_HALF_AT_X: u16 = 0x48;
const LOAD_X: u16 = 0x01;
/// X = 4 * (byte & 0xf), the length of an IPv4 header.
const LOAD_X_HEADER: u16 = 0xb1;
const AND: u16 = 0x54;
const JUMP: u16 = 0x05;
const JUMP_EQUAL: u16 = 0x15;
const JUMP_ANY_BIT: u16 = 0x45;
const RETURN: u16 = 0x06;

/// `SKF_AD_OFF + SKF_AD_PKTTYPE`: not in the packet but about it.
const PACKET_TYPE: u32 = (-0x1000i32 + 4) as u32;
const TO_THIS_HOST: u32 = 0;

const NOTHING: u32 = 0;
const WHOLE_PACKET: u32 = u32::MAX;
const TCP: u32 = libc::IPPROTO_TCP as u32;
const OPTIONS: u32 = libc::IPPROTO_HOPOPTS as u32;

/// A filter for these ports; for none of them nothing is captured.
pub(super) fn program(ports: &[u16]) -> Vec<Instruction> {
    use Label::{Drop, Ipv6, Next, Plain, Ports, Take};
    let mut code = Assembler::default();
    // Not what a promiscuous interface overhears.
    code.plain(LOAD_WORD, PACKET_TYPE);
    code.branch(JUMP_EQUAL, TO_THIS_HOST, Next, Drop);
    code.plain(LOAD_BYTE, 0);
    code.plain(AND, 0xf0);
    code.branch(JUMP_EQUAL, 0x40, Next, Ipv6);
    // IPv4: TCP and not a fragment.
    code.plain(LOAD_BYTE, 9);
    code.branch(JUMP_EQUAL, TCP, Next, Drop);
    code.plain(LOAD_HALF, 6);
    code.branch(JUMP_ANY_BIT, 0x3fff, Drop, Next);
    code.plain(LOAD_X_HEADER, 0);
    code.jump(Ports);
    // IPv6: TCP at once, or behind eight bytes of options (the jumbo payload of BIG TCP).
    code.place(Ipv6);
    code.branch(JUMP_EQUAL, 0x60, Next, Drop);
    code.plain(LOAD_BYTE, 6);
    code.branch(JUMP_EQUAL, TCP, Plain, Next);
    code.branch(JUMP_EQUAL, OPTIONS, Next, Drop);
    code.plain(LOAD_HALF, 40);
    code.branch(JUMP_EQUAL, TCP << 8, Next, Drop);
    code.plain(LOAD_X, 48);
    code.jump(Ports);
    code.place(Plain);
    code.plain(LOAD_X, 40);
    // The destination port, behind X bytes of headers.
    code.place(Ports);
    code.plain(LOAD_HALF_AT_X, 2);
    for &port in ports.iter().take(PORTS_MAX) {
        code.branch(JUMP_EQUAL, u32::from(port), Take, Next);
    }
    code.place(Drop);
    code.plain(RETURN, NOTHING);
    code.place(Take);
    code.plain(RETURN, WHOLE_PACKET);
    code.finish()
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Label {
    Next,
    Ipv6,
    Plain,
    Ports,
    Drop,
    Take,
}

/// Instructions whose jumps are still names.
#[derive(Default)]
struct Assembler {
    code: Vec<(u16, u32, Goes)>,
    places: Vec<(Label, usize)>,
}

/// Where an instruction goes on.
#[derive(Clone, Copy)]
enum Goes {
    Falls,
    Jumps(Label),
    Branches(Label, Label),
}

impl Assembler {
    fn plain(&mut self, code: u16, k: u32) {
        self.code.push((code, k, Goes::Falls));
    }

    fn jump(&mut self, to: Label) {
        self.code.push((JUMP, 0, Goes::Jumps(to)));
    }

    fn branch(&mut self, code: u16, k: u32, yes: Label, no: Label) {
        self.code.push((code, k, Goes::Branches(yes, no)));
    }

    fn place(&mut self, label: Label) {
        self.places.push((label, self.code.len()));
    }

    fn finish(self) -> Vec<Instruction> {
        let distance = |from: usize, label: Label| {
            let place = self.places.iter().find(|(placed, _)| *placed == label);
            place.map_or(0, |(_, at)| at - from - 1)
        };
        let resolve = |(from, &(code, k, goes)): (usize, &(u16, u32, Goes))| match goes {
            Goes::Falls => Instruction {
                code,
                jt: 0,
                jf: 0,
                k,
            },
            Goes::Jumps(to) => Instruction {
                code,
                jt: 0,
                jf: 0,
                k: distance(from, to) as u32,
            },
            Goes::Branches(yes, no) => Instruction {
                code,
                jt: distance(from, yes) as u8,
                jf: distance(from, no) as u8,
                k,
            },
        };
        self.code.iter().enumerate().map(resolve).collect()
    }
}

//! A packet socket with its receive ring in shared memory (`PACKET_MMAP`, TPACKET_V3).
//!
//! The ring is what makes a passive capture dependable: a plain packet socket holds about three
//! large packets before it loses some, and its limit can only be raised by the machine's root;
//! a ring's memory needs CAP_NET_RAW in the namespace and nothing more (packet(7),
//! `Documentation/networking/packet_mmap.rst`). When it is full the kernel drops our copy; the
//! pod's traffic never waits for it.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicU32, Ordering, fence};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

use super::filter::{self, Instruction};
use crate::incoming::sys;

/// Holds at least one of the largest packets without BIG TCP.
const BLOCK_SIZE: usize = 128 * 1024;
/// Many, for a trickle of packets uses up a block each [`BLOCK_TIME`].
const BLOCKS: usize = 64;
const RING_SIZE: usize = BLOCK_SIZE * BLOCKS;
/// A block that is not full is handed over after this many milliseconds. All blocks together, 640,
/// are the time that the thread may be kept from running before packets are lost: a container with
/// a tenth of a CPU, as agents often are, is kept so for 90 at a time (CFS bandwidth control), and
/// 160 were too few on a node with four runnable threads for each core.
const BLOCK_TIME: u32 = 10;

// linux/if_packet.h
const PACKET_RX_RING: i32 = 5;
const PACKET_VERSION: i32 = 10;
const PACKET_IGNORE_OUTGOING: i32 = 23;
const TPACKET_V3: i32 = 2;
const STATUS_USER: u32 = 1;
const STATUS_CHECKSUM_NOT_READY: u32 = 1 << 3;
const STATUS_CHECKSUM_VALID: u32 = 1 << 7;
/// Offsets in `struct tpacket_block_desc`.
const BLOCK_STATUS: usize = 8;
const BLOCK_PACKETS: usize = 12;
const BLOCK_FIRST: usize = 16;
/// Offsets in `struct tpacket3_hdr`.
const PACKET_NEXT: usize = 0;
const PACKET_CAPTURED: usize = 12;
const PACKET_STATUS: usize = 20;
const PACKET_NETWORK: usize = 26;
const PACKET_HEADER: usize = 48;

/// A capture of what arrives in the network namespace of the thread that opened it.
pub(super) struct Ring {
    socket: OwnedFd,
    memory: *mut u8,
    block: usize,
}

// SAFETY: the memory belongs to this value alone; only `&mut self` reads it.
unsafe impl Send for Ring {}

/// The part of a capture that chooses its packets; usable from another thread.
pub(super) struct Chooser {
    socket: OwnedFd,
}

impl Ring {
    /// Opens a capture that takes nothing yet.
    pub(super) fn open() -> io::Result<(Ring, Chooser)> {
        // Bound to no protocol, so that nothing comes before the filter stands.
        let socket = rustix::net::socket_with(
            rustix::net::AddressFamily::PACKET,
            // Without link-layer headers: Ethernet, tunnels and loopback all look the same.
            rustix::net::SocketType::DGRAM,
            rustix::net::SocketFlags::CLOEXEC,
            None,
        )?;
        let chooser = Chooser {
            socket: socket.try_clone()?,
        };
        chooser.choose(&[])?;
        sys::set(
            socket.as_fd(),
            libc::SOL_PACKET,
            PACKET_VERSION,
            &TPACKET_V3,
        )?;
        // Answers of the pod, and loopback's second sight of each packet (kernel 4.20).
        sys::set(
            socket.as_fd(),
            libc::SOL_PACKET,
            PACKET_IGNORE_OUTGOING,
            &1i32,
        )?;
        #[derive(Clone, Copy)]
        #[repr(C)]
        struct Request {
            block_size: u32,
            blocks: u32,
            frame_size: u32,
            frames: u32,
            retire_after: u32,
            private_size: u32,
            features: u32,
        }
        let frame_size = 2048;
        let request = Request {
            block_size: BLOCK_SIZE as u32,
            blocks: BLOCKS as u32,
            frame_size,
            frames: (RING_SIZE / frame_size as usize) as u32,
            retire_after: BLOCK_TIME,
            private_size: 0,
            features: 0,
        };
        sys::set(socket.as_fd(), libc::SOL_PACKET, PACKET_RX_RING, &request)?;
        // SAFETY: a new mapping at an address that the kernel chooses, of exactly the size that
        // the ring was just given.
        let memory = unsafe {
            mmap(
                std::ptr::null_mut(),
                RING_SIZE,
                ProtFlags::READ | ProtFlags::WRITE,
                MapFlags::SHARED,
                &socket,
                0,
            )?
        };
        let ring = Ring {
            socket,
            memory: memory.cast(),
            block: 0,
        };
        bind_to_all(ring.socket.as_fd())?;
        Ok((ring, chooser))
    }

    /// Waits until a block is there or `timeout` milliseconds have passed, and gives each packet
    /// of it to `take`: its bytes from the network header on, and whether the kernel vouches for
    /// its checksum. Returns false when nothing came.
    pub(super) fn next_block(
        &mut self,
        timeout: u32,
        mut take: impl FnMut(&[u8], bool),
    ) -> io::Result<bool> {
        if self.status().load(Ordering::Acquire) & STATUS_USER == 0 {
            let timeout = Timespec {
                tv_sec: i64::from(timeout / 1000),
                tv_nsec: i64::from(timeout % 1000) * 1_000_000,
            };
            let mut waiting = [PollFd::new(&self.socket, PollFlags::IN)];
            match poll(&mut waiting, Some(&timeout)) {
                Err(rustix::io::Errno::INTR) => return Ok(false),
                other => other?,
            };
            if waiting[0].revents().contains(PollFlags::ERR) {
                // An interface went away or down; what it was is read and the capture goes on.
                rustix::net::sockopt::socket_error(&self.socket)?.ok();
            }
            if self.status().load(Ordering::Acquire) & STATUS_USER == 0 {
                return Ok(false);
            }
        }
        let start = self.block * BLOCK_SIZE;
        // SAFETY: the block is inside the mapping, and the kernel does not write to it between
        // setting its status (read with Acquire above) and our clearing it below.
        let block = unsafe { std::slice::from_raw_parts(self.memory.add(start), BLOCK_SIZE) };
        let mut at = number(block, BLOCK_FIRST).unwrap_or(0) as usize;
        for _ in 0..number(block, BLOCK_PACKETS).unwrap_or(0) {
            let Some(packet) = block.get(at..) else { break };
            if packet.len() < PACKET_HEADER {
                break;
            }
            let captured = number(packet, PACKET_CAPTURED).unwrap_or(0) as usize;
            let status = number(packet, PACKET_STATUS).unwrap_or(0);
            let network =
                u16::from_ne_bytes([packet[PACKET_NETWORK], packet[PACKET_NETWORK + 1]]) as usize;
            if let Some(bytes) = packet.get(network..network + captured) {
                // "Not ready": it comes from this machine and was never in danger.
                let verified = status & (STATUS_CHECKSUM_NOT_READY | STATUS_CHECKSUM_VALID) != 0;
                take(bytes, verified);
            }
            match number(packet, PACKET_NEXT) {
                Some(next) if next > 0 => at += next as usize,
                _ => break,
            }
        }
        fence(Ordering::Release);
        self.status().store(0, Ordering::Release);
        self.block = (self.block + 1) % BLOCKS;
        Ok(true)
    }

    fn status(&self) -> &AtomicU32 {
        // SAFETY: the status word of a block inside the mapping, aligned to four; the kernel and
        // this process hand the block to each other through it.
        unsafe {
            AtomicU32::from_ptr(
                self.memory
                    .add(self.block * BLOCK_SIZE + BLOCK_STATUS)
                    .cast(),
            )
        }
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours and no reference into it lives longer than a call.
        if let Err(error) = unsafe { munmap(self.memory.cast(), RING_SIZE) } {
            tracing::warn!("could not unmap the capture ring: {error}");
        }
    }
}

impl Chooser {
    /// From now on, captures TCP to these ports only.
    pub(super) fn choose(&self, ports: &[u16]) -> io::Result<()> {
        let mut code: Vec<Instruction> = filter::program(ports);
        let program = libc::sock_fprog {
            len: code.len() as u16,
            filter: code.as_mut_ptr(),
        };
        sys::set(
            self.socket.as_fd(),
            libc::SOL_SOCKET,
            libc::SO_ATTACH_FILTER,
            &program,
        )
    }
}

/// Starts the capture on all interfaces and all protocols; the filter chooses.
fn bind_to_all(socket: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: all-zero is a valid value of this plain structure.
    let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
    address.sll_family = libc::AF_PACKET as u16;
    address.sll_protocol = (libc::ETH_P_ALL as u16).to_be();
    // SAFETY: the address is a live structure of the length given.
    let result = unsafe {
        libc::bind(
            socket.as_raw_fd(),
            (&raw const address).cast(),
            size_of::<libc::sockaddr_ll>() as libc::socklen_t,
        )
    };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    let word = bytes.get(at..at + 4)?;
    Some(u32::from_ne_bytes(word.try_into().ok()?))
}

//! The interposed functions without a supervisor: they are libc's own.

use std::{
    io,
    mem::zeroed,
    net::UdpSocket,
    os::fd::{AsRawFd, FromRawFd, OwnedFd},
    os::unix::net::UnixStream,
    ptr,
};

use super::*;

/// As libc::iovec for bytes of ours.
fn vector(bytes: &mut [u8]) -> libc::iovec {
    libc::iovec {
        iov_base: bytes.as_mut_ptr().cast(),
        iov_len: bytes.len(),
    }
}

fn message(vectors: &mut [libc::iovec]) -> msghdr {
    // SAFETY: zeros are a valid message.
    let mut message: msghdr = unsafe { zeroed() };
    message.msg_iov = vectors.as_mut_ptr();
    message.msg_iovlen = vectors.len() as _;
    message
}

#[test]
fn descriptors_go_between_processes() {
    for found in [false, true] {
        if found {
            find();
        }
        let (ours, theirs) = UnixStream::pair().unwrap();
        let (mut text, mut got) = (*b"two parts", [0u8; 16]);
        let (first, second) = text.split_at_mut(4);
        let mut control = [0u64; 4];
        let mut vectors = [vector(first), vector(second)];
        let mut sent = message(&mut vectors);
        sent.msg_control = control.as_mut_ptr().cast();
        // SAFETY: room for a header and one descriptor is there.
        unsafe {
            sent.msg_controllen = libc::CMSG_SPACE(4) as _;
            let header = &mut *libc::CMSG_FIRSTHDR(&sent);
            header.cmsg_level = libc::SOL_SOCKET;
            header.cmsg_type = libc::SCM_RIGHTS;
            header.cmsg_len = libc::CMSG_LEN(4) as _;
            libc::CMSG_DATA(header)
                .cast::<i32>()
                .write(ours.as_raw_fd());
            assert_eq!(sendmsg(ours.as_raw_fd(), &sent, 0), 9);
        }
        let mut vectors = [vector(&mut got)];
        let mut received = message(&mut vectors);
        let mut control = [0u64; 4];
        received.msg_control = control.as_mut_ptr().cast();
        received.msg_controllen = size_of_val(&control) as _;
        // SAFETY: everything that the message points to lives.
        let fd = unsafe {
            assert_eq!(recvmsg(theirs.as_raw_fd(), &mut received, 0), 9);
            libc::CMSG_DATA(libc::CMSG_FIRSTHDR(&received))
                .cast::<i32>()
                .read()
        };
        // SAFETY: just received.
        drop(unsafe { OwnedFd::from_raw_fd(fd) });
        assert_eq!(&got[..9], b"two parts");
    }
}

#[test]
fn datagrams_go_to_the_name_that_they_have() {
    let (ours, theirs) = (
        UdpSocket::bind("127.0.0.1:0").unwrap(),
        UdpSocket::bind("127.0.0.1:0").unwrap(),
    );
    let port = |socket: &UdpSocket| socket.local_addr().unwrap().port();
    let name = libc::sockaddr_in {
        sin_family: libc::AF_INET as u16,
        sin_port: port(&theirs).to_be(),
        sin_addr: libc::in_addr {
            s_addr: u32::from_ne_bytes([127, 0, 0, 1]),
        },
        sin_zero: [0; 8],
    };
    let (mut one, mut two) = (*b"one", *b"second");
    let mut vectors = [[vector(&mut one)], [vector(&mut two)]];
    let mut many = vectors.each_mut().map(|vectors| {
        let mut header = message(vectors);
        header.msg_name = (&raw const name).cast_mut().cast();
        header.msg_namelen = size_of_val(&name) as _;
        mmsghdr {
            msg_hdr: header,
            msg_len: 0,
        }
    });
    // SAFETY: everything that the messages point to lives.
    let sent = unsafe { sendmmsg(ours.as_raw_fd(), many.as_mut_ptr(), 2, 0) };
    assert_eq!(sent, 2, "{}", io::Error::last_os_error());
    assert_eq!(many.map(|one| one.msg_len), [3, 6]);
    let (mut one, mut two) = ([0; 8], [0; 8]);
    let mut vectors = [[vector(&mut one)], [vector(&mut two)]];
    // Less room than an address needs is left alone behind its end.
    let mut names = [[0xee; 32]; 2];
    let mut many = [0, 1].map(|_| mmsghdr {
        msg_hdr: message(&mut []),
        msg_len: 0,
    });
    for ((one, vectors), name) in many.iter_mut().zip(&mut vectors).zip(&mut names) {
        one.msg_hdr = message(vectors);
        one.msg_hdr.msg_name = name.as_mut_ptr().cast();
        one.msg_hdr.msg_namelen = 6;
    }
    let fd = theirs.as_raw_fd();
    // SAFETY: everything that the messages point to lives.
    let got = unsafe {
        recvmmsg(
            fd,
            many.as_mut_ptr(),
            2,
            libc::MSG_WAITFORONE,
            ptr::null_mut(),
        )
    };
    assert_eq!(got, 2);
    assert_eq!((&one[..3], &two[..6]), (&b"one"[..], &b"second"[..]));
    assert_eq!(
        names[0][2..6],
        [&port(&ours).to_be_bytes()[..], &[127, 0]].concat()
    );
    assert_eq!(names[1][6..], [0xee; 26]);
    assert_eq!(many[1].msg_hdr.msg_namelen, 16);
}

#[test]
fn errors_are_libcs_own() {
    // SAFETY: null pointers are EFAULT, and a closed descriptor is EBADF.
    unsafe {
        assert_eq!(sendmsg(-1, ptr::null(), 0), -1);
        assert_eq!(io::Error::last_os_error().raw_os_error(), Some(libc::EBADF));
        assert_eq!(recvmmsg(-1, ptr::null_mut(), 1, 0, ptr::null_mut()), -1);
        assert_eq!(io::Error::last_os_error().raw_os_error(), Some(libc::EBADF));
        assert_eq!(sendmmsg(-1, ptr::null_mut(), 0, 0), -1);
    }
}

//! The target's environment, as it was when its program started (proc(5)).
//!
//! Programs that write over that memory (`setproctitle` in nginx, PostgreSQL, sshd) show garbage
//! or less than they were given; what is not `NAME=value` is left out. The container's own
//! specification, where a provider has one, is the better source for those.

/// Splits `/proc/PID/environ` into names and values, in their order.
pub fn parse(bytes: &[u8]) -> Vec<(Vec<u8>, Vec<u8>)> {
    bytes
        .split(|&byte| byte == 0)
        .filter_map(|entry| {
            let equals = entry.iter().position(|&byte| byte == b'=')?;
            (equals > 0).then(|| (entry[..equals].to_vec(), entry[equals + 1..].to_vec()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_keep_their_bytes_and_what_is_no_variable_is_left_out() {
        let parsed = parse(b"A=1\0B=x=y\0EMPTY=\0=odd\0garbage\0C=\xff\n\0\0");
        let expected: Vec<(Vec<u8>, Vec<u8>)> = [
            (&b"A"[..], &b"1"[..]),
            (b"B", b"x=y"),
            (b"EMPTY", b""),
            (b"C", b"\xff\n"),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_vec(), value.to_vec()))
        .collect();
        assert_eq!(parsed, expected);
    }
}

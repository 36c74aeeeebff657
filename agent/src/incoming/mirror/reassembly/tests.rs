//! The reassembler against a plain array: whatever the network does, the bytes are the same.

use proptest::prelude::*;

use super::*;

fn pushed(assembler: &mut Assembler, sequence: u32, payload: &[u8], fin: bool) -> Vec<u8> {
    let mut out = Vec::new();
    assembler
        .push(sequence, payload, fin, |bytes| out.extend(bytes))
        .unwrap();
    out
}

#[test]
fn a_gap_holds_back_what_follows_it() {
    let mut assembler = Assembler::new(1000);
    assert_eq!(pushed(&mut assembler, 1003, b"def", true), b"");
    assert!(assembler.has_gap() && !assembler.ended());
    assert_eq!(pushed(&mut assembler, 1000, b"abc", false), b"abcdef");
    assert!(assembler.ended() && !assembler.has_gap());
}

#[test]
fn sequence_numbers_wrap() {
    let mut assembler = Assembler::new(u32::MAX - 1);
    assert_eq!(pushed(&mut assembler, 1, b"d", false), b"");
    assert_eq!(pushed(&mut assembler, u32::MAX - 1, b"abc", false), b"abcd");
}

#[test]
fn what_was_seen_first_stays() {
    let mut assembler = Assembler::new(0);
    assert_eq!(pushed(&mut assembler, 2, b"CD", false), b"");
    assert_eq!(pushed(&mut assembler, 1, b"bxxe", false), b"");
    assert_eq!(pushed(&mut assembler, 0, b"a", false), b"abCDe");
    assert_eq!(pushed(&mut assembler, 0, b"zzzzz", false), b"");
}

#[test]
fn a_keep_alive_probe_changes_nothing() {
    let mut assembler = Assembler::new(10);
    assert_eq!(pushed(&mut assembler, 10, b"ab", false), b"ab");
    assert_eq!(pushed(&mut assembler, 11, b"?", false), b"");
    assert_eq!(pushed(&mut assembler, 9, b"", false), b"");
    assert_eq!(pushed(&mut assembler, 12, b"c", true), b"c");
    assert!(assembler.ended());
}

#[test]
fn waiting_bytes_are_bounded() {
    let mut assembler = Assembler::new(0);
    let big = vec![0; WAITING_MAX];
    assert_eq!(pushed(&mut assembler, 1, &big, false), b"");
    let more = assembler.push(1 + big.len() as u32, b"x", false, |_| ());
    assert_eq!(more, Err(TooMuchWaiting));
}

#[test]
fn resets_from_elsewhere_do_not_count() {
    let assembler = Assembler::new(5000);
    assert!(assembler.reset_counts(5000));
    assert!(!assembler.reset_counts(4999));
    assert!(!assembler.reset_counts(5000u32.wrapping_add(1 << 30)));
}

proptest! {
    /// Segments that cover the data, cut anywhere, in any order, some of them twice and
    /// overlapping, give exactly the data and then the end.
    #[test]
    fn any_order_and_overlap_gives_the_same_bytes(
        data in prop::collection::vec(any::<u8>(), 1..2000),
        first in any::<u32>(),
        cuts in prop::collection::vec((0usize..2000, 1usize..300), 0..60),
        step in 1usize..200,
        order in any::<u64>(),
    ) {
        let mut parts: Vec<(usize, usize)> = (0..data.len())
            .step_by(step)
            .map(|start| (start, (start + step).min(data.len())))
            .collect();
        parts.extend(
            cuts.iter()
                .map(|&(start, size)| (start.min(data.len()), (start + size).min(data.len()))),
        );
        let mut random = order | 1;
        for at in (1..parts.len()).rev() {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            parts.swap(at, (random >> 33) as usize % (at + 1));
        }
        let mut assembler = Assembler::new(first);
        let mut seen = Vec::new();
        for (start, end) in parts {
            let sequence = first.wrapping_add(start as u32);
            let fin = end == data.len();
            assembler
                .push(sequence, &data[start..end], fin, |bytes| seen.extend(bytes))
                .unwrap();
            prop_assert_eq!(&seen[..], &data[..seen.len()]);
        }
        prop_assert_eq!(seen, data);
        prop_assert!(assembler.ended() && !assembler.has_gap());
        prop_assert_eq!(assembler.waiting_bytes, 0);
    }
}

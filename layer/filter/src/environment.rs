//! Changes to a program's environment, in bytes that can be used where they lie.
//!
//! A program that joins a session gets the session's variables over its own. They come as one
//! block of bytes, so that the layer can point the program's environment into it: records that
//! each end with NUL, [`SET`]`NAME=VALUE` or [`UNSET`]`NAME`.

/// First byte of a record: this variable gets this value.
pub const SET: u8 = b'=';
/// First byte of a record: this variable goes, in any case of letters (`AWS_PROFILE`,
/// `Aws_Profile`), as mirrord's configuration means it.
pub const UNSET: u8 = b'-';

/// A variable that tells the layer and the launcher where the supervisor listens.
pub const SUPERVISOR: &core::ffi::CStr = c"MIRRORD_SUPERVISOR";
/// The variable with the launch's token. Who has joined has it no more.
pub const TOKEN: &core::ffi::CStr = c"MIRRORD_LAUNCH_TOKEN";
/// `stop`: a program whose session is gone does not start; `run`, which is the default: it runs
/// on this machine only.
pub const WITHOUT_SESSION: &core::ffi::CStr = c"MIRRORD_WITHOUT_SESSION";

/// A block of changes.
#[derive(Debug, Clone, Copy)]
pub struct Changes<'a>(&'a [u8]);

impl<'a> Changes<'a> {
    /// A block; what is not of its form in it is passed over.
    pub fn new(block: &'a [u8]) -> Self {
        Changes(block)
    }

    /// Gives the entries (`NAME=VALUE`) of an environment after the changes: its own in their
    /// order, then what is added. In memory each is followed by a NUL if `own`'s are.
    pub fn apply<'e>(
        self,
        own: impl Iterator<Item = &'e [u8]> + Clone,
        mut give: impl FnMut(&'e [u8]),
    ) where
        'a: 'e,
    {
        for (passed, entry) in own.clone().enumerate() {
            let name = name_of(entry);
            let again = || own.clone().take(passed).any(|one| name_of(one) == name);
            match self.change(name) {
                Change::None if name == TOKEN.to_bytes() => {}
                Change::None => give(entry),
                // Of several entries of one name the first is the one that getenv(3) finds.
                Change::Set(_) if again() => {}
                Change::Set(entry) => give(entry),
                Change::Unset => {}
            }
        }
        for (kind, entry) in self.records() {
            let name = name_of(entry);
            if kind == SET && !own.clone().any(|one| name_of(one) == name) {
                give(entry);
            }
        }
    }

    fn change(self, name: &[u8]) -> Change<'a> {
        for (kind, text) in self.records() {
            match kind {
                SET if name_of(text) == name => return Change::Set(text),
                UNSET if same_name(name, text) => return Change::Unset,
                _ => {}
            }
        }
        Change::None
    }

    fn records(self) -> impl Iterator<Item = (u8, &'a [u8])> {
        let records = self.0.split(|byte| *byte == 0);
        records.filter_map(|record| record.split_first().map(|(kind, text)| (*kind, text)))
    }
}

enum Change<'a> {
    None,
    Set(&'a [u8]),
    Unset,
}

/// A name may not be empty, but an entry can begin with `=` all the same (environ(7) of shells).
fn name_of(entry: &[u8]) -> &[u8] {
    let end = entry.iter().skip(1).position(|byte| *byte == b'=');
    end.and_then(|end| entry.get(..end + 1)).unwrap_or(entry)
}

/// Whether two names differ in the case of their letters at most. Bytes that are no text are
/// never the same as a name of the configuration, which is text.
pub fn same_name(name: &[u8], other: &[u8]) -> bool {
    let (Ok(name), Ok(other)) = (core::str::from_utf8(name), core::str::from_utf8(other)) else {
        return false;
    };
    let (name, other) = (name.chars(), other.chars());
    name.flat_map(char::to_lowercase)
        .eq(other.flat_map(char::to_lowercase))
}

/// A launch's token: who shows it may join the session.
#[derive(Clone, Copy)]
pub struct Token(pub [u8; Token::LEN]);

impl Token {
    /// How many bytes it has; its text in the environment has two letters for each.
    pub const LEN: usize = 32;

    /// Reads the text of the environment variable.
    pub fn from_hex(text: &[u8]) -> Option<Token> {
        let mut token = [0; Token::LEN];
        if text.len() != 2 * Token::LEN {
            return None;
        }
        for (byte, pair) in token.iter_mut().zip(text.chunks_exact(2)) {
            *byte = (digit(*pair.first()?)? << 4) | digit(*pair.get(1)?)?;
        }
        Some(Token(token))
    }

    /// Compares in the same time wherever they differ.
    pub fn is(&self, other: &Token) -> bool {
        let pairs = self.0.iter().zip(&other.0);
        let differences = pairs.fold(0, |all, (one, other)| all | (one ^ other));
        core::hint::black_box(differences) == 0
    }
}

impl core::fmt::Debug for Token {
    fn fmt(&self, to: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        to.write_str("Token(…)")
    }
}

fn digit(letter: u8) -> Option<u8> {
    match letter {
        b'0'..=b'9' => Some(letter - b'0'),
        b'a'..=b'f' => Some(letter - b'a' + 10),
        b'A'..=b'F' => Some(letter - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn applied(block: &[u8], own: &[&str]) -> Vec<String> {
        let mut all = Vec::new();
        let own = own.iter().map(|entry| entry.as_bytes());
        Changes::new(block).apply(own, |entry| {
            all.push(String::from_utf8_lossy(entry).into_owned())
        });
        all
    }

    #[test]
    fn values_change_in_place_and_new_ones_come_last() {
        let block = b"=B=pod\0=NEW=\0-gone\0=A=pod=x\0";
        let own = ["A=1", "GONE=1", "C=3", "B=2", "Gone=2", "B=again"];
        assert_eq!(applied(block, &own), ["A=pod=x", "C=3", "B=pod", "NEW="]);
    }

    #[test]
    fn odd_entries_and_odd_blocks_do_no_harm() {
        assert_eq!(
            applied(b"", &["=x=1", "NAME", "A=1"]),
            ["=x=1", "NAME", "A=1"]
        );
        assert_eq!(applied(b"\0\0?x\0-A", &["A=1", "B=1"]), ["B=1"]);
        assert_eq!(applied(b"=A=2", &["=x=1"]), ["=x=1", "A=2"]);
    }

    #[test]
    fn the_token_does_not_stay_in_the_environment() {
        let own = ["A=1", "MIRRORD_LAUNCH_TOKEN=00", "MIRRORD_SUPERVISOR=/x"];
        assert_eq!(applied(b"", &own), ["A=1", "MIRRORD_SUPERVISOR=/x"]);
    }

    #[test]
    fn tokens_are_read_and_compared() {
        let text = "0f".repeat(Token::LEN);
        let token = Token::from_hex(text.as_bytes()).unwrap();
        assert!(token.is(&Token([15; Token::LEN])));
        let mut other = token;
        other.0[31] ^= 1;
        assert!(!token.is(&other));
        for bad in ["", "0f", &text[1..], &text.replace('f', "g")] {
            assert!(Token::from_hex(bad.as_bytes()).is_none(), "{bad}");
        }
        assert!(!format!("{token:?}").contains("15"));
    }
}

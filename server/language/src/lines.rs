//! Positions as editors count them (lines from zero, columns in UTF-16 or UTF-8 units) and bytes.

use ls_types::{Position, Range};

use crate::syntax::Span;

/// What a column counts. LSP's default is UTF-16; a client may offer better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Encoding {
    /// Bytes.
    Utf8,
    /// UTF-16 code units.
    #[default]
    Utf16,
    /// Characters.
    Utf32,
}

/// Where the lines of a text begin.
#[derive(Debug, Clone)]
pub(crate) struct Lines {
    starts: Vec<usize>,
    encoding: Encoding,
}

impl Lines {
    pub(crate) fn new(text: &str, encoding: Encoding) -> Self {
        let bytes = text.as_bytes();
        let ends = (0..bytes.len()).filter(|at| match bytes[*at] {
            b'\n' => true,
            b'\r' => bytes.get(at + 1) != Some(&b'\n'),
            _ => false,
        });
        let starts = std::iter::once(0).chain(ends.map(|end| end + 1)).collect();
        Lines { starts, encoding }
    }

    /// The byte of a position; positions behind the end of a line or of the text mean that end.
    pub(crate) fn byte(&self, text: &str, position: Position) -> usize {
        let line = position.line as usize;
        let Some(start) = self.starts.get(line).copied() else {
            return text.len();
        };
        let end = self.starts.get(line + 1).copied().unwrap_or(text.len());
        let content = text[start..end].trim_end_matches(['\n', '\r']);
        let mut units = 0;
        for (index, character) in content.char_indices() {
            // A position inside a character means its beginning.
            units += self.width(character);
            if units > position.character as usize {
                return start + index;
            }
        }
        start + content.len()
    }

    /// The position of a byte; inside a character, of its beginning.
    pub(crate) fn position(&self, text: &str, byte: usize) -> Position {
        let mut byte = byte.min(text.len());
        while !text.is_char_boundary(byte) {
            byte -= 1;
        }
        let line = self.starts.partition_point(|start| *start <= byte) - 1;
        let before = &text[self.starts[line]..byte];
        let character: usize = before.chars().map(|character| self.width(character)).sum();
        Position::new(line as u32, character as u32)
    }

    pub(crate) fn range(&self, text: &str, span: &Span) -> Range {
        Range::new(
            self.position(text, span.start),
            self.position(text, span.end),
        )
    }

    fn width(&self, character: char) -> usize {
        match self.encoding {
            Encoding::Utf8 => character.len_utf8(),
            Encoding::Utf16 => character.len_utf16(),
            Encoding::Utf32 => 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_what_the_client_counts() {
        let text = "a😀b\r\nä\rx\n";
        for (encoding, columns) in [
            (Encoding::Utf8, [1, 5, 6]),
            (Encoding::Utf16, [1, 3, 4]),
            (Encoding::Utf32, [1, 2, 3]),
        ] {
            let lines = Lines::new(text, encoding);
            for (column, byte) in columns.into_iter().zip([1, 5, 6]) {
                assert_eq!(lines.byte(text, Position::new(0, column)), byte);
                assert_eq!(lines.position(text, byte), Position::new(0, column));
            }
        }
        let lines = Lines::new(text, Encoding::Utf16);
        assert_eq!(lines.position(text, 8), Position::new(1, 0));
        assert_eq!(lines.position(text, 11), Position::new(2, 0));
        assert_eq!(lines.position(text, 13), Position::new(3, 0));
    }

    #[test]
    fn positions_that_are_nowhere_mean_the_nearest_place() {
        let text = "a😀\nb";
        let lines = Lines::new(text, Encoding::Utf16);
        assert_eq!(lines.byte(text, Position::new(0, 2)), 1, "inside a pair");
        assert_eq!(lines.byte(text, Position::new(0, 99)), 5);
        assert_eq!(lines.byte(text, Position::new(9, 0)), text.len());
        assert_eq!(lines.byte(text, Position::new(1, u32::MAX)), text.len());
    }
}

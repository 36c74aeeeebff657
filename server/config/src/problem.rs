//! What is wrong with a configuration, shown as a compiler shows it: file, line, column, the line
//! itself with the part underlined, and what to do.

use std::fmt;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

/// A file (or standard input) and its text, as its author wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFile {
    /// Where it was read.
    pub path: PathBuf,
    /// Its text.
    pub text: String,
}

/// A part of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file.
    pub file: Arc<SourceFile>,
    /// Bytes in its text.
    pub span: Range<usize>,
}

/// Line and column, both from one; columns count characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// Line.
    pub line: usize,
    /// Column.
    pub column: usize,
}

impl SourceFile {
    /// Line and column of a byte.
    pub fn position(&self, at: usize) -> Position {
        let before = self
            .text
            .get(..at.min(self.text.len()))
            .unwrap_or(&self.text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Position {
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
        }
    }
}

impl Place {
    /// Where it begins.
    pub fn start(&self) -> Position {
        self.file.position(self.span.start)
    }

    /// Where it ends (the position after it).
    pub fn end(&self) -> Position {
        self.file.position(self.span.end)
    }
}

/// `file:line:column`.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Position { line, column } = self.start();
        write!(f, "{}:{line}:{column}", self.file.path.display())
    }
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// Nothing starts.
    Error,
    /// It starts, but not all is as the configuration says.
    Warning,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong.
    pub message: String,
    /// Where, when it is about a file.
    pub place: Option<Place>,
    /// What to do about it.
    pub help: Option<String>,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        write!(f, "{severity}: {}", self.message)?;
        let mut margin = String::new();
        if let Some(place) = &self.place {
            let Position { line, column } = place.start();
            let number = line.to_string();
            margin = " ".repeat(number.len());
            let text = place.file.text.lines().nth(line - 1).unwrap_or("");
            // Only what is on this line can be underlined.
            let spanned = place.file.text.get(place.span.clone()).unwrap_or("");
            let rest = text.chars().count().saturating_sub(column - 1);
            let width = spanned
                .lines()
                .next()
                .unwrap_or("")
                .chars()
                .count()
                .min(rest)
                .max(1);
            // Tabs keep their width under the line they stand in.
            let indent: String = text
                .chars()
                .take(column - 1)
                .map(|character| if character == '\t' { '\t' } else { ' ' })
                .collect();
            write!(
                f,
                "\n{margin}--> {place}\n{margin} |\n{number} | {text}\n{margin} | {indent}{}",
                "^".repeat(width)
            )?;
        }
        if let Some(help) = &self.help {
            write!(f, "\n{margin} = help: {help}")?;
        }
        Ok(())
    }
}

/// Everything that is wrong with a configuration, warnings last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigErrors(pub Vec<Problem>);

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            let before = if index == 0 { "" } else { "\n" };
            write!(f, "{before}{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}

//! What is wrong with a file: exactly what the configuration engine says, placed for an editor.

use ls_types::{Diagnostic, DiagnosticSeverity, Range};
use mirrord_config::{ConfigErrors, Flags, Problem, Severity, Surroundings, from_text};

use crate::document::Document;

/// Who says it.
pub(crate) const SOURCE: &str = "mirrord";

impl Document {
    /// Everything wrong with the file, as `config verify` tells it.
    pub fn diagnostics(&self, surroundings: &Surroundings<'_>) -> Vec<Diagnostic> {
        let read = from_text(
            Some((self.path(), self.text())),
            &Flags::default(),
            surroundings,
        );
        let problems = match read {
            Ok((_, warnings)) => warnings,
            Err(ConfigErrors(problems)) => problems,
        };
        self.diagnostics_of(&problems)
    }

    /// The same of problems that are known already (those that need the file system among them).
    pub fn diagnostics_of(&self, problems: &[Problem]) -> Vec<Diagnostic> {
        problems
            .iter()
            .map(|problem| self.diagnostic(problem))
            .collect()
    }

    fn diagnostic(&self, problem: &Problem) -> Diagnostic {
        let place = problem.place.as_ref();
        let here = place.filter(|place| place.file.text == self.text());
        let message = match (here, place) {
            // A text that a template made has lines of its own.
            (None, Some(place)) => format!("{} (at {place})", problem.message),
            _ => problem.message.clone(),
        };
        let message = match &problem.help {
            Some(help) => format!("{message}\nhelp: {help}"),
            None => message,
        };
        Diagnostic {
            range: here.map_or_else(Range::default, |place| self.range(&place.span)),
            severity: Some(severity(problem.severity)),
            source: Some(SOURCE.to_owned()),
            message,
            ..Diagnostic::default()
        }
    }
}

fn severity(severity: Severity) -> DiagnosticSeverity {
    if severity == Severity::Error {
        DiagnosticSeverity::ERROR
    } else if severity == Severity::Warning {
        DiagnosticSeverity::WARNING
    } else {
        DiagnosticSeverity::INFORMATION
    }
}

//! What is wrong with a file: exactly what the configuration engine says, placed for an editor.

use ls_types::{Diagnostic, DiagnosticSeverity, DiagnosticTag, NumberOrString, Range};
use mirrord_config::{Code, Flags, Problem, Severity, Surroundings, read_in};

use crate::document::Document;

/// Who says it.
pub(crate) const SOURCE: &str = "mirrord";

impl Document {
    /// Everything wrong with the file, as `config verify` tells it.
    pub fn diagnostics(&self, surroundings: &Surroundings<'_>) -> Vec<Diagnostic> {
        self.diagnostics_of(&self.problems(surroundings))
    }

    /// The same as the configuration engine has it, with its fixes.
    pub(crate) fn problems(&self, surroundings: &Surroundings<'_>) -> Vec<Problem> {
        let text = Some((self.path(), self.text()));
        read_in(text, None, &Flags::default(), surroundings).problems
    }

    /// The same of problems that are known already (those that need the file system among them).
    pub fn diagnostics_of(&self, problems: &[Problem]) -> Vec<Diagnostic> {
        problems
            .iter()
            .map(|problem| self.diagnostic(problem))
            .collect()
    }

    pub(crate) fn diagnostic(&self, problem: &Problem) -> Diagnostic {
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
            code: Some(NumberOrString::String(problem.code.to_string())),
            source: Some(SOURCE.to_owned()),
            tags: tag(problem.code).map(|tag| vec![tag]),
            message,
            ..Diagnostic::default()
        }
    }
}

/// Editors strike through what has had its day and fade what changes nothing.
fn tag(code: Code) -> Option<DiagnosticTag> {
    match code {
        Code::Deprecated => Some(DiagnosticTag::DEPRECATED),
        Code::NoEffect => Some(DiagnosticTag::UNNECESSARY),
        _ => None,
    }
}

fn severity(severity: Severity) -> DiagnosticSeverity {
    match severity {
        Severity::Error => DiagnosticSeverity::ERROR,
        Severity::Warning => DiagnosticSeverity::WARNING,
        Severity::Note => DiagnosticSeverity::INFORMATION,
    }
}

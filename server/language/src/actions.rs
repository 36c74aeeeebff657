//! Code actions: quick fixes of keys, and the file in another language.

mod moves;

use std::collections::HashMap;

use ls_types::{
    CodeAction, CodeActionDisabled, CodeActionKind, CreateFile, DeleteFile, Diagnostic,
    DocumentChangeOperation, DocumentChanges, OneOf, OptionalVersionedTextDocumentIdentifier,
    Range, ResourceOp, TextDocumentEdit, TextEdit, Uri, WorkspaceEdit,
};
use mirrord_config::{Format, Problem, Surroundings};

use crate::document::Document;
use crate::syntax::Span;

impl Document {
    /// What can be done about a part of the text.
    pub fn code_actions(&self, range: Range, surroundings: &Surroundings<'_>) -> Vec<CodeAction> {
        let problems = self.problems(surroundings);
        let touched = self.span(range);
        let fixes = self.fixes(&touched, &problems);
        let mut actions = fixes.clone();
        let moves = self.moves(&touched, &self.diagnostics_of(&problems));
        // Where both know the same way, once is enough.
        actions.extend(
            moves
                .into_iter()
                .filter(|action| fixes.iter().all(|fix| fix.edit != action.edit)),
        );
        for (format, name) in [
            (Format::Json, "JSON"),
            (Format::Yaml, "YAML"),
            (Format::Toml, "TOML"),
        ] {
            if format != self.format() {
                actions.push(self.conversion(format, name));
            }
        }
        actions
    }

    /// What the configuration engine knows to mend.
    fn fixes(&self, touched: &Span, problems: &[Problem]) -> Vec<CodeAction> {
        let mut actions = Vec::new();
        for problem in problems {
            let (Some(place), Some(fix)) = (&problem.place, &problem.fix) else {
                continue;
            };
            let touches = place.span.start <= touched.end && touched.start <= place.span.end;
            if !touches || place.file.text != self.text() {
                continue;
            }
            let edits = fix.edits.iter();
            let edits = edits.map(|edit| self.edit(edit.span.clone(), edit.new_text.clone()));
            let mut title = fix.title.clone();
            if let Some(first) = title.get_mut(..1) {
                first.make_ascii_uppercase();
            }
            actions.push(self.fix(title, edits.collect(), vec![self.diagnostic(problem)]));
        }
        actions
    }

    fn conversion(&self, to: Format, name: &str) -> CodeAction {
        let mut action = CodeAction {
            title: format!("Convert to {name}"),
            kind: Some(CodeActionKind::REFACTOR_REWRITE),
            ..CodeAction::default()
        };
        match (self.convert(to), self.renamed(to)) {
            (Ok(converted), Some(uri)) => {
                match converted.lost_comments {
                    0 => {}
                    1 => action.title.push_str(" (its comment is lost)"),
                    lost => action
                        .title
                        .push_str(&format!(" ({lost} comments are lost)")),
                }
                action.edit = Some(self.replaced_by(uri, converted.text));
            }
            (Err(reason), _) => action.disabled = Some(CodeActionDisabled { reason }),
            (Ok(_), None) => {
                let reason = "the file's name cannot be changed".to_owned();
                action.disabled = Some(CodeActionDisabled { reason });
            }
        }
        action
    }

    /// The file's address with another extension.
    fn renamed(&self, to: Format) -> Option<Uri> {
        let extension = match to {
            Format::Json => "json",
            Format::Yaml => "yaml",
            Format::Toml => "toml",
        };
        let uri = self.uri().as_str();
        let name = uri.rfind('/').map_or(0, |slash| slash + 1);
        let stem = uri[name..].rfind('.').map_or(uri.len(), |dot| name + dot);
        format!("{}.{extension}", &uri[..stem]).parse().ok()
    }

    fn replaced_by(&self, uri: Uri, text: String) -> WorkspaceEdit {
        let create = CreateFile {
            uri: uri.clone(),
            options: None,
            annotation_id: None,
        };
        let fill = TextDocumentEdit {
            text_document: OptionalVersionedTextDocumentIdentifier { uri, version: None },
            edits: vec![OneOf::Left(TextEdit {
                range: Range::default(),
                new_text: text,
            })],
        };
        let delete = DeleteFile {
            uri: self.uri().clone(),
            options: None,
            annotation_id: None,
        };
        WorkspaceEdit {
            document_changes: Some(DocumentChanges::Operations(vec![
                DocumentChangeOperation::Op(ResourceOp::Create(create)),
                DocumentChangeOperation::Edit(fill),
                DocumentChangeOperation::Op(ResourceOp::Delete(delete)),
            ])),
            ..WorkspaceEdit::default()
        }
    }

    /// A quick fix in this file.
    fn fix(&self, title: String, edits: Vec<TextEdit>, about: Vec<Diagnostic>) -> CodeAction {
        // `Uri` is a parsed text and nothing in it changes.
        #[allow(clippy::mutable_key_type)]
        let changes = HashMap::from([(self.uri().clone(), edits)]);
        CodeAction {
            title,
            kind: Some(CodeActionKind::QUICKFIX),
            is_preferred: Some(true),
            diagnostics: (!about.is_empty()).then_some(about),
            edit: Some(WorkspaceEdit {
                changes: Some(changes),
                ..WorkspaceEdit::default()
            }),
            ..CodeAction::default()
        }
    }
}

#[cfg(test)]
mod tests;

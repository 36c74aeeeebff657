//! `feature.fs.mapping`: replacing paths. Only the supervisor does it, for it allocates.

use regex_automata::meta::Regex;
use regex_automata::util::{interpolate, syntax};

use crate::block::Section;
use crate::decide::{Rule, Rules};
use crate::error::BlockError;

/// Replaces paths by the rules of `feature.fs.mapping`.
#[derive(Debug)]
pub struct Mapper {
    mappings: Vec<Mapping>,
}

#[derive(Debug)]
struct Mapping {
    pattern: Regex,
    replacement: Vec<u8>,
}

impl Mapper {
    /// Prepares the patterns of a block.
    pub fn new(rules: &Rules<'_>) -> Result<Self, BlockError> {
        let text = |start, length| Rule(rules.reader.text([start, length])).as_str();
        let mappings = (0..rules.mapping_patterns.len())
            .map(|index| {
                let record = rules.mapping_patterns.get(index);
                Ok(Mapping {
                    pattern: pattern(text(record[0], record[1]))
                        .map_err(|error| BlockError::Automaton(error.to_string()))?,
                    replacement: rules.reader.text([record[2], record[3]]).to_vec(),
                })
            })
            .collect::<Result<_, BlockError>>()?;
        Ok(Mapper { mappings })
    }

    /// Replaces the first match of the first pattern that matches. `out` gets the new path;
    /// `false` when nothing matches (then `out` is empty).
    pub fn map(&self, path: &[u8], out: &mut Vec<u8>) -> bool {
        out.clear();
        for mapping in &self.mappings {
            let mut captures = mapping.pattern.create_captures();
            mapping.pattern.captures(path, &mut captures);
            let Some(whole) = captures.get_match() else {
                continue;
            };
            out.extend(&path[..whole.start()]);
            interpolate::bytes(
                &mapping.replacement,
                |index, out| {
                    if let Some(span) = captures.get_group(index) {
                        out.extend(&path[span]);
                    }
                },
                |name| captures.group_info().to_index(whole.pattern(), name),
                out,
            );
            out.extend(&path[whole.end()..]);
            return true;
        }
        false
    }
}

impl Rules<'_> {
    /// Whether any path can be replaced at all.
    pub fn maps_paths(&self) -> bool {
        !self.reader.bytes(Section::MappingPatterns).is_empty()
    }
}

fn pattern(text: &str) -> Result<Regex, Box<regex_automata::meta::BuildError>> {
    Regex::builder()
        .syntax(syntax::Config::new().case_insensitive(true).utf8(false))
        .configure(Regex::config().utf8_empty(false))
        .build(text)
        .map_err(Box::new)
}

//! The rules in force, which can change while programs run: every new decision asks here.

use std::sync::{Arc, PoisonError, RwLock};

use mirrord_rules::Rules;

use crate::error::SupervisorError;

/// The rules. Cheap to clone; all clones change together.
#[derive(Clone)]
pub struct LiveRules(Arc<RwLock<&'static Rules<'static>>>);

impl LiveRules {
    /// From a compiled block that stays.
    pub fn new(block: &'static [u8]) -> Result<Self, SupervisorError> {
        let rules = Rules::from_bytes(block);
        let rules = rules.map_err(|error| SupervisorError::Rules(error.to_string()))?;
        Ok(Self::of(rules))
    }

    /// These.
    pub fn of(rules: Rules<'static>) -> Self {
        LiveRules(Arc::new(RwLock::new(keep(rules))))
    }

    /// Those in force now. A decision keeps to one answer of this.
    pub fn get(&self) -> &'static Rules<'static> {
        *self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on it is these.
    pub(crate) fn set(&self, rules: Rules<'static>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = keep(rules);
    }
}

/// Decisions name rules by reference for as long as they like, and changes are few.
fn keep(rules: Rules<'static>) -> &'static Rules<'static> {
    Box::leak(Box::new(rules))
}

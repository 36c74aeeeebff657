//! What surrounds a configuration in tests.

use mirrord_config::Surroundings;

/// These variables, and no git branch.
pub fn surroundings(env: &[(&str, &str)]) -> Surroundings<'static> {
    let env = env.iter();
    Surroundings {
        env: env
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
        git_branch: &|| None,
    }
}

//! Before anything is created: which form the agent can have here, what that form loses, and why.
//! What the configuration says in so many words is done or refused, never quietly changed.

mod mesh;
mod rights;
mod security;

use k8s_openapi::api::core::v1::Namespace;
use kube::ResourceExt;
use kube::api::Api;

use crate::capabilities::{self, Where};
use crate::ephemeral::{User, pod_security_of, security_of};
use crate::resolve::Found;
use crate::{AgentTerms, Cluster, Error, Form};
use security::Level;

/// How an agent will be started.
#[derive(Debug, Clone)]
pub struct Plan {
    /// In which form.
    pub form: Form,
    /// Beside what; nothing, for one without a target.
    pub found: Option<Found>,
    /// What the user should know: sentences.
    pub notes: Vec<String>,
}

impl Cluster {
    /// Chooses the form of the agent for a target (`None`: an agent without one): the first that the
    /// cluster takes, of those that the configuration allows.
    ///
    /// # Errors
    /// [`Error::NoForm`] when none can work; nothing was created.
    pub async fn plan(&self, found: Option<Found>, terms: &AgentTerms) -> Result<Plan, Error> {
        let mut plan = Plan {
            form: Form::Targetless,
            found,
            notes: Vec::new(),
        };
        let mut refused = Vec::new();
        for form in candidates(plan.found.as_ref(), terms) {
            plan.form = form;
            match self.refusal(&plan, terms).await? {
                None => {
                    plan.notes = notes(&plan, terms, &refused);
                    return Ok(plan);
                }
                Some(why) => refused.push((form, why)),
            }
        }
        Err(Error::NoForm(refused))
    }

    /// Why the agent cannot have the plan's form.
    async fn refusal(&self, plan: &Plan, terms: &AgentTerms) -> Result<Option<String>, Error> {
        if matches!(plan.form, Form::Restricted | Form::Targetless)
            && let Some(why) = without_rights_cannot(plan.found.as_ref(), terms)
        {
            return Ok(Some(why));
        }
        let namespace = self.namespace_of(plan, terms);
        if let Some(why) = self.lacks(&namespace, plan.form).await? {
            return Ok(Some(why));
        }
        if plan.form == Form::Job {
            return self.job_refusal(plan, terms, &namespace).await;
        }
        self.would_refuse(plan, terms).await
    }

    /// A Job is taken by clusters that refuse its pods. So the namespace's label is read, or, where
    /// that may not be, a container is tried that needs less than the Job's.
    async fn job_refusal(
        &self,
        plan: &Plan,
        terms: &AgentTerms,
        namespace: &str,
    ) -> Result<Option<String>, Error> {
        match self.level(namespace).await {
            Some(Level::Privileged) => {}
            Some(level) => return Ok(Some(level.refuses_node_pods(namespace))),
            None => {
                let same = plan
                    .found
                    .as_ref()
                    .is_some_and(|found| found.container.namespace == namespace);
                let mut other = plan.clone();
                other.form = Form::Ephemeral;
                if same
                    && self.lacks(namespace, Form::Ephemeral).await?.is_none()
                    && let Some(why) = self.would_refuse(&other, terms).await?
                    && security::is_of_pod_security(&why)
                {
                    return Ok(Some(why));
                }
            }
        }
        self.would_refuse(plan, terms).await
    }

    /// The API server's own answer, from a run that creates nothing.
    async fn would_refuse(&self, plan: &Plan, terms: &AgentTerms) -> Result<Option<String>, Error> {
        match self.create(plan, terms, true).await {
            Ok(_) => Ok(None),
            Err(error) if !error.is_refusal() => Err(error),
            // A webhook that has no dry run says nothing about the real one.
            Err(error) if error.to_string().contains("does not support dry run") => Ok(None),
            Err(error) => Ok(Some(error.to_string())),
        }
    }

    /// The namespace that the agent will be in.
    pub fn namespace_of(&self, plan: &Plan, terms: &AgentTerms) -> String {
        let own = terms.settings.namespace.as_ref();
        match &plan.found {
            Some(found) if plan.form.is_in_the_targets_pod() => found.container.namespace.clone(),
            Some(found) => own.unwrap_or(&found.container.namespace).clone(),
            None => own.unwrap_or(&self.namespace).clone(),
        }
    }

    /// Which pods a namespace takes; `None` when we may not know.
    async fn level(&self, name: &str) -> Option<Level> {
        let namespaces: Api<Namespace> = Api::all(self.client.clone());
        match namespaces.get(name).await {
            Ok(namespace) => Some(Level::of(namespace.labels())),
            Err(error) => {
                tracing::debug!("the labels of the namespace {name} cannot be read: {error}");
                None
            }
        }
    }
}

/// The forms that the configuration allows, the one that can do most first.
fn candidates(found: Option<&Found>, terms: &AgentTerms) -> Vec<Form> {
    let settings = &terms.settings;
    if found.is_none() {
        return vec![Form::Targetless];
    }
    let mut forms = match settings.ephemeral {
        Some(true) => vec![Form::Ephemeral, Form::Restricted],
        Some(false) => vec![Form::Job],
        // Whoever names a namespace for the agent wants it there.
        None if settings.namespace.is_some() => vec![Form::Job],
        None => vec![Form::Job, Form::Ephemeral, Form::Restricted],
    };
    if settings.privileged {
        forms.retain(|form| *form != Form::Restricted);
    }
    forms
}

/// What an agent with no rights of its own cannot do, and whom it cannot be.
fn without_rights_cannot(found: Option<&Found>, terms: &AgentTerms) -> Option<String> {
    if terms.needs.incoming_asked {
        return Some("it cannot take incoming traffic, which was asked for".to_owned());
    }
    let found = found?;
    let security = security_of(found);
    let drops_all = security
        .and_then(|security| security.capabilities.as_ref())
        .and_then(|capabilities| capabilities.drop.as_ref())
        .is_some_and(|drop| drop.iter().any(|name| name.eq_ignore_ascii_case("all")));
    let not_root = security.and_then(|security| security.run_as_non_root);
    let not_root = not_root.or(pod_security_of(found).and_then(|pod| pod.run_as_non_root));
    // With the runtime's usual capabilities it can become any user.
    (User::of(found).uid.is_none() && (drops_all || not_root == Some(true))).then(|| {
        "only the target's image names its user, and the agent cannot become that without a \
         capability; write the user into the pod (securityContext.runAsUser)"
            .to_owned()
    })
}

fn notes(plan: &Plan, terms: &AgentTerms, refused: &[(Form, String)]) -> Vec<String> {
    let mut notes: Vec<String> = refused
        .iter()
        .map(|(form, why)| format!("the agent is not {form}: {why}"))
        .collect();
    if plan.form == Form::Restricted {
        notes.push(
            "the agent has no more rights than the target: no incoming traffic is taken, and only \
             files that the target's user may read are seen"
                .to_owned(),
        );
    }
    let place = match plan.form {
        Form::Job => Some(Where::Node),
        Form::Ephemeral => Some(Where::Pod),
        Form::Restricted | Form::Targetless => None,
    };
    let taken = place.map(|place| capabilities::taken(place, &terms.needs, &terms.settings));
    if let Some(taken) = taken.filter(|taken| !taken.is_empty() && !terms.settings.privileged) {
        notes.push(format!(
            "agent.disabled_capabilities takes {} from the agent: what needs that does not work",
            taken.join(", ")
        ));
    }
    notes.extend(
        plan.found
            .as_ref()
            .and_then(|found| mesh::sentence(&found.pod)),
    );
    notes
}

//! Which pods get an agent, and what becomes of those that have one. Data in, data out.

use std::collections::BTreeMap;

use mirrord_kubernetes::members::Member;

/// What becomes of a pod's agent; a later one follows on an earlier one, never the other way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fate {
    /// It serves.
    Stay,
    /// Its pod is being removed: it serves as long as it can, and is not replaced.
    Leaving,
    /// Nobody needs it any more: connections that stand may end by themselves.
    Retire,
    /// The session is over.
    End,
}

impl Fate {
    /// Becomes `before`, if it comes later.
    pub fn is_after(self, last: Fate, before: &mut Fate) -> bool {
        *before = self.max(last);
        *before != last
    }
}

/// What is to be done.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Pods that get an agent.
    pub start: Vec<Member>,
    /// What becomes of those that have one, by UID.
    pub fates: Vec<(String, Fate)>,
    /// How many pods could have one and get none, because there are too many.
    pub beyond: usize,
}

/// Plans for the pods as they are now; `primary`: the UID of the pod that the session's own agent
/// is in.
pub fn plan(
    members: &[Member],
    primary: &str,
    covered: &BTreeMap<String, Fate>,
    most: usize,
) -> Plan {
    let mut plan = Plan::default();
    for (uid, &now) in covered {
        let member = members.iter().find(|member| member.uid == *uid);
        let fate = match member {
            _ if uid == primary => Fate::Retire,
            None => Fate::Retire,
            Some(member) if member.leaving => Fate::Leaving,
            Some(_) => Fate::Stay,
        };
        if fate > now {
            plan.fates.push((uid.clone(), fate));
        }
    }
    // One that leaves makes room: a rollout replaces each pod, and shall be covered throughout.
    let staying = |uid: &String| {
        let is_member = |member: &Member| member.uid == *uid && !member.leaving;
        uid != primary && members.iter().any(is_member)
    };
    let staying = covered.keys().filter(|uid| staying(uid)).count();
    let mut room = most.saturating_sub(1 + staying);
    for member in members {
        let can = member.container.is_some() && !member.leaving;
        if !can || member.uid == primary || covered.contains_key(&member.uid) {
            continue;
        }
        if room == 0 {
            plan.beyond += 1;
            continue;
        }
        room -= 1;
        plan.start.push(member.clone());
    }
    plan
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runs(name: &str) -> Member {
        Member {
            pod: name.into(),
            uid: name.into(),
            node: "node1".into(),
            container: Some("app".into()),
            leaving: false,
        }
    }

    fn leaves(name: &str) -> Member {
        let leaving = true;
        Member {
            leaving,
            ..runs(name)
        }
    }

    fn starts(name: &str) -> Member {
        let container = None;
        Member {
            container,
            ..runs(name)
        }
    }

    /// `+a` starts, `a:Retire` is told so, `~1` is beyond what is covered.
    fn planned(members: &[Member], covered: &[&str]) -> String {
        let covered = covered.iter().map(|uid| ((*uid).to_owned(), Fate::Stay));
        let plan = plan(members, "p", &covered.collect(), 4);
        let starts = plan.start.iter().map(|member| format!("+{}", member.pod));
        let fates = plan
            .fates
            .iter()
            .map(|(uid, fate)| format!("{uid}:{fate:?}"));
        let beyond = (plan.beyond > 0).then(|| format!("~{}", plan.beyond));
        let words: Vec<String> = starts.chain(fates).chain(beyond).collect();
        words.join(" ")
    }

    #[test]
    fn every_pod_that_runs_gets_an_agent_but_the_primary_one() {
        let members = [runs("a"), runs("p"), runs("b"), starts("c"), leaves("d")];
        assert_eq!(planned(&members, &[]), "+a +b");
        assert_eq!(planned(&members, &["a", "b"]), "");
        // Its container starts anew: its agent waits for it.
        assert_eq!(planned(&[runs("p"), starts("a")], &["a"]), "");
    }

    #[test]
    fn pods_that_leave_take_their_agents_along() {
        assert_eq!(planned(&[runs("p"), leaves("a")], &["a"]), "a:Leaving");
        assert_eq!(planned(&[runs("p")], &["a", "b"]), "a:Retire b:Retire");
        // Nobody is told to end twice.
        let covered = BTreeMap::from([("a".to_owned(), Fate::Retire)]);
        assert_eq!(
            plan(&[runs("p"), leaves("a")], "p", &covered, 4),
            Plan::default()
        );
    }

    #[test]
    fn the_primary_that_moves_to_a_covered_pod_takes_its_place() {
        assert_eq!(planned(&[runs("p"), runs("a")], &["p"]), "+a p:Retire");
    }

    #[test]
    fn so_many_are_covered_and_no_more() {
        let five = ["a", "b", "c", "d", "e"].map(runs);
        let all = [&five[..], &[runs("p")]].concat();
        assert_eq!(planned(&all, &[]), "+a +b +c ~2");
        assert_eq!(planned(&all, &["c", "d", "e"]), "~2");
        // There is room when one leaves.
        let mut less = all.clone();
        less[4] = leaves("e");
        assert_eq!(planned(&less, &["c", "d", "e"]), "+a e:Leaving ~1");
    }

    #[test]
    fn a_fate_never_becomes_an_earlier_one() {
        let mut fate = Fate::Stay;
        assert!(Fate::Leaving.is_after(fate, &mut fate));
        assert!(Fate::End.is_after(fate, &mut fate));
        assert!(!Fate::Retire.is_after(fate, &mut fate));
        assert_eq!(fate, Fate::End);
    }
}

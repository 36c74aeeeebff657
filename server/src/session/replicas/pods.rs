//! The pods of the workload, followed on a thread of its own: a helper that logs in to the cluster
//! blocks its thread, and the session's must not wait for one.

use std::time::Duration;

use anyhow::{Context, Result};
use mirrord_kubernetes::members::{Followed, Member};
use mirrord_kubernetes::{Access, Cluster};
use mirrord_target::ClusterTarget;
use tokio::sync::watch;

/// Between two attempts to reach the cluster.
const PAUSE: Duration = Duration::from_secs(5);

/// What is known of the pods.
#[derive(Debug, Clone, Default)]
pub struct Pods {
    /// Those that there are; `None` until they were listed.
    pub members: Option<Vec<Member>>,
    /// Why they cannot be followed now.
    pub problem: Option<String>,
}

/// Follows them until the receiver is dropped.
///
/// # Errors
/// No thread can be started.
pub fn follow(access: Access, target: ClusterTarget) -> Result<watch::Receiver<Pods>> {
    let (pods_tx, pods_rx) = watch::channel(Pods::default());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("could not start the event loop for the target's pods")?;
    std::thread::Builder::new()
        .name("mirrord-pods".into())
        .spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    () = pods_tx.closed() => {}
                    () = tell(&access, &target, &pods_tx) => {}
                }
            });
            // A helper that hangs must not hold up the end.
            runtime.shutdown_background();
        })
        .context("could not start a thread for the target's pods")?;
    Ok(pods_rx)
}

async fn tell(access: &Access, target: &ClusterTarget, pods_tx: &watch::Sender<Pods>) {
    let cluster = loop {
        match Cluster::connect(access).await {
            Ok(cluster) => break cluster,
            Err(error) => pods_tx.send_modify(|pods| pods.problem = Some(error.to_string())),
        }
        tokio::time::sleep(PAUSE).await;
    };
    let follow = cluster.follow_members(target, |followed| {
        pods_tx.send_modify(|pods| match followed {
            Followed::Members(members) => {
                *pods = Pods {
                    members: Some(members),
                    problem: None,
                };
            }
            Followed::Problem(error) => pods.problem = Some(error.to_string()),
        });
    });
    follow.await;
}

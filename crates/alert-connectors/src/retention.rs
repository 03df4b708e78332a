//! Removes old history and writes down what has ended, in small steps; other writes get through in between.

use std::{sync::Arc, time::Duration};

use alert_connectors_model::Clock;
use alert_connectors_store::{Progress, Store, Tidied, Tidying};
use jiff::SignedDuration;
use tokio_util::sync::CancellationToken;

/// How often a round begins.
const EVERY: Duration = Duration::from_secs(10);
/// The pause after each step, in which others write.
const PAUSE: Duration = Duration::from_millis(20);

/// Tidies until the service stops.
pub(crate) async fn run(
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    (retention, audit_retention): (SignedDuration, SignedDuration),
    stopping: CancellationToken,
) {
    loop {
        let round = async {
            let mut progress = Progress::default();
            loop {
                let rules = Tidying {
                    now: clock.now(),
                    retention,
                    audit_retention,
                };
                match store.tidy(rules, progress).await {
                    Ok(Tidied::More(further)) => progress = further,
                    Ok(Tidied::Done) => return,
                    Err(error) => {
                        return tracing::warn!(
                            error = &error as &dyn std::error::Error,
                            "old history can't be removed now"
                        );
                    }
                }
                tokio::time::sleep(PAUSE).await;
            }
        };
        tokio::select! {
            // Cancelled between two steps, or during one, which the store then commits or not.
            () = round => {}
            () = stopping.cancelled() => return,
        }
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            () = stopping.cancelled() => return,
        }
    }
}

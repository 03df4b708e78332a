//! A short run of the torture, whose long run is `cargo xtask torture`.

use std::{path::PathBuf, time::Duration};

use alert_connectors_torture::{Plan, Standby, kill};

use crate::world::PROGRAM;

#[tokio::test(flavor = "multi_thread")]
async fn kills_lose_nothing_and_repeat_at_most_four_requests() {
    let plan = Plan {
        program: PathBuf::from(PROGRAM),
        rounds: 6,
        seed: 7,
        pause: Duration::from_millis(5),
        replicas: 0,
        standby: Standby::None,
        between: Duration::ZERO,
    };
    let figures = kill(&plan).await.unwrap();
    assert!(figures.accepted > 50, "{figures:?}");
}

//! The server under attack: strangers and a hostile tenant do their worst beside an honest load, while its log is left unread. No
//! honest request may fail or become slow, and the server must stay within its memory and its descriptors.

mod strangers;
mod tenant;
mod webhooks;

use std::{process::Command, sync::Arc, time::Duration};

use anyhow::ensure;
use tokio::runtime::{Builder, Runtime};

use crate::{
    honest::{self, Honest},
    scenario::{Figures, Plan, Stage},
    server::talk,
    vitals::{Limits, Vitals},
};

/// What the server is given.
const LIMITS: Limits = Limits {
    memory_kib: 256 * 1_024,
    descriptors: 1_024,
};
/// How long the honest load runs alone, before the attack and again after it, which says what is usual.
const CALM: Duration = Duration::from_secs(30);
/// How long one round of the attack lasts.
const ROUND: Duration = Duration::from_mins(1);
/// How much slower the slowest of a hundred honest requests may be under attack.
const SLOWER_MAX: f64 = 3.0;
/// Nothing of the honest load waits for a pace.
const RATE: &str = "slack=unlimited,teams=unlimited";

/// Attacks the server for as many minutes as there are rounds.
pub async fn attack(plan: &Plan) -> anyhow::Result<Figures> {
    let mut stage = Stage::set(plan, None, RATE).await?;
    stage.server.limit_descriptors(LIMITS.descriptors);
    let name_server = webhooks::SilentNameServer::start(stage.folder());
    match &name_server {
        Some(server) => stage.server.resolve_by(&server.resolv_conf),
        None => talk(format_args!(
            "names resolve as usual: only root can give the server a silent name server"
        )),
    }
    stage.server.kill()?;
    stage.server.start().await?;
    let attackers = Attackers::gather()?;
    let receivers = tenant::Receivers {
        silent: webhooks::never_answer(&attackers, Arc::clone(&stage.tls))?,
        interim: webhooks::answer_for_ever(&attackers, Arc::clone(&stage.tls))?,
        unresolved: name_server.is_some(),
    };
    let tenant = tenant::Tenant::furnish(&stage.server, &receivers).await?;
    let vitals = Vitals::watch(stage.server.pid()?, LIMITS)?;
    let mut honest = Honest::start(&stage.server);
    tokio::time::sleep(CALM).await;
    let mut calm = honest.so_far();
    vitals.say("calm");
    let reading = stage.server.stop_reading_log();
    strangers::attack(&stage.server, &attackers);
    tenant.attack(&attackers);
    let mut attacked = Vec::new();
    for round in 1..=plan.rounds {
        tokio::time::sleep(ROUND).await;
        attacked.extend(honest.so_far());
        vitals.say(&format!("{round} of {} minutes of attack", plan.rounds));
        vitals.check()?;
    }
    drop(attackers);
    drop(reading);
    attacked.extend(honest.so_far());
    tokio::time::sleep(CALM).await;
    let posted = honest.stop(&mut calm).await?;
    let (calm, attacked) = (honest::summary(calm), honest::summary(attacked));
    talk(format_args!(
        "honest requests alone: {calm}; under attack: {attacked}"
    ));
    stage.settle().await?;
    let figures = stage.audit(&posted, 0).await?;
    vitals.check()?;
    ensure!(
        attacked.usual_p99 <= SLOWER_MAX * calm.usual_p99,
        "the slowest of a hundred honest requests took {:.1} ms under attack, {:.1} ms alone",
        attacked.usual_p99,
        calm.usual_p99
    );
    Ok(Figures {
        rounds: plan.rounds,
        ..figures
    })
}

/// Those who attack. Their threads run only where the server and the honest load leave a processor idle, as if they ran elsewhere: it
/// is not their cost that is measured.
struct Attackers(Option<Runtime>);

impl Attackers {
    fn gather() -> std::io::Result<Self> {
        let give_way = || {
            let thread = rustix::thread::gettid().to_string();
            let mut command = Command::new("chrt");
            let given = command.args(["--idle", "--pid", "0", &thread]);
            // Where that can't be, the figures are worse than they should be.
            let _worse = given.status();
        };
        let mut runtime = Builder::new_multi_thread();
        runtime
            .worker_threads(2)
            .enable_all()
            .on_thread_start(give_way);
        Ok(Self(Some(runtime.build()?)))
    }

    fn spawn(&self, attack: impl Future<Output = ()> + Send + 'static) {
        if let Some(runtime) = &self.0 {
            runtime.spawn(attack);
        }
    }
}

impl Drop for Attackers {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

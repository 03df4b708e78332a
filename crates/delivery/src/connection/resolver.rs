//! Names to addresses. Whatever a resolver answers, the sender connects only to addresses that it has checked.
//!
//! The system's resolver holds a thread for as long as a name server is silent. So lookups are bounded, with a bound of their own for
//! names that were resolved, for names that could not be, and for new ones: names that get no answer don't block the others. Each
//! name is looked up once for all who want it, and what was found is kept.

use std::{
    collections::HashMap,
    io,
    net::{IpAddr, SocketAddr, ToSocketAddrs},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use tokio::{
    sync::{OnceCell, OwnedSemaphorePermit, Semaphore},
    time::{self, Instant},
};

use super::newest_first::{NewestFirst, Ticket};

/// Names that are kept. Those that somebody waits for come on top.
const NAMES_MAX: usize = 4_096;
/// Addresses that are kept of one name.
const ADDRESSES_MAX: usize = 16;
/// A name is not looked up again for this long.
const FRESH: Duration = Duration::from_secs(30);
/// While a name cannot be looked up, its previous addresses are used for this long.
const STALE: Duration = Duration::from_hours(1);
/// How long a lookup is waited for where something was found before.
const PATIENCE: Duration = Duration::from_secs(2);
/// The maximum number of threads that look up names with known addresses, names that could not be resolved, and new names.
const KNOWN_AT_ONCE: usize = 12;
const FAILED_AT_ONCE: usize = 6;
const NEW_AT_ONCE: usize = 24;

/// Looks names up.
#[async_trait]
pub trait Resolve: Send + Sync {
    /// The addresses of a host, with the port to connect to.
    async fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>>;
}

type Found = Result<Vec<IpAddr>, io::ErrorKind>;
type LookUp = dyn Fn(&str) -> io::Result<Vec<IpAddr>> + Send + Sync;

/// The system's own resolver, with a bound on how many of its threads it takes.
pub struct SystemResolver {
    look_up: Arc<LookUp>,
    names: Mutex<HashMap<String, Name>>,
    known: Arc<Semaphore>,
    failed: Arc<Semaphore>,
    new: NewestFirst,
}

/// What is known of a name.
#[derive(Default)]
struct Name {
    found: Option<(Vec<IpAddr>, Instant)>,
    /// Whether the last lookup failed, or took longer than anybody waited.
    has_failed: bool,
    under_way: Option<Arc<OnceCell<Found>>>,
}

/// What came of the lookups of a name so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum NameState {
    Found,
    Failed,
    New,
}

/// Somebody who waits for a name. If they give up, the name counts as one that can't be resolved: when they try again, they don't
/// go before names that are new.
struct Waiting<'n> {
    names: &'n Mutex<HashMap<String, Name>>,
    host: &'n str,
    is_answered: bool,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if self.is_answered {
            return;
        }
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(name) = names.get_mut(self.host) {
            name.has_failed = true;
        }
    }
}

/// The right to take a thread. It ends when this is dropped.
#[expect(dead_code, reason = "it is only held")]
enum ThreadPermit {
    Queued(OwnedSemaphorePermit),
    New(Ticket),
}

impl Name {
    const fn state(&self) -> NameState {
        match (&self.found, self.has_failed) {
            (Some(_), _) => NameState::Found,
            (None, true) => NameState::Failed,
            (None, false) => NameState::New,
        }
    }

    /// Whether somebody waits for the lookup. One that everybody gave up on stays under way.
    fn is_awaited(&self) -> bool {
        let under_way = self.under_way.as_ref();
        under_way.is_some_and(|one| Arc::strong_count(one) > 1)
    }
}

impl Default for SystemResolver {
    fn default() -> Self {
        Self::with(Arc::new(|host: &str| {
            let found = (host, 0).to_socket_addrs()?;
            Ok(found.map(|address| address.ip()).collect())
        }))
    }
}

impl SystemResolver {
    fn with(look_up: Arc<LookUp>) -> Self {
        Self {
            look_up,
            names: Mutex::default(),
            known: Arc::new(Semaphore::new(KNOWN_AT_ONCE)),
            failed: Arc::new(Semaphore::new(FAILED_AT_ONCE)),
            new: NewestFirst::new(NEW_AT_ONCE),
        }
    }

    async fn addresses(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        if let Some(fresh) = self.found(host, FRESH) {
            return Ok(fresh);
        }
        let before = self.found(host, STALE);
        let looking = self.look_up_once(host);
        let found = match before {
            None => looking.await,
            Some(before) => match time::timeout(PATIENCE, looking).await {
                Ok(Ok(found)) => Ok(found),
                Ok(Err(_)) | Err(_) => Ok(before),
            },
        };
        found.map_err(io::Error::from)
    }

    /// What was found of a name not longer ago than this.
    fn found(&self, host: &str, within: Duration) -> Option<Vec<IpAddr>> {
        let names = self.names();
        let (found, at) = names.get(host)?.found.as_ref()?;
        (at.elapsed() < within).then(|| found.clone())
    }

    /// Looks a name up, once for all who want it at this moment.
    async fn look_up_once(&self, host: &str) -> Found {
        let (under_way, standing) = {
            let mut names = self.names();
            make_room(&mut names);
            let name = names.entry(host.to_owned()).or_default();
            let standing = name.state();
            (Arc::clone(name.under_way.get_or_insert_default()), standing)
        };
        let mut waiting = Waiting {
            names: &self.names,
            host,
            is_answered: false,
        };
        let found = under_way.get_or_init(|| self.look_up_now(host, standing));
        let found = found.await.clone();
        waiting.is_answered = true;
        let mut names = self.names();
        if let Some(name) = names.get_mut(host)
            && name
                .under_way
                .as_ref()
                .is_some_and(|one| Arc::ptr_eq(one, &under_way))
        {
            name.under_way = None;
            name.has_failed = found.is_err();
            if let Ok(found) = &found {
                name.found = Some((found.clone(), Instant::now()));
            }
        }
        found
    }

    async fn look_up_now(&self, host: &str, standing: NameState) -> Found {
        let permit = self.permit(standing).await?;
        let (look_up, host) = (Arc::clone(&self.look_up), host.to_owned());
        let work = move || {
            // It is held until the thread is free again, even if no task waits for the answer any more.
            let _permit = permit;
            look_up(&host)
        };
        let found = tokio::task::spawn_blocking(work).await;
        let mut found = found
            .map_err(|_panicked| io::ErrorKind::Other)?
            .map_err(|error| error.kind())?;
        found.truncate(ADDRESSES_MAX);
        Ok(found)
    }

    async fn permit(&self, standing: NameState) -> Result<ThreadPermit, io::ErrorKind> {
        let threads = match standing {
            NameState::Found => &self.known,
            NameState::Failed => &self.failed,
            NameState::New => return Ok(ThreadPermit::New(self.new.acquire().await)),
        };
        let permit = Arc::clone(threads).acquire_owned().await;
        permit
            .map(ThreadPermit::Queued)
            .map_err(|_closed| io::ErrorKind::Other)
    }

    fn names(&self) -> MutexGuard<'_, HashMap<String, Name>> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Forgets what is no longer of use where there are many names, and all that nobody waits for where that is not enough.
fn make_room(names: &mut HashMap<String, Name>) {
    if names.len() < NAMES_MAX {
        return;
    }
    let is_of_use = |name: &Name| {
        name.found
            .as_ref()
            .is_some_and(|(_, at)| at.elapsed() < FRESH)
    };
    names.retain(|_, name| name.is_awaited() || is_of_use(name));
    if names.len() >= NAMES_MAX {
        names.retain(|_, name| name.is_awaited());
    }
}

#[async_trait]
impl Resolve for SystemResolver {
    async fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        let found = self.addresses(host).await?;
        Ok(found
            .into_iter()
            .map(|address| SocketAddr::new(address, port))
            .collect())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        atomic::{AtomicUsize, Ordering},
        mpsc,
    };

    use super::*;

    const ADDRESS: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

    #[tokio::test]
    async fn a_name_is_looked_up_once_for_all_and_kept() {
        let count = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&count);
        let resolver = SystemResolver::with(Arc::new(move |_host: &str| {
            counted.fetch_add(1, Ordering::SeqCst);
            Ok(vec![ADDRESS])
        }));
        let all = (0..50).map(|port| resolver.resolve("a.example", port));
        let found = futures_util::future::join_all(all).await;
        assert_eq!(found[7].as_ref().unwrap(), &[SocketAddr::new(ADDRESS, 7)]);
        assert_eq!(count.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn silent_names_take_so_many_threads_and_not_those_of_names_that_answer() {
        let (release, silent) = mpsc::channel::<()>();
        let (silent, busy) = (Mutex::new(silent), Arc::new(AtomicUsize::new(0)));
        let began = Arc::clone(&busy);
        let resolver = Arc::new(SystemResolver::with(Arc::new(move |host: &str| {
            if host == "good.example" {
                return Ok(vec![ADDRESS]);
            }
            began.fetch_add(1, Ordering::SeqCst);
            assert!(silent.lock().unwrap().recv().is_err());
            Err(io::ErrorKind::TimedOut.into())
        })));
        assert!(resolver.resolve("good.example", 1).await.is_ok());
        let waiting: Vec<_> = (0..100)
            .map(|number| {
                let resolver = Arc::clone(&resolver);
                async move { resolver.resolve(&format!("{number}.example"), 1).await }
            })
            .collect();
        let mut waiting = Box::pin(futures_util::future::join_all(waiting));
        while busy.load(Ordering::SeqCst) < NEW_AT_ONCE {
            assert!(futures_util::poll!(&mut waiting).is_pending());
            tokio::task::yield_now().await;
        }
        assert!(futures_util::poll!(&mut waiting).is_pending());
        assert_eq!(busy.load(Ordering::SeqCst), NEW_AT_ONCE);
        // What was found before is looked up on other threads, and used where it can't be.
        let old = resolver.look_up_once("good.example");
        assert_eq!(old.await, Ok(vec![ADDRESS]));
        drop(release);
        assert!(waiting.await.iter().all(Result::is_err));
        // One that failed has no turn among new names any more.
        let standing = |name: &str| resolver.names()[name].state();
        assert_eq!(standing("7.example"), NameState::Failed);
        assert_eq!(standing("good.example"), NameState::Found);
    }

    #[tokio::test]
    async fn a_new_name_does_not_wait_for_the_crowd_before_it() {
        let (release, silent) = mpsc::channel::<()>();
        let silent = Mutex::new(silent);
        let resolver = Arc::new(SystemResolver::with(Arc::new(move |host: &str| {
            if host == "late.example" {
                return Ok(vec![ADDRESS]);
            }
            let _released = silent.lock().unwrap().recv();
            Err(io::ErrorKind::TimedOut.into())
        })));
        let look = |name: String| {
            let resolver = Arc::clone(&resolver);
            async move { resolver.resolve(&name, 1).await }
        };
        let crowd = (0..100).map(|number| look(format!("{number}.example")));
        let mut crowd = Box::pin(futures_util::future::join_all(crowd));
        assert!(futures_util::poll!(&mut crowd).is_pending());
        let mut late = Box::pin(look("late.example".to_owned()));
        assert!(futures_util::poll!(&mut late).is_pending());
        // One thread becomes free.
        release.send(()).unwrap();
        tokio::select! {
            found = &mut late => assert!(found.is_ok()),
            _ = &mut crowd => unreachable!("it waits for more"),
        }
        drop(release);
        assert!(crowd.await.iter().all(Result::is_err));
    }

    #[tokio::test]
    async fn a_lookup_that_everybody_gave_up_on_is_forgotten() {
        let resolver = SystemResolver::default();
        let busy = (0..NEW_AT_ONCE).map(|_| resolver.new.acquire());
        let _busy = futures_util::future::join_all(busy).await;
        let looking = |number: usize| {
            let resolver = &resolver;
            async move { resolver.resolve(&format!("{number}.example"), 1).await }
        };
        let mut awaited = Box::pin(looking(0));
        assert!(futures_util::poll!(&mut awaited).is_pending());
        for number in 1..2 * NAMES_MAX {
            let mut abandoned = Box::pin(looking(number));
            assert!(futures_util::poll!(&mut abandoned).is_pending());
        }
        let names = resolver.names();
        assert!(names.len() <= NAMES_MAX && names.contains_key("0.example"));
        let abandoned = names.get("8191.example").map(Name::state);
        assert_eq!(abandoned, Some(NameState::Failed));
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_found_is_used_while_the_name_server_fails() {
        let fails = Arc::new(AtomicUsize::new(0));
        let failing = Arc::clone(&fails);
        let resolver = SystemResolver::with(Arc::new(move |_host: &str| {
            match failing.load(Ordering::SeqCst) {
                0 => Ok(vec![ADDRESS]),
                _ => Err(io::ErrorKind::NotFound.into()),
            }
        }));
        assert!(resolver.resolve("a.example", 1).await.is_ok());
        fails.store(1, Ordering::SeqCst);
        time::advance(FRESH).await;
        assert!(resolver.resolve("a.example", 1).await.is_ok());
        time::advance(STALE).await;
        assert!(resolver.resolve("a.example", 1).await.is_err());
        assert!(resolver.names().len() <= 1);
    }
}

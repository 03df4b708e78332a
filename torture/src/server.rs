//! The program under torture: furnished by its own commands, started and killed as often as it takes.

use std::{
    ffi::OsString,
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex, PoisonError, mpsc},
    time::Duration,
};

use anyhow::{Context, bail, ensure};
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};

/// The space that everything happens in.
pub(crate) const SPACE: &str = "torture";

/// A database, with the options that name it to the program.
#[derive(Clone)]
pub(crate) struct Home(Vec<String>);

impl Home {
    /// A SQLite file in a folder.
    pub(crate) fn sqlite(folder: &Path) -> Self {
        let url = format!("sqlite://{}", folder.join("torture.db").display());
        Self(vec!["--database-url".to_owned(), url])
    }

    /// A PostgreSQL database, with a key file made by the program.
    pub(crate) fn postgres(program: &Path, folder: &Path, url: &str) -> anyhow::Result<Self> {
        let arguments =
            alert_connectors_cluster::arguments(program, url, &folder.join("secret.key"))?;
        Ok(Self(arguments))
    }
}

/// A program with its database, running or not.
pub(crate) struct Server {
    program: PathBuf,
    home: Home,
    ca_file: PathBuf,
    rate: String,
    environment: Vec<(String, String)>,
    /// The descriptor limit it is started with, if not its parent's.
    descriptors: Option<u64>,
    /// What it reads in place of `/etc/resolv.conf`.
    resolv_conf: Option<PathBuf>,
    child: Option<Child>,
    log: Arc<Mutex<String>>,
    /// Held while the log is left unread.
    log_reader: Arc<Mutex<()>>,
    port: u16,
    pub(crate) client: Client,
    token: String,
}

impl Server {
    /// Makes a user, a space and a token in a fresh database.
    pub(crate) fn furnish(
        program: &Path,
        home: &Home,
        ca_file: &Path,
        rate: &str,
    ) -> anyhow::Result<Self> {
        let command = |arguments: &[&str]| -> anyhow::Result<String> {
            let output = Command::new(program)
                .args(arguments)
                .args(&home.0)
                .output()?;
            ensure!(
                output.status.success(),
                "{arguments:?}: {}",
                String::from_utf8_lossy(&output.stderr)
            );
            Ok(String::from_utf8(output.stdout)?.trim().to_owned())
        };
        command(&["user", "add", "t@example.com", "--name", "T", "--operator"])?;
        command(&["space", "add", SPACE, "--name", "Torture"])?;
        let token = command(&["token", "issue", "t@example.com", "--ttl", "7d"])?;
        let port = std::net::TcpListener::bind("127.0.0.1:0")?
            .local_addr()?
            .port();
        // Fails only if one was installed already.
        drop(rustls::crypto::ring::default_provider().install_default());
        Ok(Self {
            program: program.to_owned(),
            home: home.clone(),
            ca_file: ca_file.to_owned(),
            rate: rate.to_owned(),
            environment: Vec::new(),
            descriptors: None,
            resolv_conf: None,
            child: None,
            log: Arc::default(),
            log_reader: Arc::default(),
            port,
            client: Client::builder()
                .no_proxy()
                .timeout(Duration::from_secs(20))
                .build()?,
            token: format!("Bearer {token}"),
        })
    }

    /// Another server on the same database.
    pub(crate) fn replica(&self) -> anyhow::Result<Self> {
        let port = std::net::TcpListener::bind("127.0.0.1:0")?
            .local_addr()?
            .port();
        Ok(Self {
            program: self.program.clone(),
            home: self.home.clone(),
            ca_file: self.ca_file.clone(),
            rate: self.rate.clone(),
            environment: Vec::new(),
            descriptors: None,
            resolv_conf: None,
            child: None,
            log: Arc::default(),
            log_reader: Arc::default(),
            port,
            client: self.client.clone(),
            token: self.token.clone(),
        })
    }

    /// Lets it stand still, or go on, as a machine does that is paused.
    pub(crate) fn signal(&self, signal: &str) -> anyhow::Result<()> {
        let pid = self.child.as_ref().context("it runs")?.id().to_string();
        Command::new("kill").args([signal, &pid]).status()?;
        Ok(())
    }

    /// Runs it with these variables from the next start on.
    pub(crate) fn set_environment(&mut self, environment: Vec<(String, String)>) {
        self.environment = environment;
    }

    /// Starts it with this many descriptors from the next start on.
    pub(crate) fn limit_descriptors(&mut self, descriptors: u64) {
        self.descriptors = Some(descriptors);
    }

    /// Starts it with this file as `/etc/resolv.conf` from the next start on.
    pub(crate) fn resolve_by(&mut self, resolv_conf: &Path) {
        self.resolv_conf = Some(resolv_conf.to_owned());
    }

    /// The program, as it is started. Each program before it becomes the next one, so that the process stays the same.
    fn starting(&self) -> Command {
        let mut words: Vec<OsString> = Vec::new();
        if let Some(resolv_conf) = &self.resolv_conf {
            let script = "mount --bind \"$0\" /etc/resolv.conf && exec \"$@\"";
            words.extend(["unshare", "--mount", "sh", "-c", script].map(OsString::from));
            words.push(resolv_conf.into());
        }
        if let Some(descriptors) = self.descriptors {
            let script = format!("ulimit -n {descriptors}; exec \"$0\" \"$@\"");
            words.extend(["sh", "-c", &script].map(OsString::from));
        }
        words.push((&self.program).into());
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]);
        command
    }

    /// Leaves its log unread for as long as the returned guard lives, so that the pipe fills.
    pub(crate) fn stop_reading_log(&self) -> mpsc::Sender<()> {
        let (stop, stopped) = mpsc::channel();
        let reader = Arc::clone(&self.log_reader);
        std::thread::spawn(move || {
            let _held = reader.lock().unwrap_or_else(PoisonError::into_inner);
            // It fails once the other end is gone.
            let _gone = stopped.recv();
        });
        stop
    }

    /// The process.
    pub(crate) fn pid(&self) -> anyhow::Result<u32> {
        Ok(self.child.as_ref().context("it runs")?.id())
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Starts it and waits until it listens.
    pub(crate) async fn start(&mut self) -> anyhow::Result<()> {
        let listen = format!("127.0.0.1:{}", self.port);
        let mut child = self
            .starting()
            .args(["serve", "--listen", &listen])
            .args(&self.home.0)
            .arg("--ca-file")
            .arg(&self.ca_file)
            .args(["--allow-network", "127.0.0.0/8", "--rate", &self.rate])
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .context("the program can't be started")?;
        let lines = child.stderr.take().context("it has an output")?;
        let (log, reader) = (Arc::clone(&self.log), Arc::clone(&self.log_reader));
        std::thread::spawn(move || {
            for line in BufReader::new(lines).lines().map_while(Result::ok) {
                let _reading = reader.lock().unwrap_or_else(PoisonError::into_inner);
                let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
                log.push_str(&line);
                log.push('\n');
            }
        });
        self.child = Some(child);
        for _ in 0..2_000 {
            if self
                .client
                .get(self.url("/health/live"))
                .send()
                .await
                .is_ok()
            {
                return Ok(());
            }
            if let Some(status) = self.child.as_mut().and_then(|child| child.try_wait().ok()?) {
                bail!("it ended with {status}: {}", self.log());
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        bail!("it does not listen: {}", self.log())
    }

    /// Kills it at once, as a power cut would.
    pub(crate) fn kill(&mut self) -> anyhow::Result<()> {
        if let Some(mut child) = self.child.take() {
            child.kill()?;
            child.wait()?;
        }
        Ok(())
    }

    pub(crate) fn log(&self) -> String {
        self.log
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// Where alerts go, and as whom.
    pub(crate) fn target(&self) -> (Client, String, String) {
        let url = self.url(&format!("/spaces/{SPACE}/alerts"));
        (self.client.clone(), url, self.token.clone())
    }

    pub(crate) async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> anyhow::Result<(StatusCode, Value)> {
        let url = self.url(&format!("/spaces/{SPACE}{path}"));
        let mut request = self
            .client
            .request(method, url)
            .header("authorization", &self.token);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await?;
        let status = answer.status();
        Ok((status, answer.json().await.unwrap_or_default()))
    }

    /// Makes a connector for some alert types, and returns its id.
    pub(crate) async fn connect(
        &self,
        platform: &str,
        url: &str,
        types: &[&str],
    ) -> anyhow::Result<String> {
        let body = json!({"name": url.rsplit('/').next(), "connector_type": platform, "webhook_url": url,
            "severity_filter": [], "alert_type_filter": types});
        let (status, made) = self
            .ask(Method::POST, "/alert-connectors", Some(body))
            .await?;
        ensure!(
            status == StatusCode::CREATED,
            "a connector was answered {status}: {made}"
        );
        Ok(made["id"]
            .as_str()
            .context("a connector has an id")?
            .to_owned())
    }

    /// How many deliveries of a connector stand in a state.
    pub(crate) async fn count(&self, connector: &str, state: &str) -> anyhow::Result<usize> {
        let (mut count, mut cursor) = (0, String::new());
        loop {
            let path =
                format!("/alert-connectors/{connector}/deliveries?state={state}&limit=200{cursor}");
            let (status, page) = self.ask(Method::GET, &path, None).await?;
            ensure!(status.is_success(), "{path} was answered {status}: {page}");
            count += page["items"].as_array().map_or(0, Vec::len);
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return Ok(count),
            }
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.kill());
    }
}

/// A line for people.
pub(crate) fn talk(line: std::fmt::Arguments<'_>) {
    drop(writeln!(std::io::stderr().lock(), "{line}"));
}

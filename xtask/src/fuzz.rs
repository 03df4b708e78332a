//! `fuzz`: public tools read the OpenAPI document and try every call with good and bad requests on a running server.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
};

use anyhow::{Context, bail, ensure};

use crate::{
    python,
    run::{cargo, program, root, talk},
};

/// One thread: up to Python 3.11.8, threads that parse Python at once now and then fail with "AST constructor recursion depth mismatch"
/// (<https://github.com/python/cpython/issues/106905>), and hypothesis parses.
const WORKERS: &str = "1";

/// How long it tries if nothing is said, in seconds.
const USUAL: &str = "300";
/// How long it tries among the tests.
const AMONG_TESTS: &str = "20";
/// The same requests each time it runs among the tests.
const SEED: &str = "1";
/// What must not happen: a server error, a status, a media type, a header or a body that the document does not describe.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
    response_headers_conformance,response_schema_conformance";
/// Nearly every other call is about a space; a guessed one would only be answered 404.
const CONFIG: &str = "[parameters]\n\"path.slug\" = \"data\"\n";

pub(crate) fn run(rest: &[&str]) -> anyhow::Result<()> {
    match rest {
        [] => fuzz(USUAL, &[]),
        [seconds] => fuzz(seconds, &[]),
        _ => bail!("usage: cargo xtask fuzz [SECONDS]"),
    }
}

/// The short run of the test command.
pub(crate) fn among_tests() -> anyhow::Result<()> {
    fuzz(AMONG_TESTS, &["--seed", SEED])
}

fn fuzz(seconds: &str, more: &[&str]) -> anyhow::Result<()> {
    let programs = python::programs("python")?;
    let tool = |name: &str| programs.join(name).display().to_string();
    talk(format_args!(
        "holding the API to its description for {seconds} s"
    ));
    program(&tool("openapi-spec-validator"), &["openapi.json"])?;
    cargo(&[
        "build",
        "--quiet",
        "--locked",
        "--package",
        "alert-connectors",
    ])?;
    let folder = root().join("target/fuzz");
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder)?;
    let config = folder.join("schemathesis.toml");
    fs::write(&config, CONFIG)?;
    let server = Server::start(&folder)?;
    let config = config.display().to_string();
    let document = format!("{}/openapi.json", server.base);
    let authorization = format!("Authorization: Bearer {}", server.token);
    let arguments = [
        &[
            "--config-file",
            &config,
            "run",
            &document,
            "--header",
            &authorization,
        ][..],
        // The first two would sign out the caller that tries the other calls, and the third never ends.
        &[
            "--exclude-path",
            "/auth/logout",
            "--exclude-path",
            "/auth/session",
            "--exclude-path",
            "/spaces/{slug}/events",
            "--warnings",
            "off",
        ],
        &[
            "--checks",
            CHECKS,
            "--max-time",
            seconds,
            "--workers",
            WORKERS,
        ],
        more,
    ];
    // It leaves notes where it runs.
    let status = Command::new(tool("schemathesis"))
        .args(arguments.concat())
        .current_dir(&folder)
        .status()?;
    ensure!(status.success(), "the API is not as openapi.json says");
    Ok(())
}

/// A server on a fresh database, ended with its handle.
struct Server {
    child: Child,
    base: String,
    token: String,
}

impl Server {
    fn start(folder: &Path) -> anyhow::Result<Self> {
        let binary = root().join("target/debug/alert-connectors");
        let database = format!("sqlite://{}", folder.join("fuzz.db").display());
        let command = |arguments: &[&str]| {
            let mut command = Command::new(&binary);
            command
                .args(arguments)
                .args(["--database-url", &database])
                .stdin(Stdio::null());
            command
        };
        let output = |arguments: &[&str]| {
            let output = command(arguments)
                .output()
                .context("the program can't be started")?;
            ensure!(
                output.status.success(),
                "{}",
                String::from_utf8_lossy(&output.stderr)
            );
            anyhow::Ok(String::from_utf8(output.stdout)?.trim().to_owned())
        };
        output(&[
            "user",
            "add",
            "fuzz@example.com",
            "--name",
            "Fuzz",
            "--operator",
        ])?;
        output(&["space", "add", "data", "--name", "Data"])?;
        let token = output(&["token", "issue", "fuzz@example.com"])?;
        let mut child = command(&["serve", "--listen", "127.0.0.1:0", "--log-format", "text"])
            .stderr(Stdio::piped())
            .spawn()?;
        let mut lines = BufReader::new(child.stderr.take().context("it has an output")?).lines();
        let address = lines.by_ref().map_while(Result::ok).find_map(|line| {
            let (_, address) = line.split_once("address=")?;
            address.split_whitespace().next().map(ToOwned::to_owned)
        });
        // What it logs is read to the end, so that it never waits.
        std::thread::spawn(move || lines.for_each(drop));
        let address = address.context("the server did not start")?;
        let base = format!("http://{address}");
        Ok(Self { child, base, token })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

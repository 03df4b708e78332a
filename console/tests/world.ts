// A server of the real program with its inbox, and a real browser in front of it.
import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { chromium, type Browser, type BrowserContext, type BrowserContextOptions, type Page } from "playwright-core";

const PROGRAM = process.env.ALERT_CONNECTORS ?? "../target/debug/alert-connectors";
const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";
const OFFLINE = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

export const PASSWORD = "correct horse battery staple";

/** Starts a program and waits for the address that it says it listens on. What it says may come in pieces, so `says` matches what
 * stands behind the address, too. */
async function start(args: string[], says: RegExp): Promise<[ChildProcess, string]> {
  const child = spawn(PROGRAM, args, { stdio: ["ignore", "pipe", "pipe"] });
  let seen = "";
  const address = await new Promise<string>((resolve, reject) => {
    const read = (chunk: Buffer) => {
      seen += chunk.toString();
      const found = says.exec(seen)?.[1];
      if (found !== undefined) {
        resolve(found);
      }
    };
    child.stdout?.on("data", read);
    child.stderr?.on("data", read);
    child.on("exit", () => reject(new Error(`${args[0]} ended: ${seen}`)));
  });
  return [child, address];
}

/** What says that a server listens, and where. */
const LISTENING = /"address":"([^"]+)"/;

/** Options that name a fresh PostgreSQL database, with a key of its own. */
function postgres(folder: string): string[] {
  const url = process.env.CONSOLE_DATABASE_URL;
  if (url === undefined) {
    throw new Error("CONSOLE_DATABASE_URL names an empty PostgreSQL database; `cargo xtask test` makes one by itself");
  }
  const key = join(folder, "secret.key");
  execFileSync(PROGRAM, ["key", "new", key]);
  return ["--database-url", url, "--secret-key-file", key];
}

export class World {
  private constructor(
    /** Where each server is. */
    readonly bases: readonly [string, ...string[]],
    readonly inbox: string,
    private readonly folder: string,
    private readonly children: ChildProcess[],
    private readonly browser: Browser,
  ) {}

  get base(): string {
    return this.bases[0];
  }

  /** Alice is admin of the space `data`, and Vera reads it. One server on SQLite. */
  static async start(): Promise<World> {
    const folder = mkdtempSync(join(tmpdir(), "console-"));
    return World.furnished(folder, ["--database-url", `sqlite://${join(folder, "test.db")}`], 1);
  }

  /** The same with other options of the server, which listens on a port that is known before. */
  static async startAt(port: number, more: string[]): Promise<World> {
    const folder = mkdtempSync(join(tmpdir(), "console-"));
    const database = ["--database-url", `sqlite://${join(folder, "test.db")}`];
    return World.furnished(folder, database, 1, ["--listen", `127.0.0.1:${port}`, ...more]);
  }

  /** The same with two servers on one PostgreSQL database. */
  static async startReplicas(): Promise<World> {
    const folder = mkdtempSync(join(tmpdir(), "console-"));
    return World.furnished(folder, postgres(folder), 2);
  }

  private static async furnished(folder: string, database: string[], servers: number, more = ["--listen", "127.0.0.1:0"]): Promise<World> {
    const run = (args: string[], input = "") => execFileSync(PROGRAM, [...args, ...database], { input, encoding: "utf8" });
    const ca = join(folder, "ca.pem");
    const [inbox, inboxAddress] = await start(["inbox", "--listen", "127.0.0.1:0", "--ca-out", ca], /https:\/\/([^\s/";]+);/);
    run(["space", "add", "data", "--name", "Data"]);
    for (const [email, name, role] of [
      ["alice@example.com", "Alice Johnson", "admin"],
      ["vera@example.com", "Vera Chen", "viewer"],
    ] as const) {
      run(["user", "add", email, "--name", name, "--password-stdin"], `${PASSWORD}\n`);
      run(["member", "set", "data", email, "--role", role]);
    }
    const serve = ["serve", ...more, "--ca-file", ca, "--allow-network", "127.0.0.0/8"];
    const another = () => start([...serve, "--rate", "slack=unlimited,teams=unlimited", ...database], LISTENING);
    const [first, ...others] = [await another(), ...(servers > 1 ? [await another()] : [])] as const;
    const bases = [`http://${first[1]}`, ...others.map(([, address]) => `http://${address}`)] as const;
    const browser = await chromium.launch({ executablePath: CHROMIUM, args: OFFLINE });
    const children = [inbox, first[0], ...others.map(([child]) => child)];
    return new World(bases, `https://${inboxAddress}`, folder, children, browser);
  }

  async stop(): Promise<void> {
    await this.browser.close();
    for (const child of this.children) {
      child.removeAllListeners("exit");
      child.kill();
    }
    rmSync(this.folder, { recursive: true });
  }

  /** A page in a browser of its own. Whatever it asks another host, and whatever its policy refuses, is a fault. */
  async page(options: BrowserContextOptions = {}, base = this.base): Promise<Visit> {
    const context = await this.browser.newContext({ viewport: { width: 1440, height: 900 }, ...options });
    const page = await context.newPage();
    page.setDefaultTimeout(15_000);
    return new Visit(base, context, page);
  }

  /** Tells the inbox how a path answers from now on. */
  async behave(path: string, row: string): Promise<void> {
    await this.ask("POST", "/_inbox/behaviour", JSON.stringify({ path, row }));
  }

  async behaveNormally(): Promise<void> {
    await this.ask("DELETE", "/_inbox/behaviour", "");
  }

  /** Posts a message to the inbox, whatever it answers. */
  async post(path: string, payload: unknown): Promise<void> {
    await this.ask("POST", path, JSON.stringify(payload), () => true);
  }

  private ask(method: string, path: string, body: string, isFine = (status: number) => status < 300): Promise<void> {
    const ca = readFileSync(join(this.folder, "ca.pem"));
    return new Promise((resolve, reject) => {
      const headers = { "content-type": "application/json" };
      const call = request(`${this.inbox}${path}`, { method, ca, headers }, (answer) => {
        answer.resume();
        const status = answer.statusCode ?? 500;
        answer.on("end", () => (isFine(status) ? resolve() : reject(new Error(`${method} ${path}: ${status}`))));
      });
      call.on("error", reject);
      call.end(body);
    });
  }
}

export class Visit {
  readonly faults: string[] = [];

  constructor(
    private readonly base: string,
    readonly context: BrowserContext,
    readonly page: Page,
  ) {
    page.on("request", (asked) => {
      if (!asked.url().startsWith(base)) {
        this.faults.push(`asked ${asked.url()}`);
      }
    });
    page.on("pageerror", (error) => this.faults.push(`failed: ${error.message}`));
    page.on("console", (said) => {
      if (/Content Security Policy|Refused to/.test(said.text())) {
        this.faults.push(said.text());
      }
    });
  }

  async open(path: string): Promise<void> {
    await this.page.goto(`${this.base}/console${path}`);
  }

  async signIn(email: string, path = "/"): Promise<void> {
    await this.open(path);
    await this.page.getByLabel("E-mail").fill(email);
    await this.page.getByLabel("Password").fill(PASSWORD);
    await this.page.getByRole("button", { name: "Sign in" }).click();
    await this.page.getByRole("navigation", { name: "Account" }).waitFor();
  }

  async close(): Promise<void> {
    await this.context.close();
  }
}

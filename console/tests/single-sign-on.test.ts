// Signing in at another service: the certified provider `oidc-provider`, before the real program, in a real browser.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type RequestListener, type Server } from "node:http";
import { createServer as createListener, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { exportJWK, generateKeyPair } from "jose";
import Provider from "oidc-provider";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";

import { World, type Visit } from "./world";

const folder = mkdtempSync(join(tmpdir(), "single-sign-on-"));
let world: World;
let issuer: Issuer;

/** A port that nothing listens on. The provider has to know where browsers go back to before the server starts. */
async function freePort(): Promise<number> {
  const listener = createListener();
  await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
  const { port } = listener.address() as AddressInfo;
  await new Promise((resolve) => listener.close(resolve));
  return port;
}

/** An identity provider that signs people in by the e-mail address that they type. */
class Issuer {
  private constructor(
    readonly url: string,
    private readonly server: Server,
    private readonly callback: string,
  ) {}

  static async start(callback: string): Promise<Issuer> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const started = new Issuer(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, server, callback);
    await started.signWith("first");
    return started;
  }

  /** Signs with a new key from now on, and publishes only that. */
  async signWith(kid: string): Promise<void> {
    const { privateKey } = await generateKeyPair("RS256", { extractable: true });
    const key = { ...(await exportJWK(privateKey)), kid, use: "sig", alg: "RS256" };
    const provider = new Provider(this.url, {
      jwks: { keys: [key] },
      clients: [{ client_id: "alert-connectors", client_secret: "s e:cret", redirect_uris: [this.callback] }],
      cookies: { keys: ["a key of the test"] },
      pkce: { required: () => true },
      conformIdTokenClaims: false,
      claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["name"] },
      findAccount: (_context: unknown, id: string) => ({
        accountId: id,
        claims: () => ({ sub: id, email: id, email_verified: !id.startsWith("unverified"), name: "Somebody" }),
      }),
    });
    this.server.removeAllListeners("request");
    this.server.on("request", provider.callback() as RequestListener);
  }

  stop(): void {
    this.server.closeAllConnections();
    this.server.close();
  }
}

beforeAll(async () => {
  const port = await freePort();
  const base = `http://127.0.0.1:${port}`;
  issuer = await Issuer.start(`${base}/auth/oidc/callback`);
  const secret = join(folder, "secret");
  writeFileSync(secret, "s e:cret\n");
  world = await World.startAt(port, [
    ...["--public-url", base, "--issuer", issuer.url, "--issuer-network", "127.0.0.0/8"],
    ...["--oidc-client-id", "alert-connectors", "--oidc-client-secret-file", secret],
  ]);
});
afterAll(async () => {
  await world?.stop();
  issuer?.stop();
  rmSync(folder, { recursive: true });
});

/** Signs in at the provider's own pages, which ask for a name and then for consent. */
async function signInThere(page: Page, email: string): Promise<void> {
  await page.getByRole("link", { name: "Sign in with single sign-on" }).click();
  await page.locator("input[name=login]").fill(email);
  await page.locator("input[name=password]").fill("anything");
  await page.locator("button[type=submit]").click();
  await page.getByRole("button", { name: "Continue" }).click();
}

async function visit(path: string): Promise<Visit> {
  const visit = await world.page();
  await visit.open(path);
  return visit;
}

/** The cookies of this service. Those of the provider, which has the same host here, do not count. */
async function ours(visit: Visit) {
  const cookies = await visit.context.cookies(world.base);
  return cookies.filter(({ name }) => name.startsWith("__Host-"));
}

test("one signs in where the organisation does, and is where one wanted to go", async () => {
  const alice = await visit("/spaces/data/members");
  await signInThere(alice.page, "alice@example.com");
  await alice.page.getByRole("heading", { name: "Members" }).waitFor();
  expect(alice.page.url()).toContain("/console/spaces/data/members");
  const kept = await ours(alice);
  expect(kept.map(({ name, httpOnly, sameSite }) => [name, httpOnly, sameSite])).toEqual([["__Host-session", true, "Strict"]]);
  await alice.close();
});

test("a person without an account here, or without a verified address, is told so", async () => {
  for (const [email, reason] of [
    ["nobody@example.com", "You are no user here yet"],
    ["unverified@example.com", "was not accepted"],
  ] as const) {
    const stranger = await visit("/");
    await signInThere(stranger.page, email);
    await stranger.page.getByText(reason).waitFor();
    // The way with a password is still there.
    await stranger.page.getByLabel("Password").waitFor();
    await stranger.close();
  }
});

/** Signs Alice in, but keeps the browser from going back with the code. Returns where it would have gone. */
async function stolen(): Promise<string> {
  const victim = await visit("/");
  const gone = victim.page.waitForRequest((request) => request.url().includes("/auth/oidc/callback"));
  await victim.page.route("**/auth/oidc/callback**", (route) => route.abort());
  await signInThere(victim.page, "alice@example.com");
  const address = (await gone).url();
  await victim.close();
  return address;
}

test("a stolen code opens nothing in another browser", async () => {
  const address = new URL(await stolen());
  const thief = await visit("/sign-in");
  await thief.page.goto(address.href);
  await thief.page.getByText("began in another browser").waitFor();
  // Nor within a sign-in that the thief began: the code was given for another verifier.
  const begun = thief.page.waitForRequest((request) => request.url().includes("/auth?"));
  await thief.page.getByRole("link", { name: "Sign in with single sign-on" }).click();
  const state = new URL((await begun).url()).searchParams.get("state");
  address.searchParams.set("state", state ?? "");
  await thief.page.goto(address.href);
  await thief.page.getByText("was not accepted").waitFor();
  expect(await ours(thief)).toEqual([]);
  await thief.close();
});

/** Whether Alice is let in by the provider's present key. */
async function isLetIn(): Promise<boolean> {
  const alice = await visit("/");
  await signInThere(alice.page, "alice@example.com");
  const account = alice.page.getByRole("navigation", { name: "Account" });
  await account.or(alice.page.getByText("was not accepted")).first().waitFor();
  const isIn = await account.isVisible();
  await alice.close();
  return isIn;
}

test("a new key of the provider is taken up, and a provider that is away is said to be", async () => {
  await issuer.signWith("second");
  // The server looks for new keys once in ten seconds at most.
  await expect.poll(isLetIn, { timeout: 30_000, interval: 1_000 }).toBe(true);
  const late = await visit("/sign-in");
  issuer.stop();
  // What the provider said of itself is still known here, so the browser goes there, and finds nobody.
  const asked = late.page.waitForRequest((request) => request.url().startsWith(issuer.url));
  await late.page.getByRole("link", { name: "Sign in with single sign-on" }).click();
  await asked;
  await late.close();
});

// The sign-in, here or where the organisation signs in: afterwards one is where one wanted to go.
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useRouter, useSearch } from "@tanstack/react-router";
import { useState, type FormEvent } from "react";

import { beginSession, listSignInMethods } from "../api/generated";
import { answer } from "../api/problem";
import { Button } from "../parts/Button";
import { TextField } from "../parts/Field";
import { ErrorNotice, Warn } from "../parts/Notice";
import buttons from "../parts/button.module.css";
import styles from "./sign-in.module.css";

/** Where the console lies; the addresses of its pages begin behind it. */
const BASE = "/console";

/** Why somebody who signed in elsewhere is not signed in here. */
const FAILURES: Record<string, string> = {
  stale: "That sign-in took too long, or began in another browser. Try again.",
  denied: "The sign-in was given up. Try again.",
  refused: "The sign-in was not accepted. Try again; if that does not help, ask your operator to look into the log.",
  unavailable: "The service where your organisation signs in does not answer. Try again in a minute.",
  "no-user": "You are no user here yet. Ask your operator to add you.",
};

export function SignInPage() {
  const { to, failed } = useSearch({ from: "/sign-in" });
  const methods = useQuery({ queryKey: ["sign-in-methods"], queryFn: () => answer(listSignInMethods()) });
  const elsewhere = methods.data?.single_sign_on;
  const failure = failed === undefined ? undefined : (FAILURES[failed] ?? FAILURES.refused);
  const [email, setEmail] = useState("");
  const [password, setPassword] = useState("");
  const router = useRouter();
  const queries = useQueryClient();
  const signIn = useMutation({
    mutationFn: () => answer(beginSession({ body: { email, password } })),
    onSuccess: async () => {
      queries.clear();
      // Only a path of the console itself is followed.
      router.history.push(`${BASE}${to?.startsWith("/") && !to.includes("/..") ? to : "/"}`);
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    signIn.mutate();
  };
  return (
    <main className={styles.place}>
      <form className={styles.form} onSubmit={submit}>
        <h1>Sign in</h1>
        {!window.isSecureContext && (
          <Warn>
            This page came over plain HTTP, where a browser keeps no session. Open it over HTTPS, or as localhost on the machine itself.
          </Warn>
        )}
        {failure !== undefined && <Warn>{failure}</Warn>}
        {typeof elsewhere === "string" && (
          <>
            <a className={`${buttons.button} ${buttons.primary}`} href={`${elsewhere}?to=${encodeURIComponent(to ?? "/")}`}>
              Sign in with single sign-on
            </a>
            <p className={styles.or}>or with a password of this service</p>
          </>
        )}
        {to !== undefined && failure === undefined && !signIn.isError && <p className={styles.hint}>Sign in to go on where you were.</p>}
        <TextField
          label="E-mail"
          type="email"
          autoComplete="username"
          required
          autoFocus
          value={email}
          onChange={(event) => setEmail(event.target.value)}
        />
        <TextField
          label="Password"
          type="password"
          autoComplete="current-password"
          required
          value={password}
          onChange={(event) => setPassword(event.target.value)}
        />
        {signIn.isError && <ErrorNotice error={signIn.error} />}
        <Button type="submit" look="primary" isBusy={signIn.isPending}>
          Sign in
        </Button>
      </form>
    </main>
  );
}

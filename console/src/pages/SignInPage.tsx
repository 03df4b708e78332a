// The sign-in: afterwards one is where one wanted to go.
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useRouter, useSearch } from "@tanstack/react-router";
import { useState, type FormEvent } from "react";

import { beginSession } from "../api/generated";
import { answer } from "../api/problem";
import { Button } from "../parts/Button";
import { TextField } from "../parts/Field";
import { ErrorNotice, Warn } from "../parts/Notice";
import styles from "./sign-in.module.css";

/** Where the console lies; the addresses of its pages begin behind it. */
const BASE = "/console";

export function SignInPage() {
  const { to } = useSearch({ from: "/sign-in" });
  const [email, setEmail] = useState("");
  const [password, setPassword] = useState("");
  const router = useRouter();
  const queries = useQueryClient();
  const signIn = useMutation({
    mutationFn: () => answer(beginSession({ body: { email, password } })),
    onSuccess: async () => {
      queries.clear();
      // Only a path of the console itself is followed.
      router.history.push(`${BASE}${to?.startsWith("/") ? to : "/"}`);
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
        {to !== undefined && !signIn.isError && <p className={styles.hint}>Sign in to go on where you were.</p>}
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

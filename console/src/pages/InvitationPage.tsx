// Somebody who was invited chooses a password.
import { useMutation } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useState, type FormEvent } from "react";

import { acceptInvitation } from "../api/generated";
import { answer, ApiProblem } from "../api/problem";
import { Button } from "../parts/Button";
import { TextField } from "../parts/Field";
import { ErrorNotice, Good, Warn } from "../parts/Notice";
import styles from "./sign-in.module.css";

export function InvitationPage() {
  // The token stands behind the #, which a browser sends to no server. It leaves the address at once.
  const [token] = useState(() => window.location.hash.slice(1));
  const [password, setPassword] = useState("");
  const accept = useMutation({
    mutationFn: () => answer(acceptInvitation({ body: { token, password } })),
    onSuccess: () => window.history.replaceState(window.history.state, "", window.location.pathname),
  });
  const fault = accept.error instanceof ApiProblem ? accept.error.of("password") : undefined;
  const submit = (event: FormEvent) => {
    event.preventDefault();
    accept.mutate();
  };
  if (accept.isSuccess) {
    return (
      <main className={styles.place}>
        <div className={styles.form}>
          <h1>Welcome</h1>
          <div role="status">
            <Good>Your password is set.</Good>
          </div>
          <Link to="/sign-in">Sign in with it</Link>
        </div>
      </main>
    );
  }
  return (
    <main className={styles.place}>
      <form className={styles.form} onSubmit={submit} noValidate>
        <h1>Choose a password</h1>
        {token === "" && <Warn>This address lacks its end. Open the whole link of your invitation.</Warn>}
        <TextField
          label="Password"
          type="password"
          autoComplete="new-password"
          autoFocus
          hint="At least 8 characters."
          fault={fault}
          value={password}
          onChange={(event) => setPassword(event.target.value)}
        />
        {accept.isError && fault === undefined && <ErrorNotice error={accept.error} />}
        <Button type="submit" look="primary" isBusy={accept.isPending} disabled={token === ""}>
          Set password
        </Button>
      </form>
    </main>
  );
}

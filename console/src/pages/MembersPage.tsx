// The members of a space and their roles, for admins.
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState, type FormEvent } from "react";

import { removeMember, setMember, type Member, type Role } from "../api/generated";
import { answer } from "../api/problem";
import { membersQuery } from "../api/queries";
import { Button } from "../parts/Button";
import { Confirm } from "../parts/Confirm";
import { Select, TextField } from "../parts/Field";
import { ErrorNotice, Loading } from "../parts/Notice";
import { useSpace } from "./Layout";
import styles from "./page.module.css";

const ROLES: readonly (readonly [Role, string])[] = [
  ["viewer", "Viewer: reads"],
  ["editor", "Editor: edits connectors and sends"],
  ["admin", "Admin: manages members too"],
];

export function MembersPage() {
  const { slug, isAdmin } = useSpace();
  const members = useQuery(membersQuery(slug));
  return (
    <div className={styles.page}>
      <h1>Members</h1>
      {members.isError && <ErrorNotice error={members.error} retry={() => void members.refetch()} />}
      {members.isPending && <Loading />}
      <ul className={styles.rows}>
        {members.data?.items.map((member) => (
          <Row key={member.user.id} slug={slug} member={member} isAdmin={isAdmin} />
        ))}
      </ul>
      {isAdmin && <Add slug={slug} />}
    </div>
  );
}

function useMembers(slug: string) {
  const queries = useQueryClient();
  const again = () => queries.invalidateQueries({ queryKey: ["members", slug] });
  const set = useMutation({
    mutationFn: ({ email, role }: { email: string; role: Role }) =>
      answer(setMember({ path: { slug, email }, body: { role } })),
    onSettled: again,
  });
  const remove = useMutation({
    mutationFn: (email: string) => answer(removeMember({ path: { slug, email } })),
    onSettled: again,
  });
  return { set, remove };
}

function Row({ slug, member, isAdmin }: { slug: string; member: Member; isAdmin: boolean }) {
  const { email, full_name } = member.user;
  const { set, remove } = useMembers(slug);
  const [isAsking, setAsking] = useState(false);
  return (
    <li className={styles.row}>
      <div className={styles.line}>
        <div className={styles.grow}>
          <div className={styles.name}>{full_name}</div>
          <div className={`${styles.subtle} ${styles.small} ${styles.break}`}>{email}</div>
        </div>
        {isAdmin ? (
          <>
            <Select label={`Role of ${full_name}`} value={member.role} options={ROLES} onChange={(role) => set.mutate({ email, role })} />
            <Button look="quiet" onClick={() => setAsking(true)}>
              Remove
            </Button>
          </>
        ) : (
          member.role
        )}
      </div>
      {[set, remove].map(({ error }, at) => error && <ErrorNotice key={at} error={error} />)}
      <Confirm
        title={`Remove ${full_name}?`}
        action="Remove member"
        isOpen={isAsking}
        onClose={() => setAsking(false)}
        onConfirm={() => remove.mutate(email)}
      >
        {email} may no longer enter this space.
      </Confirm>
    </li>
  );
}

function Add({ slug }: { slug: string }) {
  const [email, setEmail] = useState("");
  const [role, setRole] = useState<Role>("viewer");
  const { set } = useMembers(slug);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    set.mutate({ email, role }, { onSuccess: () => setEmail("") });
  };
  return (
    <form className={styles.panel} onSubmit={submit}>
      <h2>Add a member</h2>
      <div className={styles.filters}>
        <TextField label="E-mail" type="email" required value={email} onChange={(event) => setEmail(event.target.value)} />
        <Select label="Role" value={role} options={ROLES} onChange={setRole} />
        <Button type="submit" look="primary" isBusy={set.isPending}>
          Add
        </Button>
      </div>
      {set.isError && <ErrorNotice error={set.error} />}
    </form>
  );
}

// The members of a space and their roles, for admins.
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState, type FormEvent } from "react";

import { removeMember, setMember, type Member, type Role } from "../api/generated";
import { answer } from "../api/problem";
import { membersQuery, meQuery } from "../api/queries";
import { Button } from "../parts/Button";
import { Confirm, Named } from "../parts/Confirm";
import { Copied } from "../parts/Copied";
import { Select, TextField } from "../parts/Field";
import { focusContent } from "../parts/focus";
import { ErrorNotice, Good, Loading, Warn } from "../parts/Notice";
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
      {!isAdmin && <Warn>You may look at this page. Changing members needs the role admin in this space.</Warn>}
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
  // A user who changes their own role may do less on this page from then on.
  const again = () =>
    Promise.all([queries.invalidateQueries({ queryKey: ["members", slug] }), queries.invalidateQueries({ queryKey: meQuery.queryKey })]);
  const set = useMutation({
    mutationFn: ({ email, role }: { email: string; role: Role }) =>
      answer(setMember({ path: { slug, email }, body: { role } })),
    onSettled: again,
  });
  const remove = useMutation({
    mutationFn: (email: string) => answer(removeMember({ path: { slug, email } })),
    onSuccess: focusContent,
    onSettled: again,
  });
  return { set, remove };
}

const roleWord = new Map(ROLES);

function Row({ slug, member, isAdmin }: { slug: string; member: Member; isAdmin: boolean }) {
  const { email, full_name } = member.user;
  const { set, remove } = useMembers(slug);
  const isSelf = useQuery(meQuery).data?.user.email === email;
  const [chosen, setChosen] = useState<Role>();
  const [asked, setAsked] = useState<"role" | "remove">();
  const role = chosen ?? member.role;
  const save = () => set.mutate({ email, role }, { onSuccess: () => setChosen(undefined) });
  return (
    <li className={styles.row}>
      <div className={styles.line}>
        <div className={styles.grow}>
          <div className={styles.name}>{full_name}</div>
          <div className={`${styles.subtle} ${styles.small} ${styles.break}`}>{email}</div>
        </div>
        {isAdmin ? (
          <>
            <Select label={`Role of ${full_name}`} value={role} options={ROLES} onChange={setChosen} />
            {role !== member.role && (
              <Button look="primary" isBusy={set.isPending} onClick={() => (isSelf && member.role === "admin" ? setAsked("role") : save())}>
                Save role
              </Button>
            )}
            <Button look="quiet" onClick={() => setAsked("remove")}>
              Remove
            </Button>
          </>
        ) : (
          roleWord.get(member.role)
        )}
      </div>
      {set.isSuccess && role === member.role && <Good>Saved. It holds from the next request on.</Good>}
      {[set, remove].map(({ error }, at) => error && <ErrorNotice key={at} error={error} />)}
      <Confirm
        title="Give up your own role of admin?"
        action="Give it up"
        isOpen={asked === "role"}
        onClose={() => setAsked(undefined)}
        onConfirm={save}
      >
        You will no longer manage the members of this space. Only another admin can give the role back.
      </Confirm>
      <Confirm
        title={isSelf ? "Leave this space?" : <Named before="Remove" name={full_name} />}
        action={isSelf ? "Leave space" : "Remove member"}
        isOpen={asked === "remove"}
        onClose={() => setAsked(undefined)}
        onConfirm={() => remove.mutate(email)}
      >
        {isSelf ? "You may no longer enter this space. Only another admin can add you again." : `${email} may no longer enter this space.`}
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
      {set.data?.invitation && <Shown email={set.data.user.email} token={set.data.invitation.token} />}
      {set.isError && <ErrorNotice error={set.error} />}
    </form>
  );
}

/** The link by which someone who was no user yet sets a password. */
function Shown({ email, token }: { email: string; token: string }) {
  return (
    <div className={styles.form} role="status">
      <p>
        {email} was no user yet. Send them this link, with which they choose a password. It is shown only now, and good once within seven days.
      </p>
      <Copied text={`${window.location.origin}/console/invitation#${token}`} what="link" />
    </div>
  );
}

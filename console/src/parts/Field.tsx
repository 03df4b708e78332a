// A field of a form with its label, its hint and the server's fault of it.
import { useId, type InputHTMLAttributes, type ReactNode, type TextareaHTMLAttributes } from "react";

import styles from "./field.module.css";

type Around = { label: string; hint?: ReactNode; fault?: string | undefined };

export function TextField({ label, hint, fault, ...rest }: Around & InputHTMLAttributes<HTMLInputElement>) {
  const { id, described, notes } = useNotes(hint, fault);
  return (
    <div className={styles.field}>
      <label htmlFor={id}>{label}</label>
      <input id={id} className={styles.input} aria-invalid={fault !== undefined} aria-describedby={described} {...rest} />
      {notes}
    </div>
  );
}

export function TextArea({ label, hint, fault, ...rest }: Around & TextareaHTMLAttributes<HTMLTextAreaElement>) {
  const { id, described, notes } = useNotes(hint, fault);
  return (
    <div className={styles.field}>
      <label htmlFor={id}>{label}</label>
      <textarea id={id} className={styles.input} aria-invalid={fault !== undefined} aria-describedby={described} {...rest} />
      {notes}
    </div>
  );
}

export function Select<T extends string>({
  label,
  value,
  options,
  onChange,
  hint,
}: {
  label: string;
  value: T;
  options: readonly (readonly [T, string])[];
  onChange: (value: T) => void;
  hint?: ReactNode;
}) {
  const { id, described, notes } = useNotes(hint, undefined);
  return (
    <div className={styles.field}>
      <label htmlFor={id}>{label}</label>
      <select
        id={id}
        className={styles.input}
        value={value}
        aria-describedby={described}
        onChange={(event) => onChange(event.target.value as T)}
      >
        {options.map(([option, word]) => (
          <option key={option} value={option}>
            {word}
          </option>
        ))}
      </select>
      {notes}
    </div>
  );
}

export function Group({ legend, hint, children }: { legend: string; hint?: ReactNode; children: ReactNode }) {
  return (
    <fieldset className={styles.group}>
      <legend>{legend}</legend>
      {children}
      {hint && <p className={styles.hint}>{hint}</p>}
    </fieldset>
  );
}

/** One check for each option. `onChange` gets the chosen ones in the order of the options, or undefined when there are none. */
export function Checks<T extends string>({
  legend,
  hint,
  options,
  chosen,
  onChange,
}: {
  legend: string;
  hint?: ReactNode;
  options: readonly (readonly [T, string])[];
  chosen: T[] | undefined;
  onChange: (chosen: T[] | undefined) => void;
}) {
  const toggle = (option: T, on: boolean) => {
    const now = options.map(([one]) => one).filter((one) => (one === option ? on : chosen?.includes(one)));
    onChange(now.length > 0 ? now : undefined);
  };
  return (
    <Group legend={legend} hint={hint}>
      {options.map(([option, word]) => (
        <Check key={option} label={word} checked={chosen?.includes(option) ?? false} onChange={(on) => toggle(option, on)} />
      ))}
    </Group>
  );
}

export function Check({ label, checked, onChange }: { label: string; checked: boolean; onChange: (checked: boolean) => void }) {
  return (
    <label className={styles.check}>
      <input type="checkbox" checked={checked} onChange={(event) => onChange(event.target.checked)} />
      {label}
    </label>
  );
}

function useNotes(hint: ReactNode, fault: string | undefined) {
  const id = useId();
  const [hintId, faultId] = [`${id}-hint`, `${id}-fault`];
  const described = [hint && hintId, fault && faultId].filter(Boolean).join(" ") || undefined;
  const notes = (
    <>
      {fault && (
        <p className={styles.fault} id={faultId} role="alert">
          {fault}
        </p>
      )}
      {hint && (
        <p className={styles.hint} id={hintId}>
          {hint}
        </p>
      )}
    </>
  );
  return { id, described, notes };
}

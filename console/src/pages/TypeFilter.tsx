// The choice of alert types: all of them, or some that are named.
import { useId, type KeyboardEvent } from "react";

import { Button } from "../parts/Button";
import { Check, Group } from "../parts/Field";
import field from "../parts/field.module.css";
import styles from "./page.module.css";

type Props = {
  known: string[];
  types: string[] | null;
  /** What is typed and not added yet. The form counts it as if it were. */
  typed: string;
  onType: (typed: string) => void;
  fault: string | undefined;
  onChange: (types: string[] | null) => void;
};

/** The types with one more, which is being typed. */
export function withTyped(types: string[] | null, typed: string): string[] | null {
  const name = typed.trim();
  return types === null || name === "" ? types : [...types.filter((one) => one !== name), name];
}

export function TypeFilter({ known, types, typed, onType, fault, onChange }: Props) {
  const id = useId();
  const add = () => {
    onChange(withTyped(types, typed));
    onType("");
  };
  const onKey = (event: KeyboardEvent) => {
    if (event.key === "Enter") {
      event.preventDefault();
      add();
    }
  };
  return (
    <Group legend="Alert types">
      <Check label="All types" checked={types === null} onChange={(all) => onChange(all ? null : [])} />
      {types !== null && (
        <div className={`${styles.form} ${styles.grow}`}>
          <div className={field.field}>
            <label htmlFor={id}>Add a type</label>
            <div className={styles.line}>
              <input
                id={id}
                className={`${field.input} ${styles.grow}`}
                placeholder="dbt_test_failed"
                list={`${id}-known`}
                value={typed}
                onKeyDown={onKey}
                onChange={(event) => onType(event.target.value)}
              />
              <Button onClick={add}>Add</Button>
            </div>
            <datalist id={`${id}-known`}>
              {known.map((name) => (
                <option key={name} value={name} />
              ))}
            </datalist>
          </div>
          <ul className={styles.chips}>
            {types.map((name) => (
              <li key={name} className={styles.chip}>
                {name}
                <button type="button" aria-label={`Remove ${name}`} onClick={() => onChange(types.filter((one) => one !== name))}>
                  ×
                </button>
              </li>
            ))}
          </ul>
        </div>
      )}
      {fault && (
        <p className={field.fault} role="alert">
          {fault}
        </p>
      )}
    </Group>
  );
}

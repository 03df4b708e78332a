// A switch with a name.
import { Switch as Base } from "@base-ui/react/switch";

import styles from "./switch.module.css";

export function Switch({
  name,
  checked,
  disabled,
  onChange,
}: {
  name: string;
  checked: boolean;
  disabled?: boolean;
  onChange: (checked: boolean) => void;
}) {
  return (
    <Base.Root className={styles.root} aria-label={name} checked={checked} disabled={disabled ?? false} onCheckedChange={onChange}>
      <Base.Thumb className={styles.thumb} />
    </Base.Root>
  );
}

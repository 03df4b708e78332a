// Asks before something that can't be taken back, and names the thing. What only adds something is no danger.
import { AlertDialog } from "@base-ui/react/alert-dialog";
import type { ReactNode } from "react";

import { Button } from "./Button";
import styles from "./confirm.module.css";

/** A question about a thing by its name. What a name says of the direction of text ends with the name. */
export function Named({ before, name }: { before: string; name: string }) {
  return (
    <>
      {before} “<bdi>{name}</bdi>”?
    </>
  );
}

export function Confirm({
  title,
  children,
  action,
  look = "danger",
  isOpen,
  onClose,
  onConfirm,
}: {
  title: ReactNode;
  children: ReactNode;
  action: string;
  look?: "danger" | "primary";
  isOpen: boolean;
  onClose: () => void;
  onConfirm: () => void;
}) {
  return (
    <AlertDialog.Root open={isOpen} onOpenChange={(open) => !open && onClose()}>
      <AlertDialog.Portal>
        <AlertDialog.Backdrop className={styles.backdrop} />
        <AlertDialog.Popup className={styles.popup}>
          <AlertDialog.Title className={styles.title}>{title}</AlertDialog.Title>
          <AlertDialog.Description className={styles.text}>{children}</AlertDialog.Description>
          <div className={styles.actions}>
            <Button onClick={onClose}>Cancel</Button>
            <Button
              look={look}
              onClick={() => {
                onConfirm();
                onClose();
              }}
            >
              {action}
            </Button>
          </div>
        </AlertDialog.Popup>
      </AlertDialog.Portal>
    </AlertDialog.Root>
  );
}

// What came of a test message, until it is dismissed.
import type { TestResult } from "../api/generated";
import { Button } from "./Button";
import { focusBefore } from "./focus";
import { ErrorLine, Good } from "./Notice";

export function TestOutcome({ result, onDismiss }: { result: TestResult; onDismiss: () => void }) {
  const Line = result.success ? Good : ErrorLine;
  return (
    <Line>
      <p>
        {result.success
          ? "The test message was accepted. Look for it in the channel."
          : `The test failed (${result.status_code}): ${result.error}`}
      </p>
      <Button
        look="quiet"
        onClick={(event) => {
          focusBefore(event.currentTarget);
          onDismiss();
        }}
      >
        Dismiss
      </Button>
    </Line>
  );
}

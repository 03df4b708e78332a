// What came of a test message.
import type { TestResult } from "../api/generated";
import { ErrorLine, Good } from "./Notice";

export function TestOutcome({ result }: { result: TestResult }) {
  return result.success ? (
    <Good>The test message was accepted. Look for it in the channel.</Good>
  ) : (
    <ErrorLine>
      The test failed ({result.status_code}): {result.error}
    </ErrorLine>
  );
}

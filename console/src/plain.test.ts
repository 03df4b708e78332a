// Sentences of the API in the console's words.
import { expect, test } from "vitest";

import { faultWords, trimWords, warningWords } from "./plain";

test("a fault names fields as the form does", () => {
  expect(faultWords("webhook_url must begin with https://, in lower case.")).toBe("Webhook URL must begin with https://, in lower case.");
  expect(faultWords("fields.8.value has too many digits.")).toBe("The value of field 9 has too many digits.");
  expect(faultWords("alert_type must be one of my_own_word.")).toBe("Alert type must be one of my_own_word.");
});

test("a warning says which field it is about", () => {
  expect(warningWords({ loc: ["body", "title"], msg: "It has 1200 characters and was cut to 1000." })).toBe(
    "Title: It has 1200 characters and was cut to 1000.",
  );
  expect(warningWords({ loc: ["body"], msg: "more." })).toBe("More.");
});

test("a trim says how much of what is shown", () => {
  expect(trimWords({ field: "description", from: 16_000, to: 2_900 })).toBe("shows 2,900 of 16,000 characters of the description");
  expect(trimWords({ field: "fields.3.value", from: 900, to: 300 })).toBe("shows 300 of 900 characters of the value of field 4");
  expect(trimWords({ field: "fields", from: 50, to: 20 })).toBe("shows 20 of 50 fields");
  expect(trimWords({ field: "url", from: 3_000, to: 0 })).toBe("leaves out the link, which has 3,000 characters");
});

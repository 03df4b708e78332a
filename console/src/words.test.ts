// Sentences about filters and times.
import { expect, test } from "vitest";

import type { AlertSummary, Severity } from "./api/generated";
import { ago } from "./parts/ago";
import { filterSentence, filterWords, matchedSentence } from "./words";

const rows: [Severity[], string[] | null, string, string][] = [
  [["high", "critical"], null, "critical and high · all types", "This connector receives every critical or high alert."],
  [[], null, "all severities · all types", "This connector receives every alert."],
  [
    ["low"],
    ["dbt_test_failed", "freshness"],
    "low · dbt_test_failed and freshness",
    "This connector receives every low alert of type dbt_test_failed or freshness.",
  ],
  [
    ["critical", "high", "medium"],
    ["a", "b", "c", "d", "e", "f"],
    "critical, high and medium · a, b, c, d and 2 more",
    "This connector receives every critical, high or medium alert of type a, b, c, d or 2 more.",
  ],
  [["low"], [], "low · no type", "This connector receives nothing: no alert type is chosen."],
];

test.each(rows)("%j %j", (severity_filter, alert_type_filter, words, sentence) => {
  expect(filterWords({ severity_filter, alert_type_filter })).toBe(words);
  expect(filterSentence({ severity_filter, alert_type_filter })).toBe(sentence);
});

const summary = (other: number): AlertSummary => ({
  since: "2026-11-20T00:00:00Z",
  items: [
    { alert_type: "dbt_test_failed", severity: "critical", count: 12 },
    { alert_type: "freshness", severity: "low", count: 28 },
  ],
  other,
});

test.each<[Severity[], string[] | null, number, string]>([
  [["critical", "high"], null, 0, "12 of 40 alerts of the last seven days would have matched."],
  [[], null, 0, "40 of 40 alerts of the last seven days would have matched."],
  [[], ["freshness"], 0, "28 of 40 alerts of the last seven days would have matched."],
  [["low"], [], 0, "0 of 40 alerts of the last seven days would have matched."],
  [["low"], null, 1_000, "At least 28 of 1,040 alerts of the last seven days would have matched."],
])("%j %j %d", (severity_filter, alert_type_filter, other, expected) => {
  expect(matchedSentence({ severity_filter, alert_type_filter }, summary(other))).toBe(expected);
});

test("nothing came", () => {
  const empty = { since: "2026-11-20T00:00:00Z", items: [], other: 0 };
  expect(matchedSentence({ severity_filter: [], alert_type_filter: null }, empty)).toBe("No alert came in the last seven days.");
});

test.each([
  [0, "just now"],
  [-3_000, "3 seconds ago"],
  [-90_000, "1 minute ago"],
  [-7_200_000, "2 hours ago"],
  [45_000, "in 45 seconds"],
  [-172_800_000, "2 days ago"],
])("%d ms", (difference, expected) => {
  expect(ago(1_000_000_000 + difference, 1_000_000_000)).toBe(expected);
});

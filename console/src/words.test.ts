// Sentences about filters and times.
import { expect, test } from "vitest";

import type { Severity } from "./api/generated";
import { ago } from "./parts/ago";
import { filterSentence, filterWords } from "./words";

const rows: [Severity[], string[] | null, string, string][] = [
  [["high", "critical"], null, "critical and high · all types", "This connector receives every critical or high alert."],
  [[], null, "all severities · all types", "This connector receives every alert."],
  [
    ["low"],
    ["dbt_test_failed", "freshness"],
    "low · dbt_test_failed and freshness",
    "This connector receives every low alert of type dbt_test_failed or freshness.",
  ],
  [["low"], [], "low · no type", "This connector receives nothing: no alert type is chosen."],
];

test.each(rows)("%j %j", (severity_filter, alert_type_filter, words, sentence) => {
  expect(filterWords({ severity_filter, alert_type_filter })).toBe(words);
  expect(filterSentence({ severity_filter, alert_type_filter })).toBe(sentence);
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

// Which queries an event concerns, and how often they are read again.
import { expect, test, vi } from "vitest";

import { concerned, Refresher } from "./events";

test("an event concerns what shows it, and a resync everything", () => {
  const space = { slug: "data" };
  expect(concerned(space, { name: "health" })).toEqual([["health", "data"]]);
  expect(concerned(space, { name: "alert", id: "a" })).toContainEqual(["alert", "data", "a"]);
  const all = concerned(space, { name: "resync" }).map(([key]) => key);
  for (const name of ["alert", "delivery", "connector", "health"]) {
    for (const [key] of concerned(space, { name, id: "x" })) {
      expect(all).toContain(key);
    }
  }
});

test("the first change is read at once, and those of a storm together", () => {
  vi.useFakeTimers();
  const read = vi.fn();
  const refresher = new Refresher(read);
  refresher.add([["health", "data"]]);
  expect(read).toHaveBeenCalledTimes(1);
  for (let event = 0; event < 100; event += 1) {
    refresher.add([["alerts", "data"], ["health", "data"]]);
  }
  expect(read).toHaveBeenCalledTimes(1);
  vi.advanceTimersByTime(2_000);
  expect(read).toHaveBeenCalledTimes(2);
  expect(read.mock.lastCall?.[0]).toEqual([["alerts", "data"], ["health", "data"]]);
  vi.advanceTimersByTime(10_000);
  expect(read).toHaveBeenCalledTimes(2);
  refresher.add([["health", "data"]]);
  expect(read).toHaveBeenCalledTimes(3);
  refresher.add([["health", "data"]]);
  refresher.stop();
  vi.advanceTimersByTime(10_000);
  expect(read).toHaveBeenCalledTimes(3);
  vi.useRealTimers();
});

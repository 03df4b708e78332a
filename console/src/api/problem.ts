// What goes wrong with a call, as an error that pages can show.
import { faultWords } from "../plain";
import type { Fault, Problem } from "./generated";

/** A notice lists no more faults than this. */
const LISTED_MAX = 5;

/** An answer of the API that is a problem, or no answer at all (status 0). */
export class ApiProblem extends Error {
  constructor(
    readonly status: number,
    readonly detail: string,
    readonly faults: Fault[] = [],
  ) {
    super(detail);
  }

  /** The faults of one field of the request's body, as one text. */
  of(field: string): string | undefined {
    const here = this.faults.filter((fault) => fault.loc[0] === "body" && fault.loc[1] === field);
    return here.length > 0 ? here.map((fault) => faultWords(fault.msg)).join(" ") : undefined;
  }

  /** What is wrong, a sentence each; where there are many, the first of them and how many more. */
  get sentences(): string[] {
    if (this.faults.length === 0) {
      return [this.detail];
    }
    const more = this.faults.length - LISTED_MAX;
    const first = this.faults.slice(0, LISTED_MAX).map((fault) => faultWords(fault.msg));
    return more > 0 ? [...first, `And ${more} more.`] : first;
  }

  /** Whether every fault belongs to one of these fields, so that none is left to show apart. */
  isAllOf(fields: readonly string[]): boolean {
    return this.faults.length > 0 && this.faults.every((fault) => fields.includes(String(fault.loc[1])));
  }
}

/** Whether a call was refused for what it asked, such as filters that the address got wrong. */
export const isRefused = (error: unknown): boolean => error instanceof ApiProblem && error.faults.length > 0;

/** The data of a call, or its problem as an error. */
export async function answer<T>(
  call: Promise<{ data?: T; error?: unknown; response?: Response }>,
): Promise<T> {
  const { data, error, response } = await call.catch((cause: unknown) => ({
    data: undefined,
    error: cause,
    response: undefined,
  }));
  if (response?.ok) {
    return data as T;
  }
  if (!response) {
    throw new ApiProblem(0, "The server does not answer. Check your connection and try again.");
  }
  const problem = error as Partial<Problem> | undefined;
  const detail = problem?.detail ?? `The server answered ${response.status}.`;
  throw new ApiProblem(response.status, detail, problem?.errors ?? []);
}

/** Whether the same call may work a moment later. */
export function isWorthRepeating(error: unknown): boolean {
  return error instanceof ApiProblem && (error.status === 0 || error.status === 503);
}

export const isSignedOut = (error: unknown): boolean =>
  error instanceof ApiProblem && error.status === 401;

// How many fields of an alert are shown before somebody asks for all: more would push the deliveries out of sight.

const FIELDS_MAX = 12;
const CHARACTERS_MAX = 2_000;

/** How many of fields with values of these lengths. Few long ones take as much room as many short ones. */
export function shownAtFirst(lengths: number[]): number {
  let characters = 0;
  const fits = (length: number, at: number) => {
    characters += length;
    return at === 0 || (at < FIELDS_MAX && characters <= CHARACTERS_MAX);
  };
  const beyond = lengths.findIndex((length, at) => !fits(length, at));
  return beyond === -1 ? lengths.length : beyond;
}

// Reads cards from standard input, one a line, and fails if the Adaptive Cards library finds a fault in any of them as a
// card of its own version; with a file name, also if that JSON schema of version 1.4 does.
import { readFileSync } from "node:fs";
import AC from "adaptivecards/dist/adaptivecards.js";
import Ajv from "ajv";

const cards = readFileSync(0, "utf8").trim().split("\n").map((line) => JSON.parse(line));
const schemaFile = process.argv[2];
let faults = 0;
const fault = (card, what) => {
  faults += 1;
  console.error(`${what}\n  ${JSON.stringify(card).slice(0, 200)}`);
};

let valid;
if (schemaFile) {
  const ajv = new Ajv({ schemaId: "auto", allErrors: true });
  const { $schema, ...schema } = JSON.parse(readFileSync(schemaFile, "utf8"));
  valid = ajv.compile(schema);
}

for (const card of cards) {
  const version = AC.Version.parse(card.version, undefined);
  const context = new AC.SerializationContext(version);
  const parsed = new AC.AdaptiveCard();
  // Teams draws six buttons; the library alone five.
  parsed.hostConfig = new AC.HostConfig({ actions: { maxActions: 6 } });
  parsed.parse(card, context);
  for (let at = 0; at < context.eventCount; at += 1) {
    fault(card, context.getEventAt(at).message);
  }
  const results = parsed.validateProperties();
  for (const event of results.validationEvents) {
    fault(card, event.message);
  }
  if (valid) {
    // Teams' own extension, which the schema does not know.
    const { msteams, ...plain } = card;
    if (!valid(plain)) {
      fault(card, JSON.stringify(valid.errors.slice(0, 3)));
    }
  }
}

console.log(`${cards.length} cards checked${schemaFile ? ", by the schema as well" : ""}, ${faults} faults`);
process.exit(faults === 0 && cards.length > 0 ? 0 : 1);

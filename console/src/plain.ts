// The API's words for fields, faults and what it shortened, as people say them.

const FIELDS: Record<string, string> = {
  webhook_url: "webhook URL",
  connector_type: "platform",
  severity_filter: "severity filter",
  alert_type_filter: "type filter",
  alert_type: "alert type",
  description_format: "description’s format",
  dedup_key: "dedup key",
  occurred_at: "time of the event",
  connector_id: "connector",
  expires_at: "end",
  full_name: "name",
};

/** The parts of lists are counted from 0 in the API, and from 1 by people. */
const PART = /\b(fields|actions)\.(\d+)(?:\.(name|value|label|url))?/g;
const ONE: Record<string, string> = { fields: "field", actions: "link" };

const NAME = /\b[a-z]+(?:_[a-z]+)+\b/g;

const capitalised = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

/** A place in an alert or a connector, such as "the value of field 9". */
export function placeWords(place: string): string {
  return place
    .replace(PART, (_all, list: string, at: string, part?: string) => {
      const one = `${ONE[list]} ${Number(at) + 1}`;
      return part === undefined ? one : `the ${part === "url" ? "address" : part} of ${one}`;
    })
    .replace(NAME, (name) => FIELDS[name] ?? name);
}

/** A sentence of the API about a field. Names of fields become words wherever they stand in it. */
export const faultWords = (sentence: string): string => capitalised(placeWords(sentence));

/** What the API corrected in an alert that was posted, with the field that it says. */
export function warningWords({ loc, msg }: { loc: unknown[]; msg: string }): string {
  const place = placeWords(loc.slice(1).join("."));
  return place === "" ? faultWords(msg) : `${capitalised(place)}: ${placeWords(msg)}`;
}

/** What a platform leaves out of a text or a list. */
export function trimWords({ field, from, to }: { field: string; from: number; to: number }): string {
  const [was, is] = [from.toLocaleString("en"), to.toLocaleString("en")];
  if (field === "fields") {
    return `shows ${is} of ${was} fields`;
  }
  const place = placeWords(field);
  const words = place.startsWith("the ") ? place : `the ${place === "url" ? "link" : place}`;
  return to === 0 ? `leaves out ${words}, which has ${was} characters` : `shows ${is} of ${was} characters of ${words}`;
}

// Reads Cache-Status (RFC 9211): a list with one member for each cache, the nearest to us last.

const QUOTED_OR_COMMA = /"(?:[^"\\]|\\.)*"|,/g;

function lastMember(value) {
  let start = 0;
  for (const found of value.matchAll(QUOTED_OR_COMMA)) {
    if (found[0] === ",") start = found.index + 1;
  }
  return value.slice(start);
}

/** The verdict ("hit", "miss" or "") and why, of the cache that answered us. */
export function verdictOf(value) {
  if (!value) return { verdict: "", why: "no cache said anything" };
  const parameters = lastMember(value).split(";").slice(1).map((part) => part.trim());
  if (parameters.includes("hit")) return { verdict: "hit", why: value };
  const forwarded = parameters.find((part) => part.startsWith("fwd="));
  return forwarded ? { verdict: "miss", why: value } : { verdict: "", why: value };
}

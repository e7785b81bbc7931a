// Reads Cache-Status (RFC 9211): a list with one member for each cache, the nearest to us last.

const QUOTED_OR_COMMA = /"(?:[^"\\]|\\.)*"|,/g;

function members(value) {
  const found = [];
  let start = 0;
  for (const match of value.matchAll(QUOTED_OR_COMMA)) {
    if (match[0] !== ",") continue;
    found.push(value.slice(start, match.index));
    start = match.index + 1;
  }
  found.push(value.slice(start));
  return found.map((member) => member.trim()).filter(Boolean);
}

/** The caches that a response came through, the nearest to us first: name, and whether it hit. */
export function cachesOf(value) {
  if (!value) return [];
  return members(value)
    .map((member) => {
      const [name, ...parameters] = member.split(";").map((part) => part.trim());
      return { name: name.replace(/^"|"$/g, ""), hit: parameters.includes("hit") };
    })
    .reverse();
}

/**
 * Where the bytes were: { server, from, at, through }. `from` is "own store", "sibling", "mid", "origin" or
 * ""; `at` the cache that had them, `through` all that they came through; `siteOf` says at which site a cache stands.
 */
export function sourceOf(value, siteOf) {
  const caches = cachesOf(value);
  if (!caches.length) return { server: "", from: "", at: "", through: [] };
  const server = caches[0].name;
  const index = caches.findIndex((cache) => cache.hit);
  const through = (index < 0 ? caches : caches.slice(0, index + 1)).map((cache) => cache.name);
  if (index === 0) return { server, from: "own store", at: server, through };
  if (index < 0) return { server, from: "origin", at: "", through };
  const at = caches[index].name;
  return { server, from: siteOf(at) === siteOf(server) ? "sibling" : "mid", at, through };
}

// Slack's mrkdwn -> DOM nodes. Read as Slack reads it: markup first, entities last, so that what was
// escaped (&lt;!channel&gt;) is text for ever. https://docs.slack.dev/messaging/formatting-message-text

import { el } from "./dom.js";
import { emoji, withEmoji } from "./emoji.js";
import { channelOf, groupOf, isMine, personOf, state } from "./state.js";

const ENTITIES = { "&amp;": "&", "&lt;": "<", "&gt;": ">" };
const decode = (text) => text.replace(/&(?:amp|lt|gt);/g, (entity) => ENTITIES[entity]);

/** The words of `text` as one plain line, for previews and screen readers. */
export function plain(text) {
  return mrkdwn(text).textContent.replace(/\s+/g, " ").trim();
}

/** Nodes for mrkdwn `text`; `verbatim` leaves bare addresses alone. */
export function mrkdwn(text, { verbatim = false } = {}) {
  const nodes = document.createDocumentFragment();
  text.split(/```\n?([\s\S]*?)\n?```\n?/).forEach((part, index) => {
    if (index % 2) nodes.append(el("pre", {}, decode(part)));
    else nodes.append(...lines(part, verbatim));
  });
  return nodes;
}

const QUOTE = /^(?:>|&gt;) ?/;
const BULLET = /^(?:[•◦▪-]|\d+[.)]) +/;

function lines(text, verbatim) {
  const nodes = [];
  const all = text.split("\n");
  for (let at = 0; at < all.length; at += 1) {
    const start = at;
    while (at < all.length && QUOTE.test(all[at])) at += 1;
    if (at > start) {
      const quoted = all
        .slice(start, at)
        .map((line) => line.replace(QUOTE, ""))
        .join("\n");
      nodes.push(el("blockquote", {}, ...inline(quoted, verbatim)));
      at -= 1;
    } else if (BULLET.test(all[at]))
      nodes.push(el("div", { class: "item" }, ...inline(all[at], verbatim)));
    else nodes.push(...inline(all[at], verbatim), at < all.length - 1 ? "\n" : "");
  }
  return nodes.filter(Boolean);
}

// Inside a mark there may be whole <...> and `...`, and anything but the mark itself; the three never
// overlap, so the expression cannot run away on hostile text.
const inside = (mark) => `(?!\\s)((?:<[^<>\\n]*>|\`[^\`\\n]*\`|[^${mark}<\`\\n])+?)(?<!\\s)`;
const marked = (mark) =>
  `(?<![\\p{L}\\p{N}${mark}])${mark}${inside(mark)}${mark}(?![\\p{L}\\p{N}${mark}])`;
const INLINE = new RegExp(
  [
    "<([^<>\\n]+)>",
    "`([^`\\n]+)`",
    marked("\\*"),
    marked("_"),
    marked("~"),
    ":([a-z0-9_+\\-]+):",
    "(https?://(?:(?!&[lg]t;)[^\\s<>|`])*[\\p{L}\\p{N}/=])",
  ].join("|"),
  "gu",
);

function inline(text, verbatim) {
  const nodes = [];
  let from = 0;
  for (const found of text.matchAll(INLINE)) {
    nodes.push(decode(text.slice(from, found.index)), piece(found, verbatim));
    from = found.index + found[0].length;
  }
  nodes.push(decode(text.slice(from)));
  return nodes.filter(Boolean);
}

function piece([whole, angle, code, bold, italic, strike, name, address], verbatim) {
  if (angle) return control(angle) ?? decode(whole);
  if (code) return el("code", {}, decode(code));
  if (bold) return el("strong", {}, ...inline(bold, verbatim));
  if (italic) return el("em", {}, ...inline(italic, verbatim));
  if (strike) return el("s", {}, ...inline(strike, verbatim));
  if (name) return emoji(name);
  return verbatim ? decode(address) : link(decode(address), decode(address));
}

/** Node for what stands between < and >, or null where it means nothing. */
function control(token) {
  const [head, ...rest] = token.split("|");
  const label = rest.length ? decode(rest.join("|")) : null;
  if (/^@[UW]/.test(head)) return userChip(head.slice(1), label);
  if (/^#C/.test(head)) return channelChip(head.slice(1), label);
  if (head.startsWith("!subteam^")) return groupChip(head.slice(9), label);
  if (head.startsWith("!date^")) return date(head.split("^"), label);
  if (/^!(here|channel|everyone)$/.test(head)) return broadcastChip(head.slice(1));
  if (/^(https?:\/\/|mailto:)/i.test(head)) return link(decode(head), label && withEmoji(label));
  return null;
}

const chip = (text, forMe) => el("span", { class: forMe ? "chip me" : "chip" }, text);
export const userChip = (id, label) =>
  chip(`@${personOf(id)?.name ?? label ?? id}`, id === state.user);
export const channelChip = (id, label) => chip(`#${channelOf(id)?.name ?? label ?? id}`, false);
export const groupChip = (id, label) =>
  chip(`@${groupOf(id)?.handle ?? label?.replace(/^@/, "") ?? id}`, isMine(groupOf(id)));
export const broadcastChip = (range) => chip(`@${range}`, true);

/** A link that opens elsewhere; an address of any other kind stays text. */
export function link(address, label) {
  if (!/^(https?:\/\/|mailto:)/i.test(address)) return label ?? address;
  const props = { href: address, target: "_blank", rel: "noopener noreferrer", title: address };
  return el("a", props, label ?? address.replace(/^mailto:/i, ""));
}

/** `["!date", unix seconds, format, optional link]` in the reader's own time zone. */
function date([, seconds, format, address], fallback) {
  const at = new Date(Number(seconds) * 1000);
  if (!format || Number.isNaN(at.getTime())) return fallback ?? "";
  const text = decode(format).replace(/\{(\w+)\}/g, (whole, name) => DATES[name]?.(at) ?? whole);
  const node = el("time", { datetime: at.toISOString(), title: at.toLocaleString() }, text);
  return address ? link(decode(address), text) : node;
}

const format = (options) => (at) => at.toLocaleString(undefined, options);
export const clock = format({ hour: "numeric", minute: "2-digit" });
const SHORT = format({ month: "short", day: "numeric", year: "numeric" });
const LONG = format({ weekday: "long", month: "long", day: "numeric", year: "numeric" });
const PLAIN = format({ month: "long", day: "numeric", year: "numeric" });

/** "Today", "Yesterday", "Tomorrow", or `otherwise`'s words for the day. */
export function day(at, otherwise = PLAIN) {
  const midnight = (when) => new Date(when.getFullYear(), when.getMonth(), when.getDate());
  const days = Math.round((midnight(at) - midnight(new Date())) / 86_400_000);
  return { "-1": "Yesterday", 0: "Today", 1: "Tomorrow" }[days] ?? otherwise(at);
}

const lowerFirst = (text) =>
  /^(Today|Yesterday|Tomorrow)$/.test(text) ? text.toLowerCase() : text;
const DATES = {
  date_num: (at) => at.toLocaleDateString("sv"),
  date: PLAIN,
  date_short: SHORT,
  date_long: LONG,
  date_pretty: (at) => lowerFirst(day(at)),
  date_short_pretty: (at) => lowerFirst(day(at, SHORT)),
  date_long_pretty: (at) => lowerFirst(day(at, LONG)),
  time: clock,
  time_secs: format({ hour: "numeric", minute: "2-digit", second: "2-digit" }),
  ago: (at) => ago(Math.round((at - Date.now()) / 1000)),
};

function ago(seconds) {
  const words = new Intl.RelativeTimeFormat(undefined, { numeric: "auto" });
  const unit = [
    ["day", 86_400],
    ["hour", 3600],
    ["minute", 60],
  ].find(([, size]) => Math.abs(seconds) >= size);
  return unit
    ? words.format(Math.round(seconds / unit[1]), unit[0])
    : words.format(seconds, "second");
}

// Text objects and rich text of Block Kit -> DOM nodes.

import { el } from "./dom.js";
import { emoji, withEmoji } from "./emoji.js";
import { broadcastChip, channelChip, groupChip, link, mrkdwn, userChip } from "./mrkdwn.js";

/** Node for a plain_text or mrkdwn object (or a bare string, which is plain). */
export function textNode(text) {
  if (text === null || text === undefined) return document.createTextNode("");
  if (text.type === "mrkdwn") return el("span", { class: "text" }, mrkdwn(text.text, text));
  const words = String(text.text ?? text);
  return el("span", { class: "text" }, text.emoji === false ? words : withEmoji(words));
}

/** Node for a rich_text block. */
export function richText(block) {
  return el("div", { class: "rich" }, ...(block.elements ?? []).map(richPart));
}

function richPart(part) {
  const pieces = (part.elements ?? []).map((piece) =>
    piece.elements ? richPart(piece) : richPiece(piece),
  );
  switch (part.type) {
    case "rich_text_list":
      return el(
        part.style === "ordered" ? "ol" : "ul",
        {},
        ...pieces.map((piece) => el("li", {}, piece)),
      );
    case "rich_text_quote":
      return el("blockquote", {}, ...pieces);
    case "rich_text_preformatted":
      return el("pre", {}, ...pieces);
    default:
      return el("div", { class: "text" }, ...pieces);
  }
}

const STYLES = { bold: "strong", italic: "em", strike: "s", code: "code" };

function richPiece(piece) {
  const styles = Object.keys(STYLES).filter((name) => piece.style?.[name]);
  return styles.reduce((node, name) => el(STYLES[name], {}, node), richLeaf(piece));
}

function richLeaf(piece) {
  switch (piece.type) {
    case "text":
      return document.createTextNode(piece.text);
    case "emoji":
      return document.createTextNode(emoji(piece.name));
    case "link":
      return link(piece.url, piece.text ?? piece.url);
    case "user":
      return userChip(piece.user_id, null);
    case "usergroup":
      return groupChip(piece.usergroup_id, null);
    case "channel":
      return channelChip(piece.channel_id, null);
    case "broadcast":
      return broadcastChip(piece.range);
    case "date":
      return mrkdwn(`<!date^${piece.timestamp}^${piece.format}|${piece.fallback ?? ""}>`);
    default:
      return document.createTextNode(`(${piece.type})`);
  }
}

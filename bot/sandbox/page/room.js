// What stands around the messages: heads, notes, the foot of a thread.

import { avatar, el, icon } from "./dom.js";
import { about } from "./sidebar.js";
import { personOf } from "./state.js";

/** What stands over the messages of `channel`, which `person` has open. */
export function roomHead(channel, person) {
  const isDirect = channel?.kind === "im";
  const members = (channel?.members ?? []).filter((id) => personOf(id)).length;
  return el(
    "header",
    { class: "room-head" },
    el(
      "h1",
      {},
      isDirect ? avatar(null, "small") : icon(channel?.kind === "private" ? "lock" : "hash"),
      channel?.name ?? "nowhere",
    ),
    isDirect && el("span", { class: "badge-app" }, "APP"),
    !isDirect &&
      el("span", { class: "room-members", title: "Members" }, icon("people"), String(members)),
    el(
      "span",
      { class: "offline-mark", role: "status" },
      "The demo does not answer. Trying again …",
    ),
    el(
      "span",
      { class: "room-you" },
      "You are ",
      el("b", {}, person.name),
      about(person) && `, ${about(person)}`,
    ),
  );
}

/** What an empty channel says. */
export function emptyWords(channel) {
  if (channel?.kind === "im")
    return "Here jit writes to you alone: outcomes of your requests, tokens, reminders.";
  return channel ? `Nothing in #${channel.name} yet.` : "This person sees no channel.";
}

/** A line over the composer about people whom a bot must not serve. */
export function banner(person) {
  const words = {
    deactivated: `${person.name}'s account is deactivated. In Slack one could not even sign in; here you may try what the bot says.`,
    guest: `${person.name} is a guest. Try to ask for access: the bot should refuse.`,
    external: `${person.name} belongs to another company (Slack Connect). Try to ask or to approve: the bot should refuse.`,
  }[person.kind];
  return words && el("p", { class: "banner" }, words);
}

/** The head of the thread of a message in `channel`. */
export function threadHead(channel, closeThread) {
  const closer = {
    type: "button",
    class: "plain",
    "aria-label": "Close thread",
    "data-testid": "thread-close",
  };
  return el(
    "header",
    { class: "room-head" },
    el("h2", {}, "Thread"),
    el("span", { class: "room-members" }, `#${channel?.name ?? ""}`),
    el("button", { ...closer, onclick: closeThread }, icon("close")),
  );
}

export const threadFoot = () =>
  el(
    "p",
    { class: "thread-foot" },
    "Apps' commands do not work in threads; type them in the channel.",
  );

// The left side: the workspace, who one is, where one can go.

import { avatar, el, icon } from "./dom.js";
import { state, world } from "./state.js";
import { unreadOf, unreadSum } from "./unread.js";

const KINDS = { guest: "guest", external: "external", deactivated: "deactivated" };

/** What a person is, in a few words. */
export function about(person) {
  const kind = KINDS[person.kind];
  const title = person.title ?? "";
  if (!kind || title.toLowerCase().includes(kind)) return title || kind || "";
  return title ? `${title} · ${kind}` : kind;
}

/** Draw the side; `choose` = {person(id), channel(id), help()}. */
export function drawSidebar(side, choose) {
  const focused = side.contains(document.activeElement)
    ? document.activeElement.dataset.testid
    : null;
  const { team, people, channels } = world();
  const rooms = channels.filter((channel) => channel.kind !== "im");
  const direct = channels.filter((channel) => channel.kind === "im");
  side.replaceChildren(
    el(
      "header",
      { class: "team" },
      el("span", { class: "team-mark", "aria-hidden": "true" }, icon("key")),
      el("span", {}, el("b", {}, team.name), el("small", {}, "a small Slack on your machine")),
    ),
    el(
      "div",
      { class: "side-scroll" },
      section(
        "You are",
        people.map((person) => personItem(person, choose)),
      ),
      section(
        "Channels",
        rooms.map((channel) => channelItem(channel, choose)),
      ),
      section(
        "Apps",
        direct.map((channel) => channelItem(channel, choose)),
      ),
    ),
    el(
      "button",
      { type: "button", class: "side-help", "data-testid": "help", onclick: choose.help },
      "How does this work?",
    ),
  );
  if (focused) side.querySelector(`[data-testid="${focused}"]`)?.focus();
}

const section = (title, items) =>
  el(
    "section",
    { "aria-label": title },
    el("h2", {}, title),
    el("ul", {}, ...items.map((item) => el("li", {}, item))),
  );

function badge({ count, loud }) {
  if (loud)
    return el(
      "span",
      { class: "badge", "data-badge": loud },
      el("span", { class: "unseen" }, "unread: "),
      String(loud),
    );
  return count
    ? el(
        "span",
        { class: "dot", "data-badge": count },
        el("span", { class: "unseen" }, "unread messages"),
      )
    : null;
}

function personItem(person, choose) {
  const here = person.id === state.user;
  return el(
    "button",
    {
      type: "button",
      class: `person ${here ? "here" : ""}`,
      "data-testid": `person-${person.id}`,
      "aria-current": here ? "true" : null,
      title: here ? `You are ${person.name}` : `Be ${person.name}`,
      onclick: () => choose.person(person.id),
    },
    avatar(person, "small"),
    el("span", { class: "person-text" }, el("b", {}, person.name), el("small", {}, about(person))),
    here ? el("span", { class: "you" }, icon("check")) : badge(unreadSum(person.id)),
  );
}

function channelItem(channel, choose) {
  const here = channel.id === state.channel;
  const unread = unreadOf(state.user, channel.id);
  const mark =
    channel.kind === "im"
      ? avatar(null, "tiny")
      : icon(channel.kind === "private" ? "lock" : "hash");
  return el(
    "button",
    {
      type: "button",
      class: ["channel", here && "here", unread.count && "unread"].filter(Boolean).join(" "),
      "data-testid": `channel-${channel.id}`,
      "aria-current": here ? "page" : null,
      onclick: () => choose.channel(channel.id),
    },
    mark,
    el("span", { class: "channel-name" }, channel.name),
    channel.kind === "im" && el("span", { class: "badge-app" }, "APP"),
    badge(unread),
  );
}

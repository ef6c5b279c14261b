// Messages of a channel and of a thread: drawn from state, redrawn one by one as they change.

import { clickMessage } from "./api.js";
import { avatar, el, icon } from "./dom.js";
import { renderBlocks } from "./blocks.js";
import { clock, day, mrkdwn, plain } from "./mrkdwn.js";
import { personOf, state } from "./state.js";

const TROUBLE = "We had some trouble connecting. Try again?";
const SLACKBOT = "USLACKBOT";
const timeOf = (ts) => new Date(Number(ts) * 1000);
const isReply = (message) => message.thread_ts && message.thread_ts !== message.ts;

/** Messages of the open channel itself. */
export const topLevel = () => state.messages.filter((message) => !isReply(message));

/** Messages of the thread under `ts`, its parent first. */
export const threadOf = (ts) =>
  state.messages.filter(
    (message) => message.ts === ts || (isReply(message) && message.thread_ts === ts),
  );

/** Draw `messages` into `list`, keeping the nodes of those that did not change. */
export function drawMessages(list, messages, { inThread, openThread, reload }) {
  const old = new Map([...list.children].map((node) => [node.dataset.line, node]));
  const focus = whereFocusIs(list);
  const nodes = [];
  let previousDay = null;
  for (const message of messages) {
    const today = day(timeOf(message.ts));
    if (!inThread && today !== previousDay) nodes.push(old.get(`day ${today}`) ?? dayLine(today));
    previousDay = today;
    const replies = inThread ? [] : threadOf(message.ts).slice(1);
    const print = JSON.stringify([message, replies.length, replies.at(-1)?.ts]);
    const kept = old.get(message.ts);
    if (kept?.dataset.print === print) nodes.push(kept);
    else
      nodes.push(
        messageNode(message, {
          replies,
          print,
          inThread,
          openThread,
          reload,
          changed: Boolean(kept),
        }),
      );
  }
  const same =
    nodes.length === list.children.length && nodes.every((node, at) => node === list.children[at]);
  if (!same) list.replaceChildren(...nodes);
  if (!same && focus) list.querySelector(focus)?.focus();
}

function whereFocusIs(list) {
  const active = document.activeElement;
  const line = list.contains(active) && active.closest("[data-line]");
  if (!line || !active.dataset.testid) return null;
  return `[data-line="${CSS.escape(line.dataset.line)}"] [data-testid="${CSS.escape(active.dataset.testid)}"]`;
}

const dayLine = (text) =>
  el("div", { class: "day", "data-line": `day ${text}` }, el("span", {}, text));

function messageNode(message, { replies, print, inThread, openThread, reload, changed }) {
  const author = personOf(message.user);
  const at = timeOf(message.ts);
  const name = author?.name ?? message.name ?? "jit";
  const isApp = !author && message.user !== SLACKBOT;
  const problem = el("div", { class: "problem", role: "alert" });
  const host = {
    name: `${inThread ? "thread" : "channel"}-${message.ts}`,
    form: null,
    act: (action) => act(message, action, problem, reload),
  };
  const blocks = message.blocks?.length
    ? renderBlocks(message.blocks, host)
    : [el("div", { class: "block text" }, mrkdwn(message.text ?? ""))];
  return el(
    "article",
    {
      class: ["message", message.ephemeral && "ephemeral", changed && "changed"]
        .filter(Boolean)
        .join(" "),
      "data-testid": "message",
      "data-ts": message.ts,
      "data-line": message.ts,
      "data-print": print,
      "aria-label": `${name}, ${clock(at)}`,
    },
    avatar(isApp ? null : (author ?? { name, hue: "bot" })),
    el(
      "div",
      { class: "message-main" },
      message.ephemeral && el("div", { class: "only-you" }, icon("eye"), "Only visible to you"),
      el(
        "div",
        { class: "byline" },
        el("b", {}, name),
        isApp && el("span", { class: "badge-app" }, "APP"),
        el("time", { datetime: at.toISOString(), title: at.toLocaleString() }, clock(at)),
      ),
      ...blocks,
      problem,
      replies.length > 0 && replyLine(message, replies, openThread),
    ),
  );
}

function replyLine(message, replies, openThread) {
  const seen = replies.filter((reply) => !reply.ephemeral);
  const whispers = replies.length - seen.length;
  const words = [
    seen.length && `${seen.length} ${seen.length === 1 ? "reply" : "replies"}`,
    whispers && `${whispers} only visible to you`,
  ];
  const authors = [...new Set(replies.map((reply) => reply.user))].slice(0, 4);
  return el(
    "button",
    {
      type: "button",
      class: "replies",
      "data-testid": `thread-${message.ts}`,
      onclick: () => openThread(message.ts),
    },
    ...authors.map((id) => avatar(personOf(id), "tiny")),
    el("span", { class: "replies-count" }, words.filter(Boolean).join(" · ")),
    el(
      "span",
      { class: "replies-last" },
      `Last ${day(timeOf(replies.at(-1).ts)).toLowerCase()} at ${clock(timeOf(replies.at(-1).ts))}`,
    ),
  );
}

async function act(message, { element, block, value }, problem, reload) {
  problem.replaceChildren();
  const place = { user: state.user, channel: message.channel, ts: message.ts };
  const answer = await clickMessage({
    ...place,
    action_id: element.action_id,
    block_id: block.block_id,
    value,
  });
  if (!answer.ok) problem.replaceChildren(icon("warn"), TROUBLE);
  await reload();
}

/** One line for screen readers about `message`. */
export function spoken(message) {
  const name = personOf(message.user)?.name ?? message.name ?? "jit";
  return `${name}: ${plain(message.text ?? "")}`;
}

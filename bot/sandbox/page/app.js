// The page of the local stand-in for Slack. It keeps nothing of its own but read marks: all that it shows
// comes from the JSON API under /sandbox/, and the address (#U0ANNA/C0ACCESS/ts) says where one is.

import { getMessages, getViews, getWorld, waitForChanges } from "./api.js";
import { startComposer } from "./composer.js";
import { el, icon, toast } from "./dom.js";
import { helpCard, hideHelp, showHelp } from "./help.js";
import { closeMenu } from "./menu.js";
import { drawMessages, spoken, threadOf, topLevel } from "./messages.js";
import { showViews, startModals } from "./modal.js";
import { banner, emptyWords, roomHead, threadFoot, threadHead } from "./room.js";
import { drawSidebar } from "./sidebar.js";
import { channelOf, keepWorld, memory, personOf, remember, state, world } from "./state.js";
import { countUnread, markRead } from "./unread.js";

const FIRST = "U0ANNA";
const FIRST_ROOM = "C0ACCESS";
const RETRY_MS = 1500;
const SWEEP_MS = 4000;

const main = document.getElementById("main");
const side = document.getElementById("sidebar");
const aside = document.getElementById("thread");
const announcer = document.getElementById("announcer");
const parts = {};
let waiting = null;
let turn = 0;

const choose = {
  person: (id) => go(id, null),
  channel: (id) => go(state.user, id),
  help: () => helpAgain(),
};

/** Where the address says that one is: [user, channel, thread]. */
const place = () => location.hash.slice(1).split("/").map(decodeURIComponent);

/** Go somewhere by way of the address, so that the browser's back button works. */
function go(user, channel, thread = null) {
  const room = channel ?? memory.channels[user] ?? state.channel;
  const next = `#${[user, room, thread].filter(Boolean).join("/")}`;
  if (location.hash === next) return;
  location.hash = next;
}

/** Follow the address: load what is new for this person, draw, and wait for news. */
async function arrive() {
  const [user, channel, thread] = place();
  const wanted = user || memory.user || FIRST;
  const mine = (turn += 1);
  closeMenu();
  const seen = await loadWorld(wanted);
  if (mine !== turn || !seen) return;
  const moved = wanted !== state.user;
  state.user = wanted;
  const channels = world().channels;
  const known = (id) => channels.some((one) => one.id === id);
  const next =
    [channel, memory.channels[wanted], state.channel, FIRST_ROOM].find(known) ??
    channels[0]?.id ??
    null;
  const changedRoom = moved || next !== state.channel;
  if (changedRoom) state.messages = [];
  state.channel = next;
  state.thread = thread && next === channel ? thread : null;
  memory.user = wanted;
  memory.channels[wanted] = next;
  remember();
  history.replaceState(null, "", `#${[wanted, next, state.thread].filter(Boolean).join("/")}`);
  if (changedRoom) drawRoom();
  await look();
  if (moved) follow();
}

async function loadWorld(user) {
  try {
    keepWorld(user, await getWorld(user));
    return true;
  } catch (problem) {
    if (user !== FIRST) {
      memory.user = null;
      location.hash = `#${FIRST}`;
    } else {
      toast(`The stand-in for Slack does not answer: ${problem.message}`);
      setTimeout(arrive, RETRY_MS);
    }
    return false;
  }
}

/** Load what this person sees and draw it; say so where the stand-in is away. */
async function look() {
  try {
    await lookNow();
    document.body.classList.remove("offline");
  } catch {
    document.body.classList.add("offline");
    state.seq = null;
    follow();
  }
}

async function lookNow() {
  const { user, channel } = state;
  const [seen, room, stack] = await Promise.all([
    getWorld(user),
    channel ? getMessages(user, channel) : { messages: [], seq: Infinity },
    getViews(user),
  ]);
  const seq = Math.min(seen.seq, room.seq, stack.seq);
  if (user !== state.user || channel !== state.channel || seq < (state.seq ?? 0)) return;
  const before = new Set(state.messages.map((message) => message.ts));
  const news = room.messages.filter(
    (message) => before.size && !before.has(message.ts) && message.user !== user,
  );
  keepWorld(user, seen);
  state.messages = room.messages;
  state.seq = seq;
  if (news.length) announcer.textContent = news.map(spoken).join("\n");
  if (!document.hidden) markRead(user, channel, state.messages);
  draw(news.length > 0);
  showViews(stack.views, user);
  sweep();
}

/** Wait for news for ever, one request at a time, until the person changes. */
async function follow() {
  waiting?.abort();
  const mine = (waiting = new AbortController());
  const user = state.user;
  while (!mine.signal.aborted) {
    try {
      const known = state.seq;
      const seq = known === null ? null : (await waitForChanges(user, known, mine.signal)).seq;
      if ((known === null || seq !== known) && !mine.signal.aborted) await lookNow();
      document.body.classList.remove("offline");
    } catch {
      if (mine.signal.aborted) return;
      document.body.classList.add("offline");
      state.seq = null;
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }
}

let sweeping = false;
let swept = null;
/** Count what is unread for everybody, one count at a time, and only if something happened. */
async function sweep() {
  if (sweeping || document.hidden || !state.user) return;
  sweeping = true;
  try {
    const { seq } = await getWorld(state.user);
    const now = `${seq} ${state.user} ${state.channel}`;
    if (now === swept) return;
    await countUnread();
    swept = now;
    drawSidebar(side, choose);
    drawTitle();
  } catch {
    // `follow` shows that the stand-in is away.
  } finally {
    sweeping = false;
  }
}

function draw(isNews) {
  drawSidebar(side, choose);
  drawTitle();
  drawMessages(parts.list, topLevel(), { inThread: false, openThread, reload: look });
  parts.empty.hidden = state.messages.length > 0;
  if (parts.atEnd) scrollDown();
  else if (isNews) parts.more.hidden = false;
  drawThread();
}

function drawTitle() {
  const name = channelOf(state.channel)?.name ?? "";
  document.title = `${name} as ${personOf(state.user)?.name ?? ""} · ${world().team.name}`;
}

const isAtEnd = (box) => box.scrollHeight - box.scrollTop - box.clientHeight < 60;
function scrollDown() {
  parts.atEnd = true;
  parts.more.hidden = true;
  parts.scroll.scrollTop = parts.scroll.scrollHeight;
}

// Who reads the end stays there, also when a thread opens beside or the window shrinks.
const resized = new ResizeObserver(() => parts.atEnd && scrollDown());

/** Draw the frame of the open channel: head, list, composer. */
function drawRoom() {
  const channel = channelOf(state.channel);
  const person = personOf(state.user);
  parts.list = el("div", {
    class: "list",
    role: "log",
    "aria-label": "Messages",
    "aria-live": "off",
  });
  parts.empty = el("p", { class: "empty" }, emptyWords(channel));
  parts.more = el(
    "button",
    { type: "button", class: "more", onclick: scrollDown, hidden: true },
    "New messages",
    icon("down"),
  );
  parts.help = el("div", {}, helpCard(choose, fillComposer));
  parts.scroll = el("div", { class: "scroll", tabindex: "-1" }, parts.empty, parts.list);
  parts.scroll.addEventListener("scroll", () => {
    parts.atEnd = isAtEnd(parts.scroll);
    if (parts.atEnd) parts.more.hidden = true;
  });
  parts.atEnd = true;
  resized.disconnect();
  resized.observe(parts.scroll);
  parts.composer = startComposer(person, channel, look);
  main.replaceChildren(
    roomHead(channel, person),
    parts.help,
    parts.scroll,
    parts.more,
    banner(person) ?? "",
    parts.composer.node,
  );
}

function fillComposer(text) {
  parts.composer.fill(text);
}

function helpAgain() {
  showHelp();
  parts.help.replaceChildren(helpCard(choose, fillComposer));
}

function openThread(ts) {
  go(state.user, state.channel, ts);
}

function closeThread() {
  const from = state.thread;
  go(state.user, state.channel);
  main.querySelector(`[data-testid="thread-${from}"]`)?.focus();
}

function drawThread() {
  const messages = state.thread ? threadOf(state.thread) : [];
  aside.hidden = messages.length === 0;
  if (aside.hidden) return aside.replaceChildren();
  if (aside.dataset.ts !== `${state.channel} ${state.thread}` || !aside.firstChild) {
    aside.dataset.ts = `${state.channel} ${state.thread}`;
    parts.replies = el("div", {
      class: "list",
      role: "log",
      "aria-label": "Replies",
      "data-testid": "thread-pane",
    });
    aside.replaceChildren(
      threadHead(channelOf(state.channel), closeThread),
      el("div", { class: "scroll" }, parts.replies),
      threadFoot(),
    );
  }
  const box = parts.replies.parentElement;
  const atEnd = isAtEnd(box);
  drawMessages(parts.replies, messages, { inThread: true, openThread, reload: look });
  if (atEnd) box.scrollTop = box.scrollHeight;
  return undefined;
}

/** The place that a permalink (/archives/C0ACCESS/p1700000000000100) means, or null. */
function permalink(url) {
  const [, channel, seconds, micros] =
    /^\/archives\/(\w+)\/p(\d+)(\d{6})$/.exec(url.pathname) ?? [];
  return channel ? [channel, url.searchParams.get("thread_ts") ?? `${seconds}.${micros}`] : null;
}

function followLink(event) {
  const anchor = event.target.closest("a[href]");
  const found =
    anchor && new URL(anchor.href).origin === location.origin && permalink(new URL(anchor.href));
  if (!found) return;
  event.preventDefault();
  go(state.user, ...found);
}

function start() {
  const linked = permalink(new URL(location.href));
  if (linked) history.replaceState(null, "", `/#${[memory.user ?? FIRST, ...linked].join("/")}`);
  document.addEventListener("click", followLink);
  startModals(look);
  addEventListener("hashchange", arrive);
  addEventListener("keydown", (event) => {
    if (event.key === "Escape" && !aside.hidden && !document.querySelector("dialog")) closeThread();
  });
  document.addEventListener("visibilitychange", () => document.hidden || (state.user && look()));
  setInterval(sweep, SWEEP_MS);
  document.addEventListener("dismiss-help", () => {
    hideHelp();
    parts.help.replaceChildren();
  });
  arrive();
}

start();

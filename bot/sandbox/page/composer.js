// The line at the bottom where commands are typed.

import { sendCommand } from "./api.js";
import { busy, el, icon } from "./dom.js";

const COMMAND = /^\/jit(?:\s|$)/;
const HINTS = ["/jit request", "/jit bundles", "/jit list", "/jit help"];
const ONLY_JIT =
  "Only /jit is connected here: people do not chat in this small Slack. Try /jit help.";
// What Slackbot has told in the channel already.
const TOLD = ["operation_timeout", "dispatch_failed"];
const typed = [];
const drafts = new Map();

/** {node, fill(text)}; `reload` is called after each command. */
export function startComposer(person, channel, reload) {
  const draft = `${person.id} ${channel?.id}`;
  const note = el("p", { class: "note", role: "status", "data-testid": "composer-note" });
  const field = el("textarea", {
    rows: 1,
    id: "composer-field",
    "data-testid": "composer",
    "aria-label": `Command in ${channel?.name ?? "no channel"}`,
    placeholder: "Type a command, for example /jit request",
    autocomplete: "off",
    spellcheck: "false",
    value: drafts.get(draft) ?? "",
  });
  const button = el(
    "button",
    { type: "submit", class: "send", "aria-label": "Send", "data-testid": "send" },
    icon("send"),
  );
  const fill = (text) => {
    field.value = text;
    drafts.set(draft, text);
    note.textContent = "";
    fit(field);
  };
  const send = async () => {
    const text = field.value.trim();
    if (!text || button.getAttribute("aria-disabled")) return;
    note.textContent = COMMAND.test(text) ? "" : ONLY_JIT;
    if (note.textContent) return;
    typed.push(text);
    fill("");
    const answer = await busy(button, () => sendCommand(person.id, channel.id, text));
    if (!answer.ok && !TOLD.includes(answer.error)) note.textContent = answer.error;
    await reload();
  };
  field.addEventListener("input", () => fill(field.value));
  field.addEventListener("keydown", (event) => key(event, field, fill, send));
  const form = el(
    "form",
    { class: "composer", onsubmit: (event) => event.preventDefault() || send() },
    field,
    button,
  );
  const hints = HINTS.map((text) =>
    el(
      "button",
      { type: "button", class: "try", onclick: () => fill(`${text} `) || field.focus() },
      text,
    ),
  );
  return {
    node: el(
      "div",
      { class: "composer-box" },
      note,
      form,
      el("p", { class: "hints" }, "Try ", ...hints),
    ),
    fill: (text) => fill(text) || field.focus(),
  };
}

function fit(field) {
  field.style.height = "auto";
  field.style.height = `${Math.min(field.scrollHeight, 160)}px`;
}

let at = 0;
function key(event, field, fill, send) {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    at = 0;
    send();
  } else if (event.key === "ArrowUp" && (field.value === "" || at > 0) && at < typed.length) {
    event.preventDefault();
    at += 1;
    fill(typed.at(-at));
  } else if (event.key === "ArrowDown" && at > 0) {
    event.preventDefault();
    at -= 1;
    fill(at ? typed.at(-at) : "");
  }
}

// The card that tells a newcomer what to do first.

import { el, icon } from "./dom.js";
import { memory, remember } from "./state.js";

export function showHelp() {
  memory.helpSeen = false;
  remember();
}

export function hideHelp() {
  memory.helpSeen = true;
  remember();
}

/** The card, or null where it was sent away. `choose.person(id)` and `fill(text)` do what its buttons say. */
export function helpCard(choose, fill) {
  if (memory.helpSeen) return null;
  const be = (id, name) => chip(name, () => choose.person(id));
  const step = (...children) => el("li", {}, el("span", {}, ...children));
  return el(
    "section",
    { class: "help", "data-testid": "help-card", "aria-label": "How this works" },
    el(
      "header",
      {},
      el("h2", {}, "Ask for access, and watch it end by itself"),
      el(
        "button",
        {
          type: "button",
          class: "plain",
          "aria-label": "Hide this card",
          "data-testid": "help-dismiss",
          onclick: () => document.dispatchEvent(new CustomEvent("dismiss-help")),
        },
        icon("close"),
      ),
    ),
    el("p", {}, "You play everybody here: click a name on the left to become that person."),
    el(
      "ol",
      {},
      step(
        "As ",
        be("U0ANNA", "Anna"),
        " type ",
        chip("/jit request", () => fill("/jit request")),
        ", press Enter, and ask for “Read billing”.",
      ),
      step(
        "Become ",
        be("U0BEN", "Ben"),
        ", a billing lead, and press Approve on the card in #access-requests.",
      ),
      step(
        "Back as ",
        be("U0ANNA", "Anna"),
        ", open jit under Apps: your token is there. A reminder follows, then the end.",
      ),
      step(
        "Be curious: approve your own request, ask as ",
        be("U0GUS", "Gus"),
        " the guest or as ",
        be("U0XENIA", "Xenia"),
        " from another company.",
      ),
    ),
  );
}

const chip = (text, press) => el("button", { type: "button", class: "try", onclick: press }, text);

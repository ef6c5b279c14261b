// Building the page: nodes only, never markup, so nothing that somebody wrote is ever parsed as HTML.

/** An element; strings among `children` become text, null and false are left out. */
export function el(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) put(node, name, value);
  node.append(...children.flat().filter((child) => child || child === 0));
  return node;
}

function put(node, name, value) {
  if (value === null || value === undefined || value === false) return;
  if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
  else if (name === "value" || name === "checked") node[name] = value;
  else node.setAttribute(name, value === true ? "" : value);
}

const ICONS = {
  hash: "M6.5 2.5 5 13.5m6-11-1.5 11M2.5 5.5h11.5M2 10.5h11.5",
  lock: "M4 7.5h8v6H4zm1.5 0V5a2.5 2.5 0 0 1 5 0v2.5",
  key: "M6.2 13.2a3.2 3.2 0 1 0 0-6.4 3.2 3.2 0 0 0 0 6.4M8.5 7.6 13.5 2.5m-2 2 2 2",
  close: "m4 4 8 8m0-8-8 8",
  back: "M10 3.5 5.5 8l4.5 4.5",
  down: "m4 6 4 4 4-4",
  check: "m3.5 8.5 3 3 6-7",
  eye: "M1.5 8S4 3.8 8 3.8 14.5 8 14.5 8 12 12.2 8 12.2 1.5 8 1.5 8M8 9.8a1.8 1.8 0 1 0 0-3.6 1.8 1.8 0 0 0 0 3.6",
  send: "M2.5 8 14 2.5 10 14 7.8 9z",
  more: "M3.5 8h.01M8 8h.01M12.5 8h.01",
  people:
    "M6 7.5a2.3 2.3 0 1 0 0-4.6 2.3 2.3 0 0 0 0 4.6M1.8 13c.3-2.4 2-3.6 4.2-3.6s3.9 1.2 4.2 3.6M10.5 3.2a2.2 2.2 0 0 1 0 4.2M12 9.7c1.3.5 2.1 1.6 2.3 3.3",
  warn: "M8 2.2 14.5 13.5h-13zM8 6.5v3.2m0 2v.01",
};

/** A small line drawing; it says nothing to screen readers. */
export function icon(name) {
  const namespace = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(namespace, "svg");
  const path = document.createElementNS(namespace, "path");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  path.setAttribute("d", ICONS[name]);
  svg.append(path);
  return svg;
}

/** A coloured circle with initials for a person, a square with a key for the app (null). */
export function avatar(person, size = "") {
  if (!person)
    return el("span", { class: `avatar app ${size}`, "aria-hidden": "true" }, icon("key"));
  const words = person.name.split(/\s+/).filter(Boolean);
  const initials = words.length > 1 ? words[0][0] + words.at(-1)[0] : person.name.slice(0, 2);
  const off = person.kind === "deactivated" ? "off" : "";
  const kind = `avatar hue-${person.hue} ${size} ${off}`;
  return el("span", { class: kind, "aria-hidden": "true" }, initials);
}

/** Say a sentence in the corner for a while. */
export function toast(sentence) {
  const note = el("div", { class: "toast" }, icon("warn"), sentence);
  document.getElementById("toasts").append(note);
  setTimeout(() => note.remove(), 6000);
}

/** Run `work` while `button` shows that something is under way. */
export async function busy(button, work) {
  button.setAttribute("aria-busy", "true");
  button.setAttribute("aria-disabled", "true");
  try {
    return await work();
  } finally {
    button.removeAttribute("aria-busy");
    button.removeAttribute("aria-disabled");
  }
}

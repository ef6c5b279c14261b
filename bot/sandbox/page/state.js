// What the page knows at this moment, and what it remembers between visits.

const STORE = "acme-page";

const HUES = 9;

/** `worlds`: what each person may see, by user id. `thread`: ts of the open one.
 * `seq`: of the last look; null where it is not known, to look again at once. */
export const state = {
  user: null,
  channel: null,
  thread: null,
  messages: [],
  worlds: new Map(),
  unread: new Map(),
  seq: null,
};

/** Kept in the browser: last read ts per person and channel, last channel per person, help seen. */
export const memory = recall();

function recall() {
  const fresh = { user: null, channels: {}, read: {}, helpSeen: false };
  try {
    return { ...fresh, ...JSON.parse(localStorage.getItem(STORE) ?? "{}") };
  } catch {
    return fresh;
  }
}

export function remember() {
  try {
    localStorage.setItem(STORE, JSON.stringify(memory));
  } catch {
    // A browser that keeps nothing still shows the page.
  }
}

/** Take in what `user` may see; each person gets one of the colours. */
export function keepWorld(user, seen) {
  const people = seen.people.map((person, index) => ({ ...person, hue: index % HUES }));
  state.worlds.set(user, { ...seen, people });
}

export const world = () => state.worlds.get(state.user);
export const personOf = (id) => world()?.people.find((person) => person.id === id);
export const channelOf = (id) => world()?.channels.find((channel) => channel.id === id);
export const groupOf = (id) => world()?.usergroups.find((group) => group.id === id);
export const isMine = (group) => Boolean(group?.users.includes(state.user));

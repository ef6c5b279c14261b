// What each person has not read yet, counted here in the browser: the stand-in keeps no read marks.

import { getMessages, getWorld } from "./api.js";
import { keepWorld, memory, remember, state } from "./state.js";

/** Unread of one channel for one person: `count` messages, `loud` of them in a DM or mentioning her. */
const NONE = { count: 0, loud: 0 };

export const unreadOf = (user, channel) => state.unread.get(`${user} ${channel}`) ?? NONE;

/** All that `user` has not read, summed. */
export function unreadSum(user) {
  const sum = { ...NONE };
  for (const channel of state.worlds.get(user)?.channels ?? []) {
    const { count, loud } = unreadOf(user, channel.id);
    sum.count += count;
    sum.loud += loud;
  }
  return sum;
}

/** `user` has seen everything in `messages` of `channel`. */
export function markRead(user, channel, messages) {
  const last = messages.filter((message) => !message.ephemeral).at(-1)?.ts;
  state.unread.delete(`${user} ${channel}`);
  if (!last || last <= (memory.read[`${user} ${channel}`] ?? "")) return;
  memory.read[`${user} ${channel}`] = last;
  remember();
}

/** Count anew for everybody; each channel is read once, as somebody who may see it. */
export async function countUnread() {
  const people = state.worlds.get(state.user)?.people ?? [];
  for (const { id } of people) {
    if (!state.worlds.has(id)) keepWorld(id, await getWorld(id));
  }
  const readers = new Map();
  for (const { id } of people) {
    for (const channel of state.worlds.get(id).channels) {
      if (!channel.members?.includes(id)) continue;
      readers.set(channel.id, [...(readers.get(channel.id) ?? []), id]);
    }
  }
  for (const [channel, members] of readers) {
    const { messages } = await getMessages(members[0], channel);
    for (const user of members) count(user, channel, messages);
  }
}

function count(user, channel, messages) {
  if (user === state.user && channel === state.channel && !document.hidden) return;
  const from = memory.read[`${user} ${channel}`] ?? "";
  const isDirect = state.worlds.get(user).channels.find((one) => one.id === channel)?.kind === "im";
  const fresh = messages.filter((message) => isNews(message, user) && message.ts > from);
  const loud = isDirect ? fresh.length : fresh.filter((message) => mentions(message, user)).length;
  state.unread.set(`${user} ${channel}`, { count: fresh.length, loud });
}

const isNews = (message, user) => !message.ephemeral && message.user !== user && !message.thread_ts;

function mentions(message, user) {
  const groups = state.worlds.get(user).usergroups.filter((group) => group.users.includes(user));
  const marks = [
    `<@${user}`,
    "<!here",
    "<!channel",
    ...groups.map((group) => `<!subteam^${group.id}`),
  ];
  const words = `${message.text ?? ""} ${JSON.stringify(message.blocks ?? [])}`;
  return marks.some((mark) => words.includes(mark));
}

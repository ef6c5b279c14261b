// The JSON API of the stand-in, one function per thing that people can do.

/** The answer of the stand-in; no answer at all is an answer too: {ok: false, error}. */
async function call(method, path, body, signal) {
  const request = { method, signal, headers: { accept: "application/json" } };
  if (body) {
    request.headers["content-type"] = "application/json";
    request.body = JSON.stringify(body);
  }
  const response = await fetch(`/sandbox/${path}`, request);
  const answer = await response.json();
  if (!response.ok && method === "GET") throw new Error(answer.error ?? `HTTP ${response.status}`);
  return answer;
}

async function send(path, body) {
  try {
    return await call("POST", path, body);
  } catch {
    return {
      ok: false,
      error: "The stand-in for Slack does not answer. Is the demo still running?",
    };
  }
}

const read = (path, values, signal) =>
  call("GET", `${path}?${new URLSearchParams(values)}`, null, signal);

export const getWorld = (user) => read("world", { user });
export const getMessages = (user, channel) => read("messages", { user, channel });
export const getViews = (user) => read("views", { user });
export const waitForChanges = (user, after, signal) => read("changes", { user, after }, signal);

export const sendCommand = (user, channel, text) => send("commands", { user, channel, text });
export const clickMessage = (click) => send("clicks", click);
export const clickView = (id, click) => send(`views/${encodeURIComponent(id)}/clicks`, click);
export const submitView = (id, user, values) =>
  send(`views/${encodeURIComponent(id)}/submissions`, { user, values });
export const closeView = (id, user) => send(`views/${encodeURIComponent(id)}/closings`, { user });

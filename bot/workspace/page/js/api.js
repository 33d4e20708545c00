// The workspace's control API, as one person.

export class ControlError extends Error {
  constructor(code) {
    super(code);
    this.code = code;
  }
}

async function read(response) {
  let body;
  try {
    body = await response.json();
  } catch {
    throw new ControlError(`http_${response.status}`);
  }
  if (!response.ok || body.ok === false) throw new ControlError(body.error ?? `http_${response.status}`);
  return body;
}

/** Calls of one persona. Every method returns the JSON answer or raises ControlError (or TypeError when offline). */
export class Api {
  constructor(me) {
    this.me = me;
  }

  async get(path, query = {}) {
    const parameters = new URLSearchParams({ ...(this.me ? { as: this.me } : {}), ...query });
    return read(await fetch(`/control/${path}?${parameters}`, { cache: "no-store" }));
  }

  async post(path, body = {}) {
    return read(
      await fetch(`/control/${path}`, {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ as: this.me, ...body }),
      }),
    );
  }
}

/** The address of this person's live stream. */
export function streamAddress(me) {
  const address = new URL("/control/stream", location.href);
  address.protocol = location.protocol === "https:" ? "wss:" : "ws:";
  address.search = new URLSearchParams({ as: me });
  return address.href;
}

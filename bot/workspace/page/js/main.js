// Wires the page: the store, its panes, and the address bar.

import { $, h } from "./dom.js";
import { Conversation } from "./conversation.js";
import { author } from "./message.js";
import { rememberPersona, rememberedPersona } from "./memory.js";
import { Modals } from "./modal.js";
import { Persona } from "./persona.js";
import { Side } from "./side.js";
import { Sidebar } from "./sidebar.js";
import { Store } from "./store.js";
import { announce, explain, toast } from "./toast.js";

const store = new Store();

/** The place that the address names: `#C1`, `#C1/171.2` (a thread), `#D1/home`. */
function placeFromAddress() {
  const [channel, rest] = location.hash.slice(1).split("/");
  if (!store.conversation(channel)) return null;
  if (rest === "home") return { channel, tab: "home" };
  return /^\d+\.\d+$/.test(rest ?? "") ? { channel, thread: rest } : { channel };
}

function addressOf({ channel, tab, thread }) {
  const rest = thread ? `/${thread}` : tab === "home" ? "/home" : "";
  return `#${channel}${rest}`;
}

const actions = {
  go(place) {
    store.go(place);
    const address = addressOf(store.here);
    if (address !== location.hash) history.pushState(null, "", address);
  },
  openThread: (ts) => actions.go({ channel: store.here.channel, thread: ts }),
  closeThread: () => actions.go({ channel: store.here.channel, tab: store.here.tab }),
  openDirectory: () => side.openDirectory(),
};

function firstPlace() {
  const general = store.conversations.find((conversation) => conversation.name === "general");
  return placeFromAddress() ?? { channel: (general ?? store.conversations[0]).id };
}

async function become(id) {
  try {
    await store.enter(id);
  } catch (error) {
    if (id && ["user_not_found", "account_inactive"].includes(error.code)) return become(null);
    return failed(id, error);
  }
  rememberPersona(store.me);
  $("team-name").textContent = store.team.name;
  $("offline").hidden = true;
  const place = firstPlace();
  store.go(place);
  history.replaceState(null, "", addressOf(store.here));
  return null;
}

/** The first reading failed: say so and try again until it works. */
function failed(id, error) {
  offline(
    `The workspace cannot be reached. ${error instanceof TypeError ? "Trying again…" : explain(error)}`,
  );
  setTimeout(() => become(id), 1500);
}

function offline(text) {
  $("offline").hidden = false;
  $("offline").replaceChildren(
    text,
    store.stream
      ? h(
          "button",
          { type: "button", class: "button small", on: { click: () => store.stream.connect() } },
          "Try now",
        )
      : "",
  );
}

function watchConnection() {
  store.listen("online", () => {
    if (store.online) $("offline").hidden = true;
    else offline("You are offline: the workspace does not answer. Reconnecting… ");
  });
  store.listen("warning", ({ text }) =>
    toast(text ?? `${store.app.name} did not answer within 3 seconds.`, { key: "unacknowledged" }),
  );
}

function announceFailures() {
  store.listen("failed", ({ error }) => toast(explain(error), { key: "read" }));
}

function announceMessages() {
  let newest = 0;
  store.listen("here", () => {
    newest = Number(store.messages.get(store.here.channel)?.at(-1)?.ts ?? 0);
  });
  store.listen("messages", ({ channel }) => {
    const message = store.messages.get(channel).at(-1);
    if (channel !== store.here.channel || !message || Number(message.ts) <= newest) return;
    newest = Number(message.ts);
    const person = author(message, store);
    if (person.id !== store.me) announce(`${person.real_name}: ${message.text ?? ""}`);
  });
}

new Persona(store, become);
new Sidebar(store, actions);
new Conversation(store, actions);
const side = new Side(store, actions);
new Modals(store);
watchConnection();
announceFailures();
announceMessages();
window.addEventListener("popstate", () => {
  const place = placeFromAddress();
  if (place) store.go(place);
});
become(rememberedPersona());
